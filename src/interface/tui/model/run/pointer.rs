//! The mouse on the Run screen: a click selects, a second one opens; the wheel scrolls what is under it; borders are
//! dragged.
//!
//! Not here: what lies around and on top of the screen. Invariant: what the mouse does, a key does too.

use ratatui::layout::Position;

use super::splits::{Border, borders};
use super::{Focus, Guide, Hit, RunUi};
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::model::UiEffect;

/// Two clicks on a border within this time are one double click.
const DOUBLE: Micros = Micros::from_millis(500);

/// What the mouse did last.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointer {
    last: Option<(Hit, Micros)>,
    grabbed: Option<Border>,
    /// The pane in which text is drawn over.
    drawing: Option<usize>,
}

impl Pointer {
    /// A key came between: the next click is a first one.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

impl RunUi {
    /// The button went down.
    pub(super) fn press(&mut self, x: u16, y: u16, state: &State, now: Micros) -> Vec<UiEffect> {
        let Some(hit) = self.hit(x, y) else { return Vec::new() };
        self.stir();
        let before = self.pointer.last.replace((hit.clone(), now));
        let again = before.as_ref().is_some_and(|(last, _)| *last == hit);
        let quick = again && before.is_some_and(|(_, at)| now.since(at) < DOUBLE);
        match hit {
            Hit::Row(pick) => {
                (self.guide, self.focus) = (Guide::User, Focus::Tree);
                if let Some(at) = self.rows.iter().position(|r| r.pick == pick) {
                    self.at = at;
                }
                self.pick = Some(pick);
                self.reach();
                if again {
                    return self.enter(state);
                }
            }
            Hit::Pane(at) => {
                self.guide = Guide::User;
                self.focus_pane(at);
                self.select_from(at, x, y);
                self.pointer.drawing = Some(at);
            }
            Hit::Fleet(at) => {
                (self.guide, self.focus) = (Guide::User, Focus::Fleet);
                self.fleet_at = at;
                if again {
                    return self.enter(state);
                }
            }
            Hit::Border(border) if quick => {
                self.splits.reset(border);
                self.pointer.last = None;
            }
            Hit::Border(border) => self.pointer.grabbed = Some(border),
        }
        Vec::new()
    }

    /// The mouse moved with the button down.
    pub(super) fn drag(&mut self, x: u16, y: u16) {
        if let Some(border) = self.pointer.grabbed {
            self.pointer.last = None;
            self.splits.drag(border, (x, y), &self.areas);
        } else if let Some(pane) = self.pointer.drawing {
            self.pointer.last = None;
            self.select_to(pane, x, y);
        }
    }

    /// The button went up.
    pub(super) fn release(&mut self) -> Vec<UiEffect> {
        self.pointer.grabbed = None;
        let drew = self.pointer.drawing.take().is_some() && self.select_end();
        let words = || UiEffect::Notice(CleanText::from_static("y copies what is selected, esc leaves it"));
        drew.then(words).into_iter().collect()
    }

    /// The wheel over a place; negative is up.
    pub(super) fn wheel(&mut self, x: u16, y: u16, by: i16) {
        let by = isize::from(by);
        match self.hit(x, y) {
            Some(Hit::Pane(at)) => self.scroll_pane(at, by),
            Some(Hit::Row(_)) => {
                self.stir();
                // View and cursor go together; at an end the cursor goes on alone.
                let last = self.rows.len().saturating_sub(usize::from(self.areas.tree.height).max(1));
                self.tree_top = self.tree_top.saturating_add_signed(by).min(last);
                self.move_pick(by);
            }
            Some(Hit::Fleet(_)) => {
                let last = self.figures.fleet.len().saturating_sub(1);
                self.fleet_at = self.fleet_at.saturating_add_signed(by.signum()).min(last);
            }
            Some(Hit::Border(_)) | None => {}
        }
    }

    fn hit(&self, x: u16, y: u16) -> Option<Hit> {
        let at = Position::new(x, y);
        let drawn = self.drawn.hits.iter().find(|(rect, _)| rect.contains(at)).map(|(_, hit)| hit.clone());
        drawn.or_else(|| {
            let border = borders(&self.areas).into_iter().find(|(rect, _)| rect.contains(at));
            border.map(|(_, border)| Hit::Border(border))
        })
    }
}
