//! How servers say why an answer ended.
//!
//! Invariant: only a reason that is known as a good end is one. An engine that aborts (shutdown, a full cache, a filter)
//! sends HTTP 200, its reason and `[DONE]` like one that is done.

use crate::domain::text::CleanText;

/// A reason, as far as it is understood. In order of what counts where several are told: the one that takes most away
/// from the answer, because a gateway's `stop` does not undo its server's `length`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// An empty word. Some servers send it in every event; it counts where no other ever comes.
    Unnamed,
    /// The model was done.
    Stop,
    /// It wants tools.
    ToolCalls,
    /// It was cut: its tokens were used up.
    Length,
    /// Any other word.
    Bad(String),
}

impl Ending {
    /// What a reason means: OpenAI's words, those of TGI (`eos_token`), Anthropic (`end_turn`), Mistral (`model_length`),
    /// Cohere (`complete`, `max_tokens`) and llama.cpp's own form (`eos`, `limit`), in any case. None for the names of
    /// nothing, which some servers write as words.
    pub(super) fn of(reason: &str) -> Option<Self> {
        Some(match reason.trim().to_ascii_lowercase().as_str() {
            "null" | "none" => return None,
            "" => Self::Unnamed,
            "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "complete" | "completed" => Self::Stop,
            "length" | "max_tokens" | "limit" | "max_length" | "model_length" | "max_output_tokens" => Self::Length,
            "tool_calls" | "tool_call" | "tool_use" | "function_call" => Self::ToolCalls,
            // Known words have 20 letters.
            _ => Self::Bad(CleanText::one_line(&reason.chars().take(60).collect::<String>()).to_string()),
        })
    }
}
