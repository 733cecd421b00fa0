//! The pages at the four sizes, without colour and with; and at any size, without a panic.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::story::{self, Story};
use super::{done, inspector, review, welcome};
use crate::domain::fleet::Nature;
use crate::domain::protocol::{GoalId, Micros};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::discovery::{AskedHost, Discovery, Offer, Search};
use crate::interface::tui::model::inspector::InspectorUi;
use crate::interface::tui::model::{Msg, Screen, Ui};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Slot, Theme};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];
const GOAL: GoalId = GoalId(1);

#[derive(Clone, Copy, Debug)]
enum Page {
    Welcome,
    Review,
    Done,
    Inspector(usize, usize),
}

/// Draws a page below a header of two rows (one when it is low) and above two rows of keys and notices.
fn drawn(page: Page, story: &Story, ui: &mut Ui, theme: &Theme, size: (u16, u16)) -> Buffer {
    let whole = Rect::new(0, 0, size.0, size.1);
    let mut buf = Buffer::empty(whole);
    buf.set_style(whole, theme.style(Slot::Text));
    let head = if size.1 >= 30 { 2 } else { 1 };
    let area = Rect { y: head.min(size.1), height: size.1.saturating_sub(head + 2), ..whole };
    let task = match page {
        Page::Inspector(task, _) => story.state.tasks()[task].id.clone(),
        _ => "g1/none".parse().unwrap(),
    };
    let mut layer = InspectorUi::new(task);
    if let Page::Inspector(_, tabs) = page {
        for _ in 0..tabs {
            layer.update(Action::NextPane, &story.state, story.at);
        }
    }
    ui.screen = match page {
        Page::Welcome => Screen::Welcome,
        Page::Review => Screen::Review(GOAL),
        Page::Done => Screen::Done(GOAL),
        Page::Inspector(..) => Screen::Run,
    };
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme, now: story.at };
    match page {
        Page::Welcome => welcome::render(&scene, area, &mut buf),
        Page::Review => review::render(&scene, area, &mut buf),
        Page::Done => done::render(&scene, area, &mut buf),
        Page::Inspector(..) => inspector::render(&scene, &layer, area, &mut buf),
    }
    buf
}

/// The buffer as text, a line a row.
fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let mut row = String::new();
        let mut skip = 0;
        for x in buf.area.left()..buf.area.right() {
            let symbol = buf[(x, y)].symbol();
            if skip == 0 {
                row.push_str(symbol);
                skip = crate::domain::text::width::width(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

/// The runs of one style, a line a row: where each begins, its text and its style.
fn styled(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let mut x = 0;
        while x < buf.area.right() {
            let style = buf[(x, y)].style();
            let from = x;
            let mut run = String::new();
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

/// The buffer with colours, for a look at it by eye: `BATON_SHOTS=FOLDER cargo test` writes them.
fn ansi(buf: &Buffer) -> String {
    use ratatui::style::{Color, Modifier};
    let colour = |c: Color, ground: u8| match c {
        Color::Rgb(r, g, b) => format!(";{ground}8;2;{r};{g};{b}"),
        _ => String::new(),
    };
    let mut out = String::new();
    let mut at = None;
    for y in buf.area.top()..buf.area.bottom() {
        for x in buf.area.left()..buf.area.right() {
            let cell = &buf[(x, y)];
            let style = (cell.fg, cell.bg, cell.modifier);
            if at != Some(style) {
                at = Some(style);
                out.push_str("\u{1b}[0");
                let marks = [(Modifier::BOLD, ";1"), (Modifier::ITALIC, ";3"), (Modifier::REVERSED, ";7")];
                out.extend(marks.iter().filter(|(m, _)| cell.modifier.contains(*m)).map(|(_, sgr)| *sgr));
                out.push_str(&colour(cell.fg, 3));
                out.push_str(&colour(cell.bg, 4));
                out.push('m');
            }
            let after_wide = x > 0 && crate::domain::text::width::width(buf[(x - 1, y)].symbol()) > 1;
            if !after_wide {
                out.push_str(cell.symbol());
            }
        }
        if y + 1 < buf.area.bottom() {
            out.push_str("\r\n");
        }
    }
    out
}

fn check(name: &str, page: Page, story: &Story, ui: &mut Ui) {
    let plain = Theme::plain();
    for size in SIZES {
        let buf = drawn(page, story, ui, &plain, size);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text(&buf));
    }
    let colour = Theme::load_named("midnight");
    insta::assert_snapshot!(format!("{name}_colour"), styled(&drawn(page, story, ui, &colour, (80, 24))));
    if let Ok(folder) = std::env::var("BATON_SHOTS") {
        for size in SIZES {
            let file = format!("{folder}/{name}_{}x{}.ans", size.0, size.1);
            std::fs::write(file, ansi(&drawn(page, story, ui, &colour, size))).unwrap();
        }
    }
}

#[test]
fn welcome_while_probing() {
    check("welcome_probing", Page::Welcome, &story::opened(Nature::Real), &mut Ui::default());
}

#[test]
fn welcome_with_what_answers() {
    let story = story::probed(Nature::Real);
    let mut ui = Ui::default();
    ui.welcome.input(&Msg::Paste("Which of the two parsers keeps comments?".into()), &story.state, story.at);
    check("welcome_probed", Page::Welcome, &story, &mut ui);
}

#[test]
fn welcome_on_the_simulated_fleet() {
    let story = story::probed(Nature::Simulated);
    let mut ui = Ui::default();
    ui.welcome.update(Action::Down, &story.state, story.at);
    check("welcome_simulated", Page::Welcome, &story, &mut ui);
}

/// Three machines, of which one has answered, one is asked, one is off.
fn hosts() -> Vec<AskedHost> {
    let host = |name: &str, asked, found: &[&str]| AskedHost {
        name: CleanText::new(name),
        asked,
        of: 10,
        found: found.iter().map(|words| CleanText::new(words)).collect(),
    };
    vec![
        host("this machine", 10, &["llama.cpp kitty-q4", "Ollama gpt-oss:120b + qwen3:8b"]),
        host("mac-studio.local", 7, &[]),
        host("192.168.178.201", 10, &[]),
    ]
}

#[test]
fn welcome_while_machines_are_asked() {
    let mut ui = Ui::default();
    ui.discovery = Discovery { search: Search::Asking, hosts: hosts(), ..Discovery::default() };
    check("welcome_asking", Page::Welcome, &Story::default(), &mut ui);
}

#[test]
fn welcome_offers_to_keep_what_was_found() {
    let mut ui = Ui::default();
    ui.discovery = Discovery { search: Search::Over, hosts: hosts(), offer: Offer::Open };
    ui.welcome.update(Action::NextPane, &State::default(), Micros(0));
    check("welcome_found", Page::Welcome, &story::probed(Nature::Real), &mut ui);
}

#[test]
fn review_of_a_mended_plan() {
    check("review", Page::Review, &story::drafted(), &mut Ui::default());
}

#[test]
fn review_of_forty_tasks_far_down() {
    let story = story::forty();
    let mut ui = Ui::default();
    for _ in 0..27 {
        ui.review.update(GOAL, Action::Down, &story.state, story.at);
    }
    check("review_forty", Page::Review, &story, &mut ui);
}

#[test]
fn review_before_there_is_a_plan() {
    let buf = drawn(Page::Review, &story::planning(), &mut Ui::default(), &Theme::plain(), (80, 24));
    assert!(text(&buf).contains("A model is making the plan"));
}

#[test]
fn done_with_an_answer() {
    check("done", Page::Done, &story::done(), &mut Ui::default());
}

#[test]
fn done_without_one() {
    check("done_failed", Page::Done, &story::failed(), &mut Ui::default());
    check("done_cancelled", Page::Done, &story::cancelled(), &mut Ui::default());
}

#[test]
fn inspector_section_by_section() {
    let failed = story::failed();
    // From its first section, the output, on: thinking, prompt, why, attempts.
    check("inspector_prompt", Page::Inspector(1, 0), &failed, &mut Ui::default());
    check("inspector_why", Page::Inspector(1, 1), &failed, &mut Ui::default());
    check("inspector_attempts", Page::Inspector(1, 2), &failed, &mut Ui::default());
    check("inspector_output", Page::Inspector(7, 0), &story::done(), &mut Ui::default());
}

#[test]
fn no_escape_reaches_the_screen() {
    let buf = drawn(Page::Done, &story::done(), &mut Ui::default(), &Theme::plain(), (120, 40));
    assert!(buf.content.iter().all(|c| !c.symbol().contains('\u{1b}')));
    assert!(text(&buf).contains("three productions"));
}

#[test]
fn ascii_means_ascii_around_the_words_of_others() {
    let mut theme = Theme::plain();
    theme.glyphs = GlyphSet::Ascii;
    for page in [Page::Welcome, Page::Review, Page::Done, Page::Inspector(1, 1)] {
        let story = if matches!(page, Page::Done) { story::done() } else { story::failed() };
        let drawn = text(&drawn(page, &story, &mut Ui::default(), &theme, (100, 34)));
        let foreign: Vec<char> = drawn.chars().filter(|c| !c.is_ascii() && !c.is_alphabetic()).collect();
        assert!(foreign.is_empty(), "{page:?}: {foreign:?}\n{drawn}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_size_panics(width in 0u16..220, height in 0u16..70, which in 0usize..9) {
        let (page, story) = match which {
            0 => (Page::Welcome, story::opened(Nature::Real)),
            1 => (Page::Welcome, story::probed(Nature::Simulated)),
            2 => (Page::Review, story::drafted()),
            3 => (Page::Review, story::forty()),
            4 => (Page::Done, story::done()),
            5 => (Page::Done, story::failed()),
            n => (Page::Inspector(1, n - 5), story::failed()),
        };
        drawn(page, &story, &mut Ui::default(), &Theme::plain(), (width, height));
    }
}
