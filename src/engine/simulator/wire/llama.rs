//! llama.cpp's two forms, and what `/props` and `/slots` share with them.

use serde_json::{Value, json};

use super::{ARGUMENTS, Part, TOOL, Totals, Wire, finish_word, quoted};
use crate::engine::simulator::script::{Finish, Script};

/// What the simulator says where a build is named.
pub(in super::super) const BUILD: &str = "b0-simulated";

/// The sampling settings as `/slots` shows them.
pub(in super::super) fn params(temperature: f64, limit: Option<u32>, stream: Value) -> Value {
    let limit = limit.map_or(-1, i64::from);
    let mut all = json!({"seed":4_294_967_295_u32,"temperature":temperature,"dynatemp_range":0.0,"dynatemp_exponent":1.0,"top_k":40,
        "top_p":0.949_999_988_079_071,"min_p":0.050_000_000_745_058_06,"top_n_sigma":-1.0,"xtc_probability":0.0,
        "xtc_threshold":0.100_000_001_490_116_12,"typical_p":1.0,"repeat_last_n":64,"repeat_penalty":1.0,
        "presence_penalty":0.0,"frequency_penalty":0.0,"dry_multiplier":0.0,"dry_base":1.75,"dry_allowed_length":2,
        "dry_penalty_last_n":64});
    let more = json!({"mirostat":0,"mirostat_tau":5.0,"mirostat_eta":0.100_000_001_490_116_12,
        "adaptive_target":-1.0,"adaptive_decay":0.899_999_976_158_142_1,"max_tokens":limit,"n_predict":limit,"n_keep":0,
        "n_discard":0,"ignore_eos":false,"stream":stream,"n_probs":0,"min_keep":0,"chat_format":"Content-only",
        "reasoning_format":"deepseek","reasoning_in_content":false,"generation_prompt":"",
        "samplers":["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"],
        "speculative.types":"none","timings_per_token":false,"post_sampling_probs":false,"backend_sampling":false,
        "lora":[]});
    merge(&mut all, more);
    all
}

/// Adds the fields of one object to another.
pub(in super::super) fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// The timings object, with llama.cpp's way of counting: the speed is over one step less than there are tokens.
fn timings(out: &mut Vec<u8>, totals: &Totals) {
    let (n, ms) = (totals.predicted_n, totals.predicted_ms.max(0.001));
    let steps = f64::from(n.saturating_sub(1));
    let (ms, each, speed) = if n < 2 { (0.001, 0.001, 0.0) } else { (ms, ms / steps, 1e3 * steps / ms) };
    let prompt_ms = totals.prompt_ms.max(0.001);
    let prompt_n = f64::from(totals.prompt_n);
    out.extend(
        format!(
            "\"timings\":{{\"cache_n\":0,\"prompt_n\":{},\"prompt_ms\":{prompt_ms:.3},\"prompt_per_token_ms\":{:.6},\
             \"prompt_per_second\":{:.6},\"predicted_n\":{n},\"predicted_ms\":{ms:.3},\"predicted_per_token_ms\":{each:.6},\
             \"predicted_per_second\":{speed:.6}}}",
            totals.prompt_n,
            prompt_ms / prompt_n.max(1.0),
            1e3 * prompt_n / prompt_ms,
        )
        .bytes(),
    );
}

fn chunk(wire: &Wire, out: &mut Vec<u8>, finish: &str, delta: impl FnOnce(&mut Vec<u8>)) {
    out.extend(b"data: {\"choices\":[{\"finish_reason\":");
    out.extend(finish.bytes());
    out.extend(b",\"index\":0,\"delta\":{");
    delta(out);
    out.extend(b"}}]");
    tail(wire, out, "chat.completion.chunk");
}

fn tail(wire: &Wire, out: &mut Vec<u8>, object: &str) {
    out.extend(format!(",\"created\":{},\"id\":\"{}\",\"model\":", wire.created, wire.id).bytes());
    quoted(out, &wire.model);
    out.extend(format!(",\"system_fingerprint\":\"{BUILD}\",\"object\":\"{object}\"").bytes());
}

fn role(out: &mut Vec<u8>) {
    out.extend(b"\"role\":\"assistant\",\"content\":null");
}

/// The role chunk, sent again for each batch of the prompt.
pub(super) fn chat_progress(wire: &Wire, out: &mut Vec<u8>, total: u32, processed: u32, ms: f64) {
    chunk(wire, out, "null", role);
    out.extend(prompt_progress(total, processed, ms).bytes());
    out.extend(b"}\n\n");
}

fn prompt_progress(total: u32, processed: u32, ms: f64) -> String {
    format!(",\"prompt_progress\":{{\"total\":{total},\"cache\":0,\"processed\":{processed},\"time_ms\":{ms:.0}}}")
}

/// One piece; the first one brings the role chunk with it.
pub(super) fn chat_piece(wire: &Wire, out: &mut Vec<u8>, part: Part, text: &str, live: &Totals) {
    if wire.pieces == 0 {
        chunk(wire, out, "null", role);
        out.extend(b"}\n\n");
    }
    chunk(wire, out, "null", |out| {
        out.extend(match part {
            Part::Thinking => b"\"reasoning_content\":".iter(),
            Part::Answer => b"\"content\":".iter(),
        });
        quoted(out, text);
    });
    if wire.timed().is_yes() {
        out.push(b',');
        timings(out, live);
    }
    out.extend(b"}\n\n");
}

/// Finish chunk, usage chunk when wanted, and `[DONE]`. Timings stand on the last of them.
pub(super) fn chat_end(wire: &Wire, out: &mut Vec<u8>, script: &Script, totals: &Totals) {
    if wire.pieces == 0 {
        chunk(wire, out, "null", role);
        out.extend(b"}\n\n");
    }
    if script.finish == Finish::Tools {
        chunk(wire, out, "null", |out| tool_call(wire, out, "\"index\":0,"));
        out.extend(b"}\n\n");
    }
    chunk(wire, out, &format!("\"{}\"", finish_word(&script.finish)), |_| {});
    if wire.ask().usage.is_yes() {
        out.extend(b"}\n\ndata: {\"choices\":[]");
        tail(wire, out, "chat.completion.chunk");
        out.push(b',');
        usage(out, totals);
    }
    out.push(b',');
    timings(out, totals);
    out.extend(b"}\n\ndata: [DONE]\n\n");
}

fn tool_call(wire: &Wire, out: &mut Vec<u8>, index: &str) {
    let id = wire.id.trim_start_matches("chatcmpl-");
    out.extend(format!("\"tool_calls\":[{{{index}\"id\":\"{id}\",\"type\":\"function\",\"function\":{{").bytes());
    out.extend(format!("\"name\":\"{TOOL}\",\"arguments\":").bytes());
    quoted(out, ARGUMENTS);
    out.extend(b"}}]");
}

fn usage(out: &mut Vec<u8>, totals: &Totals) {
    let (prompt, answer) = (totals.prompt_n, totals.predicted_n);
    let all = prompt + answer;
    out.extend(
        format!(
            "\"usage\":{{\"completion_tokens\":{answer},\"prompt_tokens\":{prompt},\"total_tokens\":{all},\
             \"prompt_tokens_details\":{{\"cached_tokens\":0}}}}"
        )
        .bytes(),
    );
}

/// The body of a request that is not streamed.
pub(super) fn chat_whole(wire: &Wire, script: &Script, totals: &Totals) -> Vec<u8> {
    let mut out = Vec::new();
    let finish = finish_word(&script.finish);
    out.extend(format!("{{\"choices\":[{{\"finish_reason\":\"{finish}\",\"index\":0,\"message\":{{").bytes());
    out.extend(b"\"role\":\"assistant\",\"content\":");
    quoted(&mut out, script.answer.text());
    if script.thinking.len() > 0 {
        out.extend(b",\"reasoning_content\":");
        quoted(&mut out, script.thinking.text());
    }
    if script.finish == Finish::Tools {
        out.push(b',');
        tool_call(wire, &mut out, "");
    }
    out.extend(b"}}]");
    tail(wire, &mut out, "chat.completion");
    out.push(b',');
    usage(&mut out, totals);
    out.push(b',');
    timings(&mut out, totals);
    out.push(b'}');
    out
}

/// A native event that only tells how far the prompt is read.
pub(super) fn native_progress(out: &mut Vec<u8>, total: u32, processed: u32, ms: f64) {
    out.extend(b"data: {\"index\":0,\"content\":\"\",\"tokens\":[0],\"stop\":false,\"id_slot\":-1,");
    out.extend(format!("\"tokens_predicted\":0,\"tokens_evaluated\":{total}").bytes());
    out.extend(prompt_progress(total, processed, ms).bytes());
    out.extend(b"}\n\n");
}

/// One piece of a native answer.
pub(super) fn native_piece(wire: &Wire, out: &mut Vec<u8>, text: &str, live: &Totals) {
    out.extend(b"data: {\"index\":0,\"content\":");
    quoted(out, text);
    let token = text.bytes().fold(7_u32, |sum, b| (sum * 31 + u32::from(b)) % 32_000);
    let (n, prompt) = (wire.pieces + 1, live.prompt_n);
    out.extend(
        format!(
            ",\"tokens\":[{token}],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":{n},\"tokens_evaluated\":{prompt}"
        )
        .bytes(),
    );
    if wire.timed().is_yes() {
        out.push(b',');
        timings(out, live);
    }
    out.extend(b"}\n\n");
}

/// The last event of a native stream, which knows no `[DONE]`.
pub(super) fn native_end(wire: &Wire, out: &mut Vec<u8>, script: &Script, totals: &Totals) {
    out.extend(b"data: ");
    native_object(wire, out, script, totals, "");
    out.extend(b"\n\n");
}

/// The final object of a native answer, with the text when it is not streamed.
pub(super) fn native_object(wire: &Wire, out: &mut Vec<u8>, script: &Script, totals: &Totals, content: &str) {
    let ask = wire.ask();
    let (stop_type, word) = match &script.finish {
        Finish::Stop | Finish::Tools => ("eos", ""),
        Finish::Odd(_) => ("none", ""),
        Finish::Length => ("limit", ""),
        Finish::Word(word) => ("word", word.as_str()),
    };
    let stream = ask.delivery == crate::engine::simulator::ask::Delivery::Stream;
    let mut settings = params(ask.temperature, ask.max_tokens, json!(stream));
    let more = json!({"stop":ask.stop,"dry_sequence_breakers":["\n",":","\"","*"],"logit_bias":[],"grammar":"",
        "grammar_lazy":false,"grammar_triggers":[],"preserved_tokens":[]});
    merge(&mut settings, more);
    let (n, prompt) = (totals.predicted_n, totals.prompt_n);
    let truncated = script.finish == Finish::Length && ask.max_tokens.is_none_or(|most| n < most);
    out.extend(b"{\"index\":0,\"content\":");
    quoted(out, content);
    out.extend(format!(",\"tokens\":[],\"id_slot\":{},\"stop\":true,\"model\":", totals.slot).bytes());
    quoted(out, &wire.model);
    out.extend(format!(",\"tokens_predicted\":{n},\"tokens_evaluated\":{prompt}").bytes());
    out.extend(format!(",\"generation_settings\":{settings},\"prompt\":").bytes());
    quoted(out, &ask.last);
    let new_line = script.answer.text().contains('\n');
    out.extend(format!(",\"has_new_line\":{new_line},\"truncated\":{truncated},\"stop_type\":\"{stop_type}\"").bytes());
    out.extend(b",\"stopping_word\":");
    quoted(out, word);
    out.extend(format!(",\"tokens_cached\":{},", (prompt + n).saturating_sub(1)).bytes());
    timings(out, totals);
    out.push(b'}');
}
