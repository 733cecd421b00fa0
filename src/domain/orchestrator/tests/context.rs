//! What a task sees of the results it needs, and the room its answer has; refusals of prompts that are too long.

use super::world::{World, config, failure, name, plan, task};
use crate::domain::orchestrator::QUESTIONS;
use crate::domain::protocol::{
    Cut, Event, Failure, FailureKind, Message, Part, Remedy, Route, Speaker, Subject, TaskId, Told,
};
use crate::domain::state::{Attempt, End, Fit, Life};

/// Two researchers on `main` and what needs both on `deep`, whose endpoint has this context and no fallback.
fn world(context: u32, sizes: [usize; 2], budget: Option<u32>) -> World {
    let mut config = config();
    config.fleet.endpoints[2].context = context;
    config.fleet.agents[1].fallback = None;
    config.fleet.agents[1].max_tokens = 4096;
    let mut world = World::new(config);
    world.says = Box::new(move |t| match t.task.name.as_str() {
        "a" => Some("x".repeat(sizes[0])),
        "b" => Some("y".repeat(sizes[1])),
        _ => None,
    });
    let mut both = task("both", &["a", "b"], 1);
    both.agent = name("reasoner");
    both.budget.tokens = budget;
    world.add(plan(vec![task("a", &[], 50), task("b", &[], 50), both])).unwrap();
    world
}

fn both() -> TaskId {
    "g1/both".parse().unwrap()
}

fn fits(world: &World) -> Vec<Fit> {
    let task = world.state().task_by_id(&both()).unwrap();
    let tries = task.attempts.iter().filter_map(|id| world.state().attempt(*id));
    tries.map(|a| world.state().fit_of(a).unwrap()).collect()
}

fn literals(messages: &[Message]) -> String {
    let of = |part: &Part| match part {
        Part::Literal(text) => text.to_string(),
        _ => "·".to_owned(),
    };
    messages.iter().filter(|m| m.role == Speaker::User).flat_map(|m| &m.parts).map(of).collect()
}

fn too_long(prompt_tokens: Option<u64>, context: Option<u64>) -> Failure {
    Failure {
        told: Told { prompt_tokens, context, ..Told::default() },
        ..failure(FailureKind::Context, Remedy::Elsewhere)
    }
}

#[test]
fn how_an_agent_may_ask_is_counted_with_all_its_bytes() {
    assert_eq!(QUESTIONS.len() as u64, crate::domain::state::MAY_ASK);
}

#[test]
fn whoever_needs_long_results_sees_its_share_of_them_in_any_context_or_the_operator_is_told() {
    // Two results of 16.7 kB. At 60 % of the context, less where the answer would have no quarter of it.
    for (context, least) in [(1024, 1), (2048, 9), (4096, 21), (8192, 43), (16_384, 88), (32_768, 100)] {
        let mut world = world(context, [16_700; 2], None);
        world.run(1_000);
        let [fit] = fits(&world)[..] else { panic!("one try at {context}") };
        assert_eq!(fit.there, 33_400);
        assert!(fit.percent() >= least, "{context}: {}", fit.words());
        assert!(
            fit.limit >= (context / 4).min(4096) && fit.limit <= 4096,
            "{context}: {} tokens for the answer",
            fit.limit
        );
        let told = world.state().attention.get(&Subject::Fit(both()));
        assert_eq!(told.is_some(), fit.is_short(), "{context}: {told:?}");
        if let Some(told) = told {
            assert!(told.text.contains(&fit.words()) && told.text.contains(&context.to_string()), "{}", told.text);
        }
        let sent = world.state().attempts().last().unwrap().turn().unwrap();
        let says = literals(&sent.recipe.messages);
        assert_eq!(says.contains("of the results below fit here"), fit.percent() < 100, "{says}");
        world.assert_fold();
    }
}

#[test]
fn results_that_fit_leave_the_answer_all_that_is_wanted_and_nobody_is_told_anything() {
    let mut world = world(4096, [600; 2], None);
    world.run(1_000);
    let fit = fits(&world)[0];
    assert_eq!(fit.percent(), 100);
    assert!(fit.limit > 3_200, "{} tokens", fit.limit);
    assert!(world.state().attention.is_empty());
}

#[test]
fn a_budget_that_does_not_fit_is_told_when_it_is_less_than_half() {
    for (budget, told) in [(3_000, false), (3_900, false), (8_000, true)] {
        let mut world = world(4096, [600; 2], Some(budget));
        world.run(1_000);
        let fit = fits(&world)[0];
        assert_eq!(fit.wanted, budget);
        let attention = world.state().attention.get(&Subject::Fit(both()));
        assert_eq!(attention.is_some(), told, "{budget}: {fit:?}");
        assert_eq!(fit.is_limited(), budget > 3_400, "{budget}: {fit:?}");
    }
}

#[test]
fn a_prompt_that_was_too_long_is_cut_by_the_ratio_told_and_sent_once_more_at_no_cost() {
    let mut world = world(8192, [16_700; 2], None);
    // 14.7 kB of results are taken for 4915 tokens; this tokenizer makes 9000 of the prompt, and 6144 is all there is.
    world.fate = Box::new(|t, tries| match (t.task.name.as_str(), tries) {
        ("both", 1) => Err(too_long(Some(9_000), Some(6_144))),
        _ => Ok(()),
    });
    world.run(1_000);
    let [first, second] = fits(&world)[..] else { panic!("two tries") };
    let task = world.state().task_by_id(&both()).unwrap();
    assert!(task.is_done() && task.failures == 0, "{}", task.reason);
    let per_token = first.given as f64 / 9_000.0;
    let tokens = second.given as f64 / per_token + f64::from(second.limit);
    assert!((4_000.0..6_144.0).contains(&tokens), "{tokens} tokens");
    assert!(second.limit >= 6_144 / 4);
    // The endpoint is known better from then on.
    let e = world.state().place_of(world.state().attempts().last().unwrap()).unwrap();
    assert_eq!(e.context(), 6_144);
    assert!(e.density().tokens(3000) > 1500);
    let retried = world.records.iter().filter_map(|r| match &r.event {
        Event::TaskRetried(retried) => Some(retried.reason.to_string()),
        _ => None,
    });
    assert_eq!(retried.collect::<Vec<_>>(), ["it broke; it is cut to fit and sent once more"]);
    world.assert_fold();
}

#[test]
fn without_figures_it_is_cut_to_half_and_a_second_refusal_is_for_good() {
    for twice in [false, true] {
        let mut world = world(8192, [16_700; 2], None);
        world.fate = Box::new(move |t, tries| match (t.task.name.as_str(), tries) {
            ("both", 1) => Err(too_long(None, None)),
            ("both", 2) if twice => Err(too_long(None, None)),
            _ => Ok(()),
        });
        world.run(1_000);
        let fits = fits(&world);
        assert_eq!(fits.len(), 2);
        assert!(fits[1].given <= fits[0].given / 2 && fits[1].given > 5_000, "{fits:?}");
        let task = world.state().task_by_id(&both()).unwrap();
        let end = if twice { End::Failed } else { End::Done };
        assert_eq!(task.life, Life::Ended(end));
        // Every prefix goes on the same way.
        for cut in 1..world.records.len() {
            let mut again = World::resume(&world.records[..cut]);
            again.fate = Box::new(move |t, _| match t.task.name.as_str() {
                "both" if twice => Err(too_long(None, None)),
                _ => Ok(()),
            });
            again.run(1_000);
            // The first records are from before there was a plan.
            let Some(task) = again.state().task_by_id(&both()) else { continue };
            assert!(task.has_ended() && task.attempts.len() <= 4, "{cut}: {} tries", task.attempts.len());
            again.assert_fold();
        }
    }
}

#[test]
fn a_second_refusal_goes_to_the_fallback_tier_where_there_is_one() {
    let mut world = world(8192, [16_700; 2], None);
    let mut config = world.state().config.clone();
    config.fleet.agents[1].fallback = Some(name("main"));
    world = World::new(config);
    world.says = Box::new(|t| (t.task.name.as_str() == "a").then(|| "x".repeat(40_000)));
    world.fate = Box::new(|t, _| match t.endpoint.as_str() {
        "c" => Err(too_long(Some(9_000), Some(4_096))),
        _ => Ok(()),
    });
    let mut both = task("both", &["a"], 100);
    both.agent = name("reasoner");
    world.add(plan(vec![task("a", &[], 50), both])).unwrap();
    world.run(1_000);
    let task = world.state().task_by_id(&"g1/both".parse().unwrap()).unwrap();
    let routes: Vec<Route> =
        task.attempts.iter().filter_map(|a| world.state().attempt(*a)).filter_map(Attempt::route).collect();
    assert_eq!(routes, [Route::Primary, Route::Primary, Route::Fallback]);
    assert!(task.is_done());
}

#[test]
fn a_prompt_with_nothing_to_cut_is_not_sent_again_in_vain() {
    let mut world = World::new(config());
    world.fate = Box::new(|_, _| Err(too_long(None, None)));
    let mut alone = task("t", &[], 50);
    alone.agent = name("reasoner");
    world.add(plan(vec![alone])).unwrap();
    world.run(1_000);
    let state = world.state();
    assert!(state.attempts().iter().filter(|a| a.route() == Some(Route::Primary)).count() <= 1, "once is enough");
}

#[test]
fn how_dense_text_is_is_learned_from_prompts_that_were_read() {
    let mut world = world(4096, [16_700; 2], None);
    world.prompt_tokens = Box::new(|bytes| bytes / 2);
    world.run(1_000);
    let c = world.state().endpoints().iter().find(|e| e.config.name.as_str() == "c").unwrap();
    assert_eq!(c.density().bytes(100), 190, "two bytes a token, less a twentieth");
    world.assert_fold();
}

#[test]
fn what_was_sent_is_not_cut_anew_when_the_conversation_goes_on() {
    let mut world = world(8192, [16_700; 2], None);
    world.prompt_tokens = Box::new(|bytes| bytes * 10 / 28);
    world.run(1_000);
    let say = |world: &mut World, text: &str| {
        let message = crate::domain::protocol::Command::Message { task: both(), text: text.into() };
        world.command(message).unwrap();
        world.run(1_000);
    };
    say(&mut world, "Shorter, please.");
    say(&mut world, "And in French.");
    let cuts = |message: &Message| -> Vec<Cut> {
        let cut = |p: &Part| match p {
            Part::ResultOf { cut, .. } => Some(*cut),
            _ => None,
        };
        message.parts.iter().filter_map(cut).collect()
    };
    let task = world.state().task_by_id(&both()).unwrap();
    let turns = task.attempts.iter().filter_map(|a| world.state().attempt(*a)).flat_map(Attempt::turns);
    let sent: Vec<Vec<Cut>> = turns.map(|t| cuts(&t.recipe.messages[1])).collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|s| *s == sent[0]), "{sent:?}");
    world.assert_fold();
}

#[test]
fn a_shared_context_that_is_full_cuts_no_prompt() {
    let mut world = world(8192, [16_700; 2], None);
    world.fate = Box::new(|t, tries| match (t.task.name.as_str(), tries) {
        ("both", 1) => Err(failure(FailureKind::Context, Remedy::RetryHere)),
        _ => Ok(()),
    });
    world.run(1_000);
    let fits = fits(&world);
    assert_eq!(fits.len(), 2);
    assert_eq!(fits[0].given, fits[1].given);
    assert!(world.state().task_by_id(&both()).unwrap().is_done());
}

#[test]
fn a_prompt_is_cut_and_sent_again_once_whatever_breaks_in_between() {
    let mut world = world(8192, [16_700; 2], None);
    world.fate = Box::new(|t, tries| match (t.task.name.as_str(), tries) {
        ("both", 2) => Err(failure(FailureKind::Server, Remedy::Elsewhere)),
        ("both", _) => Err(too_long(None, None)),
        _ => Ok(()),
    });
    world.run(1_000);
    let task = world.state().task_by_id(&both()).unwrap();
    assert_eq!(task.life, Life::Ended(End::Failed));
    let fits = fits(&world);
    assert_eq!(fits.len(), 3, "{fits:?}");
    assert!(fits[2].given <= fits[0].given / 2, "what was too long is sent whole again: {fits:?}");
}
