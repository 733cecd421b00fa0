//! What a machine tells of itself: memory, processors, power, heat, and what its model servers hold.
//!
//! Not here: how it is read (`engine/machine`), or what follows from it. Invariants: memory is in bytes, shares in whole
//! percent, power in milliwatts; what the machine does not tell is `None`, never 0; journals written before a figure
//! existed read as if it had not been told.

use serde::{Deserialize, Serialize};

use crate::domain::text::CleanText;

/// One look at the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSampled {
    /// All memory; 0 only before the first look.
    pub total: u64,
    /// Memory in use, as the system's own monitor counts it: on macOS applications, wired and compressed; on Linux all
    /// that is not available.
    pub used: u64,
    /// Swap in use; 0 also where it is not told, see [`Self::swap_used`].
    pub swap: u64,
    /// All swap there is now; macOS adds to it as it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap_total: Option<u64>,
    /// Memory of applications that is not compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<u64>,
    /// Memory that can't be paged out: on macOS wired (with the GPU's working set), on Linux the kernel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wired: Option<u64>,
    /// What the compressed memory takes up, not what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compressed: Option<u64>,
    /// Files kept in memory, given up on demand; weights that are mapped from a file are here while nothing wires them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// The share of memory that the kernel counts as free or easily freed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_percent: Option<u8>,
    /// How hard the kernel finds it to give memory. Not the same as how much is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// How busy all processors together are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u8>,
    /// How much of all processors together the fleet's own model servers on this machine took, of [`Self::cpu_percent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers_percent: Option<u8>,
    /// How far the system slows itself down against heat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thermal: Option<Thermal>,
    /// What it draws.
    #[serde(default, skip_serializing_if = "Power::is_unknown")]
    pub power: Power,
    /// Its battery; none where there is none, or nobody tells of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery: Option<Battery>,
    /// Whether this session keeps it awake.
    #[serde(default, skip_serializing_if = "Vigil::is_none")]
    pub vigil: Vigil,
    /// Its graphics processors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
    /// The model servers on it, by port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerMemory>,
}

impl MachineSampled {
    /// Swap in use; none when it was not told. Journals that know no `swap_total` tell it only where some is in use.
    pub fn swap_used(&self) -> Option<u64> {
        (self.swap > 0 || self.swap_total.is_some()).then_some(self.swap)
    }

    /// How busy other work than the fleet's own servers keeps the processors: servers that compute on them are meant to. Where
    /// it is not told what they take, all that is busy.
    pub fn other_cpu_percent(&self) -> Option<u8> {
        Some(self.cpu_percent?.saturating_sub(self.servers_percent.unwrap_or(0)))
    }

    /// What the processes of the server on this port hold.
    pub fn server(&self, port: u16) -> Option<&ServerMemory> {
        self.servers.iter().find(|s| s.port == port)
    }

    /// The most memory that models can hold on the GPU, and who says so: all limits that are told, together.
    pub fn gpu_limit(&self) -> Option<GpuLimit> {
        let mut limits = self.gpus.iter().filter_map(|g| g.limit);
        let first = limits.next()?;
        Some(limits.fold(first, |sum, l| GpuLimit { bytes: sum.bytes.saturating_add(l.bytes), ..sum }))
    }
}

/// A battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Battery {
    /// How full, 0..=100.
    pub percent: u8,
    /// What the machine runs on.
    pub supply: Supply,
}

impl Battery {
    /// Below this, on battery, a machine with models at work is soon off.
    pub const LOW: u8 = 20;

    /// Whether it is soon empty.
    pub fn is_low(&self) -> bool {
        self.supply == Supply::Battery && self.percent < Self::LOW
    }
}

/// What a machine runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// The mains, or whatever charges it.
    Mains,
    /// Its battery.
    Battery,
}

/// Whether a session keeps its machine awake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vigil {
    /// It does not, or does not say.
    #[default]
    None,
    /// It does.
    Kept,
}

impl Vigil {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// How hard the kernel finds it to give memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pressure {
    /// It gives what is asked.
    Normal,
    /// It has to make room.
    Warning,
    /// It can hardly make room; programs stall, and may be ended.
    Critical,
}

impl Pressure {
    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Why fewer tasks start on this machine than could, and how many fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// Why.
    pub cause: ThrottleCause,
    /// How many fewer.
    pub grip: Grip,
}

/// Why fewer tasks start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleCause {
    /// All processors together are this busy with other work than the fleet's own servers, in percent.
    Cpu(u8),
    /// The kernel finds it hard to give memory.
    Memory(Pressure),
}

/// How many fewer tasks start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grip {
    /// No more than half of a server's slots, rounded up, are given out.
    Half,
    /// Nothing new starts.
    Stop,
}

impl std::fmt::Display for Throttle {
    /// Why, in words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.cause {
            ThrottleCause::Cpu(percent) => write!(f, "other work keeps the processors {percent} % busy"),
            ThrottleCause::Memory(pressure) => write!(f, "memory pressure is {}", pressure.word()),
        }
    }
}

/// How far the system slows itself down against heat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thermal {
    /// Not at all.
    Nominal,
    /// A little.
    Moderate,
    /// Much.
    Heavy,
    /// As far as it goes before it sleeps.
    Critical,
}

impl Thermal {
    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nominal => "nominal",
            Self::Moderate => "moderate",
            Self::Heavy => "heavy",
            Self::Critical => "critical",
        }
    }
}

/// What the machine draws, in milliwatts, averaged over the time the reading took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// The processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// The graphics processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<u32>,
    /// Apple's neural engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ane: Option<u32>,
    /// The whole machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<u32>,
}

impl Power {
    /// Whether nothing of it is told.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// A graphics processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// As it calls itself.
    pub name: CleanText,
    /// How many cores it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// It shares the machine's memory; else it has its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unified: bool,
    /// The most memory it can use. Of several that share the machine's memory only the first tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<GpuLimit>,
    /// Memory it works with now. On macOS this falls about a second after the last work: no sign that a model is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<u64>,
    /// Memory that all programs together reserved for it, in part address space only. Not a model's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<u64>,
    /// How busy it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

/// The most memory a GPU can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuLimit {
    /// That much.
    pub bytes: u64,
    /// Who says so.
    pub source: LimitSource,
}

/// Who says how much memory a GPU can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    /// The operator, by the sysctl `iogpu.wired_limit_mb`.
    Sysctl,
    /// Metal, as the largest working set it recommends.
    Metal,
    /// A model server, when it listed its devices.
    Server,
    /// The driver of a card with memory of its own.
    Driver,
    /// Nobody: the share of memory that macOS was seen to allow on machines of that size.
    Estimate,
}

impl LimitSource {
    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sysctl => "sysctl",
            Self::Metal => "Metal",
            Self::Server => "server",
            Self::Driver => "driver",
            Self::Estimate => "estimate",
        }
    }
}

/// What the processes of one server hold: the one that listens and all below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMemory {
    /// Where it listens on this machine.
    pub port: u16,
    /// The process that listens.
    pub pid: u32,
    /// How many processes were counted.
    pub processes: u32,
    /// What they would give back if they ended, swapped and compressed memory too. Weights mapped from a file are not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footprint: Option<u64>,
    /// What of them lies in memory now, weights mapped from a file too. What was compressed or belongs to the GPU is not
    /// in it on macOS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<u64>,
    /// What they hold in a card's own memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_knows_three_figures_still_reads_and_is_written_as_it_was() {
        let old = r#"{"total":25276502016,"used":1221730304,"swap":0}"#;
        let sample: MachineSampled = serde_json::from_str(old).unwrap();
        let want = MachineSampled { total: 25_276_502_016, used: 1_221_730_304, ..MachineSampled::default() };
        assert_eq!(sample, want);
        assert_eq!(serde_json::to_string(&sample).unwrap(), old);
        assert_eq!((sample.swap_used(), sample.gpu_limit(), sample.server(8083)), (None, None, None));
    }

    #[test]
    fn figures_of_a_later_version_are_passed_over() {
        let later =
            r#"{"total":8,"used":4,"swap":1,"fans":[1200],"gpus":[{"name":"G","neural":3}],"power":{"dram":9}}"#;
        let sample: MachineSampled = serde_json::from_str(later).unwrap();
        assert_eq!((sample.gpus[0].name.as_ref(), sample.power, sample.swap_used()), ("G", Power::default(), Some(1)));
    }

    #[test]
    fn limits_of_several_cards_add_up() {
        let card = |bytes| Gpu { limit: Some(GpuLimit { bytes, source: LimitSource::Driver }), ..Gpu::default() };
        let sample = MachineSampled { gpus: vec![card(24), Gpu::default(), card(16)], ..MachineSampled::default() };
        assert_eq!(sample.gpu_limit(), Some(GpuLimit { bytes: 40, source: LimitSource::Driver }));
    }
}
