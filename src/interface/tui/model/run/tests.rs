//! The selection, folds, panes and scrolling over a story of records.

use super::panes::SHOWN;
use super::*;
use crate::domain::protocol::{Command, LevelScope, RetryScope};
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
    assert!(tasks(&ui) > 20);
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
    assert_eq!(ui.update(Action::Retry, state, NOW), [UiEffect::Send(Command::Retry(RetryScope::Task(id.clone())))]);
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
    assert!(matches!(&ui.update(Action::Retry, state, NOW)[..], [UiEffect::Notice(_)]), "a phase is many");
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
    assert_eq!((ui.field(), ui.filter.as_str()), (None, "old"));
}
