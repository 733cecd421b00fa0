//! The lanes of the timeline: a slot of the fleet each, and which turns ran on it.
//!
//! Not here: columns ([`super::timeline`]). Invariant: a lane keeps its place as long as the fleet does.

use crate::domain::protocol::{AttemptEnd, AttemptId, Micros};
use crate::domain::state::{Attempt, EndpointIx, PoolIx, State, Step, Turn};

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The first endpoint of its pool.
    pub endpoint: EndpointIx,
    /// Its pool.
    pub pool: PoolIx,
    /// Which slot, from 0.
    pub slot: u16,
    /// How many slots its pool has.
    pub of: u16,
}

/// How what ran in a lane ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bar {
    /// With an answer, or between two turns of one.
    Done,
    /// It goes on elsewhere.
    Moved,
    /// It runs.
    Running,
    /// The operator stopped it.
    Cancelled,
    /// Its process ended under it.
    Interrupted,
    /// It failed.
    Failed,
}

impl Bar {
    /// Of a turn of an attempt; only the last turn ends as the attempt does.
    pub fn of(attempt: &Attempt, turn: usize) -> Self {
        let last = turn + 1 == attempt.steps.len();
        match attempt.ended.as_ref().map(|(_, end)| end) {
            None if last && attempt.steps.get(turn).and_then(Step::turn).is_some_and(|t| t.ended.is_none()) => {
                Self::Running
            }
            None | Some(AttemptEnd::Completed) => Self::Done,
            Some(_) if !last => Self::Done,
            Some(AttemptEnd::Failed(_)) => Self::Failed,
            Some(AttemptEnd::Cancelled) => Self::Cancelled,
            Some(AttemptEnd::Moved) => Self::Moved,
            Some(AttemptEnd::Interrupted) => Self::Interrupted,
        }
    }
}

/// The lanes of a fleet, and where each pool's begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// All of them, pool by pool.
    pub all: Vec<Lane>,
    first: Vec<usize>,
}

impl Lanes {
    /// A lane for each slot there is or was used.
    pub fn of(state: &State) -> Self {
        let mut slots: Vec<u16> =
            state.pools().iter().map(|p| u16::try_from(p.permits.len()).unwrap_or(u16::MAX).max(1)).collect();
        for (attempt, endpoint) in state.by_models() {
            let pool = state.endpoint(endpoint).pool;
            let used = attempt.turns().map(|t| t.slot + 1).max().unwrap_or(0);
            if let Some(slots) = slots.get_mut(pool.0 as usize) {
                *slots = (*slots).max(used);
            }
        }
        let mut lanes = Self::default();
        for (i, of) in slots.into_iter().enumerate() {
            let pool = PoolIx(i as u32);
            lanes.first.push(lanes.all.len());
            let endpoint = state.endpoints().iter().position(|e| e.pool == pool);
            let endpoint = EndpointIx(endpoint.unwrap_or(0) as u32);
            lanes.all.extend((0..of).map(|slot| Lane { endpoint, pool, slot, of }));
        }
        lanes
    }

    /// The lane a turn ran on.
    pub fn at(&self, state: &State, attempt: &Attempt, turn: &Turn) -> usize {
        let pool = state.place_of(attempt).map(|e| e.pool);
        pool.and_then(|pool| self.first.get(pool.0 as usize)).copied().unwrap_or(0) + usize::from(turn.slot)
    }
}

/// A turn of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whose.
    pub attempt: AttemptId,
    /// Which, from 0.
    pub turn: usize,
    /// When it began.
    pub from: Micros,
    /// When it ended, or now.
    pub to: Micros,
    /// How.
    pub bar: Bar,
}

/// All turns with their lanes, in the order of their attempts. `now` is the end of what goes on.
pub fn pieces<'a>(state: &'a State, lanes: &'a Lanes, now: Micros) -> impl Iterator<Item = (usize, Piece)> + 'a {
    state.by_models().flat_map(move |(attempt, _)| {
        attempt.turns().enumerate().map(move |(i, turn)| {
            // What its process left open ended with it.
            let end = turn.ended.as_ref().map(|(at, _)| *at).or(attempt.ended.as_ref().map(|(at, _)| *at));
            let piece = Piece {
                attempt: attempt.id,
                turn: i,
                from: turn.started_at,
                to: end.unwrap_or(now).max(turn.started_at),
                bar: Bar::of(attempt, i),
            };
            (lanes.at(state, attempt, turn), piece)
        })
    })
}
