//! Markdown as lines of named spans, for any width.
//!
//! [`parse()`] makes blocks that know no width; [`layout()`] wraps them to one; [`render`] does both. A span says what it is
//! ([`SpanKind`]), never how it looks: colours are the theme's. Each row knows where it comes from in the source
//! ([`Origin`]). [`next_cuts`] says where a text that grows may be cut, so that each part is rendered by itself.
//!
//! Not here: colours, HTML (shown as written), images (their text is shown), footnotes, mathematics.
//! Invariants: the input is clean text, and so is the output, character references (`&#27;`) included; no line is wider
//! than the width it was made for, single graphemes aside; nesting deeper than [`MAX_DEPTH`] is shown flat.

mod closing;
mod cuts;
mod highlight;
mod layout;
mod origin;
mod parse;
mod table;

use std::ops::Range;

pub use closing::closing;
pub use cuts::{Cut, Join, next_cuts};
pub use layout::{code, layout};
pub use origin::Origin;
pub use parse::parse;

use super::width::{Align, width};

/// Quotes and lists inside each other up to this depth are indented; deeper ones are shown flat.
pub const MAX_DEPTH: usize = 16;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// Running text.
    Text,
    /// Strong emphasis.
    Strong,
    /// Emphasis.
    Emphasis,
    /// Code in running text.
    Code,
    /// A heading of this level, 1 to 6.
    Heading(u8),
    /// The text of a link.
    Link,
    /// A code block's text that is nothing below, and its indentation.
    CodeBlock,
    /// A keyword in a code block.
    CodeKeyword,
    /// A string in a code block.
    CodeString,
    /// A comment in a code block.
    CodeComment,
    /// A number in a code block.
    CodeNumber,
    /// The bar of a quote.
    Quote,
    /// A bullet, a number, or a box to tick.
    ListMarker,
    /// A line of a table, or a rule.
    TableBorder,
    /// What matters less: where a link goes, HTML, struck-out text, the language of a code block, cut marks.
    Dim,
}

/// A piece of text of one kind. Two that look alike are equal, wherever they come from.
#[derive(Clone, Debug)]
pub struct Span {
    /// What it is.
    pub kind: SpanKind,
    /// Its text; in a [`StyledLine`] never with a newline.
    pub text: String,
    /// Where the text comes from.
    pub origin: Origin,
}

impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.text) == (other.kind, &other.text)
    }
}

impl Eq for Span {}

impl Span {
    /// A span that stands nowhere in the source.
    pub fn new(kind: SpanKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), origin: Origin::nowhere() }
    }
}

/// One row of rendered Markdown. Two that look alike are equal, wherever they come from.
#[derive(Clone, Debug, Default)]
pub struct StyledLine {
    /// Indentation, quote bars and list markers: shown, not copied.
    pub prefix: Vec<Span>,
    /// The text.
    pub spans: Vec<Span>,
    /// The part of the source it shows; none for a row that is only there for the eye.
    pub source: Option<Range<usize>>,
}

impl PartialEq for StyledLine {
    fn eq(&self, other: &Self) -> bool {
        (&self.prefix, &self.spans) == (&other.prefix, &other.spans)
    }
}

impl Eq for StyledLine {}

impl StyledLine {
    /// All spans, prefix first.
    pub fn all(&self) -> impl Iterator<Item = &Span> {
        self.prefix.iter().chain(&self.spans)
    }

    /// The row's text, prefix included.
    pub fn text(&self) -> String {
        self.all().map(|span| span.text.as_str()).collect()
    }

    /// The same row of a text that begins `by` bytes further on in a longer one (negative: further up).
    #[must_use]
    pub fn moved(mut self, by: isize) -> Self {
        for span in self.prefix.iter_mut().chain(&mut self.spans) {
            span.origin.shift(by);
        }
        self.source = self.source.map(|s| s.start.saturating_add_signed(by)..s.end.saturating_add_signed(by));
        self
    }

    /// Width in cells.
    pub fn width(&self) -> usize {
        self.all().map(|span| width(&span.text)).sum()
    }
}

/// Whether blank lines stand between the parts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// None.
    Tight,
    /// One.
    Loose,
}

/// The box before an item of a task list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskBox {
    /// Not a task.
    None,
    /// `[ ]`
    Open,
    /// `[x]`
    Done,
}

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its box.
    pub task: TaskBox,
    /// What it holds.
    pub blocks: Vec<Block>,
}

/// A block of Markdown, without a width. Newlines in spans are hard line breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Running text.
    Paragraph(Vec<Span>),
    /// A heading: level 1 to 6, text.
    Heading(u8, Vec<Span>),
    /// A code block.
    Code {
        /// The first word after the fence; empty if there is none.
        language: String,
        /// The code, lines ended by newlines.
        text: Span,
    },
    /// A quote.
    Quote(Vec<Block>),
    /// A list.
    List {
        /// The first number; `None` for bullets.
        start: Option<u64>,
        /// Blank lines between items.
        spacing: Spacing,
        /// The items.
        items: Vec<Item>,
    },
    /// A table.
    Table {
        /// How each column is aligned.
        aligns: Vec<Align>,
        /// The cells of the head.
        head: Vec<Vec<Span>>,
        /// The rows of cells below it.
        rows: Vec<Vec<Vec<Span>>>,
    },
    /// A line across.
    Rule,
}

/// `source` as rows of at most `cells` (at least 1).
pub fn render(source: &str, cells: usize) -> Vec<StyledLine> {
    layout(&parse(source), cells)
}

/// Appends `text` to `spans`, joined to the last one if that is of the same kind.
fn append(spans: &mut Vec<Span>, kind: SpanKind, text: &str) {
    append_from(spans, kind, text, &Origin::nowhere());
}

/// The same with where the text comes from.
fn append_from(spans: &mut Vec<Span>, kind: SpanKind, text: &str, origin: &Origin) {
    if text.is_empty() {
        return;
    }
    match spans.last_mut() {
        Some(last) if last.kind == kind => {
            last.origin.append(last.text.len(), origin);
            last.text.push_str(text);
        }
        _ => spans.push(Span { kind, text: text.to_owned(), origin: origin.clone() }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
