//! The palette: every action by name, found by a few of its letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::layer::LayerDoes;
use super::task_verbs::inspect;
use super::{Layer, MessageUi, UiEffect, notice};
use crate::domain::protocol::{Command, Level, LevelScope};
use crate::domain::state::{State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Context;
use crate::interface::tui::action::table::{self, Entry};

/// What is typed into the palette and which row is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaletteUi {
    /// What is typed.
    pub query: String,
    /// The chosen row among [`PaletteUi::found`].
    pub selected: usize,
    /// Where it was opened: what works there is found first.
    pub contexts: Vec<Context>,
}

/// The most letters taken: longer finds nothing more.
const LONGEST: usize = 60;

/// A command that needs an argument: typed after its name, and completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The reasoning level of an agent.
    Level,
    /// Something said to a task's agent.
    Message,
    /// A task in full.
    Goto,
}

impl Form {
    /// All.
    pub const ALL: [Self; 3] = [Self::Level, Self::Message, Self::Goto];

    /// Its name, as it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Message => "message",
            Self::Goto => "goto",
        }
    }

    /// Its name and what it wants.
    pub const fn usage(self) -> &'static str {
        match self {
            Self::Level => "level AGENT low|medium|high",
            Self::Message => "message TASK",
            Self::Goto => "goto TASK",
        }
    }

    /// What it does.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Level => "reasoning level of an agent",
            Self::Message => "say something to a task's agent",
            Self::Goto => "open a task",
        }
    }
}

/// A row of the palette.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Offer {
    /// An action.
    Action(&'static Entry),
    /// A command that wants an argument yet.
    Form(Form),
    /// A level for the agent at that place of the fleet.
    Level(usize, Level),
    /// A task as the argument of a command.
    Task(Form, TaskIx),
}

impl Offer {
    /// What it is called.
    pub fn words(&self, state: &State) -> CleanText {
        match self {
            Self::Action(entry) => CleanText::from_static(entry.words),
            Self::Form(form) => CleanText::from_static(form.words()),
            Self::Level(agent, level) => {
                let agent = state.config.fleet.agents.get(*agent).map_or("", |a| a.name.as_str());
                format!("level {agent} {}", level.word()).into()
            }
            Self::Task(form, task) => {
                let task = state.task(*task);
                CleanText::one_line(&format!("{} {} ({})", form.name(), task.title, task.id.name))
            }
        }
    }
}

impl PaletteUi {
    /// A palette opened where these contexts have the focus.
    pub fn new(contexts: Vec<Context>) -> Self {
        Self { contexts, ..Self::default() }
    }

    /// Whether an action means something where the palette was opened.
    pub fn works(&self, entry: &Entry) -> bool {
        let here = |c: &Context| matches!(c, Context::Everywhere | Context::Session) || self.contexts.contains(c);
        entry.bindings.is_empty() || entry.bindings.iter().any(|b| here(&b.context))
    }

    /// The command whose argument is being typed.
    pub fn form(&self) -> Option<Form> {
        let (name, _) = self.query.split_once(' ')?;
        Form::ALL.into_iter().find(|f| f.name() == name)
    }

    /// What matches: what works here first, each best first. While nothing is typed, all that works here in the order of
    /// the table; after the name of a command that wants an argument, what completes it.
    pub fn found(&self, state: &State) -> Vec<Offer> {
        let entries = table::ENTRIES.iter().filter(|e| e.in_palette());
        if self.query.trim().is_empty() {
            let here = entries.filter(|e| self.works(e)).map(Offer::Action);
            return here.chain(Form::ALL.map(Offer::Form)).collect();
        }
        let tasks = |form: Form| -> Vec<Offer> {
            let all = (0..state.tasks().len() as u32).map(TaskIx).filter(|ix| !state.task(*ix).removed);
            all.map(|ix| Offer::Task(form, ix)).collect()
        };
        let levels = |agent| [Level::Low, Level::Medium, Level::High].map(|level| Offer::Level(agent, level));
        let arguments = match self.form() {
            Some(Form::Level) => (0..state.config.fleet.agents.len()).flat_map(levels).collect(),
            Some(form) => tasks(form),
            None => Vec::new(),
        };
        let pattern = Pattern::parse(&self.query, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let offers = arguments.into_iter().chain(entries.map(Offer::Action)).chain(Form::ALL.map(Offer::Form));
        let mut found: Vec<_> = offers
            .filter_map(|offer| {
                let text = match offer {
                    Offer::Action(entry) => format!("{} {}", entry.words, entry.name.replace('_', " ")),
                    Offer::Form(form) => format!("{} {}", form.usage(), form.words()),
                    Offer::Level(..) | Offer::Task(..) => offer.words(state).to_string(),
                };
                pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher).map(|score| (score, offer))
            })
            .collect();
        let rank = |offer: &Offer| match offer {
            Offer::Level(..) | Offer::Task(..) => 0,
            Offer::Action(entry) if self.works(entry) => 1,
            Offer::Form(_) => 1,
            Offer::Action(_) => 2,
        };
        found.sort_by_key(|(score, offer)| (rank(offer), std::cmp::Reverse(*score)));
        found.into_iter().map(|(_, offer)| offer).collect()
    }

    /// What choosing the chosen row does.
    pub(super) fn choose(&mut self, state: &State) -> LayerDoes {
        match self.found(state).get(self.selected) {
            None => LayerDoes::Stays(Vec::new()),
            Some(Offer::Action(entry)) if self.works(entry) => LayerDoes::Becomes(entry.action),
            Some(Offer::Action(entry)) => {
                LayerDoes::Stays(notice(&format!("not here: {} works on {}", entry.words, entry.place())))
            }
            Some(Offer::Form(form)) => {
                self.query = format!("{} ", form.name());
                self.selected = 0;
                LayerDoes::Stays(Vec::new())
            }
            Some(Offer::Level(agent, level)) => LayerDoes::Closes(match state.config.fleet.agents.get(*agent) {
                Some(agent) => {
                    let scope = LevelScope::Agent(agent.name.clone());
                    vec![UiEffect::Send(Command::SetLevel { scope, level: Some(*level) })]
                }
                None => Vec::new(),
            }),
            Some(Offer::Task(Form::Message, task)) => {
                LayerDoes::Closes(vec![UiEffect::Open(Box::new(Layer::Message(MessageUi::new(*task, state))))])
            }
            Some(Offer::Task(_, task)) => LayerDoes::Closes(vec![inspect(*task, state)]),
        }
    }

    /// Takes a letter.
    pub(super) fn push(&mut self, c: char) {
        if self.query.chars().count() < LONGEST {
            self.query.push(c);
        }
        self.selected = 0;
    }

    /// Takes the last letter back.
    pub(super) fn pop(&mut self) {
        self.query.pop();
        self.selected = 0;
    }

    /// Moves the choice, within what was found.
    pub(super) fn turn(&mut self, by: isize, state: &State) {
        let last = self.found(state).len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::action::Action;

    use crate::interface::tui::view::story;

    fn place(palette: &PaletteUi, action: Action) -> Option<usize> {
        let found = palette.found(&State::default());
        found.iter().position(|o| matches!(o, Offer::Action(e) if e.action == action))
    }

    fn typed(text: &str) -> PaletteUi {
        let mut palette = PaletteUi::new(vec![Context::Task, Context::List, Context::Session, Context::Everywhere]);
        text.chars().for_each(|c| palette.push(c));
        palette
    }

    #[test]
    fn what_works_here_is_listed_and_found_first() {
        let palette = typed("");
        assert!(place(&palette, Action::Retry).is_some() && place(&palette, Action::NextTheme).is_some());
        assert_eq!(place(&palette, Action::ChooseFleet), None);
        let palette = typed("answer");
        let works: Vec<bool> = palette
            .found(&State::default())
            .iter()
            .map(|o| if let Offer::Action(e) = o { palette.works(e) } else { true })
            .collect();
        assert!(works.contains(&true) && works.is_sorted_by(|a, b| a >= b), "{works:?}");
        let review = PaletteUi::new(vec![Context::Review, Context::List]);
        assert!(place(&review, Action::Remove).is_some() && place(&review, Action::Retry).is_none());
    }

    #[test]
    fn an_argument_is_asked_for_and_completed() {
        let state = story::asking(&[]).state;
        let mut palette = typed("level of an agent");
        assert_eq!(palette.found(&state).first(), Some(&Offer::Form(Form::Level)));
        assert!(matches!(palette.choose(&state), LayerDoes::Stays(_)));
        assert_eq!((palette.query.as_str(), palette.form()), ("level ", Some(Form::Level)));
        "cod h".chars().for_each(|c| palette.push(c));
        let LayerDoes::Closes(effects) = palette.choose(&state) else { panic!("it is complete") };
        let [UiEffect::Send(Command::SetLevel { scope: LevelScope::Agent(agent), level })] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        assert_eq!((agent.as_str(), *level), ("coder", Some(Level::High)));
    }

    #[test]
    fn a_task_is_found_by_its_title() {
        let state = story::asking(&[]).state;
        let LayerDoes::Closes(effects) = typed("goto upkeep").choose(&state) else { panic!("it is complete") };
        assert!(matches!(effects.as_slice(), [UiEffect::Open(layer)]
            if matches!(&**layer, Layer::Inspector(i) if i.task.name.as_str() == "upkeep")));
        let LayerDoes::Closes(effects) = typed("message forty sample").choose(&state) else { panic!("it is complete") };
        assert!(matches!(effects.as_slice(), [UiEffect::Open(layer)]
            if matches!(&**layer, Layer::Message(m) if m.task.name.as_str() == "samples")));
    }
}
