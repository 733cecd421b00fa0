//! What answers at an address: a fingerprint, for `--fleet auto` and `doctor`.
//!
//! Not here: how a configured endpoint is (`probe`). Invariant: nothing here loads a model or needs a key.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::body::base;
use super::client::{Client, State};
use super::probe::{Model, Models, Props, is_mlx};
use crate::domain::fleet::Protocol;
use crate::domain::text::CleanText;

/// The time an address is given: at start it decides when the console knows its fleet, and loopback answers in
/// milliseconds.
const LIMIT: Duration = Duration::from_millis(300);

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// llama.cpp's `llama-server` with one model.
    LlamaCpp,
    /// `llama-server` that starts servers for models by name.
    LlamaCppRouter,
    /// Ollama.
    Ollama,
    /// `mlx_lm.server`.
    Mlx,
    /// LM Studio.
    LmStudio,
    /// vLLM.
    Vllm,
    /// llama-swap.
    LlamaSwap,
    /// Something else that lists models as OpenAI does.
    OpenAi,
}

impl ServerKind {
    /// How it is spoken to. A llama.cpp router is addressed by model name, which the OpenAI form does.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::LlamaCpp | Self::LlamaCppRouter => Protocol::LlamaCpp,
            Self::Ollama => Protocol::Ollama,
            Self::Mlx | Self::LmStudio | Self::Vllm | Self::LlamaSwap | Self::OpenAi => Protocol::OpenAi,
        }
    }

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LlamaCpp => "llama.cpp",
            Self::LlamaCppRouter => "llama.cpp router",
            Self::Ollama => "Ollama",
            Self::Mlx => "mlx_lm.server",
            Self::LmStudio => "LM Studio",
            Self::Vllm => "vLLM",
            Self::LlamaSwap => "llama-swap",
            Self::OpenAi => "OpenAI-compatible",
        }
    }
}

/// What was found at an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub kind: ServerKind,
    /// The models it lists, as it names them; empty while it loads or where it wants a key.
    pub models: Vec<String>,
    /// Slots, where it tells.
    pub slots: Option<u32>,
    /// Context of one request, where it tells.
    pub context: Option<u32>,
    /// Its version in its own words, where it tells.
    pub version: Option<CleanText>,
}

/// What answers at `url`, within 300 ms a question (Ollama needs a second one); nothing where no model server does.
pub async fn identify(client: &Client, url: &str) -> Option<Found> {
    let base = base(url);
    let look = |path| client.look(&base, path, LIMIT);
    let (running, props, version, instances, models) = tokio::join!(
        look("/running"),
        look("/props"),
        look("/api/version"),
        look("/api/v1/models"),
        look("/v1/models"),
    );
    let answers = Answers {
        running: running.ok(),
        props: props.ok(),
        version: version.ok(),
        instances: instances.ok(),
        models: models.ok(),
    };
    let mut found = judge(&answers)?;
    if found.kind == ServerKind::Ollama
        && let Ok(tags) = look("/api/tags").await
    {
        found.models = tagged(&tags.body);
    }
    Some(found)
}

/// The answers to the questions asked of an address.
#[derive(Default)]
struct Answers {
    running: Option<State>,
    props: Option<State>,
    version: Option<State>,
    instances: Option<State>,
    models: Option<State>,
}

fn good<'a, T: Deserialize<'a>>(state: Option<&'a State>) -> Option<T> {
    let state = state.filter(|state| state.status == 200)?;
    serde_json::from_slice(&state.body).ok()
}

/// The order matters: llama-swap passes `/props` on to its models, so its own sign comes first.
fn judge(answers: &Answers) -> Option<Found> {
    let models: Models = good(answers.models.as_ref()).unwrap_or_default();
    let version: Option<Value> = good(answers.version.as_ref());
    let word = version.as_ref().and_then(|v| v.get("version")).and_then(Value::as_str).map(CleanText::from);
    let of = |kind| Found {
        kind,
        models: models.data.iter().map(|model| model.id.clone()).collect(),
        slots: None,
        context: models.data.first().and_then(Model::context),
        version: None,
    };
    if good::<Value>(answers.running.as_ref()).is_some_and(|v| v.get("running").is_some()) {
        return Some(Found { version: word, ..of(ServerKind::LlamaSwap) });
    }
    if let Some(props) = good::<Props>(answers.props.as_ref()) {
        let version = props.build_info.as_deref().map(CleanText::from);
        if props.role.as_deref() == Some("router") {
            return Some(Found { version, ..of(ServerKind::LlamaCppRouter) });
        }
        if props.total_slots.is_some() {
            let (slots, context) = (props.total_slots, props.context());
            return Some(Found { slots, context, version, ..of(ServerKind::LlamaCpp) });
        }
    }
    if let Some(state) = &answers.props
        && (state.server.as_deref() == Some("llama.cpp") || is_loading(state))
    {
        return Some(of(ServerKind::LlamaCpp)); // loading, or it wants a key
    }
    if word.is_some() {
        return Some(Found { version: word, ..of(ServerKind::Ollama) });
    }
    if let Some(list) = good::<Value>(answers.instances.as_ref())
        && let Some(list) = list.get("models").and_then(Value::as_array)
        && list.iter().any(|model| model.get("loaded_instances").is_some())
    {
        let name = |model: &Value| model.get("key").and_then(Value::as_str).map(str::to_owned);
        return Some(Found { models: list.iter().filter_map(name).collect(), ..of(ServerKind::LmStudio) });
    }
    let state = answers.models.as_ref().filter(|state| state.status == 200)?;
    if state.server.as_deref().is_some_and(is_mlx) {
        return Some(of(ServerKind::Mlx));
    }
    if models.data.iter().any(|model| model.owned_by.as_deref() == Some("vllm")) {
        return Some(of(ServerKind::Vllm));
    }
    (!models.data.is_empty()).then(|| of(ServerKind::OpenAi))
}

fn is_loading(state: &State) -> bool {
    state.status == 503 && String::from_utf8_lossy(&state.body).contains("Loading model")
}

fn tagged(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Tags {
        models: Vec<Tag>,
    }
    #[derive(Deserialize)]
    struct Tag {
        name: String,
    }
    serde_json::from_slice(body)
        .map_or_else(|_| Vec::new(), |tags: Tags| tags.models.into_iter().map(|t| t.name).collect())
}

#[cfg(test)]
mod tests {
    use super::{Answers, ServerKind, State, judge};

    fn state(status: u16, server: &str, body: &str) -> Option<State> {
        Some(State { status, server: Some(server.to_owned()), body: body.as_bytes().to_vec() })
    }

    #[test]
    fn servers_are_told_apart() {
        let cases = [
            (
                Answers {
                    props: state(200, "llama.cpp", r#"{"total_slots":6,"default_generation_settings":{"n_ctx":4096}}"#),
                    models: state(200, "llama.cpp", r#"{"data":[{"id":"tiny"}]}"#),
                    ..Answers::default()
                },
                Some(ServerKind::LlamaCpp),
            ),
            (
                Answers { props: state(503, "x", r#"{"error":{"message":"Loading model"}}"#), ..Answers::default() },
                Some(ServerKind::LlamaCpp),
            ),
            (
                Answers { props: state(200, "llama.cpp", r#"{"role":"router"}"#), ..Answers::default() },
                Some(ServerKind::LlamaCppRouter),
            ),
            (
                Answers {
                    running: state(200, "", r#"{"running":[]}"#),
                    version: state(200, "", r#"{"version":"v250","commit":"c"}"#),
                    ..Answers::default()
                },
                Some(ServerKind::LlamaSwap),
            ),
            (
                Answers { version: state(200, "", r#"{"version":"0.33.0"}"#), ..Answers::default() },
                Some(ServerKind::Ollama),
            ),
            (
                Answers {
                    instances: state(200, "", r#"{"models":[{"key":"openai/gpt-oss-20b","loaded_instances":[]}]}"#),
                    models: state(200, "", r#"{"data":[{"id":"openai/gpt-oss-20b"}]}"#),
                    ..Answers::default()
                },
                Some(ServerKind::LmStudio),
            ),
            (
                Answers { models: state(200, "BaseHTTP/0.6 Python/3.11.7", ""), ..Answers::default() },
                Some(ServerKind::Mlx),
            ),
            (
                Answers {
                    models: state(200, "", r#"{"data":[{"id":"m","owned_by":"vllm","max_model_len":8192}]}"#),
                    ..Answers::default()
                },
                Some(ServerKind::Vllm),
            ),
            (
                Answers { models: state(200, "", r#"{"data":[{"id":"m"}]}"#), ..Answers::default() },
                Some(ServerKind::OpenAi),
            ),
            (Answers { models: state(404, "nginx", "<html>"), ..Answers::default() }, None),
        ];
        for (answers, kind) in cases {
            let found = judge(&answers);
            assert_eq!(found.as_ref().map(|found| found.kind), kind, "{found:?}");
        }
    }
}
