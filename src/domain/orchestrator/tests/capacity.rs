//! What servers really serve: those that claim more than they have, slow down, go away and come back, or serve others too,
//! are found, named, and used for what they are worth; honest ones are left alone.

use super::queueing::{Reads, Server, Tells};
use super::world::{World, agent, endpoint, plan, task};
use crate::domain::fleet::{Fleet, SessionConfig};
use crate::domain::orchestrator::StartTurn;
use crate::domain::protocol::{Event, Finding, Micros, Outcome};
use crate::domain::state::{EndpointIx, GoalPhase};

/// Endpoints of one tier, each with its claimed slots.
fn fleet(endpoints: &[(&str, u32)]) -> SessionConfig {
    let fleet = Fleet {
        name: "t".into(),
        endpoints: endpoints.iter().map(|(name, slots)| endpoint(name, "main", *slots, 50.0)).collect(),
        agents: vec![agent("researcher", "main", None), agent("summarizer", "main", None)],
    };
    SessionConfig { fleet, seed: 1, ..SessionConfig::default() }
}

fn world(servers: Vec<(&str, u32, Server)>) -> World {
    let claims: Vec<(&str, u32)> = servers.iter().map(|(name, claims, _)| (*name, *claims)).collect();
    let mut world = World::new(fleet(&claims));
    for (name, _, server) in servers {
        world.servers.insert(name.to_owned(), server);
    }
    world
}

/// Answers of 200 to 400 tokens: four to eight seconds each.
fn tasks(n: u32) -> Vec<crate::domain::plan::TaskSpec> {
    (0..n).map(|i| task(&format!("t{i:03}"), &[], 200 + i * 67 % 200)).collect()
}

fn findings(world: &World) -> Vec<(f64, String, Finding)> {
    let found = |r: &std::sync::Arc<crate::domain::protocol::Record>| match &r.event {
        Event::EndpointFound(found) => Some((r.at.secs_f64(), found.endpoint.to_string(), found.finding)),
        _ => None,
    };
    world.records.iter().filter_map(found).collect()
}

/// Runs a plan to its end and returns the makespan over the bound that `slots` true slots set.
fn ratio(world: &mut World, n: u32, slots: f64) -> f64 {
    let specs = tasks(n);
    let tokens: u32 = specs.iter().map(|t| t.budget.tokens.unwrap()).sum();
    let bound = (f64::from(tokens) / 50.0 + f64::from(n) * 0.2) / slots;
    world.add(plan(specs)).unwrap();
    world.run(100_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
    world.makespan() / bound
}

/// Tasks that had ended when it was found.
fn ended_before(world: &World, at: f64) -> usize {
    world.state().tasks().iter().filter(|t| t.ended_at.is_some_and(|e| e.secs_f64() < at)).count()
}

#[test]
fn a_server_that_claims_more_slots_than_it_has_is_found_and_named_within_a_few_tasks() {
    for tells in [Tells::Reading, Tells::Nothing] {
        for (serves, claims) in [(1, 4), (2, 4), (1, 2), (3, 8), (5, 6)] {
            let mut world = world(vec![("liar", claims, Server { tells, ..Server::of(serves) })]);
            let ratio = ratio(&mut world, 48, f64::from(serves));
            let found = findings(&world);
            let first = found.first().unwrap_or_else(|| panic!("{serves} of {claims}, {tells:?}: not found"));
            assert_eq!(first.2, Finding::Serves { slots: serves, claims }, "{tells:?}: {found:?}");
            let ended = ended_before(&world, first.0);
            assert!(ended <= 6 + serves as usize * 5, "{serves} of {claims}, {tells:?}: found after {ended} tasks");
            assert!(ratio <= 1.10, "{serves} of {claims}, {tells:?}: makespan is {ratio:.3} of the bound");
            assert_eq!(world.state().measured(EndpointIx(0)), Some(serves));
            let used = world.state().utilisation(world.now).unwrap();
            assert!((0.0..=1.0).contains(&used), "{used} of what it has: those that waited inside took no slot");
            let faster = world.state().speed_up(world.now).unwrap();
            assert!(faster <= serves as f32 + 0.01, "×{faster} on {serves} slots: what waited inside was no work");
            assert_eq!(world.state().slots_missing(), Some((serves, claims)));
            let words = world.state().standing_words(EndpointIx(0), world.now).unwrap();
            assert!(words.contains(&format!("claims {claims} slots and serves {serves} at once")), "{words}");
        }
    }
}

#[test]
fn a_first_request_that_waits_for_the_model_to_load_hides_no_liar() {
    // Where no reading is told, the load is taken for reading, and the liar is not found: a known gap.
    let tells = Tells::Reading;
    for (serves, claims) in [(1, 4), (2, 4), (3, 8)] {
        let named = |load: u64| {
            let mut world = world(vec![("liar", claims, Server { tells, load, ..Server::of(serves) })]);
            world.add(plan(tasks(48))).unwrap();
            world.run(100_000);
            world.assert_fold();
            let found = findings(&world);
            let first = found.first().unwrap_or_else(|| panic!("{serves} of {claims}, {load}: not found"));
            assert_eq!(first.2, Finding::Serves { slots: serves, claims }, "{load}: {found:?}");
            ended_before(&world, first.0)
        };
        let warm = named(0);
        // Prompts are read in 0.2 s: the first sign takes five and ten times as long, and as with a large model.
        for load in [800_000, 1_800_000, 9_000_000, 40_000_000] {
            let ended = named(load);
            // Those of the first round waited for the load for most of their time, and prove nothing.
            let late = format!("{serves} of {claims}: after {ended} tasks, else {warm} (load {load})");
            assert!(ended <= warm + claims as usize + 6, "{late}");
        }
    }
}

#[test]
fn a_liar_beside_an_honest_server_costs_the_plan_nothing() {
    for tells in [Tells::Reading, Tells::Nothing] {
        for n in [40, 60] {
            let liar = Server { tells, ..Server::of(1) };
            let honest = Server { tells, ..Server::of(4) };
            let mut world = world(vec![("liar", 4, liar), ("honest", 4, honest)]);
            let ratio = ratio(&mut world, n, 5.0);
            let found = findings(&world);
            assert!(found.iter().all(|(_, who, _)| who == "liar"), "{found:?}");
            assert!(ratio <= 1.10, "{n} tasks, {tells:?}: makespan is {ratio:.3} of the bound: {found:?}");
        }
    }
}

#[test]
fn what_waits_in_a_queue_goes_to_a_free_slot_before_the_liar_is_known() {
    // Eight tasks: the honest server has done its four when the liar begins its second.
    let mut world = world(vec![("liar", 4, Server::of(1)), ("honest", 4, Server::of(4))]);
    let specs = (0..8).map(|i| task(&format!("t{i}"), &[], 250)).collect();
    world.add(plan(specs)).unwrap();
    world.run(10_000);
    // Two rounds of 5.2 s.
    assert!(world.makespan() <= 11.0, "took {}", world.makespan());
    let state = world.state();
    assert!(state.tasks().iter().all(|t| t.failures == 0 && t.attempts.len() <= 2), "a move is no failure");
    world.assert_fold();
}

#[test]
fn a_belief_is_tried_again_and_rises_with_what_the_server_really_does() {
    // It serves one until it is started anew with three of its four slots, and later with all.
    let serves = |at: Micros| match at.0 / 1_000_000 {
        0..60 => 1,
        60..400 => 3,
        _ => 4,
    };
    let server = Server { serves: Box::new(serves), ..Server::of(1) };
    let mut world = world(vec![("a", 4, server)]);
    world.add(plan(tasks(400))).unwrap();
    world.run(100_000);
    let found: Vec<Finding> = findings(&world).into_iter().map(|(_, _, f)| f).collect();
    let serves = |slots| Finding::Serves { slots, claims: 4 };
    assert_eq!(found, [serves(1), serves(2), serves(3), Finding::ServesAll], "{:?}", findings(&world));
    assert_eq!(world.state().measured(EndpointIx(0)), None);
    // Trials that fail take a task back, and not often.
    let moved = world.state().attempts().len() - 400;
    assert!(moved <= 16, "{moved} tasks were taken back");
    world.assert_fold();
}

#[test]
fn slots_that_others_use_are_left_alone_and_used_again_when_they_are_free() {
    let others = |at: Micros| if (20..60).contains(&(at.0 / 1_000_000)) { 3 } else { 0 };
    let shared = Server { others: Box::new(others), ..Server::of(4) };
    let mut world = world(vec![("shared", 4, shared), ("own", 2, Server::of(2))]);
    world.room_at("shared", &[20, 60]);
    world.add(plan(tasks(100))).unwrap();
    world.run_until(Micros::from_secs(40));
    let why = (0..100).find_map(|i| {
        world
            .state()
            .admit(crate::domain::state::TaskIx(i), world.now)
            .err()
            .filter(|w| w.to_string().contains("slots"))
    });
    assert!(why.as_ref().is_some_and(|w| w.to_string().contains("3 more are used by another client")), "{why:?}");
    let words = world.state().standing_words(EndpointIx(0), world.now).unwrap();
    assert!(words.contains("another client uses 3"), "{words}");
    world.run(100_000);
    let found: Vec<Finding> = findings(&world).into_iter().map(|(_, _, f)| f).collect();
    assert_eq!(found, [Finding::Shared { others: 3 }, Finding::Alone], "{:?}", findings(&world));
    // 40 s with 3 slots fewer.
    let tokens: u32 = tasks(100).iter().map(|t| t.budget.tokens.unwrap()).sum();
    let bound = (f64::from(tokens) / 50.0 + 20.0 + 120.0) / 6.0;
    assert!(world.makespan() <= bound * 1.10, "{} of {bound}", world.makespan());
    let gaps = world.looks.windows(2).map(|w| w[1].0.since(w[0].0));
    assert!(gaps.min().unwrap() >= Micros::from_secs(2), "{:?}", world.looks);
    assert!(world.looks.len() <= 20, "{:?}", world.looks);
    world.assert_fold();
}

#[test]
fn nobody_is_looked_for_while_nothing_waits_or_nothing_runs() {
    let mut world = world(vec![("a", 4, Server::of(4))]);
    world.add(plan(tasks(40))).unwrap();
    world.run(100_000);
    world.run_until(Micros::from_secs(600));
    assert_eq!(world.looks, []);
}

#[test]
fn a_server_that_slows_down_is_named_and_used_less_until_it_is_as_fast_as_before() {
    let speed = |at: Micros, _| if (30..90).contains(&(at.0 / 1_000_000)) { 10.0 } else { 50.0 };
    let slow = Server { speed: Box::new(speed), ..Server::of(4) };
    let mut world = world(vec![("slow", 4, slow), ("quick", 4, Server::of(4))]);
    world.add(plan(tasks(200))).unwrap();
    world.run(100_000);
    let found: Vec<(String, Finding)> = findings(&world).into_iter().map(|(_, who, f)| (who, f)).collect();
    assert!(
        matches!(&found[..], [(a, Finding::Slowed { usual, now }), (b, Finding::Quickened { .. })]
            if a == "slow" && b == "slow" && *usual > 45.0 && *now < 11.0),
        "{found:?}"
    );
    world.assert_fold();
    // 200 tasks of 6.2 s on 8 slots, four of which do a fifth for 60 s.
    let tokens: u32 = tasks(200).iter().map(|t| t.budget.tokens.unwrap()).sum();
    let bound = (f64::from(tokens) / 50.0 + 40.0 + 4.0 * 48.0) / 8.0;
    assert!(world.makespan() <= bound * 1.10, "{} of {bound}", world.makespan());
}

#[test]
fn a_slow_endpoint_gets_a_task_only_when_the_quick_one_of_its_tier_is_full() {
    let speed = |at: Micros, _| if at.0 >= 20_000_000 { 10.0 } else { 50.0 };
    let slow = Server { speed: Box::new(speed), ..Server::of(4) };
    let mut world = world(vec![("slow", 4, slow), ("quick", 4, Server::of(4))]);
    world.add(plan(tasks(40))).unwrap();
    world.run(100_000);
    assert!(matches!(findings(&world)[..], [(_, _, Finding::Slowed { .. })]));
    let words = world.state().standing_words(EndpointIx(0), world.now).unwrap();
    assert!(words.contains("slow: 10 tokens a second a slot, usually 50"), "{words}");
    let before = world.state().attempts().len();
    world.add(plan(tasks(4))).unwrap();
    world.run(10_000);
    assert!(world.state().attempts()[before..].iter().all(|a| a.endpoint() == Some(EndpointIx(1))));
}

#[test]
fn a_server_shares_its_speed_among_many_and_is_not_slow_for_that() {
    // One is at work for the first nine seconds, then eight.
    let speed = |at: Micros, _| if at.0 < 8_700_000 { 80.0 } else { 10.0 };
    let server = || Server { speed: Box::new(speed), ..Server::of(8) };
    let mut world = world(vec![("a", 8, server())]);
    // One at a time first, then eight at once, then few again.
    let mut specs: Vec<_> = (0..6).map(|i| task(&format!("one{i}"), &[], 100)).collect();
    for i in 1..6 {
        specs[i].needs = vec![specs[i - 1].id.clone()];
    }
    let last = specs[5].id.clone();
    specs.extend((0..40).map(|i| {
        let mut spec = task(&format!("many{i}"), &[], 100 + i * 7);
        spec.needs = vec![last.clone()];
        spec
    }));
    world.add(plan(specs)).unwrap();
    world.run(100_000);
    assert_eq!(findings(&world), []);
}

#[test]
fn a_server_that_dies_and_returns_is_tried_with_one_request_and_then_used_fully() {
    let mut world = world(vec![("a", 4, Server::of(4)), ("b", 4, Server::of(4))]);
    world.add(plan(tasks(120))).unwrap();
    world.run_until(Micros::from_secs(20));
    world.kill("a");
    world.run_until(Micros::from_secs(40));
    assert!(world.live.values().all(|s| s.endpoint.as_str() == "b"));
    let words = world.state().standing_words(EndpointIx(0), world.now).unwrap();
    assert!(words.contains("down") && words.contains("probed again in"), "{words}");
    world.down.clear();
    let mut most_on_trial = 0;
    while world.live.values().filter(|s| s.endpoint.as_str() == "a").count() < 4 {
        let e = world.state().endpoint(EndpointIx(0));
        if e.answers() && e.trust == crate::domain::state::Trust::Trial {
            most_on_trial = most_on_trial.max(world.live.values().filter(|s| s.endpoint.as_str() == "a").count());
        }
        assert!(world.step() && world.now < Micros::from_secs(80), "it is not used again");
    }
    assert_eq!(most_on_trial, 1);
    world.run(100_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert_eq!(findings(&world), [], "that it was down and is up says enough");
    world.assert_fold();
    let tokens: u32 = tasks(120).iter().map(|t| t.budget.tokens.unwrap()).sum();
    // Down for 20 s, and found up after half as long again at most.
    let bound = (f64::from(tokens) / 50.0 + 24.0 + 4.0 * 20.0) / 8.0;
    assert!(world.makespan() <= bound * 1.10, "{} of {bound}", world.makespan());
}

#[test]
fn requests_that_fail_one_after_another_though_probes_say_up_give_the_server_a_rest_that_doubles() {
    let mut world = world(vec![("bad", 2, Server::of(2)), ("good", 2, Server::of(2))]);
    let until = 40.0;
    let clock = std::rc::Rc::new(std::cell::Cell::new(0.0));
    let now = clock.clone();
    world.fate = Box::new(move |t: &StartTurn, _| {
        if t.endpoint.as_str() == "bad" && now.get() < until {
            Err(super::world::failure(
                crate::domain::protocol::FailureKind::Server,
                crate::domain::protocol::Remedy::Elsewhere,
            ))
        } else {
            Ok(())
        }
    });
    // Many tries, so that failing costs no task its end.
    world.add(plan(tasks(80))).unwrap();
    while world.state().goals()[0].open > 0 {
        clock.set(world.now.secs_f64());
        assert!(world.step());
    }
    let found = findings(&world);
    let failing: Vec<f64> =
        found.iter().filter(|(_, _, f)| matches!(f, Finding::Failing { .. })).map(|(at, ..)| *at).collect();
    assert!(failing.len() >= 3, "{found:?}");
    let gaps: Vec<f64> = failing.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.windows(2).all(|w| w[1] > w[0] - 4.0), "each rest is longer, but for the length of a task: {gaps:?}");
    assert!(found.iter().any(|(_, who, f)| who == "bad" && *f == Finding::Recovered), "{found:?}");
    assert!(world.state().tasks().iter().all(|t| t.is_done()), "no task failed for it");
    let after = world
        .state()
        .attempts()
        .iter()
        .filter(|a| {
            a.endpoint() == Some(EndpointIx(0)) && a.ended.as_ref().is_some_and(|(at, _)| at.secs_f64() > 100.0)
        })
        .count();
    assert!(after > 4, "it is used again");
    world.assert_fold();
}

#[test]
fn an_endpoint_that_runs_empty_ends_what_runs_and_takes_nothing_new() {
    use crate::domain::protocol::Command;
    use crate::domain::state::{IdleWhy, TaskIx, Why};
    let mut world = world(vec![("a", 2, Server::of(2)), ("b", 2, Server::of(2))]);
    world.add(plan(tasks(24))).unwrap();
    world.run_until(Micros::from_secs(10));
    let name = world.state().endpoint(EndpointIx(0)).config.name.clone();
    let running: Vec<_> = world.live.values().filter(|s| s.endpoint == name).map(|s| s.task.clone()).collect();
    let before = world.state().attempts().len();
    world.command(Command::Drain(name.clone())).unwrap();
    assert_eq!(world.live.values().filter(|s| s.endpoint == name).count(), 2, "what runs goes on");
    let words = world.state().standing_words(EndpointIx(0), world.now).unwrap();
    assert!(words.contains("runs empty as you asked, 2 to end"), "{words}");
    world.run_until(Micros::from_secs(30));
    assert!(running.iter().all(|t| world.state().task_by_id(t).unwrap().is_done()));
    assert!(world.state().attempts()[before..].iter().all(|a| a.endpoint() == Some(EndpointIx(1))));
    assert_eq!(world.state().idle_why(EndpointIx(0), world.now), Some(IdleWhy::Draining));
    // With the other one drained too, what is left waits and says for what.
    let other = world.state().endpoint(EndpointIx(1)).config.name.clone();
    world.command(Command::Drain(other)).unwrap();
    world.run_until(Micros::from_secs(60));
    assert!(world.live.is_empty());
    let open = (0..24).map(TaskIx).find(|i| !world.state().task(*i).has_ended()).unwrap();
    assert!(matches!(world.state().admit(open, world.now), Err(Why::Draining { .. })));
    world.command(Command::Undrain(name)).unwrap();
    world.run(10_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn a_conversation_moves_on_when_its_endpoint_runs_empty_and_a_drained_tier_is_not_down() {
    use crate::domain::protocol::{Command, Route};
    use crate::domain::state::Why;
    let mut world = world(vec![("a", 1, Server::of(1)), ("b", 1, Server::of(1))]);
    world.add(plan(vec![task("talk", &[], 100)])).unwrap();
    world.run_until(Micros::from_secs(1));
    let id = world.state().tasks()[0].id.clone();
    world.command(Command::Message { task: id, text: "shorter".into() }).unwrap();
    let first = world.state().attempts()[0].endpoint().unwrap();
    let name = world.state().endpoint(first).config.name.clone();
    world.command(Command::Drain(name)).unwrap();
    world.run(1_000);
    let attempts = world.state().attempts();
    assert_eq!(attempts.len(), 2);
    assert_ne!(attempts[1].endpoint(), Some(first));
    assert!(world.state().tasks()[0].is_done());

    // The lesser model of the fallback tier is for when the first does not answer.
    let mut world = World::new(super::world::config());
    let mut deep = task("deep", &[], 50);
    deep.agent = super::world::name("reasoner");
    world.command(Command::Drain(super::world::name("c"))).unwrap();
    world.add(plan(vec![deep])).unwrap();
    let why = world.state().admit(crate::domain::state::TaskIx(0), world.now);
    assert!(matches!(why, Err(Why::Draining { .. })), "{why:?}");
    world.down = vec!["c".into()];
    world.command(Command::Probe(None)).unwrap();
    world.run(100);
    assert_eq!(world.state().attempts()[0].route(), Some(Route::Fallback));
}

/// Numbers that follow from a seed.
fn dice(seed: u64, text: &str) -> u64 {
    let h = text.bytes().fold(seed | 1, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (h ^ (h >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16
}

fn honest(seed: u64, slots: u32, reads: Reads, tells: Tells) -> Server {
    // Prompts from 20 ms to 2, 8 or 30 s; speeds that halve as more are at work.
    let longest = [2_000, 8_000, 30_000][(seed % 3) as usize];
    let alone = 10.0 + (seed >> 8 & 127) as f64;
    let uniform = seed >> 20 & 3 == 0;
    Server {
        reads,
        tells,
        prompt: Box::new(move |t| {
            let ms = if uniform { longest / 2 } else { 20 + dice(seed, t.task.name.as_str()) % longest };
            ms * 1_000
        }),
        speed: Box::new(move |_, n| alone / (1.0 + 0.1 * f64::from(n))),
        ..Server::of(slots)
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 96, ..Default::default() })]

    #[test]
    fn honest_servers_are_never_found_to_be_anything_else(
        seed in proptest::prelude::any::<u64>(),
        slots in 2u32..9,
        reads in proptest::sample::select(vec![Reads::Together, Reads::InTurn]),
        tells in proptest::sample::select(vec![Tells::Reading, Tells::Nothing]),
        longest in proptest::sample::select(vec![2u32, 20, 100, 600]),
        load in proptest::sample::select(vec![0u64, 2_000_000, 10_000_000, 40_000_000]),
        n in 20u32..80,
        two in proptest::prelude::any::<bool>(),
    ) {
        let mut servers = vec![("a", slots, Server { load, ..honest(seed, slots, reads, tells) })];
        if two {
            servers.push(("b", 3, Server { load, ..honest(seed ^ 77, 3, reads, tells) }));
        }
        let mut world = world(servers);
        let specs = (0..n)
            .map(|i| {
                let dice = dice(seed, &format!("n{i}")) as u32;
                let needs: Vec<String> = if dice >> 8 & 3 == 0 && i > 0 { vec![format!("t{}", dice % i)] } else { vec![] };
                let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                let tokens = if seed >> 24 & 3 == 0 { longest } else { 1 + dice % longest };
                task(&format!("t{i}"), &needs, tokens)
            })
            .collect();
        world.add(plan(specs)).unwrap();
        world.run(100_000);
        proptest::prop_assert_eq!(&world.state().goals()[0].phase, &GoalPhase::Ended(Outcome::Done));
        proptest::prop_assert_eq!(findings(&world), vec![]);
        world.assert_fold();
    }

    #[test]
    fn a_liar_never_costs_more_than_a_tenth_whatever_its_speed(
        seed in proptest::prelude::any::<u64>(),
        serves in 1u32..4,
        more in 1u32..5,
        tells in proptest::sample::select(vec![Tells::Reading, Tells::Nothing]),
    ) {
        let speed = 20.0 + (seed % 80) as f64;
        let server = |slots| Server { tells, speed: Box::new(move |_, _| speed), ..Server::of(slots) };
        let mut world = world(vec![("liar", serves + more, server(serves)), ("honest", 3, server(3))]);
        let specs = tasks(60);
        let tokens: u32 = specs.iter().map(|t| t.budget.tokens.unwrap()).sum();
        let bound = (f64::from(tokens) / speed + 12.0) / f64::from(serves + 3);
        world.add(plan(specs)).unwrap();
        world.run(100_000);
        let ratio = world.makespan() / bound;
        proptest::prop_assert!(ratio <= 1.10, "{} of the bound, {:?}", ratio, findings(&world));
        world.assert_fold();
    }
}

/// What goes on outside while a journal is written whose every prefix is taken up.
fn troubled(serves: u32) -> Vec<(&'static str, u32, Server)> {
    let others = |at: Micros| if (10..30).contains(&(at.0 / 1_000_000)) { 2 } else { 0 };
    let speed = |at: Micros, _| if at.0 > 25_000_000 { 12.0 } else { 50.0 };
    vec![
        ("liar", 4, Server::of(serves)),
        ("shared", 3, Server { others: Box::new(others), tells: Tells::Nothing, ..Server::of(3) }),
        ("slow", 2, Server { speed: Box::new(speed), ..Server::of(2) }),
    ]
}

#[test]
fn every_prefix_of_a_session_with_such_servers_can_be_taken_up_and_ends() {
    for serves in [1, 2] {
        let mut world = world(troubled(serves));
        world.room_at("shared", &[10, 30]);
        world.add(plan(tasks(40))).unwrap();
        world.run_until(Micros::from_secs(22));
        world.kill("slow");
        world.run_until(Micros::from_secs(33));
        world.down.clear();
        world.run(100_000);
        assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
        let kinds: Vec<&str> = world.records.iter().map(|r| r.event.name()).collect();
        assert!(kinds.contains(&"endpoint.found"));
        let moved = world.records.windows(2).position(|w| {
            matches!(&w[0].event, Event::AttemptEnded { end, .. } if *end == crate::domain::protocol::AttemptEnd::Moved)
        });
        let moved = moved.expect("something was taken back");
        // Around the first that was taken back each record; elsewhere every seventh keeps the test short.
        let cuts = (2..world.records.len()).filter(|i| i % 41 == 0 || i.abs_diff(moved) < 5);
        for cut in cuts {
            let mut again = World::resume(&world.records[..cut]);
            for (name, _, server) in troubled(serves) {
                again.servers.insert(name.to_owned(), server);
            }
            again.run(100_000);
            // Before its tasks were written down there is nothing to do.
            assert!(again.state().goals().iter().all(|g| matches!(g.phase, GoalPhase::Ended(_))), "cut at {cut}");
            assert!(again.state().tasks().iter().all(|t| t.is_done()), "cut at {cut}");
            assert_eq!(again.state().slots().0, 0, "a slot was lost at {cut}");
            again.assert_fold();
        }
    }
}
