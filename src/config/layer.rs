//! The layers, each read into a tree of values with their places.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::host;
use super::trust::{Links, Whose as _, open_regular};
use super::{ConfigError, Paths, ProjectFolder};
use crate::domain::foreign;
use crate::domain::source::{Entry, Node, Place, SourceError, Value, nearest, read_toml, text_of};

/// A longer file is refused.
const MAX_BYTES: u64 = 1024 * 1024;

const BUILT_IN: [(&str, &str); 3] = [
    ("built-in fleet.toml", include_str!("../../config/fleet.toml")),
    ("built-in agents.toml", include_str!("../../config/agents.toml")),
    ("built-in baton.toml", include_str!("../../config/baton.toml")),
];

/// The files of a folder with the groups each may hold.
const FILES: [(&str, &[&str]); 3] = [
    ("fleet.toml", &["name", "replace", "endpoint", "agent"]),
    ("agents.toml", &["agent"]),
    ("baton.toml", &["session", "attention", "machine", "discovery", "console"]),
];

/// Variables that are read elsewhere.
const OTHER_VARIABLES: [&str; 6] = ["HOST", "LOG", "FLEET", "SIM_SEED", "READ_ONLY", "HEADLESS"];

/// A layer; later ones win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// What Baton ships with.
    BuiltIn,
    /// The user's config folder.
    User,
    /// The project's `.baton/`.
    Project,
    /// A fleet file named on the command line.
    FleetFile,
    /// `BATON_…` variables.
    Environment,
    /// Flags of the command line.
    Flag,
}

impl Layer {
    /// The word on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::User => "user",
            Self::Project => "project",
            Self::FleetFile => "fleet file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// What the command line sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// A fleet file whose endpoints replace all others; agents stay, and those in the file are merged in.
    pub fleet: Option<PathBuf>,
    /// Single settings, such as `synthesis = false` by `--no-synthesis`.
    pub set: Vec<Flag>,
}

/// One setting given by a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag as typed, as in `--no-synthesis`.
    pub flag: String,
    /// The setting's name in `baton.toml`, as in `synthesis`.
    pub setting: String,
    /// Its value as it would stand in the environment.
    pub value: String,
}

/// What the process stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The working folder.
    pub working: PathBuf,
    /// The home folder.
    pub home: PathBuf,
}

impl Surroundings {
    /// Those of this process. Variables that are no UTF-8 are left out.
    pub fn of_process() -> Self {
        let text = |os: std::ffi::OsString| os.into_string().ok();
        let variables = std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect();
        let working = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let home = directories::BaseDirs::new().map_or_else(|| PathBuf::from("/"), |dirs| dirs.home_dir().to_owned());
        Self { variables, working, home }
    }

    /// This machine's name, or what `BATON_HOST` says in its place.
    pub fn host(&self) -> String {
        let told = self.variable("BATON_HOST").map(str::to_owned);
        told.or_else(|| sysinfo::System::host_name().ok()).unwrap_or_default()
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// One source of values.
pub(super) struct Source {
    pub(super) layer: Layer,
    pub(super) part: Part,
    pub(super) root: Node,
}

/// What of a file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What it says itself.
    Own,
    /// What it says for this machine.
    Host,
}

/// The machines that files have tables for, each once.
pub(super) fn hosts_named(paths: &Paths, flags: &Flags) -> Vec<String> {
    let mut folders = vec![paths.config.as_path()];
    if let ProjectFolder::Found(path) = &paths.project {
        folders.push(path);
    }
    let files = folders.iter().flat_map(|folder| FILES.iter().map(|(file, _)| folder.join(file)));
    let mut found = Vec::new();
    for path in files.chain(flags.fleet.clone()) {
        // What can't be read was told by who read it before. A pipe is read once only.
        let text = open_regular(&path, Links::Followed).and_then(|file| {
            use std::io::Read as _;
            let mut text = String::new();
            file.take(MAX_BYTES).read_to_string(&mut text).map(|_| text)
        });
        let read = text.ok().and_then(|text| read_toml(&text, &"".into()).ok());
        let tables = read.as_ref().and_then(|root| root.get(host::HOST));
        found.extend(tables.into_iter().flat_map(Node::entries).map(|entry| entry.key.to_ascii_lowercase()));
    }
    found.sort();
    found.dedup();
    found
}

/// All sources, the weakest first. The texts of the files are kept for errors.
pub(super) fn read_all(
    paths: &Paths,
    surroundings: &Surroundings,
    flags: &Flags,
    texts: &mut BTreeMap<String, String>,
    errors: &mut Vec<ConfigError>,
) -> Vec<Source> {
    let mut sources = Vec::new();
    let machine = surroundings.host();
    let mut source = |layer, name: &str, text: String, groups: &[&str], errors: &mut Vec<ConfigError>| {
        source(layer, name, text, (groups, &machine), texts, errors)
    };
    for ((name, text), (_, groups)) in BUILT_IN.into_iter().zip(FILES) {
        sources.extend(source(Layer::BuiltIn, name, text.to_owned(), groups, errors));
    }
    let mut folders = vec![(Layer::User, paths.config.as_path())];
    if let ProjectFolder::Found(path) = &paths.project {
        folders.push((Layer::Project, path));
    }
    for (layer, folder) in folders {
        for (file, groups) in FILES {
            let path = folder.join(file);
            let links = if layer == Layer::Project { Links::Refused } else { Links::Followed };
            if let Some(text) = read_file(&path, (Missing::Fine, links), errors) {
                sources.extend(source(layer, &path.display().to_string(), text, groups, errors));
            }
        }
    }
    if let Some(path) = &flags.fleet
        && let Some(text) = read_given(path, errors)
    {
        sources.extend(source(Layer::FleetFile, &path.display().to_string(), text, FILES[0].1, errors));
    }
    let variables = surroundings.variables.iter().filter_map(|(name, value)| {
        let setting = name.strip_prefix("BATON_").filter(|s| !OTHER_VARIABLES.contains(s))?;
        Some((Layer::Environment, name.clone(), setting.to_ascii_lowercase(), value.clone()))
    });
    let flags = flags.set.iter().map(|f| (Layer::Flag, f.flag.clone(), f.setting.clone(), f.value.clone()));
    for (layer, given, setting, value) in variables.chain(flags) {
        sources.extend(single(layer, &given, &setting, &value, errors));
    }
    sources
}

/// Whether a file that is not there is an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fine,
    Wrong,
}

/// A file of one of the configuration's folders.
fn read_file(path: &Path, (missing, links): (Missing, Links), errors: &mut Vec<ConfigError>) -> Option<String> {
    let file = open_regular(path, links);
    if links == Links::Refused
        && let Ok(file) = &file
        && let Some(why) = file.metadata().ok().and_then(|meta| meta.alien())
    {
        errors.push(SourceError::nowhere(
            &path.display().to_string(),
            format!("is not read: {}", why.words()),
            why.mend(path),
        ));
        return None;
    }
    read_text(path, file, missing, errors)
}

/// A file named on the command line: it may be a pipe, as in `--fleet <(…)`.
fn read_given(path: &Path, errors: &mut Vec<ConfigError>) -> Option<String> {
    read_text(path, std::fs::File::open(path), Missing::Wrong, errors)
}

fn read_text(
    path: &Path,
    file: std::io::Result<std::fs::File>,
    missing: Missing,
    errors: &mut Vec<ConfigError>,
) -> Option<String> {
    use std::io::Read as _;
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    // Bounded while reading: a length asked for before says nothing of a pipe or a device.
    let read = file.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            let what = format!("the file has more than {MAX_BYTES} bytes");
            errors.push(SourceError::nowhere(&name, what, "a configuration file is small; is it the right one?"));
            None
        }
        Ok(_) => text_of(bytes, &name).map_err(|error| errors.push(error)).ok(),
        Err(error) if missing == Missing::Fine && error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let mend = match error.kind() {
                std::io::ErrorKind::NotFound => "check the path; `baton config schema` shows what a fleet file holds",
                std::io::ErrorKind::PermissionDenied => "make the file readable for you",
                std::io::ErrorKind::InvalidInput => "put a file in its place, or remove it",
                _ => "check the file",
            };
            errors.push(SourceError::nowhere(&name, format!("can't be read: {error}"), mend));
            None
        }
    }
}

/// A file's tree with only the groups it may hold, and the same of what it says for this machine.
fn source(
    layer: Layer,
    name: &str,
    text: String,
    (groups, machine): (&[&str], &str),
    texts: &mut BTreeMap<String, String>,
    errors: &mut Vec<ConfigError>,
) -> Vec<Source> {
    let read = read_toml(&text, &name.into());
    let is_known = |root: &Node| root.entries().iter().any(|e| e.key == host::HOST || groups.contains(&e.key.as_str()));
    let strange = groups.contains(&"endpoint") && !text.trim().is_empty() && !read.as_ref().is_ok_and(is_known);
    if let Some(other) = strange.then(|| foreign::as_fleet(name, &text)).flatten() {
        errors.push(other);
        return Vec::new();
    }
    let mut root = match read {
        Ok(root) => root,
        Err(found) => {
            errors.extend(found);
            texts.insert(name.to_owned(), text);
            return Vec::new();
        }
    };
    let ours = host::take(&mut root, machine, errors);
    let mut sources = Vec::new();
    for (part, name, mut root) in std::iter::once((Part::Own, name.to_owned(), root))
        .chain(ours.into_iter().map(|(name, root)| (Part::Host, name, root)))
    {
        only(&name, &mut root, groups, errors);
        texts.insert(name, text.clone());
        sources.push(Source { layer, part, root });
    }
    sources
}

/// Leaves only the groups that a file may hold.
fn only(name: &str, root: &mut Node, groups: &[&str], errors: &mut Vec<ConfigError>) {
    if let Value::Map(entries) = &mut root.value {
        for entry in entries.iter().filter(|e| !groups.contains(&e.key.as_str())) {
            let mend = match nearest(&entry.key, groups.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => home_of(&entry.key, groups),
            };
            errors.push(SourceError::new(
                name,
                entry.place,
                format!("`{}` has no place in this file", entry.key),
                mend,
            ));
        }
        entries.retain(|e| groups.contains(&e.key.as_str()));
    }
}

/// Where a value belongs that stands in the wrong file or outside its group.
fn home_of(key: &str, groups: &[&str]) -> String {
    if let Some((file, _)) = FILES.iter().find(|(_, groups)| groups.contains(&key)) {
        format!("it belongs into {file}")
    } else if let Some(group) = group_of(key) {
        format!("it belongs under [{group}] in baton.toml")
    } else {
        format!("use one of: {}", groups.join(", "))
    }
}

/// The group of baton.toml a setting stands in, and the type of its default.
fn group_of(setting: &str) -> Option<&'static str> {
    settings().into_iter().find(|(_, key)| key == setting).map(|(group, _)| group)
}

/// Every setting with its group.
fn settings() -> Vec<(&'static str, String)> {
    use crate::domain::fleet::{AttentionSettings, MachineSettings, Settings};
    // Of the schema, which names also what is not written where it is as it ships.
    let group = |name: &'static str, schema: schemars::Schema| {
        let keys = schema.get("properties").and_then(serde_json::Value::as_object);
        let keys: Vec<String> = keys.into_iter().flat_map(serde_json::Map::keys).cloned().collect();
        keys.into_iter().map(move |key| (name, key))
    };
    group("session", schemars::schema_for!(Settings))
        .chain(group("attention", schemars::schema_for!(AttentionSettings)))
        .chain(group("machine", schemars::schema_for!(MachineSettings)))
        .chain(group("discovery", schemars::schema_for!(super::DiscoverySettings)))
        .chain(group("console", schemars::schema_for!(super::ConsoleSettings)))
        .collect()
}

/// A tree of one setting, given by a variable or a flag.
fn single(layer: Layer, given: &str, setting: &str, value: &str, errors: &mut Vec<ConfigError>) -> Option<Source> {
    let Some(group) = group_of(setting) else {
        let all = settings();
        // A variable that is like none of ours is somebody else's.
        let near = nearest(setting, all.iter().map(|(_, key)| key.as_str()));
        if let Some(near) = near {
            let near = match layer {
                Layer::Environment => format!("BATON_{}", near.to_ascii_uppercase()),
                _ => near.to_owned(),
            };
            errors.push(SourceError::nowhere(
                given,
                format!("there is no setting `{setting}`"),
                format!("did you mean {near}?"),
            ));
        } else if layer == Layer::Flag {
            errors.push(SourceError::nowhere(
                given,
                format!("there is no setting `{setting}`"),
                "`baton config show` lists them",
            ));
        }
        return None;
    };
    let place = Place { line: 0, column: 0 };
    let node = |value| Node { place, source: given.into(), value };
    let entry = |key: &str, node| Entry { key: key.to_owned(), place, node };
    let text = matches!(setting, "theme" | "planner" | "synthesizer" | "narrator" | "level");
    let value = match value {
        _ if text => Value::Text(value.to_owned()),
        "true" | "on" | "yes" => Value::Bool(true),
        "false" | "off" | "no" => Value::Bool(false),
        _ => value.parse().map_or_else(|_| Value::Text(value.to_owned()), Value::Integer),
    };
    let inner = node(Value::Map(vec![entry(setting, node(value))]));
    Some(Source { layer, part: Part::Own, root: node(Value::Map(vec![entry(group, inner)])) })
}
