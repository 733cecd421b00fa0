//! Going back in a session, and playing it on: reading the journal, the clock of playing, the instant that is shown.
//!
//! Not here: the keys for it (`action`), what the strip and the timeline look like (`view/time`). Invariants: what is
//! shown of an instant follows from the journal and from what the user chose, not from how one came there; nothing is
//! read on the thread that draws.

pub(crate) mod moved;
pub mod place;
pub mod player;
pub mod replay;
pub mod seek;

pub use seek::{Aim, Reads};
