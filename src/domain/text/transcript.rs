//! [`Transcript`]: streamed text as logical lines of clean text, within a bound.
//!
//! All text lies in one buffer, cut into lines by offsets. Past the cap (of bytes, or of lines) the oldest lines go, an
//! eighth of the cap at a time, and are counted. Lines are numbered from the first one kept: when lines are dropped, numbers shift by as many
//! ([`Transcript::dropped_lines`] tells by how many since the start).
//!
//! Not here: where the text comes from, rows ([`super::rows`]), the whole text of a task (the journal has it).
//! Invariants: there is always a last line, perhaps empty; no line is longer than [`MAX_LINE`]; memory stays within the
//! cap and a little.

use super::clean::CleanText;
use super::sanitize::Sanitizer;
use super::width::char_width;

/// Bytes of text kept by default: several hours of one model's output.
pub const DEFAULT_CAP: usize = 8 << 20;
/// Lines kept at most: a stream of empty lines must not cost more in offsets than the text may.
pub const MAX_LINES: usize = 1 << 20;
/// A line longer than this many bytes is split: what is done per line (wrap, search) then has a bound.
pub const MAX_LINE: usize = 64 << 10;
/// Raw text is taken in pieces of this many bytes, so that one huge push does not grow the buffer past the cap.
const PIECE: usize = 64 << 10;

/// Streamed text in lines. See the module's head.
#[derive(Clone, Debug)]
pub struct Transcript {
    sanitizer: Sanitizer,
    text: String,
    /// Where each line begins in `text`; the first is 0.
    starts: Vec<usize>,
    cap: usize,
    dropped_lines: u64,
    dropped_bytes: u64,
    words: u64,
    in_word: InWord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InWord {
    Yes,
    No,
}

impl Default for Transcript {
    fn default() -> Self {
        Self::with_cap(DEFAULT_CAP)
    }
}

impl Transcript {
    /// An empty transcript with the default cap.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty transcript that keeps about `cap` bytes.
    pub fn with_cap(cap: usize) -> Self {
        Self {
            sanitizer: Sanitizer::new(),
            text: String::new(),
            starts: vec![0],
            cap,
            dropped_lines: 0,
            dropped_bytes: 0,
            words: 0,
            in_word: InWord::No,
        }
    }

    /// Appends a piece of raw text, split anywhere between two characters.
    pub fn push(&mut self, raw: &str) {
        let mut rest = raw;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
            rest = after;
            let floor = self.last_start();
            let untouched = self.sanitizer.push_above(piece, &mut self.text, floor);
            self.taken_in(untouched);
        }
    }

    /// The stream has ended: what waited for a next character is settled.
    pub fn finish(&mut self) {
        let before = self.text.len();
        self.sanitizer.finish(&mut self.text);
        self.taken_in(before);
    }

    /// How many lines are kept; at least 1, the last perhaps empty.
    pub fn lines(&self) -> usize {
        self.starts.len()
    }

    /// Line `line` without its newline, counted from the first one kept.
    pub fn line(&self, line: usize) -> Option<&str> {
        let start = *self.starts.get(line)?;
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end)?;
        Some(text.strip_suffix('\n').unwrap_or(text))
    }

    /// Line `line` as a text of its own.
    pub fn clean_line(&self, line: usize) -> Option<CleanText> {
        self.line(line).map(CleanText::trusted)
    }

    /// All text kept, newlines included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The kept text as a text of its own (a copy): for the clipboard.
    pub fn to_clean_text(&self) -> CleanText {
        CleanText::trusted(&self.text)
    }

    /// Bytes of clean text kept.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Bytes of clean text since the start, dropped ones included.
    pub fn total_bytes(&self) -> u64 {
        self.dropped_bytes + self.text.len() as u64
    }

    /// Words since the start: runs of anything but white space.
    pub fn words(&self) -> u64 {
        self.words
    }

    /// Lines that went because of the cap. The view shows a gap where they were.
    pub fn dropped_lines(&self) -> u64 {
        self.dropped_lines
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.dropped_lines == 0
    }

    fn last_start(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Counts and cuts what the text has from `from` on.
    fn taken_in(&mut self, from: usize) {
        let new = self.text.get(from..).unwrap_or_default();
        for byte in new.bytes() {
            // Other white space than ASCII's is too rare to decode for.
            let now = if byte > b' ' { InWord::Yes } else { InWord::No };
            self.words += u64::from(now == InWord::Yes && self.in_word == InWord::No);
            self.in_word = now;
        }
        let ends: Vec<usize> = new.match_indices('\n').map(|(at, _)| from + at + 1).collect();
        for end in ends {
            self.split_last(end - 1);
            self.starts.push(end);
        }
        self.split_last(self.text.len());
        self.drop_oldest();
    }

    /// Splits the last line, which ends at `end`, until no part is too long.
    fn split_last(&mut self, end: usize) {
        loop {
            let start = self.last_start();
            if end.saturating_sub(start) <= MAX_LINE {
                return;
            }
            let at = cluster_boundary(&self.text, start, start + MAX_LINE);
            self.starts.push(at);
        }
    }

    fn drop_oldest(&mut self) {
        let last = self.starts.len() - 1;
        let mut count = 0;
        if self.text.len() > self.cap {
            let goal = self.text.len() - (self.cap - self.cap / 8);
            count = self.starts.partition_point(|start| *start < goal);
        }
        if self.starts.len() > MAX_LINES {
            count = count.max(self.starts.len() - (MAX_LINES - MAX_LINES / 8));
        }
        let count = count.min(last);
        let Some(cut) = self.starts.get(count).copied().filter(|cut| *cut > 0) else { return };
        self.text.drain(..cut);
        self.starts.drain(..count);
        for start in &mut self.starts {
            *start -= cut;
        }
        self.dropped_lines += count as u64;
        self.dropped_bytes += cut as u64;
    }
}

/// A place at or a little before `wanted`, after `start`, where no mark and no joiner is parted from its base.
fn cluster_boundary(text: &str, start: usize, wanted: usize) -> usize {
    let wanted = text.floor_char_boundary(wanted);
    let mut at = wanted;
    // A cluster of clean text is at most a few joined signs with eight marks each.
    for _ in 0..64 {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at..).and_then(|tail| tail.chars().next());
        let joined = before.is_some_and(|c| char_width(c) == 0 && c == '\u{200d}')
            || after.is_some_and(|c| char_width(c) == 0 || ('\u{1f3fb}'..='\u{1f3ff}').contains(&c));
        if !joined || at <= start {
            break;
        }
        at -= before.map_or(1, char::len_utf8);
    }
    if at > start { at } else { wanted }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(transcript: &Transcript) -> Vec<&str> {
        (0..transcript.lines()).filter_map(|line| transcript.line(line)).collect()
    }

    #[test]
    fn pieces_become_lines() {
        let mut transcript = Transcript::new();
        for piece in ["Hel", "lo wor", "ld\r", "\nsecond \x1b[3", "1mline\x1b", "[0m\n", "\n"] {
            transcript.push(piece);
        }
        assert_eq!(lines(&transcript), ["Hello world", "second line", "", ""]);
        assert_eq!(transcript.words(), 4);
        assert_eq!(transcript.line(4), None);
        assert_eq!(transcript.clean_line(1).unwrap(), "second line");
    }

    #[test]
    fn a_backspace_stays_on_its_line() {
        let mut transcript = Transcript::new();
        transcript.push("ab\ncd");
        transcript.push("\x08\x08\x08\x08e");
        assert_eq!(lines(&transcript), ["ab", "e"]);
    }

    #[test]
    fn the_oldest_lines_go_and_are_counted() {
        let mut transcript = Transcript::with_cap(1000);
        for n in 0..1000 {
            transcript.push(&format!("line {n}\n"));
            assert!(transcript.bytes() <= 1000);
        }
        assert!(transcript.bytes() > 800);
        let kept = transcript.lines() as u64 - 1;
        assert_eq!(transcript.dropped_lines() + kept, 1000);
        assert_eq!(transcript.line(0).unwrap(), format!("line {}", transcript.dropped_lines()));
        assert_eq!(transcript.words(), 2000);
        assert_eq!(transcript.total_bytes(), (0..1000).map(|n| format!("line {n}\n").len() as u64).sum::<u64>());
    }

    #[test]
    fn empty_lines_are_bounded_too() {
        let mut transcript = Transcript::new();
        transcript.push(&"\n".repeat(MAX_LINES + 10));
        assert!(transcript.lines() <= MAX_LINES);
        assert_eq!(transcript.dropped_lines() + transcript.lines() as u64, MAX_LINES as u64 + 11);
    }

    #[test]
    fn one_endless_line_is_split_and_bounded() {
        let mut transcript = Transcript::with_cap(256 << 10);
        transcript.push(&"日本e\u{301}".repeat(200_000));
        assert!(transcript.bytes() <= 256 << 10);
        assert!(transcript.lines() > 1);
        for line in lines(&transcript) {
            assert!(line.len() <= MAX_LINE);
            assert!(!line.starts_with('\u{301}'));
        }
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_clean_text(pieces in prop::collection::vec("[a-c \n\r\t\u{8}\u{301}é]{0,8}", 0..20)) {
            let mut transcript = Transcript::new();
            for piece in &pieces {
                transcript.push(piece);
            }
            transcript.finish();
            let clean = CleanText::new(&pieces.concat());
            prop_assert_eq!(lines(&transcript), clean.split('\n').collect::<Vec<_>>());
        }
    }
}
