//! How an endpoint stands, in words: what is odd about it first, and what comes of that.
//!
//! Not here: why its free slots idle (`model/fleet/questions`). Invariant: an endpoint with nothing odd says how many
//! slots are free.

use crate::domain::fleet::Protocol;
use crate::domain::protocol::{Health, Intake, Micros, Residence, ServerStanding};
use crate::domain::state::{EndpointIx, EndpointState, State, Trust};
use crate::domain::text::CleanText;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::widget::figure::span;

/// The protocol's name.
pub(super) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::LlamaCpp => "llama.cpp",
        Protocol::Ollama => "ollama",
        Protocol::OpenAi => "openai",
        Protocol::Command => "command",
    }
}

/// Whether no request goes to it.
pub(super) fn is_down(e: &EndpointState) -> bool {
    matches!(e.health, Health::Down { .. })
}

/// When it is probed again.
fn probed(e: &EndpointState, now: Micros) -> String {
    match e.probe_at {
        Some(at) if at > now => format!("probed in {} s", at.since(now).0.div_ceil(1_000_000)),
        _ => "ctrl-r probes it".to_owned(),
    }
}

/// All that is odd about an endpoint, the worst first, each with its colour.
pub(super) fn odd(state: &State, ix: EndpointIx, now: Micros) -> Vec<(String, Slot)> {
    let e = state.endpoint(ix);
    let pool = state.pool(e.pool);
    let mut out = Vec::new();
    let server = state.servers.get(&e.config.name);
    match &e.health {
        Health::Down { reason } => {
            out.push((format!("down, {}: {}", probed(e, now), CleanText::one_line(reason)), Slot::Error));
        }
        Health::Loading => out.push(("loading its model".to_owned(), Slot::Warning)),
        Health::Unknown => out.push(("not probed yet".to_owned(), Slot::Dim)),
        Health::Up => {}
    }
    if e.config.protocol == Protocol::Command {
        out.push(("command-line agents are not served yet".to_owned(), Slot::Dim));
    }
    if let Some(server) = server {
        match server.standing {
            ServerStanding::Ready | ServerStanding::Adopted => {}
            ServerStanding::Failed => out.push((CleanText::one_line(&server.words).to_string(), Slot::Error)),
            standing => out.push((format!("its server: {}", standing.word()), Slot::Warning)),
        }
    }
    if e.intake == Intake::Draining {
        let words = if pool.busy() > 0 { "runs empty" } else { "is empty" };
        out.push((format!("drained: {words}, p opens it"), Slot::Held));
    }
    if e.trust == Trust::Trial {
        let words =
            if e.failures > 0 { format!("on trial after {} failures", e.failures) } else { "on trial".to_owned() };
        out.push((format!("{words}: one request at a time"), Slot::Warning));
    }
    if let Some(serves) = state.measured(ix) {
        let claims = state.claims(e.pool);
        out.push((format!("claims {claims}, serves {serves}"), Slot::Warning));
    }
    match e.others {
        0 => {}
        n => out.push((format!("{n} used by others"), Slot::Warning)),
    }
    if let Some(usual) = e.pace.slowed_from() {
        out.push((format!("slowed: {:.0} t/s a slot, {usual:.0} usual", e.speed()), Slot::Warning));
    }
    if e.residence == Some(Residence::Unloaded) {
        out.push(("not in memory; a request loads it".to_owned(), Slot::Dim));
    }
    if e.residence == Some(Residence::Loading) && e.health != Health::Loading {
        out.push(("its model is being loaded".to_owned(), Slot::Warning));
    }
    out
}

/// What is said at the end of a strip.
pub(super) fn standing(state: &State, ix: EndpointIx, queued: u32, now: Micros) -> (String, Slot) {
    let odd = odd(state, ix, now);
    if let Some((_, slot)) = odd.first() {
        let slot = *slot;
        return (odd.into_iter().map(|(words, _)| words).collect::<Vec<_>>().join(" · "), slot);
    }
    let pool = state.pool(state.endpoint(ix).pool);
    let draining = pool.draining();
    if draining > 0 {
        return (format!("{draining} draining"), Slot::SlotDraining);
    }
    match (pool.busy(), pool.free(), queued) {
        (0, _, _) => match state.idle_why(ix, now) {
            Some(why) => (format!("idle: {}", why.words()), Slot::Dim),
            None => ("idle".to_owned(), Slot::Dim),
        },
        (_, 0, 0) => ("full".to_owned(), Slot::Dim),
        (_, 0, n) => (format!("full, {n} wait"), Slot::Waiting),
        (_, free, _) => (format!("{free} free"), Slot::Dim),
    }
}

/// A time in the past as an age: `48s`.
pub(super) fn age(since: Micros, now: Micros) -> String {
    span(Micros(now.since(since).0 / 1_000_000 * 1_000_000))
}

/// Gigabytes with one decimal, or that nobody told.
pub(super) fn gb(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "–".to_owned(), crate::interface::tui::widget::figure::gigabytes_tenths)
}
