//! Clients for model servers: a [`Request`] becomes a stream of typed [`Chunk`]s.

use std::time::Duration;

use crate::domain::fleet::Endpoint;
use crate::domain::protocol::{Failure, Health, Level, LevelSupport, Speaker, TurnEnd, Usage};
use crate::domain::text::CleanText;

/// One model request, whole: the engine has expanded the recipe.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where.
    pub endpoint: Endpoint,
    /// The conversation, the system message first.
    pub messages: Vec<(Speaker, String)>,
    /// The most tokens to generate.
    pub max_tokens: u32,
    /// Sampling temperature.
    pub temperature: f32,
    /// The reasoning level.
    pub level: Level,
    /// What the endpoint's model does with a level.
    pub level_support: LevelSupport,
    /// What form the answer must have.
    pub format: AnswerFormat,
    /// A stream without a byte for this long is given up.
    pub silence: Duration,
}

/// What form an answer must have.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerFormat {
    /// Prose.
    Text,
    /// JSON after this schema, enforced where the server can; the schema is in the prompt too.
    Json(serde_json::Value),
}

/// What comes back, piece by piece. The stream ends after [`Chunk::End`] or an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// The server took the request up (headers came): it is not queued any more.
    Accepted,
    /// The prompt is being read.
    Progress {
        /// Tokens read, those from the cache included.
        processed: u64,
        /// Tokens in all.
        total: u64,
    },
    /// The server is alive (a comment line or ping).
    Alive,
    /// A piece of thinking.
    Thinking(String),
    /// A piece of the answer.
    Answer(String),
    /// A tool call, whole, as JSON `{id, name, arguments}`.
    ToolCall(String),
    /// The end: never [`TurnEnd::Failed`] or [`TurnEnd::Cancelled`]; those are errors and drops.
    End {
        /// Why.
        end: TurnEnd,
        /// What the server said of tokens and times (Baton's own clock figures are filled in by the engine).
        usage: Usage,
    },
}

/// A request's failure, ready for the journal.
pub type ProviderError = Failure;

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How the endpoint is.
    pub health: Health,
    /// Slots the server says it has.
    pub slots: Option<u32>,
    /// Slots it says are busy now, ours and others'.
    pub busy: Option<u32>,
    /// Context of one request.
    pub context: Option<u32>,
    /// What its model does with a level.
    pub level: LevelSupport,
    /// Bytes resident.
    pub resident: Option<u64>,
    /// The server's name and version.
    pub server: Option<CleanText>,
}
