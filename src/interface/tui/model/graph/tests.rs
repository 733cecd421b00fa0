//! The Graph screen's model: what moves and what stays, over a session of records.

use ratatui::layout::Rect;

use super::{Form, GraphUi};
use crate::domain::graph::{Content, NodeIx};
use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{Command, Level, Micros};
use crate::domain::state::State;
use crate::interface::tui::action::{Action, Context};
use crate::interface::tui::model::{Layer, Msg, Screen, Ui, UiEffect};
use crate::interface::tui::view::run::fixture::{NOW, Story, agent, endpoint, name};

const AREA: Rect = Rect::new(0, 2, 120, 36);

fn spec(id: String, title: String, needs: &[String]) -> TaskSpec {
    let mut spec = TaskSpec::new(name(&id), name("worker"), title.clone());
    spec.title = Some(title);
    spec.needs = needs.iter().map(|n| name(n)).collect();
    spec
}

fn story(specs: Vec<TaskSpec>) -> Story {
    let endpoints = vec![endpoint("mini", "mini 1B", "small", 16, 8.0, 41.0)];
    let mut story = Story::start(Micros(0), endpoints, vec![agent("worker", "small", Level::Medium)]);
    story.goal(Micros(0), 1, specs);
    story
}

/// `first` feeds five twins, which feed `last`.
fn twins() -> Story {
    let mut specs = vec![spec("first".into(), "Say what is read".into(), &[])];
    let reads: Vec<String> = (1..=5).map(|i| format!("r{i}")).collect();
    specs.extend(reads.iter().enumerate().map(|(i, r)| spec(r.clone(), format!("Read part {i}"), &["first".into()])));
    specs.push(spec("last".into(), "Sum it up".into(), &reads));
    story(specs)
}

fn many(n: usize) -> Story {
    let needs = |i: usize| -> Vec<String> {
        [i.checked_sub(40), i.checked_sub(41 + i % 7)].into_iter().flatten().map(|n| format!("t{n}")).collect()
    };
    let verb = |i: usize| ["Read", "Check", "Draw", "Port", "Test"][i % 5];
    story((0..n).map(|i| spec(format!("t{i}"), format!("{} the part {i}", verb(i)), &needs(i))).collect())
}

fn ready(story: &Story) -> GraphUi {
    let mut ui = GraphUi::default();
    ui.tick(&story.state, NOW, AREA);
    ui
}

fn act(ui: &mut GraphUi, state: &State, actions: &[Action]) {
    for action in actions {
        let _ = ui.update(*action, state, NOW);
        ui.tick(state, NOW, AREA);
    }
}

fn title(ui: &GraphUi, state: &State) -> String {
    match ui.selected().and_then(|n| ui.content(n)) {
        Some(Content::Task(ix)) => state.task(ix).title.to_string(),
        Some(Content::Twins(g)) => format!("{} x{}", ui.plot().twins()[g].stem, ui.plot().members(g).len()),
        None => String::new(),
    }
}

#[test]
fn twins_open_and_close_and_the_selection_stays_with_its_task() {
    let story = twins();
    let state = &story.state;
    let mut ui = ready(&story);
    assert_eq!((ui.dag().len(), title(&ui, state)), (3, "Say what is read".into()));
    act(&mut ui, state, &[Action::Right]);
    assert_eq!((title(&ui, state), ui.selected_task()), ("Read part x5".into(), None));
    act(&mut ui, state, &[Action::Enter]);
    assert_eq!((ui.dag().len(), title(&ui, state)), (7, "Read part 0".into()));
    act(&mut ui, state, &[Action::Down, Action::Down]);
    assert_eq!(title(&ui, state), "Read part 2");
    assert!(ui.back(), "what is open closes before the screen is left");
    ui.tick(state, NOW, AREA);
    assert_eq!((ui.dag().len(), title(&ui, state)), (3, "Read part x5".into()));
    let third = ui.task().map(|t| state.task(t).title.to_string());
    assert_eq!(third.as_deref(), Some("Read part 2"));
    assert!(!ui.back());
}

#[test]
fn nothing_moves_and_nothing_is_laid_out_anew_when_statuses_change() {
    for form in [Form::Drawing, Form::Rails, Form::Near] {
        let mut story = twins();
        let mut ui = ready(&story);
        while ui.form() != form {
            act(&mut ui, &story.state, &[Action::Order]);
        }
        let seen = |ui: &GraphUi| {
            let layout = ui.drawn_layout().map(|l| l.layers().as_ptr());
            (layout, ui.rails().map(|r| r.rows().as_ptr()), ui.dag().order().as_ptr(), ui.board().clone(), ui.top())
        };
        let before = seen(&ui);
        let turn = story.begin(NOW, "first", "mini", 0);
        ui.tick(&story.state, NOW, AREA);
        assert_eq!(seen(&ui), before, "{form:?}");
        story.finish(NOW.plus(Micros::from_secs(9)), turn, "first");
        ui.tick(&story.state, NOW.plus(Micros::from_secs(10)), AREA);
        assert_eq!(seen(&ui), before, "{form:?}");
        assert_eq!(ui.standing().layers()[0].done, 1);
    }
}

#[test]
fn ten_thousand_scroll_and_filter_on_one_list() {
    let story = many(10_000);
    let state = &story.state;
    let mut ui = ready(&story);
    assert_eq!((ui.form(), ui.row_count()), (Form::Rails, 10_000));
    let list = ui.rails().map(|r| r.rows().as_ptr());
    act(&mut ui, state, &[Action::PageDown, Action::Last, Action::PageUp, Action::First, Action::Last]);
    assert_eq!((ui.rails().map(|r| r.rows().as_ptr()), ui.top()), (list, 10_000 - usize::from(ui.area.height)));
    act(&mut ui, state, &[Action::Search]);
    let letters = ui.input(&Msg::Paste("the part 99".into()), state, NOW);
    assert!(letters.is_empty());
    ui.tick(state, NOW, AREA);
    assert!((111..1000).contains(&ui.row_count()), "{} are left", ui.row_count());
    assert!(title(&ui, state).contains("99"), "the selection is among those that are left");
    act(&mut ui, state, &[Action::Enter, Action::Down]);
    assert!(ui.back());
    ui.tick(state, NOW, AREA);
    assert_eq!(ui.rails().map(|r| r.rows().as_ptr()), list);
    // The drawing is not for so many.
    act(&mut ui, state, &[Action::Order, Action::Order]);
    assert_eq!(ui.form(), Form::Rails);
}

#[test]
fn the_neighbourhood_stays_until_it_is_moved() {
    let story = many(300);
    let state = &story.state;
    let mut ui = ready(&story);
    act(&mut ui, state, &[Action::PageDown, Action::PageDown, Action::Zoom]);
    let centre = ui.centre();
    assert_eq!((ui.form(), centre), (Form::Near, ui.task()));
    act(&mut ui, state, &[Action::Left]);
    assert_eq!((ui.form(), ui.centre()), (Form::Near, centre));
    assert_ne!(ui.task(), centre);
    act(&mut ui, state, &[Action::Zoom]);
    assert_eq!(ui.centre(), ui.task());
    act(&mut ui, state, &[Action::Zoom]);
    assert_eq!(ui.form(), Form::Rails);
}

#[test]
fn moves_follow_lines() {
    let story = story(
        [("a", vec![]), ("b", vec![]), ("c", vec!["b"]), ("d", vec!["a", "c"])]
            .into_iter()
            .map(|(id, needs)| spec(id.into(), id.into(), &needs.into_iter().map(String::from).collect::<Vec<_>>()))
            .collect(),
    );
    let mut ui = ready(&story);
    let mut walk = |action| {
        act(&mut ui, &story.state, &[action]);
        title(&ui, &story.state)
    };
    let seen: Vec<String> =
        [Action::Last, Action::Right, Action::Right, Action::Left, Action::Left].map(&mut walk).to_vec();
    assert_eq!(seen, ["b", "c", "d", "c", "b"]);
}

#[test]
fn verbs_act_on_the_selected_task() {
    let story = twins();
    let state = &story.state;
    let mut ui = ready(&story);
    let first = state.tasks()[0].id.clone();
    assert_eq!(ui.update(Action::Hold, state, NOW), [UiEffect::Send(Command::Hold(first))]);
    assert!(matches!(&ui.update(Action::Retry, state, NOW)[..], [UiEffect::Notice(_)]), "it has not run yet");
    assert!(
        matches!(&ui.update(Action::Enter, state, NOW)[..], [UiEffect::Open(l)] if matches!(**l, Layer::Inspector(_)))
    );
}

#[test]
fn run_and_graph_select_the_same_task() {
    let story = twins();
    let state = &story.state;
    let mut ui = Ui { screen: Screen::Run, ..Ui::default() };
    let last = state.tasks().len() as u32 - 1;
    ui.run.tick(state, NOW, AREA);
    ui.run.select(crate::domain::state::TaskIx(last));
    let _ = ui.update(Msg::Action(Action::Screen(2)), state, NOW);
    ui.graph.tick(state, NOW, AREA);
    assert_eq!((ui.screen, title(&ui.graph, state)), (Screen::Graph, "Sum it up".into()));
    let _ = ui.update(Msg::Action(Action::Left), state, NOW);
    let _ = ui.update(Msg::Action(Action::Left), state, NOW);
    assert_eq!(
        ui.contexts(state),
        [Context::Task, Context::List, Context::Session, Context::Time, Context::Everywhere]
    );
    let _ = ui.update(Msg::Action(Action::Back), state, NOW);
    assert_eq!((ui.screen, ui.run.selected().map(|t| t.0)), (Screen::Run, Some(0)));
}

#[test]
fn an_edit_that_removes_what_is_open_or_selected_is_survived() {
    use crate::domain::plan::PlanEdit;
    use crate::domain::protocol::{Author, EditKind, Event, GoalId, PlanEdited, Work};
    let mut story = twins();
    let mut ui = ready(&story);
    act(&mut ui, &story.state, &[Action::Right, Action::Enter, Action::Zoom]);
    let edits = ["r1", "r2", "r3"].map(|r| PlanEdit::Remove(name(r))).to_vec();
    story.push(
        NOW,
        Event::PlanEdited(PlanEdited {
            goal: GoalId(1),
            revision: 2,
            author: Author::Baton,
            edits,
            work: Work::Ordinary,
            repairs: Vec::new(),
            kind: EditKind::New,
        }),
    );
    ui.tick(&story.state, NOW, AREA);
    assert_eq!((ui.dag().len(), ui.selected().is_some()), (4, true));
    assert!(ui.dag().nodes().all(|n: NodeIx| ui.content(n).is_some()));
}

#[test]
fn a_verb_on_folded_twins_asks_for_all_of_them() {
    let story = twins();
    let mut ui = ready(&story);
    act(&mut ui, &story.state, &[Action::Right]);
    let group = ui.selected().and_then(|n| ui.content(n));
    assert!(matches!(group, Some(Content::Twins(_))), "{group:?}");
    for (verb, title) in [(Action::Stop, "Stop 5 tasks"), (Action::Hold, "Hold 5 tasks")] {
        let effects = ui.update(verb, &story.state, NOW);
        let [UiEffect::Open(layer)] = &effects[..] else { panic!("{effects:?}") };
        assert!(matches!(&**layer, Layer::Card(card) if card.title == *title), "{layer:?}");
    }
    // Nothing of it has ended, and what has no plural says that it wants one task.
    for verb in [Action::Retry, Action::EditTask, Action::Mark, Action::Range, Action::Pin] {
        assert!(matches!(ui.update(verb, &story.state, NOW)[..], [UiEffect::Notice(_)]), "{verb:?}");
    }
}
