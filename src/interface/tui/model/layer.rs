//! What can lie on top of a screen. The uppermost has the keys; `Back` closes it.

use super::{Card, EditorUi, FormUi, InspectorUi, PaletteUi, PreviewUi};
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::interface::tui::action::Context;

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
}

/// The help of the contexts it was opened from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelpUi {
    /// What it explains.
    pub contexts: Vec<Context>,
    /// The first row shown.
    pub scroll: usize,
}

/// The list of what needs the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttentionUi {
    /// The selected row.
    pub selected: usize,
}

impl Layer {
    /// The contexts of its focus, innermost first.
    pub fn contexts(&self, state: &State) -> Vec<Context> {
        match self {
            Self::Help(_) | Self::Attention(_) => vec![Context::List, Context::Everywhere],
            Self::Palette(_) | Self::Editor(_) | Self::Form(_) => vec![Context::Text],
            Self::Card(_) | Self::Preview(_) => vec![Context::Card],
            Self::Inspector(inspector) => inspector.contexts(state),
        }
    }

    /// From when on it takes keys.
    pub(super) fn listens_at(&self) -> Option<Micros> {
        match self {
            Self::Card(card) => Some(card.listens_at()),
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
}
