//! The layered drawing: nodes in layers from left to right, each layer a column of rows, lines in the channels between.
//!
//! A node stands one layer right of the last node it needs. A line that goes past a layer stands there as a pass; lines
//! that go to the same nodes share their passes. Layers are ordered by bounded sweeps, rows follow the neighbours.
//! Invariants: no two items of a layer stand in one row; every line goes right; the same graph gives the same drawing.

use std::collections::BTreeMap;

use super::route::{Net, route};
use super::{Dag, NodeIx};

/// Sweeps over all layers, there and back, to lessen crossings; and as many to set rows.
const SWEEPS: usize = 6;

/// How much more two passes of a line pull at each other than others do.
const STRAIGHT: usize = 4;

/// What stands in a row of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A node.
    Node(NodeIx),
    /// A line that goes on.
    Pass,
}

/// A place in a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What stands there.
    pub what: What,
    /// Its row.
    pub row: u32,
    /// Nodes beyond the next layer that its lines go to.
    far: Vec<NodeIx>,
    /// Items of the next layer that its lines go to; before the rows are set, in no order.
    next: Vec<usize>,
}

/// A layered drawing of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    layers: Vec<Vec<Item>>,
    channels: Vec<Vec<Net>>,
    rows: u32,
    /// By node: its layer and row.
    place: Vec<(u32, u32)>,
}

impl Layout {
    /// Draws a graph, best one that is [`Dag::reduced`].
    pub fn of(dag: &Dag) -> Self {
        let mut layers = items(dag);
        order(&mut layers);
        rows(&mut layers);
        let mut channels = Vec::with_capacity(layers.len());
        for i in 1..layers.len() {
            let (left, right) = layers.split_at_mut(i);
            if let (Some(left), Some(right)) = (left.last(), right.first_mut()) {
                channels.push(route(left, right));
            }
        }
        let mut out = Self { layers, channels, rows: 0, place: vec![(0, 0); dag.len()] };
        for (l, layer) in out.layers.iter().enumerate() {
            for item in layer {
                out.rows = out.rows.max(item.row + 1);
                if let What::Node(node) = item.what {
                    out.place[node.at()] = (l as u32, item.row);
                }
            }
        }
        out
    }

    /// The layers, from left to right; each with its items by row.
    pub fn layers(&self) -> &[Vec<Item>] {
        &self.layers
    }

    /// The lines between a layer and the next.
    pub fn channel(&self, layer: usize) -> &[Net] {
        self.channels.get(layer).map_or(&[], Vec::as_slice)
    }

    /// Tracks that a channel has.
    pub fn tracks(&self, layer: usize) -> u32 {
        self.channel(layer).iter().map(|n| n.track + 1).max().unwrap_or(0)
    }

    /// Rows of the drawing.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// A node's layer and row.
    pub fn place(&self, node: NodeIx) -> Option<(u32, u32)> {
        self.place.get(node.at()).copied()
    }

    /// The way of the line from a node to one that needs it: by layer, the row it leaves and the row it comes to. Empty
    /// where no line is drawn.
    pub fn way(&self, from: NodeIx, to: NodeIx) -> Vec<(usize, u32, u32)> {
        let mut out = Vec::new();
        let (Some((mut layer, row)), Some((end, _))) = (self.place(from), self.place(to)) else { return out };
        let Some(mut item) = self.item(layer as usize, row) else { return out };
        while layer < end {
            let beyond = layer as usize + 1;
            let leads = |i: &usize| {
                self.layers[beyond].get(*i).is_some_and(|n| match n.what {
                    What::Node(node) => node == to,
                    What::Pass => n.far.contains(&to) || n.next_is(self, beyond, to),
                })
            };
            let Some(next) = item.next.iter().find(|i| leads(i)).map(|i| &self.layers[beyond][*i]) else {
                return Vec::new();
            };
            out.push((layer as usize, item.row, next.row));
            item = next;
            layer += 1;
        }
        out
    }

    fn item(&self, layer: usize, row: u32) -> Option<&Item> {
        let items = self.layers.get(layer)?;
        items.binary_search_by_key(&row, |i| i.row).ok().and_then(|i| items.get(i))
    }
}

impl Item {
    /// The items of the next layer that its lines go to.
    pub(super) fn next(&self) -> &[usize] {
        &self.next
    }

    fn next_is(&self, layout: &Layout, layer: usize, to: NodeIx) -> bool {
        let beyond = layout.layers.get(layer + 1);
        self.next.iter().any(|i| beyond.and_then(|b| b.get(*i)).is_some_and(|n| n.what == What::Node(to)))
    }
}

/// Nodes and passes by layer, linked from each layer to the next.
fn items(dag: &Dag) -> Vec<Vec<Item>> {
    let layer_of = dag.layers();
    let count = layer_of.iter().max().map_or(0, |l| *l as usize + 1);
    let mut layers: Vec<Vec<Item>> = vec![Vec::new(); count];
    let mut at = vec![0; dag.len()];
    // Neighbours begin side by side.
    for node in dag.clustered() {
        let layer = &mut layers[layer_of[node.at()] as usize];
        at[node.at()] = layer.len();
        let mut far: Vec<NodeIx> = dag.feeds(node).to_vec();
        far.sort_unstable();
        layer.push(Item { what: What::Node(node), row: 0, far, next: Vec::new() });
    }
    for l in 0..count.saturating_sub(1) {
        let mut passes: BTreeMap<Vec<NodeIx>, usize> = BTreeMap::new();
        for i in 0..layers[l].len() {
            let (near, far): (Vec<NodeIx>, Vec<NodeIx>) =
                layers[l][i].far.iter().partition(|t| layer_of[t.at()] as usize == l + 1);
            let mut next: Vec<usize> = near.iter().map(|t| at[t.at()]).collect();
            if !far.is_empty() {
                let beyond = &mut layers[l + 1];
                next.push(*passes.entry(far.clone()).or_insert_with(|| {
                    beyond.push(Item { what: What::Pass, row: 0, far: far.clone(), next: Vec::new() });
                    beyond.len() - 1
                }));
            }
            layers[l][i].far = far;
            layers[l][i].next = next;
        }
    }
    layers
}

/// By item of the next layer: the items of this one that lead to it.
fn before(layer: &[Item], next: usize) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new(); next];
    for (i, item) in layer.iter().enumerate() {
        for n in &item.next {
            out[*n].push(i);
        }
    }
    out
}

/// Puts the items of layer `l` in the order of `keys`, and mends the links to them.
fn sort(layers: &mut [Vec<Item>], l: usize, keys: &[f32]) {
    let mut by: Vec<usize> = (0..keys.len()).collect();
    by.sort_by(|a, b| keys[*a].total_cmp(&keys[*b]));
    if by.is_sorted() {
        return;
    }
    let mut to = vec![0; by.len()];
    for (new, old) in by.iter().enumerate() {
        to[*old] = new;
    }
    let mut old: Vec<Option<Item>> = std::mem::take(&mut layers[l]).into_iter().map(Some).collect();
    layers[l] = by.iter().filter_map(|i| old[*i].take()).collect();
    if let Some(left) = l.checked_sub(1).and_then(|l| layers.get_mut(l)) {
        for next in left.iter_mut().flat_map(|i| i.next.iter_mut()) {
            *next = to[*next];
        }
    }
}

fn mean(of: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, n) = of.fold((0.0, 0), |(s, n), v| (s + v, n + 1));
    (n > 0).then(|| sum / n as f32)
}

/// Orders the items of each layer so that few lines cross: sweeps to and fro, the best order found stays.
fn order(layers: &mut Vec<Vec<Item>>) {
    let mut best = (crossings(layers), layers.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        if sweep % 2 == 0 {
            for l in 1..layers.len() {
                let before = before(&layers[l - 1], layers[l].len());
                let key = |(i, b): (usize, &Vec<usize>)| mean(b.iter().map(|n| *n as f32)).unwrap_or(i as f32);
                let keys: Vec<f32> = before.iter().enumerate().map(key).collect();
                sort(layers, l, &keys);
            }
        } else {
            for l in (0..layers.len().saturating_sub(1)).rev() {
                let key = |(i, item): (usize, &Item)| mean(item.next.iter().map(|n| *n as f32)).unwrap_or(i as f32);
                let keys: Vec<f32> = layers[l].iter().enumerate().map(key).collect();
                sort(layers, l, &keys);
            }
        }
        let now = crossings(layers);
        if now < best.0 {
            best = (now, layers.clone());
        }
    }
    *layers = best.1;
}

/// Pairs of lines that cross, over all layers.
fn crossings(layers: &[Vec<Item>]) -> usize {
    let mut sum = 0;
    for pair in layers.windows(2) {
        // Counted from the right end: lines to the right of which later ones end, by a tree of sums.
        let n = pair[1].len();
        let mut tree = vec![0usize; n + 1];
        let mut ends: Vec<usize> = Vec::new();
        let mut seen = 0;
        for item in &pair[0] {
            ends.clone_from(&item.next);
            ends.sort_unstable();
            for end in &ends {
                let (mut i, mut upto) = (end + 1, 0);
                while i > 0 {
                    upto += tree[i];
                    i &= i - 1;
                }
                sum += seen - upto;
            }
            for end in &ends {
                let mut i = end + 1;
                while i <= n {
                    tree[i] += 1;
                    i += i & i.wrapping_neg();
                }
                seen += 1;
            }
        }
    }
    sum
}

/// Sets the rows: each item as near to the middle of its neighbours as its layer lets it.
fn rows(layers: &mut [Vec<Item>]) {
    let height = layers.iter().map(Vec::len).max().unwrap_or(0);
    for layer in layers.iter_mut() {
        // Smaller layers begin in the middle.
        let from = (height - layer.len()) / 2;
        for (i, item) in layer.iter_mut().enumerate() {
            item.row = (from + i) as u32;
        }
    }
    for sweep in 0..SWEEPS {
        let right = sweep % 2 == 0;
        for k in 0..layers.len() {
            let l = if right { k } else { layers.len() - 1 - k };
            // First each side by itself, so that what is far comes near; in the end both.
            let both = sweep + 2 >= SWEEPS;
            let (look_left, look_right) = (both || right, both || !right);
            let left =
                l.checked_sub(1).filter(|_| look_left).and_then(|l| layers.get(l)).map_or(&[][..], Vec::as_slice);
            let next = layers.get(l + 1).filter(|_| look_right).map_or(&[][..], Vec::as_slice);
            let before = before(left, layers[l].len());
            let wish = |(item, b): (&Item, &Vec<usize>)| {
                let sources = b.iter().filter_map(|n| left.get(*n));
                let targets = item.next.iter().filter_map(|n| next.get(*n));
                // A line that goes past several layers is best straight: its passes weigh more with each other.
                let long = |i: &Item| if item.what == What::Pass && i.what == What::Pass { STRAIGHT } else { 1 };
                let rows = sources.chain(targets).flat_map(|i| std::iter::repeat_n(i.row as f32, long(i)));
                mean(rows).unwrap_or(item.row as f32)
            };
            let wished: Vec<f32> = layers[l].iter().zip(&before).map(wish).collect();
            let set = spread(&wished, height);
            for (item, row) in layers[l].iter_mut().zip(set) {
                item.row = row;
            }
        }
    }
}

/// Rows in order, no two the same, below `height`, together as near as can be to those wished for.
fn spread(wished: &[f32], height: usize) -> Vec<u32> {
    // Runs of neighbours that touch: how many, and the sum of what each wishes its first one's row were.
    let mut runs: Vec<(usize, f32)> = Vec::new();
    for (i, w) in wished.iter().enumerate() {
        let mut run = (1, w - i as f32);
        while let Some(last) = runs.last().filter(|l| l.1 / l.0 as f32 >= run.1 / run.0 as f32) {
            run = (run.0 + last.0, run.1 + last.1);
            runs.pop();
        }
        runs.push(run);
    }
    let most = height.saturating_sub(wished.len()) as f32;
    let firsts = runs.iter().flat_map(|(n, sum)| {
        let first = (sum / *n as f32).round().clamp(0.0, most);
        std::iter::repeat_n(first as u32, *n)
    });
    firsts.enumerate().map(|(i, first)| first + i as u32).collect()
}
