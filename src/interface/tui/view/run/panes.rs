//! Live outputs: a pane a task; thinking folded or dim, the answer rendered, only visible rows painted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cache::{AttemptText, RunCaches, Start};
use super::draft;
use super::tree::level_letter;
use super::words::{activity, is_thinking, seat, sign, why};
use crate::domain::protocol::{AttemptEnd, Channel, Work};
use crate::domain::state::{Attempt, Life, Status, TaskIx};
use crate::domain::text::width::width;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::model::run::panes::{Anchor, Pane};
use crate::interface::tui::model::run::rows::Fold;
use crate::interface::tui::model::run::{Focus, Shown};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::bar::filled;
use crate::interface::tui::widget::flow::Retell;
use crate::interface::tui::widget::frame::titles;
use crate::interface::tui::widget::pen::{Pen, cut};

/// Panes lower than this leave out the line that thinking folds into.
const ROOMY: u16 = 6;
/// With more panes than these, each of them moves less often.
const CALM: usize = 6;
/// Rows that a crowded pane moves by at most.
const STEP: usize = 4;

/// The words on a pane's border: sign and title left; agent, place, level, figure right, fewer where it is narrow.
pub(super) fn title(scene: &Scene<'_>, at: usize, pane: &Pane, area: Rect, shown: &Shown, buf: &mut Buffer) {
    let (state, theme, ui) = (scene.state, scene.theme, &scene.ui.run);
    let task = state.task(pane.task);
    let status = state.status(pane.task, scene.now);
    let (glyph, slot) = sign(status);
    let current = ui.selected() == Some(pane.task);
    let focused = ui.focus == Focus::Pane && ui.panes.focus == at;
    let pin = if ui.panes.pins.contains(&pane.task) { "w " } else { "" };
    let left = format!("{}{pin}{} {}", if current { "* " } else { "" }, theme.glyph(glyph), task.title);
    let dot = format!(" {} ", theme.glyph(Glyph::Dot));
    let mut parts = vec![task.spec.agent.to_string()];
    let last = state.last_attempt(task);
    match (status, last) {
        (Status::Running, Some(a)) => {
            parts.push(seat(state, a));
            parts.push(level_letter(scene, pane.task).to_owned());
            parts.push(activity(a, ui.figures().rates.get(&pane.task).copied(), scene.now));
        }
        (_, Some(a)) => {
            parts.push(state.endpoint(a.endpoint).config.short().to_owned());
            parts.push(status.word().to_owned());
        }
        _ => parts.push(status.word().to_owned()),
    }
    if let Some((n, of)) = ui.find_place().filter(|_| focused) {
        parts.push(format!("match {n}/{of}"));
    }
    if pane.anchor != Anchor::Tail {
        let new = shown.rows.saturating_sub(pane.seen_rows);
        let below = shown.rows.saturating_sub(shown.top + shown.height);
        let arrow = theme.glyph(Glyph::Below);
        parts.push(if new > 0 { format!("{arrow} {new} new") } else { format!("{arrow} {below} more") });
    }
    // At least 16 cells stay for the title; what says least goes first.
    let room = usize::from(area.width).saturating_sub(22);
    while parts.len() > 1 && width(&parts.join(&dot)) > room {
        parts.remove(0);
    }
    let style = if focused { theme.style(Slot::BorderFocus) } else { theme.style(slot) };
    let right = parts.join(&dot);
    titles(buf, area, (&left, style), (&right, theme.style(Slot::Dim)), theme);
}

/// Paints a pane's inside. Returns what it showed.
pub(super) fn body(
    scene: &Scene<'_>,
    caches: &mut RunCaches,
    at: usize,
    pane: &Pane,
    area: Rect,
    buf: &mut Buffer,
) -> Shown {
    let state = scene.state;
    let task = state.task(pane.task);
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if inner.is_empty() {
        return Shown::default();
    }
    let Some(attempt) = state.last_attempt(task) else {
        waiting(scene, pane.task, inner, buf);
        return Shown { height: usize::from(inner.height), ..Shown::default() };
    };
    let ui = &scene.ui.run;
    let focused = ui.panes.focus == at;
    let needle = if focused && ui.focus == Focus::Pane { ui.search.text.to_lowercase() } else { String::new() };
    let text = caches.text(attempt.id, scene.transcripts);
    let retell: Option<Retell> = (task.work == Work::Planning).then_some(draft::told);
    text.answer.update(inner.width, &needle, retell);
    text.thoughts.update(inner.width.saturating_sub(2));
    paint(scene, attempt, pane, text, inner, buf)
}

/// The rows of a pane, in order: what is missing, what thinking folds into, thoughts, answer, how it ended.
struct Rows {
    head: Vec<String>,
    thoughts: usize,
    answer: usize,
    foot: Vec<(String, Slot)>,
}

impl Rows {
    fn count(&self) -> usize {
        self.before_answer() + self.answer + self.foot.len()
    }

    fn before_answer(&self) -> usize {
        self.head.len() + self.thoughts
    }
}

fn paint(
    scene: &Scene<'_>,
    attempt: &Attempt,
    pane: &Pane,
    text: &mut AttemptText,
    inner: Rect,
    buf: &mut Buffer,
) -> Shown {
    let (theme, ui) = (scene.theme, &scene.ui.run);
    let height = usize::from(inner.height);
    let rows = plan(scene, attempt, pane, text, inner);
    let count = rows.count();
    let last_top = count.saturating_sub(height);
    let running = attempt.ended.is_none();
    let crowded = ui.areas().panes.len() > CALM;
    // Many panes that each move a row up at their own time are restless, and dear over a slow line: each moves by most
    // of its height, and then writes into the room below.
    let step = if crowded && running { (height * 2).div_ceil(3).clamp(1, STEP) } else { 1 };
    let top = match pane.anchor {
        Anchor::Tail => last_top.next_multiple_of(step),
        Anchor::At(top) => top.min(last_top),
    };
    let first = rows.before_answer();
    // In the colour of the text it costs no change of colour, forth and back, with each word that comes.
    let caret = if crowded { Slot::Text } else { Slot::Running };
    let current = (!ui.search.text.is_empty()).then_some(ui.search.at);
    for (line, row) in (top..count.min(top + height)).enumerate() {
        let y = inner.y + line as u16;
        let head = rows.head.len();
        let mut end = inner.x;
        if let Some(words) = rows.head.get(row) {
            let words = cut(words, usize::from(inner.width), theme);
            Pen::new(buf, inner.x, y, inner.right()).put(&words, theme.style(Slot::Dim));
        } else if row < first {
            Pen::new(buf, inner.x, y, inner.right()).put(theme.glyph(Glyph::Thinking), theme.style(Slot::Thinking));
            text.thoughts.paint(row - head, buf, inner.x + 2, y, inner.right(), theme);
        } else if row < first + rows.answer {
            end = text.answer.paint(row - first, current, buf, (inner.x, y), inner.right(), theme);
        } else if let Some((words, slot)) = rows.foot.get(row - first - rows.answer) {
            let words = cut(words, usize::from(inner.width), theme);
            Pen::new(buf, inner.x, y, inner.right()).put(&words, theme.style(*slot));
        }
        if running && rows.answer > 0 && row + 1 == first + rows.answer && text.last == Some(Channel::Answer) {
            // A full row's caret stands in the margin.
            Pen::new(buf, end, y, inner.right() + 1).put(theme.glyph(Glyph::Caret), theme.style(caret));
        }
    }
    if count == 0 {
        progress(scene, attempt, inner, buf);
    }
    let matches = text.answer.matches().map(|r| r + first as u32).collect();
    Shown { height, rows: count, top, matches }
}

/// What stands in the pane.
fn plan(scene: &Scene<'_>, attempt: &Attempt, pane: &Pane, text: &mut AttemptText, inner: Rect) -> Rows {
    let (theme, ui) = (scene.theme, &scene.ui.run);
    let thinks = attempt.turn().is_some_and(|t| t.ended.is_none() && is_thinking(t));
    let words = text.thoughts.words();
    let roomy = inner.height >= ROOMY;
    let chosen = if ui.selected() == Some(pane.task) { ui.thinking } else { None };
    let fold = chosen.unwrap_or(if thinks && text.answer.is_empty() { Fold::Open } else { Fold::Closed });
    let fold_line =
        (words > 0 && (roomy || chosen == Some(Fold::Open)) && (fold == Fold::Closed || roomy)).then(|| match fold {
            Fold::Closed => format!("{} thinking {words} words (l unfolds)", theme.glyph(Glyph::Folded)),
            Fold::Open => format!("{} thinking {words} words (h folds)", theme.glyph(Glyph::Unfolded)),
        });
    let missing = (text.start == Start::Cut).then(|| "older text is in the journal".to_owned());
    let head = missing.into_iter().chain(fold_line).collect();
    let thoughts = if fold == Fold::Open { text.thoughts.rows() } else { 0 };
    let mut foot = Vec::new();
    let failed = match attempt.ended.as_ref().map(|(_, end)| end) {
        Some(AttemptEnd::Failed(failure)) => Some((Glyph::Failed, failure.message.to_string(), Slot::Failed)),
        Some(AttemptEnd::Cancelled) => {
            Some((Glyph::Cancelled, "stopped; this is what there was".to_owned(), Slot::Dropped))
        }
        Some(AttemptEnd::Interrupted) => {
            Some((Glyph::Cancelled, "Baton ended under it; it runs again".to_owned(), Slot::Dropped))
        }
        _ => None,
    };
    if let Some((glyph, words, slot)) = failed {
        let words = format!("{} {words}", theme.glyph(glyph));
        foot.extend(
            wrap(&words, usize::from(inner.width).max(1)).filter_map(|r| words.get(r)).map(|w| (w.to_owned(), slot)),
        );
    }
    Rows { head, thoughts, answer: text.answer.rows(), foot }
}

/// A running attempt without text: how far its prompt is.
fn progress(scene: &Scene<'_>, attempt: &Attempt, inner: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let Some(turn) = attempt.turn().filter(|t| t.ended.is_none()) else { return };
    let mut pen = Pen::new(buf, inner.x, inner.y, inner.right());
    match turn.prompt {
        Some((done, all)) if all > 0 => {
            let n = filled(done as f32 / all as f32, 10);
            pen.put("reads its prompt ", theme.style(Slot::Dim));
            pen.repeat(theme.glyph(Glyph::BarFull), n, theme.style(Slot::SlotPrompt));
            pen.repeat(theme.glyph(Glyph::BarEmpty), 10 - n, theme.style(Slot::BarEmpty));
            pen.put(&format!(" {done} of {all} tokens"), theme.style(Slot::Dim));
        }
        _ => {
            pen.put("sent; no token yet", theme.style(Slot::Dim));
        }
    }
}

/// A task that never ran: why not, and what it will be asked.
fn waiting(scene: &Scene<'_>, ix: TaskIx, inner: Rect, buf: &mut Buffer) {
    let (state, theme) = (scene.state, scene.theme);
    let task = state.task(ix);
    let cells = usize::from(inner.width).max(1);
    let reason = why(state, scene.ui.run.figures(), ix, scene.now);
    let prompt = crate::domain::text::CleanText::from(task.spec.prompt.trim());
    let mut rows: Vec<(&str, Slot)> =
        wrap(&reason, cells).filter_map(|r| reason.get(r)).map(|t| (t, Slot::Waiting)).collect();
    if task.life == Life::NotStarted {
        rows.push(("", Slot::Text));
        rows.push(("It will be asked:", Slot::Dim));
        for line in prompt.as_str().lines().take(usize::from(inner.height)) {
            rows.extend(wrap(line, cells).filter_map(|r| line.get(r)).map(|t| (t, Slot::Text)));
        }
    }
    for ((text, slot), y) in rows.into_iter().zip(inner.y..inner.bottom()) {
        Pen::new(buf, inner.x, y, inner.right()).put(text, theme.style(slot));
    }
}
