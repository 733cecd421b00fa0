//! The queues of what is ready: by where it goes, and for tasks that claim locks or paths by what they claim.
//!
//! Not here: who may start ([`State::admit`]), the order ([`QueuePlace`]). How it works: tasks that claim the same form a set.
//! While what it claims is free, the first task of each of its lanes is shown in that lane; the others stay behind it, for
//! they claim the same. While it is taken, none is. A release walks over the sets that are not shown, in the order of their
//! first tasks, a few in one decision, so that no input is held up by ten thousand tasks behind one lock. Invariants: a
//! ready task is in one lane, or in one set; all of it follows from the state and can be rebuilt from it.
//!
//! [`State::admit`]: crate::domain::state::State::admit

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::domain::protocol::{Claims, GoalId, TierName};
use crate::domain::state::{EndpointIx, QueuePlace, State, TaskIx};

/// Sets that a release looks at in one decision; the rest is looked at in the next one, asked for at once.
pub(super) const LOOKS: usize = 8;

/// Ready tasks that go to the same tier, or are placed on the same endpoint, and count against the same limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub goal: GoalId,
    pub tier: TierName,
    /// The one endpoint they go to; none: any of the tier.
    pub endpoint: Option<EndpointIx>,
}

/// A set's number.
pub(super) type SetIx = u32;

/// Tasks that claim the same.
#[derive(Clone, Debug, Default, PartialEq)]
struct ClaimSet {
    waiting: BTreeMap<Lane, BTreeSet<QueuePlace>>,
    shown: bool,
}

impl ClaimSet {
    fn first(&self) -> Option<QueuePlace> {
        self.waiting.values().filter_map(|places| places.first()).min().copied()
    }
}

/// The queues.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queues {
    /// What may be asked for a start, in order.
    lanes: BTreeMap<Lane, BTreeSet<QueuePlace>>,
    /// Where each ready task stands.
    places: Vec<Option<(Lane, QueuePlace, Option<SetIx>)>>,
    numbers: BTreeMap<Claims, SetIx>,
    sets: Vec<ClaimSet>,
    /// Sets that are not shown, by their first task.
    hidden: BTreeSet<(QueuePlace, SetIx)>,
    /// Sets that are, likewise.
    shown: BTreeSet<(QueuePlace, SetIx)>,
    /// A release is being looked at: from the first hidden set after this one.
    walk: Option<Option<(QueuePlace, SetIx)>>,
}

impl Queues {
    pub(super) fn grow(&mut self, n: usize) {
        if self.places.len() < n {
            self.places.resize(n, None);
        }
    }

    /// The lanes, and what of each may be asked for a start.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (&Lane, &BTreeSet<QueuePlace>)> {
        self.lanes.iter()
    }

    /// The ready tasks.
    pub(super) fn ready(&self) -> impl Iterator<Item = TaskIx> {
        self.places.iter().flatten().map(|(_, place, _)| place.task)
    }

    /// Where a ready task stands.
    pub(super) fn place(&self, ix: TaskIx) -> Option<&QueuePlace> {
        self.places.get(ix.0 as usize)?.as_ref().map(|(_, place, _)| place)
    }

    /// Whether a task is ready that goes where `lane` says.
    pub(super) fn any(&self, mut of: impl FnMut(&Lane) -> bool) -> bool {
        self.lanes.keys().any(&mut of) || self.sets.iter().flat_map(|set| set.waiting.keys()).any(of)
    }

    /// The set of what a task claims that begins; none: it claims nothing.
    pub(super) fn set_of(&mut self, ix: TaskIx, state: &State) -> Option<SetIx> {
        let form = &state.task(ix).spec;
        if form.locks.is_empty() && form.owns.is_empty() {
            return None;
        }
        let claims = form.claims();
        if let Some(number) = self.numbers.get(&claims) {
            return Some(*number);
        }
        let number = self.sets.len() as SetIx;
        self.sets.push(ClaimSet::default());
        self.numbers.insert(claims, number);
        Some(number)
    }

    /// Puts a ready task where it stands, in place of where it stood.
    pub(super) fn put(&mut self, lane: Lane, place: QueuePlace, set: Option<SetIx>, state: &State) {
        let slot = place.task.0 as usize;
        let same = self.places[slot].as_ref().is_some_and(|(l, p, s)| *l == lane && *p == place && *s == set);
        if same {
            return;
        }
        self.remove(place.task);
        match set {
            None => {
                self.lanes.entry(lane.clone()).or_default().insert(place);
            }
            Some(set) => {
                if self.sets[set as usize].waiting.is_empty() {
                    self.sets[set as usize].shown = state.lack_of(place.task).is_none();
                }
                self.change(set, |of| {
                    of.waiting.entry(lane.clone()).or_default().insert(place);
                });
            }
        }
        self.places[slot] = Some((lane, place, set));
    }

    /// Takes a task out.
    pub(super) fn remove(&mut self, ix: TaskIx) {
        let Some((lane, place, set)) = self.places.get_mut(ix.0 as usize).and_then(Option::take) else { return };
        match set {
            None => take(&mut self.lanes, &lane, &place),
            Some(set) => self.change(set, |of| take(&mut of.waiting, &lane, &place)),
        }
    }

    /// Gives ready tasks their new places.
    pub(super) fn replace(&mut self, state: &State, mut place: impl FnMut(TaskIx) -> QueuePlace) {
        for i in 0..self.places.len() {
            let Some((lane, old, set)) = &self.places[i] else { continue };
            let new = place(old.task);
            if new != *old {
                let (lane, set) = (lane.clone(), *set);
                self.put(lane, new, set, state);
            }
        }
    }

    /// Changes a set, and with it what of it is shown.
    fn change(&mut self, number: SetIx, how: impl FnOnce(&mut ClaimSet)) {
        let Some(set) = self.sets.get_mut(number as usize) else { return };
        if let Some(first) = set.first() {
            match set.shown {
                true => {
                    self.shown.remove(&(first, number));
                    for (lane, places) in &set.waiting {
                        if let Some(head) = places.first() {
                            take(&mut self.lanes, lane, head);
                        }
                    }
                }
                false => {
                    self.hidden.remove(&(first, number));
                }
            }
        }
        how(set);
        let Some(first) = set.first() else { return };
        match set.shown {
            true => {
                self.shown.insert((first, number));
                for (lane, places) in &set.waiting {
                    if let Some(head) = places.first() {
                        self.lanes.entry(lane.clone()).or_default().insert(*head);
                    }
                }
            }
            false => {
                self.hidden.insert((first, number));
            }
        }
    }

    /// What a ready task's set claims is taken: none of it is shown.
    pub(super) fn hide(&mut self, ix: TaskIx) {
        if let Some((.., Some(set))) = self.places.get(ix.0 as usize).and_then(Option::as_ref) {
            let set = *set;
            self.change(set, |of| of.shown = false);
        }
    }

    /// Something that was claimed may be free: hidden sets are looked at again, from the first.
    pub(super) fn released(&mut self) {
        self.walk = Some(None);
    }

    /// Whether sets are still to be looked at after a release.
    pub(super) fn walks(&self) -> bool {
        self.walk.is_some() && !self.hidden.is_empty()
    }

    /// Looks at the next hidden sets, [`LOOKS`] at the most, up to the first that is shown then. Returns whether one is.
    pub(super) fn look(&mut self, state: &State) -> bool {
        let Some(after) = self.walk else { return false };
        let next = self.hidden.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let next: Vec<(QueuePlace, SetIx)> = next.take(LOOKS).copied().collect();
        for (first, set) in &next {
            self.walk = Some(Some((*first, *set)));
            if state.lack_of(first.task).is_none() {
                self.change(*set, |of| of.shown = true);
                return true;
            }
        }
        if next.len() < LOOKS {
            self.walk = None;
        }
        false
    }

    /// The first tasks of the sets that stand before `place`, a few of each kind.
    pub(super) fn before(&self, place: &QueuePlace) -> Vec<TaskIx> {
        let of = |sets: &BTreeSet<(QueuePlace, SetIx)>| -> Vec<TaskIx> {
            sets.iter().take(LOOKS).filter(|(first, _)| first < place).map(|(first, _)| first.task).collect()
        };
        let mut before = of(&self.hidden);
        before.extend(of(&self.shown));
        before
    }
}

fn take(lanes: &mut BTreeMap<Lane, BTreeSet<QueuePlace>>, lane: &Lane, place: &QueuePlace) {
    if let Some(places) = lanes.get_mut(lane) {
        places.remove(place);
        if places.is_empty() {
            lanes.remove(lane);
        }
    }
}

#[cfg(test)]
impl Queues {
    /// Each ready task is in one queue, and what is shown of a set are the first of its lanes.
    pub(super) fn assert_true(&self, state: &State) {
        for (lane, place, set) in self.places.iter().flatten() {
            let in_lane = self.lanes.get(lane).is_some_and(|places| places.contains(place));
            match set {
                None => assert!(in_lane, "{} is in its lane", state.task(place.task).id),
                Some(set) => {
                    let set = &self.sets[*set as usize];
                    assert!(set.waiting[lane].contains(place));
                    assert_eq!(in_lane, set.shown && set.waiting[lane].first() == Some(place));
                    // Nothing idles behind a lock that is free, once the walk over what waits is done.
                    if self.walk.is_none() && !set.shown {
                        let first = set.first().unwrap();
                        assert!(state.lack_of(first.task).is_some(), "{} waits for nothing", state.task(first.task).id);
                    }
                }
            }
        }
        let listed = self.lanes.values().map(BTreeSet::len).sum::<usize>();
        let shown = self.sets.iter().filter(|set| set.shown).map(|set| set.waiting.len()).sum::<usize>();
        let free = self.places.iter().flatten().filter(|(.., set)| set.is_none()).count();
        assert_eq!(listed, shown + free);
    }
}
