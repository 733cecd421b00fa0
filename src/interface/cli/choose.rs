//! Which fleet a session runs on: the configured one, what answers on this machine, or the simulated one.
//!
//! Not here: how servers are asked (`engine/providers`). Invariant: real and simulated endpoints never mix.

use std::time::Duration;

use futures_util::future::join_all;

use super::args::FleetWish;
use super::error::CliError;
use super::session::SIMULATED;
use crate::config::Config;
use crate::domain::fleet::{Api, Endpoint, Fleet, Nature};
use crate::domain::protocol::{Health, Name, TierName};
use crate::engine::providers::{Client, Depth, Found, ServerKind, Traffic, identify, probe};
use crate::engine::simulator::{Simulator, SimulatorConfig};

/// The time everything is given to answer: loopback does in milliseconds, and the console must know its fleet soon.
const LIMIT: Duration = Duration::from_millis(300);

/// Ports of 127.0.0.1 where model servers usually are: llama-server's and Baton's own range, Ollama, LM Studio, vLLM.
const KNOWN_PORTS: [u16; 10] = [8080, 8081, 8082, 8083, 8084, 8085, 8086, 11434, 1234, 8000];

/// The context of a request, in tokens, where a server found by itself does not tell: small enough for any.
const UNKNOWN_CONTEXT: u32 = 8_192;

/// A fleet and where it came from.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The fleet.
    pub(crate) fleet: Fleet,
    /// Where it came from.
    pub(crate) source: FleetSource,
    /// What is to be said about it, a sentence each.
    pub(crate) words: Vec<String>,
    /// The servers behind a simulated one. Lives as long as the session.
    pub(crate) simulator: Option<Simulator>,
}

/// Where a fleet came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FleetSource {
    /// The configuration or a fleet file.
    Configured,
    /// Servers that answered on known ports.
    Found,
    /// Baton's own simulated servers.
    Simulated,
}

/// Decides the fleet: as wished, or by what answers.
///
/// # Errors
/// When the simulated fleet can't start, or there is no endpoint at all.
pub(crate) async fn choose_fleet(config: &Config, wish: &FleetWish, seed: u64) -> Result<Chosen, CliError> {
    match wish {
        FleetWish::Simulated => simulated(config, seed, Vec::new()).await,
        FleetWish::File(_) => configured(config, Vec::new()),
        FleetWish::Configured => match look_around(config).await? {
            Around::Found(found) => Ok(improvised(config, found)),
            Around::Configured { .. } | Around::Nothing => configured(config, Vec::new()),
        },
        FleetWish::Auto => match look_around(config).await? {
            Around::Configured { up, down } => {
                let mut words = Vec::new();
                if !down.is_empty() {
                    let verb = if down.len() == 1 { "does" } else { "do" };
                    words.push(format!(
                        "{} of {} endpoints answer; {} {verb} not",
                        up,
                        up + down.len(),
                        down.join(", ")
                    ));
                }
                configured(config, words)
            }
            Around::Found(found) => Ok(improvised(config, found)),
            Around::Nothing => {
                let words = vec!["no model server answers on this machine; a simulated fleet stands in".to_owned()];
                simulated(config, seed, words).await
            }
        },
    }
}

/// What answers.
pub(crate) enum Around {
    /// Endpoints of the configuration.
    Configured {
        /// How many answer.
        up: usize,
        /// The names of the others.
        down: Vec<String>,
    },
    /// Servers on known ports that no endpoint names.
    Found(Vec<(String, Found)>),
    /// Nothing.
    Nothing,
}

/// Asks configured endpoints and known ports, all at once.
///
/// # Errors
/// When no HTTP client can be made.
pub(crate) async fn look_around(config: &Config) -> Result<Around, CliError> {
    let client = Client::new()?;
    let endpoints = config.fleet.endpoints.iter().map(|endpoint| {
        let client = &client;
        async move {
            let report = tokio::time::timeout(LIMIT, probe(client, endpoint, Depth::Light, Traffic::Quiet)).await;
            report.is_ok_and(|r| matches!(r.health, Health::Up | Health::Loading))
        }
    });
    let ports = KNOWN_PORTS.iter().map(|port| {
        let client = &client;
        async move {
            let url = format!("http://127.0.0.1:{port}");
            let found = tokio::time::timeout(LIMIT, identify(client, &url)).await.ok().flatten();
            found.map(|found| (url, found))
        }
    });
    let (answers, found) = tokio::join!(join_all(endpoints), join_all(ports));
    let up = answers.iter().filter(|up| **up).count();
    if up > 0 {
        let names = config.fleet.endpoints.iter().zip(&answers).filter(|(_, up)| !**up);
        return Ok(Around::Configured { up, down: names.map(|(e, _)| e.name.to_string()).collect() });
    }
    let found: Vec<(String, Found)> = found.into_iter().flatten().collect();
    Ok(if found.is_empty() { Around::Nothing } else { Around::Found(found) })
}

fn configured(config: &Config, words: Vec<String>) -> Result<Chosen, CliError> {
    if config.fleet.endpoints.is_empty() {
        return Err(CliError::EmptyFleet(config.paths.config.join("fleet.toml")));
    }
    Ok(Chosen { fleet: config.fleet.clone(), source: FleetSource::Configured, words, simulator: None })
}

/// Starts the simulated twin of the configured fleet.
async fn simulated(config: &Config, seed: u64, mut words: Vec<String>) -> Result<Chosen, CliError> {
    let plan = SimulatorConfig::for_fleet(&config.fleet, seed);
    if plan.endpoints.is_empty() {
        return Err(CliError::EmptyFleet(config.paths.config.join("fleet.toml")));
    }
    let simulator = Simulator::start(plan).await?;
    let fleet = simulator.fleet(&config.fleet);
    words.push(SIMULATED.to_owned());
    Ok(Chosen { fleet, source: FleetSource::Simulated, words, simulator: Some(simulator) })
}

/// A fleet of what was found: every server serves every tier of the agents.
fn improvised(config: &Config, found: Vec<(String, Found)>) -> Chosen {
    let mut tiers: Vec<TierName> = Vec::new();
    for agent in &config.fleet.agents {
        for tier in std::iter::once(&agent.tier).chain(&agent.fallback) {
            if !tiers.contains(tier) {
                tiers.push(tier.clone());
            }
        }
    }
    let endpoints: Vec<Endpoint> = found.iter().map(|(url, found)| endpoint_of(url, found, &tiers)).collect();
    let told = endpoints.iter().zip(&found).map(|(e, (url, found))| {
        let slots = if e.slots == 1 { "1 slot".to_owned() } else { format!("{} slots", e.slots) };
        let model = if e.model.is_empty() { "model unknown" } else { &e.model };
        format!("{} at {url} ({model}, {slots})", found.kind.name())
    });
    let words = vec![format!(
        "no configured endpoint answers; running on what was found here: {}",
        told.collect::<Vec<_>>().join("; ")
    )];
    let fleet = Fleet { name: "found here".to_owned(), endpoints, agents: config.fleet.agents.clone() };
    Chosen { fleet, source: FleetSource::Found, words, simulator: None }
}

fn endpoint_of(url: &str, found: &Found, tiers: &[TierName]) -> Endpoint {
    let port = url.rsplit(':').next().unwrap_or_default();
    // Models that only embed can't answer; any other may.
    let model = found.models.iter().find(|m| !m.contains("embed")).or(found.models.first()).cloned();
    let slots = found.slots.unwrap_or(match found.kind {
        ServerKind::Mlx => 4,
        _ => 1,
    });
    let model = model.unwrap_or_default();
    // The short form is the first word: the model without its folder and its ending says most.
    let short = model.rsplit('/').next().unwrap_or_default().trim_end_matches(".gguf");
    let title = if short.is_empty() { found.kind.name().to_owned() } else { short.to_owned() };
    Endpoint {
        name: Name::slug(&format!("{}-{port}", found.kind.name())),
        title: Some(title),
        tiers: tiers.to_vec(),
        protocol: found.kind.protocol(),
        url: url.to_owned(),
        model,
        slots: slots.max(1),
        context: found.context.unwrap_or(UNKNOWN_CONTEXT),
        api: Api::Chat,
        key: None,
        level: None,
        memory_gb: None,
        tokens_per_second: None,
        vision: false,
        tools: false,
        nature: Nature::Real,
        launch: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Surroundings, load_in};

    fn config() -> Config {
        let nowhere = std::path::PathBuf::from("/nonexistent");
        let surroundings =
            Surroundings { variables: std::collections::BTreeMap::new(), working: nowhere.clone(), home: nowhere };
        load_in(&surroundings, &Flags::default()).unwrap()
    }

    #[test]
    fn what_is_found_serves_every_tier_with_the_slots_it_tells() {
        let found = |kind, slots, models: &[&str]| Found {
            kind,
            models: models.iter().map(|m| (*m).to_owned()).collect(),
            slots,
            context: None,
            version: None,
        };
        let chosen = improvised(
            &config(),
            vec![
                ("http://127.0.0.1:8080".into(), found(ServerKind::LlamaCpp, Some(3), &["/m/tiny.gguf"])),
                ("http://127.0.0.1:11434".into(), found(ServerKind::Ollama, None, &["nomic-embed-text", "qwen3:8b"])),
                ("http://127.0.0.1:8081".into(), found(ServerKind::Mlx, None, &[])),
            ],
        );
        assert_eq!(chosen.source, FleetSource::Found);
        let slots: Vec<u32> = chosen.fleet.endpoints.iter().map(|e| e.slots).collect();
        assert_eq!(slots, [3, 1, 4]);
        assert_eq!(chosen.fleet.endpoints[0].title(), "tiny");
        assert_eq!(chosen.fleet.endpoints[1].model, "qwen3:8b");
        for agent in &chosen.fleet.agents {
            assert!(chosen.fleet.endpoints.iter().all(|e| e.tiers.contains(&agent.tier)), "{}", agent.name);
        }
        assert!(chosen.words[0].contains("qwen3:8b, 1 slot"), "{}", chosen.words[0]);
        assert!(!chosen.fleet.is_simulated());
    }

    #[tokio::test]
    async fn the_simulated_fleet_is_all_simulated() {
        let chosen = choose_fleet(&config(), &FleetWish::Simulated, 1).await.unwrap();
        assert_eq!(chosen.source, FleetSource::Simulated);
        assert!(chosen.fleet.endpoints.iter().all(|e| e.nature == Nature::Simulated));
        assert_eq!(chosen.fleet.slots(), 20);
        assert!(chosen.words.iter().any(|w| w.starts_with("SIMULATED")));
    }
}
