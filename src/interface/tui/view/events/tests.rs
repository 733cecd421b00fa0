//! The Events screen at the four sizes: the record, the spans, a filter, nothing yet.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::protocol::Micros;
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::events::EventsFocus;
use crate::interface::tui::model::{Msg, Screen, Ui};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Theme};
use crate::interface::tui::view::story::{self, Story};
use crate::interface::tui::view::{Caches, body, render};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

fn drawn(ui: &mut Ui, story: &Story, theme: &Theme, size: (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buf = Buffer::empty(area);
    ui.screen = Screen::Events;
    ui.size = size;
    ui.events.tick(story.transcripts.log(), &story.state, story.at, super::height(body(area)));
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme, now: story.at };
    render(&scene, &Keymap::default(), &mut Caches::default(), area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let row = |y| (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buf.area.height).map(row).collect::<Vec<_>>().join("\n")
}

fn find(ui: &mut Ui, story: &Story, filter: &str) {
    ui.update(Msg::Action(Action::Search), &story.state, story.at);
    let anew =
        crossterm::event::KeyEvent::new(crossterm::event::KeyCode::Char('u'), crossterm::event::KeyModifiers::CONTROL);
    ui.update(Msg::Key(anew), &story.state, story.at);
    for c in filter.chars() {
        let key =
            crossterm::event::KeyEvent::new(crossterm::event::KeyCode::Char(c), crossterm::event::KeyModifiers::NONE);
        ui.update(Msg::Key(key), &story.state, story.at);
    }
}

#[test]
fn the_screen_at_every_size() {
    let story = story::failed();
    for size in SIZES {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let mut ui = Ui::default();
        insta::assert_snapshot!(name("record"), text(&drawn(&mut ui, &story, &Theme::plain(), size)));
        find(&mut ui, &story, "event:*.failed");
        drawn(&mut ui, &story, &Theme::plain(), size);
        ui.update(Msg::Action(Action::Enter), &story.state, story.at);
        ui.update(Msg::Action(Action::Order), &story.state, story.at);
        ui.events.focus = EventsFocus::Side;
        insta::assert_snapshot!(name("spans"), text(&drawn(&mut ui, &story, &Theme::plain(), size)));
        let mut ui = Ui::default();
        drawn(&mut ui, &story, &Theme::plain(), size);
        find(&mut ui, &story, "tsk:x");
        insta::assert_snapshot!(name("filter"), text(&drawn(&mut ui, &story, &Theme::plain(), size)));
        let empty = Story::default();
        insta::assert_snapshot!(name("empty"), text(&drawn(&mut Ui::default(), &empty, &Theme::plain(), size)));
    }
}

#[test]
fn any_size_and_ascii_glyphs() {
    let story = story::failed();
    let mut theme = Theme::plain();
    for columns in [30, 40, 59, 99, 101, 140] {
        for rows in [8, 9, 13, 20, 33] {
            let mut ui = Ui::default();
            drawn(&mut ui, &story, &theme, (columns, rows));
            ui.update(Msg::Action(Action::Order), &story.state, Micros(0));
            drawn(&mut ui, &story, &theme, (columns, rows));
        }
    }
    theme.glyphs = GlyphSet::Ascii;
    let mut ui = Ui::default();
    ui.update(Msg::Action(Action::Screen(5)), &story.state, Micros(0));
    ui.update(Msg::Action(Action::Order), &story.state, Micros(0));
    let shown = text(&drawn(&mut ui, &story, &theme, (120, 40)));
    // Titles keep their own script.
    let foreign: String = shown.chars().filter(|c| !c.is_ascii() && !('\u{3000}'..'\u{a000}').contains(c)).collect();
    assert!(foreign.is_empty(), "{foreign}\n{shown}");
}

#[test]
fn a_long_record_is_laid_out_once_and_cut() {
    let mut story = story::failed();
    story.put_in("samples", &"A line of what was put in by hand, and then some more of it.\n".repeat(16_000));
    let mut ui = Ui::default();
    let theme = Theme::plain();
    let screen = text(&drawn(&mut ui, &story, &theme, (120, 40)));
    assert!(screen.contains("task.result_edited"), "{screen}");
    let seq = ui.events.selected().unwrap();
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui: &ui, theme: &theme, now: story.at };
    let entry = story.transcripts.log().get(seq).unwrap();
    let rows = |cells| ui.events.laid_out.rows(&scene, seq, entry, cells);
    assert!(std::sync::Arc::ptr_eq(&rows(40), &rows(40)), "the next frame takes the same rows");
    assert!(rows(40).len() < 64 * 1024 / 20, "what nobody reads is cut: {}", rows(40).len());
    let last: String = rows(40).iter().rev().take(3).rev().map(ToString::to_string).collect();
    assert!(last.contains("more; y copies all of it."), "{last}");
}
