//! One simulated server: its state, and the thread it lives, dies and returns on.
//!
//! Each life has a runtime of its own. Death drops the runtime and with it the listener and every connection, in the
//! middle of whatever they were sending, as when a process is killed. One that is asked to end refuses at once and leaves
//! its runtime to a thread, on which its streams stay open and silent for a while. Invariant: the state (slots, counts,
//! port) outlives the lives.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::alarm::Alarm;
use super::config::SimEndpoint;
use super::connection;
use super::others;
use super::pace::Pace;
use super::routes;
use super::slots::Slots;

/// What an endpoint is told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Serving.
    Alive,
    /// Asked to end (SIGTERM).
    Ending,
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

/// An end that a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doom {
    /// When.
    pub(super) at: Instant,
    /// How.
    pub(super) fate: Fate,
}

/// How an endpoint ends, and what comes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// How it ends.
    pub(super) end: End,
    /// How long it stays away; none: until it is told to return.
    pub(super) back: Option<Duration>,
    /// How long it loads its model then; none: as long as its faults say.
    pub(super) load: Option<Duration>,
}

/// How an endpoint ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As by SIGKILL: everything is cut.
    Killed,
    /// As by SIGTERM: it refuses, and what is under way falls silent.
    Asked,
}

impl End {
    fn wanted(self) -> Wanted {
        match self {
            Self::Killed => Wanted::Dead,
            Self::Asked => Wanted::Ending,
        }
    }
}

/// Which of an endpoint's lives: how many of them were asked to end before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life(u32);

/// How long llama-server keeps open streams after SIGTERM, without a byte: until its 30 s ping would be written.
const SILENT_SECONDS: f64 = 30.0;

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
    /// The other models behind its port.
    pub(super) more: Vec<Arc<EndpointState>>,
    /// Its slots and counts.
    pub(super) slots: Arc<Slots>,
    /// Fine waits.
    pub(super) alarm: Alarm,
    /// When the simulator started.
    pub(super) born: Instant,
    /// Requests granted so far.
    pub(super) requests: AtomicU64,
    /// Whether the model is in memory; only Ollama and a router unload it.
    pub(super) loaded: AtomicBool,
    /// What it shall be.
    pub(super) wanted: watch::Sender<Wanted>,
    /// What it is.
    pub(super) phase: watch::Sender<Phase>,
    /// An end to come.
    pub(super) doom: watch::Sender<Option<Doom>>,
    /// How many of its lives were asked to end.
    ended: watch::Sender<u32>,
    /// Until when it loads its model, in microseconds since the simulator started.
    loading: AtomicU64,
    seen: Mutex<HashMap<u64, u32>>,
}

impl EndpointState {
    /// A state that is told to be alive.
    pub(super) fn new(
        mut config: SimEndpoint,
        address: SocketAddr,
        (seed, speed): (u64, f64),
        alarm: Alarm,
        born: Instant,
    ) -> Self {
        let routed = AtomicBool::new(config.more.is_empty());
        let more = std::mem::take(&mut config.more).into_iter().map(|model| {
            let model = Self::new(model, address, (seed, speed), alarm.clone(), born);
            model.loaded.store(false, Ordering::Relaxed);
            Arc::new(model)
        });
        let more = more.collect();
        Self {
            more,
            loaded: routed,
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
            wanted: watch::Sender::new(Wanted::Alive),
            phase: watch::Sender::new(Phase::Alive),
            doom: watch::Sender::new(None),
            ended: watch::Sender::new(0),
            loading: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    /// Its models: itself, and those behind its port.
    pub(super) fn models(state: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::once(state).chain(&state.more)
    }

    /// How often this request was seen before, and counts it.
    pub(super) fn seen(&self, key: u64) -> u32 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(key).or_default();
        *count += 1;
        *count - 1
    }

    /// The life it is in.
    pub(super) fn life(&self) -> Life {
        Life(*self.ended.borrow())
    }

    /// Waits until a life is asked to end.
    pub(super) async fn ended(&self, life: Life) {
        // The sender lives in the state that is borrowed here, so the wait ends by itself only so.
        let _ = self.ended.subscribe().wait_for(|ended| *ended > life.0).await;
    }

    /// Whether it still loads its model, as servers do before they answer anything.
    pub(super) fn is_loading(&self) -> bool {
        self.born.elapsed() < Duration::from_micros(self.loading.load(Ordering::Relaxed))
    }

    fn begin(&self, load: Option<Duration>) {
        let until = self.born.elapsed() + load.unwrap_or_default();
        self.loading.store(u64::try_from(until.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Loads the model when it is not loaded, and says how long that takes.
    pub(super) fn load(&self) -> Duration {
        if self.loaded.swap(true, Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.load_time()
    }

    /// How long its model takes to load.
    pub(super) fn load_time(&self) -> Duration {
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
    let mut silent = Vec::new();
    lives(state, listener, &mut silent);
    for thread in silent {
        // A thread that panicked has cut its streams too.
        let _ = std::thread::JoinHandle::join(thread);
    }
}

fn lives(state: &Arc<EndpointState>, listener: TcpListener, silent: &mut Vec<std::thread::JoinHandle<()>>) {
    let faults = &state.config.faults;
    let mut listener = Some(listener);
    let by_faults = faults.die_after.map(|after| (after, End::Killed)).or(faults.term_after.map(|a| (a, End::Asked)));
    let mut ends_at = by_faults.map(|(after, end)| (state.born + after, end));
    state.begin(faults.load);
    loop {
        let alive = listener.take().is_none_or(|listener| match serve(state, listener, ends_at) {
            Ok((end, still)) => {
                silent.extend(still);
                end != Wanted::Gone
            }
            Err(error) => {
                state.phase.send_replace(Phase::Stuck(error.to_string()));
                true
            }
        });
        if !alive {
            return;
        }
        // Asked or killed: from here on it is the same.
        state.wanted.send_if_modified(|wanted| {
            *wanted == Wanted::Ending && {
                *wanted = Wanted::Dead;
                true
            }
        });
        let by_time = ends_at.take().is_some_and(|(at, _)| Instant::now() >= at);
        if state.phase.borrow().clone() == Phase::Alive {
            state.phase.send_replace(Phase::Dead);
        }
        let doom = state.doom.send_replace(None).filter(|doom| Instant::now() >= doom.at);
        let away = faults.back_after.filter(|_| by_time).or(doom.and_then(|doom| doom.fate.back));
        let back = away.map(|after| Instant::now() + after);
        match rest(state, back) {
            Wanted::Alive => match bind(state.address.port()) {
                Ok(bound) => {
                    listener = Some(bound);
                    state.begin(doom.and_then(|doom| doom.fate.load).or(faults.load));
                    state.phase.send_replace(Phase::Alive);
                }
                Err(error) => {
                    state.wanted.send_replace(Wanted::Dead);
                    state.phase.send_replace(Phase::Stuck(error.to_string()));
                }
            },
            Wanted::Dead | Wanted::Ending => {}
            Wanted::Gone => return,
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// One life. Returns what ended it, and the thread on which its streams are silent, if it was asked to end.
fn serve(
    state: &Arc<EndpointState>,
    listener: TcpListener,
    ends_at: Option<(Instant, End)>,
) -> std::io::Result<(Wanted, Option<std::thread::JoinHandle<()>>)> {
    let runtime = runtime()?;
    let mut wanted = state.wanted.subscribe();
    let mut doom = state.doom.subscribe();
    let end = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        others::start(state);
        let (ours, life) = (Arc::clone(state), state.life());
        let over = move || ours.life() != life;
        let serving = connection::accept(listener, routes::router(Arc::clone(state)), over);
        let by_itself = tokio::select! {
            never = serving => match never {},
            end = wanted.wait_for(|wanted| *wanted != Wanted::Alive) => {
                return std::io::Result::Ok(end.map_or(Wanted::Gone, |end| *end));
            }
            () = until(ends_at.map(|(at, _)| at)) => ends_at.map_or(End::Killed, |(_, end)| end),
            end = struck(&mut doom) => end,
        };
        state.wanted.send_replace(by_itself.wanted());
        Ok(by_itself.wanted())
    })?;
    // Every connection is a task of this runtime: dropping it cuts them all.
    if end != Wanted::Ending {
        return Ok((end, None));
    }
    EndpointState::models(state).for_each(|model| model.ended.send_modify(|ended| *ended += 1));
    let time = super::script::seconds(SILENT_SECONDS / state.speed.max(0.01));
    let still = std::thread::Builder::new().name("sim-silent".into()).spawn(move || {
        let gone = wanted.wait_for(|wanted| *wanted == Wanted::Gone);
        let _ = runtime.block_on(async { tokio::time::timeout(time, gone).await.map(drop) });
    });
    Ok((end, Some(still?)))
}

/// Death: waits until something else is wanted or the time to return has come.
fn rest(state: &Arc<EndpointState>, back: Option<Instant>) -> Wanted {
    let Ok(runtime) = runtime() else { return Wanted::Gone };
    let mut wanted = state.wanted.subscribe();
    runtime.block_on(async {
        tokio::select! {
            next = wanted.wait_for(|wanted| !matches!(*wanted, Wanted::Dead | Wanted::Ending)) => next.map_or(Wanted::Gone, |next| *next),
            () = until(back) => {
                state.wanted.send_replace(Wanted::Alive);
                Wanted::Alive
            }
        }
    })
}

/// Waits until an end that was asked for is due.
async fn struck(doom: &mut watch::Receiver<Option<Doom>>) -> End {
    loop {
        let next = *doom.borrow_and_update();
        tokio::select! {
            () = until(next.map(|doom| doom.at)) => return next.map_or(End::Killed, |doom| doom.fate.end),
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
