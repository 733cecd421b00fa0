//! The cursor in the tree: what is selected, how the rows follow the state, folds, what a key on a row means.
//!
//! Not here: the rows themselves ([`super::rows`]). Invariants: the selection stays with its task; while the user has
//! the cursor, a change of statuses never moves the selected row on the screen: rows that would move it are kept until
//! the next key.

use super::order::Order;
use super::rows::{Fold, Pick, Row, RowsKey, View, recount, rows};
use super::{Guide, RunUi};
use crate::domain::protocol::Micros;
use crate::domain::state::{State, TaskIx};

impl RunUi {
    /// Until the user moves it, the selection goes to a task that runs, or to the group that it is in.
    pub(super) fn guide(&mut self, state: &State) {
        let runs = |ix: TaskIx| !state.task(ix).has_ended() && !state.task(ix).attempts.is_empty();
        let settled = match &self.pick {
            Some(Pick::Task(ix)) => runs(*ix),
            Some(Pick::Twins(ix)) => self.groups.named(*ix).is_some_and(|g| g.members.iter().any(|t| runs(*t))),
            Some(_) => true,
            None => false,
        };
        if self.guide == Guide::Work && !settled && self.filter.is_empty() {
            let next = state.running().next().map(|a| a.task);
            let first = || (0..state.tasks().len() as u32).map(TaskIx).find(|t| !state.task(*t).removed);
            if let Some(task) = next.or_else(|| self.selected()).or_else(first) {
                self.pick = Some(match self.groups.of(task).and_then(|g| g.members.first()) {
                    Some(name) => Pick::Twins(*name),
                    None => Pick::Task(task),
                });
            }
        }
    }

    /// Follows the state with the rows.
    pub(super) fn list(&mut self, state: &State, now: Micros) {
        let view = View {
            folds: &self.folds,
            filter: &self.filter,
            order: self.order,
            groups: &self.groups,
            paths: &self.figures.paths,
            pick: self.pick.as_ref(),
        };
        let key = RowsKey::of(state, &view, now);
        let stirred = std::mem::take(&mut self.stirred);
        if self.key == key && !(stirred && self.kept) {
            return;
        }
        let next = rows(state, &view, now);
        let calm = !stirred && self.key.is_like(&key) && self.guide == Guide::User && self.order == Order::Plan;
        self.key = key;
        // Where the cursor was on this row before, the row stays where it is on the screen.
        let here = self.pick.as_ref().filter(|p| self.rows.get(self.at).is_some_and(|r| r.pick == **p));
        let at = here.and_then(|p| next.rows.iter().position(|r| r.pick == *p));
        let top = at.and_then(|at| (self.tree_top + at).checked_sub(self.at));
        let last = next.rows.len().saturating_sub(usize::from(self.areas.tree.height).max(1));
        if calm && top.is_none_or(|top| top > last) {
            recount(&mut self.rows, state, &self.groups);
            self.kept = true;
            return;
        }
        self.kept = false;
        if let Some(top) = top {
            self.tree_top = top;
        }
        self.found = next.found;
        self.rows = next.rows;
    }

    /// The user did something: rows that were kept may go.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
    }

    /// Finds the selected row again; when it is folded away, what it is folded into takes its place.
    pub(super) fn find_pick(&mut self, state: &State) {
        let Some(pick) = self.pick.clone() else {
            self.at = 0;
            self.pick = self.rows.first().map(|r| r.pick.clone());
            return;
        };
        if let Some(at) = self.rows.iter().position(|r| r.pick == pick) {
            self.at = at;
            // A group that the cursor is in stays open when it leaves: rows below don't jump.
            if let Pick::Task(ix) = pick
                && let Some(first) = self.groups.of(ix).and_then(|g| g.members.first())
                && self.filter.is_empty()
                && let std::collections::btree_map::Entry::Vacant(fold) = self.folds.set.entry(Pick::Twins(*first))
            {
                fold.insert(Fold::Open);
            }
            return;
        }
        if let Pick::Task(ix) | Pick::Twins(ix) = pick {
            let goal = state.task(ix).id.goal;
            let holds = |row: &Row| match &row.pick {
                Pick::Phase(key) => state.phases(key.0).iter().any(|p| p.name == key.1 && p.tasks.contains(&ix)),
                Pick::Goal(g) => *g == goal,
                Pick::Twins(first) => self.groups.named(*first).is_some_and(|g| g.members.contains(&ix)),
                _ => false,
            };
            if let Some(at) = self.rows.iter().rposition(holds) {
                self.at = at;
                self.pick = self.rows.get(at).map(|r| r.pick.clone());
                return;
            }
        }
        self.at = self.at.min(self.rows.len().saturating_sub(1));
        self.pick = self.rows.get(self.at).map(|r| r.pick.clone());
    }

    pub(super) fn scroll_tree(&mut self) {
        let height = usize::from(self.areas.tree.height).max(1);
        self.tree_top = self.tree_top.min(self.at).max((self.at + 1).saturating_sub(height));
        self.tree_top = self.tree_top.min(self.rows.len().saturating_sub(height));
    }

    pub(super) fn move_pick(&mut self, by: isize) {
        self.guide = Guide::User;
        let last = self.rows.len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        self.pick = self.rows.get(self.at).map(|r| r.pick.clone());
        self.reach();
    }

    /// The range that is being marked goes to the cursor.
    pub(super) fn reach(&mut self) {
        let Some(from) = self.marks.from().and_then(|p| self.rows.iter().position(|r| r.pick == *p)) else { return };
        let (a, b) = (from.min(self.at), from.max(self.at));
        let mut tasks = Vec::new();
        for row in self.rows.get(a..=b).unwrap_or_default() {
            match row.pick {
                Pick::Task(ix) => tasks.push(ix),
                Pick::Twins(first) => {
                    tasks.extend(self.groups.named(first).map(|g| g.members.clone()).unwrap_or_default());
                }
                _ => {}
            }
        }
        self.marks.reach(tasks);
    }

    pub(super) fn toggle_fold(&mut self) {
        let Some(row) = self.rows.get(self.at) else { return };
        match row.fold {
            Some(Fold::Open) => self.set_fold(Fold::Closed),
            Some(Fold::Closed) => self.set_fold(Fold::Open),
            None => {}
        }
    }

    pub(super) fn set_fold(&mut self, fold: Fold) {
        if let Some(Row { pick, fold: Some(now), .. }) = self.rows.get(self.at)
            && *now != fold
        {
            self.folds.set.insert(pick.clone(), fold);
            self.folds.revision += 1;
        }
    }

    /// The tasks that stand under what is picked.
    pub fn tasks_of(&self, pick: &Pick, state: &State) -> Vec<TaskIx> {
        let here = |t: &TaskIx| !state.task(*t).removed;
        let goal = |goal| state.goal(goal).map(|g| g.tasks.clone()).unwrap_or_default();
        let mut tasks = match pick {
            Pick::Task(ix) => vec![*ix],
            Pick::Twins(first) => self.groups.named(*first).map(|g| g.members.clone()).unwrap_or_default(),
            Pick::Goal(id) => goal(*id),
            Pick::Finished((id, _)) if self.order != Order::Plan => goal(*id),
            Pick::Phase((id, name)) | Pick::Finished((id, name)) => {
                state.phases(*id).into_iter().find(|p| p.name == *name).map(|p| p.tasks).unwrap_or_default()
            }
        };
        if matches!(pick, Pick::Finished(_)) {
            tasks.retain(|t| state.task(*t).is_done());
        }
        tasks.retain(here);
        tasks
    }

    /// The tasks that a key in the tree acts on: those marked, else those under the cursor.
    pub fn targets(&self, state: &State) -> Vec<TaskIx> {
        match &self.pick {
            _ if !self.marks.is_empty() => self.marks.tasks(),
            Some(pick) => self.tasks_of(pick, state),
            None => Vec::new(),
        }
    }

    /// Marked tasks without a row of their own: filtered or folded away.
    pub fn marks_hidden(&self) -> usize {
        let shown = |row: &&Row| match row.pick {
            Pick::Task(ix) => self.marks.contains(ix),
            _ => false,
        };
        self.marks.len() - self.rows.iter().filter(shown).count().min(self.marks.len())
    }

    /// The groups of twins.
    pub fn groups(&self) -> &super::groups::Groups {
        &self.groups
    }
}
