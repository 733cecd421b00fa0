//! How the tasks of the graph stand: counted by layer and by group of twins, and what failed ones block.
//!
//! Worked out when something started or ended, at most once a frame; what a task blocks only for tasks that are shown.
//! Not here: what a status means (`domain/state`).

use std::collections::BTreeMap;

use crate::domain::graph::{Content, Folded, Plot};
use crate::domain::protocol::Micros;
use crate::domain::state::{End, Life, Progress, State, TaskIx};

/// Counts of the graph that is shown.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    key: Option<(u64, usize, u32, u32)>,
    layers: Vec<Progress>,
    groups: Vec<Progress>,
    blocks: BTreeMap<TaskIx, u32>,
}

impl Standing {
    /// The plan or a fold changed: nothing that was counted holds.
    pub(super) fn forget(&mut self) {
        self.key = None;
    }

    /// Counts anew when something changed: a second, a start, an end.
    pub(super) fn follow(&mut self, state: &State, now: Micros, plot: &Plot, folded: &Folded, layer_of: &[u32]) {
        let sums = state.goals().iter().fold((0, 0), |(o, r), g| (o + g.open, r + g.running));
        let key = Some((now.0 / 1_000_000, state.attempts().len(), sums.0, sums.1));
        if self.key == key {
            return;
        }
        self.key = key;
        self.blocks.clear();
        let layers = layer_of.iter().max().map_or(0, |l| *l as usize + 1);
        self.layers = vec![Progress::default(); layers];
        self.groups = (0..plot.twins().len())
            .map(|g| {
                let mut sum = Progress::default();
                plot.members(g).for_each(|t| sum.count(state.task(t).life));
                sum
            })
            .collect();
        for node in folded.dag.nodes() {
            let Some(layer) = layer_of.get(node.at()).and_then(|l| self.layers.get_mut(*l as usize)) else { continue };
            match folded.content(node) {
                Some(Content::Task(ix)) => layer.count(state.task(ix).life),
                Some(Content::Twins(g)) => plot.members(g).for_each(|t| layer.count(state.task(t).life)),
                None => {}
            }
        }
    }

    /// Works out what failed ones of these tasks block.
    pub(super) fn weigh(&mut self, state: &State, tasks: &[TaskIx]) {
        for ix in tasks.iter().copied() {
            if state.task(ix).life == Life::Ended(End::Failed) {
                self.blocks.entry(ix).or_insert_with(|| state.blocks(ix));
            }
        }
    }

    /// How the tasks of each layer stand, from the left.
    pub fn layers(&self) -> &[Progress] {
        &self.layers
    }

    /// How the tasks of a group of twins stand.
    pub fn group(&self, group: usize) -> Progress {
        self.groups.get(group).copied().unwrap_or_default()
    }

    /// How many tasks a failed one that is shown keeps from running.
    pub fn blocks(&self, task: TaskIx) -> u32 {
        self.blocks.get(&task).copied().unwrap_or(0)
    }
}
