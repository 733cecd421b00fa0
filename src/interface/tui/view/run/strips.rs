//! The rows of a pane as a stack of strips: what is missing, what a run folds into, its rows, how it ended.
//!
//! A strip knows how many rows it has; only those in sight are rendered. Not here: painting, what the keys do. Invariant:
//! a place is found again whatever came before it, and the nearest one when it is gone.

use std::ops::Range;

use super::cache::{AttemptText, Part};
use crate::domain::text::document::Spot;
use crate::domain::text::markdown::StyledLine;
use crate::interface::tui::model::run::place::{At, Place};
use crate::interface::tui::theme::Slot;

/// What a strip shows.
pub(super) enum Shows {
    /// One line of ours.
    Line(String, Slot),
    /// The rows of a run of text, by its index.
    Text(usize),
}

/// Rows that belong together.
pub(super) struct Strip {
    pub(super) place: Place,
    pub(super) shows: Shows,
    rows: usize,
    start: usize,
}

/// The strips of a pane.
#[derive(Default)]
pub(super) struct Strips {
    list: Vec<Strip>,
}

impl Strips {
    pub(super) fn line(&mut self, place: Place, text: String, slot: Slot) {
        self.add(Strip { place, shows: Shows::Line(text, slot), rows: 1, start: 0 });
    }

    pub(super) fn text(&mut self, at: usize, part: &Part) {
        let place = Place::row(at as u32, Spot::default());
        self.add(Strip { place, shows: Shows::Text(at), rows: part.text.rows(), start: 0 });
    }

    fn add(&mut self, mut strip: Strip) {
        strip.start = self.count();
        self.list.push(strip);
    }

    /// Rows in all.
    pub(super) fn count(&self) -> usize {
        self.list.last().map_or(0, |strip| strip.start + strip.rows)
    }

    /// The runs of text that stand in it.
    pub(super) fn texts(&self) -> impl Iterator<Item = usize> + '_ {
        self.list.iter().filter_map(|strip| match strip.shows {
            Shows::Text(at) => Some(at),
            Shows::Line(..) => None,
        })
    }

    /// The strip at a row, and the row in it.
    pub(super) fn at(&self, row: usize) -> Option<(&Strip, usize)> {
        let at = self.list.partition_point(|strip| strip.start + strip.rows <= row);
        self.list.get(at).map(|strip| (strip, row.saturating_sub(strip.start)))
    }

    /// The rendered row of a run of text.
    pub(super) fn rendered<'a>(&self, row: usize, text: &'a mut AttemptText) -> Option<&'a StyledLine> {
        let (strip, within) = self.at(row)?;
        match strip.shows {
            Shows::Text(at) => text.parts.get_mut(at)?.text.row(within),
            Shows::Line(..) => None,
        }
    }

    /// Renders these rows, so that their numbers are exact relative to each other.
    pub(super) fn settle(&mut self, rows: Range<usize>, text: &mut AttemptText) {
        // What is counted anew may bring other rows into the range; each pass renders more, so it ends.
        for _ in 0..8 {
            let mut changed = false;
            for strip in &mut self.list {
                let Shows::Text(at) = strip.shows else { continue };
                let (start, end) = (rows.start.max(strip.start), rows.end.min(strip.start + strip.rows));
                let Some(part) = text.parts.get_mut(at).filter(|_| start < end) else { continue };
                changed |= part.text.settle(start - strip.start..end - strip.start);
                strip.rows = part.text.rows();
            }
            let mut start = 0;
            for strip in &mut self.list {
                strip.start = start;
                start += strip.rows;
            }
            if !changed {
                return;
            }
        }
    }

    /// The place of a row; past the end that of the last one.
    pub(super) fn place(&self, row: usize, text: &mut AttemptText) -> Option<Place> {
        let (strip, within) = self.at(row.min(self.count().checked_sub(1)?))?;
        match strip.shows {
            Shows::Text(at) => Some(Place::row(strip.place.part, text.parts.get_mut(at)?.text.spot(within))),
            Shows::Line(..) => Some(strip.place),
        }
    }

    /// The row of a place, or of the nearest before it.
    pub(super) fn row(&self, place: Place, text: &mut AttemptText) -> usize {
        let own = self.list.iter().find(|strip| match (strip.place.at, place.at) {
            (At::Row(_), At::Row(_)) if strip.place.part != Place::FOOT => strip.place.part == place.part,
            _ => strip.place == place,
        });
        if let Some(strip) = own {
            if let (Shows::Text(at), At::Row(spot)) = (&strip.shows, place.at)
                && let Some(part) = text.parts.get_mut(*at)
            {
                let row = part.text.row_of(spot);
                return strip.start + row.min(strip.rows.saturating_sub(1));
            }
            return strip.start;
        }
        let after = self.list.partition_point(|strip| strip.place <= place);
        after.checked_sub(1).and_then(|at| self.list.get(at)).map_or(0, |strip| strip.start)
    }
}
