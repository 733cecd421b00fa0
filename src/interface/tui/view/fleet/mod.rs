//! Screen 3: a strip for each endpoint with its slots, all that is known of the selected one, the machine's memory; the
//! page of an endpoint's log and history; its form.
//!
//! Not here: what the keys do (`model/fleet`). Invariants: what a frame shows follows from the state of the moment and
//! the user's choices; no figure moves its neighbours.

mod detail;
mod form;
mod histories;
mod machine;
mod memory;
mod models;
mod page;
mod slots;
mod strips;
mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(super) use self::form::render as form;
use super::page as paper;
use crate::interface::tui::model::fleet::FleetFocus;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::frame::{Emphasis, Frame, titles};

pub(super) use self::page::field;

/// From here on memory and detail stand side by side below the strips.
const BESIDE: u16 = 100;

/// The insides of the parts; an empty one is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Areas {
    strips: Rect,
    memory: Rect,
    detail: Rect,
}

/// Divides the body. `wish` is how many rows the strips would like to have, and how many if they can't have those.
fn divide(area: Rect, (wish, least): (u16, u16)) -> Areas {
    let inner =
        |y: u16, height: u16| Rect { x: area.x + 1, y: area.y + y, width: area.width.saturating_sub(2), height };
    if area.width >= BESIDE && area.height >= 24 {
        let rows = area.height - 3;
        // What is below needs so many rows to say anything, and gets what the strips leave.
        let most = rows - (rows * 9 / 20).max(9);
        let top = if wish <= most { wish } else { least }.clamp(4, most);
        let low = inner(top + 2, rows - top);
        let left = (low.width - 1) / 2;
        return Areas {
            strips: inner(1, top),
            memory: Rect { width: left, ..low },
            detail: Rect { x: low.x + left + 1, width: low.width - 1 - left, ..low },
        };
    }
    let rows = area.height.saturating_sub(4);
    let (memory, detail) = match rows {
        0..6 => return Areas { strips: inner(1, area.height.saturating_sub(2)), ..Areas::default() },
        6..10 => (1, 1),
        10..16 => (2, 2),
        16..24 => (3, 4),
        _ => (rows / 4, rows / 4),
    };
    let top = rows - memory - detail;
    Areas { strips: inner(1, top), detail: inner(top + 2, detail), memory: inner(top + detail + 3, memory) }
}

/// Draws the screen.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.width < 10 || area.height < 3 {
        return;
    }
    buf.set_style(area, scene.theme.style(Slot::Text));
    match &scene.ui.fleet.page {
        Some(open) if scene.state.find_endpoint(&open.endpoint).is_some() => page::render(scene, open, area, buf),
        _ => overview(scene, area, buf),
    }
    paper::twins(scene.theme, area, buf);
    super::run::twins(scene, area, buf);
}

fn overview(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (theme, ui) = (scene.theme, &scene.ui.fleet);
    let inner = area.width.saturating_sub(2);
    let areas = divide(area, (strips::wish(scene, inner), strips::least(scene, inner)));
    let parts =
        [(areas.strips, FleetFocus::Strips), (areas.detail, FleetFocus::Detail), (areas.memory, FleetFocus::Memory)];
    let mut frame = Frame::new(area);
    let shown = || parts.iter().filter(|(inner, _)| inner.height > 0);
    for (inner, _) in shown().filter(|(_, focus)| *focus != ui.focus) {
        frame.around(*inner, Emphasis::Plain);
    }
    // The focus last: where borders are shared they are its own.
    for (inner, _) in shown().filter(|(_, focus)| *focus == ui.focus) {
        frame.around(*inner, Emphasis::Focused);
    }
    frame.paint(buf, theme);
    let style = |focus: FleetFocus| theme.style(if ui.focus == focus { Slot::BorderFocus } else { Slot::Title });
    let dim = theme.style(Slot::Dim);
    let (busy, all) = scene.state.slots();
    let down = scene.ui.run.figures().down_slots;
    let dot = theme.glyph(Glyph::Dot);
    let mut left = format!("Fleet {busy}/{all}");
    if down > 0 {
        left.push_str(&format!(" {dot} {down} down"));
    }
    if scene.state.config.fleet.is_simulated() {
        left.push_str(&format!(" {dot} simulated"));
    }
    let right = strips::render(scene, areas.strips, buf);
    titles(buf, areas.strips, (&left, style(FleetFocus::Strips)), (&right, dim), theme);
    if areas.detail.height > 0 {
        let name = detail::title(scene);
        detail::render(scene, areas.detail, areas.strips, buf);
        titles(buf, areas.detail, (&name, style(FleetFocus::Detail)), ("", dim), theme);
    }
    if areas.memory.height > 0 {
        let (left, right, tone): (String, String, Style) = memory::titles(scene);
        memory::render(scene, areas.memory, buf);
        titles(buf, areas.memory, (&left, style(FleetFocus::Memory)), (&right, tone), theme);
    }
}

#[cfg(test)]
mod tests;
