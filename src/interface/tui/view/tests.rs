//! Whole screens.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::render;
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::interface::tui::action::{Context, Keymap};
use crate::interface::tui::model::themes::ThemeRow;
use crate::interface::tui::model::{Card, CardKind, Choice, HelpUi, Layer, PaletteUi, Screen, ThemesUi, Ui};
use crate::interface::tui::scene::{Scene, Transcripts};
use crate::interface::tui::theme::{Depth, GlyphSet, Theme, Themes};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

fn drawn(ui: &Ui, theme: &Theme, (columns, rows): (u16, u16)) -> Buffer {
    let (state, transcripts) = (State::default(), Transcripts::default());
    let mut buf = Buffer::empty(Rect::new(0, 0, columns, rows));
    let scene = Scene { state: &state, transcripts: &transcripts, ui, theme, now: Micros::from_secs(10) };
    let area = buf.area;
    render(&scene, &Keymap::default(), &mut super::Caches::default(), area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let row = |y| (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buf.area.height).map(row).collect::<Vec<_>>().join("\n")
}

/// The text, and under it every run of a style that is not the screen's own.
pub(super) fn styled(buf: &Buffer) -> String {
    let mut out = text(buf);
    out.push_str("\n----");
    let ground = buf[(0, 0)].style();
    for y in 0..buf.area.height {
        let mut x = 0;
        while x < buf.area.width {
            let style = buf[(x, y)].style();
            let from = x;
            while x < buf.area.width && buf[(x, y)].style() == style {
                x += 1;
            }
            if style != ground {
                let _ = write!(out, "\n{y}:{from}-{} {:?} {:?} {:?}", x - 1, style.fg, style.bg, style.add_modifier);
            }
        }
    }
    out
}

#[allow(clippy::field_reassign_with_default, reason = "one field is private")]
fn with(layer: Layer) -> Ui {
    let mut ui = Ui::default();
    ui.screen = Screen::Fleet;
    ui.layers.push(layer);
    ui
}

fn help() -> Ui {
    let contexts = vec![Context::Task, Context::List, Context::Session, Context::Everywhere];
    with(Layer::Help(HelpUi { contexts, scroll: 0 }))
}

fn palette() -> Ui {
    with(Layer::Palette(PaletteUi { query: "re".into(), selected: 1, contexts: Vec::new() }))
}

fn leave() -> Ui {
    with(Layer::Card(Card {
        kind: CardKind::Leave,
        title: "Leave".into(),
        body: vec!["3 agents are at work; 12 more tasks wait.".into()],
        choices: vec![
            Choice::new('d', "detach: give the shell back, keep working", Vec::new()),
            Choice::new('w', "finish what runs, start nothing new, then quit", Vec::new()),
            Choice::new('x', "stop all and quit; resume takes it up again", Vec::new()),
            Choice::nothing("stay"),
        ],
        focused: 0,
        opened: Micros::default(),
    }))
}

/// The picker with the themes that come with Baton, as the colours of the screen allow.
fn themes(depth: Depth, glyphs: GlyphSet) -> Ui {
    let all = Themes::default();
    let row = |listed: crate::interface::tui::theme::Listed| {
        let theme = all.load(&listed.name, depth, glyphs).0;
        ThemeRow { listed, theme }
    };
    with(Layer::Themes(ThemesUi::new(all.list().into_iter().map(row).collect(), "ember")))
}

#[test]
fn the_picker_at_every_size() {
    for size in SIZES {
        let mono = drawn(&themes(Depth::None, GlyphSet::Unicode), &Theme::plain(), size);
        insta::assert_snapshot!(format!("themes-{}x{}-mono", size.0, size.1), text(&mono));
        let colour = drawn(&themes(Depth::True, GlyphSet::Unicode), &Theme::load_named("ember"), size);
        assert_eq!(text(&colour), text(&mono), "colour changes no letter");
        insta::assert_snapshot!(format!("themes-{}x{}-ember", size.0, size.1), styled(&colour));
    }
    let narrow = text(&drawn(&themes(Depth::None, GlyphSet::Unicode), &Theme::plain(), (30, 10)));
    assert!(narrow.contains("❯ ember"), "{narrow}");
}

#[test]
fn what_lies_on_top_at_every_size() {
    for (name, ui) in [("help", help()), ("palette", palette()), ("leave", leave())] {
        for size in SIZES {
            let mono = drawn(&ui, &Theme::plain(), size);
            insta::assert_snapshot!(format!("{name}-{}x{}-mono", size.0, size.1), text(&mono));
            let colour = drawn(&ui, &Theme::load_named("midnight"), size);
            assert_eq!(text(&colour), text(&mono), "colour changes no letter");
            insta::assert_snapshot!(format!("{name}-{}x{}-midnight", size.0, size.1), styled(&colour));
        }
    }
}

#[test]
fn nothing_panics_at_any_size() {
    for ui in [help(), palette(), leave(), themes(Depth::True, GlyphSet::Unicode), Ui::default()] {
        for columns in [1, 2, 5, 29, 30, 31, 59, 100] {
            for rows in [1, 2, 7, 8, 9, 12, 30] {
                drawn(&ui, &Theme::plain(), (columns, rows));
            }
        }
    }
}

#[test]
fn with_ascii_glyphs_every_cell_is_ascii() {
    let mut theme = Theme::plain();
    theme.glyphs = GlyphSet::Ascii;
    for ui in [palette(), leave(), themes(Depth::None, GlyphSet::Ascii)] {
        let shown = text(&drawn(&ui, &theme, (80, 24)));
        assert!(shown.is_ascii(), "{shown}");
    }
}

#[test]
fn the_answers_of_a_card_stand_even_where_it_is_low() {
    for (focused, words) in ["detach", "finish", "stop all", "stay"].into_iter().enumerate() {
        let mut ui = leave();
        if let Some(Layer::Card(card)) = ui.layers.last_mut() {
            card.focused = focused;
        }
        let shown = text(&drawn(&ui, &Theme::plain(), (40, 9)));
        assert!(shown.contains(words), "{words}\n{shown}");
    }
}
