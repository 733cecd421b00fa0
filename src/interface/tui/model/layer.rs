//! What can lie on top of a screen. The uppermost has the keys; `Back` closes it.

use super::absent::AbsentUi;
use super::answer::Hand;
use super::fleet::form::EndpointForm;
use super::{
    AnswerUi, AttentionUi, Card, EditorUi, FormUi, GoToUi, InspectorUi, MessageUi, PaletteUi, PreviewUi, RetryUi,
    ThemesUi, UiEffect,
};
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::interface::tui::action::{Action, Context};

/// Something on top of the screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// What works here.
    Help(HelpUi),
    /// Every command, by name.
    Palette(PaletteUi),
    /// A question: leaving, stopping, or anything that acts on many.
    Card(Card),
    /// A task in full.
    Inspector(InspectorUi),
    /// What needs the operator.
    Attention(AttentionUi),
    /// A plan or a result as text.
    Editor(Box<EditorUi>),
    /// A task's form.
    Form(Box<FormUi>),
    /// What an edit would do.
    Preview(Box<PreviewUi>),
    /// Themes, tried on while choosing.
    Themes(ThemesUi),
    /// What runs again, and how.
    Retry(RetryUi),
    /// A question of an agent.
    Answer(AnswerUi),
    /// Something to be said to an agent.
    Message(MessageUi),
    /// What was said on the notice line.
    Notices(usize),
    /// Where in the session to go.
    GoTo(GoToUi),
    /// What happened while nobody was here.
    Absent(AbsentUi),
    /// An endpoint's form.
    Endpoint(Box<EndpointForm>),
}

/// What a layer does with an action.
#[derive(Debug, PartialEq)]
pub(super) enum LayerDoes {
    /// It stays open.
    Stays(Vec<UiEffect>),
    /// It closes.
    Closes(Vec<UiEffect>),
    /// It closes and the action is done on what lies below.
    Becomes(Action),
}

/// The help of the contexts it was opened from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelpUi {
    /// What it explains.
    pub contexts: Vec<Context>,
    /// The first row shown.
    pub scroll: usize,
}

impl Layer {
    /// The contexts of its focus, innermost first.
    pub fn contexts(&self, state: &State) -> Vec<Context> {
        match self {
            Self::Help(_) | Self::Notices(_) | Self::Themes(_) => vec![Context::List, Context::Everywhere],
            Self::Attention(_) => vec![Context::Attention, Context::List, Context::Everywhere],
            Self::Palette(_)
            | Self::Message(_)
            | Self::Editor(_)
            | Self::Form(_)
            | Self::GoTo(_)
            | Self::Endpoint(_) => {
                vec![Context::Text]
            }
            Self::Retry(retry) => retry.contexts(),
            Self::Answer(answer) => answer.contexts(),
            Self::Card(_) | Self::Preview(_) | Self::Absent(_) => vec![Context::Card],
            Self::Inspector(inspector) => inspector.contexts(state),
        }
    }

    /// What it asks for when it is closed without a choice.
    pub(super) fn closed(self) -> Vec<UiEffect> {
        match self {
            Self::Themes(themes) => themes.undo(),
            _ => Vec::new(),
        }
    }

    /// From when on it takes keys.
    pub(super) fn listens_at(&self) -> Option<Micros> {
        match self {
            Self::Card(card) => Some(card.listens_at()),
            Self::Absent(absent) => Some(absent.opened.plus(Card::DEAF)),
            Self::Retry(retry) => Some(retry.opened.plus(Card::DEAF)),
            // Words that are typed decide nothing yet.
            Self::Answer(answer) if answer.hand == Hand::Choosing => Some(answer.opened.plus(Card::DEAF)),
            _ => None,
        }
    }

    /// When it has something to do by itself.
    pub(super) fn deadline(&self) -> Option<Micros> {
        match self {
            Self::Editor(editor) => editor.deadline(),
            _ => None,
        }
    }

    /// It opens now, whenever it was made: a card made beside another must not listen from its first moment.
    pub(super) fn opens(&mut self, now: Micros) {
        match self {
            Self::Card(card) => card.opened = now,
            Self::Absent(absent) => absent.opened = now,
            Self::Retry(retry) => retry.opened = now,
            Self::Answer(answer) => answer.opened = now,
            Self::Preview(preview) => preview.opens(now),
            _ => {}
        }
    }
}
