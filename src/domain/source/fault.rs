//! What is wrong in a file, where, and how to mend it.

use std::fmt;

use super::node::Place;

/// One error in a file a person wrote.
///
/// `Display` is `file:line:column: what`, the line with a caret under it where the text is at hand, and `mend: …`.
/// Text of the file in it is not sanitised: a terminal is given it as `CleanText`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SourceError {
    /// The file as it was named, or another source such as `environment`.
    pub file: String,
    /// The line, from 1; 0 where there is no file.
    pub line: usize,
    /// The column in characters, from 1; 0 where there is no file.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
    /// The line it stands on, where the text is at hand; at most [`SourceError::WIDTH`] characters around the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
}

/// A piece of a line with a place in it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Snippet {
    /// The text, tabs as spaces.
    pub text: String,
    /// The place in it, in characters from 0.
    pub caret: usize,
}

impl SourceError {
    /// The most characters of a line that are shown.
    pub const WIDTH: usize = 100;
    /// The most errors of a file that are told: more than anybody mends before looking again.
    pub const MOST_TOLD: usize = 50;

    /// The first errors, and in a last one how many there are besides: those that are left out here and `more`, which were
    /// only counted.
    pub(crate) fn first(mut errors: Vec<Self>, more: usize) -> Vec<Self> {
        let left = errors.len().saturating_sub(Self::MOST_TOLD) + more;
        // One that is left out is no longer than the line that says so.
        if left > 1
            && let Some(next) = errors.get(Self::MOST_TOLD).or(errors.last()).cloned()
        {
            errors.truncate(Self::MOST_TOLD);
            let place = Place { line: next.line, column: next.column };
            errors.push(Self::new(
                &next.file,
                place,
                format!("and {} more", grouped(left)),
                "mend those above and look again",
            ));
        }
        errors
    }

    pub(crate) fn new(file: &str, place: Place, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            what: what.into(),
            mend: mend.into(),
            snippet: None,
        }
    }

    /// An error of a source that has no lines, such as the environment.
    pub(crate) fn nowhere(source: &str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(source, Place { line: 0, column: 0 }, what, mend)
    }

    /// As [`Self::with_snippet`], but without a line that may hold a secret: one that names a key or a URL.
    pub(crate) fn with_public_snippet(self, text: &str) -> Self {
        let line = text.lines().nth(self.line.wrapping_sub(1)).unwrap_or("").to_ascii_lowercase();
        let private =
            ["key", "url", "://", "token", "secret", "password", "sk-"].iter().any(|word| line.contains(word));
        if private || self.line == 0 { self } else { self.with_snippet(text) }
    }

    /// With the line it stands on, taken from the text of its file.
    pub(crate) fn with_snippet(mut self, text: &str) -> Self {
        let line = text.lines().nth(self.line.wrapping_sub(1)).unwrap_or("");
        let start = self.column.saturating_sub(Self::WIDTH / 2).saturating_sub(1);
        let shown: String =
            line.chars().skip(start).take(Self::WIDTH).map(|c| if c == '\t' { ' ' } else { c }).collect();
        let caret = self.column.saturating_sub(1).saturating_sub(start);
        self.snippet = (!shown.trim().is_empty()).then_some(Snippet { text: shown, caret });
        self
    }
}

/// A number with a comma before each three digits.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let comma = |i: usize| i > 0 && (digits.len() - i).is_multiple_of(3);
    digits.chars().enumerate().flat_map(|(i, c)| comma(i).then_some(',').into_iter().chain([c])).collect()
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => writeln!(f, "{}: {}", self.file, self.what)?,
            _ => writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?,
        }
        if let Some(snippet) = &self.snippet {
            let number = self.line.to_string();
            writeln!(f, "  {number} | {}", snippet.text.trim_end())?;
            writeln!(f, "  {:width$} | {:caret$}^", "", "", width = number.len(), caret = snippet.caret)?;
        }
        write!(f, "  mend: {}", self.mend)
    }
}

impl std::error::Error for SourceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_counted() {
        let errors =
            |n: usize| (1..=n).map(|line| SourceError::new("p", Place { line, column: 2 }, "bad", "mend")).collect();
        let last = |n: usize, more: usize| SourceError::first(errors(n), more).pop().map(|e| (e.line, e.what)).unwrap();
        assert_eq!(last(50, 0), (50, "bad".into()));
        assert_eq!(last(51, 0), (51, "bad".into()));
        assert_eq!(last(52, 0), (51, "and 2 more".into()));
        assert_eq!(last(60, 1_234_990), (51, "and 1,235,000 more".into()));
        assert_eq!(last(20, 3), (20, "and 3 more".into()));
        assert_eq!(SourceError::first(errors(5000), 0).len(), 51);
    }
}
