//! A goal's end: its answer, rendered, or what went wrong; and what the session's width was worth.
//!
//! Not here: what the keys do (`model/done`).

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::page::{self, Focus, duration, facts, frame, padded, paint, plural, sign, thousands, word};
use crate::domain::protocol::{AttemptId, Channel, GoalId, Micros, Outcome};
use crate::domain::state::{Attempt, Goal, GoalPhase, State, dollars};
use crate::domain::text::CleanText;
use crate::interface::report::pace_words;
use crate::interface::tui::model::Screen;
use crate::interface::tui::model::done::{DoneUi, Fold, answer_of, failed};
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// Lines of text are no wider than this: they stay readable.
const READABLE: u16 = 110;

/// Draws a goal's end.
pub fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if let Screen::Done(goal) = scene.ui.screen {
        draw(scene, goal, &scene.ui.done, area, buf);
        page::twins(scene.theme, area, buf);
    }
}

fn draw(scene: &Scene<'_>, goal: GoalId, done: &DoneUi, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let (theme, state) = (scene.theme, scene.state);
    let Some(goal) = state.goal(goal) else {
        let says = "There is no such goal. esc goes back, ctrl-n asks for a new one.";
        paint(padded(area), &page::wrapped(theme, Slot::Dim, says, area.width, 0), buf);
        return;
    };
    let figures = Figures::of(state, goal, scene.now);
    let wide = padded(area).width;
    let mut head = summary(theme, goal, &figures, wide);
    head.truncate(usize::from(area.height / 3).max(1));
    let used = paint(padded(area), &head, buf);
    let rest = page::below(area, used);
    let remark = match goal.phase {
        GoalPhase::Ended(Outcome::Failed) if !failed(state, goal.id).is_empty() => "r retries what failed",
        _ => "",
    };
    let title = CleanText::one_line(&goal.text);
    let inside = padded(frame(theme, rest, &title, remark, Focus::Here, buf));
    let inside = Rect { width: inside.width.min(READABLE), ..inside };
    let mut lines = trouble(scene, goal, inside.width);
    let mut thinking_at = None;
    match answer_of(state, goal.id) {
        Some(attempt) => {
            let thinking =
                done.thinking.rows(theme, (scene.state, scene.transcripts), attempt, Channel::Thinking, inside.width);
            let head = (!thinking.is_empty()).then_some(lines.len());
            lines.extend(thinking_rows(theme, &thinking, done.fold()));
            thinking_at = head;
            lines.extend_from_slice(&done.answer.rows(
                theme,
                (scene.state, scene.transcripts),
                attempt,
                Channel::Answer,
                inside.width,
            ));
            if let Some(cut) = state.attempt(attempt).and_then(|a| state.cut_in(a)) {
                lines.push(Line::default());
                lines.extend(page::wrapped(
                    theme,
                    Slot::Warning,
                    &format!("{cut}: its end is missing"),
                    inside.width,
                    0,
                ));
            }
        }
        None => lines.extend(no_answer(theme, goal, inside.width)),
    }
    lines.push(Line::default());
    lines.extend(next_steps(theme, answer_of(state, goal.id), inside.width));
    page::paint_scrolled(theme, inside, &lines, &done.scroll, buf);
    let row = thinking_at.and_then(|at: usize| at.checked_sub(done.scroll.top()));
    if let Some(row) = row.and_then(|row| u16::try_from(row).ok()).filter(|row| *row < inside.height) {
        scene.ui.spots.add(Rect { y: inside.y + row, height: 1, ..inside }, Spot::Thinking);
    }
}

/// Thinking folded to a line, or whole with a rail beside it.
pub(super) fn thinking_rows(theme: &Theme, rows: &[Line<'static>], fold: Fold) -> Vec<Line<'static>> {
    if rows.is_empty() {
        return Vec::new();
    }
    let words: usize = rows.iter().flat_map(|l| &l.spans).map(|s| s.content.split_whitespace().count()).sum();
    let (glyph, key) = match fold {
        Fold::Folded => (Glyph::Folded, "l unfolds"),
        Fold::Unfolded => (Glyph::Unfolded, "h folds"),
    };
    let head = format!("{} thinking {} ({key})", theme.glyph(glyph), plural(words, "word"));
    let mut lines = vec![Line::from(word(theme, Slot::Thinking, head))];
    if fold == Fold::Unfolded {
        lines.extend_from_slice(rows);
    }
    lines.push(Line::default());
    lines
}

/// What failed and why.
fn trouble(scene: &Scene<'_>, goal: &Goal, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let failed = failed(state, goal.id);
    if failed.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for task in &failed {
        let mut title = page::wrapped(theme, Slot::Strong, &task.title, cells, 2);
        if let Some(first) = title.first_mut().and_then(|l| l.spans.first_mut()) {
            *first = word(theme, Slot::Failed, format!("{} ", theme.glyph(Glyph::Failed)));
        }
        lines.extend(title);
        let tries = plural(task.attempts.len(), "attempt");
        let text = format!("failed after {tries}: {}", task.reason);
        lines.extend(page::wrapped(theme, Slot::Failed, &text, cells, 2));
    }
    let dropped = state.progress(Some(goal.id)).dropped as usize;
    if dropped > 0 {
        let text =
            format!("{} did not run because of it. r retries what failed; they follow.", plural(dropped, "task"));
        lines.extend(page::wrapped(theme, Slot::Dim, &text, cells, 2));
    }
    lines.push(Line::default());
    lines
}

/// What can be done now, where the eye is when the answer was read.
fn next_steps(theme: &Theme, answer: Option<AttemptId>, cells: u16) -> Vec<Line<'static>> {
    let key = |key: &'static str, says: &'static str| {
        vec![word(theme, Slot::Key, key), word(theme, Slot::KeyHint, format!(" {says}"))]
    };
    let mut steps = vec![key("ctrl-n", "asks for another goal")];
    if answer.is_some() {
        steps.extend([key("Y", "copies this"), key("S", "saves it as a file")]);
    }
    steps.extend([key("esc", "shows the tasks"), key("q", "leaves")]);
    facts(theme, steps, cells)
}

fn no_answer(theme: &Theme, goal: &Goal, cells: u16) -> Vec<Line<'static>> {
    let says = match goal.phase {
        GoalPhase::Ended(Outcome::Cancelled) => {
            "It was cancelled before there was an answer. What was written is kept: esc shows the tasks and their output; \
             r asks for the goal again."
        }
        GoalPhase::Ended(_) => {
            "There is no answer. esc shows the tasks and what they wrote; ctrl-n asks for another goal."
        }
        _ => "It is not over yet: the answer will stand here. esc shows the tasks.",
    };
    page::wrapped(theme, Slot::Text, says, cells, 0)
}

fn summary(theme: &Theme, goal: &Goal, figures: &Figures, cells: u16) -> Vec<Line<'static>> {
    let (slot, glyph, says) = match goal.phase {
        GoalPhase::Ended(Outcome::Done) => (Slot::Done, Glyph::Done, "done"),
        GoalPhase::Ended(Outcome::Failed) => (Slot::Failed, Glyph::Failed, "failed"),
        GoalPhase::Ended(Outcome::Cancelled) => (Slot::Dropped, Glyph::Cancelled, "cancelled"),
        GoalPhase::Running => (Slot::Running, Glyph::Running, "running"),
        GoalPhase::Planning | GoalPhase::Draft => (Slot::Waiting, Glyph::Waiting, "not started"),
    };
    let mut first = vec![vec![
        sign(theme, slot, glyph),
        word(theme, slot, format!(" {says}")),
        word(theme, Slot::Text, format!(" in {}", duration(figures.wall))),
    ]];
    if let Some((times, how)) = figures.times().and_then(pace_words) {
        let mut fact = vec![word(theme, Slot::Strong, format!("{}{times}", theme.glyph(Glyph::Times)))];
        fact.push(word(theme, Slot::Text, format!(" {how} than one at a time")));
        first.push(fact);
    }
    if figures.widest > 0 {
        first.push(vec![word(theme, Slot::Text, format!("{} wide", figures.widest))]);
    }
    if let Some(used) = figures.used {
        first.push(vec![word(theme, Slot::Text, format!("{:.0} % of slots used", used * 100.0))]);
    }
    let progress = figures.done;
    let mut second = vec![
        vec![word(theme, Slot::Text, format!("{} of {} tasks done", progress.0, progress.1))],
        vec![word(theme, Slot::Text, format!("{} tokens", thousands(figures.tokens)))],
    ];
    second.extend(figures.cost.map(|usd| vec![word(theme, Slot::Text, dollars(usd))]));
    for (agent, (tasks, tokens)) in &figures.agents {
        let fact: Vec<Span<'static>> = vec![
            word(theme, Slot::Dim, format!("{agent} ")),
            word(theme, Slot::Text, format!("{tasks}")),
            word(theme, Slot::Dim, format!(" ({})", thousands(*tokens))),
        ];
        second.push(fact);
    }
    let mut lines = facts(theme, first, cells);
    lines.extend(facts(theme, second, cells));
    lines
}

/// What a goal took.
struct Figures {
    wall: f64,
    serial: f64,
    widest: usize,
    used: Option<f64>,
    tokens: u64,
    /// US dollars, where a price is configured.
    cost: Option<f64>,
    done: (u32, u32),
    /// Attempts and tokens by agent.
    agents: BTreeMap<String, (usize, u64)>,
}

impl Figures {
    fn of(state: &State, goal: &Goal, now: Micros) -> Self {
        let mine = |a: &&Attempt| goal.tasks.contains(&a.task);
        let end = goal.ended_at.unwrap_or(now);
        let ended = |a: &Attempt| a.ended.as_ref().map_or(end, |(at, _)| *at);
        let start = state.attempts().iter().filter(mine).map(|a| a.started_at).min().unwrap_or(end);
        let wall = end.since(start).secs_f64();
        let (mut serial, mut busy, mut tokens) = (0.0, 0.0, 0);
        let mut agents: BTreeMap<String, (usize, u64)> = BTreeMap::new();
        // +1 where an attempt begins, -1 where one ends; at one instant ends come first.
        let mut edges: Vec<(Micros, i32)> = Vec::new();
        for a in state.attempts().iter().filter(mine) {
            serial += ended(a).since(a.started_at).secs_f64();
            tokens += a.output_tokens();
            edges.extend([(a.started_at, 1), (ended(a), -1)]);
            let entry = agents.entry(a.agent.to_string()).or_default();
            entry.0 += 1;
            entry.1 += a.output_tokens();
            for turn in a.turns() {
                busy += turn.ended.as_ref().map_or(end, |(at, _)| *at).since(turn.started_at).secs_f64();
            }
        }
        edges.sort_unstable();
        let (mut now_wide, mut widest) = (0, 0);
        for (_, by) in edges {
            now_wide += by;
            widest = widest.max(now_wide);
        }
        let slots = f64::from(state.slots().1);
        let used = (wall > 0.0 && slots > 0.0).then(|| (busy / (wall * slots)).min(1.0));
        let progress = state.progress(Some(goal.id));
        let done = (progress.done, progress.total);
        let cost = state.cost(Some(goal.id));
        Self { wall, serial, widest: widest.max(0) as usize, used, tokens, cost, done, agents }
    }

    /// How many times faster than one at a time; none when nothing ran side by side.
    fn times(&self) -> Option<f64> {
        (self.wall > 0.0 && self.widest > 1).then(|| self.serial / self.wall)
    }
}
