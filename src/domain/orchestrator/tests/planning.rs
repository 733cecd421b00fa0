//! Who plans, with how much, and what it costs.

use super::world::{World, config};
use crate::domain::fleet::Price;
use crate::domain::protocol::{Command, GoalOptions, LevelSupport, PlanSource, TaskId};
use crate::domain::state::State;

fn planned(level: LevelSupport, max_tasks: u32) -> World {
    let mut config = config();
    for endpoint in &mut config.fleet.endpoints {
        endpoint.level = Some(level);
        endpoint.price = (endpoint.name.as_str() != "b").then_some(Price { input: 1.0, output: 10.0, cached: None });
    }
    let mut world = World::new(config);
    world.plan_answer = r#"{"tasks": [{"id": "one", "title": "One", "agent": "reasoner", "prompt": "p"}]}"#.into();
    let options = GoalOptions { max_tasks: Some(max_tasks), voice_summary: Some(true), ..GoalOptions::default() };
    world.command(Command::AddGoal { text: "g".into(), plan: PlanSource::Model, options }).unwrap();
    world
}

fn limit(world: &World) -> u32 {
    world.state().attempts()[0].turns().next().unwrap().max_tokens
}

#[test]
fn planning_goes_to_the_fast_tier_with_as_many_tokens_as_its_tasks_need() {
    let world = planned(LevelSupport::None, 6);
    let state = world.state();
    let (plan, place) = (&state.tasks()[0], state.place_of(&state.attempts()[0]).unwrap());
    assert_eq!((plan.spec.agent.as_str(), place.config.tiers[0].as_str()), ("researcher", "main"));
    assert_eq!(limit(&world), 1024);
    assert_eq!(limit(&planned(LevelSupport::Switch, 6)), 2048, "thinking counts among them");
    assert_eq!(limit(&planned(LevelSupport::None, 20)), 3400, "more tasks are more words");
}

#[test]
fn what_is_spoken_is_sampled_as_the_description_has_it() {
    let mut world = planned(LevelSupport::None, 6);
    let mut heard = Vec::new();
    for _ in 0..200 {
        heard.extend(world.live.values().map(|start| (start.task.to_string(), start.temperature)));
        if !world.step() {
            break;
        }
    }
    let voice = heard.iter().find(|(task, _)| task.ends_with(".voice")).unwrap();
    assert!((voice.1 - 0.4).abs() < 1e-6, "{voice:?}");
}

#[test]
fn cost_is_counted_where_a_price_is_and_nowhere_else() {
    let mut world = planned(LevelSupport::None, 6);
    world.prompt_tokens = Box::new(|bytes| bytes / 4);
    world.run(200);
    let state: &State = world.state();
    let mut sum = 0.0;
    for attempt in state.attempts() {
        let turn = &attempt.turns().next().unwrap();
        let cost = state.cost_of(attempt);
        if state.place_of(attempt).unwrap().config.name.as_str() == "b" {
            assert_eq!(cost, None);
            continue;
        }
        let expected = (turn.usage.prompt_tokens as f64 + 10.0 * turn.output_tokens() as f64) / 1e6;
        assert!(turn.usage.prompt_tokens > 0 && (cost.unwrap() - expected).abs() < 1e-12, "{cost:?}, {expected}");
        sum += expected;
    }
    assert!(sum > 0.0 && (state.cost(None).unwrap() - sum).abs() < 1e-9);
    assert_eq!(state.cost(None), state.cost(Some(state.goals()[0].id)));
    let one = state.task_by_id(&"g1/one".parse::<TaskId>().unwrap()).unwrap();
    assert_eq!(state.cost_of_task(one), state.cost_of(state.attempt(one.attempts[0]).unwrap()));
}

#[test]
fn without_a_price_there_is_no_cost() {
    let mut world = World::new(config());
    world.add(super::world::plan(vec![super::world::task("a", &[], 50)])).unwrap();
    world.run(100);
    assert_eq!(world.state().cost(None), None);
}
