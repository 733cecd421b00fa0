//! Text for people: [`CleanText`] and the sanitiser, width, wrap, row index, transcript, search, word diff, Markdown.
//!
//! Not here: colours and styles (`interface/tui`). Invariant: the only way to a [`CleanText`] is through the
//! sanitiser, so whatever holds one may be written to a terminal.

mod clean;
pub mod diff;
pub mod markdown;
pub mod rows;
pub mod sanitize;
pub mod search;
pub mod transcript;
pub mod width;
pub mod wrap;

pub use clean::CleanText;
pub use rows::RowIndex;
pub use sanitize::{Sanitizer, sanitize};
pub use search::Search;
pub use transcript::Transcript;
