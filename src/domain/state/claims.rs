//! What tasks have for themselves now: locks, paths, and what is kept for one that waits.
//!
//! Not here: whether a task may have more (`admit/claims`). Invariants: what is held was recorded before the attempt that
//! needs it; nothing is held by two that may not hold it together.

use serde::{Deserialize, Serialize};

use super::{GoalPhase, State, TaskIx};
use crate::domain::plan::shared_path;
use crate::domain::protocol::{Claims, LockMode, LockUse, Micros, Name, TaskClaimed};

/// What a task has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holding {
    /// The task.
    pub task: TaskIx,
    /// What.
    pub claims: Claims,
    /// Since when.
    pub since: Micros,
}

/// What a task lacks of what it claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Who has it, or whom it is kept for.
    pub by: TaskIx,
    /// Since when.
    pub since: Micros,
    /// What.
    pub what: Lacked,
    /// Whether it is free, and kept for a task that waited long.
    pub reserved: bool,
}

/// A resource that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacked {
    /// A lock.
    Lock(Name),
    /// A path that both may write.
    Path(String),
}

/// What a lock is used for by those that have it.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    shared: u32,
    units: u32,
}

impl State {
    pub(super) fn task_claimed(&mut self, at: Micros, claimed: &TaskClaimed) {
        let Some(task) = self.find(&claimed.task) else { return };
        self.holdings.retain(|h| h.task != task);
        self.reserved.retain(|(t, _)| *t != task);
        self.holdings.push(Holding { task, claims: claimed.claims.clone(), since: at });
    }

    pub(super) fn task_unclaimed(&mut self, task: TaskIx) {
        self.holdings.retain(|h| h.task != task);
    }

    pub(super) fn task_reserved(&mut self, at: Micros, task: TaskIx) {
        if !self.reserved.iter().any(|(t, _)| *t == task) {
            self.reserved.push((task, at));
        }
    }

    /// Nothing is kept any more for a task that does not wait.
    pub(super) fn unreserve(&mut self, task: TaskIx) {
        if !self.reserved.is_empty() {
            self.reserved.retain(|(t, _)| *t != task);
        }
    }

    /// What tasks have for themselves, in the order in which they took it.
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// What a task has for itself now.
    pub fn holding(&self, task: TaskIx) -> Option<&Holding> {
        self.holdings.iter().find(|h| h.task == task)
    }

    /// The tasks for which what they claim is kept, in the order in which that was recorded.
    pub fn reserved(&self) -> impl Iterator<Item = TaskIx> {
        self.reserved.iter().map(|(task, _)| *task)
    }

    /// How many may have a lock at once: the least that a goal under way says, else one.
    pub fn capacity_of(&self, lock: &Name) -> u32 {
        let open = self.goals.iter().filter(|g| !matches!(g.phase, GoalPhase::Ended(_)));
        open.filter_map(|g| g.options.capacity.get(lock)).min().copied().unwrap_or(1).max(1)
    }

    fn uses(&self, lock: &Name) -> Uses {
        let mut uses = Uses::default();
        for held in self.holdings.iter().flat_map(|h| &h.claims.locks).filter(|held| held.name == *lock) {
            match held.mode {
                LockMode::Shared => uses.shared += 1,
                LockMode::Exclusive => uses.units += 1,
            }
        }
        uses
    }

    /// What of these locks and paths `task` can't have now beside those that have theirs; none: all of it is free.
    pub(crate) fn lacks(&self, task: TaskIx, locks: &[LockUse], paths: &[String]) -> Option<Lack> {
        if locks.is_empty() && paths.is_empty() {
            return None;
        }
        for lock in locks {
            let uses = self.uses(&lock.name);
            let is_free = match lock.mode {
                LockMode::Shared => uses.units == 0,
                LockMode::Exclusive => uses.shared == 0 && uses.units < self.capacity_of(&lock.name),
            };
            let has = |held: &&Holding| held.claims.locks.iter().any(|l| l.name == lock.name) && held.task != task;
            if !is_free && let Some(holder) = self.holdings.iter().find(has) {
                let what = Lacked::Lock(lock.name.clone());
                return Some(Lack { by: holder.task, since: holder.since, what, reserved: false });
            }
        }
        for holder in self.holdings.iter().filter(|h| h.task != task) {
            if let Some(path) = shared_path(paths, &holder.claims.paths) {
                let what = Lacked::Path(path.to_string());
                return Some(Lack { by: holder.task, since: holder.since, what, reserved: false });
            }
        }
        // Of those for whom something is kept the first goes first: no two wait for each other.
        let before = self.reserved.iter().take_while(|(by, _)| *by != task);
        let kept = before.filter(|(by, _)| self.can_use(*by));
        kept.filter_map(|(by, since)| {
            let what = self.clash(*by, locks, paths)?;
            Some(Lack { by: *by, since: *since, what, reserved: true })
        })
        .next()
    }

    /// What a task claims that these locks and paths would take away from it.
    pub(crate) fn clash(&self, task: TaskIx, locks: &[LockUse], paths: &[String]) -> Option<Lacked> {
        let form = &self.task(task).spec;
        let both_share = |a: &LockUse, b: &LockUse| a.mode == LockMode::Shared && b.mode == LockMode::Shared;
        let lock = form.locks.iter().find(|a| locks.iter().any(|b| a.name == b.name && !both_share(a, b)));
        if let Some(lock) = lock {
            return Some(Lacked::Lock(lock.name.clone()));
        }
        shared_path(paths, &form.owns).map(|path| Lacked::Path(path.to_string()))
    }
}
