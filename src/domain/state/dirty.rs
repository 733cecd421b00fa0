//! Which results are out of date: made of another form, or of other inputs, than their tasks have now.
//!
//! Invariant: [`super::Task::dirty`] is a function of the rest of the state, kept in step by the reducer. So a change
//! that is undone leaves nothing dirty behind.

use std::collections::BTreeSet;

use super::{Input, State, Task, TaskIx};
use crate::domain::plan::{TaskSpec, same_work};
use crate::domain::protocol::AttemptId;

impl State {
    /// The attempt whose answer a task that has ended gives to others.
    pub(super) fn given(&self, ix: TaskIx) -> Option<AttemptId> {
        let task = self.task(ix);
        task.result.filter(|_| task.has_result())
    }

    /// What a task that starts now takes in, sorted by task.
    pub(super) fn inputs_of(&self, ix: TaskIx) -> Vec<Input> {
        let mut inputs: Vec<Input> =
            self.task(ix).needs.iter().map(|n| Input { task: *n, result: self.given(*n) }).collect();
        inputs.sort_unstable_by_key(|i| i.task);
        inputs
    }

    /// Whether the result of a task came of other work than `form` asks for, or of other inputs than `needs` have (none
    /// among them: a task that is new). A need that runs again has what it had until it ends.
    pub(super) fn outdated(
        &self,
        task: &Task,
        form: &TaskSpec,
        mut needs: impl ExactSizeIterator<Item = Option<TaskIx>>,
    ) -> bool {
        let Some(attempt) = task.result.and_then(|a| self.attempt(a)) else { return false };
        if !same_work(&attempt.spec, form) {
            return true;
        }
        // What a person wrote came of no inputs.
        if !attempt.is_model() {
            return false;
        }
        needs.len() != attempt.inputs.len()
            || needs.any(|need| {
                let input = need.and_then(|n| attempt.inputs.binary_search_by_key(&n, |i| i.task).ok());
                match (need, input.map(|i| attempt.inputs[i])) {
                    (Some(need), Some(input)) => {
                        let ended = self.task(need).has_ended();
                        input.result != if ended { self.given(need) } else { self.task(need).result }
                    }
                    _ => true,
                }
            })
    }

    /// Whether a result stands whatever becomes of the needs: a person wrote it.
    pub(super) fn is_by_hand(&self, task: &Task) -> bool {
        task.result.and_then(|a| self.attempt(a)).is_some_and(|a| !a.is_model())
    }

    /// Looks again at tasks, and at those that need them as far as something changes. In the order of the plan, each
    /// once as long as needs stand before what needs them: an answer made of thousands is not looked at for each.
    pub(super) fn refresh_dirty(&mut self, again: Vec<TaskIx>) {
        let mut again: BTreeSet<TaskIx> = again.into_iter().collect();
        while let Some(ix) = again.pop_first() {
            let task = self.task(ix);
            let dirty = task.result.is_some()
                && !task.removed
                && ((task.needs.iter().any(|n| self.task(*n).dirty) && !self.is_by_hand(task))
                    || self.outdated(task, &task.spec, task.needs.iter().map(|n| Some(*n))));
            if dirty != task.dirty {
                self.tasks[ix.0 as usize].dirty = dirty;
                again.extend(&self.task(ix).feeds);
            }
        }
    }

    /// As [`State::refresh_dirty`], after a task's result changed: those that need it are looked at in any case.
    pub(super) fn refresh_result(&mut self, ix: TaskIx) {
        let mut again = self.task(ix).feeds.clone();
        again.push(ix);
        self.refresh_dirty(again);
    }
}

#[cfg(test)]
impl State {
    /// What [`super::Task::dirty`] is to be of each task, worked out from nothing.
    pub(crate) fn dirty_from_scratch(&self) -> Vec<bool> {
        let mut dirty = vec![false; self.tasks.len()];
        loop {
            let before = dirty.clone();
            for (i, task) in self.tasks.iter().enumerate().filter(|(_, t)| t.result.is_some() && !t.removed) {
                let own = self.outdated(task, &task.spec, task.needs.iter().map(|n| Some(*n)));
                let fed = task.needs.iter().any(|n| before[n.0 as usize]) && !self.is_by_hand(task);
                dirty[i] = own || fed;
            }
            if dirty == before {
                return dirty;
            }
        }
    }
}
