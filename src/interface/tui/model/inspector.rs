//! The inspector of a task: which section and which attempt are shown, and how far each section is scrolled.
//!
//! Not here: what the sections say (`view/inspector`). It is a layer over Run; `esc` closes it there.

use super::scroll::Scroll;
use super::task_verbs::task_action;
use super::{Msg, UiEffect};
use crate::domain::protocol::{AttemptId, Micros, TaskId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context};
use crate::interface::tui::view::prose::Prose;

/// A part of what is known of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The prompt as written and as sent.
    #[default]
    Prompt,
    /// Needs, feeds, and why it runs or waits.
    Needs,
    /// Its tries.
    Attempts,
    /// What it answered.
    Output,
    /// What it thought.
    Thinking,
}

impl Section {
    /// All, in the order of the tabs.
    pub const ALL: [Self; 5] = [Self::Prompt, Self::Needs, Self::Attempts, Self::Output, Self::Thinking];

    /// The word on the tab.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Needs => "why",
            Self::Attempts => "attempts",
            Self::Output => "output",
            Self::Thinking => "thinking",
        }
    }
}

/// The inspector of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectorUi {
    /// Which task.
    pub task: TaskId,
    /// The section chosen; none: the one that says most.
    section: Option<Section>,
    /// The attempt chosen; none: the last one.
    attempt: Option<AttemptId>,
    scrolls: Box<[Scroll; Section::ALL.len()]>,
    /// The answer as it was last rendered.
    pub(crate) answer: Prose,
    /// The thinking.
    pub(crate) thinking: Prose,
}

impl InspectorUi {
    /// Opens it on a task.
    pub fn new(task: TaskId) -> Self {
        Self {
            task,
            section: None,
            attempt: None,
            scrolls: Default::default(),
            answer: Prose::default(),
            thinking: Prose::default(),
        }
    }

    /// Opens it on a task's attempts side by side.
    pub fn comparing(task: TaskId) -> Self {
        Self { section: Some(Section::Attempts), ..Self::new(task) }
    }

    /// One level back inside; false: there is none.
    pub(super) fn back(&mut self) -> bool {
        false
    }

    /// The section shown: the one chosen, else the output once there is some, else the prompt.
    pub fn section(&self, state: &State) -> Section {
        let written = || self.attempt(state).and_then(|a| state.attempt(a)).is_some_and(|a| a.answer_bytes() > 0);
        self.section.unwrap_or_else(|| if written() { Section::Output } else { Section::Prompt })
    }

    /// The attempt shown: the one chosen, else the last.
    pub fn attempt(&self, state: &State) -> Option<AttemptId> {
        let task = state.task_by_id(&self.task)?;
        self.attempt.filter(|a| task.attempts.contains(a)).or_else(|| task.attempts.last().copied())
    }

    /// Where a section stands.
    pub(crate) fn scroll(&self, section: Section) -> &Scroll {
        &self.scrolls[section as usize]
    }

    /// Takes the wheel.
    pub fn input(&mut self, msg: &Msg, state: &State, _now: Micros) -> Vec<UiEffect> {
        if let Msg::Wheel(_, _, by) = msg {
            let section = self.section(state);
            self.scrolls[section as usize].wheel(*by);
        }
        Vec::new()
    }

    /// The contexts of the focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        vec![Context::Task, Context::Output, Context::Everywhere]
    }

    /// Does what an action means here; `Back` never comes here, it closes the inspector.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        let section = self.section(state);
        if self.scrolls[section as usize].act(action) {
            return Vec::new();
        }
        let Some(task) = state.task_by_id(&self.task) else { return Vec::new() };
        match action {
            Action::NextPane => self.turn(section, 1),
            Action::PreviousPane => self.turn(section, Section::ALL.len() - 1),
            Action::Right => self.choose(state, 1),
            Action::Left => self.choose(state, -1),
            Action::Copy | Action::CopyAnswer if section == Section::Prompt => {
                // A clipboard is pasted into terminals, so it gets clean text.
                return vec![UiEffect::Copy(CleanText::new(&task.spec.prompt).as_str().to_owned())];
            }
            Action::Copy | Action::CopyAnswer => {
                let none = || UiEffect::Notice(CleanText::new("There is no answer to copy yet."));
                return vec![self.attempt(state).map_or_else(none, UiEffect::CopyAnswer)];
            }
            verb => {
                let ix = state.find(&self.task);
                return ix.and_then(|ix| task_action(verb, ix, state, now)).unwrap_or_default();
            }
        }
        Vec::new()
    }

    fn turn(&mut self, from: Section, by: usize) {
        self.section = Some(Section::ALL[(from as usize + by) % Section::ALL.len()]);
    }

    fn choose(&mut self, state: &State, by: isize) {
        let Some(task) = state.task_by_id(&self.task) else { return };
        let at = self.attempt(state).and_then(|a| task.attempts.iter().position(|t| *t == a)).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(task.attempts.len().saturating_sub(1));
        let last = to + 1 >= task.attempts.len();
        self.attempt = if last { None } else { task.attempts.get(to).copied() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{Command, RetryScope};
    use crate::interface::tui::view::story::{self, Story};

    fn act(inspector: &mut InspectorUi, story: &Story, action: Action) -> Vec<UiEffect> {
        inspector.update(action, &story.state, Micros(0))
    }

    #[test]
    fn tabs_go_round_and_each_section_keeps_its_place() {
        let story = story::failed();
        let mut inspector = InspectorUi::new(story.state.tasks()[1].id.clone());
        let start = inspector.section(&story.state);
        inspector.scroll(start).measured(100, 10);
        act(&mut inspector, &story, Action::Last);
        for _ in 0..Section::ALL.len() {
            act(&mut inspector, &story, Action::NextPane);
        }
        assert_eq!((inspector.section(&story.state), inspector.scroll(start).top()), (start, 90));
        act(&mut inspector, &story, Action::PreviousPane);
        let other = inspector.section(&story.state);
        assert_ne!(other, start);
        assert_eq!(inspector.scroll(other).top(), 0);
    }

    #[test]
    fn attempts_are_chosen_left_and_right_and_the_last_one_follows() {
        let story = story::failed();
        let many = story.state.tasks().iter().find(|t| t.attempts.len() > 1).unwrap();
        let mut inspector = InspectorUi::new(many.id.clone());
        assert_eq!(inspector.attempt(&story.state), many.attempts.last().copied());
        act(&mut inspector, &story, Action::Left);
        assert_eq!(inspector.attempt(&story.state), many.attempts.first().copied());
        for _ in 0..5 {
            act(&mut inspector, &story, Action::Right);
        }
        assert_eq!(inspector.attempt(&story.state), many.attempts.last().copied());
    }

    #[test]
    fn the_verbs_of_a_task_work_here() {
        let story = story::failed();
        let task = story.state.tasks()[1].id.clone();
        let mut inspector = InspectorUi::new(task.clone());
        let retried = act(&mut inspector, &story, Action::Retry);
        assert_eq!(retried, vec![UiEffect::Send(Command::Retry(RetryScope::Task(task.clone())))]);
        assert_eq!(act(&mut inspector, &story, Action::Hold), vec![UiEffect::Send(Command::Hold(task))]);
    }
}
