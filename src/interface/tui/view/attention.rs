//! What needs the operator, oldest first; below the list what is known of the one chosen, and what its keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::page::{below, facts, paint, upper, word, wrapped};
use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::protocol::{Channel, Health, Micros, Subject};
use crate::domain::state::{Attempt, Attention, State};
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context, Keymap};
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::model::{AttentionUi, needs_you};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// Cells inside.
const WIDE: u16 = 92;
/// Rows kept for what is known of the one chosen.
const DETAIL: u16 = 8;

/// Draws the list over `area`.
pub(super) fn render(scene: &Scene<'_>, keymap: &Keymap, list: &AttentionUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let all = needs_you(scene.state);
    let rows = u16::try_from(all.len()).unwrap_or(u16::MAX);
    let wanted = if all.is_empty() { 1 } else { rows.saturating_add(DETAIL + 1) };
    let inner = sheet(theme, "What needs you", (WIDE, wanted), area, buf);
    if all.is_empty() {
        if let Some(line) = row(inner, 0) {
            put(buf, line, "Nothing needs you any more. esc goes back.", theme.style(Slot::Dim));
        }
        return;
    }
    let here = list.row(scene.state);
    let listed = rows.min(inner.height.saturating_sub(DETAIL + 1).max(inner.height / 3).max(1));
    let from = here.saturating_sub(usize::from(listed) - 1);
    for (i, (at, (subject, attention))) in (0..listed).zip(all.iter().enumerate().skip(from)) {
        let Some(line) = row(inner, i) else { break };
        scene.ui.spots.add(line, Spot::Row(at));
        item(scene, subject, attention, at == here, line, buf);
    }
    let after = all.len().saturating_sub(from + usize::from(listed));
    // On the empty row below the list: nothing of an item is covered.
    super::page::hidden(theme, upper(inner, listed + 1), from, after, buf);
    let Some((subject, attention)) = all.get(here) else { return };
    let place = below(inner, listed + 1);
    let keys = actions(theme, keymap, subject, place.width);
    let keys_high = u16::try_from(keys.len()).unwrap_or(1).min(place.height);
    let told = upper(place, place.height - keys_high);
    paint(told, &evidence(scene, subject, attention, told.width), buf);
    paint(below(place, place.height - keys_high), &keys, buf);
}

/// What kind of thing it is, in a word.
fn kind(subject: &Subject) -> &'static str {
    match subject {
        Subject::Review(_) => "review",
        Subject::Task(_) => "failed",
        Subject::Question(_) => "asks",
        Subject::Stall(_) => "silent",
        Subject::Loop(_) => "repeats",
        Subject::Context(_) => "full",
        Subject::Thinking(_) => "thinks",
        Subject::Cut(_) => "cut",
        Subject::Fit(_) => "sees part",
        Subject::Endpoint(_) => "endpoint",
        Subject::Memory(_) => "memory",
        Subject::Server(_) => "server",
        Subject::Journal => "journal",
        Subject::Other(_) => "other",
    }
}

fn sign_of(subject: &Subject) -> (Glyph, Slot) {
    match subject {
        Subject::Task(_) | Subject::Journal => (Glyph::Failed, Slot::Failed),
        Subject::Endpoint(_) | Subject::Server(_) => (Glyph::SlotDown, Slot::Failed),
        Subject::Memory(_) => (Glyph::Held, Slot::Warning),
        Subject::Stall(_)
        | Subject::Loop(_)
        | Subject::Context(_)
        | Subject::Thinking(_)
        | Subject::Cut(_)
        | Subject::Fit(_) => (Glyph::Held, Slot::Warning),
        Subject::Review(_) | Subject::Question(_) | Subject::Other(_) => (Glyph::Asking, Slot::Attention),
    }
}

/// What it is about, in a line.
fn about(state: &State, subject: &Subject, attention: &Attention) -> CleanText {
    match subject {
        Subject::Review(goal) => state.goal(*goal).map_or_else(CleanText::default, |g| CleanText::one_line(&g.text)),
        _ => match subject.task().and_then(|t| state.task_by_id(t)) {
            Some(task) => task.title.clone(),
            None => CleanText::one_line(&attention.text),
        },
    }
}

fn age(since: Micros, now: Micros) -> String {
    let s = now.since(since).0 / 1_000_000;
    if s < 3600 {
        format!("{:02}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

fn item(scene: &Scene<'_>, subject: &Subject, attention: &Attention, here: bool, line: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    if here {
        buf.set_style(line, theme.style(Slot::Selected));
    }
    let (glyph, slot) = sign_of(subject);
    let left = put(buf, line, if here { theme.glyph(Glyph::Cursor) } else { " " }, ink(theme));
    // On a reversed row a colour of its own would stand out as a patch.
    let sign = if here { ink(theme) } else { theme.style(slot) };
    let left = put(buf, left, &format!(" {} {:<9}", theme.glyph(glyph), kind(subject)), sign);
    let age = age(attention.since, scene.now);
    let cells = u16::try_from(age.len()).unwrap_or(0);
    let words = theme.cut(&about(scene.state, subject, attention), usize::from(left.width.saturating_sub(cells + 1)));
    put(buf, left, &words, ink(theme));
    if line.width > cells + 16 {
        let dim = if here { ink(theme) } else { theme.style(Slot::Dim) };
        put(buf, Rect { x: line.right() - cells, width: cells, ..line }, &age, dim);
    }
}

/// What is known of it: the words, and what stands behind them.
fn evidence(scene: &Scene<'_>, subject: &Subject, attention: &Attention, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let plain = |text: &str| wrapped(theme, Slot::Card, text, cells, 0);
    let dim = |text: &str| wrapped(theme, Slot::Dim, text, cells, 0);
    let task = subject.task().and_then(|t| state.task_by_id(t));
    let attempt = task.and_then(|t| state.last_attempt(t));
    let mut lines = Vec::new();
    match (subject, task) {
        (Subject::Question(_), Some(task)) => match &task.asking {
            Some(question) => {
                lines.extend(plain(&question.text));
                for (i, choice) in question.choices.iter().enumerate() {
                    lines.extend(wrapped(theme, Slot::Dim, &format!("{} {choice}", i + 1), cells, 2));
                }
            }
            None => lines.extend(plain(&attention.text)),
        },
        (Subject::Review(goal), _) => {
            let open = state.goal(*goal).map_or(0, |g| g.open);
            lines.extend(plain(&format!("{open} tasks wait for your word; nothing runs before it.")));
        }
        (Subject::Endpoint(name), _) => {
            lines.extend(plain(&attention.text));
            if let Some(Health::Down { reason }) = state.find_endpoint(name).map(|ix| &state.endpoint(ix).health) {
                lines.extend(dim(&format!("down: {reason}")));
            }
        }
        _ => lines.extend(plain(&attention.text)),
    }
    if let Some(attempt) = attempt.filter(|_| !matches!(subject, Subject::Question(_))) {
        lines.extend(dim(&standing(scene, subject, attempt)));
        if let Some(last) = last_line(scene, attempt) {
            lines.extend(dim(&format!("last line: {last}")));
        }
    }
    lines
}

/// Where the attempt stands: what a stall, a loop or a full context is judged by.
fn standing(scene: &Scene<'_>, subject: &Subject, attempt: &Attempt) -> String {
    let Some(endpoint) = scene.state.place_of(attempt) else { return String::new() };
    let mut says = vec![format!("attempt on {}, {} tokens", endpoint.config.short(), attempt.output_tokens())];
    if let Some(at) = attempt.last_output_at.filter(|_| attempt.ended.is_none()) {
        says.push(format!("last output {} s ago", scene.now.since(at).0 / 1_000_000));
    }
    if matches!(subject, Subject::Context(_))
        && let Some(share) = attempt.context_share(endpoint.context())
    {
        says.push(format!("context {:.0} %", share * 100.0));
    }
    says.join(", ")
}

fn last_line(scene: &Scene<'_>, attempt: &Attempt) -> Option<CleanText> {
    // The last pieces hold it; the whole text may be long.
    let from = scene.transcripts.count(attempt.id).saturating_sub(32);
    let pieces = scene.transcripts.pieces(attempt.id, from);
    let text: String = pieces.filter(|(c, _)| *c == Channel::Answer).map(|(_, t)| t).collect();
    let last = text.lines().rev().find(|l| !l.trim().is_empty())?;
    // Of a line without end the end tells more.
    let from = last.char_indices().rev().nth(160).map_or(0, |(i, _)| i);
    Some(CleanText::one_line(last.get(from..).unwrap_or(last)))
}

/// What the keys do about it.
fn actions(theme: &Theme, keymap: &Keymap, subject: &Subject, cells: u16) -> Vec<Line<'static>> {
    let does: &[(Action, &str)] = match subject {
        Subject::Review(_) => &[(Action::Enter, "look at it"), (Action::Answer, "run, look, edit")],
        Subject::Task(_) => &[
            (Action::Retry, "retry"),
            (Action::Enter, "open"),
            (Action::Message, "message"),
            (Action::Dismiss, "leave it"),
        ],
        Subject::Cut(_) => &[
            (Action::Retry, "run it again"),
            (Action::Message, "message"),
            (Action::Enter, "open"),
            (Action::Dismiss, "leave it"),
        ],
        Subject::Question(_) => &[
            (Action::Answer, "answer"),
            (Action::Enter, "open"),
            (Action::Stop, "stop"),
            (Action::Dismiss, "leave it"),
        ],
        Subject::Stall(_) | Subject::Loop(_) | Subject::Context(_) | Subject::Thinking(_) | Subject::Fit(_) => &[
            (Action::Message, "message"),
            (Action::Retry, "start over"),
            (Action::Stop, "stop"),
            (Action::Enter, "open"),
            (Action::Dismiss, "leave it"),
        ],
        Subject::Memory(_) => &[(Action::Answer, "start it all the same"), (Action::Dismiss, "leave it")],
        Subject::Server(_) => &[(Action::Enter, "look at it"), (Action::Dismiss, "leave it")],
        Subject::Endpoint(_) => &[(Action::Enter, "ask it again"), (Action::Dismiss, "leave it")],
        Subject::Journal | Subject::Other(_) => &[(Action::Dismiss, "leave it")],
    };
    let contexts = [Context::Attention, Context::List, Context::Everywhere];
    let hints = does.iter().filter_map(|(action, words)| {
        let key = keymap.key(&contexts, *action)?.to_string();
        Some(vec![word(theme, Slot::Key, key), word(theme, Slot::KeyHint, format!(" {words}"))])
    });
    facts(theme, hints.collect(), cells)
}
