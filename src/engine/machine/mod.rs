//! The machine: probes that read its figures, behind one trait, in a room (a thread) of their own.
//!
//! Not here: what the console makes of the figures, or what they forbid. Invariants: what can't be read is `None`, never
//! 0; a source that fails costs its figure only, and says why in a note; readings are taken where no loop waits for
//! them, at most 1/200 of the time.
//!
//! `apple`, `plist` and `proc` turn what systems say into figures and are tested anywhere; `macos`, `linux` and `nvidia`
//! do the asking, each where it can.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::fleet::Fleet;
pub use crate::domain::fleet::local_port;
use crate::domain::protocol::{MachineSampled, ServerMemory};

pub mod apple;
pub(crate) mod awake;
mod battery;
#[cfg(any(target_os = "macos", test))]
mod commands;
mod cost;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
mod nvidia;
pub mod plist;
mod policy;
pub mod proc;
pub mod processes;
mod recorded;
mod room;

pub use policy::{Pace, Sampler};
pub use recorded::Recorded;
pub use room::Room;

/// Something that can read the machine. It may wait, so it belongs in a [`Room`]; it may hold what can't leave its thread,
/// so it is made there.
pub trait Probe {
    /// A look at the machine `now`, counted from the first look, with the servers that listen on `ports`.
    fn sample(&mut self, now: Duration, ports: &[u16]) -> Reading;
}

/// A kind of figure, for telling where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// All memory, and how much of it is in use.
    Memory,
    /// Swap.
    Swap,
    /// The kernel's word on how hard memory is to get.
    Pressure,
    /// The share that is free.
    Free,
    /// How busy the processors are.
    Cpu,
    /// The graphics processors: memory and how busy they are.
    Gpu,
    /// How much memory the GPU can use.
    GpuLimit,
    /// What is drawn.
    Power,
    /// Heat.
    Thermal,
    /// What the model servers hold.
    Servers,
}

impl Figure {
    /// All, in the order they are told.
    pub const ALL: [Self; 10] = [
        Self::Memory,
        Self::Swap,
        Self::Pressure,
        Self::Free,
        Self::Cpu,
        Self::Gpu,
        Self::GpuLimit,
        Self::Power,
        Self::Thermal,
        Self::Servers,
    ];

    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Swap => "swap",
            Self::Pressure => "pressure",
            Self::Free => "free memory",
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::GpuLimit => "gpu limit",
            Self::Power => "power",
            Self::Thermal => "heat",
            Self::Servers => "servers",
        }
    }
}

/// A source that did not tell, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it should have told.
    pub figure: Figure,
    /// Who should have told it.
    pub source: String,
    /// Why it did not.
    pub why: String,
}

/// A look at the machine, with where each figure came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The figures.
    pub sample: MachineSampled,
    /// Who told each.
    #[serde(default)]
    pub sources: BTreeMap<Figure, String>,
    /// Who did not.
    #[serde(default)]
    pub notes: Vec<Note>,
}

impl Reading {
    /// The figures, unless not even memory was told: no machine runs this with none.
    pub fn told(&self) -> Option<&MachineSampled> {
        (self.sample.total > 0 && self.sample.used > 0).then_some(&self.sample)
    }

    /// Takes what a source says, and remembers that it came from there, or why it did not.
    fn take<T>(&mut self, figure: Figure, source: &str, said: Result<T, String>) -> Option<T> {
        match said {
            Ok(value) => {
                self.sources.insert(figure, source.to_owned());
                Some(value)
            }
            Err(why) => {
                self.notes.push(Note { figure, source: source.to_owned(), why });
                None
            }
        }
    }

    /// Takes what the servers hold.
    fn serve(&mut self, source: &str, ports: &[u16], servers: Vec<ServerMemory>) {
        if servers.len() < ports.len() {
            self.untold(Figure::Servers, source, "on some ports nobody listens, or a process of another user does");
        }
        if !servers.is_empty() {
            self.sources.insert(Figure::Servers, source.to_owned());
        }
        self.sample.servers = servers;
    }

    /// Remembers that nothing tells this figure here.
    fn untold(&mut self, figure: Figure, source: &str, why: &str) {
        self.notes.push(Note { figure, source: source.to_owned(), why: why.to_owned() });
    }
}

/// The probe of the machine this runs on; none on a system that Baton does not know.
pub fn this_machine() -> Option<Box<dyn Probe>> {
    #[cfg(target_os = "macos")]
    return Some(Box::new(macos::MacProbe::new()));
    #[cfg(target_os = "linux")]
    return Some(Box::new(linux::LinuxProbe::new()));
    #[cfg(not(any(target_os = "macos", target_os = "linux")))]
    None
}

/// The ports on this machine that a fleet's servers listen on; none for a simulated fleet, which loads nothing.
pub fn local_ports(fleet: &Fleet) -> Vec<u16> {
    if fleet.is_simulated() {
        return Vec::new();
    }
    let mut ports: Vec<u16> = fleet.endpoints.iter().filter_map(|e| local_port(&e.url)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_remembered_with_what_it_told_and_why_it_did_not() {
        let mut reading = Reading::default();
        let told = (reading.take(Figure::Cpu, "the kernel", Err::<u8, _>("refused".to_owned())))
            .or_else(|| reading.take(Figure::Cpu, "a command", Ok(7)));
        assert_eq!(told, Some(7));
        assert_eq!(reading.sources[&Figure::Cpu], "a command");
        let why = Note { figure: Figure::Cpu, source: "the kernel".to_owned(), why: "refused".to_owned() };
        assert_eq!(reading.notes, [why]);
        assert_eq!(reading.told(), None, "no memory was told");
    }

    #[test]
    fn this_machine_tells_its_memory_and_where_from() {
        let Some(mut probe) = this_machine() else { return };
        let reading = probe.sample(Duration::ZERO, &[]);
        let sample = reading.told().expect("a machine has memory");
        assert!(sample.used <= sample.total && sample.total > 1 << 20, "{sample:?}");
        assert!(reading.sources.contains_key(&Figure::Memory), "{reading:?}");
    }
}
