//! The scene of the drawings: 40 tasks in 4 phases, 9 endpoints, 13 of 37 slots busy, made of records only.

use std::sync::Arc;

use crate::domain::fleet::{Agent, Api, Endpoint, Nature, Protocol, SessionConfig};
use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::{
    AttemptEnd, AttemptId, AttemptOutput, AttemptStarted, Author, Channel, EditKind, EndpointChanged, Event, Failure,
    FailureKind, GoalAdded, GoalId, GoalOptions, Health, Level, LevelSupport, MachineSampled, Micros, Name, PlanEdited,
    Recipe, Record, Remedy, Route, SessionStarted, SlotAfter, Subject, TaskId, TurnEnd, TurnEnded, TurnId, TurnStarted,
    Usage, Work,
};
use crate::domain::state::State;
use crate::interface::tui::scene::Transcripts;

/// Session time of the drawings.
pub(crate) const NOW: Micros = Micros::from_secs(252);

/// A state and its texts, made record by record.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) state: State,
    pub(crate) transcripts: Transcripts,
    seq: u64,
    attempts: u64,
    later: Vec<(Micros, Event)>,
}

pub(crate) fn name(text: &str) -> Name {
    Name::slug(text)
}

pub(crate) fn endpoint(id: &str, title: &str, tier: &str, slots: u32, memory: f32, speed: f32) -> Endpoint {
    Endpoint {
        name: name(id),
        title: Some(title.into()),
        tiers: vec![name(tier)],
        protocol: Protocol::LlamaCpp,
        url: format!("http://127.0.0.1/{id}"),
        model: id.into(),
        slots,
        context: 16_384,
        api: Api::Chat,
        key: None,
        level: Some(LevelSupport::Graded),
        memory_gb: Some(memory),
        tokens_per_second: Some(speed),
        vision: false,
        tools: false,
        nature: Nature::Real,
        price: None,
        launch: None,
    }
}

pub(crate) fn agent(id: &str, tier: &str, level: Level) -> Agent {
    Agent {
        name: name(id),
        description: String::new(),
        tier: name(tier),
        fallback: None,
        max_tokens: 2048,
        temperature: 0.3,
        level: Some(level),
        tools: Vec::new(),
        prompt: String::new(),
    }
}

impl Story {
    pub(crate) fn push(&mut self, at: Micros, event: Event) {
        self.seq += 1;
        let record = Arc::new(Record { seq: self.seq, at, event });
        self.state.apply(&record);
        self.transcripts.apply(&record);
    }

    pub(crate) fn start(at: Micros, endpoints: Vec<Endpoint>, agents: Vec<Agent>) -> Self {
        let mut story = Self::default();
        let mut config = SessionConfig::default();
        config.fleet.name = "studio".into();
        config.fleet.endpoints = endpoints;
        config.fleet.agents = agents;
        story.push(at, Event::SessionStarted(Box::new(SessionStarted { session: name("parser-research"), config })));
        story
    }

    pub(crate) fn goal(&mut self, at: Micros, goal: u32, specs: Vec<TaskSpec>) {
        let text = "Which grammar fits the 212 samples?".into();
        self.push(at, Event::GoalAdded(GoalAdded { goal: GoalId(goal), text, options: GoalOptions::default() }));
        let edits = specs.into_iter().map(|s| PlanEdit::Add(Box::new(s))).collect();
        self.push(
            at,
            Event::PlanEdited(PlanEdited {
                goal: GoalId(goal),
                revision: 1,
                author: Author::Baton,
                edits,
                work: Work::Ordinary,
                repairs: Vec::new(),
                kind: EditKind::New,
            }),
        );
        self.push(at, Event::GoalApproved { goal: GoalId(goal) });
    }

    pub(crate) fn begin(&mut self, at: Micros, task: &str, endpoint: &str, slot: u16) -> TurnId {
        let id = TaskId::new(GoalId(1), name(task));
        let (agent, level) = {
            let task = self.state.task_by_id(&id).expect("a task of the fixture");
            (task.spec.agent.clone(), self.state.level_of(task))
        };
        self.push(at, Event::TaskStarted { task: id.clone() });
        self.attempts += 1;
        let attempt = AttemptId(self.attempts);
        self.push(
            at,
            Event::AttemptStarted(AttemptStarted {
                attempt,
                task: id,
                version: 1,
                agent,
                endpoint: name(endpoint),
                route: Route::Primary,
            }),
        );
        let turn = TurnId { attempt, turn: 1 };
        self.push(
            at,
            Event::TurnStarted(TurnStarted { turn, slot, level, max_tokens: 2048, recipe: Recipe::default() }),
        );
        turn
    }

    pub(crate) fn say(&mut self, at: Micros, turn: TurnId, channel: Channel, text: &str, tokens: u32) {
        self.push(at, Event::AttemptOutput(AttemptOutput { turn, channel, text: text.into(), tokens }));
    }

    /// Text that comes at `rate` tokens a second until `NOW`, the last of it `text`.
    fn stream(&mut self, turn: TurnId, channel: Channel, text: &str, rate: u32, seconds: u64) {
        let steps = seconds * 2;
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        for i in 0..steps {
            let at = Micros::from_millis(NOW.0 / 1000 - (steps - i) * 500);
            let (from, to) =
                (words.len() * i as usize / steps as usize, words.len() * (i as usize + 1) / steps as usize);
            let tokens = rate / 2 + (rate % 2) * (i as u32 % 2);
            let text = words[from..to].concat();
            self.later.push((at, Event::AttemptOutput(AttemptOutput { turn, channel, text, tokens })));
        }
    }

    /// Streams run side by side: their records in the order of time.
    fn settle(&mut self) {
        let mut later = std::mem::take(&mut self.later);
        later.sort_by_key(|(at, _)| *at);
        for (at, event) in later {
            self.push(at, event);
        }
    }

    pub(crate) fn finish(&mut self, at: Micros, turn: TurnId, task: &str) {
        self.end_turn(at, turn, TurnEnd::Stop);
        self.push(at, Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Completed });
        let task = TaskId::new(GoalId(1), name(task));
        self.push(at, Event::TaskCompleted { task, attempt: turn.attempt });
    }

    fn end_turn(&mut self, at: Micros, turn: TurnId, end: TurnEnd) {
        let usage = Usage { prompt_tokens: 900, ..Usage::default() };
        let ended = TurnEnded { turn, end, slot: SlotAfter::Free, usage, prompt_digest: String::new() };
        self.push(at, Event::TurnEnded(Box::new(ended)));
    }

    fn health(&mut self, at: Micros, endpoint: &str, health: Health, probe_at: Option<Micros>, resident: Option<u64>) {
        self.push(
            at,
            Event::EndpointChanged(Box::new(EndpointChanged {
                level: if endpoint == "lm" { LevelSupport::None } else { LevelSupport::Graded },
                resident,
                probe_at,
                ..EndpointChanged::of(name(endpoint), health)
            })),
        );
    }
}

fn spec(id: &str, phase: &str, agent: &str, title: &str, needs: &[&str]) -> TaskSpec {
    let mut spec = TaskSpec::new(
        name(id),
        name(agent),
        format!("{title}.\n\nName the samples by number and say what you are not sure of."),
    );
    spec.title = Some(title.into());
    spec.phase = Some(phase.into());
    spec.needs = needs.iter().map(|n| name(n)).collect();
    spec
}

const GRAMMAR: &str = "## Grammar\n\nThe 212 samples need three productions and one lookahead token:\n\n```\nexpr   ::= term ((\"+\" | \"-\") term)*\nterm   ::= factor ((\"*\" | \"/\") factor)*\nfactor ::= NUMBER | \"(\" expr \")\" | ident\n```\n\n1. Left recursion is gone; precedence follows the nesting.\n2. `ident` also covers 全角 names: 37 samples use them.\n3. The heredoc samples (9) still fail, because the lexer";

/// The whole scene at [`NOW`].
pub(crate) fn drawing() -> Story {
    let sample = MachineSampled { total: 256_000_000_000, used: 171_000_000_000, swap: 0, ..MachineSampled::default() };
    drawing_with(&[], vec![(Micros::from_secs(250), sample)])
}

/// The same with some endpoints listening at ports of this machine, and other looks at it.
pub(crate) fn drawing_with(ports: &[(&str, u16)], looks: Vec<(Micros, MachineSampled)>) -> Story {
    let mut endpoints = vec![
        endpoint("athene", "Athene V2 Agent", "analysis", 6, 16.0, 45.0),
        endpoint("gpt", "GPT-OSS 120B", "deep", 2, 80.0, 30.0),
        endpoint("qwen", "Qwen 3 Coder", "code", 4, 35.0, 31.0),
        endpoint("lm", "LM Studio", "lint", 2, 0.0, 40.0),
        endpoint("mini", "mini 1B", "small", 16, 0.0, 41.0),
        endpoint("hermes", "Hermes 4", "spare", 4, 10.0, 40.0),
        endpoint("gemma", "Gemma 3", "other", 4, 18.0, 40.0),
        endpoint("mbp", "mbp", "other", 1, 0.0, 40.0),
        endpoint("phi", "Phi 4", "other", 2, 0.0, 40.0),
    ];
    for (id, port) in ports {
        if let Some(e) = endpoints.iter_mut().find(|e| e.name.as_str() == *id) {
            e.url = format!("http://127.0.0.1:{port}");
        }
    }
    let agents = vec![
        agent("analyst", "analysis", Level::Low),
        agent("reasoner", "deep", Level::High),
        agent("coder", "code", Level::Medium),
        agent("linter", "lint", Level::Medium),
        agent("tester", "small", Level::Medium),
    ];
    let mut story = Story::start(Micros(0), endpoints, agents);
    let mut specs: Vec<TaskSpec> = (0..9)
        .map(|i| spec(&format!("base{i}"), "foundation", "coder", &format!("Foundation stone {}", i + 1), &[]))
        .collect();
    specs.extend(
        (0..6).map(|i| spec(&format!("early{i}"), "core", "analyst", &format!("Read sample group {}", i + 1), &[])),
    );
    for (id, agent, title) in [
        ("derive", "coder", "Derive the grammar from the 212 sample files"),
        ("ambiguity", "analyst", "解析器の曖昧さをすべて列挙し分類する"),
        ("api", "reasoner", "Review the public API against semver rules"),
        ("recovery", "reasoner", "Model error recovery as a search problem"),
        ("survey", "analyst", "Survey three incremental parsers"),
        ("collect", "analyst", "Collect failing inputs from the issue tracker"),
        ("port", "coder", "Port the lexer tables to u16"),
        ("licence", "analyst", "Choose the licence of the corpus"),
        ("rank", "reasoner", "Rank the grammars by worst case"),
        ("explain", "reasoner", "Explain the worst case in one page"),
    ] {
        specs.push(spec(id, "core", agent, title, &[]));
    }
    for (id, agent, title) in [
        ("t0", "tester", "Smoke test of the old parser"),
        ("t1", "tester", "Smoke test of the new parser"),
        ("fuzz1", "tester", "Fuzz corpus shard 1"),
        ("fuzz2", "tester", "Fuzz corpus shard 2"),
        ("fuzz3", "tester", "Fuzz corpus shard 3"),
        ("fuzz4", "tester", "Fuzz corpus shard 4"),
        ("property", "coder", "Property tests for the grammar"),
        ("lint", "linter", "Lint and format"),
        ("differential", "tester", "Differential test vs the old parser"),
    ] {
        specs.push(spec(id, "tests", agent, title, &[]));
    }
    specs.push(spec("notes", "publish", "analyst", "Draft the release notes", &["derive", "api", "port"]));
    specs.extend(
        (0..5).map(|i| spec(&format!("pub{i}"), "publish", "coder", &format!("Publish part {}", i + 1), &["notes"])),
    );
    story.goal(Micros(0), 1, specs);
    for e in ["athene", "gpt", "qwen", "lm", "mini", "hermes", "gemma", "mbp", "phi"] {
        story.health(Micros(0), e, Health::Up, None, None);
    }
    for i in 0..9 {
        let turn = story.begin(Micros::from_secs(2 + i), &format!("base{i}"), "qwen", (i % 4) as u16);
        story.say(Micros::from_secs(9 + i), turn, Channel::Answer, "done", 300);
        story.finish(Micros::from_secs(42 + i * 2), turn, &format!("base{i}"));
    }
    for i in 0..6 {
        let turn = story.begin(Micros::from_secs(40 + i), &format!("early{i}"), "athene", i as u16);
        story.say(Micros::from_secs(50 + i), turn, Channel::Answer, "read", 400);
        story.finish(Micros::from_secs(95 + i * 5), turn, &format!("early{i}"));
    }
    for i in 0..2 {
        let turn = story.begin(Micros::from_secs(60), &format!("t{i}"), "mini", i as u16);
        story.say(Micros::from_secs(70), turn, Channel::Answer, "ok", 200);
        story.finish(Micros::from_secs(120), turn, &format!("t{i}"));
    }
    for (n, at) in [(0, 130), (1, 160)] {
        let turn = story.begin(Micros::from_secs(at), "differential", "mini", 4 + n);
        let message = "mini closed the connection after 40 of about 300 tokens; another endpoint may do better";
        let failure = Failure::new(FailureKind::Cut, Remedy::RetryHere, message);
        story.end_turn(Micros::from_secs(at + 20), turn, TurnEnd::Failed(failure.clone()));
        story.push(
            Micros::from_secs(at + 20),
            Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Failed(failure) },
        );
    }
    let differential = TaskId::new(GoalId(1), name("differential"));
    let reason = "mini closed the connection twice";
    story.push(Micros::from_secs(180), Event::TaskFailed { task: differential.clone(), reason: reason.into() });
    story.push(
        Micros::from_secs(180),
        Event::AttentionRaised { subject: Subject::Task(differential), text: reason.into() },
    );
    running(&mut story);
    story.settle();
    let task = TaskId::new(GoalId(1), name("licence"));
    story.push(Micros::from_secs(221), Event::TaskHeld { task });
    let down = Health::Down { reason: "nothing listens on 127.0.0.1".into() };
    story.health(Micros::from_secs(230), "hermes", down, Some(Micros::from_secs(256)), None);
    story.push(
        Micros::from_secs(230),
        Event::AttentionRaised { subject: Subject::Endpoint(name("hermes")), text: "Hermes stopped answering".into() },
    );
    for (at, look) in looks {
        story.push(at, Event::MachineSampled(Box::new(look)));
    }
    story
}

fn running(story: &mut Story) {
    let at = Micros::from_secs(204);
    let thinking =
        "the samples have three levels of precedence and nothing that would need more than one token of lookahead "
            .repeat(12);
    let derive = story.begin(at, "derive", "qwen", 0);
    story.push(at, Event::TurnProgressed { turn: derive, processed: 8900, total: 8900 });
    story.say(Micros::from_secs(207), derive, Channel::Thinking, &thinking, 260);
    story.stream(derive, Channel::Answer, GRAMMAR, 31, 30);
    let ambiguity = story.begin(at, "ambiguity", "athene", 1);
    let japanese = "- 演算子の優先順位が未定義の箇所: 4\n- 空白の扱いが二通りに読める箇所: 2\n- …";
    story.stream(ambiguity, Channel::Answer, japanese, 44, 24);
    let api = story.begin(at, "api", "gpt", 0);
    story.say(
        Micros::from_secs(240),
        api,
        Channel::Thinking,
        "comparing the two signatures; `parse` returns a Result in one and panics in the other, ",
        0,
    );
    story.stream(
        api,
        Channel::Thinking,
        "so that a caller of the old one has to be told what changes for it and why",
        18,
        12,
    );
    let recovery = story.begin(at, "recovery", "gpt", 1);
    story.push(Micros::from_secs(250), Event::TurnProgressed { turn: recovery, processed: 6200, total: 10_000 });
    let survey = story.begin(at, "survey", "athene", 0);
    story.stream(survey, Channel::Answer, "Three families keep a tree between edits: those that **reuse subtrees**, those that *memoise*, and those that patch the token stream.", 46, 40);
    let collect = story.begin(at, "collect", "athene", 2);
    story.say(Micros::from_secs(246), collect, Channel::Answer, "41 issues name an input that fails. ", 9);
    let port = story.begin(at, "port", "qwen", 1);
    story.stream(
        port,
        Channel::Answer,
        "```rust\nlet table: [u16; 256] = widen(&OLD); // was u8\n```\nThe tables fit in 512 bytes.",
        33,
        50,
    );
    let property = story.begin(at, "property", "qwen", 2);
    story.stream(
        property,
        Channel::Answer,
        "Each production gets a generator and a printer; what is printed must parse to what was generated.",
        29,
        45,
    );
    let lint = story.begin(at, "lint", "lm", 0);
    story.stream(lint, Channel::Answer, "clippy: 3 warnings", 12, 20);
    for i in 0..4u16 {
        let turn = story.begin(at, &format!("fuzz{}", i + 1), "mini", i);
        story.stream(
            turn,
            Channel::Answer,
            "input 17 parses; input 18 parses; input 19 hangs",
            41,
            8 + u64::from(i) * 9,
        );
    }
}

/// `streams` tasks that run on one endpoint of as many slots, and more that wait.
pub(crate) fn crowd(streams: u16, tasks: usize) -> Story {
    let endpoints = vec![endpoint("mini", "mini 1B", "small", u32::from(streams), 8.0, 41.0)];
    let mut story = Story::start(Micros(0), endpoints, vec![agent("tester", "small", Level::Medium)]);
    let specs =
        (0..tasks).map(|i| spec(&format!("s{i}"), "work", "tester", &format!("Read sample group {}", i + 1), &[]));
    story.goal(Micros(0), 1, specs.collect());
    for i in 0..streams {
        story.begin(Micros::from_secs(200), &format!("s{i}"), "mini", i);
    }
    story
}

impl Story {
    /// Some words more on each of the first `streams` attempts.
    pub(crate) fn chatter(&mut self, at: Micros, streams: u64) {
        for i in 1..=streams {
            let turn = TurnId { attempt: AttemptId(i), turn: 1 };
            let text = ["The **lexer** reads ", "one token ahead,\n\n", "- so `expr` is ", "unambiguous; 全角 too "];
            self.say(at, turn, Channel::Answer, text[(self.seq % 4) as usize], 3);
        }
    }
}
