//! What did not fit: results that a prompt has in part, answers with less room than was wanted.

use serde::Serialize;

use crate::domain::state::{Fit, State};

/// A try whose request did not fit whole into the context of its endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct FitLine {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Which try of it.
    pub number: u32,
    /// Where.
    pub endpoint: String,
    /// Bytes of the results it needed.
    pub results_bytes: u64,
    /// Bytes of them that were in its prompt.
    pub given_bytes: u64,
    /// The most tokens wanted for its answer.
    pub wanted_tokens: u32,
    /// The most tokens it could have.
    pub limit_tokens: u32,
    /// The same in words.
    pub what: String,
}

/// How a request that does not fit whole is short, in words: of its results, or of the room its task wants for the answer.
pub(crate) fn shortage(fit: &Fit) -> Option<String> {
    let mut says = Vec::new();
    if fit.percent() < 100 {
        says.push(format!("sees {}", fit.words()));
    }
    if fit.is_limited() {
        says.push(format!("may answer with {} of {} tokens", fit.limit, fit.wanted));
    }
    (!says.is_empty()).then(|| says.join(", "))
}

/// The tries of a session that did not fit whole.
pub(super) fn fits(state: &State) -> Vec<FitLine> {
    let line = |attempt: &crate::domain::state::Attempt| {
        let fit = state.fit_of(attempt)?;
        let what = shortage(&fit)?;
        let (task, number) = super::lines::number_of(state, attempt);
        Some(FitLine {
            task: task.id.to_string(),
            title: task.title.to_string(),
            number,
            endpoint: super::lines::endpoint_of(state, attempt),
            results_bytes: fit.there,
            given_bytes: fit.given,
            wanted_tokens: fit.wanted,
            limit_tokens: fit.limit,
            what,
        })
    };
    state.attempts().iter().filter_map(line).collect()
}
