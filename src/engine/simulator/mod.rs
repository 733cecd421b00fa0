//! A simulated fleet on loopback that speaks the real protocols, with faults on demand.
//!
//! The console talks to it as to any server: llama.cpp, Ollama and plain OpenAI-compatible endpoints with slots, FIFO
//! queues without a byte, prompts that take time, thinking, usage figures that add up, and every failure a real
//! server was seen to have. What it says follows the request and is the same for the same seed and request; its first
//! line says SIMULATED. Requests may carry directives (`[sim tokens=200]`, see `directive`) that fix lengths, times
//! and failures.
//!
//! Not here: anything the console does with an endpoint. It imports nothing from the providers, so that the two can
//! only agree by both being right.
//!
//! Invariants: never more requests in work than slots; a slot is free before its client can see the end; a client that
//! leaves frees its slot at once; dropping the [`Simulator`] closes every port and ends every thread.
//!
//! llama.cpp's end of a stream closes its connection without a word, as measured (`connection`); what is asked while a
//! model loads is answered 503; a server that is asked to end refuses and leaves its streams silent.
//!
//! An endpoint with more than one model is llama-server's router.
//!
//! Not simulated: tools that a request offers, images, a shared KV pool, llama.cpp's late notice of a client that leaves
//! while it waits or does not stream, closing of idle connections, HTTP/1.0, `/v1/completions`.

#[cfg(test)]
mod agreement;
mod alarm;
mod ask;
mod config;
mod connection;
mod directive;
mod faults;
mod http;
#[cfg(test)]
mod observed;
mod others;
mod pace;
mod pieces;
mod plan;
mod prose;
mod random;
mod reply;
mod routes;
mod script;
mod server;
mod slots;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

pub use config::{SimEndpoint, SimulatorConfig};
pub use faults::{FaultError, Faults, Others, PlanAnswer, Slowdown, Takes};
pub use slots::SimStats;

use crate::domain::fleet::{Api, Endpoint, Fleet, Nature};
use crate::domain::protocol::EndpointName;
use alarm::AlarmThread;
use server::{EndpointState, Phase, Wanted};

/// Why a simulator did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A port could not be taken.
    #[error("can't simulate {endpoint} on 127.0.0.1:{port}: {source}; choose another port, or 0 for any free one")]
    Bind {
        /// The endpoint.
        endpoint: EndpointName,
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("can't start a thread for the simulator: {0}; end other programs and try again")]
    Thread(#[source] std::io::Error),
    /// No endpoint of that name.
    #[error("the simulated fleet has no endpoint {name}; it has {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// An endpoint could not return to its port.
    #[error("{endpoint} can't return to {address}: {why}; free the port and revive it again")]
    Return {
        /// The endpoint.
        endpoint: EndpointName,
        /// Its address.
        address: std::net::SocketAddr,
        /// What the system said.
        why: String,
    },
}

/// A running simulated fleet. Dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    endpoints: Vec<Running>,
    // Dropped after the endpoints, whose waits it serves.
    _alarm: AlarmThread,
}

#[derive(Debug)]
struct Running {
    state: Arc<EndpointState>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts every endpoint on 127.0.0.1. When it returns, all ports answer.
    ///
    /// # Errors
    /// [`SimulatorError::Bind`] and [`SimulatorError::Thread`]; what had started is ended again.
    pub async fn start(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        let alarm = AlarmThread::start().map_err(SimulatorError::Thread)?;
        let born = Instant::now();
        let mut simulator = Self { endpoints: Vec::new(), _alarm: alarm };
        for mut endpoint in config.endpoints {
            endpoint.faults = endpoint.faults.at_speed(config.speed);
            for model in &mut endpoint.more {
                model.faults = std::mem::take(&mut model.faults).at_speed(config.speed);
            }
            let (name, port) = (endpoint.name.clone(), endpoint.port);
            let refused = |source| SimulatorError::Bind { endpoint: name.clone(), port, source };
            let listener = server::bind(port).map_err(refused)?;
            let address = listener.local_addr().map_err(refused)?;
            let pace = (config.seed, config.speed);
            let alarm = simulator._alarm.alarm();
            let state = Arc::new(EndpointState::new(endpoint, address, pace, alarm, born));
            let thread = std::thread::Builder::new().name(format!("sim-{name}")).spawn({
                let state = Arc::clone(&state);
                move || server::live(&state, listener)
            });
            let thread = Some(thread.map_err(SimulatorError::Thread)?);
            simulator.endpoints.push(Running { state, thread });
        }
        Ok(simulator)
    }

    /// The given fleet with its endpoints on the simulator's addresses, marked as simulated; what lies about its slots
    /// claims in it what its server claims. Endpoints that are not simulated are left out, because the two never mix.
    pub fn fleet(&self, fleet: &Fleet) -> Fleet {
        let twin = |endpoint: &Endpoint| {
            let url = self.url(&endpoint.name)?;
            let claims = self.model(&endpoint.name)?.config.faults.claims;
            let slots = claims.unwrap_or(endpoint.slots);
            Some(Endpoint { url, slots, nature: Nature::Simulated, key: None, launch: None, ..endpoint.clone() })
        };
        Fleet { endpoints: fleet.endpoints.iter().filter_map(twin).collect(), ..fleet.clone() }
    }

    /// Endpoints for all that is simulated, as they claim to be, each serving the one tier named like it: for tests and
    /// benches.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let twin = |state: &Arc<EndpointState>| {
            let config = &state.config;
            Endpoint {
                name: config.name.clone(),
                title: None,
                tiers: vec![config.name.clone()],
                protocol: config.protocol,
                url: format!("http://{}", state.address),
                model: config.model.clone(),
                slots: config.claimed(),
                context: config.context,
                api: Api::Chat,
                key: None,
                level: None,
                memory_gb: Some((config.resident_bytes as f64 / 1e9) as f32),
                tokens_per_second: Some(config.tokens_per_second as f32),
                vision: false,
                tools: false,
                nature: Nature::Simulated,
                price: None,
                launch: None,
            }
        };
        self.models().map(twin).collect()
    }

    /// The base URL of an endpoint, as in `http://127.0.0.1:41234`.
    pub fn url(&self, name: &EndpointName) -> Option<String> {
        Some(format!("http://{}", self.model(name)?.address))
    }

    /// The counts of every model of every endpoint, in order.
    pub fn stats(&self) -> Vec<SimStats> {
        self.models().map(|state| state.slots.stats()).collect()
    }

    /// Kills an endpoint: every connection is cut where it stands and its port refuses. Returns when that is so.
    ///
    /// # Errors
    /// [`SimulatorError::Unknown`].
    pub async fn kill(&self, name: &EndpointName) -> Result<(), SimulatorError> {
        self.end(name, Wanted::Dead).await
    }

    /// Asks an endpoint to end, as by SIGTERM: its port refuses, and what is under way stays open without a byte for half
    /// a minute at speed 1. Returns when the port refuses.
    ///
    /// # Errors
    /// [`SimulatorError::Unknown`].
    pub async fn terminate(&self, name: &EndpointName) -> Result<(), SimulatorError> {
        self.end(name, Wanted::Ending).await
    }

    async fn end(&self, name: &EndpointName, how: Wanted) -> Result<(), SimulatorError> {
        let state = self.find(name)?;
        state.wanted.send_replace(how);
        // The sender lives in the state that is borrowed here, so the wait always ends.
        let _ = state.phase.subscribe().wait_for(|phase| *phase != Phase::Alive).await;
        Ok(())
    }

    /// Brings a dead endpoint back on its port. Returns when the port answers.
    ///
    /// # Errors
    /// [`SimulatorError::Unknown`], and [`SimulatorError::Return`] when another program took the port.
    pub async fn revive(&self, name: &EndpointName) -> Result<(), SimulatorError> {
        let state = self.find(name)?;
        let alive = *state.phase.borrow() == Phase::Alive;
        if alive {
            return Ok(());
        }
        state.phase.send_replace(Phase::Dead);
        let mut phases = state.phase.subscribe();
        state.wanted.send_replace(Wanted::Alive);
        match phases.wait_for(|phase| *phase != Phase::Dead).await.as_deref() {
            Ok(Phase::Stuck(why)) => {
                Err(SimulatorError::Return { endpoint: name.clone(), address: state.address, why: why.clone() })
            }
            _ => Ok(()),
        }
    }

    /// All models, each endpoint's own first.
    fn models(&self) -> impl Iterator<Item = &Arc<EndpointState>> {
        self.endpoints.iter().flat_map(|running| EndpointState::models(&running.state))
    }

    fn model(&self, name: &EndpointName) -> Option<&Arc<EndpointState>> {
        self.models().find(|state| state.config.name == *name)
    }

    /// The server that has this endpoint.
    fn find(&self, name: &EndpointName) -> Result<&EndpointState, SimulatorError> {
        let has = |running: &&Running| EndpointState::models(&running.state).any(|state| state.config.name == *name);
        let found = self.endpoints.iter().find(has);
        found.map(|running| running.state.as_ref()).ok_or_else(|| SimulatorError::Unknown {
            name: name.to_string(),
            known: self.models().map(|state| state.config.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for running in &self.endpoints {
            running.state.wanted.send_replace(Wanted::Gone);
        }
        for running in &mut self.endpoints {
            if let Some(thread) = running.thread.take() {
                // A thread that panicked has closed its port too.
                let _ = thread.join();
            }
        }
    }
}
