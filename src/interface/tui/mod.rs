//! The console: draws its own [`crate::domain::state::State`] and turns keys into commands.
//!
//! `Ui::update` ([`model`]) is the pure reducer for what the user does; `view` draws a [`scene::Scene`]; `runtime` is
//! the loop. Not here: anything about what is true.

pub mod action;
pub mod model;
pub mod scene;
pub mod theme;
pub mod view;
