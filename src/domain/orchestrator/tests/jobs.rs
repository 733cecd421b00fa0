//! Jobs: news that comes too late changes nothing and is counted, and what must be kept before each kind begins.

use super::world::{World, config, name, of_turn, plan, probed, task};
use crate::domain::fleet::PoolKey;
use crate::domain::orchestrator::{Durability, Effect, Input, Job, JobEnd, JobId, Look, News, ProbeReport};
use crate::domain::protocol::{
    Channel, Command, Failure, FailureKind, Health, MemoryCheck, ModelMoved, ModelVerb, Remedy, ServerChanged,
    ServerStanding, ServerVerb, SlotAfter, TurnEnd, TurnId, Usage,
};
use crate::domain::text::CleanText;

fn moved(endpoint: &str) -> Input {
    let pool = PoolKey { url: "http://nowhere".into(), model: "m".into() };
    let moved = ModelMoved { endpoint: name(endpoint), verb: ModelVerb::Load, failed: None, held: None };
    Input::Job(JobId::Model(pool), News::from(JobEnd::Model(moved)))
}

fn not_given(endpoint: &str) -> Input {
    let words = CleanText::from("nothing was done with it: the room is gone");
    Input::Job(JobId::Server(name(endpoint)), News::from(JobEnd::Server(Err(words))))
}

/// `a` has a server that can be started.
fn launched() -> World {
    let mut config = config();
    config.fleet.endpoints[0].url = "http://127.0.0.1:1".into();
    config.fleet.endpoints[0].launch = Some(toml::from_str("command = \"llama-server\"").unwrap());
    World::new(config)
}

#[test]
fn late_news_of_every_kind_is_counted_and_changes_nothing() {
    let mut world = launched();
    world.add(plan(vec![task("a", &[], 10)])).unwrap();
    let turn = *world.live.keys().next().unwrap();
    world.run(1_000);
    assert!(world.live.is_empty(), "its turn is over");
    let end = |end| {
        let (usage, slot) = (Usage::default(), SlotAfter::Draining);
        News::from(JobEnd::Turn { end, usage, slot, prompt_digest: String::new(), answer: None })
    };
    let failure = Failure::new(FailureKind::Garbage, Remedy::RetryHere, CleanText::from("it broke"));
    let never = TurnId { attempt: turn.attempt, turn: 9 };
    let late = [
        of_turn(turn, News::Said { channel: Channel::Answer, text: "more".into(), tokens: 1 }),
        of_turn(turn, News::Progress { processed: 1, total: 2 }),
        of_turn(turn, News::Rethought),
        of_turn(turn, News::Looping { evidence: CleanText::from("again") }),
        of_turn(turn, end(TurnEnd::Stop)),
        of_turn(turn, end(TurnEnd::Failed(failure))),
        of_turn(turn, News::Freed),
        of_turn(never, News::Freed),
        probed(name("gone"), ProbeReport::of(Health::Down { reason: CleanText::from("refused") })),
        moved("gone"),
        // Nothing was asked of the server of `a`.
        not_given("a"),
        not_given("gone"),
        // And what such a job does not say.
        Input::Job(JobId::Probe(name("a")), News::Freed),
        Input::Job(JobId::Server(name("a")), News::Rethought),
        of_turn(turn, News::from(JobEnd::Probe(ProbeReport::of(Health::Up)))),
    ];
    let (before, counted) = (world.state().clone(), world.orchestrator.late_news());
    let n = late.len() as u64;
    for input in late {
        let decision = world.orchestrator.handle(world.now, input.clone());
        assert!(decision.records.is_empty(), "{input:?} led to {:?}", decision.records);
        let only_the_wake = decision.effects.iter().all(|effect| matches!(effect, Effect::WakeAt(_)));
        assert!(only_the_wake, "{input:?} led to {:?}", decision.effects);
    }
    assert_eq!(world.orchestrator.late_news() - counted, n);
    assert_eq!(*world.state(), before);
}

#[test]
fn an_order_that_was_not_given_is_told_as_failed_and_one_that_was_changes_nothing() {
    let mut world = launched();
    let start = |memory| Command::Server { endpoint: name("a"), verb: ServerVerb::Start, memory };
    world.command(start(MemoryCheck::Force)).unwrap();
    let standing = |world: &World| world.state().servers[&name("a")].standing;
    assert_eq!(standing(&world), ServerStanding::Starting);
    world.input(Input::Job(JobId::Server(name("a")), News::from(JobEnd::Server(Ok(())))));
    assert_eq!(standing(&world), ServerStanding::Starting, "how it stands is seen");
    let late = world.orchestrator.late_news();
    world.input(not_given("a"));
    let stands: &ServerChanged = &world.state().servers[&name("a")];
    assert_eq!(stands.standing, ServerStanding::Failed);
    assert!(stands.words.contains("nothing was done with it"), "{stands:?}");
    assert_eq!(world.orchestrator.late_news(), late);
    // It stands otherwise by now.
    world.input(not_given("a"));
    assert_eq!(world.orchestrator.late_news(), late + 1);
}

#[test]
fn what_a_job_leaves_behind_says_what_must_be_kept_before_it() {
    let mut world = launched();
    let pool = PoolKey { url: "http://nowhere".into(), model: "m".into() };
    world.add(plan(vec![task("a", &[], 10)])).unwrap();
    let turn = Job::Turn(Box::new(world.live.values().next().unwrap().clone()));
    let model = Job::Model { endpoint: name("a"), pool, verb: ModelVerb::Unload };
    let (probe, server) = (Job::Probe(name("a"), Look::Slots), Job::Server(name("a"), ServerVerb::Stop));
    for (job, class) in [
        (turn, Durability::Repeat),
        (probe, Durability::Repeat),
        (server, Durability::Reconcile),
        (model, Durability::Reconcile),
    ] {
        assert_eq!(job.durability(), class, "{job:?}");
    }
}
