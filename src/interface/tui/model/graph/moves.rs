//! How the selection moves through the graph: along rows of the list, along layers and lines of the drawing.

use super::{Form, GraphUi};
use crate::domain::graph::{NodeIx, What};

impl GraphUi {
    /// Selects a node.
    pub(super) fn pick(&mut self, node: NodeIx) {
        // Of twins the one that is selected stays so.
        if self.selected() != Some(node) {
            let first = self.tasks_of(node).next();
            self.at = first.or(self.at);
        }
    }

    /// Up and down: in the list, or within the layer.
    pub(super) fn step(&mut self, by: isize) {
        let Some(selected) = self.selected() else { return };
        let next = match self.layer_mates(selected) {
            Some((mates, at)) => {
                mates.get(at.saturating_add_signed(by).min(mates.len().saturating_sub(1))).map(|n| self.whole(*n))
            }
            None => {
                let at = self.row_of(selected).unwrap_or(0);
                self.row(at.saturating_add_signed(by).min(self.row_count().saturating_sub(1)))
            }
        };
        if let Some(next) = next {
            self.pick(next);
        }
    }

    /// The nodes of a node's layer in the drawing, by row, and its place among them.
    fn layer_mates(&self, node: NodeIx) -> Option<(Vec<NodeIx>, usize)> {
        let layout = self.drawn_layout()?;
        let (layer, row) = layout.place(self.drawn_node(node)?)?;
        let mates = nodes(layout, layer as usize);
        let at = mates.iter().position(|(_, r)| *r == row)?;
        Some((mates.into_iter().map(|(n, _)| n).collect(), at))
    }

    /// To the nearest of what the selected node needs (left) or feeds (right); in the drawing, else to the layer beside.
    pub(super) fn across(&mut self, side: Side) -> bool {
        let Some(selected) = self.selected() else { return false };
        let linked = match side {
            Side::Left => self.dag().needs(selected),
            Side::Right => self.dag().feeds(selected),
        };
        let next = match self.form() {
            Form::Rails => {
                let rows = linked.iter().filter_map(|n| Some((self.row_of(*n)?, *n)));
                match side {
                    Side::Left => rows.max(),
                    Side::Right => rows.min(),
                }
                .map(|(_, n)| n)
            }
            Form::Drawing | Form::Near => self.beside(selected, linked, side),
        };
        if let Some(next) = next {
            self.pick(next);
        }
        next.is_some()
    }

    fn beside(&self, selected: NodeIx, linked: &[NodeIx], side: Side) -> Option<NodeIx> {
        let layout = self.drawn_layout()?;
        let (layer, row) = layout.place(self.drawn_node(selected)?)?;
        let near = |(l, r): (u32, u32)| (l.abs_diff(layer), r.abs_diff(row), r);
        let drawn = linked.iter().filter_map(|n| Some((layout.place(self.drawn_node(*n)?)?, *n)));
        let found = drawn.min_by_key(|(place, _)| near(*place)).map(|(_, n)| n);
        found.or_else(|| {
            let layers: Vec<usize> = match side {
                Side::Left => (0..layer as usize).rev().collect(),
                Side::Right => (layer as usize + 1..layout.layers().len()).collect(),
            };
            let all = layers.into_iter().find_map(|l| Some(nodes(layout, l)).filter(|n| !n.is_empty()))?;
            all.into_iter().min_by_key(|(_, r)| (r.abs_diff(row), *r)).map(|(n, _)| self.whole(n))
        })
    }

    /// To the next of what the filter left, in the order of the list.
    pub(super) fn next_found(&mut self, by: isize) -> bool {
        if self.list.is_empty() {
            return false;
        }
        let n = self.list.len() as isize;
        let at = self.selected().and_then(|s| self.list.iter().position(|l| *l == s));
        let next = match at {
            Some(at) => (at as isize + by).rem_euclid(n),
            None => 0,
        };
        if let Some(node) = self.list.get(next as usize).copied() {
            self.pick(node);
        }
        true
    }
}

/// To which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// To what is needed.
    Left,
    /// To what follows.
    Right,
}

fn nodes(layout: &crate::domain::graph::Layout, layer: usize) -> Vec<(NodeIx, u32)> {
    let items = layout.layers().get(layer).map_or(&[][..], Vec::as_slice);
    let node = |i: &crate::domain::graph::Item| match i.what {
        What::Node(node) => Some((node, i.row)),
        What::Pass => None,
    };
    items.iter().filter_map(node).collect()
}
