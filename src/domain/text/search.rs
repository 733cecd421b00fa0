//! Plain search in a line: smart case, no patterns.
//!
//! Not here: fuzzy matching (lists use `nucleo`), highlighting, texts that grow ([`super::hits`]). Invariants: matches
//! are in order and do not overlap; each range lies on character boundaries of its line.

use std::ops::Range;

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

    proptest! {
        #[test]
        fn ignoring_case_agrees_with_folding(line in "[abcABC ]{0,30}", needle in "[abc]{1,3}") {
            let folded: Vec<_> = line.to_lowercase().match_indices(&needle).map(|(at, _)| (at, at + needle.len())).collect();
            prop_assert_eq!(all(&needle, &line), folded);
        }
    }
}
