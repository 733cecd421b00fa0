//! The small process around one server: starts it, watches it, starts it again, ends its whole group.
//!
//! It is told what to do in one line on its stdin; the other end of that pipe is its owner's life. Its own words go into the
//! record, never to a terminal. Invariants: a session's server ends when the owner's end of the pipe closes, however the
//! owner ended; the record says what is true at every change; when it ends, its server's group is gone.

use std::cell::RefCell;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::error::ServersError;
use super::log::Log;
use super::port::{address, in_use, listener};
use super::process::Identity;
use super::restart::{Next, Restarts};
use super::running::{Environment, Running, SharedLog, environment, with};
use super::seat::{Record, Seat};
use super::state::{ServerState, Why};
use crate::domain::fleet::{Endpoint, Launch, Lifetime};
use crate::engine::providers::{Client, Ready, ready};

/// More than any endpoint needs.
const LONGEST_ORDER: u64 = 1024 * 1024;

/// More than what one says of itself takes.
pub(super) const LONGEST_HELLO: u64 = 256;

/// What a supervisor and who orders it say of themselves before anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The program's version.
    #[serde(default)]
    version: String,
    /// What their words mean; counted up when a word changes its meaning within a version.
    #[serde(default)]
    words: u32,
}

impl Hello {
    /// What this program is.
    pub(super) fn own() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), words: 1 }
    }
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version.as_str() {
            "" => f.write_str("a version that does not say so"),
            version => write!(f, "version {} ({})", version.escape_debug(), self.words),
        }
    }
}

/// What a supervisor is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// Who orders.
    #[serde(default)]
    pub(super) from: Hello,
    pub(super) endpoint: Endpoint,
    pub(super) lifetime: Lifetime,
    /// Where the seats are.
    pub(super) root: PathBuf,
    /// A log file of more bytes is put aside.
    pub(super) log_bytes: u64,
}

/// Supervises one server until it is stopped, its owner is gone or it failed for good; `owner` is read for the order and
/// for its end, `hello` takes the line that says what this program is.
///
/// # Errors
/// Where it could not begin. A server that fails is no error: the record says it.
pub async fn supervise(owner: impl Read + Send + 'static, mut hello: impl Write) -> Result<(), ServersError> {
    // A terminal's own signals are not for servers. It is the leader already where a shell made it one.
    let _ = rustix::process::setsid();
    name_process();
    let line = serde_json::to_string(&Hello::own()).map_err(|error| ServersError::NoOrders(error.to_string()))?;
    // Who does not listen gives no order either.
    let _ = writeln!(hello, "{line}").and_then(|()| hello.flush());
    drop(hello);
    let (order, gone) = listen(owner);
    let order = order.await.map_err(|_| ServersError::NoOrders("its stdin ended first".to_owned()))?;
    let order: Order = serde_json::from_slice(&order).map_err(|error| ServersError::NoOrders(error.to_string()))?;
    if order.from != Hello::own() {
        let program = std::env::current_exe().unwrap_or_default();
        let (theirs, ours) = (order.from.to_string(), Hello::own().to_string());
        return Err(ServersError::OtherVersion { program, theirs, ours });
    }
    let mut asked = Asked::new(order.lifetime, gone)?;
    let endpoint = &order.endpoint;
    let name = endpoint.name.to_string();
    let launch = endpoint.launch.as_ref().ok_or_else(|| ServersError::NoLaunch { name: name.clone() })?;
    let (host, port) =
        address(endpoint).ok_or_else(|| ServersError::NoPort { name: name.clone(), url: endpoint.url.clone() })?;
    let seat = Seat::new(&order.root, port);
    let _lock = seat.take().await?;
    let client = Client::new()?;
    let log: SharedLog = Arc::new(Mutex::new(Log::open(&seat.log(), order.log_bytes, client.redactor())));
    let me = std::process::id();
    let me = Identity::of(me).unwrap_or_else(|| Identity { pid: me, birth: String::new() });
    let record = Record::new(endpoint.name.clone(), port, order.lifetime, launch.digest(), launch.stop_seconds, me);
    let mut book = Book { seat, record, log };
    book.set(ServerState::Starting);
    let over = Over { endpoint, launch, client: &client };
    let last = match environment(&client, launch).await {
        Err(why) => ServerState::Failed { why },
        Ok(_) if in_use(&host, port).await => {
            ServerState::Failed { why: Why::PortInUse { port, by: listener(port).await } }
        }
        Ok(environment) => over.runs(&environment, &mut book, &mut asked).await,
    };
    match &last {
        ServerState::Failed { why } => book.mark(&format!("failed: {why}")),
        _ => book.mark("stopped"),
    }
    book.record.server = None;
    book.set(last);
    Ok(())
}

/// Gives this process its name in the system's lists: started from a file that is held it would be called after that.
fn name_process() {
    if cfg!(target_os = "linux") {
        // A name is a convenience.
        let _ = std::fs::write("/proc/self/comm", "baton");
    }
}

/// Reads the order on a thread of its own, then waits there for the owner's end.
fn listen(owner: impl Read + Send + 'static) -> (oneshot::Receiver<Vec<u8>>, oneshot::Receiver<()>) {
    let ((order, ordered), (alive, gone)) = (oneshot::channel(), oneshot::channel::<()>());
    std::thread::spawn(move || {
        let mut owner = BufReader::new(owner);
        let mut line = Vec::new();
        let read = (&mut owner).take(LONGEST_ORDER).read_until(b'\n', &mut line);
        if read.is_ok() && line.ends_with(b"\n") && order.send(line).is_ok() {
            // Whatever comes is nothing; that it ends is what counts.
            let _ = std::io::copy(&mut owner, &mut std::io::sink());
        }
        drop(alive);
    });
    (ordered, gone)
}

/// Who may end a server.
struct Asked {
    terminate: Signal,
    interrupt: Signal,
    /// Listened to so that it does nothing: terminals come and go.
    _hang_up: Signal,
    /// Closes when the owner is gone; none where that does not matter.
    owner: Option<oneshot::Receiver<()>>,
}

impl Asked {
    fn new(lifetime: Lifetime, gone: oneshot::Receiver<()>) -> Result<Self, ServersError> {
        let on = |kind| signal(kind).map_err(ServersError::Signals);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            _hang_up: on(SignalKind::hangup())?,
            owner: (lifetime == Lifetime::Session).then_some(gone),
        })
    }

    /// Waits until somebody wants the end, and says who. Dropping the future loses nothing.
    async fn end(&mut self) -> &'static str {
        let owner = async {
            match &mut self.owner {
                Some(gone) => drop(gone.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "it was told to stop",
            _ = self.interrupt.recv() => "it was told to stop",
            () = owner => "the Baton that started it is gone",
        }
    }
}

/// The record as it is on disk, and the log.
struct Book {
    seat: Seat,
    record: Record,
    log: SharedLog,
}

impl Book {
    fn set(&mut self, state: ServerState) {
        self.record.state = state;
        if !matches!(self.record.state, ServerState::Restarting { .. }) {
            self.record.restart_at = None;
        }
        // A full disk is no reason to end a server.
        if let Err(error) = self.seat.write(&self.record) {
            tracing::warn!(%error, "the record of a server is old");
        }
    }

    fn mark(&self, words: &str) {
        with(&self.log, |log| log.mark(words));
    }

    fn recent(&self) -> Vec<String> {
        with(&self.log, |log| log.recent())
    }
}

/// How a run ended.
enum Ended {
    /// Somebody wanted it.
    Asked(&'static str),
    /// By itself: how, and how long it had been ready.
    Itself { status: String, ready_for: Option<Duration> },
    /// It never answered: what came instead.
    NeverReady(String),
}

/// What is supervised.
struct Over<'a> {
    endpoint: &'a Endpoint,
    launch: &'a Launch,
    client: &'a Client,
}

impl Over<'_> {
    /// Runs the server, and again, until it is over; says how it stands then.
    async fn runs(&self, environment: &Environment, book: &mut Book, asked: &mut Asked) -> ServerState {
        let mut restarts = Restarts::new(self.launch.restarts);
        let grace = Duration::from_secs(u64::from(self.launch.stop_seconds));
        loop {
            book.mark(&format!("starts {}", self.launch.line()));
            let mut run = match Running::start(self.launch, environment, &book.log) {
                Ok(run) => run,
                Err(why) => return ServerState::Failed { why },
            };
            book.record.server = Some(run.identity.clone());
            book.set(ServerState::Starting);
            let ended = self.watch(&mut run, book, asked).await;
            if let Ended::Asked(who) = ended {
                book.mark(&format!("ends it: {who}"));
                book.set(ServerState::Stopping);
            }
            // What the process left of its group must not stand in the next one's way.
            run.end(grace).await;
            let (status, ready_for) = match ended {
                Ended::Asked(_) => return ServerState::Stopped,
                Ended::NeverReady(said) => {
                    let why = Why::NeverReady { seconds: self.launch.ready_seconds, said, log: book.recent() };
                    return ServerState::Failed { why };
                }
                Ended::Itself { status, ready_for } => (status, ready_for),
            };
            book.mark(&format!("it ended by itself: {status}"));
            let why = match restarts.after(ready_for) {
                Next::Again(wait) => {
                    if self.rest(wait, restarts.in_a_row(), book, asked).await {
                        continue;
                    }
                    return ServerState::Stopped;
                }
                Next::NeverWorked => Why::EndedAtOnce { status, log: book.recent() },
                Next::Enough => Why::EndedTooOften { restarts: restarts.in_a_row(), status, log: book.recent() },
            };
            return ServerState::Failed { why };
        }
    }

    /// Watches one run until it ends or is to end.
    async fn watch(&self, run: &mut Running, book: &mut Book, asked: &mut Asked) -> Ended {
        let limit = Duration::from_secs(u64::from(self.launch.ready_seconds));
        let deadline = Instant::now() + limit;
        let said = RefCell::new("nothing".to_owned());
        let mut answers = pin!(self.answers(&said));
        let mut ready_at = None;
        loop {
            tokio::select! {
                biased;
                who = asked.end() => return Ended::Asked(who),
                status = run.wait() => {
                    return Ended::Itself { status, ready_for: ready_at.map(|at: Instant| at.elapsed()) };
                }
                () = &mut answers, if ready_at.is_none() => {
                    ready_at = Some(Instant::now());
                    book.mark("it answers");
                    book.set(ServerState::Ready);
                }
                () = sleep_until(deadline), if ready_at.is_none() => break,
            }
        }
        Ended::NeverReady(said.take())
    }

    /// Asks until the server answers: often at first, because small models are read in no time.
    async fn answers(&self, said: &RefCell<String>) {
        let mut pause = Duration::from_millis(50);
        loop {
            let came = match ready(self.client, self.endpoint).await {
                Ready::Yes => return,
                Ready::Loading => "the model is loading".to_owned(),
                Ready::No(came) => came,
            };
            said.replace(came);
            sleep(pause).await;
            pause = (pause * 5 / 4).min(Duration::from_secs(1));
        }
    }

    /// Waits before the next start; false when somebody wanted the end meanwhile.
    async fn rest(&self, wait: Duration, restarts: u32, book: &mut Book, asked: &mut Asked) -> bool {
        let at = SystemTime::now() + wait;
        book.mark(&format!("starts it again in {:.1} s", wait.as_secs_f32()));
        book.record.server = None;
        book.record.restarts = restarts;
        book.record.restart_at = Some(millis(at));
        book.set(ServerState::Restarting { in_seconds: wait.as_millis().div_ceil(1000) as u64 });
        tokio::select! {
            () = sleep(wait) => true,
            _ = asked.end() => false,
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
