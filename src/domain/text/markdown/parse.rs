//! Markdown source to blocks.
//!
//! Not here: widths. The parser's events are followed with a stack of open containers, not by recursion, so that hostile
//! nesting costs memory and not the call stack.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{Block, Item, MAX_DEPTH, Origin, Spacing, Span, SpanKind, TaskBox, append_from};
use crate::domain::text::sanitize::sanitize;
use crate::domain::text::width::Align;

/// The Markdown that is understood: CommonMark, tables, struck-out text, task lists.
pub(super) fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// The blocks of `source`.
pub fn parse(source: &str) -> Vec<Block> {
    let mut builder = Builder { source, open: vec![Open::Blocks(Vec::new())], ..Builder::default() };
    for (event, range) in Parser::new_ext(source, options()).into_offset_iter() {
        builder.event(event, range);
    }
    builder.end()
}

/// A container whose end is still to come.
enum Open {
    /// The document or a quote.
    Blocks(Vec<Block>),
    List {
        start: Option<u64>,
        spacing: Spacing,
        items: Vec<Item>,
    },
    Item(Item),
}

#[derive(Default)]
struct Table {
    aligns: Vec<Align>,
    head: Vec<Vec<Span>>,
    rows: Vec<Vec<Vec<Span>>>,
    row: Vec<Vec<Span>>,
}

/// A link whose end is still to come.
struct Link {
    target: String,
    /// Its text so far.
    text: String,
}

#[derive(Default)]
struct Builder<'a> {
    source: &'a str,
    open: Vec<Open>,
    /// How many more containers are open than may be: their blocks go to the innermost of `open`.
    too_deep: usize,
    /// The running text of the block being read.
    inline: Vec<Span>,
    /// Emphasis and the like around the text being read, innermost last.
    kinds: Vec<SpanKind>,
    links: Vec<Link>,
    heading: Option<u8>,
    code: Option<(String, Span)>,
    table: Option<Table>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.close(tag, range),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => {
                    let text = sanitize(&text);
                    code.origin.append(code.text.len(), &Origin::at(range.start));
                    code.text.push_str(&text);
                }
                None => self.text(self.kind(), &text, range),
            },
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text(SpanKind::Code, &text, range);
            }
            Event::Html(text) | Event::InlineHtml(text) => self.text(SpanKind::Dim, &text, range),
            Event::FootnoteReference(text) => self.text(SpanKind::Dim, &format!("[{text}]"), range),
            Event::SoftBreak => self.text(self.kind(), " ", range),
            Event::HardBreak => self.text(self.kind(), "\n", range),
            Event::Rule => self.add(Block::Rule),
            Event::TaskListMarker(done) => {
                if let (0, Some(Open::Item(item))) = (self.too_deep, self.open.last_mut()) {
                    item.task = if done { TaskBox::Done } else { TaskBox::Open };
                }
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Paragraph => {
                self.flush();
                // A paragraph marked as such right inside an item is what makes a list loose.
                if let [.., Open::List { spacing, .. }, Open::Item(_)] = &mut *self.open {
                    *spacing = Spacing::Loose;
                }
            }
            Tag::Heading { level, .. } => {
                self.flush();
                self.heading = Some(level_of(level));
            }
            Tag::BlockQuote(_) | Tag::FootnoteDefinition(_) => {
                self.flush();
                self.push(Open::Blocks(Vec::new()));
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ',', '{']).next().unwrap_or_default(),
                    CodeBlockKind::Indented => "",
                };
                let code = Span::new(SpanKind::CodeBlock, "");
                self.code = Some((sanitize(language).replace('\n', ""), code));
            }
            Tag::List(start) => {
                self.flush();
                self.push(Open::List { start, spacing: Spacing::Tight, items: Vec::new() });
            }
            Tag::Item => {
                self.flush();
                self.push(Open::Item(Item { task: TaskBox::None, blocks: Vec::new() }));
            }
            Tag::Table(aligns) => {
                self.flush();
                self.table = Some(Table { aligns: aligns.into_iter().map(align_of).collect(), ..Table::default() });
            }
            Tag::Emphasis => self.kinds.push(SpanKind::Emphasis),
            Tag::Strong => self.kinds.push(SpanKind::Strong),
            Tag::Strikethrough => self.kinds.push(SpanKind::Dim),
            Tag::Link { dest_url, .. } => {
                self.kinds.push(SpanKind::Link);
                self.links.push(Link { target: sanitize(&dest_url).replace('\n', ""), text: String::new() });
            }
            Tag::Image { .. } => {
                self.text(SpanKind::Dim, "[image: ", range.start..range.start);
                self.kinds.push(SpanKind::Dim);
            }
            Tag::HtmlBlock => self.flush(),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.flush(),
            TagEnd::Heading(_) => {
                let level = self.heading.take().unwrap_or(1);
                let text = std::mem::take(&mut self.inline);
                self.add(Block::Heading(level, text));
            }
            TagEnd::BlockQuote(_) | TagEnd::FootnoteDefinition | TagEnd::List(_) | TagEnd::Item => {
                self.flush();
                self.pop();
            }
            TagEnd::CodeBlock => {
                if let Some((language, text)) = self.code.take() {
                    self.add(Block::Code { language, text });
                }
            }
            TagEnd::Table => {
                if let Some(Table { aligns, head, rows, .. }) = self.table.take() {
                    self.add(Block::Table { aligns, head, rows });
                }
            }
            TagEnd::TableHead => {
                if let Some(table) = &mut self.table {
                    table.head = std::mem::take(&mut table.row);
                }
            }
            TagEnd::TableRow => {
                if let Some(table) = &mut self.table {
                    let row = std::mem::take(&mut table.row);
                    table.rows.push(row);
                }
            }
            TagEnd::TableCell => {
                if let Some(table) = &mut self.table {
                    table.row.push(std::mem::take(&mut self.inline));
                }
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.kinds.pop();
            }
            TagEnd::Link => {
                self.kinds.pop();
                self.end_link(range);
            }
            TagEnd::Image => {
                self.kinds.pop();
                self.text(SpanKind::Dim, "]", range.end..range.end);
            }
            _ => {}
        }
    }

    /// A link's target is shown unless its text is the target: what one reads must not hide where it leads.
    fn end_link(&mut self, range: Range<usize>) {
        let Some(Link { target, text }) = self.links.pop() else { return };
        let same = target == text || target.strip_prefix("mailto:") == Some(&text);
        if !same && !target.is_empty() && !target.starts_with('#') {
            self.text(SpanKind::Dim, &format!(" ({target})"), range);
        }
    }

    fn kind(&self) -> SpanKind {
        match (self.heading, self.kinds.last()) {
            (_, Some(SpanKind::Link)) => SpanKind::Link,
            (Some(level), _) => SpanKind::Heading(level),
            (None, Some(kind)) => *kind,
            (None, None) => SpanKind::Text,
        }
    }

    /// `range` is where it was read. What stands there in other letters (`&amp;`) is found where that begins.
    fn text(&mut self, kind: SpanKind, text: &str, range: Range<usize>) {
        // Clean source is not enough: `&#27;` becomes an escape character only in the parser.
        let text = sanitize(text);
        for link in &mut self.links {
            link.text.push_str(&text);
        }
        let written = self.source.get(range.clone()).unwrap_or_default();
        // In a code span or a link's target: behind the mark that opens it.
        let origin = match written.find(&*text) {
            Some(at) => Origin::at(range.start + at),
            None if text.starts_with(" (") => {
                let target = text.get(2..text.len() - 1).and_then(|target| written.rfind(target));
                target.map_or_else(Origin::nowhere, |at| Origin::at(range.start + at.saturating_sub(2)))
            }
            None if text.len() <= range.len() => Origin::at(range.start),
            None => Origin::nowhere(),
        };
        append_from(&mut self.inline, kind, &text, &origin);
    }

    /// Running text outside a paragraph (in a tight item) ends where another block begins.
    fn flush(&mut self) {
        let mut text = std::mem::take(&mut self.inline);
        // The newline at the end of an HTML block is not a line of its own.
        if let Some(last) = text.last_mut() {
            last.text.truncate(last.text.trim_end_matches('\n').len());
        }
        if text.iter().any(|span| !span.text.is_empty()) {
            self.add(Block::Paragraph(text));
        }
    }

    fn add(&mut self, block: Block) {
        match self.open.last_mut() {
            Some(Open::Blocks(blocks) | Open::Item(Item { blocks, .. })) => blocks.push(block),
            Some(Open::List { items, .. }) => items.push(Item { task: TaskBox::None, blocks: vec![block] }),
            None => self.open.push(Open::Blocks(vec![block])),
        }
    }

    fn push(&mut self, container: Open) {
        if self.open.len() > MAX_DEPTH {
            self.too_deep += 1;
        } else {
            self.open.push(container);
        }
    }

    /// Ends the innermost container and gives it to the one around it.
    fn pop(&mut self) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        if self.open.len() <= 1 {
            return;
        }
        let Some(done) = self.open.pop() else { return };
        match done {
            Open::Item(item) => match self.open.last_mut() {
                Some(Open::List { items, .. }) => items.push(item),
                _ => item.blocks.into_iter().for_each(|block| self.add(block)),
            },
            Open::Blocks(blocks) => self.add(Block::Quote(blocks)),
            Open::List { start, spacing, items } => self.add(Block::List { start, spacing, items }),
        }
    }

    fn end(mut self) -> Vec<Block> {
        self.flush();
        self.too_deep = 0;
        while self.open.len() > 1 {
            self.pop();
        }
        match self.open.pop() {
            Some(Open::Blocks(blocks)) => blocks,
            _ => Vec::new(),
        }
    }
}

fn level_of(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

fn align_of(align: Alignment) -> Align {
    match align {
        Alignment::None | Alignment::Left => Align::Left,
        Alignment::Center => Align::Centre,
        Alignment::Right => Align::Right,
    }
}
