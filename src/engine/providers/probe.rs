//! How an endpoint is: health, slots, context, and what its model does with a reasoning level.
//!
//! Not here: when to probe (the engine's beat; at most every 2 s, since a look at `/slots` delays cancellation), what an
//! address is that no endpoint names (`identify`). Invariant: a probe never loads, wakes or changes anything: `/slots`
//! is not read from a sleeping llama-server, and Ollama is only asked what it has.

use std::time::Duration;

use serde::Deserialize;

use super::client::{Client, State};
use super::fault::Fault;
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::{FailureKind, Health, LevelSupport, ModelShape, Residence};
use crate::domain::text::CleanText;

/// The time one answer may take. Servers answer state in milliseconds, between two batches of a long prompt in hundreds.
const LIMIT: Duration = Duration::from_secs(2);

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How the endpoint is.
    pub health: Health,
    /// Slots the server says it has.
    pub slots: Option<u32>,
    /// Slots it says are busy now, ours and others'.
    pub busy: Option<u32>,
    /// Context of one request. For Ollama the model's own most: it takes any context up to that with each request.
    pub context: Option<u32>,
    /// What its model does with a level.
    pub level: LevelSupport,
    /// Bytes resident.
    pub resident: Option<u64>,
    /// The server's name and version.
    pub server: Option<CleanText>,
    /// Requests that wait in the server's own queue, ours and others', where it tells.
    pub queued: Option<u32>,
    /// What its model takes in memory, as far as it is known.
    pub shape: Option<ModelShape>,
    /// Whether its model is in memory, where the server tells.
    pub residence: Option<Residence>,
}

/// How deep a probe looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Health and what the server is.
    Light,
    /// Busy slots too. On llama.cpp this delays the freeing of dropped requests and keeps an idle server awake.
    Slots,
}

/// What Baton knows of its own traffic at the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// None of Baton's requests are there.
    Quiet,
    /// Requests of Baton's are there. llama-server may then leave even `/health` unanswered, because every open request
    /// holds one of its HTTP threads (measured: up to 18.9 s): no answer in time says nothing.
    Flowing,
}

impl Report {
    fn empty(health: Health) -> Self {
        Self {
            health,
            slots: None,
            busy: None,
            context: None,
            level: LevelSupport::Unknown,
            resident: None,
            server: None,
            queued: None,
            shape: None,
            residence: None,
        }
    }
}

/// Looks at `endpoint`, within about 2 s. Where the server is [`Health::Down`] the reason says what came and how to mend
/// it; no answer in time under [`Traffic::Flowing`] is [`Health::Unknown`]: keep what was known.
pub async fn probe(client: &Client, endpoint: &Endpoint, depth: Depth, traffic: Traffic) -> Report {
    let look = async {
        match endpoint.protocol {
            Protocol::LlamaCpp => llama(client, endpoint, depth).await,
            Protocol::Ollama => ollama(client, endpoint).await,
            Protocol::OpenAi => openai(client, endpoint).await,
            Protocol::Command => Err(Fault::new(
                FailureKind::Refused,
                crate::domain::protocol::Remedy::Operator,
                "command-line agents are not served yet",
                "give the endpoint another protocol in fleet.toml",
            )),
        }
    };
    let mut report = look.await.unwrap_or_else(|fault| match (fault.kind, traffic) {
        (FailureKind::Loading, _) => Report::empty(Health::Loading),
        (FailureKind::Silent, Traffic::Flowing) => Report::empty(Health::Unknown),
        _ => Report::empty(Health::Down { reason: fault.at(endpoint, &client.redactor()).message }),
    });
    if report.level == LevelSupport::Unknown {
        report.level = endpoint.level.unwrap_or(LevelSupport::Unknown);
    }
    report
}

/// The answer's JSON; an error answer is a fault.
fn json<'a, T: Deserialize<'a>>(endpoint: &Endpoint, state: &'a State) -> Result<T, Fault> {
    good(endpoint, state)?;
    serde_json::from_slice(&state.body).map_err(|error| Fault::garbage(format!("its state can't be read: {error}")))
}

fn good(endpoint: &Endpoint, state: &State) -> Result<(), Fault> {
    if (200..300).contains(&state.status) {
        Ok(())
    } else {
        Err(Fault::of_answer(endpoint.protocol, state.status, &state.body))
    }
}

/// llama.cpp's `/props`.
#[derive(Deserialize)]
pub(super) struct Props {
    pub(super) total_slots: Option<u32>,
    pub(super) role: Option<String>,
    default_generation_settings: Option<Generation>,
    chat_template: Option<String>,
    chat_template_caps: Option<Caps>,
    pub(super) build_info: Option<String>,
    #[serde(default)]
    is_sleeping: bool,
    endpoint_slots: Option<bool>,
}

#[derive(Deserialize)]
struct Generation {
    n_ctx: Option<u32>,
}

#[derive(Deserialize)]
struct Caps {
    #[serde(default)]
    supports_reasoning_effort: bool,
}

impl Props {
    /// The context of one request.
    pub(super) fn context(&self) -> Option<u32> {
        self.default_generation_settings.as_ref().and_then(|g| g.n_ctx).filter(|n| *n > 0)
    }

    /// The template decides what a level does; the server only passes it on.
    pub(super) fn level(&self) -> LevelSupport {
        let Some(template) = &self.chat_template else { return LevelSupport::Unknown };
        if self.chat_template_caps.as_ref().is_some_and(|caps| caps.supports_reasoning_effort)
            || template.contains("reasoning_effort")
        {
            LevelSupport::Graded
        } else if template.contains("enable_thinking") {
            LevelSupport::Switch
        } else {
            LevelSupport::None
        }
    }
}

async fn llama(client: &Client, endpoint: &Endpoint, depth: Depth) -> Result<Report, Fault> {
    good(endpoint, &client.state(endpoint, "/health", None, LIMIT).await?)?;
    let state = client.state(endpoint, "/props", None, LIMIT).await?;
    let server: Props = json(endpoint, &state)?;
    let router = server.role.as_deref() == Some("router");
    // A router has no slots and no context of its own; its model has, once it is loaded. Where it is not, the router
    // refuses (400) and is up all the same: the first request loads it.
    let model = if router {
        let state = client.state(endpoint, &of_model("/props", endpoint), None, LIMIT).await?;
        json::<Props>(endpoint, &state).ok()
    } else {
        None
    };
    let loaded = !router || model.is_some();
    let props = model.as_ref().unwrap_or(&server);
    let busy = match depth {
        Depth::Slots if loaded && !props.is_sleeping && props.endpoint_slots != Some(false) => {
            busy_slots(client, endpoint).await.ok()
        }
        _ => None,
    };
    let build = server.build_info.as_deref().unwrap_or("version unknown");
    let router = if router { " router" } else { "" };
    Ok(Report {
        health: Health::Up,
        slots: props.total_slots,
        busy,
        context: props.context(),
        level: props.level(),
        resident: None,
        server: Some(CleanText::new(&format!("llama.cpp{router} {build}"))),
        queued: None,
        shape: None,
        residence: None,
    })
}

/// `path` about the endpoint's model. Only a router reads it: without `autoload=0` it would load the model, and without
/// `model` it refuses; every other llama-server ignores both.
fn of_model(path: &str, endpoint: &Endpoint) -> String {
    let mut path = format!("{path}?autoload=0&model=");
    for byte in endpoint.model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// How many slots of a llama-server work now.
pub(super) async fn busy_slots(client: &Client, endpoint: &Endpoint) -> Result<u32, Fault> {
    #[derive(Deserialize)]
    struct Slot {
        #[serde(default)]
        is_processing: bool,
    }
    let state = client.state(endpoint, &of_model("/slots", endpoint), None, LIMIT).await?;
    let slots: Vec<Slot> = json(endpoint, &state)?;
    Ok(u32::try_from(slots.iter().filter(|slot| slot.is_processing).count()).unwrap_or(u32::MAX))
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    capabilities: Vec<String>,
    model_info: Option<serde_json::Map<String, serde_json::Value>>,
    template: Option<String>,
}

impl Shown {
    /// gpt-oss is told by its harmony template or its architecture: it honours grades only, and every other thinking
    /// model on and off only.
    fn level(&self, model: &str) -> LevelSupport {
        let architecture = self.info("general.architecture").and_then(|name| name.as_str()).unwrap_or_default();
        let harmony = self.template.as_deref().is_some_and(|text| text.contains("<|channel|>"));
        if !self.capabilities.iter().any(|name| name == "thinking") {
            LevelSupport::None
        } else if harmony
            || architecture.starts_with("gptoss")
            || architecture.starts_with("gpt-oss")
            || model.contains("gpt-oss")
        {
            LevelSupport::Graded
        } else {
            LevelSupport::Switch
        }
    }

    fn context(&self) -> Option<u32> {
        let architecture = self.info("general.architecture")?.as_str()?;
        u32::try_from(self.info(&format!("{architecture}.context_length"))?.as_u64()?).ok()
    }

    fn info(&self, key: &str) -> Option<&serde_json::Value> {
        self.model_info.as_ref()?.get(key)
    }
}

#[derive(Deserialize)]
struct Running {
    #[serde(default)]
    models: Vec<RunningModel>,
}

#[derive(Deserialize)]
struct RunningModel {
    name: String,
    size: Option<u64>,
    context_length: Option<u32>,
}

async fn ollama(client: &Client, endpoint: &Endpoint) -> Result<Report, Fault> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let asked = serde_json::to_vec(&serde_json::json!({"model": endpoint.model})).ok();
    let (version, shown, running) = tokio::join!(
        client.state(endpoint, "/api/version", None, LIMIT),
        client.state(endpoint, "/api/show", asked, LIMIT),
        client.state(endpoint, "/api/ps", None, LIMIT),
    );
    let (version, shown) = (version?, shown?);
    let version: Version = json(endpoint, &version)?;
    let shown: Shown = json(endpoint, &shown)?;
    // What is resident is told for the screen only; without it the endpoint is as well.
    let running = running.ok().and_then(|state| json::<Running>(endpoint, &state).ok());
    let running = running.and_then(|all| all.models.into_iter().find(|m| is_same_model(&m.name, &endpoint.model)));
    Ok(Report {
        health: Health::Up,
        slots: None,
        busy: None,
        context: shown.context().or_else(|| running.as_ref().and_then(|m| m.context_length)),
        level: shown.level(&endpoint.model),
        resident: running.and_then(|m| m.size),
        server: Some(CleanText::new(&format!("Ollama {}", version.version))),
        queued: None,
        shape: None,
        residence: None,
    })
}

/// Ollama adds `:latest` to a name without a tag.
fn is_same_model(listed: &str, asked: &str) -> bool {
    listed == asked || listed.strip_suffix(":latest") == Some(asked)
}

/// The list of an OpenAI-compatible server.
#[derive(Default, Deserialize)]
pub(super) struct Models {
    #[serde(default)]
    pub(super) data: Vec<Model>,
}

#[derive(Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) owned_by: Option<String>,
    /// vLLM's name for the context.
    max_model_len: Option<u32>,
    /// llama-swap's.
    context_length: Option<u32>,
}

impl Model {
    /// The context of one request.
    pub(super) fn context(&self) -> Option<u32> {
        self.max_model_len.or(self.context_length)
    }
}

async fn openai(client: &Client, endpoint: &Endpoint) -> Result<Report, Fault> {
    let state = client.state(endpoint, "/v1/models", None, LIMIT).await?;
    good(endpoint, &state)?;
    // mlx answers with an empty body where its model cache does not exist; and a name that is not listed may still be
    // an alias, so the list decides nothing about health.
    let models: Models = serde_json::from_slice(&state.body).unwrap_or_default();
    let model = models.data.iter().find(|model| model.id == endpoint.model);
    let owner = models.data.iter().find_map(|model| model.owned_by.clone());
    let mlx = state.server.as_deref().is_some_and(is_mlx);
    let server = if mlx { Some("mlx_lm.server".to_owned()) } else { owner.or(state.server) };
    Ok(Report {
        context: model.and_then(Model::context),
        server: server.map(CleanText::from),
        ..Report::empty(Health::Up)
    })
}

/// mlx_lm.server is Python's plain HTTP server, and says so.
pub(super) fn is_mlx(server: &str) -> bool {
    server.starts_with("BaseHTTP/")
}
