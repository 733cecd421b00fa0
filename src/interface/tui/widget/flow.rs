//! Text that grows: cleaned, rendered and wrapped once, piece by piece; only the part that is not finished is done again.
//!
//! Not here: where the pieces come from, scrolling. Invariant: painting touches visible rows only.

use ratatui::buffer::Buffer;

use super::super::theme::{Slot, Theme};
use super::pen::Pen;
use crate::domain::text::Sanitizer;
use crate::domain::text::markdown::{SpanKind, Streaming};
use crate::domain::text::width::width;
use crate::domain::text::wrap::wrap;

/// Whether there is text that was not rendered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    Yes,
    No,
}

/// Clean text that grows, and its words.
#[derive(Clone, Debug)]
struct Source {
    sanitizer: Sanitizer,
    clean: String,
    fresh: Fresh,
    words: u64,
    counted: usize,
}

impl Source {
    fn new() -> Self {
        Self { sanitizer: Sanitizer::new(), clean: String::new(), fresh: Fresh::No, words: 0, counted: 0 }
    }

    fn push(&mut self, raw: &str) {
        self.sanitizer.push(raw, &mut self.clean);
        self.fresh = Fresh::Yes;
    }

    fn words(&mut self) -> u64 {
        if let Some(new) = self.clean.get(self.counted..)
            && let Some(end) = new.rfind(char::is_whitespace)
        {
            self.words += new.get(..end).unwrap_or_default().split_whitespace().count() as u64;
            self.counted += end;
        }
        let rest = self.clean.get(self.counted..).unwrap_or_default();
        self.words + rest.split_whitespace().count() as u64
    }
}

/// Plain text in rows: what a model thinks.
#[derive(Clone, Debug)]
pub struct Thoughts {
    source: Source,
    width: u16,
    rows: Vec<(u32, u32)>,
    settled_rows: usize,
    settled_bytes: usize,
}

impl Default for Thoughts {
    fn default() -> Self {
        Self { source: Source::new(), width: 0, rows: Vec::new(), settled_rows: 0, settled_bytes: 0 }
    }
}

impl Thoughts {
    /// Takes in a raw piece.
    pub fn push(&mut self, raw: &str) {
        self.source.push(raw);
    }

    /// Brings the rows up to date at a width.
    pub fn update(&mut self, cells: u16) {
        if self.width != cells {
            self.width = cells;
            self.rows.clear();
            (self.settled_rows, self.settled_bytes) = (0, 0);
        } else if self.source.fresh == Fresh::No {
            return;
        }
        self.source.fresh = Fresh::No;
        self.rows.truncate(self.settled_rows);
        let mut from = self.settled_bytes;
        let clean = self.source.clean.as_str();
        let rest = clean.get(from..).unwrap_or_default();
        for line in rest.split_inclusive('\n') {
            let text = line.strip_suffix('\n').unwrap_or(line);
            if !text.trim().is_empty() {
                self.rows
                    .extend(wrap(text, usize::from(cells)).map(|r| ((from + r.start) as u32, (from + r.end) as u32)));
            }
            from += line.len();
            if line.ends_with('\n') {
                self.settled_bytes = from;
                self.settled_rows = self.rows.len();
            }
        }
    }

    /// Rows at the present width.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Words so far.
    pub fn words(&mut self) -> u64 {
        self.source.words()
    }

    /// Paints a row.
    pub fn paint(&self, row: usize, buf: &mut Buffer, x: u16, y: u16, right: u16, theme: &Theme) {
        if let Some((from, to)) = self.rows.get(row).copied() {
            let text = self.source.clean.get(from as usize..to as usize).unwrap_or_default();
            Pen::new(buf, x, y, right).put(text, theme.style(Slot::Thinking));
        }
    }
}

/// Tells text in other words, as Markdown; none when it is to be shown as it is.
pub type Retell = fn(&str) -> Option<String>;

/// Markdown in rows: what a model answers.
#[derive(Clone, Debug)]
pub struct Answer {
    source: Source,
    /// Bytes of the whole lines that were looked at for fences and paragraphs.
    lines_seen: usize,
    /// Where the last paragraph or item of them begins.
    paragraph: usize,
    /// The fence that is open where the last whole line ends.
    fence: Option<&'static str>,
    width: u16,
    rendered: Streaming,
    needle: String,
    found: Vec<(u32, u32, u32)>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            source: Source::new(),
            lines_seen: 0,
            paragraph: 0,
            fence: None,
            width: 0,
            rendered: Streaming::new(1),
            needle: String::new(),
            found: Vec::new(),
        }
    }
}

impl Answer {
    /// Takes in a raw piece.
    pub fn push(&mut self, raw: &str) {
        self.source.push(raw);
    }

    /// Brings the rows up to date at a width, and the matches of a search (in lower case; empty: none). With `retell`
    /// the rows are what it makes of the text.
    pub fn update(&mut self, cells: u16, needle: &str, retell: Option<Retell>) {
        let mut changed = false;
        if self.width != cells {
            self.width = cells;
            self.rendered = Streaming::new(usize::from(cells.max(1)));
            changed = true;
        }
        if changed || self.source.fresh == Fresh::Yes {
            match retell.and_then(|retell| retell(&self.source.clean)) {
                Some(told) => {
                    self.rendered = Streaming::new(usize::from(cells.max(1)));
                    self.rendered.update(&told);
                }
                None => self.render(),
            }
            self.source.fresh = Fresh::No;
            changed = true;
        }
        if self.needle != needle || (changed && !needle.is_empty()) {
            needle.clone_into(&mut self.needle);
            self.search();
        }
    }

    /// Renders the text as if what is open at its end were closed, so that no bare mark flickers up.
    fn render(&mut self) {
        self.follow_lines();
        let clean = &mut self.source.clean;
        let end = clean.trim_end().len();
        let line = clean.get(self.lines_seen..end).unwrap_or_default().trim_start();
        let from = if begins(line) { self.lines_seen } else { self.paragraph };
        let bare = !line.is_empty() && line.len() < 3 && line.chars().all(|c| matches!(c, '`' | '*' | '~'));
        let closed = match self.fence {
            Some(mark) if !line.is_empty() && mark.starts_with(line) => Some((line.len(), "")),
            Some(_) => None,
            None if fence_of(line).is_some() => None,
            None if bare => Some((line.len(), "")),
            None => closing(clean.get(from..end).unwrap_or_default()),
        };
        let Some((less, close)) = closed else {
            self.rendered.update(clean);
            return;
        };
        let rest = clean.split_off(end - less);
        clean.push_str(close);
        self.rendered.update(clean);
        clean.truncate(clean.len() - close.len());
        clean.push_str(&rest);
    }

    /// Reads the whole lines that came since, for fences of code and where paragraphs begin.
    fn follow_lines(&mut self) {
        let new = self.source.clean.get(self.lines_seen..).unwrap_or_default();
        for line in new.split_inclusive('\n').filter(|l| l.ends_with('\n')) {
            let from = self.lines_seen;
            self.lines_seen += line.len();
            let first = line.trim_start();
            match (self.fence, fence_of(first)) {
                (None, Some(mark)) => self.fence = Some(mark),
                (Some(open), Some(mark)) if open == mark => {
                    self.fence = None;
                    self.paragraph = self.lines_seen;
                }
                (None, None) if first.is_empty() => self.paragraph = self.lines_seen,
                (None, None) if begins(first) => self.paragraph = from,
                _ => {}
            }
        }
    }

    fn search(&mut self) {
        self.found.clear();
        if self.needle.is_empty() {
            return;
        }
        for (row, line) in self.rendered.lines().iter().enumerate() {
            let text = line.text();
            let lower = text.to_lowercase();
            // Where lower case has other lengths, offsets would be wrong; then case counts.
            let hay = if lower.len() == text.len() { &lower } else { &text };
            self.found.extend(
                hay.match_indices(self.needle.as_str()).map(|(at, m)| (row as u32, at as u32, (at + m.len()) as u32)),
            );
        }
    }

    /// Rows at the present width.
    pub fn rows(&self) -> usize {
        self.rendered.lines().len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.source.clean.is_empty()
    }

    /// The rows with a match, one entry a match.
    pub fn matches(&self) -> impl Iterator<Item = u32> + '_ {
        self.found.iter().map(|(row, ..)| *row)
    }

    /// Paints a row; `current` is the match the user is at. Returns the column behind the text.
    pub fn paint(
        &self,
        row: usize,
        current: Option<usize>,
        buf: &mut Buffer,
        at: (u16, u16),
        right: u16,
        theme: &Theme,
    ) -> u16 {
        let (x, y) = at;
        let Some(line) = self.rendered.lines().get(row) else { return x };
        let mut pen = Pen::new(buf, x, y, right);
        for span in line.all() {
            pen.put(&span.text, theme.style(slot(span.kind)));
        }
        let end = pen.x;
        if !self.found.is_empty() {
            let text = line.text();
            for (i, (_, from, to)) in self.found.iter().enumerate().filter(|(_, f)| f.0 as usize == row) {
                let before = width(text.get(..*from as usize).unwrap_or_default()) as u16;
                let style = theme.style(if Some(i) == current { Slot::MatchCurrent } else { Slot::Match });
                Pen::new(buf, x.saturating_add(before), y, right)
                    .put(text.get(*from as usize..*to as usize).unwrap_or_default(), style);
            }
        }
        end
    }
}

/// The mark of a line that opens or closes a block of code.
fn fence_of(line: &str) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark))
}

/// Whether a line (without its indentation) begins an item, a heading or the like, and so a paragraph of its own.
fn begins(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < line.len() && rest.starts_with(['.', ')']);
    numbered || line.starts_with(['-', '+', '#', '>', '|']) || line.starts_with("* ")
}

/// What closes the bold words or the code that are open at the end of a paragraph, and how many bytes before are left
/// out for it: an opening mark with nothing behind it is not shown at all.
fn closing(text: &str) -> Option<(usize, &'static str)> {
    let (mut bold, mut code) = (false, false);
    let (mut chars, mut last) = (text.char_indices().peekable(), 0);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if !code => {
                chars.next();
            }
            '`' => {
                code = !code;
                last = at;
            }
            '*' if !code && chars.next_if(|(_, c)| *c == '*').is_some() => {
                bold = !bold;
                last = at;
            }
            _ => {}
        }
    }
    match (code, bold) {
        (true, _) if last + 1 == text.len() => Some((1, "")),
        (true, true) => Some((0, "`**")),
        (true, false) => Some((0, "`")),
        (false, true) if last + 2 == text.len() => Some((2, "")),
        // The first half of its end is there already.
        (false, true) if text.ends_with('*') => Some((0, "*")),
        (false, true) => Some((0, "**")),
        // Half of an opening mark.
        (false, false) if text.ends_with(" *") => Some((1, "")),
        (false, false) => None,
    }
}

/// The style of a kind of text.
pub fn slot(kind: SpanKind) -> Slot {
    match kind {
        SpanKind::Text => Slot::Text,
        SpanKind::Strong => Slot::Bold,
        SpanKind::Emphasis => Slot::Emphasis,
        SpanKind::Code | SpanKind::CodeBlock => Slot::Code,
        SpanKind::Heading(_) => Slot::Heading,
        SpanKind::Link => Slot::Link,
        SpanKind::CodeKeyword => Slot::CodeKeyword,
        SpanKind::CodeString => Slot::CodeString,
        SpanKind::CodeComment => Slot::CodeComment,
        SpanKind::CodeNumber => Slot::CodeNumber,
        SpanKind::Quote => Slot::Quote,
        SpanKind::ListMarker | SpanKind::TableBorder => Slot::Marker,
        SpanKind::Dim => Slot::Dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_wrap_only_what_grows() {
        let mut thoughts = Thoughts::default();
        thoughts.push("one two three\nfo");
        thoughts.update(8);
        assert_eq!((thoughts.rows(), thoughts.settled_rows, thoughts.words()), (3, 2, 4));
        thoughts.push("ur\n\nfive");
        thoughts.update(8);
        let rows: Vec<&str> =
            thoughts.rows.iter().map(|(a, b)| &thoughts.source.clean[*a as usize..*b as usize]).collect();
        assert_eq!(rows, ["one two", "three", "four", "five"]);
        assert_eq!(thoughts.words(), 5);
        thoughts.update(80);
        assert_eq!(thoughts.rows(), 3);
    }

    #[test]
    fn matches_are_found_in_new_text_too() {
        let mut answer = Answer::default();
        answer.push("Alpha beta\n\ngamma al");
        answer.update(20, "alpha", None);
        assert_eq!(answer.matches().collect::<Vec<_>>(), [0]);
        answer.push("pha \u{1b}[31malpha");
        answer.update(20, "alpha", None);
        assert_eq!(answer.matches().count(), 3);
        answer.update(20, "", None);
        assert_eq!(answer.matches().count(), 0);
    }

    #[test]
    fn no_mark_flickers_up_while_text_comes() {
        let whole = "Some **bold words** and `code **x**`.\n\n- **Item one**: `a` b\n2. **Two\nlines** here\n\n\
                     ```\na ** b\n```\n\nLast **one";
        for (end, _) in whole.char_indices().chain([(whole.len(), ' ')]) {
            let mut answer = Answer::default();
            answer.push(&whole[..end]);
            answer.update(60, "", None);
            assert_eq!(answer.source.clean, whole[..end], "the text itself is as it was");
            for line in answer.rendered.lines() {
                let text = line.text();
                let shown = ["code **x**", "code **x*", "code **x", "code **", "code *"]
                    .iter()
                    .fold(text.clone(), |t, part| t.replace(part, ""));
                assert!(text.contains("a *") || !shown.contains(['*', '`']), "{text:?} of {:?}", &whole[..end]);
            }
        }
        let mut whole_again = Answer::default();
        for c in whole.chars() {
            whole_again.push(c.encode_utf8(&mut [0; 4]));
            whole_again.update(60, "", None);
        }
        let mut at_once = Answer::default();
        at_once.push(whole);
        at_once.update(60, "", None);
        assert_eq!(whole_again.rendered.lines(), at_once.rendered.lines());
    }
}
