//! Editing as it is typed.

use super::super::editor::{EditorUi, Gravity};
use super::super::form::FormUi;
use super::super::form::fields::Field;
use super::desk::Desk;
use super::*;
use crate::domain::plan::{Priority, parse};
use crate::domain::protocol::{Author, EditKind, Name, PlanEdited};
use crate::interface::tui::view::story;

const GOAL: GoalId = GoalId(1);

fn review() -> Desk {
    Desk::new(story::drafted(), Screen::Review(GOAL))
}

fn editor(desk: &Desk) -> &EditorUi {
    match desk.ui.layers.last() {
        Some(Layer::Editor(editor)) => editor,
        _ => panic!("{}: {}", top(desk), desk.notice()),
    }
}

fn form(desk: &Desk) -> &FormUi {
    match desk.ui.layers.last() {
        Some(Layer::Form(form)) => form,
        _ => panic!("{}: {}", top(desk), desk.notice()),
    }
}

fn preview(desk: &Desk) -> &PreviewUi {
    match desk.ui.layers.last() {
        Some(Layer::Preview(preview)) => preview,
        _ => panic!("{}: {}", top(desk), desk.notice()),
    }
}

fn top(desk: &Desk) -> &'static str {
    match desk.ui.layers.last() {
        None => "none",
        Some(Layer::Editor(_)) => "editor",
        Some(Layer::Form(_)) => "form",
        Some(Layer::Preview(_)) => "preview",
        Some(Layer::Card(_)) => "card",
        Some(_) => "other",
    }
}

fn edits(desk: &Desk) -> Vec<PlanEdit> {
    match desk.sent().last() {
        Some(Command::EditPlan { edits, .. }) => edits.clone(),
        other => panic!("{other:?}: {}", desk.notice()),
    }
}

/// What the session answers when it takes the last edit.
fn accepted(desk: &mut Desk, revision: u32) {
    let what = CleanText::from(desk.sent().last().unwrap().to_string());
    let author = Author::Person("you".into());
    let edits = edits(desk);
    let id = Name::slug("c1");
    desk.tell(Event::CommandAccepted { id, author: author.clone(), what });
    desk.tell(Event::PlanEdited(PlanEdited {
        goal: GOAL,
        revision,
        author,
        edits,
        work: crate::domain::protocol::Work::Ordinary,
        repairs: Vec::new(),
        kind: EditKind::New,
    }));
}

fn refused(desk: &mut Desk, reason: &str) {
    let what = CleanText::from(desk.sent().last().unwrap().to_string());
    desk.tell(Event::CommandRefused {
        id: Name::slug("c1"),
        author: Author::Person("you".into()),
        what,
        reason: reason.into(),
    });
}

#[test]
fn a_plan_is_opened_changed_looked_at_and_sent() {
    let mut desk = review();
    desk.keys("E");
    assert!(parse(&desk.text(), "p").is_ok());
    desk.keys("<ctrl-f>samples<enter><esc>");
    assert!(editor(&desk).find.is_none());
    desk.keys("<ctrl-f>Write forty<esc><ctrl-right><ctrl-right><ctrl-w>sixty ");
    assert!(editor(&desk).is_changed());
    desk.keys("<ctrl-s>");
    assert_eq!(preview(&desk).preview.changed.len(), 1);
    assert!(desk.sent().is_empty());
    desk.keys("<enter>");
    assert_eq!(top(&desk), "none");
    let [PlanEdit::Replace(spec)] = &edits(&desk)[..] else { panic!("{:?}", edits(&desk)) };
    assert_eq!(spec.id.as_str(), "samples");
    assert!(spec.title.as_deref().is_some_and(|t| t.contains("sixty")), "{spec:?}");
    accepted(&mut desk, 2);
    assert!(desk.notice().contains("1 changed; u undoes it"), "{}", desk.notice());
}

#[test]
fn an_unchanged_text_closes_without_a_word_sent() {
    let mut desk = review();
    desk.keys("Ex<backspace><esc>");
    assert_eq!(top(&desk), "none");
    desk.keys("E<ctrl-s>");
    assert_eq!((top(&desk), desk.sent().len()), ("none", 0));
    assert!(desk.notice().contains("nothing was changed"));
}

#[test]
fn undo_gives_the_plan_back_to_the_byte() {
    let mut desk = review();
    desk.keys("E");
    let before = desk.text();
    desk.keys("<down><down>some words <enter>and more<ctrl-k><tab>").paste("a: 1\nb: 2\n").keys("<ctrl-w><delete>");
    assert_ne!(desk.text(), before);
    desk.keys(&"<ctrl-/>".repeat(20));
    assert_eq!(desk.text(), before);
    desk.keys(&"<ctrl-y>".repeat(20));
    assert_ne!(desk.text(), before);
}

#[test]
fn mistakes_are_told_when_typing_pauses_and_move_with_their_lines() {
    let mut desk = review();
    desk.keys("E<ctrl-f>needs: [sources, samples]<esc><ctrl-right><ctrl-right><ctrl-right>x");
    assert!(editor(&desk).problems().is_empty());
    desk.pass(100);
    assert!(editor(&desk).problems().is_empty());
    desk.pass(100);
    let problem = editor(&desk).problems()[0].clone();
    assert_eq!(problem.at.line, editor(&desk).text.cursor().line);
    assert!(problem.what.contains("xsources"), "{problem:?}");
    assert!(problem.mend.contains("did you mean sources?"), "{problem:?}");
    // A line more above it: it stands under its own still.
    desk.keys("<ctrl-home><enter>");
    assert_eq!(editor(&desk).problems()[0].at.line, problem.at.line + 1);
    desk.keys("<ctrl-s>");
    assert_eq!(top(&desk), "editor");
    assert_eq!(editor(&desk).text.cursor().line, problem.at.line + 1);
    desk.keys("<ctrl-home><ctrl-g>");
    assert_eq!(editor(&desk).text.cursor(), editor(&desk).problems()[0].at);
}

#[test]
fn a_text_that_yaml_cuts_is_told_and_can_be_accepted() {
    let mut desk = review();
    desk.keys("E<ctrl-f>title:<esc><end> as in issue #42 of ours").pass(200);
    let problem = editor(&desk).problems()[0].clone();
    assert_eq!(problem.gravity, Gravity::Warning, "{problem:?}");
    assert!(problem.what.contains("#42 of ours") && problem.what.contains("comment"), "{problem:?}");
    desk.keys("<ctrl-s>");
    assert!(format!("{:?}", preview(&desk)).contains("“#42 of ours” is a comment"), "{:?}", preview(&desk));
}

#[test]
fn a_circle_is_named_in_the_text() {
    let mut desk = review();
    desk.keys("E<ctrl-f>id: sources<esc><end><enter>needs: [[rank]").pass(200);
    let problems = editor(&desk).problems();
    assert!(!problems.is_empty());
    desk.keys("<ctrl-w><ctrl-w><ctrl-w><ctrl-w>[rank]").pass(200);
    let problems = editor(&desk).problems();
    assert!(
        problems.iter().any(|p| p.what.contains("circle") && p.what.contains("rank")),
        "{problems:?}\n{}",
        desk.text()
    );
}

#[test]
fn escape_asks_before_changed_text_goes_and_a_draft_comes_back() {
    let mut desk = review();
    desk.keys("E# mine <esc>");
    assert_eq!(top(&desk), "card");
    desk.keys("<enter>");
    assert!(desk.text().starts_with("# mine"));
    desk.keys("<esc>d");
    assert_eq!(top(&desk), "none");
    desk.keys("E");
    assert!(desk.text().starts_with("# mine") && editor(&desk).is_changed());
    desk.keys("<esc>t");
    assert_eq!(top(&desk), "none");
    desk.keys("E");
    assert!(!desk.text().starts_with("# mine"));
    // Neither leaving nor a new goal throws a text away.
    desk.keys("# mine <ctrl-c>");
    assert_eq!(top(&desk), "card");
    desk.keys("<esc><ctrl-n>");
    assert_eq!(top(&desk), "editor");
    assert!(desk.text().starts_with("# mine"));
}

#[test]
fn a_paste_is_text_and_one_step() {
    let mut desk = review();
    desk.keys("E<ctrl-end>");
    let before = desk.text();
    desk.paste(&"q: x\n".repeat(10_000));
    assert_eq!(editor(&desk).text.lines().len(), before.lines().count() + 10_001);
    desk.keys("<ctrl-/>");
    assert_eq!(desk.text(), before);
}

#[test]
fn a_refused_edit_is_open_again_and_lies_over_what_changed_meanwhile() {
    let mut desk = review();
    desk.keys("E<ctrl-f>Write forty<esc><ctrl-k>Write sixty files<ctrl-s><enter>");
    assert_eq!(top(&desk), "none");
    // Somebody else was quicker.
    let mut other = (*desk.story.state.task(desk.task("speed")).spec).clone();
    other.priority = Priority::High;
    desk.tell(Event::PlanEdited(PlanEdited {
        goal: GOAL,
        revision: 2,
        author: Author::Person("maria".into()),
        edits: vec![PlanEdit::Replace(Box::new(other.clone()))],
        work: crate::domain::protocol::Work::Ordinary,
        repairs: Vec::new(),
        kind: EditKind::New,
    }));
    refused(&mut desk, "the plan is at revision 2, not 1");
    assert!(desk.text().contains("Write sixty files"));
    assert!(desk.notice().contains("open again"), "{}", desk.notice());
    desk.keys("<ctrl-s>");
    let said = format!("{:?}", preview(&desk).rows());
    assert!(said.contains("Changed by others meanwhile: speed") && said.contains("did not touch"), "{said}");
    desk.keys("<enter>");
    assert!(matches!(desk.sent().last(), Some(Command::EditPlan { if_revision: 2, edits, .. }) if edits.len() == 1));
}

#[test]
fn what_leaves_for_another_editor_comes_back_with_its_mistakes() {
    let mut desk = review();
    desk.keys("E<ctrl-o>");
    let Some(UiEffect::ExternalEditor { text, .. }) = desk.out.last().cloned() else { panic!("{:?}", desk.out) };
    let broken = text.replacen("agent: coder", "agent: codre", 1);
    desk.ui.edited_outside(&broken, &desk.story.state);
    assert_eq!(desk.text(), broken);
    assert!(editor(&desk).problems()[0].mend.contains("did you mean coder?"));
    assert_eq!(editor(&desk).text.cursor().line, editor(&desk).problems()[0].at.line);
    desk.keys("<ctrl-/>");
    assert_eq!(desk.text(), text);
}

#[test]
fn what_was_given_with_the_goal_is_not_changed_in_silence() {
    let mut desk = review();
    desk.keys("E<ctrl-f>goal: <esc><ctrl-right><ctrl-right>Not <ctrl-s>");
    assert_eq!(top(&desk), "editor");
    assert!(editor(&desk).problems()[0].what.contains("`goal`"), "{:?}", editor(&desk).problems());
}

#[test]
fn finished_work_is_looked_at_and_chosen_to_run_again() {
    let mut desk = Desk::new(story::failed(), Screen::Review(GOAL));
    desk.ui.review.update(GOAL, Action::First, &desk.story.state, desk.now);
    desk.keys("e");
    let task = form(&desk).task().name;
    assert_eq!(task.as_str(), "sources");
    desk.keys("<end> Name each.<ctrl-s>");
    assert!(preview(&desk).preview.dirty.contains(&task), "{:?}", preview(&desk).preview);
    assert!(!preview(&desk).is_chosen(&task));
    let (tasks, _) = preview(&desk).cost();
    desk.keys("<space>");
    assert!(preview(&desk).is_chosen(&task));
    assert!(preview(&desk).cost().0 > tasks);
    desk.keys("<enter>");
    assert!(matches!(desk.sent().last(), Some(Command::EditPlan { rerun, .. }) if *rerun == [task]));
}

#[test]
fn all_that_is_out_of_date_is_chosen_at_once() {
    let mut desk = Desk::new(story::done(), Screen::Review(GOAL));
    desk.keys("e<end> Name each.<ctrl-s>a");
    let all = preview(&desk).preview.dirty.clone();
    assert!(all.len() > 1 && all.iter().all(|n| preview(&desk).is_chosen(n)), "{all:?}");
    desk.keys("a");
    assert!(!all.iter().any(|n| preview(&desk).is_chosen(n)));
    desk.keys("a<enter>");
    assert!(matches!(desk.sent().last(), Some(Command::EditPlan { rerun, .. }) if rerun.len() == all.len()));
}

#[test]
fn enter_meant_for_the_text_applies_nothing() {
    let mut desk = review();
    desk.keys("D");
    assert_eq!(top(&desk), "preview");
    desk.press("enter".parse::<crate::interface::tui::action::Key>().unwrap().event());
    assert_eq!((top(&desk), desk.sent().len()), ("preview", 0));
    desk.keys("<esc>");
    assert_eq!((top(&desk), desk.sent().len()), ("none", 0));
}

#[test]
fn a_form_changes_one_task_and_says_what_it_did() {
    let mut desk = review();
    desk.keys("e");
    assert_eq!(form(&desk).focus(), Field::Prompt);
    desk.keys("<end> And dates.<enter>One a line.<tab>");
    assert_eq!(form(&desk).focus(), Field::Agent);
    desk.keys("<right><tab><right><right><tab><right><tab>groundwork<ctrl-s>");
    let [PlanEdit::Replace(spec)] = &edits(&desk)[..] else { panic!("{}", desk.notice()) };
    assert!(spec.prompt.ends_with("And dates.\nOne a line."), "{}", spec.prompt);
    assert_eq!((spec.agent.as_str(), spec.phase.as_deref()), ("reasoner", Some("groundwork")));
    assert_eq!((spec.level, spec.priority), (Some(crate::domain::protocol::Level::Medium), Priority::High));
    accepted(&mut desk, 2);
    assert!(desk.notice().contains("prompt") && desk.notice().contains("u undoes it"), "{}", desk.notice());
}

#[test]
fn needs_are_completed_and_their_mistakes_named_while_typing() {
    let mut desk = review();
    desk.keys("e<tab><tab><tab><tab><tab>");
    assert_eq!(form(&desk).focus(), Field::Needs);
    desk.keys("forty");
    assert_eq!(form(&desk).candidates(&desk.story.state)[0].0.as_str(), "samples");
    desk.keys("<tab>");
    assert_eq!(form(&desk).text(Field::Needs).unwrap().text(), "samples");
    desk.keys(", sampels");
    let words = form(&desk).problem(Field::Needs).unwrap();
    assert!(words.contains("there is no task sampels") && words.contains("did you mean samples?"), "{words}");
    desk.keys("<ctrl-w>rank");
    let words = form(&desk).problem(Field::Needs).unwrap();
    assert!(words.contains("sources → rank →") && words.contains("→ sources"), "{words}");
    desk.keys("<ctrl-s>");
    assert_eq!((top(&desk), form(&desk).focus(), desk.sent().len()), ("form", Field::Needs, 0));
}

#[test]
fn a_new_task_needs_the_one_it_comes_after() {
    let mut desk = review();
    desk.keys("cCheck the dates<tab>");
    assert_eq!(form(&desk).text(Field::Id).unwrap().text(), "check-the-dates");
    desk.keys("<ctrl-s>");
    assert!(form(&desk).problem(Field::Prompt).is_some());
    desk.keys("Are they right?<ctrl-s>");
    let [PlanEdit::Add(spec)] = &edits(&desk)[..] else { panic!("{}", desk.notice()) };
    assert_eq!((spec.id.as_str(), &*spec.title()), ("check-the-dates", "Check the dates"));
    assert_eq!(spec.needs, [Name::slug("sources")]);
    accepted(&mut desk, 2);
    desk.keys("cCheck the dates");
    assert_eq!(form(&desk).text(Field::Id).unwrap().text(), "check-the-dates-2");
}

#[test]
fn what_others_changed_in_a_task_stays_unless_the_form_touched_it() {
    let mut desk = review();
    desk.keys("e<end> More.");
    let mut other = (*desk.story.state.task(desk.task("sources")).spec).clone();
    other.phase = Some("theirs".into());
    desk.tell(Event::PlanEdited(PlanEdited {
        goal: GOAL,
        revision: 2,
        author: Author::Person("maria".into()),
        edits: vec![PlanEdit::Replace(Box::new(other))],
        work: crate::domain::protocol::Work::Ordinary,
        repairs: Vec::new(),
        kind: EditKind::New,
    }));
    desk.keys("<ctrl-s>");
    let [PlanEdit::Replace(spec)] = &edits(&desk)[..] else { panic!("{}", desk.notice()) };
    assert_eq!(spec.phase.as_deref(), Some("theirs"));
    assert!(spec.prompt.ends_with(" More."));
}

#[test]
fn a_result_is_edited_by_hand() {
    let mut desk = Desk::new(story::done(), Screen::Run);
    let task = desk.story.state.task(desk.task("sources")).id.clone();
    desk.ui.edit_result(&task, "- a first finding\n", &desk.story.state, desk.now);
    desk.keys("<ctrl-end>- mine<ctrl-s>");
    assert_eq!(desk.sent(), [&Command::EditResult { task, text: "- a first finding\n- mine".into() }]);
    refused(&mut desk, "it runs again");
    assert_eq!(desk.text(), "- a first finding\n- mine");
}

#[test]
fn undo_and_redo_are_those_of_the_goal_shown() {
    let mut desk = review();
    desk.keys("uU");
    assert_eq!(desk.sent(), [&Command::Undo(GOAL), &Command::Redo(GOAL)]);
}

#[test]
fn a_plan_of_two_thousand_lines_opens_and_is_read() {
    let mut desk = Desk::new(story::forty(), Screen::Review(GOAL));
    let many: Vec<PlanEdit> = (0..400)
        .map(|i| {
            let mut spec = (*desk.story.state.task(desk.task("t1")).spec).clone();
            spec.id = Name::slug(&format!("more{i}"));
            PlanEdit::Add(Box::new(spec))
        })
        .collect();
    desk.tell(Event::PlanEdited(PlanEdited {
        goal: GOAL,
        revision: 2,
        author: Author::Person("you".into()),
        edits: many,
        work: crate::domain::protocol::Work::Ordinary,
        repairs: Vec::new(),
        kind: EditKind::New,
    }));
    desk.keys("E");
    assert!(editor(&desk).text.lines().len() > 2_000);
    desk.keys("<ctrl-end><enter>  - id: last<enter>agent: coder<enter>prompt: Go.<ctrl-s>");
    assert_eq!(preview(&desk).preview.added, [Name::slug("last")], "{}", desk.text());
}
