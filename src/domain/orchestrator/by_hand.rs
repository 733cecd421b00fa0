//! Results put in by hand.

use super::Orchestrator;
use super::again::Reach;
use super::commands::Refusal;
use crate::domain::protocol::{AttemptId, Author, Event, ResultEdited, Subject, TaskId, Work};
use crate::domain::state::{End, Life, TaskIx};

/// The most bytes of a result put in by hand: more than any model writes, and a journal line holds it however it is
/// escaped.
const RESULT_BYTES: usize = 1 << 20;

impl Orchestrator {
    pub(super) fn check_result(&self, task: &TaskId, text: &str) -> Result<(), Refusal> {
        let task = self.state.task(self.task(task)?);
        if task.work == Work::Planning {
            return Err("its result is the plan; edit that".to_owned());
        }
        if task.life == Life::Running {
            return Err("it runs; stop it or wait".to_owned());
        }
        if text.trim().is_empty() {
            return Err("the result is empty; write one, or skip the task".to_owned());
        }
        if text.len() > RESULT_BYTES {
            let mib = text.len() as f64 / f64::from(1 << 20);
            return Err(format!("the text has {mib:.1} MiB and a result may have 1 MiB; shorten it"));
        }
        Ok(())
    }

    /// Puts the text in the place of a task's result. What waited for one, or was skipped for want of it, goes on.
    pub(super) fn edit_result(&mut self, author: Author, task: TaskId, text: String) {
        let Some(ix) = self.state.find(&task) else { return };
        let skipped: Vec<TaskIx> = if self.state.task(ix).has_result() {
            Vec::new()
        } else {
            // How the goal ends is another question now.
            self.reopen(task.goal);
            let is_skipped = |f: &TaskIx| {
                let f = self.state.task(*f);
                !f.removed && f.life == Life::Ended(End::Skipped)
            };
            self.state.task(ix).feeds.iter().copied().filter(is_skipped).collect()
        };
        let attempt = AttemptId(self.state.attempts().len() as u64 + 1);
        self.emit(Event::ResultEdited(ResultEdited { task: task.clone(), attempt, author: author.clone(), text }));
        self.emit_cleared(Subject::Task(task));
        if !skipped.is_empty() {
            self.run_again(&author, skipped, Reach::Skipped);
        }
    }
}
