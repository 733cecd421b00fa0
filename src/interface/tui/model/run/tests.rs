//! The selection, folds, panes and scrolling over a story of records.

use super::panes::SHOWN;
use super::rows::Fold;
use super::*;
use crate::domain::protocol::{Command, LevelScope};
use crate::interface::tui::action::Action;
use crate::interface::tui::model::{Layer, UiEffect};
use crate::interface::tui::view::run::fixture::{NOW, drawing};

const AREA: Rect = Rect::new(0, 2, 120, 36);

fn title(ui: &RunUi, state: &State) -> String {
    ui.selected().map(|t| state.task(t).title.to_string()).unwrap_or_default()
}

fn ready() -> (crate::interface::tui::view::run::fixture::Story, RunUi) {
    let story = drawing();
    let mut ui = RunUi::default();
    ui.tick(&story.state, NOW, AREA);
    (story, ui)
}

#[test]
fn the_selection_starts_at_what_runs_and_stays_with_its_task() {
    let (mut story, mut ui) = ready();
    assert_eq!(title(&ui, &story.state), "Derive the grammar from the 212 sample files");
    ui.update(Action::Down, &story.state, NOW);
    ui.update(Action::Down, &story.state, NOW);
    let api = title(&ui, &story.state);
    assert_eq!(api, "Review the public API against semver rules");
    let turn = story.state.last_attempt(story.state.task(ui.selected().unwrap())).unwrap().turn_id();
    let later = NOW.plus(Micros::from_secs(1));
    story.finish(later, turn, "api");
    ui.tick(&story.state, later, AREA);
    assert_eq!(title(&ui, &story.state), api, "done, and still shown while the cursor is on it");
    ui.update(Action::Down, &story.state, later);
    ui.tick(&story.state, later, AREA);
    let done = ui.rows().iter().find(|r| matches!(&r.pick, Pick::Finished(k) if k.1 == "core")).unwrap();
    assert_eq!(done.progress.done, 7);
    assert!(!ui.rows().iter().any(|r| matches!(r.pick, Pick::Task(t) if *story.state.task(t).title == *api)));
}

#[test]
fn phases_fold_by_hand_and_by_themselves() {
    let (story, mut ui) = ready();
    let fold = |ui: &RunUi, name: &str| {
        ui.rows().iter().find(|r| matches!(&r.pick, Pick::Phase(k) if k.1 == name)).and_then(|r| r.fold)
    };
    assert_eq!((fold(&ui, "foundation"), fold(&ui, "core")), (Some(Fold::Closed), Some(Fold::Open)));
    ui.update(Action::First, &story.state, NOW);
    ui.update(Action::Right, &story.state, NOW);
    ui.tick(&story.state, NOW, AREA);
    assert_eq!(fold(&ui, "foundation"), Some(Fold::Open));
    ui.update(Action::Enter, &story.state, NOW);
    ui.tick(&story.state, NOW, AREA);
    assert_eq!(fold(&ui, "foundation"), Some(Fold::Closed));
}

#[test]
fn the_filter_looks_at_titles_agents_and_statuses() {
    let (story, mut ui) = ready();
    let tasks = |ui: &RunUi| ui.rows().iter().filter(|r| matches!(r.pick, Pick::Task(_))).count();
    for (text, n) in [("fuzz", 4), ("reasoner", 4), ("failed", 1), ("曖昧", 1), ("nothing of the kind", 0)] {
        ui.set_find(text);
        ui.tick(&story.state, NOW, AREA);
        assert_eq!(tasks(&ui), n, "{text}");
    }
    ui.update(Action::Back, &story.state, NOW);
    ui.tick(&story.state, NOW, AREA);
    assert!(tasks(&ui) > 10);
}

#[test]
fn a_pane_gives_its_place_five_seconds_after_the_end() {
    let (mut story, mut ui) = ready();
    let second = ui.panes.get(1).unwrap().task;
    let turn = story.state.last_attempt(story.state.task(second)).unwrap().turn_id();
    story.finish(NOW, turn, "ambiguity");
    ui.tick(&story.state, NOW, AREA);
    assert_eq!(ui.deadline(), Some(NOW.plus(SHOWN)));
    ui.tick(&story.state, NOW.plus(Micros::from_secs(4)), AREA);
    assert_eq!(ui.panes.get(1).unwrap().task, second);
    let mut pinned = ui.clone();
    pinned.panes.pins.insert(second);
    let mut scrolled = ui.clone();
    scrolled.panes.get_mut(1).unwrap().anchor = Anchor::At(place::Place::default());
    for kept in [&mut pinned, &mut scrolled] {
        kept.tick(&story.state, NOW.plus(SHOWN), AREA);
        assert_eq!(kept.panes.get(1).unwrap().task, second);
    }
    ui.tick(&story.state, NOW.plus(SHOWN), AREA);
    assert_ne!(ui.panes.get(1).unwrap().task, second);
    assert_eq!(ui.deadline(), None);
}

#[test]
fn scrolling_is_asked_for_and_met_by_the_frame() {
    let (story, mut ui) = ready();
    ui.update(Action::NextPane, &story.state, NOW);
    assert_eq!((ui.focus, ui.panes.focus), (Focus::Pane, 0));
    ui.update(Action::Up, &story.state, NOW);
    ui.update(Action::Up, &story.state, NOW);
    assert_eq!((ui.panes.get(0).unwrap().by, ui.panes.get(0).unwrap().follows()), (-2, false));
    let (first, last) = (place::Place::default(), place::Place { part: 3, ..place::Place::default() });
    let shown = Shown { anchor: Some(Anchor::At(first)), last: Some(last), ..Shown::default() };
    ui.drawn(Drawn { hits: Vec::new(), panes: vec![shown] });
    let pane = ui.panes.get(0).unwrap();
    assert_eq!((pane.anchor, pane.by, pane.seen), (Anchor::At(first), 0, Some(last)));
    ui.update(Action::Follow, &story.state, NOW);
    assert!(ui.panes.get(0).unwrap().follows());
}

#[test]
fn keys_become_commands_and_cards() {
    let (story, mut ui) = ready();
    let id = story.state.task(ui.selected().unwrap()).id.clone();
    let state = &story.state;
    assert!(matches!(&ui.update(Action::Retry, state, NOW)[..], [UiEffect::Open(l)] if matches!(**l, Layer::Retry(_))));
    assert_eq!(ui.update(Action::Hold, state, NOW), [UiEffect::Send(Command::Hold(id.clone()))]);
    let level = state.level_of(state.task_by_id(&id).unwrap()).next();
    let set = Command::SetLevel { scope: LevelScope::Task(id), level: Some(level) };
    assert_eq!(ui.update(Action::Level, state, NOW), [UiEffect::Send(set)]);
    assert_eq!(ui.update(Action::Pause, state, NOW), [UiEffect::Send(Command::Pause)]);
    assert!(matches!(&ui.update(Action::Stop, state, NOW)[..], [UiEffect::Open(l)] if matches!(**l, Layer::Card(_))));
    assert!(
        matches!(&ui.update(Action::Enter, state, NOW)[..], [UiEffect::Open(l)] if matches!(**l, Layer::Inspector(_)))
    );
    ui.update(Action::First, state, NOW);
    ui.tick(state, NOW, AREA);
    assert!(
        matches!(&ui.update(Action::Retry, state, NOW)[..], [UiEffect::Open(l)] if matches!(**l, Layer::Card(_))),
        "a phase is many"
    );
}

#[test]
fn the_field_types_and_esc_gives_back_what_was_there() {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let (story, mut ui) = ready();
    let state = &story.state;
    ui.set_find("old");
    ui.update(Action::Search, state, NOW);
    assert_eq!(ui.contexts(state), [Context::Text]);
    ui.input(&Msg::Key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)), state, NOW);
    ui.input(&Msg::Key(KeyEvent::new(KeyCode::Char('X'), KeyModifiers::SHIFT)), state, NOW);
    assert_eq!(ui.field(), Some(("filter tasks", "olX")));
    ui.update(Action::Back, state, NOW);
    assert_eq!((ui.field(), ui.filter.text.as_str()), (None, "old"));
}

fn go_to(ui: &mut RunUi, state: &State, found: impl Fn(&Row) -> bool) {
    ui.tick(state, NOW, AREA);
    let at = ui.rows().iter().position(found).unwrap();
    let by = at as isize - ui.cursor() as isize;
    for _ in 0..by.abs() {
        ui.update(if by < 0 { Action::Up } else { Action::Down }, state, NOW);
    }
    ui.tick(state, NOW, AREA);
}

fn card(effects: &[UiEffect]) -> &crate::interface::tui::model::Card {
    match effects {
        [UiEffect::Open(layer)] => match &**layer {
            Layer::Card(card) => card,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn twins_are_one_row_until_they_are_opened() {
    let (story, mut ui) = ready();
    let state = &story.state;
    let fuzz = |r: &Row| matches!(r.pick, Pick::Twins(t) if state.task(t).title.starts_with("Fuzz"));
    let row = ui.rows().iter().find(|r| fuzz(r)).unwrap();
    assert_eq!((row.fold, row.progress.running, row.progress.total), (Some(Fold::Closed), 4, 4));
    go_to(&mut ui, state, fuzz);
    let rows = ui.rows().len();
    ui.update(Action::Right, state, NOW);
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.rows().len(), rows + 4);
    ui.update(Action::Down, state, NOW);
    ui.update(Action::Left, state, NOW);
    ui.tick(state, NOW, AREA);
    assert!(fuzz(&ui.rows()[ui.cursor()]), "left goes from a member to its group");
    ui.update(Action::Enter, state, NOW);
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.rows().len(), rows);
    // A pane that is focused selects a member: its group opens, and stays open.
    let fourth = ui
        .groups()
        .of(story
            .state
            .find(&crate::domain::protocol::TaskId::new(
                crate::domain::protocol::GoalId(1),
                crate::interface::tui::view::run::fixture::name("fuzz4"),
            ))
            .unwrap())
        .unwrap()
        .members[3];
    ui.folds = Folds::default();
    ui.folds.revision = 9;
    ui.select(fourth);
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.selected(), Some(fourth));
    ui.update(Action::First, state, NOW);
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.rows().len(), rows + 4);
}

#[test]
fn marks_stay_through_filters_and_verbs_ask_for_all_of_them() {
    let (story, mut ui) = ready();
    let state = &story.state;
    go_to(&mut ui, state, |r| matches!(r.pick, Pick::Task(t) if state.task(t).title.starts_with("Review the")));
    ui.update(Action::Mark, state, NOW);
    ui.update(Action::Range, state, NOW);
    ui.update(Action::Down, state, NOW);
    ui.update(Action::Down, state, NOW);
    assert_eq!(ui.marks.len(), 3);
    ui.update(Action::Up, state, NOW);
    assert_eq!(ui.marks.len(), 2, "the range goes back with the cursor");
    ui.update(Action::Range, state, NOW);
    ui.update(Action::Down, state, NOW);
    assert_eq!(ui.marks.len(), 2, "an ended range stays");
    ui.set_find("fuzz");
    ui.tick(state, NOW, AREA);
    assert_eq!((ui.marks.len(), ui.marks_hidden()), (2, 2));
    let effects = ui.update(Action::Stop, state, NOW);
    let asked = card(&effects);
    assert_eq!((asked.title.as_str(), asked.focused), ("Stop 2 tasks", 0));
    assert!(asked.choices[0].effects.is_empty());
    assert!(asked.choices[1..].iter().all(|c| c.effects.len() == 2));
    ui.update(Action::Back, state, NOW);
    assert_eq!((ui.marks.len(), ui.filter.is_empty()), (0, false), "one level a press");
    ui.update(Action::Back, state, NOW);
    assert!(ui.filter.is_empty());
}

#[test]
fn a_verb_on_a_group_names_how_many_and_leaves_out_whom_it_means_nothing_to() {
    let (story, mut ui) = ready();
    let state = &story.state;
    go_to(&mut ui, state, |r| matches!(&r.pick, Pick::Phase(k) if k.1 == "core"));
    let effects = ui.update(Action::Retry, state, NOW);
    let asked = card(&effects);
    assert_eq!(asked.title.as_str(), "Retry 6 tasks");
    assert!(asked.body.iter().any(|b| b.contains("10 of the 16")), "{:?}", asked.body);
    go_to(&mut ui, state, |r| matches!(&r.pick, Pick::Phase(k) if k.1 == "foundation"));
    assert!(matches!(&ui.update(Action::Stop, state, NOW)[..], [UiEffect::Notice(why)] if why.contains("ended")));
}

#[test]
fn orders_put_first_what_needs_you_and_the_selection_stays() {
    let (story, mut ui) = ready();
    let state = &story.state;
    ui.update(Action::Down, state, NOW);
    ui.tick(state, NOW, AREA);
    let selected = ui.selected();
    ui.update(Action::Order, state, NOW);
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.selected(), selected);
    let first = |ui: &RunUi| match ui.rows()[0].pick {
        Pick::Task(t) => state.status(t, NOW),
        _ => panic!(),
    };
    assert_eq!(first(&ui), crate::domain::state::Status::Failed);
    assert!(matches!(ui.rows().last().unwrap().pick, Pick::Finished(_)), "what is done stands last");
    ui.update(Action::Order, state, NOW);
    ui.tick(state, NOW, AREA);
    let paths = &ui.figures().paths;
    let lengths: Vec<f32> = ui
        .rows()
        .iter()
        .filter_map(|r| match r.pick {
            Pick::Task(t) if !state.task(t).has_ended() => Some((paths[t.0 as usize] / 5.0).floor()),
            _ => None,
        })
        .collect();
    assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
    ui.update(Action::Order, state, NOW);
    assert_eq!(ui.order, Order::Plan);
}

#[test]
fn what_folds_above_the_cursor_waits_for_the_next_key() {
    let (mut story, mut ui) = ready();
    ui.update(Action::Down, &story.state, NOW);
    ui.tick(&story.state, NOW, AREA);
    let (at, top) = (ui.cursor(), ui.tree_top);
    let derive = ui.rows()[at - 1].pick.clone();
    let Pick::Task(ix) = derive else { panic!() };
    let turn = story.state.last_attempt(story.state.task(ix)).unwrap().turn_id();
    story.finish(NOW, turn, "derive");
    ui.tick(&story.state, NOW, AREA);
    assert_eq!((ui.cursor() - ui.tree_top, ui.rows()[at - 1].pick.clone()), (at - top, derive.clone()));
    ui.update(Action::Down, &story.state, NOW);
    ui.tick(&story.state, NOW, AREA);
    assert!(!ui.rows().iter().any(|r| r.pick == derive), "the key lets it fold");
}

#[test]
fn what_an_end_releases_is_lit_for_a_moment_unless_nothing_moves() {
    use crate::domain::protocol::{Event, Record, TaskId};
    use crate::interface::tui::view::run::fixture::name;
    for motion in [crate::config::Motion::Full, crate::config::Motion::None] {
        let (mut story, mut ui) = ready();
        ui.lights.motion = motion;
        let id = |task: &str| TaskId::new(crate::domain::protocol::GoalId(1), name(task));
        let mut last = None;
        for task in ["derive", "api", "port"] {
            let turn = story.state.last_attempt(story.state.task_by_id(&id(task)).unwrap()).unwrap().turn_id();
            story.finish(NOW, turn, task);
            let event = Event::TaskCompleted { task: id(task), attempt: turn.attempt };
            ui.observe(&story.state, &Record { seq: 1, at: NOW, event });
            last = story.state.find(&id("notes"));
            if task != "port" {
                assert!(!ui.lights.lit(last.unwrap(), NOW), "it still needs something");
            }
        }
        let full = motion == crate::config::Motion::Full;
        assert_eq!(ui.lights.lit(last.unwrap(), NOW), full);
        assert_eq!(ui.deadline().is_some(), full);
        let over = NOW.plus(Micros::from_millis(300));
        ui.input(&Msg::Tick, &story.state, over);
        assert!(!ui.lights.lit(last.unwrap(), over));
    }
}

#[test]
fn the_mouse_selects_opens_scrolls_and_drags() {
    let (story, mut ui) = ready();
    let state = &story.state;
    let line = |y| Rect::new(1, y, 50, 1);
    let picks: Vec<Pick> = ui.rows().iter().map(|r| r.pick.clone()).collect();
    let hits: Vec<(Rect, Hit)> =
        picks.iter().enumerate().map(|(i, p)| (line(3 + i as u16), Hit::Row(p.clone()))).collect();
    ui.drawn(Drawn { hits, panes: Vec::new() });
    let at = picks.iter().position(|p| matches!(p, Pick::Task(_))).unwrap() as u16;
    assert!(ui.input(&Msg::Click(5, 3 + at), state, NOW).is_empty());
    assert_eq!(ui.pick, Some(picks[usize::from(at)].clone()));
    let opened = ui.input(&Msg::Click(9, 3 + at), state, NOW);
    assert!(matches!(&opened[..], [UiEffect::Open(l)] if matches!(**l, Layer::Inspector(_))));
    ui.input(&Msg::Click(5, 3 + at), state, NOW);
    ui.update(Action::Down, state, NOW);
    ui.update(Action::Up, state, NOW);
    assert!(ui.input(&Msg::Click(5, 3 + at), state, NOW).is_empty(), "after a key it is a first click");
    let before = ui.cursor();
    ui.input(&Msg::Wheel(5, 3 + at, 3), state, NOW);
    assert_eq!(ui.cursor(), before + 3);
    let wide = ui.areas().tree.width;
    let x = ui.areas().tree.right();
    ui.input(&Msg::Click(x, 10), state, NOW);
    for step in 1..=6 {
        ui.input(&Msg::Drag(x + step, 10), state, NOW);
    }
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.areas().tree.width, wide + 6);
    ui.input(&Msg::Release(x + 6, 10), state, NOW);
    ui.input(&Msg::Drag(x + 9, 10), state, NOW);
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.areas().tree.width, wide + 6, "a released border stays");
    for _ in 0..2 {
        ui.input(&Msg::Click(x + 6, 10), state, NOW);
        ui.input(&Msg::Release(x + 6, 10), state, NOW);
    }
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.areas().tree.width, wide, "a double click resets it");
    ui.update(Action::WiderList, state, NOW);
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.areas().tree.width, wide + 4);
    ui.update(Action::TallerList, state, NOW);
    let high = ui.areas().tree.height;
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.areas().tree.height, high + 1);
    ui.update(Action::ResetSizes, state, NOW);
    ui.tick(state, NOW, AREA);
    assert_eq!((ui.areas().tree.width, ui.areas().tree.height), (wide, high));
}
