//! A turn, as records carry it: one model request, its end, its tokens and times.

use serde::{Deserialize, Serialize};

use super::{Failure, Level, Recipe, TurnId};

/// A model request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnStarted {
    /// Its id; effects and inputs carry it.
    pub turn: TurnId,
    /// The slot granted, counted from 0 within the endpoint's pool.
    pub slot: u16,
    /// The reasoning level it runs with.
    pub level: Level,
    /// The most tokens it may answer.
    pub max_tokens: u32,
    /// What it is asked, as pieces.
    pub recipe: Recipe,
}

/// A model request's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnEnded {
    /// The turn.
    pub turn: TurnId,
    /// How.
    pub end: TurnEnd,
    /// Whether its slot is free at once or drains until `slot.freed`.
    pub slot: SlotAfter,
    /// Tokens and times, as far as the server told or Baton measured.
    #[serde(default)]
    pub usage: Usage,
    /// Digest (first 16 hex digits of a 64-bit hash) of the prompt as sent; empty when nothing was sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt_digest: String,
}

/// Whether a slot is free when its turn has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotAfter {
    /// Free.
    Free,
    /// Still in use by the server; `slot.freed` follows.
    Draining,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnEnd {
    /// The model came to its end.
    Stop,
    /// The token limit or the context cut it.
    Length,
    /// It asks for tools.
    ToolCalls,
    /// It failed.
    Failed(Failure),
    /// Baton closed the connection.
    Cancelled,
}

/// Tokens and times of a turn. Zero means unknown, never a measured zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Prompt tokens, those from the cache included.
    #[serde(skip_serializing_if = "is_zero")]
    pub prompt_tokens: u64,
    /// Prompt tokens that came from the server's cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Tokens generated, thinking included.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_tokens: u64,
    /// From sending to the first token, in microseconds of Baton's clock.
    #[serde(skip_serializing_if = "is_zero")]
    pub first_token_us: u64,
    /// From the first token to the end, in microseconds (the server's figure where it gives one).
    #[serde(skip_serializing_if = "is_zero")]
    pub generation_us: u64,
    /// Time in the server's queue, in microseconds, where it can be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub queue_us: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
