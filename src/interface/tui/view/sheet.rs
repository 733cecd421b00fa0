//! What lies on top of a screen is drawn on a sheet: cleared, in the card's colours, with a border and a title.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::widgets::{Block, Clear, Padding, Widget};

use crate::interface::tui::theme::{GlyphSet, Slot, Theme};

/// The border of terminals that draw no lines.
const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Draws a sheet of at most `cells` × `rows` inside, in the middle of `area`; returns what is inside.
pub(super) fn sheet(theme: &Theme, title: &str, (cells, rows): (u16, u16), area: Rect, buf: &mut Buffer) -> Rect {
    let width = cells.saturating_add(6).min(area.width);
    let height = rows.saturating_add(4).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        // A little above the middle, where the eye looks first.
        y: area.y + (area.height - height) * 2 / 5,
        width,
        height,
    };
    sheet_at(theme, title, place, buf)
}

/// How many rows a sheet of that height has inside.
pub(super) fn rows_inside(height: u16) -> u16 {
    height.saturating_sub(if height >= 9 { 4 } else { 2 })
}

/// Draws a sheet at a place; returns what is inside.
pub(super) fn sheet_at(theme: &Theme, title: &str, place: Rect, buf: &mut Buffer) -> Rect {
    let (width, height) = (place.width, place.height);
    Clear.render(place, buf);
    buf.set_style(place, theme.style(Slot::Text).patch(theme.style(Slot::Card)));
    let set = match theme.glyphs {
        GlyphSet::Unicode => border::ROUNDED,
        GlyphSet::Ascii => ASCII,
    };
    // A low area has no room for empty rows.
    let padding = if height >= 9 { Padding::symmetric(2, 1) } else { Padding::horizontal(2) };
    let block = Block::bordered()
        .border_set(set)
        .border_style(theme.style(Slot::BorderFocus))
        .title(format!(" {} ", theme.cut(title, usize::from(width).saturating_sub(6))))
        .title_style(theme.style(Slot::Title))
        .padding(padding);
    let inner = block.inner(place);
    block.render(place, buf);
    inner.intersection(place.inner(Margin::new(1, 1)))
}

/// Plain words on a sheet: in its colour, on its ground, whatever the screen's own text stands on.
pub(super) fn ink(theme: &Theme) -> Style {
    Style { fg: theme.style(Slot::Card).fg, bg: None, ..theme.style(Slot::Text) }
}

/// Row `i` of an area; none below its end.
pub(super) fn row(area: Rect, i: u16) -> Option<Rect> {
    (i < area.height).then(|| Rect { y: area.y + i, height: 1, ..area })
}
