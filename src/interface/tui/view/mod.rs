//! Draws a [`super::scene::Scene`]: screens as functions from a scene into a buffer.

pub mod header;
pub mod run;
