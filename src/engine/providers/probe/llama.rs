//! How a llama-server is: one with a model of its own, or a router that starts servers for models by name.

use std::sync::Arc;

use serde::Deserialize;

use super::{Client, Depth, LIMIT, Model, Models, Report, Slashes, escaped, good, json, lenient, listed};
use crate::domain::fleet::Endpoint;
use crate::domain::protocol::{Health, LevelSupport, ModelShape, Residence};
use crate::domain::text::CleanText;
use crate::engine::providers::fault::Fault;
use crate::engine::providers::metrics::gauge;
use crate::engine::providers::shape::{Learnt, facts_of_file};

/// llama.cpp's `/props`.
#[derive(Deserialize)]
pub(in super::super) struct Props {
    pub(in super::super) total_slots: Option<u32>,
    pub(in super::super) role: Option<String>,
    default_generation_settings: Option<Generation>,
    chat_template: Option<String>,
    chat_template_caps: Option<Caps>,
    pub(in super::super) build_info: Option<String>,
    #[serde(default)]
    pub(in super::super) is_sleeping: bool,
    endpoint_slots: Option<bool>,
    endpoint_metrics: Option<bool>,
    model_path: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    model_alias: Option<String>,
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
    pub(in super::super) fn context(&self) -> Option<u32> {
        self.default_generation_settings.as_ref().and_then(|g| g.n_ctx).filter(|n| *n > 0)
    }

    /// The template decides what a level does; the server only passes it on.
    pub(in super::super) fn level(&self) -> LevelSupport {
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

/// What a llama-server is started with, as far as it counts here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Arguments {
    /// Requests at once.
    pub(in super::super) slots: Option<u32>,
    /// Context of one request in tokens.
    pub(in super::super) context: Option<u32>,
    /// It is given what a model reads images with.
    pub(in super::super) vision: bool,
}

impl Arguments {
    /// Of a command line. The cache is shared out among the slots unless it is unified; without `--parallel` it is, and
    /// how many slots there are only a server that runs tells.
    pub(in super::super) fn of(words: &[&str]) -> Self {
        let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
        let figure = |names: &[&str]| {
            // The last one counts, as it does for the server.
            let at = words.iter().rposition(|word| names.contains(word))?;
            words.get(at + 1)?.parse::<u32>().ok().filter(|n| *n > 0)
        };
        let slots = figure(&["--parallel", "-np", "--n-parallel"]);
        let shared = if has(&["--kv-unified", "-kvu"]) { 1 } else { slots.unwrap_or(1) };
        let context = figure(&["--ctx-size", "-c"]).map(|whole| whole / shared).filter(|n| *n > 0);
        Self { slots, context, vision: has(&["--mmproj", "-mm", "--mmproj-url", "-mmu"]) }
    }
}

/// Looks at a llama-server.
pub(super) async fn look(client: &Client, endpoint: &Endpoint, depth: Depth) -> Result<Report, Fault> {
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
    let models = if router { router_models(client, endpoint).await.ok() } else { None };
    let mismatch = match &models {
        Some(models) => router_misses(endpoint, models),
        None => {
            let names = [server.model_alias.as_deref(), server.model_path.as_deref()];
            listed::another(&endpoint.model, names.into_iter().flatten()).filter(|_| !router)
        }
    };
    // Until it is loaded the router tells what it will be started with.
    let listed = models.and_then(|models| own(endpoint, models));
    let loaded = !router || model.is_some();
    let words = listed.as_ref().and_then(|listed| listed.status.as_ref()?.args.as_ref());
    let words: Vec<&str> = words.map_or_else(Vec::new, |words| words.iter().map(String::as_str).collect());
    let told = if loaded { Arguments::default() } else { Arguments::of(&words) };
    let props = model.as_ref().unwrap_or(&server);
    let residence = match &listed {
        Some(listed) => residence_of(listed),
        // Asleep its model's memory is freed; the next request reads it again.
        None if loaded && !props.is_sleeping => Some(Residence::Loaded),
        None => Some(Residence::Unloaded),
    };
    let (mut busy, mut queued) = (None, None);
    if depth == Depth::Slots && loaded && !props.is_sleeping {
        if props.endpoint_slots != Some(false) {
            busy = busy_slots(client, endpoint).await.ok();
        }
        if props.endpoint_metrics == Some(true) {
            queued = deferred(client, endpoint).await.ok().flatten();
        }
    }
    let shape = if loaded { shape(client, endpoint, props, listed).await } else { None };
    let build = server.build_info.as_deref().unwrap_or("version unknown");
    let router = if router { " router" } else { "" };
    Ok(Report {
        health: Health::Up,
        slots: props.total_slots.or(told.slots),
        busy,
        context: props.context().or(told.context),
        level: props.level(),
        resident: None,
        server: Some(CleanText::new(&format!("llama.cpp{router} {build}"))),
        queued,
        shape,
        residence,
        mismatch,
        fault: None,
    })
}

/// What the model takes in memory: asked once for each file that the server names.
async fn shape(client: &Client, endpoint: &Endpoint, props: &Props, listed: Option<Model>) -> Option<ModelShape> {
    let file = props.model_path.clone();
    if let Some(known) = client.known.get(endpoint).filter(|known| known.file == file) {
        return known.shape(endpoint);
    }
    let model = match listed {
        Some(listed) => Some(listed),
        None => {
            let state = client.state(endpoint, &of_model("/v1/models", endpoint), None, LIMIT).await.ok()?;
            // A server with one model answers to any name.
            json::<Models>(endpoint, &state).ok()?.data.into_iter().next()
        }
    };
    let meta = model.and_then(|model| model.meta);
    let facts = match &file {
        Some(file) => facts_of_file(endpoint, file).await.map(Arc::new),
        None => None,
    };
    let learnt = Learnt {
        file,
        weights: meta.as_ref().and_then(|meta| meta.size),
        trained: meta.as_ref().and_then(|meta| meta.n_ctx_train),
        facts,
        lists: None,
    };
    let shape = learnt.shape(endpoint);
    client.known.put(endpoint, learnt);
    shape
}

/// How a router lists the endpoint's model; none where it does not know it.
pub(in super::super) async fn router_lists(client: &Client, endpoint: &Endpoint) -> Result<Option<Model>, Fault> {
    Ok(own(endpoint, router_models(client, endpoint).await?))
}

async fn router_models(client: &Client, endpoint: &Endpoint) -> Result<Models, Fault> {
    let state = client.state(endpoint, "/models", None, LIMIT).await?;
    json(endpoint, &state)
}

/// The endpoint's model in a router's list.
fn own(endpoint: &Endpoint, models: Models) -> Option<Model> {
    models.data.into_iter().find(|model| model.is_called(&endpoint.model))
}

/// A router takes no other names than those it lists.
fn router_misses(endpoint: &Endpoint, models: &Models) -> Option<CleanText> {
    if models.data.iter().any(|model| model.is_called(&endpoint.model)) {
        return None;
    }
    listed::missing(&endpoint.model, models.data.iter().map(|model| model.id.as_str()))
}

/// Whether a model that a router lists is in memory.
pub(in super::super) fn residence_of(listed: &Model) -> Option<Residence> {
    match listed.status.as_ref()?.value.as_str() {
        "loaded" => Some(Residence::Loaded),
        "loading" => Some(Residence::Loading),
        "unloaded" | "sleeping" | "downloading" | "downloaded" => Some(Residence::Unloaded),
        _ => None,
    }
}

/// `path` about the endpoint's model. Only a router reads it: without `autoload=0` it would load the model, and without
/// `model` it refuses; every other llama-server ignores both.
pub(in super::super) fn of_model(path: &str, endpoint: &Endpoint) -> String {
    format!("{path}?autoload=0&model={}", escaped(&endpoint.model, Slashes::Escaped))
}

/// How many slots of a llama-server work now.
pub(in super::super) async fn busy_slots(client: &Client, endpoint: &Endpoint) -> Result<u32, Fault> {
    #[derive(Deserialize)]
    struct Slot {
        #[serde(default)]
        is_processing: bool,
    }
    let state = client.state(endpoint, &of_model("/slots", endpoint), None, LIMIT).await?;
    let slots: Vec<Slot> = json(endpoint, &state)?;
    Ok(u32::try_from(slots.iter().filter(|slot| slot.is_processing).count()).unwrap_or(u32::MAX))
}

/// How many requests wait in the server's queue.
async fn deferred(client: &Client, endpoint: &Endpoint) -> Result<Option<u32>, Fault> {
    let state = client.state(endpoint, &of_model("/metrics", endpoint), None, LIMIT).await?;
    good(endpoint, &state)?;
    Ok(gauge(&String::from_utf8_lossy(&state.body), "llamacpp:requests_deferred", &endpoint.model))
}
