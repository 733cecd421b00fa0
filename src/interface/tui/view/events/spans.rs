//! The spans of a task as a tree: attempts, their turns, and the calls of a turn, each with when it was on the task's time.

use ratatui::text::Line;

use crate::domain::protocol::{AttemptEnd, Micros, TurnEnd};
use crate::domain::state::{Attempt, Task, Turn};
use crate::interface::tui::log::Entry;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, GlyphSet, Slot, Theme};
use crate::interface::tui::view::page::{self, thousands, word};
use crate::interface::tui::view::run::words::place;
use crate::interface::tui::widget::figure::{clock, rate, span};

/// Cells of the bar that shows when a span was: fewer where it is narrow.
const BAR: std::ops::RangeInclusive<usize> = 8..=24;
/// Cells of a line beside its bar.
const BESIDE: usize = 38;

/// The lines of the tree of the task a record is about.
pub(super) fn lines(scene: &Scene<'_>, entry: &Entry, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let task = entry.about(state).task.and_then(|t| state.task_by_id(t));
    let Some(task) = task else {
        let says = "This record is about no task. Spans are the attempts, turns and calls of one task.";
        return page::wrapped(theme, Slot::Dim, says, cells, 0);
    };
    let attempts: Vec<&Attempt> = task.attempts.iter().filter_map(|a| state.attempt(*a)).collect();
    let mut lines = page::wrapped(theme, Slot::Strong, &task.title, cells, 0);
    let Some(from) = attempts.first().map(|a| a.started_at) else {
        lines.extend(page::wrapped(theme, Slot::Dim, "It has not been tried yet.", cells, 0));
        return lines;
    };
    let to = attempts.last().map_or(from, |a| a.started_at.plus(a.elapsed(scene.now)));
    let bar_cells = usize::from(cells).saturating_sub(BESIDE).clamp(*BAR.start(), *BAR.end());
    let time = Time { from, length: to.since(from).0.max(1), cells: bar_cells };
    lines.push(Line::from(word(
        theme,
        Slot::Dim,
        format!("{} to {}, {}", clock(from), clock(to), span(to.since(from))),
    )));
    let (tee, end, bar, gap) = match theme.glyphs {
        GlyphSet::Unicode => ("├ ", "└ ", "│ ", "  "),
        GlyphSet::Ascii => ("|-", "`-", "| ", "  "),
    };
    for (i, attempt) in attempts.iter().enumerate() {
        let last = i + 1 == attempts.len();
        let (branch, trunk) = if last { (end, gap) } else { (tee, bar) };
        let mine = Some(attempt.id) == entry.attempt();
        lines.extend(of_attempt(scene, task, attempt, &time, (branch, trunk), mine, cells));
        let turns: Vec<&Turn> = attempt.turns().collect();
        for (n, turn) in turns.iter().enumerate() {
            let twig = if n + 1 == turns.len() { end } else { tee };
            lines.extend(of_turn(theme, n, turn, &time, &format!("{trunk}{twig}"), scene.now, cells));
        }
    }
    lines
}

/// The task's time.
struct Time {
    from: Micros,
    length: u64,
    cells: usize,
}

impl Time {
    /// A bar that is full where the span was.
    fn bar(&self, theme: &Theme, from: Micros, to: Micros) -> String {
        let all = self.cells;
        let cell = |at: Micros| (at.since(self.from).0 as u128 * all as u128 / u128::from(self.length)) as usize;
        let first = cell(from).min(all - 1);
        let last = cell(to).clamp(first + 1, all);
        let (full, empty) = (theme.glyph(Glyph::BarFull), theme.glyph(Glyph::BarEmpty));
        empty.repeat(first) + &full.repeat(last - first) + &empty.repeat(all - last)
    }
}

fn of_attempt(
    scene: &Scene<'_>,
    task: &Task,
    attempt: &Attempt,
    time: &Time,
    (branch, trunk): (&str, &str),
    mine: bool,
    cells: u16,
) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let (glyph, slot, mut how) = match attempt.ended.as_ref().map(|(_, e)| e) {
        None if task.asking.is_some() => (Glyph::Asking, Slot::Asking, "asks you".to_owned()),
        None => (Glyph::Running, Slot::Running, "runs".to_owned()),
        Some(AttemptEnd::Completed) => (Glyph::Done, Slot::Done, "done".to_owned()),
        Some(AttemptEnd::Failed(failure)) => (Glyph::Failed, Slot::Failed, failure.message.to_string()),
        Some(AttemptEnd::Cancelled) => (Glyph::Cancelled, Slot::Dropped, "stopped".to_owned()),
        Some(AttemptEnd::Moved) => (Glyph::Skipped, Slot::Dropped, "went on elsewhere".to_owned()),
        Some(AttemptEnd::Interrupted) => (Glyph::Cancelled, Slot::Dropped, "interrupted".to_owned()),
    };
    let until = attempt.started_at.plus(attempt.elapsed(scene.now));
    let name = if mine { Slot::Heading } else { Slot::Strong };
    let (whose, took) = match attempt.by_hand() {
        Some(_) => {
            how = "put in by hand".to_owned();
            (place(state, attempt), format!(" at {}", clock(attempt.started_at)))
        }
        None => (
            format!("{} on {}", attempt.agent, place(state, attempt)),
            format!(" {}", span(attempt.elapsed(scene.now))),
        ),
    };
    let head = Line::from(vec![
        word(theme, Slot::Border, branch),
        word(theme, slot, format!("{} ", theme.glyph(glyph))),
        word(theme, name, attempt.id.to_string()),
        word(theme, Slot::Text, format!(" {whose}  ")),
        word(theme, slot, time.bar(theme, attempt.started_at, until)),
        word(theme, Slot::Text, took),
    ]);
    let mut lines = vec![head];
    let rail = if attempt.turns().next().is_none() { "  " } else { "│ " };
    let rail = if theme.glyphs == GlyphSet::Ascii { rail.replace('│', "|") } else { rail.to_owned() };
    for mut line in page::wrapped(theme, slot, &how, cells.saturating_sub(4), 0) {
        line.spans.insert(0, word(theme, Slot::Border, format!("{trunk}{rail}")));
        lines.push(line);
    }
    lines
}

fn of_turn(
    theme: &Theme,
    n: usize,
    turn: &Turn,
    time: &Time,
    branch: &str,
    now: Micros,
    cells: u16,
) -> Vec<Line<'static>> {
    let until = turn.ended.as_ref().map_or(now, |(at, _)| *at);
    let head = Line::from(vec![
        word(theme, Slot::Border, branch.to_owned()),
        word(theme, Slot::Text, format!("turn {} slot {} {}  ", n + 1, turn.slot + 1, turn.level.letter())),
        word(theme, Slot::BarSoft, time.bar(theme, turn.started_at, until)),
        word(theme, Slot::Text, format!(" {}", span(until.since(turn.started_at)))),
    ]);
    let mut facts = Vec::new();
    let u = &turn.usage;
    let prompt = if u.prompt_tokens > 0 { u.prompt_tokens } else { turn.prompt.map_or(0, |p| p.1) };
    if prompt > 0 {
        let cached =
            if u.cached_tokens > 0 { format!(", {} cached", thousands(u.cached_tokens)) } else { String::new() };
        facts.push(format!("prompt {}{cached}", thousands(prompt)));
    }
    if let Some(first) = turn.first_token_at {
        facts.push(format!("first token {:.1} s", first.since(turn.started_at).secs_f64()));
    }
    facts.push(format!("{} tokens", thousands(turn.output_tokens())));
    if u.generation_us > 0 {
        facts.push(rate(turn.output_tokens() as f32 / (u.generation_us as f32 / 1e6)));
    }
    if turn.tool_calls.tokens > 0 {
        facts.push("calls tools".to_owned());
    }
    let how = match turn.ended.as_ref().map(|(_, e)| e) {
        None => "under way",
        Some(TurnEnd::Stop) => "came to its end",
        Some(TurnEnd::Length) => "cut by the token limit",
        Some(TurnEnd::ToolCalls) => "asked for tools",
        Some(TurnEnd::Failed(_)) => "failed",
        Some(TurnEnd::Cancelled) => "stopped",
    };
    facts.push(how.to_owned());
    let pad: String = branch.chars().map(|_| ' ').collect();
    let mut lines = vec![head];
    for mut line in page::wrapped(theme, Slot::Dim, &facts.join(" · "), cells.saturating_sub(4), 0) {
        // The trunk of the attempts that follow goes on beside the figures of this turn.
        let trunk: String = branch.chars().take(2).chain(pad.chars().skip(2)).collect();
        line.spans.insert(0, word(theme, Slot::Border, trunk));
        lines.push(line);
    }
    lines
}
