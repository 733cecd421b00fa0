//! What the user does in the inspector of a task.

use super::{Msg, UiEffect};
use crate::domain::protocol::{Micros, TaskId};
use crate::domain::state::State;
use crate::interface::tui::action::{Action, Context};

/// The inspector of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectorUi {
    /// Which task.
    pub task: TaskId,
}

impl InspectorUi {
    /// Opens it on a task.
    pub fn new(task: TaskId) -> Self {
        Self { task }
    }

    /// Does what an action means there; `Back` never comes here, it closes the inspector.
    pub fn update(&mut self, _action: Action, _state: &State, _now: Micros) -> Vec<UiEffect> {
        Vec::new()
    }

    /// Takes a paste, a click or the wheel.
    pub fn input(&mut self, _msg: &Msg, _state: &State, _now: Micros) -> Vec<UiEffect> {
        Vec::new()
    }

    /// The contexts of its focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        vec![Context::Task, Context::Output, Context::Everywhere]
    }
}
