//! The reasoning level: how hard a model is asked to think.

use serde::{Deserialize, Serialize};

/// low, medium, high. Resolved task → agent → session and mapped per provider.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Think little.
    Low,
    /// Think as usual.
    #[default]
    Medium,
    /// Think hard.
    High,
}

impl Level {
    /// The one letter shown in rows.
    pub const fn letter(self) -> char {
        match self {
            Self::Low => 'l',
            Self::Medium => 'm',
            Self::High => 'h',
        }
    }

    /// The word on the wire and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The level after this one, round and round: what the level key does.
    pub const fn next(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// What an endpoint's model does with a reasoning level, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LevelSupport {
    /// Three grades reach the model (gpt-oss).
    Graded,
    /// Thinking can only be on (medium, high) or off (low).
    Switch,
    /// The server has no such control; the level is shown as `-`.
    None,
    /// Not probed yet; the level is sent where that is harmless.
    Unknown,
}
