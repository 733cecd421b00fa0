//! The inspector of a task: which section and which attempts are shown, how far each section is scrolled, and what is
//! searched for in it.
//!
//! Not here: what the sections say (`view/inspector`). It is a layer; `esc` ends a search first, then closes it.

use std::cell::RefCell;

use crossterm::event::{KeyCode, KeyModifiers};

use super::scroll::Scroll;
use super::task_verbs::{not_here, task_action};
use super::{Msg, UiEffect, notice};
use crate::domain::protocol::{AttemptId, Channel, Micros, TaskId};
use crate::domain::state::{State, Task};
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context};
use crate::interface::tui::view::inspector::{Compared, Found};
use crate::interface::tui::view::prose::Prose;

/// The most letters of a search.
const LONGEST: usize = 60;

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
    /// The tools it asked for.
    Tools,
    /// What was said to it.
    Messages,
}

impl Section {
    /// All, in the order of the tabs.
    pub const ALL: [Self; 7] =
        [Self::Prompt, Self::Needs, Self::Attempts, Self::Output, Self::Thinking, Self::Tools, Self::Messages];

    /// The word on the tab.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Needs => "why",
            Self::Attempts => "attempts",
            Self::Output => "output",
            Self::Thinking => "thinking",
            Self::Tools => "tools",
            Self::Messages => "messages",
        }
    }
}

/// How attempts are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attempts {
    /// Each with its figures.
    #[default]
    Listed,
    /// Two of them, word by word.
    Compared,
}

/// What is searched for in the section shown.
#[derive(Clone, Debug, Default, PartialEq)]
struct Finding {
    text: String,
    /// What it was before it is typed anew; none: it is not being typed.
    before: Option<String>,
    /// The match the cursor is on.
    at: usize,
    /// The row of each match, as the view last found them.
    rows: RefCell<Vec<usize>>,
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
    /// What the attempt shown is compared with; none: the one before it.
    base: Option<AttemptId>,
    attempts: Attempts,
    finding: Finding,
    scrolls: Box<[Scroll; Section::ALL.len()]>,
    /// The answer as it was last rendered.
    pub(crate) answer: Prose,
    /// The thinking.
    pub(crate) thinking: Prose,
    /// The tool calls.
    pub(crate) tools: Prose,
    /// Two attempts as they were last compared.
    pub(crate) compared: Compared,
    /// What was last found in a long text.
    pub(crate) kept_found: Found,
    /// The rows of a section made of facts, as they were last shown: what copying takes.
    pub(crate) shown: RefCell<String>,
}

impl InspectorUi {
    /// Opens it on a task.
    pub fn new(task: TaskId) -> Self {
        Self {
            task,
            section: None,
            attempt: None,
            base: None,
            attempts: Attempts::Listed,
            finding: Finding::default(),
            scrolls: Default::default(),
            answer: Prose::default(),
            thinking: Prose::default(),
            tools: Prose::default(),
            compared: Compared::default(),
            kept_found: Found::default(),
            shown: RefCell::default(),
        }
    }

    /// Opens it on a task's attempts side by side.
    pub fn comparing(task: TaskId) -> Self {
        Self { section: Some(Section::Attempts), attempts: Attempts::Compared, ..Self::new(task) }
    }

    /// One level back inside: the search as it was, or none; false: there is nothing to go back from.
    pub(super) fn back(&mut self) -> bool {
        match self.finding.before.take() {
            Some(before) => self.finding.text = before,
            None if !self.finding.text.is_empty() => self.finding = Finding::default(),
            None => return false,
        }
        true
    }

    /// How the attempts are shown.
    pub fn attempts(&self) -> Attempts {
        self.attempts
    }

    /// The two attempts compared, the older one first as long as none was chosen; none: there are no two.
    pub fn pair(&self, state: &State) -> Option<(AttemptId, AttemptId)> {
        let tries = &state.task_by_id(&self.task)?.attempts;
        let shown = self.attempt(state)?;
        let at = tries.iter().position(|a| *a == shown)?;
        let chosen = self.base.filter(|b| *b != shown && tries.contains(b));
        let neighbour = || at.checked_sub(1).or(Some(1)).and_then(|i| tries.get(i)).copied();
        let base = chosen.or_else(neighbour)?;
        Some(if chosen.is_none() && base > shown { (shown, base) } else { (base, shown) })
    }

    /// What is typed to be found; none: nothing is being typed.
    pub(crate) fn field(&self) -> Option<&str> {
        self.finding.before.as_ref().map(|_| self.finding.text.as_str())
    }

    /// What is searched for.
    pub(crate) fn sought(&self) -> &str {
        &self.finding.text
    }

    /// Which match the cursor is on, from 0.
    pub(crate) fn match_at(&self) -> usize {
        self.finding.at
    }

    /// Which match the cursor is on, from 1, and how many there are.
    pub(crate) fn find_place(&self) -> Option<(usize, usize)> {
        let n = self.finding.rows.borrow().len();
        (!self.finding.text.is_empty()).then(|| ((self.finding.at + 1).min(n), n))
    }

    /// The view's finds: the row of each match in the section shown.
    pub(crate) fn found(&self, rows: Vec<usize>) {
        self.finding.rows.replace(rows);
    }

    /// The section shown: the one chosen, else the output once there is some, else the prompt.
    pub fn section(&self, state: &State) -> Section {
        let written = || self.attempt(state).and_then(|a| state.attempt(a)).is_some_and(|a| state.answer_bytes(a) > 0);
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

    /// Takes the wheel, and keys and pastes of the search.
    pub fn input(&mut self, msg: &Msg, state: &State, _now: Micros) -> Vec<UiEffect> {
        match msg {
            Msg::Wheel(_, _, by) => {
                let section = self.section(state);
                self.scrolls[section as usize].wheel(*by);
            }
            Msg::Key(key) if self.finding.before.is_some() => match key.code {
                KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                    self.seek(&c.to_string());
                }
                KeyCode::Backspace => {
                    self.finding.text.pop();
                    self.finding.at = 0;
                }
                _ => {}
            },
            Msg::Paste(text) if self.finding.before.is_some() => self.seek(&text.replace('\n', " ")),
            _ => {}
        }
        Vec::new()
    }

    fn seek(&mut self, more: &str) {
        let room = LONGEST.saturating_sub(self.finding.text.chars().count());
        self.finding.text.extend(more.chars().take(room));
        self.finding.at = 0;
    }

    fn step_match(&mut self, section: Section, by: isize) -> Vec<UiEffect> {
        let rows = self.finding.rows.borrow();
        let n = rows.len() as isize;
        if n == 0 {
            return notice(if self.finding.text.is_empty() {
                "/ searches first"
            } else {
                "it is nowhere in this section"
            });
        }
        let at = (self.finding.at as isize + by).rem_euclid(n) as usize;
        if let Some(row) = rows.get(at) {
            self.scrolls[section as usize].reveal(*row);
        }
        drop(rows);
        self.finding.at = at;
        Vec::new()
    }

    /// The contexts of the focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        if self.finding.before.is_some() {
            return vec![Context::Text];
        }
        vec![Context::Task, Context::Output, Context::Session, Context::Everywhere]
    }

    /// Does what an action means here; `Back` never comes here, it closes the inspector.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        let section = self.section(state);
        if self.finding.before.is_some() {
            if action == Action::Enter {
                self.finding.before = None;
                return self.step_match(section, 0);
            }
            return Vec::new();
        }
        if self.scrolls[section as usize].act(action) {
            return Vec::new();
        }
        let Some(task) = state.task_by_id(&self.task) else { return Vec::new() };
        match action {
            Action::NextPane => self.turn(section, 1),
            Action::PreviousPane => self.turn(section, Section::ALL.len() - 1),
            Action::Right => self.choose(state, 1),
            Action::Left => self.choose(state, -1),
            Action::Search => self.finding.before = Some(std::mem::take(&mut self.finding.text)),
            Action::NextMatch => return self.step_match(section, 1),
            Action::PreviousMatch => return self.step_match(section, -1),
            Action::DiffAttempts | Action::Enter if section == Section::Attempts && task.attempts.len() > 1 => {
                self.attempts = match self.attempts {
                    Attempts::Listed => Attempts::Compared,
                    Attempts::Compared => Attempts::Listed,
                };
            }
            Action::DiffAttempts if task.attempts.len() > 1 => {
                self.section = Some(Section::Attempts);
                self.attempts = Attempts::Compared;
            }
            Action::Range if task.attempts.len() > 1 => {
                self.base = self.attempt(state);
                let at = self.base.and_then(|b| task.attempts.iter().position(|t| *t == b)).unwrap_or(0);
                return notice(&format!("the others are compared with attempt {}; h and l choose", at + 1));
            }
            Action::Range => return notice("there is no other attempt to compare with"),
            Action::Copy => return self.copy(section, state, task),
            Action::CopyAnswer => return self.copy(Section::Output, state, task),
            verb => {
                let ix = state.find(&self.task);
                return ix.and_then(|ix| task_action(verb, ix, state, now)).unwrap_or_else(|| not_here(verb));
            }
        }
        Vec::new()
    }

    /// Copies what the section shows: logical text where it is a model's, else the rows as they stand.
    fn copy(&self, section: Section, state: &State, task: &Task) -> Vec<UiEffect> {
        let channel = match section {
            Section::Output => Channel::Answer,
            Section::Thinking => Channel::Thinking,
            Section::Tools => Channel::ToolCall,
            // A clipboard is pasted into terminals, so it gets clean text.
            Section::Prompt => return vec![UiEffect::Copy(CleanText::new(&task.spec.prompt).as_str().to_owned())],
            Section::Needs | Section::Attempts | Section::Messages => {
                return vec![UiEffect::Copy(self.shown.borrow().clone())];
            }
        };
        let steps = self.attempt(state).and_then(|a| state.attempt(a)).map(|a| (a.id, &a.steps));
        match steps.filter(|(_, steps)| steps.iter().any(|s| s.channel(channel).bytes > 0)) {
            Some((attempt, _)) if channel == Channel::Answer => vec![UiEffect::CopyAnswer(attempt)],
            Some((attempt, _)) => vec![UiEffect::CopyText(attempt, channel)],
            None => notice("there is nothing here to copy yet"),
        }
    }

    fn turn(&mut self, from: Section, by: usize) {
        self.section = Some(Section::ALL[(from as usize + by) % Section::ALL.len()]);
        self.finding.at = 0;
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
    use super::super::Layer;
    use super::*;
    use crate::domain::protocol::Command;
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
        assert!(matches!(retried.as_slice(), [UiEffect::Open(layer)] if matches!(**layer, Layer::Retry(_))));
        assert_eq!(act(&mut inspector, &story, Action::Hold), vec![UiEffect::Send(Command::Hold(task))]);
    }

    #[test]
    fn the_last_two_attempts_are_compared_until_others_are_chosen() {
        let story = story::failed();
        let many = story.state.tasks().iter().find(|t| t.attempts.len() > 1).unwrap();
        let (first, last) = (many.attempts[0], many.attempts[1]);
        let mut inspector = InspectorUi::new(many.id.clone());
        act(&mut inspector, &story, Action::DiffAttempts);
        assert_eq!((inspector.section(&story.state), inspector.attempts()), (Section::Attempts, Attempts::Compared));
        assert_eq!(inspector.pair(&story.state), Some((first, last)));
        act(&mut inspector, &story, Action::Left);
        assert_eq!(inspector.pair(&story.state), Some((first, last)), "the older one stays at the left");
        act(&mut inspector, &story, Action::Right);
        act(&mut inspector, &story, Action::Range);
        act(&mut inspector, &story, Action::Left);
        assert_eq!(inspector.pair(&story.state), Some((last, first)), "what was chosen is what it is compared with");
        act(&mut inspector, &story, Action::DiffAttempts);
        assert_eq!(inspector.attempts(), Attempts::Listed);
    }

    #[test]
    fn copying_takes_what_is_shown() {
        let story = story::done();
        let task = story.state.tasks()[7].clone();
        let mut inspector = InspectorUi::new(task.id.clone());
        let attempt = task.attempts[0];
        assert_eq!(act(&mut inspector, &story, Action::Copy), vec![UiEffect::CopyAnswer(attempt)]);
        act(&mut inspector, &story, Action::NextPane);
        assert_eq!(inspector.section(&story.state), Section::Thinking);
        assert_eq!(act(&mut inspector, &story, Action::Copy), vec![UiEffect::CopyText(attempt, Channel::Thinking)]);
        act(&mut inspector, &story, Action::NextPane);
        assert!(matches!(act(&mut inspector, &story, Action::Copy).as_slice(), [UiEffect::Notice(_)]), "no tools");
    }

    #[test]
    fn a_search_is_typed_walked_and_left() {
        let story = story::done();
        let mut inspector = InspectorUi::new(story.state.tasks()[7].id.clone());
        act(&mut inspector, &story, Action::Search);
        assert_eq!(inspector.contexts(&story.state), vec![Context::Text]);
        inspector.input(&Msg::Paste("err\nor".into()), &story.state, Micros(0));
        assert_eq!(inspector.field(), Some("err or"));
        inspector.found(vec![3, 40, 90]);
        inspector.scroll(Section::Output).measured(100, 10);
        act(&mut inspector, &story, Action::Enter);
        assert_eq!(inspector.field(), None);
        act(&mut inspector, &story, Action::NextMatch);
        assert_eq!((inspector.find_place(), inspector.scroll(Section::Output).top()), (Some((2, 3)), 31));
        act(&mut inspector, &story, Action::PreviousMatch);
        act(&mut inspector, &story, Action::PreviousMatch);
        assert_eq!(inspector.find_place(), Some((3, 3)));
        assert!(inspector.back(), "esc ends the search first");
        assert!(!inspector.back());
    }
}
