//! Live outputs: a pane a task; thinking folded or dim, the answer rendered, only visible rows painted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cache::{AttemptText, Part, RunCaches};
use super::find::{find, words as found_words};
use super::strips::{Shows, Strips};
use super::tree::level_letter;
use super::words::{activity, is_thinking, place, seat, sign, why};
use super::{draft, select};
use crate::domain::protocol::{AttemptEnd, Channel, Work};
use crate::domain::state::{Attempt, Life, Status, TaskIx};
use crate::domain::text::document::Spot;
use crate::domain::text::width::width;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::model::run::panes::Pane;
use crate::interface::tui::model::run::place::{Anchor, At, Place};
use crate::interface::tui::model::run::rows::Fold;
use crate::interface::tui::model::run::select::{Selection, Unit};
use crate::interface::tui::model::run::{Focus, Search, Shown};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::view::page::bytes;
use crate::interface::tui::widget::bar::filled;
use crate::interface::tui::widget::figure::seconds_clock;
use crate::interface::tui::widget::flow::{self, Mark};
use crate::interface::tui::widget::frame::titles;
use crate::interface::tui::widget::pen::{Pen, cut};

/// Panes lower than this leave out the line that thinking folds into.
const ROOMY: u16 = 6;
/// With more panes than these, each of them moves less often.
const CALM: usize = 6;
/// Rows that a crowded pane moves by at most.
const STEP: usize = 4;
/// Steps shorter than this are exact: all rows on the way are rendered. Longer ones go by estimate where nobody was yet.
const FAR: usize = 400;

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
        (Status::Asking, _) => {
            let since = task.asking.as_ref().map_or(scene.now, |q| q.since);
            parts = vec!["asks you".to_owned(), "slot given back".to_owned()];
            parts.push(seconds_clock(scene.now.since(since).0 / 1_000_000));
        }
        (Status::Running, Some(a)) => {
            parts.push(seat(state, a));
            parts.push(level_letter(scene, pane.task).to_owned());
            parts.push(activity(a, ui.figures().rates.get(&pane.task).copied(), scene.now));
        }
        (_, Some(a)) => {
            parts.push(place(state, a));
            parts.push(status.word().to_owned());
        }
        _ => parts.push(status.word().to_owned()),
    }
    if let Some(found) = &shown.found {
        parts.push(format!("match {}", found_words(found)));
    }
    if let Some(percent) = shown.reading {
        parts.push(format!("reading {percent}%"));
    }
    if let Some(selection) = ui.selection().filter(|s| s.task == pane.task) {
        parts.push(match selection.unit {
            Unit::Rows => "selecting rows".to_owned(),
            Unit::Letters => "selected; y copies".to_owned(),
        });
    } else if pane.anchor != Anchor::Tail {
        let below = shown.rows.saturating_sub(shown.top + shown.height);
        let arrow = theme.glyph(Glyph::Below);
        match (shown.new, below) {
            (0, 0) => {}
            (0, below) => parts.push(format!("{arrow} {below} more")),
            (new, _) => parts.push(format!("{arrow} {new} new")),
        }
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
    let text = caches.text(attempt.id, scene.transcripts);
    let mut strips = stack(scene, attempt, pane, text, inner);
    let stand = stand(scene, attempt, at, pane, text, &mut strips, inner);
    paint(scene, attempt, &stand, text, &strips, inner, buf);
    stand.shown
}

/// What a pane shows, and what in it is lit.
struct Stand {
    shown: Shown,
    needle: String,
    selection: Option<(Selection, Place, Place)>,
}

/// The stack of what stands in the pane.
fn stack(scene: &Scene<'_>, attempt: &Attempt, pane: &Pane, text: &mut AttemptText, inner: Rect) -> Strips {
    let theme = scene.theme;
    let mut strips = Strips::default();
    if text.gone > 0 {
        let words = format!("{} {} of earlier text are in the journal", theme.glyph(Glyph::Ellipsis), bytes(text.gone));
        strips.line(Place { part: 0, at: At::Above }, words, Slot::Dim);
    }
    let retell = (scene.state.task(pane.task).work == Work::Planning).then_some(draft::told);
    let answers = text.answers();
    let thinks = attempt.turn().is_some_and(|t| t.ended.is_none() && is_thinking(t));
    let roomy = inner.height >= ROOMY;
    let last = text.parts.len().saturating_sub(1);
    for (at, part) in text.parts.iter_mut().enumerate() {
        let head = match part.channel {
            Channel::Answer => None,
            Channel::Thinking => {
                let words = part.text.words();
                (words > 0).then(|| format!("thinking {words} words"))
            }
            Channel::ToolCall => Some(format!("calls {}", part.calls())),
        };
        let own = if part.channel == Channel::Thinking && thinks && at == last && !answers {
            Fold::Open
        } else {
            Fold::Closed
        };
        let fold = if part.channel == Channel::Answer { Fold::Open } else { pane.fold.unwrap_or(own) };
        if let Some(head) = head
            && (roomy || (pane.fold.is_some() && fold == Fold::Open) || part.channel == Channel::ToolCall)
        {
            let (glyph, key) = match fold {
                Fold::Closed => (Glyph::Folded, "l unfolds"),
                Fold::Open => (Glyph::Unfolded, "h folds"),
            };
            let place = Place { part: at as u32, at: At::Head };
            strips.line(place, format!("{} {head} ({key})", theme.glyph(glyph)), Slot::Dim);
        }
        if fold == Fold::Open {
            if part.channel == Channel::Answer
                && let Some(retell) = retell
            {
                part.text.retell(retell(part.text.clean()));
            }
            let indent = if part.channel == Channel::Answer { 0 } else { 2 };
            part.text.update(usize::from(inner.width.saturating_sub(indent)));
            strips.text(at, part);
        }
    }
    for (row, (words, slot)) in foot(scene, attempt, pane, strips.count(), inner).into_iter().enumerate() {
        let spot = Spot { byte: row, nth: 0 };
        strips.line(Place::row(Place::FOOT, spot), words, slot);
    }
    strips
}

/// Where the pane stands, with what was asked for done: scrolled, searched, selected.
fn stand(
    scene: &Scene<'_>,
    attempt: &Attempt,
    at: usize,
    pane: &Pane,
    text: &mut AttemptText,
    strips: &mut Strips,
    inner: Rect,
) -> Stand {
    let ui = &scene.ui.run;
    let height = usize::from(inner.height);
    let has_keys = ui.keys_pane() == Some(at);
    let search = if has_keys { ui.search.clone() } else { Search::default() };
    let mut anchor = pane.anchor;
    // While the text is selected it stands still.
    if let (Some(first), Anchor::Tail) = (ui.shown(at).and_then(|s| s.first), anchor)
        && ui.selection().is_some_and(|s| s.task == pane.task)
    {
        anchor = Anchor::At(first);
    }
    let mut top = match anchor {
        Anchor::Tail => {
            let count = strips.count();
            strips.settle(count.saturating_sub(height)..count, text);
            let last_top = strips.count().saturating_sub(height);
            // Many panes that each move a row up at their own time are restless, and dear over a slow line: each moves
            // by most of its height, and then writes into the room below.
            let crowded = ui.areas().panes.len() > CALM && attempt.ended.is_none() && pane.by == 0;
            let step = if crowded { (height * 2).div_ceil(3).clamp(1, STEP) } else { 1 };
            last_top.next_multiple_of(step)
        }
        Anchor::At(place) => strips.row(place, text),
    };
    if pane.by != 0 {
        let near = if pane.by.unsigned_abs() < FAR { pane.by.unsigned_abs() + height } else { 0 };
        let here = strips.place(top, text);
        strips.settle(top.saturating_sub(near)..top + near + height, text);
        top = here.map_or(0, |here| strips.row(here, text)).saturating_add_signed(pane.by);
        let last_top = strips.count().saturating_sub(height);
        if top >= last_top {
            (anchor, top) = (Anchor::Tail, last_top);
        } else {
            anchor = strips.place(top, text).map_or(Anchor::Tail, Anchor::At);
        }
    }
    let byte = |strips: &Strips, row: usize, text: &mut AttemptText| match strips.place(row, text) {
        Some(Place { part, at: At::Row(spot) }) => (part, spot.byte),
        Some(Place { part, .. }) => (part, 0),
        None => (0, 0),
    };
    let (from, to) = (byte(strips, top, text), byte(strips, top + height, text));
    let to = if anchor == Anchor::Tail { (Place::FOOT, 0) } else { to };
    let found = find(&search, strips, text, from, to);
    if let Some(place) = found.as_ref().and_then(|f| f.at).filter(|at| search.at != Some(*at)) {
        let row = {
            let row = text.parts.get_mut(place.0 as usize).map_or(0, |part| part.text.row_at(place.1));
            strips.row(Place::row(place.0, Spot::default()), text) + row
        };
        // What is in sight stays; else the match stands in the middle.
        if row < top || row >= top + height {
            top = row.saturating_sub(height / 2);
        }
        anchor = strips.place(top, text).map_or(Anchor::Tail, Anchor::At);
    }
    let selection = ui.selection().filter(|s| s.task == pane.task).and_then(|selection| {
        let (from, to, row) = select::resolve(selection, strips, text, (top, height), found.as_ref(), pane.anchor)?;
        if row < top || row >= top + height {
            top = if row < top { row } else { (row + 1).saturating_sub(height) };
        }
        anchor = strips.place(top, text).map_or(Anchor::Tail, Anchor::At);
        Some((*selection, from, to))
    });
    // What comes into sight is rendered, and the topmost row stays where it is.
    if let Anchor::At(place) = anchor {
        strips.settle(top..top + height, text);
        top = strips.row(place, text);
        let last_top = strips.count().saturating_sub(height);
        if top > last_top {
            strips.settle(last_top..last_top + height, text);
            top = strips.count().saturating_sub(height);
        }
        // Nothing holds it there: it stands at the end, so it follows.
        if top >= last_top && selection.is_none() && found.is_none() {
            anchor = Anchor::Tail;
        }
    }
    let seen = match (anchor, pane.seen) {
        (Anchor::At(_), Some(seen)) => strips.row(seen, text) + 1,
        _ => strips.count(),
    };
    let shown = Shown {
        area: inner,
        height,
        rows: strips.count(),
        top,
        new: strips.count().saturating_sub(seen),
        anchor: Some(anchor),
        first: strips.place(top, text),
        last: strips.place(strips.count(), text),
        selected: selection.map(|(_, from, to)| (from, to)),
        found,
        reading: text.reading,
    };
    Stand { shown, needle: search.text, selection }
}

fn paint(
    scene: &Scene<'_>,
    attempt: &Attempt,
    stand: &Stand,
    text: &mut AttemptText,
    strips: &Strips,
    inner: Rect,
    buf: &mut Buffer,
) {
    let theme = scene.theme;
    let shown = &stand.shown;
    let running = attempt.ended.is_none() && scene.state.task(attempt.task).asking.is_none();
    // In the colour of the text it costs no change of colour, forth and back, with each word that comes.
    let caret = if scene.ui.run.areas().panes.len() > CALM { Slot::Text } else { Slot::Running };
    let answer_last = text.last() == Some(Channel::Answer);
    let last_part = text.parts.len().saturating_sub(1);
    for row in shown.top..shown.rows.min(shown.top + shown.height) {
        let y = inner.y + (row - shown.top) as u16;
        let Some((strip, within)) = strips.at(row) else { break };
        let place = strips.place(row, text);
        match &strip.shows {
            Shows::Line(words, slot) => {
                let words = cut(words, usize::from(inner.width), theme);
                Pen::new(buf, inner.x, y, inner.right()).put(&words, theme.style(*slot));
            }
            Shows::Text(at) => {
                let Some(part) = text.parts.get_mut(*at) else { continue };
                let (indent, plain) = match part.channel {
                    Channel::Answer => (0, Slot::Text),
                    Channel::Thinking | Channel::ToolCall => (2, Slot::Thinking),
                };
                if part.channel == Channel::Thinking {
                    Pen::new(buf, inner.x, y, inner.right()).put(theme.glyph(Glyph::Thinking), theme.style(plain));
                }
                let rows = part.text.rows();
                let marks = marks(scene, stand, *at, part, within);
                let Some(line) = part.text.row(within) else { continue };
                let left = inner.x + indent;
                let end = flow::paint(line, &marks, plain, theme, buf, (left, y), inner.right());
                if running && answer_last && *at == last_part && within + 1 == rows {
                    // A full row's caret stands in the margin.
                    Pen::new(buf, end, y, inner.right() + 1).put(theme.glyph(Glyph::Caret), theme.style(caret));
                }
            }
        }
        if let (Some((selection, from, to)), Some(place)) = (&stand.selection, place)
            && selection.unit == Unit::Rows
            && (*from.min(to)..=*from.max(to)).contains(&place)
        {
            let row = Rect { y, height: 1, ..inner };
            buf.set_style(row, theme.style(Slot::Selected));
            if place == *to {
                // The cursor's row is told from the others without colour too.
                Pen::new(buf, inner.x.saturating_sub(1), y, inner.x)
                    .put(theme.glyph(Glyph::Cursor), theme.style(Slot::Selected));
            }
        }
    }
    if shown.rows == 0 {
        progress(scene, attempt, inner, buf);
    }
}

/// What is lit in a row: matches, the one the user is at, selected letters.
fn marks(scene: &Scene<'_>, stand: &Stand, at: usize, part: &mut Part, row: usize) -> Vec<Mark> {
    let theme = scene.theme;
    let mut marks = Vec::new();
    let source = part.text.row(row).and_then(|line| line.source.clone());
    if !stand.needle.is_empty()
        && let (Some(source), Some((_, hits))) = (source, &part.hits)
    {
        let current = stand.shown.found.as_ref().and_then(|found| found.at);
        for hit in hits.within(source) {
            let slot = if current == Some((at as u32, hit.start)) { Slot::MatchCurrent } else { Slot::Match };
            marks.push(Mark { source: hit, style: theme.style(slot) });
        }
    }
    if let Some((selection, from, to)) = &stand.selection
        && selection.unit == Unit::Letters
    {
        let whole = part.text.end();
        marks.push(Mark { source: select::bytes(*from, *to, at as u32, whole), style: theme.style(Slot::Selected) });
    }
    marks
}

/// What stands below the text: how it ended, or what it asks.
fn foot(scene: &Scene<'_>, attempt: &Attempt, pane: &Pane, above: usize, inner: Rect) -> Vec<(String, Slot)> {
    let theme = scene.theme;
    let cells = usize::from(inner.width).max(1);
    let wrapped = |words: &str, slot| {
        wrap(words, cells).filter_map(|r| words.get(r)).map(|w| (w.to_owned(), slot)).collect::<Vec<_>>()
    };
    if let Some(asking) = &scene.state.task(pane.task).asking {
        let mut rows = Vec::new();
        if above > 0 {
            rows.push((String::new(), Slot::Text));
        }
        for line in format!("\"{}\"", asking.text.trim()).lines() {
            rows.extend(wrapped(line, Slot::Asking));
        }
        let dot = format!(" {} ", theme.glyph(Glyph::Dot));
        let choices: Vec<&str> = asking.choices.iter().map(|c| c.as_str()).chain(["write an answer"]).collect();
        rows.extend(wrapped(&format!("  {}", choices.join(&dot)), Slot::Text));
        rows.push((String::new(), Slot::Text));
        let others = scene.state.attention.len();
        let all = if others > 1 { format!("   ! all {others} that need you") } else { String::new() };
        rows.push((format!("a answer{all}"), Slot::KeyHint));
        return rows;
    }
    match attempt.ended.as_ref().map(|(_, end)| end) {
        Some(AttemptEnd::Failed(failure)) => {
            wrapped(&format!("{} {}", theme.glyph(Glyph::Failed), failure.message), Slot::Failed)
        }
        Some(AttemptEnd::Cancelled) => {
            wrapped(&format!("{} stopped; this is what there was", theme.glyph(Glyph::Cancelled)), Slot::Dropped)
        }
        Some(AttemptEnd::Interrupted) => {
            wrapped(&format!("{} Baton ended under it; it runs again", theme.glyph(Glyph::Cancelled)), Slot::Dropped)
        }
        Some(AttemptEnd::Completed) if above == 0 => vec![("It ended without a word.".to_owned(), Slot::Dim)],
        _ => Vec::new(),
    }
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
