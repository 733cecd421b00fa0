//! From the answers of an address to what it is, or to the next question. Pure.
//!
//! The first question is `/v1/models`: every kind answers it, none loads or wakes anything for it, and `owned_by` or the
//! `Server` header tells most kinds apart (sources: recordings in `tests/wire`; vLLM, llama-swap, LiteLLM and GPUStack
//! by their sources, LM Studio by its documentation). LiteLLM's `/health` is never asked: it sends a request to each of
//! its models. Invariants: at most [`MOST`] questions; an answer of a wrong shape is as good as none; what is hostile is
//! cut to [`MODELS`] models with names of [`NAME`] bytes.

use serde_json::Value;

use super::{FoundModel, Loaded, Purpose, Readiness, ServerKind};
use crate::domain::protocol::LevelSupport;
use crate::domain::text::CleanText;
use crate::engine::providers::client::State;
use crate::engine::providers::probe::{Arguments, Props, is_mlx};

/// The most models of a list that are read: more than anybody chooses from.
pub(super) const MODELS: usize = 256;

/// The longest name of a model in bytes: a path may be long, nothing else is.
pub(super) const NAME: usize = 1024;

/// The most questions to one address: a router with [`LOADED`] loaded models.
pub(super) const MOST: usize = 2 + LOADED;

/// The most loaded models of a router that are asked about: it keeps 4 by default (`--models-max`).
const LOADED: usize = 4;

/// Something an address is asked, by GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The list of models, as OpenAI has it.
    Models,
    /// llama.cpp: its properties.
    Props,
    /// llama.cpp's router: those of a loaded model.
    PropsOf(String),
    /// Ollama: the models it has.
    Tags,
    /// Ollama: those in memory.
    InMemory,
    /// LM Studio: models with their loaded instances.
    Instances,
    /// LM Studio: models with the context they are loaded with, which builds before 0.4 tell only here.
    States,
    /// llama-swap: the models that run.
    Running,
    /// LiteLLM: whether it lives. Asks no model, unlike its `/health`.
    Lives,
}

impl Question {
    pub(super) fn path(&self) -> String {
        match self {
            Self::Models => "/v1/models".to_owned(),
            Self::Props => "/props".to_owned(),
            Self::PropsOf(model) => format!("/props?autoload=0&model={}", percent(model)),
            Self::Tags => "/api/tags".to_owned(),
            Self::InMemory => "/api/ps".to_owned(),
            Self::Instances => "/api/v1/models".to_owned(),
            Self::States => "/api/v0/models".to_owned(),
            Self::Running => "/running".to_owned(),
            Self::Lives => "/health/liveliness".to_owned(),
        }
    }
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What a server was told to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) kind: ServerKind,
    pub(super) readiness: Readiness,
    pub(super) models: Vec<FoundModel>,
    pub(super) version: Option<CleanText>,
}

/// What follows from the answers so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// One more question.
    Ask(Question),
    /// It is this.
    Is(Told),
    /// No model server.
    Nothing,
}

/// The answers in order; none for a question that was not answered in time.
pub(super) type Answers = [(Question, Option<State>)];

/// What follows from the answers so far.
pub(super) fn judge(answers: &Answers) -> Verdict {
    let Some(first) = heard(answers, &Question::Models) else { return Verdict::Ask(Question::Models) };
    let Some(state) = first else { return Verdict::Nothing };
    let list = json(state);
    let entries = models(list.as_ref().and_then(|list| list.get("data")));
    let owners: Vec<&str> = entries.iter().filter_map(|entry| text(entry, "owned_by")).collect();
    let owned = |by: &str| owners.contains(&by);
    let llama = state.server.as_deref() == Some("llama.cpp");
    match state.status {
        503 if llama || holds(state, "Loading model") => is(ServerKind::LlamaCpp, Readiness::Loading, Vec::new()),
        401 | 403 if llama => is(ServerKind::LlamaCpp, Readiness::WantsKey, Vec::new()),
        401 => locked(answers, state),
        // LiteLLM with a master key and no database: Starlette's words without a key, its own with a wrong one.
        400 if holds(state, "no_db_connection") => gate(answers),
        500 if state.body == b"Internal Server Error" => gate(answers),
        200 if llama || owned("llamacpp") => llama_cpp(answers, &entries),
        // Before mlx_lm: it is Python's plain HTTP server as well.
        200 if owned("locals") => locals(&entries),
        200 if state.server.as_deref().is_some_and(is_mlx) && (list.is_some() || state.body.is_empty()) => {
            is(ServerKind::Mlx, Readiness::Serves, entries.iter().filter_map(|entry| named(entry)).collect())
        }
        200 if owned("llama-swap") => llama_swap(answers, &entries),
        200 if owned("vllm") => is(ServerKind::Vllm, Readiness::Serves, vllm(&entries)),
        200 if owned("vllm-mlx") => vllm_mlx(&entries),
        200 if owned("gpustack") => front(ServerKind::GpuStack, &entries),
        200 if owned("organization_owner") => lm_studio(answers, &entries),
        200 if owned("openai") => lite_llm(answers, &entries),
        200 if looks_like_ollama(list.as_ref(), &entries) => ollama(answers, &entries),
        200 if !entries.is_empty() => front(ServerKind::OpenAi, &entries),
        // An empty list is LM Studio's without a model, or nobody's.
        200 if list.as_ref().is_some_and(|list| list.get("data").is_some_and(Value::is_array)) => {
            lm_studio(answers, &entries)
        }
        _ => Verdict::Nothing,
    }
}

/// Whether the question was put, and what came.
fn heard<'a>(answers: &'a Answers, question: &Question) -> Option<Option<&'a State>> {
    answers.iter().find(|(asked, _)| asked == question).map(|(_, state)| state.as_ref())
}

/// The good JSON answer to a question that was put; asks it where it was not.
fn answer(answers: &Answers, question: Question) -> Result<Option<Value>, Verdict> {
    match heard(answers, &question) {
        Some(state) => Ok(state.filter(|state| state.status == 200).and_then(json)),
        None => Err(Verdict::Ask(question)),
    }
}

fn is(kind: ServerKind, readiness: Readiness, models: Vec<FoundModel>) -> Verdict {
    Verdict::Is(Told { kind, readiness, models, version: None })
}

fn json(state: &State) -> Option<Value> {
    serde_json::from_slice(&state.body).ok()
}

fn holds(state: &State, words: &str) -> bool {
    String::from_utf8_lossy(&state.body).contains(words)
}

/// The entries of a list of models, no more than are read.
fn models(list: Option<&Value>) -> Vec<&Value> {
    list.and_then(Value::as_array).map_or_else(Vec::new, |list| list.iter().take(MODELS).collect())
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// A number of tokens or slots that makes sense.
fn count(value: Option<&Value>) -> Option<u32> {
    value.and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0)
}

fn model(name: &str) -> Option<FoundModel> {
    (!name.trim().is_empty() && name.len() <= NAME).then(|| FoundModel::named(name))
}

/// A model by its `id`.
fn named(entry: &Value) -> Option<FoundModel> {
    model(text(entry, "id")?)
}

/// Something that tells nothing without a key: LiteLLM says whether it lives all the same.
fn locked(answers: &Answers, state: &State) -> Verdict {
    let told = json(state);
    if !told.is_some_and(|told| told.get("error").is_some() || told.get("reason").is_some()) {
        return Verdict::Nothing;
    }
    if !holds(state, "auth_error") {
        return is(ServerKind::OpenAi, Readiness::WantsKey, Vec::new());
    }
    match heard(answers, &Question::Lives) {
        None => Verdict::Ask(Question::Lives),
        Some(lives) => {
            let kind = if lives.is_some_and(is_alive) { ServerKind::LiteLlm } else { ServerKind::OpenAi };
            is(kind, Readiness::WantsKey, Vec::new())
        }
    }
}

/// Something that might be LiteLLM behind its key: it says whether it lives without one.
fn gate(answers: &Answers) -> Verdict {
    match heard(answers, &Question::Lives) {
        None => Verdict::Ask(Question::Lives),
        Some(lives) if lives.is_some_and(is_alive) => is(ServerKind::LiteLlm, Readiness::WantsKey, Vec::new()),
        Some(_) => Verdict::Nothing,
    }
}

fn is_alive(state: &State) -> bool {
    state.status == 200 && holds(state, "I'm alive!")
}

fn llama_cpp(answers: &Answers, entries: &[&Value]) -> Verdict {
    let props = match answer(answers, Question::Props) {
        Ok(props) => props,
        Err(ask) => return ask,
    };
    let read = props.as_ref().and_then(|props| serde_json::from_value::<Props>(props.clone()).ok());
    let version = read.as_ref().and_then(|props| props.build_info.as_deref()).map(CleanText::one_line);
    if read.as_ref().is_some_and(|props| props.role.as_deref() == Some("router")) {
        return match router(answers, entries) {
            Ok(models) => {
                let kind = ServerKind::LlamaCppRouter;
                Verdict::Is(Told { kind, readiness: Readiness::Serves, models, version })
            }
            Err(ask) => ask,
        };
    }
    let mut models: Vec<FoundModel> = entries.iter().filter_map(|entry| llama_model(entry)).collect();
    // It has one model; its other names are the same one.
    models.truncate(1);
    if models.is_empty()
        && let Some(alias) = props.as_ref().and_then(|props| text(props, "model_alias")).and_then(model)
    {
        models.push(alias);
    }
    if let (Some(props), Some(read), Some(model)) = (&props, &read, models.first_mut()) {
        of_props(props, read, model);
    }
    // With `--api-key` its list is for everybody, and nothing else is.
    let refused = heard(answers, &Question::Props).flatten().is_some_and(|state| matches!(state.status, 401 | 403));
    let readiness = if refused { Readiness::WantsKey } else { Readiness::Serves };
    Verdict::Is(Told { kind: ServerKind::LlamaCpp, readiness, models, version })
}

/// What the router's models are, those that are loaded with their own properties.
fn router(answers: &Answers, entries: &[&Value]) -> Result<Vec<FoundModel>, Verdict> {
    let mut models = Vec::new();
    let mut asked = 0;
    for entry in entries {
        let Some(mut model) = llama_model(entry) else { continue };
        model.loaded = match entry.pointer("/status/value").and_then(Value::as_str) {
            Some("loaded" | "sleeping") => Loaded::Yes,
            Some(_) => Loaded::No,
            None => Loaded::Untold,
        };
        of_arguments(entry, &mut model);
        if model.loaded == Loaded::Yes && asked < LOADED {
            asked += 1;
            if let Some(props) = answer(answers, Question::PropsOf(model.name.clone()))?
                && let Ok(read) = serde_json::from_value::<Props>(props.clone())
            {
                of_props(&props, &read, &mut model);
            }
        }
        models.push(model);
    }
    Ok(models)
}

/// What a router will start a model's server with: all that is known of one that is not loaded.
fn of_arguments(entry: &Value, model: &mut FoundModel) {
    let words = entry.pointer("/status/args").and_then(Value::as_array);
    let words: Vec<&str> = words.map_or_else(Vec::new, |all| all.iter().filter_map(Value::as_str).collect());
    let told = Arguments::of(&words);
    model.slots = model.slots.or(told.slots);
    model.context = model.context.or(told.context);
    model.vision = model.vision.filter(|_| !told.vision).or(told.vision.then_some(true));
}

/// An entry of llama.cpp's list.
fn llama_model(entry: &Value) -> Option<FoundModel> {
    let mut model = named(entry)?;
    let meta = entry.get("meta");
    let figure = |key: &str| meta.and_then(|meta| meta.get(key));
    model.context = count(figure("n_ctx"));
    model.most_context = count(figure("n_ctx_train"));
    model.bytes = figure("size").and_then(Value::as_u64).filter(|n| *n > 0);
    model.parameters = figure("n_params").and_then(Value::as_u64).filter(|n| *n > 0);
    let inputs = entry.pointer("/architecture/input_modalities").and_then(Value::as_array);
    model.vision = inputs.map(|inputs| inputs.iter().any(|input| input.as_str() == Some("image")));
    Some(model)
}

/// What llama.cpp's `/props` say of a model.
fn of_props(props: &Value, read: &Props, model: &mut FoundModel) {
    model.slots = read.total_slots.filter(|slots| *slots > 0);
    model.context = read.context().or(model.context);
    model.vision = props.pointer("/modalities/vision").and_then(Value::as_bool).or(model.vision);
    model.tools = props.pointer("/chat_template_caps/supports_tool_calls").and_then(Value::as_bool);
    model.level = Some(read.level()).filter(|level| *level != LevelSupport::Unknown);
}

fn llama_swap(answers: &Answers, entries: &[&Value]) -> Verdict {
    let running = match answer(answers, Question::Running) {
        Ok(running) => running,
        Err(ask) => return ask,
    };
    let running = running.as_ref().and_then(|value| value.get("running")).and_then(Value::as_array);
    let ready: Option<Vec<&str>> = running.map(|all| {
        all.iter().filter(|one| text(one, "state") == Some("ready")).filter_map(|one| text(one, "model")).collect()
    });
    let models = entries.iter().filter_map(|entry| {
        let mut model = named(entry)?;
        model.context = count(entry.get("context_length"));
        model.loaded = match &ready {
            Some(ready) if ready.contains(&model.name.as_str()) => Loaded::Yes,
            Some(_) => Loaded::No,
            None => Loaded::Untold,
        };
        Some(model)
    });
    is(ServerKind::LlamaSwap, Readiness::Serves, models.collect())
}

/// vLLM; an entry with a parent is an adapter of a model that is listed itself.
fn vllm(entries: &[&Value]) -> Vec<FoundModel> {
    let parent = |entry: &Value| entry.get("parent").filter(|parent| !parent.is_null()).cloned();
    let mut models: Vec<FoundModel> = Vec::new();
    for entry in entries.iter().filter(|entry| parent(entry).is_none()) {
        let Some(mut model) = named(entry) else { continue };
        model.context = count(entry.get("max_model_len"));
        models.push(model);
    }
    for entry in entries {
        let (Some(parent), Some(adapter)) = (parent(entry), named(entry)) else { continue };
        // It may name its parent by another of the model's names; one server has one model.
        let of = models.iter().position(|model| parent.as_str() == Some(&model.name)).unwrap_or(0);
        if let Some(model) = models.get_mut(of) {
            model.adapters.push(adapter.name);
        }
    }
    models
}

/// `locals` lists its one model four times: by each of its engines, with and without thinking. The first is its own
/// engine's; thinking is switched with each request.
fn locals(entries: &[&Value]) -> Verdict {
    let ids = || entries.iter().filter_map(|entry| text(entry, "id"));
    let own = entries.iter().find(|entry| text(entry, "owned_by") == Some("locals")).and_then(|entry| {
        let mut model = named(entry)?;
        model.context = count(entry.get("max_model_len").or_else(|| entry.get("context_length")));
        let thinks = ids().any(|id| id.strip_suffix("-thinking") == Some(&model.name));
        model.level = Some(if thinks { LevelSupport::Switch } else { LevelSupport::None });
        Some(model)
    });
    is(ServerKind::Locals, Readiness::Serves, own.into_iter().collect())
}

/// `vllm-mlx` marks what embeds and what ranks by its owner.
fn vllm_mlx(entries: &[&Value]) -> Verdict {
    let models = entries.iter().filter_map(|entry| {
        let mut model = named(entry)?;
        if text(entry, "owned_by") != Some("vllm-mlx") {
            model.purpose = Purpose::Other;
        }
        Some(model)
    });
    is(ServerKind::VllmMlx, Readiness::Serves, models.collect())
}

/// What stands in front of others tells names, and a context at most.
fn front(kind: ServerKind, entries: &[&Value]) -> Verdict {
    let models = entries.iter().filter_map(|entry| {
        let mut model = named(entry)?;
        let meta = entry.get("meta");
        let told = ["max_model_len", "context_length", "n_ctx"];
        model.context = told.iter().find_map(|key| count(entry.get(key).or_else(|| meta?.get(key))));
        Some(model)
    });
    is(kind, Readiness::Serves, models.collect())
}

fn lite_llm(answers: &Answers, entries: &[&Value]) -> Verdict {
    match heard(answers, &Question::Lives) {
        None => Verdict::Ask(Question::Lives),
        Some(lives) => {
            front(if lives.is_some_and(is_alive) { ServerKind::LiteLlm } else { ServerKind::OpenAi }, entries)
        }
    }
}

fn lm_studio(answers: &Answers, entries: &[&Value]) -> Verdict {
    let told = match answer(answers, Question::Instances) {
        Ok(told) => told,
        Err(ask) => return ask,
    };
    let list = models(told.as_ref().and_then(|told| told.get("models")));
    if !list.iter().any(|model| model.get("loaded_instances").is_some()) {
        // One from before its own list: the owner it names is its own all the same.
        let mut named: Vec<FoundModel> = entries.iter().filter_map(|entry| named(entry)).collect();
        if named.is_empty() {
            return Verdict::Nothing;
        }
        return match of_states(answers, &mut named) {
            Ok(()) => is(ServerKind::LmStudio, Readiness::Serves, named),
            Err(ask) => ask,
        };
    }
    let mut all: Vec<FoundModel> = list.iter().flat_map(|entry| of_lm_studio(entry)).collect();
    if all.iter().any(|model| model.loaded == Loaded::Yes && model.context.is_none())
        && let Err(ask) = of_states(answers, &mut all)
    {
        return ask;
    }
    is(ServerKind::LmStudio, Readiness::Serves, all)
}

/// What LM Studio's older list adds: what is loaded, with which context, and what it is for.
fn of_states(answers: &Answers, all: &mut [FoundModel]) -> Result<(), Verdict> {
    let told = answer(answers, Question::States)?;
    for entry in models(told.as_ref().and_then(|told| told.get("data"))) {
        let Some(model) = all.iter_mut().find(|model| text(entry, "id") == Some(&model.name)) else { continue };
        model.loaded = match text(entry, "state") {
            Some("loaded") => Loaded::Yes,
            Some(_) => Loaded::No,
            None => model.loaded,
        };
        model.context = model.context.or(count(entry.get("loaded_context_length")));
        model.most_context = model.most_context.or(count(entry.get("max_context_length")));
        match text(entry, "type") {
            Some("vlm") => model.vision = Some(true),
            Some("llm") => model.vision = model.vision.or(Some(false)),
            Some("embeddings") => model.purpose = Purpose::Other,
            Some(_) | None => {}
        }
        if abilities(entry).contains(&"tool_use") {
            model.tools = Some(true);
        }
    }
    Ok(())
}

/// A model of LM Studio: one for each loaded instance, each of which has a name and slots of its own.
fn of_lm_studio(entry: &Value) -> Vec<FoundModel> {
    let Some(mut model) = text(entry, "key").and_then(model) else { return Vec::new() };
    if text(entry, "type").is_some_and(|kind| kind.starts_with("embedding")) {
        model.purpose = Purpose::Other;
    }
    let can = |key: &str| entry.pointer(&format!("/capabilities/{key}"));
    model.most_context = count(entry.get("max_context_length"));
    model.bytes = entry.get("size_bytes").and_then(Value::as_u64).filter(|n| *n > 0);
    model.parameters = text(entry, "params_string").and_then(parameters);
    model.vision = can("vision").and_then(Value::as_bool);
    model.tools = can("trained_for_tool_use").and_then(Value::as_bool);
    let options = can("reasoning").and_then(|reasoning| reasoning.get("allowed_options")).and_then(Value::as_array);
    model.level = options.map(|options| {
        let has = |word: &str| options.iter().any(|option| option.as_str() == Some(word));
        if has("low") && has("high") { LevelSupport::Graded } else { LevelSupport::Switch }
    });
    let instances: Vec<FoundModel> = models(entry.get("loaded_instances"))
        .into_iter()
        .filter_map(|instance| {
            let name = text(instance, "id").filter(|name| !name.trim().is_empty() && name.len() <= NAME)?;
            Some(FoundModel {
                name: name.to_owned(),
                loaded: Loaded::Yes,
                slots: count(instance.pointer("/config/parallel")),
                context: count(instance.pointer("/config/context_length")),
                ..model.clone()
            })
        })
        .collect();
    model.loaded = Loaded::No;
    if instances.is_empty() { vec![model] } else { instances }
}

/// Ollama's names have a tag, always, and their owner is the namespace: `library` for its own. Without a model its list is
/// null, which nobody else's is.
fn looks_like_ollama(list: Option<&Value>, entries: &[&Value]) -> bool {
    let tagged = |entry: &&Value| text(entry, "id").is_some_and(|id| id.contains(':'));
    list.is_some_and(|list| list.get("data").is_some_and(Value::is_null))
        || !entries.is_empty() && entries.iter().all(tagged)
}

fn ollama(answers: &Answers, entries: &[&Value]) -> Verdict {
    let tags = match answer(answers, Question::Tags) {
        Ok(tags) => tags,
        Err(ask) => return ask,
    };
    let Some(list) = tags.as_ref().and_then(|tags| tags.get("models")).filter(|list| list.is_array()) else {
        return if entries.is_empty() { Verdict::Nothing } else { front(ServerKind::OpenAi, entries) };
    };
    let mut found: Vec<FoundModel> = models(Some(list)).into_iter().filter_map(of_ollama).collect();
    if !found.is_empty() {
        let loaded = match answer(answers, Question::InMemory) {
            Ok(loaded) => loaded,
            Err(ask) => return ask,
        };
        if let Some(loaded) = loaded.as_ref().and_then(|told| told.get("models")) {
            let loaded = models(Some(loaded));
            for model in &mut found {
                let one = loaded.iter().find(|one| text(one, "name") == Some(&model.name));
                model.loaded = if one.is_some() { Loaded::Yes } else { Loaded::No };
                model.context = one.and_then(|one| count(one.get("context_length")));
            }
        }
    }
    is(ServerKind::Ollama, Readiness::Serves, found)
}

/// A model of Ollama's list. That an ability is not in it says nothing (measured): only what is in it counts.
fn of_ollama(entry: &Value) -> Option<FoundModel> {
    let mut model = model(text(entry, "name")?)?;
    let details = |key: &str| entry.get("details").and_then(|details| details.get(key));
    model.most_context = count(details("context_length"));
    model.parameters = details("parameter_size").and_then(Value::as_str).and_then(parameters);
    model.bytes = entry.get("size").and_then(Value::as_u64).filter(|n| *n > 0);
    let can = abilities(entry);
    model.vision = can.contains(&"vision").then_some(true);
    model.tools = can.contains(&"tools").then_some(true);
    if can == ["embedding"] {
        model.purpose = Purpose::Other;
    }
    Some(model)
}

fn abilities(entry: &Value) -> Vec<&str> {
    entry
        .get("capabilities")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |all| all.iter().filter_map(Value::as_str).collect())
}

/// What Ollama's `/api/show` says of a model, which can be trusted.
pub(super) fn shown(shown: &Value, model: &mut FoundModel) {
    let can = abilities(shown);
    if can.is_empty() {
        return;
    }
    model.vision = Some(can.contains(&"vision"));
    model.tools = Some(can.contains(&"tools"));
    if !can.contains(&"completion") {
        model.purpose = Purpose::Other;
    }
    let architecture = shown.pointer("/model_info/general.architecture").and_then(Value::as_str).unwrap_or_default();
    let graded =
        architecture.starts_with("gptoss") || architecture.starts_with("gpt-oss") || model.name.contains("gpt-oss");
    // gpt-oss honours grades only, every other thinking model on and off only.
    model.level = Some(match (can.contains(&"thinking"), graded) {
        (false, _) => LevelSupport::None,
        (true, true) => LevelSupport::Graded,
        (true, false) => LevelSupport::Switch,
    });
    let most = shown.pointer(&format!("/model_info/{architecture}.context_length"));
    model.most_context = count(most).or(model.most_context);
    let parameters = shown.pointer("/model_info/general.parameter_count").and_then(Value::as_u64);
    model.parameters = parameters.filter(|n| *n > 0).or(model.parameters);
}

/// `20B`, `7.6B`, `781K`, `8x7B` as a number of parameters.
pub fn parameters(words: &str) -> Option<u64> {
    let words = words.trim();
    let unit = match words.chars().last()?.to_ascii_uppercase() {
        'K' => 1e3,
        'M' => 1e6,
        'B' => 1e9,
        'T' => 1e12,
        _ => return None,
    };
    let figures = words.get(..words.len() - 1)?;
    let (times, figures) =
        figures.split_once('x').map_or((Some(1.0), figures), |(n, rest)| (n.parse::<f64>().ok(), rest));
    let number = times? * figures.parse::<f64>().ok()? * unit;
    (number.is_finite() && (1.0..1e15).contains(&number)).then_some(number as u64)
}
