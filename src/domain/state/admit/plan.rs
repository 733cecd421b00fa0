//! What the plan says of a task: whether it waits at all, its review, its needs, its hold, its wait for a retry.

use super::Why;
use crate::domain::plan::OnFailure;
use crate::domain::protocol::Micros;
use crate::domain::state::{End, GoalPhase, Life, State, Task, TaskIx};

/// It has not begun, and is in the plan.
pub(super) fn waits(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    let task = state.task(ix);
    if task.life == Life::NotStarted && !task.removed { Ok(()) } else { Err(Why::NotWaiting) }
}

/// Its goal's plan may run.
pub(super) fn is_approved(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    let goal = state.task(ix).id.goal;
    match state.goal(goal) {
        Some(g) if g.phase == GoalPhase::Draft => Err(Why::Review(goal)),
        _ => Ok(()),
    }
}

/// What it needs has ended, in a way it takes.
pub(super) fn needs_ended(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    let task = state.task(ix);
    let (mut open, mut first) = (0, None);
    for need in task.needs.iter().map(|n| state.task(*n)) {
        if state.satisfies(need, task) {
            continue;
        }
        if let Life::Ended(end) = need.life {
            let end = match end {
                End::Done => continue,
                End::Failed => "failed",
                End::Cancelled(_) => "was cancelled",
                End::Skipped => "was skipped",
            };
            return Err(Why::Blocked { by: need.title.clone(), end });
        }
        open += 1;
        first.get_or_insert(need);
    }
    match first {
        Some(first) => Err(Why::Needs { count: open, first: first.title.clone() }),
        None => Ok(()),
    }
}

/// The operator does not hold it.
pub(super) fn is_released(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    if state.task(ix).held { Err(Why::Held) } else { Ok(()) }
}

/// Its wait for a retry is over.
pub(super) fn is_due(state: &State, ix: TaskIx, now: Micros) -> Result<(), Why> {
    let task = state.task(ix);
    if task.not_before <= now {
        return Ok(());
    }
    let seconds = task.not_before.since(now).0.div_ceil(1_000_000);
    Err(Why::Backoff { until: task.not_before, seconds, reason: task.reason.clone() })
}

impl State {
    /// Whether a need that has ended lets `task` start.
    pub fn satisfies(&self, need: &Task, task: &Task) -> bool {
        match need.life {
            Life::Ended(End::Done) => true,
            Life::Ended(End::Cancelled(_) | End::Skipped | End::Failed) => {
                task.spec.on_dependency_failure == OnFailure::Tell || need.has_result()
            }
            _ => false,
        }
    }
}
