//! The timeline, the strip and a viewer's console as they look.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::protocol::{
    AttemptEnd, AttemptStarted, Event, Level, Micros, Recipe, Record, Role, Route, TurnStarted,
};
use crate::domain::protocol::{AttemptId, SlotAfter, TurnEnd, TurnEnded, TurnId, Usage, Viewer, ViewerId};
use crate::domain::state::State;
use crate::engine::client::Standing;
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::time::{Mark, Moment};
use crate::interface::tui::model::{Layer, Msg, Screen, Ui};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Theme};
use crate::interface::tui::view::story::{self, Story};
use crate::interface::tui::view::{Caches, body, render};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

fn drawn(ui: &mut Ui, story: &Story, theme: &Theme, (columns, rows): (u16, u16)) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, columns, rows));
    let area = buf.area;
    let now = ui.time.moment.as_ref().map_or(story.at, |m| m.at);
    ui.run.tick(&story.state, now, body(area));
    let marks = Arc::clone(&ui.time.marks);
    ui.time.timeline.tick(&story.state, &marks, now, story.at, body(area));
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme, now };
    render(&scene, &Keymap::default(), &mut Caches::default(), area, &mut buf);
    buf
}

#[allow(clippy::field_reassign_with_default, reason = "one field is private")]
fn on(screen: Screen) -> Ui {
    let mut ui = Ui::default();
    ui.screen = screen;
    ui
}

fn text(buf: &Buffer) -> String {
    crate::interface::script::frame::text(buf)
}

/// A session with attempts that ended in every way, taken up once and paused once.
fn eventful() -> (Story, Ui) {
    let mut story = story::drafted();
    story.tell(Event::GoalApproved { goal: story.state.goals()[0].id });
    let sources = story.start("sources", "athene", 0, Recipe::default());
    let samples = story.start("samples", "qwen", 1, Recipe::default());
    story.wait(20);
    story.complete(sources);
    story.fail(samples, "Qwen cut the answer off after 9 tokens; is its server still running?");
    let jp = story.start("jp", "athene", 1, Recipe::default());
    story.wait(4);
    story.tell(Event::AttemptEnded { attempt: jp.attempt, end: AttemptEnd::Interrupted });
    story.wait(10);
    let again = story.start("samples", "athene", 0, Recipe::default());
    let speed = story.start("speed", "mini", 2, Recipe::default());
    story.wait(15);
    story.tell(Event::AttemptEnded { attempt: speed.attempt, end: AttemptEnd::Cancelled });
    story.wait(6);
    assert!(story.state.attempt(again.attempt).is_some());
    let mut ui = on(Screen::Time);
    ui.time.marks = Arc::new(vec![
        (Micros::from_secs(26), Mark::Opened),
        (Micros::from_secs(30), Mark::Paused),
        (Micros::from_secs(33), Mark::Resumed),
    ]);
    (story, ui)
}

fn moment(at: u64, story: &Story) -> Moment {
    Moment {
        at: Micros::from_secs(at),
        seq: 17,
        end: story.at,
        last: story.state.seq,
        speed: Default::default(),
        idle: Default::default(),
        plays: false,
        reads: false,
        markers: (3, 9),
    }
}

#[test]
fn the_timeline_at_every_size_live_and_past() {
    for size in SIZES {
        let (story, mut ui) = eventful();
        insta::assert_snapshot!(
            format!("live-{}x{}", size.0, size.1),
            text(&drawn(&mut ui, &story, &Theme::plain(), size))
        );
        ui.time.moment = Some(moment(22, &story));
        let past = drawn(&mut ui, &story, &Theme::plain(), size);
        insta::assert_snapshot!(format!("past-{}x{}", size.0, size.1), text(&past));
        let colour = drawn(&mut ui, &story, &Theme::load_named("ember"), size);
        assert_eq!(text(&colour), text(&past), "colour changes no letter");
    }
}

#[test]
fn an_empty_timeline_says_what_it_is_for() {
    let story = story::opened(crate::domain::fleet::Nature::Real);
    let mut ui = on(Screen::Time);
    let shown = text(&drawn(&mut ui, &story, &Theme::plain(), (80, 24)));
    assert!(shown.contains("Nothing has run yet"), "{shown}");
}

#[test]
fn any_size_and_ascii_glyphs() {
    let (story, mut ui) = eventful();
    let mut theme = Theme::plain();
    theme.glyphs = GlyphSet::Ascii;
    ui.time.moment = Some(moment(22, &story));
    for columns in [30, 40, 59, 99, 101, 140] {
        for rows in [8, 9, 13, 20, 33] {
            let shown = text(&drawn(&mut ui, &story, &theme, (columns, rows)));
            let foreign: String =
                shown.chars().filter(|c| !c.is_ascii() && !('\u{3000}'..'\u{a000}').contains(c)).collect();
            assert!(foreign.is_empty(), "{foreign}\n{shown}");
        }
    }
}

#[test]
fn lanes_are_gone_through_zoomed_into_and_opened() {
    let (story, mut ui) = eventful();
    let size = (120, 12);
    let shown = text(&drawn(&mut ui, &story, &Theme::plain(), size));
    assert!(shown.contains("✔ Write forty sample files") || shown.contains("●"), "{shown}");
    let press = |ui: &mut Ui, action| {
        let effects = ui.update(Msg::Action(action), &story.state, story.at);
        drawn(ui, &story, &Theme::plain(), size);
        effects
    };
    for _ in 0..40 {
        press(&mut ui, Action::Down);
    }
    let sheet = &ui.time.timeline.sheet;
    assert_eq!((sheet.hidden.1, sheet.selected), (0, Some(sheet.rows.len() - 1)));
    assert!(sheet.hidden.0 > 0);
    for _ in 0..40 {
        press(&mut ui, Action::Up);
    }
    let whole = ui.time.timeline.sheet.range;
    press(&mut ui, Action::Zoom);
    let part = ui.time.timeline.sheet.range;
    assert!(part.1.since(part.0) < whole.1.since(whole.0));
    press(&mut ui, Action::ZoomOut);
    assert_eq!(ui.time.timeline.sheet.range, whole);
    press(&mut ui, Action::Enter);
    assert!(matches!(ui.layers.last(), Some(Layer::Inspector(_))), "{:?}", ui.layers);
}

/// Ten thousand attempts on 64 slots of one pool.
fn crowd() -> Story {
    let mut story = story::drafted();
    story.tell(Event::GoalApproved { goal: story.state.goals()[0].id });
    for n in 0..10_000_u64 {
        let turn = TurnId { attempt: AttemptId(n + 1), turn: 1 };
        story.at = Micros::from_millis(n * 100);
        story.tell(Event::AttemptStarted(AttemptStarted {
            attempt: turn.attempt,
            task: "g1/sources".parse().unwrap(),
            version: 1,
            agent: story::name("researcher"),
            endpoint: story::name("mini"),
            route: Route::Primary,
        }));
        let started =
            TurnStarted { turn, slot: (n % 64) as u16, level: Level::Medium, max_tokens: 9, recipe: Recipe::default() };
        story.tell(Event::TurnStarted(started));
        story.at = story.at.plus(Micros::from_millis(90));
        story.tell(Event::TurnEnded(Box::new(TurnEnded {
            turn,
            end: TurnEnd::Stop,
            slot: SlotAfter::Free,
            usage: Usage::default(),
            prompt_digest: String::new(),
        })));
        let end = if n % 500 == 7 { AttemptEnd::Interrupted } else { AttemptEnd::Completed };
        story.tell(Event::AttemptEnded { attempt: turn.attempt, end });
    }
    story
}

#[test]
fn of_many_that_share_a_column_the_worst_is_shown() {
    let story = crowd();
    let mut ui = on(Screen::Time);
    ui.time.timeline.tick(&story.state, &[], story.at, story.at, Rect::new(0, 2, 200, 120));
    let bad = |row: &super::Row| row.cells.iter().flatten().filter(|c| c.piece.bar == super::Bar::Interrupted).count();
    assert_eq!(ui.time.timeline.sheet.rows.iter().map(bad).sum::<usize>(), 20, "{:?}", ui.time.timeline.sheet.hidden);
}

fn watched(role: Role, me: u64) -> (Story, Ui) {
    let mut story = story::asking(&["keep them", "drop them"]);
    for (id, name, origin) in [(1, "maria", "this machine"), (2, "ssh-guest", "ssh 10.0.0.7")] {
        let viewer = Viewer { viewer: ViewerId(id), name: name.into(), origin: origin.into(), role: Role::Control };
        story.tell(Event::ViewerJoined(viewer));
    }
    story.tell(Event::ViewerGivenControl { viewer: Some(ViewerId(1)) });
    let mut ui = on(Screen::Run);
    ui.standing = Standing { viewer: Some(ViewerId(me)), role };
    (story, ui)
}

#[test]
fn a_viewer_sees_who_has_control_and_what_it_may_do() {
    for size in [(80, 24), (120, 40)] {
        let (story, mut ui) = watched(Role::Control, 2);
        let shown = text(&drawn(&mut ui, &story, &Theme::plain(), size));
        assert!(
            shown.contains("VIEWER") && shown.contains("maria has control; you may look, search and copy (C asks"),
            "{shown}"
        );
        let keys = shown.lines().last().unwrap();
        assert!(!keys.contains("retry") && !keys.contains("stop") && keys.contains("copy"), "{keys}");
        insta::assert_snapshot!(format!("viewer-{}x{}", size.0, size.1), shown);
        let (story, mut ui) = watched(Role::Control, 1);
        let shown = text(&drawn(&mut ui, &story, &Theme::plain(), size));
        assert!(!shown.contains("VIEWER"), "{shown}");
        insta::assert_snapshot!(format!("holder-{}x{}", size.0, size.1), shown);
    }
}

#[test]
fn who_was_let_in_to_look_is_a_viewer_in_the_past_too() {
    for size in [(60, 20), (80, 24), (120, 40)] {
        let (story, mut ui) = watched(Role::Viewer, 2);
        ui.time.moment = Some(moment(3, &story));
        let shown = text(&drawn(&mut ui, &story, &Theme::plain(), size));
        for word in ["VIEWER", "00:03", "slots", "needs you"] {
            assert!(shown.contains(word) || word == "needs you" && shown.contains("! 1"), "{word}\n{shown}");
        }
    }
}

#[test]
fn control_is_asked_for_and_given_and_what_acts_is_refused() {
    use crate::domain::protocol::Command;
    use crate::interface::tui::model::UiEffect;
    let said = |ui: &Ui| ui.notice.as_ref().map_or(String::new(), |n| n.text.to_string());
    let press = |ui: &mut Ui, state: &State, at, action| ui.update(Msg::Action(action), state, at);
    let (mut story, mut guest) = watched(Role::Control, 2);
    drawn(&mut guest, &story, &Theme::plain(), (120, 40));
    for action in [Action::Stop, Action::StopAll, Action::EditPlan, Action::NewGoal, Action::Retry, Action::Pause] {
        assert!(press(&mut guest, &story.state, story.at, action).is_empty(), "{action:?}");
        assert!(guest.layers.is_empty() && said(&guest).starts_with("maria has control"), "{action:?}");
    }
    let asks = press(&mut guest, &story.state, story.at, Action::Control);
    assert_eq!(asks, [UiEffect::Send(Command::AskControl)]);
    let mut maria = on(Screen::Run);
    maria.standing = Standing { viewer: Some(ViewerId(1)), role: Role::Control };
    let event = Event::ViewerAsked { viewer: ViewerId(2) };
    story.tell(event.clone());
    maria.observe(&story.state, &Record { seq: story.state.seq, at: story.at, event });
    assert_eq!(said(&maria), "ssh-guest asks for control; C gives it");
    press(&mut maria, &story.state, story.at, Action::Control);
    let later = story.at.plus(Micros::from_secs(1));
    assert!(press(&mut maria, &story.state, later, Action::Enter).is_empty(), "keeping it is the harmless choice");
    press(&mut maria, &story.state, later, Action::Control);
    let much_later = later.plus(Micros::from_secs(1));
    press(&mut maria, &story.state, much_later, Action::Right);
    let gives = press(&mut maria, &story.state, much_later, Action::Enter);
    assert_eq!(gives, [UiEffect::Send(Command::GiveControl(Some(ViewerId(2))))]);
    let (story, mut only) = watched(Role::Viewer, 2);
    assert!(press(&mut only, &story.state, story.at, Action::Control).is_empty());
    assert!(said(&only).contains("opened to look"));
}
