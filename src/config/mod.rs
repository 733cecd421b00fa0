//! Layered settings: built-in < user < project < environment < flags, each value with its origin.
//!
//! Beside the domain: reads files and the environment, and hands the engine and the console plain values. Not here: what
//! the values do. Invariants: no secret is ever read or kept, only where one is to be had; a project's files can neither
//! name a secret nor redirect an endpoint that has one nor name a command to launch nor say where servers are looked for
//! (a cloned folder is not trusted with keys, and starts nothing).

mod check;
mod console;
mod discovery;
mod launch;
mod layer;
mod merge;
mod paths;
mod schema;
mod show;

pub use console::{ColorChoice, ConsoleSettings, Glyphs, Motion, Switch};
pub use discovery::{Address, AddressError, DiscoverySettings, Place, THIS_MACHINE, addresses_of, place_of};
pub use layer::{Flag, Flags, Layer, Surroundings};
pub use paths::{Paths, ProjectFolder};
pub use schema::{Schemas, schemas};
pub use show::{PathLine, Shown, show_paths};

use std::collections::BTreeMap;

use crate::domain::fleet::{AttentionSettings, Fleet, MachineSettings, Settings};
use crate::domain::source::SourceError;

/// One error in the configuration: its file, line and column, what is wrong, how to mend it.
pub type ConfigError = SourceError;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// The file, variable or flag.
    pub source: String,
    /// The line in it, from 1; none where there are no lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// The effective configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Endpoints and agents.
    pub fleet: Fleet,
    /// The strongest layer whose files say something of endpoints: whether the fleet is the operator's own.
    pub fleet_from: Layer,
    /// What the engine runs under.
    pub settings: Settings,
    /// When the operator is told.
    pub attention: AttentionSettings,
    /// What this machine may be loaded with.
    pub machine: MachineSettings,
    /// Where Baton looks for model servers.
    pub discovery: DiscoverySettings,
    /// How the console looks and behaves.
    pub console: ConsoleSettings,
    /// The folders.
    pub paths: Paths,
    /// What is odd and yet no error, such as an agent whose tier no endpoint serves.
    pub warnings: Vec<ConfigError>,
    /// Every value with its origin, by its path, as in `session.level` or `endpoint.athene.slots`, in order.
    pub shown: Vec<Shown>,
}

impl Config {
    /// Where the value of that path came from, as in `session.level`.
    pub fn origin(&self, path: &str) -> Option<&Origin> {
        self.shown.iter().find(|s| s.path == path).map(|s| &s.origin)
    }

    /// Whether the operator has a fleet file. Baton then never puts another fleet in its place unasked.
    pub fn has_own_fleet(&self) -> bool {
        self.fleet_from != Layer::BuiltIn
    }
}

/// Reads the configuration of this process: its environment, its folders, and what the flags set.
///
/// # Errors
/// Everything found wrong in all files, at least one.
pub fn load(flags: &Flags) -> Result<Config, Vec<ConfigError>> {
    load_in(&Surroundings::of_process(), flags)
}

/// Reads the configuration in given surroundings: what [`load`] does, for tests and for other users.
///
/// # Errors
/// As [`load`].
pub fn load_in(surroundings: &Surroundings, flags: &Flags) -> Result<Config, Vec<ConfigError>> {
    let paths = Paths::find(surroundings);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut errors = Vec::new();
    let layers = layer::read_all(&paths, surroundings, flags, &mut texts, &mut errors);
    let of_endpoints = |s: &&layer::Source| s.root.get("endpoint").is_some() || s.root.get("replace").is_some();
    let fleet_from = layers.iter().filter(of_endpoints).map(|s| s.layer).max().unwrap_or(Layer::BuiltIn);
    let merged = merge::merge(layers, &mut errors);
    let read = check::read(&merged, &mut errors);
    let with_text = |error: SourceError| match texts.get(&error.file) {
        Some(text) => error.with_public_snippet(text),
        None => error,
    };
    match read {
        Some(read) if errors.is_empty() => Ok(Config {
            shown: show::flatten(&merged, &read),
            warnings: read.warnings.into_iter().map(with_text).collect(),
            fleet: read.fleet,
            fleet_from,
            settings: read.settings,
            attention: read.attention,
            machine: read.machine,
            discovery: read.discovery,
            console: read.console,
            paths,
        }),
        _ => {
            errors.dedup();
            Err(errors.into_iter().map(with_text).collect())
        }
    }
}

#[cfg(test)]
mod tests;
