//! Whole runs over HTTP against the simulated servers, durable journal included.

use std::sync::Arc;
use std::time::Duration;

use baton::domain::fleet::SessionConfig;
use baton::domain::plan::{Plan, TaskSpec};
use baton::domain::protocol::{Author, Command, Event, GoalOptions, Name, PlanSource, Record, Role};
use baton::domain::state::State;
use baton::engine::client::Client as _;
use baton::engine::host::{Engine, EngineOptions};

use crate::Report;
use crate::fleet::{Served, start};

/// A run's outcome.
pub(crate) struct Ran {
    /// First attempt's start to last attempt's end, seconds.
    pub(crate) makespan: f64,
    /// When the first attempt started, seconds of session time.
    pub(crate) first: f64,
    /// CPU time of this process over the run, seconds.
    cpu: f64,
    pub(crate) state: State,
}

pub(crate) fn spec(id: &str, agent: &str, needs: &[String], ms: f64, tokens: u32) -> TaskSpec {
    let prompt = format!("Work on {id}. [sim ms={ms:.3} tokens={tokens}]");
    let mut spec = TaskSpec::new(Name::slug(id), Name::slug(agent), prompt);
    spec.needs = needs.iter().map(|n| Name::slug(n)).collect();
    // The estimate is the length in tokens at 50 tokens a second; never less than the answer has, or it would be cut, and
    // one task be two requests.
    spec.budget.tokens = Some(((ms / 20.0).ceil() as u32).max(tokens));
    spec
}

fn cpu_seconds() -> f64 {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    usage.tv_sec as f64 + usage.tv_nsec as f64 / 1e9
}

/// Runs a plan to its end.
fn run(config: &SessionConfig, tasks: Vec<TaskSpec>) -> Ran {
    let tasks_given = tasks.len();
    let ran = run_with(config, tasks, |_| ()).0;
    assert_eq!(ran.state.attempts().len(), tasks_given, "every task once");
    ran
}

/// The same beside something that is begun before the plan is given, and still there when the engine has ended.
pub(crate) fn run_with<T>(config: &SessionConfig, tasks: Vec<TaskSpec>, beside: impl FnOnce(&Engine) -> T) -> (Ran, T) {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(EngineOptions {
        session: Name::slug("bench"),
        config: config.clone(),
        sessions: folder.path().to_path_buf(),
        host: "bench".into(),
        servers: None,
    })
    .unwrap();
    let mut client = engine.client(Author::Baton, Role::Control);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut state = State::default();
    let mut batch: Vec<Arc<Record>> = Vec::new();
    runtime.block_on(async {
        // Endpoints are probed first, so that probing is no part of the run.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let beside = beside(&engine);
        let before = cpu_seconds();
        let plan = Plan { synthesis: Some(false), ..Plan::new("bench", tasks) };
        let plan = PlanSource::Given(Box::new(plan));
        client.send(Command::AddGoal { text: "bench".into(), plan, options: GoalOptions::default() }).unwrap();
        let mut over = false;
        while !over && client.recv(&mut batch, 4_096).await {
            for record in batch.drain(..) {
                over |= matches!(record.event, Event::GoalEnded { .. });
                if let Event::CommandRefused { reason, .. } = &record.event {
                    panic!("{reason}");
                }
                state.apply(&record);
            }
        }
        let cpu = cpu_seconds() - before;
        engine.end().unwrap();
        while client.recv(&mut batch, 4_096).await {}
        batch.drain(..).for_each(|record| state.apply(&record));
        let attempts = state.attempts();
        assert!(state.tasks().iter().all(|t| t.is_done()), "every task done");
        let first = attempts.iter().map(|a| a.started_at).min().unwrap();
        let last = attempts.iter().map(|a| a.ended.as_ref().unwrap().0).max().unwrap();
        let (makespan, first) = (last.since(first).secs_f64(), first.secs_f64());
        (Ran { makespan, first, cpu, state }, beside)
    })
}

/// Sixty tasks of three tiers with heavy tails; the best schedule reaches the bound.
pub(crate) fn makespan_mixed(report: &mut Report) {
    if !report.wants("makespan: 60 mixed tasks") {
        return;
    }
    let tiers = [("a", 6u32), ("b", 2), ("c", 4)];
    let served: Served = start("a:6,b:2,c:4");
    let (mut tasks, mut bound) = (Vec::new(), 0f64);
    for (t, (tier, slots)) in tiers.iter().enumerate() {
        let (mut sum, mut longest) = (0.0, 0f64);
        for i in 0..20 {
            let ms = 300.0 + 60_000.0 / (i + t + 2 + *slots as usize) as f64;
            tasks.push(spec(&format!("{tier}{i}"), tier, &[], ms, 40));
            sum += ms;
            longest = longest.max(ms);
        }
        bound = bound.max((sum / f64::from(*slots)).max(longest) / 1e3);
    }
    tasks.reverse();
    let ran = run(&served.config, tasks);
    report.at_most("makespan: 60 mixed tasks, heavy tails, ÷ bound", ran.makespan / bound, 1.01, "");
    let busy = ran.state.totals.slot_us as f64 / 1e6;
    println!(
        "     {:.2} s, bound {bound:.2} s, {busy:.1} slot seconds, {} wide",
        ran.makespan, ran.state.totals.widest
    );
}

/// Two chains of eight behind a crowd of sixty-four of the same tier.
pub(crate) fn makespan_chains(report: &mut Report) {
    if !report.wants("makespan: two chains of 8 behind 64") {
        return;
    }
    let served = start("a:6");
    let length = |i: usize| 800.0 + (i * 7919 % 400) as f64;
    let mut tasks: Vec<TaskSpec> = (0..64).map(|i| spec(&format!("crowd{i}"), "a", &[], length(i), 20)).collect();
    let mut chain_longest = 0f64;
    for (c, chain) in ["x", "y"].iter().enumerate() {
        let mut sum = 0.0;
        for i in 0..8 {
            let needs: Vec<String> = (i > 0).then(|| format!("{chain}{}", i - 1)).into_iter().collect();
            let ms = length(64 + c * 8 + i);
            sum += ms;
            let mut task = spec(&format!("{chain}{i}"), "a", &needs, ms, 20);
            task.budget.tokens = Some(50);
            tasks.push(task);
        }
        chain_longest = chain_longest.max(sum);
    }
    for task in &mut tasks {
        // Nobody tells the lengths: the same budget for all.
        task.budget.tokens = Some(50);
    }
    let all: f64 = (0..80).map(length).sum();
    let oracle = (all / 6.0).max(chain_longest) / 1e3;
    let ran = run(&served.config, tasks);
    report.at_most("makespan: two chains of 8 behind 64 ÷ oracle's bound", ran.makespan / oracle, 1.05, "");
}

/// 2,000 tasks of 5–11 ms in a DAG 40 deep over five endpoints.
pub(crate) fn many_small_tasks(report: &mut Report) {
    if !report.wants("2,000 small tasks") {
        return;
    }
    let served = start("a:6,b:2,c:4,d:4,e:4");
    let tiers = [("a", 6usize), ("b", 2), ("c", 4), ("d", 4), ("e", 4)];
    let mut tasks = Vec::new();
    let mut work = [0f64; 5];
    let mut previous: Vec<String> = Vec::new();
    for layer in 0..40 {
        let mut names = Vec::new();
        let mut of_tier = [0usize; 5];
        for i in 0..50 {
            // As many tasks a tier as it has slots: 15, 5, 10, 10, 10 of 50.
            let t = [0, 0, 0, 1, 2, 2, 3, 3, 4, 4][i % 10];
            let ms = 5.0 + ((layer * 50 + i) * 7919 % 600) as f64 / 100.0;
            let id = format!("l{layer}-{i}");
            // Each needs two of the layer before: deep, but not a barrier.
            let needs: Vec<String> = if previous.is_empty() {
                Vec::new()
            } else {
                vec![previous[i].clone(), previous[(i + 1) % 50].clone()]
            };
            // More than one word of so short an answer would be a pace no model has.
            tasks.push(spec(&id, tiers[t].0, &needs, ms, 1));
            work[t] += ms;
            of_tier[t] += 1;
            names.push(id);
        }
        previous = names;
    }
    let bound = tiers.iter().zip(work).map(|((_, slots), w)| w / *slots as f64).fold(0.0, f64::max) / 1e3;
    let n = tasks.len() as f64;
    let ran = run(&served.config, tasks);
    report.at_most("2,000 small tasks: makespan ÷ bound", ran.makespan / bound, 1.10, "");
    report.at_most("2,000 small tasks: own CPU a task, journal included", ran.cpu * 1e3 / n, 0.10, "ms");
    println!("     {:.2} s, bound {bound:.2} s, {} records", ran.makespan, ran.state.seq);
}
