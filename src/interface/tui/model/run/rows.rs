//! The task tree as a flat list of rows: goals, phases, what is done folded into one row, tasks.
//!
//! Not here: how a row looks. Built anew only when the plan, a fold, the filter or how many run and have ended changed;
//! so a frame costs the same for ten tasks and ten thousand.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::protocol::{GoalId, Micros};
use crate::domain::state::{Phase, Progress, State, TaskIx};

/// A phase of a goal, by name.
pub type PhaseKey = (GoalId, String);

/// What a row stands for; the selection is one of these, so it stays with its task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pick {
    /// A goal.
    Goal(GoalId),
    /// A phase.
    Phase(PhaseKey),
    /// The done tasks of a phase, as one.
    Finished(PhaseKey),
    /// A task.
    Task(TaskIx),
}

/// Whether what is under a row is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// It is.
    Open,
    /// It is not.
    Closed,
}

/// A row of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it stands for.
    pub pick: Pick,
    /// For goals, phases and done tasks: whether they are open.
    pub fold: Option<Fold>,
    /// How the tasks under it stand.
    pub progress: Progress,
    /// How deep it stands.
    pub depth: u8,
}

/// What the user folded.
#[derive(Clone, Debug, Default)]
pub struct Folds {
    /// Phases and goals (a goal is the phase "" of depth 0) the user opened or closed.
    pub set: BTreeMap<Pick, Fold>,
    /// Grows with each change.
    pub revision: u64,
}

/// What the list depends on; when it is the same, so is the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsKey {
    goals: Vec<(u32, u32, u32)>,
    attempts: usize,
    folds: u64,
    filter: String,
    second: u64,
    pick: Option<Pick>,
}

impl RowsKey {
    /// The key at this moment. With a filter the list also follows statuses, once a second.
    pub fn of(state: &State, folds: &Folds, filter: &str, pick: Option<&Pick>, now: Micros) -> Self {
        let in_ended = pick.filter(|p| match p {
            Pick::Task(ix) => state.task(*ix).has_ended(),
            _ => false,
        });
        Self {
            goals: state.goals().iter().map(|g| (g.revision, g.open, g.running)).collect(),
            attempts: state.attempts().len(),
            folds: folds.revision,
            filter: filter.to_owned(),
            second: if filter.is_empty() { 0 } else { now.0 / 1_000_000 },
            pick: in_ended.cloned(),
        }
    }
}

/// The rows to be shown.
pub fn rows(state: &State, folds: &Folds, filter: &str, pick: Option<&Pick>, now: Micros) -> Vec<Row> {
    let mut out = Vec::new();
    let goals: Vec<_> = state.goals().iter().filter(|g| !g.tasks.is_empty()).collect();
    let many = goals.len() > 1;
    let needle = filter.to_lowercase();
    let matches = |ix: TaskIx| matches(state, ix, &needle, now);
    let selected = match pick {
        Some(Pick::Task(ix)) => Some(*ix),
        _ => None,
    };
    for goal in goals {
        let mut phases = state.phases(goal.id);
        if !needle.is_empty() {
            for phase in &mut phases {
                phase.tasks.retain(|t| matches(*t));
            }
            phases.retain(|p| !p.tasks.is_empty());
            if phases.is_empty() {
                continue;
            }
        }
        let depth = u8::from(many);
        if many {
            let pick = Pick::Goal(goal.id);
            let over = goal.open == 0 && selected.is_none_or(|t| state.task(t).id.goal != goal.id);
            let by_itself = if over { Fold::Closed } else { Fold::Open };
            let fold = folds.set.get(&pick).copied().unwrap_or(by_itself);
            out.push(Row { pick, fold: Some(fold), progress: state.progress(Some(goal.id)), depth: 0 });
            if fold == Fold::Closed && needle.is_empty() {
                continue;
            }
        }
        let bare = phases.len() == 1 && phases.first().is_some_and(|p| p.name.is_empty());
        for phase in &phases {
            one_phase(state, folds, phase, &Around { bare, depth, selected, filtered: !needle.is_empty() }, &mut out);
        }
    }
    out
}

/// Whether a task is left by a filter, given in small letters: by its title, its agent or the word of its status.
pub fn matches(state: &State, ix: TaskIx, needle: &str, now: Micros) -> bool {
    let task = state.task(ix);
    needle.is_empty()
        || task.title.to_lowercase().contains(needle)
        || task.spec.agent.as_str().contains(needle)
        || state.status(ix, now).word().starts_with(needle)
}

struct Around {
    bare: bool,
    depth: u8,
    selected: Option<TaskIx>,
    filtered: bool,
}

fn one_phase(state: &State, folds: &Folds, phase: &Phase, around: &Around, out: &mut Vec<Row>) {
    let key = (phase.goal, phase.name.clone());
    let inside = around.selected.is_some_and(|t| phase.tasks.contains(&t));
    if !around.bare {
        let pick = Pick::Phase(key.clone());
        let over = phase.progress.done == phase.progress.total;
        let by_itself = if over && !inside { Fold::Closed } else { Fold::Open };
        let fold = if around.filtered { Fold::Open } else { folds.set.get(&pick).copied().unwrap_or(by_itself) };
        out.push(Row { pick, fold: Some(fold), progress: phase.progress, depth: around.depth });
        if fold == Fold::Closed {
            return;
        }
    }
    let folded = |t: &TaskIx| state.task(*t).is_done() && !state.task(*t).dirty;
    let done = phase.tasks.iter().filter(|t| folded(t)).count() as u32;
    let mut hidden = BTreeSet::new();
    if done >= 2 && !around.filtered {
        let pick = Pick::Finished(key);
        let fold = folds.set.get(&pick).copied().unwrap_or(Fold::Closed);
        if fold == Fold::Closed {
            hidden.extend(phase.tasks.iter().copied().filter(|t| folded(t) && Some(*t) != around.selected));
        }
        let progress = Progress { done, total: done, ..Progress::default() };
        out.push(Row { pick, fold: Some(fold), progress, depth: around.depth });
    }
    out.extend(phase.tasks.iter().filter(|t| !hidden.contains(t)).map(|t| Row {
        pick: Pick::Task(*t),
        fold: None,
        progress: Progress::default(),
        depth: around.depth,
    }));
}
