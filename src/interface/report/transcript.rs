//! A session as a text to be read from top to bottom: goals, plans, each task with its prompt, what was said, its result.
//!
//! Not here: thinking and tool calls (the journal has them), figures ([`super::markdown()`]). Invariant: as there, text from
//! outside ends where its quote ends.

use std::fmt::Write as _;

use super::Story;
use super::markdown::{plain, plain_lines, quote};
use crate::domain::protocol::AttemptEnd;
use crate::domain::state::{Attempt, State, Task};

/// Writes a session, read with [`super::Wanted::All`], as Markdown.
pub fn transcript(story: &Story) -> String {
    let state = &story.state;
    let mut out = format!("# Session {}\n", plain(story.session.as_str()));
    if state.config.fleet.is_simulated() {
        out.push_str("\n**SIMULATED**: no real model answered; Baton's own simulated fleet did.\n");
    }
    if let Some(damage) = &story.damage {
        let _ = write!(out, "\n**Damaged**: {}. What stands before that follows.\n", plain(damage));
    }
    if state.goals().is_empty() {
        out.push_str("\nIt was never given a goal.\n");
    }
    for goal in state.goals() {
        let _ = write!(out, "\n## Goal {}\n\n{}\n", goal.id, quote(&plain_lines(&goal.text)));
        let tasks: Vec<&Task> = goal.tasks.iter().map(|ix| state.task(*ix)).filter(|t| !t.removed).collect();
        if !tasks.is_empty() {
            let _ = write!(out, "Plan, revision {}:\n\n", goal.revision);
        }
        for task in &tasks {
            let needs: Vec<String> = task.needs.iter().map(|n| plain(state.task(*n).id.name.as_str())).collect();
            let after = if needs.is_empty() { String::new() } else { format!(", after {}", needs.join(", ")) };
            let name = plain(task.id.name.as_str());
            let _ = writeln!(out, "- {name}: {} ({}{after})", plain(&task.title), plain(task.spec.agent.as_str()));
        }
        for task in tasks {
            one(&mut out, story, task);
        }
    }
    out
}

fn one(out: &mut String, story: &Story, task: &Task) {
    let state = &story.state;
    let _ = write!(out, "\n### {}\n\n", plain(&task.title));
    let _ =
        write!(out, "`{}`, {}\n\nPrompt:\n\n{}", task.id, word(state, task), quote(&plain_lines(&task.spec.prompt)));
    for (number, attempt) in (1..).zip(task.attempts.iter().filter_map(|id| state.attempt(*id))) {
        try_of(out, story, task, attempt, number);
    }
    for said in task.unsent() {
        let _ =
            write!(out, "\n{}, not read yet:\n\n{}", plain(&said.author.to_string()), quote(&plain_lines(&said.text)));
    }
}

fn word(state: &State, task: &Task) -> &'static str {
    state.find(&task.id).map_or("", |ix| state.status(ix, state.at).word())
}

fn try_of(out: &mut String, story: &Story, task: &Task, attempt: &Attempt, number: u32) {
    let state = &story.state;
    let result = if task.result == Some(attempt.id) { ", the result" } else { "" };
    let _ = match attempt.by_hand() {
        Some(author) => write!(out, "\n#### Put in by {}{result}\n", plain(&author.to_string())),
        None => {
            let end = match attempt.ended.as_ref().map(|(_, end)| end) {
                None => "still running".to_owned(),
                Some(AttemptEnd::Completed) => {
                    state.cut_in(attempt).map_or_else(|| "completed".to_owned(), |cut| format!("completed, {cut}"))
                }
                Some(AttemptEnd::Failed(failure)) => format!("failed: {}", plain(&failure.message)),
                Some(AttemptEnd::Cancelled) => "cancelled".to_owned(),
                Some(AttemptEnd::Moved) => "went on elsewhere".to_owned(),
                Some(AttemptEnd::Interrupted) => "interrupted".to_owned(),
            };
            let endpoint = plain(state.place_of(attempt).map_or("", |e| e.config.title()));
            write!(out, "\n#### Try {number} on {endpoint}{result}\n\n{end}\n")
        }
    };
    for (turn, _) in attempt.numbered_steps() {
        for said in task.messages.iter().filter(|m| m.turn == Some(turn)) {
            let _ = write!(out, "\n{}:\n\n{}", plain(&said.author.to_string()), quote(&plain_lines(&said.text)));
        }
        let text = story.text(turn);
        if !text.trim().is_empty() {
            let _ = write!(out, "\n{}:\n\n{}", plain(attempt.agent.as_str()), quote(text));
        }
    }
}
