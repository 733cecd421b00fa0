//! The domain: what Baton knows and decides, as pure code.
//!
//! No I/O, no clock, no async, no terminal: time and outside facts arrive as arguments. Imports go down only:
//! `domain` knows nothing of [`crate::engine`] or `interface` (`tests/architecture.rs` checks it).

pub mod absence;
pub mod fleet;
pub(crate) mod foreign;
pub mod graph;
mod hash;
pub mod memory;
pub mod orchestrator;
pub mod plan;
pub mod protocol;
pub mod source;
pub mod state;
pub mod text;
