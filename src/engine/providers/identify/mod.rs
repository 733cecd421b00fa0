//! What answers at an address: a fingerprint, with the models it has.
//!
//! One short GET at a time, the next one chosen by the answers so far (`judge`, pure): the list of models tells most
//! servers apart by itself, so that a stranger is asked once and a model server two or three times.
//! Not here: which addresses are asked (`around`), how a configured endpoint is (`super::probe`). Invariants: nothing
//! here loads or wakes a model; an address that no endpoint names is sent no key; redirects are not followed.

mod around;
mod judge;
mod stranger;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::{Client, State};
use super::fault::Fault;
use crate::domain::fleet::{Endpoint, Protocol, base_url};
use crate::domain::protocol::LevelSupport;
use crate::domain::text::CleanText;
pub use around::{AT_ONCE, Address, Asked, discover};
pub use judge::parameters;
use judge::{MOST, Question, Verdict, judge};
pub use stranger::Stranger;

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
    /// llama-swap, in front of servers it starts and stops.
    LlamaSwap,
    /// LiteLLM's proxy, in front of any servers.
    LiteLlm,
    /// GPUStack, in front of a cluster.
    GpuStack,
    /// `locals`: one model on Apple silicon, batched.
    Locals,
    /// `vllm-mlx`: models on Apple silicon, batched where it was started so.
    VllmMlx,
    /// Something else that lists models as OpenAI does.
    OpenAi,
}

impl ServerKind {
    /// How it is spoken to.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::LlamaCpp | Self::LlamaCppRouter => Protocol::LlamaCpp,
            Self::Ollama => Protocol::Ollama,
            Self::Mlx
            | Self::LmStudio
            | Self::Vllm
            | Self::LlamaSwap
            | Self::LiteLlm
            | Self::GpuStack
            | Self::Locals
            | Self::VllmMlx
            | Self::OpenAi => Protocol::OpenAi,
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
            Self::LiteLlm => "LiteLLM",
            Self::GpuStack => "GPUStack",
            Self::Locals => "locals",
            Self::VllmMlx => "vllm-mlx",
            Self::OpenAi => "OpenAI-compatible",
        }
    }
}

/// Whether a server can be used as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It answers requests.
    Serves,
    /// It reads its model.
    Loading,
    /// It answers no request without a key; what it lists without one is in its models.
    WantsKey,
}

/// Whether a model is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// It is.
    Yes,
    /// It would be loaded by the first request.
    No,
    /// The server does not tell, or knows no other way (llama.cpp, vLLM, what stands in front of others).
    Untold,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It answers.
    Chat,
    /// It embeds, ranks or transcribes: it can't answer.
    Other,
}

/// A model that a server has. What the server does not tell is none.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundModel {
    /// Its name as the server knows it.
    pub name: String,
    /// Whether it is in memory.
    pub loaded: Loaded,
    /// What it is for.
    pub purpose: Purpose,
    /// Requests it serves at once.
    pub slots: Option<u32>,
    /// Context of one request as it runs, in tokens.
    pub context: Option<u32>,
    /// The most context it can be given, in tokens.
    pub most_context: Option<u32>,
    /// Whether it reads images.
    pub vision: Option<bool>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// What it does with a reasoning level.
    pub level: Option<LevelSupport>,
    /// Bytes of its weights.
    pub bytes: Option<u64>,
    /// Its parameters.
    pub parameters: Option<u64>,
    /// Further names under which the server runs it with an adapter of its own.
    pub adapters: Vec<String>,
}

impl FoundModel {
    /// A model of that name of which nothing else is told.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            loaded: Loaded::Untold,
            purpose: purpose(name),
            slots: None,
            context: None,
            most_context: None,
            vision: None,
            tools: None,
            level: None,
            bytes: None,
            parameters: None,
            adapters: Vec::new(),
        }
    }
}

/// By the name: servers seldom tell, and whoever names a model that embeds says so.
fn purpose(name: &str) -> Purpose {
    const OTHER: [&str; 7] = ["embed", "rerank", "whisper", "bge-", "all-minilm", "-tts", "colbert"];
    let name = name.to_ascii_lowercase();
    if OTHER.iter().any(|word| name.contains(word)) { Purpose::Other } else { Purpose::Chat }
}

/// What was found at an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The base URL that was asked.
    pub url: String,
    /// What it is.
    pub kind: ServerKind,
    /// Whether it can be used as it is.
    pub readiness: Readiness,
    /// The models it lists; empty while it loads, and mostly where it wants a key.
    pub models: Vec<FoundModel>,
    /// Its version in its own words, where it tells.
    pub version: Option<CleanText>,
}

impl Found {
    /// The models that answer.
    pub fn chat(&self) -> impl Iterator<Item = &FoundModel> {
        self.models.iter().filter(|model| model.purpose == Purpose::Chat)
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    /// An address that no endpoint names; it is sent no key.
    Address(&'a str),
    /// A configured endpoint's server; it is sent the endpoint's key, which is for it.
    Endpoint(&'a Endpoint),
}

impl Whom<'_> {
    fn base(&self) -> String {
        match self {
            Self::Address(url) => base_url(url, None),
            Self::Endpoint(endpoint) => base_url(&endpoint.url, Some(endpoint.protocol)),
        }
    }

    async fn ask(&self, client: &Client, path: &str, limit: Duration) -> Result<State, Fault> {
        match self {
            Self::Address(_) => client.look(&self.base(), path, limit).await,
            Self::Endpoint(endpoint) => client.state(endpoint, path, None, limit).await,
        }
    }
}

/// What answers there, all questions within `limit`. What was told when the time ran out counts.
///
/// # Errors
/// [`Stranger`] where no model server does: what came instead.
pub async fn identify(client: &Client, whom: Whom<'_>, limit: Duration) -> Result<Found, Stranger> {
    let deadline = Instant::now() + limit;
    let mut answers: Vec<(Question, Option<State>)> = Vec::new();
    let mut unheard: Option<Fault> = None;
    let stranger = |answers: &[(Question, Option<State>)], unheard: Option<Fault>| {
        let heard = answers.first().and_then(|(_, state)| state.as_ref());
        Err(heard.map_or_else(|| Stranger::unheard(unheard.as_ref(), limit), Stranger::of))
    };
    loop {
        match judge(&answers) {
            Verdict::Ask(_) if answers.len() == MOST => return stranger(&answers, unheard),
            Verdict::Ask(question) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let answer = if left.is_zero() { None } else { Some(whom.ask(client, &question.path(), left).await) };
                let answer = match answer {
                    Some(Ok(state)) => Some(state),
                    Some(Err(fault)) => {
                        unheard.get_or_insert(fault);
                        None
                    }
                    None => None,
                };
                answers.push((question, answer));
            }
            Verdict::Is(told) => {
                return Ok(Found {
                    url: whom.base(),
                    kind: told.kind,
                    readiness: told.readiness,
                    models: told.models,
                    version: told.version,
                });
            }
            Verdict::Nothing => return stranger(&answers, unheard),
        }
    }
}

/// Asks Ollama what a model can do: its list tells less (measured). Loads nothing. Other servers have said all they know.
pub async fn look_closer(client: &Client, found: &Found, model: &mut FoundModel, limit: Duration) {
    if found.kind != ServerKind::Ollama {
        return;
    }
    let Ok(asked) = serde_json::to_vec(&json!({"model": model.name})) else { return };
    let answer = client.look_by_post(&found.url, "/api/show", asked, limit).await;
    if let Ok(state) = answer
        && state.status == 200
        && let Ok(shown) = serde_json::from_slice::<Value>(&state.body)
    {
        judge::shown(&shown, model);
    }
}
