//! A probe that plays readings from a file, for tests and screens: one JSON object a line, either a whole [`Reading`] or
//! only its figures as the journal has them.
//!
//! Invariants: it plays them in order and stays at the last; a line that can't be read is passed over with a note on
//! what follows it.

use std::time::Duration;

use super::{Figure, Note, Probe, Reading};

/// Readings to be played.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    readings: Vec<Reading>,
    next: usize,
}

impl Recorded {
    /// Reads them. Empty lines and lines that begin with `#` are passed over.
    pub fn read(text: &str) -> Self {
        let mut readings: Vec<Reading> = Vec::new();
        let mut notes = Vec::new();
        for (n, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let whole = serde_json::from_str::<Reading>(line);
            let figures = |_| serde_json::from_str(line).map(|sample| Reading { sample, ..Reading::default() });
            match whole.or_else(figures) {
                Ok(mut reading) => {
                    reading.notes.append(&mut notes);
                    readings.push(reading);
                }
                Err(error) => notes.push(Note {
                    figure: Figure::Memory,
                    source: format!("line {n} of the recording"),
                    why: error.to_string(),
                }),
            }
        }
        if let Some(last) = readings.last_mut() {
            last.notes.append(&mut notes);
        }
        Self { readings, next: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.readings.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }
}

impl Probe for Recorded {
    fn sample(&mut self, _: Duration, _: &[u16]) -> Reading {
        let at = self.next.min(self.readings.len().saturating_sub(1));
        self.next = self.next.saturating_add(1);
        self.readings.get(at).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{LimitSource, Pressure};
    use crate::engine::machine::apple::Pages;

    const LOAD: &str = include_str!("../../../tests/machine/m3ultra_load.jsonl");

    #[test]
    fn a_machine_under_load_is_played_to_the_byte() {
        let mut probe = Recorded::read(LOAD);
        let count = probe.len();
        let first = probe.sample(Duration::ZERO, &[]);
        let m = first.told().unwrap();
        let pages = Pages::of_vm_stat(include_str!("../../../tests/machine/vm_stat_m3ultra.txt")).unwrap();
        assert_eq!((m.app, m.wired, m.compressed), (pages.app(), pages.wired(), pages.compressed()));
        assert_eq!((Some(m.used), m.cached), (pages.used(), pages.cached()));
        assert_eq!(m.gpu_limit().map(|l| (l.bytes, l.source)), Some((239_143_780_352, LimitSource::Metal)));
        let mut pressures = vec![m.pressure];
        for _ in 1..count + 3 {
            let next = probe.sample(Duration::ZERO, &[]);
            let m = next.told().unwrap();
            let parts = [m.app, m.wired, m.compressed].into_iter().flatten().sum::<u64>();
            assert_eq!(m.used, parts, "used is the sum of its parts");
            assert!(m.used <= m.total && m.servers.iter().all(|s| s.footprint.is_some()));
            pressures.push(m.pressure);
        }
        assert!(pressures.contains(&Some(Pressure::Warning)) && pressures.contains(&Some(Pressure::Critical)));
        assert_eq!(probe.sample(Duration::ZERO, &[]), Recorded::read(LOAD.lines().last().unwrap()).readings[0]);
    }

    #[test]
    fn lines_that_can_not_be_read_are_noted_and_passed_over() {
        let text =
            "# a comment\n\n{\"total\":8,\"used\":-4,\"swap\":0}\n{\"total\":8,\"used\":4,\"swap\":0}\n{\"total\":";
        let mut probe = Recorded::read(text);
        let reading = probe.sample(Duration::ZERO, &[]);
        assert_eq!((probe.len(), reading.sample.used), (1, 4));
        let lines: Vec<_> = reading.notes.iter().map(|n| n.source.as_str()).collect();
        assert_eq!(lines, ["line 3 of the recording", "line 5 of the recording"]);
        assert!(Recorded::read("").is_empty());
        assert_eq!(Recorded::read("").sample(Duration::ZERO, &[]).told(), None);
    }
}
