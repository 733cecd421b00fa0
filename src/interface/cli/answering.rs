//! Which endpoints answer before a session begins, and what is said of those that don't.
//!
//! Not here: which fleet is used then (`choose`), how one endpoint is asked (`engine/providers/probe`). Invariants: nothing
//! is sent to a model; each endpoint has one line with what was asked, what came, and what would mend it.

use std::time::Duration;

use futures_util::future::join_all;

use super::choose::limit;
use crate::config::{Place, place_of};
use crate::domain::fleet::{Endpoint, Nature};
use crate::domain::protocol::Health;
use crate::domain::text::CleanText;
use crate::engine::providers::{Client, Depth, Traffic, probe};

/// The time an endpoint is given before it counts as one that does not answer, where no other one does: a probe's own
/// limit, and a little for its second question.
const AT_MOST: Duration = Duration::from_millis(2_500);

/// How an endpoint answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its health; unknown where nothing came in time.
    pub(crate) health: Health,
    /// Where it is not what the fleet file says.
    pub(crate) mismatch: Option<CleanText>,
    /// Its server's name and version.
    server: Option<CleanText>,
}

impl Answer {
    /// Whether work can be given to it, now or when its model is loaded.
    pub(crate) fn answers(&self) -> bool {
        matches!(self.health, Health::Up | Health::Loading)
    }
}

/// How all of them answer; within the limits of a first look when one does, else those that were slow have more time.
pub(crate) async fn hear(client: &Client, remote_ms: u64, endpoints: &[Endpoint]) -> Vec<Answer> {
    let first = |e: &Endpoint| limit(remote_ms, place_of(&e.url));
    let mut answers = join_all(endpoints.iter().map(|e| ask(client, e, first(e)))).await;
    if answers.iter().any(Answer::answers) {
        return answers;
    }
    let slow = endpoints.iter().zip(&mut answers).filter(|(_, answer)| answer.health == Health::Unknown);
    join_all(slow.map(|(e, answer)| async move { *answer = ask(client, e, AT_MOST).await })).await;
    answers
}

async fn ask(client: &Client, endpoint: &Endpoint, limit: Duration) -> Answer {
    // Whether requests of others hold all of its threads is not known: no answer in time says nothing.
    let asked = tokio::time::timeout(limit, probe(client, endpoint, Depth::Light, Traffic::Flowing)).await;
    match asked {
        Ok(report) => Answer { health: report.health, mismatch: report.mismatch, server: report.server },
        Err(_) => Answer { health: Health::Unknown, mismatch: None, server: None },
    }
}

/// Whether any of them can be waited for without being told to: one that answers, or one on this machine that takes
/// connections and is too busy to say how it is. (A machine that is off does not answer either.)
pub(crate) fn any_serves(endpoints: &[Endpoint], answers: &[Answer]) -> bool {
    let is_busy = |e: &Endpoint, a: &Answer| a.health == Health::Unknown && place_of(&e.url) == Place::Here;
    endpoints.iter().zip(answers).any(|(e, a)| a.answers() || is_busy(e, a))
}

/// A line for each endpoint that does not answer.
pub(crate) fn troubles(endpoints: &[Endpoint], answers: &[Answer]) -> Vec<String> {
    let silent = endpoints.iter().zip(answers).filter(|(_, answer)| !answer.answers());
    silent.map(|(endpoint, answer)| trouble(endpoint, &answer.health)).collect()
}

fn trouble(endpoint: &Endpoint, health: &Health) -> String {
    let what = match health {
        Health::Down { reason } => reason.to_one_line().to_string(),
        _ => format!("{} did not answer in time; see whether its machine is on, and its log", endpoint.url),
    };
    let how = endpoint.how_to_start().map(|how| format!(" {how}.")).unwrap_or_default();
    format!("{}: {what}{how}", endpoint.name)
}

/// A line for each endpoint that answers and is not what the fleet file says.
pub(crate) fn mismatches(endpoints: &[Endpoint], answers: &[Answer]) -> Vec<String> {
    let told = endpoints.iter().zip(answers).filter_map(|(e, a)| Some((e, a.mismatch.as_ref()?)));
    told.map(|(endpoint, mismatch)| format!("{}: {mismatch}", endpoint.name)).collect()
}

/// Marks the endpoints whose servers say that they are Baton's simulated ones, whatever the fleet file takes them for.
/// Whether there was one.
pub(crate) fn mark_simulated(endpoints: &mut [Endpoint], answers: &[Answer]) -> bool {
    let says = |answer: &Answer| answer.server.as_ref().is_some_and(|server| says_simulated(server));
    let mut any = false;
    for (endpoint, _) in endpoints.iter_mut().zip(answers).filter(|(_, answer)| says(answer)) {
        endpoint.nature = Nature::Simulated;
        any = true;
    }
    any
}

/// Whether a server's name or version is that of a simulated one (`b0-simulated`).
pub(crate) fn says_simulated(server: &str) -> bool {
    server.to_ascii_lowercase().contains("simulated")
}
