//! A card that asks: the question, what is at stake, the answers with their letters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::width::width;
use crate::interface::tui::model::Card;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// Draws a card over `area`.
pub(super) fn render(scene: &Scene<'_>, card: &Card, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let widest = card.choices.iter().map(|c| width(&c.words) + 8).chain(card.body.iter().map(|b| width(b)));
    let cells = u16::try_from(widest.max().unwrap_or(0)).unwrap_or(u16::MAX).clamp(30, 72);
    // Body, an empty row, the answers.
    let rows = u16::try_from(card.body.len() + 1 + card.choices.len()).unwrap_or(u16::MAX);
    let inner = sheet(theme, &card.title, (cells, rows), area, buf);
    let room = usize::from(inner.width);
    let answers = u16::try_from(card.choices.len()).unwrap_or(u16::MAX);
    // In a low area the body gives way: what can be answered always stands.
    let body = u16::try_from(card.body.len()).unwrap_or(u16::MAX).min(inner.height.saturating_sub(answers));
    for (i, text) in (0..body).zip(&card.body) {
        if let Some(row) = row(inner, i) {
            put(buf, row, &theme.cut(text, room), ink(theme));
        }
    }
    let gap = u16::from(body + 1 + answers <= inner.height);
    for (i, choice) in (body + gap..).zip(&card.choices) {
        let Some(line) = row(inner, i) else { break };
        let place = usize::from(i - body - gap);
        scene.ui.spots.add(line, Spot::Row(place));
        let focused = place == card.focused;
        if focused {
            buf.set_style(line, theme.style(Slot::Selected));
        }
        let mark = if focused { theme.glyph(Glyph::Cursor) } else { " " };
        // On a reversed row a colour of its own would stand out as a patch.
        let sign = if focused { ink(theme) } else { theme.style(Slot::Key) };
        let left = put(buf, line, mark, sign);
        let key = choice.key.map_or_else(|| "esc".to_owned(), String::from);
        let left = put(buf, left, &format!(" {key:<4}"), sign);
        put(buf, left, &theme.cut(&choice.words, usize::from(left.width)), ink(theme));
    }
}
