//! The answers of a card: each with its key, wrapped, none cut; where they don't all fit, those around the focused one.
//!
//! Not here: what a card says above them, what a choice does.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{ink, row};
use crate::domain::text::CleanText;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// Cells of the cursor, with the space behind it.
const CURSOR: usize = 2;
/// Cells of a key, `esc` and the space behind it.
const KEY: usize = 4;

/// Answers as they stand at a width.
pub(super) struct ChoiceRows {
    /// Whose row it is, its key where it is the first of its, its words.
    rows: Vec<(usize, Option<String>, String)>,
    /// Cells that are kept for a key.
    keys: usize,
}

impl ChoiceRows {
    /// Lays answers out: the key of each, and its words.
    pub(super) fn of(choices: &[(String, CleanText)], cells: u16) -> Self {
        // Lines without keys have the cursor only.
        let keys = if choices.iter().all(|(key, _)| key.is_empty()) { 0 } else { KEY };
        let room = usize::from(cells).saturating_sub(CURSOR + keys).max(1);
        let mut rows = Vec::new();
        for (i, (key, words)) in choices.iter().enumerate() {
            let lines = wrap(words, room);
            let words = lines.map(|line| words.get(line).unwrap_or_default().trim_end().to_owned());
            let before = rows.len();
            rows.extend(words.map(|words| (i, None, words)));
            if rows.len() == before {
                rows.push((i, None, String::new()));
            }
            if let Some(first) = rows.get_mut(before) {
                first.1 = Some(key.clone());
            }
        }
        Self { rows, keys }
    }

    /// How many rows they take.
    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.rows.len()).unwrap_or(u16::MAX)
    }

    /// The rows of a choice.
    pub(super) fn span(&self, choice: usize) -> Range<usize> {
        let start = self.rows.iter().position(|row| row.0 == choice).unwrap_or(0);
        start..start + self.rows.iter().filter(|row| row.0 == choice).count()
    }

    /// The first row shown in so many, so that a choice is among them whole; of one that is higher, its beginning.
    pub(super) fn around(&self, choice: usize, height: u16) -> usize {
        let span = self.span(choice);
        span.end.saturating_sub(usize::from(height)).min(span.start)
    }

    /// Draws them from a row on.
    pub(super) fn paint(&self, scene: &Scene<'_>, focused: usize, from: usize, place: Rect, buf: &mut Buffer) {
        let theme = scene.theme;
        for (i, (choice, key, words)) in (0..).zip(self.rows.iter().skip(from)) {
            let Some(line) = row(place, i) else { break };
            scene.ui.spots.add(line, Spot::Row(*choice));
            let here = *choice == focused;
            if here {
                buf.set_style(line, theme.style(Slot::Selected));
            }
            // On a reversed row a colour of its own would stand out as a patch.
            let sign = if here { ink(theme) } else { theme.style(Slot::Key) };
            let mark = if here && key.is_some() { theme.glyph(Glyph::Cursor) } else { " " };
            let key = key.as_deref().unwrap_or_default();
            let left = put(buf, line, &format!("{mark} {key:<0$}", self.keys), sign);
            put(buf, left, words, ink(theme));
        }
    }
}
