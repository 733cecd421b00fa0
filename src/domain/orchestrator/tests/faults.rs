//! Retries, the fallback tier, dead endpoints, planning that goes wrong.

use super::world::{World, config, failure, name, plan, task};
use crate::domain::protocol::{
    Command, Event, FailureKind, GoalOptions, Outcome, PlanSource, Remedy, Review, Route, Work,
};
use crate::domain::state::{Attempt, GoalPhase, Why};

#[test]
fn a_failed_request_is_tried_again_after_a_wait_and_then_on_the_fallback_tier() {
    let mut world = World::new(config());
    let mut deep = task("deep", &[], 50);
    deep.agent = name("reasoner");
    world.fate = Box::new(|t, _| {
        if t.endpoint.as_str() == "c" { Err(failure(FailureKind::Garbage, Remedy::RetryHere)) } else { Ok(()) }
    });
    world.add(plan(vec![deep])).unwrap();
    world.run(1_000);
    let state = world.state();
    let routes: Vec<Route> = state.attempts().iter().filter_map(Attempt::route).collect();
    assert_eq!(routes, [Route::Primary, Route::Primary, Route::Primary, Route::Fallback]);
    let gaps: Vec<u64> =
        state.attempts().windows(2).map(|w| w[1].started_at.since(w[0].ended.as_ref().unwrap().0).0 / 1_000).collect();
    assert_eq!(gaps, [500, 1_000, 0], "doubling, then at once elsewhere");
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn a_server_that_dies_costs_one_attempt_and_its_tasks_move() {
    let mut world = World::new(config());
    let mut tasks: Vec<_> = (0..4).map(|i| task(&format!("r{i}"), &[], 50)).collect();
    let mut deep = task("deep", &[], 50);
    deep.agent = name("reasoner");
    tasks.push(deep);
    world.down = vec!["c".into()];
    world.add(plan(tasks)).unwrap();
    world.run(1_000);
    let state = world.state();
    let deep = state.task_by_id(&"g1/deep".parse().unwrap()).unwrap();
    assert!(deep.is_done());
    assert!(deep.attempts.len() <= 2);
    assert_eq!(state.attempt(*deep.attempts.last().unwrap()).unwrap().route(), Some(Route::Fallback));
    world.assert_fold();
}

#[test]
fn a_task_whose_only_tier_is_down_waits_and_says_so_and_goes_on_when_it_is_back() {
    let mut world = World::new(config());
    world.down = vec!["a".into(), "b".into()];
    world.command(Command::Probe(None)).unwrap();
    world.add(plan(vec![task("t", &[], 50)])).unwrap();
    let why = world.state().admit(crate::domain::state::TaskIx(0), world.now).unwrap_err();
    assert!(matches!(why, Why::Down { .. }), "{why}");
    for _ in 0..20 {
        world.step();
    }
    assert!(world.live.is_empty());
    world.down.clear();
    world.run(100);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
}

#[test]
fn an_empty_answer_is_a_failure_and_an_unmendable_one_needs_the_operator() {
    let mut world = World::new(config());
    world.fate = Box::new(|_, _| Err(failure(FailureKind::Unauthorized, Remedy::Operator)));
    world.add(plan(vec![task("t", &[], 50)])).unwrap();
    world.run(1_000);
    let state = world.state();
    assert!(state.attempts().len() <= 4);
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Failed));
    assert!(!state.attention.is_empty());
}

fn goal(world: &mut World, review: Review) {
    let options = GoalOptions { review, ..GoalOptions::default() };
    world.command(Command::AddGoal { text: "Compare two parsers".into(), plan: PlanSource::Model, options }).unwrap();
}

#[test]
fn a_goal_is_planned_reviewed_run_and_synthesised() {
    let mut world = World::new(config());
    world.plan_answer = r#"{"tasks":[
        {"id":"a","title":"A","prompt":"do a","agent":"researcher","needs":[]},
        {"id":"b","title":"B","prompt":"do b","agent":"wizard","needs":[]}]}"#
        .into();
    goal(&mut world, Review::Ask);
    while world.state().goals()[0].phase == GoalPhase::Planning {
        assert!(world.step());
    }
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Draft);
    assert!(world.live.is_empty(), "a draft starts nothing");
    assert_eq!(world.state().goals()[0].repairs.len(), 1, "{:?}", world.state().goals()[0].repairs);
    world.command(Command::Approve(crate::domain::protocol::GoalId(1))).unwrap();
    assert_eq!(world.live.len(), 2);
    world.run(1_000);
    let state = world.state();
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    let answer = state.goals()[0].answer.clone().unwrap();
    assert_eq!(state.task_by_id(&answer).unwrap().work, Work::Synthesis);
    world.assert_fold();
}

#[test]
fn whatever_the_planning_model_does_there_is_a_sound_plan() {
    let forty: Vec<String> = (0..40)
        .map(|i| format!(r#"{{"id":"t{i}","title":"T{i}","prompt":"p","agent":"researcher","needs":[]}}"#))
        .collect();
    let answers = [
        "I think we should first look around and then decide.".to_owned(),
        r#"{"tasks":[{"id":"a","title":"A","prompt":"do a","agent":"researcher","needs":[]},{"id":"b","ti"#.to_owned(),
        r#"{"tasks":[{"id":"a","title":"A","prompt":"x","agent":"researcher","needs":["b"]},{"id":"b","title":"B","prompt":"y","agent":"researcher","needs":["a"]}]}"#.to_owned(),
        format!(r#"{{"tasks":[{}]}}"#, forty.join(",")),
        String::new(),
        r#"{"tasks":[{"id":".synthesis","title":"S","prompt":"x","agent":"researcher","needs":[".plan"]},{"id":".voice","title":"V","prompt":"x","agent":"researcher","needs":[".synthesis"]}]}"#.to_owned(),
        "\u{1b}]0;pwn\u{7}{}".to_owned(),
    ];
    for answer in answers {
        let mut world = World::new(config());
        world.plan_answer = if answer.is_empty() { " ".into() } else { answer.clone() };
        goal(&mut world, Review::Auto);
        world.run(5_000);
        let state = world.state();
        assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done), "{answer}");
        let made = state.tasks().iter().filter(|t| t.work == Work::Ordinary).count();
        assert!((1..=6).contains(&made), "{made} tasks of {answer}");
        assert!(!state.goals()[0].repairs.is_empty(), "nothing was said of {answer}");
        world.assert_fold();
    }
}

#[test]
fn no_planning_model_at_all_gives_a_built_in_plan() {
    let mut world = World::new(config());
    world.fate =
        Box::new(|t, _| if t.schema.is_some() { Err(failure(FailureKind::Server, Remedy::Elsewhere)) } else { Ok(()) });
    goal(&mut world, Review::Auto);
    world.run(5_000);
    let state = world.state();
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert!(state.goals()[0].repairs[0].contains("built-in plan"));
    assert!(world.records.iter().any(|r| matches!(&r.event, Event::TaskFailed { .. })));
}

#[test]
fn a_task_sent_to_the_fallback_tier_comes_back_when_only_its_first_tier_answers() {
    let mut world = World::new(config());
    let mut deep = task("deep", &[], 50);
    deep.agent = name("reasoner");
    world.fate =
        Box::new(|_, tries| if tries <= 3 { Err(failure(FailureKind::Garbage, Remedy::RetryHere)) } else { Ok(()) });
    world.add(plan(vec![deep])).unwrap();
    while world.state().attempts().len() < 3 {
        assert!(world.step());
    }
    // Its three tries on the first tier are used up; meanwhile the fallback tier goes down.
    world.down = vec!["a".into(), "b".into()];
    world.command(Command::Probe(None)).unwrap();
    world.run(500);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn a_server_that_reports_no_slots_is_taken_to_have_those_configured() {
    let mut world = World::new(config());
    world.reported = ["a", "b"].map(|e| (e.to_owned(), 0)).into();
    world.command(Command::Probe(None)).unwrap();
    world.add(plan(vec![task("t", &[], 50)])).unwrap();
    world.run(100);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
}
