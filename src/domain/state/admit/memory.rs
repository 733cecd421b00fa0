//! What memory says: the models of the task's goal fit, and it is known what is there.
//!
//! Not here: the throttle of a machine under pressure, which is asked of each endpoint with its seat.

use super::Why;
use crate::domain::protocol::Micros;
use crate::domain::state::{Goal, State, TaskIx};

/// What its goal's tasks would load fits.
pub(super) fn fits(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    match state.goal(state.task(ix).id.goal).and_then(Goal::short_of) {
        Some(short) => Err(Why::Memory { reason: short.reason.clone() }),
        None => Ok(()),
    }
}

/// This machine was looked at, or the time for that is over.
pub(super) fn is_known(state: &State, _: TaskIx, now: Micros) -> Result<(), Why> {
    if state.is_first_looking(now) { Err(Why::FirstLook) } else { Ok(()) }
}
