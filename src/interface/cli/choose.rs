//! Which fleet a session runs on: the configured one, what answers on this machine, or the simulated one.
//!
//! Not here: how servers are asked (`engine/providers`). Invariant: real and simulated endpoints never mix.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, pin_mut};

use super::args::FleetWish;
use super::error::CliError;
use super::offer::{endpoint_of, look_closer_at_offered, name_by_place, offered, untaken};
use super::session::SIMULATED;
use super::tiers::{Traits, assign};
use crate::config::{Address, Config, Place, place_of};
use crate::domain::fleet::{Endpoint, Fleet};
use crate::domain::protocol::Health;
use crate::domain::text::CleanText;
use crate::engine::providers::{self, Client, Depth, Found, Readiness, Stranger, Traffic, discover, probe};
use crate::engine::simulator::{Simulator, SimulatorConfig};

/// The time this machine is given to answer: loopback does in milliseconds, and the console must know its fleet soon.
const HERE: Duration = Duration::from_millis(300);

/// A fleet and where it came from.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The fleet.
    pub(crate) fleet: Fleet,
    /// Where it came from.
    pub(crate) source: FleetSource,
    /// What is to be said about it, a sentence each.
    pub(crate) words: Vec<String>,
    /// What it was made of, where it was found.
    pub(crate) found: Vec<Found>,
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

/// Who follows a search: told of every address in the order in which they answered or were given up.
pub(crate) trait Listener {
    /// What will be asked.
    fn begins(&mut self, addresses: &[Address]);
    /// An address was asked.
    fn asked(&mut self, address: &Address, found: Option<&Found>);
    /// What came where no model server answers.
    fn stranger(&mut self, _: &Address, _: &Stranger) {}
}

/// Nobody follows it.
pub(crate) struct Unheard;

impl Listener for Unheard {
    fn begins(&mut self, _: &[Address]) {}
    fn asked(&mut self, _: &Address, _: Option<&Found>) {}
}

/// Decides the fleet: as wished, or by what answers.
///
/// # Errors
/// When the simulated fleet can't start, or there is no endpoint at all.
pub(crate) async fn choose_fleet(config: &Config, wish: &FleetWish, seed: u64) -> Result<Chosen, CliError> {
    choose_fleet_heard(config, wish, seed, &mut Unheard).await
}

/// The same; who follows the search hears of it.
///
/// # Errors
/// As [`choose_fleet`].
pub(crate) async fn choose_fleet_heard(
    config: &Config,
    wish: &FleetWish,
    seed: u64,
    listener: &mut dyn Listener,
) -> Result<Chosen, CliError> {
    match wish {
        FleetWish::Simulated => simulated(config, seed, Vec::new()).await,
        FleetWish::File(_) => configured(config, Vec::new()),
        FleetWish::Configured => match look_around_heard(config, listener).await? {
            Around::Found(found) => Ok(improvised(config, found)),
            Around::Configured { .. } | Around::Nothing(_) => configured(config, Vec::new()),
        },
        FleetWish::Auto => match look_around_heard(config, listener).await? {
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
            Around::Nothing(useless) => {
                let sentence = |(what, mend): (String, &str)| format!("{what}: {mend}");
                let mut words: Vec<String> = useless.iter().map(|found| sentence(why_useless(found))).collect();
                let asked = if config.discovery.hosts.is_empty() { "" } else { " or on the hosts of `discovery`" };
                words.push(format!("no model server answers on this machine{asked}; a simulated fleet stands in"));
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
    /// Servers that no endpoint names, at least one of which can be used as it is.
    Found(Vec<Found>),
    /// Nothing that can be used; with what answers all the same.
    Nothing(Vec<Found>),
}

/// Asks the configured endpoints; where none answers, what else is here and on the hosts of `discovery`.
///
/// # Errors
/// When no HTTP client can be made.
pub(crate) async fn look_around(config: &Config) -> Result<Around, CliError> {
    look_around_heard(config, &mut Unheard).await
}

async fn look_around_heard(config: &Config, listener: &mut dyn Listener) -> Result<Around, CliError> {
    let client = Client::new()?;
    let answers = join_all(config.fleet.endpoints.iter().map(|endpoint| {
        let client = &client;
        let limit = limit(config, place_of(&endpoint.url));
        async move {
            let report = tokio::time::timeout(limit, probe(client, endpoint, Depth::Light, Traffic::Quiet)).await;
            report.is_ok_and(|r| matches!(r.health, Health::Up | Health::Loading))
        }
    }))
    .await;
    let up = answers.iter().filter(|up| **up).count();
    if up > 0 {
        let names = config.fleet.endpoints.iter().zip(&answers).filter(|(_, up)| !**up);
        return Ok(Around::Configured { up, down: names.map(|(e, _)| e.name.to_string()).collect() });
    }
    let mut found = search(&client, config, config.discovery.addresses(), listener).await;
    look_closer_at_offered(&client, config, &mut found).await;
    let usable = found.iter().any(|found| !offered(found).is_empty());
    Ok(if usable { Around::Found(found) } else { Around::Nothing(found) })
}

/// What answers at these addresses, in their order. A key is sent only where a configured endpoint has one for that server.
pub(crate) async fn search(
    client: &Client,
    config: &Config,
    addresses: Vec<Address>,
    listener: &mut dyn Listener,
) -> Vec<Found> {
    listener.begins(&addresses);
    let asked = addresses.iter().map(|address| {
        let keyed = |e: &&Endpoint| e.key.is_some() && e.pool().url == address.url;
        providers::Address {
            url: address.url.clone(),
            limit: limit(config, address.place),
            endpoint: config.fleet.endpoints.iter().find(keyed).cloned().map(Box::new),
        }
    });
    let mut found: Vec<(usize, Found)> = Vec::new();
    let answers = discover(client, asked.collect());
    pin_mut!(answers);
    while let Some(asked) = answers.next().await {
        if let Some(address) = addresses.get(asked.index) {
            listener.asked(address, asked.found.as_ref().ok());
            if let Err(stranger) = &asked.found {
                listener.stranger(address, stranger);
            }
        }
        found.extend(asked.found.map(|found| (asked.index, found)));
    }
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, found)| found).collect()
}

/// The time a server is given to answer.
pub(crate) fn limit(config: &Config, place: Place) -> Duration {
    match place {
        Place::Here => HERE,
        Place::Elsewhere => Duration::from_millis(config.discovery.remote_ms),
    }
}

/// Why a server that answers can't be used as it is, and how to mend it.
pub(crate) fn why_useless(found: &Found) -> (String, &'static str) {
    let at = format!("{} at {}", found.kind.name(), found.url);
    match found.readiness {
        Readiness::WantsKey => {
            (format!("{at} wants a key"), "give it an endpoint in fleet.toml with `key = { env = \"NAME\" }`")
        }
        Readiness::Loading => (format!("{at} is loading its model"), "ask again in a while"),
        Readiness::Serves => (format!("{at} has no model that answers"), "pull or load one there"),
    }
}

fn configured(config: &Config, words: Vec<String>) -> Result<Chosen, CliError> {
    if config.fleet.endpoints.is_empty() {
        return Err(CliError::EmptyFleet(config.paths.config.join("fleet.toml")));
    }
    Ok(Chosen {
        fleet: config.fleet.clone(),
        source: FleetSource::Configured,
        words,
        found: Vec::new(),
        simulator: None,
    })
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
    Ok(Chosen { fleet, source: FleetSource::Simulated, words, found: Vec::new(), simulator: Some(simulator) })
}

/// A fleet of what was found: each model serves the tiers it is for, and those that nobody else is nearer to.
fn improvised(config: &Config, found: Vec<Found>) -> Chosen {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    let mut traits = Vec::new();
    let mut told = Vec::new();
    for found in &found {
        for model in offered(found) {
            let taken: Vec<_> = endpoints.iter().map(|e| e.name.clone()).collect();
            let endpoint = endpoint_of(found, &model, untaken(&name_by_place(found), &taken), Vec::new());
            traits.push(Traits::of(&endpoint, model.parameters));
            let slots = if endpoint.slots == 1 { "1 slot".to_owned() } else { format!("{} slots", endpoint.slots) };
            let model = if endpoint.model.is_empty() { "model unknown" } else { &endpoint.model };
            told.push(format!("{} at {} ({}, {slots})", found.kind.name(), found.url, CleanText::one_line(model)));
            endpoints.push(endpoint);
        }
    }
    let (served, _) = assign(&traits, vec![Vec::new(); traits.len()], &config.fleet.agents);
    for (endpoint, served) in endpoints.iter_mut().zip(served) {
        endpoint.tiers = served.into_iter().map(|served| served.tier).collect();
    }
    let words = vec![format!("no configured endpoint answers; running on what was found here: {}", told.join("; "))];
    let fleet = Fleet { name: "found here".to_owned(), endpoints, agents: config.fleet.agents.clone() };
    Chosen { fleet, source: FleetSource::Found, words, found, simulator: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Surroundings, load_in};
    use crate::domain::fleet::Nature;
    use crate::engine::providers::{FoundModel, ServerKind};

    fn config() -> Config {
        let nowhere = std::path::PathBuf::from("/nonexistent");
        let surroundings =
            Surroundings { variables: std::collections::BTreeMap::new(), working: nowhere.clone(), home: nowhere };
        load_in(&surroundings, &Flags::default()).unwrap()
    }

    #[test]
    fn what_is_found_serves_by_what_it_is_for_with_the_slots_it_tells() {
        let found = |url: &str, kind, slots, models: &[&str]| Found {
            url: url.to_owned(),
            kind,
            readiness: Readiness::Serves,
            models: models.iter().map(|m| FoundModel { slots, ..FoundModel::named(m) }).collect(),
            version: None,
        };
        let chosen = improvised(
            &config(),
            vec![
                found("http://127.0.0.1:8080", ServerKind::LlamaCpp, Some(3), &["/m/tiny.gguf"]),
                found("http://127.0.0.1:11434", ServerKind::Ollama, None, &["nomic-embed-text", "qwen3:8b"]),
                found("http://127.0.0.1:8081", ServerKind::Mlx, None, &[]),
            ],
        );
        assert_eq!(chosen.source, FleetSource::Found);
        let slots: Vec<u32> = chosen.fleet.endpoints.iter().map(|e| e.slots).collect();
        assert_eq!(slots, [3, 1, 4]);
        assert_eq!(chosen.fleet.endpoints[0].title(), "tiny");
        assert_eq!(chosen.fleet.endpoints[1].model, "qwen3:8b");
        for agent in &chosen.fleet.agents {
            assert!(chosen.fleet.endpoints.iter().any(|e| e.tiers.contains(&agent.tier)), "{}", agent.name);
        }
        // Two of unknown size share what nobody is made for; the small one has the summaries.
        let [tiny, qwen, mlx] = chosen.fleet.endpoints.as_slice() else { panic!() };
        assert_eq!(tiny.tiers, mlx.tiers);
        assert_eq!(qwen.tiers.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["summary"]);
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
