//! [`RowIndex`]: which logical line stands at which row, for an append-only list of lines at one width.
//!
//! It holds two numbers a line (columns and rows) and sums of rows over blocks of 256 lines and over blocks of 256 such
//! blocks, so that finding a row costs the same at a million lines as at a thousand. A change of width does not wrap
//! anything: rows are estimated as `columns / width`, rounded up, and corrected for each line that is seen
//! ([`RowIndex::see`]).
//!
//! Not here: the text, the wrapping ([`super::wrap`]), where the view stands (it keeps a line and a row in it, not an
//! absolute row, so that a correction above does not move what is read). Invariant: the sums always agree with the lines.

use super::transcript::Transcript;
use super::width::width;
use super::wrap::row_count;

/// Lines in a block, and blocks in a group.
const FAN: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    /// Display columns of the line unwrapped.
    columns: u32,
    /// Rows at the present width, at least 1.
    rows: u32,
}

/// Rows of every line, with sums. See the module's head.
#[derive(Clone, Debug)]
pub struct RowIndex {
    width: usize,
    lines: Vec<Line>,
    /// Rows per block of [`FAN`] lines.
    blocks: Vec<u64>,
    /// Rows per group of [`FAN`] blocks.
    groups: Vec<u64>,
    total: u64,
    /// What the transcript had dropped at the last [`Self::sync`], in lines.
    dropped: u64,
}

impl RowIndex {
    /// An empty index for rows of `width` cells (at least 1).
    pub fn new(width: usize) -> Self {
        Self { width: width.max(1), lines: Vec::new(), blocks: Vec::new(), groups: Vec::new(), total: 0, dropped: 0 }
    }

    /// The width in cells that the rows are for.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// How many rows all lines take. Partly an estimate after a change of width.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Adds a line at the end.
    pub fn push(&mut self, text: &str) {
        let line = self.count(text);
        let at = self.lines.len();
        self.lines.push(line);
        if at / FAN == self.blocks.len() {
            self.blocks.push(0);
        }
        if at / (FAN * FAN) == self.groups.len() {
            self.groups.push(0);
        }
        self.add(at, 0, line.rows);
    }

    /// The last line now reads `text`. Without a line this adds one.
    pub fn set_last(&mut self, text: &str) {
        match self.lines.len().checked_sub(1) {
            Some(last) => self.see(last, text),
            None => self.push(text),
        }
    }

    /// Counts the rows of `line`, whose text is `text`, exactly. Called for lines as they come into view; one that has
    /// its rows already costs a wrap and changes nothing.
    pub fn see(&mut self, line: usize, text: &str) {
        let counted = self.count(text);
        let Some(slot) = self.lines.get_mut(line) else { return };
        let before = std::mem::replace(slot, counted);
        if before.rows != counted.rows {
            self.add(line, before.rows, counted.rows);
        }
    }

    /// The first `count` lines are gone; the rest move up.
    pub fn drop_front(&mut self, count: usize) {
        self.lines.drain(..count.min(self.lines.len()));
        self.sum();
    }

    /// Makes the rows those of another width, by estimate.
    pub fn set_width(&mut self, width: usize) {
        let width = width.max(1);
        if width == self.width {
            return;
        }
        self.width = width;
        let cells = u32::try_from(width).unwrap_or(u32::MAX);
        for line in &mut self.lines {
            // Most lines are short; spare them the division.
            line.rows = if line.columns <= cells { 1 } else { line.columns.div_ceil(cells) };
        }
        self.sum();
    }

    /// Takes in what was appended to, or dropped from, `transcript` since the last call. Always with the same one.
    pub fn sync(&mut self, transcript: &Transcript) {
        let gone = transcript.dropped_lines().saturating_sub(self.dropped);
        if gone > 0 {
            self.dropped = transcript.dropped_lines();
            self.drop_front(usize::try_from(gone).unwrap_or(usize::MAX));
        }
        if let Some(last) = self.lines.len().checked_sub(1) {
            self.set_last(transcript.line(last).unwrap_or_default());
        }
        for line in self.lines.len()..transcript.lines() {
            self.push(transcript.line(line).unwrap_or_default());
        }
    }

    /// The line at `row` (0 is the first) and the row within it; `None` past the end.
    pub fn locate(&self, row: u64) -> Option<(usize, u64)> {
        if row >= self.total {
            return None;
        }
        let mut left = row;
        let group = skip(&self.groups, 0, &mut left);
        let block = skip(&self.blocks, group * FAN, &mut left);
        let mut line = block * FAN;
        while let Some(here) = self.lines.get(line) {
            let rows = u64::from(here.rows);
            if left < rows {
                return Some((line, left));
            }
            left -= rows;
            line += 1;
        }
        None
    }

    /// The first row of `line`; the total for a line past the end.
    pub fn row_of(&self, line: usize) -> u64 {
        if line >= self.lines.len() {
            return self.total;
        }
        let (block, group) = (line / FAN, line / (FAN * FAN));
        let groups: u64 = self.groups.iter().take(group).sum();
        let blocks: u64 = self.blocks.get(group * FAN..block).unwrap_or_default().iter().sum();
        let lines = self.lines.get(block * FAN..line).unwrap_or_default();
        groups + blocks + lines.iter().map(|line| u64::from(line.rows)).sum::<u64>()
    }

    /// Rows of `line`; 0 for a line past the end.
    pub fn rows_in(&self, line: usize) -> u64 {
        self.lines.get(line).map_or(0, |line| u64::from(line.rows))
    }

    fn count(&self, text: &str) -> Line {
        let columns = width(text);
        let rows = if columns <= self.width { 1 } else { row_count(text, self.width) };
        Line { columns: u32::try_from(columns).unwrap_or(u32::MAX), rows: u32::try_from(rows).unwrap_or(u32::MAX) }
    }

    fn add(&mut self, line: usize, before: u32, after: u32) {
        let (before, after) = (u64::from(before), u64::from(after));
        let slots = [self.blocks.get_mut(line / FAN), self.groups.get_mut(line / (FAN * FAN)), Some(&mut self.total)];
        for sum in slots.into_iter().flatten() {
            *sum = *sum + after - before;
        }
    }

    fn sum(&mut self) {
        self.blocks.clear();
        self.blocks
            .extend(self.lines.chunks(FAN).map(|block| block.iter().map(|line| u64::from(line.rows)).sum::<u64>()));
        self.groups.clear();
        self.groups.extend(self.blocks.chunks(FAN).map(|group| group.iter().sum::<u64>()));
        self.total = self.groups.iter().sum();
    }
}

/// The index, from `from` on, of the sum that `left` falls into; takes what lies before it off `left`.
fn skip(sums: &[u64], from: usize, left: &mut u64) -> usize {
    let mut at = from;
    while let Some(sum) = sums.get(at) {
        if *left < *sum {
            break;
        }
        *left -= *sum;
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Act {
        Push(usize),
        Grow(usize),
        Width(usize),
        SeeAll,
        Drop(usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            8 => (0usize..60).prop_map(Act::Push),
            4 => (0usize..60).prop_map(Act::Grow),
            1 => (1usize..30).prop_map(Act::Width),
            1 => Just(Act::SeeAll),
            1 => (0usize..10).prop_map(Act::Drop),
        ];
        prop::collection::vec(act, 0..120)
    }

    fn text(len: usize) -> String {
        "abc de fghijk ".chars().cycle().take(len).collect()
    }

    /// Every answer of the index against sums done the slow way.
    fn check(index: &RowIndex, rows: &[u64]) {
        assert_eq!(index.lines(), rows.len());
        assert_eq!(index.total(), rows.iter().sum::<u64>());
        let mut row = 0;
        for (line, count) in rows.iter().enumerate() {
            assert_eq!(index.row_of(line), row);
            for inside in 0..*count {
                assert_eq!(index.locate(row + inside), Some((line, inside)));
            }
            row += count;
        }
        assert_eq!(index.locate(row), None);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_naive_model(acts in acts()) {
            let mut index = RowIndex::new(10);
            let mut lines: Vec<String> = Vec::new();
            let mut rows: Vec<u64> = Vec::new();
            let mut width = 10;
            let exact = |text: &str, width: usize| row_count(text, width) as u64;
            for act in acts {
                match act {
                    Act::Push(len) => {
                        lines.push(text(len));
                        rows.push(exact(&text(len), width));
                        index.push(&text(len));
                    }
                    Act::Grow(len) => {
                        lines.pop();
                        rows.pop();
                        lines.push(text(len));
                        rows.push(exact(&text(len), width));
                        index.set_last(&text(len));
                    }
                    Act::Width(new) if new != width => {
                        width = new;
                        index.set_width(new);
                        rows = lines.iter().map(|line| line.len().div_ceil(new).max(1) as u64).collect();
                    }
                    Act::Width(_) => {}
                    Act::SeeAll => {
                        for (at, line) in lines.iter().enumerate() {
                            index.see(at, line);
                        }
                        rows = lines.iter().map(|line| exact(line, width)).collect();
                    }
                    Act::Drop(count) => {
                        let count = count.min(lines.len());
                        lines.drain(..count);
                        rows.drain(..count);
                        index.drop_front(count);
                    }
                }
                check(&index, &rows);
            }
        }
    }

    #[test]
    fn blocks_and_groups_agree_past_their_edges() {
        let mut index = RowIndex::new(5);
        let count = FAN * FAN + 2 * FAN + 3;
        for line in 0..count {
            index.push(if line % 3 == 0 { "abcdefgh" } else { "a" });
        }
        let mut row = 0;
        for line in 0..count {
            assert_eq!(index.locate(row), Some((line, 0)));
            row += if line % 3 == 0 { 2 } else { 1 };
        }
        assert_eq!(index.total(), row);
        assert_eq!(index.row_of(count - 1), row - index.rows_in(count - 1));
    }

    #[test]
    fn it_follows_a_transcript() {
        let mut transcript = Transcript::with_cap(400);
        let mut index = RowIndex::new(8);
        for n in 0..200 {
            transcript.push(&format!("line {n} and"));
            index.sync(&transcript);
            transcript.push(" more\n");
            index.sync(&transcript);
            let rows: Vec<u64> =
                (0..transcript.lines()).map(|line| row_count(transcript.line(line).unwrap(), 8) as u64).collect();
            check(&index, &rows);
        }
        assert!(transcript.dropped_lines() > 0);
    }
}
