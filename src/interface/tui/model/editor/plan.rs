//! A goal's plan as text for an editor, and what was changed in it as steps of an edit. Pure.
//!
//! What was changed is told against the plan the text was made from, not against the plan as it is now: what others
//! changed meanwhile stays, unless the text changes the same task.

use std::collections::{HashMap, HashSet};

use crate::domain::plan::{Plan, PlanEdit, PlanError, PlanReading, TaskSpec, read_plan, write};
use crate::domain::protocol::{GoalId, Name, TaskId, Work};
use crate::domain::source::Place;
use crate::domain::state::State;

/// A plan as it stood when its text was made.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanBase {
    /// Whose plan.
    pub goal: GoalId,
    /// Its revision then.
    pub revision: u32,
    plan: Plan,
}

/// The name of the text in what is said of its mistakes.
const NAME: &str = "plan";

impl PlanBase {
    /// The plan of a goal as it stands; none: there is no such goal.
    pub fn of(state: &State, goal: GoalId) -> Option<Self> {
        let g = state.goal(goal)?;
        let plan = Plan {
            version: 1,
            goal: g.text.to_string(),
            max_parallel: g.options.max_parallel,
            capacity: g.options.capacity.clone(),
            synthesis: g.options.synthesis,
            tasks: present(state, goal).cloned().collect(),
        };
        Some(Self { goal, revision: g.revision, plan })
    }

    /// It as text.
    pub fn text(&self) -> String {
        write(&self.plan)
    }

    /// The steps that make the plan of an edited text, none when nothing differs, or every mistake in the text, in its
    /// order; and besides what of its texts is lost to YAML.
    pub fn read(&self, text: &str, state: &State) -> (Result<Vec<PlanEdit>, Vec<PlanError>>, Vec<PlanError>) {
        let PlanReading { plan, warnings } = read_plan(text, NAME, Some(&state.config.fleet.agents));
        (plan.and_then(|after| self.steps(after, text, state)), warnings)
    }

    fn steps(&self, after: Plan, text: &str, state: &State) -> Result<Vec<PlanEdit>, Vec<PlanError>> {
        let mut errors = self.head(&after, text);
        let before: HashMap<&Name, usize> = self.plan.tasks.iter().enumerate().map(|(i, t)| (&t.id, i)).collect();
        let mut edits = Vec::new();
        let mut kept = vec![false; self.plan.tasks.len()];
        let mut tail = Vec::new();
        for task in after.tasks {
            match before.get(&task.id).copied() {
                Some(i) => {
                    kept[i] = true;
                    if self.plan.tasks[i] != task {
                        tail.push(PlanEdit::Replace(Box::new(task)));
                    }
                }
                None => {
                    let id = TaskId::new(self.goal, task.id.clone());
                    if state.find(&id).is_some() {
                        let line = line_of(text, &format!("id: {}", task.id));
                        let what = format!("the id {} was used before in this plan", task.id);
                        let mend = format!("ids are never given again: choose another, as in {}-2", task.id);
                        errors.push(PlanError::new(NAME, Place { line, column: 1 }, what, mend));
                    }
                    tail.push(PlanEdit::Add(Box::new(task)));
                }
            }
        }
        let gone = self.plan.tasks.iter().zip(kept).filter(|(_, kept)| !kept);
        // What somebody else took out meanwhile is out.
        let here: HashSet<&Name> = present(state, self.goal).map(|t| &t.id).collect();
        edits.extend(gone.filter(|(t, _)| here.contains(&t.id)).map(|(t, _)| PlanEdit::Remove(t.id.clone())));
        edits.extend(tail);
        if errors.is_empty() { Ok(edits) } else { Err(errors) }
    }

    /// What can't be changed once a goal is there.
    fn head(&self, after: &Plan, text: &str) -> Vec<PlanError> {
        let changed = [
            ("goal", after.goal != self.plan.goal),
            ("max_parallel", after.max_parallel != self.plan.max_parallel),
            ("capacity", after.capacity != self.plan.capacity),
            ("synthesis", after.synthesis != self.plan.synthesis),
        ];
        let said = changed.iter().filter(|(_, changed)| *changed).map(|(key, _)| {
            let place = Place { line: line_of(text, key), column: 1 };
            let what = format!("`{key}` is given with the goal and can't be changed afterwards");
            let mend = match *key {
                "goal" => "put the old words back (ctrl-/); ctrl-n gives a new goal".to_owned(),
                _ => "put it back as it was (ctrl-/)".to_owned(),
            };
            PlanError::new(NAME, place, what, mend)
        });
        said.collect()
    }

    /// The tasks that others changed, added or took out since.
    pub fn changed_since(&self, state: &State) -> Vec<Name> {
        let before: HashMap<&Name, &TaskSpec> = self.plan.tasks.iter().map(|t| (&t.id, t)).collect();
        let now: HashSet<&Name> = present(state, self.goal).map(|t| &t.id).collect();
        let other = present(state, self.goal).filter(|t| before.get(&t.id).is_none_or(|old| *old != *t));
        let gone = self.plan.tasks.iter().filter(|t| !now.contains(&t.id));
        other.chain(gone).map(|t| t.id.clone()).collect()
    }
}

/// The forms of a goal's tasks that are in its plan.
pub(crate) fn present(state: &State, goal: GoalId) -> impl Iterator<Item = &TaskSpec> {
    let tasks = state.goal(goal).into_iter().flat_map(|g| &g.tasks).map(|ix| state.task(*ix));
    tasks.filter(|t| !t.removed && t.work == Work::Ordinary).map(|t| &*t.spec)
}

/// The line, from 1, that begins with `what`, dashes and spaces aside; the first when there is none.
fn line_of(text: &str, what: &str) -> usize {
    let begins = |line: &str| line.trim_start_matches(['-', ' ']).starts_with(what);
    text.lines().position(begins).map_or(1, |i| i + 1)
}
