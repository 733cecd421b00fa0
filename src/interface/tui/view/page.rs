//! The pieces the pages of the first and the last minute are made of: styled words, frames, wrapped text, figures.
//!
//! Not here: what is on a page. Invariant: nothing is painted outside the area given, whatever its size.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::domain::text::width::{cut_end, width};
use crate::domain::text::wrap::wrap;
use crate::interface::tui::model::scroll::Scroll;
use crate::interface::tui::theme::{Glyph, GlyphSet, Slot, Theme};

/// Words in a style.
pub(crate) fn word(theme: &Theme, slot: Slot, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), theme.style(slot))
}

/// A glyph in a style.
pub(crate) fn sign(theme: &Theme, slot: Slot, glyph: Glyph) -> Span<'static> {
    Span::styled(theme.glyph(glyph).to_owned(), theme.style(slot))
}

/// ` · ` between two facts of a line.
pub(crate) fn dot(theme: &Theme) -> Span<'static> {
    Span::styled(format!(" {} ", theme.glyph(Glyph::Dot)), theme.style(Slot::Dim))
}

/// Facts joined by dots on as many lines as they need; a fact is broken only when it is wider than a line.
pub(crate) fn facts(theme: &Theme, facts: Vec<Vec<Span<'static>>>, cells: u16) -> Vec<Line<'static>> {
    let cells = usize::from(cells);
    let mut lines = Vec::new();
    let (mut line, mut used): (Vec<Span<'static>>, usize) = (Vec::new(), 0);
    for fact in facts {
        let wide: usize = fact.iter().map(|s| width(&s.content)).sum();
        if used > 0 && used + 3 + wide > cells {
            lines.push(Line::from(std::mem::take(&mut line)));
            used = 0;
        }
        if used > 0 {
            line.push(dot(theme));
            used += 3;
        }
        if wide <= cells {
            used += wide;
            line.extend(fact);
            continue;
        }
        for span in fact {
            for row in wrap(&span.content, cells.saturating_sub(used).max(1)) {
                let text = span.content.get(row).unwrap_or_default().to_owned();
                let wide = width(&text);
                if used > 0 && used + wide > cells {
                    lines.push(Line::from(std::mem::take(&mut line)));
                    used = 0;
                }
                used += wide;
                line.push(Span::styled(text, span.style));
            }
        }
    }
    if !line.is_empty() {
        lines.push(Line::from(line));
    }
    lines
}

/// Text wrapped to `cells`, each row after `indent` spaces.
pub(crate) fn wrapped(theme: &Theme, slot: Slot, text: &str, cells: u16, indent: usize) -> Vec<Line<'static>> {
    let room = usize::from(cells).saturating_sub(indent).max(1);
    let mut lines = Vec::new();
    for line in text.lines() {
        for row in wrap(line, room) {
            let row = line.get(row).unwrap_or_default();
            lines.push(Line::from(vec![Span::raw(" ".repeat(indent)), word(theme, slot, row)]));
        }
    }
    lines
}

/// The text of a cell of a table: cut or filled to exactly `cells`.
pub(crate) fn cell(text: &str, cells: usize) -> String {
    let cut = cut_end(text, cells);
    let missing = cells.saturating_sub(width(&cut));
    format!("{cut}{}", " ".repeat(missing))
}

/// The same with the text at the right end.
pub(crate) fn cell_right(text: &str, cells: usize) -> String {
    let cut = cut_end(text, cells);
    let missing = cells.saturating_sub(width(&cut));
    format!("{}{cut}", " ".repeat(missing))
}

/// Whether a pane has the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    /// It has.
    Here,
    /// Another has it.
    Away,
}

/// Draws a frame with a title at the left and a remark at the right of its upper border; what is inside is returned.
/// Too small for a frame: nothing is drawn and the area is returned as it is.
pub(crate) fn frame(theme: &Theme, area: Rect, title: &str, remark: &str, focus: Focus, buf: &mut Buffer) -> Rect {
    let area = area.intersection(buf.area);
    if area.width < 4 || area.height < 3 {
        return area;
    }
    let [tl, tr, bl, br, h, v] = match theme.glyphs {
        GlyphSet::Unicode => ["┌", "┐", "└", "┘", "─", "│"],
        GlyphSet::Ascii => ["+", "+", "+", "+", "-", "|"],
    };
    let style = theme.style(if focus == Focus::Here { Slot::BorderFocus } else { Slot::Border });
    let (left, right, top, bottom) = (area.left(), area.right() - 1, area.top(), area.bottom() - 1);
    for x in left..=right {
        buf[(x, top)].set_symbol(h).set_style(style);
        buf[(x, bottom)].set_symbol(h).set_style(style);
    }
    for y in top..=bottom {
        buf[(left, y)].set_symbol(v).set_style(style);
        buf[(right, y)].set_symbol(v).set_style(style);
    }
    for (at, corner) in [((left, top), tl), ((right, top), tr), ((left, bottom), bl), ((right, bottom), br)] {
        buf[at].set_symbol(corner);
    }
    let room = usize::from(area.width) - 4;
    let mut used = 0;
    if !title.is_empty() && room > 2 {
        let text = format!(" {} ", cut_end(title, room - 2));
        used = width(&text);
        // Without colour the border is dim; the words on it are not.
        buf.set_stringn(left + 2, top, text, room, theme.style(Slot::Title).remove_modifier(Modifier::DIM));
    }
    let wide = width(remark) + 2;
    if !remark.is_empty() && used + wide < room {
        buf.set_stringn(right - 1 - wide as u16, top, format!(" {remark} "), wide, theme.style(Slot::Dim));
    }
    Rect::new(left + 1, top + 1, area.width - 2, area.height - 2)
}

/// One column of air at both sides, where there is room for it.
pub(crate) fn padded(area: Rect) -> Rect {
    if area.width < 24 { area } else { Rect { x: area.x + 1, width: area.width - 2, ..area } }
}

/// Paints lines from the top of an area; returns how many rows were used.
pub(crate) fn paint(area: Rect, lines: &[Line<'_>], buf: &mut Buffer) -> u16 {
    let area = area.intersection(buf.area);
    let mut rows = 0;
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        buf.set_line(area.x, y, line, area.width);
        rows += 1;
    }
    rows
}

/// Paints a part of many lines and says at the right of the rows at the edges what is hidden.
pub(crate) fn paint_scrolled(theme: &Theme, area: Rect, lines: &[Line<'_>], scroll: &Scroll, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    scroll.measured(lines.len(), usize::from(area.height));
    let top = scroll.top();
    let shown = lines.get(top..).unwrap_or_default();
    paint(area, shown, buf);
    hidden(theme, area, top, shown.len().saturating_sub(usize::from(area.height)), buf);
}

/// Says at the right how much lies above and below: on the border under the area where there is one, else on its last row.
pub(crate) fn hidden(theme: &Theme, area: Rect, above: usize, below: usize, buf: &mut Buffer) {
    if area.height == 0 || area.width < 20 || above + below == 0 {
        return;
    }
    let mut text = String::new();
    for (count, glyph) in [(above, Glyph::Above), (below, Glyph::Below)] {
        if count > 0 {
            text.push_str(&format!(" {} {count}", theme.glyph(glyph)));
        }
    }
    text.push_str(" more ");
    let border = buf.cell((area.left(), area.bottom())).is_some_and(|c| matches!(c.symbol(), "─" | "-"));
    let y = if border { area.bottom() } else { area.bottom() - 1 };
    let wide = (width(&text) as u16).min(area.width);
    buf.set_stringn(area.right() - wide, y, text, usize::from(wide), theme.style(Slot::Notice));
}

/// With ASCII glyphs: puts the twins of what came from elsewhere (cut marks, rules of tables, quotes) into an area.
pub(crate) fn twins(theme: &Theme, area: Rect, buf: &mut Buffer) {
    if theme.glyphs == GlyphSet::Unicode {
        return;
    }
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buf[(x, y)];
            let twin = match cell.symbol() {
                "…" => "~",
                "−" => "-",
                "·" | "•" => ".",
                "“" | "”" => "\"",
                "─" | "━" => "-",
                "│" | "▌" => "|",
                "┼" => "+",
                _ => continue,
            };
            cell.set_symbol(twin);
        }
    }
}

/// Rows of `area` from `from` on.
pub(crate) fn below(area: Rect, from: u16) -> Rect {
    let from = from.min(area.height);
    Rect { y: area.y + from, height: area.height - from, ..area }
}

/// The first `rows` rows of `area`.
pub(crate) fn upper(area: Rect, rows: u16) -> Rect {
    Rect { height: rows.min(area.height), ..area }
}

/// Seconds as people say them: `48s`, `05:40`, `1:02:10`.
pub(crate) fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{:02}:{:02}", s / 60, s % 60),
        _ => format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
    }
}

/// Bytes as people say them: `820 B`, `4.1 KB`, `2.3 MB`.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.1} KB", n as f64 / 1e3),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

/// A number with its thousands apart: `48,210`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 task`, `3 tasks`.
pub(crate) fn plural(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// A bar of `cells` cells of which a share is full.
pub(crate) fn bar(theme: &Theme, share: f32, cells: usize) -> Vec<Span<'static>> {
    let full = ((share.clamp(0.0, 1.0) * cells as f32).round() as usize).min(cells);
    vec![
        word(theme, Slot::BarFull, theme.glyph(Glyph::BarFull).repeat(full)),
        word(theme, Slot::BarEmpty, theme.glyph(Glyph::BarEmpty).repeat(cells - full)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        assert_eq!(
            (duration(47.6), duration(340.0), duration(3730.0)),
            ("48s".into(), "05:40".into(), "1:02:10".into())
        );
        assert_eq!((bytes(820), bytes(4_120), bytes(2_300_000)), ("820 B".into(), "4.1 KB".into(), "2.3 MB".into()));
        assert_eq!(
            (thousands(7), thousands(48_210), thousands(1_000_000)),
            ("7".into(), "48,210".into(), "1,000,000".into())
        );
        assert_eq!((plural(1, "task"), plural(0, "task")), ("1 task".into(), "0 tasks".into()));
    }

    #[test]
    fn a_cell_has_its_width_whatever_stands_in_it() {
        for text in ["", "a", "解析器の曖昧さ", "a long one"] {
            for cells in 0..12 {
                assert_eq!((width(&cell(text, cells)), width(&cell_right(text, cells))), (cells, cells));
            }
        }
    }

    #[test]
    fn a_fact_that_is_wider_than_a_line_is_broken_and_not_cut() {
        let theme = Theme::plain();
        let fact = |text: &str| vec![word(&theme, Slot::Dim, text.to_owned())];
        let all = vec![fact("up"), fact("tiers one two three four five"), fact("end")];
        let said: Vec<String> = facts(&theme, all, 16)
            .iter()
            .map(|l| l.spans.iter().map(|s| s.content.as_ref()).collect::<String>())
            .collect();
        assert!(said.iter().all(|l| width(l) <= 16), "{said:?}");
        let whole = said.join(" ");
        for part in ["up", "tiers", "three", "five", "end"] {
            assert!(whole.contains(part), "{said:?}");
        }
    }
}
