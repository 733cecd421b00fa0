//! Draws a [`super::scene::Scene`]: each screen is a function of it into a buffer.

pub mod done;
pub(crate) mod forecast;
pub mod inspector;
pub(crate) mod page;
pub(crate) mod prose;
pub mod review;
#[cfg(test)]
pub(crate) mod story;
pub mod welcome;

#[cfg(test)]
mod page_tests;
