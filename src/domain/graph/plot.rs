//! The graph of a session's tasks, and the same with twins folded.

use std::collections::BTreeSet;

use super::{Dag, Kin, NodeIx, Twins};
use crate::domain::protocol::Work;
use crate::domain::state::{State, TaskIx};

/// The tasks of a session as a graph: those of the plan, removed ones left out. Depends on the plan alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plot {
    tasks: Vec<TaskIx>,
    dag: Dag,
    twins: Vec<Twins>,
}

/// What a node of a folded graph stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A task.
    Task(TaskIx),
    /// A group of twins, by its place in [`Plot::twins`].
    Twins(usize),
}

/// The graph as it is shown: closed groups of twins are one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Its nodes and edges.
    pub dag: Dag,
    content: Vec<Content>,
    /// By task index: its node.
    node_of: Vec<Option<NodeIx>>,
}

impl Plot {
    /// The graph of all tasks.
    pub fn of(state: &State) -> Self {
        let mut place = vec![None; state.tasks().len()];
        let mut tasks = Vec::with_capacity(state.tasks().len());
        for (i, _) in state.tasks().iter().enumerate().filter(|(_, t)| !t.removed) {
            place[i] = Some(NodeIx(tasks.len() as u32));
            tasks.push(TaskIx(i as u32));
        }
        let needs = |t: &TaskIx| state.task(*t).needs.iter().filter_map(|n| *place.get(n.0 as usize)?).collect();
        let dag = Dag::new(tasks.iter().map(needs).collect());
        let kin: Vec<Kin<'_>> = tasks.iter().map(|t| kin(state, *t)).collect();
        let twins = Twins::find(&dag, &kin);
        Self { tasks, dag, twins }
    }

    /// How many tasks it has.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The groups of twins.
    pub fn twins(&self) -> &[Twins] {
        &self.twins
    }

    /// The tasks of a group.
    pub fn members(&self, group: usize) -> impl ExactSizeIterator<Item = TaskIx> + '_ {
        self.twins.get(group).map_or(&[][..], |t| &t.members).iter().map(|m| self.tasks[m.at()])
    }

    /// The first task of a group: it names the group, also after edits.
    pub fn name(&self, group: usize) -> Option<TaskIx> {
        self.members(group).next()
    }

    /// The graph with every group folded whose name is not in `open`.
    pub fn fold(&self, open: &BTreeSet<TaskIx>) -> Folded {
        let mut group_of = vec![None; self.tasks.len()];
        for (i, group) in self.twins.iter().enumerate() {
            if self.name(i).is_some_and(|n| !open.contains(&n)) {
                for member in &group.members {
                    group_of[member.at()] = Some(i);
                }
            }
        }
        let mut content: Vec<Content> = Vec::new();
        let mut node_of_group = vec![None; self.twins.len()];
        let mut node = vec![NodeIx(0); self.tasks.len()];
        for (i, group) in group_of.iter().enumerate() {
            let next = NodeIx(content.len() as u32);
            node[i] = match group {
                None => {
                    content.push(Content::Task(self.tasks[i]));
                    next
                }
                Some(g) => *node_of_group[*g].get_or_insert_with(|| {
                    content.push(Content::Twins(*g));
                    next
                }),
            };
        }
        let mut needs: Vec<Vec<NodeIx>> = vec![Vec::new(); content.len()];
        for v in self.dag.nodes() {
            let list = &mut needs[node[v.at()].at()];
            // Twins need the same; the first one speaks for all.
            if list.is_empty() {
                list.extend(self.dag.needs(v).iter().map(|u| node[u.at()]));
            }
        }
        let last = self.tasks.last().map_or(0, |t| t.0 as usize + 1);
        let mut node_of = vec![None; last];
        for (task, node) in self.tasks.iter().zip(node) {
            node_of[task.0 as usize] = Some(node);
        }
        Folded { dag: Dag::new(needs), content, node_of }
    }
}

impl Folded {
    /// What a node stands for.
    pub fn content(&self, node: NodeIx) -> Option<Content> {
        self.content.get(node.at()).copied()
    }

    /// The node in which a task is shown.
    pub fn node_of(&self, task: TaskIx) -> Option<NodeIx> {
        self.node_of.get(task.0 as usize).copied().flatten()
    }

    /// The graph of some of its nodes, in the order given, with the edges between them.
    pub fn part(&self, nodes: &[NodeIx]) -> Dag {
        let place = |u: &NodeIx| nodes.binary_search(u).ok().map(|i| NodeIx(i as u32));
        Dag::new(nodes.iter().map(|v| self.dag.needs(*v).iter().filter_map(place).collect()).collect())
    }
}

fn kin(state: &State, ix: TaskIx) -> Kin<'_> {
    let task = state.task(ix);
    let phase = task.spec.phase.as_deref().unwrap_or(match task.work {
        Work::Ordinary => "",
        Work::Planning => "plan",
        Work::Round | Work::Synthesis | Work::Voice => "answer",
    });
    Kin { goal: task.id.goal.0, phase, agent: task.spec.agent.as_str(), title: task.title.as_str() }
}
