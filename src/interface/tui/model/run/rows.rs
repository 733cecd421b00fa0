//! The task tree as a flat list of rows: goals, phases, what is done folded into one row, groups of twins, tasks.
//!
//! Not here: how a row looks. Built anew only when the plan, a fold, the filter or how many run and have ended changed;
//! so a frame costs the same for ten tasks and ten thousand.

use std::collections::BTreeMap;

use super::filter::Filter;
use super::groups::Groups;
use super::order::Order;
use crate::domain::protocol::{GoalId, Micros};
use crate::domain::state::{Progress, State, TaskIx};

/// A phase of a goal, by name.
pub type PhaseKey = (GoalId, String);

/// What a row stands for; the selection is one of these, so it stays with its task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pick {
    /// A goal.
    Goal(GoalId),
    /// A phase.
    Phase(PhaseKey),
    /// The done tasks of a phase, as one; in other orders than the plan's, those of a goal (its phase is "").
    Finished(PhaseKey),
    /// A group of twins, by its first task.
    Twins(TaskIx),
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
    /// For goals, phases, done tasks and twins: whether they are open.
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
    /// What the user and the plan say.
    shape: Shape,
    /// How many tasks of each goal are open and run.
    statuses: Vec<(u32, u32)>,
    attempts: usize,
    second: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shape {
    revisions: Vec<(u32, usize)>,
    folds: u64,
    filter: String,
    order: Order,
    pick: Option<Pick>,
}

impl RowsKey {
    /// The key at this moment. With a filter or an order of its own the list also follows statuses, once a second.
    pub fn of(state: &State, view: &View<'_>, now: Micros) -> Self {
        let matters = |p: &&Pick| match p {
            Pick::Task(ix) => state.task(*ix).has_ended() || view.groups.of(*ix).is_some(),
            Pick::Twins(_) => true,
            _ => false,
        };
        let live = !view.filter.is_empty() || view.order != Order::Plan;
        Self {
            shape: Shape {
                revisions: state.goals().iter().map(|g| (g.revision, g.tasks.len())).collect(),
                folds: view.folds.revision,
                filter: view.filter.text.clone(),
                order: view.order,
                pick: view.pick.filter(matters).cloned(),
            },
            // In another order than the plan's rows change places at most once a second.
            statuses: match view.order {
                Order::Plan => state.goals().iter().map(|g| (g.open, g.running)).collect(),
                _ => Vec::new(),
            },
            attempts: if view.order == Order::Plan { state.attempts().len() } else { 0 },
            second: if live { now.0 / 1_000_000 } else { 0 },
        }
    }

    /// Whether nothing but statuses is different. A selected task that ends counts as a status.
    pub fn is_like(&self, other: &Self) -> bool {
        let plain = |shape: &Shape| Shape { pick: None, ..shape.clone() };
        plain(&self.shape) == plain(&other.shape)
    }
}

/// How the user looks at the tasks.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is folded.
    pub folds: &'a Folds,
    /// The filter.
    pub filter: &'a Filter,
    /// The order.
    pub order: Order,
    /// The groups of twins.
    pub groups: &'a Groups,
    /// The longest chain of remaining work of each task, in seconds.
    pub paths: &'a [f32],
    /// The selection.
    pub pick: Option<&'a Pick>,
}

/// The rows, and how many tasks the filter lets through.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The rows to be shown.
    pub rows: Vec<Row>,
    /// Tasks that the filter lets through.
    pub found: usize,
}

/// One row of what is listed together: a task, or a group of twins.
struct Unit<'a> {
    pick: Pick,
    tasks: &'a [TaskIx],
}

struct Around<'a> {
    state: &'a State,
    view: &'a View<'a>,
    now: Micros,
    filtered: bool,
    selected: Option<TaskIx>,
}

/// The rows to be shown.
pub fn rows(state: &State, view: &View<'_>, now: Micros) -> Listing {
    let mut out = Listing::default();
    let goals: Vec<_> = state.goals().iter().filter(|g| !g.tasks.is_empty()).collect();
    let many = goals.len() > 1;
    let filtered = !view.filter.is_empty();
    let selected = match view.pick {
        Some(Pick::Task(ix)) => Some(*ix),
        _ => None,
    };
    let around = Around { state, view, now, filtered, selected };
    for goal in goals {
        let mut phases = state.phases(goal.id);
        if filtered {
            for phase in &mut phases {
                phase.tasks.retain(|t| view.filter.passes(state, *t, now));
            }
            phases.retain(|p| !p.tasks.is_empty());
            if phases.is_empty() {
                continue;
            }
        }
        out.found += phases.iter().map(|p| p.tasks.len()).sum::<usize>();
        let depth = u8::from(many);
        if many {
            let pick = Pick::Goal(goal.id);
            let over = goal.open == 0 && selected.is_none_or(|t| state.task(t).id.goal != goal.id);
            let fold = around.fold(&pick, if over { Fold::Closed } else { Fold::Open });
            out.rows.push(Row { pick, fold: Some(fold), progress: state.progress(Some(goal.id)), depth: 0 });
            if fold == Fold::Closed && !filtered {
                continue;
            }
        }
        if view.order != Order::Plan {
            let tasks: Vec<TaskIx> = phases.iter().flat_map(|p| p.tasks.iter().copied()).collect();
            around.list(&tasks, (goal.id, String::new()), depth, &mut out.rows);
            continue;
        }
        let bare = phases.len() == 1 && phases.first().is_some_and(|p| p.name.is_empty());
        for phase in phases {
            let key = (goal.id, phase.name);
            if !bare {
                let pick = Pick::Phase(key.clone());
                let over = phase.progress.done == phase.progress.total;
                let inside = match view.pick {
                    Some(Pick::Task(t) | Pick::Twins(t)) => phase.tasks.contains(t),
                    Some(Pick::Finished(k)) => *k == key,
                    _ => false,
                };
                let fold = around.fold(&pick, if over && !inside { Fold::Closed } else { Fold::Open });
                out.rows.push(Row { pick, fold: Some(fold), progress: phase.progress, depth });
                if fold == Fold::Closed {
                    continue;
                }
            }
            around.list(&phase.tasks, key, depth, &mut out.rows);
        }
    }
    out
}

impl Around<'_> {
    /// Whether something is open: as the user said, else by itself. A filter opens everything it finds something in.
    fn fold(&self, pick: &Pick, by_itself: Fold) -> Fold {
        if self.filtered { Fold::Open } else { self.view.folds.set.get(pick).copied().unwrap_or(by_itself) }
    }

    /// Tasks that stand together: what is done as one row, the others as tasks and groups.
    fn list(&self, tasks: &[TaskIx], key: PhaseKey, depth: u8, out: &mut Vec<Row>) {
        let state = self.state;
        let mut units: Vec<Unit<'_>> = tasks
            .iter()
            .filter_map(|t| match self.view.groups.of(*t).filter(|_| !self.filtered) {
                None => Some(Unit { pick: Pick::Task(*t), tasks: std::slice::from_ref(t) }),
                Some(group) if group.members.first() == Some(t) => {
                    Some(Unit { pick: Pick::Twins(*t), tasks: &group.members })
                }
                Some(_) => None,
            })
            .collect();
        let order = self.view.order;
        if order != Order::Plan {
            units.sort_by_cached_key(|u| order.rank(state, u.tasks, self.view.paths, self.now));
        }
        let over = |u: &Unit<'_>| u.tasks.iter().all(|t| state.task(*t).is_done() && !state.task(*t).dirty);
        let done = units.iter().filter(|u| over(u)).map(|u| u.tasks.len()).sum::<usize>() as u32;
        let folds = done >= 2 && !self.filtered;
        let pick = Pick::Finished(key);
        let fold = self.fold(&pick, Fold::Closed);
        let finished =
            Row { pick, fold: Some(fold), progress: Progress { done, total: done, ..Progress::default() }, depth };
        let holds =
            |u: &Unit<'_>| Some(&u.pick) == self.view.pick || self.selected.is_some_and(|t| u.tasks.contains(&t));
        let shown = |u: &&Unit<'_>| fold == Fold::Open || holds(u);
        match (folds, order) {
            (false, _) => units.iter().for_each(|u| self.unit(u, depth, out)),
            (true, Order::Plan) => {
                out.push(finished);
                units.iter().filter(|u| !over(u) || shown(u)).for_each(|u| self.unit(u, depth, out));
            }
            (true, _) => {
                units.iter().filter(|u| !over(u)).for_each(|u| self.unit(u, depth, out));
                out.push(finished);
                units.iter().filter(|u| over(u) && shown(u)).for_each(|u| self.unit(u, depth, out));
            }
        }
    }

    fn unit(&self, unit: &Unit<'_>, depth: u8, out: &mut Vec<Row>) {
        if !matches!(unit.pick, Pick::Twins(_)) {
            out.push(Row { pick: unit.pick.clone(), fold: None, progress: Progress::default(), depth });
            return;
        }
        let inside = self.selected.is_some_and(|t| unit.tasks.contains(&t));
        let fold = self.fold(&unit.pick, if inside { Fold::Open } else { Fold::Closed });
        let progress = self.state.progress_of(unit.tasks);
        out.push(Row { pick: unit.pick.clone(), fold: Some(fold), progress, depth });
        if fold == Fold::Open {
            let member =
                |t: &TaskIx| Row { pick: Pick::Task(*t), fold: None, progress: Progress::default(), depth: depth + 1 };
            out.extend(unit.tasks.iter().map(member));
        }
    }
}

/// Counts anew what stands under rows that are kept.
pub fn recount(rows: &mut [Row], state: &State, groups: &Groups) {
    let mut phases: BTreeMap<GoalId, Vec<crate::domain::state::Phase>> = BTreeMap::new();
    for row in rows {
        match &row.pick {
            Pick::Goal(goal) => row.progress = state.progress(Some(*goal)),
            Pick::Phase((goal, name)) => {
                let phases = phases.entry(*goal).or_insert_with(|| state.phases(*goal));
                if let Some(phase) = phases.iter().find(|p| p.name == *name) {
                    row.progress = phase.progress;
                }
            }
            Pick::Twins(first) => {
                if let Some(group) = groups.named(*first) {
                    row.progress = state.progress_of(&group.members);
                }
            }
            Pick::Finished(_) | Pick::Task(_) => {}
        }
    }
}
