//! What the built-in tiers are for, in words for people.
//!
//! Not here: who serves them (`fleet.toml`), which agent needs which (`agents.toml`). A tier of the operator's own goes by
//! its own name: nobody else knows what it is for.

use crate::domain::protocol::TierName;

/// Work that a built-in tier stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Whatever comes.
    Any,
    /// What has to be thought through.
    Reasoning,
    /// Programs.
    Code,
    /// Pictures.
    Images,
    /// Much text made short.
    Summaries,
}

impl Work {
    /// The work of a built-in tier; none for any other.
    pub fn of(tier: &TierName) -> Option<Self> {
        Some(match tier.as_str() {
            "q4_tools" => Self::Any,
            "gptoss_reason" => Self::Reasoning,
            "coder" => Self::Code,
            "vision" => Self::Images,
            "summary" => Self::Summaries,
            _ => return None,
        })
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Any => "any work",
            Self::Reasoning => "reasoning",
            Self::Code => "code",
            Self::Images => "images",
            Self::Summaries => "summaries",
        }
    }

    /// A tier in words: what it is for where it is built in, else its name.
    pub fn said(tier: &TierName) -> &str {
        match Self::of(tier) {
            Some(work) => work.words(),
            None => tier.as_str(),
        }
    }
}
