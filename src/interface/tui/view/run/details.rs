//! The third column: the selected task's prompt, needs, feeds and attempts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::words::{place, sign};
use crate::domain::protocol::AttemptEnd;
use crate::domain::state::TaskIx;
use crate::domain::text::CleanText;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::widget::figure::{count, span};
use crate::interface::tui::widget::pen::{Pen, cut};

/// Needs and feeds listed at most.
const LISTED: usize = 6;

pub(in crate::interface::tui::view) fn render(scene: &Scene<'_>, task: Option<TaskIx>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let Some(ix) = task else {
        Pen::new(buf, inner.x, inner.y, inner.right()).put("Select a task to see it here.", theme.style(Slot::Dim));
        return;
    };
    for ((text, slot), y) in lines(scene, ix, inner).into_iter().zip(inner.y..inner.bottom()) {
        let text = cut(&text, usize::from(inner.width), theme);
        Pen::new(buf, inner.x, y, inner.right()).put(&text, theme.style(slot));
    }
}

fn lines(scene: &Scene<'_>, ix: TaskIx, inner: Rect) -> Vec<(String, Slot)> {
    let state = scene.state;
    let task = state.task(ix);
    let cells = usize::from(inner.width).max(1);
    let mut out: Vec<(String, Slot)> = Vec::new();
    let push_wrapped = |out: &mut Vec<(String, Slot)>, text: &str, slot, most: usize| {
        for line in text.lines().take(most) {
            out.extend(wrap(line, cells).filter_map(|r| line.get(r)).map(|t| (t.to_owned(), slot)));
        }
    };
    push_wrapped(&mut out, &task.title, Slot::Strong, 4);
    let agent = state.config.fleet.agent(&task.spec.agent);
    let tier = agent.map_or("no such agent", |a| a.tier.as_str());
    let who = format!("{} · {tier} · level {}", task.spec.agent, state.level_of(task).word());
    push_wrapped(&mut out, &who, Slot::Dim, 2);
    out.push((String::new(), Slot::Text));
    out.push(("Prompt".to_owned(), Slot::Title));
    let before = out.len();
    let prompt = CleanText::from(task.spec.prompt.trim());
    push_wrapped(&mut out, &prompt, Slot::Text, usize::from(inner.height));
    let room = (usize::from(inner.height) / 2).saturating_sub(before).max(3);
    let hidden = (out.len() - before).saturating_sub(room);
    if hidden > 0 {
        out.truncate(before + room);
        out.push((format!("{hidden} more lines: enter"), Slot::Dim));
    }
    for (title, list) in [("Needs", &task.needs), ("Feeds", &task.feeds)] {
        if list.is_empty() {
            continue;
        }
        out.push((String::new(), Slot::Text));
        out.push((format!("{title} {}", list.len()), Slot::Title));
        for other in list.iter().take(LISTED) {
            let (glyph, slot) = sign(state.status(*other, scene.now));
            out.push((format!("{} {}", scene.theme.glyph(glyph), state.task(*other).title), slot));
        }
        if list.len() > LISTED {
            out.push((format!("{} more", list.len() - LISTED), Slot::Dim));
        }
    }
    if !task.attempts.is_empty() {
        out.push((String::new(), Slot::Text));
        out.push((format!("Attempts {}", task.attempts.len()), Slot::Title));
        for (n, attempt) in task.attempts.iter().enumerate().filter_map(|(n, id)| Some((n, state.attempt(*id)?))) {
            let (word, slot) = match attempt.ended.as_ref().map(|(_, end)| end) {
                None => ("running", Slot::Running),
                Some(AttemptEnd::Completed) => ("done", Slot::Done),
                Some(AttemptEnd::Failed(_)) => ("failed", Slot::Failed),
                Some(AttemptEnd::Cancelled) => ("stopped", Slot::Dropped),
                Some(AttemptEnd::Moved) => ("moved", Slot::Dim),
                Some(AttemptEnd::Interrupted) => ("interrupted", Slot::Dropped),
            };
            let place = place(state, attempt);
            let tokens = count(attempt.output_tokens());
            let line = match attempt.by_hand() {
                Some(_) => format!("{} {place} · put in by hand", n + 1),
                None => {
                    format!("{} {place} · {word} · {} · {tokens} tokens", n + 1, span(attempt.elapsed(scene.now)))
                }
            };
            push_wrapped(&mut out, &line, slot, 1);
            if let Some((_, AttemptEnd::Failed(failure))) = &attempt.ended {
                push_wrapped(&mut out, &failure.message, Slot::Dim, 3);
            }
        }
    }
    out
}
