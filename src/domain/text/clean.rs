//! [`CleanText`]: text that a terminal may be given.
//!
//! Not here: the rules ([`mod@super::sanitize`]). Invariant: a `CleanText` never holds a control but newline, an escape
//! sequence, or a character that hides or reorders others, wherever it came from: each constructor sanitises, or takes
//! a part of what was sanitised.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::sanitize::sanitize;

/// Sanitised text: no escape sequences, no controls but newline, no bidi overrides, no zero-width tricks.
/// Its only constructor sanitises; reading one from a file or a socket does too. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CleanText(Arc<str>);

impl CleanText {
    /// Sanitises `raw`. Text that is clean already is copied once and looked at once.
    pub fn new(raw: &str) -> Self {
        Self(Arc::from(&*sanitize(raw)))
    }

    /// A literal of our own. Sanitised like all else; in a debug build a literal that needs it fails an assertion.
    pub fn from_static(text: &'static str) -> Self {
        debug_assert_eq!(&*sanitize(text), text, "a literal should be clean as written");
        Self::new(text)
    }

    /// For the rooms beside this one, on text that went through the sanitiser.
    pub(super) fn trusted(clean: &str) -> Self {
        Self(Arc::from(trim_joiners(clean)))
    }

    /// Sanitises `raw` onto one line: line ends and runs of spaces become one space.
    pub fn one_line(raw: &str) -> Self {
        // Sanitised first: a dropped escape sequence may leave two spaces beside each other.
        Self::new(raw).to_one_line()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes `range` of it, moved outwards to whole characters and inwards to the text's length. Not sanitised
    /// again: a part of clean text is clean, but for a joiner at its ends, which is left out.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = self.0.ceil_char_boundary(range.end.min(self.0.len()));
        let start = self.0.floor_char_boundary(range.start.min(end));
        Self::trusted(self.0.get(start..end).unwrap_or_default())
    }

    /// The text on one line: each run of white space is one space, none at the ends.
    pub fn to_one_line(&self) -> Self {
        let mut words = self.0.split_whitespace();
        let mut out = String::with_capacity(self.0.len());
        out.extend(words.next());
        for word in words {
            out.push(' ');
            out.push_str(word);
        }
        if out == *self.0 { self.clone() } else { Self::new(&out) }
    }

    /// The parts, one after the other.
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a CleanText>) -> Self {
        // Sanitised once more: two clean parts may together have too many marks on one base.
        Self::new(&parts.into_iter().map(CleanText::as_str).collect::<String>())
    }
}

fn trim_joiners(text: &str) -> &str {
    text.trim_matches(['\u{200c}', '\u{200d}'])
}

impl Default for CleanText {
    fn default() -> Self {
        Self("".into())
    }
}

impl Deref for CleanText {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for CleanText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for CleanText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for CleanText {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for CleanText {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for CleanText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CleanText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl From<&str> for CleanText {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<String> for CleanText {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl<'de> Deserialize<'de> for CleanText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = CleanText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: serde::de::Error>(self, raw: &str) -> Result<CleanText, E> {
                Ok(CleanText::new(raw))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl schemars::JsonSchema for CleanText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_sanitises() {
        let text: CleanText = serde_json::from_str(r#""a\u001b[31mb\u202ec""#).unwrap();
        assert_eq!(text, "ab·c");
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"ab·c\"");
        assert!(serde_json::from_str::<CleanText>("3").is_err());
    }

    #[test]
    fn a_slice_has_whole_characters() {
        let text = CleanText::new("aé空👩\u{200d}🚀");
        assert_eq!(text.slice(0..2), "aé");
        assert_eq!(text.slice(3..6), "空");
        assert_eq!(text.slice(6..13), "👩");
        assert_eq!(text.slice(10..99), "🚀");
        assert_eq!(text.slice(Range { start: 99, end: 3 }), "");
    }

    #[test]
    fn one_line_collapses() {
        assert_eq!(CleanText::new("  a\r\n\n b\tc ").to_one_line(), "a b c");
        assert_eq!(CleanText::one_line("a \x1b[1m \u{2028}b\n"), "a b");
        assert_eq!(CleanText::new("same text").to_one_line(), "same text");
    }

    #[test]
    fn concat_stays_clean() {
        let base = CleanText::new(&format!("a{}", "\u{301}".repeat(8)));
        let marks = CleanText::new(&"\u{301}".repeat(8));
        assert_eq!(CleanText::concat([&base, &marks]), base);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "clean as written")]
    fn an_unclean_literal_is_found_in_debug() {
        let _ = CleanText::from_static("\x1b[31m");
    }
}
