//! When work is done at an endpoint that slows down for a while.
//!
//! Not here: how much work an answer is (`script`). Invariant: without a slowdown work takes its own time.

use std::time::{Duration, Instant};

use super::faults::Faults;

/// How fast an endpoint works over time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(Option<Slow>);

#[derive(Clone, Copy, Debug)]
struct Slow {
    from: Instant,
    until: Option<Instant>,
    factor: f64,
}

impl Pace {
    /// The pace of an endpoint with these faults, whose times count from `born`.
    pub(super) fn new(faults: &Faults, born: Instant) -> Self {
        Self(faults.slowdown.map(|slow| Slow {
            from: born + slow.from,
            until: slow.until.map(|until| born + until),
            factor: slow.factor,
        }))
    }

    /// When work is done that was begun at `start` and takes `work` at full speed.
    pub(super) fn done(&self, start: Instant, work: Duration) -> Instant {
        let Some(slow) = self.0 else { return start + work };
        let before = slow.from.saturating_duration_since(start);
        if work <= before {
            return start + work;
        }
        let (begin, left) = (start.max(slow.from), work - before);
        let stretched = left.mul_f64(slow.factor);
        let room = slow.until.map_or(Duration::MAX, |until| until.saturating_duration_since(begin));
        if stretched <= room { begin + stretched } else { begin + room + (left - room.div_f64(slow.factor)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_stretched_only_while_the_endpoint_is_slow() {
        let born = Instant::now();
        let done = |line: &str, start: u64, work: u64| {
            let pace = Pace::new(&line.parse().expect("parses"), born);
            let end = pace.done(born + Duration::from_secs(start), Duration::from_secs(work));
            end.duration_since(born).as_secs()
        };
        assert_eq!(done("", 3, 4), 7);
        // From 10 to 30 it does five seconds of work.
        for (start, work, end) in [(0, 10, 10), (8, 4, 18), (12, 1, 16), (10, 5, 30), (8, 10, 33), (30, 2, 32)] {
            assert_eq!(done("slowdown=10s:4:30s", start, work), end, "{work} s of work from {start}");
        }
        assert_eq!(done("slowdown=10s:4", 8, 10), 42);
    }
}
