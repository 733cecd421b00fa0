//! The machine's memory: a probe that reads it, and the policy of when a reading is worth a record.
//!
//! Not here: what the console makes of it. Invariants: what can't be read is `None`, never 0; the policy looks at no clock.

use sysinfo::{MemoryRefreshKind, System};

use crate::domain::protocol::{MachineSampled, Micros};

/// Something that can read the machine's memory.
pub trait Probe: Send {
    /// A reading; none when the machine does not tell.
    fn sample(&mut self) -> Option<MachineSampled>;
}

/// The machine Baton runs on, through sysinfo. "Used" is what the system's own monitor calls so: on macOS application memory,
/// wired and compressed; on Linux all that is not available. On Linux swap that does not exist reads as 0 in use, which is true.
pub struct SystemProbe(System);

impl SystemProbe {
    /// A probe; none where the system offers no readings.
    pub fn new() -> Option<Self> {
        System::new().ok().map(Self)
    }
}

impl Probe for SystemProbe {
    fn sample(&mut self) -> Option<MachineSampled> {
        self.0.refresh_memory_specifics(MemoryRefreshKind::everything());
        let sample =
            MachineSampled { total: self.0.total_memory(), used: self.0.used_memory(), swap: self.0.used_swap() };
        // No machine runs this with no memory: a zero is a reading that failed.
        (sample.total > 0 && sample.used > 0).then_some(sample)
    }
}

/// Whether anything is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Attempts run: at most one record a second.
    Working,
    /// Nothing runs: at most one record in 30 s.
    Idle,
}

impl Pace {
    /// The least time between two records.
    pub const fn gap(self) -> Micros {
        match self {
            Self::Working => Micros::from_secs(1),
            Self::Idle => Micros::from_secs(30),
        }
    }
}

/// The most a reading may differ from the last recorded one without being worth a record, in bytes; on machines
/// below 25.6 GB one percent of the memory is less and counts.
const STEP: u64 = 256_000_000;

/// Decides which readings become records: the first, then those that differ by a step, none sooner than the pace allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampler {
    last: Option<(Micros, MachineSampled)>,
}

impl Sampler {
    /// When the next reading can matter; the probe need not be asked sooner.
    pub fn due(&self, pace: Pace) -> Micros {
        self.last.map_or(Micros(0), |(at, _)| at.plus(pace.gap()))
    }

    /// The reading, if it is worth a record at session time `now`.
    pub fn offer(&mut self, now: Micros, reading: Option<MachineSampled>, pace: Pace) -> Option<MachineSampled> {
        let reading = reading?;
        if now < self.due(pace) || self.last.is_some_and(|(_, last)| !differs(last, reading)) {
            return None;
        }
        self.last = Some((now, reading));
        Some(reading)
    }
}

fn differs(a: MachineSampled, b: MachineSampled) -> bool {
    let step = STEP.min(b.total / 100).max(1);
    a.total != b.total || a.used.abs_diff(b.used) >= step || a.swap.abs_diff(b.swap) >= step
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn reading(total: u64, used: u64) -> Option<MachineSampled> {
        Some(MachineSampled { total, used, swap: 0 })
    }

    #[test]
    fn a_reading_is_recorded_first_and_then_on_change_beyond_a_step() {
        let mut sampler = Sampler::default();
        let at = Micros::from_secs;
        assert_eq!(sampler.offer(at(0), reading(256 * GB, 10 * GB), Pace::Working), reading(256 * GB, 10 * GB));
        assert_eq!(sampler.offer(at(2), reading(256 * GB, 10 * GB + STEP - 1), Pace::Working), None);
        assert!(sampler.offer(at(2), reading(256 * GB, 10 * GB - STEP), Pace::Working).is_some());
        let mut small = Sampler::default();
        assert!(small.offer(at(0), reading(8 * GB, GB), Pace::Working).is_some());
        assert_eq!(small.offer(at(2), reading(8 * GB, GB + 79_999_999), Pace::Working), None);
        assert!(small.offer(at(2), reading(8 * GB, GB + 80_000_000), Pace::Working).is_some());
    }

    #[test]
    fn no_sooner_than_the_pace_allows() {
        let mut sampler = Sampler::default();
        assert!(sampler.offer(Micros(5), reading(8 * GB, GB), Pace::Idle).is_some());
        assert_eq!(sampler.offer(Micros(999_999), reading(8 * GB, 2 * GB), Pace::Working), None);
        assert_eq!(sampler.offer(Micros::from_secs(30), reading(8 * GB, 2 * GB), Pace::Idle), None);
        assert_eq!(sampler.due(Pace::Idle), Micros(30_000_005));
        assert!(sampler.offer(Micros(1_000_005), reading(8 * GB, 2 * GB), Pace::Working).is_some());
    }

    #[test]
    fn what_can_not_be_read_is_no_record() {
        assert_eq!(Sampler::default().offer(Micros(0), None, Pace::Working), None);
    }

    #[test]
    fn this_machine_tells_its_memory() {
        if let Some(sample) = SystemProbe::new().and_then(|mut probe| probe.sample()) {
            assert!(sample.used <= sample.total && sample.total > 1 << 20, "{sample:?}");
        }
    }
}
