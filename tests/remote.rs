//! A running session from outside, over real sockets: consoles that attach, streams that break, and clients that mean harm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use baton::domain::fleet::{Agent, Fleet, Protocol, SessionConfig, Settings};
use baton::domain::plan::{Plan, TaskSpec};
use baton::domain::protocol::{
    Author, Command, EndpointEdit, Event, GoalId, GoalOptions, Level, LevelScope, MachineSampled, MemoryCheck, Micros,
    ModelVerb, Name, Partial, PlanSource, Record, RetryScope, Review, Role, ServerVerb, StopScope, Subject, TaskId,
    ViewerId,
};
use baton::domain::state::{GoalPhase, MachineHistory, State};
use baton::engine::client::{Client, Leaving, SendError};
use baton::engine::host::{Engine, EngineOptions, LocalClient};
use baton::engine::simulator::{SimEndpoint, Simulator, SimulatorConfig};
use baton::interface::remote::{
    AttachClient, Attachment, Call, Given, OPENAPI, Place, Server, ServerError, ServerOptions, Verdict, routes_listed,
};
use serde_json::{Value, json};

struct Rig {
    server: Option<Server>,
    engine: Option<Engine>,
    client: LocalClient,
    state: State,
    folder: tempfile::TempDir,
    _simulator: Simulator,
}

impl Rig {
    async fn new(slots: u32) -> Self {
        let endpoints = vec![SimEndpoint::new("a", Protocol::LlamaCpp, "m", slots, 8_192)];
        let simulator = Simulator::start(SimulatorConfig { seed: 1, speed: 20.0, endpoints }).await.unwrap();
        let agent = Agent {
            name: Name::slug("worker"),
            description: "works".into(),
            tier: Name::slug("a"),
            fallback: None,
            max_tokens: 256,
            temperature: 0.3,
            level: None,
            tools: Vec::new(),
            prompt: "You work.".into(),
        };
        let fleet = Fleet { name: "sim".into(), endpoints: simulator.endpoints(), agents: vec![agent] };
        let worker = Name::slug("worker");
        let settings = Settings {
            synthesis: false,
            backoff_ms: 10,
            planner: worker.clone(),
            narrator: worker.clone(),
            synthesizer: worker,
            ..Settings::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(EngineOptions {
            session: Name::slug("test"),
            config: SessionConfig { fleet, settings, seed: 1, ..SessionConfig::default() },
            sessions: folder.path().join("sessions"),
            host: "test".into(),
            servers: None,
        })
        .unwrap();
        let client = engine.client(Author::Person("tester".into()), Role::Control);
        let mut rig =
            Self { server: None, engine: Some(engine), client, state: State::default(), folder, _simulator: simulator };
        rig.listen(None);
        rig
    }

    fn listen(&mut self, tcp: Option<std::net::SocketAddr>) {
        self.server = None;
        let options = ServerOptions { run: self.run(), tcp, user: "tester".into(), again: Default::default() };
        let connector = self.engine.as_ref().unwrap().connector().clone();
        self.server = Some(Server::start(connector, options).unwrap());
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn place(&self) -> Place {
        self.server.as_ref().unwrap().place().clone()
    }

    fn add(&self, tasks: Vec<TaskSpec>) {
        self.add_as(tasks, Review::Auto);
    }

    fn add_as(&self, tasks: Vec<TaskSpec>, review: Review) {
        let plan = Plan { synthesis: Some(false), ..Plan::new("test", tasks) };
        let plan = PlanSource::Given(Box::new(plan));
        let options = GoalOptions { review, ..GoalOptions::default() };
        self.client.send(Command::AddGoal { text: "test".into(), plan, options }).unwrap();
    }

    async fn until(&mut self, done: impl FnMut(&State, &Event) -> bool) {
        assert!(follow(&mut self.client, &mut self.state, done).await, "the session ended before");
    }

    async fn console(&self, given: Given) -> AttachClient {
        let console = Attachment::Console("a test".into());
        AttachClient::open(self.place(), given, console).await.unwrap().0
    }

    /// Ends the session as its own process would: the engine first, so that whoever watches sees its end.
    async fn end(&mut self) {
        let engine = self.engine.take().unwrap();
        tokio::task::spawn_blocking(move || engine.end()).await.unwrap().unwrap();
        follow(&mut self.client, &mut self.state, |_, _| false).await;
        let server = self.server.take();
        tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    }

    /// One request as bytes; what came back, status and body.
    fn ask(&self, request: &str) -> (u16, String) {
        answer(&self.place().socket(), request.as_bytes())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> (u16, String) {
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn key(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.place().key().unwrap())
    }
}

/// Takes records until one satisfies; false when the session is over before.
async fn follow(client: &mut impl Client, state: &mut State, mut done: impl FnMut(&State, &Event) -> bool) -> bool {
    let mut batch = Vec::new();
    while client.recv(&mut batch, 1).await {
        for record in batch.drain(..) {
            assert_eq!(record.seq, state.seq + 1, "a gap");
            state.apply(&record);
            if done(state, &record.event) {
                return true;
            }
        }
    }
    false
}

/// Sends bytes, and reads the answer to its end.
fn answer(socket: &Path, request: &[u8]) -> (u16, String) {
    let mut io = UnixStream::connect(socket).unwrap();
    io.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server that has said no already need not take the rest.
    let _ = io.write_all(request);
    let mut text = Vec::new();
    let _ = io.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn task(id: &str, needs: &[&str], directive: &str) -> TaskSpec {
    let mut spec = TaskSpec::new(Name::slug(id), Name::slug("worker"), format!("Write about {id}. {directive}"));
    spec.needs = needs.iter().map(|n| Name::slug(n)).collect();
    spec
}

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

#[tokio::test]
async fn consoles_that_attach_see_what_the_host_sees_and_the_last_of_it() {
    let mut rig = Rig::new(4).await;
    rig.add((0..12).map(|i| task(&format!("t{i}"), &[], "[sim ms=40 tokens=20]")).collect());
    let (mut early, mut reader) = (rig.console(Given::Key).await, rig.console(Given::Nothing).await);
    assert_eq!(early.leaving(), Leaving::OnlyCloses);
    let early = tokio::spawn(async move {
        let mut state = State::default();
        follow(&mut early, &mut state, |_, _| false).await;
        state
    });
    let reader = tokio::spawn(async move {
        let mut state = State::default();
        follow(&mut reader, &mut state, |_, _| false).await;
        state
    });
    rig.until(|s, e| matches!(e, Event::GoalEnded { .. }) && s.viewers.len() == 2).await;
    let late = rig.console(Given::Nothing).await;
    let late = tokio::spawn(async move {
        let (mut state, mut late) = (State::default(), late);
        follow(&mut late, &mut state, |_, _| false).await;
        state
    });
    rig.until(|s, _| s.viewers.len() == 3).await;
    rig.end().await;
    assert!(rig.state.ended.is_some());
    for state in [early.await.unwrap(), reader.await.unwrap(), late.await.unwrap()] {
        assert_eq!(state, rig.state);
    }
    assert!(!rig.run().join("test.sock").exists() && !rig.run().join("test.key").exists(), "nothing is left behind");
}

#[tokio::test]
async fn control_goes_to_the_first_console_that_may_act_and_on_when_it_leaves() {
    let mut rig = Rig::new(1).await;
    let (mut one, mut two) = (rig.console(Given::Key).await, rig.console(Given::Key).await);
    let (mut first, mut second) = (State::default(), State::default());
    assert!(follow(&mut one, &mut first, |s, _| s.control.is_some()).await);
    assert!(follow(&mut two, &mut second, |s, _| s.viewers.len() == 2).await);
    let (holder, other) = (one.standing().viewer.unwrap(), two.standing().viewer.unwrap());
    assert_eq!((second.control, two.standing().role), (Some(holder), Role::Control));
    // The one without control is refused in a record that everybody sees.
    let sent = two.send(Command::Pause).unwrap();
    rig.until(|_, e| matches!(e, Event::CommandRefused { id, .. } if *id == sent)).await;
    let sent = one.send(Command::Pause).unwrap();
    rig.until(|_, e| matches!(e, Event::CommandAccepted { id, .. } if *id == sent)).await;
    two.send(Command::AskControl).unwrap();
    rig.until(|s, _| s.asking_control == Some(other)).await;
    // Leaving ends nothing, and whoever asks has control.
    drop(one);
    rig.until(|s, _| s.control == Some(other)).await;
    let sent = two.send(Command::Resume).unwrap();
    rig.until(|_, e| matches!(e, Event::CommandAccepted { id, .. } if *id == sent)).await;
    // The secret of one console is worth nothing in another's name, and nothing after it left.
    let secret = "baton-secret: 00\r\n";
    let (status, words) = rig.post("/v1/commands", &format!("{}{secret}", rig.key()), r#"{"command":"pause"}"#);
    assert!(status == 403 && words.contains("attach again"), "{status} {words}");
    let watching = rig.console(Given::Nothing).await;
    assert!(matches!(watching.send(Command::Pause), Err(SendError::Refused(_))));
    drop(two);
    rig.until(|s, _| s.viewers.is_empty() && s.control.is_none()).await;
    // A command line has no console: its key is enough.
    let call = Call::new(rig.place(), Given::Key).unwrap();
    let (verdict, first) = call.command(Some("once"), &Command::Pause, None).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
    let (verdict, again) = call.command(Some("once"), &Command::Pause, None).await.unwrap();
    assert_eq!((verdict, again), (Verdict::Accepted, first), "the same id twice acts once");
    let (verdict, _) = call.command(None, &Command::Pause, None).await.unwrap();
    assert!(matches!(verdict, Verdict::Refused(words) if words.contains("paused already")));
    rig.end().await;
}

#[tokio::test]
async fn a_run_folder_that_is_cleared_is_taken_again() {
    let mut rig = Rig::new(1).await;
    let key = rig.place().key().unwrap();
    std::fs::remove_dir_all(rig.run()).unwrap();
    // It looks every few seconds.
    let socket = rig.place().socket();
    for _ in 0..400 {
        if UnixStream::connect(&socket).is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(rig.place().key().unwrap(), key, "who had it can go on");
    let call = Call::new(rig.place(), Given::Key).unwrap();
    assert_eq!(call.command(None, &Command::Pause, None).await.unwrap().0, Verdict::Accepted);
    rig.end().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn who_asks_for_the_end_is_told_of_it() {
    let mut rig = Rig::new(1).await;
    let call = Call::new(rig.place(), Given::Key).unwrap();
    let (verdict, _) = call.command(None, &Command::EndSession, None).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
    rig.end().await;
    assert!(call.command(None, &Command::Pause, None).await.is_err());
}

/// Passes connections on to a socket, and breaks each off after some bytes.
fn breaking(from: &Path, to: PathBuf, most: usize) {
    let listener = UnixListener::bind(from).unwrap();
    std::thread::spawn(move || {
        for (n, io) in listener.incoming().flatten().enumerate() {
            let Ok(there) = UnixStream::connect(&to) else { return };
            let (mut up, mut down) = (io.try_clone().unwrap(), there.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut up, &mut down));
            std::thread::spawn(move || {
                // A little more each time, so that it breaks at ever other places.
                let left = (most + n * 37) as u64;
                let _ = std::io::copy(&mut (&there).take(left), &mut (&io));
                let _ = (io.shutdown(std::net::Shutdown::Both), there.shutdown(std::net::Shutdown::Both));
            });
        }
    });
}

#[tokio::test]
async fn a_console_whose_connection_breaks_again_and_again_misses_nothing() {
    let mut rig = Rig::new(8).await;
    let broken = rig.folder.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    let place = Place::of(&Name::slug("test"), &broken).unwrap();
    breaking(&place.socket(), rig.place().socket(), 6_000);
    let console = Attachment::Console("over there".into());
    let (mut console, _) = AttachClient::open(place, Given::Nothing, console).await.unwrap();
    let watching = tokio::spawn(async move {
        let (mut state, mut joined) = (State::default(), 0);
        follow(&mut console, &mut state, |_, e| {
            joined += u32::from(matches!(e, Event::ViewerJoined(_)));
            false
        })
        .await;
        (state, joined)
    });
    rig.until(|s, _| s.viewers.len() == 1).await;
    rig.add((0..40).map(|i| task(&format!("t{i}"), &[], "[sim ms=100 tokens=60]")).collect());
    rig.until(|_, e| matches!(e, Event::GoalEnded { .. })).await;
    // It comes again, and only then the session ends.
    rig.until(|s, _| s.viewers.len() == 1).await;
    rig.end().await;
    let (state, joined) = watching.await.unwrap();
    assert_eq!(state, rig.state);
    assert!(joined > 3, "it broke {joined} times");
}

#[tokio::test]
async fn parts_of_the_records_are_given_as_asked() {
    let mut rig = Rig::new(2).await;
    rig.add(vec![task("one", &[], "[sim ms=5 text=Said.]")]);
    rig.until(|_, e| matches!(e, Event::GoalEnded { .. })).await;
    let seqs = |text: &str| -> Vec<u64> {
        text.lines().filter(|l| l.starts_with('{')).map(|l| Record::from_json(l).unwrap().seq).collect()
    };
    // A chunked body: its lines are records, or sizes.
    assert_eq!(seqs(&rig.get("/v1/records?from=3&until=6").1), [3, 4, 5, 6]);
    assert_eq!(seqs(&rig.get("/v1/records?from=9&until=6").1), [0; 0]);
    let all = seqs(&rig.get("/v1/records?until=1000000").1);
    assert!(all.len() as u64 >= rig.state.seq && all.iter().zip(1..).all(|(a, b)| *a == b), "{all:?}");
    let (status, text) = rig.get("/v1/text/a1");
    assert_eq!((status, text.as_str()), (200, "Said."));
    rig.end().await;
}

/// Every command there is. A new one has to be named in [`is_known`], and belongs here then.
fn every_command() -> Vec<Command> {
    let t = || id("g1/held");
    let plan = Plan::new("x", vec![task("x", &[], "")]);
    let all = vec![
        Command::AddGoal { text: "x".into(), plan: PlanSource::Model, options: GoalOptions::default() },
        Command::AddGoal { text: "x".into(), plan: PlanSource::Given(Box::new(plan)), options: GoalOptions::default() },
        Command::Approve(GoalId(2)),
        Command::EditPlan { goal: GoalId(1), if_revision: 1, edits: Vec::new(), rerun: Vec::new() },
        Command::Undo(GoalId(1)),
        Command::Redo(GoalId(1)),
        Command::Place { task: t(), endpoint: Some(Name::slug("a")) },
        Command::Message { task: t(), text: "do".into() },
        Command::Answer { task: id("g1/asks"), text: "yes".into() },
        Command::EditResult { task: id("g1/done"), text: "other".into() },
        Command::Dismiss(Subject::Question(id("g1/asks"))),
        Command::Pause,
        Command::Resume,
        Command::Hold(t()),
        Command::Release(t()),
        Command::Retry(RetryScope::Task(id("g1/done"))),
        Command::Stop { scope: StopScope::All, partial: Partial::Discarded },
        Command::Skip(t()),
        Command::SetLevel { scope: LevelScope::Session, level: Some(Level::High) },
        Command::Probe(None),
        Command::Force(GoalId(1)),
        Command::Drain(Name::slug("a")),
        Command::Undrain(Name::slug("a")),
        Command::EditEndpoint {
            endpoint: Name::slug("a"),
            edit: EndpointEdit { slots: Some(1), ..EndpointEdit::default() },
        },
        Command::Server { endpoint: Name::slug("a"), verb: ServerVerb::Start, memory: MemoryCheck::Heed },
        Command::Model { endpoint: Name::slug("a"), verb: ModelVerb::Unload, memory: MemoryCheck::Heed },
        Command::TakeControl,
        Command::AskControl,
        Command::GiveControl(Some(ViewerId(1))),
        Command::EndSession,
    ];
    assert!(all.iter().all(is_known));
    all
}

fn is_known(command: &Command) -> bool {
    match command {
        Command::AddGoal { .. } | Command::Approve(_) | Command::EditPlan { .. } | Command::Undo(_) => true,
        Command::Redo(_) | Command::Place { .. } | Command::Message { .. } | Command::Answer { .. } => true,
        Command::EditResult { .. } | Command::Dismiss(_) | Command::Pause | Command::Resume | Command::Hold(_) => true,
        Command::Release(_) | Command::Retry(_) | Command::Stop { .. } | Command::Skip(_) => true,
        Command::SetLevel { .. } | Command::Probe(_) | Command::TakeControl | Command::AskControl => true,
        Command::GiveControl(_) | Command::EndSession | Command::Force(_) | Command::Drain(_) => true,
        Command::Undrain(_) | Command::EditEndpoint { .. } | Command::Server { .. } | Command::Model { .. } => true,
    }
}

/// What is true, without what goes on by itself.
fn settled(rig: &Rig) -> State {
    let (status, text) = rig.get("/v1/records?until=1000000");
    assert_eq!(status, 200, "{text}");
    let mut state = State::default();
    let records = text.lines().filter(|l| l.starts_with('{'));
    records.for_each(|line| state.apply(&Record::from_json(line).unwrap()));
    (state.seq, state.at, state.machine) = (0, Micros(0), MachineSampled::default());
    state.machine_history = MachineHistory::default();
    state
}

#[tokio::test]
async fn a_client_that_means_harm_changes_nothing_and_is_told_so_in_words() {
    let mut rig = Rig::new(2).await;
    // Something of everything that could be harmed: done, held, asked, and a plan to be approved.
    let ask = "[sim ask=Keep it?|yes|no]";
    rig.add(vec![task("done", &[], "[sim ms=5]"), task("asks", &[], ask), task("held", &["asks"], "")]);
    rig.client.send(Command::Hold(id("g1/held"))).unwrap();
    rig.add_as(vec![task("drafted", &[], "")], Review::Ask);
    rig.until(|s, _| {
        s.goals().iter().any(|g| g.phase == GoalPhase::Draft)
            && s.task_by_id(&id("g1/asks")).is_some_and(|t| t.asking.is_some())
            && s.task_by_id(&id("g1/done")).is_some_and(|t| t.is_done())
            && s.task_by_id(&id("g1/held")).is_some_and(|t| t.held)
            && s.slots().0 == 0
            && s.attention.len() == 2
    })
    .await;
    let (before, seq) = (settled(&rig), rig.state.seq);
    let said = |(status, body): (u16, String), expected: u16, words: &str| {
        assert_eq!(status, expected, "{words}: {body}");
        let value: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status}: not in JSON: {body}"));
        let text = value["error"].as_str().or(value["reason"].as_str()).unwrap_or_default().to_owned();
        assert!(text.contains(words), "{text}");
    };
    for command in every_command() {
        let body = serde_json::to_string(&command).unwrap();
        said(rig.post("/v1/commands", "", &body), 403, "may look, not act");
        said(rig.post("/v1/commands", "Authorization: Bearer 0000\r\n", &body), 401, "not this session's");
        said(rig.post("/v1/commands", "Authorization: Basic YTpi\r\n", &body), 401, "not this session's");
        said(rig.post("/v1/commands", "baton-secret: v1\r\n", &body), 403, "not known");
    }
    // Nobody may say who they are, not even with the key.
    let key = rig.key();
    for body in [r#"{"command":"pause","role":"control"}"#, r#"{"command":"pause","author":"baton","viewer":"v1"}"#] {
        said(rig.post("/v1/commands", &key, body), 400, "known from the connection");
    }
    for body in ["", "pause", "null", "[[[[", r#"{"command":"fly"}"#, r#"{"command":"hold","with":"../../x"}"#, "\u{0}"]
    {
        said(rig.post("/v1/commands", &key, body), 400, "command");
    }
    said(rig.post("/v1/commands", &key, &"[".repeat(100_000)), 400, "no command");
    let giant = "x".repeat(5 << 20);
    said(rig.post("/v1/commands", &key, &giant), 413, "longer than");
    let long = json!({"command": "message", "with": {"task": "g1/asks", "text": "x".repeat(2 << 20)}});
    said(rig.post("/v1/commands", &key, &long.to_string()), 413, "send less");
    said(rig.post("/api/query/parallel", "", r#"{"query":"x"}"#), 403, "may look");
    said(rig.post("/api/query/parallel", &key, r#"{"query":"x","max_tasks":0}"#), 400, "max_tasks");
    said(rig.post("/api/query/parallel", &key, r#"{"question":"x"}"#), 400, "no query");
    for path in
        ["/", "/v1", "/v1/../etc", "/v1/text/../../x", "/v1/text/..%2f..%2fx/y", "//v1/session", "/v1/sessions/x"]
    {
        said(rig.get(path), 404, "nothing at this path");
    }
    said(rig.get("/v1/text/..%2f..%2fjournal.jsonl"), 400, "no attempt");
    said(rig.get("/v1/text/a999"), 404, "no attempt");
    said(rig.get("/v1/records?session=../x"), 400, "can't be asked for");
    said(rig.get("/v1/records?from=-1"), 400, "number of a record");
    said(rig.post("/v1/session", "", ""), 405, "another method");
    for host in ["evil.example", "127.0.0.1.evil.example:80", "169.254.169.254"] {
        said(rig.ask(&format!("GET /v1/state HTTP/1.1\r\nHost: {host}\r\n\r\n")), 403, "not this machine");
    }
    said(rig.ask("GET /v1/state HTTP/1.1\r\n\r\n"), 400, "names no host");
    for garbage in ["\u{16}\u{3}\u{1}", "hello\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9\r\n\r\n", "{}\n"] {
        said(rig.ask(garbage), 400, "no HTTP");
    }
    said(rig.ask(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(32 << 10))), 431, "head");
    // Half requests, left open: others are served meanwhile.
    let half: Vec<UnixStream> = [
        "",
        "G",
        "GET / HTTP/1.1\r\nHost:",
        "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    ]
    .iter()
    .map(|part| {
        let mut io = UnixStream::connect(rig.place().socket()).unwrap();
        io.write_all(part.as_bytes()).unwrap();
        io
    })
    .collect();
    assert_eq!(rig.get("/v1/session").0, 200);
    drop(half);
    assert_eq!(settled(&rig), before);
    // Nothing of it is in the journal: those without the key are only counted.
    let (_, records) = rig.get(&format!("/v1/records?from={}&until=1000000", seq + 1));
    for line in records.lines().filter(|l| l.starts_with('{')) {
        let record = Record::from_json(line).unwrap();
        let own = matches!(record.event, Event::MachineSampled(_) | Event::EndpointChanged(_));
        assert!(own, "{line}");
    }
    let (_, metrics) = rig.get("/metrics");
    assert!(!metrics.contains("baton_http_turned_away_total 0\n"));
    assert!(!metrics.contains(rig.place().key().unwrap().as_str()));
    // What was harmless all the while still works.
    let (verdict, _) = Call::new(rig.place(), Given::Key).unwrap().command(None, &Command::Pause, None).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
    rig.end().await;
}

#[tokio::test]
async fn more_connections_than_there_may_be_are_told_to_wait() {
    let mut rig = Rig::new(1).await;
    let held: Vec<UnixStream> = (0..64).map(|_| UnixStream::connect(rig.place().socket()).unwrap()).collect();
    let (status, words) = rig.get("/v1/session");
    assert!(status == 503 && words.contains("64 connections"), "{status} {words}");
    drop(held);
    // The server notices the next time it looks.
    let mut left = 100;
    while rig.get("/v1/session").0 != 200 && left > 0 {
        left -= 1;
    }
    assert!(left > 0, "the connections were never given up");
    rig.end().await;
}

#[tokio::test]
async fn twenty_viewers_one_of_them_hung_and_all_others_end_in_the_same_state() {
    let mut rig = Rig::new(20).await;
    // It asks for the stream and never reads.
    let mut hung = UnixStream::connect(rig.place().socket()).unwrap();
    hung.write_all(b"GET /v1/records?as=console HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut watching = Vec::new();
    for _ in 0..19 {
        let mut console = rig.console(Given::Nothing).await;
        watching.push(tokio::spawn(async move {
            let mut state = State::default();
            follow(&mut console, &mut state, |_, _| false).await;
            state
        }));
    }
    rig.until(|s, _| s.viewers.len() == 20).await;
    rig.add((0..20).map(|i| task(&format!("t{i:02}"), &[], "[sim ms=1500 tokens=150]")).collect());
    rig.until(|_, e| matches!(e, Event::GoalEnded { .. })).await;
    assert_eq!((rig.state.progress(None).done, rig.state.totals.widest), (20, 20));
    rig.end().await;
    for state in watching {
        assert_eq!(state.await.unwrap(), rig.state);
    }
    drop(hung);
}

#[tokio::test]
async fn a_query_is_planned_run_and_answered() {
    let mut rig = Rig::new(4).await;
    let body = json!({"query": "Compare two parsers [sim ms=5]", "max_tasks": 3, "voice_mode": true}).to_string();
    let (place, key) = (rig.place(), rig.key());
    let request = format!(
        "POST /api/query/parallel HTTP/1.1\r\nHost: localhost\r\n{key}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let asked = tokio::task::spawn_blocking(move || answer(&place.socket(), request.as_bytes()));
    rig.until(|_, e| matches!(e, Event::GoalEnded { .. })).await;
    let (status, text) = asked.await.unwrap();
    assert_eq!(status, 200, "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value["response"].as_str().is_some_and(|t| !t.is_empty()), "{value}");
    assert!(value["voice_summary"].as_str().is_some_and(|t| !t.is_empty()), "{value}");
    assert_eq!(value["outcome"], "done");
    let ordinary = value["tasks"].as_array().unwrap().iter().filter(|t| t["work"] == "ordinary").count();
    assert!((1..=3).contains(&ordinary), "{value}");
    assert_eq!(rig.state.goals()[0].options.max_parallel, Some(6));
    let tasks = value["tasks"].as_array().unwrap();
    for task in tasks {
        assert!(task["result"].as_str().is_some_and(|t| !t.is_empty()) && task["error"].is_null(), "{task}");
        assert!(task["description"].is_string() && task["assigned_to"].is_string() && task["model_used"].is_string());
        assert!(task["started_at"].as_str() <= task["completed_at"].as_str(), "{task}");
        assert!(task["started_at"].as_str().unwrap().ends_with('Z') && task["latency_ms"].is_u64(), "{task}");
        assert!(task["cost_usd"].is_null() && task["dependencies"].is_array(), "no price is configured: {task}");
    }
    let sum: u64 = tasks.iter().map(|t| t["tokens_used"].as_u64().unwrap()).sum();
    let metrics = &value["metrics"];
    assert_eq!((&metrics["total_tokens"], &metrics["task_count"]), (&json!(sum), &json!(tasks.len())), "{metrics}");
    assert!(sum > 0 && metrics["total_time_seconds"].is_number());
    // The plan stands before its tasks only in time; the answer needs them, and the words to speak need the answer.
    assert!(metrics["parallel_batches"].as_u64().is_some_and(|n| n >= 3), "{metrics}");
    let log = value["execution_log"].as_array().unwrap();
    assert!(log[0]["message"].as_str().unwrap().starts_with("goal: Compare two parsers"), "{log:?}");
    assert_eq!((&log.last().unwrap()["message"], &log[0]["level"]), (&json!("the goal is done"), &json!("info")));
    assert!(log.is_sorted_by_key(|line| line["timestamp"].as_str().unwrap().to_owned()), "{log:?}");
    rig.end().await;
}

#[tokio::test]
async fn a_query_nobody_waits_for_any_more_is_stopped() {
    let mut rig = Rig::new(1).await;
    let body = json!({"query": "[sim ms=60000 tokens=3000]"}).to_string();
    let mut io = UnixStream::connect(rig.place().socket()).unwrap();
    let head = format!("POST /api/query/parallel HTTP/1.1\r\nHost: localhost\r\n{}", rig.key());
    io.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    rig.until(|_, e| matches!(e, Event::TurnStarted(_))).await;
    drop(io);
    rig.until(|_, e| matches!(e, Event::GoalEnded { .. })).await;
    rig.end().await;
}

#[tokio::test]
async fn loopback_needs_the_key_and_anything_wider_is_refused() {
    let mut rig = Rig::new(1).await;
    let wide = ServerOptions {
        run: rig.run(),
        tcp: Some("0.0.0.0:0".parse().unwrap()),
        user: "tester".into(),
        again: Default::default(),
    };
    let connector = rig.engine.as_ref().unwrap().connector().clone();
    assert!(matches!(Server::start(connector, wide), Err(ServerError::NotLoopback(_))));
    rig.listen(Some("127.0.0.1:0".parse().unwrap()));
    let address = rig.server.as_ref().unwrap().tcp().unwrap();
    let ask = |head: String| {
        let mut io = std::net::TcpStream::connect(address).unwrap();
        io.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        io.read_to_string(&mut text).unwrap();
        text
    };
    let (port, key) = (address.port(), rig.key());
    assert!(ask(format!("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")).starts_with("HTTP/1.1 401 "));
    assert!(ask(format!("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n{key}\r\n")).starts_with("HTTP/1.1 403 "));
    assert!(ask(format!("GET /metrics HTTP/1.1\r\nHost: localhost:{port}\r\n{key}\r\n")).starts_with("HTTP/1.1 200 "));
    rig.end().await;
}

#[test]
fn the_description_covers_everything_that_can_be_asked() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            assert!(about["summary"].is_string() && about["responses"]["200"].is_object(), "{method} {path}");
            described.push((method.clone(), path.clone()));
        }
    }
    let mut routes: Vec<(String, String)> =
        routes_listed().into_iter().map(|(m, p)| (m.to_owned(), p.to_owned())).collect();
    described.sort();
    routes.sort();
    assert_eq!(described, routes);
    // Whatever is referred to is there.
    for reference in OPENAPI.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

const BATON: &str = env!("CARGO_BIN_EXE_baton");

/// A home with a session that `baton serve` runs in it.
struct Serving {
    home: tempfile::TempDir,
    child: std::process::Child,
}

impl Serving {
    fn baton(home: &Path, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(BATON);
        command.args(args).current_dir(home).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home);
        for (name, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")] {
            command.env(name, home.join(folder));
        }
        command.stdin(std::process::Stdio::null());
        command
    }

    fn start(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = Self::baton(home.path(), args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // It speaks once it listens.
        let mut words = Vec::new();
        let stderr = child.stderr.as_mut().unwrap();
        while !String::from_utf8_lossy(&words).contains("baton attach") {
            let mut more = [0; 256];
            let n = stderr.read(&mut more).unwrap();
            assert!(n > 0, "{}", String::from_utf8_lossy(&words));
            words.extend_from_slice(&more[..n]);
        }
        Self { home, child }
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let told = Self::baton(self.home.path(), args).output().unwrap();
        (told.status.code(), String::from_utf8(told.stdout).unwrap(), String::from_utf8(told.stderr).unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

#[test]
fn the_command_line_reaches_a_session_and_says_what_became_of_it() {
    let mut serving = Serving::start(&["serve", "--fleet", "sim"]);
    let folder = serving.home.path().join("run/baton");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in std::fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    assert_eq!(serving.run(&["ctl", "pause"]).0, Some(0));
    let (code, out, words) = serving.run(&["ctl", "pause"]);
    assert!(code == Some(1) && out.is_empty() && words.contains("paused already"), "{code:?} {words}");
    let (code, out, _) = serving.run(&["ctl", "resume", "--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["answer"].as_str()), (Some(0), Some("accepted")));
    let (code, _, words) = serving.run(&["ctl", "pause", "--read-only"]);
    assert!(code == Some(1) && words.contains("may look, not act"), "{code:?} {words}");
    for session in ["../../etc", ".hidden", "a/b", ""] {
        let (code, _, words) = serving.run(&["ctl", "state", "--session", session]);
        assert!(matches!(code, Some(2 | 4)) && words.contains("no session's name"), "{session}: {code:?} {words}");
    }
    let (code, _, words) = serving.run(&["ctl", "state", "--session", "other"]);
    assert!(code == Some(2) && words.contains("there is no session"), "{code:?} {words}");
    // A question is listed and answered, and the goal comes to its end before whoever watches.
    let plan = "version: 1\ngoal: Ask\nsynthesis: false\ntasks:\n  - {id: asks, agent: researcher, prompt: '[sim ask=Keep it?|yes|no ms=20]'}\n";
    std::fs::write(serving.home.path().join("plan.yaml"), plan).unwrap();
    assert_eq!(serving.run(&["ctl", "goal", "plan.yaml"]).0, Some(0));
    let watching = Serving::baton(serving.home.path(), &["attach", "--jsonl"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut listed = String::new();
    for _ in 0..600 {
        listed = serving.run(&["answer"]).1;
        if listed.contains("Keep it?") {
            break;
        }
    }
    assert!(listed.contains("g1/asks") && listed.contains("2  no"), "{listed}");
    let (code, _, words) = serving.run(&["answer", "--text", "1"]);
    assert_eq!(code, Some(0), "{words}");
    for _ in 0..600 {
        if serving.run(&["ctl", "state"]).1.contains("done ") {
            break;
        }
    }
    assert_eq!(serving.run(&["ctl", "end"]).0, Some(0));
    let seen = String::from_utf8(watching.wait_with_output().unwrap().stdout).unwrap();
    assert!(seen.contains(r#""text":"yes""#) && seen.lines().last().unwrap().contains("session.ended"), "{seen}");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
    let (code, _, words) = serving.run(&["attach", "--json"]);
    assert!(code == Some(4) && words.contains("baton resume"), "{code:?} {words}");
}
