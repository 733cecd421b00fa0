//! The console: draws its own [`crate::domain::state::State`] and turns keys into commands.
//!
//! `Ui::update` ([`model`]) is the pure reducer for what the user does; [`view`] draws a [`scene::Scene`]; [`runtime`]
//! is the loop; [`launcher`] stands before it so that detaching gives the shell back. Not here: anything about what is
//! true.

pub mod action;
mod effect;
mod frame;
pub mod keyboard;
pub mod launcher;
pub mod log;
pub mod model;
mod probe;
mod remember;
pub mod runtime;
pub mod scene;
mod signal;
pub mod terminal;
pub mod theme;
pub mod time;
pub mod view;
pub mod widget;

pub use probe::GlyphChoice;
