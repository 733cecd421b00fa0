//! What is brought to the operator's attention, and when it is over.

use super::world::{World, config, failure, name, of_turn, plan, task};
use crate::domain::orchestrator::{Input, News};
use crate::domain::protocol::{
    Channel, Command, Event, FailureKind, Micros, Partial, Remedy, RetryScope, StopScope, Subject, TaskId, TurnId,
};
use crate::domain::state::State;

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

/// One task under way that takes a thousand seconds and says nothing by itself.
fn slow() -> (World, TurnId) {
    let mut world = World::new(config());
    world.duration = Box::new(|_| 1_000_000_000);
    world.add(plan(vec![task("a", &[], 500)])).unwrap();
    let turn = *world.live.keys().next().unwrap();
    (world, turn)
}

fn at(world: &mut World, seconds: u64, input: Input) {
    world.now = Micros::from_secs(seconds);
    world.input(input);
}

fn output(turn: TurnId) -> Input {
    of_turn(turn, News::Said { channel: Channel::Answer, text: "word ".into(), tokens: 1 })
}

fn raised(state: &State) -> Vec<Subject> {
    state.attention.keys().cloned().collect()
}

#[test]
fn silence_is_told_after_a_minute_and_is_over_with_the_next_word() {
    let (mut world, turn) = slow();
    let stall = Subject::Stall(id("g1/a"));
    at(&mut world, 10, output(turn));
    at(&mut world, 69, Input::Wake);
    assert!(world.state().attention.is_empty());
    at(&mut world, 70, Input::Wake);
    at(&mut world, 129, Input::Wake);
    let text = &world.state().attention[&stall].text;
    assert!(text.contains("said nothing on a for 6") && text.contains("x stops it"), "{text}");
    at(&mut world, 130, output(turn));
    assert!(world.state().attention.is_empty());
    // It may fall silent again.
    at(&mut world, 200, Input::Wake);
    assert_eq!(raised(world.state()), std::slice::from_ref(&stall));
    world.command(Command::Stop { scope: StopScope::Task(id("g1/a")), partial: Partial::Kept }).unwrap();
    assert!(world.state().attention.is_empty(), "what has ended is not silent");
    let times = world
        .records
        .iter()
        .filter(|r| matches!(&r.event, Event::AttentionRaised { subject, .. } if *subject == stall));
    assert_eq!(times.count(), 2);
    world.assert_fold();
}

#[test]
fn a_prompt_may_be_read_for_longer() {
    let (mut world, turn) = slow();
    for seconds in (15..295).step_by(15) {
        at(&mut world, seconds, Input::Wake);
    }
    assert!(world.state().attention.is_empty());
    at(&mut world, 296, of_turn(turn, News::Progress { processed: 10, total: 1_000 }));
    at(&mut world, 590, Input::Wake);
    assert!(world.state().attention.is_empty(), "it reads on");
    at(&mut world, 660, Input::Wake);
    let text = &world.state().attention[&Subject::Stall(id("g1/a"))].text;
    assert!(text.contains("not got on with the prompt"), "{text}");
}

#[test]
fn what_was_dismissed_is_not_raised_again_for_the_same_turn() {
    let (mut world, turn) = slow();
    at(&mut world, 10, output(turn));
    at(&mut world, 100, Input::Wake);
    let stall = Subject::Stall(id("g1/a"));
    world.command(Command::Dismiss(stall.clone())).unwrap();
    assert!(world.command(Command::Dismiss(stall.clone())).unwrap_err().contains("not on the list"));
    at(&mut world, 500, output(turn));
    at(&mut world, 900, Input::Wake);
    assert!(world.state().attention.is_empty());
    let evidence = "“again” 12 times".into();
    at(&mut world, 901, of_turn(turn, News::Looping { evidence }));
    world.command(Command::Dismiss(Subject::Loop(id("g1/a")))).unwrap();
    at(&mut world, 902, of_turn(turn, News::Looping { evidence: "“again” 24 times".into() }));
    assert!(world.state().attention.is_empty());
    world.assert_fold();
}

#[test]
fn repetition_is_told_once_with_its_evidence_and_may_be_switched_off() {
    let (mut world, turn) = slow();
    at(&mut world, 5, of_turn(turn, News::Looping { evidence: "“again and again” 12 times".into() }));
    at(&mut world, 6, of_turn(turn, News::Looping { evidence: "something else".into() }));
    let text = world.state().attention[&Subject::Loop(id("g1/a"))].text.clone();
    assert!(text.contains("“again and again” 12 times"), "{text}");
    world.run(1_000);
    assert!(world.state().attention.is_empty());
    world.assert_fold();

    let mut quiet = config();
    quiet.attention.loops = false;
    quiet.attention.silent_seconds = 0;
    quiet.attention.prompt_seconds = 0;
    quiet.attention.full_percent = 0;
    let mut world = World::new(quiet);
    world.duration = Box::new(|_| 1_000_000_000);
    world.add(plan(vec![task("a", &[], 500)])).unwrap();
    let turn = *world.live.keys().next().unwrap();
    at(&mut world, 5, of_turn(turn, News::Looping { evidence: "x".into() }));
    at(&mut world, 6, of_turn(turn, News::Progress { processed: 16_000, total: 16_000 }));
    at(&mut world, 900, Input::Wake);
    assert!(world.state().attention.is_empty());
}

#[test]
fn a_context_nearly_full_is_told_while_it_fills() {
    let (mut world, turn) = slow();
    at(&mut world, 1, of_turn(turn, News::Progress { processed: 14_000, total: 14_000 }));
    assert!(world.state().attention.is_empty(), "85 %");
    for i in 0..10 {
        at(&mut world, 2 + i, of_turn(turn, News::Said { channel: Channel::Answer, text: "w ".into(), tokens: 100 }));
    }
    let context = Subject::Context(id("g1/a"));
    let text = &world.state().attention[&context].text;
    assert!(text.contains("90 %") && text.contains("16384"), "{text}");
    let times = world.records.iter().filter(|r| matches!(r.event, Event::AttentionRaised { .. })).count();
    assert_eq!(times, 1, "told once");
    world.run(1_000);
    assert!(world.state().attention.is_empty());
}

#[test]
fn a_key_that_is_refused_stays_on_the_list_until_a_request_succeeds() {
    let mut world = World::new(config());
    world.fate = Box::new(|t, _| match t.task.name.as_str() {
        "deep" => Err(failure(FailureKind::Unauthorized, Remedy::Operator)),
        _ => Ok(()),
    });
    let mut deep = task("deep", &[], 50);
    deep.agent = name("reasoner");
    world.add(plan(vec![deep])).unwrap();
    world.run(200);
    let endpoint =
        |world: &World| world.state().attention.keys().any(|s| matches!(s, Subject::Endpoint(e) if e.as_str() == "c"));
    assert!(endpoint(&world));
    world.command(Command::Probe(None)).unwrap();
    assert!(endpoint(&world), "a server that answers probes may still refuse the key");
    world.fate = Box::new(|_, _| Ok(()));
    world.command(Command::Retry(RetryScope::Task(id("g1/deep")))).unwrap();
    world.run(200);
    assert!(!endpoint(&world));
    world.assert_fold();
}

#[test]
fn a_failure_that_was_dismissed_stays_off_the_list_in_the_next_life_too() {
    let mut world = World::new(config());
    world.fate = Box::new(|_, _| Err(failure(FailureKind::Refused, Remedy::Operator)));
    world.add(plan(vec![task("a", &[], 50)])).unwrap();
    world.run(200);
    let subject = Subject::Task(id("g1/a"));
    assert_eq!(raised(world.state()), std::slice::from_ref(&subject));
    world.command(Command::Dismiss(subject.clone())).unwrap();
    let mut again = World::resume(&world.records);
    assert!(again.state().attention.is_empty());
    again.fate = Box::new(|_, _| Err(failure(FailureKind::Refused, Remedy::Operator)));
    again.command(Command::Retry(RetryScope::Failed)).unwrap();
    again.run(200);
    assert_eq!(raised(again.state()), [subject], "another failure is another cause");
}
