//! Which records are looked for: a line of words and `key:value` terms.
//!
//! `task:sources event:tool.* agent:coder -event:attempt.output cut` means: about the task, of such an event, by that
//! agent, no output, and with the word "cut". All terms must hold; `a,b` as a value means either; `*` stands for
//! anything; `-` before a term turns it round. Letters are compared without case. Not here: where records are kept.

use super::About;

/// The keys a term may have.
pub const KEYS: [&str; 7] = ["event", "task", "agent", "endpoint", "attempt", "goal", "by"];

/// A filter as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    sense: Sense,
    key: Key,
    /// Any of these; lower case.
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    With,
    Without,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Word,
    Event,
    Task,
    Agent,
    Endpoint,
    Attempt,
    Goal,
    By,
}

/// Why a filter can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A key that is none.
    #[error("{0:?} is no key; there are {keys}; in quotes it is a word", keys = KEYS.join(", "))]
    Key(String),
    /// A key without a value.
    #[error("{0}: needs a value, as in {0}:{1}")]
    Value(&'static str, &'static str),
    /// A quote that does not end.
    #[error("the quote has no end; close it with \"")]
    Quote,
}

/// What of a record a filter looks at, beside what its event says by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The event's name.
    pub name: &'a str,
    /// Whom it names, completed by what the state knows: the task and the agent of its attempt, and so on.
    pub about: About<'a>,
    /// The task's title.
    pub title: &'a str,
    /// What it says.
    pub words: &'a str,
}

impl RecordFilter {
    /// Reads a filter. An empty one passes everything.
    ///
    /// # Errors
    /// [`FilterError`] names the term and how to mend it.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut terms = Vec::new();
        for Piece { text, quoted_from } in pieces(text)? {
            let (sense, text, shift) = match text.strip_prefix(['-', '!']) {
                Some(rest) if !rest.is_empty() && quoted_from != Some(0) => (Sense::Without, rest.to_owned(), 1),
                _ => (Sense::With, text, 0),
            };
            let colon = text.find(':').filter(|at| quoted_from.is_none_or(|q| at + shift < q));
            let (key, value) = match colon {
                Some(at) => (key(&text[..at])?, &text[at + 1..]),
                None => (Key::Word, text.as_str()),
            };
            let values: Vec<String> = match key {
                Key::Word => vec![value.to_lowercase()],
                _ => value.split(',').filter(|v| !v.is_empty()).map(str::to_lowercase).collect(),
            };
            if values.is_empty() {
                let (name, example) = key.example();
                return Err(FilterError::Value(name, example));
            }
            terms.push(Term { sense, key, values });
        }
        Ok(Self { terms })
    }

    /// Whether it passes everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a record passes.
    pub fn passes(&self, facts: &Facts<'_>) -> bool {
        self.terms.iter().all(|term| term.values.iter().any(|v| term.holds(v, facts)) == (term.sense == Sense::With))
    }
}

impl Term {
    fn holds(&self, value: &str, facts: &Facts<'_>) -> bool {
        let about = &facts.about;
        match self.key {
            Key::Word => {
                [facts.name, facts.title, facts.words].iter().any(|text| contains(text, value))
                    || about.task.is_some_and(|t| contains(t.name.as_str(), value))
            }
            Key::Event => glob(value, facts.name),
            // A task is meant by its name or by a part of its title.
            Key::Task => {
                about.task.is_some_and(|t| glob(value, t.name.as_str()) || glob(value, &t.to_string()))
                    || (!facts.title.is_empty() && contains(facts.title, value))
            }
            Key::Agent => about.agent.is_some_and(|a| glob(value, a.as_str())),
            Key::Endpoint => about.endpoint.is_some_and(|e| glob(value, e.as_str())),
            Key::Attempt => about.attempt.is_some_and(|a| glob(value, &a.to_string())),
            Key::Goal => about.goal.or_else(|| about.task.map(|t| t.goal)).is_some_and(|g| glob(value, &g.to_string())),
            Key::By => about.author.is_some_and(|a| glob(value, &a.to_string())),
        }
    }
}

impl Key {
    const fn example(self) -> (&'static str, &'static str) {
        match self {
            Self::Word => ("word", "cut"),
            Self::Event => ("event", "task.*"),
            Self::Task => ("task", "sources"),
            Self::Agent => ("agent", "coder"),
            Self::Endpoint => ("endpoint", "qwen"),
            Self::Attempt => ("attempt", "a3"),
            Self::Goal => ("goal", "g1"),
            Self::By => ("by", "baton"),
        }
    }
}

fn key(name: &str) -> Result<Key, FilterError> {
    Ok(match name.to_lowercase().as_str() {
        "event" => Key::Event,
        "task" => Key::Task,
        "agent" => Key::Agent,
        "endpoint" => Key::Endpoint,
        "attempt" => Key::Attempt,
        "goal" => Key::Goal,
        "by" => Key::By,
        _ => return Err(FilterError::Key(name.to_owned())),
    })
}

/// A term as it was written, quotes taken off; the byte from which on it was quoted.
struct Piece {
    text: String,
    quoted_from: Option<usize>,
}

fn pieces(text: &str) -> Result<Vec<Piece>, FilterError> {
    let mut out = Vec::new();
    let (mut piece, mut quoted_from, mut open, mut any) = (String::new(), None, false, false);
    for c in text.chars() {
        match c {
            '"' => {
                if !open {
                    quoted_from.get_or_insert(piece.len());
                }
                open = !open;
                any = true;
            }
            c if c.is_whitespace() && !open => {
                if any {
                    out.push(Piece { text: std::mem::take(&mut piece), quoted_from: quoted_from.take() });
                    any = false;
                }
            }
            c => {
                piece.push(c);
                any = true;
            }
        }
    }
    if open {
        return Err(FilterError::Quote);
    }
    if any {
        out.push(Piece { text: piece, quoted_from });
    }
    out.retain(|p| !p.text.is_empty());
    Ok(out)
}

/// Whether `text` holds `needle` (lower case), without case.
fn contains(text: &str, needle: &str) -> bool {
    if text.is_ascii() && needle.is_ascii() {
        let (text, needle) = (text.as_bytes(), needle.as_bytes());
        return needle.is_empty() || text.windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle));
    }
    text.to_lowercase().contains(needle)
}

/// Whether `text` is as `pattern` (lower case) says, `*` standing for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::{AttemptId, Author, Name, TaskId};
    use super::*;

    fn passes(filter: &str, name: &str, words: &str) -> bool {
        let task: TaskId = "g1/sources".parse().unwrap();
        let (agent, endpoint, author) = (Name::slug("coder"), Name::slug("qwen"), Author::Baton);
        let about = About {
            goal: None,
            task: Some(&task),
            attempt: Some(AttemptId(3)),
            endpoint: Some(&endpoint),
            agent: Some(&agent),
            author: Some(&author),
        };
        let facts = Facts { name, about, title: "Find what was written", words };
        RecordFilter::parse(filter).unwrap().passes(&facts)
    }

    #[test]
    fn terms_hold_together_and_each_key_looks_at_its_own() {
        for yes in [
            "",
            "event:task.*",
            "event:*.failed",
            "event:task.failed,turn.ended",
            "task:sources",
            "task:g1/sources",
            "task:SOUR*",
            "task:written",
            "agent:coder endpoint:q* attempt:a3 goal:g1 by:baton",
            "Connection cut",
            "\"connection was\"",
            "-event:attempt.output",
            "!slot",
            "-task:other failed",
        ] {
            assert!(passes(yes, "task.failed", "the connection was cut"), "{yes}");
        }
        for no in ["event:task", "task:source", "agent:code", "-connection", "event:turn.*", "nothing", "goal:g2"] {
            assert!(!passes(no, "task.failed", "the connection was cut"), "{no}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_mend() {
        let error = |text| RecordFilter::parse(text).unwrap_err().to_string();
        assert!(error("tsk:x").contains("\"tsk\" is no key; there are event, task, agent"), "{}", error("tsk:x"));
        assert_eq!(error("event:"), "event: needs a value, as in event:task.*");
        assert!(error("\"open").contains("no end"));
        // In quotes a colon is a letter.
        assert!(passes("\"12:30\"", "task.failed", "at 12:30 it was cut"));
        assert!(passes("event:\"task.failed\"", "task.failed", ""));
    }

    #[test]
    fn letters_of_any_script_are_compared_without_case() {
        assert!(
            contains("Größe", "größe") && contains("解析器", "析") && !contains("abc", "abcd") && contains("a", "")
        );
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, is) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "axxbyyc", true),
            ("*", "", true),
            ("a*", "b", false),
            ("a*c", "abcd", false),
            ("ab", "AB", true),
            ("a*bc*bc", "abc", false),
        ] {
            assert_eq!(glob(pattern, text), is, "{pattern} {text}");
        }
    }
}
