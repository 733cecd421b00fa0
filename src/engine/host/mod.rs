//! The host: one thread with its own runtime that runs the orchestrator. Inputs in, records to the journal, effects out,
//! records to viewers.
//!
//! Not here: decisions, requests' details (`providers`), files' details (`journal`). Invariants: before any effect of a
//! decision its records were handed to the kernel; a viewer is never waited for; dropping the [`Engine`] ends the
//! session in an orderly way.

mod asleep;
mod clock;
mod coalesce;
mod debug_log;
mod expand;
mod jobs;
mod keeping;
mod local;
mod models;
mod probing;
mod repeat;
mod run;
mod servers;
mod taken_up;

mod turn;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{broadcast, mpsc, oneshot, watch as told};

pub use clock::SessionClock;
pub use coalesce::{Coalescer, TextPiece};
pub use keeping::{Keeping, Unwritten};
pub use local::LocalClient;
pub use taken_up::TakenUp;

use crate::domain::fleet::SessionConfig;
use crate::domain::protocol::{
    Author, CommandEnvelope, EndpointName, Micros, Record, Role, SessionId, SessionStarted, Viewer, ViewerId,
};
use crate::domain::text::CleanText;
use crate::engine::client::SendError;
use crate::engine::journal::{HOT_BYTES, JournalError, Sessions, TextStore, Writer};
use crate::engine::providers::ClientError;
use crate::engine::servers::Room;
use keeping::Wish;

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
    /// A command of that id was accepted before, or waits for its answer: it acts once. One that was refused is refused
    /// again.
    Repeated,
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
    /// Where its endpoints' servers are started and stopped; none: they are not.
    pub servers: Option<Room>,
}

/// What a session is taken up with.
#[derive(Clone, Debug, Default)]
pub struct ResumeOptions {
    /// The host's name, for the record.
    pub host: CleanText,
    /// Endpoints whose servers are elsewhere than the journal says: those of a simulated fleet.
    pub moved: Vec<(EndpointName, String)>,
    /// Where its endpoints' servers are started and stopped; none: they are not.
    pub servers: Option<Room>,
}

/// How a session stood when its engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Goals that are not done: a later process can take them up.
    pub unfinished: usize,
    /// Goals that were ever given.
    pub goals: usize,
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
    /// A journal without a record.
    #[error(
        "the session {session} ended before its first record was written, so there is nothing to take up; start it anew"
    )]
    Empty {
        /// The session.
        session: SessionId,
    },
    /// The engine's thread panicked.
    #[error("the engine broke off; the log says where, and the session can be taken up again from its journal")]
    Broken,
}

/// A running engine. Dropping it sets the session down as [`Engine::end`] does.
pub struct Engine {
    thread: Option<JoinHandle<Result<Ended, EngineError>>>,
    connector: Connector,
    wish: told::Sender<Wish>,
    keeping: told::Receiver<Keeping>,
}

/// One process life of a session.
struct Life {
    session: SessionId,
    /// Counted from 1.
    number: u64,
    /// The session time it begins at.
    at: Micros,
    /// The last number a viewer had before it.
    viewers: u64,
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
        let EngineOptions { session, config, sessions, host, servers } = options;
        let folder = Sessions::new(&sessions).create(&session)?;
        let writer = Writer::create(folder, env!("CARGO_PKG_VERSION"))?;
        let texts = TextStore::new(writer.path(), HOT_BYTES);
        let beginning = run::Beginning::New(Box::new(SessionStarted { session: session.clone(), config }));
        let life = Life { session, number: 1, at: Micros(0), viewers: 0 };
        Self::launch(life, writer, texts, beginning, (host, servers))
    }

    /// Takes a session up on a thread of its own: what was under way is marked interrupted and runs again.
    ///
    /// # Errors
    /// [`EngineError`] when the HTTP client or the thread can't be made.
    pub fn resume(taken: TakenUp, options: ResumeOptions) -> Result<Self, EngineError> {
        let torn = taken.torn();
        let TakenUp { session, writer, state, texts, .. } = taken;
        let number = state.lives.len() as u64 + 1;
        let life = Life { session, number, at: state.at, viewers: state.viewers_seen };
        let beginning = run::Beginning::Again { state: Box::new(state), moved: options.moved, torn };
        Self::launch(life, writer, texts, beginning, (options.host, options.servers))
    }

    fn launch(
        life: Life,
        writer: Writer,
        texts: TextStore,
        beginning: run::Beginning,
        (name, servers): (CleanText, Option<Room>),
    ) -> Result<Self, EngineError> {
        let client = crate::engine::providers::Client::new()?;
        let journal = writer.path().to_path_buf();
        let (commands, command_queue) = mpsc::channel(COMMAND_BACKLOG);
        let (records, _) = broadcast::channel(VIEWER_BACKLOG);
        let (wish, wished) = told::channel(Wish::GoesOn);
        let (keeps, keeping) = told::channel(Keeping::default());
        let (left, leaving) = mpsc::unbounded_channel();
        let weak = records.downgrade();
        let clock = SessionClock::from(life.at);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
            let host = run::Host::new(name, writer, texts, client, records, (clock, servers), keeps);
            // Spawned: what wakes the future of `block_on` costs a system call each time, what wakes a task does not.
            runtime.block_on(async {
                tokio::spawn(host.run(beginning, command_queue, leaving, wished))
                    .await
                    .map_err(|_| EngineError::Broken)?
            })
        })?;
        let host = local::Host { commands, left, life: life.number };
        let viewers = Arc::new(AtomicU64::new(life.viewers));
        let connector = Connector { session: life.session, host, viewers, records: weak, clock, journal };
        Ok(Self { thread: Some(thread), connector, wish, keeping })
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

    /// How what is decided is kept, now and whenever that changes.
    pub fn keeping(&self) -> told::Receiver<Keeping> {
        self.keeping.clone()
    }

    /// Sets the session down as [`Engine::end`] does and waits until it is over: with a disk that takes nothing, until it
    /// has room ([`Keeping::Leaves`]). Dropping the future takes nothing back.
    pub async fn set_down(&self) {
        self.want(Wish::Ends);
        self.wish.closed().await;
    }

    /// Sets the session down (stops what runs, keeps partials; a later process takes it up) and waits until its journal
    /// is on disk. A disk that takes nothing is not waited for: see [`Engine::set_down`].
    ///
    /// # Errors
    /// How the engine ended, if not well; [`JournalError::Lost`] where its last records are not on disk.
    pub fn end(mut self) -> Result<Ended, EngineError> {
        self.join()?.ok_or(EngineError::Broken)
    }

    fn want(&self, wish: Wish) {
        self.wish.send_if_modified(|now| {
            let more = *now < wish;
            if more {
                *now = wish;
            }
            more
        });
    }

    /// None: it was waited for before.
    fn join(&mut self) -> Result<Option<Ended>, EngineError> {
        let Some(thread) = self.thread.take() else { return Ok(None) };
        self.want(Wish::EndsNow);
        thread.join().map_err(|_| EngineError::Broken)?.map(Some)
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

    /// Gives a command as it stands in its envelope, for who speaks for others: who gives it and what they may do is
    /// the caller's to know. The answer comes when it is on disk.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the session is over.
    pub fn ask(&self, envelope: CommandEnvelope) -> impl Future<Output = Result<Answer, SendError>> + Send + 'static {
        self.host.ask(envelope)
    }

    /// Session time now.
    pub fn now(&self) -> Micros {
        self.clock.now()
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
