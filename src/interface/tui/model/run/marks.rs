//! Marked tasks: verbs act on all of them. A range follows the cursor until it is ended.
//!
//! Not here: the sign in the row, what verbs do. Invariant: a mark stays with its task, through filters, folds and orders.

use std::collections::BTreeSet;

use super::rows::Pick;
use crate::domain::state::TaskIx;

/// A range that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    from: Pick,
    before: BTreeSet<TaskIx>,
}

/// What is marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    set: BTreeSet<TaskIx>,
    range: Option<Range>,
}

impl Marks {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// How many tasks are.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether a task is.
    pub fn contains(&self, task: TaskIx) -> bool {
        self.set.contains(&task)
    }

    /// The tasks, in plan order.
    pub fn tasks(&self) -> Vec<TaskIx> {
        self.set.iter().copied().collect()
    }

    /// Marks these, or, when all are marked, takes their marks off. Ends a range.
    pub fn toggle(&mut self, tasks: &[TaskIx]) {
        self.range = None;
        if tasks.iter().all(|t| self.set.contains(t)) {
            for task in tasks {
                self.set.remove(task);
            }
        } else {
            self.set.extend(tasks);
        }
    }

    /// Where the range that follows the cursor began.
    pub fn from(&self) -> Option<&Pick> {
        self.range.as_ref().map(|r| &r.from)
    }

    /// Begins a range here, or ends the one there is, keeping what it marked.
    pub fn range(&mut self, from: &Pick) {
        self.range = match self.range {
            Some(_) => None,
            None => Some(Range { from: from.clone(), before: self.set.clone() }),
        };
    }

    /// Ends the range, keeping what it marked.
    pub fn end_range(&mut self) {
        self.range = None;
    }

    /// The range reaches over these now.
    pub fn reach(&mut self, tasks: impl IntoIterator<Item = TaskIx>) {
        if let Some(range) = &self.range {
            self.set = range.before.clone();
            self.set.extend(tasks);
        }
    }

    /// One level back: the range's marks, then all. False: there was nothing.
    pub fn back(&mut self) -> bool {
        if let Some(range) = self.range.take() {
            self.set = range.before;
            return true;
        }
        let any = !self.set.is_empty();
        self.set.clear();
        any
    }

    /// Forgets marks of tasks that are gone.
    pub fn keep(&mut self, here: impl Fn(TaskIx) -> bool) {
        if self.set.iter().any(|t| !here(*t)) {
            self.set.retain(|t| here(*t));
        }
    }
}
