//! How an OpenAI-compatible server is, as far as its kind tells: vLLM, LM Studio, llama-swap, mlx_lm, and front ends of many.

use serde::Deserialize;

use super::{Client, Depth, LIMIT, Report, good, json, lenient, listed, read};
use crate::domain::fleet::Endpoint;
use crate::domain::protocol::{Health, Residence};
use crate::domain::text::CleanText;
use crate::engine::providers::client::State;
use crate::engine::providers::fault::Fault;
use crate::engine::providers::metrics::gauge;
use crate::engine::providers::shape::{Learnt, Lists};

/// The list of an OpenAI-compatible server.
#[derive(Default, Deserialize)]
pub(in super::super) struct Models {
    #[serde(default)]
    pub(in super::super) data: Vec<Model>,
}

/// A model in that list. Fields that a server uses for something else are not told, and hide no others.
#[derive(Deserialize)]
pub(in super::super) struct Model {
    pub(in super::super) id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) owned_by: Option<String>,
    /// vLLM's name for the context.
    #[serde(default, deserialize_with = "lenient")]
    max_model_len: Option<u32>,
    /// The model that an adapter of vLLM's belongs to.
    #[serde(default, deserialize_with = "lenient")]
    parent: Option<String>,
    /// llama-swap's.
    #[serde(default, deserialize_with = "lenient")]
    context_length: Option<u32>,
    /// llama.cpp's: other names, what its file tells, and in a router whether it is loaded.
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) aliases: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) meta: Option<Meta>,
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) status: Option<Status>,
}

/// What llama.cpp tells of a model's file.
#[derive(Deserialize)]
pub(in super::super) struct Meta {
    /// Bytes of its weights.
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) n_ctx_train: Option<u32>,
}

/// How a model of a llama.cpp router stands.
#[derive(Deserialize)]
pub(in super::super) struct Status {
    pub(in super::super) value: String,
    /// The last try to load it failed.
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) failed: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) exit_code: Option<i64>,
    /// What its server is, or will be, started with.
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) args: Option<Vec<String>>,
}

impl Model {
    /// Whether it answers to `name`.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().flatten().any(|alias| alias == name)
    }

    /// The context of one request.
    pub(in super::super) fn context(&self) -> Option<u32> {
        self.max_model_len.or(self.context_length)
    }
}

/// Who made an OpenAI-compatible server, told by what it says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Brand {
    Mlx,
    Vllm,
    LlamaSwap,
    LmStudio,
    /// Another one, or a front end of many: LiteLLM, GPUStack.
    Other,
}

/// Looks at an OpenAI-compatible server.
pub(super) async fn look(client: &Client, endpoint: &Endpoint, depth: Depth) -> Result<Report, Fault> {
    let (state, models) = list(client, endpoint).await?;
    let brand = told(client, endpoint, &state, &models).await;
    let model = models.data.iter().find(|model| model.id == endpoint.model);
    let parent = model.and_then(|model| model.parent.as_ref());
    let parent = parent.and_then(|parent| models.data.iter().find(|model| model.id == *parent));
    let owner = models.data.iter().find_map(|model| model.owned_by.clone());
    let server = match brand {
        Brand::Mlx => Some("mlx_lm.server".to_owned()),
        Brand::LmStudio => Some("LM Studio".to_owned()),
        Brand::Vllm | Brand::LlamaSwap | Brand::Other => owner.or(state.server),
    };
    let meta = model.and_then(|model| model.meta.as_ref());
    let mut learnt = Learnt {
        weights: meta.and_then(|meta| meta.size),
        trained: meta.and_then(|meta| meta.n_ctx_train),
        ..Learnt::default()
    };
    let mut report = Report {
        // An adapter's is its model's.
        context: model.and_then(Model::context).or_else(|| parent.and_then(Model::context)),
        mismatch: misses(endpoint, brand, &models),
        server: server.map(CleanText::from),
        ..Report::empty(Health::Up)
    };
    match brand {
        // It serves one model for as long as it runs.
        Brand::Vllm => {
            report.residence = Some(Residence::Loaded);
            if depth == Depth::Slots
                && let Ok(state) = client.state(endpoint, "/metrics", None, LIMIT).await
                && good(endpoint, &state).is_ok()
            {
                let text = String::from_utf8_lossy(&state.body);
                report.busy = gauge(&text, "vllm:num_requests_running", &endpoint.model);
                report.queued = gauge(&text, "vllm:num_requests_waiting", &endpoint.model);
            }
        }
        Brand::LlamaSwap => report.residence = swap_residence(client, endpoint).await.ok(),
        Brand::LmStudio => {
            if let Ok(Some(model)) = instances(client, endpoint).await {
                report.mismatch = None;
                let instance = model.named(&endpoint.model).next();
                report.residence = Some(if instance.is_some() { Residence::Loaded } else { Residence::Unloaded });
                report.slots = instance.and_then(|instance| instance.config.parallel).filter(|n| *n > 0);
                let context = instance.and_then(|instance| instance.config.context_length);
                report.context = report.context.or(context.filter(|n| *n > 0));
                (learnt.weights, learnt.trained) = (model.size_bytes, model.max_context_length);
            }
        }
        Brand::Mlx | Brand::Other => {}
    }
    let of_lm_studio =
        brand == Brand::LmStudio || models.data.iter().any(|model| is_owner(model, "organization_owner"));
    if of_lm_studio && report.context.is_none() && report.residence != Some(Residence::Unloaded) {
        older_list(client, endpoint, &mut report).await;
    }
    report.shape = learnt.shape(endpoint);
    Ok(report)
}

/// Where it does not have the endpoint's model, by its list.
fn misses(endpoint: &Endpoint, brand: Brand, models: &Models) -> Option<CleanText> {
    let asked = endpoint.model.as_str();
    if models.data.iter().any(|model| model.is_called(asked)) {
        return None;
    }
    let listed = models.data.iter().map(|model| model.id.as_str());
    let is_llama = |model: &Model| model.owned_by.as_deref() == Some("llamacpp");
    match (brand, models.data.as_slice()) {
        // It lists what its hub has, and runs what it was started with, by any path or by this name.
        (Brand::Mlx, _) if asked == "default_model" || asked.starts_with(['/', '.', '~']) => None,
        // It takes aliases that it does not list.
        (Brand::LlamaSwap, _) => None,
        // It answers to any name.
        (_, [only]) if is_llama(only) => listed::another(asked, listed),
        _ => listed::missing(asked, listed),
    }
}

/// What answers at `endpoint`.
pub(in super::super) async fn brand(client: &Client, endpoint: &Endpoint) -> Result<Brand, Fault> {
    let (state, models) = list(client, endpoint).await?;
    Ok(told(client, endpoint, &state, &models).await)
}

async fn list(client: &Client, endpoint: &Endpoint) -> Result<(State, Models), Fault> {
    let state = client.state(endpoint, "/v1/models", None, LIMIT).await?;
    good(endpoint, &state)?;
    // mlx answers with an empty body where its model cache does not exist; and a name that is not listed may still be
    // an alias, so the list decides nothing about health.
    let models = models_of(&state.body)?;
    Ok((state, models))
}

/// What a list says; nothing where it can't be read, for it says nothing of health then. A page is of something else.
fn models_of(body: &[u8]) -> Result<Models, Fault> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    if text.starts_with(b"<") {
        // Its head has the words.
        return Err(Fault::of_page(&String::from_utf8_lossy(&text[..text.len().min(4096)])));
    }
    Ok(read(body).unwrap_or_default())
}

/// By its list; whether one of no known maker is LM Studio it is asked once.
async fn told(client: &Client, endpoint: &Endpoint, state: &State, models: &Models) -> Brand {
    let owned = |name: &str| models.data.iter().any(|model| is_owner(model, name));
    // Python's plain HTTP server as mlx_lm is, and another one.
    if owned("locals") {
        return Brand::Other;
    }
    if state.server.as_deref().is_some_and(is_mlx) {
        return Brand::Mlx;
    }
    if owned("vllm") {
        return Brand::Vllm;
    }
    if owned("llama-swap") {
        return Brand::LlamaSwap;
    }
    // llama.cpp and Ollama in OpenAI's words, and a front end that says so.
    if ["llamacpp", "library", "gpustack", "vllm-mlx"].into_iter().any(owned) {
        return Brand::Other;
    }
    let known = client.known.get(endpoint).and_then(|known| known.lists);
    let lists = match known {
        Some(lists) => lists,
        None => match client.state(endpoint, INSTANCES, None, LIMIT).await {
            Ok(state) => {
                let lists = if has_instances(&state) { Lists::Instances } else { Lists::Names };
                client.known.put(endpoint, Learnt { lists: Some(lists), ..Learnt::default() });
                lists
            }
            Err(_) => Lists::Names,
        },
    };
    if lists == Lists::Instances { Brand::LmStudio } else { Brand::Other }
}

fn is_owner(model: &Model, name: &str) -> bool {
    model.owned_by.as_deref() == Some(name)
}

/// What LM Studio's older list tells of the endpoint's model: builds before 0.4 have no other, and the newer one may leave
/// the context of a loaded model out.
async fn older_list(client: &Client, endpoint: &Endpoint, report: &mut Report) {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        id: String,
        #[serde(default, deserialize_with = "lenient")]
        state: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        loaded_context_length: Option<u32>,
    }
    let Ok(state) = client.state(endpoint, "/api/v0/models", None, LIMIT).await else { return };
    let Ok(list) = json::<List>(endpoint, &state) else { return };
    let Some(model) = list.data.into_iter().find(|model| model.id == endpoint.model) else { return };
    report.server = Some(CleanText::from_static("LM Studio"));
    report.context = model.loaded_context_length.filter(|n| *n > 0);
    report.residence = report.residence.or(match model.state.as_deref() {
        Some("loaded") => Some(Residence::Loaded),
        Some("not-loaded") => Some(Residence::Unloaded),
        _ => None,
    });
}

/// Where LM Studio lists models with what is loaded.
const INSTANCES: &str = "/api/v1/models";

fn has_instances(state: &State) -> bool {
    let list = || read::<serde_json::Value>(&state.body).ok();
    state.status == 200
        && list().is_some_and(|list| {
            list.get("models")
                .and_then(serde_json::Value::as_array)
                .is_some_and(|models| models.iter().any(|model| model.get("loaded_instances").is_some()))
        })
}

/// A model as LM Studio lists it.
#[derive(Deserialize)]
pub(in super::super) struct InstanceModel {
    pub(in super::super) key: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(in super::super) size_bytes: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    max_context_length: Option<u32>,
    #[serde(default)]
    loaded_instances: Vec<Instance>,
}

/// A loaded instance of a model.
#[derive(Deserialize)]
pub(in super::super) struct Instance {
    pub(in super::super) id: String,
    #[serde(default)]
    config: InstanceConfig,
}

#[derive(Default, Deserialize)]
struct InstanceConfig {
    #[serde(default, deserialize_with = "lenient")]
    context_length: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    parallel: Option<u32>,
}

impl InstanceModel {
    /// The instances that serve requests for `name`: by the model's key all, by an instance's name that one.
    pub(in super::super) fn named(&self, name: &str) -> impl Iterator<Item = &Instance> {
        self.loaded_instances.iter().filter(move |instance| self.key == name || instance.id == name)
    }

    /// Whether requests for `name` find it in memory.
    pub(in super::super) fn is_loaded(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }
}

/// The endpoint's model as LM Studio lists it, by its key or an instance's name; none where it does not know it.
pub(in super::super) async fn instances(client: &Client, endpoint: &Endpoint) -> Result<Option<InstanceModel>, Fault> {
    #[derive(Deserialize)]
    struct List {
        models: Vec<InstanceModel>,
    }
    let state = client.state(endpoint, INSTANCES, None, LIMIT).await?;
    let list: List = json(endpoint, &state)?;
    let name = &endpoint.model;
    let is_it = |model: &InstanceModel| model.key == *name || model.loaded_instances.iter().any(|it| it.id == *name);
    Ok(list.models.into_iter().find(is_it))
}

/// Whether llama-swap runs the endpoint's model. It lists only those that it started.
pub(in super::super) async fn swap_residence(client: &Client, endpoint: &Endpoint) -> Result<Residence, Fault> {
    #[derive(Deserialize)]
    struct List {
        running: Vec<Running>,
    }
    #[derive(Deserialize)]
    struct Running {
        model: String,
        state: String,
    }
    let state = client.state(endpoint, "/running", None, LIMIT).await?;
    let list: List = json(endpoint, &state)?;
    let running = list.running.iter().find(|running| running.model == endpoint.model);
    Ok(match running.map(|running| running.state.as_str()) {
        Some("ready") => Residence::Loaded,
        Some("starting") => Residence::Loading,
        _ => Residence::Unloaded,
    })
}

/// mlx_lm.server is Python's plain HTTP server, and says so.
pub(in super::super) fn is_mlx(server: &str) -> bool {
    server.starts_with("BaseHTTP/")
}

#[cfg(test)]
mod tests {
    use super::models_of;

    #[test]
    fn a_list_that_is_written_oddly_is_a_list_and_a_page_is_none() {
        let names = |body: &str| {
            models_of(body.as_bytes()).map(|models| models.data.into_iter().map(|m| m.id).collect::<Vec<_>>())
        };
        for odd in [
            "{\"data\":[{\"id\":\"m\"}]}",
            "\u{feff}{\"data\":[{\"id\":\"m\"}]}",
            "{\"data\":[{\"id\":\"m\",\"load\":NaN}],\"created\":Infinity}",
        ] {
            assert_eq!(names(odd).unwrap(), ["m"], "{odd}");
        }
        for nothing in ["", "[]", "\u{feff}", "ok"] {
            assert_eq!(names(nothing).unwrap(), [""; 0], "{nothing}");
        }
        for page in ["<html><title>Router</title></html>", "\u{feff}\n<!doctype html><title>Router</title>"] {
            assert!(names(page).unwrap_err().came.contains("Router"), "{page}");
        }
    }
}
