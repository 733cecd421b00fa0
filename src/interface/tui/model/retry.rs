//! The retry card: what runs again, with which prompt, agent, endpoint and level, and how long that takes.
//!
//! Not here: how it is drawn (`view/retry`), what an attempt costs ([`State::expected_seconds`]). Invariants: nothing is
//! sent but by "go"; for a task that runs, "go" stops it, so there the focus stands on "nothing".

use crossterm::event::KeyCode;

use super::field::TextField;
use super::layer::LayerDoes;
use super::reruns::{reruns, seconds};
use super::{Layer, Msg, UiEffect, notice};
use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::{
    AgentName, Command, EndpointName, Level, LevelScope, Micros, Name, Partial, RetryScope, StopScope, TaskId, Work,
};
use crate::domain::state::{Life, State, Task, TaskIx};
use crate::interface::tui::action::{Action, Context};

/// A row of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// What runs again.
    Scope,
    /// Who does it.
    Agent,
    /// Where.
    Endpoint,
    /// How hard it thinks.
    Level,
    /// What it is asked.
    Prompt,
    /// Do it.
    Go,
    /// Do nothing.
    Nothing,
}

impl Row {
    /// All, from the top.
    pub const ALL: [Self; 7] =
        [Self::Scope, Self::Agent, Self::Endpoint, Self::Level, Self::Prompt, Self::Go, Self::Nothing];

    /// Its letter; none for the one that is esc.
    pub const fn letter(self, running: bool) -> Option<char> {
        match self {
            Self::Scope => Some('w'),
            Self::Agent => Some('a'),
            Self::Endpoint => Some('o'),
            Self::Level => Some('l'),
            Self::Prompt => Some('p'),
            Self::Go if running => Some('s'),
            Self::Go => Some('r'),
            Self::Nothing => None,
        }
    }
}

/// What runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The task.
    This,
    /// The task and everything that has used its result.
    WithDependants,
    /// Everything that failed.
    Failed,
}

/// A retry that is being put together.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryUi {
    /// Which task it was asked for.
    pub task: TaskId,
    /// What runs again.
    pub reach: Reach,
    /// Another agent.
    pub agent: Option<AgentName>,
    /// Another place: an endpoint, or wherever its tier is served.
    pub endpoint: Option<Option<EndpointName>>,
    /// Another level.
    pub level: Option<Level>,
    /// Another prompt.
    pub prompt: Option<String>,
    /// The prompt while it is typed.
    pub(crate) field: Option<TextField>,
    /// A prompt that was typed and left by esc: it stands there again.
    pub(super) typed: Option<String>,
    /// The focused row.
    pub focused: Row,
    pub(super) opened: Micros,
}

impl RetryUi {
    /// Opens the card for a task, or says why there is nothing to retry.
    pub(super) fn open(task: TaskIx, state: &State, now: Micros) -> Vec<UiEffect> {
        let of = state.task(task);
        let refusal = match of.life {
            _ if of.removed => "it was taken out of the plan; u undoes that",
            Life::NotStarted if of.failures == 0 => "it has not run yet; it starts by itself, and e edits it",
            Life::Running if of.work == Work::Planning => "the plan is being made; x stops that",
            Life::Ended(_) | Life::NotStarted if of.work == Work::Planning && of.is_done() => {
                "the plan is made; ctrl-n gives a new goal"
            }
            _ => "",
        };
        if !refusal.is_empty() {
            return notice(refusal);
        }
        let focused = if of.life == Life::Running { Row::Nothing } else { Row::Go };
        let card = Self {
            task: of.id.clone(),
            reach: Reach::This,
            agent: None,
            endpoint: None,
            level: None,
            prompt: None,
            field: None,
            typed: None,
            focused,
            opened: now,
        };
        vec![UiEffect::Open(Box::new(Layer::Retry(card)))]
    }

    /// Whether the task runs now, so that it is stopped first.
    pub fn runs(&self, state: &State) -> bool {
        state.task_by_id(&self.task).is_some_and(|t| t.life == Life::Running)
    }

    /// Whether a row can be changed, as things stand.
    pub fn is_open(&self, row: Row, state: &State) -> bool {
        let ordinary = state.task_by_id(&self.task).is_some_and(|t| t.work == Work::Ordinary);
        match row {
            Row::Scope => !self.runs(state),
            Row::Agent | Row::Prompt => ordinary && self.reach != Reach::Failed,
            Row::Endpoint | Row::Level => self.reach != Reach::Failed,
            Row::Go | Row::Nothing => true,
        }
    }

    /// The agent it would run with.
    pub fn agent_of<'a>(&'a self, task: &'a Task) -> &'a AgentName {
        self.agent.as_ref().unwrap_or(&task.spec.agent)
    }

    /// The place it would run at; none: wherever its tier is served.
    pub fn place_of<'a>(&'a self, task: &'a Task) -> Option<&'a EndpointName> {
        self.endpoint.as_ref().map_or(task.place.as_ref(), Option::as_ref)
    }

    /// Whether its form changes, so that the plan is edited.
    pub fn edits(&self) -> bool {
        self.agent.is_some() || self.prompt.is_some()
    }

    /// What a retry of this reach is called.
    fn scope(&self) -> RetryScope {
        match self.reach {
            Reach::This => RetryScope::Task(self.task.clone()),
            Reach::WithDependants => RetryScope::WithDependants(self.task.clone()),
            Reach::Failed => RetryScope::Failed,
        }
    }

    /// What runs again, the task itself first.
    pub fn again(&self, state: &State) -> Vec<TaskIx> {
        reruns(state, &self.scope())
    }

    /// How many seconds until all of that is done, if nothing else takes its slots.
    pub fn expected(&self, state: &State, again: &[TaskIx]) -> f32 {
        let changed = state.task_by_id(&self.task).filter(|_| self.edits()).map(|task| {
            let mut task = task.clone();
            task.spec = std::sync::Arc::new(self.form(&task));
            task
        });
        seconds(state, again, |ix| match &changed {
            Some(task) if state.task(ix).id == self.task => state.expected_seconds(task),
            _ => state.expected_seconds(state.task(ix)),
        })
    }

    fn form(&self, task: &Task) -> TaskSpec {
        let mut spec = (*task.spec).clone();
        spec.agent = self.agent_of(task).clone();
        if let Some(prompt) = &self.prompt {
            // Without a title of its own the task is called by its prompt; it keeps its name.
            spec.title.get_or_insert_with(|| task.title.to_string());
            spec.prompt = prompt.clone();
        }
        spec
    }

    /// What is sent.
    fn commands(&self, state: &State) -> Vec<UiEffect> {
        let Some(task) = state.task_by_id(&self.task) else { return notice("that task is gone") };
        let mut commands = Vec::new();
        if self.reach != Reach::Failed {
            if let Some(level) = self.level {
                commands.push(Command::SetLevel { scope: LevelScope::Task(self.task.clone()), level: Some(level) });
            }
            if let Some(endpoint) = &self.endpoint {
                commands.push(Command::Place { task: self.task.clone(), endpoint: endpoint.clone() });
            }
        }
        let running = task.life == Life::Running;
        let as_edit = self.reach != Reach::Failed && task.work == Work::Ordinary && (self.edits() || running);
        if as_edit && let Some(goal) = state.goal(self.task.goal) {
            let mut rerun: Vec<Name> = vec![self.task.name.clone()];
            let others = self.again(state).into_iter().map(|ix| &state.task(ix).id);
            rerun.extend(others.filter(|id| id.goal == self.task.goal && **id != self.task).map(|id| id.name.clone()));
            commands.push(Command::EditPlan {
                goal: self.task.goal,
                if_revision: goal.revision,
                edits: vec![PlanEdit::Replace(Box::new(self.form(task)))],
                rerun,
            });
        } else {
            if running {
                let scope = StopScope::Task(self.task.clone());
                commands.push(Command::Stop { scope, partial: Partial::Discarded });
            }
            commands.push(Command::Retry(self.scope()));
        }
        commands.into_iter().map(UiEffect::Send).collect()
    }

    /// The contexts of the focus.
    pub(super) fn contexts(&self) -> Vec<Context> {
        vec![if self.field.is_some() { Context::Text } else { Context::Card }]
    }

    /// One level back: from the prompt to the card, the text kept as it was; false: there is none.
    pub(super) fn back(&mut self) -> bool {
        let field = self.field.take();
        if let Some(field) = &field {
            self.typed = Some(field.text());
        }
        field.is_some()
    }

    /// The prompt that was typed, taken or not.
    pub(super) fn draft(&self) -> Option<&str> {
        self.typed.as_deref().or(self.prompt.as_deref())
    }

    /// Does what an action means here.
    pub(super) fn update(&mut self, action: Action, state: &State) -> LayerDoes {
        if let Some(field) = &mut self.field {
            if !field.act(action) && action == Action::Enter {
                self.accept_prompt(state);
            }
            return LayerDoes::Stays(Vec::new());
        }
        match action {
            Action::Up | Action::PreviousPane => self.step(state, Row::ALL.len() - 1),
            Action::Down | Action::NextPane => self.step(state, 1),
            Action::Left => self.change(state, -1),
            Action::Right => self.change(state, 1),
            Action::Enter => return self.take(self.focused, state),
            _ => {}
        }
        LayerDoes::Stays(Vec::new())
    }

    /// Takes a letter of the card, or a key or a paste of the prompt.
    pub(super) fn input(&mut self, msg: &Msg, state: &State) -> LayerDoes {
        if let Some(field) = &mut self.field {
            field.input(msg);
            return LayerDoes::Stays(Vec::new());
        }
        let Msg::Key(key) = msg else { return LayerDoes::Stays(Vec::new()) };
        let KeyCode::Char(c) = key.code else { return LayerDoes::Stays(Vec::new()) };
        let running = self.runs(state);
        match Row::ALL.into_iter().find(|row| row.letter(running) == Some(c)) {
            Some(row) => self.take(row, state),
            None => LayerDoes::Stays(Vec::new()),
        }
    }

    fn take(&mut self, row: Row, state: &State) -> LayerDoes {
        match row {
            Row::Go => LayerDoes::Closes(self.commands(state)),
            Row::Nothing => LayerDoes::Closes(Vec::new()),
            row if !self.is_open(row, state) => LayerDoes::Stays(notice(match row {
                Row::Scope => "it runs; when it has ended, what used its result can run again too",
                _ if self.reach == Reach::Failed => {
                    "everything that failed runs again as it is; choose “this” to change it"
                }
                _ => "Baton made this task; its prompt and agent follow from the settings",
            })),
            Row::Prompt => {
                self.focused = row;
                let task = state.task_by_id(&self.task);
                let before =
                    self.typed.take().or_else(|| self.prompt.clone()).or_else(|| task.map(|t| t.spec.prompt.clone()));
                self.field = Some(TextField::with_text(&before.unwrap_or_default()));
                LayerDoes::Stays(Vec::new())
            }
            row => {
                self.focused = row;
                self.change(state, 1);
                LayerDoes::Stays(Vec::new())
            }
        }
    }

    fn accept_prompt(&mut self, state: &State) {
        let Some(field) = self.field.take() else { return };
        let same = state.task_by_id(&self.task).is_some_and(|t| t.spec.prompt.trim() == field.text().trim());
        self.prompt = (!same && !field.is_empty()).then(|| field.text());
        self.focused = Row::Go;
    }

    fn step(&mut self, state: &State, by: usize) {
        let n = Row::ALL.len();
        let mut at = Row::ALL.iter().position(|r| *r == self.focused).unwrap_or(0);
        for _ in 0..n {
            at = (at + by) % n;
            if self.is_open(Row::ALL[at], state) {
                break;
            }
        }
        self.focused = Row::ALL[at];
    }

    fn change(&mut self, state: &State, by: isize) {
        let Some(task) = state.task_by_id(&self.task) else { return };
        if !self.is_open(self.focused, state) {
            return;
        }
        match self.focused {
            Row::Scope => {
                self.reach = turned(&[Reach::This, Reach::WithDependants, Reach::Failed], &self.reach, by);
                if self.again(state).is_empty() {
                    self.reach = turned(&[Reach::This, Reach::WithDependants, Reach::Failed], &self.reach, by);
                }
            }
            Row::Agent => {
                let agents: Vec<AgentName> = state.config.fleet.agents.iter().map(|a| a.name.clone()).collect();
                let next = turned(&agents, self.agent_of(task), by);
                self.agent = (next != task.spec.agent).then_some(next);
                // An endpoint that does not serve the new agent can't be asked for.
                if self.endpoint.as_ref().is_some_and(|e| !self.places(task, state).contains(e)) {
                    self.endpoint = None;
                }
            }
            Row::Endpoint => {
                let next = turned(&self.places(task, state), &self.place_of(task).cloned(), by);
                self.endpoint = (next != task.place).then_some(next);
            }
            Row::Level => {
                let now = state.level_of(task);
                let next = turned(&[Level::Low, Level::Medium, Level::High], &self.level.unwrap_or(now), by);
                self.level = (next != now).then_some(next);
            }
            Row::Prompt => {}
            Row::Go => self.focused = Row::Nothing,
            Row::Nothing => self.focused = Row::Go,
        }
    }

    /// Where it may go: wherever its tier is served, and each endpoint that serves it.
    fn places(&self, task: &Task, state: &State) -> Vec<Option<EndpointName>> {
        let agent = state.config.fleet.agent(self.agent_of(task));
        let tiers: Vec<_> = agent.into_iter().flat_map(|a| [Some(&a.tier), a.fallback.as_ref()]).flatten().collect();
        let serving = state.endpoints().iter().filter(|e| tiers.iter().any(|t| e.serves(t)));
        std::iter::once(None).chain(serving.map(|e| Some(e.config.name.clone()))).collect()
    }
}

/// The one before or after, round and round; the first where the one that stands is not among them.
fn turned<T: Clone + PartialEq>(all: &[T], at: &T, by: isize) -> T {
    let n = all.len() as isize;
    let place = all.iter().position(|a| a == at).map_or(0, |i| (i as isize + by).rem_euclid(n.max(1)));
    all.get(place as usize).unwrap_or(at).clone()
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyEvent, KeyModifiers};

    use super::super::{Screen, Ui};
    use super::*;
    use crate::interface::tui::view::story::{self, Story};

    const NOW: Micros = Micros::from_secs(100);
    const LATER: Micros = Micros::from_secs(101);

    fn opened(story: &Story, task: &str) -> Ui {
        let mut ui = Ui { screen: Screen::Run, ..Ui::default() };
        let ix = story.state.find(&task.parse().unwrap()).unwrap();
        let effects = RetryUi::open(ix, &story.state, NOW);
        ui.settle(effects, NOW);
        ui
    }

    fn keys(ui: &mut Ui, story: &Story, keys: &str) -> Vec<UiEffect> {
        let mut out = Vec::new();
        for c in keys.chars() {
            out.extend(ui.update(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)), &story.state, LATER));
        }
        out
    }

    fn enter(ui: &mut Ui, story: &Story) -> Vec<UiEffect> {
        ui.update(Msg::Action(Action::Enter), &story.state, LATER)
    }

    #[test]
    fn enter_retries_a_failed_task_as_it_is() {
        let story = story::failed();
        let mut ui = opened(&story, "g1/samples");
        assert_eq!(ui.update(Msg::Action(Action::Enter), &story.state, NOW), vec![], "deaf at first");
        let task = "g1/samples".parse().unwrap();
        assert_eq!(enter(&mut ui, &story), vec![UiEffect::Send(Command::Retry(RetryScope::Task(task)))]);
        assert!(ui.layers.is_empty());
    }

    #[test]
    fn a_changed_form_is_an_edit_that_names_what_reruns() {
        let story = story::failed();
        let mut ui = opened(&story, "g1/samples");
        keys(&mut ui, &story, "a");
        keys(&mut ui, &story, "p");
        keys(&mut ui, &story, "!");
        assert_eq!(enter(&mut ui, &story), vec![]);
        let sent = enter(&mut ui, &story);
        let [UiEffect::Send(Command::EditPlan { edits, rerun, .. })] = sent.as_slice() else { panic!("{sent:?}") };
        let [PlanEdit::Replace(spec)] = edits.as_slice() else { panic!("{edits:?}") };
        assert_eq!(spec.agent.as_str(), "summarizer");
        assert!(spec.prompt.ends_with('!'), "{}", spec.prompt);
        let rerun: Vec<&str> = rerun.iter().map(Name::as_str).collect();
        assert_eq!(rerun[0], "samples");
        assert!(rerun.contains(&"errors") && !rerun.contains(&"sources"), "what was skipped comes back: {rerun:?}");
    }

    #[test]
    fn a_prompt_left_by_esc_stands_there_again() {
        let story = story::failed();
        let mut ui = opened(&story, "g1/samples");
        keys(&mut ui, &story, "p");
        keys(&mut ui, &story, "?");
        for _ in 0..2 {
            ui.update(Msg::Action(Action::Back), &story.state, LATER);
        }
        assert!(ui.layers.is_empty());
        let ix = story.state.find(&"g1/samples".parse().unwrap()).unwrap();
        let effects = RetryUi::open(ix, &story.state, NOW);
        ui.settle(effects, NOW);
        keys(&mut ui, &story, "p");
        let typed = |ui: &Ui| match ui.layers.last() {
            Some(Layer::Retry(retry)) => retry.field.as_ref().map(TextField::text),
            _ => None,
        };
        assert!(typed(&ui).is_some_and(|text| text.ends_with('?')), "{:?}", typed(&ui));
    }

    #[test]
    fn place_and_level_go_before_the_retry() {
        let story = story::failed();
        let mut ui = opened(&story, "g1/samples");
        keys(&mut ui, &story, "ol");
        let sent = keys(&mut ui, &story, "r");
        assert!(
            matches!(
                sent.as_slice(),
                [
                    UiEffect::Send(Command::SetLevel { level: Some(Level::High), .. }),
                    UiEffect::Send(Command::Place { endpoint: Some(_), .. }),
                    UiEffect::Send(Command::Retry(_))
                ]
            ),
            "{sent:?}"
        );
    }

    #[test]
    fn a_running_task_is_stopped_only_by_its_letter_or_by_choice() {
        let story = story::asking(&[]);
        let mut ui = opened(&story, "g1/sources");
        assert_eq!(enter(&mut ui, &story), vec![], "nothing is focused");
        let mut ui = opened(&story, "g1/sources");
        let sent = keys(&mut ui, &story, "s");
        let [UiEffect::Send(Command::EditPlan { rerun, .. })] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(rerun.iter().map(Name::as_str).collect::<Vec<_>>(), ["sources"]);
    }

    #[test]
    fn what_never_ran_is_refused_in_words() {
        let story = story::asking(&[]);
        let ui = opened(&story, "g1/rank");
        assert!(ui.layers.is_empty() && ui.notice.is_some_and(|n| n.text.contains("not run yet")));
    }
}
