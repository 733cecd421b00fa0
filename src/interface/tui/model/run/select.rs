//! Selecting text in a pane: from where to where. Rows by the keys, letters by the mouse.
//!
//! The view knows the rows; what is asked for here is met in the next frame, which hands the places back. Not here: the
//! text itself (the loop copies it from what the view keeps).

use super::place::{Anchor, Place};
use super::{Focus, RunUi};
use crate::domain::state::TaskIx;

/// An end of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Where the cursor begins: the current match, the last row while the pane follows, else the topmost.
    Begin,
    /// A row, or in a selection of letters the letter at its byte.
    Place(Place),
    /// A cell of the pane's inside as it was drawn last.
    Cell {
        /// Rows below the topmost.
        row: u16,
        /// Columns from the left.
        column: u16,
    },
}

/// What is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole rows.
    Rows,
    /// From letter to letter.
    Letters,
}

/// A selection in the pane of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Whose pane.
    pub task: TaskIx,
    /// Where it began.
    pub from: Point,
    /// Where its cursor is.
    pub to: Point,
    /// Rows the cursor is to move by.
    pub by: isize,
    /// Of what.
    pub unit: Unit,
}

impl RunUi {
    /// The selection, if there is one.
    pub fn selection(&self) -> Option<&Selection> {
        self.selection.as_ref()
    }

    /// Begins a selection of rows in the pane that has the keys, or ends the one there is.
    pub(super) fn toggle_selection(&mut self) -> Result<(), &'static str> {
        if self.selection.take().is_some() {
            return Ok(());
        }
        let at = self.keys_pane();
        let Some(task) = at.and_then(|at| self.panes.get(at)).map(|pane| pane.task) else {
            return Err("go to an output first (tab), then v selects in it");
        };
        self.selection = Some(Selection { task, from: Point::Begin, to: Point::Begin, by: 0, unit: Unit::Rows });
        Ok(())
    }

    /// A button was pressed in the pane at that place, at a cell of the screen: a selection of letters begins there once
    /// it is drawn on ([`Self::select_to`]). The pane stands still meanwhile.
    pub fn select_from(&mut self, pane: usize, x: u16, y: u16) {
        self.selection = None;
        let Some((cell, first)) = self.cell_of(pane, x, y) else { return };
        let Some(place) = self.panes.get_mut(pane) else { return };
        let task = place.task;
        if let Some(first) = first {
            place.anchor = Anchor::At(first);
        }
        self.selection = Some(Selection { task, from: cell, to: cell, by: 0, unit: Unit::Letters });
        self.focus = Focus::Pane;
        self.panes.focus = pane;
    }

    /// The button was drawn on to this cell. Outside the pane it scrolls.
    pub fn select_to(&mut self, pane: usize, x: u16, y: u16) {
        let Some((cell, _)) = self.cell_of(pane, x, y) else { return };
        let Some(inside) = self.drawn.panes.get(pane).map(|shown| shown.area) else { return };
        if let Some(selection) = self.selection.as_mut().filter(|s| s.unit == Unit::Letters) {
            selection.to = cell;
        }
        if let Some(pane) = self.panes.get_mut(pane) {
            if y < inside.y {
                pane.by = pane.by.saturating_sub(1);
            } else if y >= inside.bottom() {
                pane.by = pane.by.saturating_add(1);
            }
        }
    }

    /// The button was let go. True: something is selected.
    pub fn select_end(&mut self) -> bool {
        if self.selection.is_some_and(|s| s.from == s.to) {
            self.selection = None;
        }
        self.selection.is_some()
    }

    /// What was selected was copied, or is not wanted.
    pub fn end_selection(&mut self) {
        self.selection = None;
    }

    fn cell_of(&self, pane: usize, x: u16, y: u16) -> Option<(Point, Option<Place>)> {
        let shown = self.drawn.panes.get(pane)?;
        let inside = shown.area;
        if inside.is_empty() {
            return None;
        }
        let x = x.clamp(inside.x, inside.right() - 1);
        let y = y.clamp(inside.y, inside.bottom() - 1);
        Some((Point::Cell { row: y - inside.y, column: x - inside.x }, shown.first))
    }
}
