//! A fleet in virtual time: it acts on effects, checks the invariants after every decision and keeps every record.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use super::queueing::Server;
use crate::domain::fleet::{Agent, Endpoint, Fleet, SessionConfig, Settings};
use crate::domain::orchestrator::{
    Decision, Effect, Input, Job, JobEnd, JobId, Look, News, Orchestrator, ProbeReport, Reopening, StartTurn,
    WantAnswer,
};
use crate::domain::plan::{Plan, TaskSpec};
use crate::domain::protocol::{
    Author, Channel, Command, CommandEnvelope, Event, Failure, FailureKind, GoalOptions, Health, Micros, Name,
    PlanSource, Record, Remedy, Role, SessionOpened, SessionStarted, SlotAfter, Told, TurnEnd, TurnId, Unmade, Usage,
};
use crate::domain::state::{EndpointState, PermitPhase, State, TaskIx, Why};
use crate::domain::text::CleanText;

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(super) fn endpoint(id: &str, tier: &str, slots: u32, speed: f32) -> Endpoint {
    serde_json::from_value(serde_json::json!({
        "name": id, "tiers": [tier], "protocol": "llama.cpp", "url": format!("http://{id}:1"), "model": "m",
        "slots": slots, "context": 16384, "tokens_per_second": speed,
    }))
    .unwrap()
}

pub(super) fn agent(id: &str, tier: &str, fallback: Option<&str>) -> Agent {
    serde_json::from_value(serde_json::json!({
        "name": id, "description": "d", "tier": tier, "fallback": fallback, "prompt": "p",
    }))
    .unwrap()
}

/// Two tiers: `main` (a: 6 slots, b: 4 slots) and `deep` (c: 2 slots) which falls back to `main`.
pub(super) fn config() -> SessionConfig {
    SessionConfig {
        fleet: Fleet {
            name: "test".into(),
            endpoints: vec![
                endpoint("a", "main", 6, 50.0),
                endpoint("b", "main", 4, 50.0),
                endpoint("c", "deep", 2, 50.0),
            ],
            agents: vec![
                agent("researcher", "main", None),
                agent("reasoner", "deep", Some("main")),
                agent("summarizer", "main", None),
            ],
        },
        settings: Settings::default(),
        attention: crate::domain::fleet::AttentionSettings::default(),
        machine: crate::domain::fleet::MachineSettings::default(),
        seed: 1,
        project: None,
        folder: None,
    }
}

pub(super) fn task(id: &str, needs: &[&str], tokens: u32) -> TaskSpec {
    let mut spec = TaskSpec::new(name(id), name("researcher"), format!("do {id}"));
    spec.needs = needs.iter().map(|n| name(n)).collect();
    spec.budget.tokens = Some(tokens);
    spec
}

pub(super) fn plan(tasks: Vec<TaskSpec>) -> Plan {
    Plan { synthesis: Some(false), ..Plan::new("a goal", tasks) }
}

pub(super) fn person(name: &'static str) -> Author {
    Author::Person(CleanText::from(name))
}

pub(super) type Says = Box<dyn Fn(&StartTurn) -> Option<String>>;

type Fate = Box<dyn Fn(&StartTurn, u32) -> Result<(), Failure>>;

/// A server that turns away what it has no room for.
pub(super) struct Room {
    /// As many as it takes at once, at a time.
    pub takes: Box<dyn Fn(Micros) -> u32>,
    /// What it answers the others.
    pub refusal: Failure,
}

/// What comes when.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A server reads its prompt.
    Read(TurnId),
    /// Its first token comes.
    First(TurnId),
    Ended(TurnId),
    /// It says some more.
    Says(TurnId),
    /// Its server has no room for it.
    TurnedAway(TurnId),
    /// Its connection closes without an end.
    Closes(TurnId),
    Freed(TurnId),
    Wake,
    /// A server may have room for the next in its queue.
    Room(String),
}

pub(super) struct World {
    pub orchestrator: Orchestrator,
    pub records: Vec<Arc<Record>>,
    pub now: Micros,
    pub live: BTreeMap<TurnId, StartTurn>,
    /// Whether a turn fails, by its request and how many requests its task has had.
    pub fate: Fate,
    /// Microseconds a request takes.
    pub duration: Box<dyn Fn(&StartTurn) -> u64>,
    /// How a turn ends that does not fail.
    pub ends: Box<dyn Fn(&StartTurn) -> TurnEnd>,
    /// What a turn answers, if not the usual.
    pub says: Says,
    /// The tokens of a prompt of so many bytes, as its server tells at the end; 0: it does not.
    pub prompt_tokens: Box<dyn Fn(u64) -> u64>,
    /// What a planning request answers.
    pub plan_answer: String,
    /// Endpoints that do not answer probes or requests.
    pub down: Vec<String>,
    /// Endpoints whose model loads.
    pub loading: Vec<String>,
    /// Servers that turn requests away.
    pub rooms: BTreeMap<String, Room>,
    /// When a server that asked for a wait may be sent the next request.
    asked: BTreeMap<String, Micros>,
    /// Servers with a queue say something twice a second.
    pub speaks: bool,
    /// Servers that are down end what they have in order.
    pub finishes: bool,
    /// Turns whose streams are open and say nothing any more.
    muted: BTreeSet<TurnId>,
    /// Servers that take their time; endpoints without one begin whatever they are sent at once.
    pub servers: BTreeMap<String, Server>,
    /// When their turns were sent and began to be answered.
    spans: BTreeMap<TurnId, (Micros, Option<Micros>)>,
    /// Looks at who else uses a server: when, and whose.
    pub looks: Vec<(Micros, String)>,
    /// Slots that endpoints report.
    pub reported: BTreeMap<String, u32>,
    /// The records applied one by one, so that what holds at each of them can be looked at.
    fold: State,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    sent: BTreeMap<String, u32>,
    counter: u64,
    commands: u64,
    pub ended: bool,
    opened: SessionOpened,
}

pub(super) fn failure(kind: FailureKind, remedy: Remedy) -> Failure {
    Failure::new(kind, remedy, CleanText::from("it broke"))
}

/// Nobody listens.
pub(super) fn refused() -> Failure {
    let told = Told { unmade: Some(Unmade::Refused), ..Told::default() };
    Failure { told, ..failure(FailureKind::Unreachable, Remedy::Elsewhere) }
}

/// What is heard of a turn.
pub(super) fn of_turn(turn: TurnId, news: News) -> Input {
    Input::Job(JobId::Turn(turn), news)
}

/// A probe came back.
pub(super) fn probed(endpoint: Name, report: ProbeReport) -> Input {
    Input::Job(JobId::Probe(endpoint), News::from(JobEnd::Probe(report)))
}

impl World {
    pub(super) fn new(config: SessionConfig) -> Self {
        let opened = SessionOpened { wall_ms: 0, pid: 1, version: "t".into(), host: CleanText::from("h") };
        let started = SessionStarted { session: name("s"), config };
        let (orchestrator, decision) = Orchestrator::start(started, opened.clone());
        let mut world = Self::around(orchestrator, opened);
        world.take(decision);
        world
    }

    fn around(orchestrator: Orchestrator, opened: SessionOpened) -> Self {
        Self {
            orchestrator,
            records: Vec::new(),
            now: Micros(0),
            live: BTreeMap::new(),
            fate: Box::new(|_, _| Ok(())),
            duration: Box::new(|t| u64::from(t.max_tokens) * 20_000),
            ends: Box::new(|_| TurnEnd::Stop),
            says: Box::new(|_| None),
            prompt_tokens: Box::new(|_| 0),
            plan_answer: String::new(),
            down: Vec::new(),
            loading: Vec::new(),
            rooms: BTreeMap::new(),
            asked: BTreeMap::new(),
            speaks: false,
            finishes: false,
            muted: BTreeSet::new(),
            servers: BTreeMap::new(),
            spans: BTreeMap::new(),
            looks: Vec::new(),
            reported: BTreeMap::new(),
            fold: State::default(),
            queue: BinaryHeap::new(),
            sent: BTreeMap::new(),
            counter: 0,
            commands: 0,
            ended: false,
            opened,
        }
    }

    /// A new process on what the records say.
    pub(super) fn resume(records: &[Arc<Record>]) -> Self {
        let mut state = State::default();
        for record in records {
            state.apply(record);
        }
        let opened = SessionOpened { wall_ms: 1, pid: 2, version: "t".into(), host: CleanText::from("h") };
        let (now, fold) = (state.at, state.clone());
        let (orchestrator, decision) =
            Orchestrator::resume(state, Reopening { opened: opened.clone(), moved: Vec::new(), torn: None });
        let mut world = Self::around(orchestrator, opened);
        world.now = now;
        world.fold = fold;
        world.records = records.to_vec();
        world.commands = 1 << 32;
        world.take(decision);
        world
    }

    pub(super) fn state(&self) -> &State {
        self.orchestrator.state()
    }

    fn push(&mut self, at: Micros, due: Due) {
        self.counter += 1;
        self.queue.push(Reverse((at.0, self.counter, due)));
    }

    pub(super) fn input(&mut self, input: Input) {
        let decision = self.orchestrator.handle(self.now, input);
        self.take(decision);
    }

    pub(super) fn command(&mut self, command: Command) -> Result<(), String> {
        self.command_by("you", command)
    }

    pub(super) fn command_by(&mut self, author: &'static str, command: Command) -> Result<(), String> {
        self.commands += 1;
        let id = Name::new(&format!("c{}", self.commands)).unwrap();
        let from = self.records.len();
        self.input(Input::Command(CommandEnvelope {
            id: id.clone(),
            author: person(author),
            role: Role::Control,
            viewer: None,
            command,
        }));
        for record in &self.records[from..] {
            match &record.event {
                Event::CommandAccepted { id: i, .. } if *i == id => return Ok(()),
                Event::CommandRefused { id: i, reason, .. } if *i == id => return Err(reason.to_string()),
                _ => {}
            }
        }
        panic!("the command was not answered");
    }

    pub(super) fn add(&mut self, plan: Plan) -> Result<(), String> {
        self.command(Command::AddGoal {
            text: plan.goal.clone(),
            plan: PlanSource::Given(Box::new(plan)),
            options: GoalOptions::default(),
        })
    }

    fn take(&mut self, decision: Decision) {
        for record in &decision.records {
            self.fold.apply(record);
            self.check_grant(record);
        }
        self.records.extend(decision.records);
        self.check();
        // A probe's answer never comes before the rest of its decision is acted on.
        let (probes, others): (Vec<Effect>, Vec<Effect>) =
            decision.effects.into_iter().partition(|effect| matches!(effect, Effect::Begin(Job::Probe(..))));
        for effect in others.into_iter().chain(probes) {
            match effect {
                Effect::TurnAway { .. } => {}
                Effect::Begin(Job::Turn(start)) if self.servers.contains_key(start.endpoint.as_str()) => {
                    assert!(self.live.insert(start.turn, *start.clone()).is_none());
                    *self.sent.entry(start.task.to_string()).or_default() += 1;
                    self.spans.insert(start.turn, (self.now, None));
                    let name = start.endpoint.to_string();
                    let until = self.asked.get(&name).copied().unwrap_or_default();
                    assert!(self.now >= until, "{name} asked for a wait, and is sent a request");
                    let here = self.live.values().filter(|s| s.endpoint == start.endpoint).count() as u32;
                    let full = self.rooms.get(&name).is_some_and(|room| here > (room.takes)(self.now));
                    let away = self.down.contains(&name) || self.loading.contains(&name);
                    if full && !away {
                        self.push(self.now.plus(Micros(3_000)), Due::TurnedAway(start.turn));
                    } else if away {
                        self.push(self.now.plus(Micros(1_000)), Due::Ended(start.turn));
                    } else if let Some(server) = self.servers.get_mut(&name) {
                        server.queue.push_back(start.turn);
                        self.serve(&name);
                    }
                }
                Effect::Begin(Job::Turn(start)) => {
                    let at = self.now.plus(Micros((self.duration)(&start)));
                    assert!(self.live.insert(start.turn, *start.clone()).is_none());
                    *self.sent.entry(start.task.to_string()).or_default() += 1;
                    self.push(at, Due::Ended(start.turn));
                }
                Effect::Stop(JobId::Turn(turn)) => {
                    if let Some(start) = self.live.remove(&turn)
                        && let Some(server) = self.servers.get_mut(start.endpoint.as_str())
                    {
                        server.drop_turn(turn);
                        self.push(self.now.plus(Micros(1_000)), Due::Room(start.endpoint.to_string()));
                    }
                    self.push(self.now.plus(Micros(60_000)), Due::Freed(turn));
                }
                Effect::Begin(Job::Probe(endpoint, look)) => {
                    let down = self.down.iter().any(|d| *d == endpoint.as_str());
                    let health = if down {
                        Health::Down { reason: CleanText::from("refused") }
                    } else if self.loading.iter().any(|l| *l == endpoint.as_str()) {
                        Health::Loading
                    } else {
                        Health::Up
                    };
                    let slots = self.reported.get(endpoint.as_str()).copied().filter(|_| health == Health::Up);
                    let fault = down.then(refused);
                    let mut report = ProbeReport { slots, fault, ..ProbeReport::of(health) };
                    if look == Look::Slots {
                        self.looks.push((self.now, endpoint.to_string()));
                        report.others = self.servers.get(endpoint.as_str()).map(|s| (s.others)(self.now));
                    }
                    let decision = self.orchestrator.handle(self.now, probed(endpoint, report));
                    self.take(decision);
                }
                // Servers and models are the engine's; a test that wants an answer gives it.
                Effect::Begin(Job::Server(..) | Job::Model { .. }) => {}
                Effect::Stop(other) => panic!("{other:?} is never stopped"),
                Effect::WakeAt(at) => self.push(at, Due::Wake),
                Effect::End(_) => self.ended = true,
            }
        }
    }

    /// One thing comes. False: nothing is to come.
    pub(super) fn step(&mut self) -> bool {
        let Some(Reverse((at, _, due))) = self.queue.pop() else { return false };
        self.now = self.now.max(Micros(at));
        let muted = |turn: &TurnId| self.muted.contains(turn);
        match due {
            Due::Read(turn) | Due::First(turn) | Due::Ended(turn) | Due::Says(turn) if muted(&turn) => {}
            Due::Says(turn) if self.live.contains_key(&turn) => {
                self.push(self.now.plus(Micros::from_millis(500)), Due::Says(turn));
                self.input(of_turn(turn, News::Said { channel: Channel::Answer, text: "…".into(), tokens: 1 }));
            }
            Due::Says(_) => {}
            Due::TurnedAway(turn) => {
                let Some(start) = self.live.remove(&turn) else { return true };
                let name = start.endpoint.to_string();
                let refusal = self.rooms[&name].refusal.clone();
                if let Some(ms) = refusal.told.wait_ms {
                    let until = self.now.plus(Micros::from_millis(ms));
                    self.asked.insert(name, until);
                }
                self.fails(turn, refusal);
            }
            Due::Closes(turn) => {
                if self.live.remove(&turn).is_some() {
                    self.fails(turn, failure(FailureKind::Cut, Remedy::RetryHere));
                }
            }
            Due::Wake => self.input(Input::Wake),
            Due::Freed(turn) => self.input(of_turn(turn, News::Freed)),
            Due::Room(name) => self.serve(&name),
            Due::Read(turn) if self.live.contains_key(&turn) => {
                self.input(of_turn(turn, News::Progress { processed: 1, total: 2 }));
            }
            Due::First(turn) if self.live.contains_key(&turn) => {
                if let Some((_, first)) = self.spans.get_mut(&turn) {
                    *first = Some(self.now);
                }
                if self.speaks {
                    self.push(self.now.plus(Micros::from_millis(500)), Due::Says(turn));
                }
                self.input(of_turn(turn, News::Said { channel: Channel::Answer, text: "…".into(), tokens: 1 }));
            }
            Due::Read(_) | Due::First(_) => {}
            Due::Ended(turn) => {
                let Some(start) = self.live.remove(&turn) else { return true };
                let mut usage = Usage::default();
                if let Some(server) = self.servers.get_mut(start.endpoint.as_str()) {
                    server.drop_turn(turn);
                    // A millisecond later: an end is told before the next one begins.
                    self.push(self.now.plus(Micros(1_000)), Due::Room(start.endpoint.to_string()));
                }
                if let Some((sent, Some(first))) = self.spans.remove(&turn) {
                    usage.first_token_us = first.since(sent).0;
                    usage.generation_us = self.now.since(first).0;
                    usage.output_tokens = u64::from(start.max_tokens);
                }
                let form = &self.state().task_by_id(&start.task).unwrap().spec;
                usage.prompt_tokens = (self.prompt_tokens)(self.state().recipe_bytes(&start.recipe, form));
                let tries = self.sent.get(&start.task.to_string()).copied().unwrap_or(0);
                let planning = start.schema.is_some();
                let dead = !(self.finishes && usage.output_tokens > 0)
                    && self.down.iter().any(|d| *d == start.endpoint.as_str());
                let loading = self.loading.iter().any(|l| *l == start.endpoint.as_str());
                let fate = if dead {
                    Err(refused())
                } else if loading {
                    Err(failure(FailureKind::Loading, Remedy::RetryHere))
                } else {
                    (self.fate)(&start, tries)
                };
                let usual = || if planning { self.plan_answer.clone() } else { format!("answer of {}", start.task) };
                let text = (self.says)(&start).unwrap_or_else(usual);
                let answer = match start.want_answer {
                    WantAnswer::Whole => Some(text.clone()),
                    WantAnswer::Short => Some(text.clone()).filter(|t| t.len() <= WantAnswer::SHORT && fate.is_ok()),
                    WantAnswer::No => None,
                };
                let end = match fate {
                    Ok(()) => {
                        self.input(of_turn(
                            turn,
                            News::Said { channel: Channel::Answer, text, tokens: start.max_tokens },
                        ));
                        (self.ends)(&start)
                    }
                    Err(failure) => TurnEnd::Failed(failure),
                };
                self.input(of_turn(
                    turn,
                    News::from(JobEnd::Turn {
                        end,
                        usage,
                        slot: SlotAfter::Free,
                        prompt_digest: String::new(),
                        answer,
                    }),
                ));
            }
        }
        true
    }

    /// A server takes up what it has room for.
    pub(super) fn serve(&mut self, name: &str) {
        let now = self.now;
        while let Some(server) = self.servers.get_mut(name)
            && let Some(turn) = server.next(now)
        {
            let Some(start) = self.live.get(&turn).cloned() else { continue };
            let sent = self.spans.get(&turn).map_or(now, |(sent, _)| *sent);
            let course = server.course(now, sent, &start);
            if let Some(read) = course.read {
                self.push(read, Due::Read(turn));
            }
            self.push(course.first, Due::First(turn));
            self.push(course.end, Due::Ended(turn));
        }
    }

    /// Others begin or end to use a server at these times.
    pub(super) fn room_at(&mut self, name: &str, times: &[u64]) {
        for at in times {
            self.push(Micros::from_secs(*at), Due::Room(name.to_owned()));
        }
    }

    fn fails(&mut self, turn: TurnId, failure: Failure) {
        self.input(of_turn(
            turn,
            News::from(JobEnd::Turn {
                end: TurnEnd::Failed(failure),
                usage: Usage::default(),
                slot: SlotAfter::Free,
                prompt_digest: String::new(),
                answer: None,
            }),
        ));
    }

    /// A server is told to end: it takes no connections, says nothing more, and is gone after half a minute.
    pub(super) fn mute(&mut self, name: &str) {
        self.down.push(name.to_owned());
        let turns: Vec<TurnId> = self.live.values().filter(|s| s.endpoint.as_str() == name).map(|s| s.turn).collect();
        for turn in turns {
            self.muted.insert(turn);
            if let Some(server) = self.servers.get_mut(name) {
                server.drop_turn(turn);
            }
            self.push(self.now.plus(Micros::from_secs(30)), Due::Closes(turn));
        }
    }

    /// A server's process ends: what it works at is cut, and it does not answer.
    pub(super) fn kill(&mut self, name: &str) {
        self.down.push(name.to_owned());
        let turns: Vec<TurnId> = self.live.values().filter(|s| s.endpoint.as_str() == name).map(|s| s.turn).collect();
        for turn in turns {
            self.live.remove(&turn);
            if let Some(server) = self.servers.get_mut(name) {
                server.drop_turn(turn);
            }
            self.input(of_turn(
                turn,
                News::from(JobEnd::Turn {
                    end: TurnEnd::Failed(failure(FailureKind::Cut, Remedy::RetryHere)),
                    usage: Usage::default(),
                    slot: SlotAfter::Free,
                    prompt_digest: String::new(),
                    answer: None,
                }),
            ));
        }
    }

    /// Goes on until a time.
    pub(super) fn run_until(&mut self, at: Micros) {
        while self.queue.peek().is_some_and(|Reverse((due, ..))| *due <= at.0) {
            self.step();
        }
        self.now = self.now.max(at);
    }

    /// Runs until nothing runs and no retry is waited for (probes of dead endpoints go on for ever), only an answer would
    /// let anything go on, or `steps` are used up.
    pub(super) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let state = self.state();
            let open = state.goals().iter().any(|g| g.open > 0);
            if !open && self.live.is_empty() && state.slots().0 == 0 {
                return;
            }
            // Whoever asks has to be answered first.
            if self.live.is_empty() && state.tasks().iter().any(|t| t.asking.is_some()) {
                return;
            }
            if !self.step() {
                return;
            }
        }
    }

    /// The time from the first attempt's start to the last one's end, in seconds.
    pub(super) fn makespan(&self) -> f64 {
        let attempts = self.state().attempts();
        let first = attempts.iter().map(|a| a.started_at).min().unwrap_or_default();
        let last = attempts.iter().filter_map(|a| a.ended.as_ref().map(|(at, _)| *at)).max().unwrap_or_default();
        last.since(first).secs_f64()
    }

    /// At the record of a grant: it is the turn's own slot, and no more are out than the ceiling of that moment.
    fn check_grant(&self, record: &Record) {
        let Event::TurnStarted(started) = &record.event else { return };
        let attempt = self.fold.attempt(started.turn.attempt).unwrap();
        let endpoint = self.fold.place_of(attempt).unwrap();
        assert!(endpoint.is_usable(), "a grant on an endpoint that does not answer");
        let pool = self.fold.pool(endpoint.pool);
        assert!(pool.busy() <= pool.ceiling, "{} of {} slots are out", pool.busy(), pool.ceiling);
        assert_eq!(pool.permits[started.slot as usize].phase, PermitPhase::Granted(started.turn));
        assert_eq!(self.fold.gear, crate::domain::state::Gear::Running);
        let goal = self.fold.goal(self.fold.task(attempt.task).id.goal).unwrap();
        // One that waits for a person is not at work; of those that were answered at once no more go on than may.
        let at_it = goal.tasks.iter().filter(|t| self.fold.has_turn(**t)).count();
        assert!(goal.options.max_parallel.is_none_or(|max| at_it <= max as usize), "{at_it} turns of {}", goal.id);
        assert_ne!(goal.phase, crate::domain::state::GoalPhase::Draft, "a draft starts nothing");
    }

    fn check(&self) {
        let state = self.state();
        self.orchestrator.index.assert_true(state, self.now);
        // Each permit is held by one live turn.
        for pool in state.pools() {
            let mut turns: Vec<TurnId> = pool.permits.iter().filter_map(|p| p.phase.turn()).collect();
            let n = turns.len();
            turns.sort_unstable();
            turns.dedup();
            assert_eq!(n, turns.len(), "two slots for one turn");
        }
        for attempt in state.running() {
            let pool = state.pool(state.place_of(attempt).unwrap().pool);
            let held = pool
                .permits
                .iter()
                .filter(|p| matches!(p.phase, PermitPhase::Granted(t) | PermitPhase::Generating(t) if t.attempt == attempt.id))
                .count();
            let works = attempt.turn().is_some_and(|t| t.ended.is_none());
            assert_eq!(held, usize::from(works), "an attempt holds a slot while a turn of it runs, and only then");
        }
        // No slot is free while a task that may take it is ready, unless this machine is hard pressed, which is said.
        for i in 0..state.tasks().len() {
            let (ix, task) = (TaskIx(i as u32), &state.tasks()[i]);
            let why = match state.admit(ix, self.now) {
                Ok(grant) => panic!("{} is ready and {grant:?} is free", task.id),
                Err(why) => why,
            };
            let takes = |e: &EndpointState| {
                state.pool(e.pool).free_slot().is_some() && state.pool(e.pool).shut(self.now).is_none()
            };
            let is_free = |e: &EndpointState| e.is_usable() && takes(e);
            let free = match state.placed(task) {
                Some(placed) => is_free(state.endpoint(placed)),
                None => {
                    // One that refused it is passed over as long as there is another, busy or not.
                    let avoids = |e: &EndpointState| task.avoids(&e.config.name);
                    let tier = state.tier_of(task);
                    state.endpoints().iter().any(|e| tier.is_some_and(|t| e.serves(t)) && is_free(e) && !avoids(e))
                }
            };
            if free && state.is_eligible(ix, self.now) {
                // Or it is too large for the one that is free, and another comes free.
                let tier = state.tier_of(task);
                let serving = || state.endpoints().iter().filter(|e| tier.is_some_and(|t| e.serves(t)));
                let differ = serving().any(|e| serving().any(|f| f.context() != e.context()));
                let larger = differ && matches!(why, Why::Slot { busy, .. } if busy > 0);
                let throttled = matches!(why, Why::Throttled { .. }) && state.throttle.is_some();
                assert!(larger || throttled, "{} waits beside a free slot: {why}", task.id);
            }
        }
        let dirty: Vec<bool> = state.tasks().iter().map(|t| t.dirty).collect();
        assert_eq!(dirty, state.dirty_from_scratch(), "what is out of date");
        self.check_order();
        // Stored counts are what counting gives.
        for goal in state.goals() {
            let tasks = || goal.tasks.iter().map(|t| state.task(*t));
            assert_eq!(goal.open as usize, tasks().filter(|t| !t.removed && !t.has_ended()).count());
            assert_eq!(
                goal.running as usize,
                tasks().filter(|t| t.life == crate::domain::state::Life::Running).count()
            );
            assert_eq!(goal.asking as usize, tasks().filter(|t| t.asking.is_some()).count());
        }
    }

    /// No task needs itself, directly or not, and needs and feeds are the same lines.
    fn check_order(&self) {
        let tasks = self.state().tasks();
        let mut open: Vec<usize> = tasks.iter().map(|t| t.needs.len()).collect();
        let mut free: Vec<usize> = (0..tasks.len()).filter(|i| open[*i] == 0).collect();
        let mut seen = 0;
        while let Some(i) = free.pop() {
            seen += 1;
            for feed in &tasks[i].feeds {
                assert!(tasks[feed.0 as usize].needs.contains(&TaskIx(i as u32)));
                open[feed.0 as usize] -= 1;
                if open[feed.0 as usize] == 0 {
                    free.push(feed.0 as usize);
                }
            }
        }
        assert_eq!(seen, tasks.len(), "tasks wait for each other in a circle");
    }

    /// The fold of the records is the live state.
    pub(super) fn assert_fold(&self) {
        let mut folded = State::default();
        for record in &self.records {
            let line = serde_json::to_string(&**record).unwrap();
            folded.apply(&Record::from_json(&line).unwrap());
        }
        assert_eq!(&folded, self.state());
        assert_eq!(&self.fold, self.state());
        let _ = &self.opened;
    }
}
