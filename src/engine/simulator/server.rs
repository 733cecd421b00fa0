//! One simulated server: its state, and the thread it lives, dies and returns on.
//!
//! Each life has a runtime of its own. Death drops the runtime and with it the listener and every connection, in the
//! middle of whatever they were sending, as when a process is killed. Invariant: the state (slots, counts, port)
//! outlives the lives.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::serve::ListenerExt;
use tokio::sync::{Semaphore, watch};

use super::alarm::Alarm;
use super::config::SimEndpoint;
use super::others;
use super::pace::Pace;
use super::routes;
use super::slots::Slots;

/// What an endpoint is told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Serving.
    Alive,
    /// Killed.
    Dead,
    /// The simulator is dropped.
    Gone,
}

/// What an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its port answers.
    Alive,
    /// Its port refuses.
    Dead,
    /// It could not return, and why.
    Stuck(String),
}

/// A death that a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doom {
    /// When.
    pub(super) at: Instant,
    /// How long it stays away; none: until it is told to return.
    pub(super) back: Option<Duration>,
}

/// What all lives of an endpoint share.
#[derive(Debug)]
pub(super) struct EndpointState {
    /// What is simulated.
    pub(super) config: SimEndpoint,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The fleet's seed.
    pub(super) seed: u64,
    /// The fleet's speed.
    pub(super) speed: f64,
    /// How fast it works over time.
    pub(super) pace: Pace,
    /// Permits to read a prompt; none: whoever has a slot reads.
    pub(super) reading: Option<Arc<Semaphore>>,
    /// Its slots and counts.
    pub(super) slots: Arc<Slots>,
    /// Fine waits.
    pub(super) alarm: Alarm,
    /// When the simulator started.
    pub(super) born: Instant,
    /// Requests granted so far.
    pub(super) requests: AtomicU64,
    /// Whether the model is in memory; only Ollama unloads it.
    pub(super) loaded: AtomicBool,
    /// What it shall be.
    pub(super) wanted: watch::Sender<Wanted>,
    /// What it is.
    pub(super) phase: watch::Sender<Phase>,
    /// A death to come.
    pub(super) doom: watch::Sender<Option<Doom>>,
    seen: Mutex<HashMap<u64, u32>>,
}

impl EndpointState {
    /// A state that is told to be alive.
    pub(super) fn new(
        config: SimEndpoint,
        address: SocketAddr,
        (seed, speed): (u64, f64),
        alarm: Alarm,
        born: Instant,
    ) -> Self {
        Self {
            pace: Pace::new(&config.faults, born),
            reading: config.faults.reads.map(|n| Arc::new(Semaphore::new(n as usize))),
            slots: Arc::new(Slots::new(config.name.as_str(), config.slots, born)),
            config,
            address,
            seed,
            speed,
            alarm,
            born,
            requests: AtomicU64::new(0),
            loaded: AtomicBool::new(true),
            wanted: watch::Sender::new(Wanted::Alive),
            phase: watch::Sender::new(Phase::Alive),
            doom: watch::Sender::new(None),
            seen: Mutex::default(),
        }
    }

    /// How often this request was seen before, and counts it.
    pub(super) fn seen(&self, key: u64) -> u32 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(key).or_default();
        *count += 1;
        *count - 1
    }

    /// Loads the model when it is not loaded, and says how long that takes.
    pub(super) fn load(&self) -> Duration {
        if self.loaded.swap(true, Ordering::Relaxed) {
            return Duration::ZERO;
        }
        // About a second per ten gigabytes from a fast disk.
        super::script::seconds(self.config.resident_bytes as f64 / 1e10 / self.speed.max(0.01))
    }
}

/// Binds a port of 127.0.0.1; 0 takes any free one.
pub(super) fn bind(port: u16) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Lives, dies and returns until the simulator is dropped. Runs on a thread of its own.
pub(super) fn live(state: &Arc<EndpointState>, listener: TcpListener) {
    let mut listener = Some(listener);
    let mut dies_at = state.config.faults.dies_at().map(|after| state.born + after);
    loop {
        let alive = listener.take().is_none_or(|listener| match serve(state, listener, dies_at) {
            Ok(end) => end != Wanted::Gone,
            Err(error) => {
                state.phase.send_replace(Phase::Stuck(error.to_string()));
                true
            }
        });
        if !alive {
            return;
        }
        let by_time = dies_at.take().is_some_and(|at| Instant::now() >= at);
        if state.phase.borrow().clone() == Phase::Alive {
            state.phase.send_replace(Phase::Dead);
        }
        let doom = state.doom.send_replace(None).filter(|doom| Instant::now() >= doom.at);
        let away = state.config.faults.back_after.filter(|_| by_time).or(doom.and_then(|doom| doom.back));
        let back = away.map(|after| Instant::now() + after);
        match rest(state, back) {
            Wanted::Alive => match bind(state.address.port()) {
                Ok(bound) => {
                    listener = Some(bound);
                    state.phase.send_replace(Phase::Alive);
                }
                Err(error) => {
                    state.wanted.send_replace(Wanted::Dead);
                    state.phase.send_replace(Phase::Stuck(error.to_string()));
                }
            },
            Wanted::Dead => {}
            Wanted::Gone => return,
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// One life. Returns what ended it.
fn serve(state: &Arc<EndpointState>, listener: TcpListener, dies_at: Option<Instant>) -> std::io::Result<Wanted> {
    let runtime = runtime()?;
    let mut wanted = state.wanted.subscribe();
    let mut doom = state.doom.subscribe();
    let end = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
            // Each write is one piece of an answer: it must not wait for the next one.
            let _ = stream.set_nodelay(true);
        });
        others::start(state);
        let served = axum::serve(listener, routes::router(Arc::clone(state)));
        tokio::select! {
            result = std::future::IntoFuture::into_future(served) => result.map(|()| Wanted::Dead),
            end = wanted.wait_for(|wanted| *wanted != Wanted::Alive) => Ok(end.map_or(Wanted::Gone, |end| *end)),
            () = until(dies_at) => {
                state.wanted.send_replace(Wanted::Dead);
                Ok(Wanted::Dead)
            }
            () = struck(&mut doom) => {
                state.wanted.send_replace(Wanted::Dead);
                Ok(Wanted::Dead)
            }
        }
    });
    // Every connection is a task of this runtime: dropping it cuts them all.
    drop(runtime);
    end
}

/// Death: waits until something else is wanted or the time to return has come.
fn rest(state: &Arc<EndpointState>, back: Option<Instant>) -> Wanted {
    let Ok(runtime) = runtime() else { return Wanted::Gone };
    let mut wanted = state.wanted.subscribe();
    runtime.block_on(async {
        tokio::select! {
            next = wanted.wait_for(|wanted| *wanted != Wanted::Dead) => next.map_or(Wanted::Gone, |next| *next),
            () = until(back) => {
                state.wanted.send_replace(Wanted::Alive);
                Wanted::Alive
            }
        }
    })
}

/// Waits until a death that was asked for is due.
async fn struck(doom: &mut watch::Receiver<Option<Doom>>) {
    loop {
        let at = doom.borrow_and_update().map(|doom| doom.at);
        tokio::select! {
            () = until(at), if at.is_some() => return,
            // The sender lives as long as the endpoint.
            _ = doom.changed() => {}
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
