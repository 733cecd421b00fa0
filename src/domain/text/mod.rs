//! Text for people: [`CleanText`], width, wrap, row index, search.
//!
//! Not here: colours and styles (`interface/tui`). Invariant: the only way to a [`CleanText`] is through the
//! sanitiser, so whatever holds one may be written to a terminal.

mod clean;

pub use clean::CleanText;
