//! Servers as a session has them: ordered by command, told by records, ended or kept as their lifetime says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton::domain::fleet::{Endpoint, Fleet, SessionConfig};
use baton::domain::protocol::{
    Author, Command, EndpointName, Event, MemoryCheck, Name, Record, Role, ServerChanged, ServerStanding, ServerVerb,
    Subject,
};
use baton::domain::state::State;
use baton::engine::client::Client;
use baton::engine::host::{Engine, EngineOptions, LocalClient, ResumeOptions, TakenUp};
use baton::engine::journal::Sessions;
use baton::engine::servers::{Identity, Options, Room};
use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::{BATON, DEADLINE, World, members, pid, run, text, until};

/// A session over one endpoint.
struct Session {
    engine: Option<Engine>,
    client: LocalClient,
    state: State,
    records: Vec<Arc<Record>>,
}

impl World {
    fn options(&self) -> Options {
        Options::new(&self.path("state/baton"), BATON.into())
    }

    fn room(&self) -> Room {
        Room::open(self.options()).unwrap()
    }

    fn sessions(&self) -> Sessions {
        Sessions::new(self.path("sessions"))
    }

    fn session(&self, name: &str, endpoint: &Endpoint, room: &Room) -> Session {
        let fleet = Fleet { name: "test".into(), endpoints: vec![endpoint.clone()], agents: Vec::new() };
        let engine = Engine::start(EngineOptions {
            session: Name::slug(name),
            config: SessionConfig { fleet, seed: 1, ..SessionConfig::default() },
            sessions: self.path("sessions"),
            host: "test".into(),
            servers: Some(room.clone()),
        });
        Session::over(engine.unwrap())
    }

    fn again(&self, name: &str, room: &Room) -> Session {
        let taken = TakenUp::open(&self.sessions(), &Name::slug(name)).unwrap();
        let options = ResumeOptions { servers: Some(room.clone()), ..ResumeOptions::default() };
        Session::over(Engine::resume(taken, options).unwrap())
    }
}

impl Session {
    fn over(engine: Engine) -> Self {
        let client = engine.client(Author::Person("tester".into()), Role::Control);
        Self { engine: Some(engine), client, state: State::default(), records: Vec::new() }
    }

    fn order(&self, verb: ServerVerb) {
        let endpoint = Name::slug("one");
        self.client.send(Command::Server { endpoint, verb, memory: MemoryCheck::Heed }).unwrap();
    }

    /// Takes records until the server of the endpoint stands so.
    async fn until(&mut self, what: &str, mut done: impl FnMut(&ServerChanged, &State) -> bool) -> ServerChanged {
        let one: EndpointName = Name::slug("one");
        let mut batch = Vec::new();
        loop {
            if let Some(server) = self.state.servers.get(&one).filter(|server| done(server, &self.state)) {
                return server.clone();
            }
            let more = tokio::time::timeout(DEADLINE, self.client.recv(&mut batch, 1)).await;
            assert_eq!(more, Ok(true), "in vain: {what}; it is {:?}", self.state.servers);
            for record in batch.drain(..) {
                self.state.apply(&record);
                self.records.push(record);
            }
        }
    }

    async fn stands(&mut self, standing: ServerStanding) -> ServerChanged {
        self.until(standing.word(), |server, _| server.standing == standing).await
    }

    /// The reason of the next refusal.
    async fn refusal(&mut self) -> String {
        let mut batch = Vec::new();
        loop {
            assert_eq!(tokio::time::timeout(DEADLINE, self.client.recv(&mut batch, 1)).await, Ok(true));
            for record in batch.drain(..) {
                self.state.apply(&record);
                self.records.push(Arc::clone(&record));
                if let Event::CommandRefused { reason, .. } = &record.event {
                    return reason.to_string();
                }
            }
        }
    }

    fn standings(&self) -> Vec<ServerStanding> {
        let told = self.records.iter().filter_map(|record| match &record.event {
            Event::ServerChanged(changed) => Some(changed.standing),
            _ => None,
        });
        let mut told: Vec<ServerStanding> = told.collect();
        told.dedup();
        told
    }

    async fn end(mut self) {
        let engine = self.engine.take().unwrap();
        tokio::task::spawn_blocking(move || engine.end()).await.unwrap().unwrap();
    }
}

use ServerStanding as S;

#[test]
fn a_command_starts_a_server_that_is_watched_started_again_and_stopped_with_its_tree() {
    let world = World::new();
    run(async {
        let (endpoint, room) = (world.endpoint(&json!({})), world.room());
        let mut session = world.session("s", &endpoint, &room);
        session.order(ServerVerb::Start);
        let first = session.stands(S::Ready).await;
        assert_eq!((first.port, first.lifetime), (world.port, endpoint.launch.as_ref().map(|l| l.lifetime)));
        assert!(first.words.contains("ready at port"), "{}", first.words);
        assert!(first.log.is_some_and(|log| std::path::Path::new(&log).is_file()));
        session.order(ServerVerb::Start);
        assert!(session.refusal().await.contains("it runs: ready at port"));

        kill_process(pid(first.pid.unwrap()), Signal::KILL).unwrap();
        let again = session
            .until("it was started again", |s, _| s.standing == S::Ready && s.restarts == 1 && s.pid != first.pid)
            .await;
        assert!(again.words.contains("started again once"), "{}", again.words);
        assert_eq!(members(first.pid.unwrap()), 0);

        session.order(ServerVerb::Restart);
        let third =
            session.until("it was restarted", |s, _| s.standing == S::Ready && s.pid != again.pid).await.pid.unwrap();
        assert_eq!(members(again.pid.unwrap()), 0);
        session.order(ServerVerb::Stop);
        let ended = session.stands(S::Stopped).await;
        assert_eq!((ended.pid, members(third)), (None, 0), "a process of the tree is left");
        assert!(world.is_free());
        assert!(session.state.attention.is_empty());
        session.end().await;
    });
}

#[test]
fn a_failure_of_a_server_that_was_asked_for_needs_the_operator() {
    let world = World::new();
    run(async {
        let script = "echo loading; echo model \u{1b}[31mx\u{1b}[0m not found >&2; exit 3";
        let (endpoint, room) = (world.endpoint(&json!({"args": ["-c", script]})), world.room());
        let mut session = world.session("s", &endpoint, &room);
        session.order(ServerVerb::Start);
        let subject = Subject::Server(Name::slug("one"));
        let raised = |_: &ServerChanged, state: &State| state.attention.contains_key(&subject);
        let failed = session.until("it needs the operator", raised).await;
        assert_eq!(failed.standing, S::Failed);
        assert!(failed.words.contains("it ended before it answered (exit code 3)"), "{}", failed.words);
        assert!(failed.last.iter().any(|line| line.contains("not found") && !line.contains('\u{1b}')), "{failed:?}");
        let text = &session.state.attention[&subject].text;
        assert!(text.contains("the server of one failed: it ended"), "{text}");
        // The next session sees that it failed, and nobody is called for what is over.
        let mut next = world.session("t", &endpoint, &room);
        next.stands(S::Failed).await;
        assert!(next.state.attention.is_empty());
    });
}

#[test]
fn a_second_session_of_the_process_has_the_servers_of_the_first_and_they_end_with_the_process() {
    let world = World::new();
    run(async {
        let (endpoint, room) = (world.endpoint(&json!({})), world.room());
        let mut first = world.session("s", &endpoint, &room);
        first.order(ServerVerb::Start);
        let before = first.stands(S::Ready).await;
        first.end().await;
        assert!(members(before.pid.unwrap()) >= 1, "it ended with its session");
        let mut second = world.session("t", &endpoint, &room);
        assert_eq!(second.stands(S::Ready).await, before);
        second.end().await;
        drop(room);
        let group = before.pid.unwrap();
        until("the end of the server with the last handle", || (members(group) == 0).then_some(()));
        // Taken up by the next Baton: what the journal says runs is looked at anew. Its supervisor outlives the group by a
        // moment, and whoever looks then is told that it is being stopped.
        let mut again = world.again("t", &world.room());
        again.stands(S::Stopped).await;
        let told: Vec<S> = again.standings().into_iter().filter(|standing| *standing != S::Stopping).collect();
        assert_eq!(told, [S::Ready, S::Stopped]);
    });
}

#[test]
fn a_kept_one_is_adopted_by_the_next_baton_and_told_in_its_journal() {
    let world = World::new();
    run(async {
        let endpoint = world.endpoint(&json!({"lifetime": "kept"}));
        let room = world.room();
        let mut session = world.session("s", &endpoint, &room);
        session.order(ServerVerb::Start);
        let kept = session.stands(S::Ready).await.pid;
        session.end().await;
        drop(room);
        let room = world.room();
        let mut next = world.session("t", &endpoint, &room);
        let adopted = next.stands(S::Ready).await;
        assert_eq!(adopted.pid, kept);
        assert!(adopted.words.contains("kept, adopted from an earlier Baton"), "{}", adopted.words);
        next.order(ServerVerb::Stop);
        next.stands(S::Stopped).await;
        assert_eq!(members(kept.unwrap()), 0);
    });
}

#[test]
fn an_order_that_may_not_be_carried_out_is_told_with_how_the_server_stands() {
    let world = World::new();
    run(async {
        let (endpoint, room) = (world.endpoint(&json!({})), world.room());
        let mut news = room.watch(vec![endpoint.clone()], BTreeMap::new()).await;
        let why = "the disk is full";
        assert!(room.leave(endpoint.clone(), ServerVerb::Start, why.into()).await);
        let told = news.recv().await.unwrap();
        assert_eq!((told.standing, told.words.as_str()), (S::Failed, "could not start: the disk is full"));
        room.order(endpoint.clone(), ServerVerb::Start).await;
        while news.recv().await.unwrap().standing != S::Ready {}
        room.leave(endpoint, ServerVerb::Stop, why.into()).await;
        let told = news.recv().await.unwrap();
        assert_eq!((told.standing, told.words.as_str()), (S::Ready, why), "it runs on");
        assert!(members(told.pid.unwrap()) >= 1);
    });
}

#[test]
fn a_supervisor_that_hangs_keeps_nobody_waiting_and_nothing_alive() {
    let world = World::new();
    run(async {
        let endpoint = world.endpoint(&json!({"stop_seconds": 1}));
        let room = Room::open(Options { patience: Duration::from_millis(500), ..world.options() }).unwrap();
        let mut session = world.session("s", &endpoint, &room);
        session.order(ServerVerb::Start);
        let group = session.stands(S::Ready).await.pid.unwrap();
        let supervisor = u32::try_from(world.read_record()["supervisor"]["pid"].as_u64().unwrap()).unwrap();
        kill_process(pid(supervisor), Signal::STOP).unwrap();
        let began = Instant::now();
        session.order(ServerVerb::Stop);
        session.stands(S::Stopped).await;
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert_eq!((members(group), Identity::of(supervisor)), (0, None));
        // One that says nothing from its beginning.
        let silent = world.path("silent");
        std::fs::write(&silent, "#!/bin/sh\nexec sleep 1000\n").unwrap();
        std::fs::set_permissions(&silent, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let options =
            Options { patience: Duration::from_millis(500), ..Options::new(&world.path("other"), silent.into()) };
        let room = Room::open(options).unwrap();
        let mut session = world.session("t", &endpoint, &room);
        session.order(ServerVerb::Start);
        let subject = Subject::Server(Name::slug("one"));
        let raised = |_: &ServerChanged, state: &State| state.attention.contains_key(&subject);
        let failed = session.until("it needs the operator", raised).await;
        assert!(failed.words.contains("could not start: the supervisor of one"), "{}", failed.words);
    });
}

#[test]
fn what_baton_did_not_start_is_told_and_left_alone() {
    let world = World::new();
    let mut foreign = std::process::Command::new(BATON)
        .args(world.sim())
        .envs(world.surroundings())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the foreign server", || (!world.is_free()).then_some(()));
    run(async {
        let (endpoint, room) = (world.endpoint(&json!({})), world.room());
        let mut session = world.session("s", &endpoint, &room);
        session.order(ServerVerb::Start);
        let adopted = session.stands(S::Adopted).await;
        assert_eq!(adopted.lifetime, None);
        assert!(adopted.words.contains("not started by Baton"), "{}", adopted.words);
        session.order(ServerVerb::Stop);
        assert!(session.refusal().await.contains("leaves it alone"));
        foreign.kill().unwrap();
        foreign.wait().unwrap();
        if cfg!(target_os = "linux") {
            session.stands(S::Stopped).await;
        }
    });
}

#[test]
fn nothing_of_a_session_is_left_when_baton_is_killed() {
    let world = World::new();
    let fleet = world.path("fleet.toml").display().to_string();
    let mut served = world
        .baton("session", &["--fleet", &fleet, "serve"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let order = r#"{"command":"server","with":{"endpoint":"one","verb":"start"}}"#;
    until("the session takes the order", || {
        let output = world.baton("session", &["ctl", "raw", order]).output().unwrap();
        let said = text(&output.stderr);
        assert!(!said.contains("refused"), "{said}");
        output.status.success().then_some(())
    });
    let record = until("the server is ready", || {
        let record = world.record().exists().then(|| world.read_record())?;
        (record["state"] == "ready").then_some(record)
    });
    let number = |who: &str| u32::try_from(record[who]["pid"].as_u64().unwrap()).unwrap();
    assert!(members(number("server")) >= 1);
    served.kill().unwrap();
    served.wait().unwrap();
    until("the end of server and supervisor", || {
        (members(number("server")) == 0 && Identity::of(number("supervisor")).is_none()).then_some(())
    });
    assert!(world.is_free());
}
