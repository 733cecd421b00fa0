//! A card that asks: the question, what is at stake, the answers with their letters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::choices::ChoiceRows;
use super::page::{below, wrapped};
use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::width::width;
use crate::interface::tui::model::{Card, Choice};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;

/// Draws a card over `area`.
pub(super) fn render(scene: &Scene<'_>, card: &Card, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let widest = card.choices.iter().map(|c| width(&c.words) + 8).chain(card.body.iter().map(|b| width(b)));
    let cells = u16::try_from(widest.max().unwrap_or(0)).unwrap_or(u16::MAX).clamp(30, 72);
    let room = cells.min(area.width.saturating_sub(6));
    let key = |c: &Choice| c.key.map_or_else(|| "esc".to_owned(), String::from);
    let choices: Vec<_> = card.choices.iter().map(|c| (key(c), c.words.clone())).collect();
    let choices = ChoiceRows::of(&choices, room);
    let body: Vec<_> = card.body.iter().flat_map(|text| wrapped(theme, Slot::Text, text, room, 0)).collect();
    // Body, an empty row, the answers.
    let rows = u16::try_from(body.len()).unwrap_or(u16::MAX).saturating_add(choices.count() + 1);
    let inner = sheet(theme, &card.title, (cells, rows), area, buf);
    // In a low area the body gives way: what can be answered stands.
    let answers = choices.count().min(inner.height);
    let body_rows = u16::try_from(body.len()).unwrap_or(u16::MAX).min(inner.height - answers);
    let ink = ink(theme);
    for (i, text) in (0..body_rows).zip(&body) {
        if let Some(row) = row(inner, i) {
            put(buf, row, &text.to_string(), ink);
        }
    }
    let gap = u16::from(body_rows + 1 + answers <= inner.height);
    let place = below(inner, body_rows + gap);
    let from = choices.around(card.focused, place.height);
    choices.paint(scene, card.focused, from, place, buf);
}
