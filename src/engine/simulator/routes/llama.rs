//! llama.cpp's paths.

use std::sync::Arc;
use std::time::Instant;

use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use crate::engine::simulator::ask::Ask;
use crate::engine::simulator::http::{self, Manner};
use crate::engine::simulator::pieces::{self, Pieces};
use crate::engine::simulator::reply;
use crate::engine::simulator::server::EndpointState;
use crate::engine::simulator::slots::SlotView;
use crate::engine::simulator::wire::Form;
use crate::engine::simulator::wire::llama::{BUILD, merge, params};

/// Answers a call.
pub(super) async fn route(state: &Arc<EndpointState>, call: Call) -> Response {
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/health" | "/v1/health") => ok(&json!({"status": "ok"})),
        ("GET", "/props") => ok(&props(state)),
        ("POST", "/props") => http::llama_error(
            501,
            "not_supported_error",
            "This server does not support changing global properties. Start it with `--props`",
        ),
        ("GET", "/slots") => slots(state, &call.query),
        ("GET", "/metrics") => http::respond(Manner::Llama, 200, "text/plain; version=0.0.4", metrics(state)),
        ("GET", "/models" | "/v1/models") => ok(&models(state)),
        ("POST", path) => post(state, path, &call.body).await,
        // The handler of unknown paths replaces every 404 body.
        _ => not_found(),
    }
}

fn ok(value: &Value) -> Response {
    http::value(Manner::Llama, 200, value)
}

fn not_found() -> Response {
    let body = "{\"error\":{\"message\":\"File Not Found\",\"type\":\"not_found_error\",\"code\":404}}";
    http::respond(Manner::Llama, 404, "application/json; charset=utf-8", body)
}

async fn post(state: &Arc<EndpointState>, path: &str, body: &[u8]) -> Response {
    let form = match path {
        "/completion" | "/completions" => Form::LlamaNative,
        "/chat/completions" | "/v1/chat/completions" => Form::LlamaChat,
        "/tokenize" | "/apply-template" | "/v1/chat/completions/input_tokens" => Form::LlamaChat,
        _ => return not_found(),
    };
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        // 500, not 400: so it was measured.
        Err(error) => {
            let message = format!(
                "[json.exception.parse_error.101] parse error at line {}, column {}: {error}",
                error.line(),
                error.column()
            );
            return http::llama_error(500, "server_error", &message);
        }
    };
    if path == "/tokenize" {
        return tokenize(&body);
    }
    let ask = if form == Form::LlamaNative { Ask::native(&body) } else { Ask::chat(&body) };
    let ask = match ask {
        Ok(ask) => ask,
        Err(message) => return http::llama_error(400, "invalid_request_error", message),
    };
    match path {
        "/apply-template" => ok(&json!({"prompt": template(&body)})),
        "/v1/chat/completions/input_tokens" => {
            ok(&json!({"input_tokens": pieces::count(&template(&body)), "object": "response.input_tokens"}))
        }
        _ => reply::answer(state, ask, form).await,
    }
}

fn tokenize(body: &Value) -> Response {
    let pieces = Pieces::new(body["content"].as_str().unwrap_or("").to_owned());
    let id = |text: &str| text.bytes().fold(7_u32, |sum, b| (sum * 31 + u32::from(b)) % 32_000);
    let pieced = body["with_pieces"] == true;
    let tokens: Vec<Value> = (0..pieces.len())
        .map(|i| pieces.get(i))
        .map(|text| if pieced { json!({"id": id(text), "piece": text}) } else { json!(id(text)) })
        .collect();
    ok(&json!({"tokens": tokens}))
}

fn template(body: &Value) -> String {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let turn = |message: &Value| {
        let (role, text) = (message["role"].as_str().unwrap_or("user"), message["content"].as_str().unwrap_or(""));
        format!("<|im_start|>{role}\n{text}<|im_end|>\n")
    };
    let turns: String = messages.iter().map(turn).collect();
    format!("{turns}<|im_start|>assistant\n")
}

fn props(state: &EndpointState) -> Value {
    let config = &state.config;
    let thinks = config.thinking > 0.0;
    json!({"default_generation_settings":{"params":params(0.800_000_011_920_929, None, json!(false)),"n_ctx":config.context},
        "total_slots":config.claimed(),"model_alias":config.model,"model_ftype":"Q4_K - Medium",
        "model_path":format!("{}.gguf", config.model),
        "modalities":{"vision":config.model.contains("vision"),"video":false,"audio":false},
        "media_marker":"<__media__>","endpoint_slots":true,"endpoint_props":false,"endpoint_metrics":true,"ui":true,
        "ui_settings":{},"chat_template":"{%- for message in messages %}{{ message.content }}{%- endfor %}",
        "chat_template_caps":{"supports_object_arguments":true,"supports_parallel_tool_calls":true,
            "supports_preserve_reasoning":false,"supports_reasoning_effort":thinks,"supports_string_content":true,
            "supports_system_role":true,"supports_tool_calls":true,"supports_tools":true,"supports_typed_content":false},
        "bos_token":"<|endoftext|>","eos_token":"<|im_end|>","build_info":BUILD,"is_sleeping":false,
        "cors_proxy_enabled":false})
}

fn models(state: &EndpointState) -> Value {
    let config = &state.config;
    let details = json!({"parent_model":"","format":"gguf","family":"","families":[""],"parameter_size":"",
        "quantization_level":""});
    let meta = json!({"vocab_type":2,"n_vocab":32_000,"n_ctx":config.context,"n_ctx_train":config.context.max(32_768),
        "n_embd":4_096,"n_params":config.resident_bytes / 2 * 3,"size":config.resident_bytes,"ftype":"Q4_K - Medium"});
    json!({"models":[{"name":config.model,"model":config.model,"modified_at":"","size":"","digest":"","type":"model",
            "description":"","tags":[""],"capabilities":["completion"],"parameters":"","details":details}],
        "object":"list",
        "data":[{"id":config.model,"aliases":[config.model],"tags":[],"object":"model","created":1_795_171_509_u32,
            "owned_by":"llamacpp","meta":meta}]})
}

fn slots(state: &EndpointState, query: &str) -> Response {
    let mut views = state.slots.views();
    // Slots that are only claimed look free, and nothing ever comes to them.
    views.resize_with(state.config.claimed() as usize, SlotView::default);
    let must_be_free =
        query.split('&').any(|pair| pair.strip_prefix("fail_on_no_slot=").is_some_and(|v| !v.is_empty()));
    if must_be_free && views.iter().all(|view| view.busy) {
        return http::llama_error(503, "unavailable_error", "no slot available");
    }
    let now = Instant::now();
    let list = views.iter().enumerate().map(|(id, view)| slot(id, view, state.config.context, now));
    ok(&Value::Array(list.collect()))
}

/// One slot: four keys until it is used for the first time, more from then on.
fn slot(id: usize, view: &SlotView, context: u32, now: Instant) -> Value {
    let mut slot = json!({"id":id,"n_ctx":context,"speculative":false,"is_processing":view.busy});
    if let Some(used) = &view.last {
        let decoded = used.decoded(now);
        let remain = used.limit.filter(|_| view.busy).map_or(-1, |limit| i64::from(limit.saturating_sub(decoded)));
        let total = used.prompt_tokens + if view.busy { decoded } else { used.tokens };
        let more = json!({"id_task":used.task,"n_prompt_tokens":total,
            "n_prompt_tokens_processed":if view.busy { used.prompt_tokens } else { 0 },"n_prompt_tokens_cache":0,
            "params":params(0.3, used.limit, json!(true)),
            "next_token":[{"has_next_token":view.busy,"has_new_line":view.busy && decoded > 0,"n_remain":remain,
                "n_decoded":if view.busy { decoded } else { 0 }}]});
        merge(&mut slot, more);
    }
    slot
}

fn metrics(state: &EndpointState) -> String {
    let stats = state.slots.stats();
    let (all, last) = state.slots.scrape();
    let speed = |tokens: u64, seconds: f64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
    let prompt_speed = speed(all.prompt_tokens - last.prompt_tokens, all.prompt_seconds - last.prompt_seconds);
    let speed = speed(all.predicted - last.predicted, all.predicted_seconds - last.predicted_seconds);
    let lines: [(&str, &str, &str, f64); 15] = [
        (
            "prompt_tokens_total",
            "counter",
            "Number of prompt tokens processed, excluding cached tokens",
            all.prompt_tokens as f64,
        ),
        ("prompt_tokens_cached_total", "counter", "Number of prompt tokens reused from the cache", 0.0),
        ("prompt_seconds_total", "counter", "Total time spent processing prompts", all.prompt_seconds),
        ("tokens_predicted_total", "counter", "Number of generation tokens processed", all.predicted as f64),
        ("tokens_predicted_seconds_total", "counter", "Total time spent generating tokens", all.predicted_seconds),
        (
            "n_decode_total",
            "counter",
            "Total number of llama_decode() calls, excluding speculative decoding and multimodal decoding",
            all.predicted as f64,
        ),
        ("n_tokens_max", "counter", "Largest observed sequence length (prompt + generation)", all.longest as f64),
        ("spec_decode_num_draft_tokens_total", "counter", "Speculative: Total draft tokens generated", 0.0),
        (
            "spec_decode_num_accepted_tokens_total",
            "counter",
            "Speculative: Total draft tokens accepted by the target model",
            0.0,
        ),
        ("spec_decode_num_drafts_total", "counter", "Speculative: Total speculative decoding verification steps", 0.0),
        ("prompt_tokens_seconds", "gauge", "Average prompt throughput in tokens/s", prompt_speed),
        ("predicted_tokens_seconds", "gauge", "Average generation throughput in tokens/s", speed),
        ("requests_processing", "gauge", "Number of requests processing", f64::from(stats.busy)),
        ("requests_deferred", "gauge", "Number of requests deferred", f64::from(stats.queued)),
        (
            "n_busy_slots_per_decode",
            "gauge",
            "Average number of busy slots per llama_decode() call",
            f64::from(stats.busy),
        ),
    ];
    let line = |(name, kind, help, value): &(&str, &str, &str, f64)| {
        format!("# HELP llamacpp:{name} {help}\n# TYPE llamacpp:{name} {kind}\nllamacpp:{name} {value}\n")
    };
    lines.iter().map(line).collect()
}
