//! Lines of a graph on cells: strokes that join, cross and carry weight.
//!
//! Where one line passes under another without meeting it, only the upper one is drawn in that cell: a cross sign would
//! say that they meet. What is on the critical path is heavy, so that it shows without colour. Not here: where lines go
//! (`domain/graph`).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::theme::{GlyphSet, Slot, Theme};

/// A stroke up from the middle of a cell.
pub const UP: u8 = 1;
/// A stroke to the right.
pub const RIGHT: u8 = 2;
/// A stroke down.
pub const DOWN: u8 = 4;
/// A stroke to the left.
pub const LEFT: u8 = 8;
const CRITICAL: u8 = 16;
const CHOSEN: u8 = 32;

const LIGHT: [&str; 16] = [" ", "│", "─", "╰", "│", "│", "╭", "├", "─", "╯", "─", "┴", "╮", "┤", "┬", "┼"];
const HEAVY: [&str; 16] = [" ", "┃", "━", "┗", "┃", "┃", "┏", "┣", "━", "┛", "━", "┻", "┓", "┫", "┳", "╋"];

/// Why a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It is on the critical path.
    Critical,
    /// It is one of the selected task's.
    Chosen,
}

/// Strokes over an area of a drawing; the area's corner is at `left`, `top` of it.
#[derive(Debug)]
pub struct Lines {
    area: Rect,
    left: u16,
    top: u16,
    cells: Vec<u8>,
}

impl Lines {
    /// No strokes yet.
    pub fn new(area: Rect, (left, top): (u16, u16)) -> Self {
        Self { area, left, top, cells: vec![0; usize::from(area.width) * usize::from(area.height)] }
    }

    fn cell(&mut self, x: u16, y: u16) -> Option<&mut u8> {
        let (x, y) = (x.checked_sub(self.left)?, y.checked_sub(self.top)?);
        if x >= self.area.width || y >= self.area.height {
            return None;
        }
        self.cells.get_mut(usize::from(y) * usize::from(self.area.width) + usize::from(x))
    }

    /// Adds strokes to a cell of the drawing; what is out of sight is left out.
    pub fn add(&mut self, x: u16, y: u16, strokes: u8) {
        if let Some(cell) = self.cell(x, y) {
            *cell |= strokes;
        }
    }

    /// A line from `from` up to but not at `to`.
    pub fn across(&mut self, from: u16, to: u16, y: u16) {
        let (first, last) = (self.left, self.left.saturating_add(self.area.width));
        for x in from.max(first)..to.min(last) {
            self.add(x, y, LEFT | RIGHT);
        }
    }

    /// A line down through a cell, over whatever is there.
    pub fn over(&mut self, x: u16, y: u16) {
        if let Some(cell) = self.cell(x, y) {
            *cell = UP | DOWN;
        }
    }

    /// Puts exactly these strokes in a cell.
    pub fn joint(&mut self, x: u16, y: u16, strokes: u8) {
        if let Some(cell) = self.cell(x, y) {
            *cell = strokes;
        }
    }

    /// Gives weight to a cell if a line goes through it the way meant by `strokes`.
    pub fn weigh(&mut self, x: u16, y: u16, strokes: u8, weight: Weight) {
        if let Some(cell) = self.cell(x, y).filter(|c| **c & strokes != 0) {
            *cell |= match weight {
                Weight::Critical => CRITICAL,
                Weight::Chosen => CHOSEN,
            };
        }
    }

    /// Gives weight to a line from `from` up to but not at `to`.
    pub fn weigh_across(&mut self, from: u16, to: u16, y: u16, weight: Weight) {
        let (first, last) = (self.left, self.left.saturating_add(self.area.width));
        for x in from.max(first)..to.min(last) {
            self.weigh(x, y, LEFT | RIGHT, weight);
        }
    }

    /// Paints the strokes.
    pub fn paint(&self, buf: &mut Buffer, theme: &Theme) {
        let mut cells = self.cells.iter();
        for y in self.area.y..self.area.bottom() {
            for x in self.area.x..self.area.right() {
                let Some(strokes) = cells.next().copied().filter(|s| s & 15 != 0) else { continue };
                let lines = strokes & 15;
                let heavy = strokes & CRITICAL != 0;
                let sign = match (theme.glyphs, heavy) {
                    (GlyphSet::Unicode, false) => LIGHT[usize::from(lines)],
                    (GlyphSet::Unicode, true) => HEAVY[usize::from(lines)],
                    (GlyphSet::Ascii, _) => match (lines, heavy) {
                        (1 | 4 | 5, false) => "|",
                        (2 | 8 | 10, false) => "-",
                        (_, false) => "+",
                        (2 | 8 | 10, true) => "=",
                        (_, true) => "#",
                    },
                };
                let slot = match (heavy, strokes & CHOSEN != 0) {
                    (_, true) => Slot::BorderFocus,
                    (true, false) => Slot::Critical,
                    (false, false) => Slot::Border,
                };
                if let Some(cell) = buf.cell_mut((x, y)) {
                    cell.set_symbol(sign).set_style(theme.style(slot));
                }
            }
        }
    }
}
