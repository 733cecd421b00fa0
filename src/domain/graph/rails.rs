//! The graph as a list with rails beside it, as version control draws its history: for each row, which lanes pass it,
//! start at it, end at it.
//!
//! A net stands for all tasks that need the same: those they need join its lane, row by row, then they leave it. Short
//! nets have the lanes nearest to the list. Invariants: each row comes after those it needs; a net has at least one that
//! joins and one that leaves, all joins come first, and it holds its lane from its first row to its last; two nets share
//! a lane only where one ends in the row in which the other starts.

use std::collections::BTreeMap;

use super::{Dag, NodeIx};

/// Between so many rows it is noted which nets pass.
const STEP: usize = 64;

/// A row of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RailRow {
    /// Who stands there.
    pub node: NodeIx,
    /// The net it leaves: that of what it needs, if it needs anything.
    pub from: Option<usize>,
    /// The nets it joins.
    pub into: Vec<usize>,
}

/// A net of the rails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    /// Its lane, 0 nearest to the list; none where 32 lanes had no place.
    pub lane: Option<u32>,
    /// The row of the first that joins.
    pub first: u32,
    /// The row of the last that leaves.
    pub last: u32,
}

/// The list and its rails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rails {
    rows: Vec<RailRow>,
    /// By their first row.
    nets: Vec<Net>,
    row_of: Vec<u32>,
    /// For each [`STEP`]th row: the nets that begin before it and end there or later.
    passing: Vec<Vec<usize>>,
    lanes: u32,
}

impl Rails {
    /// The list of a graph, best of one that is [`Dag::reduced`].
    pub fn of(dag: &Dag) -> Self {
        let order = dag.clustered();
        let mut row_of = vec![0; dag.len()];
        for (row, node) in order.iter().enumerate() {
            row_of[node.at()] = row as u32;
        }
        let mut rows: Vec<RailRow> = order.iter().map(|n| RailRow { node: *n, ..RailRow::default() }).collect();
        // Who needs the same leaves one net.
        let mut groups: BTreeMap<&[NodeIx], (u32, u32)> = BTreeMap::new();
        for node in &order {
            let needs = dag.needs(*node);
            let Some(first) = needs.iter().map(|u| row_of[u.at()]).min() else { continue };
            groups.entry(needs).or_insert((first, 0)).1 = row_of[node.at()];
        }
        let mut by_first: Vec<(&[NodeIx], u32, u32)> = groups.into_iter().map(|(n, (a, b))| (n, a, b)).collect();
        by_first.sort_by_key(|(needs, first, last)| (*first, *last, *needs));
        let mut net_of: BTreeMap<&[NodeIx], usize> = BTreeMap::new();
        let mut nets = Vec::with_capacity(by_first.len());
        for (needs, first, last) in by_first {
            for need in needs {
                rows[row_of[need.at()] as usize].into.push(nets.len());
            }
            net_of.insert(needs, nets.len());
            nets.push(Net { lane: None, first, last });
        }
        for row in &mut rows {
            row.from = net_of.get(dag.needs(row.node)).copied();
        }
        let lanes = lanes(&mut nets);
        let passing = passing(&nets, rows.len());
        Self { rows, nets, row_of, passing, lanes }
    }

    /// The rows, each after those it needs.
    pub fn rows(&self) -> &[RailRow] {
        &self.rows
    }

    /// A net.
    pub fn net(&self, net: usize) -> Option<Net> {
        self.nets.get(net).copied()
    }

    /// The row of a node.
    pub fn row_of(&self, node: NodeIx) -> Option<usize> {
        self.row_of.get(node.at()).map(|r| *r as usize)
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// The nets that are to be seen in some rows, without those that have no lane. Costs no more for a long list.
    pub fn seen(&self, from: usize, to: usize) -> Vec<usize> {
        let step = from / STEP;
        let mut out = self.passing.get(step).cloned().unwrap_or_default();
        let start = self.nets.partition_point(|n| (n.first as usize) < step * STEP);
        let begun = self.nets.iter().enumerate().skip(start).take_while(|(_, n)| (n.first as usize) < to);
        out.extend(begun.map(|(i, _)| i));
        out.retain(|i| self.nets.get(*i).is_some_and(|n| n.lane.is_some() && n.last as usize >= from));
        out
    }
}

/// Gives each net a lane: short ones first, so that they stand near the list. Returns how many lanes there are.
fn lanes(nets: &mut [Net]) -> u32 {
    let mut by_length: Vec<usize> = (0..nets.len()).collect();
    by_length.sort_by_key(|i| (nets[*i].last - nets[*i].first, *i));
    let rows = nets.iter().map(|n| n.last as usize + 1).max().unwrap_or(0);
    // From each row to the next: the lanes that are held.
    let mut held = vec![0u32; rows];
    let mut most = 0;
    for i in by_length {
        let steps = nets[i].first as usize..nets[i].last as usize;
        let mut taken = 0;
        for step in &held[steps.clone()] {
            taken |= step;
            if taken == u32::MAX {
                break;
            }
        }
        let lane = taken.trailing_ones();
        if lane >= u32::BITS {
            continue;
        }
        held[steps].iter_mut().for_each(|step| *step |= 1 << lane);
        nets[i].lane = Some(lane);
        most = most.max(lane + 1);
    }
    most
}

fn passing(nets: &[Net], rows: usize) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new(); rows / STEP + 1];
    for (i, net) in nets.iter().enumerate().filter(|(_, n)| n.lane.is_some()) {
        let after = net.first as usize / STEP + 1;
        for list in out.iter_mut().take(net.last as usize / STEP + 1).skip(after) {
            list.push(i);
        }
    }
    out
}
