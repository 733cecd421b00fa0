//! llama.cpp's native `/completion` events. The last one has `"stop":true`; there is no `[DONE]`.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{PromptProgress, Timings, Turn, take_known};
use crate::domain::protocol::TurnEnd;
use crate::engine::providers::chunk::Chunk;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    content: Option<String>,
    stop: Option<bool>,
    stop_type: Option<String>,
    tokens_predicted: Option<u64>,
    tokens_evaluated: Option<u64>,
    timings: Option<Timings>,
    prompt_progress: Option<PromptProgress>,
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
    if let Some(content) = event.content {
        turn.content(content, out);
    }
    if event.stop == Some(true) {
        if let Some(timings) = event.timings {
            timings.enter(&mut turn.usage);
        }
        take_known(&mut turn.usage.prompt_tokens, event.tokens_evaluated);
        take_known(&mut turn.usage.output_tokens, event.tokens_predicted);
        let cut = event.stop_type.as_deref() == Some("limit");
        turn.end = Some(if cut { TurnEnd::Length } else { TurnEnd::Stop });
        turn.finish(out);
    }
    Ok(None)
}
