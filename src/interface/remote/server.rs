//! The listening thread: connections in, one task each, on a runtime of its own.
//!
//! Not here: what is answered (`routes`). Invariants: nothing here runs on the engine's thread; dropping the server ends
//! every connection, after those that still have records to get had a moment for it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::StatusCode;
use axum::{Extension, Router};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::connection::{raw, serve};
use super::doors::Taking;
use super::guard::{Key, Way};
use super::place::{Place, PlaceError, Seat, own_uid};
use super::refusal::Refusal;
use super::routes::{House, Peer, router};
use crate::domain::protocol::{Author, Role};
use crate::domain::text::CleanText;
use crate::engine::host::Connector;

/// How long consoles have at the end to get what is left.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often it is looked whether the socket is still there.
const LOOK: Duration = Duration::from_secs(3);

/// After an error of the system while accepting: it has no descriptor left.
const BREATH: Duration = Duration::from_millis(50);

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The run folder.
    pub run: PathBuf,
    /// An address of this machine to listen on besides; port 0 takes any free one.
    pub tcp: Option<SocketAddr>,
    /// The user's name: who comes over the socket.
    pub user: CleanText,
    /// How the session is taken up again in the background.
    pub again: Again,
}

/// How a session is taken up again by another process, in the background.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// Not: a command waits for its result.
    #[default]
    Never,
    /// As one that waits for goals, at the same address.
    Serves,
    /// As a run that was left, with these arguments besides.
    Runs(Vec<String>),
}

impl Again {
    fn arguments(self, session: &str, tcp: Option<SocketAddr>) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Never => Vec::new(),
            Self::Serves => {
                let mut all = words(&["serve", "--session", session, "--detached", "--jsonl"]);
                all.extend(tcp.into_iter().flat_map(|address| ["--tcp".to_owned(), address.to_string()]));
                all
            }
            Self::Runs(more) => {
                let mut all = words(&["resume", session, "--detached"]);
                all.extend(more);
                all
            }
        }
    }
}

/// Why a session can't be reached from outside.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its socket.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The address is reachable from other machines.
    #[error(
        "{0} can be reached from other machines; only loopback is served, as in 127.0.0.1:8420 (ssh -L brings it further)"
    )]
    NotLoopback(SocketAddr),
    /// The address can't be had.
    #[error("can't listen on {address}: {source}; choose another port")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread, the runtime, or the key.
    #[error("can't {what}: {source}; close other programs and try again")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A session that can be reached from outside, as long as this lives.
#[derive(Debug)]
pub struct Server {
    thread: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    place: Place,
    tcp: Option<SocketAddr>,
}

/// What is listened on.
struct Listeners {
    socket: UnixListener,
    tcp: Option<TcpListener>,
}

impl Server {
    /// Listens for a session on a thread of its own.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(connector: Connector, options: ServerOptions) -> Result<Self, ServerError> {
        if let Some(address) = options.tcp.filter(|a| !a.ip().is_loopback()) {
            return Err(ServerError::NotLoopback(address));
        }
        let key = Key::random().map_err(system("make a key"))?;
        let place = Place::of(connector.session(), &options.run)?;
        let tcp = options.tcp.map(|address| {
            let bound = std::net::TcpListener::bind(address).and_then(|l| l.set_nonblocking(true).map(|()| l));
            bound.map_err(|source| ServerError::Address { address, source })
        });
        let tcp = tcp.transpose()?;
        let address = tcp.as_ref().and_then(|l| l.local_addr().ok());
        let (socket, seat) = place.listen(&key)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system("start a runtime"))?;
        let listeners = {
            let _inside = runtime.enter();
            let socket = UnixListener::from_std(socket).map_err(system("listen on the socket"))?;
            let tcp = tcp.map(TcpListener::from_std).transpose().map_err(system("listen on loopback"))?;
            Listeners { socket, tcp }
        };
        let (stop, stopped) = oneshot::channel();
        let again = options.again.arguments(connector.session().as_str(), address);
        let thread = std::thread::Builder::new().name("remote".into()).spawn(move || {
            let house = Arc::new(House::new(connector, key, options.user, again));
            runtime.block_on(listen(listeners, seat, house, stopped));
        });
        let thread = Some(thread.map_err(system("start a thread"))?);
        Ok(Self { thread, stop: Some(stop), place, tcp: address })
    }

    /// Where it is found.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The address on loopback, if it listens on one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.tcp
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that is gone has stopped.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the listening thread broke off");
        }
    }
}

/// For `map_err`: what was attempted.
fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> ServerError {
    move |source| ServerError::System { what, source }
}

async fn listen(mut listeners: Listeners, mut seat: Seat, house: Arc<House>, mut stopped: oneshot::Receiver<()>) {
    let watcher = house.connector.client(Author::Baton, Role::Viewer);
    let following = tokio::spawn(Arc::clone(&house.watched).follow(watcher));
    let router = router(Arc::clone(&house));
    let mut connections = JoinSet::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            // Also when the server's handle is gone.
            _ = &mut stopped => break,
            accepted = listeners.socket.accept() => accepted.map(|(io, _)| Came::Socket(io)),
            accepted = accept(listeners.tcp.as_ref()) => accepted.map(Came::Tcp),
            _ = look.tick() => {
                // A system clears the run folder when its user has left, and makes it anew when they come again.
                if seat.is_lost() {
                    let again = seat.take_again(&house.key).map_err(ServerError::from);
                    let again = again.and_then(|l| UnixListener::from_std(l).map_err(system("listen on the socket")));
                    match again {
                        Ok(socket) => listeners.socket = socket,
                        Err(error) => tracing::debug!(%error, "the socket is gone and can't be had again yet"),
                    }
                }
                continue;
            }
        };
        match accepted {
            Ok(came) => {
                let from_outside = matches!(came, Came::Tcp(_));
                came.serve(&house, &router, &mut connections);
                if from_outside {
                    // Whoever came gets a turn before the next one can take their place: a whole request is answered in it.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop((listeners, seat));
    let drained = async { while connections.join_next().await.is_some() {} };
    // Whoever does not read any more gets nothing more.
    let _ = tokio::time::timeout(FAREWELL, drained).await;
    following.abort();
}

async fn accept(tcp: Option<&TcpListener>) -> std::io::Result<TcpStream> {
    match tcp {
        Some(tcp) => {
            let (io, _) = tcp.accept().await?;
            // Each write is a piece that somebody waits for.
            let _ = io.set_nodelay(true);
            Ok(io)
        }
        None => std::future::pending().await,
    }
}

/// A connection that came.
enum Came {
    Socket(UnixStream),
    Tcp(TcpStream),
}

impl Came {
    fn serve(self, house: &Arc<House>, router: &Router, connections: &mut JoinSet<()>) {
        let cut = Arc::new(Notify::new());
        let way = match &self {
            Self::Socket(_) => Way::Socket,
            Self::Tcp(_) => Way::Tcp,
        };
        let user = self.user(house);
        let taking = user.and_then(|user| house.doors.take(way, &cut).map(|taking| (user, taking)));
        let (user, taking): (CleanText, Taking) = match taking {
            Ok(taking) => taking,
            Err(refusal) => {
                house.counts.turned_away.fetch_add(1, Ordering::Relaxed);
                return self.send_away(&refusal);
            }
        };
        let peer = Peer { user, way, cut: Arc::clone(&cut), taking: Arc::new(taking) };
        let router = router.clone().layer(Extension(peer));
        match self {
            Self::Socket(io) => connections.spawn(serve(io, router, cut)),
            Self::Tcp(io) => connections.spawn(serve(io, router, cut)),
        };
    }

    /// Who is at the other end.
    fn user(&self, house: &House) -> Result<CleanText, Refusal> {
        let Self::Socket(io) = self else { return Ok(house.user.clone()) };
        match io.peer_cred().map(|c| c.uid()) {
            Ok(uid) if uid == own_uid() => Ok(house.user.clone()),
            Ok(0) => Ok(CleanText::from_static("root")),
            _ => Err(Refusal::new(StatusCode::FORBIDDEN, "this session belongs to another user of this machine")),
        }
    }

    /// Says why not, as far as it can be said without a wait.
    fn send_away(self, refusal: &Refusal) {
        let text = raw(refusal);
        let _ = match &self {
            Self::Socket(io) => io.try_write(text.as_bytes()),
            Self::Tcp(io) => io.try_write(text.as_bytes()),
        };
    }
}
