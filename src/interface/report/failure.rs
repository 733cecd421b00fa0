//! One task's failure on one page, to be given to somebody who was not there: what was asked, what each try did, what it
//! said last, and how it is tried again.
//!
//! Invariant: as for every report in Markdown: text from outside stands in quotes and tables, escaped.

use std::fmt::Write as _;

use super::markdown::{plain, quote, span};
use super::{FailureLine, Report, Story};
use crate::domain::state::{State, Task};

/// The end of a text that is shown: a failure is at the end.
const TAIL: usize = 2_000;

/// The page for a task: by its id, its name, or words of its title. None: there is no such task.
///
/// The story is to be read with [`super::Wanted::All`].
pub fn failure(story: &Story, word: &str) -> Option<String> {
    let state = &story.state;
    let task = task_of(state, word)?;
    let report = Report::of(story);
    let mut out = format!("# {} · {}\n\n", plain(&task.title), task.id);
    let _ = writeln!(out, "Session {}, agent {}. {}\n", plain(&report.session), task.spec.agent, standing(story, task));
    if report.simulated {
        out.push_str("**SIMULATED**: no real model answered.\n\n");
    }
    let _ = write!(out, "## What was asked\n\n{}", quote(&task.spec.prompt));
    let needs: Vec<String> = task.needs.iter().map(|ix| state.task(*ix).id.to_string()).collect();
    if !needs.is_empty() {
        let _ = writeln!(out, "\nWith the results of {}.", needs.join(", "));
    }
    out.push_str("\n## Tries\n");
    let failures: Vec<&FailureLine> = report.failures.iter().filter(|f| f.task == task.id.to_string()).collect();
    for (number, attempt) in (1..).zip(task.attempts.iter().filter_map(|id| state.attempt(*id))) {
        let line = report.attempts.iter().find(|a| a.task == task.id.to_string() && a.number == number);
        let (end, at) = line.map_or(("", String::new()), |a| (a.end, a.endpoint.clone()));
        let took = span(attempt.elapsed(state.at).secs_f64());
        let tokens = attempt.output_tokens();
        let _ = writeln!(out, "\n### {number} · {} · {end} after {took}, {tokens} tokens\n", plain(&at));
        if let Some(failure) = failures.iter().find(|f| f.number == number) {
            let _ = writeln!(out, "{}. Then: {}.\n", plain(failure.reason.trim_end_matches('.')), failure.then);
        }
        let said = story.result(attempt);
        let from = said.ceil_char_boundary(said.len().saturating_sub(TAIL));
        match said.get(from..).filter(|text| !text.trim().is_empty()) {
            Some(tail) => {
                let _ = write!(out, "{}{}", if from > 0 { "It ended with:\n\n" } else { "" }, quote(tail));
            }
            None => out.push_str("It said nothing.\n"),
        }
    }
    if task.attempts.is_empty() {
        out.push_str("\nNone: it never ran.\n");
    }
    let session = &story.session;
    let _ = writeln!(
        out,
        "\n## Again\n\n`baton resume {session} --failed` tries it anew, from its first endpoint on and with all its tries; \
         `r` in the console does with another agent, place, level or prompt."
    );
    Some(out)
}

/// The task that a word means: its id, its name, or words of its title.
pub(crate) fn task_of<'a>(state: &'a State, word: &str) -> Option<&'a Task> {
    let named = |t: &&Task| t.id.to_string() == word || t.id.name.as_str() == word;
    let folded = word.to_lowercase();
    let titled = |t: &&Task| !folded.is_empty() && t.title.to_lowercase().contains(&folded);
    state.tasks().iter().find(named).or_else(|| state.tasks().iter().find(titled))
}

fn standing(story: &Story, task: &Task) -> String {
    let state = &story.state;
    let status = state.find(&task.id).map_or("gone", |ix| state.status(ix, state.at).word());
    match task.reason.as_str() {
        "" => format!("It is {status}."),
        reason => format!("It is {status}: {}.", plain(reason.trim_end_matches('.'))),
    }
}
