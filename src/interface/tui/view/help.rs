//! Help: what works here, from the table of actions, by context.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::width::width;
use crate::interface::tui::action::table::{ENTRIES, words_of};
use crate::interface::tui::action::{Context, Keymap};
use crate::interface::tui::model::HelpUi;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// The cells of a column of help.
const COLUMN: u16 = 60;

/// A row of help.
enum Row {
    Heading(&'static str),
    Action(String, &'static str),
    Empty,
}

/// What works, by context from the innermost out. A key that an inner context has taken is not told again.
fn rows(keymap: &Keymap, contexts: &[Context]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut told: Vec<String> = Vec::new();
    for context in contexts {
        let mut entries = Vec::new();
        for entry in ENTRIES {
            let mut keys = keymap.keys(*context, entry.action);
            keys.retain(|k| !told.contains(k));
            told.extend(keys.iter().cloned());
            if !keys.is_empty() {
                entries.push(Row::Action(keys.join(" "), entry.words));
            }
        }
        if !entries.is_empty() {
            if !rows.is_empty() {
                rows.push(Row::Empty);
            }
            rows.push(Row::Heading(words_of(*context)));
            rows.extend(entries);
        }
    }
    rows
}

/// Draws help over `area`: in two columns where it is wide and one does not hold all.
pub(super) fn render(theme: &Theme, keymap: &Keymap, help: &HelpUi, area: Rect, buf: &mut Buffer) {
    let rows = rows(keymap, &help.contexts);
    let many = rows.len() + 4 > usize::from(area.height) && area.width >= 2 * COLUMN - 4;
    let half = if many { half(&rows) } else { rows.len() };
    let cells = if many { 2 * COLUMN } else { COLUMN };
    let high = u16::try_from(half.max(rows.len() - half)).unwrap_or(u16::MAX);
    let inner = sheet(theme, "What works here", (cells, high), area, buf);
    let height = usize::from(inner.height);
    let keys = |row: &Row| if let Row::Action(keys, _) = row { width(keys) } else { 0 };
    let keys = rows.iter().map(keys).max().unwrap_or(0).min(usize::from(inner.width / 2));
    let gap = if many { 3 } else { 0 };
    let column = if many { (inner.width - gap) / 2 } else { inner.width };
    let from = help.scroll.min(usize::from(high).saturating_sub(height));
    for (n, part) in (0_u16..).zip([&rows[..half], &rows[half..]]) {
        let place = Rect { x: inner.x + n * (column + gap), width: column, ..inner };
        for (i, content) in (0..).zip(part.iter().skip(from)) {
            let Some(line) = row(place, i) else { break };
            match content {
                Row::Empty => {}
                Row::Heading(words) => {
                    put(buf, line, &theme.cut(words, usize::from(line.width)), theme.style(Slot::Heading));
                }
                Row::Action(text, words) => {
                    let left = put(buf, line, &format!("{text:<keys$}  "), theme.style(Slot::Key));
                    put(buf, left, &theme.cut(words, usize::from(left.width)), ink(theme));
                }
            }
        }
    }
    let below = usize::from(high).saturating_sub(from + height);
    for (count, glyph, y) in [(from, Glyph::Above, inner.y), (below, Glyph::Below, inner.bottom().saturating_sub(1))] {
        if count > 0 && inner.height > 1 {
            let text = format!(" {} {count} more", theme.glyph(glyph));
            let cells = u16::try_from(text.chars().count()).unwrap_or(0).min(inner.width);
            let place = Rect { x: inner.right() - cells, y, width: cells, height: 1 };
            put(buf, place, &text, theme.style(Slot::Dim));
        }
    }
}

/// Where the second column begins: after the heading's group that ends past the middle, or right at the middle of a long one.
fn half(rows: &[Row]) -> usize {
    let middle = rows.len().div_ceil(2);
    let near = (middle..rows.len().min(middle + 5)).find(|i| matches!(rows.get(*i), Some(Row::Heading(_))));
    near.unwrap_or(middle)
}
