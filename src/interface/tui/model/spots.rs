//! What of the last frame can be clicked, apart from the inside of the Run screen: keys, screens, answers, rows.
//!
//! Views note it while they draw, as [`super::scroll`] notes how much fits. Invariant: what was noted last lies on top.

use std::cell::RefCell;

use ratatui::layout::{Position, Rect};

use crate::interface::tui::action::Action;

/// What a click on a place means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// The same as this action's key.
    Press(Action),
    /// This row of the uppermost list: of what lies on top, else of the screen.
    Row(usize),
    /// The goal box.
    Goal,
    /// The fleet below the goal box.
    Fleet,
    /// The line that thinking is folded into.
    Thinking,
    /// Nothing: what lies on top hides what is below.
    Cover,
}

/// The places of a frame.
#[derive(Clone, Debug, Default)]
pub struct Spots(RefCell<Vec<(Rect, Spot)>>);

impl Spots {
    /// A new frame begins.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// Something stands there.
    pub fn add(&self, place: Rect, spot: Spot) {
        self.0.borrow_mut().push((place, spot));
    }

    /// What stands there, the uppermost.
    pub fn at(&self, x: u16, y: u16) -> Option<Spot> {
        let at = Position::new(x, y);
        self.0.borrow().iter().rev().find(|(place, _)| place.contains(at)).map(|(_, spot)| *spot)
    }

    /// The place of the first one that is such.
    pub fn find(&self, is: impl Fn(&Spot) -> bool) -> Option<Rect> {
        self.0.borrow().iter().find(|(_, spot)| is(spot)).map(|(place, _)| *place)
    }
}
