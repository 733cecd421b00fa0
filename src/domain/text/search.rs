//! Plain search in lines: smart case, no patterns, incremental over a growing [`Transcript`].
//!
//! Not here: fuzzy matching (lists use `nucleo`), highlighting. Invariants: matches are in order and do not overlap;
//! each range lies on character boundaries of its line; at most [`MAX_MATCHES`] are kept.

use std::ops::Range;

use super::transcript::Transcript;

/// Matches kept; what a person pages through has far fewer, and a search for `e` must not fill the memory.
pub const MAX_MATCHES: usize = 100_000;

/// What is searched for. Smart case: only a needle with an upper-case letter minds case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// As written, or folded to lower case when case does not count.
    text: String,
    case: Case,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Counts,
    Ignored,
}

impl Needle {
    /// A needle for `text`. An empty one is found nowhere.
    pub fn new(text: &str) -> Self {
        if text.chars().any(char::is_uppercase) {
            Self { text: text.into(), case: Case::Counts }
        } else {
            Self { text: text.to_lowercase(), case: Case::Ignored }
        }
    }

    /// The first match in `line` at or after byte `from`.
    pub fn find(&self, line: &str, from: usize) -> Option<Range<usize>> {
        if self.text.is_empty() {
            return None;
        }
        let from = line.ceil_char_boundary(from.min(line.len()));
        let rest = line.get(from..)?;
        let found = match self.case {
            Case::Counts => rest.find(&self.text).map(|at| at..at + self.text.len()),
            Case::Ignored if self.text.is_ascii() => find_ascii(rest.as_bytes(), self.text.as_bytes()),
            Case::Ignored => find_folded(rest, &self.text),
        }?;
        Some(from + found.start..from + found.end)
    }

    /// All matches in `line`.
    pub fn matches<'a>(&'a self, line: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut at = 0;
        std::iter::from_fn(move || {
            let found = self.find(line, at)?;
            at = found.end;
            Some(found)
        })
    }
}

/// `needle` is lower case.
fn find_ascii(hay: &[u8], needle: &[u8]) -> Option<Range<usize>> {
    let (first, tail) = needle.split_first()?;
    let (lower, upper) = (*first, first.to_ascii_uppercase());
    let last = hay.len().checked_sub(needle.len())?;
    let mut at = 0;
    while at <= last {
        at += hay.get(at..=last)?.iter().position(|byte| *byte == lower || *byte == upper)?;
        let end = at + needle.len();
        if hay.get(at + 1..end).is_some_and(|there| there.eq_ignore_ascii_case(tail)) {
            return Some(at..end);
        }
        at += 1;
    }
    None
}

/// `needle` is lower case. A character whose lower case is several (`İ`) matches only as a whole.
fn find_folded(hay: &str, needle: &str) -> Option<Range<usize>> {
    hay.char_indices().find_map(|(start, _)| {
        let tail = hay.get(start..)?;
        let mut wanted = needle.chars();
        for (at, c) in tail.char_indices() {
            for folded in c.to_lowercase() {
                if wanted.next() != Some(folded) {
                    return None;
                }
            }
            if wanted.as_str().is_empty() {
                return Some(start..start + at + c.len_utf8());
            }
        }
        None
    })
}

/// One place where the needle was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The line, counted as [`Transcript::line`] counts.
    pub line: usize,
    /// Bytes of the line.
    pub range: Range<usize>,
}

/// A search over a transcript that keeps up with it.
#[derive(Clone, Debug)]
pub struct Search {
    needle: Needle,
    matches: Vec<Match>,
    /// The first line that is yet to be searched, or searched again since it may have grown.
    next: usize,
    /// What the transcript had dropped at the last update, in lines.
    dropped: u64,
}

impl Search {
    /// A search for `text` that has looked at nothing yet.
    pub fn new(text: &str) -> Self {
        Self { needle: Needle::new(text), matches: Vec::new(), next: 0, dropped: 0 }
    }

    /// What is searched for.
    pub fn needle(&self) -> &Needle {
        &self.needle
    }

    /// Searches what is new in `transcript`, always the same one: its last line and what came after.
    pub fn update(&mut self, transcript: &Transcript) {
        let gone = usize::try_from(transcript.dropped_lines().saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        if gone > 0 {
            self.dropped = transcript.dropped_lines();
            self.matches.drain(..self.matches.partition_point(|found| found.line < gone));
            for found in &mut self.matches {
                found.line -= gone;
            }
            self.next = self.next.saturating_sub(gone);
        }
        self.matches.truncate(self.matches.partition_point(|found| found.line < self.next));
        for line in self.next..transcript.lines() {
            let room = MAX_MATCHES.saturating_sub(self.matches.len());
            let Some(text) = transcript.line(line).filter(|_| room > 0) else { break };
            self.matches.extend(self.needle.matches(text).take(room).map(|range| Match { line, range }));
        }
        self.next = transcript.lines().saturating_sub(1);
    }

    /// How many matches there are; [`MAX_MATCHES`] means at least so many.
    pub fn count(&self) -> usize {
        self.matches.len()
    }

    /// All matches, in order.
    pub fn matches(&self) -> &[Match] {
        &self.matches
    }

    /// The matches in `line`.
    pub fn in_line(&self, line: usize) -> &[Match] {
        let start = self.matches.partition_point(|found| found.line < line);
        let end = self.matches.partition_point(|found| found.line <= line);
        self.matches.get(start..end).unwrap_or_default()
    }

    /// The index of the first match after byte `at` of `line`, or the first of all: `n` goes round.
    pub fn next_after(&self, line: usize, at: usize) -> Option<usize> {
        let index = self.matches.partition_point(|found| (found.line, found.range.start) <= (line, at));
        if index < self.matches.len() { Some(index) } else { (!self.matches.is_empty()).then_some(0) }
    }

    /// The index of the last match before byte `at` of `line`, or the last of all: `N` goes round.
    pub fn next_before(&self, line: usize, at: usize) -> Option<usize> {
        let index = self.matches.partition_point(|found| (found.line, found.range.start) < (line, at));
        index.checked_sub(1).or(self.matches.len().checked_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(needle: &str, line: &str) -> Vec<(usize, usize)> {
        Needle::new(needle).matches(line).map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn case_is_smart() {
        assert_eq!(all("error", "Error error ERROR"), [(0, 5), (6, 11), (12, 17)]);
        assert_eq!(all("Error", "Error error ERROR"), [(0, 5)]);
        assert_eq!(all("größe", "GRÖSSE Größe GRÖßE"), [(8, 15), (16, 23)]);
        assert_eq!(all("空白", "の空白の"), [(3, 9)]);
        assert_eq!(all("aa", "aaaaa"), [(0, 2), (2, 4)]);
        assert_eq!(all("i", "İ"), []);
        assert_eq!(all("", "text"), []);
        assert_eq!(all("longer", "long"), []);
    }

    #[test]
    fn it_goes_round() {
        let mut transcript = Transcript::new();
        transcript.push("a b a\nb\na");
        let mut search = Search::new("a");
        search.update(&transcript);
        assert_eq!(search.count(), 3);
        assert_eq!(search.next_after(0, 0), Some(1));
        assert_eq!(search.next_after(0, 4), Some(2));
        assert_eq!(search.next_after(2, 0), Some(0));
        assert_eq!(search.next_before(2, 0), Some(1));
        assert_eq!(search.next_before(0, 0), Some(2));
        assert_eq!(search.in_line(0).len(), 2);
        assert_eq!(search.in_line(1).len(), 0);
    }

    #[test]
    fn it_is_bounded() {
        let mut transcript = Transcript::new();
        transcript.push(&"e".repeat(MAX_MATCHES + 10));
        let mut search = Search::new("e");
        search.update(&transcript);
        assert_eq!(search.count(), MAX_MATCHES);
    }

    proptest! {
        #[test]
        fn step_by_step_finds_what_a_fresh_search_finds(
            pieces in prop::collection::vec("[abAB é\n]{0,12}", 0..30),
            needle in "[abAé]{1,3}",
        ) {
            let mut transcript = Transcript::with_cap(64);
            let mut search = Search::new(&needle);
            for piece in pieces {
                transcript.push(&piece);
                search.update(&transcript);
                let mut fresh = Vec::new();
                for line in 0..transcript.lines() {
                    let text = transcript.line(line).unwrap();
                    fresh.extend(all(&needle, text).into_iter().map(|(start, end)| Match { line, range: start..end }));
                }
                prop_assert_eq!(search.matches(), &fresh[..]);
            }
        }

        #[test]
        fn ignoring_case_agrees_with_folding(line in "[abcABC ]{0,30}", needle in "[abc]{1,3}") {
            let folded: Vec<_> = line.to_lowercase().match_indices(&needle).map(|(at, _)| (at, at + needle.len())).collect();
            prop_assert_eq!(all(&needle, &line), folded);
        }
    }
}
