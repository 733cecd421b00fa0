//! Admission, and "why?": one function answers both, so the console can never say what the orchestrator does not do.
//!
//! One file a constraint. A new one is a file with a function, a line in [`NEW`], and a [`Why`]. Not here: what is looked up
//! fast (the orchestrator's index), acting on it. Invariant: pure questions of a [`State`]; what is asked last is dearest.

mod claims;
mod idle;
mod limit;
mod memory;
mod order;
mod plan;
mod seat;
mod session;
mod why;

pub use idle::IdleWhy;
pub use order::{QueuePlace, QueueStanding};
pub use why::{Pinch, Why};

use super::{EndpointIx, State, TaskIx};
use crate::domain::protocol::{Micros, Route};

/// What a task is given when it starts: all of it or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Where.
    pub endpoint: EndpointIx,
    /// The slot in the endpoint's pool.
    pub slot: u16,
    /// By which of the agent's tiers.
    pub route: Route,
}

/// A question that a task must answer before it starts.
type Constraint = fn(&State, TaskIx, Micros) -> Result<(), Why>;

/// What a task that begins must answer, in the order in which reasons are told.
const NEW: &[Constraint] = &[
    plan::waits,
    plan::is_approved,
    plan::needs_ended,
    plan::is_released,
    plan::is_due,
    session::is_open,
    memory::fits,
    memory::is_known,
    limit::is_below,
    claims::are_free,
];

/// What one that goes on must answer: the rest was looked at when it began.
const GOING_ON: &[Constraint] = &[session::is_open, limit::has_turn_left];

/// Everything but a seat.
fn eligible(state: &State, ix: TaskIx, now: Micros) -> Result<(), Why> {
    let constraints = if state.between_turns(state.task(ix)).is_some() { GOING_ON } else { NEW };
    constraints.iter().try_for_each(|constraint| constraint(state, ix, now))
}

/// Everything that a task which begins must answer but its claims and a seat.
fn eligible_but_for_claims(state: &State, ix: TaskIx, now: Micros) -> Result<(), Why> {
    NEW.iter().take(NEW.len() - 1).try_for_each(|constraint| constraint(state, ix, now))
}

impl State {
    /// Whether a task may start at `now`, and with what. The one function that decides it.
    ///
    /// # Errors
    /// [`Why`] not.
    pub fn admit(&self, ix: TaskIx, now: Micros) -> Result<Seat, Why> {
        eligible(self, ix, now)?;
        self.place(ix, now)
    }
}

#[cfg(test)]
impl State {
    /// Whether a task could start if there were a seat.
    pub(crate) fn is_eligible(&self, ix: TaskIx, now: Micros) -> bool {
        eligible(self, ix, now).is_ok()
    }
}
