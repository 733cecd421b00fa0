//! The whole screen, as text, at the sizes it is drawn for; and that no size breaks it.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::fixture::{NOW, Story, crowd, drawing, name};
use super::{RunCaches, frame};
use crate::domain::protocol::Micros;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::{Msg, Screen, Ui};
use crate::interface::tui::theme::Theme;

pub(super) fn ui() -> Ui {
    let mut ui = Ui::default();
    ui.screen = Screen::Run;
    ui
}

pub(super) fn draw(story: &Story, ui: &mut Ui, caches: &mut RunCaches, theme: &Theme, size: (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, size.0, size.1);
    // Twice: the first frame tells the model how much fits.
    let mut buf = Buffer::empty(area);
    for _ in 0..2 {
        buf = Buffer::empty(area);
        frame(&story.state, &story.transcripts, ui, theme, caches, NOW, &mut buf);
    }
    buf
}

pub(super) fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut x = 0;
        let mut line = String::new();
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

fn ansi(buf: &Buffer) -> String {
    let code = |c: Color, base: u8| match c {
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
        Color::Indexed(i) => format!("{};5;{i}", base + 8),
        _ => (base + 9).to_string(),
    };
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut x = 0;
        while x < buf.area.width {
            let cell = &buf[(x, y)];
            let m = cell.modifier;
            let mut attributes = String::new();
            for (flag, n) in [
                (ratatui::style::Modifier::BOLD, 1),
                (ratatui::style::Modifier::DIM, 2),
                (ratatui::style::Modifier::ITALIC, 3),
                (ratatui::style::Modifier::UNDERLINED, 4),
                (ratatui::style::Modifier::REVERSED, 7),
            ] {
                if m.contains(flag) {
                    attributes.push_str(&format!(";{n}"));
                }
            }
            out.push_str(&format!("\x1b[0;{};{}{attributes}m{}", code(cell.fg, 30), code(cell.bg, 40), cell.symbol()));
            x += crate::domain::text::width::width(cell.symbol()).max(1) as u16;
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

fn snapshot(name: &str, size: (u16, u16), actions: &[Action]) {
    let story = drawing();
    let (mut ui, mut caches) = (ui(), RunCaches::default());
    let theme = Theme::plain();
    draw(&story, &mut ui, &mut caches, &theme, size);
    for action in actions {
        let _ = ui.run.update(*action, &story.state, NOW);
        draw(&story, &mut ui, &mut caches, &theme, size);
    }
    let buf = draw(&story, &mut ui, &mut caches, &theme, size);
    if let Ok(folder) = std::env::var("BATON_ANSI") {
        let colour = draw(&story, &mut ui, &mut caches, &Theme::load_named("midnight"), size);
        std::fs::write(format!("{folder}/{name}.ansi"), ansi(&colour)).unwrap();
    }
    insta::assert_snapshot!(name, text(&buf));
}

#[test]
fn at_60x20() {
    snapshot("run_60x20", (60, 20), &[]);
}

#[test]
fn at_50x20() {
    snapshot("run_50x20", (50, 20), &[]);
}

#[test]
fn at_80x24() {
    snapshot("run_80x24", (80, 24), &[]);
}

#[test]
fn at_120x40() {
    snapshot("run_120x40", (120, 40), &[]);
}

#[test]
fn at_200x60() {
    snapshot("run_200x60", (200, 60), &[]);
}

#[test]
fn zoomed_and_unfolded() {
    snapshot("run_zoomed", (120, 40), &[Action::Zoom, Action::Right]);
}

#[test]
fn the_fleet_focused() {
    snapshot("run_fleet", (120, 40), &[Action::PreviousPane, Action::Down]);
}

#[test]
fn colour_comes_last() {
    let story = drawing();
    let mut seen = None;
    let themes = crate::interface::tui::theme::Themes::default();
    for theme in themes.names() {
        let (mut ui, mut caches) = (ui(), RunCaches::default());
        let buf = draw(&story, &mut ui, &mut caches, &Theme::load_named(theme), (120, 40));
        let words = text(&buf);
        assert_eq!(*seen.get_or_insert(words.clone()), words, "{theme}");
        if theme != "mono" {
            // The last one: the selected row may be reversed whole.
            let row = (0..40).rev().find(|y| buf[(3, *y)].symbol() == "●").unwrap();
            assert_ne!(buf[(3, row)].fg, Color::Reset, "{theme}: running has a colour");
        }
    }
}

#[test]
fn twenty_streams_have_twenty_panes() {
    let mut story = crowd(20, 40);
    let (mut ui, mut caches) = (ui(), RunCaches::default());
    let theme = Theme::load_named("midnight");
    let began = std::env::var("BATON_TIMES").map(|_| std::time::Instant::now()).ok();
    for i in 0..60u64 {
        let now = NOW.plus(Micros::from_millis(i * 33));
        story.chatter(now, 20);
        let mut buf = Buffer::empty(Rect::new(0, 0, 200, 60));
        frame(&story.state, &story.transcripts, &mut ui, &theme, &mut caches, now, &mut buf);
    }
    if let Some(began) = began {
        std::fs::write("/dev/stderr", format!("{:?} a frame\n", began.elapsed() / 60)).unwrap();
    }
    assert_eq!(ui.run.panes.list.iter().flatten().count(), 20);
    assert_eq!(ui.run.panes.hidden(&story.state).len(), 0);
    insta::assert_snapshot!("run_20_streams", text(&draw(&story, &mut ui, &mut caches, &theme, (200, 60))));
}

#[test]
fn several_goals_stand_above_their_phases() {
    let mut story = drawing();
    story.goal(NOW, 2, vec![crate::domain::plan::TaskSpec::new(name("x"), name("coder"), "Second goal's task")]);
    let (mut ui, mut caches) = (ui(), RunCaches::default());
    let buf = draw(&story, &mut ui, &mut caches, &Theme::plain(), (80, 40));
    insta::assert_snapshot!("run_two_goals", text(&buf));
}

#[test]
fn an_empty_session_says_what_to_do() {
    let story = Story::start(Micros(0), Vec::new(), Vec::new());
    for size in [(120, 40), (80, 24), (50, 12)] {
        let (mut ui, mut caches) = (ui(), RunCaches::default());
        let words = text(&draw(&story, &mut ui, &mut caches, &Theme::plain(), size));
        assert!(words.contains("No tasks yet. ctrl-n gives a goal."), "{words}");
    }
}

#[test]
fn the_numbers_add_up() {
    let story = drawing();
    let p = story.state.progress(None);
    assert_eq!((p.total, p.done, p.running, p.failed, p.waiting), (40, 17, 13, 1, 9));
    assert_eq!(story.state.slots(), (13, 37));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_size_and_no_key_breaks_it(
        sizes in proptest::collection::vec((1u16..220, 1u16..70), 1..5),
        keys in proptest::collection::vec(0usize..16, 0..24),
        clicks in proptest::collection::vec((0u16..220, 0u16..70), 0..4),
    ) {
        const KEYS: [Action; 16] = [
            Action::Down, Action::Up, Action::Left, Action::Right, Action::First, Action::Last, Action::PageDown,
            Action::PageUp, Action::NextPane, Action::PreviousPane, Action::Enter, Action::Pin, Action::Zoom,
            Action::Grid, Action::Back, Action::NextMatch,
        ];
        let story = drawing();
        let (mut ui, mut caches) = (ui(), RunCaches::default());
        let theme = Theme::plain();
        for size in sizes {
            draw(&story, &mut ui, &mut caches, &theme, size);
            for key in &keys {
                let _ = ui.run.update(KEYS[*key], &story.state, NOW);
            }
            for (x, y) in &clicks {
                for msg in [Msg::Click(*x, *y), Msg::Drag(*y, *x), Msg::Release(*y, *x), Msg::Wheel(*x, *y, -2)] {
                    let _ = ui.run.input(&msg, &story.state, NOW);
                }
            }
            draw(&story, &mut ui, &mut caches, &theme, size);
        }
    }
}

#[test]
fn ascii_twins_stand_for_every_sign_of_ours() {
    let mut story = drawing();
    let specs = vec![crate::domain::plan::TaskSpec::new(name("x"), name("coder"), "x")];
    story.goal(NOW, 2, specs);
    let (theme, _) = crate::interface::tui::theme::Themes::default().load(
        "mono",
        crate::interface::tui::theme::Depth::None,
        crate::interface::tui::theme::GlyphSet::Ascii,
    );
    let (mut ui, mut caches) = (ui(), RunCaches::default());
    let words = text(&draw(&story, &mut ui, &mut caches, &theme, (120, 40)));
    let ours = |c: &char| !c.is_ascii() && !c.is_alphanumeric();
    assert_eq!(words.chars().find(ours), None, "{words}");
}
