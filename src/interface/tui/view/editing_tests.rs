//! Editors, forms and previews as they are drawn, at the four sizes; and at any size, without a panic.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::story::{self, Story};
use crate::domain::protocol::{Author, EditKind, Event, GoalId, PlanEdited, Work};
use crate::domain::text::width::width;
use crate::interface::tui::action::Keymap;
use crate::interface::tui::model::{Desk, Screen};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Theme};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

fn desk(story: Story) -> Desk {
    Desk::new(story, Screen::Review(GoalId(1)))
}

fn drawn(desk: &Desk, theme: &Theme, (columns, rows): (u16, u16)) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, columns, rows));
    let (state, transcripts) = (&desk.story.state, &desk.story.transcripts);
    let scene = Scene { state, transcripts, ui: &desk.ui, theme, now: desk.now };
    let area = buf.area;
    super::render(&scene, &Keymap::default(), &mut super::Caches::default(), area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let (mut row, mut skip) = (String::new(), 0);
        for x in buf.area.left()..buf.area.right() {
            let symbol = buf[(x, y)].symbol();
            if skip == 0 {
                row.push_str(symbol);
                skip = width(symbol).max(1);
            }
            skip -= 1;
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

/// The runs of one style, a line a row.
fn styled(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let mut x = 0;
        while x < buf.area.right() {
            let style = buf[(x, y)].style();
            let (from, mut run) = (x, String::new());
            while x < buf.area.right() && buf[(x, y)].style() == style {
                run.push_str(buf[(x, y)].symbol());
                x += 1;
            }
            if !run.trim().is_empty() {
                let colour = style.fg.map_or_else(String::new, |c| c.to_string());
                out.push_str(&format!("{y},{from} {colour} {:?} {:?}\n", style.add_modifier, run.trim_end()));
            }
        }
    }
    out
}

/// Each size as it is drawn there; a first frame tells the model how much room there is.
fn check(name: &str, make: impl Fn() -> Desk) {
    for size in SIZES {
        let mut desk = make();
        desk.ui.size = size;
        drawn(&desk, &Theme::plain(), size);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text(&drawn(&desk, &Theme::plain(), size)));
    }
    let colour = Theme::load_named("midnight");
    insta::assert_snapshot!(format!("{name}_colour"), styled(&drawn(&make(), &colour, (80, 24))));
}

fn clean() -> Desk {
    let mut desk = desk(story::drafted());
    desk.keys("E");
    desk
}

/// Two mistakes: one under a line that wraps, one beside wide letters.
fn broken() -> Desk {
    let mut desk = clean();
    desk.keys("<ctrl-f>needs: [sources, samples]<esc><ctrl-right><ctrl-right><ctrl-right>x");
    desk.keys("<ctrl-home><ctrl-f>解析器<esc><down><end>の曖昧さ");
    desk.keys("<ctrl-f>agent: coder<esc><end>s, or if she has no time at all this week then whoever is free to do it");
    desk.pass(200);
    desk
}

fn finding() -> Desk {
    let mut desk = clean();
    desk.keys("<ctrl-f>approach<enter>");
    desk
}

fn filled() -> Desk {
    let mut desk = desk(story::failed());
    desk.keys("e<end> Name the year of each, and what it was written for.<tab>");
    desk
}

fn mistaken() -> Desk {
    let mut desk = desk(story::drafted());
    desk.keys("cCheck the dates<tab><tab>Are all of them right?<tab><tab><tab><tab><tab>, rnak, sp");
    desk
}

fn dirty() -> Desk {
    let mut desk = desk(story::failed());
    desk.keys("E<ctrl-f>Collect what<enter><esc><ctrl-k>Collect all that was written<ctrl-end><enter>");
    desk.keys("  - id: check<enter>agent: coder<enter>needs: [rank]");
    desk.keys("<enter>prompt: Is it so?<ctrl-s> ");
    desk
}

fn removal() -> Desk {
    let mut desk = desk(story::failed());
    desk.keys("D");
    desk
}

#[test]
fn a_plan_without_mistakes() {
    check("editor", clean);
}

#[test]
fn a_plan_with_mistakes() {
    check("editor_mistakes", broken);
}

#[test]
fn a_search_in_a_plan() {
    check("editor_find", finding);
}

#[test]
fn a_form_of_a_finished_task() {
    check("form", filled);
}

#[test]
fn a_form_of_a_new_task_with_a_mistake() {
    check("form_new", mistaken);
}

#[test]
fn a_preview_of_finished_work() {
    check("preview", dirty);
}

#[test]
fn a_preview_of_a_removal() {
    check("preview_removal", removal);
}

#[test]
fn the_question_before_a_text_is_left() {
    let mut desk = clean();
    desk.keys("x<esc>");
    insta::assert_snapshot!("editor_leave_80x24", text(&drawn(&desk, &Theme::plain(), (80, 24))));
}

#[test]
fn a_plan_without_tasks_says_what_to_write() {
    let mut desk = desk(story::planning());
    desk.tell(Event::PlanEdited(PlanEdited {
        goal: GoalId(1),
        revision: 1,
        author: Author::Baton,
        edits: Vec::new(),
        work: Work::Ordinary,
        repairs: Vec::new(),
        kind: EditKind::New,
    }));
    desk.keys("E");
    insta::assert_snapshot!("editor_empty_80x24", text(&drawn(&desk, &Theme::plain(), (80, 24))));
}

/// The row a mistake stands on is the one under its line, however the line is wrapped.
#[test]
fn a_mistake_stands_under_its_line() {
    for size in SIZES {
        let desk = broken();
        drawn(&desk, &Theme::plain(), size);
        let screen = text(&drawn(&desk, &Theme::plain(), size));
        let rows: Vec<&str> = screen.lines().collect();
        let end = rows.iter().position(|r| r.contains("free to do it")).unwrap();
        assert!(rows[end + 1].contains("✖"), "{screen}");
    }
}

#[test]
fn the_cursor_is_always_in_sight() {
    use ratatui::style::Modifier;
    for size in SIZES {
        let mut desk = broken();
        for keys in
            ["<ctrl-end>", "<pgup>", "<up><up>", "<ctrl-home>", "<pgdn><pgdn>", "<ctrl-f>rank<enter><esc>", "<ctrl-g>"]
        {
            desk.keys(keys);
            let buf = drawn(&desk, &Theme::plain(), size);
            let body = super::body(buf.area);
            let marked = (body.y..body.bottom())
                .any(|y| (0..buf.area.width).any(|x| buf[(x, y)].modifier.contains(Modifier::REVERSED)));
            assert!(marked, "{keys} {size:?}\n{}", text(&buf));
        }
    }
}

#[test]
fn ascii_means_ascii_around_the_words_of_others() {
    let mut theme = Theme::plain();
    theme.glyphs = GlyphSet::Ascii;
    for desk in [clean(), broken(), finding(), filled(), mistaken(), dirty(), removal()] {
        let drawn = text(&drawn(&desk, &theme, (100, 34)));
        let foreign: Vec<char> = drawn.chars().filter(|c| !c.is_ascii() && !c.is_alphabetic()).collect();
        assert!(foreign.is_empty(), "{foreign:?}\n{drawn}");
    }
}

#[test]
fn what_is_added_is_named_by_its_title() {
    let screen = text(&drawn(&dirty(), &Theme::plain(), (120, 40)));
    assert!(screen.contains("Is it so?") && screen.contains("prompt") && screen.contains("runs again"), "{screen}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_size_panics(width in 0u16..220, height in 0u16..70, which in 0usize..7) {
        let desk = [clean, broken, finding, filled, mistaken, dirty, removal][which]();
        drawn(&desk, &Theme::plain(), (width, height));
        drawn(&desk, &Theme::plain(), (width, height));
    }
}
