//! Soft wrapping of one logical line into rows of a given width.
//!
//! Rows are byte ranges of the line: nothing is copied. A row ends at a space (the spaces at the break belong to no
//! row), after `-` or `/` inside a word, or between two wide characters (not before closing punctuation, not after
//! opening); a word wider than a row is broken between graphemes. A grapheme is never split.
//!
//! Not here: newlines (a logical line has none), styles. Invariants: rows are in order and do not overlap; what lies
//! between two is spaces; a row is wider than the width only if it is a single grapheme; there is at least one row.

use std::ops::Range;

use super::width::{graphemes, width};

/// The rows of `line` at `cells` per row (at least 1).
pub fn wrap(line: &str, cells: usize) -> Rows<'_> {
    Rows { line, cells: cells.max(1), at: Some(0) }
}

/// How many rows `line` takes at `cells` per row: 1 or more.
pub fn row_count(line: &str, cells: usize) -> usize {
    // Most lines fit; that is quickly told.
    if line.len() <= cells { 1 } else { wrap(line, cells).count() }
}

/// The rows of one line; see [`wrap`].
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    line: &'a str,
    cells: usize,
    /// Where the next row begins; `None` after the last.
    at: Option<usize>,
}

impl Iterator for Rows<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at?;
        let (end, next) = self.row(start);
        self.at = next;
        Some(start..end)
    }
}

/// A place where a row may end: what the row then holds ends at `end`, the next row begins at `next`.
#[derive(Clone, Copy)]
struct Break {
    end: usize,
    next: usize,
}

impl Rows<'_> {
    /// The end of the row that begins at `start`, and the start of the next.
    fn row(&self, start: usize) -> (usize, Option<usize>) {
        let rest = self.line.get(start..).unwrap_or_default();
        // Shorter in bytes than the row is in cells: no cluster is wider than its bytes.
        if rest.len() <= self.cells || (rest.len() <= self.cells * 4 && width(rest) <= self.cells) {
            return (self.line.len(), None);
        }
        let mut taken = 0;
        let mut spaces_from = None;
        let mut word_seen = false;
        let mut last_break: Option<Break> = None;
        let mut before = Before::Start;
        for g in graphemes(rest) {
            let at = start + g.at;
            if g.text == " " {
                let from = *spaces_from.get_or_insert(at);
                if taken + 1 > self.cells {
                    // The row is full just where spaces stand: they are the break, all of them.
                    let end = if word_seen { from } else { at };
                    let tail = self.line.get(at..).unwrap_or_default();
                    // By cluster: a space may carry a mark, and is no space then.
                    let next = graphemes(tail).find(|g| g.text != " ").map(|g| at + g.at);
                    return (end, next);
                }
                taken += 1;
                before = Before::Space;
                continue;
            }
            if let Some(from) = spaces_from.take() {
                if word_seen {
                    last_break = Some(Break { end: from, next: at });
                }
            } else if at > start && before.may_break(g.text, g.cells) {
                last_break = Some(Break { end: at, next: at });
            }
            if taken + g.cells > self.cells && at > start {
                return match last_break {
                    Some(Break { end, next }) => (end, Some(next)),
                    None => (at, Some(at)),
                };
            }
            taken += g.cells;
            word_seen = true;
            before = Before::of(g.text, g.cells);
        }
        // Trailing spaces that fit stay: the line ends there.
        (self.line.len(), None)
    }
}

/// The kind of the grapheme before a possible break.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Start,
    Space,
    Word,
    /// `-` or `/` after a word.
    Hyphen,
    Wide,
    /// Wide punctuation that opens: it stays with what follows.
    Opening,
}

impl Before {
    fn of(grapheme: &str, cells: usize) -> Self {
        match grapheme {
            "-" | "/" => Self::Hyphen,
            "「" | "『" | "（" | "【" | "《" | "〈" | "〔" | "［" | "｛" => Self::Opening,
            _ if cells >= 2 => Self::Wide,
            _ => Self::Word,
        }
    }

    fn may_break(self, after: &str, cells: usize) -> bool {
        let closing = matches!(
            after,
            "、" | "。"
                | "，"
                | "．"
                | "："
                | "；"
                | "！"
                | "？"
                | "」"
                | "』"
                | "）"
                | "】"
                | "》"
                | "〉"
                | "〕"
                | "］"
                | "｝"
                | "ー"
                | "…"
                | ","
                | "."
                | ")"
                | "]"
                | "!"
                | "?"
                | ":"
                | ";"
        );
        match self {
            Self::Start | Self::Space | Self::Opening => false,
            Self::Hyphen => after.chars().next().is_some_and(char::is_alphabetic),
            Self::Wide => !closing,
            Self::Word => cells >= 2 && !closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    fn rows(line: &str, cells: usize) -> Vec<&str> {
        wrap(line, cells).map(|range| &line[range]).collect()
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(rows("", 5), [""]);
        assert_eq!(rows("one two three", 7), ["one two", "three"]);
        assert_eq!(rows("one two three", 8), ["one two", "three"]);
        assert_eq!(rows("one   two", 4), ["one", "two"]);
        assert_eq!(rows("  indented text", 10), ["  indented", "text"]);
        assert_eq!(rows("   indented", 6), ["   ind", "ented"]);
        assert_eq!(rows("trailing    ", 9), ["trailing"]);
        assert_eq!(rows("          ", 4), ["    "]);
    }

    #[test]
    fn long_words_break() {
        assert_eq!(rows("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(rows("a abcdefgh", 3), ["a", "abc", "def", "gh"]);
        assert_eq!(rows("src/domain/text", 8), ["src/", "domain/", "text"]);
        assert_eq!(rows("well-known fact", 7), ["well-", "known", "fact"]);
        assert_eq!(rows("from -1 to", 6), ["from", "-1 to"]);
    }

    #[test]
    fn wide_text_breaks_anywhere_but_at_punctuation() {
        assert_eq!(rows("空白の扱いが", 5), ["空白", "の扱", "いが"]);
        assert_eq!(rows("空白。扱い", 4), ["空", "白。", "扱い"]);
        assert_eq!(rows("空「白」", 4), ["空", "「白", "」"]);
        assert_eq!(rows("空", 1), ["空"]);
    }

    #[test]
    fn graphemes_are_not_split() {
        assert_eq!(rows("👩‍🚀👩‍🚀👩‍🚀", 4), ["👩‍🚀👩‍🚀", "👩‍🚀"]);
        assert_eq!(rows("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
    }

    proptest! {
        #[test]
        fn rows_keep_the_text_and_the_width(
            line in "([a-z]{1,12}| {1,3}|[空白「」。]|👩‍🚀|e\u{301}|-|/|🇩🇪|\u{301}){0,30}",
            cells in 1usize..20,
        ) {
            let clusters: Vec<usize> = line.grapheme_indices(true).map(|(at, _)| at).chain([line.len()]).collect();
            let mut at = 0;
            let mut count = 0;
            for range in wrap(&line, cells) {
                prop_assert!(line[at..range.start].chars().all(|c| c == ' '));
                prop_assert!(clusters.contains(&range.start) && clusters.contains(&range.end));
                let row = &line[range.clone()];
                prop_assert!(width(row) <= cells || row.graphemes(true).count() == 1, "{row:?} at {cells}");
                prop_assert!(!row.is_empty() || line.is_empty());
                at = range.end;
                count += 1;
            }
            prop_assert!(line[at..].chars().all(|c| c == ' '));
            prop_assert_eq!(count, row_count(&line, cells));
        }
    }
}
