//! Who watches and who may act: properties over viewers that come, go, and command what they like.

use proptest::prelude::*;

use super::world::{World, config, person, plan, task};
use crate::domain::orchestrator::{Effect, Input};
use crate::domain::protocol::{
    Author, Command, CommandEnvelope, GoalOptions, Level, LevelScope, Name, Partial, PlanSource, RetryScope, Role,
    StopScope, Viewer, ViewerId,
};
use crate::domain::state::State;
use crate::domain::text::CleanText;

fn viewer(number: u64, role: Role) -> Viewer {
    Viewer { viewer: ViewerId(number), name: CleanText::from("ann"), origin: CleanText::from("here"), role }
}

/// The state without who watches, who asked for what, and how many records that took.
fn work_of(state: &State) -> serde_json::Value {
    let mut value = serde_json::to_value(state).unwrap();
    for field in ["seq", "at", "commands", "refusals", "viewers", "control", "asking_control", "viewers_seen"] {
        value.as_object_mut().unwrap().remove(field).unwrap();
    }
    value
}

/// Anything a client may ask for.
fn command(kind: u8, pick: u8) -> Command {
    let task = || ["g1/a", "g1/b", "g1/c", "g1/none"][pick as usize % 4].parse().unwrap();
    match kind % 14 {
        0 => Command::Pause,
        1 => Command::Resume,
        2 => Command::Stop { scope: StopScope::All, partial: Partial::Kept },
        3 => Command::Hold(task()),
        4 => Command::Skip(task()),
        5 => Command::Retry(RetryScope::Task(task())),
        6 => Command::SetLevel { scope: LevelScope::Session, level: Some(Level::High) },
        7 => Command::AddGoal { text: "more".into(), plan: PlanSource::Model, options: GoalOptions::default() },
        8 => Command::EndSession,
        9 => Command::Message { task: task(), text: "hello".into() },
        10 => Command::TakeControl,
        11 => Command::AskControl,
        12 => Command::GiveControl(Some(ViewerId(u64::from(pick) % 6 + 1))),
        _ => Command::GiveControl(None),
    }
}

/// Gives a command as a viewer does. True: the client was turned away without a record.
fn give(world: &mut World, n: usize, viewer: ViewerId, role: Role, command: Command) -> bool {
    let id = Name::new(&format!("v{n}")).unwrap();
    let author: Author = person("ann");
    let envelope = CommandEnvelope { id, author, role, viewer: Some(viewer), command };
    let decision = world.orchestrator.handle(world.now, Input::Command(envelope));
    decision.effects.iter().any(|e| matches!(e, Effect::TurnAway { .. })) && decision.records.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn only_who_has_control_changes_anything_and_somebody_who_watches_has_it_or_nobody(
        happenings in prop::collection::vec((0u8..8, any::<u8>(), any::<u8>(), any::<u8>()), 1..60),
    ) {
        let mut world = World::new(config());
        world.add(plan(vec![task("a", &[], 50), task("b", &["a"], 50), task("c", &[], 100)])).unwrap();
        let mut came = 0u64;
        for (n, (what, who, kind, pick)) in happenings.into_iter().enumerate() {
            let before = world.state().clone();
            let watching: Vec<(ViewerId, Role)> = before.viewers.values().map(|v| (v.viewer, v.role)).collect();
            let one = watching.get(who as usize % watching.len().max(1)).copied();
            match (what, one) {
                (0, _) | (_, None) => {
                    came += 1;
                    let role = if pick.is_multiple_of(2) { Role::Control } else { Role::Viewer };
                    world.orchestrator.handle(world.now, Input::ViewerJoined(viewer(came, role)));
                    let given = before.control.or((role == Role::Control).then_some(ViewerId(came)));
                    prop_assert_eq!(world.state().control, given);
                    prop_assert_eq!(work_of(world.state()), work_of(&before));
                }
                (1, Some((leaves, _))) => {
                    world.orchestrator.handle(world.now, Input::ViewerLeft(leaves));
                    let goes_to = if before.control == Some(leaves) { before.asking_control } else { before.control };
                    prop_assert_eq!(world.state().control, goes_to);
                    prop_assert!(!world.state().viewers.contains_key(&leaves));
                    prop_assert_eq!(work_of(world.state()), work_of(&before));
                }
                (_, Some((viewer, role))) => {
                    let turned_away = give(&mut world, n, viewer, role, command(kind, pick));
                    prop_assert_eq!(turned_away, role == Role::Viewer);
                    if role == Role::Viewer {
                        prop_assert_eq!(world.state(), &before, "who only looks leaves no trace");
                    } else if before.control.is_some_and(|holder| holder != viewer) {
                        prop_assert_eq!(work_of(world.state()), work_of(&before));
                        prop_assert_eq!(world.state().control, before.control, "control is given, never taken");
                    }
                }
            }
            let state = world.state();
            let holds = |id: &ViewerId| state.viewers.get(id).is_some_and(|v| v.role == Role::Control);
            prop_assert!(state.control.as_ref().is_none_or(holds), "control is with nobody who watches");
            prop_assert!(state.asking_control.as_ref().is_none_or(holds), "nobody who watches asks");
            prop_assert!(state.asking_control.is_none() || state.asking_control != state.control);
        }
    }
}

#[test]
fn a_viewer_that_is_gone_or_never_came_commands_nothing() {
    let mut world = World::new(config());
    world.add(plan(vec![task("a", &[], 50)])).unwrap();
    world.orchestrator.handle(world.now, Input::ViewerJoined(viewer(1, Role::Control)));
    world.orchestrator.handle(world.now, Input::ViewerLeft(ViewerId(1)));
    let before = work_of(world.state());
    for (n, (id, what)) in
        [(1, Command::EndSession), (1, Command::TakeControl), (9, Command::Pause)].into_iter().enumerate()
    {
        give(&mut world, n, ViewerId(id), Role::Control, what);
    }
    assert_eq!(work_of(world.state()), before);
    assert_eq!(world.state().control, None);
}
