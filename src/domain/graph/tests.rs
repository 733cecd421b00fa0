//! Properties of the drawings over generated graphs, and a few by hand.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Any graph of up to `n` nodes; needs name nodes at random, circles included.
fn any_dag(n: usize, wild: bool) -> impl Strategy<Value = Dag> {
    (1..n).prop_flat_map(move |n| {
        let needs = proptest::collection::vec(0..n as u32, 0..4);
        proptest::collection::vec(needs, n).prop_map(move |all| {
            let back = |i: usize, u: &u32| wild || (*u as usize) < i;
            Dag::new(
                all.iter()
                    .enumerate()
                    .map(|(i, l)| l.iter().filter(|u| back(i, u)).map(|u| NodeIx(*u)).collect())
                    .collect(),
            )
        })
    })
}

fn dag(needs: &[&[u32]]) -> Dag {
    Dag::new(needs.iter().map(|l| l.iter().map(|u| NodeIx(*u)).collect()).collect())
}

fn reaches(dag: &Dag) -> BTreeSet<(NodeIx, NodeIx)> {
    let mut out = BTreeSet::new();
    for v in dag.order() {
        for u in dag.needs(*v) {
            let before: Vec<_> = out.iter().filter(|(_, b)| b == u).map(|(a, _)| (*a, *v)).collect();
            out.extend(before);
            out.insert((*u, *v));
        }
    }
    out
}

proptest! {
    #[test]
    fn circles_are_cut_and_the_rest_is_kept(dag in any_dag(40, true)) {
        prop_assert_eq!(dag.order().len(), dag.len());
        let mut seen = BTreeSet::new();
        for v in dag.order() {
            prop_assert!(dag.needs(*v).iter().all(|u| seen.contains(u)));
            seen.insert(*v);
        }
    }

    #[test]
    fn only_what_others_imply_is_left_out(dag in any_dag(30, false)) {
        let reduced = dag.reduced();
        prop_assert_eq!(reaches(&dag), reaches(&reduced));
        for v in dag.nodes() {
            for u in reduced.needs(v) {
                let implied = reduced.needs(v).iter().any(|w| reaches(&reduced).contains(&(*u, *w)));
                prop_assert!(!implied, "{:?} to {:?}", u, v);
            }
        }
    }

    #[test]
    fn every_line_goes_right_and_no_place_is_taken_twice(dag in any_dag(40, true)) {
        let layout = Layout::of(&dag);
        prop_assert_eq!(&layout, &Layout::of(&dag));
        for layer in layout.layers() {
            prop_assert!(layer.windows(2).all(|w| w[0].row < w[1].row));
        }
        for v in dag.nodes() {
            let (layer, row) = layout.place(v).unwrap();
            let item = layout.layers()[layer as usize].iter().find(|i| i.row == row).unwrap();
            prop_assert_eq!(item.what, What::Node(v));
            for u in dag.needs(v) {
                let from = layout.place(*u).unwrap();
                prop_assert!(from.0 < layer);
                let way = layout.way(*u, v);
                prop_assert_eq!(way.len() as u32, layer - from.0);
                prop_assert_eq!(way.first().map(|w| w.1), Some(from.1));
                prop_assert_eq!(way.last().map(|w| w.2), Some(row));
                for (channel, a, b) in way {
                    let net = layout.channel(channel).iter().find(|n| n.targets.contains(&b)).unwrap();
                    prop_assert!(net.sources.contains(&a));
                }
            }
        }
    }

    #[test]
    fn lines_lead_to_none_but_those_that_need(dag in any_dag(25, false)) {
        let layout = Layout::of(&dag);
        let linked: BTreeSet<_> = dag.nodes().flat_map(|v| dag.needs(v).iter().map(move |u| (*u, v))).collect();
        for u in dag.nodes() {
            for v in dag.nodes() {
                prop_assert_eq!(!layout.way(u, v).is_empty(), linked.contains(&(u, v)), "{:?} to {:?}", u, v);
            }
        }
    }

    #[test]
    fn nets_of_a_track_do_not_meet(dag in any_dag(40, false)) {
        let layout = Layout::of(&dag);
        for layer in 0..layout.layers().len() {
            let nets = layout.channel(layer);
            for (i, a) in nets.iter().enumerate() {
                for b in nets[i + 1..].iter().filter(|b| b.track == a.track && !a.is_straight() && !b.is_straight()) {
                    prop_assert!(a.span().1 < b.span().0 || b.span().1 < a.span().0, "{:?} and {:?}", a, b);
                }
            }
        }
    }

    #[test]
    fn a_lane_that_starts_ends_and_holds_one_net(dag in any_dag(60, true)) {
        let rails = Rails::of(&dag);
        prop_assert_eq!(&rails, &Rails::of(&dag));
        prop_assert_eq!(rails.rows().len(), dag.len());
        let mut lanes: std::collections::BTreeMap<u32, usize> = Default::default();
        let mut joined: std::collections::BTreeMap<usize, u32> = Default::default();
        for (r, row) in rails.rows().iter().enumerate() {
            for u in dag.needs(row.node) {
                let above = rails.row_of(*u).unwrap();
                prop_assert!(above < r);
                prop_assert!(rails.rows()[above].into.contains(&row.from.unwrap()));
            }
            if let Some(net) = row.from {
                let n = rails.net(net).unwrap();
                prop_assert!((n.first as usize) < r && r <= n.last as usize);
                if n.last as usize == r && let Some(lane) = n.lane {
                    prop_assert_eq!(lanes.remove(&lane), Some(net));
                }
            }
            for net in &row.into {
                let n = rails.net(*net).unwrap();
                *joined.entry(*net).or_default() += 1;
                if n.first as usize == r && let Some(lane) = n.lane {
                    prop_assert_eq!(lanes.insert(lane, *net), None);
                }
            }
        }
        prop_assert!(lanes.is_empty());
    }

    #[test]
    fn a_window_of_the_rails_shows_what_the_whole_does(dag in any_dag(300, false), from in 0usize..300, rows in 1usize..40) {
        let rails = Rails::of(&dag);
        let to = (from + rows).min(dag.len());
        let whole = |i: &usize| {
            let n = rails.net(*i).unwrap();
            n.lane.is_some() && (n.first as usize) < to && n.last as usize >= from
        };
        let mut all: Vec<usize> = rails.rows().iter().flat_map(|r| r.into.iter().copied()).filter(whole).collect();
        all.sort_unstable();
        all.dedup();
        let mut seen = rails.seen(from, to);
        seen.sort_unstable();
        prop_assert_eq!(seen, all);
    }

    #[test]
    fn neighbours_are_those_within_the_steps(dag in any_dag(40, false), centre in 0usize..40, steps in 0u32..4) {
        let centre = NodeIx((centre % dag.len()) as u32);
        let near = around(&dag, centre, steps);
        prop_assert!(near.is_sorted() && near.contains(&centre));
        if steps == 1 {
            let mut by_hand: Vec<_> = dag.needs(centre).iter().chain(dag.feeds(centre)).copied().collect();
            by_hand.push(centre);
            by_hand.sort_unstable();
            prop_assert_eq!(near, by_hand);
        }
    }
}

#[test]
fn a_chain_is_one_straight_line() {
    let chain = dag(&[&[], &[0], &[1], &[2]]);
    let layout = Layout::of(&chain);
    assert_eq!(layout.rows(), 1);
    assert!((0..3).all(|l| layout.channel(l)[0].is_straight()));
    assert_eq!(Rails::of(&chain).lanes(), 1);
}

#[test]
fn who_needs_the_same_shares_a_net() {
    let all = dag(&[&[], &[], &[], &[0, 1, 2], &[0, 1, 2], &[3, 4]]);
    let layout = Layout::of(&all);
    assert_eq!((layout.channel(0).len(), layout.tracks(0)), (1, 1));
    assert_eq!(layout.channel(0)[0].sources.len(), 3);
    assert_eq!(Rails::of(&all).lanes(), 2);
}

#[test]
fn long_lines_to_one_place_share_their_pass() {
    // 0, 1, 2 go past the layer of 4 to 5.
    let long = dag(&[&[], &[], &[], &[], &[3], &[0, 1, 2, 4]]);
    let layout = Layout::of(&long);
    assert_eq!(layout.layers()[1].len(), 2);
    assert_eq!(layout.way(NodeIx(1), NodeIx(5)).len(), 2);
}

#[test]
fn ten_thousand_are_listed() {
    let needs = (0..10_000u32).map(|i| (1..4).filter_map(|k| i.checked_sub(k * 7 + i % 5)).map(NodeIx).collect());
    let wide = Dag::new(needs.collect());
    let rails = Rails::of(&wide.reduced());
    assert_eq!(rails.rows().len(), 10_000);
    assert!(rails.seen(5_000, 5_050).len() < 200, "a window costs what it shows");
}
