//! Model text as styled rows, kept from frame to frame as long as text and width stay the same.
//!
//! Not here: how Markdown is read (`domain/text/markdown`), which text is shown. Invariant: the text kept is made from
//! clean text only.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::domain::protocol::{AttemptId, Channel};
use crate::domain::text::CleanText;
use crate::domain::text::markdown::{self, SpanKind};
use crate::interface::tui::scene::Transcripts;
use crate::interface::tui::theme::{Slot, Theme};

/// What a rendered text was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    attempt: AttemptId,
    channel: Channel,
    pieces: usize,
    cells: u16,
    theme: String,
}

/// The text rendered last, and from what. One a pane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prose {
    key: Option<Key>,
    lines: Vec<Line<'static>>,
}

impl Prose {
    /// The rows of one channel of an attempt at a width: answers as Markdown, the rest as it is.
    pub(crate) fn rows(
        &mut self,
        theme: &Theme,
        transcripts: &Transcripts,
        attempt: AttemptId,
        channel: Channel,
        cells: u16,
    ) -> &[Line<'static>] {
        let key = Key { attempt, channel, pieces: transcripts.count(attempt), cells, theme: theme.name.clone() };
        if self.key.as_ref() != Some(&key) {
            let text = CleanText::new(&transcripts.text(attempt, channel));
            self.lines = match channel {
                Channel::Answer => rendered(theme, &text, cells),
                Channel::Thinking | Channel::ToolCall => super::page::wrapped(theme, Slot::Thinking, &text, cells, 0),
            };
            self.key = Some(key);
        }
        &self.lines
    }
}

/// Markdown as styled rows.
pub(crate) fn rendered(theme: &Theme, text: &CleanText, cells: u16) -> Vec<Line<'static>> {
    markdown::render(text, usize::from(cells.max(1)))
        .iter()
        .map(|line| Line::from_iter(line.all().map(|s| Span::styled(s.text.clone(), style(theme, s.kind)))))
        .collect()
}

fn style(theme: &Theme, kind: SpanKind) -> Style {
    theme.style(match kind {
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
    })
}
