//! Draws a [`super::scene::Scene`]. Placeholder until the root layout follows.
