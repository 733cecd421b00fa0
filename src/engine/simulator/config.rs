//! What is simulated: the endpoints, their speeds and their faults.
//!
//! Not here: anything that runs. Invariant: the numbers are those of the models meant, at speed 1.

use super::faults::Faults;
use crate::domain::fleet::{Endpoint, Fleet, Protocol};
use crate::domain::protocol::{EndpointName, LevelSupport, Name};

/// A whole simulated fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatorConfig {
    /// What all chance is counted over: the same seed and request give the same text and lengths.
    pub seed: u64,
    /// How much faster than the real models: 1.0 is like them, 100.0 a hundred times faster.
    pub speed: f64,
    /// The endpoints, each on a port of its own.
    pub endpoints: Vec<SimEndpoint>,
}

/// One simulated server with one model.
#[derive(Clone, Debug, PartialEq)]
pub struct SimEndpoint {
    /// The name it has in the fleet.
    pub name: EndpointName,
    /// The protocol it speaks; `command` is not simulated.
    pub protocol: Protocol,
    /// Its port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The model's name as the server tells it.
    pub model: String,
    /// How many requests it serves at once; what it claims is told by its faults.
    pub slots: u32,
    /// The context of one request, in tokens.
    pub context: u32,
    /// Tokens per second of one slot while it generates.
    pub tokens_per_second: f64,
    /// Tokens per second while it reads a prompt.
    pub prompt_tokens_per_second: f64,
    /// Share of an answer's tokens spent thinking at the usual level, 0..1; 0: the model does not think.
    pub thinking: f64,
    /// What it says it keeps in memory, in bytes.
    pub resident_bytes: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// More models behind the same port, where it is llama-server's router: it loads each when it is first asked for. Each
    /// has a name in the fleet, slots, a context and rates of its own; its port, and when it ends, are this one's.
    pub more: Vec<SimEndpoint>,
}

impl SimulatorConfig {
    /// The built-in fleet: five endpoints with 20 slots, on any free ports.
    pub fn default_fleet(seed: u64) -> Self {
        let endpoints = vec![
            SimEndpoint::new("athene", Protocol::LlamaCpp, "kitty-q4", 6, 16_384).paced(44.0, 900.0, 16),
            SimEndpoint { thinking: 0.35, ..SimEndpoint::new("gpt-oss", Protocol::Ollama, "gpt-oss:120b", 2, 65_536) }
                .paced(58.0, 1_100.0, 80),
            SimEndpoint::new("gemma", Protocol::LlamaCpp, "kitty-vision", 4, 8_192).paced(36.0, 800.0, 18),
            SimEndpoint::new("qwen", Protocol::LlamaCpp, "kitty-coder", 4, 32_768).paced(32.0, 700.0, 35),
            SimEndpoint::new("hermes", Protocol::LlamaCpp, "kitty-summary", 4, 8_192).paced(92.0, 2_400.0, 5),
        ];
        Self { seed, speed: 1.0, endpoints }
    }

    /// A simulated twin for every endpoint of a fleet (except command-line agents), on any free ports.
    pub fn for_fleet(fleet: &Fleet, seed: u64) -> Self {
        let endpoints = fleet.endpoints.iter().filter_map(SimEndpoint::like).collect();
        Self { seed, speed: 1.0, endpoints }
    }

    /// The same fleet at another speed.
    #[must_use]
    pub fn with_speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// The same fleet with these faults at every endpoint.
    #[must_use]
    pub fn with_faults(mut self, faults: &Faults) -> Self {
        for endpoint in &mut self.endpoints {
            endpoint.faults = faults.clone();
        }
        self
    }
}

impl SimEndpoint {
    /// An endpoint of middling speed that does not think and has no faults, on any free port.
    pub fn new(name: &str, protocol: Protocol, model: &str, slots: u32, context: u32) -> Self {
        Self {
            name: Name::slug(name),
            protocol,
            port: 0,
            model: model.to_owned(),
            slots,
            context,
            tokens_per_second: 40.0,
            prompt_tokens_per_second: 800.0,
            thinking: 0.0,
            resident_bytes: 16_000_000_000,
            faults: Faults::default(),
            more: Vec::new(),
        }
    }

    /// How many slots it says it has.
    pub(super) fn claimed(&self) -> u32 {
        self.faults.claims.unwrap_or(self.slots)
    }

    fn paced(mut self, tokens_per_second: f64, prompt_tokens_per_second: f64, gigabytes: u64) -> Self {
        self.tokens_per_second = tokens_per_second;
        self.prompt_tokens_per_second = prompt_tokens_per_second;
        self.resident_bytes = gigabytes * 1_000_000_000;
        self
    }

    /// The twin of a configured endpoint; none for a command-line agent.
    fn like(endpoint: &Endpoint) -> Option<Self> {
        if endpoint.protocol == Protocol::Command {
            return None;
        }
        // Where the file does not say, the built-in endpoint with the same model knows the speed.
        let known = Self::default_speeds(&endpoint.model);
        let thinks = matches!(endpoint.level, Some(LevelSupport::Graded | LevelSupport::Switch));
        let gigabytes = endpoint.memory_gb.map(|gb| (f64::from(gb) * 1e9) as u64);
        Some(Self {
            name: endpoint.name.clone(),
            protocol: endpoint.protocol,
            port: 0,
            model: endpoint.model.clone(),
            slots: endpoint.slots,
            context: endpoint.context,
            tokens_per_second: endpoint.tokens_per_second.map_or(known.tokens_per_second, f64::from),
            thinking: if thinks && known.thinking == 0.0 { 0.25 } else { known.thinking },
            resident_bytes: gigabytes.unwrap_or(known.resident_bytes),
            ..known
        })
    }

    fn default_speeds(model: &str) -> Self {
        let built_in = SimulatorConfig::default_fleet(0).endpoints;
        let plain = Self::new("x", Protocol::LlamaCpp, model, 1, 8_192);
        let thinking = if model.contains("gpt-oss") { 0.35 } else { 0.0 };
        built_in.into_iter().find(|e| e.model == model).unwrap_or(Self { thinking, ..plain })
    }
}
