//! [`Hits`]: where a text that grows holds what is searched for; found in slices, each part searched once.
//!
//! Not here: highlighting. A line is searched by itself: a match never goes over its end. Invariants: matches are in
//! order and do not overlap; each lies on character boundaries; at most [`MAX_HITS`] are kept. Where the text's beginning is
//! no longer at hand, places count it all the same.

use std::ops::Range;

use super::search::Needle;

/// Matches kept; what a person pages through has far fewer, and a search for `e` must not fill the memory.
pub const MAX_HITS: usize = 1_000_000;

/// A line that grew longer than this many bytes is not searched again from its beginning.
const LONG_LINE: usize = 64 << 10;

/// The matches in a text. See the module's head.
#[derive(Clone, Debug)]
pub struct Hits {
    needle: Needle,
    /// The place of the text's first byte.
    base: usize,
    /// Where each begins, from there, and how long it is.
    found: Vec<(u32, u32)>,
    /// Up to here the text was searched; the line it stands in may have grown since.
    searched: usize,
    /// Where the last line begins that was searched before it had ended.
    line: usize,
}

impl Hits {
    /// Nothing searched yet, in a text whose first byte stands at the place `base`.
    pub fn new(text: &str, base: usize) -> Self {
        Self { needle: Needle::new(text), base, found: Vec::new(), searched: 0, line: 0 }
    }

    /// Searches up to about `limit` bytes more of `text`, which begins with what it was at the last call. Returns how
    /// many bytes were looked at.
    pub fn advance(&mut self, text: &str, limit: usize) -> usize {
        if self.is_done(text) {
            return 0;
        }
        let from = self.line;
        let keep = self.found.partition_point(|(at, _)| (*at as usize) < from);
        self.found.truncate(keep);
        let rest = text.get(from..).unwrap_or_default();
        let mut end = rest.len();
        if end > limit {
            // Up to the end of the line that the limit falls into.
            let cut = rest.floor_char_boundary(limit);
            end = rest.get(cut..).and_then(|tail| tail.find('\n')).map_or(rest.len(), |at| cut + at + 1);
        }
        let mut at = from;
        for line in rest.get(..end).unwrap_or_default().split_inclusive('\n') {
            let room = MAX_HITS.saturating_sub(self.found.len());
            let found = self.needle.matches(line.strip_suffix('\n').unwrap_or(line)).take(room);
            self.found.extend(found.map(|range| ((at + range.start) as u32, range.len() as u32)));
            if line.ends_with('\n') {
                self.line = at + line.len();
            }
            at += line.len();
        }
        self.searched = from + end;
        if self.searched - self.line > LONG_LINE {
            // A line without end is gone on with from a little before, not from its beginning.
            self.line = text.floor_char_boundary(self.searched - LONG_LINE / 2);
        }
        end
    }

    /// Whether all of `text` was searched, or as many were found as are kept.
    pub fn is_done(&self, text: &str) -> bool {
        self.searched >= text.len() || self.is_full()
    }

    /// Whether there are more than are kept.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_HITS
    }

    /// Bytes searched.
    pub fn searched(&self) -> usize {
        self.searched
    }

    /// How many were found.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// One of them, by its place in the order.
    pub fn get(&self, index: usize) -> Option<Range<usize>> {
        self.found.get(index).map(|hit| self.place(*hit))
    }

    /// How many begin before a byte.
    pub fn before(&self, byte: usize) -> usize {
        self.found.partition_point(|hit| self.place(*hit).start < byte)
    }

    fn place(&self, (at, len): (u32, u32)) -> Range<usize> {
        let start = self.base + at as usize;
        start..start + len as usize
    }

    /// Those that begin in a part of the text or reach into it.
    pub fn within(&self, part: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
        let first = self.found.partition_point(|hit| self.place(*hit).end <= part.start);
        let rest = self.found.get(first..).unwrap_or_default();
        rest.iter().map(|hit| self.place(*hit)).take_while(move |hit| hit.start < part.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(needle: &str, text: &str) -> Vec<Range<usize>> {
        let needle = Needle::new(needle);
        let mut at = 0;
        let mut all = Vec::new();
        for line in text.split('\n') {
            all.extend(needle.matches(line).map(|range| at + range.start..at + range.end));
            at += line.len() + 1;
        }
        all
    }

    #[test]
    fn matches_in_a_part_are_those_that_touch_it() {
        let mut hits = Hits::new("ab", 0);
        hits.advance("ab ab ab", 100);
        assert_eq!(hits.within(1..4).collect::<Vec<_>>(), [0..2, 3..5]);
        assert_eq!(hits.within(2..3).count(), 0);
        assert_eq!((hits.before(3), hits.get(1), hits.count()), (1, Some(3..5), 3));
    }

    proptest! {
        #[test]
        fn slices_of_a_growing_text_find_what_a_naive_search_finds(
            pieces in prop::collection::vec("[abAB é\n]{0,12}", 0..30),
            needle in "[abAé]{1,3}",
            limit in 1usize..20,
        ) {
            let mut text = String::new();
            let mut hits = Hits::new(&needle, 0);
            let mut looked = 0;
            for piece in pieces {
                text.push_str(&piece);
                looked += hits.advance(&text, limit);
            }
            while !hits.is_done(&text) {
                looked += hits.advance(&text, limit);
            }
            let all: Vec<_> = (0..hits.count()).filter_map(|i| hits.get(i)).collect();
            prop_assert_eq!(all, naive(&needle, &text));
            prop_assert_eq!(hits.advance(&text, limit), 0, "what was searched is not searched again");
            // Only a line that grows is looked at more than once.
            let longest = text.split('\n').map(str::len).max().unwrap_or(0);
            prop_assert!(looked <= text.len() + 30 * (longest + 1));
        }
    }
}
