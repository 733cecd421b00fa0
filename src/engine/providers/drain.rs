//! When the slot of a dropped request is free again. Until then the permit drains and is not granted anew.
//!
//! Not here: who drains (the orchestrator's permits). All figures are measured against the real servers
//! (`tests/wire/llama-server/disconnect_matrix.txt` and the like), with a margin. Invariant: it always resolves, within
//! [`LONGEST`].

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::client::Client;
use super::probe::busy_slots;
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::FailureKind;

/// After this the slot is taken as free: better a request that waits in the server than a slot that is never used.
const LONGEST: Duration = Duration::from_secs(30);

/// llama-server notices a closed connection only after 1 s without any result, and each look at `/slots` is one: a
/// client that looks more often keeps the slot busy itself.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Where a request was when it was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Sent; no headers had come.
    Queued,
    /// Accepted; no token had come.
    Prompt,
    /// Tokens flowed.
    Generating,
}

/// Resolves when the slot of a request to `endpoint` that was dropped in `phase` is free; `others` is how many other
/// requests are known to be at work on the server.
pub async fn drained(client: &Client, endpoint: &Endpoint, phase: Phase, others: u32) {
    let (wait, looks) = first_wait(endpoint.protocol, phase);
    let begun = Instant::now();
    sleep(wait).await;
    if looks == Looks::None {
        return;
    }
    let end = begun + LONGEST;
    while Instant::now() < end {
        let looked = Instant::now();
        match busy_slots(client, endpoint).await {
            Ok(busy) if busy <= others => return,
            Ok(_) => sleep_until((looked + BETWEEN_LOOKS).min(end)).await,
            // All its HTTP threads are taken; that says nothing of the slot.
            Err(fault) if fault.kind == FailureKind::Silent => sleep_until((looked + BETWEEN_LOOKS).min(end)).await,
            // Nobody is there to work at it.
            Err(fault) if fault.kind == FailureKind::Unreachable => return,
            // `/slots` is off, or the server is gone: a bounded wait is all there is. Quiet, it notices within 1.3 s.
            Err(_) => return sleep_until((begun + BETWEEN_LOOKS).min(end)).await,
        }
    }
}

/// Whether the server can be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Looks {
    Slots,
    None,
}

/// How long until the slot can be free at the earliest (llama.cpp), or is free by all that was measured (the others).
fn first_wait(protocol: Protocol, phase: Phase) -> (Duration, Looks) {
    let (ms, looks) = match (protocol, phase) {
        // 0.03–0.05 s: it writes to the closed stream with the next token.
        (Protocol::LlamaCpp, Phase::Generating) => (60, Looks::Slots),
        // 0.38 s with `return_progress`, one batch; 1.2 s where another stream runs.
        (Protocol::LlamaCpp, Phase::Prompt) => (500, Looks::Slots),
        // It looks at a queued request's connection after 1 s of quiet.
        (Protocol::LlamaCpp, Phase::Queued) => (1100, Looks::Slots),
        // The runner stopped within 0.3 s; 1.3 s while a prompt was read; the next of a queue started within 20 ms.
        (Protocol::Ollama, Phase::Generating) => (300, Looks::None),
        (Protocol::Ollama, Phase::Prompt) => (1300, Looks::None),
        (Protocol::Ollama, Phase::Queued) => (50, Looks::None),
        // mlx was quiet in 0.5 s; it notices at its next write, which for a prompt is after a batch of it.
        (Protocol::OpenAi | Protocol::Command, Phase::Generating) => (500, Looks::None),
        (Protocol::OpenAi | Protocol::Command, Phase::Prompt | Phase::Queued) => (1500, Looks::None),
    };
    (Duration::from_millis(ms), looks)
}
