//! The interface shows and asks: the console, the command line, and the HTTP service of a running session. It folds records into its own state and sends
//! commands; it decides nothing about tasks.

pub mod bundle;
pub mod cli;
pub(crate) mod given;
pub(crate) mod reading;
pub mod remote;
pub mod report;
pub mod script;
pub mod tui;
pub(crate) mod zone;
