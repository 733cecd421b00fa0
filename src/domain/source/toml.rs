//! TOML into [`Node`]s with their places.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::fault::SourceError;
use super::node::{Entry, Node, Place, SourceName, Value};

/// Reads a file; the root is always a map. Entries stand in the order of the file.
///
/// # Errors
/// Every place that is no TOML.
pub(crate) fn read_toml(text: &str, source: &SourceName) -> Result<Node, Vec<SourceError>> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let errors = errors.iter().take(20).map(|error| {
            let place = error.span().map_or(Place::START, |span| lines.place(span.start));
            let what = format!("this is not TOML: {}", error.message().lines().next().unwrap_or("unreadable"));
            let mend = match error.message() {
                m if m.contains("duplicate") => "keep one of the two",
                m if m.contains("string") => "put the text in double quotes",
                _ => "write `name = value`; texts in double quotes, lists in [ ]",
            };
            SourceError::new(source, place, what, mend)
        });
        return Err(errors.collect());
    }
    let value = map(table.get_ref(), &lines, source);
    Ok(Node { place: Place::START, source: source.clone(), value })
}

fn map(table: &DeTable<'_>, lines: &Lines<'_>, source: &SourceName) -> Value {
    let mut entries: Vec<(usize, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let entry =
                Entry { key: key.get_ref().to_string(), place: lines.place(start), node: node(value, lines, source) };
            (start, entry)
        })
        .collect();
    entries.sort_by_key(|(start, _)| *start);
    Value::Map(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>, source: &SourceName) -> Node {
    let place = lines.place(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Integer(n),
            Err(_) => Value::Text(n.to_string()),
        },
        DeValue::Float(n) => n.as_str().parse().map_or_else(|_| Value::Text(n.as_str().to_owned()), Value::Float),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(at) => Value::Text(at.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(item, lines, source)).collect()),
        DeValue::Table(table) => map(table, lines, source),
    };
    Node { place, source: source.clone(), value }
}

/// Byte offsets to lines and columns.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, starts: std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect() }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Place { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_places_and_order() {
        let node = read_toml("b = 1\na = { c = \"é\", d = [1_000, 0x1f] }\n[[z]]\nx = 1.5\n", &"t".into()).unwrap();
        assert_eq!(node.entries().iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["b", "a", "z"]);
        let d = node.get("a").unwrap().get("d").unwrap();
        assert_eq!(d.place, Place { line: 2, column: 20 });
        assert_eq!((&d.items()[0].value, &d.items()[1].value), (&Value::Integer(1000), &Value::Integer(31)));
        assert_eq!(node.get("z").unwrap().items()[0].get("x").unwrap().value, Value::Float(1.5));
        let error = read_toml("a = 1\nb = = 2\n", &"t".into()).unwrap_err().remove(0);
        assert_eq!(error.line, 2);
    }
}
