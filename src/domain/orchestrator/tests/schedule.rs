//! When tasks start, and how close to the best schedule that comes.

use super::world::{World, agent, config, endpoint, name, plan, task};
use crate::domain::fleet::{Fleet, SessionConfig, Settings};
use crate::domain::orchestrator::StartTurn;
use crate::domain::plan::{OnFailure, Priority};
use crate::domain::protocol::{Event, Outcome};
use crate::domain::state::GoalPhase;

fn one_tier(slots: u32) -> SessionConfig {
    SessionConfig {
        fleet: Fleet {
            name: "one".into(),
            endpoints: vec![endpoint("a", "main", slots, 50.0)],
            agents: vec![agent("researcher", "main", None), agent("reasoner", "main", None)],
        },
        settings: Settings::default(),
        seed: 1,
        ..SessionConfig::default()
    }
}

#[test]
fn a_task_starts_the_moment_its_last_need_ends() {
    let mut world = World::new(config());
    world
        .add(plan(vec![
            task("short", &[], 50),
            task("long", &[], 500),
            task("after-short", &["short"], 50),
            task("last", &["after-short", "long"], 50),
        ]))
        .unwrap();
    world.run(1_000);
    let at = |id: &str| {
        let t = world.state().task_by_id(&format!("g1/{id}").parse().unwrap()).unwrap();
        (t.started_at.unwrap().secs_f64(), t.ended_at.unwrap().secs_f64())
    };
    assert_eq!(at("after-short").0, at("short").1);
    assert!(at("after-short").1 < at("long").1, "no barrier between layers");
    assert_eq!(at("last").0, at("long").1);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn sixty_mixed_tasks_with_heavy_tails_end_within_one_percent_of_the_bound() {
    // Three tiers; durations fall off as 1/rank, so that a few are very long; per tier the long ones fit under the bound.
    let tiers = [("q4", 6u32), ("deep", 2), ("code", 4)];
    let fleet = Fleet {
        name: "mixed".into(),
        endpoints: tiers.iter().map(|(t, s)| endpoint(t, t, *s, 50.0)).collect(),
        agents: tiers.iter().map(|(t, _)| agent(t, t, None)).collect(),
    };
    let mut world = World::new(SessionConfig { fleet, seed: 1, ..SessionConfig::default() });
    let mut tasks = Vec::new();
    let mut bound = 0f64;
    for (t, (tier, slots)) in tiers.iter().enumerate() {
        let mut sum = 0;
        let n = 20;
        let mut longest = 0;
        for i in 0..n {
            let tokens = 40 + 6_000 / ((i + t) as u32 + 2 + *slots);
            let mut spec = task(&format!("{tier}-{i}"), &[], tokens);
            spec.agent = name(tier);
            tasks.push(spec);
            sum += tokens;
            longest = longest.max(tokens);
        }
        bound = bound.max((f64::from(sum) / f64::from(*slots)).max(f64::from(longest)) * 0.02);
    }
    // In a bad order: the shortest first.
    tasks.reverse();
    world.add(plan(tasks)).unwrap();
    world.run(10_000);
    let ratio = world.makespan() / bound;
    assert!(ratio <= 1.01, "makespan is {ratio:.4} of the bound");
}

#[test]
fn critical_chains_do_not_wait_behind_a_crowd() {
    let mut world = World::new(one_tier(6));
    let mut tasks: Vec<_> = (0..64).map(|i| task(&format!("crowd-{i}"), &[], 300)).collect();
    for chain in ["x", "y"] {
        for i in 0..8 {
            let needs = if i == 0 { vec![] } else { vec![format!("{chain}-{}", i - 1)] };
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            tasks.push(task(&format!("{chain}-{i}"), &needs, 300));
        }
    }
    // Durations vary around the estimate; nobody told the orchestrator.
    world.duration = Box::new(|t: &StartTurn| {
        let h = t.task.name.as_str().bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
        5_000_000 + h % 2_000_000
    });
    let all: Vec<u64> = {
        let duration = |id: &str| {
            let h = id.bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
            5_000_000 + h % 2_000_000
        };
        tasks.iter().map(|t| duration(t.id.as_str())).collect()
    };
    let chain: u64 = all[64..72].iter().sum::<u64>().max(all[72..].iter().sum());
    let oracle = (all.iter().sum::<u64>() as f64 / 6.0).max(chain as f64) / 1e6;
    world.add(plan(tasks)).unwrap();
    world.run(10_000);
    let ratio = world.makespan() / oracle;
    assert!(ratio <= 1.05, "makespan is {ratio:.4} of the oracle's bound");
}

#[test]
fn priority_goes_before_path_and_the_limit_of_a_goal_is_kept() {
    let mut world = World::new(one_tier(1));
    let mut urgent = task("urgent", &[], 10);
    urgent.priority = Priority::Critical;
    let mut low = task("low", &[], 900);
    low.priority = Priority::Low;
    world.add(plan(vec![task("first", &[], 10), low, task("usual", &[], 10), urgent])).unwrap();
    world.run(1_000);
    let order: Vec<String> = world
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::TaskStarted { task } => Some(task.name.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["urgent", "first", "usual", "low"]);

    let mut world = World::new(one_tier(6));
    let mut limited = plan((0..9).map(|i| task(&format!("t{i}"), &[], 50)).collect());
    limited.max_parallel = Some(2);
    world.add(limited).unwrap();
    assert_eq!(world.live.len(), 2);
    let why = world.state().admit(crate::domain::state::TaskIx(5), world.now).unwrap_err();
    assert!(why.to_string().contains("limit of 2"), "{why}");
    world.run(1_000);
    assert_eq!(world.state().totals.widest, 2);
}

#[test]
fn a_low_task_is_raised_by_waiting() {
    let mut config = one_tier(1);
    config.settings.ageing_seconds = 5;
    let mut world = World::new(config);
    let mut low = task("low", &[], 50);
    low.priority = Priority::Low;
    let mut tasks = vec![low];
    tasks.extend((0..40).map(|i| task(&format!("t{i:02}"), &[], 50)));
    world.add(plan(tasks)).unwrap();
    world.run(10_000);
    let low = world.state().task_by_id(&"g1/low".parse().unwrap()).unwrap();
    let waited = low.started_at.unwrap().secs_f64();
    assert!((5.0..=15.0).contains(&waited), "low waited {waited} s of 40");
}

#[test]
fn results_go_into_the_prompts_of_dependants_and_failures_are_told() {
    let mut world = World::new(config());
    let mut told = task("told", &["good", "bad"], 50);
    told.on_dependency_failure = OnFailure::Tell;
    let stopped = task("stopped", &["bad"], 50);
    let bad = {
        let mut t = task("bad", &[], 50);
        t.retry = Some(crate::domain::plan::Retry { max: 0, backoff: crate::domain::plan::Backoff::None });
        t
    };
    world.fate = Box::new(|t, _| {
        if t.task.name.as_str() == "bad" {
            Err(super::world::failure(
                crate::domain::protocol::FailureKind::Garbage,
                crate::domain::protocol::Remedy::RetryHere,
            ))
        } else {
            Ok(())
        }
    });
    world.add(plan(vec![task("good", &[], 50), bad, told, stopped])).unwrap();
    world.run(1_000);
    let recipe = world
        .records
        .iter()
        .find_map(|r| match &r.event {
            Event::TurnStarted(t)
                if world.state().task(world.state().attempt(t.turn.attempt)?.task).id.name.as_str() == "told" =>
            {
                Some(serde_json::to_string(&t.recipe).unwrap())
            }
            _ => None,
        })
        .unwrap();
    assert!(recipe.contains("result_of"), "{recipe}");
    assert!(recipe.contains("It failed: it broke"), "{recipe}");
    let skipped = world.state().task_by_id(&"g1/stopped".parse().unwrap()).unwrap();
    assert_eq!(skipped.reason.as_str(), "“do bad” failed");
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Failed));
    world.assert_fold();
}
