//! Edits of a plan: what they make out of date, what runs again, what is undone, and where tasks run.

use super::world::{World, config, endpoint, name, plan, task};
use crate::domain::plan::{Plan, PlanEdit, TaskSpec};
use crate::domain::protocol::{
    Command, Event, FailureKind, GoalId, GoalOptions, Name, Outcome, Partial, PlanSource, Remedy, RetryScope,
    StopScope, TaskId,
};
use crate::domain::state::{End, GoalPhase, Life, Preview, State, Task, Why};

const G: GoalId = GoalId(1);

fn id(text: &str) -> TaskId {
    format!("g1/{text}").parse().unwrap()
}

fn add(spec: TaskSpec) -> PlanEdit {
    PlanEdit::Add(Box::new(spec))
}

fn replace(spec: TaskSpec) -> PlanEdit {
    PlanEdit::Replace(Box::new(spec))
}

fn remove(id: &str) -> PlanEdit {
    PlanEdit::Remove(name(id))
}

/// A task's form with another prompt.
fn better(world: &World, task: &str) -> PlanEdit {
    let mut spec = (*world.state().task_by_id(&id(task)).unwrap().spec).clone();
    spec.prompt.push_str(", better");
    replace(spec)
}

fn edit(world: &mut World, author: &'static str, edits: Vec<PlanEdit>, rerun: &[&str]) -> Result<(), String> {
    let if_revision = world.state().goal(G).unwrap().revision;
    let rerun = rerun.iter().map(|r| Name::slug(r)).collect();
    world.command_by(author, Command::EditPlan { goal: G, if_revision, edits, rerun })
}

fn get<'a>(world: &'a World, task: &str) -> &'a Task {
    world.state().task_by_id(&id(task)).unwrap()
}

fn dirty(world: &World) -> Vec<&str> {
    world.state().tasks().iter().filter(|t| t.dirty).map(|t| t.id.name.as_str()).collect()
}

fn names(list: &[Name]) -> Vec<&str> {
    list.iter().map(Name::as_str).collect()
}

/// `a → b → c` and `d` apart, with or without a synthesis of all.
fn chain(synthesis: bool) -> World {
    let mut world = World::new(config());
    let tasks = vec![task("a", &[], 50), task("b", &["a"], 50), task("c", &["b"], 50), task("d", &[], 50)];
    world.add(Plan { synthesis: Some(synthesis), ..plan(tasks) }).unwrap();
    world
}

fn done(synthesis: bool) -> World {
    let mut world = chain(synthesis);
    world.run(1_000);
    assert_eq!(world.state().goal(G).unwrap().phase, GoalPhase::Ended(Outcome::Done));
    world
}

fn look(world: &World, edits: &[PlanEdit]) -> Preview {
    world.state().preview(G, edits).unwrap()
}

#[test]
fn an_edit_makes_what_it_feeds_out_of_date_and_nothing_else() {
    type Edit = fn(&World) -> PlanEdit;
    fn with(world: &World, task: &str, change: fn(&mut TaskSpec)) -> PlanEdit {
        let mut spec = (*get(world, task).spec).clone();
        change(&mut spec);
        replace(spec)
    }
    let table: [(&str, Edit, &[&str]); 9] = [
        ("a prompt", |w| better(w, "b"), &["b", "c"]),
        ("the first prompt", |w| better(w, "a"), &["a", "b", "c"]),
        ("a title", |w| with(w, "a", |t| t.title = Some("A".into())), &[]),
        ("a phase", |w| with(w, "a", |t| t.phase = Some("Build".into())), &[]),
        ("a priority", |w| with(w, "a", |t| t.priority = crate::domain::plan::Priority::High), &[]),
        ("an agent", |w| with(w, "d", |t| t.agent = name("reasoner")), &["d"]),
        ("a level", |w| with(w, "c", |t| t.level = Some(crate::domain::protocol::Level::High)), &["c"]),
        ("a need more", |w| with(w, "c", |t| t.needs.push(name("d"))), &["c"]),
        ("a need less", |w| with(w, "b", |t| t.needs.clear()), &["b", "c"]),
    ];
    for (what, make, expected) in table {
        let mut world = done(false);
        let step = make(&world);
        assert_eq!(names(&look(&world, std::slice::from_ref(&step)).dirty), expected, "{what}, before");
        let attempts = world.state().attempts().len();
        edit(&mut world, "you", vec![step], &[]).unwrap();
        assert_eq!(dirty(&world), expected, "{what}");
        assert!(world.state().tasks().iter().all(|t| t.has_result()), "{what}: results stay usable");
        world.run(1_000);
        assert_eq!(world.state().attempts().len(), attempts, "{what}: nothing runs without a word");
        world.command(Command::Undo(G)).unwrap();
        assert!(dirty(&world).is_empty(), "{what}, undone");
        world.assert_fold();
    }
}

#[test]
fn a_new_result_makes_those_that_used_the_old_one_out_of_date() {
    let mut world = done(true);
    world.command(Command::Retry(RetryScope::Task(id("a")))).unwrap();
    assert!(dirty(&world).is_empty(), "until the new result is there");
    world.run(1_000);
    assert_eq!(dirty(&world), ["b", "c", ".synthesis"], "the answer is made of what is out of date");
    assert_eq!(get(&world, ".synthesis").attempts.len(), 2, "the answer follows");
    world.command(Command::Retry(RetryScope::WithDependants(id("b")))).unwrap();
    world.run(1_000);
    assert!(dirty(&world).is_empty());
    world.assert_fold();
}

#[test]
fn what_is_confirmed_runs_again_and_the_rest_keeps_its_attempts() {
    let mut world = done(true);
    let step = better(&world, "b");
    let preview = look(&world, std::slice::from_ref(&step));
    assert_eq!(names(&preview.dirty), ["b", "c", ".synthesis"]);
    assert!(preview.runs.is_empty());
    assert_eq!(names(&preview.runs_with(&[name("b")])), ["b", ".synthesis"]);
    assert_eq!(preview.seconds_with(&[]), 0.0);
    assert!(preview.seconds_with(&[name("b"), name("c")]) > preview.seconds_with(&[name("b")]));
    edit(&mut world, "you", vec![step], &["b", "c"]).unwrap();
    assert_eq!(world.state().goal(G).unwrap().phase, GoalPhase::Running);
    world.run(1_000);
    assert!(dirty(&world).is_empty(), "{:?}", dirty(&world));
    let attempts = |t: &str| get(&world, t).attempts.len();
    assert_eq!(["a", "b", "c", "d", ".synthesis"].map(attempts), [1, 2, 2, 1, 2]);
    assert_eq!(world.state().last_attempt(get(&world, "b")).unwrap().version, 2);
    world.assert_fold();
}

#[test]
fn a_running_task_goes_on_with_its_old_form_unless_it_is_run_again() {
    for rerun in [&[][..], &["a"][..]] {
        let mut world = chain(false);
        let (a, d) = (get(&world, "a").attempts[0], get(&world, "d").attempts[0]);
        let step = better(&world, "a");
        assert_eq!(names(&look(&world, std::slice::from_ref(&step)).running), ["a"]);
        edit(&mut world, "you", vec![step], rerun).unwrap();
        let runs = |world: &World, attempt| world.state().running().any(|r| r.id == attempt);
        assert_eq!(runs(&world, a), rerun.is_empty());
        assert!(runs(&world, d), "it was not touched");
        assert_eq!(get(&world, "a").life, Life::Running);
        world.run(1_000);
        let expected: &[&str] = if rerun.is_empty() { &["a", "b", "c"] } else { &[] };
        assert_eq!(dirty(&world), expected, "what was made of the old form is out of date");
        world.assert_fold();
    }
}

#[test]
fn a_task_that_comes_after_the_answer_is_answered_too() {
    let mut world = done(true);
    let steps = vec![add(task("e", &["d"], 100))];
    let preview = look(&world, &steps);
    assert_eq!(names(&preview.added), ["e"]);
    assert_eq!(names(&preview.runs), ["e", ".synthesis"]);
    assert!(preview.dirty.is_empty() && preview.seconds_with(&[]) > 2.0);
    edit(&mut world, "you", steps, &[]).unwrap();
    world.run(1_000);
    assert_eq!(world.state().goal(G).unwrap().phase, GoalPhase::Ended(Outcome::Done));
    assert!(dirty(&world).is_empty());
    assert_eq!(get(&world, ".synthesis").attempts.len(), 2);
    let used = |world: &World| world.state().last_attempt(get(world, ".synthesis")).unwrap().inputs.len();
    assert_eq!(used(&world), 5);
    // The answer follows what is undone as well, when it is asked to.
    world.command(Command::Undo(G)).unwrap();
    assert_eq!(dirty(&world), [".synthesis"]);
    world.command(Command::Retry(RetryScope::Task(id(".synthesis")))).unwrap();
    world.run(1_000);
    assert_eq!(used(&world), 4);
    world.command(Command::Redo(G)).unwrap();
    assert!(get(&world, "e").is_done(), "it keeps its result");
    world.assert_fold();

    // While the answer is written, it begins again: it would lack the new result.
    let mut world = chain(true);
    while get(&world, ".synthesis").life != Life::Running {
        assert!(world.step());
    }
    edit(&mut world, "you", vec![add(task("e", &[], 100))], &[]).unwrap();
    world.run(1_000);
    assert_eq!(used(&world), 5);
    assert!(dirty(&world).is_empty());
    // An answer that the operator dropped stays dropped while the goal goes on.
    let mut world = chain(true);
    world.command(Command::Skip(id(".synthesis"))).unwrap();
    edit(&mut world, "you", vec![add(task("e", &[], 100))], &[]).unwrap();
    world.run(1_000);
    assert_eq!(get(&world, ".synthesis").life, Life::Ended(End::Skipped));
}

#[test]
fn edits_are_undone_and_made_again_by_their_authors() {
    let mut world = done(false);
    let author = |n| super::world::person(n);
    let undoable = |world: &World, n| world.state().undoable(G, &author(n)).map(|w| w.to_string());
    assert_eq!(undoable(&world, "you"), None, "a goal's first plan is no edit of it");
    let step = better(&world, "b");
    edit(&mut world, "you", vec![step], &[]).unwrap();
    assert_eq!(undoable(&world, "you").unwrap(), "edit of b; b and c are in date again");
    edit(&mut world, "claude", vec![add(task("e", &[], 500))], &[]).unwrap();
    assert_eq!(undoable(&world, "claude").unwrap(), "addition of e; e is stopped, what it wrote is kept");
    // Edits of different tasks are undone in any order.
    world.command(Command::Undo(G)).unwrap();
    assert_eq!(get(&world, "b").spec.prompt, "do b");
    assert!(world.command(Command::Undo(G)).unwrap_err().contains("no edit of yours"));
    assert_eq!(get(&world, "e").life, Life::Running);
    world.command_by("claude", Command::Undo(G)).unwrap();
    assert!(get(&world, "e").removed && world.live.is_empty());
    // What was stopped by the removal starts over when it comes back.
    world.command_by("claude", Command::Redo(G)).unwrap();
    assert_eq!(get(&world, "e").life, Life::Running);
    world.run(1_000);
    assert!(get(&world, "e").is_done());
    // A new edit goes another way than what was undone.
    assert!(world.state().redoable(G, &author("you")).is_some());
    let step = better(&world, "c");
    edit(&mut world, "you", vec![step], &[]).unwrap();
    assert!(world.command(Command::Redo(G)).unwrap_err().contains("nothing undone of yours"));
    assert!(world.command_by("claude", Command::Redo(G)).is_err());
    world.assert_fold();
}

#[test]
fn nobody_undoes_what_another_has_gone_on_from() {
    let mut world = done(false);
    let step = better(&world, "b");
    edit(&mut world, "you", vec![step], &[]).unwrap();
    let step = better(&world, "b");
    edit(&mut world, "claude", vec![step], &[]).unwrap();
    let why = world.command(Command::Undo(G)).unwrap_err();
    assert_eq!(why, "the edit of b by claude came after it; undo that first");
    world.command_by("claude", Command::Undo(G)).unwrap();
    world.command(Command::Undo(G)).unwrap();
    let why = world.command_by("claude", Command::Redo(G)).unwrap_err();
    assert_eq!(why, "the edit of b by you was undone since; make that again first");

    // Nor what others need by now.
    edit(&mut world, "you", vec![add(task("e", &[], 10))], &[]).unwrap();
    edit(&mut world, "claude", vec![add(task("f", &["e"], 10))], &[]).unwrap();
    let why = world.command(Command::Undo(G)).unwrap_err();
    assert!(why.contains("addition of e") && why.contains("f still needs it"), "{why}");
    world.assert_fold();
}

#[test]
fn a_removed_task_comes_back_as_it_was() {
    let mut world = World::new(config());
    world.fate = Box::new(|t, _| match t.task.name.as_str() {
        "bad" => Err(super::world::failure(FailureKind::Refused, Remedy::Operator)),
        _ => Ok(()),
    });
    world
        .add(plan(vec![task("a", &[], 50), task("bad", &[], 50), task("long", &[], 900), task("later", &["long"], 50)]))
        .unwrap();
    while world.state().attention.is_empty() || !get(&world, "a").is_done() {
        assert!(world.step());
    }
    let result = get(&world, "a").result;
    edit(&mut world, "you", vec![remove("a"), remove("bad"), remove("later"), remove("long")], &[]).unwrap();
    assert!(world.state().attention.is_empty());
    world.run(1_000);
    assert_eq!(world.state().goal(G).unwrap().open, 0);
    world.command(Command::Undo(G)).unwrap();
    assert_eq!((get(&world, "a").life, get(&world, "a").result), (Life::Ended(End::Done), result));
    assert_eq!(get(&world, "bad").life, Life::Ended(End::Failed));
    assert_eq!(world.state().attention.len(), 1, "its failure is told again");
    world.run(1_000);
    assert!(get(&world, "long").is_done() && get(&world, "later").is_done());
    assert_eq!(get(&world, "a").attempts.len(), 1);
    world.assert_fold();
}

#[test]
fn what_can_not_be_done_is_refused_by_name() {
    let mut world = done(false);
    let cyclic = {
        let mut t = (*get(&world, "a").spec).clone();
        t.needs = vec![name("c")];
        replace(t)
    };
    let table: [(Vec<PlanEdit>, &[&str], &str); 6] = [
        (vec![], &[], "changes nothing"),
        (vec![cyclic], &[], "a → c → b → a"),
        (vec![better(&world, "a")], &["zz"], "zz can't run again: it is not in the plan"),
        (vec![remove("d")], &["d"], "d can't run again"),
        (vec![better(&world, "a")], &[".plan"], "can't run again"),
        (vec![PlanEdit::Restore(Box::new(task("a", &[], 1)))], &[], "by undo only"),
    ];
    for (edits, rerun, why) in table {
        let refused = edit(&mut world, "you", edits, rerun).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    assert!(world.command(Command::Undo(GoalId(9))).unwrap_err().contains("no goal g9"));
    assert!(world.command(Command::Redo(G)).is_err());
}

#[test]
fn a_preview_says_what_differs() {
    let world = chain(false);
    let mut spec = (*get(&world, "c").spec).clone();
    spec.prompt.push('!');
    spec.needs = vec![name("d")];
    let preview = look(&world, &[replace(spec), remove("b"), add(task("e", &["a"], 100))]);
    assert_eq!(preview.changed.len(), 1);
    assert_eq!(preview.changed[0].words(), "prompt, needs +d −b");
    assert!(preview.changed[0].matters() && !preview.is_empty());
    assert_eq!((names(&preview.added), names(&preview.removed)), (vec!["e"], vec!["b"]));
    assert!(preview.stopped.is_empty() && preview.dirty.is_empty() && preview.running.is_empty());
    assert_eq!(names(&look(&world, &[replace((*get(&world, "c").spec).clone()), remove("d")]).stopped), ["d"]);
    let same = look(&world, &[replace((*get(&world, "c").spec).clone())]);
    assert!(same.is_empty());
}

#[test]
fn a_placed_task_goes_where_it_was_placed_while_that_can_be_used() {
    let mut config = config();
    config.fleet.endpoints.push(endpoint("d", "other", 1, 50.0));
    let mut world = World::new(config);
    world.command(Command::Pause).unwrap();
    world.add(plan(vec![task("a", &[], 50), task("b", &[], 50), task("c", &[], 50)])).unwrap();
    let place = |world: &mut World, task: &str, at: Option<&str>| {
        world.command(Command::Place { task: id(task), endpoint: at.map(name) })
    };
    assert!(place(&mut world, "a", Some("zz")).unwrap_err().contains("no endpoint zz"));
    assert!(place(&mut world, "a", None).is_err());
    place(&mut world, "a", Some("d")).unwrap();
    assert!(place(&mut world, "a", Some("d")).unwrap_err().contains("already"));
    let said = |world: &World| {
        world.records.iter().rev().find_map(|r| match &r.event {
            Event::CommandAccepted { what, .. } => Some(what.to_string()),
            _ => None,
        })
    };
    assert_eq!(said(&world).unwrap(), "run g1/a on d; it does not serve the tier main");
    place(&mut world, "b", Some("d")).unwrap();
    place(&mut world, "c", Some("b")).unwrap();
    world.command(Command::Resume).unwrap();
    let at = |world: &World, t: &str| {
        world.state().last_attempt(get(world, t)).map(|a| world.state().place_of(a).unwrap().config.name.to_string())
    };
    assert_eq!((at(&world, "a").as_deref(), at(&world, "c").as_deref()), (Some("d"), Some("b")));
    let why = |state: &State, now| state.admit(state.find(&id("b")).unwrap(), now).unwrap_err();
    let busy = why(world.state(), world.now);
    assert!(matches!(&busy, Why::Slot { busy: 1, .. }) && busy.to_string().contains("slots of d"), "{busy}");
    // It goes elsewhere when that can't be used any more.
    world.down.push("d".into());
    world.command(Command::Probe(None)).unwrap();
    assert!(at(&world, "b").is_some_and(|e| e != "d"));
    world.run(1_000);
    assert_eq!(world.state().goal(G).unwrap().phase, GoalPhase::Ended(Outcome::Done));
    world.assert_fold();
}

#[test]
fn an_answer_of_baton_neither_blocks_an_undo_nor_is_undone() {
    let mut world = World::new(config());
    let given = PlanSource::Given(Box::new(Plan { synthesis: None, ..plan(vec![task("a", &[], 50)]) }));
    world.command(Command::AddGoal { text: "g".into(), plan: given, options: GoalOptions::default() }).unwrap();
    edit(&mut world, "you", vec![add(task("b", &[], 50))], &[]).unwrap();
    let needs = |world: &World| names(&get(world, ".synthesis").spec.needs).join(" ");
    assert_eq!(needs(&world), "a b");
    world.command(Command::Undo(G)).unwrap();
    assert_eq!(needs(&world), "a");
    world.command(Command::Redo(G)).unwrap();
    assert_eq!(needs(&world), "a b");
    world.command(Command::Stop { scope: StopScope::Goal(G), partial: Partial::Kept }).unwrap();
    world.command(Command::Undo(G)).unwrap();
    world.run(1_000);
    assert!(matches!(world.state().goal(G).unwrap().phase, GoalPhase::Ended(_)));
    world.assert_fold();
}

#[test]
fn a_removed_task_that_asks_is_over_at_whatever_record_the_program_ended() {
    let mut world = World::new(config());
    world.says = Box::new(|t| (t.task.name.as_str() == "a").then(|| "ASK: Keep them?".to_owned()));
    world.add(plan(vec![task("a", &[], 50), task("d", &[], 500)])).unwrap();
    while get(&world, "a").asking.is_none() {
        assert!(world.step());
    }
    let before = world.records.len();
    edit(&mut world, "you", vec![remove("a")], &[]).unwrap();
    let cut = world.records[before..].iter().position(|r| matches!(r.event, Event::PlanEdited(_))).unwrap();
    for end in before + cut + 1..=world.records.len() {
        let resumed = World::resume(&world.records[..end]);
        let a = get(&resumed, "a");
        assert!(a.removed && a.life == Life::NotStarted && a.asking.is_none(), "after {end}: {:?}", a.life);
        assert!(resumed.state().attention.is_empty(), "after {end}");
        assert_eq!(resumed.state().goal(G).unwrap().running, 1, "d alone");
    }
}
