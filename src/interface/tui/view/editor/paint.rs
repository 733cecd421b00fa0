//! A row of a text being edited: its graphemes in their styles, and the cursor on one of them.
//!
//! The text is clean: it came in as `CleanText` or letter by letter.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::domain::text::width::graphemes;

/// Paints bytes of a line into a row of the screen; what does not fit is left out. `cursor` is a byte of the line; at the
/// end of the text it stands on the cell behind.
pub(in super::super) fn row(
    line: &str,
    range: Range<usize>,
    style: impl Fn(usize) -> Style,
    cursor: Option<usize>,
    place: Rect,
    buf: &mut Buffer,
) {
    let place = place.intersection(buf.area);
    if place.is_empty() {
        return;
    }
    let mut x = place.x;
    let last = place.right() - 1;
    let text = line.get(range.clone()).unwrap_or_default();
    let mut shown = false;
    for g in graphemes(text) {
        let byte = range.start + g.at;
        let cells = u16::try_from(g.cells).unwrap_or(u16::MAX);
        let here = cursor.is_some_and(|c| c >= byte && c < byte + g.text.len());
        if cells == 0 || x.saturating_add(cells) > place.right() {
            // Spaces at a break hang over the edge; the cursor waits there.
            if here {
                mark(buf, last, place.y);
                shown = true;
            }
            continue;
        }
        buf.set_stringn(x, place.y, g.text, usize::from(cells), style(byte));
        if here {
            mark(buf, x, place.y);
            shown = true;
        }
        x += cells;
    }
    if !shown && cursor == Some(range.end) {
        mark(buf, x.min(last), place.y);
    }
}

fn mark(buf: &mut Buffer, x: u16, y: u16) {
    if let Some(cell) = buf.cell_mut((x, y)) {
        let modifier = cell.modifier.union(Modifier::REVERSED);
        cell.modifier = modifier;
    }
}
