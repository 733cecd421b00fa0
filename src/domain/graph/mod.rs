//! The tasks as a graph to be looked at, as data: collapse of twins, layers, rails, neighbourhoods.
//!
//! [`Plot`] is made of a state's plan; [`Layout`] and [`Rails`] say where its nodes and lines stand. Not here: what is
//! critical, what a failure blocks (`domain/state` knows), and how anything looks. Invariant: all of it depends on the
//! plan and on which twins are open, never on how tasks stand; so nothing moves when a status changes.

mod around;
mod dag;
mod layered;
mod plot;
mod rails;
mod route;
mod twins;

pub use around::around;
pub use dag::{Dag, NodeIx};
pub use layered::{Item, Layout, What};
pub use plot::{Content, Folded, Plot};
pub use rails::{Net as RailNet, RailRow, Rails};
pub use route::Net;
pub use twins::{Kin, Twins};

#[cfg(test)]
mod tests;
