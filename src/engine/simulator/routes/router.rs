//! llama-server's router: several models behind one port, each loaded when it is first asked for, with slots and a context
//! of its own.
//!
//! Not here: what a model answers (`llama`). Not simulated: that the least used one is unloaded when there are too many,
//! downloads, and the stream of changes. Source: the build whose answers are recorded; `status.args` of a model tells its
//! whole context, not a slot's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::response::Response;
use serde_json::{Value, json};

use super::{Call, llama};
use crate::engine::simulator::http::{self, Manner};
use crate::engine::simulator::server::EndpointState;
use crate::engine::simulator::wire::llama::BUILD;

type Model = Arc<EndpointState>;

/// Answers a call.
pub(super) async fn route(state: &Model, call: Call) -> Response {
    let wanted = |key: &str| call.query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/health" | "/v1/health") => ok(&json!({"status": "ok"})),
        ("GET", "/models" | "/v1/models") => ok(&list(state)),
        ("GET", "/props") if wanted("model").is_none() => ok(&props(state)),
        ("GET", "/props" | "/slots" | "/metrics") => {
            let model = match find(state, wanted("model")) {
                Ok(model) => Arc::clone(model),
                Err(refused) => return refused,
            };
            if !is_loaded(&model) && wanted("autoload") == Some("0") {
                return refuse(400, "model is not loaded");
            }
            load(&model).await;
            llama::route(&model, call).await
        }
        ("POST", path) => {
            let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            let model = match find(state, body["model"].as_str()) {
                Ok(model) => Arc::clone(model),
                Err(_) if path.starts_with("/models/") => return refuse(404, "model is not found"),
                Err(refused) => return refused,
            };
            match path {
                // It says so at once, and a real one goes on loading.
                "/models/load" if is_loaded(&model) => refuse(400, "model is already running"),
                "/models/unload" if !is_loaded(&model) => refuse(400, "model is not running"),
                "/models/load" | "/models/unload" => {
                    model.loaded.store(path == "/models/load", Ordering::Relaxed);
                    ok(&json!({"success": true}))
                }
                _ => {
                    load(&model).await;
                    llama::route(&model, call).await
                }
            }
        }
        // A path that it does not know is answered by every llama-server alike.
        _ => llama::route(state, call).await,
    }
}

fn ok(value: &Value) -> Response {
    http::value(Manner::Llama, 200, value)
}

fn refuse(status: u16, message: &str) -> Response {
    http::llama_error(status, if status == 404 { "not_found_error" } else { "invalid_request_error" }, message)
}

fn find<'a>(state: &'a Model, name: Option<&str>) -> Result<&'a Model, Response> {
    let Some(name) = name else { return Err(refuse(400, "model name is missing from the request")) };
    let found = EndpointState::models(state).find(|model| model.config.model == name);
    found.ok_or_else(|| refuse(400, &format!("model '{name}' not found")))
}

fn is_loaded(model: &Model) -> bool {
    model.loaded.load(Ordering::Relaxed)
}

/// Who asks for a model waits until it is loaded.
async fn load(model: &Model) {
    if !is_loaded(model) {
        model.alarm.until(Instant::now() + model.load_time()).await;
        model.loaded.store(true, Ordering::Relaxed);
    }
}

fn props(state: &EndpointState) -> Value {
    json!({"role":"router","max_instances":state.more.len() + 1,"models_autoload":true,"model_alias":"llama-server",
        "model_path":"none","default_generation_settings":{"params":null,"n_ctx":0},"ui_settings":{},"build_info":BUILD,
        "cors_proxy_enabled":false})
}

fn list(state: &Model) -> Value {
    let one = |model: &Model| {
        let config = &model.config;
        let (slots, context) = (config.claimed(), u64::from(config.claimed()) * u64::from(config.context));
        let args = ["llama-server", "--host", "127.0.0.1", "--port", "0", "--alias", &config.model, "--parallel"];
        let args: Vec<String> = args.map(str::to_owned).into_iter().chain([slots.to_string()]).collect();
        let args = [args, vec!["--ctx-size".to_owned(), context.to_string()]].concat();
        let status = if is_loaded(model) { "loaded" } else { "unloaded" };
        let mut entry = json!({"id":config.model,"aliases":[],"tags":[],"object":"model","owned_by":"llamacpp",
            "created":1_795_172_902_u32,"status":{"value":status,"args":args,"preset":format!("[{}]\n", config.model)},
            "architecture":{"input_modalities":["text"],"output_modalities":["text"]},"source":"models_dir",
            "can_remove":false});
        if is_loaded(model) {
            entry["meta"] = json!({"n_ctx":config.context,"size":config.resident_bytes});
        }
        entry
    };
    json!({"data":EndpointState::models(state).map(one).collect::<Vec<_>>(),"object":"list"})
}
