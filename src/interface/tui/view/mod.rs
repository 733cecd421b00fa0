//! Draws a [`Scene`]: header, body, the fixed notice line, the key line, and what lies on top.
//!
//! Views are functions of the scene into a buffer. Not here: what a key does ([`super::action`], [`super::model`]).
//! Invariants: nothing paints outside its rectangle, whatever the size; nothing draws text that is not clean or its own.

mod attention;
mod card;
pub mod done;
pub mod header;
mod help;
pub mod inspector;
mod other;
mod palette;
pub mod review;
pub mod run;
mod sheet;
pub mod welcome;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Context, Keymap};
use super::model::{Layer, Screen, Tone};
use super::scene::Scene;
use super::theme::{Glyph, Slot, Theme};
use crate::domain::text::CleanText;
use crate::domain::text::width::cut_end;

/// Below this nothing can be shown that helps.
const LEAST: (u16, u16) = (30, 8);

/// Draws everything.
pub fn render(scene: &Scene<'_>, keymap: &Keymap, area: Rect, buf: &mut Buffer) {
    buf.set_style(area, scene.theme.style(Slot::Text));
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(scene.theme, area, buf);
    }
    // From 30 rows on there is room for two header lines.
    let top = if area.height >= 30 { 2 } else { 1 };
    let rows = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let body = rows(top, area.height - top - 2);
    header::render(scene, rows(0, top), buf);
    match scene.ui.screen {
        Screen::Welcome => welcome::render(scene, body, buf),
        Screen::Review(_) => review::render(scene, body, buf),
        Screen::Run => run::render(scene, body, buf),
        Screen::Done(_) => done::render(scene, body, buf),
        Screen::Other(n) => other::render(scene.theme, n, body, buf),
    }
    if let Some(Layer::Inspector(inspector)) = scene.ui.layers.iter().rev().find(|l| matches!(l, Layer::Inspector(_))) {
        buf.set_style(body, scene.theme.style(Slot::Text));
        inspector::render(scene, inspector, body, buf);
    }
    notice_line(scene, rows(area.height - 2, 1), buf);
    let contexts = scene.ui.contexts(scene.state);
    key_line(scene.theme, keymap, &contexts, rows(area.height - 1, 1), buf);
    for layer in &scene.ui.layers {
        match layer {
            Layer::Help(help) => help::render(scene.theme, keymap, help, body, buf),
            Layer::Palette(palette) => palette::render(scene.theme, keymap, palette, body, buf),
            Layer::Card(card) => card::render(scene, card, body, buf),
            Layer::Attention(list) => attention::render(scene, list, body, buf),
            Layer::Inspector(_) => {}
        }
    }
}

fn too_small(theme: &Theme, area: Rect, buf: &mut Buffer) {
    let words = ["Baton needs 30×8.", "Make me larger;", "the work goes on."];
    let top = area.y + area.height.saturating_sub(3) / 2;
    for (i, words) in (0_u16..).zip(words) {
        if i < area.height {
            let shown = cut_end(words, usize::from(area.width));
            buf.set_stringn(area.x, top + i, shown, usize::from(area.width), theme.style(Slot::Dim));
        }
    }
}

/// Writes `text` from the left, cut to the row; returns the cells left to the right of it.
fn put(buf: &mut Buffer, row: Rect, text: &str, style: ratatui::style::Style) -> Rect {
    let (x, _) = buf.set_stringn(row.x, row.y, text, usize::from(row.width), style);
    Rect { x, width: row.width.saturating_sub(x - row.x), ..row }
}

fn notice_line(scene: &Scene<'_>, row: Rect, buf: &mut Buffer) {
    let Some(notice) = &scene.ui.notice else { return };
    let slot = match notice.tone {
        Tone::Plain => Slot::Notice,
        Tone::Warning => Slot::Warning,
    };
    let text = CleanText::one_line(&notice.text);
    let room = usize::from(row.width).saturating_sub(2);
    let shown = scene.theme.cut(&text, room);
    put(buf, Rect { x: row.x + 1, width: row.width.saturating_sub(1), ..row }, &shown, scene.theme.style(slot));
}

fn key_line(theme: &Theme, keymap: &Keymap, contexts: &[Context], row: Rect, buf: &mut Buffer) {
    let mut left = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    for hint in keymap.hints(contexts, usize::from(left.width)) {
        left = put(buf, left, &hint.key, theme.style(Slot::Key));
        left = put(buf, left, " ", theme.style(Slot::KeyHint));
        left = put(buf, left, hint.words, theme.style(Slot::KeyHint));
        left = put(buf, left, "  ", theme.style(Slot::KeyHint));
    }
}

impl Theme {
    /// Cuts text at the end to so many cells, with this theme's sign for it.
    pub(crate) fn cut(&self, text: &str, cells: usize) -> String {
        let shown = cut_end(text, cells);
        match self.glyph(Glyph::Ellipsis) {
            "…" => shown.into_owned(),
            other => shown.replace('…', other),
        }
    }
}

#[cfg(test)]
mod tests;
