//! Session time by the wall clock: the begin of each process's life tells both, and so does each end of a sleep.
//!
//! Session time stands still while the machine sleeps and while no process has the session; the wall clock goes on.

use super::State;
use crate::domain::protocol::{Micros, SessionOpened};

impl State {
    /// A session time by the wall clock, in milliseconds since 1970; none before a process told when it began.
    pub fn wall_ms(&self, at: Micros) -> Option<u64> {
        let life = self.lives.iter().rev().find(|(began, _)| *began <= at).or(self.lives.first())?;
        Some(self.wall_of(life, at))
    }

    /// The same, in that life: at a moment where one ends and the next begins it is that of the one.
    pub fn wall_of(&self, life: &(Micros, SessionOpened), at: Micros) -> u64 {
        let slept = |(woke, _): &&(Micros, crate::domain::protocol::SessionSlept)| *woke <= at && *woke >= life.0;
        let anchor = self.naps.iter().rev().find(slept).map(|(woke, nap)| (*woke, nap.wall_ms));
        // A nap of the life before may have ended at the very moment this one began.
        let (since, wall_ms) = anchor.filter(|(_, ms)| *ms >= life.1.wall_ms).unwrap_or((life.0, life.1.wall_ms));
        wall_ms.saturating_add(at.since(since).0 / 1_000)
    }
}
