//! The goal's limit of tasks at work. One that waits for a person is not at work; it comes under the limit again when it goes
//! on, ahead of new ones.

use super::Why;
use crate::domain::protocol::Micros;
use crate::domain::state::{Goal, State, TaskIx};

impl Goal {
    /// The limit, where as many tasks as it allows are at work.
    pub(crate) fn full(&self) -> Option<u32> {
        self.options.max_parallel.filter(|max| self.running.saturating_sub(self.asking) >= *max)
    }
}

/// One more may be at work.
pub(super) fn is_below(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    match state.goal(state.task(ix).id.goal).and_then(Goal::full) {
        Some(max) => Err(Why::Limit { max }),
        None => Ok(()),
    }
}

/// One more may have a turn: more tasks than the limit are at work after several were answered at once.
pub(super) fn has_turn_left(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    let goal = state.task(ix).id.goal;
    let Some(max) = state.goal(goal).and_then(|g| g.full().filter(|max| g.running.saturating_sub(g.asking) > *max))
    else {
        return Ok(());
    };
    let has_turn = |task: TaskIx| state.task(task).id.goal == goal && state.has_turn(task);
    let turns = state.running().filter(|a| has_turn(a.task)).count();
    if turns >= max as usize { Err(Why::Limit { max }) } else { Ok(()) }
}
