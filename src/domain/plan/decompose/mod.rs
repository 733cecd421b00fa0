//! A goal into tasks: what a planning model is asked, and a sound plan out of whatever it answers.
//!
//! Not here: who asks and what becomes of the plan ([`crate::domain::orchestrator`]). Invariants: [`read_answer`] never
//! fails and never panics; its plan passes `validate` for the agents given (where there is at least one) and has at
//! most `max_tasks` tasks; whatever was changed is said in a plain sentence.

mod builtin;
mod draft;
mod extract;
mod listing;
mod loose;
mod mend;
mod prompt;

pub use builtin::built_in;
pub use prompt::planning_prompt;

use super::{Plan, validate};
use crate::domain::fleet::Agent;

/// A longer answer is read up to here: a plan of hundreds of tasks fits, and a model that never stops costs little.
const MAX_ANSWER: usize = 512 * 1024;

/// A goal's plan as it came out of a model's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decomposition {
    /// The plan: always sound.
    pub plan: Plan,
    /// What was mended, a sentence each for the operator; empty when the answer was right as it was.
    /// Outside text in them is quoted and short, but not sanitised.
    pub repairs: Vec<String>,
    /// Whose plan it is.
    pub origin: Origin,
}

/// Where the tasks of a [`Decomposition`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the model's answer.
    Model,
    /// From the built-in plans, because the answer could not be used.
    BuiltIn,
}

/// Makes a sound plan of a planning model's answer: JSON as asked for, JSON among prose or in fences, careless or half
/// JSON, YAML, a written list of steps; as a last resort the built-in plan for such a goal.
pub fn read_answer(answer: &str, goal: &str, agents: &[Agent], max_tasks: u32) -> Decomposition {
    let max_tasks = max_tasks.max(1) as usize;
    let mut repairs = Repairs::default();
    let drafts = extract::drafts(head(answer, MAX_ANSWER), agents, &mut repairs);
    let tasks = mend::tasks(drafts, agents, max_tasks, &mut repairs);
    let plan = Plan::new(goal.to_owned(), tasks);
    let sound = !plan.tasks.is_empty() && (agents.is_empty() || validate(&plan, agents).is_empty());
    if sound {
        return Decomposition { plan, repairs: repairs.into_list(), origin: Origin::Model };
    }
    let mut plan = built_in(goal, agents);
    plan.tasks.truncate(max_tasks);
    let why = if answer.trim().is_empty() {
        "the model's answer was empty"
    } else {
        "the model's answer had no usable plan in it"
    };
    let repairs = vec![format!("{why}; this is the built-in plan for such a goal")];
    Decomposition { plan, repairs, origin: Origin::BuiltIn }
}

/// Whether an answer has a plan in it that stops in the middle.
pub(crate) fn answer_is_cut(answer: &str, agents: &[Agent]) -> bool {
    let mut repairs = Repairs::default();
    let found = extract::drafts(head(answer, MAX_ANSWER), agents, &mut repairs);
    !found.is_empty() && repairs.cut
}

/// The first `limit` bytes, moved down to a character boundary.
fn head(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What was mended, in words, bounded: a model that gets everything wrong must not flood the review.
#[derive(Default)]
struct Repairs {
    said: Vec<String>,
    unsaid: usize,
    /// The answer stops in the middle of its plan.
    cut: bool,
}

impl Repairs {
    const MOST: usize = 24;

    fn say(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if self.said.contains(&sentence) {
            return;
        }
        if self.said.len() < Self::MOST {
            self.said.push(sentence);
        } else {
            self.unsaid += 1;
        }
    }

    fn into_list(mut self) -> Vec<String> {
        if self.unsaid > 0 {
            self.said.push(format!("and {} repairs more of these kinds", self.unsaid));
        }
        self.said
    }
}

/// Outside text in a sentence: quoted, on one line, at most 40 characters.
fn quote(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().filter(|c| !c.is_control()).take(40).collect();
    if line.chars().nth(40).is_some() {
        short.push('…');
    }
    format!("“{short}”")
}

#[cfg(test)]
pub(in crate::domain::plan) mod tests;
