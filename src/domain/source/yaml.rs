//! YAML (and JSON, which is YAML) into [`Node`]s with their places, and what YAML took out of texts on the way.
//!
//! Built on the events of serde-saphyr's parser, because serde alone loses the places of keys. `<<` merges. Bounded:
//! nesting, the number of values, and the bytes of their texts, so that aliases can't blow up.

use std::collections::{BTreeMap, HashMap};

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span};

use super::mistakes::{Mistake, syntax};
use super::node::{Entry, Node, Place, SourceName, Value};

/// Deeper nesting than any plan needs.
const MAX_DEPTH: usize = 32;
/// More values than a plan of 10,000 tasks has; aliases count with all they stand for.
const MAX_NODES: usize = 500_000;
/// More bytes of names and texts than a plan may have in a journal; aliases count with all they stand for. It bounds what
/// reading a small file can take of memory.
const MAX_TEXT: usize = 8 << 20;
/// Comments in a row that are waited for behind a key: as many as lines fit into a file. The parser's own 96 would refuse
/// a plan with a long note in it.
const MAX_COMMENTS: usize = 1 << 22;
/// The most characters that are kept of what a text lost.
const LOST: usize = 60;

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

/// How YAML takes a piece out of an unquoted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lost {
    /// From ` #` on it is a comment.
    Comment,
    /// Its first word, with `!` before it, is a tag that means nothing.
    Tag,
    /// Its first word, with `&` before it, is a name that nothing refers to.
    Anchor,
}

/// A piece of a value that its writer most likely meant as text. Whether they did depends on the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Where the value stands, as in its node.
    pub(crate) value: Place,
    /// Where the lost piece stands.
    pub(crate) at: Place,
    /// How it went.
    pub(crate) how: Lost,
    /// It, or its beginning.
    pub(crate) text: String,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// The value.
    pub(crate) root: Node,
    /// What values lost.
    pub(crate) losses: Vec<Loss>,
}

/// Reads one document. An empty one is [`Value::Null`].
///
/// # Errors
/// The first thing that is not YAML, a key that comes twice in a map, a second document, or a bound that is passed.
pub(crate) fn read_yaml(text: &str, source: &SourceName) -> Result<Document, YamlError> {
    let mut options = Options::default();
    options.emit_anchor_events = true;
    options.max_buffered_comment_events = MAX_COMMENTS;
    let events = Parser::new_from_str_with_options(text, options).map(|event| event.map_err(Mistake::from));
    let mut builder = Builder {
        events,
        text,
        source,
        anchors: HashMap::new(),
        nodes: 0,
        bytes: 0,
        plain: None,
        unused: BTreeMap::new(),
        losses: Vec::new(),
    };
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
    let root = root.unwrap_or_else(|| Node { place: Place::START, source: source.clone(), value: Value::Null });
    Ok(Document { root, losses: builder.losses() })
}

/// A finished value that has a name, with how many values and bytes it holds.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
    plain: bool,
}

struct Builder<'a, E> {
    events: E,
    text: &'a str,
    source: &'a SourceName,
    /// By the parser's number for it.
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    bytes: usize,
    /// The unquoted value that was just read, and the line it ends on.
    plain: Option<(Place, usize)>,
    /// Names given to values that no alias refers to so far, with their places.
    unused: BTreeMap<usize, (Place, String)>,
    losses: Vec<Loss>,
}

impl<'a, E: Iterator<Item = Result<(Event<'a>, Span), Mistake>>> Builder<'_, E> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok((Event::Comment(text, _), span))) => {
                    if let Some((value, _)) = self.plain.take().filter(|(_, line)| *line == span.start.line()) {
                        let text = cut(&format!("#{text}"));
                        self.losses.push(Loss { value, at: place(span), how: Lost::Comment, text });
                    }
                }
                Some(Ok((Event::Anchor(id, name), span))) => {
                    self.unused.insert(id, (place(span), cut(&format!("&{name}"))));
                }
                Some(Ok(pair)) => {
                    self.plain = None;
                    return Ok(Some(pair));
                }
                Some(Err(mistake)) => {
                    // What a comment took away is often what is missing.
                    let hash = self.losses.iter().rev().find(|l| l.how == Lost::Comment);
                    return Err(syntax(&mistake, self.text, hash));
                }
            }
        }
    }

    /// What was lost, names that nothing refers to with it.
    fn losses(mut self) -> Vec<Loss> {
        for (id, (at, text)) in self.unused {
            if let Some(anchored) = self.anchors.get(&id).filter(|a| a.plain) {
                self.losses.push(Loss { value: anchored.node.place, at, how: Lost::Anchor, text });
            }
        }
        self.losses.sort_by_key(|loss| (loss.value, loss.how));
        self.losses
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let before = (self.nodes, self.bytes);
        self.count(1, 0, span)?;
        if depth > MAX_DEPTH {
            return Err(fail(span, format!("nested more than {MAX_DEPTH} deep"), "write it flatter"));
        }
        let mut plain = false;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(0, text.len(), span)?;
                plain = style == ScalarStyle::Plain;
                if plain {
                    self.plain = Some((place(span), span.end.line()));
                }
                if let Some((tag, at)) = tag.as_ref().zip(span.tag_start).filter(|(tag, _)| !tag.is_yaml_core_schema())
                {
                    let at = Place { line: at.line().max(1), column: at.col() + 1 };
                    self.losses.push(Loss { value: place(span), at, how: Lost::Tag, text: cut(&tag.original()) });
                }
                (anchor, if plain && tag.is_none() { scalar(&text) } else { Value::Text(text.into_owned()) })
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
                self.unused.remove(&id);
                let missing = || fail(span, "this alias names nothing that is finished", "write the value out");
                let (nodes, bytes) = self.anchors.get(&id).map(|a| (a.nodes, a.bytes)).ok_or_else(missing)?;
                // Counted before it is copied.
                self.count(nodes, bytes, span)?;
                return self.anchors.get(&id).map(|a| a.node.clone()).ok_or_else(missing);
            }
            _ => return Err(fail(span, "a value was expected here", "write the value, or remove the key")),
        };
        let node = Node { place: place(span), source: self.source.clone(), value };
        if anchor != 0 {
            let (nodes, bytes) = (self.nodes - before.0, self.bytes - before.1);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, bytes, plain });
        }
        Ok(node)
    }

    fn map(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first_of: HashMap<String, usize> = HashMap::new();
        let mut merged = Vec::new();
        while let Some((event, span)) = self.next()? {
            let (key, merges) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, ..) => {
                    let merges = style == ScalarStyle::Plain && text == "<<";
                    (text.into_owned(), merges)
                }
                _ => return Err(fail(span, "a name was expected here", "write `name: value`")),
            };
            self.count(0, key.len(), span)?;
            let at = place(span);
            if let Some(space) = key.chars().next().filter(|c| c.is_whitespace()) {
                let what = format!(
                    "the line is indented with the character U+{:04X}, which only looks like a space",
                    u32::from(space)
                );
                return Err(fail(span, what, "replace it with plain spaces"));
            }
            let first = if merges { None } else { first_of.insert(key.clone(), at.line) };
            if let Some(line) = first {
                return Err(fail(span, format!("`{key}` is given twice; first on line {line}"), "keep one of the two"));
            }
            let Some((event, span)) = self.next()? else { break };
            let node = self.node(event, span, depth + 1)?;
            if merges {
                merged.push((node, span));
            } else {
                entries.push(Entry { key, place: at, node });
            }
        }
        // What is written out goes before what is merged, and what is merged first before what comes after it.
        for (node, span) in merged {
            let groups = match node.value {
                Value::List(items) => items,
                _ => vec![node],
            };
            for group in groups {
                let Value::Map(more) = group.value else {
                    let mend = "write `<<: *name`, where `&name` stands at a group of named values";
                    return Err(fail(
                        span,
                        format!("`<<` is {}, and merges groups of named values", group.kind()),
                        mend,
                    ));
                };
                let new = |e: &Entry| first_of.insert(e.key.clone(), e.place.line).is_none();
                entries.extend(more.into_iter().filter(new));
            }
        }
        Ok(Value::Map(entries))
    }

    fn count(&mut self, nodes: usize, bytes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.nodes > MAX_NODES {
            return Err(fail(span, format!("more than {MAX_NODES} values"), "split the plan in two"));
        }
        if self.bytes > MAX_TEXT {
            let what = format!("more than {MAX_TEXT} bytes of text, once its aliases are written out");
            return Err(fail(span, what, "use fewer or shorter texts, or split the plan in two"));
        }
        Ok(())
    }
}

/// The beginning of what was lost.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
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
    // `007` and `+7` are texts of people: a number would lose how they were written.
    if let Ok(n) = text.parse::<i64>() {
        return if n.to_string() == text { Value::Integer(n) } else { Value::Text(text.to_owned()) };
    }
    if matches!(text.trim_start_matches(['-', '+']).as_bytes(), [b'0', b'0'..=b'9', ..]) {
        return Value::Text(text.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, YamlError> {
        read_yaml(text, &"t".into()).map(|document| document.root)
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

    #[test]
    fn groups_are_merged_and_what_is_written_out_wins() {
        let node =
            read("- &a {x: 1, y: 2}\n- &b {y: 3, z: 4}\n- {<<: [*a, *b], x: 0}\n- <<: *a\n  x: 5\n- {\"<<\": 1}\n")
                .unwrap();
        let shown = |i: usize| {
            let entries = node.items()[i].entries().iter();
            entries
                .map(|e| format!("{}={}", e.key, e.node.kind()))
                .collect::<Vec<_>>()
                .join(" ")
                .replace("the number ", "")
        };
        assert_eq!(shown(2), "x=0 y=2 z=4");
        assert_eq!(shown(3), "x=5 y=2");
        assert_eq!(shown(4), "<<=1");
        let error = read("a: 1\n<<: b\n").unwrap_err();
        assert!(error.what.contains("`<<` is text") && error.place.line == 2, "{error:?}");
    }

    #[test]
    fn a_number_stays_as_it_was_written() {
        let node = read("[007, +7, -0, 7, -7, 1.5, 00.5]").unwrap();
        let shown: Vec<String> =
            node.items().iter().map(|n| n.text().map_or_else(|| n.kind(), str::to_owned)).collect();
        assert_eq!(shown, ["007", "+7", "-0", "the number 7", "the number -7", "the number 1.5", "00.5"]);
    }

    #[test]
    fn what_yaml_takes_out_of_a_text_is_known_with_its_place() {
        let losses = |text: &str| -> Vec<String> {
            let found = read_yaml(text, &"t".into()).unwrap().losses;
            found.iter().map(|l| format!("{}:{} {:?} {}", l.at.line, l.at.column, l.how, l.text)).collect()
        };
        assert_eq!(losses("a: Mend #42 and\nb: 1\n"), ["1:9 Comment #42 and"]);
        assert_eq!(losses("a: #42 first\nb: 1\n"), ["1:4 Comment #42 first"]);
        assert_eq!(losses("a: one\n  two #3\n"), ["2:7 Comment #3"]);
        assert_eq!(
            losses("a: !important fix it\nb: &D is wrong\nc: !!str 7\nd: ! x\n"),
            ["1:4 Tag !important", "2:4 Anchor &D", "4:4 Tag !"]
        );
        // Not a text's own: quoted, a block, a line of its own, behind a list, a name that is used.
        let fine = "a: \"Mend #42\" # so\nb: | # so\n  Mend #42\n# so\nc: # so\n  Mend it\nd: [x, y] # so\ne: &p text\nf: *p # so\n";
        assert_eq!(losses(fine), [""; 0]);
    }

    #[test]
    fn a_long_note_is_no_mistake() {
        let note = "  # a line\n".repeat(300);
        assert!(read(&format!("a:\n{note}  b: 1\n{note}c:\n{note}- d\n")).is_ok());
    }

    #[test]
    fn what_aliases_stand_for_is_counted_before_it_is_copied() {
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 100].join(", "));
        let error = read(&long).unwrap_err();
        assert!(error.what.contains("once its aliases are written out") && error.place.line == 2, "{}", error.what);
    }
}
