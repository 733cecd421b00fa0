//! What was said to a task's agent, and what it asks.

use ratatui::text::Line;

use crate::domain::state::Task;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::view::page::{self, dot, duration, word};

/// Its messages, oldest first, and the question it waits with.
pub(super) fn lines(scene: &Scene<'_>, task: &Task, cells: u16) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let mut lines = Vec::new();
    for said in &task.messages {
        let (slot, read) = match said.turn {
            Some(turn) => (Slot::Dim, format!("went with {turn}")),
            None => (Slot::Notice, "queued for its next turn".to_owned()),
        };
        lines.push(Line::from(vec![
            word(theme, Slot::Strong, said.author.to_string()),
            dot(theme),
            word(theme, Slot::Dim, format!("at {}", duration(said.at.secs_f64()))),
            dot(theme),
            word(theme, slot, read),
        ]));
        lines.extend(page::wrapped(theme, Slot::Text, &said.text, cells, 2));
        lines.push(Line::default());
    }
    if let Some(question) = &task.asking {
        lines.push(Line::from(word(theme, Slot::Asking, "it asks; a answers")));
        lines.extend(page::wrapped(theme, Slot::Text, &question.text, cells, 2));
        for (i, choice) in question.choices.iter().enumerate() {
            lines.extend(page::wrapped(theme, Slot::Dim, &format!("{} {choice}", i + 1), cells, 4));
        }
    }
    lines
}
