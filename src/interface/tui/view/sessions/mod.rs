//! Screen 6: what ran and runs, a line a session, matches below theirs; beside it the selected one in full.
//!
//! Not here: what the keys do (`model/sessions`) and how sessions are found (`runtime/sessions`).

mod detail;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::page::{self, Focus, frame, padded, paint, wrapped};
use crate::domain::protocol::Micros;
use crate::domain::text::CleanText;
use crate::domain::text::width::width;
use crate::engine::journal::{Found, Glance, SessionSummary, Standing};
use crate::interface::report::ago;
use crate::interface::tui::model::sessions::{Listing, Row, is_here};
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::figure::{clock, count};
use crate::interface::tui::widget::pen::Pen;

/// From here on the session in full stands beside the list, else below it.
const BESIDE: u16 = 100;

fn split(area: Rect) -> (Rect, Rect) {
    if area.width >= BESIDE {
        let side = (area.width / 3).clamp(40, 72);
        let list = Rect { width: area.width - side, ..area };
        (list, Rect { x: list.right(), width: side, ..area })
    } else {
        let below = if area.height >= 14 { (area.height * 2 / 5).min(14) } else { 0 };
        let list = Rect { height: area.height - below, ..area };
        (list, Rect { y: list.bottom(), height: below, ..area })
    }
}

/// Draws the screen.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let (list, side) = split(area);
    draw_list(scene, list, buf);
    detail::draw(scene, side, buf);
    page::twins(scene.theme, area, buf);
}

/// A session's figures as they are: of the one that is shown here, those of this moment.
fn summary_of(scene: &Scene<'_>, glance: &Glance) -> Option<SessionSummary> {
    let kept = glance.summary.as_ref();
    if !is_here(glance, scene.state) {
        return kept.cloned();
    }
    let mut now = SessionSummary::of(&glance.id, scene.state);
    now.bytes = kept.map_or(0, |s| s.bytes);
    now.time = scene.now.since(scene.state.lives.first().map_or(Micros(0), |(at, _)| *at));
    Some(now)
}

/// A session's state: glyph, word, colour.
fn state_of(scene: &Scene<'_>, glance: &Glance) -> (Glyph, &'static str, Slot) {
    if is_here(glance, scene.state) {
        return (Glyph::Running, "this one", Slot::Brand);
    }
    match (&glance.runner, &glance.summary) {
        (Some(_), _) => (Glyph::Running, "running", Slot::Running),
        (None, None) => (Glyph::Waiting, "reading", Slot::Dim),
        (None, Some(s)) if s.damage.is_some() => (Glyph::Unknown, "damaged", Slot::Error),
        (None, Some(s)) => match s.standing {
            Standing::Empty => (Glyph::Dot, "empty", Slot::Dim),
            Standing::Unfinished => (Glyph::Held, "unfinished", Slot::Held),
            Standing::Done => (Glyph::Done, "done", Slot::Done),
            Standing::Failed => (Glyph::Failed, "failed", Slot::Failed),
            Standing::Cancelled => (Glyph::Cancelled, "cancelled", Slot::Dropped),
        },
    }
}

/// Which columns there is room for.
struct Columns {
    when: usize,
    time: usize,
    tokens: usize,
}

/// Cells of the tasks column: `1234/1234`, mostly `7/12`.
const TASKS: usize = 7;
const WORD: usize = 10;

impl Columns {
    const fn of(cells: u16) -> Self {
        Self {
            when: if cells >= 50 { 11 } else { 0 },
            time: if cells >= 66 { 8 } else { 0 },
            tokens: if cells >= 84 { 6 } else { 0 },
        }
    }

    /// Cells left for the goal of a row that wide.
    fn goal(&self, cells: usize) -> usize {
        let others = [self.when, self.time, self.tokens].iter().filter(|w| **w > 0).map(|w| w + 1).sum::<usize>();
        cells.saturating_sub(4 + WORD + 1 + others + TASKS + 2)
    }
}

fn draw_list(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (theme, ui) = (scene.theme, &scene.ui.sessions);
    let sessions = ui.rows().iter().filter(|r| matches!(r, Row::Session(_))).count();
    let title = match (sessions, ui.found.len()) {
        (_, 0) => "Sessions".to_owned(),
        (shown, all) if shown == all => format!("Sessions {all}"),
        (shown, all) => format!("Sessions {shown} of {all}"),
    };
    let unread = ui.found.iter().filter(|g| g.summary.is_none()).count();
    let remark = match &ui.listing {
        Listing::Reading if unread > 0 => format!("reading {unread} more"),
        _ => String::new(),
    };
    let inside = frame(theme, area, &title, &remark, Focus::Here, buf);
    if ui.rows().is_empty() {
        let says = match &ui.listing {
            Listing::NotYet | Listing::Reading if ui.found.is_empty() => "Looking for sessions.".to_owned(),
            Listing::Failed(why) => format!("The sessions can't be listed: {why}. ctrl-r looks again."),
            _ if ui.found.is_empty() => {
                "No session has run yet. ctrl-n asks for a goal; what comes of it will stand here, to be looked at \
                 again, taken up or forked."
                    .to_owned()
            }
            _ => "No session has that in its goal, state or name. ctrl-f looks for it in all that was said; esc takes \
                  it off."
                .to_owned(),
        };
        paint(padded(inside), &wrapped(theme, Slot::Dim, &says, inside.width.saturating_sub(2), 0), buf);
        return;
    }
    let columns = Columns::of(inside.width);
    let heading = u16::from(inside.height >= 5);
    if heading == 1 {
        draw_heading(scene, &columns, inside, buf);
    }
    let rows = page::below(inside, heading);
    let shown = usize::from(rows.height);
    ui.list.measured(ui.rows().len(), shown);
    ui.list.reveal(ui.position());
    for (i, y) in (rows.top()..rows.bottom()).enumerate() {
        let place = ui.list.top() + i;
        let Some(row) = ui.rows().get(place) else { break };
        let line = Rect { y, height: 1, ..rows };
        scene.ui.spots.add(line, Spot::Row(place));
        let (Row::Session(at) | Row::Hit(at, _)) = *row;
        let Some(glance) = ui.found.get(at) else { break };
        match row {
            Row::Session(_) => draw_session(scene, &columns, line, glance, place == ui.position(), buf),
            Row::Hit(_, hit) => {
                let hits = ui.search.as_ref().and_then(|s| s.hits.get(&glance.id));
                if let Some(hit) = hits.and_then(|h| h.get(*hit)) {
                    draw_hit(scene, line, hit, place == ui.position(), buf);
                }
            }
        }
    }
    page::hidden(theme, rows, ui.list.top(), ui.rows().len().saturating_sub(ui.list.top() + shown), buf);
}

fn draw_heading(scene: &Scene<'_>, columns: &Columns, inside: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let dim = theme.style(Slot::Dim);
    let mut pen = Pen::new(buf, inside.x, inside.y, inside.right().saturating_sub(1));
    pen.gap(4).field("state", WORD, dim, theme).gap(1);
    pen.field("goal", columns.goal(usize::from(inside.width)), dim, theme).gap(1);
    if columns.when > 0 {
        pen.field("started", columns.when, dim, theme).gap(1);
    }
    if columns.time > 0 {
        pen.right_field("time", columns.time, dim).gap(1);
    }
    pen.right_field("tasks", TASKS, dim);
    if columns.tokens > 0 {
        pen.gap(1).right_field("tokens", columns.tokens, dim);
    }
}

fn draw_session(scene: &Scene<'_>, columns: &Columns, line: Rect, glance: &Glance, here: bool, buf: &mut Buffer) {
    let theme = scene.theme;
    let (glyph, word, slot) = state_of(scene, glance);
    let summary = summary_of(scene, glance);
    let mut pen = Pen::new(buf, line.x, line.y, line.right().saturating_sub(1));
    pen.put(if here { theme.glyph(Glyph::Cursor) } else { " " }, theme.style(Slot::Brand)).gap(1);
    pen.put(theme.glyph(glyph), theme.style(slot)).gap(1);
    pen.field(word, WORD, theme.style(slot), theme).gap(1);
    let goal = goal_of(glance, summary.as_ref());
    pen.field(&goal, columns.goal(usize::from(line.width)), theme.style(Slot::Text), theme).gap(1);
    let s = summary.as_ref();
    if columns.when > 0 {
        let when = s.and_then(|s| s.started_ms).map(|then| ago(scene.ui.sessions.now_ms, then)).unwrap_or_default();
        pen.field(&when, columns.when, theme.style(Slot::Dim), theme).gap(1);
    }
    if columns.time > 0 {
        pen.right_field(&s.map(|s| clock(s.time)).unwrap_or_default(), columns.time, theme.style(Slot::Text)).gap(1);
    }
    let tasks = s.map(|s| format!("{}/{}", s.tasks.done, s.tasks.total)).unwrap_or_default();
    let slot = if s.is_some_and(|s| s.tasks.failed > 0) { Slot::Failed } else { Slot::Text };
    pen.right_field(&tasks, TASKS, theme.style(slot));
    if columns.tokens > 0 {
        let tokens = s.map(|s| count(s.tokens)).unwrap_or_default();
        pen.gap(1).right_field(&tokens, columns.tokens, theme.style(Slot::Dim));
    }
    if here {
        buf.set_style(line, theme.style(Slot::Selected));
    }
}

/// The goal on one line; what there is instead when there is none.
fn goal_of(glance: &Glance, summary: Option<&SessionSummary>) -> CleanText {
    match summary {
        Some(s) if !s.goal.is_empty() => {
            let more = match s.goals {
                0 | 1 => String::new(),
                n => format!(" (+{})", n - 1),
            };
            let nature = if s.simulated { "sim · " } else { "" };
            CleanText::one_line(&format!("{nature}{}{more}", s.goal))
        }
        Some(_) => CleanText::one_line(&format!("no goal was given ({})", glance.id)),
        None => CleanText::one_line(glance.id.as_str()),
    }
}

fn draw_hit(scene: &Scene<'_>, line: Rect, hit: &Found, here: bool, buf: &mut Buffer) {
    let theme = scene.theme;
    let mut pen = Pen::new(buf, line.x, line.y, line.right().saturating_sub(1));
    pen.put(if here { theme.glyph(Glyph::Cursor) } else { " " }, theme.style(Slot::Brand)).gap(3);
    let place = match hit.place.task() {
        Some(task) => format!("{} {}", task.name, hit.place.word()),
        None => hit.place.word().to_owned(),
    };
    pen.field(&place, 20, theme.style(Slot::Dim), theme).gap(1);
    let (before, found, after) = (CleanText::new(&hit.before), CleanText::new(&hit.found), CleanText::new(&hit.after));
    // What stands before gives way first: the match is to be seen.
    let room = pen.room().saturating_sub(width(&found));
    let lead = room.min(24).min(room / 2 + 1);
    let before = cut_start(&before, lead);
    pen.put(before, theme.style(Slot::Text)).put(&found, theme.style(Slot::Match));
    let rest = theme.cut(&after, pen.room());
    pen.put(&rest, theme.style(Slot::Text));
    if here {
        buf.set_style(line, theme.style(Slot::Selected));
    }
}

/// The end of `text` that fits.
fn cut_start(text: &str, cells: usize) -> &str {
    let mut from = text;
    while width(from) > cells {
        let mut chars = from.chars();
        chars.next();
        from = chars.as_str();
    }
    from
}

#[cfg(test)]
mod tests;
