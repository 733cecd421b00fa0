//! What was found as endpoints: which of a server's models, under what name, with how many slots.
//!
//! Not here: how servers are asked (`engine/providers/identify`), which tiers their models serve (`tiers`). Invariants:
//! nothing is loaded by being offered; of a server that loads models as they are asked for, one for each role that fits
//! into memory together (`roles`); what a server does not tell is assumed small, and said to be.

use std::sync::OnceLock;

use futures_util::future::join_all;

use super::choose::limit;
use super::roles::roles;
use super::tiers::Traits;
use crate::config::{Config, Place, place_of};
use crate::domain::fleet::{Api, Endpoint, Fleet, MachineSettings, Nature};
use crate::domain::memory::MemoryPlan;
use crate::domain::protocol::{EndpointName, LevelSupport, MachineSampled, Name, TierName};
use crate::domain::text::CleanText;
use crate::engine::providers::{Client, Found, FoundModel, Purpose, Readiness, ServerKind, look_closer};

/// The context of a request, in tokens, where a server does not tell: small enough for any.
pub(crate) const UNKNOWN_CONTEXT: u32 = 8_192;

/// The longest title in characters.
const TITLE: usize = 60;

/// The most endpoints of one server that are made of themselves: what stands in front of many machines may list hundreds.
pub(crate) const MOST: usize = 8;

/// Slots where the server does not tell, and why so many.
pub(crate) const fn assumed_slots(kind: ServerKind) -> (u32, &'static str) {
    match kind {
        ServerKind::Ollama => (1, "Ollama does not tell; as many as its OLLAMA_NUM_PARALLEL, which is 1 unless set"),
        ServerKind::Mlx => (4, "mlx_lm does not tell; as many as its --decode-concurrency bears"),
        ServerKind::Vllm => (8, "vLLM does not tell; it batches up to its --max-num-seqs"),
        ServerKind::LmStudio => (4, "not told; LM Studio's default"),
        ServerKind::LlamaSwap => {
            (1, "llama-swap does not tell; the -np of the server it starts, and no more than its concurrencyLimit")
        }
        ServerKind::LiteLlm => (4, "LiteLLM does not tell; the slots of all machines behind this name together"),
        ServerKind::GpuStack => (4, "GPUStack does not tell; the slots of all replicas of this model together"),
        ServerKind::LlamaCpp => (1, "not told; the server's -np"),
        // No more than that start before it is loaded, and then it tells: the lesser counts, so that this is a lid.
        ServerKind::LlamaCppRouter => (4, "llama-server's own default; how many it has is told once it is loaded"),
        ServerKind::Locals => (16, "locals does not tell; its default (--slots)"),
        ServerKind::VllmMlx => (1, "vllm-mlx does not tell; more with --continuous-batching, up to its --max-num-seqs"),
        ServerKind::OpenAi => (1, "not told; as many requests at once as the server bears"),
    }
}

/// The models of a server that can be used as it is; none where it wants a key first.
pub(crate) fn offered(found: &Found) -> Vec<FoundModel> {
    if found.readiness == Readiness::WantsKey { Vec::new() } else { picked(found) }
}

/// The models of a server to make endpoints of: where it loads them as they are asked for, the best for each role; all
/// where a server has all it lists at hand.
pub(crate) fn picked(found: &Found) -> Vec<FoundModel> {
    if matches!(
        found.kind,
        ServerKind::Ollama
            | ServerKind::LmStudio
            | ServerKind::LlamaCppRouter
            | ServerKind::LlamaSwap
            | ServerKind::VllmMlx
    ) {
        let traits: Vec<Traits> = found.chat().map(|model| Traits::found(found, model)).collect();
        let room = if place_of(&found.url) == Place::Here { room() } else { None };
        let roles = roles(&traits.iter().collect::<Vec<_>>(), room);
        return found.chat().zip(roles).filter_map(|(model, role)| role.map(|_| model.clone())).collect();
    }
    let wanted = match found.kind {
        ServerKind::Vllm | ServerKind::LiteLlm | ServerKind::GpuStack => MOST,
        _ => 1,
    };
    let mut models: Vec<FoundModel> = found.chat().take(wanted).cloned().collect();
    match found.kind {
        // It lists all that was ever downloaded and would load any by its name; the one it was started with has this.
        ServerKind::Mlx if found.models.len() != 1 => models = vec![started(models.into_iter().next())],
        // Loading, it tells no name, and takes any.
        ServerKind::LlamaCpp if models.is_empty() && found.readiness == Readiness::Loading => models = vec![unnamed()],
        _ => {}
    }
    models
}

/// What models may take of this machine's memory, by the same rule as in a session; none where it can't be told.
fn room() -> Option<u64> {
    static ROOM: OnceLock<Option<u64>> = OnceLock::new();
    *ROOM.get_or_init(|| {
        let memory = sysinfo::RefreshKind::nothing().with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram());
        let total = sysinfo::System::new_with_specifics(memory).map_or(0, |system| system.total_memory());
        let machine = MachineSampled { total, ..MachineSampled::default() };
        MemoryPlan::of_fleet(&Fleet::default(), &machine, &MachineSettings::default()).limit.map(|limit| limit.bytes)
    })
}

/// mlx_lm's name for the model it was started with.
pub(crate) const STARTED: &str = "default_model";

fn started(model: Option<FoundModel>) -> FoundModel {
    let mut model = model.unwrap_or_else(unnamed);
    STARTED.clone_into(&mut model.name);
    model
}

fn unnamed() -> FoundModel {
    FoundModel::named("")
}

/// The model's name as people say it: without its folder and the ending of its file.
pub(crate) fn short(model: &str) -> &str {
    let last = model.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.strip_suffix(".gguf").unwrap_or(last)
}

/// An endpoint for a model of a server.
pub(crate) fn endpoint_of(found: &Found, model: &FoundModel, name: EndpointName, tiers: Vec<TierName>) -> Endpoint {
    let short = CleanText::one_line(short(&model.name));
    let title = if short.trim().is_empty() || model.name == STARTED { found.kind.name() } else { short.as_str() };
    Endpoint {
        name,
        title: Some(title.chars().take(TITLE).collect()),
        tiers,
        protocol: found.kind.protocol(),
        url: found.url.clone(),
        model: model.name.clone(),
        slots: model.slots.unwrap_or(assumed_slots(found.kind).0).max(1),
        context: context_of(model),
        api: Api::Chat,
        key: None,
        level: model.level.filter(|level| *level != LevelSupport::Unknown),
        memory_gb: None,
        tokens_per_second: None,
        vision: model.vision == Some(true),
        tools: model.tools == Some(true),
        nature: Nature::Real,
        price: None,
        launch: None,
    }
}

/// The context it runs with; where it does not run, as much as any model bears and this one can have.
pub(crate) fn context_of(model: &FoundModel) -> u32 {
    model
        .context
        .unwrap_or_else(|| model.most_context.map_or(UNKNOWN_CONTEXT, |most| most.min(UNKNOWN_CONTEXT)))
        .max(256)
}

/// A name by where it is: `llama.cpp-8080` here, `ollama-mac.local-11434` on another machine.
pub(crate) fn name_by_place(found: &Found) -> EndpointName {
    Name::slug(&format!("{}-{}", found.kind.name(), place(&found.url)))
}

/// Where a server is, in a word that tells it from others: its port here; elsewhere its machine too.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let at = match place_of(url) {
        Place::Here => authority.rsplit(':').next().unwrap_or_default().to_owned(),
        Place::Elsewhere => authority.to_owned(),
    };
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    if path.is_empty() { at } else { format!("{at}-{path}") }
}

/// `name`, or with a number behind it, so that it is not among those taken.
pub(crate) fn untaken(name: &EndpointName, taken: &[EndpointName]) -> EndpointName {
    if !taken.contains(name) {
        return name.clone();
    }
    // Names end at 64 letters, so that room for the number is made first.
    let stem: String = name.as_str().chars().take(58).collect();
    let mut numbered = (2..).map(|n: u32| Name::slug(&format!("{stem}-{n}")));
    numbered.find(|name: &EndpointName| !taken.contains(name)).unwrap_or_else(|| name.clone())
}

/// The most models of a server that are asked about one by one: twice what anybody chooses from, each in milliseconds.
const LOOKED_AT: usize = 16;

/// Asks servers that tell more when asked for a model about those that answer: what each is for is decided by it.
pub(crate) async fn look_closer_at_offered(client: &Client, config: &Config, found: &mut [Found]) {
    for found in found.iter_mut().filter(|found| found.kind == ServerKind::Ollama) {
        let limit = limit(config.discovery.remote_ms, place_of(&found.url));
        let mut models = std::mem::take(&mut found.models);
        let there = &*found;
        let answering = models.iter_mut().filter(|model| model.purpose == Purpose::Chat).take(LOOKED_AT);
        join_all(answering.map(|model| look_closer(client, there, model, limit))).await;
        found.models = models;
    }
}
