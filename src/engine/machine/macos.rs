//! macOS: what its kernel, IOKit, Metal and IOReport say, and its commands where a call fails. None of it needs root.
//!
//! The only file with `unsafe`: calls into the system that have no safe form. It fills structs and no more; what they mean
//! is in `apple`, which is tested anywhere. Invariants: every call's result is checked before what it filled is read; a
//! source that fails costs its own figure, and a note says so.

#![allow(unsafe_code, reason = "calls into macOS that no crate offers in a safe form")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use objc2_core_foundation::{CFDictionary, CFNumber, CFRetained, CFString, CFType, Type};
use objc2_io_kit::{
    IOIteratorNext, IOObjectRelease, IORegistryEntryCreateCFProperty, IOServiceGetMatchingServices, IOServiceMatching,
    kIOReturnSuccess,
};
use objc2_metal::{MTLCreateSystemDefaultDevice, MTLDevice};

use super::apple::{LimitClaims, Pages, Swap, absolute, gpu, gpus, listed_devices, number, percent, pressure, thermal};
use super::battery::of_pmset;
use super::commands::printed;
use super::cost::{Clock, Kept};
use super::proc::Ticks;
use super::processes::{Held, Processes, Servers, first_of_lsof, share};
use super::{Figure, Probe, Reading};
use crate::domain::protocol::{Gpu, LimitSource, Power};

/// A command that is asked instead of the kernel is asked again after this.
const COMMAND_AGE: Duration = Duration::from_secs(10);
/// Longer than any of the commands takes on a machine under pressure.
const COMMAND_LIMIT: Duration = Duration::from_secs(3);
/// Loads Metal, which may take seconds; asked once.
const SERVER_LIMIT: Duration = Duration::from_secs(10);
/// Power is an average over this; the thread waits meanwhile.
const POWER_WINDOW_MS: u32 = 250;
const POWER_AGE: Duration = Duration::from_secs(1);

// Without it Metal has no default device in a program without windows.
#[link(name = "CoreGraphics", kind = "framework")]
unsafe extern "C" {}

unsafe extern "C" {
    fn notify_register_check(name: *const c_char, token: *mut c_int) -> u32;
    fn notify_get_state(token: c_int, state: *mut u64) -> u32;
}

/// The machine as macOS tells it.
pub(super) struct MacProbe {
    host: libc::mach_port_t,
    ticks: Option<Ticks>,
    /// What all processors together had since the last look.
    had: Option<Duration>,
    heat: Option<c_int>,
    /// Metal's word, asked once; a later change by the operator shows in the sysctl, which goes first.
    metal: Option<u64>,
    server: Option<u64>,
    server_asked: bool,
    sampler: Result<macmon::Sampler, String>,
    watts: Kept<Result<Power, String>>,
    vm_stat: Kept<Result<String, String>>,
    swapusage: Kept<Result<String, String>>,
    ioreg: Kept<Result<String, String>>,
    pmset: Kept<Result<String, String>>,
    servers: Servers,
}

impl MacProbe {
    /// This machine.
    pub(super) fn new() -> Self {
        // SAFETY: it takes nothing and returns a port that stays valid for the life of the process.
        #[expect(deprecated, reason = "libc points to another crate for this one call")]
        let host = unsafe { libc::mach_host_self() };
        let sampler = caught("IOReport", macmon::Sampler::new);
        Self {
            host,
            ticks: None,
            had: None,
            heat: heat_token(),
            metal: MTLCreateSystemDefaultDevice().map(|device| device.recommendedMaxWorkingSetSize()),
            server: None,
            server_asked: false,
            sampler,
            watts: Kept::default(),
            vm_stat: Kept::default(),
            swapusage: Kept::default(),
            ioreg: Kept::default(),
            pmset: Kept::default(),
            servers: Servers::default(),
        }
    }

    fn memory(&mut self, now: Duration, reading: &mut Reading) {
        let total = reading.take(Figure::Memory, "hw.memsize", whole(c"hw.memsize")).or_else(|| {
            let said = printed("/usr/sbin/sysctl", &["-n", "hw.memsize"], COMMAND_LIMIT);
            let bytes = said.and_then(|t| number(&t).ok_or_else(|| "sysctl prints no number".to_owned()));
            reading.take(Figure::Memory, "sysctl hw.memsize", bytes)
        });
        let pages = reading.take(Figure::Memory, "host_statistics64", self.pages()).or_else(|| {
            let ask = || printed("/usr/bin/vm_stat", &[], COMMAND_LIMIT);
            let said = self.vm_stat.get(now, COMMAND_AGE, Clock::Wall, ask);
            let pages = said.and_then(|t| Pages::of_vm_stat(&t).ok_or_else(|| "its lines are odd".to_owned()));
            reading.take(Figure::Memory, "vm_stat", pages)
        });
        let (Some(total), Some(pages)) = (total.and_then(|t| u64::try_from(t).ok()), pages) else { return };
        let sample = &mut reading.sample;
        (sample.total, sample.used) = (total, pages.used().unwrap_or(0));
        (sample.app, sample.wired) = (pages.app(), pages.wired());
        (sample.compressed, sample.cached) = (pages.compressed(), pages.cached());
    }

    fn swap(&mut self, now: Duration, reading: &mut Reading) {
        let swap = reading.take(Figure::Swap, "vm.swapusage", swap_usage()).or_else(|| {
            let ask = || printed("/usr/sbin/sysctl", &["-n", "vm.swapusage"], COMMAND_LIMIT);
            let said = self.swapusage.get(now, COMMAND_AGE, Clock::Wall, ask);
            let swap = said.and_then(|t| Swap::of_sysctl(&t).ok_or_else(|| "its line is odd".to_owned()));
            reading.take(Figure::Swap, "sysctl vm.swapusage", swap)
        });
        if let Some(swap) = swap {
            (reading.sample.swap, reading.sample.swap_total) = (swap.used, Some(swap.total));
        }
    }

    fn kernel(&mut self, reading: &mut Reading) {
        let level = whole(c"kern.memorystatus_vm_pressure_level")
            .and_then(|level| pressure(level).ok_or_else(|| format!("level {level} has no name")));
        reading.sample.pressure = reading.take(Figure::Pressure, "kern.memorystatus_vm_pressure_level", level);
        let free = whole(c"kern.memorystatus_level")
            .and_then(|share| percent(share).ok_or_else(|| format!("{share} is no share")));
        reading.sample.free_percent = reading.take(Figure::Free, "kern.memorystatus_level", free);
        self.had = None;
        if let Some(ticks) = reading.take(Figure::Cpu, "host_statistics", self.load()) {
            reading.sample.cpu_percent = self.ticks.and_then(|before| ticks.percent_since(&before));
            // The kernel counts this load in hundredths of a second.
            let all = self.ticks.and_then(|before| ticks.all_since(&before));
            self.had = all.map(|ticks| Duration::from_secs(ticks) / 100);
            self.ticks = Some(ticks);
        }
        let heat = self.heat.ok_or_else(|| "notifyd gave no token".to_owned()).and_then(heat);
        reading.sample.thermal = reading.take(Figure::Thermal, "thermalpressurelevel", heat);
    }

    fn graphics(&mut self, now: Duration, reading: &mut Reading) {
        let told = reading.take(Figure::Gpu, "IOAccelerator", accelerators()).or_else(|| {
            let arguments = ["-a", "-r", "-d", "1", "-w", "0", "-c", "IOAccelerator"];
            let ask = || printed("/usr/sbin/ioreg", &arguments, COMMAND_LIMIT);
            let said = self.ioreg.get(now, COMMAND_AGE, Clock::Wall, ask);
            let found = said.map(|t| gpus(&t)).and_then(|g| match g.is_empty() {
                true => Err("it names no graphics processor".to_owned()),
                false => Ok(g),
            });
            reading.take(Figure::Gpu, "ioreg", found)
        });
        let mut told = told.unwrap_or_default();
        let sysctl_mb = whole(c"iogpu.wired_limit_mb").ok();
        if self.metal.is_none() && sysctl_mb.is_none_or(|mb| mb <= 0) && !self.server_asked {
            self.server_asked = true;
            let said = printed("llama-server", &["--list-devices"], SERVER_LIMIT);
            let bytes = said.map(|t| listed_devices(&t).first().map(|(_, bytes)| *bytes));
            let bytes = bytes.and_then(|b| b.ok_or_else(|| "it lists no device with memory".to_owned()));
            self.server = reading.take(Figure::GpuLimit, "llama-server --list-devices", bytes);
        }
        let claims = LimitClaims { sysctl_mb, metal: self.metal, server: self.server };
        let limit = claims.limit(reading.sample.total);
        if let Some(limit) = limit {
            let source = match limit.source {
                LimitSource::Sysctl => "sysctl iogpu.wired_limit_mb",
                LimitSource::Metal => "Metal: recommended largest working set",
                LimitSource::Server => "llama-server --list-devices",
                LimitSource::Driver | LimitSource::Estimate => "an estimate from the size of memory",
            };
            reading.sources.insert(Figure::GpuLimit, source.to_owned());
        }
        if told.is_empty() && limit.is_some() {
            // The limit is worth telling without the rest.
            told.push(gpu("GPU", None, |_| None));
        }
        if let Some(first) = told.first_mut() {
            first.limit = limit;
        }
        reading.sample.gpus = told;
    }

    fn power(&mut self, now: Duration, reading: &mut Reading) {
        let sampler = &mut self.sampler;
        let ask = || match sampler {
            Ok(sampler) => watts(sampler),
            Err(why) => Err(why.clone()),
        };
        let said = self.watts.get(now, POWER_AGE, Clock::Thread, ask);
        if let Some(power) = reading.take(Figure::Power, "IOReport and SMC, by macmon", said) {
            reading.sample.power = power;
        }
    }

    fn pages(&self) -> Result<Pages, String> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut s: libc::vm_statistics64 = unsafe { std::mem::zeroed() };
        let mut count: libc::mach_msg_type_number_t = libc::HOST_VM_INFO64_COUNT;
        // SAFETY: the pointer is to a struct of `count` integers, which lives through the call.
        let code =
            unsafe { libc::host_statistics64(self.host, libc::HOST_VM_INFO64, (&raw mut s).cast(), &raw mut count) };
        let size = rustix::param::page_size() as u64;
        let pages = |n: libc::natural_t| Some(u64::from(n));
        match code {
            libc::KERN_SUCCESS => Ok(Pages {
                size,
                wired: pages(s.wire_count),
                internal: pages(s.internal_page_count),
                external: pages(s.external_page_count),
                purgeable: pages(s.purgeable_count),
                compressor: pages(s.compressor_page_count),
            }),
            code => Err(format!("the kernel answers {code}")),
        }
    }

    fn load(&self) -> Result<Ticks, String> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut s: libc::host_cpu_load_info = unsafe { std::mem::zeroed() };
        let mut count: libc::mach_msg_type_number_t = libc::HOST_CPU_LOAD_INFO_COUNT;
        // SAFETY: the pointer is to a struct of `count` integers, which lives through the call.
        let code =
            unsafe { libc::host_statistics(self.host, libc::HOST_CPU_LOAD_INFO, (&raw mut s).cast(), &raw mut count) };
        if code != libc::KERN_SUCCESS {
            return Err(format!("the kernel answers {code}"));
        }
        // User, system, idle, nice.
        let [user, system, idle, nice] = s.cpu_ticks.map(u64::from);
        let busy = user + system + nice;
        Ok(Ticks { busy, all: busy + idle })
    }
}

impl Probe for MacProbe {
    fn sample(&mut self, now: Duration, ports: &[u16]) -> Reading {
        let mut reading = Reading::default();
        self.memory(now, &mut reading);
        self.swap(now, &mut reading);
        self.kernel(&mut reading);
        self.graphics(now, &mut reading);
        self.power(now, &mut reading);
        let ask = || printed("/usr/bin/pmset", &["-g", "batt"], COMMAND_LIMIT);
        let said = self.pmset.get(now, COMMAND_AGE, Clock::Wall, ask);
        reading.sample.battery = said.ok().and_then(|text| of_pmset(&text));
        if !ports.is_empty() {
            let servers = self.servers.sample(now, ports, &mut Libproc);
            reading.sample.servers_percent =
                self.servers.spent().zip(self.had).and_then(|(spent, had)| share(spent, had));
            reading.serve("libproc: sockets, proc_pid_rusage", ports, servers);
        }
        reading
    }
}

/// A whole number of the kernel's, of four bytes or eight.
fn whole(name: &CStr) -> Result<i64, String> {
    let mut bytes = [0u8; 8];
    let mut len = bytes.len();
    // SAFETY: the buffer has `len` bytes, the name ends with a zero, and nothing is set.
    let code =
        unsafe { libc::sysctlbyname(name.as_ptr(), bytes.as_mut_ptr().cast(), &raw mut len, std::ptr::null_mut(), 0) };
    match (code, len) {
        (0, 4) => {
            let [a, b, c, d, ..] = bytes;
            Ok(i64::from(i32::from_ne_bytes([a, b, c, d])))
        }
        (0, 8) => Ok(i64::from_ne_bytes(bytes)),
        (0, len) => Err(format!("{len} bytes are no number")),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}

fn swap_usage() -> Result<Swap, String> {
    // SAFETY: plain numbers, for which zero is a value.
    let mut s: libc::xsw_usage = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::xsw_usage>();
    // SAFETY: the pointer is to a struct of `len` bytes, the name ends with a zero, and nothing is set.
    let code = unsafe {
        libc::sysctlbyname(c"vm.swapusage".as_ptr(), (&raw mut s).cast(), &raw mut len, std::ptr::null_mut(), 0)
    };
    match (code, len == size_of::<libc::xsw_usage>()) {
        (0, true) => Ok(Swap { total: s.xsu_total, used: s.xsu_used }),
        (0, false) => Err(format!("{len} bytes are not what was asked for")),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}

/// By which fraction the kernel's units of absolute time are nanoseconds: 125/3 on Apple's chips, 1 on Intel's.
#[expect(deprecated, reason = "libc points to another crate for this one call")]
fn timebase() -> Option<(u32, u32)> {
    let mut base = libc::mach_timebase_info { numer: 0, denom: 0 };
    // SAFETY: the pointer is to a struct of two numbers, which lives through the call.
    let code = unsafe { libc::mach_timebase_info(&raw mut base) };
    (code == libc::KERN_SUCCESS).then_some((base.numer, base.denom))
}

fn heat_token() -> Option<c_int> {
    let mut token = 0;
    // SAFETY: the name ends with a zero, and the token is a number that lives through the call.
    let code = unsafe { notify_register_check(c"com.apple.system.thermalpressurelevel".as_ptr(), &raw mut token) };
    (code == 0).then_some(token)
}

fn heat(token: c_int) -> Result<crate::domain::protocol::Thermal, String> {
    let mut state = 0u64;
    // SAFETY: the token is one that was given, and the state is a number that lives through the call.
    let code = unsafe { notify_get_state(token, &raw mut state) };
    match (code, thermal(state)) {
        (0, Some(heat)) => Ok(heat),
        (0, None) => Err(format!("level {state} has no name")),
        (code, _) => Err(format!("notifyd answers {code}")),
    }
}

/// What every accelerator that IOKit knows says of itself.
fn accelerators() -> Result<Vec<Gpu>, String> {
    // SAFETY: the name ends with a zero.
    let matching = unsafe { IOServiceMatching(c"IOAccelerator".as_ptr()) }.ok_or("IOKit matches nothing")?;
    let matching = CFRetained::<CFDictionary>::from(&matching);
    let mut iterator = 0;
    // SAFETY: the dictionary is one that IOKit made, and the iterator is a number that lives through the call; port 0 is
    // the default.
    let code = unsafe { IOServiceGetMatchingServices(0, Some(matching), &raw mut iterator) };
    if code != kIOReturnSuccess || iterator == 0 {
        return Err(format!("IOKit answers {code}"));
    }
    let mut found = Vec::new();
    loop {
        let entry = IOIteratorNext(iterator);
        if entry == 0 {
            break;
        }
        let statistics = property(entry, "PerformanceStatistics").and_then(|p| p.downcast::<CFDictionary>().ok());
        let name = property(entry, "model").and_then(|p| p.downcast::<CFString>().ok()).map(|name| name.to_string());
        let cores = property(entry, "gpu-core-count").and_then(|p| integer(&p));
        IOObjectRelease(entry);
        if statistics.is_some() || name.is_some() {
            // SAFETY: keys of a registry entry's dictionary are strings, and every value is some object of Core Foundation.
            let statistics = statistics.as_ref().map(|s| unsafe { s.cast_unchecked::<CFString, CFType>() });
            let statistic = |key: &str| integer(&*statistics?.get(&CFString::from_str(key))?);
            found.push(gpu(name.as_deref().unwrap_or("GPU"), cores, statistic));
        }
    }
    IOObjectRelease(iterator);
    match found.is_empty() {
        true => Err("IOKit names no graphics processor".to_owned()),
        false => Ok(found),
    }
}

fn property(entry: objc2_io_kit::io_registry_entry_t, key: &str) -> Option<CFRetained<CFType>> {
    // SAFETY: the entry is one that the iterator gave and that was not released yet; no allocator is the default one.
    unsafe { IORegistryEntryCreateCFProperty(entry, Some(&CFString::from_str(key)), None, 0) }
}

fn integer(value: &CFType) -> Option<i64> {
    value.retain().downcast::<CFNumber>().ok()?.as_i64()
}

/// macmon reads private libraries and may panic on a chip it does not know.
fn caught<T>(what: &str, ask: impl FnOnce() -> Result<T, Box<dyn std::error::Error>>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(said) => said.map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(format!("{what}: it broke off; the log says where")),
    }
}

fn watts(sampler: &mut macmon::Sampler) -> Result<Power, String> {
    let m = caught("IOReport", || sampler.get_metrics(POWER_WINDOW_MS))?;
    let milli = |watts: f32| (watts.is_finite() && (0.0..1e6).contains(&watts)).then(|| (watts * 1e3).round() as u32);
    // Somebody has to draw something while this runs: all zero says that the chip or the system is not known.
    let known = [m.cpu_power, m.gpu_power, m.ane_power].iter().any(|w| *w > 0.0);
    let part = |watts: f32| milli(watts).filter(|_| known);
    let power = Power {
        cpu: part(m.cpu_power),
        gpu: part(m.gpu_power),
        ane: part(m.ane_power),
        system: milli(m.sys_power).filter(|mw| *mw > 0),
    };
    match power.is_unknown() {
        true => Err("it says 0 W for everything".to_owned()),
        false => Ok(power),
    }
}

/// Processes through libproc. What belongs to other users is not told.
struct Libproc;

impl Processes for Libproc {
    fn listeners(&mut self, ports: &[u16]) -> BTreeMap<u16, u32> {
        let mut found: BTreeMap<u16, u32> = BTreeMap::new();
        match listeners::get_all() {
            Ok(all) => {
                let listening = |l: &listeners::Listener| {
                    l.protocol == listeners::Protocol::TCP && l.state == listeners::SocketState::Listen
                };
                for l in all.iter().filter(|l| listening(l) && ports.contains(&l.socket.port())) {
                    // Children may have inherited the socket; the one that opened it has the lowest id, nearly always.
                    let pid = found.entry(l.socket.port()).or_insert(l.process.pid);
                    *pid = l.process.pid.min(*pid);
                }
            }
            Err(_) => {
                for port in ports {
                    let at = format!("-iTCP:{port}");
                    let arguments = ["-nP", &at, "-sTCP:LISTEN", "-t"];
                    let said = printed("/usr/sbin/lsof", &arguments, COMMAND_LIMIT).ok();
                    found.extend(said.as_deref().and_then(first_of_lsof).map(|pid| (*port, pid)));
                }
            }
        }
        found
    }

    fn parents(&mut self) -> Vec<(u32, u32)> {
        // SAFETY: no buffer is given; it only counts.
        let count = unsafe { libc::proc_listallpids(std::ptr::null_mut(), 0) };
        // Some may start meanwhile.
        let mut pids = vec![0i32; usize::try_from(count).unwrap_or(0) + 64];
        let bytes = c_int::try_from(size_of_val(pids.as_slice())).unwrap_or(0);
        // SAFETY: the buffer has that many bytes.
        let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), bytes) };
        pids.truncate(usize::try_from(count).unwrap_or(0));
        let parent = |pid: i32| {
            // SAFETY: plain numbers and letters, for which zero is a value.
            let mut info: libc::proc_bsdshortinfo = unsafe { std::mem::zeroed() };
            let size = c_int::try_from(size_of::<libc::proc_bsdshortinfo>()).ok()?;
            // SAFETY: the pointer is to a struct of `size` bytes, which lives through the call.
            let got = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDT_SHORTBSDINFO, 0, (&raw mut info).cast(), size) };
            (got == size).then_some((u32::try_from(pid).ok()?, info.pbsi_ppid))
        };
        pids.into_iter().filter_map(parent).collect()
    }

    fn held(&mut self, pid: u32) -> Option<Held> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut usage: libc::rusage_info_v4 = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a struct of the flavour that is named, which lives through the call.
        let code =
            unsafe { libc::proc_pid_rusage(c_int::try_from(pid).ok()?, libc::RUSAGE_INFO_V4, (&raw mut usage).cast()) };
        let units = usage.ri_user_time.saturating_add(usage.ri_system_time);
        (code == 0).then_some(Held {
            resident: usage.ri_resident_size,
            footprint: usage.ri_phys_footprint,
            worked: timebase().and_then(|(numer, denom)| absolute(units, numer, denom)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_mac_tells_what_every_mac_has() {
        let mut probe = MacProbe::new();
        probe.sample(Duration::ZERO, &[]);
        let reading = probe.sample(Duration::from_secs(60), &[]);
        let m = reading.told().expect("a Mac tells its memory");
        assert!(m.app.is_some() && m.wired.is_some() && m.compressed.is_some(), "{reading:?}");
        assert!(m.pressure.is_some() && m.free_percent.is_some() && m.swap_total.is_some(), "{reading:?}");
    }
}
