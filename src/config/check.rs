//! The merged tree into typed values, and what must hold among them.

use super::launch;
use super::merge::Merged;
use super::{ConfigError, ConsoleSettings, DiscoverySettings};
use crate::domain::fleet::{Agent, AttentionSettings, Endpoint, Fleet, MachineSettings, Settings};
use crate::domain::protocol::AgentName;
use crate::domain::source::{Node, SourceError, decode, nearest};

/// What came out of the tree.
pub(super) struct Read {
    pub(super) fleet: Fleet,
    pub(super) settings: Settings,
    pub(super) attention: AttentionSettings,
    pub(super) machine: MachineSettings,
    pub(super) discovery: DiscoverySettings,
    pub(super) console: ConsoleSettings,
    pub(super) warnings: Vec<ConfigError>,
}

/// Reads the tree; none when a part could not be read. Whatever is wrong is in `errors`.
pub(super) fn read(merged: &Merged, errors: &mut Vec<ConfigError>) -> Option<Read> {
    let root = &merged.root;
    let endpoints: Vec<(Option<Endpoint>, &Node)> = items(root, "endpoint", "an endpoint", errors);
    let agents: Vec<(Option<Agent>, &Node)> = items(root, "agent", "an agent", errors);
    let settings: Option<Settings> = group(root, "session", errors);
    let attention: Option<AttentionSettings> = group(root, "attention", errors);
    let machine: Option<MachineSettings> = group(root, "machine", errors);
    let discovery: Option<DiscoverySettings> = group(root, "discovery", errors);
    let console: Option<ConsoleSettings> = group(root, "console", errors);
    let name = match root.get("name").map(|node| decode::<String>(node, "`name`")) {
        Some(Ok(name)) => name,
        Some(Err(found)) => {
            errors.extend(found);
            String::new()
        }
        None => String::new(),
    };
    let mut fleet = Fleet { name, ..Fleet::default() };
    let mut warnings = Vec::new();
    for (endpoint, node) in &endpoints {
        if let Some(endpoint) = endpoint {
            check_endpoint(endpoint, node, errors);
            let mut endpoint = endpoint.clone();
            endpoint.url = plain_url(&endpoint.url);
            launch::check(&endpoint, node, &fleet, errors, &mut warnings);
            fleet.endpoints.push(endpoint);
        }
    }
    for (agent, node) in &agents {
        if let Some(agent) = agent {
            check_agent(agent, node, &fleet, merged, errors, &mut warnings);
            fleet.agents.push(agent.clone());
        }
    }
    let (settings, attention, console) = (settings?, attention?, console?);
    let (machine, discovery) = (machine?, discovery?);
    check_settings(&settings, root, &fleet, errors);
    super::discovery::check(&discovery, root, errors);
    Some(Read { fleet, settings, attention, machine, discovery, console, warnings })
}

fn items<'a, T: serde::de::DeserializeOwned>(
    root: &'a Node,
    key: &str,
    what: &str,
    errors: &mut Vec<ConfigError>,
) -> Vec<(Option<T>, &'a Node)> {
    let read = |node: &'a Node| match decode(node, what) {
        Ok(value) => (Some(value), node),
        Err(found) => {
            errors.extend(found);
            (None, node)
        }
    };
    root.get(key).into_iter().flat_map(Node::items).map(read).collect()
}

fn group<T: serde::de::DeserializeOwned + Default>(root: &Node, key: &str, errors: &mut Vec<ConfigError>) -> Option<T> {
    match root.get(key).map(|node| decode(node, &format!("[{key}]"))) {
        None => Some(T::default()),
        Some(Ok(value)) => Some(value),
        Some(Err(found)) => {
            errors.extend(found);
            None
        }
    }
}

pub(super) fn error_at(node: &Node, key: &str, what: impl Into<String>, mend: impl Into<String>) -> ConfigError {
    let at = node.get(key).unwrap_or(node);
    SourceError::new(&at.source, at.place, what, mend)
}

fn check_endpoint(endpoint: &Endpoint, node: &Node, errors: &mut Vec<ConfigError>) {
    let name = &endpoint.name;
    let mut wrong = |key: &str, what: String, mend: &str| errors.push(error_at(node, key, what, mend));
    if endpoint.slots == 0 {
        wrong("slots", format!("{name} has 0 slots"), "give at least 1, or remove the endpoint with `remove = true`");
    }
    if endpoint.context < 256 {
        let what = format!("{name} has a context of {} tokens", endpoint.context);
        wrong("context", what, "give the tokens of one request, as in 8192");
    }
    if endpoint.tiers.is_empty() {
        wrong("tiers", format!("{name} serves no tier"), "name at least one, as in [\"q4_tools\"]");
    }
    if endpoint.model.trim().is_empty() {
        wrong("model", format!("{name} names no model"), "give the model's name as the server knows it");
    }
    if endpoint.memory_gb.is_some_and(|gb| !(0.0..100_000.0).contains(&gb)) {
        wrong("memory_gb", format!("the memory of {name} is no size"), "give gigabytes, as in 16.0");
    }
    if endpoint.tokens_per_second.is_some_and(|speed| !(speed > 0.0 && speed < 1e6)) {
        wrong("tokens_per_second", format!("the speed of {name} is no speed"), "give tokens per second, as in 40.0");
    }
    if let Some(price) = endpoint.price
        && [Some(price.input), Some(price.output), price.cached].iter().flatten().any(|p| !(0.0..100_000.0).contains(p))
    {
        let mend = "give US dollars for a million tokens, as in { input = 0.5, output = 1.5 }";
        wrong("price", format!("the price of {name} is no price"), mend);
    }
    let url = endpoint.url.trim();
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    if host.is_empty() || host.starts_with(['/', ':']) || host.contains(char::is_whitespace) {
        wrong("url", format!("the URL of {name} names no server"), "write it as in http://127.0.0.1:8083");
    } else if scheme.as_deref().is_some_and(|s| s != "http" && s != "https") {
        let what = format!("the URL of {name} begins with {}://", scheme.unwrap_or_default());
        wrong("url", what, "use http:// or https://");
    }
}

/// With a scheme, and 127.0.0.1 for localhost: that name may mean ::1 first, where most model servers don't listen.
fn plain_url(url: &str) -> String {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', ':', '?']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host };
    format!("{}://{host}{}", scheme.to_ascii_lowercase(), tail.trim_end_matches('/'))
}

fn check_agent(
    agent: &Agent,
    node: &Node,
    fleet: &Fleet,
    merged: &Merged,
    errors: &mut Vec<ConfigError>,
    warnings: &mut Vec<ConfigError>,
) {
    let name = &agent.name;
    let served = |tier: &str| fleet.endpoints.iter().any(|e| e.tiers.iter().any(|t| t.as_str() == tier));
    let tiers = [("tier", Some(&agent.tier)), ("fallback", agent.fallback.as_ref())];
    for (key, tier) in tiers.into_iter().filter_map(|(k, t)| t.map(|t| (k, t))) {
        if !merged.tiers.iter().any(|t| t == tier.as_str()) {
            let known: Vec<&str> = fleet.endpoints.iter().flat_map(|e| e.tiers.iter().map(|t| t.as_str())).collect();
            let mend = match nearest(tier.as_str(), known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("use a tier that an endpoint serves: {}", known.join(", ")),
            };
            errors.push(error_at(node, key, format!("{name} is for the tier {tier}, which does not exist"), mend));
        }
    }
    let fallback_served = agent.fallback.as_ref().is_some_and(|t| served(t.as_str()));
    if !served(agent.tier.as_str()) {
        let what = format!("no endpoint serves the tier {} of {name}", agent.tier);
        let mend = match (&agent.fallback, fallback_served) {
            (Some(fallback), true) => {
                format!("its tasks go to {fallback}; add the tier to an endpoint if you want it otherwise")
            }
            _ => format!(
                "add \"{}\" to the tiers of an endpoint, or give {name} another tier; until then its tasks wait",
                agent.tier
            ),
        };
        warnings.push(error_at(node, "tier", what, mend));
    }
    if agent.prompt.trim().is_empty() {
        errors.push(error_at(
            node,
            "prompt",
            format!("{name} has an empty prompt"),
            "say who the agent is and how it works",
        ));
    }
    if agent.max_tokens == 0 {
        errors.push(error_at(node, "max_tokens", format!("{name} may answer 0 tokens"), "give at least 1, as in 2048"));
    }
    if !(0.0..=2.0).contains(&agent.temperature) {
        let what = format!("the temperature of {name} is {}", agent.temperature);
        errors.push(error_at(node, "temperature", what, "give a number from 0 to 2, as in 0.3"));
    }
}

fn check_settings(settings: &Settings, root: &Node, fleet: &Fleet, errors: &mut Vec<ConfigError>) {
    let session = root.get("session").unwrap_or(root);
    let mut wrong = |key: &str, what: String, mend: String| errors.push(error_at(session, key, what, mend));
    let agents: [(&str, &AgentName); 3] =
        [("planner", &settings.planner), ("synthesizer", &settings.synthesizer), ("narrator", &settings.narrator)];
    for (key, name) in agents {
        if fleet.agent(name).is_none() {
            let known: Vec<&str> = fleet.agents.iter().map(|a| a.name.as_str()).collect();
            let mend = match nearest(name.as_str(), known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("use one of: {}", known.join(", ")),
            };
            wrong(key, format!("the {key} is {name}, and there is no such agent"), mend);
        }
    }
    for (key, value) in [("max_parallel", settings.max_parallel), ("max_tasks", Some(settings.max_tasks))] {
        if value == Some(0) {
            wrong(key, format!("`{key}` is 0"), "give at least 1".into());
        }
    }
    if !(1..=95).contains(&settings.context_percent) {
        let what = format!("`context_percent` is {}", settings.context_percent);
        wrong("context_percent", what, "give 1 to 95; the rest is for the prompt and the answer".into());
    }
    if settings.backoff_max_ms < settings.backoff_ms {
        let what = format!(
            "the longest wait ({} ms) is shorter than the first ({} ms)",
            settings.backoff_max_ms, settings.backoff_ms
        );
        wrong("backoff_max_ms", what, "raise `backoff_max_ms` or lower `backoff_ms`".into());
    }
    for (key, value) in [
        ("silence_seconds", settings.silence_seconds),
        ("outage_seconds", settings.outage_seconds),
        ("ageing_seconds", settings.ageing_seconds),
    ] {
        if value == 0 {
            wrong(key, format!("`{key}` is 0"), "give at least 1 second".into());
        }
    }
}
