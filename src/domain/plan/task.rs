//! A plan and its tasks as they are written. The format is public and changes only with its version.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PLAN_VERSION;
use crate::domain::fleet::OnCut;
use crate::domain::protocol::{AgentName, Claims, Level, LockUse, Name};
use crate::domain::text::width::cut_end;

/// The longest title that is made of a prompt, in cells: it names a task in one line beside what is said of it.
const MADE_TITLE: usize = 60;

/// A goal as a DAG of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The format's version: 1, or 2 with `capacity` and locks in a mode.
    pub version: u32,
    /// What is wanted, in the operator's words.
    pub goal: String,
    /// The most tasks of this goal at once; none: the setting, else as many as there are slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Whether the goal ends with a synthesis; none: the setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthesis: Option<bool>,
    /// How many tasks may have each lock at once; one where it is not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity: BTreeMap<Name, u32>,
    /// The tasks, in the order of the file.
    pub tasks: Vec<TaskSpec>,
}

impl Plan {
    /// A plan with only what every plan has.
    pub fn new(goal: impl Into<String>, tasks: Vec<TaskSpec>) -> Self {
        let (max_parallel, capacity, synthesis) = (None, BTreeMap::new(), None);
        Self { version: PLAN_VERSION, goal: goal.into(), max_parallel, synthesis, capacity, tasks }
    }
}

/// How much a task matters against others that are ready. Ordered: `Critical` is the greatest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When nothing else wants the slot.
    Low,
    /// As usual.
    #[default]
    Medium,
    /// Before the usual.
    High,
    /// Before everything.
    Critical,
}

/// What happens to a task whose dependency failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It does not start, and is skipped when the dependency can't end any more (the default).
    #[default]
    Stop,
    /// It runs and is told in its context what failed and why.
    Tell,
}

/// The limits of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The most tokens of one answer; the agent's limit when absent. Also the estimate of its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
    /// The most turns of one chain of attempts: what was interrupted or moved counts on, a failure, a retry or a word of a
    /// person begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// The longest one attempt may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// How often a failed task is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries again after the first one, on the first tier.
    pub max: u32,
    /// How the wait grows.
    #[serde(default)]
    pub backoff: Backoff,
}

/// How the wait before a retry grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// No wait.
    None,
    /// It doubles from the setting's first wait to its longest (the default).
    #[default]
    Doubling,
}

/// One task as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Its name in the plan; unique, never reused.
    pub id: Name,
    /// What rows show; the prompt's first words when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the agent is asked.
    pub prompt: String,
    /// Who does it.
    pub agent: AgentName,
    /// The tasks that must have ended before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Name>,
    /// A label to group by; it orders nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Its weight among ready tasks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: Priority,
    /// Its reasoning level; the agent's, then the session's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Paths only this task may write while it runs, as patterns from the root: `src/api/**`, `!src/api/old/**`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owns: Vec<String>,
    /// Locks it needs while it runs: `db`, or `{name: db, mode: shared}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockUse>,
    /// Artifacts it makes. For a later version; refused until then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub produces: Vec<Name>,
    /// Artifacts it needs. For a later version; refused until then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumes: Vec<Name>,
    /// Its limits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budget: Budget,
    /// Its retries; the setting when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What a failed dependency does to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_dependency_failure: OnFailure,
    /// What becomes of its answer when that is cut at its limit; the setting when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_cut: Option<OnCut>,
    /// Commands that must pass before its result counts. For a later version; refused until then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}

impl TaskSpec {
    /// A task with only what every task has.
    pub fn new(id: Name, agent: AgentName, prompt: impl Into<String>) -> Self {
        Self {
            id,
            title: None,
            prompt: prompt.into(),
            agent,
            needs: Vec::new(),
            phase: None,
            priority: Priority::default(),
            level: None,
            owns: Vec::new(),
            locks: Vec::new(),
            produces: Vec::new(),
            consumes: Vec::new(),
            budget: Budget::default(),
            retry: None,
            on_dependency_failure: OnFailure::default(),
            on_cut: None,
            checks: Vec::new(),
        }
    }

    /// What it has for itself while it is at work.
    pub fn claims(&self) -> Claims {
        Claims { locks: self.locks.clone(), paths: self.owns.clone() }
    }

    /// The title, or the beginning of the prompt's first line: some prompts are one line of many pages.
    pub fn title(&self) -> Cow<'_, str> {
        match &self.title {
            Some(title) => Cow::Borrowed(title),
            None => cut_end(self.prompt.trim().lines().next().unwrap_or("").trim(), MADE_TITLE),
        }
    }
}

/// One step of an edit to a plan. An edit command carries several and is applied whole or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanEdit {
    /// A new task.
    Add(Box<TaskSpec>),
    /// A task's new form; the id stays, its version grows.
    Replace(Box<TaskSpec>),
    /// A task goes; its id is never given to another.
    Remove(Name),
    /// A removed task comes back, in the form given: what undoes a removal.
    Restore(Box<TaskSpec>),
}

impl PlanEdit {
    /// The name of the task it is about.
    pub fn name(&self) -> &Name {
        match self {
            Self::Add(spec) | Self::Replace(spec) | Self::Restore(spec) => &spec.id,
            Self::Remove(name) => name,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
