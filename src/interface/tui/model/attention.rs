//! The list of what needs the operator: which item the cursor is on, and what its keys do, in place.
//!
//! Not here: what needs the operator (the orchestrator raises it). Invariant: the cursor stays on its item while others
//! come and go; when its own goes, it stands where that one stood.

use super::layer::LayerDoes;
use super::update::needs_you;
use super::{InspectorUi, Layer, Screen, UiEffect, answer, notice, task_verbs};
use crate::domain::protocol::{Command, Micros, Subject};
use crate::domain::state::State;
use crate::interface::tui::action::Action;

/// The list of what needs the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttentionUi {
    /// The item the cursor is on; none: the first one.
    at: Option<Subject>,
    /// Where it stood.
    row: usize,
}

impl AttentionUi {
    /// The row of the cursor.
    pub fn row(&self, state: &State) -> usize {
        let all = needs_you(state);
        let last = all.len().saturating_sub(1);
        let here = self.at.as_ref().and_then(|at| all.iter().position(|(s, _)| *s == at));
        here.unwrap_or(self.row.min(last))
    }

    /// The item the cursor is on.
    pub fn selected(&self, state: &State) -> Option<Subject> {
        needs_you(state).get(self.row(state)).map(|(s, _)| (*s).clone())
    }

    /// Moves the cursor.
    pub(super) fn go(&mut self, row: usize, state: &State) {
        let all = needs_you(state);
        self.row = row.min(all.len().saturating_sub(1));
        self.at = all.get(self.row).map(|(s, _)| (*s).clone());
    }

    /// Follows what came and went.
    pub(super) fn follow(&mut self, state: &State) {
        self.go(self.row(state), state);
    }

    /// Does what an action means here; none: it is none of the list's own.
    pub(super) fn update(&mut self, action: Action, state: &State, now: Micros) -> Option<LayerDoes> {
        const PAGE: usize = 10;
        let row = self.row(state);
        let to = match action {
            Action::Down => row + 1,
            Action::Up => row.saturating_sub(1),
            Action::PageDown => row + PAGE,
            Action::PageUp => row.saturating_sub(PAGE),
            Action::First => 0,
            Action::Last => usize::MAX,
            Action::Attention => return Some(LayerDoes::Closes(Vec::new())),
            Action::Enter | Action::Answer | Action::Retry | Action::Stop | Action::Message | Action::Dismiss => {
                // What it stood on is kept before anything is done about it.
                self.go(row, state);
                let Some(subject) = self.at.clone() else { return Some(LayerDoes::Closes(Vec::new())) };
                return Some(attend(&subject, action, state, now));
            }
            _ => return None,
        };
        self.go(to, state);
        Some(LayerDoes::Stays(Vec::new()))
    }
}

/// What an action does about something that needs the operator.
pub(super) fn attend(subject: &Subject, action: Action, state: &State, now: Micros) -> LayerDoes {
    let task = subject.task().and_then(|t| state.find(t));
    let probe = || match subject {
        Subject::Endpoint(endpoint) => {
            let mut effects = notice("asking that endpoint");
            effects.push(UiEffect::Send(Command::Probe(Some(endpoint.clone()))));
            effects
        }
        _ => notice("that key acts on tasks; this is none"),
    };
    LayerDoes::Stays(match (action, subject, task) {
        (Action::Dismiss, ..) => vec![UiEffect::Send(Command::Dismiss(subject.clone()))],
        (Action::Enter, Subject::Review(goal), _) => {
            return LayerDoes::Closes(vec![UiEffect::Show(Screen::Review(*goal))]);
        }
        (Action::Enter, _, Some(ix)) => {
            let inspector = InspectorUi::new(state.task(ix).id.clone());
            vec![UiEffect::Open(Box::new(Layer::Inspector(inspector)))]
        }
        (Action::Answer | Action::Enter, Subject::Memory(goal), _) => answer::memory(*goal, state, now),
        (Action::Answer, Subject::Review(goal), _) => answer::review(*goal, state, now),
        (Action::Answer, Subject::Endpoint(_), _) | (Action::Enter | Action::Retry, _, None) => probe(),
        (verb, _, Some(ix)) => task_verbs::task_action(verb, ix, state, now).unwrap_or_default(),
        _ => notice("there is nothing to answer here; d takes it off the list"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    #[test]
    fn the_cursor_stays_on_its_item_while_others_come_and_go() {
        let mut story = story::troubled();
        let mut list = AttentionUi::default();
        list.update(Action::Down, &story.state, story.at);
        list.update(Action::Down, &story.state, story.at);
        let on = list.selected(&story.state).unwrap();
        let first = needs_you(&story.state)[0].0.clone();
        story.clear(first);
        list.follow(&story.state);
        assert_eq!((list.selected(&story.state), list.row(&story.state)), (Some(on.clone()), 1));
        story.clear(on.clone());
        list.follow(&story.state);
        assert_eq!(list.row(&story.state), 1, "where its own stood");
        story.wait(1);
        story.raise(on, "again");
        list.follow(&story.state);
        assert_eq!(list.row(&story.state), 1, "what comes later stands below");
    }

    #[test]
    fn the_keys_act_on_the_item_in_place() {
        let story = story::troubled();
        let mut list = AttentionUi::default();
        let mut all = Vec::new();
        for _ in needs_you(&story.state) {
            let subject = list.selected(&story.state).unwrap();
            let dismissed = list.update(Action::Dismiss, &story.state, story.at);
            assert_eq!(dismissed, Some(LayerDoes::Stays(vec![UiEffect::Send(Command::Dismiss(subject.clone()))])));
            let answered = list.update(Action::Answer, &story.state, story.at);
            assert!(matches!(answered, Some(LayerDoes::Stays(effects)) if !effects.is_empty()), "{subject}");
            all.push(subject);
            list.update(Action::Down, &story.state, story.at);
        }
        assert!(all.iter().any(|s| matches!(s, Subject::Question(_))));
        assert!(all.iter().any(|s| matches!(s, Subject::Loop(_))));
    }
}
