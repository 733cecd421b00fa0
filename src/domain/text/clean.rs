//! Text that a terminal may be given.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// Sanitised text: no escape sequences, no controls but newline, no bidi overrides, no zero-width tricks.
/// Its only constructor sanitises; reading one from a file or a socket does too. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CleanText(Arc<str>);

impl CleanText {
    /// Sanitises `raw`.
    pub fn new(raw: &str) -> Self {
        Self(raw.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>().into())
    }

    /// Sanitises `raw` onto one line: line ends and runs of spaces become one space.
    pub fn one_line(raw: &str) -> Self {
        Self::new(&raw.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
        std::borrow::Cow::<str>::deserialize(deserializer).map(|raw| Self::new(&raw))
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
