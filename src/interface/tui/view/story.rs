//! Sessions told as records, for the tests of the screens: a fleet, a plan, tasks that run, fail and end.

use std::sync::Arc;

use crate::domain::fleet::{Agent, Endpoint, Fleet, Nature, Protocol, SessionConfig};
use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::*;
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::scene::Transcripts;

/// A session as far as it was told.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) state: State,
    pub(crate) transcripts: Transcripts,
    seq: u64,
    pub(crate) at: Micros,
    attempts: u64,
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl Story {
    pub(crate) fn tell(&mut self, event: Event) {
        self.told(event);
    }

    /// The same; what came of it is given on.
    fn told(&mut self, event: Event) -> Arc<Record> {
        self.seq += 1;
        let record = Arc::new(Record { seq: self.seq, at: self.at, event });
        self.state.apply(&record);
        self.transcripts.apply(&record);
        record
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.at = self.at.plus(Micros::from_secs(seconds));
    }

    pub(crate) fn health(&mut self, endpoint: &str, health: Health, slots: Option<u32>) {
        self.tell(Event::EndpointChanged(Box::new(EndpointChanged {
            slots,
            level: LevelSupport::Switch,
            ..EndpointChanged::of(name(endpoint), health)
        })));
    }

    pub(crate) fn plan(&mut self, work: Work, tasks: Vec<TaskSpec>, repairs: &[&str]) {
        let revision = self.state.goals()[0].revision + 1;
        self.tell(Event::PlanEdited(PlanEdited {
            goal: GoalId(1),
            revision,
            author: Author::Baton,
            edits: tasks.into_iter().map(|t| PlanEdit::Add(Box::new(t))).collect(),
            work,
            repairs: repairs.iter().map(|r| CleanText::new(r)).collect(),
            kind: EditKind::New,
        }));
    }

    pub(crate) fn start(&mut self, task: &str, endpoint: &str, slot: u16, recipe: Recipe) -> TurnId {
        let id: TaskId = format!("g1/{task}").parse().unwrap();
        self.attempts += 1;
        let turn = TurnId { attempt: AttemptId(self.attempts), turn: 1 };
        let agent = self.state.task_by_id(&id).unwrap().spec.agent.clone();
        self.tell(Event::TaskStarted { task: id.clone() });
        self.tell(Event::AttemptStarted(AttemptStarted {
            attempt: turn.attempt,
            task: id,
            version: 1,
            agent,
            endpoint: name(endpoint),
            route: Route::Primary,
        }));
        self.tell(Event::TurnStarted(TurnStarted { turn, slot, level: Level::Medium, max_tokens: 2048, recipe }));
        turn
    }

    pub(crate) fn say(&mut self, turn: TurnId, channel: Channel, text: &str) {
        let tokens = text.split_whitespace().count() as u32;
        self.tell(Event::AttemptOutput(AttemptOutput { turn, channel, text: text.to_owned(), tokens }));
    }

    fn end_turn(&mut self, turn: TurnId, end: TurnEnd) {
        let usage = Usage { prompt_tokens: 812, output_tokens: 640, first_token_us: 900_000, ..Usage::default() };
        let slot = SlotAfter::Free;
        self.tell(Event::TurnEnded(Box::new(TurnEnded {
            turn,
            end,
            slot,
            usage,
            prompt_digest: "9f2ab0c41d77e350".into(),
        })));
    }

    pub(crate) fn complete(&mut self, turn: TurnId) {
        self.end_turn(turn, TurnEnd::Stop);
        self.tell(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Completed });
        let task = self.task_of(turn);
        self.tell(Event::TaskCompleted { task, attempt: turn.attempt });
    }

    pub(crate) fn fail(&mut self, turn: TurnId, message: &str) {
        let failure = Failure::new(FailureKind::Cut, Remedy::Elsewhere, CleanText::new(message));
        self.end_turn(turn, TurnEnd::Failed(failure.clone()));
        self.tell(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Failed(failure) });
    }

    pub(crate) fn task_of(&self, turn: TurnId) -> TaskId {
        self.state.task(self.state.attempt(turn.attempt).unwrap().task).id.clone()
    }
}

fn endpoint(id: &str, title: &str, tiers: &[&str], protocol: Protocol, model: &str, slots: u32, gb: f32) -> Endpoint {
    Endpoint {
        name: name(id),
        title: Some(title.into()),
        tiers: tiers.iter().map(|t| name(t)).collect(),
        protocol,
        url: format!("http://127.0.0.1/{id}"),
        model: model.into(),
        slots,
        context: 16_384,
        api: Default::default(),
        key: None,
        level: None,
        memory_gb: Some(gb),
        tokens_per_second: Some(30.0),
        vision: false,
        tools: false,
        nature: Nature::Real,
        price: None,
        launch: None,
    }
}

fn agent(id: &str, tier: &str) -> Agent {
    Agent {
        name: name(id),
        description: format!("A {id}."),
        tier: name(tier),
        fallback: None,
        max_tokens: 2048,
        temperature: 0.3,
        level: None,
        tools: Vec::new(),
        prompt: format!("You are a careful {id}.\nSay what is sure, what is likely, and what nobody knows."),
    }
}

fn fleet(nature: Nature) -> Fleet {
    let mut endpoints = vec![
        endpoint("athene", "Athene V2 Agent Q4", &["q4_tools", "general"], Protocol::LlamaCpp, "athene-v2-q4", 6, 47.0),
        endpoint("gptoss", "GPT-OSS 120B", &["reason"], Protocol::LlamaCpp, "gpt-oss-120b", 2, 63.0),
        endpoint("qwen", "Qwen3 Coder 30B", &["code"], Protocol::OpenAi, "qwen3-coder-30b-a3b-instruct", 4, 32.0),
        endpoint("mini", "Phi 4 mini", &["fast"], Protocol::Ollama, "phi4-mini", 16, 4.0),
        endpoint("hermes", "Hermes 4 70B", &["general"], Protocol::OpenAi, "hermes-4-70b", 4, 40.0),
    ];
    for e in &mut endpoints {
        e.nature = nature;
    }
    let agents = [
        ("researcher", "q4_tools"),
        ("reasoner", "reason"),
        ("coder", "code"),
        ("summarizer", "fast"),
        ("critic", "vision"),
    ];
    Fleet { name: "studio".into(), endpoints, agents: agents.iter().map(|(a, t)| agent(a, t)).collect() }
}

/// A session that has just been opened: nothing is probed.
pub(crate) fn opened(nature: Nature) -> Story {
    let mut story = Story::default();
    let config = SessionConfig { fleet: fleet(nature), ..SessionConfig::default() };
    story.tell(Event::SessionStarted(Box::new(SessionStarted { session: name("parser-research"), config })));
    story
}

/// The fleet has been probed: one endpoint loads, one is down.
pub(crate) fn probed(nature: Nature) -> Story {
    let mut story = opened(nature);
    story.at = Micros::from_millis(240);
    story.health("athene", Health::Up, Some(6));
    story.health("gptoss", Health::Up, Some(1));
    story.health("qwen", Health::Loading, None);
    story.health("mini", Health::Up, None);
    let reason = CleanText::new("connection refused at 127.0.0.1:8090; start the server");
    story.health("hermes", Health::Down { reason }, None);
    story.tell(Event::MachineSampled(Box::new(MachineSampled {
        total: 256_000_000_000,
        used: 120_000_000_000,
        swap: 0,
        ..MachineSampled::default()
    })));
    story
}

fn task(id: &str, agent: &str, title: &str, needs: &[&str]) -> TaskSpec {
    let prompt = format!("{title}. Work from the sources at hand, keep to one page, and say what you left out.");
    let mut spec = TaskSpec::new(name(id), name(agent), prompt);
    spec.title = Some(title.into());
    spec.needs = needs.iter().map(|n| name(n)).collect();
    spec
}

const GOAL: &str = "Compare three ways to parse a configuration language and recommend one";

fn with_goal() -> Story {
    let mut story = probed(Nature::Real);
    let goal = GoalAdded { goal: GoalId(1), text: CleanText::new(GOAL), options: GoalOptions::default() };
    story.tell(Event::GoalAdded(goal));
    story
}

/// A goal that is being planned.
pub(crate) fn planning() -> Story {
    with_goal()
}

/// A drafted plan of seven tasks and a synthesis, with repairs.
pub(crate) fn drafted() -> Story {
    let mut story = with_goal();
    story.plan(
        Work::Ordinary,
        vec![
            task("sources", "researcher", "Collect what was written on each approach", &[]),
            task("samples", "coder", "Write forty sample files that are hard to parse", &[]),
            task("jp", "researcher", "解析器の曖昧さをすべて列挙し分類する", &[]),
            task("errors", "reasoner", "Judge the error messages each approach can give", &["sources", "samples"]),
            task("speed", "coder", "Measure parse speed over the sample files", &["samples"]),
            task("upkeep", "critic", "Estimate the upkeep of each grammar over two years", &["sources", "jp"]),
            task(
                "rank",
                "reasoner",
                "Rank the approaches and say what would change the order",
                &["errors", "speed", "upkeep"],
            ),
        ],
        &[
            "The model's plan had a cycle: “rank” needed “sources” and was needed by it; that need was dropped.",
            "The agent “analyst” is not configured; its task went to the reasoner.",
        ],
    );
    let answer = task("answer", "reasoner", "Bring it together", &["rank"]);
    let revision = story.state.goals()[0].revision;
    story.tell(Event::PlanEdited(PlanEdited {
        goal: GoalId(1),
        revision,
        author: Author::Baton,
        edits: vec![PlanEdit::Add(Box::new(answer))],
        work: Work::Synthesis,
        repairs: Vec::new(),
        kind: EditKind::New,
    }));
    story.tell(Event::GoalDrafted { goal: GoalId(1) });
    story
}

/// That plan on a machine of `total_gb`; some of its tasks go to a model of 4 GB that is not loaded.
pub(crate) fn forty_on(total_gb: u64) -> Story {
    let mut story = forty();
    let total = total_gb * 1_000_000_000;
    let sample = MachineSampled { total, used: total / 2, ..MachineSampled::default() };
    story.tell(Event::MachineSampled(Box::new(sample)));
    story
}

/// It was approved there and is held for memory.
pub(crate) fn short_of_memory() -> Story {
    let mut story = forty_on(170);
    let (goal, reason) =
        (GoalId(1), "lacks 1.5 GB: needs 4 for Phi 4; 2.5 GB are left of 144.5 (170 less 25.5 kept free)");
    story.tell(Event::GoalApproved { goal });
    let (needed, room) = (4_000_000_000, 2_500_000_000);
    story.tell(Event::GoalHeld(GoalHeld { goal, needed, room, reason: CleanText::from(reason) }));
    let text = format!("g1 waits for memory: it {reason}; a starts it all the same");
    story.raise(Subject::Memory(goal), &text);
    story
}

/// A drafted plan of forty tasks in five steps.
pub(crate) fn forty() -> Story {
    let mut story = with_goal();
    let agents = ["researcher", "reasoner", "coder", "summarizer"];
    let tasks = (0..40)
        .map(|i| {
            let needs: Vec<String> =
                if i < 8 { vec![] } else { vec![format!("t{}", i - 8), format!("t{}", (i - 8) / 8 * 8)] };
            let mut needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            needs.dedup();
            let title = format!("Look at part {} of the corpus and note every surprise in it", i + 1);
            task(&format!("t{i}"), agents[i % 4], &title, &needs)
        })
        .collect();
    story.plan(Work::Ordinary, tasks, &[]);
    story.tell(Event::GoalDrafted { goal: GoalId(1) });
    story
}

pub(crate) const ANSWER: &str = "## Recommendation\n\nWrite it **by hand**, as recursive descent. The \u{1b}[31mgrammar\u{1b}[0m has \
three productions and one lookahead token, so a generator buys little.\n\n| approach | errors | speed | upkeep |\n|---|---|---:|---|\n\
| recursive descent | best | 212 MB/s | medium |\n| PEG | fair | 96 MB/s | low |\n| generator | poor | 310 MB/s | high |\n\n\
1. Error messages name the place *and* the mend.\n2. `ident` also covers 全角 names: 37 samples use them.\n\n```rust\n\
fn expr(&mut self) -> Result<Expr, Error> {\n    let left = self.term()?; // one token ahead\n    Ok(left)\n}\n```\n\n\
> What would change it: a second language with the same grammar.\n";

/// The plan, run to its end with an answer.
pub(crate) fn done() -> Story {
    let mut story = drafted();
    story.tell(Event::GoalApproved { goal: GoalId(1) });
    for wave in [&["sources", "samples", "jp"][..], &["errors", "speed", "upkeep"], &["rank"], &["answer"]] {
        let turns: Vec<TurnId> = wave
            .iter()
            .enumerate()
            .map(|(i, t)| story.start(t, if i < 2 { "athene" } else { "mini" }, i as u16, Recipe::default()))
            .collect();
        story.wait(31);
        for (i, turn) in turns.into_iter().enumerate() {
            story.wait(3 * i as u64);
            story.say(
                turn,
                Channel::Thinking,
                "The table decides; but upkeep weighs more than speed here, since the team is small.",
            );
            let text = if wave[0] == "answer" { ANSWER } else { "- a first finding\n- a second one\n" };
            story.say(turn, Channel::Answer, text);
            story.complete(turn);
        }
    }
    let answer = Some("g1/answer".parse().unwrap());
    story.tell(Event::GoalEnded { goal: GoalId(1), outcome: Outcome::Done, answer });
    story
}

/// The plan with a task that failed twice, so that there is no answer.
pub(crate) fn failed() -> Story {
    let mut story = drafted();
    story.tell(Event::GoalApproved { goal: GoalId(1) });
    let recipe = Recipe::from(vec![Message { role: Speaker::System, parts: vec![Part::AgentPrompt(name("coder"))] }]);
    let ok = story.start("sources", "athene", 0, recipe.clone());
    let cut = story.start("samples", "qwen", 0, recipe);
    story.wait(22);
    story.say(ok, Channel::Answer, "Three families of approaches were found, in 14 sources.");
    story.complete(ok);
    story.say(cut, Channel::Answer, "1. An empty file\n2. A file of one comm");
    story.fail(cut, "Qwen cut the answer off after 9 tokens; is its server still running?");
    let samples = story.task_of(cut);
    story.tell(Event::TaskRetried(TaskRetried {
        task: samples.clone(),
        not_before: story.at,
        reason: CleanText::new("Qwen cut the answer off"),
        count: FailureCount::Counted,
        route: Route::Primary,
    }));
    let again = Recipe::from(vec![
        Message { role: Speaker::System, parts: vec![Part::AgentPrompt(name("coder"))] },
        Message {
            role: Speaker::User,
            parts: vec![
                Part::Goal(GoalId(1)),
                Part::Literal(CleanText::new("\n\nWhat was found so far:\n")),
                Part::ResultOf { attempt: ok.attempt, cut: Cut::Middle { head: 24, tail: 16 } },
                Part::Literal(CleanText::new("\n\nYour task:\n")),
                Part::TaskPrompt(samples.clone()),
            ],
        },
    ]);
    let second = story.start("samples", "qwen", 1, again);
    story.wait(9);
    story.fail(second, "Qwen does not answer on 127.0.0.1:8084; start it, then ctrl-r probes it");
    story.tell(Event::TaskFailed {
        task: samples,
        reason: CleanText::new("Qwen does not answer; start it, then r retries"),
    });
    for task in ["errors", "speed", "upkeep", "rank", "answer", "jp"] {
        let reason = CleanText::new("a task it needs failed");
        story.tell(Event::TaskSkipped { task: format!("g1/{task}").parse().unwrap(), reason });
    }
    story.tell(Event::GoalEnded { goal: GoalId(1), outcome: Outcome::Failed, answer: None });
    story
}

/// The plan, stopped by the operator after a task had ended.
pub(crate) fn cancelled() -> Story {
    let mut story = drafted();
    story.tell(Event::GoalApproved { goal: GoalId(1) });
    let ok = story.start("sources", "athene", 0, Recipe::default());
    story.wait(12);
    story.say(ok, Channel::Answer, "Three families.");
    story.complete(ok);
    for task in ["samples", "jp", "errors", "speed", "upkeep", "rank", "answer"] {
        story.tell(Event::TaskCancelled { task: format!("g1/{task}").parse().unwrap(), keep: Partial::Kept });
    }
    story.tell(Event::GoalEnded { goal: GoalId(1), outcome: Outcome::Cancelled, answer: None });
    story
}

/// The plan under way: one task runs, one asks, with these choices; nothing else has started.
pub(crate) fn asking(choices: &[&str]) -> Story {
    let mut story = drafted();
    story.tell(Event::GoalApproved { goal: GoalId(1) });
    let works = story.start("sources", "athene", 0, Recipe::default());
    let asks = story.start("samples", "qwen", 0, Recipe::default());
    story.wait(12);
    story.say(works, Channel::Answer, "Three families of approaches were found, in 14 sources.");
    story.say(asks, Channel::Answer, "Two sources are GPL, nine MIT.");
    story.ask(asks, choices);
    story.wait(31);
    story
}

/// The plan under way, with everything that can need the operator.
pub(crate) fn troubled() -> Story {
    let mut story =
        asking(&["keep them", "drop them", "keep them in a folder of their own, with the licence beside it"]);
    let jp = story.start("jp", "athene", 1, Recipe::default());
    story.wait(5);
    story.fail(jp, "Athene cut the answer off after 9 tokens; is its server still running?");
    let id = story.task_of(jp);
    let reason = CleanText::new("Athene cut the answer off after 9 tokens; is its server still running?");
    story.tell(Event::TaskFailed { task: id.clone(), reason: reason.clone() });
    story.raise(Subject::Task(id), &format!("解析器の曖昧さをすべて列挙し分類する failed: {reason}"));
    let sources: TaskId = "g1/sources".parse().unwrap();
    story.wait(40);
    story.raise(Subject::Stall(sources.clone()), "silent for 76 s; i says something to it, x stops it");
    story.wait(9);
    story.raise(
        Subject::Loop(sources.clone()),
        "it has written the same 4 times: “found, in 14 sources. found, in 14 sources.”",
    );
    story.raise(Subject::Context(sources), "93 % of its context of 16384 tokens is used; what comes next is cut");
    story.raise(Subject::Endpoint(name("hermes")), "hermes wants a key: set HERMES_KEY and press ctrl-r");
    story
}

impl Story {
    /// The agent of a turn asks.
    pub(crate) fn ask(&mut self, turn: TurnId, choices: &[&str]) {
        let task = self.task_of(turn);
        let question =
            CleanText::new("Two sources are GPL, nine MIT. Keep the GPL ones, or drop them from the corpus?");
        let choices = choices.iter().map(|c| CleanText::new(c)).collect();
        self.end_turn(turn, TurnEnd::Stop);
        let about = crate::domain::protocol::AskedAbout::Work;
        self.tell(Event::TaskAsked(TaskAsked { task: task.clone(), turn, question: question.clone(), choices, about }));
        self.raise(Subject::Question(task), &question);
    }

    /// The operator answers.
    pub(crate) fn answered(&mut self, task: &str, text: &str) {
        let task: TaskId = format!("g1/{task}").parse().unwrap();
        let author = Author::Person(CleanText::new("ada"));
        self.tell(Event::TaskAnswered(MessageSent { task, author, text: CleanText::new(text) }));
    }

    /// Somebody says something to a task's agent.
    pub(crate) fn message(&mut self, task: &str, text: &str) -> Arc<Record> {
        let task: TaskId = format!("g1/{task}").parse().unwrap();
        let author = Author::Person(CleanText::new("ada"));
        self.told(Event::MessageSent(MessageSent { task, author, text: CleanText::new(text) }))
    }

    /// The operator puts a task's result in by hand.
    pub(crate) fn put_in(&mut self, task: &str, text: &str) {
        self.attempts += 1;
        let edited = ResultEdited {
            task: format!("g1/{task}").parse().unwrap(),
            attempt: AttemptId(self.attempts),
            author: Author::Person(CleanText::new("ada")),
            text: text.to_owned(),
        };
        self.tell(Event::ResultEdited(edited));
    }

    /// Something needs the operator.
    pub(crate) fn raise(&mut self, subject: Subject, text: &str) {
        self.tell(Event::AttentionRaised { subject, text: CleanText::new(text) });
    }

    /// It needs the operator no more.
    pub(crate) fn clear(&mut self, subject: Subject) {
        self.tell(Event::AttentionCleared { subject });
    }

    /// A task is held.
    pub(crate) fn hold(&mut self, task: &str) {
        self.tell(Event::TaskHeld { task: format!("g1/{task}").parse().unwrap() });
    }
}

/// The plan with a task that wrote much the same twice.
pub(crate) fn retried() -> Story {
    let mut story = drafted();
    story.tell(Event::GoalApproved { goal: GoalId(1) });
    let list = |third: &str, tail: &str| {
        let common = (4..20).map(|i| format!("{i}. A file of {i} comments and nothing else\n")).collect::<String>();
        format!("## Samples\n\n1. An empty file\n2. A file of one comment\n{third}\n{common}{tail}")
    };
    let first = story.start("samples", "qwen", 0, Recipe::default());
    story.wait(20);
    story.say(first, Channel::Answer, &list("3. A key without a value", "40. A file that ends in the mid"));
    story.fail(first, "Qwen cut the answer off; is its server still running?");
    let second = story.start("samples", "athene", 0, Recipe::default());
    story.wait(20);
    let third = "3. A key with two values, of which the second one counts\n3b. A key without any value";
    story.say(second, Channel::Answer, &list(third, "40. A file that ends in the middle of a 全角 word\n"));
    story.complete(second);
    story
}
