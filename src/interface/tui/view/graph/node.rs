//! The words of a node: a task's sign, title and figure, or twins with their counts.

use ratatui::style::Style;

use super::{is_critical, words_of};
use crate::domain::graph::{Content, NodeIx};
use crate::domain::state::{Progress, Status, TaskIx};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::view::run::words::sign;
use crate::interface::tui::widget::pen::{Pen, cut};

/// Cells of the figure at the end.
const FIGURE: usize = 10;

/// Whether there is a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// At the end of the field.
    Shown,
    /// None: the words end where the title does.
    Left,
}

/// Writes a node into `cells`.
pub(super) fn node(scene: &Scene<'_>, node: NodeIx, cells: usize, figure: Figure, pen: &mut Pen<'_>) {
    match scene.ui.graph.content(node) {
        Some(Content::Task(ix)) => task(scene, node, ix, cells, figure, pen),
        Some(Content::Twins(group)) => group_of(scene, node, group, cells, pen),
        None => {}
    }
}

fn task(scene: &Scene<'_>, node: NodeIx, ix: TaskIx, cells: usize, figure: Figure, pen: &mut Pen<'_>) {
    let theme = scene.theme;
    let ui = &scene.ui.graph;
    let words = words_of(scene, ix);
    pen.put(theme.glyph(words.glyph), theme.style(words.slot)).put(" ", Style::new());
    let room = cells.saturating_sub(2);
    let (needs, feeds) = ui.hidden(node);
    let mut away = String::new();
    if needs > 0 {
        away.push_str(&format!(" {}{needs}", theme.glyph(Glyph::Joins)));
    }
    if feeds > 0 {
        away.push_str(&format!(" {feeds}{}", theme.glyph(Glyph::Comes)));
    }
    let away_cells = away.chars().count();
    let beside = if figure == Figure::Shown { FIGURE + 1 } else { 0 };
    let title_room = room.saturating_sub(beside + away_cells);
    let style = title_style(scene, node, words.slot);
    let title = cut(&scene.state.task(ix).title, title_room, theme);
    let start = pen.x;
    pen.put(&title, style).put(&away, theme.style(Slot::Dim));
    if figure == Figure::Shown {
        // All is written over, so that no line shows through.
        let used = usize::from(pen.x - start);
        let blank = room.saturating_sub(used + FIGURE);
        pen.repeat(" ", blank, Style::new());
        let figure_style = match words.slot {
            Slot::Running | Slot::Done => theme.style(Slot::Text),
            slot => theme.style(slot),
        };
        let text = cut(&words.figure, FIGURE, theme);
        let pad = FIGURE.saturating_sub(crate::domain::text::width::width(&text));
        pen.repeat(" ", pad, Style::new()).put(&text, figure_style);
    }
}

/// The style of a title: what is over stands back, the critical path stands out.
pub(super) fn title_style(scene: &Scene<'_>, node: NodeIx, slot: Slot) -> Style {
    let theme = scene.theme;
    let base = match slot {
        _ if !scene.ui.graph.is_found(node) => return theme.style(Slot::Dim),
        Slot::Done | Slot::Dropped | Slot::Waiting => Slot::Dim,
        _ => Slot::Text,
    };
    let style = theme.style(base);
    if is_critical(scene, node) { style.patch(theme.style(Slot::Critical)) } else { style }
}

/// `▸ review ×50  42✔ 3● 5✖`.
pub(super) fn group_of(scene: &Scene<'_>, node: NodeIx, group: usize, cells: usize, pen: &mut Pen<'_>) {
    let theme = scene.theme;
    let Some(twins) = scene.ui.graph.plot().twins().get(group) else { return };
    pen.put(theme.glyph(Glyph::Folded), theme.style(Slot::Key)).put(" ", Style::new());
    let counts = counts(scene, scene.ui.graph.standing().group(group));
    let many = format!(" {}{}", theme.glyph(Glyph::Times), twins.members.len());
    let tail = many.chars().count() + 1 + counts.iter().map(|(t, _)| t.chars().count() + 1).sum::<usize>();
    let room = cells.saturating_sub(2);
    let title_room = room.saturating_sub(tail).max(room.min(6));
    let end = pen.x.saturating_add(room as u16);
    let slot = if scene.ui.graph.is_found(node) { Slot::Text } else { Slot::Dim };
    let mut style = theme.style(slot);
    if is_critical(scene, node) {
        style = style.patch(theme.style(Slot::Critical));
    }
    pen.put(&cut(&twins.stem, title_room, theme), style).put(&many, theme.style(Slot::Dim));
    pen.put(" ", Style::new());
    for (text, style) in &counts {
        if pen.x + text.chars().count() as u16 + 1 > end {
            break;
        }
        pen.put(" ", Style::new()).put(text, *style);
    }
}

/// Counts with their signs: what is done, runs, failed, was dropped, waits.
pub(super) fn counts(scene: &Scene<'_>, p: Progress) -> Vec<(String, Style)> {
    let theme = scene.theme;
    [
        (p.done, Status::Done),
        (p.running, Status::Running),
        (p.failed, Status::Failed),
        (p.dropped, Status::Cancelled),
        (p.waiting, Status::Ready),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, status)| {
        let (glyph, slot) = sign(status);
        (format!("{n}{}", theme.glyph(glyph)), theme.style(slot))
    })
    .collect()
}
