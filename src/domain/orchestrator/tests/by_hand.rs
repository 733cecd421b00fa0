//! Results put in by hand.

use super::world::{World, config, failure, plan, task};
use crate::domain::protocol::{Command, FailureKind, Outcome, Part, Remedy, RetryScope, TaskId};
use crate::domain::state::{GoalPhase, Life, Task};

fn id(text: &str) -> TaskId {
    format!("g1/{text}").parse().unwrap()
}

fn get<'a>(world: &'a World, task: &str) -> &'a Task {
    world.state().task_by_id(&id(task)).unwrap()
}

fn put(world: &mut World, task: &str, text: &str) -> Result<(), String> {
    world.command(Command::EditResult { task: id(task), text: text.into() })
}

#[test]
fn dependants_use_a_result_put_in_by_hand() {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50), task("c", &["b"], 50)])).unwrap();
    assert!(put(&mut world, "a", "mine").unwrap_err().contains("it runs"));
    assert!(put(&mut world, "b", " ").unwrap_err().contains("empty"));
    assert!(put(&mut world, "b", &"x".repeat((1 << 20) + 1)).unwrap_err().contains("1 MiB"));
    put(&mut world, "b", "what I know").unwrap();
    let b = get(&world, "b");
    assert!(b.is_done() && b.edited && !b.dirty);
    let attempt = world.state().attempt(b.result.unwrap()).unwrap();
    assert!(!attempt.is_model() && world.state().answer_bytes(attempt) == 11 && attempt.output_tokens() == 0);
    let start = world.live.values().find(|t| t.task == id("c")).expect("c has what it needs");
    let given = Part::ResultOf { attempt: attempt.id, cut: crate::domain::protocol::Cut::Whole };
    assert!(start.recipe.messages.iter().any(|m| m.parts.contains(&given)));
    let endpoints = world.state().endpoints().iter().map(|e| e.completed).sum::<u64>();
    assert_eq!(endpoints, 0, "no model did it");
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert!(!get(&world, "b").dirty, "what a person wrote came of no inputs");

    // A done task: those that used the old result are out of date, and nothing runs without a word.
    put(&mut world, "a", "mine").unwrap();
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert!(!get(&world, "c").dirty, "c used what a person wrote of b");
    put(&mut world, "b", "once more").unwrap();
    assert!(get(&world, "c").dirty);
    world.command(Command::Retry(RetryScope::Task(id("b")))).unwrap();
    world.run(1_000);
    assert!(!get(&world, "b").edited && get(&world, "b").attempts.len() == 3);
    world.assert_fold();
}

#[test]
fn a_failure_mended_by_hand_lets_go_on_what_was_skipped_for_it() {
    let mut world = World::new(config());
    world.fate = Box::new(|t, _| match t.task.name.as_str() {
        "a" => Err(failure(FailureKind::Refused, Remedy::Operator)),
        _ => Ok(()),
    });
    world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50), task("c", &["b"], 50)])).unwrap();
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Failed));
    assert!(!world.state().attention.is_empty());
    put(&mut world, "a", "mine").unwrap();
    assert!(world.state().attention.is_empty());
    assert_eq!(get(&world, "b").life, Life::Running);
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert!(get(&world, "c").is_done());
    world.assert_fold();
}

#[test]
fn a_person_needs_no_endpoint_to_put_in_a_result() {
    let mut alone = config();
    alone.fleet.endpoints.clear();
    let mut world = World::new(alone);
    world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50)])).unwrap();
    put(&mut world, "a", "mine").unwrap();
    put(&mut world, "b", "mine too").unwrap();
    let state = world.state();
    assert!(state.attempts().iter().all(|a| a.endpoint().is_none() && a.turns().next().is_none()));
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}
