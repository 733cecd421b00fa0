//! Text for people: [`CleanText`] and the sanitiser, width, wrap, Markdown, documents that grow, search in them.
//!
//! Not here: colours and styles (`interface/tui`). Invariant: the only way to a [`CleanText`] is through the
//! sanitiser, so whatever holds one may be written to a terminal.

mod clean;
pub mod diff;
pub mod document;
pub mod hits;
pub mod markdown;
pub mod sanitize;
pub mod search;
pub mod secrets;
pub mod sums;
pub mod width;
pub mod wrap;

pub use clean::CleanText;
pub use document::Document;
pub use hits::Hits;
pub use sanitize::{Sanitizer, sanitize};
pub use search::Needle;
