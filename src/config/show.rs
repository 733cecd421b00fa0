//! The configuration as `baton config show` and `baton config path` tell it.

use std::path::Path;

use serde::Serialize;

use super::check::Read;
use super::merge::Merged;
use super::{Config, Layer, Origin, Paths, ProjectFolder};
use crate::domain::source::{Node, Value};

/// One value with where it came from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Its path, as in `session.level` or `endpoint.athene.slots`.
    pub path: String,
    /// The value; null where it is not set.
    pub value: serde_json::Value,
    /// Where it came from.
    pub origin: Origin,
}

impl std::fmt::Display for Shown {
    /// The value on one line, long texts cut, and its origin.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = match &self.value {
            serde_json::Value::Null => "not set".to_owned(),
            serde_json::Value::String(text) => {
                let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
                let short: String = line.chars().take(60).collect();
                let more = if line.chars().count() > 60 { "…" } else { "" };
                format!("\"{short}{more}\"")
            }
            other => other.to_string(),
        };
        let pair = format!("{} = {value}", self.path);
        write!(f, "{pair:<60}  {}", self.origin.layer.word())?;
        match (self.origin.layer, self.origin.line) {
            (Layer::BuiltIn, _) => Ok(()),
            (_, Some(line)) => write!(f, "  {}:{line}", self.origin.source),
            (_, None) => write!(f, "  {}", self.origin.source),
        }
    }
}

impl Config {
    /// Every value with its origin, one a line: what `baton config show` prints.
    pub fn show_text(&self) -> String {
        self.shown.iter().map(|s| format!("{s}\n")).collect()
    }

    /// Every value with its origin and the warnings: what `baton config show --json` prints.
    pub fn show_json(&self) -> serde_json::Value {
        serde_json::json!({"values": self.shown, "warnings": self.warnings})
    }
}

/// Every value of the tree, the groups in the order people look for them, and the settings that are not set.
pub(super) fn flatten(merged: &Merged, read: &Read) -> Vec<Shown> {
    let mut shown = Vec::new();
    for group in ["session", "attention", "machine", "discovery", "console", "name", "endpoint", "agent"] {
        if let Some(node) = merged.root.get(group) {
            walk(node, group, merged, &mut shown);
        }
        if group == "session" {
            let set = merged.root.get("session");
            let all = serde_json::to_value(&read.settings).unwrap_or_default();
            for (key, value) in all.as_object().into_iter().flatten() {
                if set.is_none_or(|node| node.get(key).is_none()) {
                    let origin = Origin { layer: Layer::BuiltIn, source: "built-in baton.toml".into(), line: None };
                    shown.push(Shown { path: format!("session.{key}"), value: value.clone(), origin });
                }
            }
        }
    }
    // The URL as it is used.
    for endpoint in &read.fleet.endpoints {
        let path = format!("endpoint.{}.url", endpoint.name);
        shown.iter_mut().filter(|s| s.path == path).for_each(|s| s.value = endpoint.url.clone().into());
    }
    shown
}

fn walk(node: &Node, path: &str, merged: &Merged, shown: &mut Vec<Shown>) {
    match &node.value {
        // A secret's reference is one value.
        Value::Map(entries) if !path.ends_with(".key") => {
            for entry in entries {
                if !(entry.key == "name" && path.contains('.')) {
                    walk(&entry.node, &format!("{path}.{}", entry.key), merged, shown);
                }
            }
        }
        Value::List(items) if items.iter().any(|i| i.get("name").is_some()) => {
            for item in items {
                let name = item.get("name").and_then(Node::text).unwrap_or("?");
                walk(item, &format!("{path}.{name}"), merged, shown);
            }
        }
        _ => shown.push(Shown { path: path.to_owned(), value: json(node), origin: merged.origin(node) }),
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Integer(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            entries.iter().map(|e| (e.key.clone(), json(&e.node))).collect::<serde_json::Map<_, _>>().into()
        }
    }
}

/// One path of `baton config path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathLine {
    /// What it is.
    pub what: &'static str,
    /// Where.
    pub path: String,
    /// Whether it is there.
    pub exists: bool,
}

impl std::fmt::Display for PathLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<16} {}{}", self.what, self.path, if self.exists { "" } else { "  (not there)" })
    }
}

/// All paths, and whether they exist: what `baton config path` prints. Looks at the disk.
pub fn show_paths(paths: &Paths) -> Vec<PathLine> {
    let line = |what, path: &Path| PathLine { what, path: path.display().to_string(), exists: path.exists() };
    let mut lines = vec![
        line("config", &paths.config),
        line("fleet", &paths.config.join("fleet.toml")),
        line("agents", &paths.config.join("agents.toml")),
        line("settings", &paths.config.join("baton.toml")),
        line("themes", &paths.themes()),
        line("project", paths.project.path()),
    ];
    if let ProjectFolder::Found(folder) = &paths.project {
        lines.push(line("project fleet", &folder.join("fleet.toml")));
        lines.push(line("project agents", &folder.join("agents.toml")));
        lines.push(line("project settings", &folder.join("baton.toml")));
    }
    lines.extend([
        line("state", &paths.state),
        line("sessions", &paths.sessions),
        line("log", &paths.log),
        line("run", &paths.run),
    ]);
    lines
}
