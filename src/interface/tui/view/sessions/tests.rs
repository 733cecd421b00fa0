//! The Sessions screen at the four sizes: the list, a search, nothing yet, without colour and with ASCII signs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::protocol::{Forked, Micros, SessionId};
use crate::domain::state::State;
use crate::engine::journal::{Found, Glance, Runner, SessionSummary, Standing, TaskCounts, Where};
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::{Msg, Screen, SessionsNews, Ui};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Theme};
use crate::interface::tui::view::story::{self, Story};
use crate::interface::tui::view::{Caches, render};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];
/// The wall time at which the list was made.
const NOW: u64 = 1_795_201_437_000;
const HOUR: u64 = 3_600_000;

fn told(
    id: &str,
    goal: &str,
    standing: Standing,
    hours: u64,
    (done, total, failed): (u32, u32, u32),
) -> SessionSummary {
    let id: SessionId = id.parse().unwrap();
    let mut s = SessionSummary::of(&id, &State::default());
    s.goal = goal.into();
    s.goals = u32::from(!goal.is_empty());
    s.standing = standing;
    s.started_ms = Some(NOW - hours * HOUR);
    s.time = Micros::from_secs(252 + hours * 37);
    s.tasks = TaskCounts { total, done, failed, waiting: total - done - failed, ..TaskCounts::default() };
    s.tokens = u64::from(total) * 1_840;
    (s.bytes, s.records, s.lives) = (u64::from(total) * 48_000 + 900, u64::from(total) * 410 + 12, 1);
    s.endpoints = vec!["Athene V2 Agent Q4".into(), "GPT-OSS 120B".into()];
    s
}

fn sessions(here: Option<&SessionId>) -> SessionsNews {
    let goal = "Compare three ways to parse a configuration language: a hand-written recursive descent parser, a PEG \
                grammar and a parser generator. Look at error messages, speed, upkeep and editor support.";
    let mut parsers = told("20261119-181200", goal, Standing::Unfinished, 26, (7, 12, 0));
    parsers.lives = 3;
    let mut fork = told("20261118-090000-f", "解析器の曖昧さをすべて列挙し分類する", Standing::Failed, 52, (4, 6, 2));
    fork.parent = Some(Forked { session: fork.id.clone(), parent: "20261118-090000".parse().unwrap(), seq: 4_211 });
    let mut damaged = told("20261101-120000", "Plan a move to two regions", Standing::Unfinished, 460, (1, 9, 0));
    damaged.damage = Some("line 4212 of the journal is damaged (expected value); copy the lines before it".into());
    let mut simulated = told("20261010-080000", "Explain five sorting algorithms", Standing::Done, 900, (13, 13, 0));
    simulated.simulated = true;
    let found =
        |s: SessionSummary, runner: Option<Runner>| Glance::told(s.id.clone(), NOW - 20 * HOUR, runner, Some(s));
    let mut all = vec![
        found(
            told("20261120-170000", "Port the lexer tables to u16", Standing::Unfinished, 2, (17, 40, 1)),
            Some(Runner { pid: Some(4711) }),
        ),
        found(parsers, None),
        found(fork, None),
        found(
            told("20261117-140000", "Find the weak points of a login design", Standing::Cancelled, 77, (2, 9, 0)),
            None,
        ),
        found(told("20261116-140000", "", Standing::Empty, 101, (0, 0, 0)), None),
        found(damaged, None),
        found(simulated, None),
        Glance::told("20260901-070000".parse().unwrap(), NOW - 1_900 * HOUR, None, None),
    ];
    if let Some(id) = here {
        all.insert(0, Glance::told(id.clone(), NOW, Some(Runner { pid: Some(1) }), None));
    }
    SessionsNews::Listed { found: all, now_ms: NOW, root: "~/.local/state/baton/sessions".into() }
}

#[allow(clippy::field_reassign_with_default, reason = "one field is private")]
fn on_screen() -> Ui {
    let mut ui = Ui::default();
    ui.screen = Screen::Sessions;
    ui
}

fn opened(story: &Story) -> Ui {
    let mut ui = on_screen();
    ui.update(Msg::Sessions(Box::new(sessions(story.state.session.as_ref()))), &story.state, story.at);
    ui
}

fn drawn(ui: &mut Ui, story: &Story, theme: &Theme, size: (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buf = Buffer::empty(area);
    ui.size = size;
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme, now: story.at };
    render(&scene, &Keymap::default(), &mut Caches::default(), area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let row = |y| (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buf.area.height).map(row).collect::<Vec<_>>().join("\n")
}

fn press(ui: &mut Ui, story: &Story, action: Action) -> Vec<crate::interface::tui::model::UiEffect> {
    ui.update(Msg::Action(action), &story.state, story.at)
}

/// A search that found something in two sessions.
fn searched(story: &Story) -> Ui {
    let mut ui = opened(story);
    press(&mut ui, story, Action::Search);
    ui.update(Msg::Paste("lookahead".into()), &story.state, story.at);
    press(&mut ui, story, Action::TextFind);
    let hits = [
        ("20261119-181200", "g1/grammar", "the 212 samples need three productions and one ", " token: that is all"),
        ("20261119-181200", "g1/recovery", "", " is what makes it slow\u{1b}[31m"),
        ("20261010-080000", "g1/answer", "a sort that needs no ", ""),
    ];
    for (session, task, before, after) in hits {
        let place = Where::Title { task: task.parse().unwrap() };
        let found = Found {
            place,
            seq: 311,
            at: Micros(0),
            before: before.into(),
            found: "lookahead".into(),
            after: after.into(),
        };
        let news = SessionsNews::Hit(1, session.parse().unwrap(), Box::new(found));
        ui.update(Msg::Sessions(Box::new(news)), &story.state, story.at);
    }
    ui.update(Msg::Sessions(Box::new(SessionsNews::Looked(1, 5, 9))), &story.state, story.at);
    press(&mut ui, story, Action::NextMatch);
    ui
}

#[test]
fn the_screen_at_every_size() {
    let story = story::done();
    for size in SIZES {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let mut ui = opened(&story);
        let listed = text(&drawn(&mut ui, &story, &Theme::load_named("ember"), size));
        assert_eq!(listed, text(&drawn(&mut ui, &story, &Theme::plain(), size)), "colour changes no letter");
        press(&mut ui, &story, Action::Down);
        press(&mut ui, &story, Action::Down);
        insta::assert_snapshot!(name("list"), text(&drawn(&mut ui, &story, &Theme::plain(), size)));
        let mut ui = searched(&story);
        insta::assert_snapshot!(name("search"), text(&drawn(&mut ui, &story, &Theme::plain(), size)));
        let mut ui = opened(&story);
        press(&mut ui, &story, Action::Down);
        press(&mut ui, &story, Action::Down);
        press(&mut ui, &story, Action::DeleteSession);
        insta::assert_snapshot!(name("delete"), text(&drawn(&mut ui, &story, &Theme::plain(), size)));
        let empty = Story::default();
        let mut ui = on_screen();
        let none = SessionsNews::Listed { found: Vec::new(), now_ms: NOW, root: "x".into() };
        ui.update(Msg::Sessions(Box::new(none)), &empty.state, empty.at);
        ui.update(Msg::Sessions(Box::new(SessionsNews::AllKnown)), &empty.state, empty.at);
        insta::assert_snapshot!(name("empty"), text(&drawn(&mut ui, &empty, &Theme::plain(), size)));
    }
}

#[test]
fn the_first_minute_says_what_was_left_unfinished() {
    let story = story::probed(crate::domain::fleet::Nature::Real);
    for size in SIZES {
        let mut ui = opened(&story);
        ui.screen = Screen::Welcome;
        insta::assert_snapshot!(
            format!("welcome-{}x{}", size.0, size.1),
            text(&drawn(&mut ui, &story, &Theme::plain(), size))
        );
    }
}

#[test]
fn any_size_and_ascii_glyphs() {
    let story = story::done();
    let mut theme = Theme::plain();
    for columns in [30, 40, 59, 99, 101, 140] {
        for rows in [8, 9, 13, 20, 33] {
            drawn(&mut opened(&story), &story, &theme, (columns, rows));
            drawn(&mut searched(&story), &story, &theme, (columns, rows));
        }
    }
    theme.glyphs = GlyphSet::Ascii;
    let shown = text(&drawn(&mut opened(&story), &story, &theme, (120, 40)));
    // Goals keep their own script.
    let foreign: String = shown.chars().filter(|c| !c.is_ascii() && !('\u{3000}'..'\u{a000}').contains(c)).collect();
    assert!(foreign.is_empty(), "{foreign}\n{shown}");
    let shown = text(&drawn(&mut searched(&story), &story, &theme, (120, 40)));
    assert!(!shown.contains('\u{1b}'), "what was said is cleaned");
}
