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
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{broadcast, mpsc, oneshot};

pub use clock::SessionClock;
pub use local::LocalClient;

use crate::domain::fleet::SessionConfig;
use crate::domain::protocol::{Author, CommandEnvelope, Record, Role, SessionId, Viewer, ViewerId};
use crate::domain::text::CleanText;
use crate::engine::client::SendError;
use crate::engine::journal::{JournalError, Sessions};
use crate::engine::providers::ClientError;

/// Records that wait for a viewer before it has to re-read the journal: at 400 records a second, the busiest fleet's
/// rate, 20 s of a viewer that hangs; 8,192 pointers cost 64 KiB.
const VIEWER_BACKLOG: usize = 8_192;

/// Commands on their way to the orchestrator. A person gives a few a second; a full queue says "busy".
const COMMAND_BACKLOG: usize = 64;

/// Viewers of one session at once; the twenty-first person to look is still welcome, a leak of connections is not.
pub const MAX_VIEWERS: usize = 64;

/// What comes to the host from its clients.
#[derive(Debug)]
enum Asked {
    /// A command, and who waits for its answer.
    Command(CommandEnvelope, Option<oneshot::Sender<Answer>>),
    /// A console begins to watch.
    Joined(Viewer),
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or begun; the records after `command.accepted` say what it did.
    Accepted,
    /// It is not, for this reason.
    Refused(CleanText),
}

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
    connector: Connector,
    stop: mpsc::Sender<()>,
}

/// A way to a running engine's session, for whoever brings clients: it keeps no engine alive.
#[derive(Clone)]
pub struct Connector {
    session: SessionId,
    host: local::Host,
    /// The last viewer's number.
    viewers: Arc<AtomicU64>,
    records: broadcast::WeakSender<Arc<Record>>,
    clock: SessionClock,
    journal: PathBuf,
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
        let (left, leaving) = mpsc::unbounded_channel();
        let weak = records.downgrade();
        let session = options.session.clone();
        let clock = SessionClock::from_zero();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
            let host = run::Host::new(options, writer, client, records, clock);
            // Spawned: what wakes the future of `block_on` costs a system call each time, what wakes a task does not.
            runtime.block_on(async {
                tokio::spawn(host.run(command_queue, leaving, stopped)).await.map_err(|_| EngineError::Broken)?
            })
        })?;
        let host = local::Host { commands, left };
        let connector = Connector { session, host, viewers: Arc::default(), records: weak, clock, journal };
        Ok(Self { thread: Some(thread), connector, stop })
    }

    /// A client in this process: sees everything from the first record.
    pub fn client(&self, author: Author, role: Role) -> LocalClient {
        self.connector.client(author, role)
    }

    /// The way to this session for whoever brings clients.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The session's journal.
    pub fn journal(&self) -> &Path {
        self.connector.journal()
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

impl Connector {
    /// A client: sees everything from the first record.
    pub fn client(&self, author: Author, role: Role) -> LocalClient {
        self.connect(author, role, None)
    }

    /// The same for a console: it is one of the session's viewers until the client is dropped.
    ///
    /// # Errors
    /// [`SendError::Busy`] when the session takes no more now.
    pub fn viewer(&self, name: CleanText, origin: CleanText, role: Role) -> Result<LocalClient, SendError> {
        let viewer = ViewerId(self.viewers.fetch_add(1, Ordering::Relaxed) + 1);
        let joined = Viewer { viewer, name: name.clone(), origin, role };
        self.host.commands.try_send(Asked::Joined(joined)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Busy,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })?;
        Ok(self.connect(Author::Person(name), role, Some(viewer)))
    }

    fn connect(&self, author: Author, role: Role, viewer: Option<ViewerId>) -> LocalClient {
        LocalClient::new(
            self.records.upgrade().map(|r| r.subscribe()),
            self.journal.clone(),
            self.host.clone(),
            self.clock,
            author,
            role,
            viewer,
        )
    }

    /// The session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Its journal.
    pub fn journal(&self) -> &Path {
        &self.journal
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "the engine ended badly");
        }
    }
}
