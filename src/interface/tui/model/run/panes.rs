//! Which task's output stands in which pane. A pure function of state, time and what the user did.
//!
//! A pane keeps its task until it is done, unfocused, unscrolled, unpinned and was shown for five seconds after its
//! end, and another task wants the place. Not here: rectangles ([`super::areas`]), text (`view/run`).

use std::collections::BTreeSet;

use super::place::{Anchor, Place};
use super::rows::Fold;
use crate::domain::protocol::Micros;
use crate::domain::state::{Life, State, TaskIx};

/// How long an ended task stays in its pane at least.
pub const SHOWN: Micros = Micros::from_secs(5);

/// A pane and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pane {
    /// The task.
    pub task: TaskIx,
    /// Where it is scrolled to.
    pub anchor: Anchor,
    /// Rows it is to be scrolled by; the next frame does it.
    pub by: isize,
    /// The last row there was when it was scrolled away from the end; those after it are new.
    pub seen: Option<Place>,
    /// Whether thinking and tool calls are folded; none: as it suits them.
    pub fold: Option<Fold>,
    /// Since when its ended task is shown.
    pub ended_since: Option<Micros>,
}

impl Pane {
    pub(super) fn new(task: TaskIx) -> Self {
        Self { task, anchor: Anchor::Tail, by: 0, seen: None, fold: None, ended_since: None }
    }
}

impl Pane {
    /// Whether it follows the end of its text.
    pub fn follows(&self) -> bool {
        self.anchor == Anchor::Tail && self.by == 0
    }
}

/// The panes.
#[derive(Clone, Debug, Default)]
pub struct Panes {
    /// In order of place.
    pub list: Vec<Option<Pane>>,
    /// The one that keys go to, or would.
    pub focus: usize,
    /// Tasks the user pinned.
    pub pins: BTreeSet<TaskIx>,
    /// The most panes in use at once; places are not taken away while work runs.
    pub most: usize,
    /// Tasks whose end was never on the screen.
    pub unread: BTreeSet<TaskIx>,
    known_running: BTreeSet<TaskIx>,
    /// Whether an instant of the past is shown: then places follow from the attempts there were.
    pub(super) past: bool,
    /// What the user did with panes, by task; only for instants of the past.
    pub(super) handled: super::instant::Handled,
}

impl Panes {
    /// The pane of a task.
    pub fn of(&self, task: TaskIx) -> Option<usize> {
        self.list.iter().position(|p| p.as_ref().is_some_and(|p| p.task == task))
    }

    /// A pane by place.
    pub fn get(&self, at: usize) -> Option<&Pane> {
        self.list.get(at)?.as_ref()
    }

    /// A pane by place, to change.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut Pane> {
        self.list.get_mut(at)?.as_mut()
    }

    /// How many tasks want a pane: those that run, are pinned or are shown.
    pub fn wanted(&self, state: &State) -> usize {
        if self.past {
            return self.places(state);
        }
        let shown = self.list.iter().flatten().filter(|p| !is_running(state, p.task) && !self.pins.contains(&p.task));
        let pinned = self.pins.iter().filter(|t| !is_running(state, **t)).count();
        (state.running().len() + pinned + shown.count()).max(self.most).max(1)
    }

    /// Fills the panes. `selected` is the task of the tree's cursor: it is always shown, in the first pane that may
    /// change when it has none.
    pub fn assign(&mut self, state: &State, now: Micros, capacity: usize, selected: Option<TaskIx>) {
        if self.past {
            // Made anew at each instant; until then the user's own doing stays in it.
            if self.list.len() != capacity {
                self.keep_handled();
                self.seat(state, now, capacity);
            }
        } else {
            self.shrink(capacity);
        }
        self.list.resize(capacity, None);
        let running: BTreeSet<TaskIx> = state.running().map(|a| a.task).collect();
        for pane in self.list.iter_mut().flatten() {
            match (running.contains(&pane.task), pane.ended_since) {
                (true, _) => pane.ended_since = None,
                (false, None) => pane.ended_since = Some(now),
                (false, Some(_)) => {}
            }
        }
        if let Some(task) = selected
            && self.of(task).is_none()
            && let Some(at) = (0..capacity).find(|i| self.may_preview(*i))
        {
            self.list[at] = Some(Pane::new(task));
        }
        let mut waiting = self
            .pins
            .iter()
            .copied()
            .chain(state.running().map(|a| a.task))
            .filter(|t| self.of(*t).is_none())
            .collect::<Vec<_>>()
            .into_iter();
        let mut taken = BTreeSet::new();
        for at in 0..capacity {
            if !self.is_free(at, state, now, selected) {
                continue;
            }
            let Some(task) = waiting.by_ref().find(|t| taken.insert(*t)) else { break };
            self.list[at] = Some(Pane::new(task));
        }
        for ended in self.known_running.difference(&running) {
            if self.of(*ended).is_none() && state.task(*ended).has_ended() {
                self.unread.insert(*ended);
            }
        }
        self.known_running = running;
        for pane in self.list.iter().flatten() {
            self.unread.remove(&pane.task);
        }
        let used = self.list.iter().flatten().count();
        self.most = if state.running().len() == 0 && state.goals().iter().all(|g| g.open == 0) {
            used.min(self.most)
        } else {
            self.most.max(used)
        };
    }

    /// The first pane follows the cursor unless it is pinned or scrolled.
    fn may_preview(&self, at: usize) -> bool {
        self.get(at).is_none_or(|p| !self.pins.contains(&p.task) && p.follows())
    }

    fn is_free(&self, at: usize, state: &State, now: Micros, selected: Option<TaskIx>) -> bool {
        let Some(pane) = self.get(at) else { return true };
        Some(pane.task) != selected
            && at != self.focus
            && pane.follows()
            && !self.pins.contains(&pane.task)
            && !is_running(state, pane.task)
            && pane.ended_since.is_some_and(|since| now.since(since) >= SHOWN)
    }

    /// Fewer places: pinned and focused panes move up before others go.
    fn shrink(&mut self, capacity: usize) {
        if self.list.len() <= capacity {
            return;
        }
        let focus = self.get(self.focus).map(|p| p.task);
        let pins = &self.pins;
        let mut all: Vec<Pane> = self.list.drain(..).flatten().collect();
        all.sort_by_key(|p| !(pins.contains(&p.task) || Some(p.task) == focus));
        all.truncate(capacity);
        self.list = all.into_iter().map(Some).collect();
        self.focus = focus.and_then(|t| self.of(t)).unwrap_or(0);
    }

    /// Nothing was seen running.
    pub(super) fn forget_running(&mut self) {
        self.known_running.clear();
    }

    /// Running tasks without a pane.
    pub fn hidden(&self, state: &State) -> Vec<TaskIx> {
        state.running().map(|a| a.task).filter(|t| self.of(*t).is_none()).collect()
    }
}

fn is_running(state: &State, task: TaskIx) -> bool {
    state.task(task).life == Life::Running
}
