//! The Run screen at another instant: the panes follow from the attempts there were, not from what was seen.
//!
//! Not here: which pane a task keeps while the session is live ([`super::panes`]). Invariant: the same state, time and
//! choices give the same panes.

use std::collections::BTreeMap;

use super::panes::{Pane, Panes, SHOWN};
use super::rows::Pick;
use super::{Drawn, RunUi};
use crate::domain::protocol::Micros;
use crate::domain::state::{GoalPhase, State, TaskIx};

/// What the user did with the pane of a task.
pub(super) type Handled = BTreeMap<TaskIx, Pane>;

impl RunUi {
    /// Drops what frames worked out; what the user chose stays.
    pub(in crate::interface::tui::model) fn forget_what_was_seen(&mut self) {
        let motion = self.lights.motion;
        self.lights = super::Lights::default();
        self.lights.motion = motion;
        self.figures = Default::default();
        self.groups = Default::default();
        self.rows = Vec::new();
        self.key = Default::default();
        self.kept = false;
        self.stirred = true;
        self.pointer.forget();
        self.at = 0;
        self.drawn = Drawn::default();
        self.panes.keep_handled();
    }

    /// Whether a text is read or searched in slices.
    pub(in crate::interface::tui::model) fn is_busy(&self) -> bool {
        self.wants_frame().is_some()
    }

    /// Fits the choices to an instant.
    pub(in crate::interface::tui::model) fn settle_at(&mut self, state: &State) {
        let there = |t: &TaskIx| state.tasks().get(t.0 as usize).is_some_and(|t| !t.removed);
        if let Some(Pick::Task(ix) | Pick::Twins(ix)) = &self.pick
            && (ix.0 as usize) >= state.tasks().len()
        {
            self.pick = None;
        }
        self.marks.keep(|t| there(&t));
        self.panes.pins.retain(there);
        self.zoom = self.zoom.filter(there);
        self.selection = self.selection.filter(|s| there(&s.task));
        self.panes.past = true;
        self.panes.keep_handled();
        self.stirred = true;
    }
}

impl Panes {
    /// Keeps what the user did with panes, by task, and forgets which stood where.
    pub(super) fn keep_handled(&mut self) {
        for pane in self.list.drain(..).flatten() {
            let plain = pane.follows() && pane.fold.is_none();
            if plain {
                self.handled.remove(&pane.task);
            } else {
                self.handled.insert(pane.task, Pane { ended_since: None, ..pane });
            }
        }
        self.unread.clear();
        self.forget_running();
        self.most = 0;
    }

    /// Seats the tasks as if their panes had been watched all along: each takes the first place that is free when it
    /// starts, and keeps it until five seconds after its end.
    pub(super) fn seat(&mut self, state: &State, now: Micros, capacity: usize) {
        let attempts = state.by_models().map(|(attempt, _)| attempt);
        let mut seats: Vec<Option<(TaskIx, Micros)>> = vec![None; capacity];
        let mut waiting: Vec<(TaskIx, Micros)> = Vec::new();
        let free = |seat: &Option<(TaskIx, Micros)>, at: Micros| seat.is_none_or(|(_, end)| end.plus(SHOWN) <= at);
        let fill = |seats: &mut Vec<Option<(TaskIx, Micros)>>, waiting: &mut Vec<(TaskIx, Micros)>, at: Micros| {
            waiting.retain(|(_, end)| *end > at);
            for seat in seats.iter_mut() {
                if waiting.is_empty() {
                    return;
                }
                if free(seat, at) {
                    *seat = Some(waiting.remove(0));
                }
            }
        };
        for attempt in attempts {
            let end = attempt.ended.as_ref().map_or(Micros::NEVER, |(at, _)| *at);
            match seats.iter_mut().flatten().find(|(task, _)| *task == attempt.task) {
                Some(seat) => seat.1 = end,
                None => {
                    waiting.retain(|(task, _)| *task != attempt.task);
                    waiting.push((attempt.task, end));
                    fill(&mut seats, &mut waiting, attempt.started_at);
                }
            }
        }
        fill(&mut seats, &mut waiting, now);
        let pane = |task: TaskIx| self.handled.get(&task).cloned().unwrap_or_else(|| Pane::new(task));
        self.list = seats.into_iter().map(|s| s.map(|(task, _)| pane(task))).collect();
    }

    /// Places at an instant: as many as were ever in use at once, while work runs.
    pub(super) fn places(&self, state: &State) -> usize {
        let open = state.goals().iter().any(|g| !matches!(g.phase, GoalPhase::Ended(_)));
        let ever = if open { state.totals.widest as usize } else { 0 };
        let pinned = self.pins.iter().filter(|t| !state.running().any(|a| a.task == **t)).count();
        (state.running().len() + pinned).max(ever).max(1)
    }
}
