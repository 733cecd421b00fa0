//! The words of a node: a task's sign, title and figure, or twins with their counts.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::{is_critical, words_of};
use crate::domain::graph::{Content, NodeIx};
use crate::domain::state::{Progress, Status, TaskIx};
use crate::domain::text::width::width;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::view::run::tree;
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

/// Writes a node into the rows of a box, `cells` from column 1 on: the title, in the last row where and the figure.
pub(super) fn in_box(scene: &Scene<'_>, node: NodeIx, cells: usize, buf: &mut Buffer) {
    let theme = scene.theme;
    let (right, last) = (buf.area.right(), buf.area.height.saturating_sub(1));
    match scene.ui.graph.content(node) {
        Some(Content::Task(ix)) => {
            let words = words_of(scene, ix);
            let style = title_style(scene, node, words.slot);
            let title = scene.state.task(ix).title.as_str();
            let room = cells.saturating_sub(2);
            Pen::new(buf, 1, 0, right).put(theme.glyph(words.glyph), theme.style(words.slot));
            let away = away(scene, node);
            let both = format!("{} {away}", words.figure);
            let figure = match away.is_empty() {
                true => words.figure,
                // Where there is no room for both, what is not drawn is said: the sign says how it stands.
                false if width(&both) > room => away,
                false => both,
            };
            let figure = cut(&figure, room, theme);
            let beside = room.saturating_sub(width(&figure) + 1);
            let rows: Vec<_> = wrap(title, room.max(1)).collect();
            for (row, y) in rows.iter().zip(0..=last) {
                // The last row, beside the figure, has all that is left of it.
                let (text, cells) = match y < last {
                    true => (title.get(row.clone()), room),
                    false => (title.get(row.start..), beside),
                };
                let text = text.unwrap_or_default().trim_end();
                Pen::new(buf, 3, y, right).field(text, cells, style, theme);
            }
            let mut pen = Pen::new(buf, 3, last, right);
            if rows.len() <= usize::from(last) {
                let place = format!("{} {}", tree::level_letter(scene, ix), words.place);
                pen.field(&place, beside, theme.style(Slot::Dim), theme);
            } else {
                pen.gap(beside as u16);
            }
            pen.gap(1).put(&figure, figure_style(scene, words.slot));
        }
        Some(Content::Twins(group)) => {
            let twins = scene.ui.graph.plot().twins().get(group);
            let (stem, n) = twins.map_or(("", 0), |t| (t.stem.as_str(), t.members.len()));
            let many = format!(" {}{n}", theme.glyph(Glyph::Times));
            let mut pen = Pen::new(buf, 1, 0, right);
            pen.put(theme.glyph(Glyph::Folded), theme.style(Slot::Key)).put(" ", Style::new());
            let stem = cut(stem, cells.saturating_sub(2 + width(&many)), theme);
            pen.put(&stem, group_style(scene, node)).put(&many, theme.style(Slot::Dim));
            let mut pen = Pen::new(buf, 3, last, right);
            for (text, style) in counts(scene, scene.ui.graph.standing().group(group)) {
                if pen.room() > text.chars().count() {
                    pen.put(&text, style).put(" ", Style::new());
                }
            }
        }
        None => {}
    }
}

/// How many needs and feeds are not drawn: `◂2 3▸`.
fn away(scene: &Scene<'_>, node: NodeIx) -> String {
    let theme = scene.theme;
    let (needs, feeds) = scene.ui.graph.hidden(node);
    let mut parts = Vec::new();
    if needs > 0 {
        parts.push(format!("{}{needs}", theme.glyph(Glyph::Joins)));
    }
    if feeds > 0 {
        parts.push(format!("{feeds}{}", theme.glyph(Glyph::Comes)));
    }
    parts.join(" ")
}

fn figure_style(scene: &Scene<'_>, slot: Slot) -> Style {
    match slot {
        Slot::Running | Slot::Done => scene.theme.style(Slot::Text),
        slot => scene.theme.style(slot),
    }
}

fn group_style(scene: &Scene<'_>, node: NodeIx) -> Style {
    let theme = scene.theme;
    let style = theme.style(if scene.ui.graph.is_found(node) { Slot::Text } else { Slot::Dim });
    if is_critical(scene, node) { style.patch(theme.style(Slot::Critical)) } else { style }
}

fn task(scene: &Scene<'_>, node: NodeIx, ix: TaskIx, cells: usize, figure: Figure, pen: &mut Pen<'_>) {
    let theme = scene.theme;
    let words = words_of(scene, ix);
    pen.put(theme.glyph(words.glyph), theme.style(words.slot)).put(" ", Style::new());
    let room = cells.saturating_sub(2);
    let mut away = away(scene, node);
    if !away.is_empty() {
        away.insert(0, ' ');
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
        let text = cut(&words.figure, FIGURE, theme);
        let pad = FIGURE.saturating_sub(width(&text));
        pen.repeat(" ", pad, Style::new()).put(&text, figure_style(scene, words.slot));
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
    pen.put(&cut(&twins.stem, title_room, theme), group_style(scene, node)).put(&many, theme.style(Slot::Dim));
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
