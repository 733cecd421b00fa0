//! A bundle: one session in one file, to be given to somebody else. `NAME.baton.tgz` is a gzip of a tar of
//!
//! | entry | what it is |
//! | --- | --- |
//! | `manifest.json` | [`Manifest`]: versions, what was left out, what was replaced; always the first |
//! | `journal.jsonl` | the records, in one part, as in a session's folder |
//! | `settings.json` | what the session ran under; no secret stands there, only where one is to be had |
//! | `results/TASK.md` | the results, for who has no Baton |
//! | `failures/TASK.md` | a page for each task that failed |
//!
//! Not here: what a journal is (`engine/journal`), what may be done with a foreign session (`cli/trust`). Invariants: what
//! is written was searched for secrets, also where one was cut into pieces as it arrived, and each replacement is counted and
//! never told; records that were changed fold as they did; of a bundle that is read nothing is written but the one journal,
//! into a folder of this user's own, and no more of it than [`MOST_JOURNAL`].

mod left_out;
mod names;
mod pack;
mod scratch;
mod scrub;
mod tar;
#[cfg(test)]
mod tests;
mod unpack;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::journal::JournalError;

pub use pack::{Known, Order, pack};
pub use unpack::{Unpacked, is_bundle, unpack};

/// The bundle's version. Another one is refused in words.
pub const FORMAT: u32 = 1;

/// How a bundle's name ends.
pub const ENDING: &str = ".baton.tgz";

/// The most bytes a journal may have that comes out of a bundle: some ten nights of a hundred agents. A file of a kilobyte
/// may say that it holds more than any disk has.
pub const MOST_JOURNAL: u64 = 2 << 30;

/// What of a session is not given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// What was asked and answered: goals, prompts, titles, thinking, answers, questions.
    Text,
    /// Absolute paths.
    Paths,
    /// Names of machines, people, projects and sessions.
    Names,
}

impl LeftOut {
    /// The word typed and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Paths => "paths",
            Self::Names => "names",
        }
    }
}

/// What was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// What kind of thing.
    pub kind: String,
    /// How many times.
    pub count: u64,
    /// Where, the first few places.
    pub places: Vec<String>,
}

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub baton_bundle: u32,
    /// The version of the program that made it.
    pub program: String,
    /// The system it was made on, as in `macos aarch64`.
    pub system: String,
    /// The session, as the bundle calls it.
    pub session: String,
    /// The versions of the programs that worked on the session.
    #[serde(default)]
    pub versions: Vec<String>,
    /// How many records it has.
    pub records: u64,
    /// The task it is about; none: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What is left out.
    #[serde(default)]
    pub without: Vec<LeftOut>,
    /// What was replaced.
    #[serde(default)]
    pub replaced: Vec<Replaced>,
    /// What is to be known of it, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A bundle could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The system refused something.
    #[error("can't {what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no bundle, or one that is not as Baton makes them.
    #[error("{} is not read: {why}; ask for it again, or make it anew with `baton export SESSION --bundle`", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such task.
    #[error("{session} has no task {task:?}; `baton report {session}` names those it has")]
    NoTask {
        /// The session.
        session: String,
        /// As typed.
        task: String,
    },
}

impl BundleError {
    fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}
