//! Session time: microseconds since the session began, from the monotonic clock.

use std::time::Instant;

use crate::domain::protocol::Micros;

/// Turns the machine's monotonic clock into session time. Copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    zero: Instant,
    base: Micros,
}

impl SessionClock {
    /// A session that begins, or goes on, from `at` now.
    pub fn from(at: Micros) -> Self {
        Self { zero: Instant::now(), base: at }
    }

    /// Session time now.
    pub fn now(&self) -> Micros {
        let elapsed = u64::try_from(self.zero.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.base.plus(Micros(elapsed))
    }

    /// The instant of a session time; none when it is too far away to be one.
    pub fn instant(&self, at: Micros) -> Option<Instant> {
        self.zero.checked_add(std::time::Duration::from_micros(at.since(self.base).0))
    }
}
