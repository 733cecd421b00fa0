//! A graph without circles, as adjacency: needs, feeds, an order, layers, and the edges that say something.

use std::collections::VecDeque;

/// A node of a [`Dag`], by its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub u32);

impl NodeIx {
    /// Its place.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Beyond so many words of work implied edges are not looked for: a graph of that size has no form that one could read.
const REDUCTION_WORK: usize = 40_000_000;

/// A graph without circles. Invariant: a need that would close a circle was left out when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dag {
    needs: Vec<Vec<NodeIx>>,
    feeds: Vec<Vec<NodeIx>>,
    order: Vec<NodeIx>,
}

impl Dag {
    /// The graph in which node `i` needs the nodes `needs[i]`. What names no other node of the graph is left out.
    pub fn new(mut needs: Vec<Vec<NodeIx>>) -> Self {
        let n = needs.len();
        for (i, list) in needs.iter_mut().enumerate() {
            list.retain(|u| u.at() < n && u.at() != i);
            list.sort_unstable();
            list.dedup();
        }
        let feeds = turned(&needs);
        let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
        let mut taken = vec![false; n];
        let mut order = Vec::with_capacity(n);
        let mut ready: VecDeque<usize> = (0..n).filter(|i| open[*i] == 0).collect();
        let mut next = 0;
        let mut circles = false;
        loop {
            while let Some(v) = ready.pop_front() {
                taken[v] = true;
                order.push(NodeIx(v as u32));
                for f in feeds[v].iter().map(|f| f.at()) {
                    if !taken[f] && open[f] > 0 {
                        open[f] -= 1;
                        if open[f] == 0 {
                            ready.push_back(f);
                        }
                    }
                }
            }
            while next < n && taken[next] {
                next += 1;
            }
            if next == n {
                break;
            }
            // Only a circle is left: its first node is taken to need nothing of it.
            needs[next].retain(|u| taken[u.at()]);
            open[next] = 0;
            circles = true;
            ready.push_back(next);
        }
        let feeds = if circles { turned(&needs) } else { feeds };
        Self { needs, feeds, order }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.needs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty()
    }

    /// The nodes, by place.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeIx> + use<> {
        (0..self.needs.len() as u32).map(NodeIx)
    }

    /// What a node needs.
    pub fn needs(&self, node: NodeIx) -> &[NodeIx] {
        self.needs.get(node.at()).map_or(&[], Vec::as_slice)
    }

    /// What needs a node.
    pub fn feeds(&self, node: NodeIx) -> &[NodeIx] {
        self.feeds.get(node.at()).map_or(&[], Vec::as_slice)
    }

    /// All nodes, each after what it needs.
    pub fn order(&self) -> &[NodeIx] {
        &self.order
    }

    /// Each node's layer: the length of the longest way to it.
    pub fn layers(&self) -> Vec<u32> {
        let mut layers = vec![0; self.len()];
        for v in &self.order {
            layers[v.at()] = self.needs(*v).iter().map(|u| layers[u.at()] + 1).max().unwrap_or(0);
        }
        layers
    }

    /// The same graph without the edges that a longer way implies: who needs `b`, which needs `a`, needs `a` too.
    pub fn reduced(&self) -> Self {
        let n = self.len();
        let edges: usize = self.needs.iter().map(Vec::len).sum();
        let words = n.div_ceil(64);
        if words.saturating_mul(n + edges) > REDUCTION_WORK {
            return self.clone();
        }
        let layers = self.layers();
        let mut before = vec![0u64; n * words];
        let mut needs = vec![Vec::new(); n];
        let mut all = vec![0u64; words];
        for v in &self.order {
            all.fill(0);
            let mut near: Vec<NodeIx> = self.needs(*v).to_vec();
            // The deepest first: only they can imply the others.
            near.sort_by_key(|u| (std::cmp::Reverse(layers[u.at()]), *u));
            for u in near {
                let bit = 1u64 << (u.at() % 64);
                if all[u.at() / 64] & bit != 0 {
                    continue;
                }
                for (to, from) in all.iter_mut().zip(&before[u.at() * words..(u.at() + 1) * words]) {
                    *to |= from;
                }
                all[u.at() / 64] |= bit;
                needs[v.at()].push(u);
            }
            before[v.at() * words..(v.at() + 1) * words].copy_from_slice(&all);
            needs[v.at()].sort_unstable();
        }
        let feeds = turned(&needs);
        Self { needs, feeds, order: self.order.clone() }
    }

    /// All nodes, each after what it needs and as near to it as can be: what an end needs comes right before it.
    pub fn clustered(&self) -> Vec<NodeIx> {
        let mut out = Vec::with_capacity(self.len());
        let mut seen = vec![false; self.len()];
        let mut stack: Vec<(NodeIx, usize)> = Vec::new();
        for end in self.nodes().filter(|v| self.feeds(*v).is_empty()) {
            if !std::mem::replace(&mut seen[end.at()], true) {
                stack.push((end, 0));
            }
            while let Some((v, next)) = stack.last_mut() {
                match self.needs[v.at()].get(*next) {
                    Some(u) => {
                        *next += 1;
                        if !std::mem::replace(&mut seen[u.at()], true) {
                            stack.push((*u, 0));
                        }
                    }
                    None => {
                        out.push(*v);
                        stack.pop();
                    }
                }
            }
        }
        out
    }
}

/// The same edges, by what they come from.
fn turned(needs: &[Vec<NodeIx>]) -> Vec<Vec<NodeIx>> {
    let mut feeds = vec![Vec::new(); needs.len()];
    for (v, list) in needs.iter().enumerate() {
        for u in list {
            feeds[u.at()].push(NodeIx(v as u32));
        }
    }
    feeds
}
