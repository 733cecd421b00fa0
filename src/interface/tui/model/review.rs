//! The plan review: which task is selected, and what the keys ask for.
//!
//! Not here: the plan's figures (`view/review`). Invariant: the selection is a task, not a row, so it stays with it.

use super::scroll::Scroll;
use super::task_verbs::{not_here, task_action};
use super::{Msg, Screen, UiEffect};
use crate::domain::protocol::{Command, GoalId, LevelScope, Micros, Record, TaskId, Work};
use crate::domain::state::{GoalPhase, State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context};

/// The review of a goal's plan.
#[derive(Clone, Debug, Default)]
pub struct ReviewUi {
    selected: Option<TaskId>,
    /// Where the list stands, in rows.
    pub(crate) scroll: Scroll,
}

/// A plan's tasks by the step they can start in: a task stands one step after the last of those it needs.
/// The planning task and removed ones are left out.
pub fn steps(state: &State, goal: GoalId) -> Vec<Vec<TaskIx>> {
    let Some(goal) = state.goal(goal) else { return Vec::new() };
    let tasks: Vec<TaskIx> = goal
        .tasks
        .iter()
        .copied()
        .filter(|t| !state.task(*t).removed && state.task(*t).work != Work::Planning)
        .collect();
    let mut steps: Vec<Vec<TaskIx>> = Vec::new();
    let mut placed: std::collections::BTreeSet<TaskIx> = std::collections::BTreeSet::new();
    let mut left = tasks.clone();
    while !left.is_empty() {
        let open = |t: &TaskIx| tasks.contains(t) && !placed.contains(t);
        let (now, later): (Vec<_>, Vec<_>) = left.iter().partition(|t| !state.task(**t).needs.iter().any(open));
        // A cycle can't be (the orchestrator refuses it); should one come, its tasks stand in one last step.
        let (now, later) = if now.is_empty() { (later, now) } else { (now, later) };
        placed.extend(now.iter().copied());
        steps.push(now);
        left = later;
    }
    steps
}

impl ReviewUi {
    /// The selected task: the one chosen while it is in the plan, else the first.
    pub fn selected(&self, goal: GoalId, state: &State) -> Option<TaskIx> {
        let order: Vec<TaskIx> = steps(state, goal).concat();
        self.selected
            .as_ref()
            .and_then(|id| state.find(id))
            .filter(|ix| order.contains(ix))
            .or_else(|| order.first().copied())
    }

    /// Takes the wheel.
    pub fn input(&mut self, goal: GoalId, msg: &Msg, state: &State, _now: Micros) -> Vec<UiEffect> {
        if let Msg::Wheel(_, _, by) = msg {
            self.step(goal, state, if *by < 0 { -1 } else { 1 });
        }
        Vec::new()
    }

    /// The contexts of the focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        vec![Context::Review, Context::List]
    }

    /// Follows what happened: the selection is found anew in each state.
    pub fn observe(&mut self, _state: &State, _record: &Record) {}

    /// Does what an action means on the review of a goal's plan.
    pub fn update(&mut self, goal: GoalId, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        match action {
            Action::Down => self.step(goal, state, 1),
            Action::Up => self.step(goal, state, -1),
            Action::PageDown => self.step(goal, state, 10),
            Action::PageUp => self.step(goal, state, -10),
            Action::First => self.step(goal, state, isize::MIN),
            Action::Last => self.step(goal, state, isize::MAX),
            Action::Enter => return approve(goal, state),
            Action::EditTask | Action::NewTask | Action::Remove | Action::Raise | Action::Lower => {
                let task = self.selected(goal, state);
                return task.and_then(|ix| task_action(action, ix, state, now)).unwrap_or_default();
            }
            Action::Level => return self.level(goal, state),
            Action::Copy => {
                let task = self.selected(goal, state).map(|ix| state.task(ix));
                // A clipboard is pasted into terminals, so it gets clean text.
                return task
                    .map(|t| UiEffect::Copy(CleanText::new(&t.spec.prompt).as_str().to_owned()))
                    .into_iter()
                    .collect();
            }
            Action::Search => {
                return vec![notice("A plan is not filtered; E opens all of it as text, ctrl-f finds there.")];
            }
            Action::Back => {
                let words = "The plan is kept as a draft. ! brings it back.";
                let draft = state.goal(goal).is_some_and(|g| g.phase == GoalPhase::Draft);
                let notice = draft.then(|| UiEffect::Notice(CleanText::new(words)));
                return std::iter::once(UiEffect::Show(Screen::Run)).chain(notice).collect();
            }
            action => return not_here(action),
        }
        Vec::new()
    }

    /// Selects the task at this place of the list.
    pub(super) fn select_row(&mut self, goal: GoalId, row: usize, state: &State) {
        if let Some(ix) = steps(state, goal).concat().get(row) {
            self.selected = Some(state.task(*ix).id.clone());
        }
    }

    fn step(&mut self, goal: GoalId, state: &State, by: isize) {
        let order: Vec<TaskIx> = steps(state, goal).concat();
        let Some(last) = order.len().checked_sub(1) else { return };
        let at = self.selected(goal, state).and_then(|s| order.iter().position(|t| *t == s)).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(last);
        self.selected = order.get(to).map(|ix| state.task(*ix).id.clone());
    }

    fn level(&self, goal: GoalId, state: &State) -> Vec<UiEffect> {
        let Some(task) = self.selected(goal, state).map(|ix| state.task(ix)) else { return Vec::new() };
        let scope = LevelScope::Task(task.id.clone());
        vec![UiEffect::Send(Command::SetLevel { scope, level: Some(state.level_of(task).next()) })]
    }
}

fn approve(goal: GoalId, state: &State) -> Vec<UiEffect> {
    match state.goal(goal).map(|g| &g.phase) {
        Some(GoalPhase::Draft) => {
            vec![UiEffect::Send(Command::Approve(goal)), UiEffect::Show(Screen::Run)]
        }
        Some(GoalPhase::Planning) => vec![notice("The plan is still being made; wait for it, then enter runs it.")],
        _ => vec![UiEffect::Show(Screen::Run)],
    }
}

fn notice(words: &str) -> UiEffect {
    UiEffect::Notice(CleanText::new(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Level;
    use crate::interface::tui::model::Layer;
    use crate::interface::tui::view::story::{self, Story};

    fn act(review: &mut ReviewUi, story: &Story, action: Action) -> Vec<UiEffect> {
        review.update(GoalId(1), action, &story.state, Micros(0))
    }

    #[test]
    fn steps_follow_the_needs() {
        let story = story::drafted();
        let steps = steps(&story.state, GoalId(1));
        for (n, step) in steps.iter().enumerate() {
            for task in step {
                for need in &story.state.task(*task).needs {
                    assert!(steps[..n].iter().any(|s| s.contains(need)));
                }
            }
        }
        assert!(steps.len() >= 3);
    }

    #[test]
    fn the_selection_moves_in_plan_order_and_stops_at_the_ends() {
        let story = story::drafted();
        let mut review = ReviewUi::default();
        let first = review.selected(GoalId(1), &story.state).unwrap();
        act(&mut review, &story, Action::Up);
        assert_eq!(review.selected(GoalId(1), &story.state), Some(first));
        act(&mut review, &story, Action::Last);
        let last = review.selected(GoalId(1), &story.state).unwrap();
        act(&mut review, &story, Action::Down);
        assert_eq!(review.selected(GoalId(1), &story.state), Some(last));
        assert_ne!(first, last);
    }

    #[test]
    fn enter_approves_and_level_goes_one_further() {
        let story = story::drafted();
        let mut review = ReviewUi::default();
        assert_eq!(
            act(&mut review, &story, Action::Enter),
            vec![UiEffect::Send(Command::Approve(GoalId(1))), UiEffect::Show(Screen::Run)]
        );
        let task = story.state.task(review.selected(GoalId(1), &story.state).unwrap());
        let next: Level = story.state.level_of(task).next();
        assert_eq!(
            act(&mut review, &story, Action::Level),
            vec![UiEffect::Send(Command::SetLevel { scope: LevelScope::Task(task.id.clone()), level: Some(next) })]
        );
    }

    #[test]
    fn a_task_is_taken_out_after_a_look_at_what_that_does() {
        let story = story::drafted();
        let mut review = ReviewUi::default();
        let free =
            story.state.tasks().iter().find(|t| {
                t.work == Work::Ordinary && t.feeds.iter().all(|f| story.state.task(*f).work != Work::Ordinary)
            });
        review.selected = free.map(|t| t.id.clone());
        let effects = act(&mut review, &story, Action::Remove);
        assert!(matches!(&effects[..], [UiEffect::Open(layer)] if matches!(**layer, Layer::Preview(_))));
    }
}
