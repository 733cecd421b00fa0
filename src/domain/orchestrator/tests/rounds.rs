//! The answer in rounds: every result is in it, whole where it fits, whatever fails, ends or changes meanwhile.

use proptest::prelude::*;

use super::properties::{fate, happen, plans, shared, to_the_end};
use super::world::{Says, World, config, failure, name, plan, task};
use crate::domain::plan::{Plan, PlanEdit};
use crate::domain::protocol::{
    AttemptId, Command, Cut, Event, FailureKind, GoalId, Outcome, Part, Remedy, RetryScope, Subject, TaskId, Work,
};
use crate::domain::state::{End, GoalPhase, Life, State, Task};

const GOAL: GoalId = GoalId(1);

fn fleet(context: u32) -> crate::domain::fleet::SessionConfig {
    let mut config = config();
    config.fleet.endpoints[2].context = context;
    config.fleet.agents[1].fallback = None;
    config.fleet.agents[1].max_tokens = 4096;
    config
}

fn says(world: &mut World, size: usize) {
    world.says = Box::new(move |t| {
        let size = if t.task.name.as_str().starts_with('.') { 700 } else { size };
        Some("x".repeat(size))
    });
}

fn many(n: usize) -> Plan {
    Plan { synthesis: Some(true), ..plan((0..n).map(|i| task(&format!("t{i}"), &[], 50)).collect()) }
}

/// `n` results of `size` bytes each, and an answer at a context.
fn world(n: usize, size: usize, context: u32) -> World {
    let mut world = World::new(fleet(context));
    says(&mut world, size);
    world.add(many(n)).unwrap();
    world
}

fn id(name: &str) -> TaskId {
    format!("g1/{name}").parse().unwrap()
}

fn rounds(state: &State) -> Vec<&Task> {
    state.tasks().iter().filter(|t| t.work == Work::Round && !t.removed).collect()
}

/// Holds: every result of a goal is named by the recipe of its answer or of a round that this is made of. Returns how many
/// of them are there whole.
fn assert_all_named(state: &State, goal: GoalId) -> usize {
    let answer = state.own_task(goal, Work::Synthesis).unwrap();
    assert!(answer.is_done(), "{:?}: {}", answer.life, answer.reason);
    let mut named: Vec<(AttemptId, Cut)> = Vec::new();
    let of = state.rounds_of(answer).into_iter().map(|ix| state.task(ix)).filter(|t| t.has_result());
    for task in of.chain([answer]) {
        // What stands in a result's place by hand was asked nothing.
        let result = state.attempt(task.result.unwrap()).unwrap();
        let sent = task
            .attempts
            .iter()
            .rev()
            .filter_map(|a| state.attempt(*a))
            .find(|a| a.turn().is_some_and(|t| !t.recipe.messages.is_empty()));
        let sent = Some(result).filter(|a| a.is_model()).or(sent).unwrap();
        for part in sent.turns().flat_map(|t| t.recipe.messages.iter()).flat_map(|m| &m.parts) {
            if let Part::ResultOf { attempt, cut } = part {
                named.push((*attempt, *cut));
            }
        }
    }
    let results = state.sources_of(answer).into_iter().filter_map(|n| state.task_by_id(&TaskId::new(goal, n)));
    let mut whole = 0;
    for source in results.filter(|t| t.has_result()) {
        let cut = named.iter().find(|(a, _)| Some(*a) == source.result);
        let (_, cut) = cut.unwrap_or_else(|| panic!("{} is in no part of the answer", source.id));
        whole += usize::from(*cut == Cut::Whole);
    }
    whole
}

#[test]
fn all_results_are_in_the_answer_whole_in_rounds_where_they_do_not_fit_at_once() {
    // Results, bytes of each, context, rounds.
    let table = [
        (3, 600, 4096, 0),
        (3, 4_000, 4096, 3),
        (20, 2_000, 4096, 7),
        (200, 1_500, 4096, 60),
        (20, 2_000, 16_384, 2),
        (20, 1_000, 2048, 12),
        (200, 2_000, 65_536, 4),
    ];
    for (n, size, context, most) in table {
        let mut world = world(n, size, context);
        world.run(5_000);
        let state = world.state();
        assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
        assert_eq!(assert_all_named(state, GOAL), n, "{n} results of {size} at {context}");
        let rounds = rounds(state).len();
        assert!(rounds <= most && (rounds > 0) == (most > 0), "{rounds} rounds of {n} × {size} at {context}");
        assert!(state.attention.is_empty(), "{:?}", state.attention);
        for (round, task) in state.tasks().iter().filter(|t| t.work != Work::Ordinary).map(|t| (&t.id, t)) {
            assert!(task.is_done() && !task.dirty && task.attempts.len() == 1, "{round}");
        }
        world.assert_fold();
    }
}

#[test]
fn rounds_are_called_by_the_results_in_them_and_bounded() {
    let mut of = world(20, 2_000, 4096);
    of.run(5_000);
    let titles: Vec<String> = rounds(of.state()).iter().map(|t| t.title.to_string()).collect();
    assert_eq!(titles[..2], ["Condense results 1 to 3", "Condense results 4 to 6"]);
    // Far more than rounds can hold: bounded, every result is still named, and the operator is told of the cuts.
    let mut world = world(250, 30_000, 2048);
    world.run(5_000);
    assert_all_named(world.state(), GOAL);
    assert!(rounds(world.state()).len() <= 64);
    assert!(world.state().attention.keys().any(|s| matches!(s, Subject::Fit(_))));
    world.assert_fold();
}

#[test]
fn what_failed_is_told_to_the_answer_and_a_round_that_fails_gives_way_to_its_results() {
    let mut world = world(12, 2_000, 4096);
    world.fate = Box::new(|t, _| match t.task.name.as_str() {
        "t3" | ".digest-2" => Err(failure(FailureKind::Garbage, Remedy::RetryHere)),
        _ => Ok(()),
    });
    world.run(5_000);
    let state = world.state();
    assert_all_named(state, GOAL);
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Failed));
    let answer = state.own_task(GOAL, Work::Synthesis).unwrap();
    let sent = state.last_attempt(answer).unwrap().turn().unwrap();
    let says = |words: &str| {
        let parts = sent.recipe.messages.iter().flat_map(|m| &m.parts);
        parts.filter(|p| matches!(p, Part::Literal(text) if text.contains(words))).count()
    };
    assert_eq!(says("No result of “do t3”"), 1);
    assert_eq!(says("No result of “Condense"), 0);
    assert!(rounds(state).iter().any(|t| t.life == Life::Ended(End::Failed)));
    world.assert_fold();
}

#[test]
fn every_prefix_goes_on_to_the_same_answer() {
    let mut world = world(9, 2_000, 2048);
    world.fate = Box::new(|t, tries| match (t.task.name.as_str(), tries) {
        ("t4" | ".digest-2" | ".synthesis", 1) => Err(failure(FailureKind::Garbage, Remedy::RetryHere)),
        _ => Ok(()),
    });
    world.run(5_000);
    assert_all_named(world.state(), GOAL);
    let names = |state: &State| -> Vec<(TaskId, Vec<crate::domain::protocol::Name>)> {
        rounds(state).iter().map(|t| (t.id.clone(), t.spec.needs.clone())).collect()
    };
    let whole = names(world.state());
    assert!(whole.len() > 4, "{whole:?}");
    let planned = world.records.iter().position(|r| matches!(r.event, Event::GoalApproved { .. })).unwrap();
    for cut in planned..world.records.len() {
        let mut again = World::resume(&world.records[..cut]);
        says(&mut again, 2_000);
        again.run(5_000);
        let state = again.state();
        assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done), "{cut}");
        assert_all_named(state, GOAL);
        assert_eq!(names(state), whole, "{cut}");
        again.assert_fold();
    }
}

#[test]
fn the_answer_runs_again_alone_and_a_result_with_its_own_round() {
    let mut world = world(12, 2_000, 4096);
    world.run(5_000);
    let tries = |world: &World| -> Vec<usize> { world.state().tasks().iter().map(|t| t.attempts.len()).collect() };
    let before = tries(&world);
    world.command(Command::Retry(RetryScope::Task(id(".synthesis")))).unwrap();
    world.run(5_000);
    let after = tries(&world);
    assert_eq!(after.iter().sum::<usize>(), before.iter().sum::<usize>() + 1, "only the answer");
    world.command(Command::Retry(RetryScope::Task(id("t0")))).unwrap();
    world.run(5_000);
    let state = world.state();
    let again: Vec<&str> = state
        .tasks()
        .iter()
        .zip(&after)
        .filter(|(t, n)| t.attempts.len() > **n)
        .map(|(t, _)| t.id.name.as_str())
        .collect();
    assert_eq!(again, ["t0", ".synthesis", ".digest-1"]);
    assert!(state.tasks().iter().all(|t| t.is_done() && !t.dirty));
    assert_all_named(state, GOAL);
    world.assert_fold();
}

#[test]
fn a_result_by_hand_makes_its_round_out_of_date_and_the_answer_runs_it_first() {
    let mut world = world(12, 2_000, 4096);
    world.run(5_000);
    world.command(Command::EditResult { task: id("t5"), text: "what I know".into() }).unwrap();
    world.run(1_000);
    let dirty: Vec<&str> = world.state().tasks().iter().filter(|t| t.dirty).map(|t| t.id.name.as_str()).collect();
    assert_eq!(dirty, [".synthesis", ".digest-2"]);
    world.command(Command::Retry(RetryScope::Task(id(".synthesis")))).unwrap();
    world.run(5_000);
    assert!(world.state().tasks().iter().all(|t| t.is_done() && !t.dirty));
    assert_all_named(world.state(), GOAL);
    world.assert_fold();
}

#[test]
fn an_edit_in_between_makes_other_rounds_and_keeps_those_that_stay_as_they_are() {
    // At every step of the way from the first round to the end.
    for steps in 0..14 {
        let mut world = world(12, 2_000, 4096);
        while rounds(world.state()).is_empty() {
            assert!(world.step());
        }
        for _ in 0..steps {
            world.step();
        }
        let edit = |world: &mut World, edits: Vec<PlanEdit>| {
            let if_revision = world.state().goal(GOAL).unwrap().revision;
            let preview = world.state().preview(GOAL, &edits).unwrap();
            world.command(Command::EditPlan { goal: GOAL, if_revision, edits, rerun: Vec::new() }).unwrap();
            preview
        };
        // Nothing that matters: the rounds stay.
        let mut light = task("t1", &[], 50);
        light.title = Some("Another title".into());
        let preview = edit(&mut world, vec![PlanEdit::Replace(Box::new(light))]);
        assert!(preview.dirty.is_empty() && preview.added.is_empty(), "{preview:?}");
        assert!(!rounds(world.state()).is_empty());
        edit(&mut world, vec![PlanEdit::Add(Box::new(task("late", &[], 50)))]);
        world.run(5_000);
        assert_all_named(world.state(), GOAL);
        let kept = world.state().task_by_id(&id(".digest-1")).unwrap();
        assert!(kept.attempts.len() <= 2, "{} tries of what stayed as it was", kept.attempts.len());
        edit(&mut world, vec![PlanEdit::Remove(name("t2"))]);
        world.run(1_000);
        world.command(Command::Retry(RetryScope::Task(id(".synthesis")))).unwrap();
        world.run(5_000);
        let state = world.state();
        assert_all_named(state, GOAL);
        assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
        assert!(state.tasks().iter().all(|t| t.removed || (t.is_done() && !t.dirty)));
        world.command(Command::Undo(GOAL)).unwrap();
        world.run(5_000);
        world.command(Command::Retry(RetryScope::Task(id(".synthesis")))).unwrap();
        world.run(5_000);
        assert_all_named(world.state(), GOAL);
        world.assert_fold();
    }
}

#[test]
fn rounds_that_fill_their_limit_shrink_what_there_is_at_each_level_and_what_is_lost_is_told() {
    // Results, bytes of each, context, the most rounds.
    for (n, size, context, most) in [(12, 3_000, 4096, 8), (8, 1_200, 2048, 8), (20, 16_000, 4096, 24)] {
        let mut world = World::new(fleet(context));
        world.says = Box::new(move |t| {
            let own = t.task.name.as_str().starts_with('.');
            Some("x".repeat(if own { t.max_tokens as usize * 3 } else { size }))
        });
        world.add(many(n)).unwrap();
        world.run(5_000);
        let state = world.state();
        let at = format!("{n} × {size} at {context}");
        let rounds = rounds(state);
        assert!(!rounds.is_empty() && rounds.len() <= most, "{} rounds of {at}", rounds.len());
        let bytes = |t: &Task| state.answer_bytes(state.attempt(t.result.unwrap()).unwrap());
        for round in &rounds {
            let read: u64 = round.needs.iter().map(|n| bytes(state.task(*n))).sum();
            assert!(bytes(round) * 4 <= read * 3, "{at}: {} of {read} bytes", bytes(round));
            assert_eq!(state.last_attempt(round).unwrap().steps.len(), 1, "{at}: no round goes on");
        }
        let answer = state.own_task(GOAL, Work::Synthesis).unwrap();
        let sent = state.last_attempt(answer).unwrap();
        let fit = state.fit_of(sent).unwrap();
        assert_eq!(fit.there, (n * size) as u64, "{at}");
        let parts = || sent.turn().unwrap().recipe.messages.iter().flat_map(|m| &m.parts);
        let cut = parts().filter(|p| matches!(p, Part::ResultOf { cut: Cut::Middle { .. }, .. })).count();
        assert_eq!(cut, 0, "{at}: digests are there whole");
        let marks = parts().filter(|p| matches!(p, Part::Literal(t) if t.contains("of what it condenses"))).count();
        // Only results that are longer than a whole round lose anything.
        let loses = size > 10_000;
        assert_eq!((marks > 0, fit.percent() < 100), (loses, loses), "{at}: {}", fit.words());
        assert_eq!(state.attention.contains_key(&Subject::Fit(answer.id.clone())), fit.is_short(), "{at}");
        world.assert_fold();
    }
}

#[test]
fn short_results_are_passed_on_beside_rounds_of_long_ones() {
    let mut world = World::new(fleet(4096));
    world.says = Box::new(|t| {
        let long = t.task.name.as_str() == "t0" || t.task.name.as_str() == "t2";
        Some("x".repeat(if long { 7_250 } else { 300 }))
    });
    world.add(many(3)).unwrap();
    world.run(5_000);
    let answer = world.state().own_task(GOAL, Work::Synthesis).unwrap();
    let needs: Vec<&str> = answer.spec.needs.iter().map(|n| n.as_str()).collect();
    assert_eq!(needs, [".digest-1", "t1", ".digest-2"]);
    assert!(rounds(world.state()).iter().all(|t| t.spec.needs.len() == 1));
}

#[test]
fn rounds_go_where_there_is_room_for_what_they_condense() {
    let mut config = fleet(512);
    let mut large = config.fleet.endpoints[2].clone();
    large.name = name("large");
    large.context = 2048;
    config.fleet.endpoints.push(large);
    let mut world = World::new(config);
    says(&mut world, 2_000);
    world.add(many(4)).unwrap();
    world.run(5_000);
    let state = world.state();
    assert!(!rounds(state).is_empty());
    for task in state.tasks().iter().filter(|t| t.work == Work::Round || t.work == Work::Synthesis) {
        let fit = state.fit_of(state.last_attempt(task).unwrap()).unwrap();
        assert!(fit.percent() > 0, "{}: {}", task.title, fit.words());
    }
}

/// Results of up to some kilobytes.
fn long(seed: u64) -> Says {
    Box::new(move |t| {
        let text = format!("{}{}", t.task, t.turn.attempt);
        let h = text.bytes().fold(seed | 1, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        t.schema.is_none().then(|| "x".repeat((h >> 20) as usize % 6_000 + 1))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn answers_in_rounds_come_to_an_end_whatever_goes_on_and_have_all_results_in_them(
        plan in plans(24),
        contexts in (9u32..15, 9u32..15),
        happenings in prop::collection::vec((0u8..20, any::<u8>(), any::<u8>()), 0..16),
        seed in any::<u64>(),
        percent in 0u64..30,
    ) {
        let mut config = shared();
        for (endpoint, power) in config.fleet.endpoints.iter_mut().zip([contexts.0, contexts.1, contexts.0, contexts.1]) {
            endpoint.context = 1 << power;
        }
        let mut world = World::new(config);
        world.fate = fate(seed, percent);
        world.says = long(seed);
        world.add(Plan { synthesis: Some(true), ..plan }).unwrap();
        for what in happenings {
            happen(what, &mut world);
        }
        to_the_end(&mut world);
        for goal in world.state().goals() {
            let answer = world.state().own_task(goal.id, Work::Synthesis);
            if answer.is_some_and(|t| t.is_done() && !t.dirty && !t.edited && t.thread.len() <= 1) {
                assert_all_named(world.state(), goal.id);
            }
        }
        world.assert_fold();
        let cut = (seed % world.records.len() as u64) as usize + 1;
        let mut again = World::resume(&world.records[..cut]);
        again.fate = fate(seed, percent);
        again.says = long(seed);
        to_the_end(&mut again);
        again.assert_fold();
    }
}
