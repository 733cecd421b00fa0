//! Linux: the files below `/proc`, and NVIDIA's cards.
//!
//! Not here: what the files mean (`proc`). What Linux does not tell without root (power of the processors) or has no word
//! for (heat) stays untold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

use super::battery::of_supplies;
use super::nvidia::{Cards, Told};
use super::proc::{Meminfo, Stalls, Ticks, held, listening, parent, socket, worked};
use super::processes::{Held, Processes, Servers, share};
use super::{Figure, Probe, Reading};

/// The machine as Linux tells it.
pub(super) struct LinuxProbe {
    proc: Proc,
    supplies: PathBuf,
    ticks: Option<Ticks>,
    /// What all processors together had since the last look.
    had: Option<Duration>,
    servers: Servers,
    cards: Result<Cards, String>,
}

impl LinuxProbe {
    /// This machine.
    pub(super) fn new() -> Self {
        let probe = Self::at("/proc".into(), Cards::open());
        Self { supplies: "/sys/class/power_supply".into(), ..probe }
    }

    fn at(root: PathBuf, cards: Result<Cards, String>) -> Self {
        let supplies = root.join("power_supply");
        Self { proc: Proc(root), supplies, ticks: None, had: None, servers: Servers::default(), cards }
    }

    fn memory(&self, reading: &mut Reading) {
        let Some(text) = reading.take(Figure::Memory, "/proc/meminfo", self.proc.text("meminfo")) else { return };
        let m = Meminfo::read(&text);
        let (Some(total), Some(used)) = (m.total, m.used()) else {
            reading.sources.remove(&Figure::Memory);
            return reading.untold(Figure::Memory, "/proc/meminfo", "MemTotal or MemAvailable is missing");
        };
        let sample = &mut reading.sample;
        (sample.total, sample.used) = (total, used);
        (sample.app, sample.wired, sample.compressed, sample.cached) = (m.app, m.kernel, m.zswap, m.cached);
        sample.free_percent = m.free_percent();
        (sample.swap, sample.swap_total) = (m.swap_used.unwrap_or(0), m.swap_used.and(m.swap_total));
        for (figure, told) in [(Figure::Swap, m.swap_used.is_some()), (Figure::Free, m.free_percent().is_some())] {
            let missing = "its lines are missing".to_owned();
            reading.take(figure, "/proc/meminfo", told.then_some(()).ok_or(missing));
        }
    }

    fn busy(&mut self, reading: &mut Reading) {
        self.had = None;
        let ticks = self.proc.text("stat").and_then(|t| Ticks::read(&t).ok_or("its first line is odd".to_owned()));
        let Some(ticks) = reading.take(Figure::Cpu, "/proc/stat", ticks) else { return };
        reading.sample.cpu_percent = self.ticks.and_then(|before| ticks.percent_since(&before));
        self.had = self.ticks.and_then(|before| ticks.all_since(&before)).map(time);
        self.ticks = Some(ticks);
    }

    fn graphics(&self, reading: &mut Reading) -> Told {
        let told = self.cards.as_ref().map_err(Clone::clone).and_then(Cards::ask);
        let Some(mut told) = reading.take(Figure::Gpu, "NVML", told) else { return Told::default() };
        reading.sources.insert(Figure::GpuLimit, "NVML: the cards' own memory".to_owned());
        if let Some(power) = told.power {
            reading.sample.power.gpu = Some(power);
            reading.sources.insert(Figure::Power, "NVML: the cards only".to_owned());
        }
        reading.sample.gpus = std::mem::take(&mut told.gpus);
        told
    }
}

impl Probe for LinuxProbe {
    fn sample(&mut self, now: Duration, ports: &[u16]) -> Reading {
        let mut reading = Reading::default();
        self.memory(&mut reading);
        self.busy(&mut reading);
        let stalls = self.proc.text("pressure/memory");
        let stalls = stalls.and_then(|t| Stalls::read(&t).ok_or("its lines are odd".to_owned()));
        let stalls = reading.take(Figure::Pressure, "/proc/pressure/memory, the last 10 s", stalls);
        reading.sample.pressure = stalls.map(|s| s.pressure());
        reading.sample.battery = of_supplies(&self.supplies);
        let cards = self.graphics(&mut reading);
        if !ports.is_empty() {
            let mut servers = self.servers.sample(now, ports, &mut self.proc);
            for server in &mut servers {
                let tree = self.servers.trees().iter().find(|(port, _)| *port == server.port);
                let pids = tree.into_iter().flat_map(|(_, pids)| pids);
                let held: Vec<u64> = pids.filter_map(|pid| cards.held.get(pid).copied()).collect();
                server.gpu = (!held.is_empty()).then(|| held.iter().fold(0, |sum: u64, b| sum.saturating_add(*b)));
            }
            reading.sample.servers_percent =
                self.servers.spent().zip(self.had).and_then(|(spent, had)| share(spent, had));
            reading.serve("/proc/net/tcp, /proc/<pid>/status", ports, servers);
        }
        if reading.sample.power.is_unknown() {
            reading.untold(Figure::Power, "powercap", "only root may read what the processors draw");
        }
        reading.untold(Figure::Thermal, "Linux", "it has no levels of heat");
        reading
    }
}

/// Ticks as time.
fn time(ticks: u64) -> Duration {
    Duration::from_secs(ticks) / u32::try_from(clock_ticks_per_second()).unwrap_or(100).max(1)
}

/// A folder such as `/proc`.
struct Proc(PathBuf);

impl Proc {
    fn text(&self, file: &str) -> Result<String, String> {
        let path = self.0.join(file);
        // Names of processes may be no UTF-8.
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn pids(&self) -> Vec<u32> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let mut pids: Vec<u32> = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
        pids.sort_unstable();
        pids
    }
}

impl Processes for Proc {
    fn listeners(&mut self, ports: &[u16]) -> BTreeMap<u16, u32> {
        let tables = ["net/tcp", "net/tcp6"].map(|file| self.text(file).unwrap_or_default());
        let wanted: BTreeMap<u64, u16> = (tables.iter().flat_map(|text| listening(text)))
            .filter(|(port, _)| ports.contains(port))
            .map(|(port, inode)| (inode, port))
            .collect();
        let mut found = BTreeMap::new();
        if wanted.is_empty() {
            return found;
        }
        let of = |link: &Path| socket(std::fs::read_link(link).ok()?.to_str()?);
        // Children may have inherited the socket; the one that opened it has the lowest id, nearly always.
        for pid in self.pids() {
            let Ok(files) = std::fs::read_dir(self.0.join(format!("{pid}/fd"))) else { continue };
            for port in files.flatten().filter_map(|f| wanted.get(&of(&f.path())?)) {
                found.entry(*port).or_insert(pid);
            }
        }
        found
    }

    fn parents(&mut self) -> Vec<(u32, u32)> {
        let parent_of = |pid: u32| Some((pid, parent(&self.text(&format!("{pid}/stat")).ok()?)?));
        self.pids().into_iter().filter_map(parent_of).collect()
    }

    fn held(&mut self, pid: u32) -> Option<Held> {
        let held = held(&self.text(&format!("{pid}/status")).ok()?)?;
        let worked = self.text(&format!("{pid}/stat")).ok().and_then(|text| worked(&text));
        Some(Held { worked: worked.map(time), ..held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Pressure;

    /// A folder like `/proc` with a server of two processes.
    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("meminfo", include_str!("../../../tests/machine/meminfo.txt"));
        write("stat", "cpu  100 0 100 700 100 0 0 0 0 0\n");
        let stalls =
            "some avg10=20.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=0\n";
        write("pressure/memory", stalls);
        write("net/tcp", include_str!("../../../tests/machine/net_tcp.txt"));
        write("410/stat", "410 (llama server) S 1 410 410 0 -1 4194304 500 0 0 0 100 20 0 0 20 0 3\n");
        write("411/stat", "411 (runner) S 410 410 410 0 -1 4194304 500 0 0 0 7000 80 0 0 20 0 3\n");
        for (pid, kb) in [(410, 1_000), (411, 16_000_000)] {
            write(
                &format!("{pid}/status"),
                &format!("VmRSS:\t {kb} kB\nRssAnon:\t {kb} kB\nRssFile:\t 0 kB\nRssShmem:\t 0 kB\nVmSwap:\t 24 kB\n"),
            );
        }
        std::fs::create_dir_all(root.path().join("410/fd")).unwrap();
        std::os::unix::fs::symlink("socket:[32689]", root.path().join("410/fd/3")).unwrap();
        root
    }

    #[test]
    fn a_machine_is_read_from_its_files() {
        let root = folder();
        let mut probe = LinuxProbe::at(root.path().to_owned(), Err("no driver".to_owned()));
        let first = probe.sample(Duration::ZERO, &[8083, 11434]);
        let m = first.told().unwrap();
        assert_eq!((m.total, m.swap_used(), m.free_percent), (25_276_502_016, Some(2_097_152 * 1024), Some(73)));
        assert_eq!((m.pressure, m.cpu_percent), (Some(Pressure::Warning), None));
        let server = m.server(8083).unwrap();
        assert_eq!((server.pid, server.processes, server.gpu), (410, 2, None));
        assert_eq!(server.footprint, Some((16_001_000 + 48) * 1024));
        assert_eq!(server.resident, Some(16_001_000 * 1024));
        assert_eq!(m.servers.len(), 1, "nobody holds the other socket open");
        assert_eq!(m.servers_percent, None);
        std::fs::write(root.path().join("stat"), "cpu  160 0 120 710 110 0 0 0 0 0\n").unwrap();
        // Of the 100 ticks that all processors had, 80 were busy, 61 of them in the server's processes.
        let runner = "411 (runner) S 410 410 410 0 -1 4194304 500 0 0 0 7060 81 0 0 20 0 3\n";
        std::fs::write(root.path().join("411/stat"), runner).unwrap();
        let second = probe.sample(Duration::from_secs(1), &[8083, 11434]);
        assert_eq!((second.sample.cpu_percent, second.sample.servers_percent), (Some(80), Some(61)));
        assert_eq!(second.sample.other_cpu_percent(), Some(19));
        assert!(second.sample.power.is_unknown() && second.sample.gpus.is_empty());
    }

    #[test]
    fn each_file_that_is_missing_costs_its_figure_and_leaves_a_note() {
        let root = folder();
        for file in ["pressure/memory", "stat", "net/tcp"] {
            std::fs::remove_file(root.path().join(file)).unwrap();
        }
        let mut probe = LinuxProbe::at(root.path().to_owned(), Err("no driver".to_owned()));
        let reading = probe.sample(Duration::ZERO, &[8083]);
        let m = reading.told().unwrap();
        assert_eq!((m.pressure, m.cpu_percent, m.servers.len()), (None, None, 0));
        let noted: Vec<_> = reading.notes.iter().map(|n| n.figure).collect();
        assert_eq!(
            noted,
            [Figure::Cpu, Figure::Pressure, Figure::Gpu, Figure::Servers, Figure::Power, Figure::Thermal]
        );
        std::fs::write(root.path().join("meminfo"), "MemTotal: 5 kB\n").unwrap();
        let reading = probe.sample(Duration::ZERO, &[]);
        assert!(reading.told().is_none() && !reading.sources.contains_key(&Figure::Memory));
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut proc = Proc("/proc".into());
        assert_eq!(proc.listeners(&[port]).get(&port), Some(&std::process::id()));
        let held = proc.held(std::process::id()).unwrap();
        assert!(held.resident > 1 << 20 && held.footprint > 1 << 18, "{held:?}");
        assert!(proc.parents().iter().any(|(pid, _)| *pid == std::process::id()));
    }
}
