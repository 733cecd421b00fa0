//! A prompt as a recipe: the domain names the pieces, the engine expands them from the text store, the journal keeps
//! the recipe and a digest. So state and journal never hold the same long text twice.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::{AgentName, AttemptId, GoalId, TaskId, TurnId};
use crate::domain::text::CleanText;

/// The conversation of one turn, in order. Cheap to clone: each turn has one for good, and every state of it shares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recipe {
    /// The messages, the system message first.
    pub messages: Arc<[Message]>,
}

impl From<Vec<Message>> for Recipe {
    fn from(messages: Vec<Message>) -> Self {
        Self { messages: messages.into() }
    }
}

impl Recipe {
    /// The turn whose answer was cut and that this asks to continue, if it does.
    pub fn continues(&self) -> Option<TurnId> {
        let [.., so_far, word] = &*self.messages else { return None };
        let go_on = matches!(&word.parts[..], [Part::Literal(words)] if words.as_str() == Part::GO_ON);
        match &so_far.parts[..] {
            [Part::AnswerOf { turn, .. }] if go_on && so_far.role == Speaker::Assistant => Some(*turn),
            _ => None,
        }
    }
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

/// The words nearly every prompt has: as they stand behind an opening quote in a journal, and once for all prompts. Ten
/// thousand copies of them would be megabytes.
static COMMON: LazyLock<[(&str, CleanText); 3]> = LazyLock::new(|| {
    [
        ("\\n\\n\"", CleanText::from_static(Part::BETWEEN)),
        ("The goal all of this serves:\\n\"", CleanText::from_static(Part::BEFORE_GOAL)),
        ("## Your task\\n\\n\"", CleanText::from_static(Part::BEFORE_TASK)),
    ]
});

impl Part {
    /// Words before the goal's text.
    pub(crate) const BEFORE_GOAL: &str = "The goal all of this serves:\n";
    /// Words before the task's own prompt.
    pub(crate) const BEFORE_TASK: &str = "## Your task\n\n";
    /// What asks for the rest of an answer that was cut.
    pub(crate) const GO_ON: &str = "Your answer was cut off. Continue it exactly where it stopped, in the middle of a word if \
        need be: what you write now is joined to it as it is. Repeat nothing and write nothing before it.";
    /// What stands between pieces.
    pub(crate) const BETWEEN: &str = "\n\n";

    /// Fixed words.
    pub(crate) fn literal(text: &str) -> Self {
        let common = COMMON.iter().find(|(_, common)| common.as_str() == text);
        Self::Literal(common.map_or_else(|| CleanText::new(text), |(_, common)| common.clone()))
    }

    /// Words that nearly every prompt has, if `json` (what stands behind an opening quote) begins with them and their
    /// closing quote; and what follows.
    pub(super) fn common_literal(json: &str) -> Option<(Self, &str)> {
        COMMON.iter().find_map(|(quoted, text)| Some((Self::Literal(text.clone()), json.strip_prefix(quoted)?)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_there_once_and_read_as_they_are_written() {
        for text in [Part::BEFORE_GOAL, Part::BEFORE_TASK, Part::BETWEEN] {
            let quoted = serde_json::to_string(text).unwrap() + ",1";
            let (part, rest) = Part::common_literal(&quoted[1..]).unwrap();
            assert_eq!((&part, rest), (&Part::Literal(CleanText::new(text)), ",1"));
            let (Part::Literal(read), Part::Literal(made)) = (part, Part::literal(text)) else { panic!("no words") };
            assert!(std::ptr::eq(read.as_str(), made.as_str()));
        }
        assert_eq!(Part::literal("other"), Part::Literal(CleanText::new("other")));
        assert_eq!(Part::common_literal(r#"\n\nmore""#), None);
    }
}
