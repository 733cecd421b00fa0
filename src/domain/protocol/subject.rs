//! What something that needs the operator is about.

use serde::{Deserialize, Serialize};

use super::{EndpointName, GoalId, Name, TaskId};

/// What something that needs the operator is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A plan waits for review.
    Review(GoalId),
    /// A task failed.
    Task(TaskId),
    /// An agent asks.
    Question(TaskId),
    /// A task has been silent for long.
    Stall(TaskId),
    /// A task repeats itself.
    Loop(TaskId),
    /// A task's context is nearly full.
    Context(TaskId),
    /// A task thinks for most of what it may say.
    Thinking(TaskId),
    /// A task's result was cut.
    Cut(TaskId),
    /// A task sees little of the results it needs, or has little room for its answer.
    Fit(TaskId),
    /// An endpoint needs a hand (a key, a model).
    Endpoint(EndpointName),
    /// A goal's models do not fit into memory.
    Memory(GoalId),
    /// A server that Baton started does not run any more.
    Server(EndpointName),
    /// The journal can't be written.
    Journal,
    /// Something else, by name.
    Other(Name),
}

impl Subject {
    /// Whether work stands still until a person says something.
    pub const fn wants_a_word(&self) -> bool {
        matches!(self, Self::Question(_) | Self::Review(_) | Self::Memory(_) | Self::Journal)
    }

    /// The task it is about, if it is about one.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::Task(t)
            | Self::Question(t)
            | Self::Stall(t)
            | Self::Loop(t)
            | Self::Context(t)
            | Self::Thinking(t)
            | Self::Cut(t)
            | Self::Fit(t) => Some(t),
            Self::Review(_)
            | Self::Endpoint(_)
            | Self::Memory(_)
            | Self::Server(_)
            | Self::Journal
            | Self::Other(_) => None,
        }
    }
}

impl std::fmt::Display for Subject {
    /// What it is about, in words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Review(goal) => write!(f, "the plan of {goal}"),
            Self::Task(task) => write!(f, "the failure of {task}"),
            Self::Question(task) => write!(f, "the question of {task}"),
            Self::Stall(task) => write!(f, "the silence of {task}"),
            Self::Loop(task) => write!(f, "the repetition of {task}"),
            Self::Context(task) => write!(f, "the full context of {task}"),
            Self::Thinking(task) => write!(f, "the long thinking of {task}"),
            Self::Cut(task) => write!(f, "the cut result of {task}"),
            Self::Fit(task) => write!(f, "what {task} does not see"),
            Self::Endpoint(endpoint) => write!(f, "the endpoint {endpoint}"),
            Self::Memory(goal) => write!(f, "the memory that {goal} needs"),
            Self::Server(endpoint) => write!(f, "the server of {endpoint}"),
            Self::Journal => f.write_str("the journal"),
            Self::Other(name) => write!(f, "{name}"),
        }
    }
}
