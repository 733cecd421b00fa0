//! The retry card: what was tried, what can be changed, what runs again and how long that takes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::field;
use super::page::{below, upper};
use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::state::{State, Task, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::model::RetryUi;
use crate::interface::tui::model::many::span;
use crate::interface::tui::model::retry::{Reach, Row};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, GlyphSet, Slot, Theme};

/// Cells inside.
const WIDE: u16 = 74;
/// Titles named of what runs again.
const NAMED: usize = 3;

/// Draws the card over `area`.
pub(super) fn render(scene: &Scene<'_>, card: &RetryUi, area: Rect, buf: &mut Buffer) {
    let (theme, state) = (scene.theme, scene.state);
    let Some(task) = state.task_by_id(&card.task) else { return };
    let running = card.runs(state);
    let title = if running { "Stop it and start over" } else { "Retry" };
    if let Some(text) = &card.field {
        let rows = field::rows(text, WIDE).clamp(4, 14);
        let inner = sheet(theme, "The prompt", (WIDE, rows), area, buf);
        field::field(theme, text, "What the agent is asked.", inner, buf);
        return;
    }
    let again = card.again(state);
    let mut head = vec![task.title.clone()];
    if !task.reason.is_empty() && !running {
        head.push(CleanText::one_line(&task.reason));
    } else if let Some(attempt) = state.last_attempt(task).filter(|_| running) {
        let tokens = attempt.output_tokens();
        let says = format!(
            "{tokens} tokens in {} so far; they stay in its attempts",
            span(attempt.elapsed(scene.now).secs_f64() as f32)
        );
        head.push(says.into());
    }
    let mut foot = reruns(state, &again);
    let seconds = card.expected(state, &again);
    foot.push(format!("about {} once slots are free", span(seconds)).into());
    let rows = Row::ALL.len() as u16;
    let wanted = head.len() as u16 + foot.len() as u16 + rows + 2;
    let inner = sheet(theme, title, (WIDE, wanted), area, buf);
    // In a low area the words give way: what can be changed and answered always stands.
    let spare = inner.height.saturating_sub(rows);
    let heads = (head.len() as u16).min(spare);
    let foots = (foot.len() as u16).min(spare - heads);
    let gaps = (spare - heads - foots).min(2);
    for (line, text) in head.iter().enumerate().take(usize::from(heads)) {
        let style = if line == 0 { theme.style(Slot::Strong) } else { theme.style(Slot::Dim) };
        write(theme, upper(inner, heads), line as u16, text, style, buf);
    }
    let fields = below(inner, heads + u16::from(gaps > 0));
    let buttons = below(fields, 5 + u16::from(gaps > 1) + foots);
    for (i, which) in (0..).zip(Row::ALL.iter().take(5)) {
        if let Some(line) = row(fields, i) {
            changed(scene, card, task, *which, line, buf);
        }
    }
    for (i, text) in (0..foots).zip(&foot) {
        write(theme, below(fields, 5), i, text, theme.style(Slot::Dim), buf);
    }
    for (i, which) in (0..).zip([Row::Go, Row::Nothing]) {
        let Some(line) = row(buttons, i) else { break };
        let words = match (which, running, card.reach) {
            (Row::Nothing, true, _) => "let it go on".to_owned(),
            (Row::Nothing, ..) => "leave it".to_owned(),
            (_, true, _) => "stop it and start over".to_owned(),
            (_, _, Reach::This) if !card.edits() && card.endpoint.is_none() && card.level.is_none() => {
                "retry this, as it is".to_owned()
            }
            (_, _, Reach::This) => "retry this, as changed".to_owned(),
            (_, _, Reach::WithDependants) => format!("retry these {}", again.len()),
            (_, _, Reach::Failed) => format!("retry everything that failed: {} tasks", again.len()),
        };
        let left = start(theme, card, which, running, line, buf);
        put(buf, left, &theme.cut(&words, usize::from(left.width)), ink(theme));
    }
}

fn write(theme: &Theme, area: Rect, at: u16, text: &str, style: ratatui::style::Style, buf: &mut Buffer) {
    if let Some(line) = row(area, at) {
        put(buf, line, &theme.cut(text, usize::from(line.width)), style);
    }
}

/// What runs again, in a line or two.
fn reruns(state: &State, again: &[TaskIx]) -> Vec<CleanText> {
    let others: Vec<&str> = again.iter().skip(1).map(|ix| state.task(*ix).title.as_str()).collect();
    let named = others.get(..NAMED.min(others.len())).unwrap_or_default().join(", ");
    let n = others.len();
    vec![CleanText::from(match n.saturating_sub(NAMED) {
        _ if n == 0 => "runs again: this task only".to_owned(),
        0 => format!("runs again: this and {n} more: {named}"),
        hidden => format!("runs again: this and {n} more: {named}, and {hidden} behind them"),
    })]
}

/// The cursor and the letter of a row; returns what is left of it.
fn start(theme: &Theme, card: &RetryUi, which: Row, running: bool, line: Rect, buf: &mut Buffer) -> Rect {
    let focused = card.focused == which;
    if focused {
        buf.set_style(line, theme.style(Slot::Selected));
    }
    let mark = if focused { theme.glyph(Glyph::Cursor) } else { " " };
    let sign = if focused { ink(theme) } else { theme.style(Slot::Key) };
    let key = which.letter(running).map_or_else(|| "esc".to_owned(), String::from);
    put(buf, line, &format!("{mark} {key:<4}"), sign)
}

/// A row that can be changed: its name, its value, and that it differs from what it was.
fn changed(scene: &Scene<'_>, card: &RetryUi, task: &Task, which: Row, line: Rect, buf: &mut Buffer) {
    let (theme, state) = (scene.theme, scene.state);
    let (label, value, new) = match which {
        Row::Scope => {
            let value = match card.reach {
                Reach::This => "this task",
                Reach::WithDependants => "this, and everything that used its result",
                Reach::Failed => "everything that failed",
            };
            ("what", value.to_owned(), card.reach != Reach::This)
        }
        Row::Agent => ("agent", card.agent_of(task).to_string(), card.agent.is_some()),
        Row::Endpoint => {
            let value = match card.place_of(task) {
                None => "wherever its tier is served".to_owned(),
                Some(name) => state.find_endpoint(name).map_or_else(
                    || name.to_string(),
                    |ix| {
                        let endpoint = state.endpoint(ix);
                        let down = if endpoint.is_usable() { "" } else { " (down now)" };
                        format!("{}{down}", endpoint.config.title())
                    },
                ),
            };
            ("where", value, card.endpoint.is_some())
        }
        Row::Level => {
            let now = state.level_of(task);
            ("level", card.level.unwrap_or(now).word().to_owned(), card.level.is_some())
        }
        _ => {
            let text = card.prompt.as_deref().unwrap_or(&task.spec.prompt);
            ("prompt", CleanText::one_line(text).to_string(), card.prompt.is_some())
        }
    };
    let open = card.is_open(which, state);
    let left = start(theme, card, which, card.runs(state), line, buf);
    let left = put(buf, left, &format!("{label:<8}"), if open { ink(theme) } else { theme.style(Slot::Dim) });
    let (before, after) = match theme.glyphs {
        _ if !open || which == Row::Prompt => ("", ""),
        GlyphSet::Unicode => ("‹ ", " ›"),
        GlyphSet::Ascii => ("< ", " >"),
    };
    let was = if new { "  changed" } else { "" };
    let room = usize::from(left.width).saturating_sub(before.chars().count() + after.chars().count() + was.len());
    let style = if open { ink(theme) } else { theme.style(Slot::Dim) };
    let left = put(buf, left, &format!("{before}{}{after}", theme.cut(&CleanText::one_line(&value), room)), style);
    let sign = if card.focused == which { ink(theme) } else { theme.style(Slot::Notice) };
    put(buf, left, was, sign);
}
