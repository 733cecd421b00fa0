//! Ollama's paths.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::HeaderValue;
use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use crate::engine::simulator::ask::{Ask, Delivery};
use crate::engine::simulator::http::{self, Manner};
use crate::engine::simulator::random::digest;
use crate::engine::simulator::reply;
use crate::engine::simulator::server::EndpointState;
use crate::engine::simulator::wire::{Form, ollama::now};

const GETS: [&str; 5] = ["/", "/api/version", "/api/tags", "/api/ps", "/v1/models"];
const POSTS: [&str; 4] = ["/api/show", "/api/chat", "/api/generate", "/v1/chat/completions"];

/// Answers a call.
pub(super) async fn route(state: &Arc<EndpointState>, call: Call) -> Response {
    let path = call.path.as_str();
    match (call.method.as_str(), path) {
        ("GET" | "HEAD", "/") => http::respond(Manner::Ollama, 200, "text/plain; charset=utf-8", "Ollama is running"),
        ("GET", "/api/version") => ok(&json!({"version": "0.33.0-simulated"})),
        ("GET", "/api/tags") => ok(&json!({"models": [tag(state)]})),
        ("GET", "/api/ps") => ok(&json!({"models": running(state)})),
        ("GET", "/v1/models") => {
            let model = json!({"id":full(&state.config.model),"object":"model","created":1_795_171_509_u32,"owned_by":"library"});
            ok(&json!({"object": "list", "data": [model]}))
        }
        ("POST", path) if POSTS.contains(&path) => post(state, path, &call.body).await,
        (_, path) if GETS.contains(&path) || POSTS.contains(&path) => {
            let mut response = http::respond(Manner::Ollama, 405, "text/plain", "405 method not allowed");
            let allowed = if POSTS.contains(&path) { "POST" } else { "GET" };
            response.headers_mut().insert("allow", HeaderValue::from_static(allowed));
            response
        }
        _ => http::respond(Manner::Ollama, 404, "text/plain", "404 page not found"),
    }
}

fn ok(value: &Value) -> Response {
    http::value(Manner::Ollama, 200, value)
}

/// The name with its tag: `latest` where none is given.
fn full(model: &str) -> String {
    if model.contains(':') { model.to_owned() } else { format!("{model}:latest") }
}

async fn post(state: &Arc<EndpointState>, path: &str, body: &[u8]) -> Response {
    let openai = path == "/v1/chat/completions";
    let refuse = |status: u16, message: &str| {
        let kind = if status == 404 { "not_found_error" } else { "invalid_request_error" };
        if openai { http::openai_error(status, kind, message) } else { http::ollama_error(status, message) }
    };
    if body.is_empty() {
        return refuse(400, "missing request body");
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(body) else { return refuse(400, "unexpected EOF") };
    let config = &state.config;
    let model = body["model"].as_str().or(body["name"].as_str()).unwrap_or("").to_owned();
    if full(&model) != full(&config.model) {
        let name = if path == "/api/show" { full(&model) } else { model };
        return refuse(404, &format!("model '{name}' not found"));
    }
    if path == "/api/show" {
        return ok(&show(state));
    }
    if let Some(message) = bad_think(&body["think"], &model, config.thinking) {
        return refuse(400, &message);
    }
    // Ollama streams unless told not to; its OpenAI form does not unless told to.
    if !openai && body["stream"].is_null() {
        body["stream"] = json!(true);
    }
    let (ask, form) = match path {
        "/api/generate" => {
            if body["prompt"].is_null() {
                body["prompt"] = json!("");
            }
            (Ask::native(&body), Form::OllamaGenerate)
        }
        "/api/chat" => {
            if body["messages"].is_null() {
                body["messages"] = json!([]);
            }
            (Ask::chat(&body), Form::OllamaChat)
        }
        _ => (Ask::chat(&body), Form::OllamaOpenAi),
    };
    let ask = match ask {
        Ok(ask) => ask,
        Err(message) => return refuse(400, message),
    };
    if !openai && ask.conversation.is_empty() && ask.system.is_empty() {
        return load(state, &model, form, &body["keep_alive"]);
    }
    let unload = body["keep_alive"] == 0 && ask.delivery == Delivery::Whole;
    let response = reply::answer(state, ask, form).await;
    if unload {
        state.loaded.store(false, Ordering::Relaxed);
    }
    response
}

/// A request without a word loads the model, or unloads it.
fn load(state: &EndpointState, model: &str, form: Form, keep_alive: &Value) -> Response {
    let unload = *keep_alive == 0 || *keep_alive == "0";
    state.loaded.store(!unload, Ordering::Relaxed);
    let reason = if unload { "unload" } else { "load" };
    let mut line = json!({"model":model,"created_at":now(),"done":true,"done_reason":reason});
    if form == Form::OllamaGenerate {
        line["response"] = json!("");
    } else {
        line["message"] = json!({"role":"assistant","content":""});
    }
    ok(&line)
}

fn bad_think(think: &Value, model: &str, thinking: f64) -> Option<String> {
    match think {
        Value::String(word) if !matches!(word.as_str(), "low" | "medium" | "high" | "max") => Some(format!(
            "invalid think value: \"{word}\" (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"
        )),
        Value::Bool(true) | Value::String(_) if thinking <= 0.0 => {
            Some(format!("\"{model}\" does not support thinking"))
        }
        _ => None,
    }
}

fn details() -> Value {
    json!({"parent_model":"","format":"gguf","family":"simulated","families":["simulated"],"parameter_size":"116.8B",
        "quantization_level":"MXFP4"})
}

fn model_digest(state: &EndpointState) -> String {
    let part = |salt: &str| format!("{:016x}", digest([state.config.model.as_str(), salt]));
    ["a", "b", "c", "d"].map(part).concat()
}

fn capabilities(state: &EndpointState) -> Value {
    if state.config.thinking > 0.0 {
        json!(["completion", "tools", "thinking"])
    } else {
        json!(["completion", "tools"])
    }
}

fn tag(state: &EndpointState) -> Value {
    let config = &state.config;
    let mut details = details();
    details["context_length"] = json!(config.context);
    details["embedding_length"] = json!(2_880);
    let name = full(&config.model);
    json!({"name":name,"model":name,"modified_at":"2026-11-20T11:14:53.432616159Z","size":config.resident_bytes,
        "digest":model_digest(state),"details":details,"capabilities":capabilities(state)})
}

fn running(state: &EndpointState) -> Vec<Value> {
    if !state.loaded.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let config = &state.config;
    let name = full(&config.model);
    let until = time::OffsetDateTime::now_utc() + time::Duration::minutes(5);
    let until = until.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
    vec![json!({"name":name,"model":name,"size":config.resident_bytes,"digest":model_digest(state),"details":details(),
        "expires_at":until,"size_vram":config.resident_bytes,"context_length":config.context})]
}

fn show(state: &EndpointState) -> Value {
    let context = state.config.context;
    json!({"modelfile":"# SIMULATED","parameters":"temperature                    1","template":"{{ .Prompt }}",
        "details":details(),
        "model_info":{"general.architecture":"simulated","general.parameter_count":116_829_156_672_u64,
            "simulated.context_length":context.max(131_072),"simulated.embedding_length":2_880},
        "capabilities":capabilities(state),"modified_at":"2026-11-20T11:14:53.432616159Z"})
}
