//! Ollama's lines of JSON, `/api/chat` and `/api/generate`. The last line has `"done":true`; a line with `error` may come
//! in its place, under HTTP 200.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::calls::Fragment;
use super::end::Ending;
use super::{Said, Turn, lenient, take_time, take_tokens};
use crate::engine::providers::chunk::Chunk;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    /// The text on `/api/generate`.
    response: Option<String>,
    /// The thinking on `/api/generate`.
    thinking: Option<String>,
    done: Option<bool>,
    done_reason: Option<String>,
    // Durations are nanoseconds; figures that are zero are left out.
    total_duration: Option<u64>,
    load_duration: Option<u64>,
    prompt_eval_count: Option<u64>,
    prompt_eval_cached_count: Option<u64>,
    prompt_eval_duration: Option<u64>,
    eval_count: Option<u64>,
    eval_duration: Option<u64>,
}

#[derive(Deserialize)]
struct Message<'a> {
    content: Option<String>,
    thinking: Option<String>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Fragment<'a>>>,
}

/// Reads one line.
pub(super) fn read(text: &str, turn: &mut Turn, out: &mut VecDeque<Chunk>) -> Result<Said, serde_json::Error> {
    let line: Line<'_> = serde_json::from_str(text)?;
    let bare = line.message.is_none() && line.response.is_none() && line.done.is_none();
    if (bare || line.error.is_some()) && lenient::is_error(text) {
        return Ok(Said::Error);
    }
    if let Some(thinking) = line.thinking {
        turn.thinking(thinking, out);
    }
    if let Some(response) = line.response {
        turn.content(response, out);
    }
    if let Some(message) = line.message {
        if let Some(thinking) = message.thinking {
            turn.thinking(thinking, out);
        }
        if let Some(content) = message.content {
            turn.content(content, out);
        }
        for call in message.tool_calls.into_iter().flatten() {
            turn.calls.push_whole(call);
        }
    }
    if line.done != Some(true) {
        return Ok(Said::More);
    }
    let usage = &mut turn.usage;
    take_tokens(&mut usage.prompt_tokens, line.prompt_eval_count);
    take_tokens(&mut usage.cached_tokens, line.prompt_eval_cached_count);
    take_tokens(&mut usage.output_tokens, line.eval_count);
    take_time(&mut usage.generation_us, line.eval_duration.map(|ns| ns / 1000));
    // The total counts from the request's arrival, the load does not: what is left over is the queue.
    let worked = [line.load_duration, line.prompt_eval_duration, line.eval_duration];
    let worked = worked.into_iter().flatten().fold(0, u64::saturating_add);
    take_time(&mut usage.queue_us, line.total_duration.map(|ns| ns.saturating_sub(worked) / 1000));
    turn.named(line.done_reason.as_deref().and_then(Ending::of).unwrap_or(Ending::Stop));
    Ok(Said::End)
}
