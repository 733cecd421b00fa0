//! [`Place`]: a row of a pane by what it shows. It stays with its words when the width changes and when text comes.

use crate::domain::text::document::Spot;

/// A row of a pane, in the order of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which run of one kind of text, in order; [`Place::FOOT`] for what stands below all.
    pub part: u32,
    /// Where in it.
    pub at: At,
}

/// Where in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A line above it that says what is missing.
    Above,
    /// The line it folds into.
    Head,
    /// A row of its text.
    Row(Spot),
}

impl Default for At {
    fn default() -> Self {
        Self::Row(Spot::default())
    }
}

impl Place {
    /// The part that stands below all text.
    pub const FOOT: u32 = u32::MAX;

    /// A row of a part's text.
    pub const fn row(part: u32, spot: Spot) -> Self {
        Self { part, at: At::Row(spot) }
    }
}

/// Where a pane's text is scrolled to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// It follows the end.
    #[default]
    Tail,
    /// This row is the topmost.
    At(Place),
}
