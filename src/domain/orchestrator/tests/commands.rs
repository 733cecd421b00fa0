//! What the operator asks for.

use super::world::{World, config, plan, task};
use crate::domain::orchestrator::Input;
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{
    Author, Command, CommandEnvelope, Event, GoalId, Level, LevelScope, Name, Outcome, Partial, RetryScope, Role,
    StopScope, TaskId,
};
use crate::domain::state::{End, GoalPhase, Life, PermitPhase};

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

fn started() -> World {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50), task("c", &[], 100)])).unwrap();
    world
}

#[test]
fn a_stopped_task_drains_its_slot_before_another_gets_it() {
    let mut world = started();
    world.command(Command::Stop { scope: StopScope::Task(id("g1/c")), partial: Partial::Kept }).unwrap();
    let state = world.state();
    assert_eq!(state.task_by_id(&id("g1/c")).unwrap().life, Life::Ended(End::Cancelled(Partial::Kept)));
    let draining = || {
        world
            .state()
            .pools()
            .iter()
            .flat_map(|p| &p.permits)
            .filter(|p| matches!(p.phase, PermitPhase::Draining(_)))
            .count()
    };
    assert_eq!(draining(), 1);
    world.step();
    assert_eq!(world.state().slots().0, 1, "the slot is free when the server shows it");
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Cancelled));
    assert!(world.command(Command::Stop { scope: StopScope::All, partial: Partial::Kept }).is_err());
    world.assert_fold();
}

#[test]
fn pause_starts_nothing_new_and_resume_goes_on() {
    let mut world = started();
    world.command(Command::Pause).unwrap();
    assert!(world.command(Command::Pause).is_err());
    while !world.live.is_empty() {
        world.step();
    }
    assert_eq!(world.state().task_by_id(&id("g1/b")).unwrap().life, Life::NotStarted);
    world.command(Command::Resume).unwrap();
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
}

#[test]
fn a_held_task_waits_and_a_skipped_one_stops_its_dependants() {
    let mut world = started();
    world.command(Command::Hold(id("g1/b"))).unwrap();
    while !world.live.is_empty() {
        world.step();
    }
    assert!(world.state().task_by_id(&id("g1/b")).unwrap().held);
    world.command(Command::Release(id("g1/b"))).unwrap();
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));

    let mut world = started();
    world.command(Command::Skip(id("g1/a"))).unwrap();
    assert_eq!(world.state().task_by_id(&id("g1/b")).unwrap().life, Life::Ended(End::Skipped));
    world.run(1_000);
    world.assert_fold();
}

#[test]
fn a_retry_runs_again_what_ended_and_what_was_skipped_because_of_it() {
    let mut world = started();
    world.command(Command::Skip(id("g1/a"))).unwrap();
    world.run(1_000);
    assert!(matches!(world.state().goals()[0].phase, GoalPhase::Ended(_)));
    world.command(Command::Retry(RetryScope::Task(id("g1/a")))).unwrap();
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Running);
    world.run(1_000);
    assert!(world.state().tasks().iter().all(|t| t.is_done()));
    assert_eq!(world.state().task_by_id(&id("g1/c")).unwrap().attempts.len(), 1, "what was done is not run again");
    world.assert_fold();
}

#[test]
fn edits_are_whole_or_refused_by_name() {
    let mut world = started();
    let edit = |world: &mut World, revision, edits| {
        world.command(Command::EditPlan { goal: GoalId(1), if_revision: revision, edits })
    };
    let revision = world.state().goals()[0].revision;
    let add = |spec| PlanEdit::Add(Box::new(spec));
    let stale = edit(&mut world, revision + 1, vec![add(task("d", &[], 1))]);
    assert!(stale.unwrap_err().contains("changed meanwhile"));
    let cycle = vec![add(task("d", &["b"], 1)), PlanEdit::Replace(Box::new(task("b", &["d"], 1)))];
    let why = edit(&mut world, revision, cycle).unwrap_err();
    assert!(why.contains('b') && why.contains('d'), "{why}");
    assert!(edit(&mut world, revision, vec![add(task("a", &[], 1))]).unwrap_err().contains("never used again"));
    edit(&mut world, revision, vec![add(task("d", &["b", "c"], 10))]).unwrap();
    world.run(1_000);
    assert!(world.state().task_by_id(&id("g1/d")).unwrap().is_done());
    let revision = world.state().goals()[0].revision;
    edit(&mut world, revision, vec![PlanEdit::Remove(Name::new("d").unwrap())]).unwrap();
    assert!(edit(&mut world, revision + 1, vec![add(task("d", &[], 1))]).is_err(), "ids are never used again");
    world.assert_fold();
}

#[test]
fn levels_resolve_from_task_to_agent_to_session() {
    let mut world = started();
    let b = id("g1/b");
    let level = |world: &World| {
        let state = world.state();
        state.level_of(state.task_by_id(&b).unwrap())
    };
    assert_eq!(level(&world), Level::Medium);
    let set = |world: &mut World, scope, level| world.command(Command::SetLevel { scope, level }).unwrap();
    set(&mut world, LevelScope::Session, Some(Level::Low));
    assert_eq!(level(&world), Level::Low);
    set(&mut world, LevelScope::Agent(Name::new("researcher").unwrap()), Some(Level::High));
    assert_eq!(level(&world), Level::High);
    set(&mut world, LevelScope::Task(b.clone()), Some(Level::Medium));
    assert_eq!(level(&world), Level::Medium);
    set(&mut world, LevelScope::Task(b.clone()), None);
    assert_eq!(level(&world), Level::High);
}

#[test]
fn one_id_acts_once_and_a_viewer_may_not_act() {
    let mut world = started();
    let envelope = |role| CommandEnvelope {
        id: Name::new("same").unwrap(),
        author: Author::Person("v".into()),
        role,
        command: Command::Pause,
    };
    world.input(Input::Command(envelope(Role::Viewer)));
    assert!(world.records.iter().any(|r| matches!(&r.event, Event::CommandRefused { .. })));
    let n = world.records.len();
    world.input(Input::Command(envelope(Role::Control)));
    assert_eq!(world.records.len(), n);
}

#[test]
fn ending_the_session_keeps_partials_and_ends_everything() {
    let mut world = started();
    world.command(Command::EndSession).unwrap();
    assert!(world.ended);
    assert!(world.state().tasks().iter().all(|t| t.has_ended()));
    assert!(world.state().ended.is_some());
    assert!(world.command(Command::Pause).unwrap_err().contains("has ended"));
    world.assert_fold();
}
