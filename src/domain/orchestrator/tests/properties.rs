//! Properties over generated plans, commands, edits and faults.

use proptest::prelude::*;

use super::world::{Says, World, config, endpoint, failure, name, person, plan, task};
use crate::domain::fleet::{Lifetime, OnCut, SessionConfig};
use crate::domain::orchestrator::{Input, StartTurn};
use crate::domain::plan::{OnFailure, Plan, PlanEdit, Priority, TaskSpec};
use crate::domain::protocol::{
    Command, FailureKind, GoalId, GoalOptions, Level, LevelScope, MemoryCheck, Partial, PlanSource, Remedy, RetryScope,
    Review, ServerChanged, ServerStanding, ServerVerb, Speaker, StopScope, TaskId, TurnEnd, Work,
};
use crate::domain::state::{End, GoalPhase, Life, Task, TaskIx};

/// A plan of up to `n` tasks; task i needs some of those before it.
pub(super) fn plans(n: usize) -> impl Strategy<Value = Plan> {
    prop::collection::vec((any::<[u8; 3]>(), 1u32..400, 0u8..4, any::<bool>(), 0u8..3), 1..n).prop_map(|rows| {
        let tasks = rows
            .iter()
            .enumerate()
            .map(|(i, (needs, tokens, priority, tell, agent))| {
                let needs: Vec<String> = if i == 0 {
                    Vec::new()
                } else {
                    let mut n: Vec<usize> = needs.iter().filter(|b| **b > 90).map(|b| *b as usize % i).collect();
                    n.sort_unstable();
                    n.dedup();
                    n.into_iter().map(|n| format!("t{n}")).collect()
                };
                let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                let mut spec = task(&format!("t{i}"), &needs, *tokens);
                spec.priority =
                    [Priority::Low, Priority::Medium, Priority::High, Priority::Critical][*priority as usize];
                spec.on_dependency_failure = if *tell { OnFailure::Tell } else { OnFailure::Stop };
                spec.agent = name(["researcher", "reasoner", "summarizer"][*agent as usize]);
                spec
            })
            .collect();
        Plan { synthesis: None, ..plan(tasks) }
    })
}

/// What a planning model may say.
const ANSWERS: [&str; 5] = [
    r#"{"tasks":[{"id":"a","title":"A","prompt":"do a","agent":"researcher","needs":[]},
        {"id":"b","title":"B","prompt":"do b","agent":"reasoner","needs":["a"]},
        {"id":"c","title":"C","prompt":"do c","agent":"researcher","needs":[]}]}"#,
    r#"{"tasks":[{"id":"a","title":"A","prompt":"x","agent":"wizard","needs":["b"]},{"id":"b","ti"#,
    "First look around, then decide.",
    " ",
    r#"{"tasks":[{"id":".synthesis","title":"S","prompt":"x","agent":"researcher","needs":[".plan"]}]}"#,
];

/// Two tiers on three servers; `a` and `e` are one server and model under two names and tiers, so they share its slots.
pub(super) fn shared() -> SessionConfig {
    let mut config = config();
    let mut e = endpoint("a", "deep", 3, 80.0);
    e.name = name("e");
    config.fleet.endpoints.push(e);
    for endpoint in &mut config.fleet.endpoints {
        // Still a and e at one server.
        endpoint.url = format!("http://127.0.0.1:{}", endpoint.url.as_bytes()[7]);
        endpoint.launch = Some(serde_json::from_str(r#"{"command":"llama-server"}"#).unwrap());
    }
    config.settings.voice_summary = true;
    config.settings.ageing_seconds = 2;
    config
}

/// Something outside changes: an endpoint dies or comes back, loads, reports other slots.
fn outside(kind: u8, pick: u8, world: &mut World) {
    let endpoint = ["a", "b", "c", "e"][pick as usize % 4].to_owned();
    let toggle = |list: &mut Vec<String>| match list.iter().position(|l| *l == endpoint) {
        Some(i) => {
            list.remove(i);
        }
        None => list.push(endpoint.clone()),
    };
    match kind % 4 {
        3 if pick.is_multiple_of(2) => {
            let verb = [ServerVerb::Start, ServerVerb::Stop, ServerVerb::Restart][pick as usize / 8 % 3];
            let command = Command::Server { endpoint: name(&endpoint), verb, memory: MemoryCheck::Heed };
            let _ = world.command(command);
        }
        3 => serves(&endpoint, STANDINGS[pick as usize / 8 % STANDINGS.len()], world),
        0 => toggle(&mut world.down),
        1 => toggle(&mut world.loading),
        _ => {
            world.reported.insert(endpoint.clone(), u32::from(pick / 4) % 5);
        }
    }
    if pick.is_multiple_of(3) {
        let _ = world.command(Command::Probe(None));
    }
}

const STANDINGS: [ServerStanding; 6] = [
    ServerStanding::Starting,
    ServerStanding::Ready,
    ServerStanding::Restarting,
    ServerStanding::Stopping,
    ServerStanding::Stopped,
    ServerStanding::Failed,
];

/// The engine tells how a server stands.
fn serves(endpoint: &str, standing: ServerStanding, world: &mut World) {
    world.input(Input::ServerIs(Box::new(ServerChanged {
        endpoint: name(endpoint),
        standing,
        words: "as it is".into(),
        port: 1,
        pid: None,
        lifetime: Some(Lifetime::Session),
        restarts: 0,
        last: Vec::new(),
        log: None,
    })));
}

/// One thing happens: time goes on, somebody commands, or something outside changes.
pub(super) fn happen((steps, kind, pick): (u8, u8, u8), world: &mut World) {
    for _ in 0..steps {
        world.step();
    }
    if kind >= 200 {
        outside(kind, pick, world);
        return;
    }
    let command = command(kind, pick, world);
    steer(if pick.is_multiple_of(4) { "claude" } else { "you" }, command, world);
}

/// Gives a command. An edit leaves alone what it does not touch, whatever goes on.
fn steer(author: &'static str, command: Command, world: &mut World) {
    let state = world.state();
    let (goal, edits, rerun) = match &command {
        Command::EditPlan { goal, edits, rerun, .. } => (*goal, edits.clone(), rerun.clone()),
        Command::Undo(goal) => (*goal, state.undo(*goal, &person(author)).map_or(vec![], |u| u.edits), vec![]),
        Command::Redo(goal) => (*goal, state.redo(*goal, &person(author)).map_or(vec![], |u| u.edits), vec![]),
        _ => {
            let _ = world.command_by(author, command);
            return;
        }
    };
    let touched =
        |t: &Task| t.id.goal == goal && (edits.iter().any(|e| *e.name() == t.id.name) || rerun.contains(&t.id.name));
    let others: Vec<Task> = state
        .tasks()
        .iter()
        .filter(|t| t.work == Work::Ordinary && !touched(t))
        .filter(|t| t.life == Life::Running || (t.has_ended() && t.life != Life::Ended(End::Skipped)))
        .cloned()
        .collect();
    let preview = state.preview(goal, &edits);
    let accepted = world.command_by(author, command);
    assert!(accepted.is_err() || preview.is_ok(), "{preview:?}");
    for before in others {
        let after = world.state().task_by_id(&before.id).unwrap();
        assert_eq!(
            (after.life, &after.attempts, after.result, after.version),
            (before.life, &before.attempts, before.result, before.version),
            "{} was not touched",
            before.id
        );
    }
    if let (Ok(()), Ok(preview)) = (accepted, preview) {
        for name in &preview.dirty {
            let id = TaskId::new(goal, name.clone());
            let task = world.state().task_by_id(&id).unwrap();
            assert!(task.dirty || !task.has_ended(), "{id} was to be out of date");
        }
    }
}

/// The plan of a goal: the forms of its ordinary tasks, and what they need.
fn shape(world: &World, goal: GoalId) -> Vec<(TaskSpec, Vec<String>, Vec<String>)> {
    let state = world.state();
    let names = |list: &[TaskIx]| {
        let ordinary = list.iter().map(|t| state.task(*t)).filter(|t| t.work == Work::Ordinary);
        let mut names: Vec<String> = ordinary.map(|t| t.id.to_string()).collect();
        names.sort();
        names
    };
    let tasks = state.goal(goal).unwrap().tasks.iter().map(|t| state.task(*t));
    let tasks = tasks.filter(|t| t.work == Work::Ordinary && !t.removed);
    tasks.map(|t| ((*t.spec).clone(), names(&t.needs), names(&t.feeds))).collect()
}

/// Edits of every kind on the tasks of a goal; many of them are refused.
fn edits(picks: &[(u8, u8, u8)], goal: GoalId, world: &World) -> Vec<PlanEdit> {
    let state = world.state();
    let tasks: Vec<&Task> = state.goal(goal).unwrap().tasks.iter().map(|t| state.task(*t)).collect();
    let of = |pick: u8| tasks[pick as usize % tasks.len()];
    picks
        .iter()
        .enumerate()
        .map(|(i, (kind, pick, need))| {
            let mut spec = (*of(*pick).spec).clone();
            match kind % 6 {
                0 => PlanEdit::Add(Box::new(task(
                    &format!("new{}-{i}", world.records.len()),
                    &[of(*need).id.name.as_str()],
                    30,
                ))),
                1 => PlanEdit::Remove(spec.id),
                kind => {
                    match kind {
                        2 => spec.needs = vec![of(*need).id.name.clone()],
                        3 => spec.prompt.push_str(", better"),
                        4 => spec.needs.clear(),
                        _ => spec.priority = Priority::Critical,
                    }
                    PlanEdit::Replace(Box::new(spec))
                }
            }
        })
        .collect()
}

fn command(kind: u8, pick: u8, world: &mut World) -> Command {
    world.plan_answer = ANSWERS[pick as usize % ANSWERS.len()].into();
    let tasks = world.state().tasks();
    let id = || tasks.get(pick as usize % tasks.len().max(1)).map_or("g1/none".parse().unwrap(), |t| t.id.clone());
    let goals = world.state().goals().len().max(1) as u32;
    let goal = GoalId(u32::from(pick) % goals + 1);
    let revision = world.state().goal(goal).map_or(0, |g| g.revision);
    let options = |review| GoalOptions {
        review,
        max_parallel: pick.is_multiple_of(3).then_some(u32::from(pick % 4) + 1),
        voice_summary: pick.is_multiple_of(5).then_some(pick.is_multiple_of(2)),
        ..GoalOptions::default()
    };
    let review = if pick.is_multiple_of(2) { Review::Ask } else { Review::Auto };
    let rerun = || if pick.is_multiple_of(2) { vec![id().name] } else { Vec::new() };
    match kind % 30 {
        27 => Command::Message { task: id(), text: format!("word {pick}") },
        28 => Command::Answer { task: id(), text: "this one".into() },
        29 => match world.state().attention.keys().nth(pick as usize % 3) {
            Some(subject) => Command::Dismiss(subject.clone()),
            None => Command::Message { task: id(), text: "hello".into() },
        },
        14 => Command::AddGoal { text: "another goal".into(), plan: PlanSource::Model, options: options(review) },
        15 => Command::AddGoal {
            text: "a given goal".into(),
            plan: PlanSource::Given(Box::new(Plan {
                synthesis: None,
                ..plan(vec![task("x", &[], 40), task("y", &["x"], 30), task("z", &[], 50)])
            })),
            options: options(review),
        },
        16 => Command::Approve(goal),
        17 => Command::SetLevel {
            scope: LevelScope::Agent(name("reasoner")),
            level: pick.is_multiple_of(2).then_some(Level::Low),
        },
        0 => Command::Pause,
        1 => Command::Resume,
        2 => Command::Hold(id()),
        3 => Command::Release(id()),
        4 => Command::Retry(RetryScope::Task(id())),
        5 => Command::Retry(RetryScope::Failed),
        6 => Command::Stop { scope: StopScope::Task(id()), partial: Partial::Kept },
        7 => Command::Skip(id()),
        8 => Command::SetLevel { scope: LevelScope::Task(id()), level: Some(Level::High) },
        9 => Command::EditPlan {
            goal,
            if_revision: revision,
            edits: vec![PlanEdit::Add(Box::new(task(&format!("new{}", world.records.len()), &[], 30)))],
            rerun: Vec::new(),
        },
        10 => Command::EditPlan {
            goal,
            if_revision: revision,
            edits: vec![PlanEdit::Remove(id().name)],
            rerun: Vec::new(),
        },
        18 | 19 => Command::Undo(goal),
        20 => Command::Redo(goal),
        21 => Command::Place {
            task: id(),
            endpoint: (!pick.is_multiple_of(3)).then(|| name(["a", "b", "c", "e"][pick as usize % 4])),
        },
        22 => Command::EditResult { task: id(), text: "what I know".into() },
        23..=25 if world.state().goal(goal).is_some_and(|g| !g.tasks.is_empty()) => Command::EditPlan {
            goal,
            if_revision: revision,
            edits: edits(
                &[(pick, pick / 3, pick / 7), (pick / 5, pick / 2, kind)][..1 + kind as usize % 2],
                goal,
                world,
            ),
            rerun: rerun(),
        },
        11 => Command::Retry(RetryScope::WithDependants(id())),
        12 => Command::EditPlan {
            goal,
            if_revision: revision,
            edits: vec![PlanEdit::Replace(Box::new(task(id().name.as_str(), &[], 60)))],
            rerun: Vec::new(),
        },
        _ => Command::Stop { scope: StopScope::Goal(goal), partial: Partial::Discarded },
    }
}

/// Answers every question there is. True: there was one. Whoever is asked about the same answer again and again keeps it:
/// each of their own words begins another, which may be cut as well.
fn answer_all(world: &mut World) -> bool {
    let asks = |t: &Task| {
        let turns = world.state().last_attempt(t).map_or(0, |a| a.steps.len());
        let last = t.asking.as_ref()?.choices.last().filter(|_| turns > 2).map(ToString::to_string);
        Some((t.id.clone(), last.unwrap_or_else(|| "that one".to_owned())))
    };
    let asking: Vec<(TaskId, String)> = world.state().tasks().iter().filter_map(asks).collect();
    for (task, text) in &asking {
        world.command(Command::Answer { task: task.clone(), text: text.clone() }).unwrap();
    }
    !asking.is_empty()
}

/// How a turn ends, by the turn and by how often its task was tried.
pub(super) type Fate =
    Box<dyn Fn(&crate::domain::orchestrator::StartTurn, u32) -> Result<(), crate::domain::protocol::Failure>>;

pub(super) fn fate(seed: u64, percent: u64) -> Fate {
    Box::new(move |t, tries| {
        let text = format!("{}{}{tries}", t.task, t.endpoint);
        let h = text.bytes().fold(seed | 1, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        if (h >> 20) % 100 < percent {
            let kinds = [
                (FailureKind::Cut, Remedy::RetryHere),
                (FailureKind::Unreachable, Remedy::Elsewhere),
                (FailureKind::Busy, Remedy::RetryHere),
                (FailureKind::Context, Remedy::Elsewhere),
                (FailureKind::Unauthorized, Remedy::Operator),
            ];
            let (kind, remedy) = kinds[(h >> 40) as usize % kinds.len()];
            Err(failure(kind, remedy))
        } else {
            Ok(())
        }
    })
}

/// Some first turns ask the operator, and some that were answered ask again.
fn asks(seed: u64) -> Says {
    Box::new(move |t| {
        let text = format!("{}?", t.task);
        let h = text.bytes().fold(seed | 1, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        let answers = t.recipe.messages.iter().filter(|m| m.role == Speaker::Assistant).count() as u64;
        (answers < (h >> 30) % 3).then(|| "ASK: Which?\n- this one\n- that one".to_owned())
    })
}

/// Every third turn is cut at its limit.
fn cuts(seed: u64) -> Box<dyn Fn(&StartTurn) -> TurnEnd> {
    Box::new(move |t| {
        let text = format!("{} {} {}", t.task, t.max_tokens, t.recipe.messages.len());
        let h = text.bytes().fold(seed | 1, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        if (h >> 33).is_multiple_of(3) { TurnEnd::Length } else { TurnEnd::Stop }
    })
}

/// The shared fleet, and one of the ways with answers that are cut.
fn cutting(seed: u64) -> SessionConfig {
    let mut config = shared();
    config.settings.on_cut = [OnCut::GoOn, OnCut::RetryLarger, OnCut::Ask, OnCut::Keep][(seed % 4) as usize];
    config
}

/// Lets everything that may go on go on, and runs to the end.
pub(super) fn to_the_end(world: &mut World) {
    world.down.clear();
    world.loading.clear();
    world.reported.clear();
    for endpoint in ["a", "b", "c", "e"] {
        serves(endpoint, ServerStanding::Ready, world);
    }
    let _ = world.command(Command::Probe(None));
    for _ in 0..4 {
        world.run(3_000);
        let held: Vec<TaskId> = world
            .state()
            .tasks()
            .iter()
            .filter(|t| t.held && !t.has_ended() && !t.removed)
            .map(|t| t.id.clone())
            .collect();
        for id in held {
            world.command(Command::Release(id)).unwrap();
        }
        answer_all(world);
        let _ = world.command(Command::Resume);
        for goal in world.state().goals().iter().map(|g| g.id).collect::<Vec<_>>() {
            let _ = world.command(Command::Approve(goal));
        }
    }
    for _ in 0..40 {
        world.run(3_000);
        // A planning that was held or failed until now drafts its plan only here.
        let drafts = world.state().goals().iter().filter(|g| g.phase == GoalPhase::Draft).map(|g| g.id);
        let drafts: Vec<GoalId> = drafts.collect();
        for goal in &drafts {
            world.command(Command::Approve(*goal)).unwrap();
        }
        if !answer_all(world) && drafts.is_empty() {
            break;
        }
    }
    for goal in world.state().goals() {
        let left: Vec<String> = goal
            .tasks
            .iter()
            .filter(|t| !world.state().task(**t).has_ended() && !world.state().task(**t).removed)
            .map(|t| format!("{}: {:?}", world.state().task(*t).id, world.state().admit(*t, world.now)))
            .collect();
        assert!(matches!(goal.phase, GoalPhase::Ended(_)), "{} is {:?}: {}", goal.id, goal.phase, left.join("; "));
    }
    let running = world.state().tasks().iter().find(|t| t.life == Life::Running);
    assert!(running.is_none(), "still runs: {running:?}");
    assert_eq!(world.state().slots().0, 0, "a slot was lost");
}

/// Whether what is done stays so when the session is taken up: a plan's text does not outlive the process, and an answer
/// follows tasks that came after it.
fn stands(state: &crate::domain::state::State, task: &Task) -> bool {
    let of_goal = || state.tasks().iter().filter(|t| t.id.goal == task.id.goal && !t.removed);
    match task.work {
        Work::Planning => false,
        Work::Ordinary => true,
        Work::Round | Work::Synthesis | Work::Voice => of_goal().all(|t| t.work != Work::Ordinary || t.has_ended()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_with_any_commands_and_faults_comes_to_an_end_and_folds(
        plan in plans(24),
        happenings in prop::collection::vec((0u8..6, any::<u8>(), any::<u8>()), 0..24),
        seed in any::<u64>(),
        percent in 0u64..50,
    ) {
        let mut world = World::new(cutting(seed));
        world.fate = fate(seed, percent);
        world.says = asks(seed);
        world.ends = cuts(seed);
        world.add(plan).unwrap();
        for what in happenings {
            happen(what, &mut world);
        }
        to_the_end(&mut world);
        world.assert_fold();
    }

    #[test]
    fn a_session_can_be_set_down_whatever_goes_on_and_taken_up_to_its_end(
        plan in plans(16),
        happenings in prop::collection::vec((0u8..6, any::<u8>(), any::<u8>()), 0..16),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(cutting(seed));
        world.fate = fate(seed, 20);
        world.says = asks(seed);
        world.ends = cuts(seed);
        world.add(plan).unwrap();
        for what in happenings {
            happen(what, &mut world);
        }
        world.command(Command::EndSession).unwrap();
        prop_assert!(world.ended && world.live.is_empty());
        prop_assert_eq!(world.records.last().unwrap().event.name(), "session.ended");
        // What asks, or has a message to come, is between two turns and stays so.
        prop_assert!(world.state().running().all(|a| a.turn().is_some_and(|t| t.ended.is_some())));
        prop_assert!(world.state().tasks().iter().all(|t| !matches!(t.life, Life::Running) || world.state().open_attempt(t).is_some()));
        let attempts = world.state().attempts().len();
        for _ in 0..200 {
            world.step();
        }
        prop_assert_eq!(world.state().attempts().len(), attempts, "something started after the end");
        prop_assert_eq!(world.state().slots().0, 0, "a slot was lost");
        world.assert_fold();
        let kept = |t: &&Task| t.is_done() && stands(world.state(), t) && t.work == Work::Ordinary;
        let done: Vec<(TaskId, usize)> =
            world.state().tasks().iter().filter(kept).map(|t| (t.id.clone(), t.attempts.len())).collect();
        let mut again = World::resume(&world.records);
        again.fate = fate(seed, 20);
        again.says = asks(seed);
        again.ends = cuts(seed);
        to_the_end(&mut again);
        for (id, attempts) in done {
            prop_assert_eq!(again.state().task_by_id(&id).unwrap().attempts.len(), attempts, "{} ran again", id);
        }
        again.assert_fold();
    }

    #[test]
    fn every_prefix_of_a_journal_can_be_taken_up_and_reaches_an_end(
        plan in plans(10),
        happenings in prop::collection::vec((0u8..6, any::<u8>(), any::<u8>()), 0..8),
        seed in any::<u64>(),
        percent in 0u64..40,
    ) {
        let mut world = World::new(cutting(seed));
        world.fate = fate(seed, percent);
        world.says = asks(seed);
        world.ends = cuts(seed);
        world.add(plan).unwrap();
        for what in happenings {
            happen(what, &mut world);
        }
        to_the_end(&mut world);
        // Every seventh prefix keeps the test short; the offset covers all over the cases.
        let offset = (seed % 7) as usize;
        for cut in (1 + offset..world.records.len()).step_by(7) {
            let mut again = World::resume(&world.records[..cut]);
            again.fate = fate(seed, percent);
            again.says = asks(seed);
            again.ends = cuts(seed);
            to_the_end(&mut again);
            // What was done before is not run again; a plan's text does not outlive the process, so planning may be.
            let before: Vec<_> = {
                let mut state = crate::domain::state::State::default();
                for record in &world.records[..cut] {
                    state.apply(record);
                }
                // A message that waits at the cut is said: its task goes on, and the answers made of it are written again.
                let waits = state.tasks().iter().any(|t| t.is_done() && t.unsent().next().is_some());
                let kept = |t: &&crate::domain::state::Task| {
                    t.is_done()
                        && stands(&state, t)
                        && t.unsent().next().is_none()
                        && t.work != Work::Planning
                        && !(waits && t.work != Work::Ordinary)
                        // An answer of Baton's own follows what it is made of, where that is still to come.
                        && (t.work == Work::Ordinary || t.needs.iter().all(|n| state.task(*n).has_ended()))
                };
                state.tasks().iter().filter(kept).map(|t| (t.id.clone(), t.attempts.len())).collect()
            };
            for (id, attempts) in before {
                prop_assert_eq!(again.state().task_by_id(&id).unwrap().attempts.len(), attempts);
            }
            again.assert_fold();
        }
    }

    #[test]
    fn an_edit_undone_leaves_the_plan_as_it_was_and_made_again_as_it_would_be(
        plan in plans(12),
        happenings in prop::collection::vec((0u8..6, any::<u8>(), any::<u8>()), 0..8),
        picks in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..4),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(cutting(seed));
        world.fate = fate(seed, 20);
        world.add(plan).unwrap();
        for what in happenings {
            happen(what, &mut world);
        }
        let goal = GoalId(1);
        let revision = world.state().goal(goal).unwrap().revision;
        let before = shape(&world, goal);
        let dirty = |world: &World| -> Vec<_> {
            let tasks = world.state().tasks().iter().filter(|t| !t.removed && t.work == Work::Ordinary && t.id.goal == goal);
            tasks.map(|t| (t.id.clone(), t.result, t.dirty)).collect()
        };
        let was_dirty = dirty(&world);
        let edits = edits(&picks, goal, &world);
        let known = world.state().goal(goal).unwrap().edits.len();
        let edit = Command::EditPlan { goal, if_revision: revision, edits, rerun: Vec::new() };
        prop_assume!(world.command_by("ann", edit).is_ok());
        // An edit that changed nothing is not kept.
        prop_assume!(world.state().goal(goal).unwrap().edits.len() > known);
        let after = shape(&world, goal);
        let undo = world.command_by("ann", Command::Undo(goal));
        prop_assert_eq!(undo, Ok(()));
        prop_assert_eq!(&shape(&world, goal), &before);
        prop_assert_eq!(dirty(&world), was_dirty);
        prop_assert!(world.command_by("ann", Command::Undo(goal)).is_err());
        prop_assert_eq!(world.command_by("ann", Command::Redo(goal)), Ok(()));
        prop_assert_eq!(&shape(&world, goal), &after);
        world.command_by("ann", Command::Undo(goal)).unwrap();
        prop_assert_eq!(&shape(&world, goal), &before);
        to_the_end(&mut world);
        world.assert_fold();
    }
}
