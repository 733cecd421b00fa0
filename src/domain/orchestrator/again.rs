//! Running tasks again: those meant, what was skipped because of them, and the answer made of them.

use std::collections::BTreeSet;

use super::Orchestrator;
use crate::domain::protocol::{Author, Event, FailureCount, GoalId, Route, Subject, TaskRetried, Work};
use crate::domain::state::{End, GoalPhase, Life, Task, TaskIx};
use crate::domain::text::CleanText;

/// Which of the tasks that need the ones meant run again with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those that were skipped, and the answer.
    Skipped,
    /// Everything that has ended.
    Everything,
}

impl Orchestrator {
    /// Puts tasks back to their start; what runs of them is stopped. So are, with them, what was skipped because of them
    /// and the answer made of them; all that needs them where `reach` says so.
    pub(super) fn run_again(&mut self, author: &Author, seeds: Vec<TaskIx>, reach: Reach) {
        let mut again = seeds;
        again.sort_unstable();
        again.dedup();
        let mut seen: BTreeSet<TaskIx> = again.iter().copied().collect();
        let mut i = 0;
        while i < again.len() {
            for feed in self.state.task(again[i]).feeds.clone() {
                let f = self.state.task(feed);
                let skipped = f.life == Life::Ended(End::Skipped);
                let wanted = match reach {
                    Reach::Everything => f.has_ended(),
                    Reach::Skipped => skipped,
                };
                if !f.removed && (wanted || is_written(f)) && seen.insert(feed) {
                    again.push(feed);
                }
            }
            i += 1;
        }
        let mut goals: Vec<GoalId> = again.iter().map(|t| self.state.task(*t).id.goal).collect();
        goals.sort_unstable();
        goals.dedup();
        for goal in goals {
            self.reopen(goal);
        }
        for ix in again {
            self.stop_attempt(ix);
            let task = self.state.task(ix).id.clone();
            self.emit_cleared(Subject::Task(task.clone()));
            self.emit(Event::TaskRetried(TaskRetried {
                task,
                not_before: self.now,
                reason: CleanText::one_line(&format!("again, by {author}")),
                count: FailureCount::Reset,
                route: Route::Primary,
            }));
        }
    }

    /// A goal that had ended goes on.
    pub(super) fn reopen(&mut self, goal: GoalId) {
        if matches!(self.state.goal(goal).map(|g| &g.phase), Some(GoalPhase::Ended(_))) {
            self.emit(Event::GoalReopened { goal });
        }
    }

    /// Of a goal's answers those that are done again when something they are made of runs.
    pub(super) fn answers_that_go_along(&self, goal: GoalId) -> Vec<TaskIx> {
        let own = |work| self.state.own_task(goal, work);
        let rounds = own(Work::Synthesis).map(|task| self.state.rounds_of(task)).unwrap_or_default();
        let last = [Work::Synthesis, Work::Voice].into_iter().filter_map(own);
        let all = rounds.into_iter().chain(last.filter_map(|task| self.state.find(&task.id)));
        all.filter(|ix| self.state.goes_along(self.state.task(*ix))).collect()
    }

    /// Does answers again where something they are made of is still to come.
    pub(super) fn follow(&mut self, answers: Vec<TaskIx>) {
        let stale: Vec<TaskIx> = answers
            .into_iter()
            .filter(|ix| {
                let task = self.state.task(*ix);
                is_written(task) && !task.removed && task.needs.iter().any(|n| !self.state.task(*n).has_ended())
            })
            .collect();
        if !stale.is_empty() {
            self.run_again(&Author::Baton, stale, Reach::Skipped);
        }
    }
}

/// An answer that is being written, or was; or a round on the way to it.
fn is_written(task: &Task) -> bool {
    matches!(task.work, Work::Round | Work::Synthesis | Work::Voice) && task.life != Life::NotStarted
}
