//! The status shown for a task: stored life and flags, and what is derived from its surroundings.

use super::{End, Life, State, TaskIx, Why};
use crate::domain::protocol::Micros;

/// What a row says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Something it needs has not ended.
    Pending,
    /// It could run; it waits for a slot.
    Ready,
    /// It waits for something else: a retry's time, a review, a pause, a limit, an endpoint.
    Waiting,
    /// Held by the operator.
    Held,
    /// Something it needs failed or can't end.
    Blocked,
    /// Running.
    Running,
    /// Its agent asks the operator.
    Asking,
    /// Ended with a result.
    Done,
    /// Ended without.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Skipped.
    Skipped,
}

impl Status {
    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Blocked => "blocked",
            Self::Running => "running",
            Self::Asking => "asks you",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    pub(super) fn of(state: &State, ix: TaskIx, now: Micros) -> Self {
        match state.task(ix).life {
            Life::Running if state.task(ix).asking.is_some() => Self::Asking,
            Life::Running => Self::Running,
            Life::Ended(End::Done) => Self::Done,
            Life::Ended(End::Failed) => Self::Failed,
            Life::Ended(End::Cancelled(_)) => Self::Cancelled,
            Life::Ended(End::Skipped) => Self::Skipped,
            Life::NotStarted => match state.admit(ix, now) {
                Ok(_) | Err(Why::Slot { .. }) => Self::Ready,
                Err(Why::Held) => Self::Held,
                Err(Why::Blocked { .. }) => Self::Blocked,
                Err(Why::Needs { .. }) => Self::Pending,
                Err(_) => Self::Waiting,
            },
        }
    }
}
