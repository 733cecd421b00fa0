//! A result that was put in by hand, on every screen: whose it is, and no endpoint that wrote it, no time that it took.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::story::{self, Story};
use super::{Caches, body, events, render};
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::inspector::InspectorUi;
use crate::interface::tui::model::{Layer, Msg, Screen, Ui};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Theme;

fn drawn(ui: &mut Ui, story: &Story) -> String {
    let area = Rect::new(0, 0, 200, 60);
    let (mut buf, body) = (Buffer::empty(area), body(area));
    ui.size = (area.width, area.height);
    ui.run.tick(&story.state, story.at, body);
    ui.graph.tick(&story.state, story.at, body);
    ui.events.tick(story.transcripts.log(), &story.state, story.at, events::height(body));
    let theme = Theme::plain();
    let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme: &theme, now: story.at };
    let drawn = render(&scene, &Keymap::default(), &mut Caches::default(), area, &mut buf);
    if ui.screen == Screen::Run {
        ui.run.drawn(drawn);
    }
    let row = |y| (0..area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..area.height).map(row).collect::<Vec<_>>().join("\n")
}

/// One task that was never tried, and one that was: their results are put in.
fn put_in() -> Story {
    let mut story = story::asking(&["yes"]);
    story.put_in("samples", "Forty samples, from the old corpus.");
    story.put_in("jp", "曖昧さはない。");
    story.wait(3);
    story
}

#[test]
fn no_screen_says_that_a_model_wrote_it() {
    let story = put_in();
    let samples = story.state.find(&"g1/samples".parse().unwrap()).unwrap();
    let id = story.state.task(samples).id.clone();
    let mut ui = Ui::default();
    ui.screen = Screen::Run;
    drawn(&mut ui, &story);
    // Its row is folded away; its pane is not.
    while ui.run.selected() != Some(samples) {
        ui.update(Msg::Action(Action::NextPane), &story.state, story.at);
    }
    let run = drawn(&mut ui, &story);
    assert!(run.contains("2 by ada · put in by hand"), "{run}");
    assert!(run.contains("by ada · done"), "the pane says whose it is:\n{run}");
    for section in 0..3 {
        let mut inspector = InspectorUi::new(id.clone());
        (0..section).for_each(|_| drop(inspector.update(Action::NextPane, &story.state, story.at)));
        ui.layers = vec![Layer::Inspector(inspector)];
        let shown = drawn(&mut ui, &story);
        assert!(shown.contains("by ada") && !shown.contains(" 0s"), "{shown}");
    }
    ui.layers = vec![Layer::Inspector(InspectorUi::comparing(id))];
    let compared = drawn(&mut ui, &story);
    assert!(compared.contains("against attempt 2 by ada"), "{compared}");
}

#[test]
fn the_journal_and_its_spans_name_no_endpoint_for_it() {
    let story = put_in();
    let mut ui = Ui::default();
    ui.screen = Screen::Events;
    drawn(&mut ui, &story);
    ui.update(Msg::Action(Action::Order), &story.state, story.at);
    let spans = drawn(&mut ui, &story);
    assert!(spans.contains("by ada") && spans.contains("put in by hand"), "{spans}");
    assert!(!spans.contains("turn 1"), "it had no turn with a model:\n{spans}");
    let log = story.transcripts.log();
    let edited = (log.first()..log.end()).filter_map(|s| log.get(s)).rfind(|e| e.name() == "task.result_edited");
    let about = edited.unwrap().about(&story.state);
    assert_eq!(about.endpoint, None, "endpoint:… does not find it");
    assert!(about.task.is_some());
}
