//! The task tree: the visible rows only.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::words::{Words, sign, words};
use crate::domain::state::{Life, Progress, Status, TaskIx};
use crate::domain::text::width::width;
use crate::interface::tui::model::run::order::urgency;
use crate::interface::tui::model::run::rows::{Fold, Pick, Row};
use crate::interface::tui::model::run::{Drawn, Focus, Hit};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::pen::Pen;

/// Cells of the column that says where or why.
const PLACE: usize = 10;
/// Cells of the figure.
const FIGURE: usize = 10;

pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, drawn: &mut Drawn) {
    let ui = &scene.ui.run;
    let rows = ui.rows();
    if rows.is_empty() {
        let text = if ui.filter.is_empty() {
            "No tasks yet. ctrl-n gives a goal."
        } else {
            "Nothing matches the filter; esc clears it."
        };
        Pen::new(buf, area.x + 1, area.y, area.right()).field(text, 60, scene.theme.style(Slot::Dim), scene.theme);
        return;
    }
    let height = usize::from(area.height);
    let top = ui.tree_top.min(rows.len().saturating_sub(1));
    for (i, row) in rows.iter().enumerate().skip(top).take(height) {
        let y = area.y + (i - top) as u16;
        let line = Rect { y, height: 1, ..area };
        drawn.hits.push((line, Hit::Row(row.pick.clone())));
        one(scene, row, i, line, buf);
    }
}

fn one(scene: &Scene<'_>, row: &Row, at: usize, line: Rect, buf: &mut Buffer) {
    let selected = at == scene.ui.run.cursor();
    let theme = scene.theme;
    let mut pen = Pen::new(buf, line.x, line.y, line.right());
    pen.put(if selected { theme.glyph(Glyph::Cursor) } else { " " }, theme.style(Slot::Strong));
    pen.gap(u16::from(row.depth));
    match &row.pick {
        Pick::Task(ix) => {
            let words = words(scene.state, scene.ui.run.figures(), *ix, scene.now);
            task(scene, *ix, &words, &mut pen);
        }
        Pick::Twins(first) => twins(scene, *first, row, &mut pen),
        Pick::Finished(_) => {
            pen.gap(1).put(theme.glyph(Glyph::Done), theme.style(Slot::Done));
            pen.put(&format!(" {} done", row.progress.done), theme.style(Slot::Dim));
        }
        Pick::Phase(key) => {
            let name = if key.1.is_empty() { "tasks" } else { &key.1 };
            group(scene, name, row, &mut pen);
        }
        Pick::Goal(id) => {
            let name = scene.state.goal(*id).map_or("", |g| g.text.as_str());
            group(scene, name.lines().next().unwrap_or(""), row, &mut pen);
        }
    }
    if let Pick::Task(ix) = &row.pick
        && scene.ui.run.lights.lit(*ix, scene.now)
    {
        buf.set_style(line.intersection(buf.area), theme.style(Slot::Match));
    }
    if selected {
        let slot = if scene.ui.run.focus == Focus::Tree { Slot::Selected } else { Slot::SelectedBlur };
        buf.set_style(line.intersection(buf.area), theme.style(slot));
    }
}

fn group(scene: &Scene<'_>, name: &str, row: &Row, pen: &mut Pen<'_>) {
    let theme = scene.theme;
    let fold = if row.fold == Some(Fold::Open) { Glyph::Unfolded } else { Glyph::Folded };
    pen.put(theme.glyph(fold), theme.style(Slot::Dim)).gap(1);
    let p = row.progress;
    let counts = rollup(scene, p);
    let over = p.done == p.total;
    let sum = format!("{}/{}", p.done, p.total);
    let counts_cells: usize = counts.iter().map(|(t, _)| t.chars().count() + 1).sum();
    let room = pen.room().saturating_sub(1);
    let tail = 7 + if over { 2 } else { 0 };
    let name_cells = room.saturating_sub(tail + counts_cells);
    // A long name takes the room; the counts stand where the drawing has them, or right of it.
    let column = if room > 46 && !matches!(row.pick, Pick::Goal(_)) { 28 } else { name_cells };
    pen.field(name, column.min(name_cells), theme.style(Slot::Title), theme);
    if name_cells > 0 {
        for (text, style) in &counts {
            pen.put(text, *style).gap(1);
        }
    }
    let left = pen.room().saturating_sub(1);
    if over {
        pen.right_field(&sum, left.saturating_sub(2), theme.style(Slot::Dim));
        pen.put(" ", Style::new()).put(theme.glyph(Glyph::Done), theme.style(Slot::Done));
    } else {
        pen.right_field(&sum, left, theme.style(Slot::Text));
    }
}

fn rollup(scene: &Scene<'_>, p: Progress) -> Vec<(String, Style)> {
    let theme = scene.theme;
    [
        (p.running, Status::Running),
        (p.waiting, Status::Ready),
        (p.failed, Status::Failed),
        (p.dropped, Status::Cancelled),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, status)| {
        let (glyph, slot) = sign(status);
        (format!("{n}{}", theme.glyph(glyph)), theme.style(slot))
    })
    .collect()
}

/// A task's row: sign, title, level, place, figure.
pub(in crate::interface::tui::view) fn task(scene: &Scene<'_>, ix: TaskIx, words: &Words, pen: &mut Pen<'_>) {
    let theme = scene.theme;
    let ui = &scene.ui.run;
    let task = scene.state.task(ix);
    let title = match words.slot {
        Slot::Done | Slot::Dropped => Slot::Dim,
        Slot::Running | Slot::Failed => Slot::Text,
        _ if ui.figures().critical.contains(&ix) => Slot::Text,
        _ => Slot::Dim,
    };
    let mut style = theme.style(title);
    if ui.figures().critical.contains(&ix) {
        style = style.patch(theme.style(Slot::Critical));
    }
    let figure = match words.slot {
        Slot::Running | Slot::Done => theme.style(Slot::Text),
        slot => theme.style(slot),
    };
    let line = Line {
        marked: ui.marks.contains(ix),
        sign: (theme.glyph(words.glyph), theme.style(words.slot)),
        title: (&task.title, style),
        level: level_letter(scene, ix),
        place: &words.place,
        figure: vec![(words.figure.clone(), figure)],
    };
    line.put(scene, pen);
}

/// A group of twins: how they stand, what their titles share, where they run, how many of each.
fn twins(scene: &Scene<'_>, first: TaskIx, row: &Row, pen: &mut Pen<'_>) {
    let (theme, state, ui) = (scene.theme, scene.state, &scene.ui.run);
    let Some(group) = ui.groups().named(first) else { return };
    let first_of = |of: &dyn Fn(TaskIx) -> u8| group.members.iter().copied().min_by_key(|t| of(*t)).unwrap_or(first);
    // The sign is that of the member that stands for the most: who asks, then who runs.
    let by = first_of(&|t| match state.status(t, scene.now) {
        Status::Asking => 0,
        Status::Running => 1,
        status => 2 + urgency(status),
    });
    let (glyph, slot) = sign(state.status(by, scene.now));
    let p = row.progress;
    let open = row.fold == Some(Fold::Open);
    let title = format!("{} {}{}", group.stem, theme.glyph(Glyph::Times), group.members.len());
    let mut levels = group.members.iter().map(|t| level_letter(scene, *t));
    let level = levels.next().filter(|l| levels.all(|o| o == *l)).unwrap_or(" ");
    let running: Vec<TaskIx> = group.members.iter().copied().filter(|t| state.task(*t).life == Life::Running).collect();
    let seats = super::seats(state, &running);
    let place = match &seats[..] {
        [one] => one.clone(),
        [] => String::new(),
        more => format!("{} servers", more.len()),
    };
    let mut counts: Vec<(String, Style)> = Vec::new();
    let mut cells = 0;
    for (n, status) in [
        (p.failed, Status::Failed),
        (p.done, Status::Done),
        (p.running, Status::Running),
        (p.waiting, Status::Ready),
        (p.dropped, Status::Cancelled),
    ] {
        let (glyph, slot) = sign(status);
        let text = format!("{n}{}", theme.glyph(glyph));
        if n > 0 && cells + text.chars().count() < FIGURE {
            cells += text.chars().count() + 1;
            counts.push((text, theme.style(slot)));
        }
    }
    let line = Line {
        marked: group.members.iter().all(|t| ui.marks.contains(*t)),
        sign: if open {
            (theme.glyph(Glyph::Unfolded), theme.style(Slot::Dim))
        } else {
            (theme.glyph(glyph), theme.style(slot))
        },
        title: (&title, theme.style(if p.running + p.failed > 0 { Slot::Text } else { Slot::Dim })),
        level,
        place: &place,
        figure: counts,
    };
    line.put(scene, pen);
}

/// The columns of a row of a task or a group.
struct Line<'a> {
    marked: bool,
    sign: (&'a str, Style),
    title: (&'a str, Style),
    level: &'a str,
    place: &'a str,
    figure: Vec<(String, Style)>,
}

impl Line<'_> {
    fn put(&self, scene: &Scene<'_>, pen: &mut Pen<'_>) {
        let theme = scene.theme;
        if self.marked {
            // A square in the column that is else empty: it moves nothing and needs no colour.
            pen.put(theme.glyph(Glyph::SlotBusy), theme.style(Slot::Notice));
        } else {
            pen.gap(1);
        }
        pen.put(self.sign.0, self.sign.1).gap(1);
        let room = pen.room();
        let (level, place, figure) = match room {
            0..18 => (0, 0, 0),
            18..32 => (0, 0, FIGURE),
            32..40 => (3, 0, FIGURE),
            r if r >= 90 => (3, PLACE + 6, FIGURE),
            _ => (3, PLACE, FIGURE),
        };
        let mut style = self.title.1;
        if self.marked {
            style = style.add_modifier(Modifier::BOLD);
        }
        // Without the columns between them the figure needs a gap of its own.
        let gap = usize::from(level == 0 && figure > 0);
        let cells = room.saturating_sub(level + place + figure + gap + 1);
        pen.field(self.title.0, cells, style, theme).gap(gap as u16);
        if level > 0 {
            pen.gap(1).put(self.level, theme.style(Slot::Dim)).gap(1);
        }
        if place > 0 {
            pen.field(self.place, place - 1, theme.style(Slot::Text), theme).gap(1);
        }
        if figure > 0 {
            let cells: usize = self.figure.iter().map(|(t, _)| width(t) + 1).sum();
            pen.gap((FIGURE + 1).saturating_sub(cells.max(1)) as u16);
            for (i, (text, style)) in self.figure.iter().enumerate() {
                pen.gap(u16::from(i > 0)).put(text, *style);
            }
        }
    }
}

/// `l m h`, or `-` where the server has no such control.
pub(in crate::interface::tui::view) fn level_letter(scene: &Scene<'_>, ix: TaskIx) -> &'static str {
    let task = scene.state.task(ix);
    let running = scene.state.last_attempt(task).filter(|_| task.life == crate::domain::state::Life::Running);
    let place = running.and_then(|a| scene.state.place_of(a));
    if place.is_some_and(|e| e.level == crate::domain::protocol::LevelSupport::None) {
        return "-";
    }
    let level = running.and_then(|a| a.turn()).map_or_else(|| scene.state.level_of(task), |t| t.level);
    match level {
        crate::domain::protocol::Level::Low => "l",
        crate::domain::protocol::Level::Medium => "m",
        crate::domain::protocol::Level::High => "h",
    }
}
