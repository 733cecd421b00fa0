//! Why a slot has nothing to do: the same constraints, asked from the endpoint's side.

use super::{Why, eligible};
use crate::domain::protocol::{Intake, Micros};
use crate::domain::state::{EndpointIx, Gear, Life, State, TaskIx};

/// Why a slot has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleWhy {
    /// The session is paused.
    Paused,
    /// It does not answer.
    Down,
    /// The operator lets it run empty.
    Draining,
    /// Its server asked for a wait, or had no room.
    Asked,
    /// No task that is ready goes there.
    NoTask,
    /// Tasks for it wait for a goal's limit.
    Limit,
    /// Tasks for it are of a goal whose models do not fit into memory.
    Memory,
    /// Fewer tasks start on this machine than could.
    Throttled,
    /// Nothing is to be done at all.
    Nothing,
}

impl IdleWhy {
    /// The words shown.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Down => "down",
            Self::Draining => "runs empty",
            Self::Asked => "asked to wait",
            Self::NoTask => "no task for them",
            Self::Limit => "the goal's limit",
            Self::Memory => "memory",
            Self::Throttled => "throttled",
            Self::Nothing => "nothing to do",
        }
    }
}

impl State {
    /// Why the free slots of an endpoint have nothing to do; none when it has no free slot.
    pub fn idle_why(&self, endpoint: EndpointIx, now: Micros) -> Option<IdleWhy> {
        let e = self.endpoint(endpoint);
        if !e.answers() {
            return Some(IdleWhy::Down);
        }
        if e.intake == Intake::Draining {
            return Some(IdleWhy::Draining);
        }
        if self.pool(e.pool).free() == 0 {
            return None;
        }
        if self.pool(e.pool).shut(now).is_some() {
            return Some(IdleWhy::Asked);
        }
        if self.gear == Gear::Paused {
            return Some(IdleWhy::Paused);
        }
        let mut open =
            self.tasks.iter().enumerate().filter(|(_, t)| t.life == Life::NotStarted && !t.removed).peekable();
        if open.peek().is_none() {
            return Some(IdleWhy::Nothing);
        }
        let throttled = self.throttled_to_new(e).is_some();
        let mut why = IdleWhy::NoTask;
        for (i, _) in open.filter(|(_, t)| self.tier_of(t).is_some_and(|tier| e.serves(tier))) {
            match eligible(self, TaskIx(i as u32), now) {
                Ok(()) if throttled => return Some(IdleWhy::Throttled),
                Err(Why::Limit { .. }) => why = IdleWhy::Limit,
                Err(Why::Memory { .. }) if why == IdleWhy::NoTask => why = IdleWhy::Memory,
                _ => {}
            }
        }
        Some(why)
    }
}
