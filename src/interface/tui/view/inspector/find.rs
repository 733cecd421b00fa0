//! What is found in the rows of a section, and where it is lit.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::domain::text::search::Needle;
use crate::domain::text::width::width;
use crate::interface::tui::model::inspector::{InspectorUi, Section};
use crate::interface::tui::theme::{Slot, Theme};
use crate::interface::tui::view::prose::Rows;

/// The most matches that are looked for: nobody goes through more.
const MOST: usize = 10_000;

/// A match: its row, and the bytes of the row's text.
#[derive(Clone, Debug)]
pub(super) struct Match {
    /// The row.
    pub(super) line: usize,
    /// Where in its text.
    pub(super) range: Range<usize>,
}

fn text(line: &Line<'_>) -> String {
    line.spans.iter().map(|s| s.content.as_ref()).collect()
}

/// The rows as plain text.
pub(super) fn plain(lines: &[Line<'_>]) -> String {
    lines.iter().map(|l| text(l).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Every match in the rows shown; none while nothing is sought.
pub(super) fn all(sought: &str, lines: &[Line<'_>]) -> Vec<Match> {
    if sought.is_empty() {
        return Vec::new();
    }
    let needle = Needle::new(sought);
    let in_line = |(line, of): (usize, &Line<'_>)| {
        let text = text(of);
        let ranges: Vec<_> = needle.matches(&text).collect();
        ranges.into_iter().map(move |range| Match { line, range })
    };
    lines.iter().enumerate().flat_map(in_line).take(MOST).collect()
}

/// What was found last in rows that are kept from frame to frame: a long text is not gone through for every frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    kept: RefCell<Option<Search>>,
}

/// A search that was made: for what, among which rows, and what came of it.
#[derive(Clone, Debug)]
struct Search {
    sought: String,
    among: Rows,
    found: Arc<[Match]>,
}

impl PartialEq for Found {
    /// What is kept follows from what is shown.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Found {
    /// Every match in these rows; rows kept here can't be others at the same place.
    pub(super) fn all(&self, sought: &str, rows: &Rows) -> Arc<[Match]> {
        let mut kept = self.kept.borrow_mut();
        if sought.is_empty() {
            *kept = None;
            return Arc::new([]);
        }
        if let Some(search) = kept.as_ref().filter(|s| s.sought == sought && Arc::ptr_eq(&s.among, rows)) {
            return Arc::clone(&search.found);
        }
        let found: Arc<[Match]> = all(sought, rows).into();
        *kept = Some(Search { sought: sought.to_owned(), among: Arc::clone(rows), found: Arc::clone(&found) });
        found
    }
}

/// Lights what was found in the rows that are painted.
pub(super) fn paint(
    theme: &Theme,
    inspector: &InspectorUi,
    found: &[Match],
    lines: &[Line<'_>],
    (section, area): (Section, Rect),
    buf: &mut Buffer,
) {
    let top = inspector.scroll(section).top();
    for (n, at) in found.iter().enumerate().filter(|(_, m)| m.line >= top) {
        let Ok(y) = u16::try_from(at.line - top) else { break };
        if y >= area.height {
            break;
        }
        let text = lines.get(at.line).map(text).unwrap_or_default();
        let cells = |to: usize| u16::try_from(width(text.get(..to).unwrap_or_default())).unwrap_or(u16::MAX);
        let (from, to) = (cells(at.range.start).min(area.width), cells(at.range.end).min(area.width));
        let slot = if n == inspector.match_at() { Slot::MatchCurrent } else { Slot::Match };
        let place = Rect { x: area.x + from, y: area.y + y, width: to.saturating_sub(from), height: 1 };
        buf.set_style(place.intersection(buf.area), theme.style(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_the_same_are_gone_through_once() {
        let rows: Rows = vec![Line::from("a word"), Line::from("two words, a word")].into();
        let found = Found::default();
        let first = found.all("word", &rows);
        assert_eq!(first.iter().map(|m| m.line).collect::<Vec<_>>(), [0, 1, 1]);
        assert!(Arc::ptr_eq(&first, &found.all("word", &rows)));
        assert_eq!(found.all("two", &rows).len(), 1);
        let more: Rows = vec![Line::from("a word")].into();
        assert_eq!(found.all("word", &more).len(), 1, "what came since is gone through");
        assert!(found.all("", &more).is_empty());
    }
}
