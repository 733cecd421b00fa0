//! What is wrong with a text that is no YAML, in words that say how to mend it.
//!
//! Not here: reading it (`yaml`). The parser's own words say what it met; the line it met it on often says why.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use super::node::Place;
use super::yaml::{Loss, YamlError};

/// What the parser met, and where.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    place: Place,
    message: String,
    /// A character that nothing begins with.
    strange: Option<char>,
}

impl From<ScanError> for Mistake {
    fn from(error: ScanError) -> Self {
        let marker = error.marker();
        let place = Place { line: marker.line().max(1), column: marker.col() + 1 };
        let strange = match error.kind() {
            ErrorKind::UnexpectedCharacter { character } => Some(*character),
            _ => None,
        };
        Self { place, message: error.kind().to_string(), strange }
    }
}

/// A mistake with its mend. `hash` is the last comment before it that stands behind an unquoted text.
pub(super) fn syntax(mistake: &Mistake, text: &str, hash: Option<&Loss>) -> YamlError {
    let Mistake { place, message, strange } = mistake;
    let line = text.lines().nth(place.line - 1).unwrap_or_default();
    let before: String = line.chars().take(place.column - 1).collect();
    let first = line.chars().nth(place.column - 1);
    // Signs that mean something to YAML where a value begins.
    let begins = before.trim_end().is_empty() || before.trim_end().ends_with([':', '-', '[', ',', '{']);
    let sign = strange.or(first.filter(|c| begins && "@%`,]}?|>&*!".contains(*c)));
    let space = line.chars().find(|c| c.is_whitespace() && !c.is_ascii());
    let comment =
        hash.filter(|h| message.contains("comment") || message.contains("bracket") || h.at.line + 1 >= place.line);
    let comment =
        comment.map(|h| h.at.line).or_else(|| message.contains("bracket").then(|| hash_in_brackets(text, *place))?);
    let mut what = format!("this is not YAML: {message}");
    let mend = if message.contains("tab") {
        "indent with spaces, not tabs".to_owned()
    } else if let Some(space) = space {
        let code = format!("U+{:04X}", u32::from(space));
        what = format!("this is not YAML: the line has the character {code}, which only looks like a space");
        "replace it with a plain space".to_owned()
    } else if let Some(line) = comment {
        format!("put quotes around the text on line {line}: from ` #` on it is a comment")
    } else if message.contains("mapping values") {
        "put quotes around a text that has `: ` in it, or check the indentation".to_owned()
    } else if message.contains("anchor") {
        "put quotes around a text that begins with `*` or `&`".to_owned()
    } else if message.contains("block scalar") {
        "put quotes around a text that begins with `>` or `|`, or begin the text on the next line".to_owned()
    } else if let Some(sign) = sign {
        what = format!("this is not YAML: a text without quotes can't begin with `{sign}`");
        "put quotes around the text".to_owned()
    } else if text.lines().any(|line| line.starts_with('%')) && message.contains("document start") {
        "put quotes around a text that begins with `%`".to_owned()
    } else if message.contains("trailing content") {
        "write a quote within quotes twice, or use the other kind of quotes around the whole text".to_owned()
    } else if message.contains("quoted") {
        "close the quote".to_owned()
    } else if message.contains("flow") || message.contains("bracket") {
        "close every `[` and `{`, and put commas between their values".to_owned()
    } else {
        "check the indentation, the quotes and the brackets here and on the line before".to_owned()
    };
    YamlError { place: *place, what, mend }
}

/// The line of the first ` #` after an open bracket: a comment there takes the closing one with it.
fn hash_in_brackets(text: &str, open: Place) -> Option<usize> {
    let lines = text.lines().enumerate().skip(open.line - 1);
    let mut of_text = lines.filter(|(_, line)| !line.trim_start().starts_with('#'));
    of_text.find(|(_, line)| line.contains(" #")).map(|(i, _)| i + 1)
}

#[cfg(test)]
mod tests {
    use super::super::yaml::read_yaml;

    #[test]
    fn each_mistake_has_the_mend_that_mends_it() {
        for (text, at, what, mend) in [
            ("a: @me look\n", "1:4", "can't begin with `@`", "quotes around the text"),
            ("a: %d is wrong\n", "1:4", "can't begin with `%`", "quotes around the text"),
            ("a: `cargo test` fails\n", "1:4", "can't begin with ``", "quotes around the text"),
            ("a: [x, %y]\n", "1:8", "can't begin with `%`", "quotes around the text"),
            ("a: }x\n", "1:4", "can't begin with `}`", "quotes around the text"),
            ("%d: 1\n", "2:1", "document start", "begins with `%`"),
            ("a: > fix it\n  x\n", "1:4", "block scalar", "begins with `>`"),
            ("a: \"x\" y\n", "1:8", "trailing content", "the other kind of quotes"),
            ("a: one # two\n  three\n", "1:8", "comment", "quotes around the text on line 1: from ` #`"),
            ("- {id: a,\n   p: Mend #42}\n", "1:3", "bracket", "quotes around the text on line 2"),
            ("a:\n\tb: 1\n", "2:2", "tab", "spaces, not tabs"),
            ("a:\n\u{a0}\u{a0}b: 1\n", "2:1", "U+00A0", "plain spaces"),
            ("a: 1\nb:\u{a0}2\nc: 3\n", "2:1", "U+00A0", "plain space"),
            ("a: *x\n", "1:4", "anchor", "begins with `*`"),
            ("a: x: y\n", "1:5", "mapping values", "has `: ` in it"),
        ] {
            let error = read_yaml(text, &"t".into()).unwrap_err();
            let place = format!("{}:{}", error.place.line, error.place.column);
            assert!(error.what.contains(what) && error.mend.contains(mend), "{text:?}: {error:?}");
            assert_eq!(place, at, "{text:?}: {error:?}");
        }
    }
}
