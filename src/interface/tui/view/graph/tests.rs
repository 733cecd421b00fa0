//! The whole screen, as text, at the sizes it is drawn for; and that no size and no key breaks it.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{Channel, Event, GoalId, Level, Micros, TaskId};
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::{Msg, Screen, Ui};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Theme};
use crate::interface::tui::view::run::fixture::{NOW, Story, agent, endpoint, name};
use crate::interface::tui::view::{Caches, body, render};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

fn spec(id: &str, phase: &str, title: &str, needs: &[&str]) -> TaskSpec {
    let mut spec = TaskSpec::new(name(id), name("worker"), format!("{title}."));
    spec.title = Some(title.into());
    spec.phase = Some(phase.into());
    spec.needs = needs.iter().map(|n| name(n)).collect();
    spec
}

fn with(specs: Vec<TaskSpec>) -> Story {
    let endpoints = vec![endpoint("mini", "mini 1B", "small", 16, 8.0, 41.0)];
    let mut story = Story::start(Micros(0), endpoints, vec![agent("worker", "small", Level::Medium)]);
    story.goal(Micros(0), 1, specs);
    story
}

fn done(story: &mut Story, task: &str, at: u64) {
    let turn = story.begin(Micros::from_secs(at), task, "mini", 0);
    story.say(Micros::from_secs(at + 1), turn, Channel::Answer, "done", 30);
    story.finish(Micros::from_secs(at + 20), turn, task);
}

fn failed(story: &mut Story, task: &str) {
    let task = TaskId::new(GoalId(1), name(task));
    let reason = "mini closed the connection twice";
    story.push(Micros::from_secs(180), Event::TaskFailed { task, reason: reason.into() });
}

/// Two phases that meet, with a task that failed and blocks the rest.
fn kit() -> Story {
    let mut story = with(vec![
        spec("sensors", "look", "Sensors for wind, rain, temperature and light", &[]),
        spec("boards", "look", "Microcontroller boards a class can handle", &[]),
        spec("power", "look", "Solar cells and batteries through a winter", &[]),
        spec("housings", "look", "Radiation shields, as in pictures of them", &[]),
        spec("safety", "look", "Safety rules for kits in schools", &[]),
        spec("firmware", "build", "Firmware that sleeps, measures, sends", &[]),
        spec("gauge", "build", "雨量計の転倒回数を数えるプログラムとその試験", &[]),
        spec("parts", "design", "The parts, and what they cost together", &["sensors", "boards", "power"]),
        spec("housing", "design", "A housing without glue or drilling", &["housings", "safety"]),
        spec("join", "design", "Firmware and gauge as one program", &["firmware", "gauge"]),
        spec("decision", "decide", "What is made first, and why", &["parts", "housing", "join", "safety"]),
        spec("letter", "decide", "The letter to the schools", &["decision", "boards"]),
    ]);
    for (i, task) in ["sensors", "boards", "housings", "safety", "gauge"].into_iter().enumerate() {
        done(&mut story, task, 10 + i as u64);
    }
    let turn = story.begin(Micros::from_secs(200), "power", "mini", 1);
    story.say(Micros::from_secs(240), turn, Channel::Answer, "A cell of two watts", 900);
    story.begin(Micros::from_secs(220), "housing", "mini", 2);
    failed(&mut story, "firmware");
    story
}

/// A plan with fifty reviews that are alike.
fn reviews() -> Story {
    let mut specs = vec![spec("plan", "prepare", "Say what is reviewed", &[])];
    specs.extend((1..=50).map(|i| spec(&format!("r{i}"), "review", &format!("Review file {i}"), &["plan"])));
    let all: Vec<String> = (1..=50).map(|i| format!("r{i}")).collect();
    specs.push(spec("sum", "answer", "Sum up what was found", &all.iter().map(String::as_str).collect::<Vec<_>>()));
    specs.push(spec("fixes", "answer", "Propose the fixes", &["sum"]));
    specs.push(spec("letter", "answer", "Write to the authors", &["sum"]));
    let mut story = with(specs);
    done(&mut story, "plan", 1);
    for i in 1..=42 {
        done(&mut story, &format!("r{i}"), 30);
    }
    for i in 43..=45 {
        story.begin(Micros::from_secs(240), &format!("r{i}"), "mini", i - 42);
    }
    for i in 46..=50 {
        failed(&mut story, &format!("r{i}"));
    }
    story
}

/// Two hundred tasks: 33 parts that go the same way, some of which lean on another.
fn wide() -> Story {
    let mut specs = vec![spec("plan", "prepare", "Say what is ported, and how", &[])];
    let mut ends: Vec<String> = Vec::new();
    for m in 1..=33 {
        let part = ["lexer", "parser", "printer", "解析器", "cache", "index"][m % 6];
        let (read, model, write) = (format!("read{m}"), format!("model{m}"), format!("write{m}"));
        let before = format!("write{}", m - 1);
        let leans = if m % 4 == 0 { vec![model.as_str(), before.as_str()] } else { vec![model.as_str()] };
        specs.push(spec(&read, "read", &format!("Read the {part} of module {m}"), &["plan"]));
        specs.push(spec(&model, "model", &format!("Model the {part} of module {m}"), &[&read]));
        specs.push(spec(&write, "write", &format!("Port the {part} of module {m}"), &leans));
        for verb in ["Test", "Review", "Measure"] {
            let id = format!("{}{m}", verb.to_lowercase());
            let needs = if verb == "Measure" { [read.as_str(), write.as_str()].to_vec() } else { vec![write.as_str()] };
            specs.push(spec(&id, "check", &format!("{verb} the {part} of module {m}"), &needs));
            ends.push(id);
        }
    }
    specs.push(spec("sum", "answer", "Say what was ported", &ends.iter().map(String::as_str).collect::<Vec<_>>()));
    let mut story = with(specs);
    done(&mut story, "plan", 1);
    for m in 1..=3 {
        done(&mut story, &format!("read{m}"), 30);
    }
    done(&mut story, "model1", 60);
    for (slot, task) in ["read4", "read5", "model2", "model3", "write1"].into_iter().enumerate() {
        story.begin(Micros::from_secs(230), task, "mini", slot as u16);
    }
    story
}

fn ui() -> Ui {
    let mut ui = Ui::default();
    ui.screen = Screen::Graph;
    ui
}

fn draw(story: &Story, ui: &mut Ui, theme: &Theme, size: (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, size.0, size.1);
    ui.size = size;
    ui.run.tick(&story.state, NOW, body(area));
    ui.graph.tick(&story.state, NOW, body(area));
    let mut buf = Buffer::empty(area);
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme, now: NOW };
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

fn after(story: &Story, actions: &[Action], size: (u16, u16)) -> Buffer {
    let (mut ui, theme) = (ui(), Theme::plain());
    draw(story, &mut ui, &theme, size);
    for action in actions {
        let _ = ui.update(Msg::Action(*action), &story.state, NOW);
        ui.notice = None;
        draw(story, &mut ui, &theme, size);
    }
    draw(story, &mut ui, &theme, size)
}

fn snapshots(what: &str, story: &Story, actions: &[Action]) {
    for size in SIZES {
        insta::assert_snapshot!(format!("{what}_{}x{}", size.0, size.1), text(&after(story, actions, size)));
    }
}

#[test]
fn a_plan_in_layers() {
    snapshots("kit", &kit(), &[]);
}

#[test]
fn a_plan_as_rails() {
    snapshots("kit_rails", &kit(), &[Action::Order]);
}

#[test]
fn a_failed_task_says_what_it_blocks() {
    let down = [Action::First, Action::Down, Action::Down, Action::Down, Action::Down, Action::Down];
    snapshots("kit_failed", &kit(), &down);
    let mut story = kit();
    for skipped in [false, true] {
        let words = text(&after(&story, &down, (120, 40)));
        assert!(words.contains("blocks 3") && words.contains("blocks 3 tasks"), "skipped: {skipped}\n{words}");
        for task in ["join", "decision", "letter"] {
            let task = TaskId::new(GoalId(1), name(task));
            story.push(Micros::from_secs(190), Event::TaskSkipped { task, reason: "a need failed".into() });
        }
    }
}

#[test]
fn twins_are_one_until_they_are_opened() {
    snapshots("reviews", &reviews(), &[]);
    insta::assert_snapshot!("reviews_open_120x40", text(&after(&reviews(), &[Action::Enter], (120, 40))));
}

#[test]
fn two_hundred_tasks() {
    snapshots("wide", &wide(), &[]);
    snapshots("wide_near", &wide(), &[Action::Down, Action::Down, Action::Zoom]);
}

#[test]
fn the_form_is_the_users_when_chosen() {
    let title = |actions: &[Action]| text(&after(&kit(), actions, (120, 40))).lines().nth(2).unwrap().to_owned();
    assert!(title(&[]).contains("drawing"));
    assert!(title(&[Action::Order]).contains("rails"));
    assert!(title(&[Action::Order, Action::Order]).contains("neighbourhood of Solar cells"));
    assert!(title(&[Action::Zoom, Action::Zoom]).contains("drawing"));
}

#[test]
fn the_demo_is_drawn() {
    let plan = crate::domain::plan::demo_plan();
    let story = with(plan.tasks);
    for size in [(120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("demo_{}x{}", size.0, size.1), text(&after(&story, &[], size)));
    }
}

#[test]
fn a_filter_leaves_rows_in_the_list_and_dims_the_rest_of_the_drawing() {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let (story, mut ui, theme) = (wide(), ui(), Theme::plain());
    draw(&story, &mut ui, &theme, (80, 24));
    let _ = ui.update(Msg::Action(Action::Search), &story.state, NOW);
    for c in "lexer".chars() {
        let _ = ui.update(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)), &story.state, NOW);
    }
    insta::assert_snapshot!("wide_filter_80x24", text(&draw(&story, &mut ui, &theme, (80, 24))));
    let _ = ui.update(Msg::Action(Action::Back), &story.state, NOW);
    assert_eq!((ui.screen, ui.graph.filter()), (Screen::Graph, ""), "esc gives up the filter, not the screen");
}

#[test]
fn colour_changes_no_letter() {
    let story = kit();
    let words = text(&draw(&story, &mut ui(), &Theme::plain(), (120, 40)));
    for theme in ["midnight", "daylight", "high-contrast", "ansi16"] {
        assert_eq!(text(&draw(&story, &mut ui(), &Theme::load_named(theme), (120, 40))), words, "{theme}");
    }
}

#[test]
fn ascii_twins_stand_for_every_sign_of_ours() {
    let (mut theme, foreign) = (Theme::plain(), |c: &char| !c.is_ascii() && !c.is_alphanumeric());
    theme.glyphs = GlyphSet::Ascii;
    for (story, keys) in
        [(kit(), vec![]), (kit(), vec![Action::Order]), (reviews(), vec![]), (wide(), vec![Action::Zoom])]
    {
        let mut ui = ui();
        draw(&story, &mut ui, &theme, (120, 40));
        for key in keys {
            let _ = ui.update(Msg::Action(key), &story.state, NOW);
            ui.notice = None;
        }
        let words = text(&draw(&story, &mut ui, &theme, (120, 40)));
        assert_eq!(words.chars().find(foreign), None, "{words}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_size_and_no_key_breaks_it(
        sizes in proptest::collection::vec((1u16..220, 1u16..70), 1..4),
        keys in proptest::collection::vec(0usize..14, 0..20),
        clicks in proptest::collection::vec((0u16..220, 0u16..70), 0..4),
        which in 0usize..3,
    ) {
        const KEYS: [Action; 14] = [
            Action::Down, Action::Up, Action::Left, Action::Right, Action::First, Action::Last, Action::PageDown,
            Action::PageUp, Action::Order, Action::Order, Action::Zoom, Action::Enter, Action::Back, Action::NextMatch,
        ];
        let story = [kit, reviews, wide][which]();
        let (mut ui, theme) = (ui(), Theme::plain());
        for size in sizes {
            draw(&story, &mut ui, &theme, size);
            for key in &keys {
                let _ = ui.graph.update(KEYS[*key], &story.state, NOW);
                draw(&story, &mut ui, &theme, size);
            }
            for (x, y) in &clicks {
                let _ = ui.graph.input(&Msg::Click(*x, *y), &story.state, NOW);
                let _ = ui.graph.input(&Msg::Wheel(*x, *y, -2), &story.state, NOW);
            }
            draw(&story, &mut ui, &theme, size);
        }
    }
}

#[test]
fn no_tasks() {
    snapshots("empty", &Story::start(Micros(0), Vec::new(), Vec::new()), &[]);
}
