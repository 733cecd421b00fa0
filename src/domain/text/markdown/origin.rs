//! [`Origin`]: where the bytes of a rendered text come from in its source.
//!
//! Rendering takes marks away and puts signs in; what is searched, selected and copied is the source. Not here: rows.
//! Invariant: runs are in order of both the text and, within one block, the source.

use std::ops::Range;

/// Where each part of a text comes from. See the module's head.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    runs: Vec<Run>,
}

/// From byte `at` of the text on: byte for byte what stands at `from`; none: it stands nowhere in the source.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: usize,
    from: Option<usize>,
}

impl Origin {
    /// Of a text that stands at `from` of the source as it is.
    pub fn at(from: usize) -> Self {
        Self { runs: vec![Run { at: 0, from: Some(from) }] }
    }

    /// Of a text that stands nowhere in the source.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// A text of another origin follows on one of `len` bytes.
    pub(super) fn append(&mut self, len: usize, other: &Self) {
        if self.runs.is_empty() && other.runs.is_empty() {
            return;
        }
        if self.runs.is_empty() && len > 0 {
            self.runs.push(Run { at: 0, from: None });
        }
        let first = other.runs.first().is_none_or(|run| run.at > 0).then_some(Run { at: 0, from: None });
        for run in first.iter().chain(&other.runs) {
            let goes_on = self.runs.last().is_some_and(|last| match (last.from, run.from) {
                (Some(a), Some(b)) => a + (len + run.at - last.at) == b,
                (None, None) => true,
                _ => false,
            });
            if !goes_on {
                self.runs.push(Run { at: len + run.at, from: run.from });
            }
        }
    }

    /// The origin of a part of the text.
    pub(super) fn slice(&self, part: Range<usize>) -> Self {
        let first = self.runs.partition_point(|run| run.at <= part.start).saturating_sub(1);
        let mut runs = Vec::new();
        for run in self.runs.get(first..).unwrap_or_default().iter().take_while(|run| run.at < part.end) {
            let skipped = part.start.saturating_sub(run.at);
            let at = run.at.max(part.start) - part.start;
            runs.push(Run { at, from: run.from.map(|from| from + skipped) });
        }
        Self { runs }
    }

    /// The parts of a text of `len` bytes that stand in the source: bytes of the text, and where they begin there.
    pub fn parts(&self, len: usize) -> impl Iterator<Item = (Range<usize>, usize)> + '_ {
        self.runs.iter().enumerate().filter_map(move |(i, run)| {
            let end = self.runs.get(i + 1).map_or(len, |next| next.at).min(len);
            run.from.filter(|_| run.at < end).map(|from| (run.at..end, from))
        })
    }

    /// The source lies `by` bytes further on in a longer one.
    pub(super) fn shift(&mut self, by: isize) {
        for from in self.runs.iter_mut().filter_map(|run| run.from.as_mut()) {
            *from = from.saturating_add_signed(by);
        }
    }

    /// The part of the source that a text of `len` bytes spans.
    pub(super) fn span(&self, len: usize) -> Option<Range<usize>> {
        self.parts(len).map(|(part, from)| from..from + part.len()).reduce(join)
    }
}

/// The least range that holds both.
pub(super) fn join(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}
