//! When a reading is worth a record: by how much each figure must have moved, and how often at most.
//!
//! Not here: reading. Invariant: it looks at no clock.

use crate::domain::protocol::{Gpu, MachineSampled, Micros, Power, ServerMemory};

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

/// The most that memory may differ from the last record without being worth one, in bytes; on machines below 25.6 GB
/// one percent of the memory is less and counts.
const BYTES: u64 = 256_000_000;
/// For shares, in percent; what is free moves slowly and means more.
const PERCENT: u8 = 10;
const FREE_PERCENT: u8 = 2;
/// For power, in milliwatts; an M3 Ultra draws 10 W idle and 250 W under load.
const MILLIWATTS: u32 = 5_000;

/// Decides which readings become records: the first, then those that differ by a step, none sooner than the pace allows.
#[derive(Clone, Debug, Default)]
pub struct Sampler {
    last: Option<(Micros, MachineSampled)>,
}

impl Sampler {
    /// When the next reading can matter; the probe need not be asked sooner.
    pub fn due(&self, pace: Pace) -> Micros {
        self.last.as_ref().map_or(Micros(0), |(at, _)| at.plus(pace.gap()))
    }

    /// Whether the reading is worth a record at session time `now`; if so it is what the next ones are held against.
    pub fn offer(&mut self, now: Micros, reading: &MachineSampled, pace: Pace) -> bool {
        if now < self.due(pace) || self.last.as_ref().is_some_and(|(_, last)| !differs(last, reading)) {
            return false;
        }
        self.last = Some((now, reading.clone()));
        true
    }
}

fn differs(a: &MachineSampled, b: &MachineSampled) -> bool {
    let step = BYTES.min(b.total / 100).max(1);
    let bytes = |a: Option<u64>, b: Option<u64>| moved(a, b, |a, b| a.abs_diff(b) >= step);
    a.total != b.total
        || a.pressure != b.pressure
        || a.thermal != b.thermal
        || a.battery != b.battery
        || a.vigil != b.vigil
        || bytes(Some(a.used), Some(b.used))
        || bytes(Some(a.swap), Some(b.swap))
        || bytes(a.swap_total, b.swap_total)
        || bytes(a.app, b.app)
        || bytes(a.wired, b.wired)
        || bytes(a.compressed, b.compressed)
        || bytes(a.cached, b.cached)
        || percent(a.free_percent, b.free_percent, FREE_PERCENT)
        || percent(a.cpu_percent, b.cpu_percent, PERCENT)
        || percent(a.servers_percent, b.servers_percent, PERCENT)
        || power(a.power, b.power)
        || any(&a.gpus, &b.gpus, |a, b| gpu(a, b, step))
        || any(&a.servers, &b.servers, |a, b| server(a, b, step))
}

/// Whether a figure moved, or began or ceased to be told.
fn moved<T>(a: Option<T>, b: Option<T>, far: impl Fn(T, T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => far(a, b),
        (None, None) => false,
        _ => true,
    }
}

fn percent(a: Option<u8>, b: Option<u8>, step: u8) -> bool {
    moved(a, b, |a, b| a.abs_diff(b) >= step)
}

fn power(a: Power, b: Power) -> bool {
    let far = |a, b| moved(a, b, |a: u32, b: u32| a.abs_diff(b) >= MILLIWATTS);
    far(a.cpu, b.cpu) || far(a.gpu, b.gpu) || far(a.ane, b.ane) || far(a.system, b.system)
}

fn any<T>(a: &[T], b: &[T], far: impl Fn(&T, &T) -> bool) -> bool {
    a.len() != b.len() || a.iter().zip(b).any(|(a, b)| far(a, b))
}

fn gpu(a: &Gpu, b: &Gpu, step: u64) -> bool {
    let bytes = |a: Option<u64>, b: Option<u64>| moved(a, b, |a, b| a.abs_diff(b) >= step);
    a.name != b.name
        || a.limit != b.limit
        || bytes(a.active, b.active)
        || bytes(a.reserved, b.reserved)
        || percent(a.percent, b.percent, PERCENT)
}

fn server(a: &ServerMemory, b: &ServerMemory, step: u64) -> bool {
    let bytes = |a: Option<u64>, b: Option<u64>| moved(a, b, |a, b| a.abs_diff(b) >= step);
    (a.port, a.pid, a.processes) != (b.port, b.pid, b.processes)
        || bytes(a.footprint, b.footprint)
        || bytes(a.resident, b.resident)
        || bytes(a.gpu, b.gpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{GpuLimit, LimitSource, Pressure, Thermal};

    const GB: u64 = 1_000_000_000;

    fn reading(total: u64, used: u64) -> MachineSampled {
        MachineSampled { total, used, ..MachineSampled::default() }
    }

    #[test]
    fn a_reading_is_recorded_first_and_then_on_change_beyond_a_step() {
        let mut sampler = Sampler::default();
        let at = Micros::from_secs;
        assert!(sampler.offer(at(0), &reading(256 * GB, 10 * GB), Pace::Working));
        assert!(!sampler.offer(at(2), &reading(256 * GB, 10 * GB + BYTES - 1), Pace::Working));
        assert!(sampler.offer(at(2), &reading(256 * GB, 10 * GB - BYTES), Pace::Working));
        let mut small = Sampler::default();
        assert!(small.offer(at(0), &reading(8 * GB, GB), Pace::Working));
        assert!(!small.offer(at(2), &reading(8 * GB, GB + 79_999_999), Pace::Working));
        assert!(small.offer(at(2), &reading(8 * GB, GB + 80_000_000), Pace::Working));
    }

    #[test]
    fn no_sooner_than_the_pace_allows() {
        let mut sampler = Sampler::default();
        assert!(sampler.offer(Micros(5), &reading(8 * GB, GB), Pace::Idle));
        assert!(!sampler.offer(Micros(999_999), &reading(8 * GB, 2 * GB), Pace::Working));
        assert!(!sampler.offer(Micros::from_secs(30), &reading(8 * GB, 2 * GB), Pace::Idle));
        assert_eq!(sampler.due(Pace::Idle), Micros(30_000_005));
        assert!(sampler.offer(Micros(1_000_005), &reading(8 * GB, 2 * GB), Pace::Working));
    }

    #[test]
    fn each_figure_has_its_step() {
        let limit = |bytes| Some(GpuLimit { bytes, source: LimitSource::Metal });
        let base = MachineSampled {
            swap_total: Some(GB),
            app: Some(60 * GB),
            wired: Some(100 * GB),
            compressed: Some(GB),
            cached: Some(36 * GB),
            free_percent: Some(40),
            pressure: Some(Pressure::Normal),
            cpu_percent: Some(50),
            servers_percent: Some(40),
            thermal: Some(Thermal::Nominal),
            power: Power { cpu: Some(40_000), gpu: Some(90_000), ane: Some(0), system: Some(200_000) },
            gpus: vec![Gpu {
                limit: limit(239 * GB),
                active: Some(104 * GB),
                reserved: Some(118 * GB),
                percent: Some(97),
                ..Gpu::default()
            }],
            servers: vec![ServerMemory {
                port: 8083,
                pid: 7,
                processes: 2,
                footprint: Some(16 * GB),
                resident: Some(9 * GB),
                gpu: None,
            }],
            ..reading(256 * GB, 170 * GB)
        };
        type Change = fn(&mut MachineSampled);
        let small: [Change; 9] = [
            |m| m.servers_percent = Some(49),
            |m| m.wired = m.wired.map(|b| b + BYTES - 1),
            |m| m.free_percent = Some(41),
            |m| m.cpu_percent = Some(59),
            |m| m.power.gpu = Some(94_999),
            |m| m.gpus[0].active = Some(104 * GB + BYTES - 1),
            |m| m.gpus[0].percent = Some(88),
            |m| m.servers[0].footprint = Some(16 * GB - BYTES + 1),
            |m| m.swap += BYTES - 1,
        ];
        for (n, change) in small.into_iter().enumerate() {
            let mut next = base.clone();
            change(&mut next);
            assert!(!differs(&base, &next), "small change {n}");
        }
        let large: [Change; 17] = [
            |m| m.servers_percent = Some(50),
            |m| m.wired = m.wired.map(|b| b + BYTES),
            |m| m.app = None,
            |m| m.compressed = Some(2 * GB),
            |m| m.cached = Some(35 * GB),
            |m| m.free_percent = Some(38),
            |m| m.pressure = Some(Pressure::Warning),
            |m| m.cpu_percent = Some(60),
            |m| m.thermal = Some(Thermal::Moderate),
            |m| m.power.ane = None,
            |m| m.power.system = Some(205_000),
            |m| m.gpus[0].limit = Some(GpuLimit { bytes: 239 * GB, source: LimitSource::Sysctl }),
            |m| m.gpus[0].percent = Some(87),
            |m| m.gpus.clear(),
            |m| m.servers[0].pid = 8,
            |m| m.servers[0].resident = Some(8 * GB),
            |m| m.servers[0].gpu = Some(0),
        ];
        for (n, change) in large.into_iter().enumerate() {
            let mut next = base.clone();
            change(&mut next);
            assert!(differs(&base, &next), "large change {n}");
        }
    }
}
