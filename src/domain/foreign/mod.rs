//! Files of other programs, given where a plan, a fleet or a goal is wanted: one sentence that says what the file is and
//! which command makes a plan or a fleet of it.
//!
//! Not here: reading them for what they say. A file is known by its name and by the fields that no other program's file has
//! (`table`); one of Baton's own with a mistake in it is never taken for another program's.

mod table;

use self::table::{KINDS, Kind, Nature};
use super::source::{Node, Place, SourceError, Value, nearest, read_toml, read_yaml};

/// The fields at the head of a plan.
const PLAN: [&str; 6] = ["version", "goal", "tasks", "max_parallel", "capacity", "synthesis"];

/// A file as the table looks at it.
pub(crate) struct Seen<'a> {
    /// Its path as it was given.
    path: &'a str,
    /// Its name in lower case.
    name: String,
    text: &'a str,
    /// What it says, where that can be read.
    root: Option<Node>,
}

impl<'a> Seen<'a> {
    fn new(path: &'a str, text: &'a str, root: Option<&Node>) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
        let source = path.into();
        let toml = || text.lines().any(|line| line.starts_with('[')).then(|| read_toml(text, &source).ok()).flatten();
        let is_group = |node: &Node| matches!(node.value, Value::Map(_) | Value::List(_));
        let yaml = || read_yaml(text, &source).ok().map(|read| read.root).filter(is_group);
        let root = root.filter(|r| is_group(r)).cloned();
        Self { path, name, text, root: root.or_else(toml).or_else(yaml) }
    }

    /// The value of a field at its head.
    fn get(&self, key: &str) -> Option<&Node> {
        self.root.as_ref().and_then(|root| root.get(key))
    }

    /// Whether it has a field at its head; of a text that can't be read, whether one stands there.
    fn has(&self, key: &str) -> bool {
        match &self.root {
            Some(root) => root.get(key).is_some(),
            None => self.text.lines().any(|line| {
                // In YAML and TOML what is indented is no field of the head.
                let line = if self.is_json() { line.trim_start_matches(['"', ' ', '{']) } else { line };
                line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches('"').trim_start().starts_with(':'))
            }),
        }
    }

    fn has_any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    /// Whether a value in a list or group at its head has one of these fields.
    fn within(&self, key: &str, fields: &[&str]) -> bool {
        self.get(key).is_some_and(|node| of_each(node, fields))
    }

    /// Whether a value of its head has all of these fields.
    fn any_with(&self, fields: &[&str]) -> bool {
        let values = self.root.iter().flat_map(values);
        values.into_iter().any(|value| fields.iter().all(|field| value.get(field).is_some()))
    }

    fn is_json(&self) -> bool {
        let text = self.text.trim_start();
        // `[[` and `[name]` begin groups of TOML.
        text.starts_with('{') || text.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', '"']))
    }

    /// Whether a line begins with one of these words.
    fn line(&self, words: &[&str]) -> bool {
        self.text.lines().any(|line| words.iter().any(|word| line.starts_with(word)))
    }

    fn named(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.name == *name || (name.starts_with('.') && self.name.ends_with(name)))
    }

    /// Whether it is a plan of Baton's, right or wrong.
    fn is_plan(&self) -> bool {
        let begins = || {
            let first = self.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
            first.is_some_and(|line| line.starts_with(['v', 'g', 't', '{']))
                && self.has("goal")
                && self.has_any(&["version", "tasks"])
        };
        self.root.as_ref().map_or_else(begins, is_plan)
    }

    /// Which of another program's it is.
    fn kind(&self) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| (kind.is)(self))
    }

    /// Its path as it is typed.
    fn typed(&self) -> String {
        let plain = |c: char| c.is_alphanumeric() || "/._-+:@~".contains(c);
        if !self.path.is_empty() && self.path.chars().all(plain) {
            self.path.to_owned()
        } else {
            format!("'{}'", self.path.replace('\'', "'\\''"))
        }
    }

    /// Where the servers are that it names, as flags of `baton fleet init`.
    fn servers(&self, port: u16) -> String {
        match address(self.text) {
            Some(url) => format!("--host {url} "),
            None => format!("--port {port} "),
        }
    }
}

fn values(node: &Node) -> Vec<&Node> {
    node.items().iter().chain(node.entries().iter().map(|e| &e.node)).collect()
}

fn of_each(node: &Node, fields: &[&str]) -> bool {
    values(node).iter().any(|value| fields.iter().any(|field| value.get(field).is_some()))
}

/// Whether a group has the fields of a plan, whatever is wrong with it.
fn is_plan(root: &Node) -> bool {
    let has = |key: &str| root.get(key).is_some();
    let one = root.get("version").is_some_and(|v| v.value == Value::Integer(1));
    let task = || root.get("tasks").is_some_and(|tasks| of_each(tasks, &["prompt", "agent"]));
    (has("goal") && (has("version") || has("tasks"))) || (one && has("tasks")) || task()
}

/// The first address of this machine or its network behind a field that says where a server is.
fn address(text: &str) -> Option<&str> {
    let fields = ["base", "proxy", "url", "host"];
    text.lines().find_map(|line| {
        let at = line.find("http://").or_else(|| line.find("https://"))?;
        let lower = line[..at].to_ascii_lowercase();
        let url = line[at..].split(|c: char| c.is_whitespace() || "\"',}]".contains(c)).next()?;
        let host = url.split_once("://")?.1;
        let near = ["localhost", "127.", "192.168.", "10."].iter().any(|near| host.starts_with(near));
        // With a password or a variable in it, it is not for a command line.
        (near && fields.iter().any(|f| lower.contains(f)) && !url.contains(['@', '$', '{'])).then_some(url)
    })
}

/// The sentence for a file that was given as a plan and is none. None: it is one, right or wrong, or nobody knows what.
pub(crate) fn as_plan(file: &str, text: &str, root: Option<&Node>) -> Option<SourceError> {
    if text.trim().is_empty() || root.is_some_and(is_plan) {
        return None;
    }
    let seen = Seen::new(file, text, root);
    // One in the making may begin with anything: its fields tell.
    let broken = seen.root.is_none() && seen.has("goal") && seen.has_any(&["version", "tasks"]);
    if broken || seen.is_plan() {
        return None;
    }
    let typed = seen.typed();
    let planned = format!("`baton plan {typed} > plan.yaml` has a model make a plan of it");
    let Some(kind) = seen.kind() else {
        let fields = seen.root.as_ref().map(Node::entries).filter(|entries| !entries.is_empty())?;
        let ours = |key: &str| PLAN.contains(&key) || nearest(key, PLAN).is_some();
        if fields.iter().any(|e| ours(&e.key)) {
            return None;
        }
        let what = "this is no plan: none of a plan's fields (`version`, `goal`, `tasks`) is in it";
        return Some(SourceError::new(file, Place::START, what, planned));
    };
    let mend = match kind.nature {
        Nature::Work => planned,
        Nature::Servers(port) => format!(
            "`baton fleet init {}--output fleet.toml` writes a fleet file of the models that answer there, and `baton plan \
             \"GOAL\" --fleet fleet.toml > plan.yaml` has one of them make a plan",
            seen.servers(port)
        ),
        Nature::Settings => {
            "say in words what is wanted: `baton plan \"GOAL\" > plan.yaml` has a model make a plan".to_owned()
        }
        Nature::Model => of_model(&typed),
        Nature::Fleet => format!("`baton run PLAN --fleet {typed}` runs a plan on it"),
        Nature::Configuration => "`baton config path` says where it belongs".to_owned(),
        Nature::Journal => format!("`baton replay {typed}` shows it"),
    };
    Some(SourceError::new(file, Place::START, format!("this is {}, not a plan", kind.name), mend))
}

/// The sentence for a file that was given as a fleet and is none.
pub(crate) fn as_fleet(file: &str, text: &str) -> Option<SourceError> {
    let seen = Seen::new(file, text, None);
    let typed = seen.typed();
    let what = |name: &str| format!("this is {name}, and a fleet file is TOML with an `[[endpoint]]` for each server");
    let found = "`baton fleet init --output fleet.toml` writes one of the model servers that answer";
    if seen.is_plan() {
        let mend = format!("`baton run {typed}` runs it; {found}");
        return Some(SourceError::new(file, Place::START, what("a plan"), mend));
    }
    let Some(kind) = seen.kind() else {
        let other = seen.is_json() || seen.named(&[".yaml", ".yml", ".json"]);
        return other.then(|| SourceError::new(file, Place::START, what("no fleet file"), found));
    };
    let mend = match kind.nature {
        Nature::Fleet => return None,
        Nature::Servers(port) => format!(
            "`baton fleet init {}--output fleet.toml` writes one of the models that answer there",
            seen.servers(port)
        ),
        Nature::Model => of_model(&typed),
        Nature::Configuration => "`baton config path` says where it belongs".to_owned(),
        _ => found.to_owned(),
    };
    Some(SourceError::new(file, Place::START, what(kind.name), mend))
}

/// What is to be said of a file whose text is to be a goal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AsGoal {
    /// Nothing: it is a text of people.
    Text,
    /// It is a plan of Baton's, right or wrong.
    Plan,
    /// Its words say what is to be done; a sentence says whose it is.
    Work(String),
    /// It says nothing of what is to be done, and may hold keys.
    No(SourceError),
}

/// What a file is whose text is to be a goal.
pub(crate) fn as_goal(file: &str, text: &str) -> AsGoal {
    let seen = Seen::new(file, text, None);
    if seen.is_plan() {
        return AsGoal::Plan;
    }
    // In a text of people, or what came by a pipe, a few lines may look like another program's: all of it has to.
    let prose = seen.root.is_none() && seen.named(&["-", ".txt", ".text", ".rst", ".adoc", ".org"]);
    match seen.kind().filter(|_| !prose) {
        Some(kind) if kind.nature == Nature::Work && kind.name != table::MARKDOWN => {
            AsGoal::Work(format!("{} is {}: its text is the goal", seen.typed(), kind.name))
        }
        Some(kind) if kind.nature != Nature::Work => {
            let what = format!("this is {}, not a goal", kind.name);
            let mend = as_plan(file, text, None).map(|plan| plan.mend).unwrap_or_default();
            AsGoal::No(SourceError::new(file, Place::START, what, mend))
        }
        _ => AsGoal::Text,
    }
}

fn of_model(typed: &str) -> String {
    format!(
        "`ollama create NAME -f {typed}` makes its model, and then `baton fleet init --output fleet.toml` writes a fleet file with it"
    )
}
