//! The interface shows and asks: the console and the command line. It folds records into its own state and sends
//! commands; it decides nothing about tasks.

pub mod cli;
pub mod report;
pub mod script;
pub mod tui;
