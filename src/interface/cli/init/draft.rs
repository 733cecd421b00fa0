//! What goes into a fleet file: the endpoints that were found, as the configured fleet names and equips them.
//!
//! Not here: how it is written (`file`), which tiers a model is for (`tiers`). Invariants: a configured endpoint is taken
//! over once at most, with all that only its owner knows (key, launch, planned memory); what a project's files say is not
//! (a cloned folder gets nothing into the operator's own files).

use crate::config::{Config, Layer};
use crate::domain::fleet::Endpoint;
use crate::domain::protocol::EndpointName;
use crate::engine::providers::{Found, FoundModel, Loaded, Purpose, Readiness, ServerKind};
use crate::interface::cli::choose::why_useless;
use crate::interface::cli::offer::{
    STARTED, assumed_slots, context_of, endpoint_of, name_by_place, picked, short, untaken,
};
use crate::interface::cli::tiers::{Lacking, Served, Traits, assign};

/// Where an endpoint of the file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It was found, and is told of by these words.
    Found {
        /// The server, in words.
        server: String,
        /// Why it has so many slots, where it did not tell.
        assumed: Option<&'static str>,
        /// Whether its context was told.
        context_told: bool,
        /// Whether its server wants a key that no endpoint names.
        key: Key,
    },
    /// It is the operator's own, and did not answer.
    Silent,
}

/// Whether a key has to be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// None is wanted, or one is named.
    Settled,
    /// One is wanted.
    Wanted,
}

/// An endpoint of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    pub(super) served: Vec<Served>,
    pub(super) source: Source,
    /// Names under which its server runs the model with an adapter.
    pub(super) adapters: Vec<String>,
    /// The model's parameters, where told.
    parameters: Option<u64>,
}

/// A fleet file before it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    /// The fleet's name for the header.
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
    pub(super) lacking: Vec<Lacking>,
    /// Models that are there and not used, with their server.
    pub(super) left: Vec<(String, Vec<String>)>,
    /// Servers that can't be used: what is wrong, and how to mend it.
    pub(super) useless: Vec<(String, &'static str)>,
    /// Servers that list nothing without a key, each as the endpoint it might be.
    pub(super) locked: Vec<Endpoint>,
}

impl Draft {
    /// Whether anything that answers is in it.
    pub(super) fn is_useful(&self) -> bool {
        self.lines.iter().any(|line| line.source != Source::Silent)
    }

    /// The fleet file's endpoints.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.lines.iter().map(|line| &line.endpoint)
    }
}

/// What is to be written of what was found.
pub(super) fn draft(config: &Config, found: &[Found], name: &str) -> Draft {
    let mut known: Vec<(&Endpoint, Layer)> = config
        .fleet
        .endpoints
        .iter()
        .map(|endpoint| (endpoint, layer(config, endpoint)))
        .filter(|(_, layer)| *layer != Layer::Project)
        .collect();
    let mut lines: Vec<Line> = Vec::new();
    let mut left = Vec::new();
    let mut useless = Vec::new();
    let mut locked = Vec::new();
    for found in found {
        let chosen = chosen(found, &known);
        if chosen.is_empty() {
            useless.push(why_useless(found));
            if found.readiness == Readiness::WantsKey {
                locked.push(endpoint_of(found, &FoundModel::named(""), name_by_place(found), Vec::new()));
            }
        }
        let unused = found.chat().filter(|model| !chosen.iter().any(|c| c.name == model.name));
        let unused: Vec<String> = unused.map(|model| model.name.clone()).collect();
        // mlx_lm lists what was ever downloaded; the one it was started with is among them.
        if !unused.is_empty() && !chosen.iter().any(|c| c.name == STARTED) {
            left.push((format!("{} at {}", found.kind.name(), found.url), unused));
        }
        let alone = chosen.len() == 1;
        for model in chosen {
            let at = known.iter().position(|(endpoint, _)| is(endpoint, found, &model)).or_else(|| {
                // A server with one model is the same server under whatever name the model goes; the names that are built
                // in are for the models they stand beside.
                let here = |(e, layer): &(&Endpoint, Layer)| *layer != Layer::BuiltIn && e.pool().url == found.url;
                known.iter().position(here).filter(|_| alone)
            });
            let own = at.map(|at| known.remove(at).0);
            lines.push(line(found, &model, own));
        }
    }
    let silent = known.into_iter().filter(|(_, layer)| !matches!(layer, Layer::BuiltIn));
    lines.extend(silent.map(|(endpoint, _)| Line {
        endpoint: endpoint.clone(),
        served: as_configured(endpoint),
        source: Source::Silent,
        adapters: Vec::new(),
        parameters: None,
    }));
    rename(&mut lines);
    let traits: Vec<Traits> = lines.iter().map(|line| Traits::of(&line.endpoint, line.parameters)).collect();
    let given = lines.iter_mut().map(|line| std::mem::take(&mut line.served)).collect();
    let (served, lacking) = assign(&traits, given, &config.fleet.agents);
    for (line, served) in lines.iter_mut().zip(served) {
        line.endpoint.tiers = served.iter().map(|s| s.tier.clone()).collect();
        line.served = served;
    }
    Draft { name: name.to_owned(), lines, lacking, left, useless, locked }
}

fn layer(config: &Config, endpoint: &Endpoint) -> Layer {
    config.origin(&format!("endpoint.{}.url", endpoint.name)).map_or(Layer::BuiltIn, |origin| origin.layer)
}

/// The models of a server that get an endpoint: those with a role, those that the configured fleet names.
fn chosen(found: &Found, known: &[(&Endpoint, Layer)]) -> Vec<FoundModel> {
    let named = |model: &&FoundModel| known.iter().any(|(endpoint, _)| is(endpoint, found, model));
    let mut models: Vec<FoundModel> = picked(found);
    let named: Vec<FoundModel> = found.chat().filter(named).cloned().collect();
    if !named.is_empty() {
        // Chosen by being named: none needs to stand in for those that would be loaded.
        models.retain(|model| model.loaded != Loaded::No);
    }
    for model in named {
        if !models.iter().any(|known| known.name == model.name) {
            models.push(model);
        }
    }
    // One that loads tells no name yet, and an endpoint needs one.
    models.retain(|model| model.purpose == Purpose::Chat && !model.name.is_empty());
    models
}

/// Whether a configured endpoint is this model of this server.
fn is(endpoint: &Endpoint, found: &Found, model: &FoundModel) -> bool {
    let same = endpoint.model == model.name || model.name.strip_suffix(":latest") == Some(&endpoint.model);
    same && endpoint.pool().url == found.url && endpoint.protocol == found.kind.protocol()
}

fn as_configured(endpoint: &Endpoint) -> Vec<Served> {
    let why = "as configured".to_owned();
    endpoint.tiers.iter().map(|tier| Served { tier: tier.clone(), why: why.clone() }).collect()
}

fn line(found: &Found, model: &FoundModel, own: Option<&Endpoint>) -> Line {
    let name = EndpointName::slug(short(&model.name).trim_end_matches(":latest"));
    let fresh = endpoint_of(found, model, name, Vec::new());
    let same = own.is_some_and(|own| is(own, found, model));
    let mut endpoint = match own {
        // What the server tells goes before what is configured; the rest only the owner knows.
        Some(own) if same => Endpoint {
            slots: model.slots.unwrap_or(own.slots),
            // Ollama takes the context that is asked of it.
            context: match found.kind {
                ServerKind::Ollama => own.context,
                _ => model.context.unwrap_or(own.context),
            },
            level: fresh.level.or(own.level),
            vision: model.vision.unwrap_or(own.vision),
            tools: model.tools.unwrap_or(own.tools),
            ..own.clone()
        },
        Some(own) => {
            Endpoint { name: own.name.clone(), key: own.key.clone(), launch: own.launch.clone(), api: own.api, ..fresh }
        }
        None => fresh,
    };
    endpoint.url.clone_from(&found.url);
    let version = found.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let bare = own.is_none_or(|_| !same);
    Line {
        served: own.map(as_configured).unwrap_or_default(),
        source: Source::Found {
            server: format!("{}{version}", found.kind.name()),
            assumed: (model.slots.is_none() && bare).then(|| match found.readiness {
                Readiness::WantsKey => "not told without its key",
                Readiness::Serves | Readiness::Loading => assumed_slots(found.kind).1,
            }),
            context_told: model.context.is_some_and(|told| told == context_of(model)) || !bare,
            key: if found.readiness == Readiness::WantsKey && endpoint.key.is_none() {
                Key::Wanted
            } else {
                Key::Settled
            },
        },
        endpoint,
        adapters: model.adapters.clone(),
        parameters: model.parameters,
    }
}

/// Gives those that were found names of their own; those that were configured keep theirs.
fn rename(lines: &mut [Line]) {
    let kept = |line: &Line| !line.served.is_empty();
    let mut taken: Vec<EndpointName> = lines.iter().filter(|l| kept(l)).map(|l| l.endpoint.name.clone()).collect();
    for line in lines.iter_mut().filter(|line| !kept(line)) {
        let name = untaken(&line.endpoint.name, &taken);
        taken.push(name.clone());
        line.endpoint.name = name;
    }
}
