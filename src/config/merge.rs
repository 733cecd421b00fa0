//! Layers into one tree: maps value by value, endpoints and agents by name.

use std::collections::BTreeMap;
use std::path::Path;

use super::layer::{Layer, Part, Source};
use super::trust::{self, Trust, Wish};
use super::{ConfigError, Origin};
use crate::domain::source::{Entry, Node, Place, SourceError, SourceName, Value};

/// The tree of all layers, and which layer each source is.
pub(super) struct Merged {
    pub(super) root: Node,
    layers: BTreeMap<String, Layer>,
    /// Every tier any layer names, also of endpoints that were replaced.
    pub(super) tiers: Vec<String>,
}

impl Merged {
    pub(super) fn origin(&self, node: &Node) -> Origin {
        let layer = self.layers.get(&*node.source).copied().unwrap_or(Layer::BuiltIn);
        Origin { layer, source: node.source.to_string(), line: (node.place.line > 0).then_some(node.place.line) }
    }
}

pub(super) fn merge(sources: Vec<Source>, consent: &mut Consent<'_>, errors: &mut Vec<ConfigError>) -> Merged {
    let root = Node { place: Place::START, source: SourceName::from("configuration"), value: Value::Map(Vec::new()) };
    let mut merged = Merged { root, layers: BTreeMap::new(), tiers: Vec::new() };
    for Source { layer, part, mut root } in sources {
        merged.layers.insert(root.source.to_string(), layer);
        let all = root.get("endpoint").into_iter().flat_map(Node::items).filter_map(|e| e.get("tiers"));
        merged.tiers.extend(all.flat_map(Node::items).filter_map(Node::text).map(str::to_owned));
        for endpoint in list_of(&mut root, "endpoint") {
            secrets(endpoint, layer, &merged.root, errors);
        }
        if layer == Layer::Project {
            super::discovery::refuse(&mut root, errors);
            consent.leave_out(&mut root, &merged.root);
        }
        let whole = layer == Layer::FleetFile && part == Part::Own;
        let replaces = whole || root.get("replace").is_some_and(|n| n.value == Value::Bool(true));
        let Value::Map(entries) = root.value else { continue };
        let Value::Map(into) = &mut merged.root.value else { continue };
        for entry in entries {
            match entry.key.as_str() {
                "replace" if matches!(entry.node.value, Value::Bool(_)) => {}
                "endpoint" | "agent" => {
                    let fresh = replaces && entry.key == "endpoint";
                    by_name(into, entry, if fresh { Start::Empty } else { Start::Below }, errors);
                }
                _ => over(into, entry),
            }
        }
    }
    merged
}

/// What the operator said to a project's wishes.
pub(super) struct Consent<'a> {
    /// The project's folder.
    pub(super) folder: &'a Path,
    pub(super) trust: &'a Trust,
    /// What it wants, approved or not.
    pub(super) wishes: Vec<Wish>,
}

impl Consent<'_> {
    /// Takes out of a project's file the endpoints whose addresses are nobody's but the project's, unless they were
    /// approved; a fleet that would replace the operator's and lacks one of them replaces nothing.
    fn leave_out(&mut self, root: &mut Node, below: &Node) {
        let text = |node: &Node, key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let known: Vec<(Option<String>, Option<String>)> = below
            .get("endpoint")
            .into_iter()
            .flat_map(Node::items)
            .map(|node| (text(node, "name"), text(node, "url")))
            .collect();
        let mut missing = false;
        let Value::Map(entries) = &mut root.value else { return };
        for entry in entries.iter_mut().filter(|e| e.key == "endpoint") {
            let Value::List(items) = &mut entry.node.value else { continue };
            items.retain(|item| {
                let (name, url) = (text(item, "name"), text(item, "url"));
                let Some(address) = url.clone().filter(|_| !known.contains(&(name.clone(), url))) else { return true };
                let wish = trust::address(self.folder, name.as_deref().unwrap_or("without a name"), &address);
                let may = self.trust.has(&wish);
                missing |= !may;
                self.wishes.push(wish);
                may
            });
        }
        if missing {
            entries.retain(|e| e.key != "replace");
        }
    }
}

fn list_of<'a>(root: &'a mut Node, key: &str) -> &'a mut [Node] {
    let Value::Map(entries) = &mut root.value else { return &mut [] };
    match entries.iter_mut().find(|e| e.key == key).map(|e| &mut e.node.value) {
        Some(Value::List(items)) => items,
        _ => &mut [],
    }
}

/// A value over what is there; maps are merged into each other.
fn over(into: &mut Vec<Entry>, entry: Entry) {
    match into.iter_mut().find(|e| e.key == entry.key) {
        Some(below) => match (&mut below.node.value, entry.node.value) {
            // `key = {env = …}` is one value, not a group: its forms exclude each other.
            (Value::Map(below), Value::Map(above)) if entry.key != "key" => {
                above.into_iter().for_each(|entry| over(below, entry));
            }
            (_, value) => *below = Entry { node: Node { value, ..entry.node }, ..entry },
        },
        None => into.push(entry),
    }
}

/// What a list by name is merged into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// What the layers below made.
    Below,
    /// Nothing: it replaces them.
    Empty,
}

fn by_name(into: &mut Vec<Entry>, entry: Entry, start: Start, errors: &mut Vec<ConfigError>) {
    let Value::List(items) = entry.node.value else {
        let what = format!("`{}` is {}, and a list is expected", entry.key, entry.node.kind());
        errors.push(SourceError::new(
            &entry.node.source,
            entry.place,
            what,
            format!("write [[{}]] above each", entry.key),
        ));
        return;
    };
    if !into.iter().any(|e| e.key == entry.key) {
        let node = Node { place: entry.node.place, source: entry.node.source.clone(), value: Value::List(Vec::new()) };
        into.push(Entry { key: entry.key.clone(), place: entry.place, node });
    }
    let list = into.iter_mut().find(|e| e.key == entry.key).map(|e| &mut e.node.value);
    let Some(Value::List(list)) = list else { return };
    if start == Start::Empty {
        list.clear();
    }
    let mut seen: Vec<(String, usize)> = Vec::new();
    for item in items {
        let name = item.get("name").and_then(Node::text).unwrap_or("").to_owned();
        if let Some((_, line)) = seen.iter().find(|(n, _)| *n == name && !name.is_empty()) {
            let place = item.get("name").map_or(item.place, |n| n.place);
            let what = format!("the {} {name} is given twice in this file; first on line {line}", entry.key);
            errors.push(SourceError::new(&item.source, place, what, "rename or remove one of the two"));
            continue;
        }
        seen.push((name.clone(), item.get("name").map_or(item.place.line, |n| n.place.line)));
        let below = list.iter_mut().find(|n| n.get("name").and_then(Node::text) == Some(&name));
        let removed = item.get("remove").is_some_and(|n| n.value == Value::Bool(true));
        match (below, removed) {
            (_, true) => list.retain(|n| n.get("name").and_then(Node::text) != Some(&name)),
            (Some(below), false) => {
                let (Value::Map(into), Value::Map(entries)) = (&mut below.value, item.value) else { continue };
                // What is wrong with the whole is mended where it was last touched.
                (below.place, below.source) = (item.place, item.source);
                entries.into_iter().filter(|e| e.key != "remove").for_each(|entry| over(into, entry));
            }
            (None, false) => {
                let mut item = item;
                if let Value::Map(entries) = &mut item.value {
                    entries.retain(|e| !(e.key == "remove" && matches!(e.node.value, Value::Bool(_))));
                }
                list.push(item);
            }
        }
    }
}

/// Refuses secrets in files, and a project's reach for anybody's; what is refused is taken out, so that no error shows it.
fn secrets(endpoint: &mut Node, layer: Layer, below: &Node, errors: &mut Vec<ConfigError>) {
    let name = endpoint.get("name").and_then(Node::text).unwrap_or("").to_owned();
    let source = endpoint.source.clone();
    let mut refuse = |place: Place, what: &str, mend: &str| {
        errors.push(SourceError::new(&source, place, what, mend));
        false
    };
    let has_key = below
        .get("endpoint")
        .into_iter()
        .flat_map(Node::items)
        .any(|e| e.get("name").and_then(Node::text) == Some(&name) && e.get("key").is_some());
    let Value::Map(entries) = &mut endpoint.value else { return };
    entries.retain(|entry| match entry.key.as_str() {
        "key" => {
            let named = entry.node.get("env").and_then(Node::text);
            let literal = named.is_some_and(|n| !n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || n.starts_with("sk_"));
            if entry.node.text().is_some() || literal {
                refuse(
                    entry.node.place,
                    "a key must not stand in a file",
                    "put it into an environment variable and write `key = { env = \"NAME\" }`, or `key = { command = \"…\" }` for a command that prints it; if this file was shared, change the key",
                )
            } else if layer == Layer::Project {
                let mend = "move the endpoint's key into the fleet.toml of your own config folder (`baton config path`)";
                refuse(entry.place, "a project's files can't name a key", mend)
            } else {
                true
            }
        }
        "url" => {
            let text = entry.node.text().unwrap_or("");
            let authority = text.split_once("://").map_or(text, |(_, rest)| rest).split(['/', '?']).next().unwrap_or("");
            let query = text.split_once('?').map_or("", |(_, q)| q).to_ascii_lowercase();
            if authority.contains('@') || ["key=", "token=", "password=", "secret="].iter().any(|w| query.contains(w)) {
                refuse(
                    entry.node.place,
                    "a password or key must not stand in a URL",
                    "take it out of the URL, and write `key = { env = \"NAME\" }`",
                )
            } else if layer == Layer::Project && has_key {
                let mend = "change it in the fleet.toml of your own config folder, or give the project's endpoint another name";
                refuse(entry.place, "a project's files can't redirect an endpoint that has a key", mend)
            } else {
                true
            }
        }
        "launch" => match super::launch::refused(entry, layer) {
            Some((place, what, mend)) => refuse(place, &what, mend),
            None => true,
        },
        _ => true,
    });
}
