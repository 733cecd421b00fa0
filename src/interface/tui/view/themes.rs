//! The theme picker: names, on what ground each draws, where it is from, and its statuses in its own colours.
//!
//! It stands in a corner, because what is chosen is seen behind it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::CleanText;
use crate::domain::text::width::{cut_middle, width};
use crate::interface::tui::model::ThemesUi;
use crate::interface::tui::model::themes::ThemeRow;
use crate::interface::tui::theme::{Glyph, Origin, Slot, Theme};

/// Inside the sheet.
const CELLS: u16 = 44;
/// What a theme is shown by: one sign of each.
const SAMPLE: [(Slot, Glyph); 6] = [
    (Slot::Running, Glyph::Running),
    (Slot::Waiting, Glyph::Waiting),
    (Slot::Asking, Glyph::Asking),
    (Slot::Done, Glyph::Done),
    (Slot::Failed, Glyph::Failed),
    (Slot::Held, Glyph::Held),
];
/// A sign and a space each, and one space before.
const SAMPLE_CELLS: u16 = 1 + 2 * SAMPLE.len() as u16;

/// Draws the picker in the lower right corner of `area`.
pub(super) fn render(theme: &Theme, picker: &ThemesUi, area: Rect, buf: &mut Buffer) {
    let inside = u16::try_from(picker.rows.len()).unwrap_or(u16::MAX).saturating_add(2);
    let width = (CELLS + 6).min(area.width);
    let height = inside.saturating_add(4).min(area.height);
    let corner = Rect { x: area.right() - width, y: area.bottom() - height, width, height };
    let inner = sheet(theme, "Themes", (CELLS, inside), corner, buf);
    let shown = inner.height.saturating_sub(2).max(1);
    let from = picker.selected.saturating_sub(usize::from(shown).saturating_sub(1));
    for (i, (at, one)) in (0..shown).zip(picker.rows.iter().enumerate().skip(from)) {
        let Some(line) = row(inner, i) else { break };
        let mark = if at == picker.selected {
            buf.set_style(line, theme.style(Slot::Selected));
            theme.glyph(Glyph::Cursor)
        } else {
            " "
        };
        entry(theme, one, mark, line, buf);
    }
    if let (Some(line), Some(one)) = (row(inner, shown + 1), picker.chosen()) {
        put(buf, line, &about(theme, one, usize::from(line.width)), theme.style(Slot::Dim));
    }
}

fn entry(theme: &Theme, one: &ThemeRow, mark: &str, line: Rect, buf: &mut Buffer) {
    let name_cells = line.width.saturating_sub(2 + 6 + 9 + SAMPLE_CELLS);
    let left = put(buf, line, mark, ink(theme));
    let left = put(buf, left, " ", ink(theme));
    let name = theme.cut(&CleanText::one_line(&one.listed.name), usize::from(name_cells).saturating_sub(1));
    put(buf, Rect { width: name_cells.min(left.width), ..left }, &name, ink(theme));
    let column = |from: u16, cells: u16| {
        let x = left.x.saturating_add(from);
        Rect { x, width: cells.min(line.right().saturating_sub(x)), ..line }
    };
    put(buf, column(name_cells, 6), one.listed.appearance.word(), theme.style(Slot::Dim));
    put(buf, column(name_cells + 6, 9), place(one.listed.origin), theme.style(Slot::Dim));
    let ground = one.theme.style(Slot::Text);
    let sample = column(name_cells + 15, SAMPLE_CELLS);
    buf.set_style(sample, ground);
    let mut left = put(buf, sample, " ", ground);
    for (slot, glyph) in SAMPLE {
        left = put(buf, left, one.theme.glyph(glyph), ground.patch(one.theme.style(slot)));
        left = put(buf, left, " ", ground);
    }
}

const fn place(origin: Origin) -> &'static str {
    match origin {
        Origin::BuiltIn => "built in",
        Origin::File => "yours",
    }
}

/// What a theme says of itself; of the user's own, the file.
fn about(theme: &Theme, one: &ThemeRow, cells: usize) -> String {
    let text = match one.listed.origin {
        Origin::File => CleanText::one_line(&one.listed.file),
        Origin::BuiltIn => CleanText::one_line(&one.listed.about),
    };
    if width(&text) <= cells { text.to_string() } else { theme.cut(&cut_middle(&text, cells), cells) }
}
