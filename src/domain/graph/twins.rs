//! Twins: tasks that differ in a name or a number only, found in a plan so that they can be shown as one.
//!
//! Twins have the same agent, phase, needs and feeds, and titles of one stem. Three are the fewest: two are read as fast
//! as a group. Not here: how they stand. Invariant: drawn as one node, twins never close a circle (they share all
//! neighbours, so a way out of the group and back would be one through a single twin).

use std::collections::BTreeMap;

use super::{Dag, NodeIx};

/// What twins share, of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kin<'a> {
    /// The goal's number.
    pub goal: u32,
    /// The phase; empty for none.
    pub phase: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// The title.
    pub title: &'a str,
}

/// A group of twins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twins {
    /// What their titles share.
    pub stem: String,
    /// Who they are, by place; at least three.
    pub members: Vec<NodeIx>,
}

const FEWEST: usize = 3;

impl Twins {
    /// All groups of twins, by their first member. `kin` says of each node what it is.
    pub fn find(dag: &Dag, kin: &[Kin<'_>]) -> Vec<Self> {
        let mut alike: BTreeMap<_, Vec<NodeIx>> = BTreeMap::new();
        for (node, k) in dag.nodes().zip(kin) {
            let key = (k.goal, k.phase, k.agent, dag.needs(node), dag.feeds(node));
            alike.entry(key).or_default().push(node);
        }
        let mut groups = Vec::new();
        for nodes in alike.into_values().filter(|n| n.len() >= FEWEST) {
            let title = |node: &NodeIx| kin.get(node.at()).map_or("", |k| k.title);
            // First those that differ in numbers and names only, then those that differ in their last word.
            let (numbered, rest) = parted(nodes, |n| Some(skeleton(title(n))));
            let (worded, _) = parted(rest, |n| but_last(title(n)));
            for members in numbered.into_iter().chain(worded) {
                let titles: Vec<&str> = members.iter().map(title).collect();
                groups.push(Self { stem: stem(&titles), members });
            }
        }
        groups.sort_by(|a, b| a.members.cmp(&b.members));
        groups
    }
}

/// The groups of one key that are large enough, and who is in none.
fn parted(nodes: Vec<NodeIx>, key: impl Fn(&NodeIx) -> Option<String>) -> (Vec<Vec<NodeIx>>, Vec<NodeIx>) {
    let mut by: BTreeMap<Option<String>, Vec<NodeIx>> = BTreeMap::new();
    for node in nodes {
        by.entry(key(&node)).or_default().push(node);
    }
    let (groups, rest): (Vec<_>, Vec<_>) = by.into_iter().partition(|(k, n)| k.is_some() && n.len() >= FEWEST);
    let mut rest: Vec<NodeIx> = rest.into_iter().flat_map(|(_, n)| n).collect();
    rest.sort_unstable();
    (groups.into_iter().map(|(_, n)| n).collect(), rest)
}

/// The title with a `#` for each run of digits and for each word that is a path or an identifier.
fn skeleton(title: &str) -> String {
    let mut out = String::with_capacity(title.len());
    for word in title.split_whitespace() {
        let inner = word.trim_matches(|c: char| !c.is_alphanumeric());
        if inner.contains(['/', '_', '.', ':', '\\']) || word.starts_with(['`', '"', '“']) {
            out.push_str("# ");
            continue;
        }
        let mut digits = false;
        for c in word.chars() {
            if !c.is_numeric() {
                out.extend(c.to_lowercase());
            } else if !digits {
                out.push('#');
            }
            digits = c.is_numeric();
        }
        out.push(' ');
    }
    out
}

/// The title without its last word; none for a single word.
fn but_last(title: &str) -> Option<String> {
    let words: Vec<&str> = title.split_whitespace().collect();
    let (_, first) = words.split_last()?;
    (!first.is_empty()).then(|| first.join(" ").to_lowercase())
}

/// What the titles begin with in common, else what they end with, else the first of them.
fn stem(titles: &[&str]) -> String {
    let Some((first, others)) = titles.split_first() else { return String::new() };
    let shared = |from_start: bool| {
        others.iter().fold(first.chars().count(), |n, t| {
            let same = |(a, b): &(char, char)| a == b;
            if from_start {
                first.chars().zip(t.chars()).take_while(same).count().min(n)
            } else {
                first.chars().rev().zip(t.chars().rev()).take_while(same).count().min(n)
            }
        })
    };
    let all: Vec<char> = first.chars().collect();
    // A word is shared whole or not at all; a number is no part of a stem.
    let cut = |n: usize| all.get(n).is_some_and(|c| c.is_alphanumeric());
    let mut n = shared(true);
    while n > 0 && cut(n) && all[n - 1].is_ascii_alphanumeric() {
        n -= 1;
    }
    let head: String = all[..n].iter().collect();
    let head = head.trim_end_matches(|c: char| !c.is_alphanumeric() || c.is_numeric());
    if !head.is_empty() {
        return head.to_owned();
    }
    let mut from = all.len() - shared(false).min(all.len());
    while from > 0 && from < all.len() && all[from].is_ascii_alphanumeric() && all[from - 1].is_ascii_alphanumeric() {
        from += 1;
    }
    let tail: String = all[from..].iter().collect();
    let tail = tail.trim_start_matches(|c: char| !c.is_alphanumeric());
    if tail.is_empty() { (*first).to_owned() } else { tail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kin(title: &str) -> Kin<'_> {
        Kin { goal: 1, phase: "p", agent: "a", title }
    }

    fn found(titles: &[&str]) -> Vec<(String, usize)> {
        let kin: Vec<_> = titles.iter().map(|t| kin(t)).collect();
        let dag = Dag::new(vec![Vec::new(); titles.len()]);
        Twins::find(&dag, &kin).into_iter().map(|t| (t.stem, t.members.len())).collect()
    }

    #[test]
    fn titles_of_one_stem_are_twins_from_three_on() {
        assert_eq!(found(&["Fuzz shard 1", "Fuzz shard 2"]), []);
        assert_eq!(found(&["Fuzz shard 1", "Fuzz shard 2", "Fuzz shard 13"]), [("Fuzz shard".into(), 3)]);
        assert_eq!(found(&["Review src/a.rs", "Review lib_b", "Review `c`"]), [("Review".into(), 3)]);
        assert_eq!(found(&["Review the lexer", "Review the parser", "Review the printer"]), [("Review the".into(), 3)]);
        assert_eq!(found(&["1. part", "2. part", "3. part"]), [("part".into(), 3)]);
        assert_eq!(found(&["文書1を確認", "文書2を確認", "文書3を確認"]), [("文書".into(), 3)]);
        assert_eq!(found(&["Sensors", "Boards", "Radio"]), []);
        assert_eq!(found(&["What the class asked for", "What the team wants", "What a school needs"]), []);
    }

    #[test]
    fn twins_share_all_neighbours_agent_and_phase() {
        let titles = ["read 1", "read 2", "read 3", "read 4", "sum"];
        let mut kin: Vec<_> = titles.iter().map(|t| kin(t)).collect();
        let needs = |of: &[u32]| of.iter().copied().map(NodeIx).collect::<Vec<_>>();
        let dag = Dag::new(vec![vec![], vec![], vec![], vec![], needs(&[0, 1, 2])]);
        let of = |kin: &[Kin<'_>]| Twins::find(&dag, kin).into_iter().map(|t| t.members).collect::<Vec<_>>();
        assert_eq!(of(&kin), [needs(&[0, 1, 2])]);
        kin[1].agent = "b";
        assert!(of(&kin).is_empty());
    }
}
