//! Painting text from left to right on one line, by cells, inside bounds.
//!
//! Not here: wrapping ([`crate::domain::text::wrap`]).

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::super::theme::{Glyph, Theme};
use crate::domain::text::width::{fitting_prefix, width};

/// A place on a line of the buffer that text is put at; it moves right and stops at its right bound.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    /// The next column.
    pub x: u16,
    y: u16,
    right: u16,
}

impl<'a> Pen<'a> {
    /// A pen at `x`, `y` that paints nothing at or right of `right`.
    pub fn new(buf: &'a mut Buffer, x: u16, y: u16, right: u16) -> Self {
        let area = buf.area;
        let inside = y >= area.y && y < area.bottom() && x >= area.x;
        let right = if inside { right.min(area.right()) } else { x };
        Self { buf, x, y, right }
    }

    /// Cells left.
    pub fn room(&self) -> usize {
        usize::from(self.right.saturating_sub(self.x))
    }

    /// Puts text; what does not fit is left out.
    pub fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        if room > 0 && !text.is_empty() {
            self.x = self.buf.set_stringn(self.x, self.y, text, room, style).0;
        }
        self
    }

    /// Leaves `cells` empty.
    pub fn gap(&mut self, cells: u16) -> &mut Self {
        self.x = self.x.saturating_add(cells).min(self.right);
        self
    }

    /// Puts text into a field of `cells`, cut with the theme's mark, and moves to the field's end.
    pub fn field(&mut self, text: &str, cells: usize, style: Style, theme: &Theme) -> &mut Self {
        let end = self.x.saturating_add(cells.min(self.room()) as u16);
        let cut = cut(text, usize::from(end.saturating_sub(self.x)), theme);
        self.put(&cut, style);
        self.x = end;
        self
    }

    /// Puts text at the right end of a field of `cells`; what is too long loses its end.
    pub fn right_field(&mut self, text: &str, cells: usize, style: Style) -> &mut Self {
        let wide = width(text).min(cells);
        self.gap((cells - wide) as u16);
        let end = self.x.saturating_add(wide as u16).min(self.right);
        self.put(text, style);
        self.x = self.x.max(end);
        self
    }

    /// Repeats a sign of one cell.
    pub fn repeat(&mut self, sign: &str, times: usize, style: Style) -> &mut Self {
        for _ in 0..times.min(self.room()) {
            self.put(sign, style);
        }
        self
    }
}

/// `text` if it fits `cells`, else its beginning and the theme's cut mark.
pub fn cut<'t>(text: &'t str, cells: usize, theme: &Theme) -> Cow<'t, str> {
    let (fits, _) = fitting_prefix(text, cells);
    if fits == text.len() {
        return Cow::Borrowed(text);
    }
    let mark = theme.glyph(Glyph::Ellipsis);
    let mark_cells = width(mark);
    if cells < mark_cells {
        return Cow::Borrowed("");
    }
    let (kept, _) = fitting_prefix(text, cells - mark_cells);
    let mut out = text.get(..kept).unwrap_or_default().trim_end().to_owned();
    out.push_str(mark);
    Cow::Owned(out)
}

/// Puts `text` so that it ends left of `right`, not starting before `left`. Returns where it starts.
pub fn put_right(buf: &mut Buffer, left: u16, y: u16, right: u16, text: &str, style: Style) -> u16 {
    let wide = width(text).min(usize::from(u16::MAX)) as u16;
    let start = right.saturating_sub(wide).max(left);
    Pen::new(buf, start, y, right).put(text, style);
    start
}
