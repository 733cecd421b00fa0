//! [`Document`]: text that grows, as rows of a width, of which only what is looked at is rendered.
//!
//! The clean text is cut into parts ([`super::markdown::next_cuts`]); each knows how many rows it takes, by estimate until
//! it was rendered once. A place in it is a [`Spot`] in the source, not a row number: it stays where it is when the width
//! changes, when text comes and when an estimate is corrected. Not here: colours, scrolling, where the text comes from.
//! Invariants: work in a frame goes with what is visible and what is new, never with the length of the text; the same
//! text gives the same rows however it came. A text without end does not stay whole: [`Document::shed`] lets go of its
//! beginning, and what is left has the places and rows it had.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::markdown::{Cut, Join, Origin, Span, SpanKind, StyledLine, closing, code, next_cuts, render};
use super::sanitize::Sanitizer;
use super::sums::Sums;
use super::wrap::wrap;

/// Parts at the end whose rows are always counted, not estimated: a text of so many is exact throughout.
const EXACT: usize = 64;
/// Rendered parts kept.
const KEPT: usize = 192;
/// Bytes of the text whose rendered rows are kept: rows take some four times their text, and a part may have 8 KiB. It is
/// twice what [`EXACT`] of the longest parts have.
const RENDERED: usize = 1 << 20;
/// Plain text is cut into parts of about this many bytes.
const PLAIN: usize = 1 << 10;

/// How the text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As Markdown.
    Markdown,
    /// As it is, without empty lines.
    Plain,
    /// As code in JSON.
    Json,
}

/// A row by what it shows: the byte of the source that it begins with, and how many rows before it do so too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The byte.
    pub byte: usize,
    /// Rows before that begin with the same.
    pub nth: usize,
}

/// Whether there is text that was not cut yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    Yes,
    No,
}

/// How a part's rows were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Exact,
    Estimate,
}

/// A part of the text; it ends where the next begins.
#[derive(Clone, Debug)]
struct Part {
    cut: Cut,
    count: Count,
}

/// A growing text in rows. See the module's head.
#[derive(Clone, Debug)]
pub struct Document {
    form: Form,
    sanitizer: Sanitizer,
    clean: String,
    /// The place of the first byte of `clean`: so many bytes were let go of, and places count them.
    base: usize,
    /// The text in other words; what is shown is this, then.
    told: Option<String>,
    fresh: Fresh,
    words: u64,
    counted: usize,
    cells: usize,
    parts: Vec<Part>,
    sums: Sums,
    rendered: BTreeMap<usize, Vec<StyledLine>>,
}

impl Document {
    /// An empty one.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            sanitizer: Sanitizer::new(),
            clean: String::new(),
            base: 0,
            told: None,
            fresh: Fresh::No,
            words: 0,
            counted: 0,
            cells: 0,
            parts: Vec::new(),
            sums: Sums::default(),
            rendered: BTreeMap::new(),
        }
    }

    /// Takes in a raw piece, split anywhere.
    pub fn push(&mut self, raw: &str) {
        self.sanitizer.push(raw, &mut self.clean);
        self.fresh = Fresh::Yes;
    }

    /// Shows `told` in place of the text; none: the text as it is.
    pub fn retell(&mut self, told: Option<String>) {
        if self.told != told {
            self.told = told;
            self.cut_anew();
        }
    }

    fn cut_anew(&mut self) {
        self.parts.clear();
        self.sums = Sums::default();
        self.rendered.clear();
        self.fresh = Fresh::Yes;
    }

    /// About the memory that the text takes, in bytes. What is rendered of it does not grow with it.
    pub fn cost(&self) -> usize {
        let told = self.told.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.clean.len() + told + self.parts.len() * (size_of::<Part>() + size_of::<u32>())
    }

    /// Lets go of about `bytes` at the beginning, whole parts; the last one, which is still being written, stays. Returns
    /// how many bytes went.
    pub fn shed(&mut self, bytes: usize) -> usize {
        // Those that go are counted first.
        self.words();
        if self.told.take().is_some() {
            // It is told anew, of what is left.
            self.cut_anew();
        }
        if self.fresh == Fresh::Yes && !self.parts.is_empty() {
            self.fresh = Fresh::No;
            self.cut();
        }
        let Some(last) = self.parts.len().checked_sub(1) else { return self.shed_uncut(bytes) };
        let first = self.start(0);
        let gone = self.parts.partition_point(|part| part.cut.at < first.saturating_add(bytes)).min(last);
        if gone == 0 {
            return 0;
        }
        let from = self.start(gone);
        // The head of a block that is cut inside is needed by what is left of it: it stands before that, not shown.
        let lead = self.parts.get(gone).and_then(|part| part.cut.lead.clone());
        let lead = lead.map_or_else(String::new, |lead| self.slice(lead).to_owned());
        self.let_go(from - self.base, &lead);
        let head = self.base..from;
        self.parts.drain(..gone);
        for part in &mut self.parts {
            if let Some(lead) = part.cut.lead.as_mut().filter(|lead| lead.start < from) {
                lead.clone_from(&head);
            }
        }
        let mut sums = Sums::default();
        (gone..self.sums.len()).for_each(|part| sums.push(self.sums.rows(part)));
        self.sums = sums;
        let rendered = std::mem::take(&mut self.rendered).into_iter();
        self.rendered = rendered.filter_map(|(at, lines)| Some((at.checked_sub(gone)?, lines))).collect();
        // Nothing stands before the first part any more, so no blank row does.
        self.stale(0);
        from - first
    }

    /// The same of a text that nobody looked at yet: up to the end of a line, where one is near.
    fn shed_uncut(&mut self, bytes: usize) -> usize {
        let end = self.clean.floor_char_boundary(bytes);
        let near = self.clean.floor_char_boundary(end.saturating_sub(PLAIN));
        let line = self.clean.get(near..end).and_then(|tail| tail.rfind('\n')).map(|at| near + at + 1);
        let end = line.unwrap_or(end);
        self.let_go(end, "");
        end
    }

    /// `head` takes the place of the first `bytes` of what is at hand.
    fn let_go(&mut self, bytes: usize, head: &str) {
        self.clean.replace_range(..bytes, head);
        self.base += bytes - head.len();
        self.counted = (self.counted + head.len()).saturating_sub(bytes);
    }

    /// The clean text, as it came.
    pub fn clean(&self) -> &str {
        &self.clean
    }

    /// The source of what is shown.
    pub fn source(&self) -> &str {
        self.told.as_deref().unwrap_or(&self.clean)
    }

    /// The place of the first byte of the source that is at hand.
    fn base(&self) -> usize {
        if self.told.is_some() { 0 } else { self.base }
    }

    /// The place behind the last byte of the source.
    pub fn end(&self) -> usize {
        self.base() + self.source().len()
    }

    /// What stands between two places of the source, as far as it is at hand.
    pub fn slice(&self, range: Range<usize>) -> &str {
        let at = |place: usize| place.saturating_sub(self.base());
        self.source().get(at(range.start)..at(range.end)).unwrap_or_default()
    }

    /// The place behind the letter that a place stands in or before.
    pub fn letter_end(&self, place: usize) -> usize {
        self.base() + self.source().ceil_char_boundary(place.saturating_sub(self.base()))
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.clean.is_empty()
    }

    /// Words so far.
    pub fn words(&mut self) -> u64 {
        if let Some(new) = self.clean.get(self.counted..)
            && let Some(end) = new.rfind(char::is_whitespace)
        {
            self.words += new.get(..end).unwrap_or_default().split_whitespace().count() as u64;
            self.counted += end;
        }
        let rest = self.clean.get(self.counted..).unwrap_or_default();
        self.words + rest.split_whitespace().count() as u64
    }

    /// Brings the rows up to date at a width.
    pub fn update(&mut self, cells: usize) {
        let cells = cells.max(1);
        if self.cells != cells {
            self.cells = cells;
            self.rendered.clear();
            for at in 0..self.parts.len() {
                self.sums.set(at, self.estimate(at));
            }
            for part in &mut self.parts {
                part.count = Count::Estimate;
            }
        }
        if self.fresh == Fresh::Yes {
            self.fresh = Fresh::No;
            self.cut();
        }
        for at in self.parts.len().saturating_sub(EXACT)..self.parts.len() {
            if self.parts.get(at).is_some_and(|part| part.count == Count::Estimate) {
                self.lines_of(at);
            }
        }
        self.forget();
    }

    /// Rows in all; an estimate where nobody has looked yet.
    pub fn rows(&self) -> usize {
        self.sums.total()
    }

    /// The row at a place, rendered if it was not. To be asked for after [`Self::settle`] of the rows around.
    pub fn row(&mut self, row: usize) -> Option<&StyledLine> {
        let (part, within) = self.sums.locate(row)?;
        self.lines_of(part).get(within)
    }

    /// Renders what stands at these rows, so that their numbers are exact relative to each other. True: something was
    /// counted anew, and rows after it may have other numbers.
    pub fn settle(&mut self, rows: Range<usize>) -> bool {
        let mut changed = false;
        let mut at = rows.start;
        while at < rows.end {
            let Some((part, within)) = self.sums.locate(at) else { break };
            let before = self.sums.rows(part);
            let exact = self.parts.get(part).is_some_and(|p| p.count == Count::Exact);
            if !exact {
                self.lines_of(part);
                changed |= self.sums.rows(part) != before;
            }
            at = (at - within + self.sums.rows(part)).max(at + 1);
        }
        changed
    }

    /// The spot of a row; past the end, that of the last one.
    pub fn spot(&mut self, row: usize) -> Spot {
        let row = row.min(self.rows().saturating_sub(1));
        let Some((part, within)) = self.sums.locate(row) else { return Spot::default() };
        let start = self.start(part);
        let lines = self.lines_of(part);
        let keys = keys(lines, start);
        let byte = keys.get(within).copied().unwrap_or(start);
        let nth = keys.iter().take(within).filter(|key| **key == byte).count();
        Spot { byte, nth }
    }

    /// The row of a spot, or the nearest before it.
    pub fn row_of(&mut self, spot: Spot) -> usize {
        let part = self.parts.partition_point(|part| part.cut.at <= spot.byte).saturating_sub(1);
        let start = self.start(part);
        let keys = keys(self.lines_of(part), start);
        let same = keys.iter().enumerate().filter(|(_, key)| **key == spot.byte).map(|(at, _)| at);
        let same: Vec<usize> = same.collect();
        let before = keys.iter().rposition(|key| *key < spot.byte).unwrap_or(0);
        let within = same.get(spot.nth).or(same.last()).copied().unwrap_or(before);
        self.sums.first_row(part) + within
    }

    /// The row that shows a byte of the source, or the nearest before it.
    pub fn row_at(&mut self, byte: usize) -> usize {
        let part = self.parts.partition_point(|part| part.cut.at <= byte).saturating_sub(1);
        let lines = self.lines_of(part);
        let shows =
            |line: &StyledLine| line.source.as_ref().is_some_and(|s| s.start <= byte && byte < s.end.max(s.start + 1));
        let starts = |line: &StyledLine| line.source.as_ref().is_some_and(|s| s.start <= byte);
        let within = lines.iter().position(shows).or_else(|| lines.iter().rposition(starts)).unwrap_or(0);
        self.sums.first_row(part) + within
    }

    /// The part of the source that belongs to the rows from one spot to another, both included: whole lines where a row
    /// begins or ends one, marks included; never what only wrapping put there.
    pub fn source_of_rows(&mut self, from: Spot, to: Spot) -> Range<usize> {
        let (from, to) = (from.min(to), from.max(to));
        let (first, last) = (self.row_of(from), self.row_of(to));
        self.settle(first.saturating_sub(1)..last + 2);
        let (first, last) = (self.row_of(from), self.row_of(to));
        let start = self.begins(first);
        start..self.ends(last).max(start)
    }

    /// Where the source of a row begins.
    fn begins(&mut self, row: usize) -> usize {
        let Some(own) = self.next_source(row) else { return self.end() };
        let base = self.base();
        let before = self.previous_source(row).filter(|s| *s != own).map_or(0, |s| s.end.min(own.start));
        let line = self.slice(base..own.start).rfind('\n').map_or(base, |at| base + at + 1);
        // The marks at the beginning of a line belong to its first row.
        if before <= line { line } else { own.start }
    }

    /// Where the source of a row ends.
    fn ends(&mut self, row: usize) -> usize {
        let (base, all) = (self.base(), self.end());
        let own = self.previous_source(row + 1).map_or(base, |s| s.end);
        let next = (row + 1..row + 4).find(|next| self.row(*next).is_some_and(|line| line.source.is_some()));
        let next = next.map_or(all, |next| self.begins(next));
        let line = self.slice(own..all).find('\n').map_or(all, |at| own + at);
        // What closes a mark stands after its last letter, before the next row's.
        let end = line.min(next.max(own));
        (base + self.slice(base..end).trim_end().len()).max(own)
    }

    /// The source of a row, or of the next that has one.
    fn next_source(&mut self, row: usize) -> Option<Range<usize>> {
        (row..row + 4).find_map(|row| self.row(row).and_then(|line| line.source.clone()))
    }

    /// The source of the last row before `row` that has one.
    fn previous_source(&mut self, row: usize) -> Option<Range<usize>> {
        (row.saturating_sub(4)..row).rev().find_map(|row| self.row(row).and_then(|line| line.source.clone()))
    }

    fn start(&self, part: usize) -> usize {
        self.parts.get(part).map_or(0, |part| part.cut.at)
    }

    fn text_of(&self, part: usize) -> &str {
        let end = self.parts.get(part + 1).map_or(self.end(), |next| next.cut.at);
        self.slice(self.start(part)..end)
    }

    /// Cuts what came since into parts.
    fn cut(&mut self) {
        if self.source().is_empty() {
            return;
        }
        if self.parts.is_empty() {
            self.add(Cut { at: self.base(), join: Join::Seamless, lead: None });
        } else {
            self.stale(self.parts.len() - 1);
        }
        let base = self.base() as isize;
        while let Some(last) = self.parts.last() {
            let last = last.cut.moved(-base);
            let cuts = match self.form {
                Form::Markdown => next_cuts(self.source(), &last),
                Form::Plain | Form::Json => plain_cuts(self.source(), last.at),
            };
            if cuts.is_empty() {
                return;
            }
            self.stale(self.parts.len() - 1);
            for cut in cuts {
                self.add(cut.moved(base));
            }
        }
    }

    fn add(&mut self, cut: Cut) {
        self.parts.push(Part { cut, count: Count::Estimate });
        let at = self.parts.len() - 1;
        if let Some(before) = at.checked_sub(1) {
            self.sums.set(before, self.estimate(before));
        }
        self.sums.push(self.estimate(at));
    }

    /// A part's text has changed.
    fn stale(&mut self, at: usize) {
        self.rendered.remove(&at);
        if let Some(part) = self.parts.get_mut(at) {
            part.count = Count::Estimate;
        }
    }

    /// About how many rows a part takes.
    fn estimate(&self, part: usize) -> usize {
        let text = self.text_of(part);
        let apart = self.parts.get(part).is_some_and(|p| p.cut.join == Join::Apart);
        // Counting lines would be to read it all. Code and lists have lines of some forty bytes.
        let rows = text.len().div_ceil(self.cells.clamp(1, 40));
        rows.max(1) + usize::from(apart)
    }

    /// The rows of a part, rendered now if they were not.
    fn lines_of(&mut self, at: usize) -> &[StyledLine] {
        if !self.rendered.contains_key(&at) {
            let lines = self.render(at);
            self.sums.set(at, lines.len());
            if let Some(part) = self.parts.get_mut(at) {
                part.count = Count::Exact;
            }
            self.rendered.insert(at, lines);
        }
        self.rendered.get(&at).map(Vec::as_slice).unwrap_or_default()
    }

    fn render(&self, at: usize) -> Vec<StyledLine> {
        let Some(part) = self.parts.get(at) else { return Vec::new() };
        let text = self.text_of(at);
        let rows = match self.form {
            Form::Plain => plain(text, self.cells),
            Form::Json => code("json", text, self.cells),
            Form::Markdown => {
                let lead = part.cut.lead.clone().map_or("", |lead| self.slice(lead));
                let mut whole = if lead.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(format!("{lead}{text}")) };
                if at + 1 == self.parts.len()
                    && let Some((less, close)) = closing(&whole)
                {
                    let end = whole.trim_end().len() - less;
                    let open = whole.to_mut();
                    let rest = open.split_off(end);
                    open.push_str(close);
                    open.push_str(rest.get(less..).unwrap_or_default());
                }
                let shown = |line: &StyledLine| line.source.as_ref().is_some_and(|s| s.start >= lead.len());
                let mut rows = render(&whole, self.cells);
                if !lead.is_empty() {
                    let first = rows.iter().position(shown).unwrap_or(rows.len());
                    rows.drain(..first);
                }
                rows.into_iter().map(|line| line.moved(-(lead.len() as isize))).collect()
            }
        };
        let apart = part.cut.join == Join::Apart && at > 0 && !rows.is_empty();
        let blank = apart.then(StyledLine::default);
        blank.into_iter().chain(rows.into_iter().map(|line| line.moved(part.cut.at as isize))).collect()
    }

    /// Lets go of rendered parts that lie far from those used last: the end, and the middle of the rest.
    fn forget(&mut self) {
        let text: usize = self.rendered.keys().map(|at| self.text_of(*at).len()).sum();
        if self.rendered.len() > 2 * KEPT || text > RENDERED {
            let keep = self.parts.len().saturating_sub(EXACT);
            self.rendered.retain(|at, _| *at >= keep);
        }
    }
}

/// The byte each row stands for: that it begins with, or for a row that shows none that of the row before.
fn keys(lines: &[StyledLine], start: usize) -> Vec<usize> {
    let mut last = start;
    lines
        .iter()
        .map(|line| {
            last = line.source.as_ref().map_or(last, |s| s.start).max(last);
            last
        })
        .collect()
}

/// Lines as they are, wrapped.
fn plain(text: &str, cells: usize) -> Vec<StyledLine> {
    let mut out = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let shown = line.strip_suffix('\n').unwrap_or(line);
        if !shown.trim().is_empty() {
            out.extend(wrap(shown, cells).map(|row| {
                let source = at + row.start..at + row.end;
                let text = shown.get(row).unwrap_or_default().to_owned();
                let span = Span { kind: SpanKind::Text, text, origin: Origin::at(source.start) };
                StyledLine { prefix: Vec::new(), spans: vec![span], source: Some(source) }
            }));
        }
        at += line.len();
    }
    out
}

/// Where plain text is cut after `from`: at ends of lines; without one, at spaces.
fn plain_cuts(text: &str, from: usize) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let mut at = from;
    while text.len() - at > 2 * PLAIN {
        let wanted = text.ceil_char_boundary(at + PLAIN);
        let room = text.get(wanted..text.floor_char_boundary(wanted + 4 * PLAIN)).unwrap_or_default();
        let end = room.find('\n').map(|end| end + 1).or_else(|| {
            // A line that is still being written may yet end.
            (room.len() >= 3 * PLAIN).then(|| room.rfind(' ').map_or(room.len(), |end| end + 1))
        });
        let Some(end) = end else { break };
        at = wanted + end;
        if at >= text.len() {
            break;
        }
        cuts.push(Cut { at, join: Join::Seamless, lead: None });
    }
    cuts
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
