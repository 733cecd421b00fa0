//! Ids as newtypes. They are counters or validated names, so that a decision never depends on chance or memory addresses.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Session time in microseconds since the session began; monotonic over all process lives of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// The end of time: a deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// Session time from whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// Session time from whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }

    /// Seconds as a float, for estimates and display.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// A length of time as sentences have it: `48s`, `3m12s`, `1h04m`.
    pub fn words(self) -> String {
        let all = self.0 / 1_000_000;
        match all {
            0..100 => format!("{all}s"),
            100..3600 => format!("{}m{:02}s", all / 60, all % 60),
            _ => format!("{}h{:02}m", all / 3600, all / 60 % 60),
        }
    }

    /// The time between `earlier` and this instant; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved forward, saturating at [`Micros::NEVER`].
    pub const fn plus(self, by: Self) -> Self {
        Self(self.0.saturating_add(by.0))
    }
}

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The name is empty.
    #[error("an id must not be empty; use 1 to 64 of A-Z a-z 0-9 . _ -")]
    Empty,
    /// The name is longer than 64 bytes.
    #[error("the id is {0} characters long; use at most 64 of A-Z a-z 0-9 . _ -")]
    Long(usize),
    /// A character outside `[A-Za-z0-9._-]`.
    #[error("the character {found:?} at position {at} is not allowed in an id; use A-Z a-z 0-9 . _ -")]
    Character {
        /// The character.
        found: char,
        /// Its 1-based position in characters.
        at: usize,
    },
    /// A task id is `GOAL/NAME`, as in `g1/sources`.
    #[error("a task id is written GOAL/NAME, as in g1/sources")]
    Task,
    /// A counter id is a letter and a number.
    #[error("expected {0} and a number, as in {0}1")]
    Counter(char),
}

/// A validated short name: 1 to 64 of `[A-Za-z0-9._-]`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks and keeps a name.
    ///
    /// # Errors
    /// [`IdError`] names the first thing that is wrong.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        // Bytes first: names are read by the million from a journal, and nearly all are as they should be.
        if !text.bytes().all(allowed)
            && let Some((i, found)) = text.chars().enumerate().find(|(_, c)| !u8::try_from(*c).is_ok_and(allowed))
        {
            return Err(IdError::Character { found, at: i + 1 });
        }
        if text.len() > 64 {
            return Err(IdError::Long(text.len()));
        }
        Ok(Self(text.into()))
    }

    /// The nearest valid name: forbidden characters become `-`, cut at 64, `x` when nothing is left.
    pub fn slug(text: &str) -> Self {
        let mut out = String::new();
        for c in text.chars() {
            let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c.to_ascii_lowercase() } else { '-' };
            if out.len() < 64 && !(c == '-' && (out.is_empty() || out.ends_with('-'))) {
                out.push(c);
            }
        }
        let out = out.trim_end_matches('-');
        Self(if out.is_empty() { "x".into() } else { out.into() })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl FromStr for Name {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

struct TextVisitor<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = IdError>> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(std::marker::PhantomData))
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})
    }
}

/// An agent's name, as in `researcher`.
pub type AgentName = Name;
/// A tier's name (a routing class), as in `q4_tools`.
pub type TierName = Name;
/// An endpoint's name, as in `athene`.
pub type EndpointName = Name;
/// A session's name: also its folder.
pub type SessionId = Name;
/// A command's id, given by who sends it; the same id twice acts once.
pub type CommandId = Name;

macro_rules! text_serde {
    ($type:ty, $name:literal, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor(std::marker::PhantomData))
            }
        }
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": $pattern})
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

fn counter(text: &str, letter: char) -> Result<u64, IdError> {
    text.strip_prefix(letter).and_then(|n| n.parse().ok()).ok_or(IdError::Counter(letter))
}

/// A goal of a session: `g1`, `g2`, …
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoalId(pub u32);

impl fmt::Display for GoalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

impl FromStr for GoalId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        counter(text, 'g').and_then(|n| u32::try_from(n).map_err(|_| IdError::Counter('g'))).map(Self)
    }
}
text_serde!(GoalId, "GoalId", "^g[0-9]+$");

/// One attempt of one task on one endpoint: `a1`, `a2`, … counted over the session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

impl FromStr for AttemptId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        counter(text, 'a').map(Self)
    }
}
text_serde!(AttemptId, "AttemptId", "^a[0-9]+$");

/// A console that watches the session: `v1`, `v2`, … counted over the session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerId(pub u64);

impl fmt::Display for ViewerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl FromStr for ViewerId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        counter(text, 'v').map(Self)
    }
}
text_serde!(ViewerId, "ViewerId", "^v[0-9]+$");

/// One model request: the `turn`-th turn (from 1) of an attempt, written `a7.1`. Effects and their inputs carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnId {
    /// The attempt.
    pub attempt: AttemptId,
    /// The turn's number within it, from 1.
    pub turn: u32,
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.attempt, self.turn)
    }
}

impl FromStr for TurnId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (attempt, turn) = text.split_once('.').ok_or(IdError::Counter('a'))?;
        Ok(Self { attempt: attempt.parse()?, turn: turn.parse().map_err(|_| IdError::Counter('a'))? })
    }
}
text_serde!(TurnId, "TurnId", "^a[0-9]+\\.[0-9]+$");

/// A task's full id, `g1/sources`: its goal and its name within the goal's plan. Never reused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The goal.
    pub goal: GoalId,
    /// The name in the plan.
    pub name: Name,
}

impl TaskId {
    /// Joins the two parts.
    pub fn new(goal: GoalId, name: Name) -> Self {
        Self { goal, name }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.goal, self.name)
    }
}

impl FromStr for TaskId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (goal, name) = text.split_once('/').ok_or(IdError::Task)?;
        Ok(Self { goal: goal.parse()?, name: Name::new(name)? })
    }
}
text_serde!(TaskId, "TaskId", "^g[0-9]+/[A-Za-z0-9._-]{1,64}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_write() {
        for text in ["g1/sources", "g12/a.b_c-d"] {
            assert_eq!(text.parse::<TaskId>().unwrap().to_string(), text);
        }
        assert_eq!("a7.2".parse::<TurnId>().unwrap().to_string(), "a7.2");
        assert_eq!("sources".parse::<TaskId>(), Err(IdError::Task));
        assert_eq!(Name::new("a b"), Err(IdError::Character { found: ' ', at: 2 }));
        assert_eq!(Name::new(""), Err(IdError::Empty));
    }

    #[test]
    fn a_slug_is_always_a_name() {
        for text in ["Compare two parsers!", "  ", "解析器", "--a--b--"] {
            let slug = Name::slug(text);
            assert_eq!(Name::new(slug.as_str()), Ok(slug));
        }
        assert_eq!(Name::slug("Compare two  parsers!").as_str(), "compare-two-parsers");
    }
}
