//! The engine acts: HTTP, journal, timers, probes, simulator. tokio lives here.
//!
//! Not here: decisions ([`crate::domain::orchestrator`]). Invariant: before any effect its records are in the kernel's
//! hands.

pub mod client;
pub mod host;
pub mod journal;
pub mod machine;
pub mod providers;
pub mod servers;
pub mod simulator;
