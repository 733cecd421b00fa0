//! Files that people write: a tree of values that know their line and column, and errors that say how to mend them.
//!
//! Not here: what the values mean (`plan`, `config`). Invariant: every error has a file, a line and a column from 1.

mod decode;
mod encoding;
mod fault;
mod mistakes;
mod nearest;
mod node;
mod toml;
mod yaml;

pub(crate) use decode::decode;
pub(crate) use encoding::text_of;
pub use fault::{Snippet, SourceError};
pub(crate) use nearest::nearest;
pub(crate) use node::{Entry, Node, Place, SourceName, Value};
pub(crate) use toml::read_toml;
pub(crate) use yaml::{Document, Loss, Lost, read_yaml};
