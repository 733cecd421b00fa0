//! Figures that are worked out at most once a second, so that they can be read: estimates, rates, queues, which
//! endpoints idle.
//!
//! Not here: what they are worked out by ([`crate::domain::state`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::protocol::{GoalId, Health, Micros};
use crate::domain::state::{EndpointIx, GoalPhase, IdleWhy, Life, PoolIx, Progress, State, TaskIx, Why};

/// The place of a ready task among those that wait for the same slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// An endpoint of its tier.
    pub endpoint: EndpointIx,
    /// 1 is next.
    pub rank: u32,
    /// Seconds until its turn comes, by estimate.
    pub seconds: u32,
}

/// A line of the fleet pane.
#[derive(Clone, Debug, PartialEq)]
pub enum FleetLine {
    /// One endpoint with its pool.
    Endpoint {
        /// Which.
        endpoint: EndpointIx,
        /// Ready tasks that wait for it.
        queued: u32,
        /// Tokens a second, all slots.
        rate: f32,
    },
    /// Endpoints with nothing to do, and why.
    Idle {
        /// Which.
        endpoints: Vec<EndpointIx>,
        /// Why.
        why: IdleWhy,
    },
}

/// The figures of one second.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    second: Option<(u64, usize, usize)>,
    /// How all tasks stand.
    pub progress: Progress,
    /// Seconds until all is done.
    pub remaining: f32,
    /// Times faster than one at a time.
    pub speed_up: Option<f32>,
    /// Tokens a second of all endpoints.
    pub token_rate: f32,
    /// Unfinished tasks on the critical path.
    pub critical: BTreeSet<TaskIx>,
    /// The longest chain of remaining work of each task, in seconds.
    pub paths: Vec<f32>,
    /// Tokens a second of running tasks.
    pub rates: BTreeMap<TaskIx, f32>,
    /// Ready tasks in their queues.
    pub queue: BTreeMap<TaskIx, Queued>,
    /// The fleet pane.
    pub fleet: Vec<FleetLine>,
    /// Slots of endpoints that are down.
    pub down_slots: u32,
}

impl Figures {
    /// Works them out again when the second is another, or a task or an attempt was added. True when it did.
    pub fn refresh(&mut self, state: &State, now: Micros) {
        let second = Some((now.0 / 1_000_000, state.tasks().len(), state.attempts().len()));
        if self.second == second {
            // These are cheap and must never lag behind the tree.
            self.progress = quick_progress(state, self.progress);
            return;
        }
        self.second = second;
        self.progress = state.progress(None);
        let estimates = state.estimates(now);
        self.remaining = state.expected_remaining(&estimates);
        self.speed_up = state.speed_up(now);
        self.token_rate = state.token_rate(now);
        self.critical = state.critical_path(&estimates).into_iter().collect();
        self.rates = state.running().map(|a| (a.task, a.rate)).collect();
        self.queue = queue(state, now);
        self.fleet(state, now);
        self.paths = estimates.path;
    }

    fn fleet(&mut self, state: &State, now: Micros) {
        let mut queued: BTreeMap<PoolIx, u32> = BTreeMap::new();
        for place in self.queue.values() {
            *queued.entry(state.endpoint(place.endpoint).pool).or_default() += 1;
        }
        let mut seen: BTreeSet<PoolIx> = BTreeSet::new();
        let mut busy: Vec<FleetLine> = Vec::new();
        let mut down: Vec<FleetLine> = Vec::new();
        let mut idle: Vec<(IdleWhy, Vec<EndpointIx>)> = Vec::new();
        self.down_slots = 0;
        for (i, e) in state.endpoints().iter().enumerate() {
            let endpoint = EndpointIx(i as u32);
            if !seen.insert(e.pool) {
                continue;
            }
            let pool = state.pool(e.pool);
            let members: Vec<_> = state.endpoints().iter().filter(|o| o.pool == e.pool).collect();
            let line = FleetLine::Endpoint {
                endpoint,
                queued: queued.get(&e.pool).copied().unwrap_or(0),
                rate: members.iter().map(|m| m.tokens.rate(now)).sum(),
            };
            if !members.iter().any(|m| m.is_usable()) {
                self.down_slots += pool.ceiling;
                down.push(line);
            } else if pool.busy() > 0
                || queued.contains_key(&e.pool)
                || members.iter().any(|m| m.health == Health::Loading)
            {
                busy.push(line);
            } else if let Some(why) = state.idle_why(endpoint, now) {
                match idle.iter_mut().find(|(w, _)| *w == why) {
                    Some((_, list)) => list.push(endpoint),
                    None => idle.push((why, vec![endpoint])),
                }
            } else {
                busy.push(line);
            }
        }
        self.fleet = busy;
        self.fleet.extend(down);
        self.fleet.extend(idle.into_iter().map(|(why, endpoints)| FleetLine::Idle { endpoints, why }));
    }

    /// When the session's work began and, if all goals have ended, when it did.
    pub fn span(state: &State, now: Micros) -> Micros {
        let Some(first) = state.goals().first() else { return Micros(0) };
        let open = state.goals().iter().any(|g| !matches!(g.phase, GoalPhase::Ended(_)));
        let end = if open { now } else { state.goals().iter().filter_map(|g| g.ended_at).max().unwrap_or(now) };
        end.since(first.added_at)
    }

    /// The first goal that is not over, else the last.
    pub fn goal(state: &State) -> Option<GoalId> {
        state.goals().iter().find(|g| !matches!(g.phase, GoalPhase::Ended(_))).or(state.goals().last()).map(|g| g.id)
    }
}

/// Progress from the goals' counters: running and open are exact; the rest keeps its last proportion.
fn quick_progress(state: &State, last: Progress) -> Progress {
    let open: u32 = state.goals().iter().map(|g| g.open).sum();
    let running: u32 = state.goals().iter().map(|g| g.running).sum();
    let ended = last.total.saturating_sub(open);
    let done = ended.saturating_sub(last.failed + last.dropped);
    Progress { running, waiting: open.saturating_sub(running), done, ..last }
}

/// Ready tasks by tier in the order they will start ([`State::queue_place`]).
fn queue(state: &State, now: Micros) -> BTreeMap<TaskIx, Queued> {
    let (paths, highest) = (state.paths(), state.highest_priority());
    let mut tiers: BTreeMap<&str, Vec<TaskIx>> = BTreeMap::new();
    for (i, task) in state.tasks().iter().enumerate() {
        let ix = TaskIx(i as u32);
        // One between two turns goes first, and holds up those behind it.
        let waits = task.life == Life::NotStarted && !task.held;
        if task.removed || !(waits || state.between_turns(task).is_some()) {
            continue;
        }
        if let Err(Why::Slot { .. }) = state.admit(ix, now)
            && let Some(tier) = state.tier_of(task)
        {
            tiers.entry(tier.as_str()).or_default().push(ix);
        }
    }
    let mut out = BTreeMap::new();
    for (tier, mut tasks) in tiers {
        let serves = |e: &crate::domain::state::EndpointState| {
            e.is_usable() && e.config.tiers.iter().any(|t| t.as_str() == tier)
        };
        let Some(endpoint) = state.endpoints().iter().position(serves).map(|i| EndpointIx(i as u32)) else { continue };
        let mut ends: Vec<f32> = state
            .running()
            .filter(|a| state.place_of(a).is_some_and(serves))
            .map(|a| state.remaining_seconds(a.task, now))
            .collect();
        ends.sort_by(f32::total_cmp);
        let path = |t: &TaskIx| paths.get(t.0 as usize).copied().unwrap_or(0.0);
        tasks.sort_by_cached_key(|t| state.queue_place(*t, now, path(t), highest));
        for (i, ix) in tasks.into_iter().enumerate() {
            let slots = ends.len().max(1);
            let mut seconds = ends.get(i % slots).copied().unwrap_or(0.0);
            // Each round over the slots adds one more task's time.
            seconds += (i / slots) as f32 * state.expected_seconds(state.task(ix));
            out.insert(ix, Queued { endpoint, rank: i as u32 + 1, seconds: seconds.round() as u32 });
        }
    }
    out
}
