//! Draws a [`Scene`]: header, body, the fixed notice line, the key line, and what lies on top.
//!
//! Views are functions of the scene into a buffer. Not here: what a key does ([`super::action`], [`super::model`]).
//! Invariants: nothing paints outside its rectangle, whatever the size; nothing draws text that is not clean or its own.

mod absent;
mod answer;
mod attention;
mod card;
mod choices;
pub mod done;
mod editor;
pub(crate) mod events;
mod field;
mod fixed;
pub(crate) mod fleet;
pub(crate) mod forecast;
mod form;
mod graph;
pub mod header;
mod help;
pub mod inspector;
mod keys;
mod message;
mod notices;
pub(crate) mod page;
mod palette;
mod preview;
pub(crate) mod prose;
mod retry;
pub mod review;
pub mod run;
mod run_hints;
mod sessions;
mod sheet;
mod themes;
mod time;
pub mod welcome;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use super::action::Keymap;
use super::model::run::Drawn;
use super::model::spots::Spot;
use super::model::{Layer, Screen};
use super::scene::Scene;
use super::theme::{Glyph, Slot, Theme};
use crate::domain::text::width::cut_end;

/// Below this nothing can be shown that helps.
const LEAST: (u16, u16) = (30, 8);

/// What views keep from frame to frame: clean, rendered text. Losing it costs time only.
#[derive(Debug, Default)]
pub struct Caches {
    /// Outputs on the Run screen.
    pub run: run::RunCaches,
}

/// Where the screen's body stands on a terminal of this size: below the header, above notice and key line. `RunUi::tick`
/// wants it before each frame.
pub fn body(area: Rect) -> Rect {
    let top = header::height(area.height).min(area.height);
    Rect { y: area.y + top, height: area.height.saturating_sub(top + 2), ..area }
}

/// Draws everything. What comes back goes to `RunUi::drawn`.
pub fn render(scene: &Scene<'_>, keymap: &Keymap, caches: &mut Caches, area: Rect, buf: &mut Buffer) -> Drawn {
    scene.ui.spots.clear();
    buf.set_style(area, scene.theme.style(Slot::Text));
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(scene.theme, area, buf);
        return Drawn::default();
    }
    let body = body(area);
    let top = body.y - area.y;
    let mut drawn = Drawn::default();
    let rows = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    header::render(scene, rows(0, top), buf);
    match scene.ui.screen {
        Screen::Welcome => welcome::render(scene, body, buf),
        Screen::Review(_) => review::render(scene, body, buf),
        Screen::Run => drawn = run::render(scene, &mut caches.run, body, buf),
        Screen::Graph => graph::render(scene, body, buf),
        Screen::Done(_) => done::render(scene, body, buf),
        Screen::Time => time::render(scene, body, buf),
        Screen::Events => events::render(scene, body, buf),
        Screen::Sessions => sessions::render(scene, body, buf),
        Screen::Fleet => fleet::render(scene, body, buf),
    }
    if let Some(Layer::Inspector(inspector)) = scene.ui.layers.iter().rev().find(|l| matches!(l, Layer::Inspector(_))) {
        buf.set_style(body, scene.theme.style(Slot::Text));
        inspector::render(scene, inspector, body, buf);
    }
    if let Some(layer) = scene.ui.layers.iter().rev().find(|l| is_page(l)) {
        Clear.render(body, buf);
        buf.set_style(body, scene.theme.style(Slot::Text));
        match layer {
            Layer::Editor(editor) => editor::render(scene.theme, editor, body, buf),
            Layer::Form(form) => form::render(scene, form, body, buf),
            Layer::Preview(preview) => preview::render(scene, preview, body, buf),
            _ => {}
        }
    }
    fixed::render(scene, rows(area.height - 2, 1), buf);
    keys::render(scene, keymap, rows(area.height - 1, 1), buf);
    for layer in &scene.ui.layers {
        if !matches!(layer, Layer::Inspector(_)) {
            scene.ui.spots.add(body, Spot::Cover);
        }
        match layer {
            Layer::Help(help) => help::render(scene.theme, keymap, help, body, buf),
            Layer::Palette(palette) => palette::render(scene, keymap, palette, body, buf),
            Layer::Card(card) => card::render(scene, card, body, buf),
            Layer::Themes(picker) => themes::render(scene, picker, body, buf),
            Layer::Attention(list) => attention::render(scene, keymap, list, body, buf),
            Layer::Retry(retry) => retry::render(scene, retry, body, buf),
            Layer::Absent(absent) => absent::render(scene, absent, body, buf),
            Layer::Answer(answer) => answer::render(scene, answer, body, buf),
            Layer::Message(message) => message::render(scene, message, body, buf),
            Layer::Endpoint(form) => fleet::form(scene, form, body, buf),
            Layer::GoTo(goto) => time::goto(scene, goto, body, buf),
            Layer::Notices(scroll) => notices::render(scene, *scroll, body, buf),
            Layer::Inspector(_) | Layer::Editor(_) | Layer::Form(_) | Layer::Preview(_) => {}
        }
        page::twins(scene.theme, body, buf);
    }
    drawn
}

/// Whether a layer fills the body, as a screen does.
fn is_page(layer: &Layer) -> bool {
    matches!(layer, Layer::Editor(_) | Layer::Form(_) | Layer::Preview(_))
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
mod by_hand_tests;
#[cfg(test)]
mod card_tests;
#[cfg(test)]
mod editing_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
pub(crate) mod story;
#[cfg(test)]
mod tests;
