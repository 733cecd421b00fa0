//! Which path is answered how, for each protocol.
//!
//! Not here: how an answer is generated (`reply`). Invariant: a path that the real server does not know is answered
//! as that server answers it.

mod llama;
mod ollama;
mod router;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::ask::Ask;
use super::http::{self, Manner};
use super::reply;
use super::server::{EndpointState, Life, Wanted};
use super::wire::Form;
use crate::domain::fleet::Protocol;

/// The largest body that is read: more than any context holds.
const BODY_LIMIT: usize = 64 << 20;

/// A request, read.
struct Call {
    method: Method,
    path: String,
    query: String,
    body: Vec<u8>,
}

/// Everything an endpoint answers.
pub(super) fn router(state: Arc<EndpointState>) -> Router {
    let life = state.life();
    Router::new().fallback(route).with_state((state, life))
}

/// Answers while the endpoint lives; one that was asked to end says nothing more, on whatever connection.
async fn route(State((state, life)): State<(Arc<EndpointState>, Life)>, request: Request) -> Response {
    tokio::select! {
        biased;
        () = state.ended(life) => std::future::pending().await,
        response = answer(&state, request) => response,
    }
}

async fn answer(state: &Arc<EndpointState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return http::openai_error(413, "invalid_request_error", "body too large");
    };
    let call = Call {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        method: parts.method,
        body: body.into(),
    };
    if let Some(word) = call.path.strip_prefix("/sim/") {
        return control(state, &call.method, word);
    }
    if state.is_loading() {
        return http::loading(state.config.protocol);
    }
    match state.config.protocol {
        Protocol::LlamaCpp if !state.more.is_empty() => router::route(state, call).await,
        Protocol::LlamaCpp => llama::route(state, call).await,
        Protocol::Ollama => ollama::route(state, call).await,
        Protocol::OpenAi | Protocol::Command => openai(state, call).await,
    }
}

/// The simulator's own paths, which no real server has.
fn control(state: &EndpointState, method: &Method, word: &str) -> Response {
    let post = *method == Method::POST;
    match word {
        "stats" if !post => {
            http::value(Manner::Plain, 200, &serde_json::to_value(state.slots.stats()).unwrap_or_default())
        }
        "reset" if post => {
            state.slots.reset();
            http::value(Manner::Plain, 200, &json!({"ok": true}))
        }
        "die" | "term" if post => {
            // The answer may be cut off by the end it asks for.
            state.wanted.send_replace(if word == "die" { Wanted::Dead } else { Wanted::Ending });
            http::value(Manner::Plain, 200, &json!({"ok": true}))
        }
        _ => http::openai_error(
            404,
            "not_found_error",
            "the simulator knows GET /sim/stats, POST /sim/reset, POST /sim/die, POST /sim/term",
        ),
    }
}

/// A plain OpenAI-compatible server.
async fn openai(state: &Arc<EndpointState>, call: Call) -> Response {
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/health") => http::value(Manner::Plain, 200, &json!({"status": "ok"})),
        ("GET", "/v1/models") => {
            let model = json!({"id": state.config.model, "object": "model", "created": 1_795_171_509_u32});
            http::value(Manner::Plain, 200, &json!({"object": "list", "data": [model]}))
        }
        ("POST", "/v1/chat/completions" | "/chat/completions") => {
            let body: Value = match serde_json::from_slice(&call.body) {
                Ok(body) => body,
                Err(error) => {
                    let message = format!("Invalid JSON in request body: {error}");
                    return http::value(Manner::Plain, 400, &json!({"error": message}));
                }
            };
            match Ask::chat(&body) {
                Ok(ask) => reply::answer(state, ask, Form::OpenAi).await,
                Err(_) => http::value(Manner::Plain, 400, &json!({"error": "Request did not contain messages"})),
            }
        }
        // This body is labelled JSON and is none, as mlx_lm.server has it.
        _ => http::respond(Manner::Plain, 404, "application/json", "Not Found"),
    }
}
