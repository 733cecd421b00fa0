//! Markdown as lines of named spans, for any width.
//!
//! [`parse()`] makes blocks that know no width; [`layout()`] wraps them to one; [`render`] does both. A span says what it is
//! ([`SpanKind`]), never how it looks: colours are the theme's. [`Streaming`] renders text that still grows, without
//! doing the finished part again.
//!
//! Not here: colours, HTML (shown as written), images (their text is shown), footnotes, mathematics.
//! Invariants: the input is clean text, and so is the output, character references (`&#27;`) included; no line is wider
//! than the width it was made for, single graphemes aside; nesting deeper than [`MAX_DEPTH`] is shown flat.

mod highlight;
mod layout;
mod parse;
mod stream;
mod table;

pub use layout::layout;
pub use parse::parse;
pub use stream::{Streaming, split_stable};

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

/// A piece of text of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub kind: SpanKind,
    /// Its text; in a [`StyledLine`] never with a newline.
    pub text: String,
}

impl Span {
    /// A span.
    pub fn new(kind: SpanKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// One row of rendered Markdown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StyledLine {
    /// Indentation, quote bars and list markers: shown, not copied.
    pub prefix: Vec<Span>,
    /// The text.
    pub spans: Vec<Span>,
}

impl StyledLine {
    /// All spans, prefix first.
    pub fn all(&self) -> impl Iterator<Item = &Span> {
        self.prefix.iter().chain(&self.spans)
    }

    /// The row's text, prefix included.
    pub fn text(&self) -> String {
        self.all().map(|span| span.text.as_str()).collect()
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
        text: String,
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
    if text.is_empty() {
        return;
    }
    match spans.last_mut() {
        Some(last) if last.kind == kind => last.text.push_str(text),
        _ => spans.push(Span::new(kind, text)),
    }
}

#[cfg(test)]
mod tests;
