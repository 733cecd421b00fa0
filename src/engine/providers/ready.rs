//! Whether a server that was just started answers yet, by the cheapest question its protocol has.
//!
//! Not here: what it can do (`probe`). A model that Ollama lacks is no reason to call Ollama unready: it must run for the
//! model to be pulled. Invariant: nothing here loads a model.

use std::time::Duration;

use super::client::Client;
use super::fault::Fault;
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::FailureKind;

/// The time one answer may take. A server that loads answers at once; a longer silence is met by asking again.
const LIMIT: Duration = Duration::from_secs(2);

/// How a server answers the question whether it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It serves.
    Yes,
    /// It answers, and reads its model.
    Loading,
    /// Nothing answers there yet, or something else does: what came.
    No(String),
}

/// Asks the server of `endpoint`, within 2 s. A server that wants a key it is not given is up all the same.
pub async fn ready(client: &Client, endpoint: &Endpoint) -> Ready {
    let path = match endpoint.protocol {
        Protocol::LlamaCpp => "/health",
        Protocol::Ollama => "/api/version",
        Protocol::OpenAi => "/v1/models",
        Protocol::Command => return Ready::No("command-line agents are not served yet".to_owned()),
    };
    match client.state(endpoint, path, None, LIMIT).await {
        Ok(state) if (200..300).contains(&state.status) || matches!(state.status, 401 | 403) => Ready::Yes,
        Ok(state) => {
            let fault = Fault::of_answer(endpoint.protocol, state.status, &state.body);
            if fault.kind == FailureKind::Loading { Ready::Loading } else { Ready::No(fault.came) }
        }
        Err(fault) => Ready::No(client.redactor().text(&fault.came)),
    }
}
