//! Which fleet a session runs on: the configured one, what answers on this machine, or the simulated one.
//!
//! Not here: how servers are asked (`engine/providers`). Invariant: real and simulated endpoints never mix.

use std::time::Duration;

use futures_util::{StreamExt, pin_mut};

use super::answering::{Answer, any_serves, hear, mark_simulated, mismatches, troubles};
use super::args::FleetWish;
use super::error::CliError;
use super::offer::{endpoint_of, look_closer_at_offered, name_by_place, offered, untaken};
use super::session::SIMULATED;
use super::tiers::{Traits, assign};
use crate::config::{Address, Config, Place};
use crate::domain::fleet::{Endpoint, Fleet, Nature};
use crate::domain::text::CleanText;
use crate::engine::providers::{self, Client, Found, Readiness, Stranger, discover};
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

/// What becomes of a session while no server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It does not begin: a script would take whatever came for a model's answer.
    Ends,
    /// It begins on the operator's fleet and waits for it, as it was told to.
    Waits,
    /// The console: it opens on the operator's fleet; where there is none, the simulated one stands in, and says so.
    Shows,
}

/// Decides the fleet: as wished, or by what answers.
///
/// # Errors
/// When the simulated fleet can't start, there is no endpoint at all, or none answers and that ends it.
pub(crate) async fn choose_fleet(
    config: &Config,
    wish: &FleetWish,
    seed: u64,
    unanswered: Unanswered,
) -> Result<Chosen, CliError> {
    choose_fleet_heard(config, wish, seed, unanswered, &mut Unheard).await
}

/// The same; who follows the search hears of it.
///
/// # Errors
/// As [`choose_fleet`].
pub(crate) async fn choose_fleet_heard(
    config: &Config,
    wish: &FleetWish,
    seed: u64,
    unanswered: Unanswered,
    listener: &mut dyn Listener,
) -> Result<Chosen, CliError> {
    if *wish == FleetWish::Simulated {
        return simulated(config, seed, Vec::new()).await;
    }
    let client = Client::new()?;
    let endpoints = &config.fleet.endpoints;
    let answers = hear(&client, config.discovery.remote_ms, endpoints).await;
    if any_serves(endpoints, &answers) {
        return configured(config, &answers);
    }
    // No other fleet takes the place of the operator's own.
    if config.has_own_fleet() {
        return match unanswered {
            Unanswered::Ends if !endpoints.is_empty() => Err(CliError::NobodyAnswers(troubles(endpoints, &answers))),
            _ => configured(config, &answers),
        };
    }
    let found = search_closer(&client, config, listener).await;
    if found.iter().any(|found| !offered(found).is_empty()) {
        return Ok(improvised(&client, config, found).await);
    }
    let useless: Vec<String> = found.iter().map(why_useless).map(|(what, mend)| format!("{what}: {mend}")).collect();
    match unanswered {
        Unanswered::Shows if *wish == FleetWish::Configured => configured(config, &answers),
        Unanswered::Shows => {
            let asked = if config.discovery.hosts.is_empty() { "" } else { " or on the hosts of `discovery`" };
            let mut words = useless;
            words.push(format!("no model server answers on this machine{asked}; a simulated fleet stands in"));
            simulated(config, seed, words).await
        }
        Unanswered::Ends | Unanswered::Waits => {
            Err(CliError::NothingToRunOn { asked: config.discovery.addresses().len(), useless })
        }
    }
}

/// What answers that no endpoint names, with what it tells of the models that are offered.
async fn search_closer(client: &Client, config: &Config, listener: &mut dyn Listener) -> Vec<Found> {
    let mut found = search(client, config, config.discovery.addresses(), listener).await;
    look_closer_at_offered(client, config, &mut found).await;
    found
}

/// The fleet whose state is asked for: the operator's own or one that answers, else what else does, else the built-in one.
/// Nothing is started only to say that it answers, unless it is asked for.
///
/// # Errors
/// As [`choose_fleet`].
pub(crate) async fn fleet_to_look_at(config: &Config, wish: &FleetWish, seed: u64) -> Result<Chosen, CliError> {
    let wish = match wish {
        FleetWish::Simulated => return simulated(config, seed, Vec::new()).await,
        FleetWish::Auto if !config.has_own_fleet() => FleetWish::Configured,
        _ => return configured(config, &[]),
    };
    choose_fleet(config, &wish, seed, Unanswered::Shows).await
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
            limit: limit(config.discovery.remote_ms, address.place),
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
pub(crate) fn limit(remote_ms: u64, place: Place) -> Duration {
    match place {
        Place::Here => HERE,
        Place::Elsewhere => Duration::from_millis(remote_ms),
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

/// The configured fleet, with what its endpoints answered, where they were asked.
fn configured(config: &Config, answers: &[Answer]) -> Result<Chosen, CliError> {
    let mut fleet = config.fleet.clone();
    if fleet.endpoints.is_empty() {
        return Err(CliError::EmptyFleet(config.paths.config.join("fleet.toml")));
    }
    let all = fleet.endpoints.len();
    let up = answers.iter().filter(|answer| answer.answers()).count();
    let mut words = Vec::new();
    if up < answers.len() {
        words.push(format!("{up} of {all} endpoints answer"));
        words.extend(troubles(&fleet.endpoints, answers));
    }
    words.extend(mismatches(&fleet.endpoints, answers));
    if mark_simulated(&mut fleet.endpoints, answers) {
        words.push(SIMULATED.to_owned());
    }
    Ok(Chosen { fleet, source: FleetSource::Configured, words, found: Vec::new(), simulator: None })
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

/// A fleet of what was found. Real and simulated endpoints never mix: where a model answers, the simulated ones are left
/// out, and else all of it is marked.
async fn improvised(client: &Client, config: &Config, found: Vec<Found>) -> Chosen {
    let mut natures = Vec::new();
    for found in &found {
        natures.push(nature(client, config, found).await);
    }
    let any_real = found.iter().zip(&natures).any(|(f, n)| *n == Nature::Real && !offered(f).is_empty());
    let nature = if any_real { Nature::Real } else { Nature::Simulated };
    let found: Vec<Found> = found.into_iter().zip(natures).filter(|(_, n)| *n == nature).map(|(f, _)| f).collect();
    let mut chosen = of_found(config, found);
    if nature == Nature::Simulated {
        for endpoint in &mut chosen.fleet.endpoints {
            endpoint.nature = nature;
        }
        chosen.words.push(SIMULATED.to_owned());
    }
    chosen
}

/// Whether a server that was found is one of `baton sim`: asked as an endpoint is, since not every list tells who made it.
async fn nature(client: &Client, config: &Config, found: &Found) -> Nature {
    let Some(model) = offered(found).into_iter().next() else { return Nature::Real };
    let mut endpoint = [endpoint_of(found, &model, name_by_place(found), Vec::new())];
    let answers = hear(client, config.discovery.remote_ms, &endpoint).await;
    mark_simulated(&mut endpoint, &answers);
    endpoint[0].nature
}

/// Each model that was found serves the tiers it is for, and those that nobody else is nearer to.
fn of_found(config: &Config, found: Vec<Found>) -> Chosen {
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
        let chosen = of_found(
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
    async fn an_operator_s_fleet_that_is_down_is_shown_as_it_is_in_the_console_and_ends_all_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        let text = "[[endpoint]]\nname = \"mine\"\ntiers = [\"summary\"]\nprotocol = \"openai\"\n\
                    url = \"http://127.0.0.1:1\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\n";
        std::fs::write(&file, text).unwrap();
        let folder = || folder.path().to_owned();
        let surroundings =
            Surroundings { variables: std::collections::BTreeMap::new(), working: folder(), home: folder() };
        let flags = Flags { fleet: Some(file.clone()), ..Flags::default() };
        let config = load_in(&surroundings, &flags).unwrap();
        for wish in [FleetWish::Auto, FleetWish::Configured, FleetWish::File(file)] {
            for unanswered in [Unanswered::Shows, Unanswered::Waits] {
                let chosen = choose_fleet(&config, &wish, 1, unanswered).await.unwrap();
                assert_eq!((chosen.source, chosen.fleet.is_simulated()), (FleetSource::Configured, false));
                assert!(chosen.words.iter().any(|words| words.starts_with("mine: ")), "{:?}", chosen.words);
            }
            let error = choose_fleet(&config, &wish, 1, Unanswered::Ends).await.unwrap_err();
            assert!(matches!(&error, CliError::NobodyAnswers(lines) if lines.len() == 1), "{error}");
        }
    }

    #[tokio::test]
    async fn the_simulated_fleet_is_all_simulated() {
        let chosen = choose_fleet(&config(), &FleetWish::Simulated, 1, Unanswered::Ends).await.unwrap();
        assert_eq!(chosen.source, FleetSource::Simulated);
        assert!(chosen.fleet.endpoints.iter().all(|e| e.nature == Nature::Simulated));
        assert_eq!(chosen.fleet.slots(), 20);
        assert!(chosen.words.iter().any(|w| w.starts_with("SIMULATED")));
    }
}
