//! What the operator asks for.

use super::world::{World, config, plan, task};
use crate::domain::orchestrator::Input;
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{
    AttemptEnd, Author, Command, CommandEnvelope, Event, FailureKind, GoalId, GoalOptions, Level, LevelScope, Name,
    Outcome, Partial, PlanSource, Remedy, RetryScope, Role, StopScope, TaskId,
};
use crate::domain::state::{End, Gear, GoalPhase, Life, PermitPhase, TaskIx};

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
        world.command(Command::EditPlan { goal: GoalId(1), if_revision: revision, edits, rerun: Vec::new() })
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
        viewer: None,
        command: Command::Pause,
    };
    let n = world.records.len();
    world.input(Input::Command(envelope(Role::Viewer)));
    // Turned away without a record, so that nobody fills the journal by asking.
    assert_eq!((world.records.len(), world.orchestrator.turned_away()), (n, 1));
    world.input(Input::Command(envelope(Role::Control)));
    let n = world.records.len();
    assert!(world.records.iter().any(|r| matches!(&r.event, Event::SessionPaused {})));
    world.input(Input::Command(envelope(Role::Control)));
    assert_eq!(world.records.len(), n);
}

#[test]
fn ending_the_session_is_no_cancel_what_runs_is_set_down_and_taken_up_again() {
    let mut world = started();
    let running: Vec<_> = world.state().running().map(|a| a.id).collect();
    assert!(!running.is_empty());
    world.command(Command::EndSession).unwrap();
    assert!(world.ended && world.live.is_empty());
    assert_eq!(world.state().running().len(), 0);
    for id in &running {
        let ended = &world.state().attempt(*id).unwrap().ended;
        assert!(matches!(ended, Some((_, AttemptEnd::Interrupted))), "{ended:?}");
    }
    assert!(world.state().tasks().iter().all(|t| t.life == Life::NotStarted && t.failures == 0));
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Running);
    assert!(world.state().ended.is_some());
    let why = world.state().admit(TaskIx(0), world.now).unwrap_err();
    assert!(why.to_string().contains("baton resume"), "{why}");
    assert_eq!(world.records.last().unwrap().event.name(), "session.ended");
    assert!(world.command(Command::Pause).unwrap_err().contains("has ended"));
    world.assert_fold();
}

#[test]
fn a_limit_of_no_task_at_once_is_refused() {
    let mut world = World::new(config());
    let mut none = plan(vec![task("a", &[], 50)]);
    none.max_parallel = Some(0);
    assert!(world.add(none.clone()).unwrap_err().contains("max_parallel"));
    none.max_parallel = None;
    let options = GoalOptions { max_parallel: Some(0), ..GoalOptions::default() };
    let source = || PlanSource::Given(Box::new(none.clone()));
    let add =
        |world: &mut World, options| world.command(Command::AddGoal { text: "a goal".into(), plan: source(), options });
    assert!(add(&mut world, options).is_err());
    // What is asked for with the goal goes before what the plan says.
    none.max_parallel = Some(2);
    let options = GoalOptions { max_parallel: Some(1), ..GoalOptions::default() };
    world.command(Command::AddGoal { text: "g".into(), plan: PlanSource::Given(Box::new(none)), options }).unwrap();
    assert_eq!(world.state().goals()[0].options.max_parallel, Some(1));
}

#[test]
fn the_answer_follows_a_plan_that_changes() {
    let mut world = World::new(config());
    let options = GoalOptions { synthesis: Some(true), voice_summary: Some(true), ..GoalOptions::default() };
    let given = PlanSource::Given(Box::new(plan(vec![task("a", &[], 50)])));
    world.command(Command::AddGoal { text: "g".into(), plan: given, options }).unwrap();
    let edit = |world: &mut World, edits| {
        let if_revision = world.state().goals()[0].revision;
        world.command(Command::EditPlan { goal: GoalId(1), if_revision, edits, rerun: Vec::new() })
    };
    // Everything is taken out: there is nothing to write about.
    edit(&mut world, vec![PlanEdit::Remove(Name::new("a").unwrap())]).unwrap();
    world.run(1_000);
    let state = world.state();
    assert!(matches!(state.goals()[0].phase, GoalPhase::Ended(_)));
    assert!(state.task_by_id(&id("g1/.synthesis")).unwrap().attempts.is_empty(), "it wrote about nothing");
    world.assert_fold();

    // Without a synthesis the voice speaks of the last task, and of the synthesis once there is one.
    let mut world = World::new(config());
    let options = GoalOptions { voice_summary: Some(true), ..GoalOptions::default() };
    let given =
        PlanSource::Given(Box::new(crate::domain::plan::Plan { synthesis: None, ..plan(vec![task("a", &[], 50)]) }));
    world.command(Command::AddGoal { text: "g".into(), plan: given, options }).unwrap();
    edit(&mut world, vec![PlanEdit::Add(Box::new(task("b", &[], 500)))]).unwrap();
    let needs = |t: &str| {
        let state = world.state();
        let task = state.task_by_id(&id(t)).unwrap();
        task.needs.iter().map(|n| state.task(*n).id.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(needs("g1/.synthesis"), ["a", "b"]);
    assert_eq!(needs("g1/.voice"), [".synthesis"]);
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn a_running_task_and_what_needs_it_can_be_taken_out() {
    let mut world = started();
    let revision = world.state().goals()[0].revision;
    let remove = |n: &str| PlanEdit::Remove(Name::new(n).unwrap());
    let edits = vec![remove("a"), PlanEdit::Replace(Box::new(task("b", &[], 50)))];
    world.command(Command::EditPlan { goal: GoalId(1), if_revision: revision, edits, rerun: Vec::new() }).unwrap();
    assert!(world.live.values().any(|t| t.task == id("g1/b")), "b needs nothing any more");
    world.run(1_000);
    assert!(world.state().task_by_id(&id("g1/b")).unwrap().is_done());
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn a_failed_task_that_is_taken_out_needs_nobody_any_more() {
    let mut world = World::new(config());
    world.fate = Box::new(|t, _| {
        if t.task.name.as_str() == "a" {
            Err(super::world::failure(FailureKind::Refused, Remedy::Operator))
        } else {
            Ok(())
        }
    });
    world.add(plan(vec![task("a", &[], 50), task("b", &[], 500)])).unwrap();
    while world.state().attention.is_empty() {
        assert!(world.step());
    }
    let revision = world.state().goals()[0].revision;
    let edits = vec![PlanEdit::Remove(Name::new("a").unwrap())];
    world.command(Command::EditPlan { goal: GoalId(1), if_revision: revision, edits, rerun: Vec::new() }).unwrap();
    assert!(world.state().attention.is_empty(), "{:?}", world.state().attention);
}

#[test]
fn a_plan_that_is_being_made_can_not_be_edited() {
    let mut world = World::new(config());
    let options = GoalOptions::default();
    world.command(Command::AddGoal { text: "g".into(), plan: PlanSource::Model, options }).unwrap();
    let revision = world.state().goals()[0].revision;
    let edits = vec![PlanEdit::Add(Box::new(task("mine", &[], 50)))];
    let edit = Command::EditPlan { goal: GoalId(1), if_revision: revision, edits, rerun: Vec::new() };
    assert!(world.command(edit).unwrap_err().contains("no plan yet"));
}

#[test]
fn a_held_task_that_runs_ends_its_turn_keeps_its_answer_and_is_done_when_released() {
    let mut world = started();
    world.command(Command::Hold(id("g1/a"))).unwrap();
    while !world.live.is_empty() {
        world.step();
    }
    let a = world.state().task_by_id(&id("g1/a")).unwrap();
    assert!(a.held && a.life == Life::NotStarted && a.thread.len() == 1);
    assert_eq!(world.state().task_by_id(&id("g1/b")).unwrap().life, Life::NotStarted, "nobody has its result yet");
    world.command(Command::Release(id("g1/a"))).unwrap();
    let a = world.state().task_by_id(&id("g1/a")).unwrap();
    assert!(a.is_done() && !a.held && a.attempts.len() == 1, "what it said is its answer");
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.command(Command::Retry(RetryScope::Task(id("g1/a")))).unwrap();
    assert_eq!(world.live.len(), 1, "a retry is not held by what was asked of the run before");
    world.assert_fold();
}

#[test]
fn a_journal_that_fails_pauses_and_its_mending_lets_the_session_go_on() {
    let mut world = started();
    world.input(Input::JournalFailed { reason: "no space left".into() });
    world.input(Input::JournalFailed { reason: "no space left".into() });
    assert_eq!(world.state().gear, Gear::Paused);
    while !world.live.is_empty() {
        world.step();
    }
    assert!(world.command(Command::Resume).unwrap_err().contains("journal"));
    world.input(Input::JournalMended);
    assert!(world.state().attention.is_empty());
    assert_eq!(world.state().gear, Gear::Running, "it goes on by itself");
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn what_the_operator_paused_stays_paused_when_the_journal_is_mended() {
    let mut world = started();
    world.command(Command::Pause).unwrap();
    world.input(Input::JournalFailed { reason: "no space left".into() });
    world.input(Input::JournalMended);
    assert_eq!(world.state().gear, Gear::Paused);
    assert!(world.state().attention.is_empty());
    world.command(Command::Resume).unwrap();
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}
