//! The order among tasks that wait: one for the orchestrator and for every viewer.
//!
//! Not here: what they wait for. Invariants: a pure question of a [`State`], so that a resumed session and an attached
//! console have the order that starts; ageing is a question of how long a task has waited, not a count of its own.

use std::cmp::Reverse;

use crate::domain::plan::Priority;
use crate::domain::protocol::{AttemptEnd, FailureKind, Micros};
use crate::domain::state::{Attempt, State, Task, TaskIx};

/// How far ageing raises a task at most: from the lowest priority to the highest.
const HIGHEST: u64 = Priority::Critical as u64;

/// Where a task stands among those that wait: the smallest goes first.
///
/// What is under way before what is new. Then what did not break a server again and again. Then priority, raised by ageing.
/// Then, so that a stream of new goals can't starve an old one, the tasks that were added earlier by a wide step. Then the
/// longest remaining path. Then the order of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueuePlace {
    /// Whether it begins or goes on.
    pub standing: QueueStanding,
    /// Failures in a row by which its server may have broken at this very request: whoever has none goes first.
    behind: u32,
    class: Reverse<Priority>,
    epoch: u64,
    path: Reverse<u32>,
    /// The task.
    pub task: TaskIx,
}

/// Whether a task begins or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueStanding {
    /// An attempt of it is open and wants its next turn.
    UnderWay,
    /// It has no open attempt.
    New,
}

impl State {
    /// Since when a task waits to start: it was added or its plan approved, what it needs ended, it was released, put back,
    /// or its turn before ended.
    pub fn waits_since(&self, task: &Task) -> Micros {
        let approved = self.goal(task.id.goal).and_then(|g| g.approved_at);
        let needs = task.needs.iter().filter_map(|need| self.task(*need).ended_at);
        let turn = self.between_turns(task).and_then(Attempt::turn).and_then(|t| t.ended.as_ref()).map(|(at, _)| *at);
        let since = [task.added_at, task.waits_since, task.not_before];
        needs.chain(approved).chain(turn).chain(since).max().unwrap_or_default()
    }

    /// The seconds after which a task that waits counts for more, as a time.
    fn ageing(&self) -> Micros {
        Micros::from_secs(self.config.settings.ageing_seconds.max(1))
    }

    /// When a task that waits since `since` counts for more next; none: it counts for as much as it can.
    pub(crate) fn older_at(&self, since: Micros, now: Micros) -> Option<Micros> {
        let step = self.ageing().0;
        let raised = now.since(since).0 / step;
        (raised < HIGHEST).then(|| since.plus(Micros(step * (raised + 1))))
    }

    /// The highest priority of tasks that have not ended: ageing raises nobody above it.
    pub fn highest_priority(&self) -> Priority {
        let open = self.tasks.iter().filter(|t| !t.has_ended() && !t.removed);
        open.map(|t| t.spec.priority).max().unwrap_or(Priority::Low)
    }

    /// Where a task stands at `now`; `path` is its longest remaining path ([`State::paths`]), `highest` as
    /// [`State::highest_priority`].
    pub fn queue_place(&self, ix: TaskIx, now: Micros, path: f32, highest: Priority) -> QueuePlace {
        let task = self.task(ix);
        let own = task.spec.priority as u64;
        let raised = now.since(self.waits_since(task)).0 / self.ageing().0;
        let class = match own.saturating_add(raised).min((highest as u64).max(own)) {
            0 => Priority::Low,
            1 => Priority::Medium,
            2 => Priority::High,
            _ => Priority::Critical,
        };
        let goes_on = self.between_turns(task).is_some();
        QueuePlace {
            standing: if goes_on { QueueStanding::UnderWay } else { QueueStanding::New },
            behind: self.behind(task),
            class: Reverse(class),
            epoch: task.added_at.0 / (self.ageing().0 * 10),
            path: Reverse(path.max(0.0).to_bits()),
            task: ix,
        }
    }

    /// How far behind the others a task stands, since its servers break when they work at it. One such failure may be
    /// chance.
    fn behind(&self, task: &Task) -> u32 {
        let broke = |a: &Attempt| matches!(&a.ended, Some((_, AttemptEnd::Failed(f))) if f.kind == FailureKind::Server);
        let suspect = task.setbacks > 1 && self.last_attempt(task).is_some_and(broke);
        if suspect { task.setbacks } else { 0 }
    }
}
