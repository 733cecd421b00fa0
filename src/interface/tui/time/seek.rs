//! Reads the journal for the console, away from the thread that draws: one request at a time, the newest wish first.
//!
//! Not here: what is done with what was read. Invariants: at most one request is under way; with [`Reads::Here`] an
//! answer is there at once, so that a script needs no clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::domain::protocol::{AttemptId, Micros, Record};
use crate::domain::state::State;
use crate::engine::journal::{JournalError, Past};
use crate::interface::tui::scene::HOT;

/// Records of the list of events that are read with an instant: what one frame of the Events screen goes through.
pub(crate) const LOG: usize = 4_000;
/// Records read at once for playing: well under 10 ms of reading.
pub(crate) const AHEAD: usize = 2_048;

/// Where the journal is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// On a thread of its own.
    #[default]
    Aside,
    /// Here and now: for scripts and tests, where nobody waits for a frame.
    Here,
}

/// An instant of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Just after a record.
    Record(u64),
    /// A session time.
    Time(Micros),
}

/// What is wanted of the journal.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// An instant, with the text of what runs then and of these attempts.
    Instant(Aim, Vec<AttemptId>),
    /// The records after one, for playing.
    Ahead(u64),
    /// The text of attempts as of a record.
    Texts(u64, Vec<AttemptId>),
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Found {
    /// An instant.
    Instant(Box<Instant>),
    /// The records after one; none: it is the last.
    Ahead(u64, Vec<Arc<Record>>),
    /// What attempts had said as of a record.
    Texts(u64, Vec<Arc<Record>>),
    /// It could not be read.
    Failed(String),
}

/// An instant as it was read.
#[derive(Debug)]
pub(crate) struct Instant {
    /// What was true.
    pub state: State,
    /// The session time asked for, or that of the record.
    pub at: Micros,
    /// What the attempts had said.
    pub said: Vec<Arc<Record>>,
    /// The newest records up to then.
    pub log: Vec<Arc<Record>>,
}

/// Reads the journal.
pub(crate) struct Seeker {
    reads: Reads,
    journal: Option<PathBuf>,
    past: Option<Past>,
    under_way: Option<JoinHandle<(Option<Past>, Found)>>,
}

impl Seeker {
    /// Reads nothing yet.
    pub(crate) fn new(reads: Reads) -> Self {
        Self { reads, journal: None, past: None, under_way: None }
    }

    /// Whether something is being read.
    pub(crate) fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Begins to read, while nothing else is read; what comes back is there already.
    pub(crate) fn ask(&mut self, journal: &Path, ask: Ask) -> Option<Found> {
        if self.under_way.is_some() {
            return None;
        }
        if self.journal.as_deref() != Some(journal) {
            self.journal = Some(journal.to_owned());
            self.past = None;
        }
        let (past, path) = (self.past.take(), journal.to_owned());
        match self.reads {
            Reads::Here => {
                let (past, found) = read(past, &path, ask);
                self.past = past;
                Some(found)
            }
            Reads::Aside => {
                self.under_way = Some(tokio::task::spawn_blocking(move || read(past, &path, ask)));
                None
            }
        }
    }

    /// Waits for what is being read; for ever while nothing is. Dropping the future loses nothing.
    pub(crate) async fn found(&mut self) -> Found {
        let Some(under_way) = self.under_way.as_mut() else { return std::future::pending().await };
        let read = under_way.await;
        self.under_way = None;
        match read {
            Ok((past, found)) => {
                self.past = past;
                found
            }
            Err(error) => Found::Failed(format!("reading the journal broke off: {error}")),
        }
    }
}

fn read(past: Option<Past>, journal: &Path, ask: Ask) -> (Option<Past>, Found) {
    let opened = past.map_or_else(|| Past::open(journal), Ok);
    match opened {
        Err(error) => (None, Found::Failed(error.to_string())),
        Ok(mut past) => {
            let found = answer(&mut past, ask).unwrap_or_else(|error| Found::Failed(error.to_string()));
            (Some(past), found)
        }
    }
}

fn answer(past: &mut Past, ask: Ask) -> Result<Found, JournalError> {
    match ask {
        Ask::Instant(aim, wanted) => {
            let seq = match aim {
                Aim::Record(seq) => seq,
                Aim::Time(at) => past.seq_at(at)?,
            };
            let state = past.state_at(seq)?;
            let at = match aim {
                Aim::Record(_) => state.at,
                Aim::Time(at) => at.max(state.at),
            };
            let mut attempts: Vec<AttemptId> = state.running().map(|a| a.id).chain(wanted).collect();
            attempts.sort_unstable();
            attempts.dedup();
            let said = past.said(&state, &attempts, HOT)?;
            let log = past.records_before(state.seq, LOG as u64)?;
            Ok(Found::Instant(Box::new(Instant { state, at, said, log })))
        }
        Ask::Ahead(after) => {
            let mut reader = past.records_from(after + 1)?;
            let mut records = Vec::new();
            while records.len() < AHEAD
                && let Some((_, record)) = reader.read()?
            {
                if record.seq > after {
                    records.push(Arc::new(record));
                }
            }
            Ok(Found::Ahead(after, records))
        }
        Ask::Texts(seq, attempts) => {
            let state = past.state_at(seq)?;
            let said = past.said(&state, &attempts, HOT)?;
            Ok(Found::Texts(seq, said))
        }
    }
}
