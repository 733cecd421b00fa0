//! What the Fleet screen asks of a state.
//!
//! Not here: the answers' words on a strip (`view/fleet`). Invariant: what nobody told is `None`, never 0.

use std::collections::BTreeMap;

use crate::domain::protocol::{MachineSampled, Micros, TurnId};
use crate::domain::state::{EndpointIx, EndpointState, IdleWhy, PermitPhase, Pool, State, TaskIx};
use crate::interface::tui::model::run::figures::Queued;

/// Slots the server says it has.
pub fn claimed(e: &EndpointState) -> Option<u32> {
    e.reported_slots
}

/// Requests at once that it was seen to serve, where that is fewer than it claims.
pub fn measured(pool: &Pool) -> Option<u32> {
    pool.measured
}

/// Requests that were sent and of which nothing was heard yet: they may wait in the server.
pub fn unbegun(state: &State, pool: &Pool) -> u32 {
    let silent = |turn: TurnId| {
        let attempt = state.attempt(turn.attempt)?;
        let turn = attempt.turns.get((turn.turn as usize).checked_sub(1)?)?;
        Some(turn.prompt.is_none() && turn.first_token_at.is_none())
    };
    let waits = |phase: PermitPhase| matches!(phase, PermitPhase::Granted(turn) if silent(turn) == Some(true));
    pool.permits.iter().filter(|p| waits(p.phase)).count() as u32
}

/// The share of prompt tokens that came from the server's cache.
pub fn cache_share(e: &EndpointState) -> Option<f32> {
    (e.prompt_tokens > 0).then(|| (e.cached_tokens as f32 / e.prompt_tokens as f32).min(1.0))
}

/// The port it listens on on this machine; none: it is on another.
pub fn port(e: &EndpointState) -> Option<u16> {
    let rest = e.config.url.split_once("://")?.1;
    let host = rest.split('/').next()?.rsplit('@').next()?;
    let (name, port) = host.rsplit_once(':')?;
    let here = matches!(name.to_ascii_lowercase().as_str(), "127.0.0.1" | "localhost" | "[::1]" | "0.0.0.0");
    port.parse().ok().filter(|_| here)
}

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

/// What the model of an endpoint takes.
pub fn memory(e: &EndpointState, machine: &MachineSampled) -> ModelMemory {
    let gb = e.config.memory_gb.filter(|gb| *gb > 0.0 && gb.is_finite());
    let server = port(e).and_then(|port| machine.server(port));
    let slots = u64::from(e.reported_slots.unwrap_or(e.config.slots));
    let context = u64::from(e.context());
    let kv = e.shape.and_then(|shape| {
        let token = shape.kv_token?;
        token.checked_mul(context)?.checked_add(shape.kv_slot)?.checked_mul(slots)
    });
    ModelMemory {
        planned: gb.map(|gb| (f64::from(gb) * 1e9) as u64),
        claimed: e.resident,
        measured: server.and_then(|s| s.gpu.or(s.footprint.max(s.resident))),
        kv,
    }
}

/// How many tokens' contexts are filled in a pool's slots now, as far as they are known.
pub fn tokens_in_use(state: &State, pool: &Pool, context: u32) -> u64 {
    let share = |turn: TurnId| state.attempt(turn.attempt)?.context_share(context);
    let shares = pool.permits.iter().filter_map(|p| share(p.phase.turn()?));
    (f64::from(shares.sum::<f32>()) * f64::from(context)) as u64
}

/// Bytes by which the KV caches of all models can still grow, where any of it is known.
pub fn kv_headroom(state: &State) -> Option<u64> {
    let mut seen = Vec::new();
    let mut sum = None;
    for e in state.endpoints().iter().filter(|e| port(e).is_some()) {
        if seen.contains(&e.pool) {
            continue;
        }
        seen.push(e.pool);
        let Some(kv) = memory(e, &state.machine).kv else { continue };
        let per = e.shape.and_then(|s| s.kv_token).unwrap_or(0);
        let used = per.saturating_mul(tokens_in_use(state, state.pool(e.pool), e.context()));
        sum = Some(sum.unwrap_or(0_u64).saturating_add(kv.saturating_sub(used)));
    }
    sum
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
        other => other.sentence().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::ModelShape;
    use crate::interface::tui::view::run::fixture;

    #[test]
    fn only_what_listens_here_has_a_port_here() {
        let mut story = fixture::drawing();
        let at = |story: &mut fixture::Story, url: &str| {
            let mut e = story.state.endpoints()[0].clone();
            e.config.url = url.into();
            port(&e)
        };
        assert_eq!(at(&mut story, "http://127.0.0.1:8083"), Some(8083));
        assert_eq!(at(&mut story, "http://LOCALHOST:8080/v1"), Some(8080));
        assert_eq!(at(&mut story, "http://[::1]:11434"), Some(11434));
        assert_eq!(at(&mut story, "http://studio.local:8080"), None);
        assert_eq!(at(&mut story, "http://127.0.0.1/x"), None);
        assert_eq!(at(&mut story, "nonsense"), None);
    }

    #[test]
    fn the_cache_of_every_slot_at_its_full_context() {
        let story = fixture::drawing();
        let mut e = story.state.endpoints()[0].clone();
        assert_eq!(memory(&e, &story.state.machine).kv, None);
        e.shape = Some(ModelShape { weights: None, kv_token: Some(100), kv_slot: 7, trained: None });
        assert_eq!(memory(&e, &story.state.machine).kv, Some((16_384 * 100 + 7) * 6));
        e.shape = Some(ModelShape { kv_token: Some(u64::MAX), ..ModelShape::default() });
        assert_eq!(memory(&e, &story.state.machine).kv, None);
    }
}
