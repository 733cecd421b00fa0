//! The verbs that change one task's form, wherever it is selected: its form, a new one after it, out of the plan, more or
//! less weight.
//!
//! Not here: the other verbs ([`super::task_verbs`]). Pure; a refusal is a notice that says why.

use super::form::fields::{PRIORITIES, priority_word};
use super::{FormUi, Layer, PreviewUi, UiEffect};
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{Command, Micros, Work};
use crate::domain::state::{GoalPhase, State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

/// What a verb does to a task's form; none when `action` is no such verb.
pub(super) fn edit_action(action: Action, ix: TaskIx, state: &State, now: Micros) -> Option<Vec<UiEffect>> {
    let task = state.task(ix);
    if !is_edit(action) {
        return None;
    }
    let goal = task.id.goal;
    if state.goal(goal).is_none_or(|g| g.phase == GoalPhase::Planning) {
        return Some(notice("its plan is still being made; wait for it"));
    }
    Some(match (action, task.work) {
        (Action::NewTask, Work::Ordinary) => open(Layer::Form(Box::new(FormUi::after(state, goal, Some(ix))))),
        (Action::NewTask, _) => open(Layer::Form(Box::new(FormUi::after(state, goal, None)))),
        // What the goal adds by itself has no form; its answer can be edited.
        (Action::EditTask, Work::Ordinary) => open(Layer::Form(Box::new(FormUi::of(state, ix)))),
        (Action::EditTask, _) if task.has_result() => vec![UiEffect::EditResult(task.id.clone())],
        (Action::Remove, Work::Ordinary) => remove(ix, state, now),
        (Action::Raise, Work::Ordinary) => weigh(ix, 1, state),
        (Action::Lower, Work::Ordinary) => weigh(ix, -1, state),
        _ => notice("the goal's own step has no form to edit; E edits the plan around it"),
    })
}

/// Whether it changes a task's form.
pub(super) const fn is_edit(action: Action) -> bool {
    matches!(action, Action::EditTask | Action::NewTask | Action::Remove | Action::Raise | Action::Lower)
}

/// The preview of taking a task out; those that need it no longer do.
fn remove(ix: TaskIx, state: &State, now: Micros) -> Vec<UiEffect> {
    let task = state.task(ix);
    let needing = task.feeds.iter().map(|f| state.task(*f)).filter(|t| !t.removed && t.work == Work::Ordinary);
    let mut edits = Vec::new();
    let mut needing_it = 0;
    for other in needing {
        let mut spec = (*other.spec).clone();
        spec.needs.retain(|need| *need != task.id.name);
        needing_it += 1;
        edits.push(PlanEdit::Replace(Box::new(spec)));
    }
    edits.push(PlanEdit::Remove(task.id.name.clone()));
    let remarks = match needing_it {
        0 => Vec::new(),
        1 => vec![CleanText::from_static("The task that needs it will no longer wait for it.")],
        n => vec![format!("{n} tasks need it, and will no longer wait for it.").into()],
    };
    match PreviewUi::new(state, task.id.goal, edits, remarks, now) {
        Ok(preview) => open(Layer::Preview(Box::new(preview))),
        Err(words) => notice(&words),
    }
}

/// One step more or less weight.
fn weigh(ix: TaskIx, by: isize, state: &State) -> Vec<UiEffect> {
    let task = state.task(ix);
    if task.has_ended() {
        return notice("it has ended: its priority changes nothing");
    }
    let at = PRIORITIES.iter().position(|p| *p == task.spec.priority).unwrap_or(1);
    let Some(to) = at.checked_add_signed(by).and_then(|at| PRIORITIES.get(at)).copied() else {
        return notice(&format!("“{}” is {} already", task.title, priority_word(task.spec.priority)));
    };
    let mut spec = (*task.spec).clone();
    spec.priority = to;
    let if_revision = state.goal(task.id.goal).map_or(0, |g| g.revision);
    let edits = vec![PlanEdit::Replace(Box::new(spec))];
    let mut effects = notice(&format!("“{}”: priority {}; u undoes it", task.title, priority_word(to)));
    effects.push(UiEffect::Send(Command::EditPlan { goal: task.id.goal, if_revision, edits, rerun: Vec::new() }));
    effects
}

fn open(layer: Layer) -> Vec<UiEffect> {
    vec![UiEffect::Open(Box::new(layer))]
}

fn notice(text: &str) -> Vec<UiEffect> {
    vec![UiEffect::Notice(text.into())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    fn task(state: &State, found: impl Fn(&crate::domain::state::Task) -> bool) -> TaskIx {
        TaskIx(state.tasks().iter().position(found).unwrap() as u32)
    }

    #[test]
    fn removing_a_task_takes_it_out_of_the_needs_in_the_same_edit() {
        let story = story::drafted();
        let needed = task(&story.state, |t| {
            t.work == Work::Ordinary && t.feeds.iter().any(|f| story.state.task(*f).work == Work::Ordinary)
        });
        let effects = edit_action(Action::Remove, needed, &story.state, story.at).unwrap();
        let [UiEffect::Open(layer)] = &effects[..] else { panic!("{effects:?}") };
        let Layer::Preview(preview) = &**layer else { panic!("{layer:?}") };
        assert_eq!(preview.preview.removed, [story.state.task(needed).id.name.clone()]);
        assert!(!preview.preview.changed.is_empty());
    }

    #[test]
    fn weight_goes_step_by_step_and_stops_at_the_ends() {
        let story = story::drafted();
        let one = task(&story.state, |t| t.work == Work::Ordinary);
        let mut spec = (*story.state.task(one).spec).clone();
        spec.priority = crate::domain::plan::Priority::High;
        let effects = edit_action(Action::Raise, one, &story.state, story.at).unwrap();
        let [UiEffect::Notice(words), UiEffect::Send(Command::EditPlan { edits, .. })] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert!(words.contains("priority high"), "{words}");
        assert_eq!(edits[..], [PlanEdit::Replace(Box::new(spec))]);
        assert!(matches!(edit_action(Action::Lower, one, &story.state, story.at).unwrap()[..], [_, _]));
        let step = task(&story.state, |t| t.work != Work::Ordinary);
        assert!(matches!(edit_action(Action::Raise, step, &story.state, story.at).unwrap()[..], [UiEffect::Notice(_)]));
    }
}
