//! The host: one thread with its own runtime that runs the orchestrator. Inputs in, records to the journal, effects out,
//! records to viewers.
//!
//! Not here: decisions, requests' details (`providers`), files' details (`journal`). Invariants: before any effect of a
//! decision its records were handed to the kernel; a viewer is never waited for; dropping the [`Engine`] ends the
//! session in an orderly way.

mod clock;
mod coalesce;
mod expand;
mod local;
mod repeat;
mod run;
mod turn;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{broadcast, mpsc};

pub use clock::SessionClock;
pub use local::LocalClient;

use crate::domain::fleet::SessionConfig;
use crate::domain::protocol::{Author, CommandEnvelope, Record, Role, SessionId};
use crate::domain::text::CleanText;
use crate::engine::journal::{JournalError, Sessions};
use crate::engine::providers::ClientError;

/// Records that wait for a viewer before it has to re-read the journal: at 400 records a second, the busiest fleet's
/// rate, 20 s of a viewer that hangs; 8,192 pointers cost 64 KiB.
const VIEWER_BACKLOG: usize = 8_192;

/// Commands on their way to the orchestrator. A person gives a few a second; a full queue says "busy".
const COMMAND_BACKLOG: usize = 64;

/// What an engine is started with.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The new session's id.
    pub session: SessionId,
    /// What it runs under.
    pub config: SessionConfig,
    /// Where sessions are kept.
    pub sessions: PathBuf,
    /// The host's name, for the record.
    pub host: CleanText,
}

/// Why an engine did not start, or how it ended.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The session's folder or journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The engine's thread or runtime.
    #[error("the engine's thread could not be started: {0}; close other programs and try again")]
    Thread(#[from] std::io::Error),
    /// The engine's thread panicked.
    #[error("the engine broke off; the log says where, and the session can be taken up again from its journal")]
    Broken,
}

/// A running engine. Dropping it cancels what runs, keeps partials, and closes the journal.
pub struct Engine {
    thread: Option<JoinHandle<Result<(), EngineError>>>,
    commands: mpsc::Sender<CommandEnvelope>,
    records: broadcast::WeakSender<Arc<Record>>,
    clock: SessionClock,
    journal: PathBuf,
    stop: mpsc::Sender<()>,
}

impl Engine {
    /// Starts a new session on a thread of its own.
    ///
    /// # Errors
    /// [`EngineError`] when the session's folder, the HTTP client or the thread can't be made.
    pub fn start(options: EngineOptions) -> Result<Self, EngineError> {
        let folder = Sessions::new(&options.sessions).create(&options.session)?;
        let writer = crate::engine::journal::Writer::create(folder, env!("CARGO_PKG_VERSION"))?;
        let client = crate::engine::providers::Client::new()?;
        let journal = writer.path().to_path_buf();
        let (commands, command_queue) = mpsc::channel(COMMAND_BACKLOG);
        let (records, _) = broadcast::channel(VIEWER_BACKLOG);
        let (stop, stopped) = mpsc::channel(1);
        let weak = records.downgrade();
        let clock = SessionClock::from_zero();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
            let host = run::Host::new(options, writer, client, records, clock);
            // Spawned: what wakes the future of `block_on` costs a system call each time, what wakes a task does not.
            runtime.block_on(async {
                tokio::spawn(host.run(command_queue, stopped)).await.map_err(|_| EngineError::Broken)?
            })
        })?;
        Ok(Self { thread: Some(thread), commands, records: weak, clock, journal, stop })
    }

    /// A viewer's end for this process: sees everything from the first record.
    pub fn client(&self, author: Author, role: Role) -> LocalClient {
        LocalClient::new(
            self.records.upgrade().map(|r| r.subscribe()),
            self.journal.clone(),
            self.commands.clone(),
            self.clock,
            author,
            role,
        )
    }

    /// The session's journal.
    pub fn journal(&self) -> &std::path::Path {
        &self.journal
    }

    /// Ends the session (cancels what runs, keeps partials) and waits until its journal is on disk.
    ///
    /// # Errors
    /// How the engine ended, if not well.
    pub fn end(mut self) -> Result<(), EngineError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), EngineError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        // A full queue means that it was asked already.
        let _ = self.stop.try_send(());
        thread.join().map_err(|_| EngineError::Broken)?
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "the engine ended badly");
        }
    }
}
