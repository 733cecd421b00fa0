//! NVIDIA's cards, through NVML: the driver's own library, loaded when the probe is made.
//!
//! Invariants: without a driver there are no cards and the reason is kept; a figure that a card does not have costs only
//! itself; nothing of a card is changed.

use std::collections::BTreeMap;

use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::{Device, Nvml};

use crate::domain::protocol::{Gpu, GpuLimit, LimitSource};
use crate::domain::text::CleanText;

/// The driver's library.
pub(super) struct Cards(Nvml);

/// What all cards say.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Each card.
    pub(super) gpus: Vec<Gpu>,
    /// What they draw together, in milliwatts.
    pub(super) power: Option<u32>,
    /// What each process holds in their memory.
    pub(super) held: BTreeMap<u32, u64>,
}

impl Cards {
    /// Loads the library; the words are why it can't.
    pub(super) fn open() -> Result<Self, String> {
        Nvml::init().map(Self).map_err(|error| format!("no NVIDIA driver ({error})"))
    }

    /// Asks every card.
    pub(super) fn ask(&self) -> Result<Told, String> {
        let count = self.0.device_count().map_err(|error| error.to_string())?;
        let mut told = Told::default();
        for card in (0..count).filter_map(|n| self.0.device_by_index(n).ok()) {
            told.gpus.push(gpu(&card));
            if let Ok(power) = card.power_usage() {
                told.power = Some(told.power.unwrap_or(0).saturating_add(power));
            }
            for process in card.running_compute_processes().unwrap_or_default() {
                if let UsedGpuMemory::Used(bytes) = process.used_gpu_memory {
                    let held = told.held.entry(process.pid).or_default();
                    *held = held.saturating_add(bytes);
                }
            }
        }
        Ok(told)
    }
}

fn gpu(card: &Device<'_>) -> Gpu {
    let memory = card.memory_info().ok();
    let busy = card.utilization_rates().ok().map(|u| u.gpu.min(100));
    Gpu {
        name: CleanText::one_line(&card.name().unwrap_or_else(|_| "GPU".to_owned())),
        cores: None,
        unified: false,
        limit: memory.as_ref().map(|m| GpuLimit { bytes: m.total, source: LimitSource::Driver }),
        active: memory.as_ref().map(|m| m.used),
        reserved: None,
        percent: busy.and_then(|p| u8::try_from(p).ok()),
    }
}
