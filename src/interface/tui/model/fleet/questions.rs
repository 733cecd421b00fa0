//! What the Fleet screen asks of a state.
//!
//! Not here: what an endpoint really serves (`domain/state/capacity`), the answers' words on a strip (`view/fleet`). Invariant: what nobody told is `None`, never 0.

use std::collections::BTreeMap;

use crate::domain::memory::MemoryPlan;
use crate::domain::protocol::{Micros, ServerMemory};
use crate::domain::state::{EndpointIx, EndpointState, IdleWhy, State, TaskIx};
use crate::interface::tui::model::run::figures::Queued;

/// What a model takes in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelMemory {
    /// As the fleet file plans it.
    pub planned: Option<u64>,
    /// As its server says.
    pub claimed: Option<u64>,
    /// As its processes were measured.
    pub measured: Option<u64>,
    /// What its KV cache takes when every slot's context is full.
    pub kv: Option<u64>,
}

impl ModelMemory {
    /// The most believable of the three sizes: a server that answers counts what the processes of macOS do not show.
    pub fn best(&self) -> Option<u64> {
        match (self.claimed, self.measured) {
            (Some(claimed), Some(measured)) => Some(claimed.max(measured)),
            (claimed, measured) => claimed.or(measured).or(self.planned),
        }
    }
}

/// What the model of an endpoint takes; of one that takes nothing of this machine what is planned and told.
pub fn memory(plan: &MemoryPlan, e: &EndpointState) -> ModelMemory {
    let holds = |m: &ServerMemory| match (m.footprint.max(m.resident), m.gpu) {
        (Some(main), Some(card)) => Some(main.saturating_add(card)),
        (main, card) => main.or(card),
    };
    match plan.row(&e.config.name) {
        Some(row) => ModelMemory {
            planned: row.planned.filter(|bytes| *bytes > 0),
            claimed: row.claimed,
            measured: row.measured.as_ref().and_then(holds),
            kv: row.cache,
        },
        None => {
            let gb = e.config.memory_gb.filter(|gb| *gb > 0.0 && gb.is_finite());
            let planned = gb.map(|gb| (f64::from(gb) * 1e9) as u64);
            ModelMemory { planned, claimed: e.resident, ..ModelMemory::default() }
        }
    }
}

/// What is left for caches when every model is loaded; none where no model takes anything of this machine.
pub fn headroom(plan: &MemoryPlan) -> Option<u64> {
    plan.headroom().filter(|_| !plan.rows.is_empty())
}

/// How many ready tasks wait for a slot of an endpoint's pool.
pub fn ready(queue: &BTreeMap<TaskIx, Queued>, state: &State, e: &EndpointState) -> u32 {
    queue.values().filter(|q| state.endpoint(q.endpoint).pool == e.pool).count() as u32
}

/// Why the free slots of an endpoint have nothing to do and what would change it, in a sentence.
pub fn idle(state: &State, ix: EndpointIx, now: Micros) -> Option<String> {
    let e = state.endpoint(ix);
    let tiers = e.config.tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Some(match state.idle_why(ix, now)? {
        IdleWhy::NoTask => format!("no ready task for {tiers}; the next one that needs it starts at once"),
        IdleWhy::Nothing => "nothing is to be done; ctrl-n asks for a new goal".to_owned(),
        IdleWhy::Paused => "the session is paused; P resumes it".to_owned(),
        IdleWhy::Limit => "the goal runs as many at once as you allow; the next to end frees a place".to_owned(),
        IdleWhy::Down => "it does not answer; ctrl-r probes it now".to_owned(),
        IdleWhy::Asked => state.standing_words(ix, now).map_or_else(String::new, |words| words.to_string()),
        IdleWhy::Draining => IdleWhy::Draining.sentence().to_owned(),
        IdleWhy::Memory => {
            "what is ready is of a goal whose models do not fit; ! has it, a starts it all the same".to_owned()
        }
        IdleWhy::Throttled => match &state.throttle {
            Some(throttle) => format!("{throttle}: fewer tasks start here until that is over"),
            None => "fewer tasks start on this machine than could".to_owned(),
        },
    })
}
