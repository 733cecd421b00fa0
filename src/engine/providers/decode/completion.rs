//! llama.cpp's native `/completion` events. The last one has `"stop":true`; there is no `[DONE]`.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::end::Ending;
use super::{PromptProgress, Said, Timings, Turn, lenient, take_tokens};
use crate::engine::providers::chunk::Chunk;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    content: Option<String>,
    stop: Option<bool>,
    stop_type: Option<String>,
    /// Older builds have no `stop_type`.
    stopped_limit: Option<bool>,
    tokens_predicted: Option<u64>,
    tokens_evaluated: Option<u64>,
    timings: Option<Timings>,
    prompt_progress: Option<PromptProgress>,
}

/// Reads one event.
pub(super) fn read(text: &str, turn: &mut Turn, out: &mut VecDeque<Chunk>) -> Result<Said, serde_json::Error> {
    let event: Event<'_> = serde_json::from_str(text)?;
    let bare = event.content.is_none() && event.stop.is_none() && event.prompt_progress.is_none();
    if (bare || event.error.is_some()) && lenient::is_error(text) {
        return Ok(Said::Error);
    }
    if let Some(progress) = event.prompt_progress {
        out.push_back(progress.into());
    }
    if let Some(content) = event.content {
        turn.content(content, out);
    }
    if event.stop != Some(true) {
        return Ok(Said::More);
    }
    if let Some(timings) = event.timings {
        timings.enter(&mut turn.usage);
    }
    take_tokens(&mut turn.usage.prompt_tokens, event.tokens_evaluated);
    take_tokens(&mut turn.usage.output_tokens, event.tokens_predicted);
    let told = event.stop_type.as_deref();
    turn.named(match told.and_then(|reason| if reason == "word" { Some(Ending::Stop) } else { Ending::of(reason) }) {
        Some(ending) => ending,
        None if event.stopped_limit == Some(true) => Ending::Length,
        None => Ending::Stop,
    });
    Ok(Said::End)
}
