//! The room: a thread of its own in which servers are started and stopped for sessions, and looked at.
//!
//! It lives as long as a handle of it, so that a server of lifetime `session` ends with Baton and not with the session
//! that started it: the next session of the same console finds it. Sessions are told how the servers of their endpoints
//! stand, at first and at every change. Not here: whether a server may be started (the orchestrator says), when the order
//! is durable (the host). Invariants: one thing is done at a port at a time, and of those that wait only the last counts;
//! nobody waits for a session that does not listen, and it misses nothing that still is so; without anything to look at
//! there is no timer, and looking asks no network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::control::{Force, Options, Servers};
use super::error::ServersError;
use super::port::address;
use super::process::Identity;
use super::state::{Server, ServerState};
use crate::domain::fleet::{Endpoint, Nature};
use crate::domain::protocol::{EndpointName, ServerChanged, ServerStanding, ServerVerb};
use crate::domain::text::CleanText;

/// Orders on their way: a person gives a few a second, and who gives more waits.
const ORDERS: usize = 16;

/// News on their way to a session: a fleet's servers all changing at once, and again. What has no room is told with the
/// next look.
const NEWS: usize = 64;

/// How often a server is looked at that starts, ends or waits to be started again: a person watches it.
const QUICK: Duration = Duration::from_millis(200);

/// How often all others are: a look costs some 50 µs, so that twenty servers cost 0.05 % of a processor.
const SLOW: Duration = Duration::from_secs(2);

/// A handle of the room; the last one that goes ends the servers of the session.
#[derive(Clone, Debug)]
pub struct Room {
    orders: mpsc::Sender<Order>,
}

/// What comes to the room.
#[derive(Debug)]
enum Order {
    Watch(Watcher),
    Do(Box<Endpoint>, ServerVerb),
    /// It may not be done, for this reason.
    Leave(Box<Endpoint>, ServerVerb, String),
}

/// A session that is told.
#[derive(Debug)]
struct Watcher {
    endpoints: Vec<Endpoint>,
    /// What it knows.
    told: BTreeMap<EndpointName, ServerChanged>,
    news: mpsc::Sender<ServerChanged>,
}

impl Room {
    /// Opens a room for the servers under these options. Nothing is touched before the first order.
    ///
    /// # Errors
    /// The thread or its runtime can't be had.
    pub fn open(options: Options) -> std::io::Result<Self> {
        let (orders, given) = mpsc::channel(ORDERS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("servers".into())
            .spawn(move || runtime.block_on(Inside::new(options).work(given)))?;
        Ok(Self { orders })
    }

    /// How the servers of these endpoints stand, as far as that is not as `known` says, and every change from now on.
    pub async fn watch(
        &self,
        endpoints: Vec<Endpoint>,
        known: BTreeMap<EndpointName, ServerChanged>,
    ) -> mpsc::Receiver<ServerChanged> {
        let (news, told) = mpsc::channel(NEWS);
        // A room that broke off tells nothing.
        let _ = self.orders.send(Order::Watch(Watcher { endpoints, told: known, news })).await;
        told
    }

    /// Has something done with the server of an endpoint; what becomes of it is told to who watches it. False: the room
    /// broke off.
    pub async fn order(&self, endpoint: Endpoint, verb: ServerVerb) -> bool {
        self.orders.send(Order::Do(Box::new(endpoint), verb)).await.is_ok()
    }

    /// Tells whoever watches the server of an endpoint that something was not done with it, for this reason, and how it
    /// stands. False: the room broke off.
    pub async fn leave(&self, endpoint: Endpoint, verb: ServerVerb, why: String) -> bool {
        self.orders.send(Order::Leave(Box::new(endpoint), verb, why)).await.is_ok()
    }
}

/// What something that was done came to, where the record does not tell.
#[derive(Debug)]
struct Aside {
    /// The record, as it stood.
    record: Option<Server>,
    says: ServerChanged,
    /// It is so as long as this process lives.
    process: Option<Identity>,
}

/// An order that is carried out.
struct Doing {
    endpoint: Box<Endpoint>,
    verb: ServerVerb,
    /// None until it is begun.
    task: Option<Id>,
}

/// The room from inside.
struct Inside {
    options: Options,
    /// Made when it is needed first: an HTTP client takes its time.
    servers: Option<Arc<Servers>>,
    watchers: Vec<Watcher>,
    asides: BTreeMap<EndpointName, Aside>,
    /// What is done, by port.
    busy: BTreeMap<u16, Doing>,
    /// What is to be done there next.
    next: BTreeMap<u16, (Box<Endpoint>, ServerVerb)>,
    doing: JoinSet<(u16, Result<Server, ServersError>)>,
    /// Ports whose servers do not stay as they are.
    moving: BTreeSet<u16>,
    /// When all are looked at.
    slow: Instant,
}

/// Which servers are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Moving,
}

impl Inside {
    fn new(options: Options) -> Self {
        Self {
            options,
            servers: None,
            watchers: Vec::new(),
            asides: BTreeMap::new(),
            busy: BTreeMap::new(),
            next: BTreeMap::new(),
            doing: JoinSet::new(),
            moving: BTreeSet::new(),
            slow: Instant::now(),
        }
    }

    /// Works until the last handle is gone; then the servers of the session end, because their pipes close.
    async fn work(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let look = self.due();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.take(order),
                    None => return,
                },
                Some(done) = self.doing.join_next() => match done {
                    Ok((port, result)) => self.done(port, result),
                    Err(error) => {
                        tracing::error!(%error, "what was done with a server broke off");
                        let port = self.busy.iter().find(|(_, doing)| doing.task == Some(error.id())).map(|(port, _)| *port);
                        if let Some(port) = port {
                            self.done(port, Err(ServersError::BrokeOff));
                        }
                    }
                },
                () = async { sleep_until(look.unwrap_or_else(Instant::now)).await }, if look.is_some() => self.look(),
            }
        }
    }

    /// When it is looked next; never while there is nothing to look at.
    fn due(&self) -> Option<Instant> {
        if self.watchers.iter().all(|w| w.endpoints.is_empty()) {
            return None;
        }
        let moving = !self.moving.is_empty() || !self.busy.is_empty();
        Some(if moving { self.slow.min(Instant::now() + QUICK) } else { self.slow })
    }

    fn look(&mut self) {
        let which = if self.slow <= Instant::now() { Which::All } else { Which::Moving };
        if which == Which::All {
            self.slow = Instant::now() + SLOW;
        }
        self.tell(which);
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Watch(mut watcher) => {
                let here = |e: &Endpoint| e.launch.is_some() || address(e).is_some();
                watcher.endpoints.retain(|e| e.nature == Nature::Real && here(e));
                self.watchers.push(watcher);
                self.tell(Which::All);
            }
            Order::Do(endpoint, verb) => self.begin(endpoint, verb),
            Order::Leave(endpoint, verb, why) => self.settle(&endpoint, verb, Err(ServersError::Left(why))),
        }
    }

    fn servers(&mut self) -> Result<Arc<Servers>, ServersError> {
        let servers = match self.servers.take() {
            Some(servers) => servers,
            None => Arc::new(Servers::new(self.options.clone())?),
        };
        Ok(Arc::clone(self.servers.insert(servers)))
    }

    fn begin(&mut self, endpoint: Box<Endpoint>, verb: ServerVerb) {
        let port = port_of(&endpoint);
        if self.busy.contains_key(&port) {
            self.next.insert(port, (endpoint, verb));
            return;
        }
        let mut doing = Doing { endpoint: endpoint.clone(), verb, task: None };
        match self.servers() {
            Ok(servers) => {
                let act = async move { (port, act(&servers, &endpoint, verb).await) };
                doing.task = Some(self.doing.spawn(act).id());
                self.busy.insert(port, doing);
            }
            Err(error) => {
                self.busy.insert(port, doing);
                self.done(port, Err(error));
            }
        }
    }

    /// Something was done at a port, which is free for what waits.
    fn done(&mut self, port: u16, result: Result<Server, ServersError>) {
        let Some(Doing { endpoint, verb, .. }) = self.busy.remove(&port) else { return };
        self.settle(&endpoint, verb, result);
        if let Some((endpoint, verb)) = self.next.remove(&port) {
            self.begin(endpoint, verb);
        }
    }

    /// Something came of an order: whoever watches the endpoint is told how its server stands now, whatever they knew.
    fn settle(&mut self, endpoint: &Endpoint, verb: ServerVerb, result: Result<Server, ServersError>) {
        let name = endpoint.name.clone();
        let record = self.servers().ok().and_then(|servers| servers.look(endpoint)).map(still);
        let aside = match result {
            Ok(server) => {
                let says = changed(&server);
                let process = by(&server.state);
                (Some(still(server)) != record).then_some((says, process))
            }
            Err(error) => Some(failed(endpoint, verb, record.as_ref(), &error)),
        };
        self.asides.remove(&name);
        if let Some((says, process)) = aside {
            self.asides.insert(name.clone(), Aside { record, says, process });
        }
        for watcher in &mut self.watchers {
            watcher.told.remove(&name);
        }
        self.tell(Which::All);
    }

    /// Tells each session what it does not know.
    fn tell(&mut self, which: Which) {
        self.watchers.retain(|watcher| !watcher.news.is_closed());
        if self.watchers.iter().all(|w| w.endpoints.is_empty()) {
            return;
        }
        let Ok(servers) = self.servers() else { return };
        let looked = std::mem::take(&mut self.moving);
        for watcher in &mut self.watchers {
            for endpoint in &watcher.endpoints {
                let port = port_of(endpoint);
                if which == Which::Moving && !looked.contains(&port) && !self.busy.contains_key(&port) {
                    continue;
                }
                let told = watcher.told.get(&endpoint.name);
                let stands = match (stands(&servers, endpoint, &mut self.asides), told) {
                    (Some(stands), _) => stands,
                    // Nothing of it is left but that it was told of.
                    (None, Some(told)) if !told.standing.is_over() => gone(told),
                    (None, _) => continue,
                };
                if is_moving(stands.standing) {
                    self.moving.insert(port);
                }
                let news = told.is_none_or(|told| is_news(&stands, told));
                // What has no room now is told with the next look.
                if news && watcher.news.try_send(stands.clone()).is_ok() {
                    watcher.told.insert(endpoint.name.clone(), stands);
                }
            }
        }
    }
}

/// The port of an endpoint on this machine; 0 for one that has none, with which nothing can be done but to say so.
fn port_of(endpoint: &Endpoint) -> u16 {
    address(endpoint).map_or(0, |(_, port)| port)
}

async fn act(servers: &Servers, endpoint: &Endpoint, verb: ServerVerb) -> Result<Server, ServersError> {
    if verb != ServerVerb::Start {
        let ended = servers.down(endpoint, Force::Ours).await?;
        if verb == ServerVerb::Stop {
            return Ok(ended);
        }
    }
    servers.up(endpoint, None).await
}

/// How the server of an endpoint stands; none: nothing is known of one.
fn stands(servers: &Servers, endpoint: &Endpoint, asides: &mut BTreeMap<EndpointName, Aside>) -> Option<ServerChanged> {
    let server = servers.look(endpoint);
    if let Some(aside) = asides.get(&endpoint.name) {
        let lives = aside.process.as_ref().is_none_or(Identity::lives);
        if lives && aside.record == server.clone().map(still) {
            return Some(aside.says.clone());
        }
        asides.remove(&endpoint.name);
    }
    server.as_ref().map(changed)
}

/// The same at whatever second it is looked at.
fn still(mut server: Server) -> Server {
    if let ServerState::Restarting { in_seconds } = &mut server.state {
        *in_seconds = 0;
    }
    server
}

/// The process whose life a standing hangs on, where it is not in the record.
fn by(state: &ServerState) -> Option<Identity> {
    match state {
        ServerState::Adopted { by } => by.as_ref().map(|by| by.identity.clone()),
        _ => None,
    }
}

/// Whether something happened; seconds that pass are nothing.
fn is_news(now: &ServerChanged, told: &ServerChanged) -> bool {
    let waits = |s: &ServerChanged| (s.standing == ServerStanding::Restarting).then_some(s.restarts);
    now != told && (waits(now).is_none() || waits(now) != waits(told))
}

/// Whether it does not stay as it is.
fn is_moving(standing: ServerStanding) -> bool {
    use ServerStanding as S;
    match standing {
        S::Starting | S::Restarting | S::Stopping => true,
        S::Ready | S::Stopped | S::Failed | S::Adopted => false,
    }
}

/// How a server stands, as a record carries it.
fn changed(server: &Server) -> ServerChanged {
    let (standing, last) = match &server.state {
        ServerState::Starting => (ServerStanding::Starting, &[][..]),
        ServerState::Ready => (ServerStanding::Ready, &[][..]),
        ServerState::Restarting { .. } => (ServerStanding::Restarting, &[][..]),
        ServerState::Stopping => (ServerStanding::Stopping, &[][..]),
        ServerState::Stopped => (ServerStanding::Stopped, &[][..]),
        ServerState::Failed { why } => (ServerStanding::Failed, why.log()),
        ServerState::Adopted { .. } => (ServerStanding::Adopted, &[][..]),
    };
    ServerChanged {
        endpoint: server.endpoint.clone(),
        standing,
        words: CleanText::one_line(&server.to_string()),
        port: server.port,
        pid: server.pid,
        lifetime: server.lifetime,
        restarts: server.restarts,
        last: last.iter().map(|line| CleanText::one_line(line)).collect(),
        log: server.log.as_ref().map(|path| path.display().to_string()),
    }
}

/// How a server stands after something could not be done with it, and the process that hangs on.
fn failed(
    endpoint: &Endpoint,
    verb: ServerVerb,
    record: Option<&Server>,
    error: &ServersError,
) -> (ServerChanged, Option<Identity>) {
    let words = CleanText::one_line(&error.to_string());
    let (standing, process) = match error {
        ServersError::NotOurs { by, .. } => (ServerStanding::Adopted, by.as_ref().map(|by| by.identity.clone())),
        ServersError::NobodyKnown { .. } => (ServerStanding::Adopted, None),
        _ => (ServerStanding::Failed, None),
    };
    let known = record.map(changed).filter(|known| !known.standing.is_over());
    let changed = match known {
        // It goes on as it did, and that is what counts.
        Some(known) => ServerChanged { words, ..known },
        None => ServerChanged {
            endpoint: endpoint.name.clone(),
            standing,
            words: match (standing, verb) {
                (ServerStanding::Adopted, _) => words,
                (_, verb) => CleanText::one_line(&format!("could not {}: {words}", verb.word())),
            },
            port: port_of(endpoint),
            pid: process.as_ref().map(|p| p.pid),
            lifetime: None,
            restarts: 0,
            last: Vec::new(),
            log: record.and_then(|r| r.log.as_ref()).map(|path| path.display().to_string()),
        },
    };
    (changed, process)
}

/// What was told of does not run any more, and no record says how that came.
fn gone(told: &ServerChanged) -> ServerChanged {
    ServerChanged {
        standing: ServerStanding::Stopped,
        words: CleanText::from_static("does not run any more"),
        pid: None,
        restarts: 0,
        last: Vec::new(),
        ..told.clone()
    }
}
