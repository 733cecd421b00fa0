//! The neighbourhood of a node: what it needs and what needs it, a few steps each way.

use super::{Dag, NodeIx};

/// The node, and those that lead to it or follow from it within `steps`, by place.
pub fn around(dag: &Dag, centre: NodeIx, steps: u32) -> Vec<NodeIx> {
    let mut found = vec![centre];
    for next in [Dag::needs, Dag::feeds] {
        let mut seen = vec![centre];
        let mut edge = vec![centre];
        for _ in 0..steps {
            let mut beyond: Vec<NodeIx> = edge.iter().flat_map(|v| next(dag, *v).iter().copied()).collect();
            beyond.sort_unstable();
            beyond.dedup();
            beyond.retain(|v| seen.binary_search(v).is_err());
            seen.extend(&beyond);
            seen.sort_unstable();
            edge = beyond;
        }
        found.extend(seen);
    }
    found.sort_unstable();
    found.dedup();
    found
}
