//! Bringing servers up and down: what the command line and the console ask for.
//!
//! Not here: the watching (each server's own supervisor does it, and goes on without this). Nothing here needs an
//! orchestrator or a session, only a tokio runtime with I/O and time. Invariants: what is not held is never guessed: a server stands as its supervisor wrote it down,
//! as long as that lives; dropping [`Servers`] closes the pipes of its session's servers, which ends them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep};

use super::error::ServersError;
use super::log::LogReader;
use super::own::OwnProgram;
use super::port::{address, in_use, listener};
use super::process::{Identity, KILLED, LOOK, end_group, pid_of, until};
use super::seat::{Record, Seat};
use super::state::{Holder, Server, ServerState, Why};
use super::supervisor::{Hello, LONGEST_HELLO, Order, millis};
use crate::domain::fleet::{Endpoint, Lifetime};
use crate::domain::protocol::EndpointName;
use crate::engine::providers::{Client, Ready, ready};

/// What a supervisor has to write its first record, and to follow its server's end.
const SUPERVISOR: Duration = Duration::from_secs(10);

/// A log file of more bytes is put aside; there are four at most.
const LOG_BYTES: u64 = 4 * 1024 * 1024;

/// How often a record is read while something is waited for.
const BEAT: Duration = Duration::from_millis(50);

/// Where servers are kept and what supervises them.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the seats, made when it is needed, for this user only.
    pub root: PathBuf,
    /// The program whose hidden command `supervise` runs [`super::supervise`]: this one.
    pub program: OwnProgram,
    /// A log file of more bytes is put aside.
    pub log_bytes: u64,
    /// The time a supervisor may take to write its first record, or to follow its server's end; then it is killed.
    pub patience: Duration,
}

impl Options {
    /// Seats in `servers` of the state folder, supervised by `program`.
    pub fn new(state: &std::path::Path, program: OwnProgram) -> Self {
        Self { root: state.join("servers"), program, log_bytes: LOG_BYTES, patience: SUPERVISOR }
    }
}

/// Whether what Baton did not start is stopped too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Only what Baton started.
    Ours,
    /// Whoever listens there.
    Anybody,
}

/// The servers of this machine, and those that live as long as this does.
#[derive(Debug)]
pub struct Servers {
    options: Options,
    client: Client,
    /// By port. Never held while something is waited for.
    owned: Mutex<BTreeMap<u16, Owned>>,
}

/// A supervisor started here.
#[derive(Debug)]
struct Owned {
    supervisor: Child,
    pid: Option<u32>,
    /// Its owner's life: closing it ends a server of a session.
    life: Option<ChildStdin>,
}

impl Servers {
    /// Control over the servers under these options. Starts nothing, touches nothing.
    ///
    /// # Errors
    /// [`ServersError::Client`].
    pub fn new(options: Options) -> Result<Self, ServersError> {
        Ok(Self { options, client: Client::new()?, owned: Mutex::default() })
    }

    fn owned(&self) -> MutexGuard<'_, BTreeMap<u16, Owned>> {
        // What is in there is whole after each of its changes.
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees that the server of `endpoint` runs, and returns while it still starts: [`Self::settled`] waits. One that runs
    /// already is adopted as it is. `lifetime` is instead of the fleet file's.
    ///
    /// # Errors
    /// No launch, a port that something else has, a supervisor that can't be started. That the server itself fails is a
    /// [`ServerState`].
    pub async fn up(&self, endpoint: &Endpoint, lifetime: Option<Lifetime>) -> Result<Server, ServersError> {
        let name = endpoint.name.to_string();
        let Some(launch) = &endpoint.launch else { return Err(ServersError::NoLaunch { name }) };
        let (host, port) = place(endpoint)?;
        if let Some(server) = self.look(endpoint)
            && !server.state.is_over()
        {
            // Its Baton is gone and it should be too.
            let left_behind = server.holder == Holder::Orphan && server.lifetime == Some(Lifetime::Session);
            if !left_behind {
                return Ok(server);
            }
            self.end_orphan(&Seat::new(&self.options.root, port)).await?;
        }
        if in_use(&host, port).await {
            let by = listener(port).await;
            return match ready(&self.client, endpoint).await {
                Ready::Yes | Ready::Loading => Ok(foreign(endpoint, port, by)),
                Ready::No(_) => Err(ServersError::PortInUse { name, port, by }),
            };
        }
        let lifetime = lifetime.unwrap_or(launch.lifetime);
        let mut owned = self.supervisor(endpoint, lifetime).await?;
        let seat = Seat::new(&self.options.root, port);
        let deadline = Instant::now() + self.options.patience;
        while seat.record().is_none_or(|record| Some(record.supervisor.pid) != owned.pid) {
            if let Ok(Some(status)) = owned.supervisor.try_wait() {
                // Two were asked for the same port at once, and the other was faster.
                if let Some(server) = self.look(endpoint).filter(|server| !server.state.is_over()) {
                    return Ok(server);
                }
                return Err(ServersError::Mute { name, status: status.to_string() });
            }
            if Instant::now() >= deadline {
                // Of no use, and nobody would ever end it.
                let _ = owned.supervisor.start_kill();
                return Err(ServersError::Mute { name, status: "it says nothing".to_owned() });
            }
            sleep(LOOK).await;
        }
        self.owned().insert(port, owned);
        Ok(self.look(endpoint).unwrap_or_else(|| stopped(endpoint, port)))
    }

    /// Waits until the server of `endpoint` is ready, adopted, or over; it is told of every change meanwhile. Bounded by the
    /// endpoint's own `ready_seconds`. Dropping the future changes nothing.
    pub async fn settled(&self, endpoint: &Endpoint, mut told: impl FnMut(&Server)) -> Option<Server> {
        let mut before: Option<Server> = None;
        loop {
            let now = self.look(endpoint)?;
            if before.as_ref() != Some(&now) {
                told(&now);
            }
            if now.state.is_up() || now.state.is_over() {
                return Some(now);
            }
            before = Some(now);
            sleep(BEAT).await;
        }
    }

    /// How the server of `endpoint` stands, from what its supervisor wrote down: cheap, no network. None: Baton never
    /// started one there.
    pub fn look(&self, endpoint: &Endpoint) -> Option<Server> {
        let (_, port) = address(endpoint)?;
        let mut server = self.read(&Seat::new(&self.options.root, port))?;
        // Another endpoint's server at this port is this one's too: one server, two names.
        server.0.endpoint = endpoint.name.clone();
        server.0.outdated = endpoint.launch.as_ref().is_some_and(|launch| launch.digest() != server.1.digest);
        Some(server.0)
    }

    /// How the server of `endpoint` stands, asking the network whether somebody else serves it.
    pub async fn find(&self, endpoint: &Endpoint) -> Option<Server> {
        let known = self.look(endpoint);
        if known.as_ref().is_some_and(|server| !server.state.is_over()) {
            return known;
        }
        let (host, port) = address(endpoint)?;
        if !in_use(&host, port).await {
            return known;
        }
        match ready(&self.client, endpoint).await {
            Ready::Yes | Ready::Loading => Some(foreign(endpoint, port, listener(port).await)),
            Ready::No(_) => known,
        }
    }

    /// Every server Baton ever started and still has a record of, by port.
    pub fn all(&self) -> Vec<Server> {
        let seats = Seat::all(&self.options.root);
        seats.iter().filter_map(|seat| self.read(seat).map(|(server, _)| server)).collect()
    }

    /// Ends the server of `endpoint`, and returns when its whole process group is gone. One that does not run is no error.
    ///
    /// # Errors
    /// It is not Baton's and `force` does not say so; it does not end.
    pub async fn down(&self, endpoint: &Endpoint, force: Force) -> Result<Server, ServersError> {
        let (host, port) = place(endpoint)?;
        self.down_at(port).await?;
        // One that was started for this endpoint when its port was another.
        let elsewhere = self.all().into_iter().filter(|server| server.endpoint == endpoint.name && server.port != port);
        for server in elsewhere.filter(|server| !server.state.is_over()).collect::<Vec<_>>() {
            self.down_at(server.port).await?;
        }
        if in_use(&host, port).await {
            let by = listener(port).await;
            let name = endpoint.name.to_string();
            match (force, by) {
                (Force::Ours, by) => return Err(ServersError::NotOurs { name, by }),
                (Force::Anybody, None) => return Err(ServersError::NobodyKnown { name, port }),
                (Force::Anybody, Some(by)) => {
                    let grace = endpoint.launch.as_ref().map_or(10, |launch| launch.stop_seconds);
                    end_process(&name, &by.identity, Duration::from_secs(u64::from(grace))).await?;
                }
            }
        }
        Ok(self.look(endpoint).unwrap_or_else(|| stopped(endpoint, port)))
    }

    /// Ends the server Baton started at `port`, if one runs.
    ///
    /// # Errors
    /// It does not end.
    pub async fn down_at(&self, port: u16) -> Result<(), ServersError> {
        let seat = Seat::new(&self.options.root, port);
        if let Some(record) = seat.record() {
            if seat.is_taken() {
                record.supervisor.signal(Signal::TERM);
                let limit = Duration::from_secs(u64::from(record.stop_seconds)) + KILLED + self.options.patience;
                if !until(limit, || !seat.is_taken()).await {
                    // It hangs, and with it the end of its server: what it would have done is done here.
                    record.supervisor.signal(Signal::KILL);
                    if !until(KILLED, || !seat.is_taken()).await {
                        let (name, pid) = (record.endpoint.to_string(), record.supervisor.pid);
                        return Err(ServersError::Stays { name, pid });
                    }
                    self.end_orphan(&seat).await?;
                }
            } else {
                self.end_orphan(&seat).await?;
            }
        }
        let owned = self.owned().remove(&port);
        if let Some(mut owned) = owned {
            drop(owned.life.take());
            // It has let go of its seat, so that it ends in this moment; waited for, it leaves no zombie.
            let _ = tokio::time::timeout(self.options.patience, owned.supervisor.wait()).await;
        }
        Ok(())
    }

    /// The servers that end with this: started here for the session.
    pub fn of_session(&self) -> Vec<u16> {
        self.owned().iter().filter(|(_, owned)| owned.life.is_some()).map(|(port, _)| *port).collect()
    }

    /// A reader of what the server of `endpoint` says; with `grep`, only of lines that contain it in any case.
    ///
    /// # Errors
    /// [`ServersError::NoPort`].
    pub fn log(&self, endpoint: &Endpoint, grep: Option<&str>) -> Result<LogReader, ServersError> {
        let (_, port) = place(endpoint)?;
        Ok(LogReader::new(Seat::new(&self.options.root, port).log(), grep))
    }

    /// Starts a supervisor and tells it what to do.
    async fn supervisor(&self, endpoint: &Endpoint, lifetime: Lifetime) -> Result<Owned, ServersError> {
        let failed = |source| ServersError::Supervisor {
            name: endpoint.name.to_string(),
            program: self.options.program.path().to_path_buf(),
            source,
        };
        let order = Order {
            from: Hello::own(),
            endpoint: endpoint.clone(),
            lifetime,
            root: self.options.root.clone(),
            log_bytes: self.options.log_bytes,
        };
        let mut line = serde_json::to_vec(&order).map_err(|error| failed(std::io::Error::other(error)))?;
        line.push(b'\n');
        let mut supervisor = Command::new(self.options.program.path())
            .arg0("baton")
            .arg("supervise")
            // It may live long, and must not keep the folder of whoever started it busy.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let pid = supervisor.id();
        if let Err(error) = self.greet(&mut supervisor, &endpoint.name).await {
            // It was told nothing, so that it has nothing to end.
            let _ = supervisor.start_kill();
            return Err(error);
        }
        let mut life = supervisor.stdin.take();
        if let Some(pipe) = &mut life {
            let told = async {
                pipe.write_all(&line).await?;
                pipe.flush().await
            };
            // A pipe that nobody reads takes the beginning only.
            let told = tokio::time::timeout(self.options.patience, told).await;
            told.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(failed)?;
        }
        if lifetime == Lifetime::Kept {
            life = None;
        }
        Ok(Owned { supervisor, pid, life })
    }

    /// Hears what the supervisor is before it is told anything.
    async fn greet(&self, supervisor: &mut Child, endpoint: &EndpointName) -> Result<(), ServersError> {
        let mut line = Vec::new();
        if let Some(said) = supervisor.stdout.take() {
            let mut said = BufReader::new(said).take(LONGEST_HELLO);
            // One that ended, or says nothing, has said too little.
            let _ = tokio::time::timeout(self.options.patience, said.read_until(b'\n', &mut line)).await;
        }
        let Ok(hello) = serde_json::from_slice::<Hello>(&line) else {
            let name = endpoint.to_string();
            let ended = supervisor.try_wait().ok().flatten();
            let status = ended.map_or_else(|| "it says nothing".to_owned(), |status| status.to_string());
            return Err(ServersError::Mute { name, status });
        };
        if hello != Hello::own() {
            let program = self.options.program.path().to_path_buf();
            return Err(ServersError::OtherVersion {
                program,
                theirs: hello.to_string(),
                ours: Hello::own().to_string(),
            });
        }
        Ok(())
    }

    /// How the server of a seat stands, and its record.
    fn read(&self, seat: &Seat) -> Option<(Server, Record)> {
        // The lock before the record: a supervisor that ends in between has written its last.
        let taken = seat.is_taken();
        let record = seat.record()?;
        let lives = record.server.as_ref().is_some_and(Identity::lives);
        let here = self.owned().get(&seat.port).is_some_and(|owned| owned.pid == Some(record.supervisor.pid));
        let (state, holder) = match (taken, record.state.is_over()) {
            (true, _) => (record.state.clone(), if here { Holder::Here } else { Holder::Another }),
            (false, true) => (record.state.clone(), Holder::Nobody),
            (false, false) if lives => (ServerState::Adopted { by: None }, Holder::Orphan),
            (false, false) => (ServerState::Failed { why: Why::Lost }, Holder::Nobody),
        };
        let state = match (state, record.restart_at) {
            (ServerState::Restarting { .. }, Some(at)) => {
                let left = at.saturating_sub(millis(SystemTime::now()));
                ServerState::Restarting { in_seconds: left.div_ceil(1000) }
            }
            (state, _) => state,
        };
        let server = Server {
            endpoint: record.endpoint.clone(),
            port: seat.port,
            holder,
            lifetime: Some(record.lifetime),
            pid: record.server.as_ref().filter(|_| !state.is_over()).map(|server| server.pid),
            restarts: record.restarts,
            outdated: false,
            log: Some(seat.log()),
            state,
        };
        Some((server, record))
    }

    /// Ends a server whose supervisor was killed, with its group.
    async fn end_orphan(&self, seat: &Seat) -> Result<(), ServersError> {
        let Some(mut record) = seat.record().filter(|record| !record.state.is_over()) else { return Ok(()) };
        // The group is known by its leader: without that one alive, its number may be anybody's.
        if let Some(leader) = record.server.take().filter(Identity::lives)
            && let Some(group) = pid_of(leader.pid)
            && !end_group(group, Duration::from_secs(u64::from(record.stop_seconds))).await
        {
            return Err(ServersError::Stays { name: record.endpoint.to_string(), pid: leader.pid });
        }
        record.state = ServerState::Stopped;
        seat.write(&record)
    }
}

/// Ends a process Baton did not start; its group may be its user's shell's, so only itself.
async fn end_process(name: &str, process: &Identity, grace: Duration) -> Result<(), ServersError> {
    process.signal(Signal::TERM);
    if process.ended(grace).await {
        return Ok(());
    }
    process.signal(Signal::KILL);
    match process.ended(KILLED).await {
        true => Ok(()),
        false => Err(ServersError::Stays { name: name.to_owned(), pid: process.pid }),
    }
}

fn place(endpoint: &Endpoint) -> Result<(String, u16), ServersError> {
    address(endpoint).ok_or_else(|| ServersError::NoPort { name: endpoint.name.to_string(), url: endpoint.url.clone() })
}

fn bare(endpoint: EndpointName, port: u16, state: ServerState, holder: Holder) -> Server {
    Server { endpoint, port, state, holder, lifetime: None, pid: None, restarts: 0, outdated: false, log: None }
}

fn foreign(endpoint: &Endpoint, port: u16, by: Option<super::port::Listener>) -> Server {
    let pid = by.as_ref().map(|by| by.identity.pid);
    Server { pid, ..bare(endpoint.name.clone(), port, ServerState::Adopted { by }, Holder::Foreign) }
}

fn stopped(endpoint: &Endpoint, port: u16) -> Server {
    bare(endpoint.name.clone(), port, ServerState::Stopped, Holder::Nobody)
}
