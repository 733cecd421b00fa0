//! Pieces that views are made of: painting text by cells, shared borders, bars, histories, figures, and streamed text
//! that is cleaned, marked up and wrapped once.
//!
//! Not here: what is shown where ([`super::view`]). Invariant: a piece paints only inside the rectangle it is given and
//! never panics, whatever the size.

pub mod bar;
pub mod figure;
pub mod flow;
pub mod frame;
pub mod history;
pub mod lines;
pub mod pen;
