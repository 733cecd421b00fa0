//! Whatever is typed or pasted: nothing stops more than one agent, and nothing is released, without a confirmation.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

use super::{Layer, Msg, Screen, Ui, UiEffect};
use crate::domain::protocol::{Command, Micros};
use crate::interface::tui::action::{Action, Context, Keymap};
use crate::interface::tui::view::story::{self, Story};

/// How a command weighs: what one key may do at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// It ends nothing and releases nothing.
    Light,
    /// It ends or restarts one agent, or releases a gate: a card must have asked.
    Asked,
}

fn weight(command: &Command) -> Weight {
    match command {
        Command::EditPlan { rerun, .. } if rerun.is_empty() => Weight::Light,
        Command::Approve(_)
        | Command::EditPlan { .. }
        | Command::Retry(_)
        | Command::Stop { .. }
        | Command::Skip(_)
        | Command::EndSession => Weight::Asked,
        _ => Weight::Light,
    }
}

/// Whether the uppermost layer asks, and has listened long enough to be answered.
fn asks(ui: &Ui, now: Micros) -> bool {
    match ui.layers.last() {
        Some(layer @ (Layer::Card(_) | Layer::Retry(_) | Layer::Answer(_))) => {
            layer.listens_at().is_none_or(|at| at <= now)
        }
        // It shows what an edit does and which tasks run again with it.
        Some(Layer::Preview(preview)) => preview.listens_at() <= now,
        _ => false,
    }
}

#[derive(Clone, Debug)]
enum Input {
    Key(KeyEvent),
    Paste(String),
    Wait(u64),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let plain =
        prop::sample::select("abcdefghijklmnoprstuvwxyzDEGJKNPRTUXYZ!:/?12345670 \n".chars().collect::<Vec<_>>());
    let key = plain.prop_map(|c| match c {
        '\n' => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
        c => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
    });
    let named = prop::sample::select(vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Backspace,
    ])
    .prop_map(|code| KeyEvent::new(code, KeyModifiers::NONE));
    let control = prop::sample::select("pnrusdy".chars().collect::<Vec<_>>())
        .prop_map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
    let one = prop_oneof![
        6 => key.prop_map(Input::Key),
        4 => named.prop_map(Input::Key),
        1 => control.prop_map(Input::Key),
        1 => "[a-z!XRxr\n ]{0,12}".prop_map(Input::Paste),
        3 => prop::sample::select(vec![1_u64, 50, 299, 300, 400]).prop_map(Input::Wait),
    ];
    prop::collection::vec(one, 1..80)
}

/// A key or a paste as the loop gives it on.
fn msg(input: &Input, ui: &Ui, story: &Story, keymap: &Keymap) -> Option<Msg> {
    let contexts = ui.contexts(&story.state);
    match input {
        Input::Key(key) => match keymap.lookup(&contexts, *key) {
            // Screens of other rooms, and the plan review, which is the confirmation itself.
            Some(Action::NewGoal | Action::Screen(_)) => None,
            Some(action) => Some(Msg::Action(action)),
            None if matches!(contexts.first(), Some(Context::Text | Context::Card)) => Some(Msg::Key(*key)),
            None => None,
        },
        Input::Paste(text) if contexts.first() == Some(&Context::Text) => Some(Msg::Paste(text.as_str().into())),
        Input::Paste(_) | Input::Wait(_) => None,
    }
}

fn stories() -> [Story; 3] {
    [story::troubled(), story::failed(), story::asking(&["yes", "no"])]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn nothing_ends_or_is_released_unasked(which in 0..3usize, inputs in inputs()) {
        let story = stories().into_iter().nth(which).unwrap();
        let keymap = Keymap::default();
        let mut ui = Ui { screen: Screen::Run, size: (120, 40), ..Ui::default() };
        let mut now = story.at.plus(Micros::from_secs(1));
        let body = ratatui::layout::Rect::new(0, 2, 120, 36);
        for input in &inputs {
            if let Input::Wait(millis) = input {
                now = now.plus(Micros::from_millis(*millis));
                ui.update(Msg::Tick, &story.state, now);
                continue;
            }
            ui.run.tick(&story.state, now, body);
            let Some(msg) = msg(input, &ui, &story, &keymap) else { continue };
            let asked = asks(&ui, now);
            let pasted = matches!(input, Input::Paste(_));
            let depth = ui.layers.len();
            let effects = ui.update(msg.clone(), &story.state, now);
            if ui.screen != Screen::Run {
                ui.screen = Screen::Run;
            }
            let sent: Vec<&Command> = effects
                .iter()
                .filter_map(|e| match e {
                    UiEffect::Send(command) => Some(command),
                    _ => None,
                })
                .collect();
            prop_assert!(!pasted || sent.is_empty(), "a paste sent {sent:?}");
            let heavy = sent.iter().any(|c| weight(c) == Weight::Asked);
            if heavy || sent.len() > 1 {
                prop_assert!(asked, "{msg:?} sent {sent:?} and nothing had asked");
                prop_assert!(ui.layers.len() < depth, "the card that was answered is gone: {sent:?}");
                let chosen = matches!(msg, Msg::Action(Action::Enter) | Msg::Key(_));
                prop_assert!(chosen, "only a choice decides: {msg:?} sent {sent:?}");
            }
            let leaves = effects.iter().any(|e| matches!(e, UiEffect::Quit(_) | UiEffect::Detach | UiEffect::Suspend));
            let idle = story.state.running().len() == 0;
            prop_assert!(!leaves || asked || idle, "{msg:?} left while agents run");
        }
    }

    #[test]
    fn a_card_is_deaf_at_first_and_esc_only_closes(inputs in inputs()) {
        let story = story::troubled();
        let keymap = Keymap::default();
        let mut ui = Ui { screen: Screen::Run, ..Ui::default() };
        let mut now = story.at.plus(Micros::from_secs(1));
        for input in &inputs {
            if let Input::Wait(millis) = input {
                now = now.plus(Micros::from_millis(*millis));
                continue;
            }
            let deaf = ui.layers.last().and_then(Layer::listens_at).is_some_and(|at| now < at);
            let Some(msg) = msg(input, &ui, &story, &keymap) else { continue };
            let before = ui.layers.clone();
            let effects = ui.update(msg.clone(), &story.state, now);
            if deaf && msg != Msg::Action(Action::Redraw) {
                prop_assert_eq!(&before, &ui.layers);
                prop_assert!(effects.is_empty(), "{:?} reached a card that was deaf: {:?}", msg, effects);
            }
            if msg == Msg::Action(Action::Back) {
                let sent = effects.iter().any(|e| matches!(e, UiEffect::Send(_) | UiEffect::Quit(_)));
                prop_assert!(!sent, "esc did {effects:?}");
            }
            ui.screen = Screen::Run;
        }
    }
}

#[test]
fn what_was_typed_and_left_stands_there_again_until_it_was_taken() {
    let mut story = story::asking(&[]);
    let mut ui = Ui { screen: Screen::Run, ..Ui::default() };
    let sources = story.state.find(&"g1/sources".parse().unwrap()).unwrap();
    let open = |ui: &mut Ui, story: &Story| {
        let effects = super::task_verbs::task_action(Action::Message, sources, &story.state, story.at).unwrap();
        ui.settle(effects, story.at);
    };
    open(&mut ui, &story);
    ui.update(Msg::Paste("look at\nthe licences".into()), &story.state, story.at);
    assert_eq!(ui.update(Msg::Action(Action::Back), &story.state, story.at), vec![]);
    assert!(ui.layers.is_empty());
    open(&mut ui, &story);
    let sent = ui.update(Msg::Action(Action::Enter), &story.state, story.at);
    let text = "look at\nthe licences".to_owned();
    assert_eq!(sent, vec![UiEffect::Send(Command::Message { task: "g1/sources".parse().unwrap(), text })]);
    // It may be refused: until it was taken, the words stay.
    open(&mut ui, &story);
    let typed = |ui: &Ui| match ui.layers.last() {
        Some(Layer::Message(message)) => message.field.text(),
        other => panic!("{other:?}"),
    };
    assert_eq!(typed(&ui), "look at\nthe licences");
    ui.layers.clear();
    let record = story.message("sources", "look at\nthe licences");
    ui.observe(&story.state, &record);
    assert!(ui.notice.as_ref().is_some_and(|n| n.text.contains("queued for its next turn")));
    open(&mut ui, &story);
    assert_eq!(typed(&ui), "");
}

/// Every screen, and what lies on top of one, with the keys of a task, a list, the session.
fn places(story: &Story) -> Vec<(&'static str, Ui)> {
    let body = ratatui::layout::Rect::new(0, 2, 120, 36);
    let ui = |screen| {
        let mut ui = Ui { screen, size: (120, 40), ..Ui::default() };
        ui.run.tick(&story.state, story.at, body);
        ui.graph.tick(&story.state, story.at, body);
        ui.events.tick(story.transcripts.log(), &story.state, story.at, 20);
        ui
    };
    let on = |screen, layer| Ui { layers: vec![layer], ..ui(screen) };
    let goal = story.state.goals()[0].id;
    let task = story.state.tasks()[1].id.clone();
    vec![
        ("graph", ui(Screen::Graph)),
        ("events", ui(Screen::Events)),
        ("review", ui(Screen::Review(goal))),
        ("done", ui(Screen::Done(goal))),
        ("sessions", ui(Screen::Sessions)),
        ("fleet", ui(Screen::Fleet)),
        ("inspector", on(Screen::Run, Layer::Inspector(super::InspectorUi::new(task)))),
        ("attention", on(Screen::Run, Layer::Attention(super::AttentionUi::default()))),
        ("notices", on(Screen::Run, Layer::Notices(0))),
    ]
}

/// What moves may find nothing to move to; everything else does something or says why not.
#[test]
fn no_key_is_silent() {
    use Action::{Back, Down, First, Follow, Last, Left, NextPane, PageDown, PageUp, PreviousPane, Right, Up};
    let keymap = Keymap::default();
    let mut silent = Vec::new();
    for story in stories() {
        for (place, ui) in places(&story) {
            let contexts = ui.contexts(&story.state);
            for entry in crate::interface::tui::action::table::ENTRIES {
                let moves =
                    [Back, Down, First, Follow, Last, Left, NextPane, PageDown, PageUp, PreviousPane, Right, Up];
                // One of them is the key of the screen that is shown already.
                if matches!(entry.action, Action::Screen(_)) {
                    continue;
                }
                let Some(key) = keymap.key(&contexts, entry.action).filter(|_| !moves.contains(&entry.action)) else {
                    continue;
                };
                let mut pressed = ui.clone();
                let effects = pressed.update(Msg::Action(entry.action), &story.state, story.at);
                if effects.is_empty() && format!("{pressed:?}") == format!("{ui:?}") {
                    silent.push(format!("{place}: {key} {}", entry.name));
                }
            }
        }
    }
    silent.sort();
    silent.dedup();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn a_key_on_what_lies_on_top_does_nothing_to_what_is_below() {
    let story = story::troubled();
    let (_, mut ui) = places(&story).into_iter().find(|(place, _)| *place == "inspector").unwrap();
    let [Layer::Inspector(inspector)] = &ui.layers[..] else { panic!("{:?}", ui.layers) };
    let task = story.state.find(&inspector.task).unwrap();
    assert_ne!(ui.run.selected(), Some(task));
    ui.update(Msg::Action(Action::Pin), &story.state, story.at);
    assert_eq!(ui.run.panes.pins.iter().collect::<Vec<_>>(), [&task], "w pins what the inspector shows");
    let zoomed = format!("{:?}", ui.run);
    ui.update(Msg::Action(Action::Zoom), &story.state, story.at);
    assert_eq!(format!("{:?}", ui.run), zoomed);
}
