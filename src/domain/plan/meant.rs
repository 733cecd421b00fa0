//! What people write for `needs`, as in the files of other programs, put into the form of a plan before it is read.
//!
//! Not here: what a model may write instead (`decompose`), which is mended and said. A file of a person is taken as it is
//! meant only where nothing else can be meant.

use crate::domain::source::{Entry, Node, Value};

/// Other names of `needs`, without case, `_` and `-`.
const NEEDS: &[&str] = &["dependson", "dependencies", "depends", "deps", "after"];
/// Fields that hold the name in a need that is written as a group, as in `needs: [{job: a}]`.
const NAMES: &[&str] = &["id", "task", "job", "name"];

/// Takes what is only there to be referred to (`x-…`) out of a plan, and writes the needs of its tasks as lists.
pub(super) fn settle(root: &mut Node) {
    let Value::Map(entries) = &mut root.value else { return };
    entries.retain(|e| !e.key.starts_with("x-"));
    let tasks = entries.iter_mut().filter(|e| e.key == "tasks");
    for task in
        tasks.filter_map(|e| if let Value::List(tasks) = &mut e.node.value { Some(tasks) } else { None }).flatten()
    {
        if let Value::Map(fields) = &mut task.value {
            needs(fields);
        }
    }
}

fn needs(fields: &mut Vec<Entry>) {
    let mut first: Option<usize> = None;
    let mut i = 0;
    while i < fields.len() {
        if fields[i].key != "needs" && !is_other_name(&fields[i].key) {
            i += 1;
            continue;
        }
        fields[i].key = "needs".to_owned();
        list(&mut fields[i].node);
        let Some(first) = first else {
            first = Some(i);
            i += 1;
            continue;
        };
        // A second list under another name: both are meant.
        let more = fields.remove(i).node.value;
        if let (Value::List(all), Value::List(more)) = (&mut fields[first].node.value, more) {
            all.extend(more);
        }
    }
}

fn is_other_name(key: &str) -> bool {
    let folded: String = key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect();
    NEEDS.contains(&folded.as_str())
}

/// One name, names with commas between them, or names as keys, as a list.
fn list(node: &mut Node) {
    let items = match &node.value {
        Value::Null => Vec::new(),
        Value::Integer(_) => vec![node.clone()],
        Value::Text(text) => {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| node.with(Value::Text(name.to_owned()))).collect()
        }
        Value::Map(entries) => {
            entries.iter().map(|e| Node { place: e.place, ..node.with(Value::Text(e.key.clone())) }).collect()
        }
        Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Map(_))) => {
            let named = |item: &Node| NAMES.iter().find_map(|name| item.get(name)).unwrap_or(item).clone();
            items.iter().map(named).collect()
        }
        _ => return,
    };
    node.value = Value::List(items);
}
