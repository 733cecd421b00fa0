//! The answer's screen: how far it is scrolled, whether thinking is unfolded, and what the keys ask for.
//!
//! Not here: the figures and the rendered answer (`view/done`).

use super::scroll::Scroll;
use super::task_verbs::not_here;
use super::{Card, Layer, Msg, Screen, UiEffect};
use crate::domain::protocol::{AttemptId, Command, Event, GoalId, Micros, Name, Outcome, PlanSource, Record};
use crate::domain::state::{End, GoalPhase, Life, State, Task};
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context};
use crate::interface::tui::view::prose::Prose;

/// Whether thinking is shown whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fold {
    /// One line stands for it.
    #[default]
    Folded,
    /// All of it.
    Unfolded,
}

/// What the user does on an answer.
#[derive(Clone, Debug, Default)]
pub struct DoneUi {
    /// Where the text stands.
    pub(crate) scroll: Scroll,
    /// The answer as it was last rendered.
    pub(crate) answer: Prose,
    /// The thinking before it.
    pub(crate) thinking: Prose,
    fold: Fold,
}

/// The attempt whose answer is the goal's answer.
pub fn answer_of(state: &State, goal: GoalId) -> Option<AttemptId> {
    state.task_by_id(state.goal(goal)?.answer.as_ref()?)?.result
}

/// The tasks of a goal that failed, in plan order.
pub fn failed(state: &State, goal: GoalId) -> Vec<&Task> {
    let tasks = state.goal(goal).map(|g| g.tasks.as_slice()).unwrap_or_default();
    tasks.iter().map(|t| state.task(*t)).filter(|t| !t.removed && t.life == Life::Ended(End::Failed)).collect()
}

impl DoneUi {
    /// Whether thinking is unfolded.
    pub fn fold(&self) -> Fold {
        self.fold
    }

    /// Folds thinking, or unfolds it.
    pub(super) fn toggle(&mut self) {
        self.fold = match self.fold {
            Fold::Folded => Fold::Unfolded,
            Fold::Unfolded => Fold::Folded,
        };
    }

    /// Takes the wheel.
    pub fn input(&mut self, _goal: GoalId, msg: &Msg, _state: &State, _now: Micros) -> Vec<UiEffect> {
        if let Msg::Wheel(_, _, by) = msg {
            self.scroll.wheel(*by);
        }
        Vec::new()
    }

    /// The contexts of the focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        vec![Context::Done, Context::Output]
    }

    /// Follows what happened: a goal that ends is read from its beginning.
    pub fn observe(&mut self, _state: &State, record: &Record) {
        if matches!(record.event, Event::GoalEnded { .. }) {
            *self = Self::default();
        }
    }

    /// Does what an action means on the answer of a goal.
    pub fn update(&mut self, goal: GoalId, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.scroll.act(action) {
            return Vec::new();
        }
        match action {
            Action::Right => self.fold = Fold::Unfolded,
            Action::Left => self.fold = Fold::Folded,
            Action::CopyAnswer | Action::Copy => {
                return vec![answer_of(state, goal).map_or_else(no_answer, UiEffect::CopyAnswer)];
            }
            Action::Again | Action::Retry => return again(state, goal, now),
            Action::Back | Action::Enter => {
                let words = CleanText::new("1 shows the answer again; ctrl-n asks for another goal.");
                return vec![UiEffect::Show(Screen::Run), UiEffect::Notice(words)];
            }
            Action::Search => {
                return vec![UiEffect::Notice(CleanText::new(
                    "The answer is not searched yet; Y copies it, S saves it.",
                ))];
            }
            action => return not_here(action),
        }
        Vec::new()
    }
}

/// What failed again, asked first as it may be many; else the whole goal again.
fn again(state: &State, id: GoalId, now: Micros) -> Vec<UiEffect> {
    let Some(goal) = state.goal(id) else { return Vec::new() };
    if goal.phase == GoalPhase::Ended(Outcome::Failed)
        && !failed(state, id).is_empty()
        && let Some(card) = Card::retry_failed(state, now)
    {
        return vec![UiEffect::Show(Screen::Run), UiEffect::Open(Box::new(Layer::Card(card)))];
    }
    let text = goal.text.as_str().to_owned();
    let command = Command::AddGoal { text, plan: PlanSource::Model, options: goal.options.clone() };
    vec![UiEffect::Send(command), UiEffect::Show(Screen::Run)]
}

/// A name for the answer's file, from the goal's first words.
pub(super) fn file_name(state: &State, goal: GoalId) -> String {
    let words: String = state.goal(goal).map(|g| g.text.chars().take(40).collect()).unwrap_or_default();
    format!("{}.md", Name::slug(&words))
}

fn no_answer() -> UiEffect {
    UiEffect::Notice(CleanText::new("There is no answer to take: the goal ended without one."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story::{self, Story};

    fn act(story: &Story, action: Action) -> Vec<UiEffect> {
        DoneUi::default().update(GoalId(1), action, &story.state, Micros(0))
    }

    #[test]
    fn the_answer_is_copied_and_has_a_name_of_the_goals_words() {
        let story = story::done();
        let answer = answer_of(&story.state, GoalId(1)).unwrap();
        assert_eq!(act(&story, Action::CopyAnswer), vec![UiEffect::CopyAnswer(answer)]);
        assert_eq!(file_name(&story.state, GoalId(1)), "compare-three-ways-to-parse-a-configurat.md");
    }

    #[test]
    fn again_retries_what_failed_or_runs_the_goal_anew() {
        let again = |s: &Story| act(s, Action::Again).remove(0);
        assert!(
            matches!(again(&story::done()), UiEffect::Send(Command::AddGoal { text, .. }) if text.starts_with("Compare"))
        );
        let asked = act(&story::failed(), Action::Again);
        assert!(
            matches!(&asked[..], [UiEffect::Show(Screen::Run), UiEffect::Open(card)] if matches!(**card, Layer::Card(_)))
        );
    }

    #[test]
    fn without_an_answer_copy_says_so() {
        assert!(matches!(act(&story::failed(), Action::CopyAnswer)[..], [UiEffect::Notice(_)]));
    }
}
