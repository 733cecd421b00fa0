//! A goal's plan as text for an editor, and what was changed in it as steps of an edit. Pure.

use crate::domain::plan::{Plan, PlanEdit, parse_for, write};
use crate::domain::protocol::{Command, GoalId, Work};
use crate::domain::state::State;
use crate::domain::text::CleanText;

/// The plan of a goal as it stands, as text. None: there is no such goal.
pub(crate) fn text_of(state: &State, goal: GoalId) -> Option<String> {
    plan_of(state, goal).map(|plan| write(&plan))
}

fn plan_of(state: &State, goal: GoalId) -> Option<Plan> {
    let g = state.goal(goal)?;
    let tasks = g.tasks.iter().map(|ix| state.task(*ix)).filter(|t| !t.removed && t.work == Work::Ordinary);
    Some(Plan {
        version: 1,
        goal: g.text.to_string(),
        max_parallel: g.options.max_parallel,
        synthesis: g.options.synthesis,
        tasks: tasks.map(|t| (*t.spec).clone()).collect(),
    })
}

/// What became of a plan in an editor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Edited {
    /// Nothing.
    Unchanged,
    /// Steps to send.
    Changed(Command),
    /// It can't be read: the first mistake, in words.
    Broken(CleanText),
}

/// Reads an edited plan. `file` names it in what is said of mistakes.
pub(crate) fn read(state: &State, goal: GoalId, file: &str, text: &str) -> Edited {
    let (Some(before), Some(g)) = (plan_of(state, goal), state.goal(goal)) else { return Edited::Unchanged };
    let after = match parse_for(text, file, &state.config.fleet.agents) {
        Ok(plan) => plan,
        Err(errors) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            let more = match errors.len() {
                0 | 1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            return Edited::Broken(CleanText::one_line(&format!("{first}{more}")));
        }
    };
    let mut edits: Vec<PlanEdit> = Vec::new();
    for task in &before.tasks {
        if !after.tasks.iter().any(|t| t.id == task.id) {
            edits.push(PlanEdit::Remove(task.id.clone()));
        }
    }
    for task in after.tasks {
        match before.tasks.iter().find(|t| t.id == task.id) {
            Some(same) if *same == task => {}
            Some(_) => edits.push(PlanEdit::Replace(Box::new(task))),
            None => edits.push(PlanEdit::Add(Box::new(task))),
        }
    }
    if edits.is_empty() {
        return Edited::Unchanged;
    }
    Edited::Changed(Command::EditPlan { goal, if_revision: g.revision, edits, rerun: Vec::new() })
}
