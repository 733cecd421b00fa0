//! Texts of a plan of which YAML keeps only a part: an unquoted one ends at ` #`, and its first word may be a tag or a name.
//!
//! Not here: what YAML takes out of values (`source/yaml`). A comment behind an id, a number or a list is no loss: only
//! texts of people count.

use std::collections::BTreeMap;

use crate::domain::source::{Loss, Lost, Node, Place, SourceError, Value};

/// Fields that hold texts of people, wherever they stand.
const TEXTS: &[&str] = &[
    "goal",
    "title",
    "prompt",
    "phase",
    "checks",
    "description",
    "deliverable",
    "success",
    "steps",
    "question",
    "body",
];
/// The most characters that are shown of what was read.
const SHOWN: usize = 60;

/// A warning for each piece that was lost, in the order of the file.
pub(super) fn warnings(root: &Node, losses: &[Loss]) -> Vec<SourceError> {
    if losses.is_empty() {
        return Vec::new();
    }
    let mut of_value: BTreeMap<Place, Vec<&Loss>> = BTreeMap::new();
    for loss in losses {
        of_value.entry(loss.value).or_default().push(loss);
    }
    // By place: an alias is read once for each of its uses, and its text is lost once.
    let mut found = BTreeMap::new();
    walk(root, None, &mut |field, node| {
        for loss in of_value.get(&node.place).into_iter().flatten() {
            found.entry(loss.at).or_insert_with(|| warning(field, node, loss));
        }
    });
    found.into_values().collect()
}

fn walk(node: &Node, field: Option<&str>, found: &mut impl FnMut(&str, &Node)) {
    match (&node.value, field) {
        (Value::Text(_) | Value::Null | Value::Integer(_) | Value::Float(_) | Value::Bool(_), Some(field)) => {
            found(field, node);
        }
        (Value::List(items), _) => items.iter().for_each(|item| walk(item, field, found)),
        (Value::Map(entries), _) => {
            for entry in entries {
                walk(&entry.node, TEXTS.iter().find(|text| **text == entry.key).copied(), found);
            }
        }
        _ => {}
    }
}

fn warning(field: &str, node: &Node, loss: &Loss) -> SourceError {
    let read = match &node.value {
        Value::Null => "nothing".to_owned(),
        Value::Text(text) => format!("“{}”", cut(text)),
        _ => node.kind(),
    };
    let lost = &loss.text;
    let what = match loss.how {
        Lost::Comment => format!("`{field}` is read as {read}: “{lost}” is a comment in YAML"),
        Lost::Tag => format!("`{field}` is read as {read}: “{lost}” is a tag in YAML, and means nothing here"),
        Lost::Anchor => format!("`{field}` is read as {read}: “{lost}” is a name in YAML, and nothing refers to it"),
    };
    let mend = match loss.how {
        Lost::Comment => {
            format!(
                "put the whole text in quotes, or write it under `{field}: |`; a comment that is meant goes on a line of its own"
            )
        }
        _ => "put the whole text in quotes".to_owned(),
    };
    SourceError::new(&node.source, loss.at, what, mend)
}

fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        // The end is where something is missing.
        Some(_) => format!("…{}", line.chars().skip(line.chars().count() - SHOWN).collect::<String>()),
        None => line,
    }
}
