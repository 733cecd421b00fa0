//! Locks and owned paths: who has what, who waits for it in which order, and for whom it is kept.

use proptest::prelude::*;

use super::world::{World, agent, config, endpoint, plan, task};
use crate::domain::plan::{Plan, PlanEdit, Priority, TaskSpec};
use crate::domain::protocol::{
    Command, Event, GoalOptions, LockMode, LockUse, Name, Outcome, Partial, PlanSource, StopScope, TaskId,
};
use crate::domain::state::{GoalPhase, Life, State, Why};

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

fn locked(name: &str, lock: &str, mode: LockMode) -> TaskSpec {
    let mut task = task(name, &[], 50);
    task.locks = vec![LockUse { name: Name::slug(lock), mode }];
    task
}

fn works(world: &World) -> Vec<String> {
    let mut tasks: Vec<String> = world.live.values().map(|t| t.task.name.to_string()).collect();
    tasks.sort();
    tasks
}

fn why(state: &State, task: &str) -> Why {
    state.admit(state.find(&id(task)).unwrap(), state.at).unwrap_err()
}

#[test]
fn a_lock_is_one_tasks_and_goes_to_the_next_in_order_when_that_ends() {
    let mut world = World::new(config());
    let mut last = locked("c", "db", LockMode::Exclusive);
    last.priority = Priority::High;
    let tasks =
        vec![locked("a", "db", LockMode::Exclusive), locked("b", "db", LockMode::Exclusive), last, task("d", &[], 500)];
    world.add(plan(tasks)).unwrap();
    assert_eq!(works(&world), ["c", "d"], "the more important one has the lock; one without a lock runs beside it");
    let why = why(world.state(), "g1/a");
    assert!(matches!(&why, Why::Lock { lock, task, .. } if lock.as_str() == "db" && *task == id("g1/c")), "{why}");
    assert!(why.to_string().contains("“do c” has the lock db"), "{why}");
    let order = |world: &World| -> Vec<String> {
        let claimed = world.records.iter().filter_map(|r| match &r.event {
            Event::TaskClaimed(claimed) => Some(claimed.task.name.to_string()),
            _ => None,
        });
        claimed.collect()
    };
    world.run(1_000);
    assert_eq!(order(&world), ["c", "a", "b"]);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert!(world.state().holdings().is_empty());
    world.assert_fold();
}

#[test]
fn a_lock_can_be_shared_and_has_its_capacity() {
    let mut world = World::new(config());
    let tasks = vec![
        locked("a", "db", LockMode::Shared),
        locked("b", "db", LockMode::Shared),
        locked("c", "db", LockMode::Exclusive),
        locked("x", "gpu", LockMode::Exclusive),
        locked("y", "gpu", LockMode::Exclusive),
        locked("z", "gpu", LockMode::Exclusive),
    ];
    let many = Plan { version: 2, capacity: [(Name::slug("gpu"), 2)].into(), ..plan(tasks) };
    assert!(world.add(Plan { version: 1, ..many.clone() }).unwrap_err().contains("version 2"));
    world.add(many).unwrap();
    assert_eq!(works(&world), ["a", "b", "x", "y"]);
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
}

#[test]
fn two_goals_that_own_the_same_paths_run_one_after_the_other() {
    let mut world = World::new(config());
    let owner = |name: &str, owns: &str| {
        let mut task = task(name, &[], 50);
        task.owns = vec![owns.into()];
        task
    };
    let both = world.add(plan(vec![owner("a", "src/api/**"), owner("b", "src/api/server.rs")])).unwrap_err();
    assert!(both.contains("both own src/api/server.rs"), "{both}");
    world.add(plan(vec![owner("a", "src/api/**")])).unwrap();
    world.add(plan(vec![owner("b", "src/api/server.rs"), owner("c", "docs")])).unwrap();
    assert_eq!(works(&world), ["a", "c"]);
    let why = why(world.state(), "g2/b");
    assert!(matches!(&why, Why::Path { path, .. } if path == "src/api/server.rs"), "{why}");
    world.command(Command::Stop { scope: StopScope::Task(id("g1/a")), partial: Partial::Kept }).unwrap();
    assert_eq!(works(&world), ["b", "c"], "what was stopped has nothing any more");
    world.run(1_000);
    world.assert_fold();
}

/// The lock's first in line lacks a slot of a tier that is full; those behind it, of another tier, start at once.
#[test]
fn nothing_idles_behind_one_that_lacks_a_slot_as_well() {
    let mut fleet = config();
    fleet.fleet.endpoints = vec![endpoint("one", "small", 1, 100.0), endpoint("two", "large", 1, 100.0)];
    fleet.fleet.agents = vec![agent("s", "small", None), agent("l", "large", None)];
    let mut world = World::new(fleet);
    let of = |name: &str, agent: &str, tokens: u32, lock: Option<&str>, priority: Priority| {
        let mut task = task(name, &[], tokens);
        task.agent = Name::slug(agent);
        task.priority = priority;
        task.locks = lock.map(|l| LockUse::exclusive(Name::slug(l))).into_iter().collect();
        task
    };
    world
        .add(plan(vec![
            of("busy", "l", 5_000, None, Priority::Critical),
            of("first", "l", 50, Some("db"), Priority::High),
            of("second", "s", 50, Some("db"), Priority::Medium),
            of("third", "s", 50, Some("db"), Priority::Low),
        ]))
        .unwrap();
    assert_eq!(works(&world), ["busy", "second"]);
    world.run(2_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
}

/// As the one above, far more often than anything is kept for anybody.
#[test]
fn a_lock_of_two_tiers_never_stands_still() {
    let mut fleet = config();
    fleet.fleet.endpoints = vec![endpoint("one", "small", 1, 100.0), endpoint("two", "large", 1, 100.0)];
    fleet.fleet.agents = vec![agent("s", "small", None), agent("l", "large", None)];
    let mut world = World::new(fleet);
    let tasks = (0..120).map(|i| {
        let mut task = task(&format!("t{i}"), &[], if i % 7 == 0 { 900 } else { 40 });
        task.agent = Name::slug(if i % 3 == 0 { "l" } else { "s" });
        task.priority = if i % 3 == 0 { Priority::High } else { Priority::Medium };
        if i % 7 != 0 {
            task.locks = vec![LockUse::exclusive(Name::slug("db"))];
        }
        task
    });
    world.add(plan(tasks.collect())).unwrap();
    to_the_end(&mut world);
    world.assert_fold();
}

/// One needs two locks that others take in turn, each a moment before the other comes free.
#[test]
fn what_one_waits_for_is_kept_for_it_after_others_took_it_again_and_again() {
    let mut fleet = config();
    fleet.settings.ageing_seconds = 100_000;
    let mut world = World::new(fleet);
    let mut tasks = Vec::new();
    for i in 0..40 {
        let mut one = locked(&format!("t{i}"), if i % 2 == 0 { "a" } else { "b" }, LockMode::Exclusive);
        one.budget.tokens = Some(if i % 2 == 0 { 60 } else { 100 });
        tasks.push(one);
    }
    let mut both = locked("both", "a", LockMode::Exclusive);
    both.locks.push(LockUse::exclusive(Name::slug("b")));
    both.priority = Priority::High;
    world.add(plan(tasks)).unwrap();
    let revision = world.state().goals()[0].revision;
    let add = Command::EditPlan {
        goal: world.state().goals()[0].id,
        if_revision: revision,
        edits: vec![PlanEdit::Add(Box::new(both))],
        rerun: Vec::new(),
    };
    world.command(add).unwrap();
    while world.state().task_by_id(&id("g1/both")).unwrap().life == Life::NotStarted {
        assert!(world.step(), "it never starts");
    }
    let reserved = world.records.iter().filter(|r| matches!(r.event, Event::TaskReserved { .. })).count();
    assert_eq!(reserved, 1);
    let before = world.state().tasks().iter().filter(|t| t.has_ended()).count();
    assert!(before < 30, "{before} went before it");
    world.run(2_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert_eq!(world.state().reserved().count(), 0);
    world.assert_fold();
}

/// Locks with whether they are shared, paths, priority, needs, tokens.
type Drawn = (Vec<(u8, bool)>, Vec<u8>, u8, Vec<prop::sample::Index>, u32);

fn drawn(i: usize, (locks, owns, priority, needs, tokens): Drawn) -> TaskSpec {
    let mut spec = task(&format!("t{i}"), &[], tokens);
    for (lock, shared) in locks {
        let name = Name::slug(&format!("l{lock}"));
        if !spec.locks.iter().any(|l| l.name == name) {
            let mode = if shared { LockMode::Shared } else { LockMode::Exclusive };
            spec.locks.push(LockUse { name, mode });
        }
    }
    let paths = ["src/**", "src/a/**", "docs", "src/a/x.rs", "tests/*.rs"];
    spec.owns = owns.into_iter().map(|p| paths[usize::from(p)].to_owned()).collect();
    spec.priority = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical][usize::from(priority)];
    if i > 0 {
        spec.needs = needs.into_iter().map(|n| Name::slug(&format!("t{}", n.index(i)))).collect();
        spec.needs.sort();
        spec.needs.dedup();
    }
    spec
}

fn plans() -> impl Strategy<Value = Vec<TaskSpec>> {
    let one = (
        proptest::collection::vec((0..4u8, any::<bool>()), 0..3),
        proptest::collection::vec(0..5u8, 0..2),
        0..4u8,
        proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
        10..200u32,
    );
    proptest::collection::vec(one, 2..24)
        .prop_map(|tasks| tasks.into_iter().enumerate().map(|(i, one)| drawn(i, one)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nothing is given to two that may not have it together, all or nothing, every run ends, and every prefix goes on.
    #[test]
    fn any_plan_with_locks_and_paths_comes_to_its_end(tasks in plans(), cut in any::<prop::sample::Index>()) {
        let mut world = World::new(config());
        // What grows at run time may clash: it is a claim then.
        let mut edits: Vec<PlanEdit> = tasks.into_iter().map(|t| PlanEdit::Add(Box::new(t))).collect();
        let PlanEdit::Add(first) = edits.remove(0) else { unreachable!() };
        world.add(Plan { version: 2, ..plan(vec![*first]) }).unwrap();
        let goal = &world.state().goals()[0];
        let edit = Command::EditPlan { goal: goal.id, if_revision: goal.revision, edits, rerun: Vec::new() };
        world.command(edit).unwrap();
        to_the_end(&mut world);
        prop_assert_eq!(&world.state().goals()[0].phase, &GoalPhase::Ended(Outcome::Done));
        prop_assert!(world.state().holdings().is_empty());
        world.assert_fold();
        let at = cut.index(world.records.len() - 1) + 1;
        let mut again = World::resume(&world.records[..at]);
        to_the_end(&mut again);
        prop_assert!(again.state().holdings().is_empty());
        prop_assert!(again.state().goals().iter().all(|g| matches!(g.phase, GoalPhase::Ended(_))));
    }
}

/// Goes on until every goal has ended.
fn to_the_end(world: &mut World) {
    for _ in 0..10_000 {
        check(world.state());
        if world.state().goals().iter().all(|g| matches!(g.phase, GoalPhase::Ended(_))) {
            return;
        }
        assert!(world.step(), "nothing is to come, and a goal is open");
    }
    panic!("it comes to no end: {:?}", world.state().tasks().iter().map(|t| (&t.id, t.life)).collect::<Vec<_>>());
}

/// No two tasks have what they may not have together, and whoever works has all that its form claims.
fn check(state: &State) {
    let held = state.holdings();
    for (i, one) in held.iter().enumerate() {
        let form = &state.task(one.task).spec;
        assert_eq!((&one.claims.locks, &one.claims.paths), (&form.locks, &form.owns), "all or nothing");
        assert_eq!(state.task(one.task).life, Life::Running);
        for other in &held[i + 1..] {
            let clash = state.clash(one.task, &other.claims.locks, &other.claims.paths);
            assert!(clash.is_none(), "{clash:?} is had twice");
        }
    }
    for task in state.tasks().iter().filter(|t| t.life == Life::Running && !t.spec.claims().is_empty()) {
        let ix = state.find(&task.id).unwrap();
        assert!(state.holding(ix).is_some(), "{} works without its claims", task.id);
    }
}

#[test]
fn a_goals_own_capacity_counts_while_it_goes_on() {
    let mut world = World::new(config());
    let tasks = |names: [&str; 2]| names.map(|n| locked(n, "gpu", LockMode::Exclusive)).to_vec();
    let options = GoalOptions { capacity: [(Name::slug("gpu"), 2)].into(), ..GoalOptions::default() };
    let plan = PlanSource::Given(Box::new(plan(tasks(["a", "b"]))));
    world.command(Command::AddGoal { text: "x".into(), plan, options }).unwrap();
    assert_eq!(works(&world), ["a", "b"]);
}
