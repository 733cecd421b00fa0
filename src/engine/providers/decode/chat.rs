//! Chat events of llama.cpp and everything OpenAI-compatible. Every field may be missing: llama-swap injects events with
//! nothing but a delta, and usage comes on an event with no choice at all.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::calls::Fragment;
use super::{PromptProgress, Timings, Turn, take_known};
use crate::domain::protocol::TurnEnd;
use crate::engine::providers::chunk::Chunk;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<Tokens>,
    timings: Option<Timings>,
    prompt_progress: Option<PromptProgress>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// In place of a delta where the server did not stream.
    #[serde(borrow)]
    message: Option<Delta<'a>>,
    /// In place of a delta on `/v1/completions`.
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    thinking: Option<String>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Fragment<'a>>>,
}

#[derive(Deserialize)]
struct Tokens {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

/// Reads one event; what comes back is the raw value of its `error`, if it has one.
pub(super) fn read(
    text: &str,
    turn: &mut Turn,
    out: &mut VecDeque<Chunk>,
) -> Result<Option<String>, serde_json::Error> {
    let event: Event<'_> = serde_json::from_str(text)?;
    if let Some(error) = event.error {
        return Ok(Some(error.get().to_owned()));
    }
    if let Some(progress) = event.prompt_progress {
        out.push_back(progress.into());
    }
    if let Some(timings) = event.timings {
        timings.enter(&mut turn.usage);
    }
    if let Some(tokens) = event.usage {
        take_known(&mut turn.usage.prompt_tokens, tokens.prompt_tokens);
        take_known(&mut turn.usage.output_tokens, tokens.completion_tokens);
        take_known(&mut turn.usage.cached_tokens, tokens.prompt_tokens_details.and_then(|d| d.cached_tokens));
    }
    for choice in event.choices.into_iter().flatten() {
        // Baton asks for one answer; a second one is nobody's.
        if choice.index.unwrap_or(0) != 0 {
            continue;
        }
        if let Some(delta) = choice.delta.or(choice.message) {
            for thinking in [delta.reasoning_content, delta.reasoning, delta.thinking].into_iter().flatten() {
                if !thinking.is_empty() {
                    turn.thinking(thinking, out);
                    break; // servers between two names send the same text under both
                }
            }
            if let Some(content) = delta.content {
                turn.content(content, out);
            }
            for fragment in delta.tool_calls.into_iter().flatten() {
                turn.calls.push(fragment);
            }
        }
        if let Some(text) = choice.text {
            turn.content(text, out);
        }
        if let Some(reason) = choice.finish_reason {
            turn.end = Some(match reason.as_str() {
                "length" | "max_tokens" => TurnEnd::Length,
                "tool_calls" | "function_call" => TurnEnd::ToolCalls,
                _ => TurnEnd::Stop,
            });
        }
    }
    Ok(None)
}
