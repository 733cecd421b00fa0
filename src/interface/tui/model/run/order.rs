//! The orders of the tree: as planned, by status, the longest first.
//!
//! Not here: rows. Invariant: equals stand in plan order, so nothing changes places without a reason.

use crate::domain::protocol::Micros;
use crate::domain::state::{State, Status, TaskIx};

/// In which order the tree stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Phases as planned.
    #[default]
    Plan,
    /// What needs you, what runs, what waits, what is over.
    Status,
    /// The longest chain of remaining work first.
    Longest,
}

/// Chains that differ by less are as long as each other: places are not changed for a second.
const STEP: f32 = 5.0;

impl Order {
    /// The next one, round and round.
    pub const fn next(self) -> Self {
        match self {
            Self::Plan => Self::Status,
            Self::Status => Self::Longest,
            Self::Longest => Self::Plan,
        }
    }

    /// The words shown.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Plan => "plan order",
            Self::Status => "by status",
            Self::Longest => "longest first",
        }
    }

    /// Where a row of these tasks stands: less is higher up.
    pub(super) fn rank(self, state: &State, tasks: &[TaskIx], paths: &[f32], now: Micros) -> u64 {
        let least = |of: &dyn Fn(TaskIx) -> u64| tasks.iter().map(|t| of(*t)).min().unwrap_or(u64::MAX);
        match self {
            Self::Plan => 0,
            Self::Status => least(&|t| u64::from(urgency(state.status(t, now)))),
            Self::Longest => least(&|t| {
                let steps = paths.get(t.0 as usize).copied().unwrap_or(0.0).max(0.0) / STEP;
                let left = u64::from(u32::MAX).saturating_sub(steps as u64);
                if state.task(t).has_ended() { u64::MAX } else { left }
            }),
        }
    }
}

/// What needs the operator first, what is over last.
pub fn urgency(status: Status) -> u8 {
    match status {
        Status::Asking => 0,
        Status::Failed => 1,
        Status::Running => 2,
        Status::Ready => 3,
        Status::Waiting => 4,
        Status::Held => 5,
        Status::Blocked => 6,
        Status::Pending => 7,
        Status::Cancelled => 8,
        Status::Skipped => 9,
        Status::Done => 10,
    }
}
