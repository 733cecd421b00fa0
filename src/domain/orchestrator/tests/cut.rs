//! Answers that are cut at their limit: each policy, its second time, and a crash at every record of it.

use super::world::{World, config, failure, of_turn, plan, task};
use crate::domain::fleet::{OnCut, SessionConfig};
use crate::domain::orchestrator::{News, StartTurn};
use crate::domain::protocol::{
    AttemptEnd, AttemptId, Channel, Command, Cut, Event, FailureKind, GoalOptions, Part, PlanSource, Remedy,
    RetryScope, Speaker, Subject, TaskId, TurnEnd, TurnId,
};
use crate::domain::state::{CutAt, CutBy, End, GoalPhase, Life, State, Task};

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

fn of(on_cut: OnCut) -> SessionConfig {
    let mut config = config();
    config.settings.on_cut = on_cut;
    config
}

fn task_of<'a>(state: &'a State, task: &str) -> &'a Task {
    state.task_by_id(&id(task)).unwrap()
}

fn turns(state: &State, task: &str) -> Vec<String> {
    let result = task_of(state, task).result.and_then(|a| state.attempt(a)).unwrap();
    state.result_turns(result).iter().map(ToString::to_string).collect()
}

fn continues(start: &StartTurn) -> bool {
    start.recipe.messages.iter().any(|m| m.role == Speaker::Assistant)
}

/// `a`, cut as `ends` says, and `b` that needs it.
fn cut(on_cut: OnCut, ends: impl Fn(&StartTurn) -> TurnEnd + 'static) -> World {
    let mut world = World::new(of(on_cut));
    world.ends = Box::new(move |t| if t.task == id("g1/a") { ends(t) } else { TurnEnd::Stop });
    world.says = Box::new(|t| (t.task == id("g1/a")).then(|| if continues(t) { "brown" } else { "quick " }.to_owned()));
    world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50)])).unwrap();
    world
}

/// What stands after the result of `a` in the prompt of `b`.
fn after_result(world: &World) -> String {
    let state = world.state();
    let asked = state.last_attempt(task_of(state, "g1/b")).and_then(|a| a.turn()).unwrap();
    let parts = &asked.recipe.messages[1].parts;
    let at = parts.iter().position(|p| matches!(p, Part::ResultOf { .. })).unwrap();
    match &parts[at + 1] {
        Part::Literal(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

fn once(t: &StartTurn) -> TurnEnd {
    if continues(t) { TurnEnd::Stop } else { TurnEnd::Length }
}

fn always(_: &StartTurn) -> TurnEnd {
    TurnEnd::Length
}

#[test]
fn it_goes_on_where_it_stopped_and_both_parts_are_the_result() {
    let mut world = cut(OnCut::GoOn, once);
    world.run(100);
    let state = world.state();
    let a = task_of(state, "g1/a");
    assert_eq!(
        (a.life, a.attempts.len(), turns(state, "g1/a")),
        (Life::Ended(End::Done), 1, vec!["a1.1".to_owned(), "a1.2".to_owned()])
    );
    let attempt = state.attempt(AttemptId(1)).unwrap();
    assert_eq!((state.answer_bytes(attempt), state.cut_of(a)), (11, None));
    assert!(state.attention.is_empty(), "{:?}", state.attention);
    // The second request is the first with the answer so far, whole, and the word to go on: what was read is read fast.
    let turns: Vec<_> = attempt.turns().collect();
    let [first, second] = turns[..] else { panic!("{} turns", turns.len()) };
    assert_eq!(second.recipe.messages[..2], first.recipe.messages[..]);
    let so_far = Part::AnswerOf { turn: TurnId { attempt: AttemptId(1), turn: 1 }, cut: Cut::Whole };
    assert_eq!(second.recipe.messages[2].parts, [so_far]);
    assert!(
        matches!(&second.recipe.messages[3].parts[..], [Part::Literal(t)] if t.contains("exactly where it stopped"))
    );
    assert_eq!(after_result(&world), "\n\n");
    // Said to later, it carries both parts, in turn.
    world.command(Command::Message { task: id("g1/a"), text: "shorter".into() }).unwrap();
    let asked = world.live.values().find(|t| t.task == id("g1/a")).unwrap();
    let roles: Vec<Speaker> = asked.recipe.messages.iter().map(|m| m.role).collect();
    use Speaker::{Assistant, System, User};
    assert_eq!(roles, [System, User, Assistant, User, Assistant, User]);
    world.assert_fold();
}

#[test]
fn a_budget_of_turns_is_kept_and_a_word_of_a_person_begins_anew() {
    let mut world = World::new(of(OnCut::GoOn));
    world.ends = Box::new(|t| if t.task == id("g1/a") { always(t) } else { TurnEnd::Stop });
    let mut a = task("a", &[], 50);
    a.budget.turns = Some(1);
    world.add(plan(vec![a])).unwrap();
    world.run(100);
    let state = world.state();
    assert_eq!(turns(state, "g1/a"), ["a1.1"]);
    assert_eq!(state.attempt(AttemptId(1)).unwrap().steps.len(), 1, "it does not go on by itself");
    assert!(task_of(state, "g1/a").is_done() && state.cut_of(task_of(state, "g1/a")).is_some());
    // The turn of a message is the first of a new chain, and the last.
    world.command(Command::Message { task: id("g1/a"), text: "go on".into() }).unwrap();
    world.run(100);
    assert_eq!(world.state().attempts().iter().map(|a| a.steps.len()).sum::<usize>(), 2);
    world.assert_fold();
}

#[test]
fn one_that_is_cut_again_or_adds_nothing_is_done_and_marked() {
    for silent in [false, true] {
        let mut world = cut(OnCut::GoOn, always);
        if silent {
            world.says = Box::new(|t| (t.task == id("g1/a") && continues(t)).then(String::new));
        }
        world.run(100);
        let state = world.state();
        let a = task_of(state, "g1/a");
        let tokens = if silent { 50 } else { 100 };
        assert_eq!((a.is_done(), a.attempts.len()), (true, 1));
        assert_eq!(state.attempt(AttemptId(1)).unwrap().steps.len(), 2);
        assert_eq!(state.cut_of(a), Some(CutAt { tokens, by: CutBy::Limit }));
        let said = &state.attention[&Subject::Cut(id("g1/a"))].text;
        assert!(said.contains(&format!("cut at {tokens} tokens")) && said.contains("r runs it again"), "{said}");
        let mark = format!("\n\n[This result stops here: its limit of {tokens} tokens was reached.]");
        assert_eq!(after_result(&world), mark);
        // It is told until something is done about it.
        world.command(Command::Retry(RetryScope::Task(id("g1/a")))).unwrap();
        assert!(world.state().attention.is_empty());
        world.assert_fold();
    }
}

#[test]
fn a_continuation_that_fails_costs_no_word_of_the_answer() {
    for kind in [FailureKind::Empty, FailureKind::ToolsOnly, FailureKind::Garbage] {
        let mut world = cut(OnCut::GoOn, once);
        world.fate = Box::new(move |t, _| match t.task == id("g1/a") && continues(t) {
            true => Err(failure(kind, Remedy::RetryHere)),
            false => Ok(()),
        });
        world.run(1_000);
        let state = world.state();
        let a = task_of(state, "g1/a");
        assert_eq!((a.is_done(), turns(state, "g1/a")), (true, vec!["a1.1".to_owned()]), "{kind:?}");
        assert_eq!(state.cut_of(a), Some(CutAt { tokens: 50, by: CutBy::Limit }));
        // Nothing that could be an answer is not tried for again; what may come better is, and goes on from the same answer.
        assert_eq!(a.attempts.len(), if kind == FailureKind::Garbage { 3 } else { 1 }, "{kind:?}");
        world.assert_fold();
    }
}

#[test]
fn a_next_attempt_continues_what_an_earlier_one_answered() {
    let mut world = cut(OnCut::GoOn, once);
    world.fate = Box::new(|t, _| match continues(t) && t.turn.attempt == AttemptId(1) {
        true => Err(failure(FailureKind::Cut, Remedy::RetryHere)),
        false => Ok(()),
    });
    world.run(100);
    let state = world.state();
    assert_eq!(turns(state, "g1/a"), ["a1.1", "a2.1"]);
    assert_eq!(state.cut_of(task_of(state, "g1/a")), None);
    world.assert_fold();
}

#[test]
fn a_full_context_is_said_and_nothing_is_asked_of_it() {
    let mut narrow = of(OnCut::GoOn);
    for endpoint in &mut narrow.fleet.endpoints {
        endpoint.context = 1_024;
    }
    let mut world = World::new(narrow);
    world.ends = Box::new(always);
    let mut a = task("a", &[], 4_000);
    a.on_cut = Some(OnCut::GoOn);
    world.add(plan(vec![a])).unwrap();
    // 300 tokens were read, 700 written: nothing is left.
    let turn = TurnId { attempt: AttemptId(1), turn: 1 };
    world.input(of_turn(turn, News::Progress { processed: 300, total: 300 }));
    world.run(100);
    let state = world.state();
    let a = task_of(state, "g1/a");
    assert_eq!((a.is_done(), state.attempts()[0].steps.len()), (true, 1));
    assert_eq!(state.cut_of(a), Some(CutAt { tokens: 1_024, by: CutBy::Context }));
    assert!(state.attention[&Subject::Cut(id("g1/a"))].text.contains("cut by the context of 1024 tokens"));
    world.assert_fold();
}

#[test]
fn it_is_asked_anew_once_with_twice_the_limit() {
    let mut world = cut(OnCut::RetryLarger, |t| if t.max_tokens < 100 { TurnEnd::Length } else { TurnEnd::Stop });
    world.run(100);
    let state = world.state();
    assert_eq!((turns(state, "g1/a"), state.cut_of(task_of(state, "g1/a"))), (vec!["a2.1".to_owned()], None));
    let limits: Vec<u32> = state.attempts().iter().take(2).map(|a| a.turns().next().unwrap().max_tokens).collect();
    assert_eq!(limits, [50, 100]);
    let mut world = cut(OnCut::RetryLarger, always);
    world.run(100);
    let state = world.state();
    assert_eq!(turns(state, "g1/a"), ["a2.1"]);
    assert_eq!(state.cut_of(task_of(state, "g1/a")), Some(CutAt { tokens: 100, by: CutBy::Limit }));
    assert_eq!(task_of(state, "g1/a").failures, 0);
    world.assert_fold();
}

#[test]
fn a_task_goes_before_the_setting() {
    for (setting, own, attempts, turns) in
        [(OnCut::GoOn, OnCut::Keep, 1, 1), (OnCut::Keep, OnCut::GoOn, 1, 2), (OnCut::Keep, OnCut::RetryLarger, 2, 1)]
    {
        let mut world = World::new(of(setting));
        world.ends = Box::new(always);
        let mut a = task("a", &[], 50);
        a.on_cut = Some(own);
        world.add(plan(vec![a])).unwrap();
        world.run(100);
        let state = world.state();
        assert_eq!((state.attempts().len(), state.attempts()[0].steps.len()), (attempts, turns), "{own:?}");
        assert!(state.cut_of(task_of(state, "g1/a")).is_some());
    }
}

#[test]
fn the_operator_is_asked_and_the_answer_does_it() {
    for (answer, result, attempts) in
        [("go on", &["a1.1", "a1.2"][..], 1), ("again with 100 tokens", &["a2.1"], 2), ("Keep it", &["a1.1"], 1)]
    {
        let mut world = cut(OnCut::Ask, |t| if t.max_tokens < 100 { once(t) } else { TurnEnd::Stop });
        world.run(100);
        let asking = task_of(world.state(), "g1/a").asking.clone().expect("it asks");
        assert_eq!(asking.text.as_str(), "its answer was cut at 50 tokens; what now?");
        assert_eq!(
            asking.choices.iter().map(|c| c.as_str()).collect::<Vec<_>>(),
            ["go on", "again with 100 tokens", "keep it"]
        );
        assert!(world.state().attention.contains_key(&Subject::Question(id("g1/a"))));
        world.command(Command::Answer { task: id("g1/a"), text: answer.into() }).unwrap();
        world.run(100);
        let state = world.state();
        assert_eq!(
            (turns(state, "g1/a"), task_of(state, "g1/a").attempts.len()),
            (result.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), attempts)
        );
        assert_eq!(state.cut_of(task_of(state, "g1/a")).is_some(), answer == "Keep it");
        assert!(!state.attention.contains_key(&Subject::Question(id("g1/a"))));
        world.assert_fold();
    }
    // Other words are for the agent, and what it answers to them is the result.
    let mut world = cut(OnCut::Ask, once);
    world.run(100);
    world.command(Command::Answer { task: id("g1/a"), text: "in one sentence".into() }).unwrap();
    world.run(100);
    assert_eq!(turns(world.state(), "g1/a"), ["a1.2"]);
    // Where nobody is to be asked it stays as it is.
    let mut quiet = of(OnCut::Ask);
    quiet.settings.questions = false;
    let mut world = World::new(quiet);
    world.ends = Box::new(always);
    world.add(plan(vec![task("a", &[], 50)])).unwrap();
    world.run(100);
    assert!(task_of(world.state(), "g1/a").is_done());
}

#[test]
fn a_crash_at_any_record_comes_to_the_same_end() {
    for (on_cut, answer) in [
        (OnCut::GoOn, None),
        (OnCut::RetryLarger, None),
        (OnCut::Keep, None),
        (OnCut::Ask, Some("go on")),
        (OnCut::Ask, Some("again with 100 tokens")),
        (OnCut::Ask, Some("keep it")),
    ] {
        let mut world = cut(on_cut, always);
        world.run(100);
        if let Some(text) = answer {
            world.command(Command::Answer { task: id("g1/a"), text: text.into() }).unwrap();
            world.run(100);
        }
        let of_end = |state: &State| {
            let a = task_of(state, "g1/a");
            (a.life, state.cut_of(a), state.attention.contains_key(&Subject::Cut(id("g1/a"))))
        };
        let end = of_end(world.state());
        let planned = world.records.iter().position(|r| matches!(r.event, Event::GoalApproved { .. })).unwrap();
        for at in planned + 1..=world.records.len() {
            let mut again = World::resume(&world.records[..at]);
            again.ends = Box::new(|t| if t.task == id("g1/a") { TurnEnd::Length } else { TurnEnd::Stop });
            again.run(1_000);
            if let (Some(text), true) = (answer, task_of(again.state(), "g1/a").asking.is_some()) {
                again.command(Command::Answer { task: id("g1/a"), text: text.into() }).unwrap();
                again.run(1_000);
            }
            assert_eq!(of_end(again.state()), end, "{on_cut:?} {answer:?}, cut after {at} records");
            assert!(matches!(again.state().goals()[0].phase, GoalPhase::Ended(_)));
            let made = task_of(again.state(), "g1/a").attempts.len();
            assert!(made <= 4, "{made} attempts");
            again.assert_fold();
        }
    }
}

#[test]
fn a_held_one_goes_on_when_it_is_released() {
    let mut world = cut(OnCut::GoOn, once);
    world.command(Command::Hold(id("g1/a"))).unwrap();
    world.run(100);
    assert_eq!(task_of(world.state(), "g1/a").life, Life::NotStarted);
    world.command(Command::Release(id("g1/a"))).unwrap();
    world.run(100);
    assert_eq!(turns(world.state(), "g1/a"), ["a1.1", "a2.1"]);
    let mut world = cut(OnCut::Keep, always);
    world.command(Command::Hold(id("g1/a"))).unwrap();
    world.run(100);
    world.command(Command::Release(id("g1/a"))).unwrap();
    assert!(task_of(world.state(), "g1/a").is_done());
    world.assert_fold();
}

#[test]
fn half_a_plan_is_asked_for_anew_and_said_if_it_is_still_half() {
    let goal = || Command::AddGoal { text: "g".into(), plan: PlanSource::Model, options: GoalOptions::default() };
    for still in [false, true] {
        let mut world = World::new(of(OnCut::Keep));
        world.plan_answer =
            r#"{"tasks": [{"id": "one", "title": "One", "agent": "researcher", "prompt": "p"}]}"#.into();
        world.ends = Box::new(move |t| match t.schema.is_some() && (still || t.turn.attempt == AttemptId(1)) {
            true => TurnEnd::Length,
            false => TurnEnd::Stop,
        });
        world.command(goal()).unwrap();
        world.run(100);
        let state = world.state();
        assert_eq!(task_of(state, "g1/.plan").attempts.len(), 2);
        let limits: Vec<u32> = state.attempts().iter().take(2).map(|a| a.turns().next().unwrap().max_tokens).collect();
        assert_eq!(limits[1], limits[0] * 2);
        let said = state.goals()[0].repairs.iter().any(|r| r.contains("the plan was cut at"));
        assert_eq!(said, still, "{:?}", state.goals()[0].repairs);
        assert_eq!(state.attention.contains_key(&Subject::Cut(id("g1/.plan"))), still);
        world.assert_fold();
    }
}

#[test]
fn a_plan_that_stops_in_the_middle_is_asked_for_anew_also_when_its_server_calls_that_an_end() {
    let mut world = World::new(of(OnCut::Keep));
    world.plan_answer =
        r#"{"tasks": [{"id": "one", "title": "One", "agent": "researcher", "prompt": "p", "needs": []}, {"id": "two", "#.into();
    world
        .command(Command::AddGoal { text: "g".into(), plan: PlanSource::Model, options: GoalOptions::default() })
        .unwrap();
    world.run(100);
    let state = world.state();
    let plan = task_of(state, "g1/.plan");
    let limits: Vec<u32> =
        plan.attempts.iter().map(|a| state.attempt(*a).unwrap().turns().next().unwrap().max_tokens).collect();
    assert_eq!(limits, [limits[0], limits[0] * 2]);
    assert!(
        state.goals()[0].repairs.iter().any(|r| r.contains("stops in the middle")),
        "{:?}",
        state.goals()[0].repairs
    );
    world.assert_fold();
}

#[test]
fn one_that_only_thought_is_tried_once_with_twice_the_limit() {
    let mut world = cut(OnCut::GoOn, always);
    world.says = Box::new(|t| (t.task == id("g1/a")).then(String::new));
    world.run(1_000);
    let state = world.state();
    let a = task_of(state, "g1/a");
    let limits: Vec<u32> =
        a.attempts.iter().map(|id| state.attempt(*id).unwrap().turns().next().unwrap().max_tokens).collect();
    assert_eq!((a.life, limits), (Life::Ended(End::Failed), vec![50, 100]));
    assert!(
        a.reason.contains("100 tokens went into thinking") && a.reason.contains("raise budget.tokens"),
        "{}",
        a.reason
    );
    let failed = state.attempts().iter().filter(|a| matches!(a.ended, Some((_, AttemptEnd::Failed(_))))).count();
    assert_eq!(failed, 2);
    world.assert_fold();
}

#[test]
fn one_that_called_tools_is_told_that_it_has_none() {
    let mut world = cut(OnCut::GoOn, |_| TurnEnd::Stop);
    world.fate = Box::new(|t, tries| match t.task == id("g1/a") && tries == 1 {
        true => Err(failure(FailureKind::ToolsOnly, Remedy::RetryHere)),
        false => Ok(()),
    });
    world.run(100);
    let state = world.state();
    let told = |attempt: usize| {
        let system = &state.attempts()[attempt].turns().next().unwrap().recipe.messages[0];
        system.parts.iter().any(|p| matches!(p, Part::Literal(t) if t.contains("You have no tools in this task")))
    };
    assert_eq!((told(0), told(1), told(2)), (false, true, false));
}

#[test]
fn one_that_thinks_for_most_of_its_limit_is_said_once_with_the_figure() {
    let mut world = cut(OnCut::GoOn, |_| TurnEnd::Stop);
    let turn = TurnId { attempt: AttemptId(1), turn: 1 };
    let think = |world: &mut World, tokens| {
        world.input(of_turn(turn, News::Said { channel: Channel::Thinking, text: "hm ".into(), tokens }));
    };
    think(&mut world, 37);
    assert!(world.state().attention.is_empty());
    think(&mut world, 1);
    let subject = Subject::Thinking(id("g1/a"));
    let said = &world.state().attention[&subject].text;
    assert!(said.contains("thought for 38 of the 50 tokens") && said.contains("l lowers its level"), "{said}");
    think(&mut world, 1);
    let raised =
        world.records.iter().filter(|r| matches!(&r.event, Event::AttentionRaised { subject: s, .. } if *s == subject));
    assert_eq!(raised.count(), 1);
    world.run(100);
    assert!(world.state().attention.is_empty());
    world.assert_fold();
}

#[test]
fn one_that_was_held_meanwhile_is_asked_about_all_the_same() {
    for answer in ["go on", "keep it"] {
        let mut world = cut(OnCut::Ask, once);
        world.command(Command::Hold(id("g1/a"))).unwrap();
        world.run(100);
        assert!(world.state().attention.contains_key(&Subject::Question(id("g1/a"))), "nobody is asked");
        let again = World::resume(&world.records);
        assert!(again.state().attention.contains_key(&Subject::Question(id("g1/a"))), "the next process asks nobody");
        world.command(Command::Release(id("g1/a"))).unwrap();
        world.run(100);
        assert!(!task_of(world.state(), "g1/a").has_ended(), "it is done with half an answer");
        world.command(Command::Answer { task: id("g1/a"), text: answer.into() }).unwrap();
        world.run(100);
        let turns = turns(world.state(), "g1/a");
        assert_eq!(turns.len(), if answer == "go on" { 2 } else { 1 }, "{answer}");
        world.assert_fold();
    }
}
