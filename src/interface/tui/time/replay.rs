//! A client of a session's past: it gives the whole journal, and nothing can be sent.
//!
//! Not here: which moment is shown (the console's). Invariant: the journal is only read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Reads;
use crate::domain::protocol::{Command, CommandId, Micros, Record};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving, SendError};
use crate::engine::journal::{JournalError, Reader};

/// Records read at once.
const BATCH: usize = 512;
/// Batches read before the console asks for them: enough that it never waits, little enough to be forgotten.
const BATCHES: usize = 4;

/// A client of a journal.
pub struct ReplayClient {
    journal: PathBuf,
    source: Source,
    clock: ReplayClock,
}

/// The clock of notices and cards in a replay; what is shown of the session has its own.
#[derive(Clone, Debug)]
pub enum ReplayClock {
    /// The time since then.
    Runs(Instant),
    /// The time a script has set, in microseconds.
    Told(Arc<AtomicU64>),
}

enum Source {
    Here(Box<Reader>),
    Aside(mpsc::Receiver<Vec<Arc<Record>>>),
    /// All was read.
    Over,
}

impl ReplayClient {
    /// Opens a session's journal. With [`Reads::Aside`] a thread reads it.
    ///
    /// # Errors
    /// When it can't be opened, or no thread can be started.
    pub fn open(journal: &Path, reads: Reads, clock: ReplayClock) -> Result<Self, JournalError> {
        let mut reader = Reader::open(journal)?;
        let source = match reads {
            Reads::Here => Source::Here(Box::new(reader)),
            Reads::Aside => {
                let (give, take) = mpsc::channel(BATCHES);
                let thread = std::thread::Builder::new().name("replay".into());
                let spawned = thread.spawn(move || {
                    loop {
                        let mut batch = Vec::with_capacity(BATCH);
                        let more = fill(&mut reader, &mut batch, BATCH);
                        // Nobody listens any more.
                        if !batch.is_empty() && give.blocking_send(batch).is_err() || !more {
                            return;
                        }
                    }
                });
                spawned.map_err(|error| JournalError::io("start a thread to read", journal, error))?;
                Source::Aside(take)
            }
        };
        Ok(Self { journal: journal.to_owned(), source, clock })
    }
}

/// Reads up to `limit` records. False: there are no more, or what follows can't be read.
fn fill(reader: &mut Reader, batch: &mut Vec<Arc<Record>>, limit: usize) -> bool {
    while batch.len() < limit {
        match reader.read() {
            Ok(Some((_, record))) => batch.push(Arc::new(record)),
            Ok(None) => return false,
            Err(error) => {
                tracing::warn!(%error, "the replay ends where the journal can't be read");
                return false;
            }
        }
    }
    true
}

impl Client for ReplayClient {
    async fn recv(&mut self, batch: &mut Vec<Arc<Record>>, limit: usize) -> bool {
        let more = match &mut self.source {
            Source::Here(reader) => fill(reader, batch, limit),
            Source::Aside(take) => match take.recv().await {
                Some(records) => {
                    batch.extend(records);
                    true
                }
                None => false,
            },
            Source::Over => std::future::pending().await,
        };
        if !more {
            self.source = Source::Over;
            // A replay is never over: its past stays to be looked at.
            if batch.is_empty() {
                std::future::pending::<()>().await;
            }
        }
        true
    }

    fn send(&self, _command: Command) -> Result<CommandId, SendError> {
        let words = "this is a replay; F forks, r on Sessions resumes";
        Err(SendError::Refused(CleanText::from_static(words)))
    }

    fn leaving(&self) -> Leaving {
        Leaving::OnlyCloses
    }

    fn journal(&self) -> Option<PathBuf> {
        Some(self.journal.clone())
    }

    fn now(&self) -> Micros {
        match &self.clock {
            ReplayClock::Runs(since) => Micros(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)),
            ReplayClock::Told(at) => Micros(at.load(Ordering::Relaxed)),
        }
    }
}
