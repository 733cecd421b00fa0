//! The engine against the simulated fleet, over real sockets: slots, streams, faults, the journal.

#![allow(clippy::unwrap_used, reason = "a test: what goes wrong fails it")]

use std::sync::Arc;

use baton::domain::fleet::{Agent, Fleet, Protocol, SessionConfig, Settings};
use baton::domain::plan::{Plan, TaskSpec};
use baton::domain::protocol::{
    AttemptEnd, Author, Channel, Command, Event, GoalOptions, Level, LevelScope, MemoryCheck, ModelVerb, Name, Outcome,
    Partial, PlanSource, Record, Residence, Role, StopScope, Subject, TaskId,
};
use baton::domain::state::{Gear, GoalPhase, State};
use baton::engine::client::Client;
use baton::engine::host::{Answer, Engine, EngineError, EngineOptions, LocalClient, ResumeOptions, TakenUp};
use baton::engine::journal::{Journal, JournalError, Sessions};
use baton::engine::simulator::{SimEndpoint, Simulator, SimulatorConfig};

struct Rig {
    simulator: Simulator,
    engine: Option<Engine>,
    client: LocalClient,
    state: State,
    records: Vec<Arc<Record>>,
    folder: tempfile::TempDir,
    endpoints: Vec<SimEndpoint>,
}

fn agent(name: &str, tier: &str, fallback: Option<&str>) -> Agent {
    Agent {
        name: Name::slug(name),
        description: "works".into(),
        tier: Name::slug(tier),
        fallback: fallback.map(Name::slug),
        max_tokens: 256,
        temperature: 0.3,
        level: None,
        tools: Vec::new(),
        prompt: "You work.".into(),
    }
}

impl Rig {
    async fn new(endpoints: Vec<SimEndpoint>, agents: Vec<Agent>) -> Self {
        let simulator =
            Simulator::start(SimulatorConfig { seed: 1, speed: 20.0, endpoints: endpoints.clone() }).await.unwrap();
        let fleet = Fleet { name: "sim".into(), endpoints: simulator.endpoints(), agents };
        let settings =
            Settings { synthesis: false, backoff_ms: 10, planner: Name::slug("worker"), ..Settings::default() };
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(EngineOptions {
            session: Name::slug("test"),
            config: SessionConfig { fleet, settings, seed: 1, ..SessionConfig::default() },
            sessions: folder.path().to_path_buf(),
            host: "test".into(),
            servers: None,
        })
        .unwrap();
        let client = engine.client(Author::Person("tester".into()), Role::Control);
        let (state, records) = (State::default(), Vec::new());
        Self { simulator, engine: Some(engine), client, state, records, folder, endpoints }
    }

    fn sessions(&self) -> Sessions {
        Sessions::new(self.folder.path())
    }

    async fn end(&mut self) {
        let engine = self.engine.take().unwrap();
        tokio::task::spawn_blocking(move || engine.end()).await.unwrap().unwrap();
    }

    /// The same session after its process: the servers are elsewhere, and a client sees it from its first record.
    async fn again(mut self) -> Self {
        if self.engine.is_some() {
            self.end().await;
        }
        let config = SimulatorConfig { seed: 1, speed: 20.0, endpoints: self.endpoints.clone() };
        self.simulator = Simulator::start(config).await.unwrap();
        let moved = self.simulator.endpoints().into_iter().map(|e| (e.name, e.url)).collect();
        let taken = TakenUp::open(&self.sessions(), &Name::slug("test")).unwrap();
        let engine = Engine::resume(taken, ResumeOptions { host: "test".into(), moved, servers: None }).unwrap();
        self.client = engine.client(Author::Person("tester".into()), Role::Control);
        self.engine = Some(engine);
        self.state = State::default();
        self.records.clear();
        self
    }

    fn add(&self, tasks: Vec<TaskSpec>) {
        let plan = Plan { synthesis: Some(false), ..Plan::new("test", tasks) };
        let plan = PlanSource::Given(Box::new(plan));
        self.client.send(Command::AddGoal { text: "test".into(), plan, options: GoalOptions::default() }).unwrap();
    }

    /// Takes records until one satisfies; false when the session is over before.
    async fn until(&mut self, mut done: impl FnMut(&State, &Event) -> bool) -> bool {
        let mut batch = Vec::new();
        while self.client.recv(&mut batch, 1).await {
            for record in batch.drain(..) {
                self.state.apply(&record);
                let stop = done(&self.state, &record.event);
                self.records.push(record);
                if stop {
                    return true;
                }
            }
        }
        false
    }

    async fn reach_the_end(&mut self) {
        assert!(self.until(|_, e| matches!(e, Event::GoalEnded { .. })).await);
    }

    /// Ends the engine and checks the journal against what the viewer saw.
    async fn close(mut self) {
        let engine = self.engine.take().unwrap();
        tokio::task::spawn_blocking(move || engine.end()).await.unwrap().unwrap();
        self.until(|_, _| false).await;
        let journal = Journal::read_all(&self.folder.path().join("test/journal.jsonl")).unwrap();
        assert_eq!(journal.records.len(), self.records.len());
        for (read, seen) in journal.records.iter().zip(&self.records) {
            assert_eq!(*read, **seen);
        }
        let mut folded = State::default();
        journal.records.iter().for_each(|r| folded.apply(r));
        assert_eq!(folded, self.state);
        assert!(folded.ended.is_some());
    }
}

fn task(id: &str, agent: &str, needs: &[&str], directive: &str) -> TaskSpec {
    let mut spec = TaskSpec::new(Name::slug(id), Name::slug(agent), format!("Write about {id}. {directive}"));
    spec.needs = needs.iter().map(|n| Name::slug(n)).collect();
    spec
}

fn sim(name: &str, protocol: Protocol, slots: u32) -> SimEndpoint {
    SimEndpoint::new(name, protocol, "m", slots, 8_192)
}

#[tokio::test]
async fn twelve_tasks_on_three_servers_never_use_more_than_their_slots() {
    let mut rig = Rig::new(
        vec![sim("a", Protocol::LlamaCpp, 6), sim("b", Protocol::Ollama, 2), sim("c", Protocol::OpenAi, 4)],
        vec![agent("worker", "a", None), agent("thinker", "b", None), agent("other", "c", None)],
    )
    .await;
    let mut tasks: Vec<TaskSpec> = (0..10)
        .map(|i| task(&format!("t{i}"), ["worker", "thinker", "other"][i % 3], &[], "[sim ms=60 tokens=20]"))
        .collect();
    tasks.push(task("join", "worker", &["t0", "t1", "t2"], "[sim ms=20]"));
    tasks.push(task("last", "thinker", &["join"], "[sim ms=20]"));
    rig.add(tasks);
    rig.reach_the_end().await;
    assert_eq!(rig.state.progress(None).done, 12);
    for stats in rig.simulator.stats() {
        assert!(stats.max_in_flight <= stats.slots, "{stats:?}");
        assert_eq!(stats.max_queued, 0, "nothing waits in a server: {stats:?}");
    }
    // What an endpoint said is in the records, thinking apart.
    let said: usize = rig
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::AttemptOutput(o) if o.channel == Channel::Answer => Some(o.text.len()),
            _ => None,
        })
        .sum();
    assert!(said > 500);
    rig.close().await;
}

#[tokio::test]
async fn a_server_that_dies_mid_stream_costs_one_attempt() {
    let mut rig = Rig::new(
        vec![sim("a", Protocol::LlamaCpp, 2), sim("b", Protocol::LlamaCpp, 2)],
        vec![agent("worker", "a", Some("b"))],
    )
    .await;
    rig.add(vec![task("long", "worker", &[], "[sim ms=3000 tokens=300]")]);
    assert!(rig.until(|_, e| matches!(e, Event::AttemptOutput(_))).await);
    rig.simulator.kill(&Name::slug("a")).await.unwrap();
    // A short second try, so that the test is.
    rig.reach_the_end().await;
    let task = rig.state.task_by_id(&"g1/long".parse::<TaskId>().unwrap()).unwrap();
    assert!(task.is_done());
    // And no try: it says nothing of the task.
    assert_eq!((task.failures, task.attempts.len()), (0, 2), "{:?}", rig.state.attempts());
    let last = rig.state.last_attempt(task).unwrap();
    assert_eq!(rig.state.place_of(last).unwrap().config.name.as_str(), "b");
    rig.close().await;
}

#[tokio::test]
async fn a_stop_frees_the_servers_slot_and_keeps_the_partial() {
    let mut rig = Rig::new(vec![sim("a", Protocol::LlamaCpp, 1)], vec![agent("worker", "a", None)]).await;
    rig.add(vec![task("long", "worker", &[], "[sim ms=60000 tokens=3000]"), task("next", "worker", &[], "[sim ms=5]")]);
    assert!(rig.until(|s, _| s.attempts().first().is_some_and(|a| s.answer_bytes(a) > 200)).await);
    let id: TaskId = "g1/long".parse().unwrap();
    rig.client.send(Command::Stop { scope: StopScope::Task(id.clone()), partial: Partial::Kept }).unwrap();
    rig.reach_the_end().await;
    assert_eq!(rig.state.goals()[0].phase, GoalPhase::Ended(Outcome::Cancelled));
    assert!(rig.state.task_by_id(&id).unwrap().result.is_some(), "the partial is kept");
    assert!(rig.state.task_by_id(&"g1/next".parse().unwrap()).unwrap().is_done());
    let stats = &rig.simulator.stats()[0];
    assert_eq!((stats.max_in_flight, stats.cancelled), (1, 1), "{stats:?}");
    rig.close().await;
}

#[tokio::test]
async fn every_fault_of_a_server_is_survived() {
    let faults = ["cut", "error", "garbage", "empty", "error-late"];
    let mut rig = Rig::new(
        vec![sim("a", Protocol::LlamaCpp, 3), sim("o", Protocol::Ollama, 3), sim("c", Protocol::OpenAi, 3)],
        vec![agent("a", "a", None), agent("o", "o", None), agent("c", "c", None)],
    )
    .await;
    let mut tasks = Vec::new();
    for fault in faults {
        for server in ["a", "o", "c"] {
            let directive = format!("[sim fail={fault} fail-first=1 ms=5]");
            tasks.push(task(&format!("{server}-{fault}"), server, &[], &directive));
        }
    }
    rig.add(tasks);
    rig.reach_the_end().await;
    for task in rig.state.tasks() {
        assert!(task.is_done(), "{}: {}", task.id, task.reason);
        assert_eq!(task.attempts.len(), 2, "{}", task.id);
    }
    rig.close().await;
}

#[tokio::test]
async fn every_slot_comes_back_however_many_requests_are_given_up_at_once() {
    let mut rig = Rig::new(vec![sim("a", Protocol::OpenAi, 4)], vec![agent("worker", "a", None)]).await;
    // Requests that Baton itself gives up drain; others start and end in between.
    let directive = |i: usize| if i.is_multiple_of(2) { "[sim fail=garbage fail-first=1 ms=1]" } else { "[sim ms=1]" };
    rig.add((0..24).map(|i| task(&format!("t{i:02}"), "worker", &[], directive(i))).collect());
    let mut freed = std::collections::BTreeSet::new();
    let all_free = |s: &State, e: &Event| {
        if let Event::SlotFreed { turn } = e {
            assert!(freed.insert(*turn), "{turn} was freed twice");
        }
        s.goals().first().is_some_and(|g| matches!(g.phase, GoalPhase::Ended(_))) && s.slots().0 == 0
    };
    assert!(rig.until(all_free).await);
    assert!(rig.state.tasks().iter().all(|t| t.is_done()));
    rig.close().await;
}

#[tokio::test]
async fn a_journal_that_is_lost_pauses_the_session_says_so_and_fails_its_end() {
    let mut rig = Rig::new(vec![sim("a", Protocol::LlamaCpp, 1)], vec![agent("worker", "a", None)]).await;
    rig.add(vec![task("now", "worker", &[], "[sim ms=2000 tokens=200]"), task("later", "worker", &[], "[sim ms=5]")]);
    assert!(rig.until(|_, e| matches!(e, Event::AttemptOutput(_))).await);
    std::fs::remove_file(rig.folder.path().join("test/journal.jsonl")).unwrap();
    let raised = |e: &Event| matches!(e, Event::AttentionRaised { subject: Subject::Journal, .. });
    assert!(rig.until(|_, e| raised(e)).await);
    assert!(rig.until(|s, _| s.gear == Gear::Paused && s.halted).await);
    rig.client.send(Command::Resume).unwrap();
    assert!(rig.until(|_, e| matches!(e, Event::CommandRefused { .. })).await);
    // What runs ends; nothing new starts.
    assert!(rig.until(|_, e| matches!(e, Event::TaskCompleted { .. })).await);
    assert_eq!(rig.state.attempts().len(), 1);
    let engine = rig.engine.take().unwrap();
    assert!(tokio::task::spawn_blocking(move || engine.end()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_question_gives_its_slot_back_and_its_answer_reaches_the_server() {
    let mut rig = Rig::new(vec![sim("a", Protocol::LlamaCpp, 1)], vec![agent("worker", "a", None)]).await;
    let asks = "[sim ask=Keep the GPL sources?|keep them|drop them]";
    rig.add(vec![task("asks", "worker", &[], asks), task("next", "worker", &[], "[sim ms=20]")]);
    let id: TaskId = "g1/asks".parse().unwrap();
    // With one slot, the other task runs to its end while this one waits for the operator.
    let next_is_done = |s: &State, _: &Event| s.task_by_id(&"g1/next".parse().unwrap()).is_some_and(|t| t.is_done());
    assert!(rig.until(next_is_done).await);
    let question = rig.state.task_by_id(&id).unwrap().asking.clone().unwrap();
    assert_eq!(question.text.as_str(), "Keep the GPL sources?");
    assert_eq!(question.choices.iter().map(|c| c.as_str()).collect::<Vec<_>>(), ["keep them", "drop them"]);
    assert!(rig.state.attention.contains_key(&Subject::Question(id.clone())));
    let stats = &rig.simulator.stats()[0];
    assert_eq!((stats.busy, stats.max_in_flight), (0, 1), "{stats:?}");
    rig.client.send(Command::Answer { task: id.clone(), text: "[sim text=They stay.]".into() }).unwrap();
    rig.reach_the_end().await;
    let task = rig.state.task_by_id(&id).unwrap();
    let attempt = rig.state.attempt(task.result.unwrap()).unwrap();
    assert_eq!((task.attempts.len(), attempt.steps.len()), (1, 2));
    // The simulator obeys words it finds in the conversation: the answer was among them.
    let said: String = rig
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::AttemptOutput(o) if rig.state.result_turns(attempt) == [o.turn] => Some(o.text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, "They stay.");
    assert!(rig.state.attention.is_empty());
    rig.close().await;
}

#[tokio::test]
async fn a_message_makes_a_next_turn_and_the_result_is_its_answer() {
    let mut rig = Rig::new(vec![sim("a", Protocol::Ollama, 1)], vec![agent("worker", "a", None)]).await;
    let first = "[sim ms=200 text=The first answer.]";
    rig.add(vec![task("one", "worker", &[], first), task("two", "worker", &["one"], "[sim ms=5]")]);
    assert!(rig.until(|_, e| matches!(e, Event::TurnStarted(_))).await);
    let text = "[sim text=The second answer.]".to_owned();
    rig.client.send(Command::Message { task: "g1/one".parse().unwrap(), text }).unwrap();
    rig.reach_the_end().await;
    assert_eq!(rig.state.progress(None).done, 2);
    let one = rig.state.task_by_id(&"g1/one".parse().unwrap()).unwrap();
    let result = rig.state.attempt(one.result.unwrap()).unwrap();
    assert_eq!(rig.state.answer_bytes(result), "The second answer.".len() as u64);
    rig.close().await;
}

#[tokio::test]
async fn an_answer_that_repeats_itself_is_told() {
    let mut rig = Rig::new(vec![sim("a", Protocol::OpenAi, 1)], vec![agent("worker", "a", None)]).await;
    let again = "I will look at the file once more. ".repeat(100);
    let mut spec = task("loops", "worker", &[], &format!("[sim ms=300 text={again}]"));
    spec.budget.tokens = Some(4_000);
    rig.add(vec![spec]);
    let told = |e: &Event| match e {
        Event::AttentionRaised { subject: Subject::Loop(_), text } => text.contains("I will look at the file"),
        _ => false,
    };
    assert!(rig.until(|_, e| told(e)).await);
    rig.reach_the_end().await;
    assert!(rig.state.attention.is_empty(), "what has ended repeats nothing");
    rig.close().await;
}

#[tokio::test]
async fn a_viewer_that_comes_late_sees_everything() {
    let mut rig = Rig::new(vec![sim("a", Protocol::LlamaCpp, 4)], vec![agent("worker", "a", None)]).await;
    rig.add((0..40).map(|i| task(&format!("t{i}"), "worker", &[], "[sim ms=2]")).collect());
    rig.reach_the_end().await;
    let mut late = rig.engine.as_ref().unwrap().client(Author::Person("late".into()), Role::Viewer);
    let (mut seen, mut batch) = (Vec::new(), Vec::new());
    while seen.len() < rig.records.len() {
        assert!(late.recv(&mut batch, 16).await);
        seen.append(&mut batch);
    }
    // Who only looks is answered, and leaves no record.
    assert!(matches!(late.ask(Command::Pause).await, Ok(Answer::Refused(_))));
    assert!(seen.iter().enumerate().all(|(i, r)| r.seq == i as u64 + 1), "no gap");
    rig.close().await;
}

#[tokio::test]
async fn a_session_that_ended_is_taken_up_and_what_was_done_is_not_done_again() {
    let tasks = || {
        vec![
            task("one", "worker", &[], "[sim ms=20 text=The first finding.]"),
            task("two", "worker", &["one"], "[sim ms=400 tokens=40]"),
            task("three", "worker", &["two"], "[sim ms=5]"),
        ]
    };
    let fleet = || (vec![sim("a", Protocol::LlamaCpp, 1)], vec![agent("worker", "a", None)]);
    let digest = |rig: &Rig| {
        let two = rig.state.task_by_id(&"g1/two".parse().unwrap()).unwrap();
        rig.state.attempt(two.result.unwrap()).unwrap().turns().next().unwrap().prompt_digest.clone()
    };
    let mut whole = Rig::new(fleet().0, fleet().1).await;
    whole.add(tasks());
    whole.reach_the_end().await;

    let mut rig = Rig::new(fleet().0, fleet().1).await;
    rig.add(tasks());
    rig.client.send(Command::SetLevel { scope: LevelScope::Session, level: Some(Level::Low) }).unwrap();
    assert!(rig.until(|s, _| s.attempts().get(1).is_some_and(|a| s.answer_bytes(a) > 0)).await);
    let viewer = rig.engine.as_ref().unwrap().connector().viewer("ann".into(), "here".into(), Role::Control).unwrap();
    assert!(rig.until(|_, e| matches!(e, Event::ViewerJoined(_))).await);
    let (url, seen) = (rig.simulator.endpoints()[0].url.clone(), viewer.standing().viewer.unwrap());
    drop(viewer);
    let mut rig = rig.again().await;
    assert!(rig.until(|_, e| matches!(e, Event::EndpointMoved { .. })).await);
    assert_eq!((rig.state.lives.len(), rig.state.ended.is_none(), rig.state.level), (2, true, Level::Low));
    assert_ne!(rig.state.endpoints()[0].config.url, url);
    let viewer = rig.engine.as_ref().unwrap().connector().viewer("ben".into(), "here".into(), Role::Control).unwrap();
    assert!(viewer.standing().viewer.unwrap() > seen, "a viewer's number is never used again");
    rig.reach_the_end().await;
    let ends = |rig: &Rig, id: &str| -> Vec<AttemptEnd> {
        let task = rig.state.task_by_id(&id.parse().unwrap()).unwrap();
        task.attempts.iter().map(|a| rig.state.attempt(*a).unwrap().ended.clone().unwrap().1).collect()
    };
    assert_eq!(ends(&rig, "g1/one"), [AttemptEnd::Completed]);
    assert_eq!(ends(&rig, "g1/two"), [AttemptEnd::Interrupted, AttemptEnd::Completed]);
    assert_eq!(ends(&rig, "g1/three"), [AttemptEnd::Completed]);
    // What the task before it had said was read back from the journal: the prompt is the same to the byte.
    assert_eq!(digest(&rig), digest(&whole));
    drop(viewer);
    rig.close().await;
    whole.close().await;
}

#[tokio::test]
async fn a_paused_session_stays_paused_and_a_question_open_and_commands_are_heard_again() {
    let mut rig = Rig::new(vec![sim("a", Protocol::LlamaCpp, 2)], vec![agent("worker", "a", None)]).await;
    let asks = "[sim ask=Keep the GPL sources?|keep them|drop them]";
    rig.add(vec![task("asks", "worker", &[], asks)]);
    assert!(rig.until(|_, e| matches!(e, Event::AttentionRaised { subject: Subject::Question(_), .. })).await);
    rig.client.send(Command::Pause).unwrap();
    assert!(rig.until(|s, _| s.gear == Gear::Paused).await);
    let mut rig = rig.again().await;
    assert!(rig.until(|s, e| matches!(e, Event::EndpointMoved { .. }) && s.lives.len() == 2).await);
    let id: TaskId = "g1/asks".parse().unwrap();
    assert_eq!(rig.state.gear, Gear::Paused);
    assert!(rig.state.task_by_id(&id).unwrap().asking.is_some());
    assert!(rig.state.attention.contains_key(&Subject::Question(id.clone())));
    rig.client.send(Command::Answer { task: id.clone(), text: "[sim text=They stay.]".into() }).unwrap();
    rig.client.send(Command::Resume).unwrap();
    rig.reach_the_end().await;
    assert_eq!(rig.state.task_by_id(&id).unwrap().attempts.len(), 1, "it went on with its conversation");
    assert!(rig.state.task_by_id(&id).unwrap().is_done());
    rig.close().await;
}

#[tokio::test]
async fn a_session_is_one_process_s_and_an_unfinished_line_is_cut_kept_and_told() {
    let mut rig = Rig::new(vec![sim("a", Protocol::LlamaCpp, 1)], vec![agent("worker", "a", None)]).await;
    let open = |rig: &Rig| TakenUp::open(&rig.sessions(), &Name::slug("test"));
    assert!(matches!(open(&rig), Err(EngineError::Journal(JournalError::Locked { .. }))));
    rig.end().await;
    let journal = rig.folder.path().join("test/journal.jsonl");
    let whole = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, [&whole[..], br#"{"seq":99,"at":1,"ev"#].concat()).unwrap();
    let mut rig = rig.again().await;
    let told = |e: &Event| matches!(e, Event::AttentionRaised { subject: Subject::Other(_), text } if text.contains("torn-1.txt"));
    assert!(rig.until(|_, e| told(e)).await);
    assert_eq!(std::fs::read(rig.folder.path().join("test/torn-1.txt")).unwrap(), br#"{"seq":99,"at":1,"ev"#);
    rig.close().await;
}

#[tokio::test]
async fn a_model_is_unloaded_with_what_it_frees_and_loaded_again() {
    let endpoints = vec![sim("o", Protocol::Ollama, 1), sim("l", Protocol::LlamaCpp, 1)];
    let mut rig = Rig::new(endpoints, vec![agent("worker", "o", None)]).await;
    let order = |rig: &Rig, endpoint: &str, verb| {
        let command = Command::Model { endpoint: Name::slug(endpoint), verb, memory: MemoryCheck::Heed };
        rig.client.send(command).unwrap();
    };
    // What came of an order.
    let came = async |rig: &mut Rig, verb: ModelVerb| {
        let mut came = None;
        let done = rig.until(|_, e| {
            if let Event::ModelMoved(moved) = e
                && moved.verb == verb
            {
                came = Some(moved.clone());
            }
            came.is_some()
        });
        assert!(done.await);
        came.unwrap()
    };
    // The probe after it: an order is judged by what that found.
    let stands = async |rig: &mut Rig, endpoint: &str, residence: Residence, resident: Option<u64>| {
        let is_so = |state: &State| {
            state.find_endpoint(&Name::slug(endpoint)).is_some_and(|ix| {
                let e = state.endpoint(ix);
                (e.residence, e.resident) == (Some(residence), resident)
            })
        };
        assert!(is_so(&rig.state) || rig.until(|state, _| is_so(state)).await);
    };
    let held = Some(16_000_000_000);
    stands(&mut rig, "o", Residence::Loaded, held).await;
    order(&rig, "o", ModelVerb::Unload);
    let moved = came(&mut rig, ModelVerb::Unload).await;
    assert_eq!((moved.failed, moved.held), (None, held));
    stands(&mut rig, "o", Residence::Unloaded, None).await;
    order(&rig, "o", ModelVerb::Load);
    assert_eq!(came(&mut rig, ModelVerb::Load).await.failed, None);
    stands(&mut rig, "o", Residence::Loaded, held).await;
    let ix = rig.state.find_endpoint(&Name::slug("o")).unwrap();
    assert_eq!(rig.state.endpoint(ix).shape.and_then(|shape| shape.weights), held);
    // A llama-server has its model for as long as it runs, and says so.
    stands(&mut rig, "l", Residence::Loaded, None).await;
    order(&rig, "l", ModelVerb::Unload);
    let failed = came(&mut rig, ModelVerb::Unload).await.failed.unwrap();
    assert!(failed.contains("start or stop the server itself"), "{failed}");
    rig.close().await;
}
