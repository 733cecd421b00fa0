//! How hard this machine is pressed, and how many fewer tasks are to start on it for that: with hysteresis, so that it
//! does not go to and fro.
//!
//! Samples are recorded on change only, so a level stands until the next one says otherwise; what is kept is since when
//! it stands. Not here: that it is looked at in time (the orchestrator's timers), which slots are given out
//! ([`super::admit`]). Invariants: what is wanted follows from the state and a time; a figure that is not told presses
//! nobody.

use serde::{Deserialize, Serialize};

use super::{EndpointState, State, Task};
use crate::domain::fleet::MachineSettings;
use crate::domain::protocol::{Grip, MachineSampled, Micros, Pressure, Throttle, ThrottleCause};

/// Since when the machine is hard pressed, or at ease; none: it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strain {
    /// Other work than the fleet's own servers keeps the processors as busy as throttles.
    hot: Option<Micros>,
    /// They are as idle as releases.
    cool: Option<Micros>,
    /// Memory pressure is normal.
    normal: Option<Micros>,
    /// It is below critical.
    eased: Option<Micros>,
}

impl Strain {
    pub(super) fn follow(&mut self, at: Micros, sample: &MachineSampled, settings: &MachineSettings) {
        let cpu = sample.other_cpu_percent().map(u32::from);
        let pressure = sample.pressure.unwrap_or(Pressure::Normal);
        let since = |was: Option<Micros>, is: bool| is.then(|| was.unwrap_or(at));
        let hot = cpu.is_some_and(|p| p >= settings.throttle_cpu_percent);
        self.hot = since(self.hot, hot);
        self.cool = since(self.cool, !hot && cpu.is_none_or(|p| p <= settings.release_cpu_percent));
        self.normal = since(self.normal, pressure == Pressure::Normal);
        self.eased = since(self.eased, pressure < Pressure::Critical);
    }
}

impl State {
    /// How many fewer tasks are to start at `now`, and why. Pressure grips at once and lets go, a step at a time, when it
    /// has been lower for as long as the settings say; the processors do both after that time.
    pub fn throttle_wanted(&self, now: Micros) -> Option<Throttle> {
        let settings = &self.config.machine;
        if self.machine_at.is_none() || !self.endpoints.iter().any(|e| e.config.is_here()) {
            return None;
        }
        let wait = Micros::from_secs(settings.throttle_seconds);
        let lasted = |since: Option<Micros>| since.is_some_and(|at| at.plus(wait) <= now);
        let pressure = match settings.throttle_pressure {
            true => self.pressure_that_grips(lasted),
            false => Pressure::Normal,
        };
        let grip = match pressure {
            Pressure::Normal => None,
            Pressure::Warning => Some(Grip::Half),
            Pressure::Critical => Some(Grip::Stop),
        };
        if let Some(grip) = grip {
            return Some(Throttle { cause: ThrottleCause::Memory(pressure), grip });
        }
        if settings.throttle_cpu_percent == 0 {
            return None;
        }
        match self.throttle.map(|t| t.cause) {
            Some(ThrottleCause::Cpu(_)) => self.throttle.filter(|_| !lasted(self.strain.cool)),
            _ => lasted(self.strain.hot).then(|| Throttle {
                cause: ThrottleCause::Cpu(self.machine.other_cpu_percent().unwrap_or(0)),
                grip: Grip::Half,
            }),
        }
    }

    fn pressure_that_grips(&self, lasted: impl Fn(Option<Micros>) -> bool) -> Pressure {
        let now = self.machine.pressure.unwrap_or(Pressure::Normal);
        let gripped = match self.throttle.map(|t| t.cause) {
            Some(ThrottleCause::Memory(pressure)) => pressure,
            _ => Pressure::Normal,
        };
        if now >= gripped || lasted(self.strain.normal) {
            now
        } else if gripped == Pressure::Critical && lasted(self.strain.eased) {
            Pressure::Warning
        } else {
            gripped
        }
    }

    /// When what is wanted may change though nothing else happens.
    pub fn throttle_due(&self, after: Micros) -> Option<Micros> {
        let wait = Micros::from_secs(self.config.machine.throttle_seconds);
        let Strain { hot, cool, normal, eased } = self.strain;
        let times = match self.throttle.map(|t| t.cause) {
            None => [hot, None],
            Some(ThrottleCause::Cpu(_)) => [cool, None],
            Some(ThrottleCause::Memory(_)) => [normal, eased],
        };
        times.into_iter().flatten().map(|since| since.plus(wait)).filter(|at| *at > after).min()
    }

    /// What keeps a task from a slot of an endpoint that would be free for it, because this machine is hard pressed:
    /// under half a grip only tasks that are new, and only where half of the slots are out.
    pub fn throttled(&self, task: &Task, e: &EndpointState) -> Option<Throttle> {
        let throttle = self.throttle.filter(|_| e.config.is_here())?;
        let closed = match throttle.grip {
            Grip::Stop => true,
            Grip::Half => self.between_turns(task).is_none() && self.half_is_out(e),
        };
        closed.then_some(throttle)
    }

    /// What keeps every new task from an endpoint's slots, because this machine is hard pressed.
    pub fn throttled_to_new(&self, e: &EndpointState) -> Option<Throttle> {
        let throttle = self.throttle.filter(|_| e.config.is_here())?;
        (throttle.grip == Grip::Stop || self.half_is_out(e)).then_some(throttle)
    }

    fn half_is_out(&self, e: &EndpointState) -> bool {
        let pool = self.pool(e.pool);
        pool.busy() >= pool.ceiling.div_ceil(2)
    }
}
