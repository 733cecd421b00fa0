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

/// Two hundred tasks in a plan of many ways.
fn wide() -> Story {
    let topics = ["Collect", "Check", "Compare", "Measure", "Explain", "Draw", "Translate"];
    let specs = (0..200usize).map(|i| {
        let needs: Vec<String> = match i {
            0..12 => Vec::new(),
            199 => (190..199).map(|n| format!("t{n}")).collect(),
            _ => [Some(i / 2), Some(i - 5), (i % 9 == 0).then_some(i - 12)]
                .into_iter()
                .flatten()
                .map(|n| format!("t{n}"))
                .collect(),
        };
        let title = format!("{} the samples of group {}", topics[i % 7], i + 1);
        spec(&format!("t{i}"), "work", &title, &needs.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let mut story = with(specs.collect());
    for i in 0..12 {
        done(&mut story, &format!("t{i}"), 20);
    }
    for i in 12..18u16 {
        story.begin(Micros::from_secs(230), &format!("t{i}"), "mini", i);
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
    let failed = [Action::First, Action::Down, Action::Down, Action::Down, Action::Down, Action::Down];
    let words = text(&after(&kit(), &failed, (120, 40)));
    assert!(words.contains("blocks 3"), "{words}");
}

#[test]
fn twins_are_one_until_they_are_opened() {
    snapshots("reviews", &reviews(), &[]);
    insta::assert_snapshot!(
        "reviews_open_120x40",
        text(&after(&reviews(), &[Action::Right, Action::Enter], (120, 40)))
    );
}

#[test]
fn two_hundred_tasks() {
    snapshots("wide", &wide(), &[]);
    snapshots("wide_near", &wide(), &[Action::Zoom]);
}

#[test]
fn no_tasks() {
    snapshots("empty", &Story::start(Micros(0), Vec::new(), Vec::new()), &[]);
}
