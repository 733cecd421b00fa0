//! Simulated servers in a process of their own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use baton::domain::fleet::{Agent, Endpoint, Fleet, Protocol, SessionConfig, Settings};
use baton::domain::protocol::Name;
use baton::engine::simulator::{SimEndpoint, Simulator, SimulatorConfig};

/// The simulator's process; dropping it ends it.
pub(crate) struct Process {
    child: Child,
    /// When it started its servers, a little late.
    pub(crate) born: Instant,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running fleet; dropping it ends it.
pub(crate) struct Served {
    _process: Process,
    pub(crate) config: SessionConfig,
}

/// The child's main: serves `name:slots,…` until its standard input ends.
pub(crate) fn serve(spec: &str) {
    let endpoints = spec
        .split(',')
        .map(|e| {
            let (name, slots) = e.split_once(':').unwrap();
            let slots = slots.parse().unwrap();
            SimEndpoint { tokens_per_second: 50.0, ..SimEndpoint::new(name, Protocol::LlamaCpp, name, slots, 16_384) }
        })
        .collect();
    simulate(endpoints);
}

/// Serves these endpoints until standard input ends.
pub(crate) fn simulate(endpoints: Vec<SimEndpoint>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let simulator = runtime.block_on(Simulator::start(SimulatorConfig { seed: 1, speed: 1.0, endpoints })).unwrap();
    println!("{}", serde_json::to_string(&simulator.endpoints()).unwrap());
    std::io::stdout().flush().unwrap();
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap_or(0) > 0 {
        println!("{}", serde_json::to_string(&simulator.stats()).unwrap());
        std::io::stdout().flush().unwrap();
    }
}

/// Starts this program again with two arguments that make it serve.
pub(crate) fn spawn(args: [&str; 2]) -> (Process, Vec<Endpoint>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let process = Process { child, born: Instant::now() };
    (process, serde_json::from_str(&line).unwrap())
}

/// Starts a fleet `name:slots,…`: each endpoint is a tier with an agent of the same name.
pub(crate) fn start(spec: &str) -> Served {
    let (process, endpoints) = spawn(["--serve", spec]);
    let agents = endpoints
        .iter()
        .map(|e| Agent {
            name: e.name.clone(),
            description: "works".into(),
            tier: e.name.clone(),
            fallback: None,
            max_tokens: 2048,
            temperature: 0.3,
            level: None,
            tools: Vec::new(),
            prompt: "You work.".into(),
        })
        .collect();
    let settings = Settings { synthesis: false, planner: Name::slug("a"), ..Settings::default() };
    Served {
        _process: process,
        config: SessionConfig {
            fleet: Fleet { name: "bench".into(), endpoints, agents },
            settings,
            seed: 1,
            ..SessionConfig::default()
        },
    }
}
