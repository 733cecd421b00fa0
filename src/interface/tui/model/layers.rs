//! The layers on top of a screen, one above the other: opened, closed with what was typed in them kept, and what an
//! action does to the uppermost.
//!
//! Not here: what each of them is ([`super::layer`]), what works when none has an action for itself ([`super::update`]).
//! Invariant: what was typed is lost only when it was sent or emptied.

use super::field::TextField;
use super::layer::LayerDoes;
use super::palette::Offer;
use super::{DraftOf, Layer, Ui, UiEffect};
use crate::domain::protocol::{Micros, TaskId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

impl Ui {
    /// Puts a layer on top: its time begins, and what was typed for it before stands in it again.
    pub(super) fn open(&mut self, layer: Layer, now: Micros) {
        let mut layer = self.kept_draft(&layer, now).unwrap_or(layer);
        layer.opens(now);
        let draft = |of, task: &TaskId| self.drafts.get(&(of, task.clone())).map(|text| TextField::with_text(text));
        match &mut layer {
            Layer::Message(message) => {
                message.field = draft(DraftOf::Message, &message.task).unwrap_or_default();
            }
            Layer::Answer(answer) => answer.field = draft(DraftOf::Answer, &answer.task).unwrap_or_default(),
            Layer::Retry(retry) => retry.typed = draft(DraftOf::Prompt, &retry.task).map(|field| field.text()),
            _ => {}
        }
        self.layers.push(layer);
    }

    /// Takes the uppermost layer off; what was typed in it is kept. It is forgotten when it is known to have been sent.
    /// None: there was no layer; else what its going asks for.
    pub(super) fn close(&mut self) -> Option<Vec<UiEffect>> {
        let layer = self.layers.pop()?;
        let typed = match &layer {
            Layer::Message(message) => Some((DraftOf::Message, &message.task, message.field.text())),
            Layer::Answer(answer) => Some((DraftOf::Answer, &answer.task, answer.field.text())),
            Layer::Retry(retry) => retry.draft().map(|text| (DraftOf::Prompt, &retry.task, text.to_owned())),
            _ => None,
        };
        if let Some((of, task, text)) = typed {
            if text.trim().is_empty() {
                self.drafts.remove(&(of, task.clone()));
            } else {
                self.drafts.insert((of, task.clone()), text);
            }
        }
        Some(layer.closed())
    }

    /// Forgets a draft that was sent.
    pub(super) fn drop_draft(&mut self, of: DraftOf, task: &TaskId, sent: &CleanText) {
        let key = (of, task.clone());
        if self.drafts.get(&key).is_some_and(|text| CleanText::new(text.trim()) == *sent) {
            self.drafts.remove(&key);
        }
    }
}

/// What a layer that is uppermost does; none when the action is not its own.
pub(super) fn layer_acts(layer: &mut Layer, action: Action, state: &State, now: Micros) -> Option<LayerDoes> {
    use LayerDoes::{Closes, Stays};
    const PAGE: usize = 10;
    let nothing = Some(Stays(Vec::new()));
    match layer {
        Layer::Help(help) => {
            help.scroll = match action {
                Action::Down => help.scroll.saturating_add(1),
                Action::Up => help.scroll.saturating_sub(1),
                Action::PageDown => help.scroll.saturating_add(PAGE),
                Action::PageUp => help.scroll.saturating_sub(PAGE),
                Action::First => 0,
                Action::Last => usize::MAX,
                Action::Help | Action::Enter => return Some(Closes(Vec::new())),
                _ => return None,
            };
            nothing
        }
        Layer::Palette(palette) => match action {
            Action::Enter => Some(palette.choose(state)),
            // Completes what wants an argument; what would act waits for enter.
            Action::NextPane if matches!(palette.found(state).get(palette.selected), Some(Offer::Form(_))) => {
                Some(palette.choose(state))
            }
            Action::Palette => Some(Closes(Vec::new())),
            Action::Quit | Action::Suspend | Action::Redraw => None,
            _ => nothing,
        },
        Layer::Card(card) => match action {
            Action::Left | Action::Up | Action::PreviousPane => {
                card.turn(-1);
                nothing
            }
            Action::Right | Action::Down | Action::NextPane => {
                card.turn(1);
                nothing
            }
            Action::Enter => {
                Some(Closes(card.choices.get(card.focused).map(|c| c.effects.clone()).unwrap_or_default()))
            }
            Action::Redraw | Action::Suspend => None,
            _ => nothing,
        },
        Layer::Attention(list) => list.update(action, state, now),
        Layer::Retry(retry) => match action {
            Action::Redraw | Action::Suspend => None,
            action => Some(retry.update(action, state)),
        },
        Layer::Answer(answer) => match action {
            Action::Redraw | Action::Suspend => None,
            action => Some(answer.update(action, state)),
        },
        Layer::Absent(absent) => match action {
            Action::Redraw | Action::Suspend | Action::Quit => None,
            action => Some(absent.update(action, state, now)),
        },
        Layer::Message(message) => match action {
            Action::Redraw | Action::Suspend | Action::Quit => None,
            action => Some(message.update(action, state)),
        },
        Layer::Endpoint(form) => match action {
            Action::Redraw | Action::Suspend | Action::Quit => None,
            action => Some(form.update(action)),
        },
        Layer::GoTo(goto) => match action {
            Action::Redraw | Action::Suspend | Action::Quit => None,
            action => Some(goto.update(action)),
        },
        Layer::Notices(scroll) => {
            *scroll = match action {
                Action::Down => scroll.saturating_add(1),
                Action::Up => scroll.saturating_sub(1),
                Action::PageDown => scroll.saturating_add(PAGE),
                Action::PageUp => scroll.saturating_sub(PAGE),
                Action::First => 0,
                Action::Last => usize::MAX,
                Action::Enter => return Some(Closes(Vec::new())),
                _ => return None,
            };
            nothing
        }
        Layer::Themes(themes) => match action {
            Action::Enter => Some(Closes(themes.keep())),
            action => themes.update(action).map(Stays),
        },
        Layer::Inspector(inspector) => match action {
            Action::Enter
            | Action::Down
            | Action::Up
            | Action::Left
            | Action::Right
            | Action::First
            | Action::Last
            | Action::PageDown
            | Action::PageUp
            | Action::NextPane
            | Action::PreviousPane
            | Action::Follow
            | Action::Copy
            | Action::Search
            | Action::NextMatch
            | Action::PreviousMatch
            | Action::Range
            | Action::Retry
            | Action::Level
            | Action::Hold
            | Action::EditTask
            | Action::NewTask
            | Action::Remove
            | Action::Raise
            | Action::Lower
            | Action::Message
            | Action::Answer
            | Action::DiffAttempts
            | Action::Stop => Some(Stays(inspector.update(action, state, now))),
            _ => None,
        },
        Layer::Editor(_) | Layer::Form(_) | Layer::Preview(_) => None,
    }
}
