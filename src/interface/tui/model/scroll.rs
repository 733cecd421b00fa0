//! Where a scrolled text stands, and what the last frame measured of it.
//!
//! The view writes what it measured, so that a step past the end does not count: scrolling back answers at once.

use std::cell::Cell;

use crate::interface::tui::action::Action;

/// A scrolled text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    top: Cell<usize>,
    rows: Cell<usize>,
    page: Cell<usize>,
}

impl Scroll {
    /// The first row shown.
    pub(crate) fn top(&self) -> usize {
        self.top.get()
    }

    /// How many rows were shown.
    pub(crate) fn page(&self) -> usize {
        self.page.get()
    }

    /// Whether an action scrolls; if so it was done.
    pub(crate) fn act(&mut self, action: Action) -> bool {
        let (top, page) = (self.top.get(), self.page.get().max(1));
        let to = match action {
            Action::Down => top + 1,
            Action::Up => top.saturating_sub(1),
            Action::PageDown => top + page.saturating_sub(1).max(1),
            Action::PageUp => top.saturating_sub(page.saturating_sub(1).max(1)),
            Action::First => 0,
            Action::Last | Action::Follow => usize::MAX,
            _ => return false,
        };
        self.to(to);
        true
    }

    /// Moves by lines of the wheel.
    pub(crate) fn wheel(&mut self, by: i16) {
        let step = usize::from(by.unsigned_abs());
        let top = self.top.get();
        self.to(if by < 0 { top.saturating_sub(step) } else { top + step });
    }

    fn to(&mut self, row: usize) {
        self.top.set(row.min(self.rows.get().saturating_sub(self.page.get())));
    }

    /// So many rows went at the front, and there are `rows` now: what was in sight stays there.
    pub(crate) fn shift(&self, gone: usize, rows: usize) {
        self.rows.set(rows);
        self.top.set(self.top.get().saturating_sub(gone).min(rows.saturating_sub(self.page.get())));
    }

    /// The view's measure: how many rows there are and how many it shows.
    pub(crate) fn measured(&self, rows: usize, page: usize) {
        self.rows.set(rows);
        self.page.set(page);
        self.top.set(self.top.get().min(rows.saturating_sub(page)));
    }

    /// Moves so that `row` of a list is among those shown, with the rows measured.
    pub(crate) fn reveal(&self, row: usize) {
        let (top, page) = (self.top.get(), self.page.get().max(1));
        if row < top {
            self.top.set(row);
        } else if row >= top + page {
            self.top.set(row + 1 - page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stops_at_both_ends_and_answers_at_once_on_the_way_back() {
        let mut scroll = Scroll::default();
        scroll.measured(10, 4);
        for _ in 0..50 {
            scroll.act(Action::Down);
        }
        assert_eq!(scroll.top(), 6);
        scroll.act(Action::Up);
        assert_eq!(scroll.top(), 5);
        scroll.wheel(-5);
        assert_eq!(scroll.top(), 0);
        scroll.act(Action::Last);
        scroll.measured(5, 4);
        assert_eq!(scroll.top(), 1);
    }

    #[test]
    fn a_row_is_brought_into_view_with_the_least_movement() {
        let scroll = Scroll::default();
        scroll.measured(40, 10);
        scroll.reveal(12);
        assert_eq!(scroll.top(), 3);
        scroll.reveal(5);
        assert_eq!(scroll.top(), 3);
        scroll.reveal(1);
        assert_eq!(scroll.top(), 1);
    }
}
