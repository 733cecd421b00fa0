//! A prompt as a recipe: the domain names the pieces, the engine expands them from the text store, the journal keeps
//! the recipe and a digest. So state and journal never hold the same long text twice.

use serde::{Deserialize, Serialize};

use super::{AgentName, AttemptId, GoalId, TaskId, TurnId};
use crate::domain::text::CleanText;

/// The conversation of one turn, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recipe {
    /// The messages, the system message first.
    pub messages: Vec<Message>,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Speaker,
    /// The pieces, joined without a separator.
    pub parts: Vec<Part>,
}

/// Who speaks in a conversation; the words are those of every chat protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The frame: who the model is and what it must keep to.
    System,
    /// What is asked.
    User,
    /// What the model said in an earlier turn.
    Assistant,
    /// What a tool returned.
    Tool,
}

/// One piece of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The agent's system prompt from the session's configuration.
    AgentPrompt(AgentName),
    /// How the agent may ask the operator: always the same words.
    MayAsk,
    /// Fixed words of Baton's own.
    Literal(CleanText),
    /// The goal's text.
    Goal(GoalId),
    /// The task's own prompt, as of the version the attempt runs.
    TaskPrompt(TaskId),
    /// The answer text of a finished attempt, cut to a budget.
    ResultOf {
        /// Whose answer.
        attempt: AttemptId,
        /// How much of it is inserted.
        cut: Cut,
    },
    /// What the model answered in an earlier turn of the same conversation, cut to a budget.
    AnswerOf {
        /// The turn.
        turn: TurnId,
        /// How much of it is inserted.
        cut: Cut,
    },
}

/// How much of a text is inserted. A cut is always marked in the text with how much was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// All of it.
    Whole,
    /// The first `head` and the last `tail` bytes (moved to character boundaries), and between them a mark that says
    /// how many bytes are missing.
    Middle {
        /// Bytes kept from the start.
        head: u64,
        /// Bytes kept from the end.
        tail: u64,
    },
}
