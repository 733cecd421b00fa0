//! How an endpoint is: health, slots, context, what its model does with a reasoning level, takes in memory, and whether
//! it is there.
//!
//! Not here: when to probe (the engine's beat; at most every 2 s, since a look at `/slots` delays cancellation), what an
//! address is that no endpoint names (`identify`). Invariants: a probe never loads, wakes or changes anything: `/slots`
//! is not read from a sleeping llama-server, and Ollama is only asked what it has. A server is asked only what its kind
//! answers, and what stays as it is while it runs only once.

mod listed;
mod llama;
mod ollama;
mod openai;
mod stranger;

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::{Client, State};
use super::decode::tidied;
use super::fault::Fault;
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::{Failure, FailureKind, Health, LevelSupport, ModelShape, Residence};
use crate::domain::text::CleanText;
pub(super) use llama::{Arguments, Props, busy_slots, of_model, residence_of, router_lists};
pub(super) use ollama::running;
pub(super) use openai::{Brand, Model, Models, brand, instances, is_mlx, swap_residence};

/// The time one answer may take. Servers answer state in milliseconds, between two batches of a long prompt in hundreds.
const LIMIT: Duration = Duration::from_secs(2);

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How the endpoint is.
    pub health: Health,
    /// Slots the server says it has.
    pub slots: Option<u32>,
    /// Slots it says are busy now, ours and others'.
    pub busy: Option<u32>,
    /// Context of one request. For Ollama the model's own most: it takes any context up to that with each request.
    pub context: Option<u32>,
    /// What its model does with a level.
    pub level: LevelSupport,
    /// Bytes resident.
    pub resident: Option<u64>,
    /// The server's name and version.
    pub server: Option<CleanText>,
    /// Requests that wait in the server's own queue, ours and others', where it tells. Like `busy` only looked for with
    /// [`Depth::Slots`].
    pub queued: Option<u32>,
    /// What its model takes in memory, as far as it is known.
    pub shape: Option<ModelShape>,
    /// Whether its model is in memory, where the server tells.
    pub residence: Option<Residence>,
    /// Where it answers and is not what the fleet file says: another model, another protocol; in one line.
    pub mismatch: Option<CleanText>,
    /// What kept it from an answer, where it is down.
    pub fault: Option<Failure>,
}

/// How deep a probe looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Health and what the server is.
    Light,
    /// Busy slots and the queue too. On llama.cpp this delays the freeing of dropped requests and keeps an idle server awake.
    Slots,
}

/// What Baton knows of its own traffic at the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// None of Baton's requests are there.
    Quiet,
    /// Requests of Baton's are there. llama-server may then leave even `/health` unanswered, because every open request
    /// holds one of its HTTP threads (measured: up to 18.9 s): no answer in time says nothing.
    Flowing,
}

impl Report {
    fn empty(health: Health) -> Self {
        Self {
            health,
            slots: None,
            busy: None,
            context: None,
            level: LevelSupport::Unknown,
            resident: None,
            server: None,
            queued: None,
            shape: None,
            residence: None,
            mismatch: None,
            fault: None,
        }
    }
}

/// Looks at `endpoint`, within about 2 s. Where the server is [`Health::Down`] the reason says what came and how to mend
/// it; no answer in time under [`Traffic::Flowing`] is [`Health::Unknown`]: keep what was known.
pub async fn probe(client: &Client, endpoint: &Endpoint, depth: Depth, traffic: Traffic) -> Report {
    let look = async {
        match endpoint.protocol {
            Protocol::LlamaCpp => llama::look(client, endpoint, depth).await,
            Protocol::Ollama => ollama::look(client, endpoint).await,
            Protocol::OpenAi => openai::look(client, endpoint, depth).await,
            Protocol::Command => Err(Fault::new(
                FailureKind::Refused,
                crate::domain::protocol::Remedy::Operator,
                "command-line agents are not served yet",
                "give the endpoint another protocol in fleet.toml",
            )),
        }
    };
    let mut report = match look.await {
        Ok(report) => report,
        Err(fault) => match (fault.kind, traffic) {
            (FailureKind::Loading, _) => Report::empty(Health::Loading),
            (FailureKind::Silent, Traffic::Flowing) => Report::empty(Health::Unknown),
            _ => stranger::look(client, endpoint, depth, &fault).await.unwrap_or_else(|| {
                let failure = fault.at(endpoint, &client.redactor());
                let reason = failure.message.to_one_line();
                Report { fault: Some(failure), ..Report::empty(Health::Down { reason }) }
            }),
        },
    };
    match report.health {
        Health::Up | Health::Unknown => {}
        Health::Loading => {
            client.known.forget(endpoint);
            report.residence = Some(Residence::Loading);
        }
        Health::Down { .. } => client.known.forget(endpoint),
    }
    if report.level == LevelSupport::Unknown {
        report.level = endpoint.level.unwrap_or(LevelSupport::Unknown);
    }
    report
}

/// The answer's JSON; an error answer is a fault.
pub(super) fn json<T: DeserializeOwned>(endpoint: &Endpoint, state: &State) -> Result<T, Fault> {
    good(endpoint, state)?;
    read(&state.body).map_err(|error| Fault::garbage(format!("its state can't be read: {error}")))
}

/// JSON as servers write it: a byte order mark before it is no part of it, and what JSON has no word for (`NaN`) is not told.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body)
        .or_else(|error| serde_json::from_str(&tidied(&String::from_utf8_lossy(body))).map_err(|_| error))
}

pub(super) fn good(endpoint: &Endpoint, state: &State) -> Result<(), Fault> {
    if (200..300).contains(&state.status) {
        Ok(())
    } else {
        Err(Fault::of_answer(endpoint.protocol, state.status, &state.body))
    }
}

/// What is there in the form that is expected; another form is taken as not told, and hides nothing beside it.
fn lenient<'de, D: serde::Deserializer<'de>, T: serde::de::DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    serde_json::Value::deserialize(from).map(|value| serde_json::from_value(value).ok())
}

/// `text` as a part of a path; slashes stay where `slashes` says so.
pub(super) fn escaped(text: &str, slashes: Slashes) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || byte == b'/' && slashes == Slashes::Kept {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// What becomes of a slash in a part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slashes {
    /// It is escaped.
    Escaped,
    /// It stays, for servers that take all the rest of a path as one name.
    Kept,
}
