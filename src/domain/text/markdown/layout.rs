//! Blocks to rows of a width.
//!
//! Not here: tables ([`super::table`]), what is a keyword ([`super::highlight`]).

use std::ops::Range;

use super::highlight::Highlighter;
use super::origin::join;
use super::table::table;
use super::{Block, Item, Origin, Spacing, Span, SpanKind, StyledLine, TaskBox, append, append_from};
use crate::domain::text::width::{CUT_MARK, fitting_prefix, width};
use crate::domain::text::wrap::wrap;

/// Cells that must be left for text; an indentation that would leave less is not made.
const LEAST_ROOM: usize = 6;

/// `blocks` as rows of at most `cells` (at least 1).
pub fn layout(blocks: &[Block], cells: usize) -> Vec<StyledLine> {
    let mut layout = Layout { out: Vec::new(), indents: Vec::new(), cells: cells.max(1) };
    layout.blocks(blocks, Spacing::Loose);
    layout.out
}

/// Lines of code by themselves, wrapped to rows of at most `cells` rather than cut.
pub fn code(language: &str, text: &str, cells: usize) -> Vec<StyledLine> {
    let mut highlighter = Highlighter::new(language);
    let mut out = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let mut spans = highlighter.line(line.strip_suffix('\n').unwrap_or(line));
        let mut from = at;
        for span in &mut spans {
            span.origin = Origin::at(from);
            from += span.text.len();
        }
        for row in flow(&spans, cells.max(1)) {
            let source = source_of(&row).or(Some(at..at));
            out.push(StyledLine { prefix: Vec::new(), spans: row, source });
        }
        at += line.len();
    }
    out
}

/// What stands before each row inside a container.
struct Indent {
    /// On the first row, until it is written.
    first: Option<Span>,
    /// On the rows after it; as wide as `first`.
    rest: Span,
}

struct Layout {
    out: Vec<StyledLine>,
    indents: Vec<Indent>,
    cells: usize,
}

impl Layout {
    fn room(&self) -> usize {
        let taken: usize = self.indents.iter().map(|indent| width(&indent.rest.text)).sum();
        self.cells.saturating_sub(taken).max(1)
    }

    fn line(&mut self, spans: Vec<Span>) {
        let source = source_of(&spans);
        self.line_from(spans, source);
    }

    fn line_from(&mut self, spans: Vec<Span>, source: Option<Range<usize>>) {
        let prefix = self.indents.iter_mut().map(|indent| indent.first.take().unwrap_or_else(|| indent.rest.clone()));
        let prefix = prefix.collect();
        self.out.push(StyledLine { prefix, spans, source });
    }

    /// Does `body` with an indentation, if there is room for one.
    fn indented(&mut self, first: Span, rest: Span, body: impl FnOnce(&mut Self)) {
        if self.room() < width(&rest.text) + LEAST_ROOM {
            return body(self);
        }
        let rows = self.out.len();
        self.indents.push(Indent { first: Some(first), rest });
        body(self);
        if self.out.len() == rows {
            // An empty item still has its marker.
            self.line(Vec::new());
        }
        self.indents.pop();
    }

    fn blocks(&mut self, blocks: &[Block], spacing: Spacing) {
        for (at, block) in blocks.iter().enumerate() {
            if at > 0 && spacing == Spacing::Loose {
                self.line(Vec::new());
            }
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(spans) | Block::Heading(_, spans) => {
                for row in flow(spans, self.room()) {
                    self.line(row);
                }
            }
            Block::Code { language, text } => self.code(language, text),
            Block::Quote(blocks) => {
                let bar = Span::new(SpanKind::Quote, "│ ");
                self.indented(bar.clone(), bar, |layout| layout.blocks(blocks, Spacing::Loose));
            }
            Block::List { start, spacing, items } => self.list(*start, *spacing, items),
            Block::Table { aligns, head, rows } => {
                for (row, source) in table(aligns, head, rows, self.room()) {
                    self.line_from(row, source);
                }
            }
            Block::Rule => {
                let rule = Span::new(SpanKind::TableBorder, "─".repeat(self.room()));
                self.line(vec![rule]);
            }
        }
    }

    fn list(&mut self, start: Option<u64>, spacing: Spacing, items: &[Item]) {
        let number = |at: usize| start.map(|first| first.saturating_add(at as u64).to_string());
        let digits = number(items.len().saturating_sub(1)).map_or(0, |last| last.len());
        for (at, item) in items.iter().enumerate() {
            if at > 0 && spacing == Spacing::Loose {
                self.line(Vec::new());
            }
            let mut marker = match (number(at), item.task) {
                (_, TaskBox::Open) => "☐ ".to_owned(),
                (_, TaskBox::Done) => "☑ ".to_owned(),
                (Some(number), TaskBox::None) => format!("{number:>digits$}. "),
                (None, TaskBox::None) => "• ".to_owned(),
            };
            let cells = width(&marker).max(2);
            marker.extend(std::iter::repeat_n(' ', cells - width(&marker)));
            let rest = Span::new(SpanKind::ListMarker, " ".repeat(cells));
            self.indented(Span::new(SpanKind::ListMarker, marker), rest, |layout| layout.blocks(&item.blocks, spacing));
        }
    }

    fn code(&mut self, language: &str, code: &Span) {
        let indent = Span::new(SpanKind::CodeBlock, "  ");
        self.indented(indent.clone(), indent, |layout| {
            if !language.is_empty() {
                let label = cut(vec![Span::new(SpanKind::Dim, language)], layout.room());
                layout.line(label);
            }
            let mut highlighter = Highlighter::new(language);
            let mut at = 0;
            for line in code.text.split_inclusive('\n') {
                let text = line.strip_suffix('\n').unwrap_or(line);
                let origin = code.origin.slice(at..at + line.len());
                // A line without letters stands somewhere too.
                let source = origin.span(line.len()).map(|all| all.start..all.start + text.len());
                let mut spans = highlighter.line(text);
                let mut from = 0;
                for span in &mut spans {
                    span.origin = origin.slice(from..from + span.text.len());
                    from += span.text.len();
                }
                layout.line_from(cut(spans, layout.room()), source);
                at += line.len();
            }
        });
    }
}

/// The part of the source that spans show.
pub(super) fn source_of(spans: &[Span]) -> Option<Range<usize>> {
    spans.iter().filter_map(|span| span.origin.span(span.text.len())).reduce(join)
}

/// Running text wrapped to rows; newlines in it end a row.
pub(super) fn flow(spans: &[Span], cells: usize) -> Vec<Vec<Span>> {
    let text: String = spans.iter().map(|span| span.text.as_str()).collect();
    let mut rows = Vec::new();
    // Rows are in order, so the span to begin at only moves on.
    let mut first = 0;
    let mut first_at = 0;
    let mut line_at = 0;
    for line in text.split('\n') {
        for range in wrap(line, cells) {
            let (start, end) = (line_at + range.start, line_at + range.end);
            while let Some(span) = spans.get(first).filter(|span| first_at + span.text.len() <= start) {
                first_at += span.text.len();
                first += 1;
            }
            let mut row = Vec::new();
            let mut at = first_at;
            for span in spans.get(first..).unwrap_or_default() {
                if at >= end {
                    break;
                }
                let from = start.saturating_sub(at);
                let to = (end - at).min(span.text.len());
                let part = span.text.get(from..to).unwrap_or_default();
                append_from(&mut row, span.kind, part, &span.origin.slice(from..to));
                at += span.text.len();
            }
            rows.push(row);
        }
        line_at += line.len() + 1;
    }
    rows
}

/// One row of `spans` cut to `cells`, with a mark if something is missing.
pub(super) fn cut(spans: Vec<Span>, cells: usize) -> Vec<Span> {
    let mut taken = 0;
    let fits = spans.iter().all(|span| {
        taken += width(&span.text);
        taken <= cells
    });
    if fits {
        return spans;
    }
    let mut left = cells.saturating_sub(width(CUT_MARK));
    let mut out = Vec::new();
    for span in spans {
        let (bytes, took) = fitting_prefix(&span.text, left);
        append_from(&mut out, span.kind, span.text.get(..bytes).unwrap_or_default(), &span.origin.slice(0..bytes));
        left -= took;
        if bytes < span.text.len() {
            break;
        }
    }
    append(&mut out, SpanKind::Dim, CUT_MARK);
    out
}
