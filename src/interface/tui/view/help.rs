//! Help: what works here, from the table of actions, by context.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{row, sheet};
use crate::interface::tui::action::table::{ENTRIES, words_of};
use crate::interface::tui::action::{Context, Keymap};
use crate::interface::tui::model::HelpUi;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// The cells of the column of keys.
const KEYS: usize = 16;

/// A row of help.
enum Row {
    Heading(&'static str),
    Action(String, &'static str),
    Empty,
}

fn rows(keymap: &Keymap, contexts: &[Context]) -> Vec<Row> {
    let mut rows = Vec::new();
    for context in contexts {
        let entries: Vec<Row> = ENTRIES
            .iter()
            .filter_map(|e| {
                let keys = keymap.keys(*context, e.action);
                (!keys.is_empty()).then(|| Row::Action(keys.join(" "), e.words))
            })
            .collect();
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

/// Draws help over `area`.
pub(super) fn render(theme: &Theme, keymap: &Keymap, help: &HelpUi, area: Rect, buf: &mut Buffer) {
    let rows = rows(keymap, &help.contexts);
    let inner = sheet(theme, "What works here", (64, u16::try_from(rows.len()).unwrap_or(u16::MAX)), area, buf);
    let height = usize::from(inner.height);
    let from = help.scroll.min(rows.len().saturating_sub(height));
    for (i, content) in (0..).zip(rows.iter().skip(from)) {
        let Some(line) = row(inner, i) else { break };
        match content {
            Row::Empty => {}
            Row::Heading(words) => {
                put(buf, line, words, theme.style(Slot::Heading));
            }
            Row::Action(keys, words) => {
                let left = put(buf, line, &format!("{keys:<KEYS$} "), theme.style(Slot::Key));
                put(buf, left, &theme.cut(words, usize::from(left.width)), theme.style(Slot::Text));
            }
        }
    }
    let below = rows.len().saturating_sub(from + height);
    for (count, glyph, y) in [(from, Glyph::Above, inner.y), (below, Glyph::Below, inner.bottom().saturating_sub(1))] {
        if count > 0 && inner.height > 1 {
            let text = format!(" {} {count} more", theme.glyph(glyph));
            let cells = u16::try_from(text.chars().count()).unwrap_or(0).min(inner.width);
            let place = Rect { x: inner.right() - cells, y, width: cells, height: 1 };
            put(buf, place, &text, theme.style(Slot::Dim));
        }
    }
}
