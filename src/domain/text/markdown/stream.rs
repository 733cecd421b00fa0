//! Markdown that still grows: the finished part is rendered once.
//!
//! A top-level block is finished when a later one has begun on a whole line. Only what follows the last finished block
//! is rendered again. Known limit: a link's definition (`[x]: url`) counts for links of the same part only.

use pulldown_cmark::{Event, Parser, Tag};

use super::parse::options;
use super::{StyledLine, render};

/// The byte offset in `source` up to which its top-level blocks are finished: more text after `source` does not change
/// how that part renders. Always at the beginning of a line.
pub fn split_stable(source: &str) -> usize {
    // A line that is still being written may turn into anything (`#` into `#tag`).
    let whole = source.rfind('\n').map_or(0, |at| at + 1);
    let whole = source.get(..whole).unwrap_or_default();
    let mut depth = 0usize;
    let mut last = 0;
    for (event, range) in Parser::new_ext(whole, options()).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if depth == 0 && is_block(&tag) {
                    last = range.start;
                }
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Rule if depth == 0 => last = range.start,
            _ => {}
        }
    }
    // With the block's indentation, which is part of what makes it one.
    whole.get(..last).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1)
}

fn is_block(tag: &Tag<'_>) -> bool {
    !matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

/// A rendering that keeps up with growing text.
#[derive(Clone, Debug)]
pub struct Streaming {
    cells: usize,
    /// Bytes of the source that are finished.
    stable: usize,
    /// How many of `lines` are theirs.
    stable_lines: usize,
    lines: Vec<StyledLine>,
}

impl Streaming {
    /// A rendering at `cells` per row that has seen nothing yet.
    pub fn new(cells: usize) -> Self {
        Self { cells, stable: 0, stable_lines: 0, lines: Vec::new() }
    }

    /// The rows of `source`, which begins with what it was at the last call. If it is shorter, all is done afresh. For
    /// another width, or when the beginning is no longer there (a transcript dropped lines), make a new one.
    pub fn update(&mut self, source: &str) -> &[StyledLine] {
        if source.get(self.stable..).is_none() {
            *self = Self::new(self.cells);
        }
        self.lines.truncate(self.stable_lines);
        let tail = source.get(self.stable..).unwrap_or_default();
        let (done, open) = tail.split_at(split_stable(tail));
        if !done.is_empty() {
            self.append(done);
            self.stable += done.len();
            self.stable_lines = self.lines.len();
        }
        self.append(open);
        &self.lines
    }

    /// The rows as of the last update.
    pub fn lines(&self) -> &[StyledLine] {
        &self.lines
    }

    fn append(&mut self, part: &str) {
        let rows = render(part, self.cells);
        if !rows.is_empty() && !self.lines.is_empty() {
            self.lines.push(StyledLine::default());
        }
        self.lines.extend(rows);
    }
}
