//! What has just been released is lit for a moment: the tasks that wait for nothing more, because a need of theirs ended.
//!
//! Not here: how a light looks. Invariant: while nothing moves (`motion = none`) there is no light and no deadline.

use std::collections::BTreeMap;

use crate::config::Motion;
use crate::domain::protocol::{Event, Micros, Record};
use crate::domain::state::{State, TaskIx};

/// For how long.
const LASTS: Micros = Micros::from_millis(300);

/// The lights that are on.
#[derive(Clone, Debug, Default)]
pub struct Lights {
    /// Whether anything moves by itself.
    pub motion: Motion,
    until: BTreeMap<TaskIx, Micros>,
}

impl Lights {
    /// Lights what an end has released.
    pub(super) fn observe(&mut self, state: &State, record: &Record) {
        let (Event::TaskCompleted { task, .. } | Event::TaskFailed { task, .. } | Event::TaskSkipped { task, .. }) =
            &record.event
        else {
            return;
        };
        if self.motion == Motion::None {
            return;
        }
        let Some(ended) = state.task_by_id(task) else { return };
        for ix in &ended.feeds {
            let task = state.task(*ix);
            let free = task.needs.iter().all(|n| state.satisfies(state.task(*n), task));
            if free && !task.removed && !task.has_ended() {
                self.until.insert(*ix, record.at.plus(LASTS));
            }
        }
    }

    /// Whether a task is lit.
    pub fn lit(&self, task: TaskIx, now: Micros) -> bool {
        self.until.get(&task).is_some_and(|until| *until > now)
    }

    /// When the next one goes out.
    pub(super) fn until(&self) -> Option<Micros> {
        self.until.values().min().copied()
    }

    /// Puts out those whose time is over.
    pub(super) fn prune(&mut self, now: Micros) {
        self.until.retain(|_, until| *until > now);
    }
}
