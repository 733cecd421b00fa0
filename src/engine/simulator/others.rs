//! Another client's requests at an endpoint: they come, wait and take slots as ours do, and end all at once.
//!
//! Not here: their bytes; nobody reads them. Invariant: they live in a life's runtime, so a death ends them like every
//! other request, and a life that begins while they are due has them again.

use std::sync::Arc;
use std::time::Instant;

use super::faults::Others;
use super::server::EndpointState;
use super::slots::{SlotUse, Whose};

/// Tokens of such a request's prompt…
const PROMPT_TOKENS: u32 = 512;
/// …and the seconds each token of its answer takes.
const TOKEN_SECONDS: f64 = 0.025;

/// Starts what an endpoint's faults ask for. Needs a runtime.
pub(super) fn start(state: &Arc<EndpointState>) {
    let Some(others) = state.config.faults.others else { return };
    for number in 0..others.slots {
        tokio::spawn(hold(Arc::clone(state), others, number));
    }
}

/// One request: from when it comes until all end.
async fn hold(state: Arc<EndpointState>, others: Others, number: u32) {
    let (from, until) = (state.born + others.from, state.born + others.until);
    tokio::time::sleep_until(from.into()).await;
    let work = async {
        let permit = state.slots.acquire(Whose::Other).await;
        let left = until.saturating_duration_since(Instant::now());
        let used = SlotUse {
            task: u64::MAX - u64::from(number),
            prompt_tokens: PROMPT_TOKENS,
            prompt_end: Instant::now(),
            generation: left.as_secs_f64(),
            tokens: (left.as_secs_f64() / TOKEN_SECONDS) as u32,
            limit: None,
        };
        state.slots.describe(permit.index, used);
        std::future::pending::<()>().await;
        drop(permit);
    };
    // The work never ends by itself: that its time is over frees the slot, or ends the wait for one.
    let _ = tokio::time::timeout_at(until.into(), work).await;
}
