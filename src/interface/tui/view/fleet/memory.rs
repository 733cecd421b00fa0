//! The memory pane: in two or three lines where it is low, else in full with the models and the histories.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::{histories, machine, models};
use crate::domain::memory::MemoryPlan;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::view::page::{self, word};
use crate::interface::tui::widget::figure::gigabytes;

/// The words on the border, and the colour of those at the right.
pub(super) fn titles(scene: &Scene<'_>) -> (String, String, Style) {
    let (theme, m) = (scene.theme, &scene.state.machine);
    if m.total == 0 {
        return ("Memory".to_owned(), String::new(), theme.style(Slot::Dim));
    }
    let simulated = scene.state.config.fleet.is_simulated();
    let of = if simulated { "This machine's memory" } else { "Memory" };
    let (word, slot) = machine::pressure(m);
    (format!("{of} {}/{} GB", gigabytes(m.used), gigabytes(m.total)), format!("pressure {word}"), theme.style(slot))
}

/// Draws the pane.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let inside = page::padded(area);
    let lines = lines(scene, inside.width, inside.height);
    page::paint_scrolled(scene.theme, inside, &lines, &scene.ui.fleet.memory, buf);
}

fn lines(scene: &Scene<'_>, cells: u16, height: u16) -> Vec<Line<'static>> {
    let (theme, m) = (scene.theme, &scene.state.machine);
    if m.total == 0 {
        let words = "Not looked at yet. What the machine tells of its memory, graphics and power stands here.";
        let mut lines = page::wrapped(theme, Slot::Dim, words, cells, 0);
        if height > 4 {
            lines.push(Line::default());
            lines.extend(models::lines(scene, usize::from(cells)));
        }
        return lines;
    }
    let wide = usize::from(cells);
    if height <= 4 {
        return machine::brief(scene, MemoryPlan::of(scene.state).headroom(), wide);
    }
    let mut lines = machine::memory(theme, m, wide);
    lines.extend(machine::rest(theme, m, wide));
    if let Some(throttle) = &scene.state.throttle {
        lines.extend(page::wrapped(theme, Slot::Warning, &format!("fewer tasks start: {throttle}"), cells, 0));
    }
    // High charts read at a glance; they come where everything else has room too.
    let models = models::lines(scene, wide);
    let charts = |rows| histories::of_machine(scene, wide, rows);
    let room = usize::from(height).saturating_sub(lines.len() + models.len() + 3);
    let rows = (1..=3).rev().find(|rows| charts(*rows).len() <= room).unwrap_or(1);
    lines.push(heading(scene, "last 10 minutes"));
    lines.extend(charts(rows));
    let simulated = scene.state.config.fleet.is_simulated();
    let of = if simulated { "models, as if they were loaded: simulated" } else { "models" };
    lines.push(heading(scene, of));
    lines.extend(models);
    lines
}

fn heading(scene: &Scene<'_>, words: &str) -> Line<'static> {
    Line::from(word(scene.theme, Slot::Heading, words.to_owned()))
}
