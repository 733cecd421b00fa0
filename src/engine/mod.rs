//! The engine acts: tokio lives here.

pub mod providers;
