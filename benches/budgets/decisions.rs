//! The orchestrator and the reducer alone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use baton::domain::fleet::{Agent, Endpoint, Fleet, SessionConfig, Settings};
use baton::domain::orchestrator::{Effect, Input, Job, JobEnd, JobId, News, Orchestrator, ProbeReport};
use baton::domain::plan::{Plan, PlanEdit, Priority, TaskSpec};
use baton::domain::protocol::{
    Author, Channel, Command, CommandEnvelope, GoalId, GoalOptions, Health, LevelSupport, LockUse, Micros, Name,
    PlanSource, Record, Role, SessionOpened, SessionStarted, SlotAfter, TurnEnd, Usage,
};
use baton::domain::state::State;

use crate::Report;
use crate::frames::clock;

fn config() -> SessionConfig {
    let endpoint = |name: &str, slots: u32| -> Endpoint {
        serde_json::from_value(serde_json::json!({
            "name": name, "tiers": [name], "protocol": "llama.cpp", "url": format!("http://{name}:1"), "model": "m",
            "slots": slots, "context": 16384, "tokens_per_second": 50.0,
        }))
        .unwrap()
    };
    let agent = |name: &str| -> Agent {
        serde_json::from_value(serde_json::json!({"name": name, "description": "d", "tier": name, "prompt": "p"}))
            .unwrap()
    };
    let names = ["a", "b", "c", "d", "e"];
    SessionConfig {
        fleet: Fleet {
            name: "bench".into(),
            endpoints: names.iter().zip([6, 2, 4, 4, 4]).map(|(n, s)| endpoint(n, s)).collect(),
            agents: names.iter().map(|n| agent(n)).collect(),
        },
        settings: Settings { synthesis: false, ..Settings::default() },
        seed: 1,
        ..SessionConfig::default()
    }
}

/// The output of one turn in a run of [`run_through`].
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'a> {
    /// Of how many tasks.
    pub(crate) tasks: usize,
    /// How many.
    pub(crate) count: usize,
    /// The text of each.
    pub(crate) text: &'a str,
    /// Its tokens.
    pub(crate) tokens: u32,
}

/// One short answer.
const SHORT: Pieces<'static> = Pieces { tasks: 10_000, count: 1, text: "an answer of some words", tokens: 5 };

/// Tasks in layers of 100, run through in virtual time; every input is timed, every record goes to `sink`.
pub(crate) fn run_through(
    pieces: Pieces<'_>,
    mut timed: impl FnMut(std::time::Duration, usize),
    mut sink: impl FnMut(Arc<Record>),
) {
    let opened = SessionOpened { wall_ms: 0, pid: 1, version: "bench".into(), host: "bench".into() };
    let started = SessionStarted { session: Name::slug("bench"), config: config() };
    let (mut o, first) = Orchestrator::start(started, opened);
    first.records.into_iter().for_each(&mut sink);
    let mut tasks = Vec::new();
    for i in 0..pieces.tasks {
        let agent = ["a", "b", "c", "d", "e"][i % 5];
        let mut t = TaskSpec::new(Name::slug(&format!("t{i}")), Name::slug(agent), "do it");
        if i >= 100 {
            t.needs = vec![
                Name::slug(&format!("t{}", i - 100)),
                Name::slug(&format!("t{}", i - 100 + (i + 1) % 100 - i % 100)),
            ];
            t.needs.dedup();
        }
        t.budget.tokens = Some(100 + (i * 7919 % 900) as u32);
        tasks.push(t);
    }
    let plan = Plan { synthesis: Some(false), ..Plan::new("g", tasks) };
    let mut queue: VecDeque<Effect> = first.effects.into();
    let now = Micros(0);
    let command = |n: u32, command| {
        Input::Command(CommandEnvelope {
            id: Name::slug(&format!("c{n}")),
            author: Author::Baton,
            role: Role::Control,
            viewer: None,
            command,
        })
    };
    let add =
        Command::AddGoal { text: "g".into(), plan: PlanSource::Given(Box::new(plan)), options: GoalOptions::default() };
    let decision = o.handle(now, command(1, add));
    decision.records.into_iter().for_each(&mut sink);
    queue.extend(decision.effects);
    drive(&mut o, queue, now, pieces, &mut timed, &mut sink);
    assert_eq!(o.state().progress(None).done as usize, pieces.tasks);
}

/// Answers whatever the orchestrator begins until nothing is left.
fn drive(
    o: &mut Orchestrator,
    mut queue: VecDeque<Effect>,
    mut now: Micros,
    pieces: Pieces<'_>,
    timed: &mut impl FnMut(std::time::Duration, usize),
    sink: &mut impl FnMut(Arc<Record>),
) {
    while let Some(effect) = queue.pop_front() {
        let mut inputs = Vec::new();
        match effect {
            Effect::Begin(Job::Turn(start)) => {
                let turn = start.turn;
                for _ in 0..pieces.count {
                    inputs.push(Input::Job(
                        JobId::Turn(turn),
                        News::Said { channel: Channel::Answer, text: pieces.text.into(), tokens: pieces.tokens },
                    ));
                }
                inputs.push(Input::Job(
                    JobId::Turn(turn),
                    News::from(JobEnd::Turn {
                        end: TurnEnd::Stop,
                        usage: Usage {
                            output_tokens: pieces.count as u64 * u64::from(pieces.tokens),
                            ..Usage::default()
                        },
                        slot: SlotAfter::Free,
                        prompt_digest: "0123456789abcdef".into(),
                        answer: None,
                    }),
                ));
            }
            Effect::Begin(Job::Probe(endpoint, _)) => {
                let report = ProbeReport { level: LevelSupport::None, ..ProbeReport::of(Health::Up) };
                inputs.push(Input::Job(JobId::Probe(endpoint), News::from(JobEnd::Probe(report))));
            }
            Effect::WakeAt(at) if at <= now => inputs.push(Input::Wake),
            _ => {}
        }
        for input in inputs {
            now = now.plus(Micros(900));
            let begun = Instant::now();
            let decision = o.handle(now, input);
            timed(begun.elapsed(), decision.records.len());
            decision.records.into_iter().for_each(&mut *sink);
            queue.extend(decision.effects);
        }
    }
}

/// 10,000 tasks of which 9,000 are ready behind what one of them has.
fn behind_claims(report: &mut Report, what: &str, claim: impl Fn(usize, &mut TaskSpec)) {
    let title = format!("orchestrator: one input at 10,000 tasks, 9,000 behind {what}, p99 less 2 µs an event");
    if !report.wants(&title) {
        return;
    }
    let opened = SessionOpened { wall_ms: 0, pid: 1, version: "bench".into(), host: "bench".into() };
    let started = SessionStarted { session: Name::slug("bench"), config: config() };
    let (mut o, first) = Orchestrator::start(started, opened);
    let mut queue: VecDeque<Effect> = first.effects.into();
    let agents = ["a", "b", "c", "d", "e"];
    let task = |i: usize| {
        let mut t = TaskSpec::new(Name::slug(&format!("t{i}")), Name::slug(agents[i % 5]), "do it");
        t.budget.tokens = Some(100 + (i * 7919 % 900) as u32);
        t
    };
    let plan = Plan { synthesis: Some(false), ..Plan::new("g", (0..1_000).map(task).collect()) };
    let envelope = |n: u32, command| {
        let (id, author, role) = (Name::slug(&format!("c{n}")), Author::Baton, Role::Control);
        Input::Command(CommandEnvelope { id, author, role, viewer: None, command })
    };
    let add =
        Command::AddGoal { text: "g".into(), plan: PlanSource::Given(Box::new(plan)), options: GoalOptions::default() };
    queue.extend(o.handle(Micros(1), envelope(1, add)).effects);
    // What grows at run time may clash: it is a claim then.
    let more = (1_000..10_000).map(|i| {
        let mut t = task(i);
        claim(i, &mut t);
        PlanEdit::Add(Box::new(t))
    });
    let if_revision = o.state().goals()[0].revision;
    let edit = Command::EditPlan { goal: GoalId(1), if_revision, edits: more.collect(), rerun: Vec::new() };
    queue.extend(o.handle(Micros(2), envelope(2, edit)).effects);
    let mut over: Vec<f64> = Vec::new();
    let mut timed =
        |took: std::time::Duration, events: usize| over.push(took.as_secs_f64() * 1e6 - 2.0 * events as f64);
    drive(&mut o, queue, Micros(3), SHORT, &mut timed, &mut |_| {});
    assert_eq!(o.state().progress(None).done, 10_000);
    over.sort_by(f64::total_cmp);
    println!("     {} inputs, worst {:.0} µs", over.len(), over[over.len() - 1]);
    report.at_most(&title, over[over.len() * 99 / 100].max(0.01), 20.0, "µs");
}

pub(crate) fn inputs_behind_claims(report: &mut Report) {
    let db = || vec![LockUse::exclusive(Name::slug("db"))];
    behind_claims(report, "one lock", |_, t| t.locks = db());
    behind_claims(report, "as many path sets that share one", |i, t| {
        t.owns = vec![format!("src/m{i}/**"), "Cargo.lock".into()];
    });
    // The first in line lacks a slot of a tier that others fill.
    behind_claims(report, "one lock, of five tiers", |i, t| {
        t.locks = db();
        t.priority = if i % 5 == 0 { Priority::High } else { Priority::Medium };
    });
}

pub(crate) fn inputs_at_ten_thousand_tasks(report: &mut Report) {
    if !report.wants("orchestrator: one input at 10,000 tasks") {
        return;
    }
    let mut over: Vec<f64> = Vec::new();
    run_through(SHORT, |took, events| over.push(took.as_secs_f64() * 1e6 - 2.0 * events as f64), |_| {});
    over.sort_by(f64::total_cmp);
    let p99 = over[over.len() * 99 / 100];
    report.at_most("orchestrator: one input at 10,000 tasks, p99 less 2 µs an event", p99.max(0.01), 20.0, "µs");

    let opened = SessionOpened { wall_ms: 0, pid: 1, version: "bench".into(), host: "bench".into() };
    let started = SessionStarted { session: Name::slug("bench"), config: config() };
    let (mut o, _) = Orchestrator::start(started, opened);
    let tasks = (0..10_000usize)
        .map(|i| {
            let mut t = TaskSpec::new(Name::slug(&format!("t{i}")), Name::slug("a"), "do it");
            t.needs = (i >= 100).then(|| Name::slug(&format!("t{}", i - 100))).into_iter().collect();
            t
        })
        .collect();
    let plan = Plan { synthesis: Some(false), ..Plan::new("g", tasks) };
    let envelope = |n: u32, command| {
        Input::Command(CommandEnvelope {
            id: Name::slug(&format!("c{n}")),
            author: Author::Baton,
            role: Role::Control,
            viewer: None,
            command,
        })
    };
    let add =
        Command::AddGoal { text: "g".into(), plan: PlanSource::Given(Box::new(plan)), options: GoalOptions::default() };
    o.handle(Micros(1), envelope(1, add));
    let mut spec = TaskSpec::new(Name::slug("new"), Name::slug("a"), "more");
    spec.needs = vec![Name::slug("t9999"), Name::slug("t5")];
    let edit = Command::EditPlan {
        goal: GoalId(1),
        if_revision: o.state().goals()[0].revision,
        edits: vec![PlanEdit::Add(Box::new(spec))],
        rerun: Vec::new(),
    };
    let begun = Instant::now();
    let decision = o.handle(Micros(2), envelope(2, edit));
    let took = begun.elapsed().as_secs_f64() * 1e3;
    assert!(decision.records.len() > 1);
    report.at_most("orchestrator: a plan edit at 10,000 tasks", took, 10.0, "ms");
}

pub(crate) fn replay(report: &mut Report) {
    if !report.wants("replay without drawing") {
        return;
    }
    // The hardest mix: each task with one short answer, seven records a task. The plan's own big records are left out of
    // the rate.
    let mut lines: Vec<String> = Vec::new();
    run_through(SHORT, |_, _| {}, |r| lines.push(serde_json::to_string(&*r).unwrap()));
    let small: Vec<&String> = lines.iter().filter(|l| l.len() < 2_000).collect();
    let bytes: usize = small.iter().map(|l| l.len() + 1).sum();
    let mut state = State::default();
    let (mut done, mut took) = (0usize, 0.0);
    // Whole runs of small records are timed, not each: reading the clock (CPU time: what else the machine does is not
    // counted) would cost as much as a record.
    for run in lines.chunk_by(|a, b| (a.len() < 2_000) == (b.len() < 2_000)) {
        let begun = clock();
        for line in run {
            state.apply(&Record::from_json(line).unwrap());
        }
        if run[0].len() < 2_000 {
            took += clock() - begun;
            done += run.len();
        }
    }
    report.at_least("replay without drawing, one short answer a task", done as f64 / took / 1e6, 1.0, "M rec/s");
    println!("     mean {} B a record", bytes / small.len());
    crate::journals::replay(report);
}
