//! What was said on the notice line, newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::CleanText;
use crate::interface::tui::model::Tone;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// Draws the list over `area`.
pub(super) fn render(scene: &Scene<'_>, scroll: usize, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let said = scene.ui.notices.said();
    let count = said.len();
    let inner = sheet(theme, "Notices", (100, u16::try_from(count.max(1)).unwrap_or(u16::MAX)), area, buf);
    if count == 0 {
        if let Some(line) = row(inner, 0) {
            put(buf, line, "Nothing was said yet. esc goes back.", theme.style(Slot::Dim));
        }
        return;
    }
    let from = scroll.min(count.saturating_sub(usize::from(inner.height)));
    for (i, (at, text, tone)) in (0..).zip(said.rev().skip(from)) {
        let Some(line) = row(inner, i) else { break };
        let secs = at.0 / 1_000_000;
        let left = put(buf, line, &format!("{:02}:{:02}  ", secs / 60, secs % 60), theme.style(Slot::Dim));
        let style = if *tone == Tone::Warning { theme.style(Slot::Warning) } else { ink(theme) };
        put(buf, left, &theme.cut(&CleanText::one_line(text), usize::from(left.width)), style);
    }
    let below = count.saturating_sub(from + usize::from(inner.height));
    if below > 0 {
        let text = format!(" {} {below} more", theme.glyph(Glyph::Below));
        let cells = u16::try_from(text.chars().count()).unwrap_or(0).min(inner.width);
        let place = Rect { x: inner.right() - cells, y: inner.bottom().saturating_sub(1), width: cells, height: 1 };
        put(buf, place, &text, theme.style(Slot::Dim));
    }
}
