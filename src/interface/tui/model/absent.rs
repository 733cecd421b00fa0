//! What happened while nobody was at this console: lines that open what they are about; any other key closes them.
//!
//! Not here: what is told and in which words (`report/since`), when it opens (`runtime/absent`).

use super::attention::attend;
use super::layer::LayerDoes;
use super::{InspectorUi, Layer, Screen, UiEffect};
use crate::domain::protocol::{Micros, Subject};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::report::SinceAbout;
use crate::interface::tui::action::Action;

/// The lines and which is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct AbsentUi {
    /// What is told, each with what it is about.
    pub(crate) lines: Vec<(CleanText, SinceAbout)>,
    /// The line that `enter` opens.
    pub(crate) focused: usize,
    pub(super) opened: Micros,
}

impl AbsentUi {
    /// Opens with the first line that leads anywhere: mostly what waits longest.
    pub(crate) fn new(lines: Vec<(CleanText, SinceAbout)>, now: Micros) -> Self {
        let waits = |about: &SinceAbout| matches!(about, SinceAbout::Waits(_));
        let first = |of: &dyn Fn(&SinceAbout) -> bool| lines.iter().position(|(_, about)| of(about));
        let focused = first(&waits).or_else(|| first(&|about| *about != SinceAbout::All)).unwrap_or(0);
        Self { lines, focused, opened: now }
    }

    /// Does what an action means here.
    pub(super) fn update(&mut self, action: Action, state: &State, now: Micros) -> LayerDoes {
        let last = self.lines.len().saturating_sub(1);
        match action {
            Action::Up | Action::Left | Action::PreviousPane => self.focused = self.focused.saturating_sub(1),
            Action::Down | Action::Right | Action::NextPane => self.focused = (self.focused + 1).min(last),
            Action::Enter => return self.open(state, now),
            _ => return LayerDoes::Closes(Vec::new()),
        }
        LayerDoes::Stays(Vec::new())
    }

    /// Opens what the chosen line is about; what is all of it leads to the screen below.
    fn open(&self, state: &State, now: Micros) -> LayerDoes {
        let effects = match self.lines.get(self.focused).map(|(_, about)| about) {
            Some(SinceAbout::Task(task)) => {
                vec![UiEffect::Open(Box::new(Layer::Inspector(InspectorUi::new(task.clone()))))]
            }
            Some(SinceAbout::Waits(subject)) if state.attention.contains_key(subject) => {
                let verb = if matches!(subject, Subject::Question(_)) { Action::Answer } else { Action::Enter };
                let (LayerDoes::Stays(effects) | LayerDoes::Closes(effects)) = attend(subject, verb, state, now) else {
                    return LayerDoes::Closes(Vec::new());
                };
                effects
            }
            Some(SinceAbout::Endpoint(_)) => vec![UiEffect::Show(Screen::Fleet)],
            Some(SinceAbout::All | SinceAbout::Waits(_)) | None => Vec::new(),
        };
        LayerDoes::Closes(effects)
    }
}
