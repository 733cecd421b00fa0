//! What is selected in a pane, as places and as text.
//!
//! What is copied is the source of what is selected: no breaks of wrapping, no borders, marks and all. Not here: keys and
//! the mouse (`model/run/select`).

use std::ops::Range;

use super::cache::{AttemptText, RunCaches};
use super::strips::{Shows, Strips};
use crate::domain::state::State;
use crate::domain::text::document::Spot;
use crate::interface::tui::model::run::place::{Anchor, At, Place};
use crate::interface::tui::model::run::select::{Point, Selection, Unit};
use crate::interface::tui::model::run::{Found, RunUi};
use crate::interface::tui::widget::flow::letter_at;

/// Where a selection begins and where its cursor is, what was asked for done; and the cursor's row.
pub(super) fn resolve(
    selection: &Selection,
    strips: &mut Strips,
    text: &mut AttemptText,
    (top, height): (usize, usize),
    found: Option<&Found>,
    anchor: Anchor,
) -> Option<(Place, Place, usize)> {
    let last = strips.count().checked_sub(1)?;
    let begin = |strips: &Strips, text: &mut AttemptText| {
        let current = found.and_then(|f| f.at).map(|(part, byte)| {
            let row = text.parts.get_mut(part as usize).map_or(0, |part| part.text.row_at(byte));
            strips.row(Place::row(part, Spot::default()), text) + row
        });
        let own = if anchor == Anchor::Tail { (top + height).saturating_sub(1) } else { top };
        current.filter(|row| (top..top + height).contains(row)).unwrap_or(own).min(last)
    };
    let place = |point: Point, strips: &Strips, text: &mut AttemptText| match point {
        Point::Place(place) => Some(place),
        Point::Begin => {
            let row = begin(strips, text);
            strips.place(row, text)
        }
        Point::Cell { row, column } => {
            let row = (top + usize::from(row)).min(last);
            let place = strips.place(row, text)?;
            let indent = strips.at(row).map_or(0, |(strip, _)| match strip.shows {
                Shows::Text(at)
                    if text.parts.get(at).is_some_and(|p| p.channel != crate::domain::protocol::Channel::Answer) =>
                {
                    2
                }
                _ => 0,
            });
            let column = usize::from(column).saturating_sub(indent);
            let letter = strips.rendered(row, text).and_then(|line| letter_at(line, column));
            Some(letter.map_or(place, |letter| Place::row(place.part, Spot { byte: letter.start, nth: 0 })))
        }
    };
    let from = place(selection.from, strips, text)?;
    let mut to = place(selection.to, strips, text)?;
    let mut row = match selection.unit {
        Unit::Rows => strips.row(to, text),
        // The mouse is where it is.
        Unit::Letters => top,
    };
    if selection.by != 0 && selection.unit == Unit::Rows {
        let near = selection.by.unsigned_abs().min(400) + 1;
        strips.settle(row.saturating_sub(near)..row + near, text);
        row = strips.row(to, text).saturating_add_signed(selection.by).min(strips.count().saturating_sub(1));
        to = strips.place(row, text)?;
    }
    Some((from, to, row))
}

/// The bytes of a part that a selection of letters holds, both ends included.
pub(super) fn bytes(from: Place, to: Place, part: u32, whole: usize) -> Range<usize> {
    let (from, to) = (from.min(to), from.max(to));
    let byte = |place: Place| match place.at {
        At::Row(spot) => spot.byte,
        At::Above | At::Head => 0,
    };
    let start = if from.part < part { 0 } else { byte(from) };
    let end = if to.part > part { whole } else { (byte(to) + 1).min(whole) };
    if from.part > part || to.part < part { 0..0 } else { start..end.max(start) }
}

/// The source of what is selected; none when nothing is, or its text is gone.
pub(crate) fn selected(state: &State, ui: &RunUi, caches: &mut RunCaches) -> Option<String> {
    let selection = *ui.selection()?;
    let (Point::Place(from), Point::Place(to)) = (selection.from, selection.to) else { return None };
    let attempt = state.last_attempt(state.task(selection.task))?.id;
    let text = caches.drawn(attempt)?;
    let (from, to) = (from.min(to), from.max(to));
    let mut parts = Vec::new();
    for (at, part) in text.parts.iter_mut().enumerate() {
        let at = at as u32;
        if at < from.part || at > to.part {
            continue;
        }
        let whole = part.text.end();
        // A fold line stands for the text it folds.
        let range = match selection.unit {
            Unit::Letters => {
                let mut range = bytes(from, to, at, whole);
                range.end = part.text.letter_end(range.end);
                range
            }
            Unit::Rows => {
                let first = match from.at {
                    At::Row(spot) if from.part == at => spot,
                    _ => Spot::default(),
                };
                let last = match to.at {
                    At::Row(spot) if to.part == at => spot,
                    _ => Spot { byte: whole, nth: usize::MAX },
                };
                if part.text.rows() == 0 { 0..whole } else { part.text.source_of_rows(first, last) }
            }
        };
        let copied = part.text.slice(range).trim_end_matches('\n').to_owned();
        if !copied.trim().is_empty() {
            parts.push(copied);
        }
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}
