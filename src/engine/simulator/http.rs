//! Responses: heads and error bodies as each server writes them.
//!
//! Not here: what is routed where (`routes`). Invariant: the header fields are those of the recordings, as far as a
//! client can depend on them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::connection::Closes;
use super::faults::Takes;
use super::script::TooLong;
use super::wire::Form;
use crate::domain::fleet::Protocol;

const JSON_UTF8: &str = "application/json; charset=utf-8";

/// Whose manner a response has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// llama.cpp.
    Llama,
    /// Ollama.
    Ollama,
    /// Neither.
    Plain,
}

impl Form {
    fn manner(self) -> Manner {
        match self {
            Self::LlamaChat | Self::LlamaNative => Manner::Llama,
            Self::OllamaChat | Self::OllamaGenerate | Self::OllamaOpenAi => Manner::Ollama,
            Self::OpenAi => Manner::Plain,
        }
    }
}

/// A response with a body of any type.
pub(super) fn respond(manner: Manner, status: u16, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if manner == Manner::Llama {
        headers.insert(header::SERVER, HeaderValue::from_static("llama.cpp"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static(""));
        if status >= 400 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        } else {
            headers.insert("keep-alive", HeaderValue::from_static("timeout=5, max=100"));
        }
    }
    response
}

/// A JSON value.
pub(super) fn value(manner: Manner, status: u16, value: &Value) -> Response {
    respond(manner, status, JSON_UTF8, value.to_string())
}

/// The whole answer of a request that is not streamed.
pub(super) fn json(form: Form, body: Vec<u8>) -> Response {
    respond(form.manner(), 200, JSON_UTF8, body)
}

/// The head of a stream.
pub(super) fn streaming(form: Form, body: Body) -> Response {
    let kind = match form {
        Form::OllamaChat | Form::OllamaGenerate => "application/x-ndjson",
        _ => "text/event-stream",
    };
    let mut response = respond(form.manner(), 200, kind, body);
    if form.manner() == Manner::Llama {
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        response.extensions_mut().insert(Closes);
    }
    response
}

/// llama.cpp's error object.
pub(super) fn llama_error(status: u16, kind: &str, message: &str) -> Response {
    let body = format!("{{\"error\":{{\"code\":{status},\"message\":{},\"type\":\"{kind}\"}}}}", json!(message));
    respond(Manner::Llama, status, JSON_UTF8, body)
}

/// Ollama's error: a text.
pub(super) fn ollama_error(status: u16, message: &str) -> Response {
    value(Manner::Ollama, status, &json!({"error": message}))
}

/// The error object of OpenAI-compatible servers.
pub(super) fn openai_error(status: u16, kind: &str, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
    respond(Manner::Plain, status, "application/json", body.to_string())
}

/// The prompt does not fit.
pub(super) fn too_long(form: Form, TooLong { prompt_tokens, context }: TooLong) -> Response {
    let message = format!(
        "request ({prompt_tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
    );
    let inner = format!(
        "{{\"error\":{{\"code\":400,\"message\":\"{message}\",\"type\":\"exceed_context_size_error\",\
         \"n_prompt_tokens\":{prompt_tokens},\"n_ctx\":{context}}}}}"
    );
    match form {
        Form::LlamaChat | Form::LlamaNative => respond(Manner::Llama, 400, JSON_UTF8, inner),
        // Ollama wraps the words of the server under it in a string.
        Form::OllamaChat | Form::OllamaGenerate => ollama_error(400, &inner),
        Form::OllamaOpenAi | Form::OpenAi => openai_error(400, "invalid_request_error", &message),
    }
}

/// The model is being loaded; every path says so.
pub(super) fn loading(protocol: Protocol) -> Response {
    match protocol {
        Protocol::LlamaCpp => {
            let body = "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}";
            respond(Manner::Llama, 503, JSON_UTF8, body)
        }
        Protocol::Ollama => ollama_error(503, "llm server loading model"),
        Protocol::OpenAi | Protocol::Command => openai_error(503, "unavailable_error", "Loading model"),
    }
}

/// As many are in work as it takes; a place is free in `wait` seconds.
pub(super) fn limited(form: Form, Takes { status, .. }: Takes, wait: u64) -> Response {
    let message = "Too many requests";
    let mut response = match form.manner() {
        Manner::Llama => llama_error(status, "rate_limit_error", message),
        Manner::Ollama => ollama_error(status, message),
        Manner::Plain => openai_error(status, "rate_limit_error", message),
    };
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    response
}

/// Too many wait already.
pub(super) fn overloaded(form: Form) -> Response {
    match form {
        Form::LlamaChat | Form::LlamaNative => llama_error(503, "unavailable_error", "server is overloaded"),
        Form::OllamaChat | Form::OllamaGenerate => {
            ollama_error(503, "server busy, please try again.  maximum pending requests exceeded")
        }
        Form::OllamaOpenAi | Form::OpenAi => openai_error(503, "server_error", "server busy, please try again"),
    }
}

/// The server's own error before the first byte.
pub(super) fn failed(form: Form) -> Response {
    match form {
        Form::LlamaChat | Form::LlamaNative => llama_error(500, "server_error", "Compute error."),
        Form::OllamaChat | Form::OllamaGenerate => {
            ollama_error(500, "llama runner process has terminated: signal: killed")
        }
        Form::OllamaOpenAi | Form::OpenAi => openai_error(500, "server_error", "Compute error."),
    }
}
