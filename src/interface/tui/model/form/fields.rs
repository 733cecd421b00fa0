//! The fields of a task's form: how each is written, and how it is read back.

use crate::domain::plan::{Priority, TaskSpec};
use crate::domain::protocol::{GoalId, Level, Name, TaskId};
use crate::domain::source::nearest;
use crate::domain::state::State;

use super::super::editor::plan::present;

/// A field of a task's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// What rows show.
    Title,
    /// Its name in the plan; for a new task only.
    Id,
    /// What the agent is asked.
    Prompt,
    /// Who does it.
    Agent,
    /// Its reasoning level.
    Level,
    /// Its weight among ready tasks.
    Priority,
    /// A label to group by.
    Phase,
    /// The tasks that must have ended before.
    Needs,
    /// The most tokens of its answer.
    Tokens,
    /// Opens its result.
    Result,
}

/// How many fields are typed.
pub(super) const TEXTS: usize = 7;

impl Field {
    /// All, in the order of the form.
    pub const ALL: [Self; 10] = [
        Self::Title,
        Self::Id,
        Self::Prompt,
        Self::Agent,
        Self::Level,
        Self::Priority,
        Self::Phase,
        Self::Needs,
        Self::Tokens,
        Self::Result,
    ];

    /// The word before it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Id => "id",
            Self::Prompt => "prompt",
            Self::Agent => "agent",
            Self::Level => "level",
            Self::Priority => "priority",
            Self::Phase => "phase",
            Self::Needs => "needs",
            Self::Tokens => "tokens",
            Self::Result => "result",
        }
    }

    /// What stands in it while it is empty.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Title => "the prompt's first line",
            Self::Prompt => "what the agent is asked",
            Self::Phase => "none",
            Self::Needs => "nothing: it can start at once",
            Self::Tokens => "the agent's limit",
            Self::Id | Self::Agent | Self::Level | Self::Priority | Self::Result => "",
        }
    }

    /// Its place among the fields that are typed.
    pub(super) const fn text(self) -> Option<usize> {
        match self {
            Self::Title => Some(0),
            Self::Id => Some(1),
            Self::Prompt => Some(2),
            Self::Agent => Some(3),
            Self::Phase => Some(4),
            Self::Needs => Some(5),
            Self::Tokens => Some(6),
            Self::Level | Self::Priority | Self::Result => None,
        }
    }

    /// The fields that are typed, each at its place.
    pub(super) const fn texts() -> [Self; TEXTS] {
        [Self::Title, Self::Id, Self::Prompt, Self::Agent, Self::Phase, Self::Needs, Self::Tokens]
    }

    /// It as text.
    pub(super) fn value(self, spec: &TaskSpec) -> String {
        match self {
            Self::Title => spec.title.clone().unwrap_or_default(),
            Self::Id => spec.id.to_string(),
            Self::Prompt => spec.prompt.clone(),
            Self::Agent => spec.agent.to_string(),
            Self::Phase => spec.phase.clone().unwrap_or_default(),
            Self::Needs => spec.needs.iter().map(Name::as_str).collect::<Vec<_>>().join(", "),
            Self::Tokens => spec.budget.tokens.map(|n| n.to_string()).unwrap_or_default(),
            Self::Level | Self::Priority | Self::Result => String::new(),
        }
    }

    /// Reads it into a form.
    pub(super) fn put(self, text: &str, spec: &mut TaskSpec) -> Result<(), String> {
        let words = text.trim();
        let some = || (!words.is_empty()).then(|| words.to_owned());
        let name = |word: &str| Name::new(word).map_err(|error| error.to_string());
        match self {
            Self::Title => spec.title = some(),
            Self::Phase => spec.phase = some(),
            Self::Prompt if words.is_empty() => return Err("say what the agent is asked".into()),
            Self::Prompt => spec.prompt = text.to_owned(),
            Self::Id if words.starts_with('.') => {
                return Err("ids that begin with a dot are Baton's own; begin with a letter or a number".into());
            }
            Self::Id => spec.id = name(words)?,
            Self::Agent => spec.agent = name(words)?,
            Self::Needs => spec.needs = names(words).into_iter().map(name).collect::<Result<_, _>>()?,
            Self::Tokens if words.is_empty() => spec.budget.tokens = None,
            Self::Tokens => match words.replace([',', '_'], "").parse::<u32>() {
                Ok(n @ 1..) => spec.budget.tokens = Some(n),
                _ => return Err("write a number of tokens, as in 2000, or nothing".into()),
            },
            Self::Level | Self::Priority | Self::Result => {}
        }
        Ok(())
    }
}

/// The names of a list as it is typed: with commas, spaces or both between them.
pub(super) fn names(text: &str) -> Vec<&str> {
    text.split([',', ' ']).filter(|n| !n.is_empty()).collect()
}

/// Looks the needs of a task over: known, once each, and in no circle.
pub(super) fn check_needs(spec: &TaskSpec, goal: GoalId, state: &State) -> Result<(), String> {
    for (i, need) in spec.needs.iter().enumerate() {
        if *need == spec.id {
            return Err("it can't need itself".into());
        }
        if spec.needs.iter().take(i).any(|n| n == need) {
            return Err(format!("{need} stands there twice"));
        }
        let known = state.task_by_id(&TaskId::new(goal, need.clone())).is_some_and(|t| !t.removed);
        if !known || need.as_str().starts_with('.') {
            let meant = nearest(need.as_str(), present(state, goal).map(|t| t.id.as_str()));
            let mend = meant.map(|m| format!("; did you mean {m}?")).unwrap_or_default();
            return Err(format!("there is no task {need} in the plan{mend}"));
        }
    }
    match circle(spec, goal, state) {
        Some(path) => Err(format!("they would wait for each other in a circle: {}", path.join(" → "))),
        None => Ok(()),
    }
}

/// The way from a task's needs back to it, first and last the task itself.
fn circle(spec: &TaskSpec, goal: GoalId, state: &State) -> Option<Vec<String>> {
    let this = state.find(&TaskId::new(goal, spec.id.clone()))?;
    let starts = spec.needs.iter().filter_map(|n| state.find(&TaskId::new(goal, n.clone())));
    let mut seen = vec![None; state.tasks().len()];
    let mut stack: Vec<_> = starts.collect();
    for start in &stack {
        *seen.get_mut(start.0 as usize)? = Some(this);
    }
    while let Some(at) = stack.pop() {
        for need in &state.task(at).needs {
            if *need == this {
                // Back along the way that led here.
                let (mut path, mut step) = (vec![spec.id.to_string()], at);
                while step != this {
                    path.push(state.task(step).id.name.to_string());
                    step = seen.get(step.0 as usize).copied().flatten()?;
                }
                path.push(spec.id.to_string());
                path.reverse();
                return Some(path);
            }
            let from = seen.get_mut(need.0 as usize)?;
            if from.is_none() {
                *from = Some(at);
                stack.push(*need);
            }
        }
    }
    None
}

/// The level a task has when its form gives none, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inherited {
    pub(super) level: Level,
    pub(super) from: &'static str,
}

impl Inherited {
    pub(super) fn of(state: &State, spec: &TaskSpec) -> Self {
        let set = state.agent_levels.get(&spec.agent).copied();
        let agent = set.or_else(|| state.config.fleet.agent(&spec.agent).and_then(|a| a.level));
        match agent {
            Some(level) => Self { level, from: "the agent's" },
            None => Self { level: state.level, from: "the session's" },
        }
    }
}

/// The level before or after; none is the inherited one.
pub(super) fn next_level(level: Option<Level>, by: isize) -> Option<Level> {
    const ALL: [Option<Level>; 4] = [None, Some(Level::Low), Some(Level::Medium), Some(Level::High)];
    turn(&ALL, level, by)
}

/// The priority before or after.
pub(super) fn next_priority(priority: Priority, by: isize) -> Priority {
    turn(&PRIORITIES, priority, by)
}

/// All priorities, the least first.
pub(crate) const PRIORITIES: [Priority; 4] = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];

/// The word for a priority.
pub(crate) const fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
        Priority::Critical => "critical",
    }
}

fn turn<T: Copy + PartialEq>(all: &[T; 4], from: T, by: isize) -> T {
    let at = all.iter().position(|v| *v == from).unwrap_or(0);
    all[(at as isize + by).rem_euclid(4).unsigned_abs()]
}
