//! The theme picker: names, on what ground each draws, where it is from, and its statuses in its own colours.
//!
//! It stands in a corner, because what is chosen is seen behind it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::CleanText;
use crate::domain::text::width::{cut_middle, width};
use crate::interface::tui::model::ThemesUi;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::model::themes::ThemeRow;
use crate::interface::tui::scene::Scene;
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
/// What a name has at least: enough for those that come with Baton.
const NAME_CELLS: u16 = 14;
/// A sign and a space each, and one space before.
const SAMPLE_CELLS: u16 = 1 + 2 * SAMPLE.len() as u16;

/// Draws the picker in the lower right corner of `area`.
pub(super) fn render(scene: &Scene<'_>, picker: &ThemesUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
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
        scene.ui.spots.add(line, Spot::Row(at));
        entry(theme, one, mark, line, buf);
    }
    if let (Some(line), Some(one)) = (row(inner, shown + 1), picker.chosen()) {
        put(buf, line, &about(theme, one, usize::from(line.width)), theme.style(Slot::Dim));
    }
}

/// What is to be seen of a row of so many cells: the name first, then the sample, then words.
struct Columns {
    name: u16,
    appearance: u16,
    origin: u16,
    sample: u16,
}

impl Columns {
    fn of(cells: u16) -> Self {
        let mut rest = cells.saturating_sub(NAME_CELLS);
        let mut take = |cells: u16| {
            let taken = if rest >= cells { cells } else { 0 };
            rest -= taken;
            taken
        };
        let (sample, appearance, origin) = (take(SAMPLE_CELLS), take(6), take(9));
        Self { name: cells - sample - appearance - origin, appearance, origin, sample }
    }
}

fn entry(theme: &Theme, one: &ThemeRow, mark: &str, line: Rect, buf: &mut Buffer) {
    let left = put(buf, line, mark, ink(theme));
    let left = put(buf, left, " ", ink(theme));
    let columns = Columns::of(left.width);
    let mut x = left.x;
    let mut column = |cells: u16| {
        let place = Rect { x, width: cells, ..line };
        x += cells;
        place
    };
    let name = theme.cut(&CleanText::one_line(&one.listed.name), usize::from(columns.name).saturating_sub(1));
    put(buf, column(columns.name), &name, ink(theme));
    put(buf, column(columns.appearance), one.listed.appearance.word(), theme.style(Slot::Dim));
    put(buf, column(columns.origin), place(one.listed.origin), theme.style(Slot::Dim));
    // A theme without a ground of its own stands on the terminal's, not on this sheet's.
    let ground = Style::reset().patch(one.theme.style(Slot::Text));
    let sample = column(columns.sample);
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
