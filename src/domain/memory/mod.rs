//! The memory plan: what the models on this machine take, would take, and may take.
//!
//! One row for each endpoint that a server on this machine serves. Simulated ones take nothing and have no row, unless a
//! budget is set: then they count as planned and as loaded while a request of ours is with them, so that a demo can show
//! a plan that does not fit. Not here: who is held because of it ([`crate::domain::orchestrator`]), how the machine is
//! read (`engine/machine`).
//!
//! What the figures are worth: `memory_gb` is the operator's word for the weights; a model's shape is exact for weights
//! and for the cache of full slots; what a server claims is an estimate; a process's footprint lacks weights mapped from
//! a file, and its resident size lacks what was compressed or belongs to the GPU, so that the larger of the two is the
//! least it holds. What nobody tells is `None`: it is named and counts for nothing.
//!
//! Invariants: bytes, sums to the byte; two endpoints with one server and model are one model; what a server holds counts
//! once, as the larger of what is measured and what its loaded models come to.

mod wider;
mod words;

#[cfg(test)]
mod tests;

pub use wider::{System, wider};
pub use words::amount;

use crate::domain::fleet::{Endpoint, Fleet, MachineSettings, Nature, PoolKey, Protocol, bytes, local_port};
use crate::domain::protocol::{
    EndpointName, Health, LimitSource, MachineSampled, ModelShape, Pressure, Residence, ServerMemory, ThrottleCause,
};
use crate::domain::state::{EndpointState, State};
use crate::domain::text::CleanText;

/// Of all memory kept free where nobody says how much, in percent…
const RESERVE_PERCENT: u64 = 15;
/// …and no more than this.
const RESERVE_MOST: u64 = 40_000_000_000;

/// What the models on this machine take and may take.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPlan {
    /// A row for each endpoint that counts, in the order of the fleet.
    pub rows: Vec<Row>,
    /// The most that models may take; none: the machine was not looked at and no budget is set.
    pub limit: Option<Limit>,
    /// What is kept free for the system and other programs; 0 while the machine was not looked at.
    pub reserve: u64,
    /// What programs other than the fleet's own servers hold of main memory now, as far as it can be told.
    pub others: u64,
    /// How hard the kernel finds it to give memory; where starts are throttled for that, as hard as it was then.
    pub pressure: Option<Pressure>,
    /// From this part of the limit on it is tight, in percent.
    tight_percent: u32,
}

/// An endpoint and what its model takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// Its name where there is little room.
    pub name: CleanText,
    /// Where its server listens on this machine; none for a simulated one.
    pub port: Option<u16>,
    /// What the operator plans for the model without its cache.
    pub planned: Option<u64>,
    /// What the server says it holds for the model, its cache included.
    pub claimed: Option<u64>,
    /// What the processes of its server hold, for all its models together.
    pub measured: Option<ServerMemory>,
    /// Its weights: as its file or its server tells, else as planned.
    pub weights: Option<u64>,
    /// What its cache takes when every slot is full; allocated as a whole when the model is loaded.
    pub cache: Option<u64>,
    /// Whether it is in memory.
    pub presence: Presence,
    /// The row that stands for the same model on the same server: its own place, or one before it.
    model: usize,
}

/// Whether a model is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is, or is on its way there.
    Here,
    /// It is not; a request would load it.
    OnRequest,
    /// It is not, as far as is known; starting its server would load it, a request can't.
    Away,
}

/// The most that models may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// That much.
    pub bytes: u64,
    /// By what.
    pub bound: Bound,
}

/// What limits models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// All memory, less what is kept free.
    Reserve {
        /// All of it.
        total: u64,
    },
    /// All memory, less what other programs hold: more than is kept free for them.
    Others {
        /// All of it.
        total: u64,
    },
    /// What the GPU can use of the memory it shares.
    Gpu(LimitSource),
    /// Main memory less what is kept free, and cards with memory of their own.
    Cards,
    /// The operator.
    Budget,
}

/// Whether something fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Fits,
    /// It does, and little is left, or the kernel finds it hard to give memory.
    Tight,
    /// It does not.
    No,
    /// Nobody knows: no limit is known, or no size.
    Unknown,
}

/// A judgement, with its sum. [`std::fmt::Display`] is the sum in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether it fits.
    pub fit: Fit,
    /// The models that would be loaded, and what each needs more than it has; the largest first.
    pub more: Vec<(CleanText, u64)>,
    /// The sum of that.
    pub needed: u64,
    /// What is taken or promised already.
    pub held: u64,
    /// What is left under the limit; 0 without one.
    pub room: u64,
    /// The limit.
    pub limit: Option<Limit>,
    /// How hard the kernel finds it to give memory.
    pub pressure: Option<Pressure>,
    /// Models of unknown size, which count for nothing here.
    pub unknown: Vec<CleanText>,
}

/// What is known of an endpoint beyond its configuration.
#[derive(Clone, Copy, Default)]
struct Known {
    claimed: Option<u64>,
    shape: Option<ModelShape>,
    /// Slots and context as its server tells them.
    slots: Option<u32>,
    context: Option<u32>,
    presence: Option<Presence>,
}

impl MemoryPlan {
    /// As a session knows it.
    pub fn of(state: &State) -> Self {
        let settings = &state.config.machine;
        let known = |i: usize| state.endpoints().get(i).map(|e| known(state, e)).unwrap_or_default();
        let configs = state.endpoints().iter().map(|e| &e.config);
        let mut plan = Self::new(configs, known, &state.machine, settings);
        // A pressure that throttles is over when the throttle is, so that nothing goes to and fro with it.
        if let Some(ThrottleCause::Memory(pressure)) = state.throttle.map(|t| t.cause) {
            plan.pressure = plan.pressure.max(Some(pressure));
        }
        plan
    }

    /// As a fleet file and a look at the machine tell, without a session: no model is known to be loaded.
    pub fn of_fleet(fleet: &Fleet, machine: &MachineSampled, settings: &MachineSettings) -> Self {
        Self::new(fleet.endpoints.iter(), |_| Known::default(), machine, settings)
    }

    fn new<'a>(
        endpoints: impl Iterator<Item = &'a Endpoint>,
        known: impl Fn(usize) -> Known,
        machine: &MachineSampled,
        settings: &MachineSettings,
    ) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut models: Vec<PoolKey> = Vec::new();
        for (i, e) in endpoints.enumerate().filter(|(_, e)| counts(e, settings)) {
            let known = known(i);
            let key = e.pool();
            let model = models.iter().position(|m| *m == key).unwrap_or(rows.len());
            let port = local_port(&e.url).filter(|_| e.nature == Nature::Real);
            let planned = e.planned();
            let weights = known.shape.and_then(|s| s.weights).or(planned);
            let (slots, context) = (known.slots.unwrap_or(e.slots), known.context.unwrap_or(e.context));
            models.push(key);
            rows.push(Row {
                endpoint: e.name.clone(),
                name: CleanText::one_line(e.brief()),
                port,
                planned,
                claimed: known.claimed,
                measured: port.and_then(|port| machine.server(port)).copied(),
                weights,
                cache: known.shape.and_then(|s| cache(s, slots, context)),
                presence: known.presence.unwrap_or(Presence::Away),
                model,
            });
        }
        // What is simulated is held against its budget only, not against a machine that it is not on.
        let nothing = MachineSampled::default();
        let real = rows.is_empty() || rows.iter().any(|r| r.port.is_some());
        let machine = if real { machine } else { &nothing };
        let reserve = reserve(machine.total, settings);
        let (pressure, tight_percent) = (machine.pressure, settings.tight_percent);
        let mut plan = Self { rows, limit: None, reserve, others: 0, pressure, tight_percent };
        plan.others = plan.held_by_others(machine);
        plan.limit = limit(machine, reserve, plan.others, settings);
        plan
    }

    /// The row of an endpoint; none where it takes nothing of this machine.
    pub fn row(&self, endpoint: &EndpointName) -> Option<&Row> {
        self.rows.iter().find(|r| r.endpoint == *endpoint)
    }

    /// The rows, each model once.
    pub fn models(&self) -> impl Iterator<Item = &Row> + '_ {
        self.rows.iter().enumerate().filter(|(i, r)| r.model == *i).map(|(_, r)| r)
    }

    /// What all models are planned to take, without their caches.
    pub fn planned(&self) -> u64 {
        sum(self.models().filter_map(|r| r.planned))
    }

    /// What all caches would take, as far as it is known.
    pub fn caches(&self) -> u64 {
        sum(self.models().filter_map(|r| r.cache))
    }

    /// What is left for caches, and for what nobody planned, when every model is loaded; none without a limit.
    pub fn headroom(&self) -> Option<u64> {
        let weights = sum(self.models().filter_map(|r| r.weights));
        self.limit.map(|l| l.bytes.saturating_sub(weights))
    }

    /// What is taken now: by each server the larger of what is measured and what its loaded models come to.
    pub fn held(&self) -> u64 {
        let mut ports: Vec<Option<u16>> = self.rows.iter().map(|r| r.port).collect();
        ports.sort_unstable();
        ports.dedup();
        sum(ports.into_iter().map(|port| self.held_at(port)))
    }

    /// All that is in use, less what this fleet's servers have of it.
    fn held_by_others(&self, machine: &MachineSampled) -> u64 {
        let own = |port: u16| match machine.server(port) {
            Some(measured) => of_main(measured, machine),
            // One whose processes may not be looked at: what it says of itself.
            None => self.held_at(Some(port)),
        };
        let mut ports: Vec<u16> = self.rows.iter().filter_map(|r| r.port).collect();
        ports.sort_unstable();
        ports.dedup();
        machine.used.saturating_sub(sum(ports.into_iter().map(own)))
    }

    fn held_at(&self, port: Option<u16>) -> u64 {
        let there = || self.models().filter(move |r| r.port == port);
        let loaded = sum(there().filter(|r| r.presence == Presence::Here).filter_map(Row::needs));
        let measured = there().find_map(|r| r.measured.as_ref()).map_or(0, holds);
        loaded.max(measured)
    }

    /// What a model would take beyond what is held for it now; none where its size is not known.
    fn more(&self, row: &Row) -> Option<u64> {
        if row.presence == Presence::Here {
            return Some(0);
        }
        let needs = row.needs()?;
        // What its server holds already is its own, where the server has no other model.
        let alone = row.port.is_some() && self.models().filter(|r| r.port == row.port).count() == 1;
        let has = row.measured.as_ref().filter(|_| alone).map_or(0, holds);
        Some(needs.saturating_sub(has))
    }

    /// Whether a request or a start could load a model of known size that is not in memory.
    pub fn can_grow(&self) -> bool {
        self.models().any(|r| r.presence != Presence::Here && self.more(r).is_some_and(|more| more > 0))
    }

    /// Whether the models of `wanted` fit when all of them are loaded beside what is there and what is `promised`: to
    /// goals that run, whose requests will load it. Endpoints that take nothing of this machine are passed over.
    pub fn judge(&self, wanted: &[EndpointName], promised: &[EndpointName]) -> Verdict {
        let models = |names: &[EndpointName]| {
            let mut rows: Vec<usize> = names.iter().filter_map(|n| self.row(n)).map(|r| r.model).collect();
            rows.sort_unstable();
            rows.dedup();
            rows
        };
        let wanted = models(wanted);
        let also = models(promised).into_iter().filter(|m| !wanted.contains(m));
        let row = |i: usize| self.rows.get(i);
        let promised = sum(also.filter_map(row).filter_map(|r| self.more(r)));
        let held = self.held().saturating_add(promised);
        let (mut more, mut unknown) = (Vec::new(), Vec::new());
        for row in wanted.into_iter().filter_map(row) {
            match self.more(row) {
                Some(0) => {}
                Some(bytes) => more.push((row.name.clone(), bytes)),
                None => unknown.push(row.name.clone()),
            }
        }
        more.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let needed = sum(more.iter().map(|(_, bytes)| *bytes));
        let room = self.limit.map_or(0, |l| l.bytes.saturating_sub(held));
        let fit = self.fit(needed, held, room, &unknown);
        Verdict { fit, more, needed, held, room, limit: self.limit, pressure: self.pressure, unknown }
    }

    fn fit(&self, needed: u64, held: u64, room: u64, unknown: &[CleanText]) -> Fit {
        let Some(limit) = self.limit else { return Fit::Unknown };
        if needed > 0 && (needed > room || self.pressure == Some(Pressure::Critical)) {
            return Fit::No;
        }
        if needed == 0 && !unknown.is_empty() {
            return Fit::Unknown;
        }
        let taken = u128::from(held) + u128::from(needed);
        let tight = taken * 100 >= u128::from(limit.bytes) * u128::from(self.tight_percent);
        if tight || self.pressure >= Some(Pressure::Warning) { Fit::Tight } else { Fit::Fits }
    }
}

impl Row {
    /// What the model takes in all when it is loaded and its slots are full; none where its size is not known.
    pub fn needs(&self) -> Option<u64> {
        let told = self.weights.map(|weights| weights.saturating_add(self.cache.unwrap_or(0)));
        told.max(self.claimed)
    }
}

/// Whether an endpoint takes memory of this machine.
fn counts(e: &Endpoint, settings: &MachineSettings) -> bool {
    e.is_here() || (e.nature == Nature::Simulated && settings.budget_gb.is_some())
}

fn known(state: &State, e: &EndpointState) -> Known {
    let simulated = e.config.nature == Nature::Simulated;
    Known {
        // What a simulated server says it holds, it does not hold.
        claimed: e.resident.filter(|_| !simulated),
        shape: e.shape.filter(|_| !simulated),
        slots: e.reported_slots.filter(|n| *n > 0),
        context: e.reported_context.filter(|n| *n > 0),
        presence: Some(presence(state, e)),
    }
}

/// Whether an endpoint's model is in memory. A server of one model has it, its cache too, from its start on; one that
/// loads models by itself says which it has, and a request of ours that is with it loads the model if need be.
pub fn presence(state: &State, e: &EndpointState) -> Presence {
    let busy = state.pool(e.pool).busy() > 0;
    let by_request = if busy { Presence::Here } else { Presence::OnRequest };
    if e.config.nature == Nature::Simulated {
        return by_request;
    }
    // One that Baton starts takes its memory from now on, though it does not answer yet.
    let starts = state.servers.get(&e.config.name).is_some_and(|s| !s.standing.is_over());
    if matches!(e.health, Health::Down { .. } | Health::Unknown) && e.config.protocol != Protocol::Ollama && starts {
        return Presence::Here;
    }
    if matches!(e.health, Health::Down { .. }) {
        return Presence::Away;
    }
    match e.residence {
        Some(Residence::Loaded | Residence::Loading) => Presence::Here,
        Some(Residence::Unloaded) => by_request,
        None if e.resident.is_some() => Presence::Here,
        None if e.config.protocol == Protocol::Ollama => by_request,
        None if e.health == Health::Unknown => Presence::Away,
        None => Presence::Here,
    }
}

/// What the caches of all slots take when they are full.
fn cache(shape: ModelShape, slots: u32, context: u32) -> Option<u64> {
    let one = shape.kv_token?.saturating_mul(u64::from(context)).saturating_add(shape.kv_slot);
    Some(one.saturating_mul(u64::from(slots)))
}

/// The least a server's processes hold; a card's own memory aside from main memory.
fn holds(m: &ServerMemory) -> u64 {
    m.footprint.unwrap_or(0).max(m.resident.unwrap_or(0)).saturating_add(m.gpu.unwrap_or(0))
}

/// What a server has of [`MachineSampled::used`]. Weights mapped from a file are in use where a GPU that shares main memory wires
/// them; elsewhere they are not: they can be given up at any time, and count as available.
fn of_main(m: &ServerMemory, machine: &MachineSampled) -> u64 {
    let wired = machine.gpus.iter().any(|g| g.unified);
    match m.footprint.filter(|_| !wired) {
        Some(footprint) => footprint,
        None => m.footprint.unwrap_or(0).max(m.resident.unwrap_or(0)),
    }
}

fn reserve(total: u64, settings: &MachineSettings) -> u64 {
    let usual = || {
        let share = u128::from(total) * u128::from(RESERVE_PERCENT) / 100;
        u64::try_from(share).unwrap_or(u64::MAX).min(RESERVE_MOST)
    };
    settings.reserve_gb.map_or_else(usual, bytes).min(total)
}

/// The least of what the machine with its other programs, its GPU and the operator allow.
fn limit(machine: &MachineSampled, reserve: u64, others: u64, settings: &MachineSettings) -> Option<Limit> {
    let main = machine.total.saturating_sub(reserve.max(others));
    let total = machine.total;
    let unified = machine.gpus.iter().any(|g| g.unified);
    let of_machine = (machine.total > 0).then(|| match machine.gpu_limit() {
        Some(gpu) if unified && gpu.bytes < main => Limit { bytes: gpu.bytes, bound: Bound::Gpu(gpu.source) },
        Some(cards) if !unified => Limit { bytes: main.saturating_add(cards.bytes), bound: Bound::Cards },
        _ if others > reserve => Limit { bytes: main, bound: Bound::Others { total } },
        _ => Limit { bytes: main, bound: Bound::Reserve { total } },
    });
    let budget = settings.budget_gb.map(|gb| Limit { bytes: bytes(gb), bound: Bound::Budget });
    [of_machine, budget].into_iter().flatten().min_by_key(|l| l.bytes)
}

fn sum(parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(0, u64::saturating_add)
}
