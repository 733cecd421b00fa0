//! An agent: a role with its prompt, tier, tools and sampling.

use serde::{Deserialize, Serialize};

use crate::domain::protocol::{AgentName, Level, TierName};

/// A role that tasks are given to. Not a process: one agent may run many tasks at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The name plans use.
    pub name: AgentName,
    /// What it is good at, in one sentence: shown to the planning model and in the console.
    pub description: String,
    /// The tier its requests go to.
    pub tier: TierName,
    /// The tier tried when the first one failed or is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<TierName>,
    /// The most tokens of one answer, thinking included.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: u32,
    /// Sampling temperature; 0.7 where none is given.
    #[serde(default = "default_temperature")]
    pub temperature: f32,
    /// Its own reasoning level; the task's goes before it, the session's after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The tools it may call (allow-list).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The system prompt.
    pub prompt: String,
}

fn default_max_tokens() -> u32 {
    2048
}

fn default_temperature() -> f32 {
    0.7
}
