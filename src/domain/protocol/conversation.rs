//! What the operator and an agent say to each other while a task is under way: questions, answers, messages, and a result
//! put in by hand.

use serde::{Deserialize, Serialize};

use super::{AttemptId, Author, TaskId, TurnId};
use crate::domain::text::CleanText;

/// A question to the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskAsked {
    /// The task.
    pub task: TaskId,
    /// The turn that asked.
    pub turn: TurnId,
    /// The question.
    pub question: CleanText,
    /// Answers it offers; any other text is an answer too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<CleanText>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "AskedAbout::is_work")]
    pub about: AskedAbout,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedAbout {
    /// The work: the agent asks, and the answer is its next message.
    #[default]
    Work,
    /// What becomes of its answer, which was cut at its limit: Baton asks.
    Cut,
}

impl AskedAbout {
    pub(crate) fn is_work(&self) -> bool {
        *self == Self::Work
    }
}

/// Something said to the agent of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageSent {
    /// The task.
    pub task: TaskId,
    /// Who said it.
    pub author: Author,
    /// The words.
    pub text: CleanText,
}

/// A result put in by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultEdited {
    /// The task.
    pub task: TaskId,
    /// The attempt that stands for it: its answer is the text. It has one turn that ended at once and used no slot.
    pub attempt: AttemptId,
    /// Who edited.
    pub author: Author,
    /// The result, raw: it is given to dependants as it is, and cleaned where it is shown.
    pub text: String,
}
