//! A task as a model may have meant it: the fields found under any of their usual names, nothing checked yet.

use super::loose::{Ended, Loose};

/// More tasks than this are not looked at: a model that repeats itself without end costs little.
pub(super) const MAX_DRAFTS: usize = 200;
/// More needs of one task than this are not looked at.
const MAX_NEEDS: usize = 64;

/// What was found of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// Its id as written.
    pub(super) id: Option<String>,
    /// Its title.
    pub(super) title: Option<String>,
    /// What is asked.
    pub(super) prompt: Option<String>,
    /// Its agent as written.
    pub(super) agent: Option<String>,
    /// Its needs as written: ids, numbers or titles.
    pub(super) needs: Vec<String>,
}

const TASKS: &[&str] =
    &["tasks", "subtasks", "steps", "tasklist", "plan", "items", "nodes", "todo", "todos", "jobs", "phases"];
const ID: &[&str] = &["id", "taskid", "stepid", "key", "number", "index", "no"];
const TITLE: &[&str] = &["title", "name", "label", "summary", "tasktitle", "taskname"];
const PROMPT: &[&str] = &[
    "prompt",
    "description",
    "instructions",
    "instruction",
    "details",
    "task",
    "query",
    "question",
    "content",
    "step",
    "action",
    "objective",
    "goal",
    "what",
    "text",
    "input",
];
const AGENT: &[&str] =
    &["agent", "agentname", "role", "assignee", "assignedto", "assignedagent", "worker", "who", "executor", "assigned"];
const NEEDS: &[&str] = &[
    "needs",
    "dependencies",
    "dependson",
    "deps",
    "depends",
    "dependency",
    "requires",
    "after",
    "prerequisites",
    "parents",
    "waitsfor",
    "blockedby",
];

/// The drafts in a value: a list of tasks anywhere near its top, or a map of tasks by id. The flag says that a task
/// was left out because the text ended within it.
pub(super) fn from_value(value: &Loose) -> (Vec<Draft>, Ended) {
    let mut drafts = Vec::new();
    let mut cut = Vec::new();
    collect(value, 0, &mut drafts, &mut cut);
    let ended = if cut.is_empty() { Ended::Whole } else { Ended::Cut };
    // Half a task is better than none when it says what to do.
    if drafts.is_empty() {
        drafts.extend(cut.into_iter().filter(|d| d.prompt.as_ref().is_some_and(|p| p.len() > 20)));
    }
    (drafts, ended)
}

fn collect(value: &Loose, depth: usize, drafts: &mut Vec<Draft>, cut: &mut Vec<Draft>) {
    if depth > 4 || drafts.len() >= MAX_DRAFTS {
        return;
    }
    match value {
        Loose::List(items) => items.iter().for_each(|item| collect_item(item, None, depth, drafts, cut)),
        Loose::Map { entries, .. } if is_schema(entries) => {
            // Sent back as it came, or filled in: then lists of groups stand where it describes them.
            let within = |entries: &[(String, Loose)]| {
                let filled = |v: &&(String, Loose)| matches!(&v.1, Loose::List(l) if l.iter().any(|i| matches!(i, Loose::Map { .. })));
                entries.iter().find(filled).map(|(_, list)| list.clone())
            };
            let properties = entries.iter().find_map(|(key, value)| match value {
                Loose::Map { entries, .. } if fold(key) == "properties" => Some(entries),
                _ => None,
            });
            if let Some(list) = within(entries).or_else(|| within(properties?)) {
                collect(&list, depth + 1, drafts, cut);
            }
        }
        Loose::Map { entries, .. } => {
            let listed = TASKS.iter().find_map(|key| {
                entries.iter().find(|(k, v)| fold(k) == *key && matches!(v, Loose::List(_) | Loose::Map { .. }))
            });
            match listed {
                Some((_, list @ Loose::List(_))) => collect(list, depth + 1, drafts, cut),
                Some((_, Loose::Map { entries: inner, .. }))
                    if is_schema(inner) || inner.iter().any(|(k, _)| TASKS.contains(&&*fold(k))) =>
                {
                    if let Some((_, inner)) = listed {
                        collect(inner, depth + 1, drafts, cut);
                    }
                }
                Some((_, Loose::Map { entries: by_id, .. })) => {
                    by_id.iter().for_each(|(id, task)| collect_item(task, Some(id), depth, drafts, cut));
                }
                _ if is_task(entries) => collect_item(value, None, depth, drafts, cut),
                _ => {
                    // A wrapper such as {"plan": {"result": […]}}, or tasks by id without a name around them.
                    for (id, inner) in entries {
                        match inner {
                            Loose::Map { entries: fields, .. } if is_task(fields) => {
                                collect_item(inner, Some(id), depth, drafts, cut);
                            }
                            Loose::Map { .. } => collect(inner, depth + 1, drafts, cut),
                            Loose::List(items) if items.iter().any(|i| matches!(i, Loose::Map { .. })) => {
                                collect(inner, depth + 1, drafts, cut);
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        Loose::Null | Loose::Text(_) => {}
    }
}

fn collect_item(item: &Loose, id: Option<&String>, depth: usize, drafts: &mut Vec<Draft>, cut: &mut Vec<Draft>) {
    if drafts.len() >= MAX_DRAFTS {
        return;
    }
    match item {
        Loose::Map { entries, ended } => {
            let has_inner = entries.iter().any(|(k, v)| {
                TASKS.contains(&&*fold(k))
                    && matches!(v, Loose::List(l) if l.iter().any(|i| matches!(i, Loose::Map { .. })))
            });
            if has_inner {
                collect(item, depth + 1, drafts, cut);
                return;
            }
            let mut draft = from_entries(entries);
            draft.id = draft.id.or_else(|| id.cloned());
            match ended {
                Ended::Whole => drafts.push(draft),
                Ended::Cut => cut.push(draft),
            }
        }
        Loose::Text(text) if text.chars().filter(|c| c.is_alphabetic()).count() > 2 => {
            drafts.push(Draft { id: id.cloned(), prompt: Some(text.clone()), ..Draft::default() });
        }
        _ => {}
    }
}

/// A JSON Schema, as the one that the answer was to have.
fn is_schema(entries: &[(String, Loose)]) -> bool {
    let field = |name: &str| entries.iter().find(|(key, _)| fold(key) == name).map(|(_, value)| value);
    let types = ["object", "array", "string", "number", "integer", "boolean"];
    let typed = matches!(field("type"), Some(Loose::Text(word)) if types.contains(&word.as_str()));
    typed
        && (entries.len() == 1
            || ["properties", "items", "enum", "required", "additionalproperties"]
                .iter()
                .any(|name| field(name).is_some()))
}

/// A map is a task when it says what to do and something a task has besides.
fn is_task(entries: &[(String, Loose)]) -> bool {
    let has = |keys: &[&str]| entries.iter().any(|(k, v)| keys.contains(&&*fold(k)) && !matches!(v, Loose::Map { .. }));
    has(PROMPT) && (has(AGENT) || has(ID) || has(NEEDS) || has(TITLE))
}

fn from_entries(entries: &[(String, Loose)]) -> Draft {
    let text = |keys: &[&str]| {
        keys.iter().find_map(|key| {
            entries.iter().filter(|(k, _)| fold(k) == *key).find_map(|(_, v)| match v {
                Loose::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
                // Instructions as a list of sentences, or an agent as a list of one.
                Loose::List(items) => {
                    let lines: Vec<&str> = items.iter().filter_map(word).collect();
                    (!lines.is_empty()).then(|| lines.join("\n"))
                }
                _ => None,
            })
        })
    };
    let mut draft =
        Draft { id: text(ID), title: text(TITLE), prompt: text(PROMPT), agent: text(AGENT), needs: Vec::new() };
    // {"step": 1, "task": "…"}: a number under a name that may hold the prompt is an id.
    if draft.id.is_none() {
        draft.id = entries.iter().find_map(|(k, v)| match v {
            Loose::Text(text) if matches!(&*fold(k), "step" | "task") && text.trim().parse::<u32>().is_ok() => {
                Some(text.clone())
            }
            _ => None,
        });
        if draft.prompt.is_some() && draft.prompt == draft.id {
            draft.prompt = None;
        }
    }
    for (key, value) in entries {
        if NEEDS.contains(&&*fold(key)) {
            needs(value, &mut draft.needs);
        }
    }
    draft.needs.truncate(MAX_NEEDS);
    draft
}

fn needs(value: &Loose, out: &mut Vec<String>) {
    match value {
        Loose::Null => {}
        Loose::Text(text) => {
            let parts = text.split([',', ';', '\n']).flat_map(|p| p.split(" and ")).map(str::trim);
            let nothing = ["", "none", "n/a", "na", "null", "nothing", "no", "-", "[]"];
            out.extend(parts.filter(|p| !nothing.contains(&&*p.to_ascii_lowercase())).map(str::to_owned));
        }
        Loose::List(items) => items.iter().take(MAX_NEEDS).for_each(|item| match item {
            Loose::Text(text) => out.push(text.trim().to_owned()),
            // [{"id": "a"}]
            Loose::Map { entries, .. } => out.extend(from_entries(entries).id),
            _ => {}
        }),
        Loose::Map { entries, .. } => out.extend(entries.iter().take(MAX_NEEDS).map(|(id, _)| id.clone())),
    }
}

fn word(value: &Loose) -> Option<&str> {
    match value {
        Loose::Text(text) if !text.trim().is_empty() => Some(text.trim()),
        _ => None,
    }
}

/// A key without case and separators: `depends_on`, `dependsOn` and `Depends-On` are one.
fn fold(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).take(32).collect()
}
