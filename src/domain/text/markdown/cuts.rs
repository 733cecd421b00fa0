//! Where a Markdown text that grows may be cut, so that each part renders by itself as it does in the whole.
//!
//! A text is cut where a top-level block begins that follows a finished one. A block that is longer than [`LONG`] is cut
//! inside: a code block and a table at any line, with what they begin with put before each part; a list before an item;
//! other text at a line's end or, without one, at a space. Known limits: a link's definition (`[x]: url`) counts for
//! links of the same part only; in blocks cut inside, columns and open comments of one part know nothing of another's.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

use super::parse::options;

/// A code block, table or list longer than this many bytes is cut inside.
const LONG: usize = 2 << 10;
/// Other text is, past this many: there a cut shows as a row that ends early.
const LONGEST: usize = 8 << 10;
/// Bytes looked at in one go.
const WINDOW: usize = 16 << 10;

/// How a part follows on the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// With a blank row between.
    Apart,
    /// As if never cut.
    Seamless,
}

/// A place where a text is cut: a part begins here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The byte.
    pub at: usize,
    /// How it follows on.
    pub join: Join,
    /// The part of the text that is put before it when it is rendered, and not shown again.
    pub lead: Option<Range<usize>>,
}

impl Cut {
    /// The same in a text that begins so many bytes later, or earlier.
    pub fn moved(&self, by: isize) -> Self {
        let to = |byte: usize| byte.saturating_add_signed(by);
        let lead = self.lead.clone().map(|lead| to(lead.start)..to(lead.end));
        Self { at: to(self.at), join: self.join, lead }
    }
}

/// The kind of a block that may be cut inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Table,
    List,
    Other,
}

/// The next places where `text` is cut, after the last `cut` (for the first: one at 0). Empty: the rest may still
/// change with what comes. Ask again with the last of them until there are none.
pub fn next_cuts(text: &str, cut: &Cut) -> Vec<Cut> {
    let rest = text.get(cut.at..).unwrap_or_default();
    if rest.is_empty() {
        return Vec::new();
    }
    let part = window(rest);
    let lead = cut.lead.clone().and_then(|lead| text.get(lead)).unwrap_or_default();
    // A line that is still being written may turn into anything (`#` into `#tag`).
    let whole = part.rfind('\n').map_or(0, |at| at + 1);
    let source = format!("{lead}{}", part.get(..whole).unwrap_or_default());
    let blocks = blocks(&source);
    let starts: Vec<(usize, Kind)> =
        blocks.iter().filter(|(at, _)| *at > lead.len()).map(|(at, kind)| (at - lead.len(), *kind)).collect();
    // A line without an end, however long, is all there is to go by.
    let all = if whole == 0 { part.len() } else { whole };
    let first = starts.first().map_or(all, |(at, _)| *at);
    let kind = blocks.first().map_or(Kind::Other, |(_, kind)| *kind);
    if first > kind.limit() {
        let begins = blocks.first().map_or(0, |(at, _)| at.saturating_sub(lead.len()));
        let cuts = inside(text, cut, kind, cut.at + begins, part.get(..first).unwrap_or_default());
        if !cuts.is_empty() {
            return cuts;
        }
    }
    // Up to a block that is itself cut inside: however a text came, it is cut at the same places.
    let mut cuts = Vec::new();
    for (i, (at, kind)) in starts.iter().enumerate() {
        cuts.push(Cut { at: cut.at + at, join: Join::Apart, lead: None });
        let end = starts.get(i + 1).map_or(all, |(next, _)| *next);
        if end - at > kind.limit() {
            break;
        }
    }
    cuts
}

impl Kind {
    /// How long a block of it may be.
    const fn limit(self) -> usize {
        match self {
            Self::Code | Self::Table | Self::List => LONG,
            Self::Other => LONGEST,
        }
    }
}

/// As much as is looked at in one go: whole lines, if one ends in it.
fn window(rest: &str) -> &str {
    if rest.len() <= WINDOW {
        return rest;
    }
    let part = rest.get(..rest.floor_char_boundary(WINDOW)).unwrap_or_default();
    let end = part.rfind('\n').map_or(part.len(), |at| at + 1);
    part.get(..end).unwrap_or_default()
}

/// Where the top-level blocks of whole lines begin, and what they are.
fn blocks(whole: &str) -> Vec<(usize, Kind)> {
    let mut depth = 0usize;
    let mut found: Vec<(usize, Kind)> = Vec::new();
    let mut add = |start: usize, kind| {
        // With the block's indentation, which is part of what makes it one.
        let at = whole.get(..start).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1);
        if found.last().is_none_or(|(last, _)| *last < at) {
            found.push((at, kind));
        }
    };
    for (event, range) in Parser::new_ext(whole, options()).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if depth == 0 && is_block(&tag) {
                    add(range.start, kind_of(&tag));
                }
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Rule if depth == 0 => add(range.start, Kind::Other),
            _ => {}
        }
    }
    found
}

fn is_block(tag: &Tag<'_>) -> bool {
    !matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

fn kind_of(tag: &Tag<'_>) -> Kind {
    match tag {
        Tag::CodeBlock(CodeBlockKind::Fenced(_)) => Kind::Code,
        Tag::Table(_) => Kind::Table,
        Tag::List(_) => Kind::List,
        _ => Kind::Other,
    }
}

/// The places inside a long block of which `part` is what follows `cut`; the block itself begins at `begins`.
fn inside(text: &str, cut: &Cut, kind: Kind, begins: usize, part: &str) -> Vec<Cut> {
    let limit = kind.limit();
    let lead = cut.lead.clone().or_else(|| lead_of(text, kind, begins));
    let mut cuts = Vec::new();
    let mut from = 0;
    while part.len() - from > limit {
        let room = part.get(from..part.floor_char_boundary(from + limit)).unwrap_or_default();
        let lines = room.match_indices('\n').map(|(at, _)| at + 1).filter(|at| *at < room.len());
        let item = |at: &usize| kind != Kind::List || room.get(*at..).is_some_and(begins_item);
        let Some(at) = lines.clone().rfind(item).or_else(|| lines.clone().next_back()).or_else(|| space(room)) else {
            break;
        };
        from += at;
        let blank = part.get(..from).is_some_and(|before| before.ends_with("\n\n"));
        let join = if blank && kind != Kind::Code { Join::Apart } else { Join::Seamless };
        cuts.push(Cut { at: cut.at + from, join, lead: lead.clone() });
    }
    cuts
}

/// What a code block or a table begins with.
fn lead_of(text: &str, kind: Kind, begins: usize) -> Option<Range<usize>> {
    let lines = match kind {
        Kind::Code => 1,
        Kind::Table => 2,
        Kind::List | Kind::Other => return None,
    };
    let end = text.get(begins..)?.match_indices('\n').nth(lines - 1)?.0;
    Some(begins..begins + end + 1)
}

/// Whether text begins with an item of an outermost list.
fn begins_item(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < text.len() && (rest.starts_with(". ") || rest.starts_with(") "));
    numbered || ["- ", "* ", "+ "].iter().any(|mark| text.starts_with(mark))
}

/// Behind the last space; without one, the end.
fn space(room: &str) -> Option<usize> {
    let at = room.rfind(' ').map_or(room.len(), |at| at + 1);
    (at > 0).then_some(at)
}
