//! Chat events of llama.cpp and everything OpenAI-compatible. Every field may be missing: llama-swap injects events with
//! nothing but a delta, and usage comes on an event with no choice at all.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::calls::{Fragment, Function};
use super::end::Ending;
use super::{PromptProgress, Said, Timings, Turn, Written, lenient, take_tokens};
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
    /// Some gateways say here that what stands behind them broke.
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    content: Option<String>,
    /// A refusal has a field of its own where a server keeps to OpenAI's form: it is what the model says.
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    thinking: Option<String>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Fragment<'a>>>,
    /// The older form of a tool call.
    #[serde(borrow)]
    function_call: Option<Function<'a>>,
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

/// Reads one event.
pub(super) fn read(text: &str, turn: &mut Turn, out: &mut VecDeque<Chunk>) -> Result<Said, serde_json::Error> {
    let event: Event<'_> = serde_json::from_str(text)?;
    let choices = event.choices.unwrap_or_default();
    let bare =
        choices.is_empty() && event.usage.is_none() && event.timings.is_none() && event.prompt_progress.is_none();
    // Errors have many forms; what is an event's is none.
    if (bare || event.error.is_some()) && lenient::is_error(text) {
        return Ok(Said::Error);
    }
    if let Some(progress) = event.prompt_progress {
        out.push_back(progress.into());
    }
    if let Some(timings) = event.timings {
        timings.enter(&mut turn.usage);
    }
    if let Some(tokens) = event.usage {
        take_tokens(&mut turn.usage.prompt_tokens, tokens.prompt_tokens);
        take_tokens(&mut turn.usage.output_tokens, tokens.completion_tokens);
        take_tokens(&mut turn.usage.cached_tokens, tokens.prompt_tokens_details.and_then(|d| d.cached_tokens));
    }
    for choice in choices {
        // Baton asks for one answer; a second one is nobody's. Which number the one has is the server's affair.
        if choice.index.is_some_and(|index| *turn.choice.get_or_insert(index) != index) {
            continue;
        }
        if choice.message.is_some() {
            turn.written = Written::Whole;
        }
        let delta = choice.delta.or(choice.message);
        let errors = [choice.error, delta.as_ref().and_then(|delta| delta.error)];
        if let Some(error) = errors.into_iter().flatten().find(|error| lenient::tells_json(error.get())) {
            return Ok(Said::ErrorWithin(error.get().to_owned()));
        }
        if let Some(delta) = delta {
            for thinking in [delta.reasoning_content, delta.reasoning, delta.thinking].into_iter().flatten() {
                if !thinking.is_empty() {
                    turn.thinking(thinking, out);
                    break; // servers between two names send the same text under both
                }
            }
            for content in [delta.content, delta.refusal].into_iter().flatten() {
                turn.content(content, out);
            }
            for fragment in delta.tool_calls.into_iter().flatten().chain(delta.function_call.map(Fragment::of)) {
                turn.calls.push(fragment);
            }
        }
        if let Some(text) = choice.text {
            turn.content(text, out);
        }
        if let Some(ending) = choice.finish_reason.as_deref().and_then(Ending::of) {
            turn.named(ending);
        }
    }
    Ok(Said::More)
}
