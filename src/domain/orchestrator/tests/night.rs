//! A night nobody watches: begun and left with a time from which nothing new starts, two hours of sleep in its middle, one
//! question, one server down. What the morning's words say is what happened.

use super::world::{World, config, name, plan, task};
use crate::domain::absence::{Absence, AbsenceFold};
use crate::domain::orchestrator::Input;
use crate::domain::protocol::{AttemptEnd, Command, Event, Micros};
use crate::domain::state::State;
use crate::interface::report::since_words;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The time of day: the session began at midnight.
fn clock(ms: u64) -> String {
    format!("{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60)
}

/// The fold of what was recorded, at `now`.
fn morning(world: &World, now: Micros) -> (State, Absence) {
    let (mut state, mut fold) = (State::default(), None);
    for record in &world.records {
        if fold.is_none() && !state.lives.is_empty() {
            fold = Some(AbsenceFold::begin(&state));
        }
        state.apply(record);
        if let Some(fold) = &mut fold {
            fold.take(&state, record);
        }
    }
    let told = fold.unwrap().finish(&state, now);
    (state, told)
}

#[test]
fn the_morning_s_words_are_true() {
    let mut world = World::new(config());
    // A question takes ten minutes to come, everything else an hour.
    world.duration = Box::new(|t| 1_000_000 * if t.task.name.as_str() == "ask" { 10 * MINUTE } else { HOUR });
    world.says = Box::new(|t| (t.task.name.as_str() == "ask").then(|| "ASK: Keep it?\n- yes\n- no".to_owned()));
    let mut deep = task("deep", &[], 500);
    deep.agent = name("reasoner");
    let tasks = vec![
        task("one", &[], 500),
        task("two", &["one"], 500),
        task("three", &["two"], 500),
        task("ask", &[], 500),
        task("after", &["ask"], 500),
        deep,
    ];
    world.add(plan(tasks)).unwrap();
    world.run_until(Micros::from_secs(30 * MINUTE));
    // One server dies at half past midnight; what it works at goes elsewhere.
    world.now = Micros::from_secs(30 * MINUTE);
    world.kill("c");
    world.run_until(Micros::from_secs(HOUR));
    world.now = Micros::from_secs(HOUR);
    world.down.clear();
    // The lid is shut at ten past one and opened at ten past three.
    let shut = Micros::from_secs(HOUR + 10 * MINUTE);
    world.run_until(shut);
    world.now = shut;
    let woke = 1_000 * (3 * HOUR + 10 * MINUTE);
    let before = world.records.len();
    world.input(Input::Slept { wall_ms: woke, slept_ms: 2 * HOUR * 1_000 });
    assert!(matches!(world.records[before].event, Event::SessionSlept(_)));
    // Nothing new from a minute before four on: by the wall, which the session's own time is two hours behind.
    let mut now = shut;
    while world.state().wall_ms(now).unwrap() < 1_000 * (4 * HOUR - MINUTE) {
        now = now.plus(Micros::from_secs(MINUTE));
        world.run_until(now);
    }
    assert_eq!(now, Micros::from_secs(2 * HOUR - MINUTE));
    world.now = now;
    world.command(Command::Pause).unwrap();
    let seven = Micros::from_secs(5 * HOUR);
    world.run_until(seven);
    let (state, told) = morning(&world, seven);
    let words = since_words(&state, &told, &|ms| clock(ms));
    let first = &words[0];
    for part in ["since 00:00: 3 done", "1 waits for you since 00:10", "the machine slept 01:10–03:10 (2 h 00 min)"] {
        assert!(first.contains(part), "{part} is not in {words:#?}");
    }
    assert!(!first.contains("failed") && !first.contains("no process"), "{words:#?}");
    // The one that was under way then was let end; what needs it did not begin.
    let last = world.records.iter().rev().find(|r| matches!(r.event, Event::TaskCompleted { .. })).unwrap();
    let still = clock(state.wall_ms(last.at).unwrap());
    assert_eq!(still, "04:00");
    assert!(first.contains("stood still since 04:00"), "{words:#?}");
    assert!(words.iter().any(|w| w.starts_with("waits since 00:10: ") && w.contains("Keep it?")), "{words:#?}");
    assert!(words.contains(&"paused since 03:59: nothing new starts".to_owned()), "{words:#?}");
    let down = words.iter().find(|w| w.starts_with("c was down 00:30–01:")).expect("it came back");
    assert!(down.as_str() <= "c was down 00:30–01:10", "before the lid was shut: {down}");
    // The sleep and the server cost no task a try.
    let failed = |r: &&std::sync::Arc<crate::domain::protocol::Record>| matches!(r.event, Event::TaskFailed { .. });
    assert_eq!(world.records.iter().filter(failed).count(), 0);
    let moved = |r: &&std::sync::Arc<crate::domain::protocol::Record>| {
        matches!(&r.event, Event::AttemptEnded { end: AttemptEnd::Failed(_) | AttemptEnd::Moved, .. })
    };
    assert!(world.records.iter().filter(moved).count() >= 1, "what the server worked at went elsewhere");
    assert!(state.tasks().iter().all(|t| t.failures == 0));
    world.assert_fold();
}

#[test]
fn session_time_by_the_wall_clock_counts_sleeps() {
    let mut world = World::new(config());
    let at = |s: u64| Micros::from_secs(s);
    world.now = at(100);
    world.input(Input::Slept { wall_ms: 7_300_000, slept_ms: 7_200_000 });
    world.now = at(200);
    world.input(Input::Slept { wall_ms: 8_000_000, slept_ms: 600_000 });
    let wall = |s| world.state().wall_ms(at(s)).unwrap();
    assert_eq!([wall(0), wall(99), wall(100), wall(150), wall(300)], [0, 99_000, 7_300_000, 7_350_000, 8_100_000]);
    // Of the next process only its own time counts.
    let again = World::resume(&world.records);
    assert_eq!(again.state().wall_ms(at(99)), Some(99_000));
    world.assert_fold();
}
