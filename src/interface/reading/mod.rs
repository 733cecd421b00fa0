//! Facts of a state that the command line, the HTTP service and reports need alike.
//!
//! Not here: how they are worded or shown. Invariant: nothing here knows who asks.

pub(crate) mod outlook;
pub(crate) mod patience;
pub(crate) mod result;
