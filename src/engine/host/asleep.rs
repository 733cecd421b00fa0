//! Whether the machine slept: two clocks, one of which stands still meanwhile.
//!
//! Session time is the clock that stands still, so every limit counts waking time. Not here: what follows (the
//! orchestrator). A wall clock that somebody sets is no sleep.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::orchestrator::Input;

/// A shorter sleep cuts no connection, and nobody misses it.
const GAP: Duration = Duration::from_secs(30);

/// The two clocks as they were last read.
pub(super) struct Asleep {
    waking: Instant,
    always: Duration,
}

impl Asleep {
    pub(super) fn new() -> Self {
        Self { waking: Instant::now(), always: always() }
    }

    /// That the machine slept since this was last asked, if it did.
    pub(super) fn look(&mut self) -> Option<Input> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.look_at(Instant::now(), always(), wall)
    }

    fn look_at(&mut self, waking: Instant, always: Duration, wall: Duration) -> Option<Input> {
        let awake = waking.saturating_duration_since(std::mem::replace(&mut self.waking, waking));
        let passed = always.saturating_sub(std::mem::replace(&mut self.always, always));
        let slept = passed.saturating_sub(awake);
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        (slept >= GAP).then(|| Input::Slept { wall_ms: ms(wall), slept_ms: ms(slept) })
    }
}

/// The time since some begin, sleep counted: on Linux the time since boot; what macOS calls monotonic goes on, too, while
/// [`Instant`] there stands still.
fn always() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_one_clock_misses_is_sleep() {
        let mut clocks = Asleep::new();
        let (waking, always) = (clocks.waking, clocks.always);
        let at = |s: u64| Duration::from_secs(s);
        // An hour of work, a nap too short to tell, and two hours with the lid shut.
        assert_eq!(clocks.look_at(waking + at(3_600), always + at(3_600), at(9_999)), None);
        assert_eq!(clocks.look_at(waking + at(3_601), always + at(3_621), at(1)), None);
        let woke = clocks.look_at(waking + at(3_602), always + at(3_621 + 7_200), at(50_000));
        assert_eq!(woke, Some(Input::Slept { wall_ms: 50_000_000, slept_ms: 7_199_000 }));
        assert_eq!(clocks.look_at(waking + at(3_603), always + at(3_622 + 7_200), at(50_001)), None);
        assert_eq!(Asleep::new().look(), None);
    }
}
