//! How an Ollama is, and what it has of the endpoint's model.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Client, LIMIT, Report, json, listed};
use crate::domain::fleet::{Endpoint, Fact, ModelFacts};
use crate::domain::protocol::{FailureKind, Health, LevelSupport, Residence};
use crate::domain::text::CleanText;
use crate::engine::providers::fault::Fault;
use crate::engine::providers::shape::{Learnt, facts_of_file};

#[derive(Deserialize)]
struct Shown {
    modelfile: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
    model_info: Option<serde_json::Map<String, Value>>,
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

    /// What it tells of the model's layers. Lists are left out of the answer, as `null`.
    fn facts(&self) -> ModelFacts {
        let mut facts = ModelFacts::default();
        for (key, value) in self.model_info.iter().flatten() {
            facts.learn(key.clone(), fact(value));
        }
        facts
    }

    /// The model's file, by the first line of its recipe that names one.
    fn file(&self) -> Option<String> {
        let lines = self.modelfile.as_deref()?.lines();
        lines.filter_map(|line| line.strip_prefix("FROM ")).map(|path| path.trim().to_owned()).next()
    }

    fn info(&self, key: &str) -> Option<&Value> {
        self.model_info.as_ref()?.get(key)
    }
}

/// A value of `model_info`.
fn fact(value: &Value) -> Fact {
    let whole = |value: &Value| value.as_u64().or_else(|| value.as_bool().map(u64::from));
    match value {
        Value::Number(_) | Value::Bool(_) => whole(value).map_or(Fact::Withheld, Fact::Number),
        Value::String(text) => Fact::Text(text.clone()),
        // An empty one stands for one that is too long to be told.
        Value::Array(all) if !all.is_empty() => {
            all.iter().map(whole).collect::<Option<Vec<_>>>().map_or(Fact::Withheld, Fact::Numbers)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => Fact::Withheld,
    }
}

/// A model that Ollama has, on disk or in memory.
#[derive(Deserialize)]
pub(in super::super) struct RunningModel {
    name: String,
    pub(in super::super) size: Option<u64>,
    context_length: Option<u32>,
}

/// The endpoint's model in one of Ollama's lists.
async fn own(client: &Client, endpoint: &Endpoint, path: &str) -> Result<Option<RunningModel>, Fault> {
    let models = list(client, endpoint, path).await?;
    Ok(models.into_iter().find(|model| is_same_model(&model.name, &endpoint.model)))
}

async fn list(client: &Client, endpoint: &Endpoint, path: &str) -> Result<Vec<RunningModel>, Fault> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        models: Vec<RunningModel>,
    }
    let state = client.state(endpoint, path, None, LIMIT).await?;
    let list: List = json(endpoint, &state)?;
    Ok(list.models)
}

/// The endpoint's model as it is in memory; none where it is not.
pub(in super::super) async fn running(client: &Client, endpoint: &Endpoint) -> Result<Option<RunningModel>, Fault> {
    own(client, endpoint, "/api/ps").await
}

/// Looks at an Ollama.
pub(super) async fn look(client: &Client, endpoint: &Endpoint) -> Result<Report, Fault> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let asked = serde_json::to_vec(&serde_json::json!({"model": endpoint.model})).ok();
    let (version, shown, running) = tokio::join!(
        client.state(endpoint, "/api/version", None, LIMIT),
        client.state(endpoint, "/api/show", asked, LIMIT),
        running(client, endpoint),
    );
    let (version, shown) = (version?, shown?);
    let version: Version = json(endpoint, &version)?;
    let shown: Shown = match json(endpoint, &shown) {
        Err(fault) if fault.kind == FailureKind::NoModel => return Err(with_list(client, endpoint, fault).await),
        shown => shown?,
    };
    // What is in memory is told beside the rest; without it the endpoint is as well.
    let residence = running.as_ref().ok().map(|it| if it.is_some() { Residence::Loaded } else { Residence::Unloaded });
    let running = running.ok().flatten();
    let mut learnt = learn(client, endpoint, &shown).await;
    if learnt.facts.is_none() {
        learnt.facts = Some(Arc::new(shown.facts()));
    }
    Ok(Report {
        health: Health::Up,
        slots: None,
        busy: None,
        context: shown.context().or_else(|| running.as_ref().and_then(|m| m.context_length)),
        level: shown.level(&endpoint.model),
        resident: running.and_then(|m| m.size),
        server: Some(CleanText::new(&format!("Ollama {}", version.version))),
        queued: None,
        shape: learnt.shape(endpoint),
        residence,
        mismatch: None,
        fault: None,
    })
}

/// That it does not have the model, with those that it has.
async fn with_list(client: &Client, endpoint: &Endpoint, fault: Fault) -> Fault {
    let Ok(models) = list(client, endpoint, "/api/tags").await else { return fault };
    match listed::missing(&endpoint.model, models.iter().map(|model| model.name.as_str())) {
        Some(words) => Fault { came: words.to_string(), ..fault },
        None => fault,
    }
}

/// The size of the weights, and where lists are left out of what was shown, the file's own words: asked once.
async fn learn(client: &Client, endpoint: &Endpoint, shown: &Shown) -> Learnt {
    let file = shown.file();
    if let Some(known) = client.known.get(endpoint).filter(|known| known.file == file) {
        return known;
    }
    let facts = match &file {
        Some(file) if shown.facts().withholds() => facts_of_file(endpoint, file).await.map(Arc::new),
        _ => None,
    };
    let mut learnt = Learnt { file, facts, ..Learnt::default() };
    if let Ok(on_disk) = own(client, endpoint, "/api/tags").await {
        learnt.weights = on_disk.and_then(|model| model.size);
        client.known.put(endpoint, learnt.clone());
    }
    learnt
}

/// Ollama adds `:latest` to a name without a tag.
fn is_same_model(listed: &str, asked: &str) -> bool {
    listed == asked || listed.strip_suffix(":latest") == Some(asked)
}
