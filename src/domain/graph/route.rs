//! The lines between a layer and the next: nets that go right, up or down on one track, and right again.
//!
//! Those that need the same are one net: all its sources meet on its track and leave it for all its targets, which is
//! true of each pair. Invariant: where a source and a target of the same row are not of one net, the source's line ends
//! left of where the target's begins, so no line says what is not so.

use std::collections::BTreeMap;

use super::Item;

/// Lines that meet: from each of `sources` to each of `targets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    /// Where it goes up and down, from the left.
    pub track: u32,
    /// Rows it comes from, in order.
    pub sources: Vec<u32>,
    /// Rows it goes to, in order.
    pub targets: Vec<u32>,
}

/// How often rows are moved apart before lines may overlap.
const TRIES: usize = 64;

impl Net {
    /// Its first and last row.
    pub fn span(&self) -> (u32, u32) {
        let rows = || self.sources.iter().chain(&self.targets);
        (rows().min().copied().unwrap_or(0), rows().max().copied().unwrap_or(0))
    }

    /// Whether it is straight: it needs no track.
    pub fn is_straight(&self) -> bool {
        let (first, last) = self.span();
        first == last
    }

    fn meets(&self, other: &Self) -> bool {
        let ((a, b), (c, d)) = (self.span(), other.span());
        a <= d && c <= b
    }
}

/// Joins two layers. Where it can't be done clearly, items of the right one are moved down.
pub(super) fn route(left: &[Item], right: &mut [Item]) -> Vec<Net> {
    let mut before = vec![Vec::new(); right.len()];
    for (i, item) in left.iter().enumerate() {
        for next in item.next() {
            before[*next].push(i);
        }
    }
    let mut groups: BTreeMap<&[usize], Vec<usize>> = BTreeMap::new();
    for (target, sources) in before.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
        groups.entry(sources).or_default().push(target);
    }
    let groups: Vec<(&[usize], Vec<usize>)> = groups.into_iter().collect();
    let mut tries = 0;
    loop {
        let nets: Vec<Net> = groups
            .iter()
            .map(|(sources, targets)| Net {
                track: 0,
                sources: sources.iter().map(|s| left[*s].row).collect(),
                targets: targets.iter().map(|t| right[*t].row).collect(),
            })
            .collect();
        let (tracks, stuck) = tracks(&nets);
        // Of a net that has no place, the first target that stands beside a foreign source goes one row down, and all
        // below with it.
        let foreign =
            |at: usize, t: &usize| nets.iter().enumerate().any(|(i, n)| i != at && n.sources.contains(&right[*t].row));
        let from = stuck.and_then(|at| groups[at].1.iter().copied().find(|t| foreign(at, t)));
        match from.filter(|_| tries < TRIES) {
            Some(from) => right[from..].iter_mut().for_each(|item| item.row += 1),
            None => return nets.into_iter().zip(tracks).map(|(net, track)| Net { track, ..net }).collect(),
        }
        tries += 1;
    }
}

/// A track for each net, and a net that was given one against the rule, if there is any.
fn tracks(nets: &[Net]) -> (Vec<u32>, Option<usize>) {
    // Nets whose sources' lines must end before net `i`'s targets' lines begin.
    let left_of: Vec<Vec<usize>> = (0..nets.len())
        .map(|i| {
            let beside = |n: &Net| n.sources.iter().any(|s| nets[i].targets.binary_search(s).is_ok());
            (0..nets.len()).filter(|j| *j != i && beside(&nets[*j])).collect()
        })
        .collect();
    let mut track: Vec<Option<u32>> = vec![None; nets.len()];
    let mut stuck = None;
    let mut order: Vec<usize> = (0..nets.len()).collect();
    // Lines that go down: the lowest first; lines that go up: the highest first. So they cross least.
    order.sort_by_key(|i| {
        let net = &nets[*i];
        let (sources, targets) = (middle(&net.sources), middle(&net.targets));
        if targets >= sources { (0, -sources) } else { (1, sources) }
    });
    for _ in 0..nets.len() {
        let free = |i: &&usize| track[**i].is_none() && left_of[**i].iter().all(|j| track[*j].is_some());
        let next = order.iter().find(free).or_else(|| {
            let any = order.iter().find(|i| track[**i].is_none());
            stuck = stuck.or(any.copied());
            any
        });
        let Some(i) = next.copied() else { break };
        let least = left_of[i].iter().filter_map(|j| track[*j]).map(|t| t + 1).max().unwrap_or(0);
        let taken = |t: u32| (0..nets.len()).any(|j| track[j] == Some(t) && nets[j].meets(&nets[i]));
        track[i] = (least..).find(|t| nets[i].is_straight() || !taken(*t));
    }
    (track.into_iter().map(|t| t.unwrap_or(0)).collect(), stuck)
}

/// Twice the middle of some rows.
fn middle(rows: &[u32]) -> i64 {
    i64::from(rows.first().copied().unwrap_or(0)) + i64::from(rows.last().copied().unwrap_or(0))
}
