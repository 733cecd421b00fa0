//! Messages, questions, holds: what makes a next turn, and what its conversation is.

use super::world::{World, config, failure, name, plan, probed, task};
use crate::domain::orchestrator::ProbeReport;
use crate::domain::plan::{PlanEdit, Priority};
use crate::domain::protocol::{
    AttemptEnd, Command, Cut, Event, FailureKind, GoalOptions, Health, LevelSupport, Message, Outcome, Part, Partial,
    PlanSource, Remedy, RetryScope, Speaker, StopScope, Subject, TaskId, TurnId,
};
use crate::domain::state::{End, GoalPhase, Life, Status, TaskIx, Why};

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

fn message(world: &mut World, task: &str, text: &str) -> Result<(), String> {
    world.command(Command::Message { task: id(task), text: text.into() })
}

fn answer(world: &mut World, task: &str, text: &str) -> Result<(), String> {
    world.command(Command::Answer { task: id(task), text: text.into() })
}

/// The conversation of the last turn of a task: the prompt, what it answered by turn, what it was told.
fn conversation(world: &World, task: &str) -> Vec<String> {
    let state = world.state();
    let last = state.last_attempt(state.task_by_id(&id(task)).unwrap()).unwrap();
    let recipe = &last.turn().unwrap().recipe;
    assert_eq!(recipe.messages[0].role, Speaker::System);
    assert!(recipe.messages.windows(2).all(|m| m[0].role != m[1].role), "question and answer in turn");
    let told = |m: &Message| {
        let first = m.parts.iter().any(|p| matches!(p, Part::TaskPrompt(_)));
        let words = m.parts.iter().filter_map(|p| match p {
            Part::TaskPrompt(_) => Some("prompt".to_owned()),
            Part::AnswerOf { turn, .. } => Some(turn.to_string()),
            Part::Literal(text) if first => text.split_once("## From the operator\n\n").map(|(_, t)| t.to_owned()),
            Part::Literal(text) => Some(text.to_string()),
            _ => None,
        });
        words.collect::<Vec<_>>().join(": ")
    };
    recipe.messages[1..].iter().map(told).collect()
}

/// One task that asks on its first turn, one beside it and one after it.
fn asking() -> World {
    let mut world = World::new(config());
    world.says = Box::new(|t| {
        let first = !t.recipe.messages.iter().any(|m| m.role == Speaker::Assistant);
        (first && t.task.name.as_str() == "a").then(|| "ASK: Keep them?\n- keep\n- drop".to_owned())
    });
    let mut a = task("a", &[], 50);
    a.priority = Priority::High;
    world.add(plan(vec![a, task("b", &["a"], 50), task("c", &[], 500)])).unwrap();
    while world.state().task_by_id(&id("g1/a")).unwrap().asking.is_none() {
        assert!(world.step());
    }
    world
}

#[test]
fn a_message_to_a_running_task_makes_a_next_turn_in_the_same_conversation() {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50)])).unwrap();
    message(&mut world, "g1/a", "shorter, please").unwrap();
    message(&mut world, "g1/a", "and in French").unwrap();
    world.step();
    let state = world.state();
    let a = state.task_by_id(&id("g1/a")).unwrap();
    assert_eq!((a.life, a.attempts.len()), (Life::Running, 1));
    let attempt = state.last_attempt(a).unwrap();
    assert_eq!(attempt.steps.len(), 2);
    assert_eq!(conversation(&world, "g1/a"), ["prompt", "a1.1", "shorter, please\n\nand in French"]);
    world.run(100);
    let state = world.state();
    let a = state.task_by_id(&id("g1/a")).unwrap();
    assert!(a.is_done() && a.unsent().next().is_none());
    let result = state.attempt(a.result.unwrap()).unwrap();
    assert_eq!(state.result_turns(result), [TurnId { attempt: result.id, turn: 2 }]);
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn a_message_to_a_task_that_has_not_started_goes_along_with_its_first_prompt() {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50)])).unwrap();
    message(&mut world, "g1/b", "in French").unwrap();
    world.run(100);
    assert_eq!(conversation(&world, "g1/b"), ["prompt: in French"]);
    assert_eq!(world.state().task_by_id(&id("g1/b")).unwrap().attempts.len(), 1);
    world.assert_fold();
}

#[test]
fn a_message_to_a_finished_task_goes_on_with_its_conversation_and_the_answer_is_written_again() {
    let mut world = World::new(config());
    let mut given = plan(vec![task("a", &[], 50), task("b", &[], 50)]);
    given.synthesis = Some(true);
    world.add(given).unwrap();
    world.run(100);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    message(&mut world, "g1/a", "what of the third?").unwrap();
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Running);
    assert_eq!(world.live.len(), 1, "b is not run again");
    assert_eq!(conversation(&world, "g1/a"), ["prompt", "a1.1", "what of the third?"]);
    world.run(100);
    let state = world.state();
    let a = state.task_by_id(&id("g1/a")).unwrap();
    assert_eq!((a.is_done(), a.attempts.len(), a.result), (true, 2, a.attempts.last().copied()));
    assert_eq!(state.task_by_id(&id("g1/.synthesis")).unwrap().attempts.len(), 2);
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    // A retry begins from the beginning.
    world.command(Command::Retry(RetryScope::Task(id("g1/a")))).unwrap();
    assert_eq!(conversation(&world, "g1/a"), ["prompt"]);
    world.assert_fold();
}

#[test]
fn what_was_said_is_not_lost_when_its_turn_fails() {
    let mut world = World::new(config());
    world.fate = Box::new(|t, _| match t.turn.turn {
        2 => Err(failure(FailureKind::Cut, Remedy::RetryHere)),
        _ => Ok(()),
    });
    world.add(plan(vec![task("a", &[], 50)])).unwrap();
    message(&mut world, "g1/a", "shorter").unwrap();
    world.step();
    assert_eq!(conversation(&world, "g1/a"), ["prompt", "a1.1", "shorter"]);
    world.run(100);
    assert_eq!(world.state().attempts().len(), 2);
    assert_eq!(conversation(&world, "g1/a"), ["prompt", "a1.1", "shorter"]);
    assert!(world.state().task_by_id(&id("g1/a")).unwrap().is_done());
    world.assert_fold();
}

#[test]
fn messages_are_refused_in_words_where_nobody_could_hear_them() {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50), task("b", &[], 50)])).unwrap();
    assert!(message(&mut world, "g1/a", " \u{1b}[0m ").unwrap_err().contains("says nothing"));
    assert!(message(&mut world, "g1/a", &"x".repeat(1 << 20)).unwrap_err().contains("bytes"));
    assert!(message(&mut world, "g1/none", "x").unwrap_err().contains("no task"));
    assert!(answer(&mut world, "g1/a", "x").unwrap_err().contains("asks nothing"));
    let if_revision = world.state().goals()[0].revision;
    let edits = vec![PlanEdit::Remove(name("b"))];
    let goal = crate::domain::protocol::GoalId(1);
    world.command(Command::EditPlan { goal, if_revision, edits, rerun: Vec::new() }).unwrap();
    assert!(message(&mut world, "g1/b", "x").unwrap_err().contains("removed"));
    let planned = PlanSource::Model;
    world.command(Command::AddGoal { text: "g".into(), plan: planned, options: GoalOptions::default() }).unwrap();
    assert!(message(&mut world, "g2/.plan", "x").unwrap_err().contains("planning"));
}

#[test]
fn a_next_turn_goes_before_new_tasks_and_to_its_own_endpoint() {
    let mut world = World::new(config());
    // Ten slots, so the eleventh and twelfth wait.
    let mut tasks: Vec<_> = (0..12).map(|i| task(&format!("t{i:02}"), &[], 50 + i)).collect();
    tasks[3].priority = Priority::Critical;
    tasks[3].budget.tokens = Some(40);
    world.add(plan(tasks)).unwrap();
    let first = "g1/t03";
    message(&mut world, first, "more").unwrap();
    world.step();
    let state = world.state();
    let last = state.last_attempt(state.task_by_id(&id(first)).unwrap()).unwrap();
    assert_eq!((last.steps.len(), last.ended.is_none()), (2, true), "the freed slot is its own again");
    world.run(1_000);
    assert!(world.state().attempts().iter().all(|a| a.ended.as_ref().unwrap().1 == AttemptEnd::Completed));
    world.assert_fold();
}

#[test]
fn a_next_turn_that_has_to_go_elsewhere_carries_the_conversation() {
    let mut world = asking();
    let state = world.state();
    let on = state.last_attempt(state.task_by_id(&id("g1/a")).unwrap()).unwrap().endpoint().unwrap();
    let endpoint = state.endpoint(on).config.name.clone();
    world.down = vec![endpoint.to_string()];
    let health = Health::Down { reason: "gone".into() };
    let level = LevelSupport::Unknown;
    let report = ProbeReport { level, ..ProbeReport::of(health) };
    world.input(probed(endpoint.clone(), report));
    answer(&mut world, "g1/a", "keep").unwrap();
    let state = world.state();
    let a = state.task_by_id(&id("g1/a")).unwrap();
    assert_eq!(a.attempts.len(), 2);
    assert_eq!(state.attempt(a.attempts[0]).unwrap().ended.as_ref().unwrap().1, AttemptEnd::Moved);
    assert_ne!(state.last_attempt(a).unwrap().endpoint(), Some(on));
    let asked = state.attempt(a.attempts[0]).unwrap().turn_id().to_string();
    assert_eq!(conversation(&world, "g1/a"), ["prompt", asked.as_str(), "keep"]);
    world.down.clear();
    world.run(1_000);
    assert_eq!(world.state().task_by_id(&id("g1/a")).unwrap().failures, 0);
    world.assert_fold();
}

#[test]
fn a_question_gives_its_slot_back_and_its_answer_is_the_next_message() {
    let mut world = asking();
    let state = world.state();
    let ix = state.find(&id("g1/a")).unwrap();
    assert_eq!(state.slots().0, 1, "only c holds one");
    assert_eq!(state.status(ix, world.now), Status::Asking);
    assert_eq!(state.admit(ix, world.now), Err(Why::NotWaiting));
    let question = state.task(ix).asking.clone().unwrap();
    assert_eq!((question.text.as_str(), question.choices.len()), ("Keep them?", 2));
    assert!(state.attention[&Subject::Question(id("g1/a"))].text.contains("Keep them?"));
    // Nothing else goes on for a.
    while !world.live.is_empty() {
        world.step();
    }
    assert!(world.state().task(ix).asking.is_some());
    answer(&mut world, "g1/a", "keep").unwrap();
    assert!(world.state().attention.is_empty());
    assert_eq!(conversation(&world, "g1/a"), ["prompt", "a1.1", "keep"]);
    assert!(answer(&mut world, "g1/a", "drop").unwrap_err().contains("asks nothing"));
    world.run(1_000);
    let state = world.state();
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert_eq!(state.result_turns(state.last_attempt(state.task(ix)).unwrap()).last().unwrap().turn, 2);
    world.assert_fold();
}

#[test]
fn nobody_asks_where_nobody_answers_nor_while_planning_or_summing_up() {
    let mut quiet = config();
    quiet.settings.questions = false;
    let mut world = World::new(quiet);
    world.says = Box::new(|_| Some("ASK: Which?".to_owned()));
    world.add(plan(vec![task("a", &[], 50)])).unwrap();
    assert!(world.live.values().all(|t| !t.recipe.messages[0].parts.contains(&Part::MayAsk)));
    world.run(100);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));

    let mut world = World::new(config());
    world.says = Box::new(|t| t.task.name.as_str().starts_with('.').then(|| "ASK: Which?".to_owned()));
    let options = GoalOptions { synthesis: Some(true), voice_summary: Some(true), ..GoalOptions::default() };
    world.command(Command::AddGoal { text: "g".into(), plan: PlanSource::Model, options }).unwrap();
    world.run(1_000);
    assert!(world.records.iter().all(|r| !matches!(r.event, Event::TaskAsked(_))));
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
}

#[test]
fn stop_skip_hold_and_retry_clear_the_question() {
    for (command, life) in [
        (
            Command::Stop { scope: StopScope::Task(id("g1/a")), partial: Partial::Kept },
            Life::Ended(End::Cancelled(Partial::Kept)),
        ),
        (Command::Skip(id("g1/a")), Life::Ended(End::Skipped)),
        (Command::Hold(id("g1/a")), Life::NotStarted),
        (Command::Retry(RetryScope::Task(id("g1/a"))), Life::Running),
    ] {
        let mut world = asking();
        message(&mut world, "g1/a", "by the way").unwrap();
        world.command(command.clone()).unwrap();
        let a = world.state().task_by_id(&id("g1/a")).unwrap();
        assert_eq!((a.life, a.asking.is_none(), a.result), (life, true, None), "{command}");
        assert!(!world.state().attention.contains_key(&Subject::Question(id("g1/a"))), "{command}");
        assert!(answer(&mut world, "g1/a", "keep").is_err());
        if a_is_held(&world) {
            world.command(Command::Release(id("g1/a"))).unwrap();
            assert_eq!(conversation(&world, "g1/a"), ["prompt: by the way"], "the turn that asked is run again");
        }
        for _ in 0..200 {
            world.step();
        }
        if world.state().task_by_id(&id("g1/a")).unwrap().asking.is_some() {
            answer(&mut world, "g1/a", "drop").unwrap();
        }
        world.run(1_000);
        assert!(matches!(world.state().goals()[0].phase, GoalPhase::Ended(_)), "{command}");
        world.assert_fold();
    }
}

fn a_is_held(world: &World) -> bool {
    world.state().task_by_id(&id("g1/a")).unwrap().held
}

#[test]
fn a_held_task_goes_on_with_what_is_said_meanwhile() {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50)])).unwrap();
    world.command(Command::Hold(id("g1/a"))).unwrap();
    world.step();
    assert!(world.live.is_empty() && a_is_held(&world));
    assert_eq!(world.state().admit(TaskIx(0), world.now), Err(Why::Held));
    message(&mut world, "g1/a", "shorter").unwrap();
    assert!(world.live.is_empty());
    world.command(Command::Release(id("g1/a"))).unwrap();
    assert_eq!(conversation(&world, "g1/a"), ["prompt", "a1.1", "shorter"]);
    world.run(100);
    assert!(world.state().task_by_id(&id("g1/a")).unwrap().is_done());
    world.assert_fold();
}

#[test]
fn a_task_that_asks_still_asks_when_the_session_is_taken_up_again() {
    let world = asking();
    for cut in 1..=world.records.len() {
        let mut again = World::resume(&world.records[..cut]);
        let asks = again.state().find(&id("g1/a")).is_some_and(|ix| again.state().task(ix).asking.is_some());
        let asked = world.records[..cut].iter().any(|r| matches!(r.event, Event::TaskAsked(_)));
        assert_eq!(asks, asked, "cut after {cut} records");
        if asks {
            assert!(again.state().attention.contains_key(&Subject::Question(id("g1/a"))));
            answer(&mut again, "g1/a", "keep").unwrap();
            assert_eq!(conversation(&again, "g1/a"), ["prompt", "a1.1", "keep"]);
            again.run(1_000);
            assert_eq!(again.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
        }
        again.assert_fold();
    }
}

#[test]
fn a_conversation_is_cut_to_the_context() {
    let mut narrow = config();
    for endpoint in &mut narrow.fleet.endpoints {
        endpoint.context = 2_048;
    }
    let mut world = World::new(narrow);
    world.says = Box::new(|_| Some("long ".repeat(2_000)));
    world.add(plan(vec![task("a", &[], 50)])).unwrap();
    for text in ["one", "two", "three"] {
        message(&mut world, "g1/a", text).unwrap();
        world.step();
    }
    let state = world.state();
    let recipe = &state.last_attempt(state.task(TaskIx(0))).unwrap().turn().unwrap().recipe;
    let inserted: u64 = recipe
        .messages
        .iter()
        .flat_map(|m| &m.parts)
        .map(|p| match p {
            Part::AnswerOf { cut: Cut::Middle { head, tail }, .. } => head + tail,
            Part::AnswerOf { cut: Cut::Whole, .. } => panic!("10,000 bytes are not cut"),
            _ => 0,
        })
        .sum();
    assert!((1..6_000).contains(&inserted), "{inserted} bytes of answers in a context of 2,048 tokens");
}

#[test]
fn a_message_after_a_result_by_hand_goes_on_from_that_result() {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50), task("b", &[], 50)])).unwrap();
    message(&mut world, "g1/a", "shorter").unwrap();
    world.run(100);
    let put = |world: &mut World, task: &str| {
        world.command(Command::EditResult { task: id(task), text: "what I know".into() }).unwrap();
        world.state().attempts().last().unwrap().id
    };
    let hand = put(&mut world, "g1/a");
    message(&mut world, "g1/a", "in French").unwrap();
    let first = world.state().task_by_id(&id("g1/a")).unwrap().attempts[0];
    assert_eq!(
        conversation(&world, "g1/a"),
        ["prompt".to_owned(), format!("{first}.1"), "shorter".into(), format!("{hand}.1"), "in French".into()]
    );
    world.run(100);
    world.assert_fold();
}

#[test]
fn one_that_waits_for_a_person_leaves_its_place_at_work_and_comes_under_the_limit_again() {
    let mut world = World::new(config());
    world.says = Box::new(|t| {
        let first = !t.recipe.messages.iter().any(|m| m.role == Speaker::Assistant);
        (first && t.task.name.as_str() != "c").then(|| "ASK: Which?\n- this\n- that".to_owned())
    });
    let mut one = plan(vec![task("a", &[], 50), task("b", &[], 50), task("c", &[], 500)]);
    one.max_parallel = Some(1);
    (one.tasks[0].priority, one.tasks[1].priority) = (Priority::High, Priority::High);
    world.add(one).unwrap();
    let at = |world: &World, task: &str| world.state().task_by_id(&id(task)).unwrap().asking.is_some();
    while !(at(&world, "g1/a") && at(&world, "g1/b")) {
        assert!(world.step());
    }
    let works = |world: &World| -> Vec<String> { world.live.values().map(|t| t.task.to_string()).collect() };
    assert_eq!(works(&world), ["g1/c"], "the places of those that ask are others'");
    answer(&mut world, "g1/a", "this").unwrap();
    answer(&mut world, "g1/b", "that").unwrap();
    assert_eq!(works(&world), ["g1/c"], "both go on when there is room");
    let a = world.state().find(&id("g1/a")).unwrap();
    assert!(matches!(world.state().admit(a, world.state().at), Err(Why::Limit { max: 1 })));
    world.run(1_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}
