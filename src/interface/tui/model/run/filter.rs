//! The tree's filter: words that a task must all have, and `key:word` for one part of it.
//!
//! Not here: typing it. Invariant: a word that can't be understood says so and hides nothing.

use crate::domain::protocol::Micros;
use crate::domain::source::nearest;
use crate::domain::state::{State, Status, TaskIx};

/// The parts of a task that a filter can name.
const KEYS: [&str; 5] = ["status", "agent", "phase", "level", "endpoint"];
const STATUSES: [Status; 11] = [
    Status::Pending,
    Status::Ready,
    Status::Waiting,
    Status::Held,
    Status::Blocked,
    Status::Running,
    Status::Asking,
    Status::Done,
    Status::Failed,
    Status::Cancelled,
    Status::Skipped,
];
const LEVELS: [&str; 3] = ["low", "medium", "high"];

/// One word of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// Anywhere: title, agent, phase, the beginning of the status.
    Any(String),
    /// In one part.
    Of(&'static str, String),
}

/// What the tree is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As it was typed.
    pub text: String,
    words: Vec<Word>,
    /// What can't be understood, in words.
    pub trouble: Option<String>,
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Self {
        let mut out = Self { text: text.to_owned(), ..Self::default() };
        for word in text.to_lowercase().split_whitespace() {
            match word.split_once(':') {
                None => out.words.push(Word::Any(word.to_owned())),
                // A path or a title may have a colon; what stands before it is a key only when it is a word.
                Some((key, _)) if key.is_empty() || !key.chars().all(char::is_alphabetic) => {
                    out.words.push(Word::Any(word.to_owned()));
                }
                Some((key, value)) => match KEYS.iter().find(|k| **k == key) {
                    Some(key) => out.named(key, value),
                    None => {
                        let meant = nearest(key, KEYS).map_or_else(
                            || format!("there are {}", KEYS.join(", ")),
                            |near| format!("do you mean {near}:?"),
                        );
                        out.trouble = Some(format!("no {key}: here; {meant}"));
                    }
                },
            }
        }
        out
    }

    fn named(&mut self, key: &'static str, value: &str) {
        if value.is_empty() {
            return;
        }
        let known = match key {
            "status" => STATUSES.iter().any(|s| is_status(*s, value)),
            "level" => LEVELS.iter().any(|l| l.starts_with(value)),
            _ => true,
        };
        if known {
            self.words.push(Word::Of(key, value.to_owned()));
            return;
        }
        let words: Vec<&str> =
            if key == "level" { LEVELS.to_vec() } else { STATUSES.iter().map(|s| s.word()).collect() };
        let meant = nearest(value, words.iter().copied())
            .map_or_else(|| format!("there are {}", words.join(", ")), |near| format!("do you mean {near}?"));
        self.trouble = Some(format!("no {key} is {value}; {meant}"));
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Whether a task passes.
    pub fn passes(&self, state: &State, ix: TaskIx, now: Micros) -> bool {
        let task = state.task(ix);
        let phase = || task.spec.phase.as_deref().unwrap_or("").to_lowercase();
        self.words.iter().all(|word| match word {
            Word::Any(w) => {
                task.title.to_lowercase().contains(w)
                    || task.spec.agent.as_str().contains(w.as_str())
                    || is_status(state.status(ix, now), w)
                    || phase().contains(w)
            }
            Word::Of("status", w) => is_status(state.status(ix, now), w),
            Word::Of("agent", w) => task.spec.agent.as_str().contains(w.as_str()),
            Word::Of("phase", w) => phase().contains(w),
            Word::Of("level", w) => state.level_of(task).word().starts_with(w.as_str()),
            // What was put in by hand came from no endpoint.
            Word::Of(_, w) => state.last_attempt(task).and_then(|a| state.place_of(a)).is_some_and(|e| {
                let e = &e.config;
                e.name.as_str().contains(w.as_str()) || e.title().to_lowercase().contains(w)
            }),
        })
    }
}

/// `asks you` is written `asks` or `asking` too.
fn is_status(status: Status, word: &str) -> bool {
    status.word().starts_with(word) || status == Status::Asking && "asking".starts_with(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::run::fixture::{NOW, drawing};

    #[test]
    fn words_and_keys_are_all_wanted() {
        let story = drawing();
        let count = |text: &str| {
            let filter = Filter::parse(text);
            assert_eq!(filter.trouble, None, "{text}");
            (0..story.state.tasks().len() as u32).filter(|i| filter.passes(&story.state, TaskIx(*i), NOW)).count()
        };
        assert_eq!(count(""), 40);
        assert_eq!(count("status:failed"), 1);
        assert_eq!(count("phase:tests agent:tester status:running"), 4);
        assert_eq!(count("endpoint:qwen status:running"), 3);
        assert_eq!(count("level:h"), 4);
        assert_eq!(count("FUZZ 3"), 1);
        assert_eq!(count("status:"), 40);
    }

    #[test]
    fn what_is_mistyped_says_so_and_hides_nothing() {
        for (text, said) in [
            ("stauts:failed", "no stauts: here; do you mean status:?"),
            ("colour:red", "no colour: here; there are status, agent, phase, level, endpoint"),
            ("status:fialed", "no status is fialed; do you mean failed?"),
        ] {
            let filter = Filter::parse(text);
            assert_eq!(filter.trouble.as_deref(), Some(said));
            assert!(filter.words.is_empty());
        }
        assert_eq!(Filter::parse("12:30 src/a:b").trouble, None);
    }
}
