//! What is asked: a [`Request`], whole, and the form its answer must have.
//!
//! Not here: how a server wants it written (`body`).

use std::time::Duration;

use crate::domain::fleet::Endpoint;
use crate::domain::protocol::{Level, LevelSupport, Speaker};

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
    /// A stream without a byte for this long is given up. Counts from the answer's headers on: a queued request
    /// sends nothing at all on most servers, and waiting is no fault.
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
