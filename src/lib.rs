//! Baton: a terminal control console for a fleet of language models.
//!
//! Three floors; imports go down only (`tests/architecture.rs` fails on one that goes up):
//!
//! | floor | what it is |
//! | --- | --- |
//! | `interface` | shows and asks: console, command line |
//! | `engine` | acts: HTTP, journal, probes, simulator; tokio lives here |
//! | [`domain`] | decides: plans, protocol, state, orchestrator; pure |
//!
//! [`config`] stands beside the domain: layered settings with their origin.
//!
//! A newcomer's key: the word is wrong → `domain/protocol`; the number is wrong → `domain/state`; it decided wrongly →
//! `domain/orchestrator`; it did it wrongly → `engine`; it is drawn wrongly → `interface/tui/view`; the key does the
//! wrong thing → `interface/tui/action`; the colour → `themes/`.

pub mod config;
pub mod domain;
pub mod engine;
pub mod interface;
