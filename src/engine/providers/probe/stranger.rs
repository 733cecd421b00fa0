//! A server that does not answer as its endpoint's protocol does: what it is instead, and whether it can be used all the same.
//!
//! Not here: what an address is that no endpoint names (`identify`, which is asked here). Invariant: a server that requests
//! of the endpoint reach is up, so that health and requests agree; one that they don't reach is down, in one line.

use super::{Client, Depth, LIMIT, Report, openai};
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::{FailureKind, Health, Remedy};
use crate::domain::text::CleanText;
use crate::engine::providers::fault::Fault;
use crate::engine::providers::identify::{Whom, identify};

/// The most letters of a server's name for itself.
const LETTERS: usize = 60;

/// What is known of the endpoint then; none where the fault says all.
pub(super) async fn look(client: &Client, endpoint: &Endpoint, depth: Depth, fault: &Fault) -> Option<Report> {
    // A key that is wanted, a model that loads, a full queue: it is the server that was meant.
    if !matches!(fault.kind, FailureKind::Refused | FailureKind::Garbage | FailureKind::Server) {
        return None;
    }
    let own = kind(endpoint.protocol)?;
    let found = identify(client, Whom::Endpoint(endpoint), LIMIT).await;
    let Ok(found) = found else {
        let state = client.state(endpoint, "/v1/models", None, LIMIT).await.ok()?;
        // What fails inside may be a model server all the same.
        if state.status >= 500 && state.status != 501 {
            return None;
        }
        let says = state.server.map(|name| format!(" (it says {})", name.chars().take(LETTERS).collect::<String>()));
        let what = format!("this is no model server{}", says.unwrap_or_default());
        return Some(down(client, endpoint, what, "check the port in its url"));
    };
    if found.kind.protocol() == endpoint.protocol {
        return None;
    }
    let what = format!("this is no {own} (it looks like {})", found.kind.name());
    let mend = match found.kind.protocol() {
        Protocol::LlamaCpp => "`protocol = \"llama.cpp\"` in fleet.toml",
        Protocol::Ollama => "`protocol = \"ollama\"` in fleet.toml",
        Protocol::OpenAi | Protocol::Command => "`protocol = \"openai\"` in fleet.toml",
    };
    // Requests for a llama-server are OpenAI's with a few fields more, and find what they ask for.
    if endpoint.protocol == Protocol::LlamaCpp
        && let Ok(report) = openai::look(client, endpoint, depth).await
    {
        let more = report.mismatch.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
        let says = format!("{what}, so that its slots and its context are not known: write {mend}{more}");
        return Some(Report { mismatch: Some(CleanText::one_line(&says)), ..report });
    }
    Some(down(client, endpoint, what, mend))
}

fn down(client: &Client, endpoint: &Endpoint, what: String, mend: &'static str) -> Report {
    let fault = Fault::new(FailureKind::Refused, Remedy::Operator, what, mend);
    Report::empty(Health::Down { reason: fault.at(endpoint, &client.redactor()).message.to_one_line() })
}

/// A server of the protocol, as people call it.
fn kind(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::LlamaCpp => Some("llama.cpp server"),
        Protocol::Ollama => Some("Ollama"),
        Protocol::OpenAi => Some("OpenAI-compatible server"),
        Protocol::Command => None,
    }
}
