//! What the user does on screen 1: focus, selection, scroll, panes.

use super::{Msg, UiEffect};
use crate::domain::protocol::{Micros, Record};
use crate::domain::state::State;
use crate::interface::tui::action::{Action, Context};

/// What the user does there.
#[derive(Clone, Debug, Default)]
pub struct RunUi {}

impl RunUi {
    /// Does what an action means there.
    pub fn update(&mut self, _action: Action, _state: &State, _now: Micros) -> Vec<UiEffect> {
        Vec::new()
    }

    /// Takes a key of its text field, a paste, a click or the wheel.
    pub fn input(&mut self, _msg: &Msg, _state: &State, _now: Micros) -> Vec<UiEffect> {
        Vec::new()
    }

    /// The contexts of its focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        vec![Context::Task, Context::List]
    }

    /// Follows what happened.
    pub fn observe(&mut self, _state: &State, _record: &Record) {}

    /// When something of it changes by itself.
    pub fn deadline(&self) -> Option<Micros> {
        None
    }
}
