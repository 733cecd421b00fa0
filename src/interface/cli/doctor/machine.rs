//! The machine's figures for `baton doctor`: each with who told it, or why nobody does.
//!
//! Not here: reading them (`engine/machine`). Invariant: what is not told is "–", with the reasons.

use std::time::{Duration, Instant};

use super::Finding;
use crate::domain::protocol::{Gpu, MachineSampled, Power, Pressure, ServerMemory, Supply};
use crate::engine::machine::{Figure, Reading, this_machine};

/// How busy the processors are is told between two looks; they are this far apart.
const APART: Duration = Duration::from_millis(300);

/// Looks at this machine, with the servers on these ports.
pub(super) fn look(ports: &[u16]) -> Vec<Finding> {
    let Some(mut probe) = this_machine() else {
        let mend = "nothing depends on it but the display of memory; macOS and Linux are read";
        return vec![Finding::warn("memory", "Baton can't read this system", mend)];
    };
    let began = Instant::now();
    probe.sample(Duration::ZERO, ports);
    std::thread::sleep(APART);
    findings(&probe.sample(began.elapsed(), ports))
}

fn findings(reading: &Reading) -> Vec<Finding> {
    let told = |figure: Figure| {
        let words = words(figure, &reading.sample);
        let source = reading.sources.get(&figure).filter(|_| words.is_some());
        let why = reading.notes.iter().filter(|n| n.figure == figure).map(|n| format!("{}: {}", n.source, n.why));
        let origin: Vec<String> = source.cloned().into_iter().chain(why).collect();
        let words = words.unwrap_or_else(|| "–".to_owned());
        let found = if origin.is_empty() { words } else { format!("{words} ({})", origin.join("; ")) };
        match (figure, reading.sample.pressure) {
            (Figure::Memory, _) if reading.told().is_none() => {
                Finding::warn(figure.word(), found, "nothing depends on it but the display of memory")
            }
            (Figure::Pressure, Some(Pressure::Warning | Pressure::Critical)) => {
                let mend = "close programs or stop a model server: models slow down many times when memory is swapped";
                Finding::warn(figure.word(), found, mend)
            }
            _ => Finding::ok(figure.word(), found),
        }
    };
    let battery = reading.sample.battery.map(|battery| {
        let runs = match battery.supply {
            Supply::Mains => "on mains",
            Supply::Battery => "in use",
        };
        let found = format!("{} %, {runs}", battery.percent);
        match battery.is_low() {
            true => Finding::warn("battery", found, "plug it in: what runs when it is empty is interrupted"),
            false => Finding::ok("battery", found),
        }
    });
    Figure::ALL.into_iter().map(told).chain(battery).collect()
}

/// A figure in words; none when it is not told.
fn words(figure: Figure, m: &MachineSampled) -> Option<String> {
    match figure {
        Figure::Memory => (m.total > 0).then(|| {
            let parts = [("app", m.app), ("wired", m.wired), ("compressed", m.compressed), ("cached", m.cached)];
            let parts: Vec<String> = parts.iter().map(|(name, bytes)| format!("{name} {}", gb(*bytes))).collect();
            format!("{} of {} used; {}", gb(Some(m.used)), gb(Some(m.total)), parts.join(", "))
        }),
        Figure::Swap => m.swap_used().map(|used| format!("{} of {} in use", gb(Some(used)), gb(m.swap_total))),
        Figure::Pressure => m.pressure.map(|p| p.word().to_owned()),
        Figure::Free => m.free_percent.map(|p| format!("{p} %")),
        Figure::Cpu => m.cpu_percent.map(|p| format!("{p} % busy")),
        Figure::Gpu => list(m.gpus.iter().map(gpu)),
        Figure::GpuLimit => m.gpu_limit().map(|l| gb(Some(l.bytes))),
        Figure::Power => power(m.power),
        Figure::Thermal => m.thermal.map(|t| t.word().to_owned()),
        Figure::Servers => list(m.servers.iter().map(server)),
    }
}

fn list(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn gpu(gpu: &Gpu) -> String {
    let mut words = vec![gpu.name.to_string()];
    words.extend(gpu.cores.map(|n| format!("{n} cores")));
    words.push(format!("{} active now", gb(gpu.active)));
    if gpu.unified {
        words.push(format!("{} reserved by all apps", gb(gpu.reserved)));
    }
    words.push(gpu.percent.map_or_else(|| "– busy".to_owned(), |p| format!("{p} % busy")));
    words.join(", ")
}

fn power(power: Power) -> Option<String> {
    let watts = |mw: Option<u32>| mw.map_or_else(|| "–".to_owned(), |mw| format!("{:.1} W", f64::from(mw) / 1e3));
    let parts = [("cpu", power.cpu), ("gpu", power.gpu), ("ane", power.ane), ("system", power.system)];
    (!power.is_unknown()).then(|| parts.map(|(name, mw)| format!("{name} {}", watts(mw))).join(", "))
}

fn server(s: &ServerMemory) -> String {
    let held = format!("footprint {}, resident {}", gb(s.footprint), gb(s.resident));
    let card = s.gpu.map(|bytes| format!(", {} on the card", gb(Some(bytes)))).unwrap_or_default();
    let below = match s.processes {
        0 | 1 => String::new(),
        n => format!(" and {} below it", n - 1),
    };
    format!("port {}: {held}{card}, pid {}{below}", s.port, s.pid)
}

fn gb(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{:.1} GB", bytes as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::machine::{Note, Probe, Recorded};

    fn lines(findings: &[Finding]) -> String {
        let line = |f: &Finding| format!("{} {:<12} {}\n", if f.ok { "ok  " } else { "warn" }, f.what, f.found);
        findings.iter().map(line).collect()
    }

    #[test]
    fn each_figure_is_told_with_its_source() {
        let mut probe = Recorded::read(include_str!("../../../../tests/machine/m3ultra_load.jsonl"));
        let first = probe.sample(Duration::ZERO, &[]);
        insta::assert_snapshot!(lines(&findings(&first)));
        let critical = (0..4).map(|_| probe.sample(Duration::ZERO, &[])).last().unwrap();
        let warned = findings(&critical);
        assert_eq!(warned.iter().filter(|f| !f.ok).map(|f| f.what).collect::<Vec<_>>(), ["pressure"]);
    }

    #[test]
    fn what_is_not_told_is_a_dash_with_the_reasons() {
        let note = |figure, source: &str, why: &str| Note { figure, source: source.to_owned(), why: why.to_owned() };
        let sample = MachineSampled { total: 8_000_000_000, used: 3_000_000_000, ..MachineSampled::default() };
        let notes = vec![
            note(Figure::Memory, "host_statistics64", "the kernel answers 5"),
            note(Figure::Gpu, "NVML", "no NVIDIA driver"),
        ];
        let sources = [(Figure::Memory, "vm_stat".to_owned())].into();
        insta::assert_snapshot!(lines(&findings(&Reading { sample, sources, notes })));
        assert!(!findings(&Reading::default())[0].ok);
    }
}
