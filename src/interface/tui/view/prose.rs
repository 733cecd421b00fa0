//! Model text as styled rows, kept from frame to frame as long as text and width stay the same.
//!
//! Not here: how Markdown is read (`domain/text/markdown`), which text is shown. Invariant: the text kept is made from
//! clean text only.

use std::cell::RefCell;
use std::sync::Arc;

use ratatui::text::{Line, Span};

use crate::domain::protocol::{AttemptId, Channel, TurnId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::domain::text::markdown;
use crate::interface::tui::scene::Transcripts;
use crate::interface::tui::theme::{Glyph, Slot, Theme};
use crate::interface::tui::view::page::{self, bytes};
use crate::interface::tui::widget::flow::slot;

/// Bytes of a text that are rendered, its end: rows take some four times their text, and each pane keeps its own. It is more
/// than any answer within its limit has; the text of a task's pane goes further back.
const MOST: usize = 1 << 20;

/// What a rendered text was made from.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    turns: Vec<TurnId>,
    channel: Channel,
    pieces: usize,
    turned: Option<u64>,
    cells: u16,
    theme: Theme,
}

/// The text rendered last, and from what. One a pane, kept beside the pane's scroll.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prose {
    kept: RefCell<Option<Box<(Key, Rows)>>>,
}

/// Rendered rows, shared.
pub(crate) type Rows = Arc<[Line<'static>]>;

impl PartialEq for Prose {
    /// What is kept follows from what is shown, so it tells no two panes apart.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Prose {
    /// The rows of one channel of an attempt at a width: answers as Markdown, the rest as it is.
    pub(crate) fn rows(
        &self,
        theme: &Theme,
        (state, transcripts): (&State, &Transcripts),
        attempt: AttemptId,
        channel: Channel,
        cells: u16,
    ) -> Rows {
        let turns = state.attempt(attempt).map(|a| state.turns_of(a, channel)).unwrap_or_default();
        let pieces = turns.iter().map(|t| transcripts.count(t.attempt)).sum();
        let turned = turns.iter().filter_map(|t| transcripts.turned(t.attempt)).max();
        let key = Key { turns, channel, pieces, turned, cells, theme: theme.clone() };
        let mut kept = self.kept.borrow_mut();
        if let Some((made_from, rows)) = kept.as_deref()
            && *made_from == key
        {
            return Arc::clone(rows);
        }
        let (text, before) = transcripts.text_end(&key.turns, channel, MOST);
        let text = CleanText::new(&text);
        let mut rows = match channel {
            Channel::Answer => rendered(theme, &text, cells),
            Channel::Thinking | Channel::ToolCall => page::wrapped(theme, Slot::Thinking, &text, cells, 0),
        };
        if before > 0 {
            let size = bytes(before + transcripts.gone_bytes(attempt));
            let words = format!("{} {size} of earlier text are in the journal", theme.glyph(Glyph::Ellipsis));
            rows.splice(0..0, page::wrapped(theme, Slot::Dim, &words, cells, 0));
        }
        let rows: Rows = rows.into();
        *kept = Some(Box::new((key, Arc::clone(&rows))));
        rows
    }
}

/// Markdown as styled rows.
pub(crate) fn rendered(theme: &Theme, text: &CleanText, cells: u16) -> Vec<Line<'static>> {
    markdown::render(text, usize::from(cells.max(1)))
        .iter()
        .map(|line| Line::from_iter(line.all().map(|s| Span::styled(s.text.clone(), theme.style(slot(s.kind))))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::GoalId;
    use crate::interface::tui::view::story;

    #[test]
    fn a_theme_that_was_edited_is_seen_in_text_that_was_kept() {
        let story = story::done();
        let answer =
            story.state.goal(GoalId(1)).and_then(|g| story.state.task_by_id(g.answer.as_ref()?)?.result).unwrap();
        let prose = Prose::default();
        let rows = |theme: &Theme| prose.rows(theme, (&story.state, &story.transcripts), answer, Channel::Answer, 60);
        let before = Theme::load_named("midnight");
        assert!(Arc::ptr_eq(&rows(&before), &rows(&before)));
        let kept = rows(&before);
        // Its file was written anew: the name is the same, the colours are others.
        let mut edited = Theme::load_named("ember");
        edited.name.clone_from(&before.name);
        assert_ne!(rows(&edited), kept);
    }
}
