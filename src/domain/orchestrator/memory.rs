//! What this machine can bear: goals whose models do not fit wait, and fewer tasks start while it is hard pressed.
//!
//! Not here: the sum itself (`domain/memory`), how the machine is read (`engine/machine`).

use super::Orchestrator;
use super::commands::Refusal;
use crate::domain::protocol::{Event, GoalId, MachineSampled, Release, Subject};
use crate::domain::state::GoalMemory;

impl Orchestrator {
    /// Takes in a look at the machine.
    pub(super) fn sampled(&mut self, sample: Box<MachineSampled>) {
        self.emit(Event::MachineSampled(sample));
    }

    /// Whether a goal is held for memory.
    pub(super) fn check_force(&self, goal: GoalId) -> Result<(), Refusal> {
        match self.goal(goal)?.memory {
            GoalMemory::Short(_) => Ok(()),
            GoalMemory::Fits => Err("it is not held for memory".to_owned()),
            GoalMemory::Forced => Err("it was forced already".to_owned()),
        }
    }

    /// Starts the tasks of a goal though its models do not fit.
    pub(super) fn force(&mut self, goal: GoalId) {
        self.emit(Event::GoalReleased { goal, by: Release::Forced });
        self.emit_cleared(Subject::Memory(goal));
    }
}
