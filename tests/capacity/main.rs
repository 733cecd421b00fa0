//! What endpoints really serve, end to end: the real engine against simulated servers that lie about their slots, slow
//! down, die and return, or are shared with another client. Each is found and named in the journal, every task ends
//! done, and the plan takes little longer than somebody would need who knew it all before.
//!
//! Times are the journal's. The load of the machine must not decide, so requests take far longer than anything else here
//! and the limit leaves room; `cargo bench -- capacity` measures the same strictly. The scenarios run side by side: most
//! of the time all of them wait.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]

mod scenarios;

use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use baton::domain::plan::Plan;
use baton::domain::protocol::{
    Author, Command, Event, Finding, GoalOptions, Health, Micros, Name, PlanSource, Record, Role,
};
use baton::domain::state::State;
use baton::engine::client::Client;
use baton::engine::host::{Engine, EngineOptions};
use baton::engine::simulator::{SimStats, Simulator, SimulatorConfig};

use scenarios::{SCENARIOS, Scenario};

/// How much longer than the best possible a plan may take here.
const LIMIT: f64 = 1.3;

/// What came of a scenario.
struct Ran {
    scenario: Scenario,
    state: State,
    records: Vec<Arc<Record>>,
    stats: Vec<SimStats>,
    /// When the session began, counted from the simulator's start, in seconds.
    began: f64,
}

static RUNS: LazyLock<Vec<Ran>> = LazyLock::new(|| {
    std::thread::scope(|scope| {
        let threads: Vec<_> = SCENARIOS.iter().map(|scenario| scope.spawn(|| run(*scenario))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
});

fn ran(name: &str) -> &'static Ran {
    RUNS.iter().find(|ran| ran.scenario.name == name).unwrap()
}

/// Runs a plan to its end.
fn run(scenario: Scenario) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let endpoints = scenario.servers.iter().map(|server| server.simulated()).collect();
    let born = Instant::now();
    let simulator = runtime.block_on(Simulator::start(SimulatorConfig { seed: 1, speed: 1.0, endpoints })).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let began = born.elapsed().as_secs_f64();
    let engine = Engine::start(EngineOptions {
        session: Name::slug("test"),
        config: scenario.config(simulator.endpoints()),
        sessions: folder.path().to_path_buf(),
        host: "test".into(),
        servers: None,
    })
    .unwrap();
    // What starts beside it, and the first probes, are no part of what a first request takes.
    std::thread::sleep(Duration::from_millis(800));
    let mut client = engine.client(Author::Person("tester".into()), Role::Control);
    let tasks = scenario.tasks();
    let plan = Plan { synthesis: Some(false), ..Plan::new("test", tasks) };
    let plan = PlanSource::Given(Box::new(plan));
    client.send(Command::AddGoal { text: "test".into(), plan, options: GoalOptions::default() }).unwrap();
    let (mut state, mut records, mut batch) = (State::default(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let mut over = false;
        while !over && client.recv(&mut batch, 64).await {
            for record in batch.drain(..) {
                state.apply(&record);
                over |= matches!(record.event, Event::GoalEnded { .. });
                records.push(record);
            }
        }
    });
    let stats = simulator.stats();
    engine.end().unwrap();
    Ran { scenario, state, records, stats, began }
}

impl Ran {
    /// How much longer the plan took than the best possible.
    fn ratio(&self) -> f64 {
        let attempts = self.state.attempts();
        let first = attempts.iter().map(|a| a.started_at).min().unwrap().secs_f64();
        let last = attempts.iter().filter_map(|a| a.ended.as_ref()).map(|(at, _)| *at).max().unwrap().secs_f64();
        (last - first) / self.scenario.best(first + self.began)
    }

    /// What was found, of whom, and its place among the records.
    fn found(&self) -> impl Iterator<Item = (&str, Finding, usize)> {
        self.records.iter().enumerate().filter_map(|(place, record)| match &record.event {
            Event::EndpointFound(found) => Some((found.endpoint.as_str(), found.finding, place)),
            _ => None,
        })
    }

    /// The place of the first finding that fits.
    fn first(&self, fits: impl Fn(&Finding) -> bool) -> usize {
        let found = self.found().find(|(_, finding, _)| fits(finding));
        found.map(|(.., place)| place).unwrap_or_else(|| panic!("not found: {self}"))
    }

    /// Requests of an endpoint that were over before the record of that place.
    fn ended(&self, endpoint: &str, place: usize) -> usize {
        let there = |event: &Event| {
            let Event::TurnEnded(ended) = event else { return false };
            let attempt = self.state.attempt(ended.turn.attempt).unwrap();
            self.state.place_of(attempt).unwrap().config.name.as_str() == endpoint
        };
        self.records[..place].iter().filter(|record| there(&record.event)).count()
    }

    /// How many requests an endpoint had, its draining ones included, each time one more was sent to it within these
    /// places among the records.
    fn wide(&self, endpoint: &str, places: Range<usize>) -> Vec<u32> {
        let mut state = State::default();
        let mut wide = Vec::new();
        for (i, record) in self.records.iter().enumerate().take(places.end) {
            state.apply(record);
            let Event::TurnStarted(started) = &record.event else { continue };
            let e = state.place_of(state.attempt(started.turn.attempt).unwrap()).unwrap();
            if i >= places.start && e.config.name.as_str() == endpoint {
                wide.push(state.pool(e.pool).busy());
            }
        }
        wide
    }

    /// The place of the last record.
    fn end(&self) -> usize {
        self.records.len()
    }

    /// The place of the first record from `start` on by which an endpoint is so.
    fn health(&self, endpoint: &str, start: usize, is: impl Fn(&Health) -> bool) -> usize {
        let fits = |record: &Arc<Record>| match &record.event {
            Event::EndpointChanged(changed) => changed.endpoint.as_str() == endpoint && is(&changed.health),
            _ => false,
        };
        start + self.records[start..].iter().position(fits).unwrap_or_else(|| panic!("never so: {self}"))
    }

    /// Which tasks an endpoint was given within these places among the records.
    fn given(&self, endpoint: &str, places: Range<usize>) -> Vec<String> {
        let given = self.records[places].iter().filter_map(|record| match &record.event {
            Event::AttemptStarted(a) if a.endpoint.as_str() == endpoint => Some(a.task.to_string()),
            _ => None,
        });
        given.collect()
    }

    /// What holds in every scenario: all is done in good time, and only the first server is found to be something else.
    fn check(&self) {
        for task in self.state.tasks() {
            assert!(task.is_done(), "{}: {}\n{self}", task.id, task.reason);
        }
        let odd = self.scenario.servers[0].name;
        assert!(self.found().all(|(name, ..)| name == odd), "{self}");
        assert!(self.ratio() <= LIMIT, "{self}");
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {:.3} of the best possible", self.scenario.name, self.ratio())?;
        for record in &self.records {
            let at = record.at.secs_f64();
            match &record.event {
                Event::EndpointFound(found) => writeln!(f, "  {at:.2} {} {}", found.endpoint, found.finding)?,
                Event::EndpointChanged(c) => {
                    writeln!(f, "  {at:.2} {} {:?}, others {}", c.endpoint, c.health, c.others)?;
                }
                _ => {}
            }
        }
        for (attempt, endpoint) in self.state.by_models() {
            for turn in attempt.turns() {
                let after = |at: Option<Micros>| at.map_or(0.0, |at| at.since(turn.started_at).secs_f64());
                let (first, end) = (after(turn.first_token_at), after(turn.ended.as_ref().map(|(at, _)| *at)));
                let (at, name) = (turn.started_at.secs_f64(), &self.state.endpoint(endpoint).config.name);
                writeln!(f, "  {at:.3} {} to {name}, first token after {first:.3}, end after {end:.3}", attempt.id)?;
            }
        }
        self.stats.iter().try_for_each(|s| {
            let SimStats { name, requests, cancelled, max_in_flight, max_queued, .. } = s;
            writeln!(
                f,
                "  {name}: {requests} requests, {cancelled} cancelled, {max_in_flight} at once, {max_queued} waited"
            )
        })
    }
}

/// A server that claims 4 slots and serves 1 is found within a few tasks, and has no more than one too many from then on:
/// one at a time is tried now and then, as it may have got better.
fn check_liar(name: &str) {
    let ran = ran(name);
    ran.check();
    let found = ran.first(|finding| matches!(finding, Finding::Serves { slots: 1, claims: 4 }));
    assert!(ran.ended("liar", found) <= 6, "{ran}");
    let wide = ran.wide("liar", found..ran.end());
    assert!(wide.iter().all(|n| *n <= 2), "{wide:?} {ran}");
    assert!(wide.iter().filter(|n| **n > 1).count() * 4 <= wide.len(), "{wide:?} {ran}");
}

#[test]
fn a_server_that_serves_less_than_it_claims_is_found_and_given_no_more() {
    check_liar("a liar alone");
}

#[test]
fn where_a_server_tells_nothing_of_its_slots_the_fleet_files_claim_is_found_out() {
    check_liar("a liar that tells nothing of its slots");
}

#[test]
fn beside_an_honest_server_a_liar_keeps_no_chain_waiting() {
    check_liar("a liar beside an honest one");
}

#[test]
fn that_prompts_wait_for_each_other_is_no_lie() {
    let ran = ran("one that reads prompts one after another");
    ran.check();
    assert_eq!(ran.found().count(), 0, "{ran}");
}

#[test]
fn a_server_that_slows_down_for_good_holds_nothing_up() {
    let ran = ran("one that slows down for good");
    ran.check();
    ran.first(|f| matches!(f, Finding::Slowed { .. }));
}

#[test]
fn a_server_that_slows_down_is_found_and_that_it_is_as_fast_as_before_too() {
    let ran = ran("one that slows down for a while");
    ran.check();
    let slowed = ran.first(|f| matches!(f, Finding::Slowed { .. }));
    let quickened = ran.first(|f| matches!(f, Finding::Quickened { .. }));
    assert!(slowed < quickened, "{ran}");
    // It is used the less for it.
    let given = |name: &str| ran.given(name, slowed..quickened).len();
    assert!(given("tired") * 2 <= given("fresh"), "{ran}");
}

#[test]
fn a_server_that_dies_and_returns_is_used_again() {
    let ran = ran("one that dies and returns");
    ran.check();
    let down = ran.health("mortal", 0, |health| matches!(health, Health::Down { .. }));
    let up = ran.health("mortal", down, |health| *health == Health::Up);
    assert_eq!(ran.given("mortal", down..up), [""; 0], "{ran}");
    // One request tries it; once it gives a sign, all its slots are used.
    let wide = ran.wide("mortal", up..ran.end());
    assert_eq!((wide.first(), wide.iter().max()), (Some(&1), Some(&4)), "{wide:?} {ran}");
    assert!(wide.len() >= 20, "{wide:?} {ran}");
    // What it was at when it died ran again, and what was sent before that was known; nothing else did.
    let again = ran.state.tasks().iter().filter(|task| task.attempts.len() > 1).count();
    assert!((1..=8).contains(&again), "{again} {ran}");
}

#[test]
fn a_server_that_another_client_uses_is_left_what_the_other_needs() {
    let ran = ran("one shared with another client");
    ran.check();
    let shared = ran.first(|f| matches!(f, Finding::Shared { others: 2 }));
    let alone = ran.first(|f| matches!(f, Finding::Alone));
    assert!(shared < alone, "{ran}");
    let wide = ran.wide("shared", shared..alone);
    assert!(wide.iter().all(|n| *n <= 2), "{wide:?} {ran}");
    assert!(ran.wide("shared", alone..ran.end()).contains(&4), "{ran}");
}

#[test]
fn the_best_possible_is_reckoned_right() {
    use scenarios::{Server, WORK};
    let best = |slots, faults, crowd: usize, start| {
        let server = Server { name: "x", protocol: baton::domain::fleet::Protocol::LlamaCpp, slots, faults };
        Scenario { name: "", servers: Box::leak(Box::new([server])), chain: 2, crowd: crowd - 2 }.best(start)
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
    near(best(2, "", 5, 0.0), 3.0 * WORK);
    near(best(9, "", 5, 0.0), 2.0 * WORK);
    near(best(1, "claims=4", 5, 3.0), 5.0 * WORK);
    // One of two slots is taken from the second task on, and free again when the other slot has done two and a half.
    near(best(2, "others=1@100ms-2500ms", 5, 0.0), 2.5 + WORK);
    // Nothing may run into the death, which leaves half a task's time unused.
    near(best(1, "die=1500ms,back=1s", 3, 0.0), 2.5 + 2.0 * WORK);
    near(best(1, "slowdown=500ms:2:1s", 2, 0.0), 2.0 * WORK + 0.25);
}
