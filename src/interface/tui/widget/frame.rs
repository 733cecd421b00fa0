//! Borders that panes share: rectangles are drawn into a mask of strokes, and each cell becomes the box sign that joins
//! the strokes that meet in it.
//!
//! Not here: what stands between the lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::super::theme::{GlyphSet, Slot, Theme};
use super::pen::{Pen, cut};
use crate::domain::text::width::width;

const UP: u8 = 1;
const RIGHT: u8 = 2;
const DOWN: u8 = 4;
const LEFT: u8 = 8;
const FOCUS: u8 = 16;

const SIGNS: [&str; 16] = [" ", "│", "─", "└", "│", "│", "┌", "├", "─", "┘", "─", "┴", "┐", "┤", "┬", "┼"];

/// How a rectangle is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    /// Ordinary.
    Plain,
    /// It has the focus.
    Focused,
}

/// Strokes over an area.
#[derive(Debug)]
pub struct Frame {
    area: Rect,
    cells: Vec<u8>,
}

impl Frame {
    /// No strokes yet.
    pub fn new(area: Rect) -> Self {
        Self { area, cells: vec![0; usize::from(area.width) * usize::from(area.height)] }
    }

    fn add(&mut self, x: u16, y: u16, strokes: u8) {
        if x >= self.area.x && x < self.area.right() && y >= self.area.y && y < self.area.bottom() {
            let at = usize::from(y - self.area.y) * usize::from(self.area.width) + usize::from(x - self.area.x);
            if let Some(cell) = self.cells.get_mut(at) {
                *cell |= strokes;
            }
        }
    }

    /// The border around `inner`; where it runs over one that is there, they join.
    pub fn around(&mut self, inner: Rect, emphasis: Emphasis) {
        let focus = if emphasis == Emphasis::Focused { FOCUS } else { 0 };
        let (left, top) = (inner.x.saturating_sub(1), inner.y.saturating_sub(1));
        let (right, bottom) = (inner.right(), inner.bottom());
        for x in inner.x..right {
            self.add(x, top, LEFT | RIGHT | focus);
            self.add(x, bottom, LEFT | RIGHT | focus);
        }
        for y in inner.y..bottom {
            self.add(left, y, UP | DOWN | focus);
            self.add(right, y, UP | DOWN | focus);
        }
        self.add(left, top, RIGHT | DOWN | focus);
        self.add(right, top, LEFT | DOWN | focus);
        self.add(left, bottom, RIGHT | UP | focus);
        self.add(right, bottom, LEFT | UP | focus);
    }

    /// Paints the strokes.
    pub fn paint(&self, buf: &mut Buffer, theme: &Theme) {
        let (plain, focused) = (theme.style(Slot::Border), theme.style(Slot::BorderFocus));
        let mut cells = self.cells.iter();
        for y in self.area.y..self.area.bottom() {
            for x in self.area.x..self.area.right() {
                let Some(strokes) = cells.next().copied().filter(|s| *s != 0) else { continue };
                let lines = strokes & 15;
                let sign = match theme.glyphs {
                    GlyphSet::Unicode => SIGNS[usize::from(lines)],
                    GlyphSet::Ascii => match lines {
                        5 => "|",
                        10 => "-",
                        _ => "+",
                    },
                };
                if let Some(cell) = buf.cell_mut((x, y)) {
                    cell.set_symbol(sign).set_style(if strokes & FOCUS == 0 { plain } else { focused });
                }
            }
        }
    }
}

/// Words on the border above `inner`: `left` first, `right` at the end, cut so that neither runs into the other.
/// `right` is kept longer.
pub fn titles(buf: &mut Buffer, inner: Rect, left: (&str, Style), right: (&str, Style), theme: &Theme) {
    let Some(y) = inner.y.checked_sub(1) else { return };
    edge(buf, inner, y, left, right, theme);
}

fn edge(buf: &mut Buffer, inner: Rect, y: u16, left: (&str, Style), right: (&str, Style), theme: &Theme) {
    // The line's own weight is not the words'.
    let over = |style: Style| Style::new().remove_modifier(Modifier::all()).patch(style);
    let (left, right) = ((left.0, over(left.1)), (right.0, over(right.1)));
    let room = usize::from(inner.width).saturating_sub(2);
    let mut end = inner.right().saturating_sub(1);
    let right_cells = width(right.0) + 2;
    if !right.0.is_empty() && right_cells + 4 <= room {
        let start = end.saturating_sub(right_cells as u16);
        Pen::new(buf, start, y, end).put(" ", right.1).put(right.0, right.1).put(" ", right.1);
        end = start.saturating_sub(1);
    }
    if left.0.is_empty() || inner.width < 6 {
        return;
    }
    let mut pen = Pen::new(buf, inner.x + 1, y, end);
    let cells = pen.room().saturating_sub(2);
    let text = cut(left.0, cells, theme);
    if !text.is_empty() {
        pen.put(" ", left.1).put(&text, left.1).put(" ", left.1);
    }
}
