//! What a task has for itself while it is at work: locks and paths.
//!
//! Not here: who may have what now (`state/admit`). Invariant: what a plan of format 1 can say is written as it was.

use serde::{Deserialize, Serialize};

use super::{Name, TaskId};

/// How a lock is wanted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// One unit of its capacity, beside nobody who shares it.
    #[default]
    Exclusive,
    /// Beside any who share it.
    Shared,
}

/// A lock that a task needs: `db`, or `{name: db, mode: shared}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "WrittenLock", into = "WrittenLock")]
#[schemars(with = "WrittenLock")]
pub struct LockUse {
    /// The lock.
    pub name: Name,
    /// How.
    pub mode: LockMode,
}

impl LockUse {
    /// A lock for oneself.
    pub const fn exclusive(name: Name) -> Self {
        Self { name, mode: LockMode::Exclusive }
    }
}

/// A lock as it is written.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum WrittenLock {
    /// For oneself.
    Name(Name),
    /// In a mode.
    Full(FullLock),
}

/// A lock with its mode.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct FullLock {
    /// The lock.
    name: Name,
    /// How.
    #[serde(default)]
    mode: LockMode,
}

impl From<WrittenLock> for LockUse {
    fn from(written: WrittenLock) -> Self {
        match written {
            WrittenLock::Name(name) => Self::exclusive(name),
            WrittenLock::Full(FullLock { name, mode }) => Self { name, mode },
        }
    }
}

impl From<LockUse> for WrittenLock {
    fn from(LockUse { name, mode }: LockUse) -> Self {
        match mode {
            LockMode::Exclusive => Self::Name(name),
            LockMode::Shared => Self::Full(FullLock { name, mode }),
        }
    }
}

/// What a task has for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Locks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockUse>,
    /// Patterns of the paths it may write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

impl Claims {
    /// Whether it is nothing.
    pub const fn is_empty(&self) -> bool {
        self.locks.is_empty() && self.paths.is_empty()
    }
}

/// A task has what it claims, from now until `task.unclaimed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskClaimed {
    /// The task.
    pub task: TaskId,
    /// What.
    #[serde(flatten)]
    pub claims: Claims,
    /// How long it waited since nothing but a claim or a slot kept it from starting, in microseconds.
    #[serde(default)]
    pub waited_us: u64,
}
