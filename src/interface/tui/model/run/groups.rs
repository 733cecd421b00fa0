//! The groups of twins in the tree: tasks that differ in a number or a name only stand as one row.
//!
//! Not here: which tasks are twins ([`crate::domain::graph`]), how a group looks. Invariant: a group depends on the plan
//! alone, so it never comes or goes when a status changes.

use crate::domain::graph::Plot;
use crate::domain::state::{State, TaskIx};

/// A group of twins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// What their titles share.
    pub stem: String,
    /// Who they are, in plan order. The first one names the group.
    pub members: Vec<TaskIx>,
}

/// All groups of a session.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    key: Vec<(u32, usize)>,
    list: Vec<Group>,
    /// By task: its group.
    of: Vec<Option<u32>>,
}

impl Groups {
    /// Finds them again when a plan has changed.
    pub fn refresh(&mut self, state: &State) {
        let key: Vec<_> = state.goals().iter().map(|g| (g.revision, g.tasks.len())).collect();
        if self.key == key {
            return;
        }
        self.key = key;
        let plot = Plot::of(state);
        let group = |(i, twins): (usize, &crate::domain::graph::Twins)| Group {
            stem: twins.stem.clone(),
            members: plot.members(i).collect(),
        };
        self.list = plot.twins().iter().enumerate().map(group).collect();
        self.of = vec![None; state.tasks().len()];
        for (i, group) in (0_u32..).zip(&self.list) {
            for task in &group.members {
                if let Some(of) = self.of.get_mut(task.0 as usize) {
                    *of = Some(i);
                }
            }
        }
    }

    /// The group of a task.
    pub fn of(&self, task: TaskIx) -> Option<&Group> {
        let at = (*self.of.get(task.0 as usize)?)?;
        self.list.get(at as usize)
    }

    /// The group that this task names.
    pub fn named(&self, first: TaskIx) -> Option<&Group> {
        self.of(first).filter(|g| g.members.first() == Some(&first))
    }
}
