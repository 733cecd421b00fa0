//! What the keys of the fleet lead to: what ends work asks first, what memory refuses may be forced, and nothing that was
//! not touched is sent.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::domain::protocol::{
    Command, EndpointChanged, EndpointEdit, Event, Health, Intake, MachineSampled, MemoryCheck, ServerChanged,
    ServerStanding, ServerVerb,
};
use crate::interface::tui::model::{Layer, Screen, Ui};
use crate::interface::tui::view::run::fixture::{self, NOW, Story, name};

/// Two endpoints that Baton can start: one runs, the other does not and takes 80 GB.
fn story(total: u64) -> Story {
    let launch = || serde_json::from_str(r#"{"command":"llama-server"}"#).unwrap();
    let mut runs = fixture::endpoint("runs", "Runs", "a", 2, 16.0, 40.0);
    let mut down = fixture::endpoint("down", "Down", "b", 2, 80.0, 40.0);
    (runs.url, down.url) = ("http://127.0.0.1:8081".into(), "http://127.0.0.1:8082".into());
    (runs.launch, down.launch) = (launch(), launch());
    let mut story = Story::start(Micros(0), vec![runs, down], Vec::new());
    for (id, health) in [("runs", Health::Up), ("down", Health::Down { reason: "nothing listens".into() })] {
        story.push(Micros(1), Event::EndpointChanged(Box::new(EndpointChanged::of(name(id), health))));
    }
    let server = ServerChanged {
        endpoint: name("runs"),
        standing: ServerStanding::Ready,
        words: "answers".into(),
        port: 8081,
        pid: Some(7),
        lifetime: Some(crate::domain::fleet::Lifetime::Session),
        restarts: 0,
        last: Vec::new(),
        log: Some("runs.log".into()),
    };
    story.push(Micros(2), Event::ServerChanged(Box::new(server)));
    let look = MachineSampled { total, used: total / 4, ..MachineSampled::default() };
    story.push(Micros(3), Event::MachineSampled(Box::new(look)));
    story
}

fn on(story: &Story, endpoint: &str) -> Ui {
    let mut ui = Ui { screen: Screen::Fleet, ..Ui::default() };
    ui.fleet.select(story.state.find_endpoint(&name(endpoint)).unwrap(), &story.state);
    ui
}

fn press(ui: &mut Ui, story: &Story, action: Action) -> Vec<UiEffect> {
    ui.update(Msg::Action(action), &story.state, NOW)
}

fn card(ui: &Ui) -> &crate::interface::tui::model::Card {
    match ui.layers.last() {
        Some(Layer::Card(card)) => card,
        other => panic!("{other:?}"),
    }
}

fn server(endpoint: &str, verb: ServerVerb, memory: MemoryCheck) -> Command {
    Command::Server { endpoint: name(endpoint), verb, memory }
}

#[test]
fn what_ends_work_asks_first_and_the_harmless_answer_has_the_focus() {
    let story = story(512_000_000_000);
    for (action, verb) in [(Action::StopServer, ServerVerb::Stop), (Action::RestartServer, ServerVerb::Restart)] {
        let mut ui = on(&story, "runs");
        assert_eq!(press(&mut ui, &story, action), []);
        let card = card(&ui);
        assert_eq!((card.focused, card.choices[0].effects.len()), (0, 0));
        let last = card.choices.last().unwrap();
        assert_eq!(last.effects, [UiEffect::Send(server("runs", verb, MemoryCheck::Heed))]);
    }
    let mut ui = on(&story, "down");
    press(&mut ui, &story, Action::StopServer);
    assert!(ui.layers.is_empty() && ui.notice.is_some(), "nothing to stop is said in words");
}

#[test]
fn a_start_that_does_not_fit_is_asked_for_with_its_sum_and_may_be_forced() {
    let roomy = story(512_000_000_000);
    let mut ui = on(&roomy, "down");
    let start = server("down", ServerVerb::Start, MemoryCheck::Heed);
    assert_eq!(press(&mut ui, &roomy, Action::StartServer), [UiEffect::Send(start)]);
    let tight = story(64_000_000_000);
    let mut ui = on(&tight, "down");
    assert_eq!(press(&mut ui, &tight, Action::StartServer), []);
    let card = card(&ui);
    let body = card.body.iter().map(|l| l.as_str()).collect::<Vec<_>>().join(" ");
    assert!(body.contains("needs 80 for"), "{body}");
    assert_eq!(card.choices[0].effects, []);
    assert_eq!(card.choices[1].effects, [UiEffect::Send(server("down", ServerVerb::Start, MemoryCheck::Force))]);
}

#[test]
fn one_key_lets_an_endpoint_run_empty_and_opens_it_again() {
    let mut story = story(512_000_000_000);
    let mut ui = on(&story, "runs");
    assert_eq!(press(&mut ui, &story, Action::Drain), [UiEffect::Send(Command::Drain(name("runs")))]);
    story.push(NOW, Event::EndpointDrained { endpoint: name("runs"), intake: Intake::Draining });
    assert_eq!(press(&mut ui, &story, Action::Drain), [UiEffect::Send(Command::Undrain(name("runs")))]);
}

#[test]
fn the_form_sends_what_was_changed_and_nothing_else() {
    let story = story(512_000_000_000);
    let mut ui = on(&story, "runs");
    press(&mut ui, &story, Action::EditEndpoint);
    let key = |ui: &mut Ui, code| ui.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), &story.state, NOW);
    key(&mut ui, KeyCode::Backspace);
    key(&mut ui, KeyCode::Char('x'));
    assert_eq!(press(&mut ui, &story, Action::Accept), []);
    let wrong = match ui.layers.last() {
        Some(Layer::Endpoint(form)) => form.wrong().cloned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(wrong.map(|(field, _)| field), Some(form::Field::Slots), "a mistake is told and nothing is sent");
    key(&mut ui, KeyCode::Backspace);
    key(&mut ui, KeyCode::Char('4'));
    let edit = EndpointEdit { slots: Some(4), ..EndpointEdit::default() };
    let command = Command::EditEndpoint { endpoint: name("runs"), edit };
    assert_eq!(press(&mut ui, &story, Action::Accept), [UiEffect::Send(command)]);
    assert!(ui.layers.is_empty());
}

#[test]
fn a_log_is_followed_while_its_page_is_open_and_no_longer() {
    let story = story(512_000_000_000);
    let mut ui = on(&story, "runs");
    let effects = press(&mut ui, &story, Action::Enter);
    assert!(matches!(&effects[..], [UiEffect::FollowLog(_)]), "{effects:?}");
    assert_eq!(press(&mut ui, &story, Action::Screen(5)), [UiEffect::StopLog]);
    let mut ui = on(&story, "runs");
    press(&mut ui, &story, Action::Enter);
    assert_eq!(press(&mut ui, &story, Action::Back), [UiEffect::StopLog]);
    assert_eq!(press(&mut ui, &story, Action::Back), []);
    assert_ne!(ui.screen, Screen::Fleet);
}

#[test]
fn the_selection_stays_with_its_endpoint() {
    let story = story(512_000_000_000);
    let mut ui = on(&story, "down");
    press(&mut ui, &story, Action::Down);
    assert_eq!(ui.fleet.selected(&story.state), Some(EndpointIx(1)), "the last one has none after it");
    press(&mut ui, &story, Action::First);
    assert_eq!(ui.fleet.selected(&story.state), Some(EndpointIx(0)));
    assert_eq!(ui.fleet.selected(&State::default()), None);
}
