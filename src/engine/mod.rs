//! The engine acts: tokio lives here.

pub mod providers;
pub mod simulator;
