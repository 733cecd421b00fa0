//! Servers that die, load, have no room, break or fall silent: what it costs their tasks, and how soon it is found.

use proptest::prelude::*;

use super::queueing::Server;
use super::world::{Room, World, agent, endpoint, failure, plan, task};
use crate::domain::fleet::{Fleet, SessionConfig};
use crate::domain::orchestrator::StartTurn;
use crate::domain::protocol::{Command, Event, Failure, FailureKind, Finding, Health, Micros, Outcome, Remedy, Told};
use crate::domain::state::{End, EndpointIx, GoalPhase, Life, Task, TaskIx, Why};

/// Endpoints of one tier, and a spare tier `spare` on `z` where `fallback` says so; all are told of as they are.
fn fleet(endpoints: &[(&str, u32)], fallback: Option<&str>) -> SessionConfig {
    let mut all: Vec<_> = endpoints.iter().map(|(name, slots)| endpoint(name, "main", *slots, 50.0)).collect();
    if fallback.is_some() {
        all.push(endpoint("z", "spare", 4, 50.0));
    }
    let agents = vec![agent("researcher", "main", fallback), agent("summarizer", "main", None)];
    let fleet = Fleet { name: "t".into(), endpoints: all, agents };
    SessionConfig { fleet, seed: 1, ..SessionConfig::default() }
}

fn world(endpoints: &[(&str, u32)]) -> World {
    let mut world = World::new(fleet(endpoints, None));
    for (name, slots) in endpoints {
        world.servers.insert((*name).to_owned(), Server::of(*slots));
    }
    world
}

/// Tasks of so many seconds at 50 tokens a second.
fn tasks(n: u32, seconds: f64) -> Vec<crate::domain::plan::TaskSpec> {
    (0..n).map(|i| task(&format!("t{i}"), &[], (seconds * 50.0) as u32)).collect()
}

fn at(seconds: u64) -> Micros {
    Micros::from_secs(seconds)
}

fn all_done(world: &World) {
    let left: Vec<String> = world
        .state()
        .tasks()
        .iter()
        .filter(|t| !t.is_done())
        .map(|t| format!("{}: {:?} {}", t.id, t.life, t.reason))
        .collect();
    assert!(left.is_empty(), "at {}: {left:?}", world.now.secs_f64());
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

fn no_try_used(world: &World) {
    assert!(world.state().tasks().iter().all(|t| t.failures == 0), "a server's failures cost a try");
}

fn the_task(world: &World) -> &Task {
    world.state().task(TaskIx(0))
}

#[test]
fn a_server_that_dies_three_times_costs_no_task_a_try() {
    let mut world = world(&[("a", 4)]);
    world.add(plan(tasks(12, 6.0))).unwrap();
    for death in [5, 13, 21] {
        world.run_until(at(death));
        world.kill("a");
        world.run_until(at(death + 4));
        world.down.clear();
    }
    world.run(10_000);
    all_done(&world);
    no_try_used(&world);
    assert!(world.now < at(60), "took {}", world.now.secs_f64());
    assert!(world.state().tasks().iter().all(|t| t.setbacks == 0 && t.troubled_since.is_none()));
}

#[test]
fn servers_that_fail_for_longer_than_they_may_end_a_task_with_words_that_say_so() {
    let mut world = world(&[("a", 4)]);
    world.fate = Box::new(|_, _| Err(failure(FailureKind::Server, Remedy::Elsewhere)));
    world.add(plan(tasks(2, 0.1))).unwrap();
    world.run(20_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Failed));
    let task = the_task(&world);
    assert_eq!((task.life, task.failures), (Life::Ended(End::Failed), 0));
    assert!(
        task.reason.contains("its servers failed it for 10m") && task.reason.contains("it broke"),
        "{}",
        task.reason
    );
    assert!((at(600)..at(720)).contains(&world.now), "{}", world.now.secs_f64());
    assert!(task.attempts.len() < 80, "{} tries in ten minutes", task.attempts.len());
    world.assert_fold();
}

#[test]
fn a_broken_stream_counts_where_its_server_is_found_well_and_the_last_words_promise_nothing() {
    let mut world = world(&[("a", 4)]);
    world.run_until(at(1));
    world.fate = Box::new(|_, _| Err(failure(FailureKind::Cut, Remedy::RetryHere)));
    world.add(plan(tasks(1, 1.0))).unwrap();
    world.run(1_000);
    let task = the_task(&world);
    assert_eq!(task.attempts.len(), 3);
    assert!(task.reason.contains("over after 3 tries"), "{}", task.reason);
    let retried: Vec<String> = world
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::TaskRetried(r) => Some(r.reason.to_string()),
            _ => None,
        })
        .collect();
    assert!(retried[0].contains("looked at first") && retried[1].contains("tried again in 1 s, 2 of 3"), "{retried:?}");
    assert!(world.now < at(30));
    world.assert_fold();
}

#[test]
fn a_server_that_breaks_at_one_request_only_is_well_and_the_request_is_to_blame() {
    let mut world = world(&[("a", 2)]);
    world.fate = Box::new(|t, _| match t.task.name.as_str() {
        "t0" => Err(failure(FailureKind::Server, Remedy::Elsewhere)),
        _ => Ok(()),
    });
    world.add(plan(tasks(30, 2.0))).unwrap();
    world.run(20_000);
    let (failed, done): (Vec<_>, Vec<_>) = world.state().tasks().iter().partition(|t| !t.is_done());
    assert_eq!((failed.len(), done.len()), (1, 29));
    assert!(failed[0].ended_at.unwrap() < at(120) && failed[0].reason.contains("over after"), "{}", failed[0].reason);
    assert!(done.iter().all(|t| t.attempts.len() == 1 && t.ended_at.unwrap() < at(60)), "the others were kept waiting");
    world.assert_fold();
}

fn busy(wait: Option<u64>) -> Failure {
    Failure { told: Told { wait_ms: wait, ..Told::default() }, ..failure(FailureKind::Busy, Remedy::RetryHere) }
}

#[test]
fn a_server_that_takes_one_at_a_time_is_learned_at_once_and_costs_nobody_a_try() {
    for wait in [Some(2_000), None] {
        let mut world = world(&[("a", 4)]);
        world.servers.insert("a".into(), Server { prompt: Box::new(|_| 100_000), ..Server::of(1) });
        world.rooms.insert("a".into(), Room { takes: Box::new(|_| 1), refusal: busy(wait) });
        world.add(plan(tasks(6, 2.4))).unwrap();
        world.run_until(Micros::from_millis(100));
        assert_eq!(world.state().measured(EndpointIx(0)), Some(1));
        world.run(10_000);
        all_done(&world);
        no_try_used(&world);
        assert!(world.makespan() < 16.0, "{wait:?}: took {}", world.makespan());
        let tries: usize = world.state().tasks().iter().map(|t| t.attempts.len()).sum();
        assert!(tries <= 10, "{tries} requests");
    }
}

#[test]
fn a_wait_that_a_server_asks_for_is_kept_also_by_the_next_process() {
    let room = || Room { takes: Box::new(|now| u32::from(now >= at(9)) * 4), refusal: busy(Some(6_000)) };
    let mut first = world(&[("a", 4)]);
    first.rooms.insert("a".into(), room());
    first.run_until(at(1));
    first.add(plan(tasks(3, 1.0))).unwrap();
    first.run_until(at(2));
    let sent = first.state().attempts().len();
    let why = first.state().admit(TaskIx(0), first.now).unwrap_err();
    assert!(matches!(why, Why::Asked { asked: Some(6), .. }), "{why}");
    assert!(why.to_string().contains("asks for a wait of 6 s"), "{why}");
    let mut again = World::resume(&first.records);
    again.servers.insert("a".into(), Server::of(4));
    again.rooms.insert("a".into(), room());
    for world in [&mut first, &mut again] {
        world.run(1_000);
        all_done(world);
        no_try_used(world);
        let second = world.state().attempts()[sent].started_at;
        assert!(second >= at(7) && second < at(8), "the next request went at {}", second.secs_f64());
    }
}

#[test]
fn a_server_that_turns_all_away_for_a_while_is_not_taken_to_serve_fewer() {
    let mut world = world(&[("a", 4)]);
    let room = Room { takes: Box::new(|now| u32::from(now >= at(6)) * 4), refusal: busy(Some(6_000)) };
    world.rooms.insert("a".into(), room);
    world.add(plan(tasks(4, 2.0))).unwrap();
    world.run(1_000);
    all_done(&world);
    no_try_used(&world);
    assert_eq!(world.state().measured(EndpointIx(0)), None);
    assert!(world.now < at(10), "{}", world.now.secs_f64());
    assert!(world.state().attempts().len() <= 8);
}

#[test]
fn while_one_endpoint_asks_for_a_wait_another_of_the_tier_takes_its_tasks() {
    let mut world = world(&[("a", 4), ("b", 4)]);
    world.rooms.insert("a".into(), Room { takes: Box::new(|_| 0), refusal: busy(Some(60_000)) });
    world.add(plan(tasks(6, 1.0))).unwrap();
    world.run(1_000);
    all_done(&world);
    no_try_used(&world);
    assert!(world.now < at(10), "{}", world.now.secs_f64());
}

#[test]
fn loading_is_waited_for_however_long_it_takes() {
    let mut config = fleet(&[("a", 4)], None);
    config.settings.outage_seconds = 20;
    let mut world = World::new(config);
    world.servers.insert("a".into(), Server::of(4));
    world.run_until(at(1));
    world.loading = vec!["a".into()];
    world.add(plan(tasks(6, 1.0))).unwrap();
    world.run_until(at(2));
    assert_eq!(world.state().endpoint(EndpointIx(0)).health, Health::Loading);
    let sent = world.state().attempts().len();
    assert!(sent <= 4, "{sent}");
    world.run_until(at(90));
    assert_eq!(world.state().attempts().len(), sent, "nothing is sent while it loads");
    world.loading.clear();
    world.run_until(at(100));
    all_done(&world);
    no_try_used(&world);
}

#[test]
fn a_server_that_ends_and_leaves_its_streams_open_is_found_and_its_tasks_move_within_five_seconds() {
    let mut world = world(&[("a", 4), ("b", 4)]);
    world.speaks = true;
    let mut specs = tasks(3, 12.0);
    for spec in &mut specs {
        spec.agent = super::world::name("researcher");
    }
    world.add(plan(specs)).unwrap();
    for i in 0..3 {
        let task = world.state().task(TaskIx(i)).id.clone();
        world.command(Command::Place { task, endpoint: Some(super::world::name("a")) }).unwrap();
    }
    world.run_until(at(4));
    let there = world.live.values().filter(|s| s.endpoint.as_str() == "a").count();
    assert!(there > 0);
    world.mute("a");
    world.run_until(at(9));
    assert_eq!(world.live.len(), 3);
    assert!(world.live.values().all(|s| s.endpoint.as_str() == "b"), "they wait at a server that has gone");
    world.run(10_000);
    all_done(&world);
    no_try_used(&world);
}

#[test]
fn what_still_speaks_is_left_alone_when_nothing_listens_any_more() {
    let mut world = world(&[("a", 4), ("b", 4)]);
    world.speaks = true;
    world.add(plan(tasks(6, 8.0))).unwrap();
    world.run_until(at(3));
    // It takes no connections, and finishes what it has.
    world.down = vec!["a".into()];
    world.finishes = true;
    world.command(Command::Probe(None)).unwrap();
    world.run(10_000);
    all_done(&world);
    assert_eq!(world.state().attempts().len(), 6, "what went on was ended");
}

#[test]
fn a_request_that_never_gets_its_head_ends_with_its_server() {
    let mut world = World::new(fleet(&[("a", 4)], Some("spare")));
    world.servers.insert("a".into(), Server { serves: Box::new(|_| 0), ..Server::of(4) });
    world.servers.insert("z".into(), Server::of(4));
    world.add(plan(tasks(2, 2.0))).unwrap();
    world.run_until(at(2));
    assert!(world.live.values().all(|s| s.endpoint.as_str() == "a"));
    world.down = vec!["a".into()];
    world.run_until(at(25));
    all_done(&world);
    no_try_used(&world);
    assert_eq!(world.state().pool(world.state().endpoint(EndpointIx(0)).pool).busy(), 0, "its slots are free");
}

#[test]
fn each_silent_try_gives_the_next_one_twice_the_time_and_the_last_words_name_the_setting() {
    let mut world = world(&[("a", 1)]);
    let limits = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = limits.clone();
    world.fate = Box::new(move |t: &StartTurn, _| {
        seen.borrow_mut().push(t.silence_seconds);
        Err(failure(FailureKind::Silent, Remedy::Elsewhere))
    });
    let mut specs = tasks(1, 1.0);
    specs[0].retry = Some(serde_json::from_str(r#"{"max": 4}"#).unwrap());
    world.add(plan(specs)).unwrap();
    world.run(1_000);
    assert_eq!(*limits.borrow(), [300, 600, 1_200, 2_400, 2_400]);
    let task = the_task(&world);
    assert!(task.reason.contains("over after 5 tries") && task.reason.contains("silence_seconds"), "{}", task.reason);
}

#[test]
fn a_request_that_is_refused_is_not_repeated_in_vain() {
    for (endpoints, tries) in [(&[("a", 4)][..], 1), (&[("a", 4), ("b", 4)], 2), (&[("a", 1), ("b", 4), ("c", 2)], 3)] {
        let mut world = world(endpoints);
        world.fate = Box::new(|_, _| Err(failure(FailureKind::Refused, Remedy::Operator)));
        world.add(plan(tasks(1, 1.0))).unwrap();
        world.run(1_000);
        let task = the_task(&world);
        assert!(task.attempts.len() <= tries, "{} tries on {tries} endpoints", task.attempts.len());
        assert!(task.reason.contains("not tried again"), "{}", task.reason);
        assert!(world.now < at(10));
    }
}

#[test]
fn an_answer_of_calls_alone_is_tried_once_more() {
    let mut world = world(&[("a", 4)]);
    world.fate = Box::new(|_, _| Err(failure(FailureKind::ToolsOnly, Remedy::RetryHere)));
    world.add(plan(tasks(1, 1.0))).unwrap();
    world.run(1_000);
    assert_eq!(the_task(&world).attempts.len(), 2);
    assert!(the_task(&world).reason.contains("over after 2 tries"), "{}", the_task(&world).reason);
}

/// What befalls a server for a while.
#[derive(Clone, Debug)]
struct Outage {
    /// Its place among the endpoints.
    whose: usize,
    kind: u8,
    /// When, and for how long, in seconds.
    from: u64,
    lasts: u64,
}

fn outages() -> impl Strategy<Value = Vec<Outage>> {
    let one = (0usize..2, 0u8..4, 1u64..60, 1u64..40);
    prop::collection::vec(one.prop_map(|(whose, kind, from, lasts)| Outage { whose, kind, from, lasts }), 1..6)
}

const NAMES: [&str; 2] = ["a", "b"];

/// A world of two servers that have these outages. A server that turns away asks for a wait of 3 s.
fn befallen(outages: &[Outage]) -> World {
    let mut world = world(&[("a", 4), ("b", 2)]);
    world.speaks = true;
    let rooms = outages.to_vec();
    for (i, name) in NAMES.iter().enumerate() {
        let rooms = rooms.clone();
        let takes = move |now: Micros| {
            let full = |o: &&Outage| o.whose == i && o.kind == 2 && now >= at(o.from) && now < at(o.from + o.lasts);
            rooms.iter().filter(full).map(|o| (o.lasts % 3) as u32).min().unwrap_or(u32::MAX)
        };
        world.rooms.insert((*name).to_owned(), Room { takes: Box::new(takes), refusal: busy(Some(3_000)) });
    }
    world
}

/// Lives through the outages up to a time, or the end.
fn live_through(world: &mut World, outages: &[Outage]) {
    let mut times: Vec<u64> = outages.iter().flat_map(|o| [o.from, o.from + o.lasts]).collect();
    times.sort_unstable();
    times.dedup();
    for time in times {
        world.run_until(world.now.max(at(time)));
        for (i, name) in NAMES.iter().enumerate() {
            let is = |kind: u8| {
                outages.iter().any(|o| o.whose == i && o.kind == kind && o.from <= time && time < o.from + o.lasts)
            };
            let was_down = world.down.iter().any(|d| d == name);
            let (dead, mute) = (is(0), is(3));
            world.loading.retain(|l| l != name);
            if is(1) && !dead && !mute {
                world.loading.push((*name).to_owned());
            }
            match (was_down, dead || mute) {
                (false, true) if dead => world.kill(name),
                (false, true) => world.mute(name),
                (true, false) => world.down.retain(|d| d != name),
                _ => {}
            }
        }
    }
    world.run(40_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_task_fails_for_outages_that_end_in_time_and_no_request_is_sent_in_vain(
        outages in outages(),
        n in 2u32..14,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = befallen(&outages);
        world.add(plan(tasks(n, 4.0))).unwrap();
        live_through(&mut world, &outages);
        all_done(&world);
        // The faults that are the servers' alone; a stream may break beside a server that is well again when it is looked at.
        prop_assert!(world.state().tasks().iter().all(|t| t.setbacks == 0));
        let sent: usize = world.state().tasks().iter().map(|t| t.attempts.len()).sum();
        prop_assert!(sent < 40 * n as usize, "{} requests for {} tasks", sent, n);
        // Whatever of the journal there is can be taken up.
        let cut = 1 + cut.index(world.records.len() - 1);
        let mut again = World::resume(&world.records[..cut]);
        again.run(40_000);
        let open = again.state().goals().iter().filter(|g| !matches!(g.phase, GoalPhase::Ended(_))).count();
        prop_assert_eq!(open, 0);
        again.assert_fold();
    }
}

#[test]
fn findings_of_a_server_that_turns_away_are_said() {
    let mut world = world(&[("a", 4)]);
    world.rooms.insert("a".into(), Room { takes: Box::new(|_| 2), refusal: busy(None) });
    world.add(plan(tasks(8, 2.0))).unwrap();
    world.run(10_000);
    all_done(&world);
    let found = world
        .records
        .iter()
        .any(|r| matches!(&r.event, Event::EndpointFound(f) if f.finding == Finding::Serves { slots: 2, claims: 4 }));
    assert!(found);
}

#[test]
fn a_gateway_that_misses_one_server_behind_it_loses_nothing_of_the_others() {
    let mut config = fleet(&[("a", 2), ("b", 2)], None);
    config.fleet.endpoints[1].url = config.fleet.endpoints[0].url.clone();
    config.fleet.endpoints[1].model = "n".into();
    let mut world = World::new(config);
    world.fate = Box::new(|t, _| match t.endpoint.as_str() {
        "a" => Err(failure(FailureKind::Unreachable, Remedy::Elsewhere)),
        _ => Ok(()),
    });
    world.add(plan(tasks(6, 4.0))).unwrap();
    world.run(10_000);
    all_done(&world);
    no_try_used(&world);
    let down_b = world.records.iter().any(|r| match &r.event {
        Event::EndpointChanged(c) => c.endpoint.as_str() == "b" && matches!(c.health, Health::Down { .. }),
        _ => false,
    });
    assert!(!down_b, "a server that answers is taken for down");
    let ended = world.records.iter().any(|r| serde_json::to_string(&r.event).unwrap().contains("nothing listens"));
    assert!(!ended, "turns were ended that went on");
}

#[test]
fn a_server_that_turns_all_away_as_loading_while_it_is_up_is_not_waited_for_without_end() {
    let mut config = fleet(&[("a", 4)], None);
    config.settings.outage_seconds = 20;
    let mut world = World::new(config);
    world.fate = Box::new(|_, _| Err(failure(FailureKind::Loading, Remedy::RetryHere)));
    world.add(plan(tasks(1, 0.1))).unwrap();
    world.run_until(at(120));
    assert_eq!(the_task(&world).life, Life::Ended(End::Failed), "{}", the_task(&world).reason);
}

#[test]
fn a_request_that_is_refused_by_some_is_served_by_the_one_that_was_not_asked_yet() {
    let mut config = fleet(&[("a", 4), ("b", 4), ("c", 4)], None);
    for (endpoint, speed) in config.fleet.endpoints.iter_mut().zip([90.0, 70.0, 50.0]) {
        endpoint.tokens_per_second = Some(speed);
    }
    let mut world = World::new(config);
    world.fate = Box::new(|t, _| match t.endpoint.as_str() {
        "c" => Ok(()),
        _ => Err(failure(FailureKind::NoModel, Remedy::Operator)),
    });
    world.add(plan(tasks(1, 1.0))).unwrap();
    world.run(1_000);
    all_done(&world);
    assert_eq!(the_task(&world).attempts.len(), 3);
}

#[test]
fn a_limit_on_requests_in_a_time_is_not_taken_for_slots() {
    let mut world = world(&[("a", 4)]);
    let takes = |now: Micros| if now < at(20) { 2 } else { 4 };
    world.rooms.insert("a".into(), Room { takes: Box::new(takes), refusal: busy(Some(20_000)) });
    world.add(plan(tasks(4, 30.0))).unwrap();
    world.run_until(at(1));
    assert_eq!(world.state().measured(EndpointIx(0)), None);
    world.run(10_000);
    all_done(&world);
    no_try_used(&world);
}

#[test]
fn a_server_that_was_off_for_hours_has_all_the_time_it_may_fail_its_tasks() {
    let mut world = world(&[("a", 4)]);
    world.add(plan(tasks(4, 20.0))).unwrap();
    world.run_until(at(5));
    world.kill("a");
    world.run_until(at(7 * 3600));
    world.down.clear();
    world.run_until(at(7 * 3600 + 10));
    assert!(!world.live.is_empty());
    world.kill("a");
    world.run_until(at(7 * 3600 + 30));
    world.down.clear();
    world.run(10_000);
    all_done(&world);
    no_try_used(&world);
}

#[test]
fn a_fallback_tier_that_fails_is_not_asked_again_without_a_pause() {
    let mut config = fleet(&[("a", 4)], Some("spare"));
    config.settings.outage_seconds = 60;
    let mut world = World::new(config);
    world.down = vec!["a".into()];
    world.fate = Box::new(|_, _| Err(failure(FailureKind::Cut, Remedy::RetryHere)));
    world.add(plan(tasks(1, 0.02))).unwrap();
    world.run_until(at(5));
    let mut busy = World::new(fleet(&[("a", 4)], Some("spare")));
    busy.down = vec!["a".into()];
    busy.fate = Box::new(|_, _| Err(failure(FailureKind::Server, Remedy::RetryHere)));
    busy.add(plan(tasks(1, 0.02))).unwrap();
    busy.run_until(at(10));
    for world in [&world, &busy] {
        let task = the_task(world);
        assert!(task.attempts.len() < 12, "{} tries: {}", task.attempts.len(), task.reason);
    }
    assert!(!the_task(&busy).reason.contains("elsewhere"), "{}", the_task(&busy).reason);
}

#[test]
fn what_a_model_answers_is_not_held_against_its_endpoint() {
    for kind in [FailureKind::Aborted, FailureKind::Empty, FailureKind::ToolsOnly] {
        let mut world = world(&[("a", 4)]);
        world.fate = Box::new(move |t, _| match t.task.name.as_str() {
            "t0" | "t1" | "t2" | "t3" => Err(failure(kind, Remedy::Elsewhere)),
            _ => Ok(()),
        });
        world.add(plan(tasks(8, 1.0))).unwrap();
        world.run(10_000);
        let rest = world
            .records
            .iter()
            .any(|r| matches!(&r.event, Event::EndpointFound(f) if matches!(f.finding, Finding::Failing { .. })));
        assert!(!rest, "{kind:?}");
    }
}
