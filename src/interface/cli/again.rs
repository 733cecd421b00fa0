//! How a session is taken up again: what becomes of a pause, what is tried anew, and which goals are left.
//!
//! Pure. Not here: taking it up (`resume`), watching it (`headless`).

use crate::domain::protocol::{Command, GoalId, RetryScope, Work};
use crate::domain::state::{End, Gear, Goal, GoalPhase, Life, State, Task};

/// What becomes of a pause when a session is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    /// It stays.
    AsItWas,
    /// It is over.
    Resumed,
}

/// What is tried anew when a session is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tries {
    /// Nothing that has ended.
    Nothing,
    /// What failed, and what was skipped because of it.
    Failed,
}

/// How a session is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// What becomes of a pause.
    pub(crate) go: Go,
    /// What is tried anew.
    pub(crate) tries: Tries,
}

impl Again {
    /// As it was set down.
    pub(crate) const AS_IT_WAS: Self = Self { go: Go::AsItWas, tries: Tries::Nothing };

    /// The commands that make it so, in order.
    pub(crate) fn commands(self, before: &State) -> Vec<Command> {
        let retry = self.tries == Tries::Failed && !failed_goals(before).is_empty();
        let resume = self.go == Go::Resumed && before.gear == Gear::Paused;
        let retry = retry.then_some(Command::Retry(RetryScope::Failed));
        retry.into_iter().chain(resume.then_some(Command::Resume)).collect()
    }
}

/// The goals with a task that failed and may be tried anew.
pub(crate) fn failed_goals(state: &State) -> Vec<GoalId> {
    let failed = |t: &Task| !t.removed && t.life == Life::Ended(End::Failed) && t.work != Work::Planning;
    let has = |g: &&Goal| g.tasks.iter().any(|t| failed(state.task(*t)));
    state.goals().iter().filter(has).map(|g| g.id).collect()
}

/// The goals of a session that are not done: those that have not ended, those with a task that a message waits for, and
/// those with something that is to be tried anew.
pub(crate) fn left_to_do(state: &State, tries: Tries) -> Vec<GoalId> {
    let waits = |t: &Task| t.is_done() && !t.removed && t.unsent().next().is_some();
    let failed = if tries == Tries::Failed { failed_goals(state) } else { Vec::new() };
    let is_left = |g: &&Goal| {
        !matches!(g.phase, GoalPhase::Ended(_))
            || failed.contains(&g.id)
            || g.tasks.iter().any(|t| waits(state.task(*t)))
    };
    state.goals().iter().filter(is_left).map(|g| g.id).collect()
}
