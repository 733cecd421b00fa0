//! What an address is where no model server answers, in words for whoever named it.
//!
//! Not here: what a model server is told by (`judge`). Invariant: words are one short line without markup, whatever came.

use std::time::Duration;

use serde_json::Value;

use crate::domain::protocol::FailureKind;
use crate::domain::text::CleanText;
use crate::engine::providers::client::State;
use crate::engine::providers::fault::Fault;

/// The most characters of something's own words that are repeated: enough to know it again.
const WORDS: usize = 60;

/// The most of a page that is searched for its title, in bytes: it stands in the head.
const HEAD: usize = 8 * 1024;

/// What is at an address that is no model server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Nothing answers there: why.
    Silent(CleanText),
    /// Something answers that is no model server: what it said.
    Other(CleanText),
}

impl Stranger {
    /// Of an answer that no model server gives to `/v1/models`.
    pub(super) fn of(state: &State) -> Self {
        let says = state.server.as_deref().map(|name| format!(" (it says {})", short(name))).unwrap_or_default();
        let body = String::from_utf8_lossy(state.body.get(..HEAD).unwrap_or(&state.body)).into_owned();
        let what = match (state.status, serde_json::from_slice::<Value>(&state.body)) {
            (401 | 403, _) => {
                return Self::Other(CleanText::one_line(&format!(
                    "answers {} to /v1/models{says}: it wants a key or a password, and does not say what it is",
                    state.status
                )));
            }
            (300..=399, _) => format!("answers {} and leads elsewhere", state.status),
            (500.., _) => {
                return Self::Other(CleanText::one_line(&format!(
                    "answers {} to /v1/models{}{says}: no model server, or one that is out of order; see its log",
                    state.status,
                    quoted(&body)
                )));
            }
            (200..300, Ok(Value::Array(_))) => "answers a bare array to /v1/models".to_owned(),
            (200..300, Ok(_)) => "answers JSON to /v1/models that is no list of models".to_owned(),
            (200..300, Err(_)) => match title(&body) {
                Some(title) => format!("answers a page named \"{}\"", short(&title)),
                None => format!("answers /v1/models with what is no JSON{}", quoted(&body)),
            },
            (status, _) => format!("answers {status} to /v1/models"),
        };
        Self::Other(CleanText::one_line(&format!("{what}{says}: it is no model server")))
    }

    /// Of no answer.
    pub(super) fn unheard(fault: Option<&Fault>, limit: Duration) -> Self {
        let late = || format!("does not answer within {} ms", limit.as_millis());
        let words = match fault {
            None => late(),
            Some(fault) if fault.kind == FailureKind::Silent => late(),
            Some(fault) if fault.came.contains("refused") => "nothing is there: the connection is refused".to_owned(),
            Some(fault) if fault.kind == FailureKind::Unreachable => format!("can't be reached: {}", fault.came),
            Some(fault) => format!("answers, but not as a web server does: {}", fault.came),
        };
        Self::Silent(CleanText::one_line(&words))
    }

    /// What is there, in words that follow the address.
    pub fn words(&self) -> &CleanText {
        match self {
            Self::Silent(words) | Self::Other(words) => words,
        }
    }
}

fn short(text: &str) -> String {
    let line = CleanText::one_line(text.trim());
    let cut: String = line.chars().take(WORDS).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}

/// The words of an answer that has no markup, in quotes; nothing of a page.
fn quoted(body: &str) -> String {
    let body = body.trim();
    if body.is_empty() || body.starts_with('<') { String::new() } else { format!(" (\"{}\")", short(body)) }
}

/// A page's title.
fn title(page: &str) -> Option<String> {
    let low = page.to_ascii_lowercase();
    let from = low.find("<title")?;
    let from = from + low.get(from..)?.find('>')? + 1;
    let to = from + low.get(from..)?.find("</title")?;
    Some(page.get(from..to)?.to_owned()).filter(|title| !title.trim().is_empty())
}
