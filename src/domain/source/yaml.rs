//! YAML (and JSON, which is YAML) into [`Node`]s with their places.
//!
//! Built on the events of serde-saphyr's parser, because serde alone loses the places of keys. Bounded: nesting, and
//! the number of values, so that aliases can't blow up.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::node::{Entry, Node, Place, SourceName, Value};

/// Deeper nesting than any plan needs.
const MAX_DEPTH: usize = 32;
/// More values than a plan of 10,000 tasks has; aliases count with all they stand for.
const MAX_NODES: usize = 500_000;

/// Why a text is no YAML that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    /// Where.
    pub(crate) place: Place,
    /// What is wrong.
    pub(crate) what: String,
    /// How to mend it.
    pub(crate) mend: String,
}

/// Reads one document. An empty one is [`Value::Null`].
///
/// # Errors
/// The first thing that is not YAML, a key that comes twice in a map, a second document, or a bound that is passed.
pub(crate) fn read_yaml(text: &str, source: &SourceName) -> Result<Node, YamlError> {
    let events = Parser::new_from_str(text);
    let mut builder = Builder { events, source, anchors: HashMap::new(), nodes: 0 };
    let mut root = None;
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
            other if root.is_none() => root = Some(builder.node(other, span, 0)?),
            _ => {
                let mend = "keep one document: remove what follows the second `---`";
                return Err(fail(span, "a second document starts here", mend));
            }
        }
    }
    Ok(root.unwrap_or_else(|| Node { place: Place::START, source: source.clone(), value: Value::Null }))
}

struct Builder<'a, E> {
    events: E,
    source: &'a SourceName,
    /// Finished values by anchor, with how many values each holds.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a, E: Iterator<Item = Result<(Event<'a>, Span), ScanError>>> Builder<'_, E> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok(pair)) => return Ok(Some(pair)),
                Some(Err(error)) => return Err(syntax(&error)),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let before = self.nodes;
        self.count(1, span)?;
        if depth > MAX_DEPTH {
            return Err(fail(span, format!("nested more than {MAX_DEPTH} deep"), "write it flatter"));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (anchor, if plain { scalar(&text) } else { Value::Text(text.into_owned()) })
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                while let Some((event, span)) = self.next()? {
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
                (anchor, Value::List(items))
            }
            Event::MappingStart(_, anchor, _) => (anchor, self.map(depth)?),
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    return Err(fail(span, "this alias names nothing that is finished", "write the value out"));
                };
                self.count(size, span)?;
                return Ok(node);
            }
            _ => return Err(fail(span, "a value was expected here", "write the value, or remove the key")),
        };
        let node = Node { place: place(span), source: self.source.clone(), value };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn map(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first_of: HashMap<String, usize> = HashMap::new();
        while let Some((event, span)) = self.next()? {
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(fail(span, "a name was expected here", "write `name: value`")),
            };
            let at = place(span);
            if let Some(line) = first_of.insert(key.clone(), at.line) {
                return Err(fail(span, format!("`{key}` is given twice; first on line {line}"), "keep one of the two"));
            }
            let Some((event, span)) = self.next()? else { break };
            let node = self.node(event, span, depth + 1)?;
            entries.push(Entry { key, place: at, node });
        }
        Ok(Value::Map(entries))
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            return Err(fail(span, format!("more than {MAX_NODES} values"), "split the plan in two"));
        }
        Ok(())
    }
}

/// A plain scalar by YAML's core schema, without its traps: `no` and `on` are text.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(n) = text.parse() {
        return Value::Integer(n);
    }
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    match text.parse::<f64>() {
        Ok(n) if numeric && n.is_finite() => Value::Float(n),
        _ => Value::Text(text.to_owned()),
    }
}

fn place(span: Span) -> Place {
    Place { line: span.start.line().max(1), column: span.start.col() + 1 }
}

fn fail(span: Span, what: impl Into<String>, mend: impl Into<String>) -> YamlError {
    YamlError { place: place(span), what: what.into(), mend: mend.into() }
}

fn syntax(error: &ScanError) -> YamlError {
    let marker = error.marker();
    let message = error.kind().to_string();
    let mend = if message.contains("tab") {
        "indent with spaces, not tabs"
    } else if message.contains("mapping values") {
        "put quotes around a text that has `: ` in it, or check the indentation"
    } else if message.contains("anchor") {
        "put quotes around a text that begins with `*` or `&`"
    } else if message.contains("quoted") {
        "close the quote"
    } else if message.contains("flow") {
        "close every `[` and `{`, and put commas between their values"
    } else {
        "check the indentation, the quotes and the brackets here and on the line before"
    };
    let place = Place { line: marker.line().max(1), column: marker.col() + 1 };
    YamlError { place, what: format!("this is not YAML: {message}"), mend: mend.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, YamlError> {
        read_yaml(text, &"t".into())
    }

    #[test]
    fn values_know_their_places() {
        let node = read("a: 1\nb:\n  - {c: no, d: \"7\"}\n").unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Integer(1));
        let item = &node.get("b").unwrap().items()[0];
        assert_eq!(item.get("c").unwrap().text(), Some("no"));
        assert_eq!(item.get("d").unwrap().text(), Some("7"));
        assert_eq!(item.get("d").unwrap().place, Place { line: 3, column: 16 });
    }

    #[test]
    fn bombs_and_depth_are_bounded() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let many = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{many}]\n"));
        }
        assert!(read(&bomb).unwrap_err().what.contains("more than"));
        assert!(read(&"[".repeat(5_000)).is_err());
    }

    #[test]
    fn a_key_given_twice_is_named() {
        let error = read("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((error.place.line, error.place.column), (3, 1));
        assert!(error.what.contains("`a` is given twice; first on line 1"));
    }
}
