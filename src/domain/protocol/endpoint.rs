//! What is known of an endpoint at a moment, as a record carries it.

use serde::{Deserialize, Serialize};

use super::{EndpointName, LevelSupport, Micros};
use crate::domain::text::CleanText;

/// What is known of an endpoint. Carries the whole of it, so the last one is the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointChanged {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// How it is.
    pub health: Health,
    /// Slots the server says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Context of one request the server says it has, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// What its model does with a level.
    pub level: LevelSupport,
    /// Bytes its model holds resident, where the server tells (Ollama).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<u64>,
    /// The server's name and version in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<CleanText>,
    /// When it is probed again, if it is not up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_at: Option<Micros>,
}

/// How an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not probed yet; used as if it were up.
    Unknown,
    /// It answers.
    Up,
    /// It answers that its model is loading.
    Loading,
    /// It does not answer, or not as its protocol says.
    Down {
        /// Why, in words.
        reason: CleanText,
    },
}
