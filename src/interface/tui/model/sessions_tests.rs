//! What the keys of the Sessions screen do.

use crossterm::event::{KeyEvent, KeyModifiers as Modifiers};

use super::super::{Screen, Ui};
use super::*;
use crate::engine::journal::{Runner, SessionSummary, Standing, Where};
use crate::interface::tui::view::story::Story;

fn id(n: u32) -> SessionId {
    format!("20261120-00000{n}").parse().unwrap()
}

fn glance(n: u32, goal: &str, standing: Standing, runner: Option<Runner>) -> Glance {
    let mut summary = SessionSummary::of(&id(n), &State::default());
    (summary.goal, summary.goals, summary.standing) = (goal.into(), 1, standing);
    Glance::told(id(n), 1_000, runner, Some(summary))
}

fn listed() -> SessionsNews {
    let found = vec![
        glance(4, "Compare parsers", Standing::Unfinished, Some(Runner { pid: Some(4711) })),
        glance(3, "Plan a move", Standing::Done, None),
        glance(2, "Rank grammars", Standing::Unfinished, None),
        glance(1, "Explain sorting", Standing::Unfinished, None),
    ];
    SessionsNews::Listed { found, now_ms: 90_000_000, root: "/sessions".into() }
}

/// The state of a console that shows session `n`.
#[allow(clippy::field_reassign_with_default, reason = "other fields are private")]
fn here(n: u32) -> State {
    let mut state = State::default();
    state.session = Some(id(n));
    state
}

fn ui() -> SessionsUi {
    let mut ui = SessionsUi::default();
    ui.hear(listed());
    ui
}

fn press(ui: &mut SessionsUi, action: Action) -> Vec<UiEffect> {
    ui.update(action, &State::default(), Micros(0))
}

fn write(ui: &mut SessionsUi, text: &str) {
    press(ui, Action::Search);
    for c in text.chars() {
        ui.input(&Msg::Key(KeyEvent::new(KeyCode::Char(c), Modifiers::NONE)));
    }
}

fn hit(word: &str) -> Box<Found> {
    let place = Where::Title { task: "g1/a".parse().unwrap() };
    let (before, after) = ("in the ".to_owned(), " of it".to_owned());
    Box::new(Found { place, seq: 7, at: Micros(0), before, found: word.to_owned(), after })
}

fn said(effects: &[UiEffect]) -> &str {
    match effects {
        [UiEffect::Notice(words)] => words,
        other => panic!("{other:?}"),
    }
}

fn card(effects: &[UiEffect]) -> &Card {
    match effects {
        [UiEffect::Open(layer)] => match &**layer {
            Layer::Card(card) => card,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn enter_attaches_to_what_runs_and_replays_the_rest() {
    let mut ui = ui();
    assert_eq!(press(&mut ui, Action::Enter), [UiEffect::Go(Next::Attach(id(4)))]);
    assert!(said(&press(&mut ui, Action::ResumeSession)).contains("process 4711"));
    assert!(said(&press(&mut ui, Action::DeleteSession)).contains("end it first"));
    press(&mut ui, Action::Down);
    assert_eq!(press(&mut ui, Action::Enter), [UiEffect::Go(Next::Replay(id(3)))]);
    assert_eq!(press(&mut ui, Action::ResumeSession), [UiEffect::Go(Next::Resume(id(3)))]);
}

#[test]
fn what_ends_work_here_asks_first_with_the_harmless_choice_focused() {
    let mut ui = ui();
    let story = crate::interface::tui::view::run::fixture::drawing();
    assert!(story.state.running().len() > 0);
    for (action, next) in [(Action::Enter, Next::Attach(id(4))), (Action::ResumeSession, Next::Resume(id(3)))] {
        let effects = ui.update(action, &story.state, story.state.at);
        let card = card(&effects);
        assert!(card.choices[card.focused].effects.is_empty());
        assert!(card.choices.iter().any(|c| c.effects == [UiEffect::Go(next.clone())]));
        press(&mut ui, Action::Down);
    }
}

#[test]
fn a_fork_is_made_where_a_session_ends_or_from_its_past() {
    let mut ui = ui();
    let effects = press(&mut ui, Action::Fork);
    let asks = card(&effects);
    assert!(asks.choices[asks.focused].effects.is_empty());
    let does: Vec<_> = asks.choices.iter().flat_map(|c| c.effects.clone()).collect();
    assert_eq!(does, [UiEffect::ForkSession(id(4)), UiEffect::Go(Next::Replay(id(4)))]);
}

#[test]
fn deleting_asks_and_never_touches_the_session_one_is_in() {
    let mut ui = ui();
    press(&mut ui, Action::Down);
    let effects = press(&mut ui, Action::DeleteSession);
    let asks = card(&effects);
    assert!(asks.choices[asks.focused].effects.is_empty());
    assert!(asks.choices.iter().any(|c| c.effects == [UiEffect::DeleteSession(id(3))]));
    let here = here(3);
    for action in [Action::DeleteSession, Action::Enter, Action::ResumeSession] {
        assert!(said(&ui.update(action, &here, Micros(0))).contains("the session you are in"));
    }
}

#[test]
fn the_filter_is_goals_and_states_and_esc_takes_it_off_a_level_a_press() {
    let mut ui = ui();
    write(&mut ui, "unfin");
    assert_eq!((ui.rows().len(), ui.contexts()), (2, vec![Context::Text]));
    press(&mut ui, Action::Enter);
    write(&mut ui, "ished Z");
    assert_eq!(ui.rows().len(), 0);
    assert!(ui.is_inside());
    ui.back();
    assert_eq!((ui.rows().len(), ui.is_typing()), (2, false), "what was typed goes, the filter before stays");
    ui.back();
    assert_eq!((ui.rows().len(), ui.is_inside()), (4, false));
}

#[test]
fn a_search_lists_matches_below_their_session_and_hears_no_earlier_one() {
    let mut ui = ui();
    write(&mut ui, "token");
    let effects = press(&mut ui, Action::TextFind);
    let [UiEffect::SearchSessions { number, text, sessions }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((text.as_str(), sessions.len()), ("token", 4));
    ui.hear(SessionsNews::Hit(*number, id(2), hit("token")));
    ui.hear(SessionsNews::Hit(*number, id(2), hit("Token")));
    ui.hear(SessionsNews::Hit(number - 1, id(1), hit("old")));
    ui.hear(SessionsNews::Looked(*number, 3, 4));
    assert_eq!(ui.rows(), [Row::Session(2), Row::Hit(2, 0), Row::Hit(2, 1)]);
    assert!(ui.field().is_some_and(|(label, _, says)| label == "search" && says.contains("2 matches, 3 of 4")));
    press(&mut ui, Action::NextMatch);
    assert_eq!(ui.selected_hit().map(|h| h.found.as_str()), Some("token"));
    press(&mut ui, Action::NextMatch);
    press(&mut ui, Action::NextMatch);
    assert_eq!(ui.selected_hit().map(|h| h.found.as_str()), Some("token"), "round and round");
    assert_eq!(press(&mut ui, Action::Enter), [UiEffect::Go(Next::Replay(id(2)))]);
    assert_eq!(ui.back(), [UiEffect::StopSearch]);
    assert_eq!((ui.rows().len(), ui.selected().map(|g| g.id.clone())), (4, Some(id(2))), "the cursor stays with it");
}

#[test]
fn what_no_goal_has_is_searched_at_once() {
    let mut ui = ui();
    write(&mut ui, "heredoc");
    assert!(matches!(&press(&mut ui, Action::Enter)[..], [UiEffect::SearchSessions { text, .. }] if text == "heredoc"));
}

#[test]
fn the_cursor_stays_with_its_session_whatever_comes() {
    let mut ui = ui();
    press(&mut ui, Action::Last);
    let SessionsNews::Listed { mut found, now_ms, root } = listed() else { unreachable!() };
    found.insert(0, glance(5, "New", Standing::Empty, None));
    ui.hear(SessionsNews::Listed { found, now_ms, root });
    assert_eq!((ui.selected().map(|g| g.id.clone()), ui.position()), (Some(id(1)), 4));
}

#[test]
fn the_last_unfinished_one_is_offered_that_nobody_has() {
    let ui = ui();
    assert_eq!(ui.to_resume(&State::default()).map(|g| g.id.clone()), Some(id(2)));
    let here = here(2);
    assert_eq!(ui.to_resume(&here).map(|g| g.id.clone()), Some(id(1)));
    assert_eq!(ui.resume_last(&here, Micros(0)), [UiEffect::Go(Next::Resume(id(1)))]);
}

#[test]
fn screen_six_asks_for_a_list_and_so_does_looking_again() {
    let story = Story::default();
    let mut ui = Ui::default();
    assert_eq!(ui.update(Msg::Action(Action::Screen(6)), &story.state, story.at), [UiEffect::ListSessions]);
    assert_eq!(ui.screen, Screen::Sessions);
    assert_eq!(ui.update(Msg::Action(Action::Refresh), &story.state, story.at), [UiEffect::ListSessions]);
    ui.update(Msg::Sessions(Box::new(listed())), &story.state, story.at);
    ui.update(Msg::Action(Action::SaveAnswer), &story.state, story.at);
    assert!(matches!(ui.layers.last(), Some(Layer::Card(card)) if card.choices.len() == 4));
}
