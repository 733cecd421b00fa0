//! Layered settings: built-in < user < project < environment < flags, each value with its origin.
//!
//! Beside the domain: reads files and the environment, and hands the engine and the console plain values. Not here: what
//! the values do. Invariants: no secret is ever read or kept, only where one is to be had; a project's files can neither
//! name a secret nor redirect an endpoint that has one nor name a command to launch nor say where servers are looked for
//! (a cloned folder is not trusted with keys, and starts nothing); an address that a project names is used only once the
//! operator approved it (`baton trust`); a project's folder that others may write is not read.

mod check;
mod console;
mod discovery;
mod host;
mod launch;
mod layer;
mod merge;
mod paths;
mod schema;
mod show;
mod trust;

pub use console::{ColorChoice, ConsoleSettings, Glyphs, Motion, Switch};
pub use discovery::{Address, AddressError, DiscoverySettings, Place, THIS_MACHINE, addresses_of, place_of};
pub use host::is_host;
pub use layer::{Flag, Flags, Layer, Surroundings};
pub use paths::{Paths, ProjectFolder};
pub use schema::{Schemas, schemas};
pub use show::{PathLine, Shown, show_paths};
pub use trust::{Alien, Trust, Wish, WishKind, wishes_of};

use std::collections::BTreeMap;

use crate::domain::fleet::{AttentionSettings, Fleet, MachineSettings, Settings};
use crate::domain::source::SourceError;
use crate::domain::text::CleanText;
use merge::Consent;

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
    /// What the project's files want, approved or not.
    pub wishes: Vec<Wish>,
    /// What was approved.
    pub trust: Trust,
    /// What is odd and yet no error, such as an agent whose tier no endpoint serves.
    pub warnings: Vec<ConfigError>,
    /// Every value with its origin, by its path, as in `session.level` or `endpoint.athene.slots`, in order.
    pub shown: Vec<Shown>,
}

/// Of what a project's files want, so much is said before a command does its work: a few endpoints, all of them.
const MOST_SAID: usize = 8;

impl Config {
    /// What the project wants that is left out, since nobody approved it.
    pub fn left_out(&self) -> impl Iterator<Item = &Wish> {
        self.wishes.iter().filter(|wish| !self.trust.has(wish))
    }

    /// What is to be said of the project's folder before anything is done, a sentence each.
    pub fn cautions(&self) -> Vec<CleanText> {
        let mut cautions = Vec::new();
        if let ProjectFolder::Foreign(path, why) = &self.paths.project {
            let (words, mend) = (why.words(), why.mend(path));
            cautions.push(format!("{} is not read: {words}; {mend}", path.display()));
        }
        cautions.extend(self.trust.trouble());
        for wish in self.left_out().take(MOST_SAID) {
            cautions.push(format!(
                "left out of {}: it {}; `baton trust` shows what it wants and approves it",
                wish.folder.display(),
                wish.words()
            ));
        }
        match self.left_out().count().saturating_sub(MOST_SAID) {
            0 => {}
            more => cautions.push(format!("{more} more are left out; `baton trust` lists them")),
        }
        cautions.iter().map(|words| CleanText::one_line(words)).collect()
    }

    /// What is to be said of the folders in which Baton keeps things: others who may write them can change what is taken
    /// for this user's own.
    pub fn open_folders(&self) -> Vec<CleanText> {
        use std::os::unix::fs::MetadataExt as _;
        use trust::Whose as _;
        let mut said = Vec::new();
        for path in [&self.paths.state, &self.paths.sessions, &self.paths.config] {
            // A link to a folder that is kept elsewhere is the operator's own doing.
            let Ok(meta) = std::fs::metadata(path) else { continue };
            // Whatever is root's, root may as well write without that.
            if let Some(why) = meta.alien().filter(|why| *why != Alien::Owner || meta.uid() != 0) {
                let (words, mend) = (why.words(), why.mend(path));
                said.push(CleanText::one_line(&format!(
                    "{}: {words}, and so could change your sessions and what you approved; {mend}",
                    path.display()
                )));
            }
        }
        said
    }

    /// The project whose approved addresses a fleet has, by the name of its folder: it is named wherever that fleet is.
    pub fn project_of(&self, fleet: &Fleet) -> Option<CleanText> {
        let folder = self.paths.project.path();
        let brought = fleet.endpoints.iter().any(|endpoint| {
            let wish = trust::address(folder, endpoint.name.as_str(), &endpoint.url);
            self.wishes.contains(&wish) && self.trust.has(&wish)
        });
        let name = folder.parent().and_then(std::path::Path::file_name).filter(|_| brought)?;
        Some(CleanText::one_line(&name.to_string_lossy()))
    }

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
    let naming: Vec<Layer> = layers.iter().filter(of_endpoints).map(|s| s.layer).collect();
    let trust = Trust::read(&paths.state);
    let mut consent = Consent { folder: paths.project.path(), trust: &trust, wishes: Vec::new() };
    let merged = merge::merge(layers, &mut consent, &mut errors);
    let wishes = consent.wishes;
    // A project whose addresses are left out says nothing of the fleet.
    let left_out = wishes.iter().any(|wish| !trust.has(wish));
    let counts = |layer: &Layer| !(left_out && *layer == Layer::Project);
    let fleet_from = naming.into_iter().filter(counts).max().unwrap_or(Layer::BuiltIn);
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
            wishes,
            trust,
            paths,
        }),
        _ => {
            errors.dedup();
            Err(SourceError::first(errors, 0).into_iter().map(with_text).collect())
        }
    }
}

/// Everything wrong in all files, also in what they say for other machines only; none: all is in order.
pub fn mistakes(surroundings: &Surroundings, flags: &Flags) -> Vec<ConfigError> {
    let mut all = load_in(surroundings, flags).err().unwrap_or_default();
    for host in layer::hosts_named(&Paths::find(surroundings), flags) {
        let mut there = surroundings.clone();
        there.variables.insert("BATON_HOST".to_owned(), host);
        let found = load_in(&there, flags).err().unwrap_or_default();
        all.extend(found.into_iter().filter(|error| !all.contains(error)).collect::<Vec<_>>());
    }
    all
}

/// The machines that files have tables for.
pub fn hosts_named(surroundings: &Surroundings, flags: &Flags) -> Vec<String> {
    layer::hosts_named(&Paths::find(surroundings), flags)
}

#[cfg(test)]
mod tests;
