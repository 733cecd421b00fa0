//! What a source costs, and when it may be asked again.
//!
//! Not here: when a reading is worth a record (`policy`). Invariant: asked as often as allowed, a source takes no more
//! than [`SHARE`] of one processor.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A source is asked again after this many times what it cost: 0.25 % of a processor, half of what all may take.
const SHARE: u32 = 400;

/// Processor time of this thread.
pub(super) fn thread_time() -> Duration {
    let spec = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(spec.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(spec.tv_sec).unwrap_or(0), nanos)
}

/// Which time a source costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// Processor time of this thread: for what is done in it, waiting left out.
    Thread,
    /// Time on the wall: for what other processes do meanwhile.
    #[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "only macOS has commands to fall back on"))]
    Wall,
}

/// What a slow source said last, kept until it may be asked again.
#[derive(Debug)]
pub(super) struct Kept<T> {
    said: Option<T>,
    /// When it may be asked again.
    next: Duration,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { said: None, next: Duration::ZERO }
    }
}

impl<T: Clone> Kept<T> {
    /// What it said last, or, once that is at least `age` old and the source rested long enough, what it says now.
    pub(super) fn get(&mut self, now: Duration, age: Duration, clock: Clock, ask: impl FnOnce() -> T) -> T {
        if let Some(said) = self.said.as_ref().filter(|_| now < self.next) {
            return said.clone();
        }
        let (thread, wall) = (thread_time(), Instant::now());
        let said = ask();
        let cost = match clock {
            Clock::Thread => thread_time().saturating_sub(thread),
            Clock::Wall => wall.elapsed(),
        };
        self.next = now.saturating_add(age.max(cost.saturating_mul(SHARE)));
        self.said.insert(said).clone()
    }

    /// Forgets what was said, so that the source is asked next time whatever it costs.
    pub(super) fn forget(&mut self) {
        self.said = None;
    }

    /// What it said last.
    pub(super) fn said(&self) -> Option<&T> {
        self.said.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_rests_until_its_answer_is_old_enough() {
        let mut kept = Kept::default();
        let second = Duration::from_secs(1);
        // A day is more than 400 times what this costs on any machine.
        let day = second * 86_400;
        assert_eq!(kept.get(second, day, Clock::Thread, || 1), 1);
        assert_eq!(kept.get(day, day, Clock::Thread, || 2), 1);
        assert_eq!(kept.get(day + second, day, Clock::Thread, || 3), 3);
        kept.forget();
        assert_eq!(kept.said(), None);
        assert_eq!(kept.get(day + second, day, Clock::Wall, || 4), 4);
    }

    #[test]
    fn the_dearer_a_source_the_longer_it_rests() {
        let mut kept = Kept::default();
        let mut cost = Duration::ZERO;
        kept.get(Duration::ZERO, Duration::ZERO, Clock::Thread, || {
            let before = thread_time();
            let mut n = 0u64;
            while cost < Duration::from_millis(2) {
                n = std::hint::black_box(n + 1);
                cost = thread_time().saturating_sub(before);
            }
        });
        assert!(kept.next >= cost * SHARE, "{:?} {cost:?}", kept.next);
    }
}
