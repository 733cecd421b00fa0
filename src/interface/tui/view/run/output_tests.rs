//! Outputs in panes: scrolled, searched, selected, folded, asking.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::fixture::{NOW, Story, crowd, drawing, name};
use super::tests::{draw, text, ui};
use super::{RunCaches, selected};
use crate::domain::protocol::{AskedAbout, AttemptId, Channel, Event, GoalId, TaskAsked, TaskId, TurnId};
use crate::interface::tui::action::Action;
use crate::interface::tui::model::{Ui, UiEffect};
use crate::interface::tui::theme::Theme;

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

/// A screen that keys are pressed on.
struct Desk {
    story: Story,
    ui: Ui,
    caches: RunCaches,
    size: (u16, u16),
}

impl Desk {
    fn new(story: Story, size: (u16, u16)) -> Self {
        let mut desk = Self { story, ui: ui(), caches: RunCaches::default(), size };
        desk.draw();
        desk
    }

    fn draw(&mut self) -> Buffer {
        draw(&self.story, &mut self.ui, &mut self.caches, &Theme::plain(), self.size)
    }

    fn press(&mut self, actions: &[Action]) -> Vec<UiEffect> {
        let mut effects = Vec::new();
        for action in actions {
            effects = self.ui.run.update(*action, &self.story.state, NOW);
            self.draw();
        }
        effects
    }

    fn screen(&mut self) -> String {
        text(&self.draw())
    }

    fn selected(&mut self) -> Option<String> {
        self.draw();
        selected(&self.story.state, &self.ui.run, &mut self.caches)
    }

    fn found(&self) -> (usize, usize) {
        self.ui.run.found().map_or((0, 0), |found| (found.nth, found.count))
    }
}

fn turn(attempt: u64) -> TurnId {
    TurnId { attempt: AttemptId(attempt), turn: 1 }
}

/// One stream with so much text.
fn one(answer: &str) -> Story {
    let mut story = crowd(1, 1);
    story.say(NOW, turn(1), Channel::Answer, answer, 1);
    story
}

fn everywhere(name: &str, mut desk: impl FnMut((u16, u16)) -> Desk) {
    for size in SIZES {
        let screen = desk(size).screen();
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), screen);
    }
}

#[test]
fn a_search_at_every_size() {
    everywhere("output_search", |size| {
        let mut desk = Desk::new(drawing(), size);
        desk.press(&[Action::NextPane]);
        desk.ui.run.set_find("the");
        desk.press(&[Action::NextMatch]);
        desk
    });
}

#[test]
fn a_selection_at_every_size() {
    everywhere("output_selection", |size| {
        let mut desk = Desk::new(drawing(), size);
        desk.press(&[Action::NextPane, Action::Range, Action::Up, Action::Up]);
        desk
    });
}

/// The answer so far, then a call, and what came of it.
fn with_calls() -> Story {
    let mut story = drawing();
    let id = TaskId::new(GoalId(1), name("derive"));
    let attempt = story.state.task_by_id(&id).and_then(|task| task.attempts.last().copied()).expect("it runs");
    let turn = TurnId { attempt, turn: 1 };
    let call = r#"{"id":"c1","name":"read_file","arguments":{"path":"samples/heredoc_09.txt","lines":[1,40]}}"#;
    story.say(NOW, turn, Channel::ToolCall, call, 1);
    story.say(NOW, turn, Channel::Answer, "The sample ends without its mark.", 1);
    story
}

#[test]
fn calls_at_every_size() {
    everywhere("output_calls", |size| {
        let mut desk = Desk::new(with_calls(), size);
        desk.press(&[Action::NextPane, Action::Zoom, Action::Right]);
        desk
    });
}

/// A task that asks.
fn asking() -> Story {
    let mut story = drawing();
    let task = TaskId::new(GoalId(1), name("survey"));
    let attempt = story.state.task_by_id(&task).and_then(|task| task.attempts.last().copied()).expect("it runs");
    let question = "Two sources are GPL, nine MIT. Keep the GPL ones?".into();
    let choices = vec!["keep them".into(), "drop them".into()];
    let asked = TaskAsked { task, turn: TurnId { attempt, turn: 1 }, question, choices, about: AskedAbout::Work };
    story.push(NOW, Event::TaskAsked(asked));
    story
}

#[test]
fn a_question_at_every_size() {
    everywhere("output_asking", |size| {
        let mut desk = Desk::new(asking(), size);
        let task = desk.story.state.find(&TaskId::new(GoalId(1), name("survey"))).expect("it is there");
        desk.ui.run.select(task);
        desk.press(&[Action::Zoom]);
        desk
    });
}

#[test]
fn folds_belong_to_their_pane() {
    let mut desk = Desk::new(with_calls(), (120, 40));
    desk.press(&[Action::NextPane, Action::Right]);
    assert!(desk.screen().contains("h folds"));
    let folds: Vec<_> = desk.ui.run.panes.list.iter().flatten().map(|pane| pane.fold.is_some()).collect();
    assert_eq!(folds.iter().filter(|fold| **fold).count(), 1);
    desk.press(&[Action::Left]);
    assert!(!desk.screen().contains("h folds"));
}

#[test]
fn scrolling_up_leaves_follow_counts_what_comes_and_goes_back() {
    let lines: String = (0..200).map(|n| format!("- line {n}\n")).collect();
    let mut desk = Desk::new(one(&lines), (120, 40));
    desk.press(&[Action::NextPane, Action::Up, Action::Up, Action::Up]);
    let before = desk.screen();
    assert!(before.contains("3 more") && !before.contains("line 199"), "{before}");
    desk.story.say(NOW, turn(1), Channel::Answer, "- new one\n- new two\n", 1);
    let after = desk.screen();
    assert!(after.contains("2 new"), "{after}");
    let rows = |screen: &str| screen.lines().filter(|l| l.contains("line 1")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&before), rows(&after), "nothing moves under the eye");
    desk.press(&[Action::Follow]);
    assert!(desk.screen().contains("new two"));
    desk.press(&[Action::First]);
    assert!(desk.screen().contains("line 0"));
}

#[test]
fn a_resize_keeps_the_place() {
    let mut text = String::new();
    for n in 0..400 {
        let _ = write!(text, "Paragraph {n} with enough words that a narrow pane wraps it into several rows.\n\n");
    }
    let mut desk = Desk::new(one(&text), (200, 60));
    desk.press(&[Action::NextPane, Action::Zoom, Action::PageUp, Action::PageUp]);
    let top = |screen: &str| {
        let at = screen.find("Paragraph").expect("there is one");
        screen[at..].split_whitespace().nth(1).map(str::to_owned)
    };
    let before = top(&desk.screen());
    for size in [(80, 24), (60, 20), (200, 60)] {
        desk.size = size;
        assert_eq!(top(&desk.screen()), before, "{size:?}");
    }
}

#[test]
fn matches_are_counted_stepped_through_and_kept_up() {
    let lines: String = (0..300).map(|n| format!("- line {n} of many\n")).collect();
    let mut desk = Desk::new(one(&lines), (120, 40));
    desk.press(&[Action::NextPane]);
    desk.ui.run.set_find("line 29");
    desk.draw();
    assert_eq!(desk.found(), (0, 11));
    desk.press(&[Action::PreviousMatch]);
    assert_eq!(desk.found(), (11, 11), "from the end, where it stood");
    desk.press(&[Action::NextMatch]);
    assert_eq!(desk.found(), (1, 11), "round");
    assert!(desk.screen().contains("line 29 of many"));
    desk.story.say(NOW, turn(1), Channel::Answer, "- LINE 29 again\n", 1);
    desk.draw();
    assert_eq!(desk.found(), (1, 12), "what streams in is searched too");
    desk.ui.run.set_find("nowhere");
    assert!(desk.screen().contains("no match"));
}

#[test]
fn matches_are_lit_without_colour_and_the_current_one_differently() {
    let mut desk = Desk::new(one("alpha beta alpha"), (120, 40));
    desk.press(&[Action::NextPane]);
    desk.ui.run.set_find("alpha");
    desk.press(&[Action::NextMatch]);
    let buf = desk.draw();
    let y = (0..40).find(|y| (60..70).any(|x| buf[(x, *y)].symbol() == "b")).expect("the text is there");
    let x = (0..120).find(|x| buf[(*x, y)].symbol() == "b" && buf[(*x + 1, y)].symbol() == "e").expect("beta");
    let modifiers = [x - 6, x, x + 5].map(|x| buf[(x, y)].modifier);
    assert!(
        modifiers[0] != modifiers[1] && modifiers[1] != modifiers[2] && modifiers[0] != modifiers[2],
        "{modifiers:?}"
    );
}

#[test]
fn what_is_copied_is_the_source() {
    let source = "## Grammar\n\nThe **212** samples need three productions, and 全角の名前 use one lookahead token; that \
                  is a long line which wraps.\n\n- one\n- two";
    let mut desk = Desk::new(one(source), (80, 24));
    desk.press(&[Action::NextPane, Action::Zoom, Action::Range, Action::First]);
    assert_eq!(desk.selected().as_deref(), Some(source));
    assert_eq!(desk.press(&[Action::Copy]), [UiEffect::CopySelection]);
    desk.press(&[Action::Back]);
    assert_eq!(desk.selected(), None);
    desk.press(&[Action::Range]);
    assert_eq!(desk.selected().as_deref(), Some("- two"), "it begins at the last row of a pane that follows");
    desk.press(&[Action::Up]);
    assert_eq!(desk.selected().as_deref(), Some("- one\n- two"));
}

#[test]
fn letters_are_selected_with_the_mouse() {
    let mut desk = Desk::new(one("The **bold** and 全角の名前 words."), (120, 40));
    desk.press(&[Action::NextPane]);
    let buf = desk.draw();
    let find = |sign: &str| {
        (0..40).flat_map(|y| (0..120).map(move |x| (x, y))).find(|at| *at > (60, 0) && buf[*at].symbol() == sign)
    };
    let (from, to) = (find("角").expect("wide"), find("前").expect("wide"));
    desk.ui.run.select_from(0, from.0, from.1);
    desk.ui.run.select_to(0, to.0 + 1, to.1);
    assert_eq!(desk.selected().as_deref(), Some("角の名前"));
    assert!(desk.ui.run.select_end());
    desk.ui.run.select_from(0, from.0, from.1);
    assert!(!desk.ui.run.select_end(), "a click selects nothing");
}

#[test]
fn text_that_comes_leaves_the_other_cells_alone() {
    let mut desk = Desk::new(crowd(4, 4), (120, 40));
    desk.story.chatter(NOW, 4);
    let before = desk.draw();
    desk.story.say(NOW, turn(2), Channel::Answer, "and more ", 1);
    let after = desk.draw();
    let mine = desk.ui.run.areas().panes.get(1).copied().expect("a second pane");
    for y in 0..40 {
        for x in 0..120 {
            let inside = Rect { y: mine.y.saturating_sub(1), height: mine.height + 1, ..mine }.contains((x, y).into());
            assert!(inside || before[(x, y)] == after[(x, y)], "{x} {y}");
        }
    }
}

#[test]
fn a_long_text_is_read_and_searched_in_slices() {
    let lines: String = (0..40_000).map(|n| format!("{n} a line of a log that is long\n")).collect();
    let mut story = crowd(1, 1);
    for piece in lines.as_bytes().chunks(4096) {
        story.say(NOW, turn(1), Channel::Answer, std::str::from_utf8(piece).expect("ascii"), 1);
    }
    let mut desk = Desk::new(story, (120, 40));
    assert!(desk.screen().contains("reading"));
    assert!(desk.ui.run.deadline().is_some(), "it wants another frame");
    while desk.ui.run.deadline().is_some() {
        desk.draw();
    }
    assert!(desk.screen().contains("39999 a line"));
    desk.press(&[Action::NextPane]);
    desk.ui.run.set_find("long");
    while desk.ui.run.deadline().is_some() || desk.found().1 == 0 {
        desk.draw();
    }
    assert_eq!(desk.found().1, 40_000);
}

#[test]
fn an_answer_that_was_thinking_folds_and_is_searched_and_copied_as_such() {
    let mut desk = Desk::new(one("the user wants\na word\n"), (80, 24));
    desk.press(&[Action::NextPane]);
    let before = desk.screen();
    assert!(before.contains("the user wants") && !before.contains("thinking "), "{before}");
    desk.story.push(NOW, Event::TurnRethought { turn: turn(1) });
    let turned = desk.screen();
    // It is what there is, so it stays open until the answer begins.
    assert!(turned.contains("thinking 5 words") && turned.contains("the user wants"), "{turned}");
    desk.story.say(NOW, turn(1), Channel::Answer, "The word is yes.", 4);
    let after = desk.screen();
    assert!(after.contains("thinking 5 words") && after.contains("The word is yes."), "{after}");
    assert!(!after.contains("the user wants"), "it is folded: {after}");
    desk.ui.run.set_find("word");
    desk.press(&[Action::NextMatch]);
    assert_eq!(desk.found(), (1, 1), "what is folded is not searched");
    let text = |channel| desk.story.transcripts.text(AttemptId(1), channel);
    assert!(text(Channel::Answer).ends_with("The word is yes.") && !text(Channel::Answer).contains("user"));
    assert!(text(Channel::Thinking).ends_with("the user wants\na word\n"));
}
