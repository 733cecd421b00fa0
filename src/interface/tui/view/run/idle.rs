//! Why an endpoint stands as it does: what its slots do, why free ones idle, what would release them, who is next.
//!
//! Not here: the strip in the fleet pane. Invariant: the reasons are the state's own; no second opinion exists.

use crate::domain::protocol::{Health, Micros};
use crate::domain::state::{EndpointIx, EndpointState, IdleWhy, Life, PermitPhase, State, TaskIx};
use crate::interface::tui::model::run::figures::{Figures, Queued};
use crate::interface::tui::widget::figure::{rate, span};

/// Titles named of what waits for an endpoint.
const NAMED: usize = 2;

/// Why an endpoint is as it is.
pub(super) fn endpoint_why(state: &State, figures: &Figures, ix: EndpointIx, now: Micros) -> String {
    let e = state.endpoint(ix);
    let probe = match e.probe_at {
        Some(at) if at > now => format!("; probed again in {} s", at.since(now).0.div_ceil(1_000_000)),
        _ => "; ctrl-r probes it".to_owned(),
    };
    match &e.health {
        Health::Down { reason } => format!("down for {}: {reason}{probe}", span(now.since(e.since))),
        Health::Loading => {
            format!("its model is loading since {}; tasks start when it is there", span(now.since(e.since)))
        }
        Health::Up | Health::Unknown => {
            let mut parts = vec![slots(state, e)];
            if let Some(why) = state.idle_why(ix, now) {
                let free = state.pool(e.pool).free();
                parts.push(format!("{free} free: {}", released(state, e, why, now)));
            }
            parts.extend(next(state, figures, e));
            let measured = if e.slot_speed > 0.0 { "measured" } else { "expected" };
            parts.push(format!("{} a slot {measured}, {} done, {} errors", rate(e.speed()), e.completed, e.errors));
            parts.join("; ")
        }
    }
}

/// What its slots do.
fn slots(state: &State, e: &EndpointState) -> String {
    let pool = state.pool(e.pool);
    let draining = pool.permits.iter().filter(|p| matches!(p.phase, PermitPhase::Draining(_))).count();
    let busy = format!("{} of {} slots busy", pool.busy(), pool.ceiling);
    match draining {
        0 => busy,
        n => format!("{busy}, {n} of them draining after a stop"),
    }
}

/// Why a free slot idles, and what would release it.
fn released(state: &State, e: &EndpointState, why: IdleWhy, now: Micros) -> String {
    match why {
        IdleWhy::NoTask => {
            let serves = |ix: &TaskIx| {
                let task = state.task(*ix);
                let open = task.life == Life::NotStarted && !task.removed;
                open && state.tier_of(task).is_some_and(|tier| e.serves(tier))
            };
            let mut waiting = (0..state.tasks().len() as u32).map(TaskIx).filter(serves);
            match waiting.next() {
                None => {
                    let tiers: Vec<&str> = e.config.tiers.iter().map(|t| t.as_str()).collect();
                    format!("no task that is left goes to its tier {}", tiers.join(", "))
                }
                Some(first) => {
                    let keeps = match state.admit(first, now) {
                        Ok(_) => "starts now".to_owned(),
                        Err(why) => why.to_string(),
                    };
                    let others = match waiting.count() {
                        0 => String::new(),
                        n => format!(" (and {n} more)"),
                    };
                    format!("no task for it is ready; “{}” {keeps}{others}", state.task(first).title)
                }
            }
        }
        _ => why.sentence().to_owned(),
    }
}

/// Who waits for its slots, in their order.
fn next(state: &State, figures: &Figures, e: &EndpointState) -> Option<String> {
    let here = |(_, place): &(&TaskIx, &Queued)| state.endpoint(place.endpoint).pool == e.pool;
    let mut queue: Vec<_> = figures.queue.iter().filter(here).collect();
    queue.sort_by_key(|(_, place)| place.rank);
    let mut named: Vec<String> =
        queue.iter().take(NAMED).map(|(ix, _)| format!("“{}”", state.task(**ix).title)).collect();
    if named.is_empty() {
        return None;
    }
    if queue.len() > NAMED {
        named.push(format!("{} more", queue.len() - NAMED));
    }
    Some(format!("next {}", named.join(", ")))
}
