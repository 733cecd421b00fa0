//! Every card and panel at the four sizes, over the Run screen; and at any size, without a panic.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::story::{self, Story};
use super::{Caches, render};
use crate::domain::protocol::Micros;
use crate::domain::state::TaskIx;
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::many::Many;
use crate::interface::tui::model::task_verbs::task_action;
use crate::interface::tui::model::{Card, InspectorUi, Layer, Msg, Screen, Tone, Ui, UiEffect};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Theme};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

fn draw(story: &Story, ui: &mut Ui, theme: &Theme, size: (u16, u16)) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    let area = buf.area;
    let now = story.at;
    ui.update(Msg::Resize(size.0, size.1), &story.state, now);
    ui.run.tick(&story.state, now, super::body(area));
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme, now };
    render(&scene, &Keymap::default(), &mut Caches::default(), area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let (mut x, mut line) = (0, String::new());
        while x < buf.area.width {
            let symbol = buf[(x, y)].symbol();
            line.push_str(symbol);
            x += crate::domain::text::width::width(symbol).max(1) as u16;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn on(story: &Story, task: &str) -> TaskIx {
    story.state.find(&format!("g1/{task}").parse().unwrap()).unwrap()
}

fn run() -> Ui {
    let mut ui = Ui::default();
    ui.screen = Screen::Run;
    ui
}

/// A console with what a verb opens on a task, and then with what these actions and letters make of it.
fn opened(story: &Story, task: &str, verb: Action, then: &[Msg]) -> Ui {
    let mut ui = run();
    let early = Micros(story.at.0 - 1_000_000);
    let effects = task_action(verb, on(story, task), &story.state, early).unwrap();
    put(&mut ui, story, effects, early);
    for msg in then {
        ui.update(msg.clone(), &story.state, story.at);
    }
    ui
}

fn put(ui: &mut Ui, story: &Story, effects: Vec<UiEffect>, at: Micros) {
    for effect in effects {
        match effect {
            UiEffect::Open(layer) => ui.layers.push(*layer),
            other => panic!("{other:?}"),
        }
    }
    ui.update(Msg::Tick, &story.state, at);
}

fn letter(c: char) -> Msg {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
}

fn act(action: Action) -> Msg {
    Msg::Action(action)
}

fn many(story: &Story, verb: Many) -> Ui {
    let mut ui = run();
    let all: Vec<TaskIx> = (0..story.state.tasks().len() as u32).map(TaskIx).collect();
    ui.layers.push(Layer::Card(Card::many(verb, &all, &story.state, Micros(0)).unwrap()));
    ui
}

fn attention(story: &Story, down: usize) -> Ui {
    let mut ui = run();
    ui.update(act(Action::Attention), &story.state, story.at);
    for _ in 0..down {
        ui.update(act(Action::Down), &story.state, story.at);
    }
    ui
}

fn all() -> Vec<(&'static str, Story, Ui)> {
    let failed = story::failed;
    let asking = || story::asking(&["keep them", "drop them", "keep them in a folder of their own"]);
    let said = || {
        let mut story = asking();
        story.message("sources", "Look at the licences of the fourteen sources too.");
        story
    };
    let paste = |text: &str| Msg::Paste(text.into());
    let mut cards = vec![
        ("retry", failed(), opened(&failed(), "samples", Action::Retry, &[])),
        (
            "retry_changed",
            failed(),
            opened(&failed(), "samples", Action::Retry, &[letter('a'), letter('l'), letter('w')]),
        ),
        ("retry_prompt", failed(), opened(&failed(), "samples", Action::Retry, &[letter('p')])),
        ("retry_running", asking(), opened(&asking(), "sources", Action::Retry, &[])),
        ("stop", asking(), opened(&asking(), "sources", Action::Stop, &[])),
        ("answer", asking(), opened(&asking(), "samples", Action::Answer, &[])),
        (
            "answer_writing",
            asking(),
            opened(&asking(), "samples", Action::Answer, &[letter('w'), paste("Drop two of\nthem.")]),
        ),
        ("message", said(), opened(&said(), "sources", Action::Message, &[paste("And say which are copyleft.")])),
        ("many_stop", asking(), many(&asking(), Many::Stop)),
        ("attention", story::troubled(), attention(&story::troubled(), 0)),
        ("attention_silent", story::troubled(), attention(&story::troubled(), 2)),
        ("compare", story::retried(), opened(&story::retried(), "samples", Action::DiffAttempts, &[])),
    ];
    let mut inside = run();
    let task = "g1/sources".parse().unwrap();
    inside.layers.push(Layer::Inspector(InspectorUi::new(task)));
    // From the output on: thinking, tools, messages.
    for _ in 0..3 {
        inside.update(act(Action::NextPane), &said().state, said().at);
    }
    cards.push(("inspector_messages", said(), inside));
    let mut notices = run();
    for (i, text) in
        ["asking every endpoint", "Qwen 1 stopped answering: connection refused", "grid: 2x2"].iter().enumerate()
    {
        notices.say(*text, Tone::Plain, Micros::from_secs(3 * i as u64));
    }
    notices.update(act(Action::Notices), &asking().state, asking().at);
    cards.push(("notices", asking(), notices));
    cards
}

#[test]
fn every_card_at_every_size() {
    for (name, story, mut ui) in all() {
        for size in SIZES {
            let plain = text(&draw(&story, &mut ui, &Theme::plain(), size));
            insta::assert_snapshot!(format!("card_{name}_{}x{}", size.0, size.1), plain);
            let colour = text(&draw(&story, &mut ui, &Theme::load_named("midnight"), size));
            assert_eq!(colour, plain, "{name}: colour changes no letter");
        }
    }
}

#[test]
fn no_choice_of_a_question_is_cut_where_it_is_narrow() {
    let long = |i: usize| {
        let words = (0..12).map(|w| format!("word{i}x{w}"));
        words.collect::<Vec<_>>().join(" ")
    };
    let choices: Vec<String> = (0..4).map(long).collect();
    let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
    for size in [(46, 20), (60, 20), (46, 9)] {
        let story = story::asking(&choices);
        let mut ui = opened(&story, "samples", Action::Answer, &[]);
        let mut seen = String::new();
        for _ in 0..60 {
            seen.push_str(&text(&draw(&story, &mut ui, &Theme::plain(), size)));
            ui.update(act(Action::Down), &story.state, story.at);
        }
        for word in choices.iter().flat_map(|c| c.split(' ')) {
            assert!(seen.contains(word), "{word} at {size:?}\n{seen}");
        }
    }
}

#[test]
fn no_answer_of_a_card_is_cut_where_it_is_narrow() {
    for (name, story, mut ui) in all() {
        let Some(Layer::Card(card)) = ui.layers.last().cloned() else { continue };
        let shown = text(&draw(&story, &mut ui, &Theme::plain(), (46, 20)));
        for word in card.choices.iter().flat_map(|c| c.words.split(' ')) {
            assert!(shown.contains(word), "{name}: {word}\n{shown}");
        }
    }
}

#[test]
fn with_ascii_glyphs_the_words_of_baton_are_ascii() {
    let mut theme = Theme::plain();
    theme.glyphs = GlyphSet::Ascii;
    for (name, story, mut ui) in all() {
        let shown = text(&draw(&story, &mut ui, &theme, (120, 40)));
        let foreign: Vec<char> = shown.chars().filter(|c| !c.is_ascii() && !c.is_alphabetic()).collect();
        assert!(foreign.is_empty(), "{name}: {foreign:?}\n{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_size_breaks_a_card(width in 1u16..210, height in 1u16..64) {
        for (_, story, mut ui) in all() {
            draw(&story, &mut ui, &Theme::plain(), (width, height));
        }
    }
}
