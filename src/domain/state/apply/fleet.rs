//! What events change of endpoints, their slots, and goals' memory.

use crate::domain::protocol::{
    Blame, EndpointChanged, EndpointEdit, EndpointFound, EndpointName, Failure, FailureKind, Finding, GoalId, Health,
    Intake, LevelSupport, Micros, ModelMoved, ModelVerb, Residence, ServerChanged, ServerStanding, SessionStarted,
    TurnEnd, TurnEnded, TurnId,
};
use crate::domain::state::watch::{Left, Sign};
use crate::domain::state::{
    Attempt, EndpointHistory, EndpointIx, EndpointState, GoalMemory, Pace, Permit, PermitPhase, Pool, PoolIx, Shut,
    SpeedHistory, State, Trust, Watch,
};

/// A context below this is a misread figure: no server serves a chat with it.
const LEAST_CONTEXT: u32 = 64;

/// The longest rest that an endpoint is given, as the orchestrator gives them.
const LONGEST_REST: Micros = Micros::from_secs(30);

impl State {
    pub(super) fn session_started(&mut self, started: &SessionStarted) {
        self.session = Some(started.session.clone());
        self.config = started.config.clone();
        self.level = started.config.settings.level;
        self.pools.clear();
        self.endpoints.clear();
        for endpoint in &started.config.fleet.endpoints {
            let key = endpoint.pool();
            let pool = match self.pools.iter().position(|p| p.key == key) {
                Some(i) => i,
                None => {
                    self.pools.push(Pool {
                        key,
                        permits: Vec::new(),
                        ceiling: 0,
                        measured: None,
                        watch: Watch::default(),
                        worked_us: 0,
                        shut: None,
                        refusals: 0,
                        served_at: None,
                    });
                    self.pools.len() - 1
                }
            };
            self.endpoints.push(EndpointState {
                config: endpoint.clone(),
                pool: PoolIx(pool as u32),
                health: Health::Unknown,
                reported_slots: None,
                reported_context: None,
                level: endpoint.level.unwrap_or(LevelSupport::Unknown),
                resident: None,
                server: None,
                probe_at: None,
                since: Micros(0),
                failures: 0,
                slot_speed: 0.0,
                pace: Pace::default(),
                first_token: 0.0,
                settled: None,
                completed: 0,
                errors: 0,
                tokens: SpeedHistory::default(),
                history: EndpointHistory::default(),
                prompt_tokens: 0,
                cached_tokens: 0,
                others: 0,
                queued: None,
                shape: None,
                residence: None,
                mismatch: None,
                intake: Intake::Open,
                trust: Trust::Whole,
                rests: 0,
                told_context: None,
                density: None,
            });
        }
        for pool in 0..self.pools.len() {
            self.resize_pool(PoolIx(pool as u32));
        }
    }

    /// Sets a pool's ceiling: see [`Pool::ceiling`].
    pub(super) fn resize_pool(&mut self, ix: PoolIx) {
        let members = || self.endpoints.iter().filter(|e| e.pool == ix);
        let configured = members().map(|e| e.config.slots).max().unwrap_or(0);
        // A server that says it has none is not believed: nothing would ever start there.
        let reported = members().filter_map(|e| e.reported_slots).filter(|n| *n > 0).min().unwrap_or(u32::MAX);
        let others = members().map(|e| e.others).max().unwrap_or(0);
        // One that does not answer is not tried; others of its pool may have the slots.
        let tried = members().any(|e| e.trust == Trust::Trial && e.answers());
        let pool = &mut self.pools[ix.0 as usize];
        let measured = pool.measured.map_or(u32::MAX, |m| m.saturating_add(pool.watch.extra()));
        let serves = configured.min(reported).min(measured);
        let left = serves.saturating_sub(others).max(1).min(serves);
        let ceiling = if tried { left.min(1) } else { left };
        pool.ceiling = ceiling;
        while pool.permits.len() > ceiling as usize && pool.permits.last().is_some_and(|p| p.phase == PermitPhase::Free)
        {
            pool.permits.pop();
        }
        if pool.permits.len() < ceiling as usize {
            pool.permits.resize(ceiling as usize, Permit::default());
        }
    }

    /// The pool keeps its place and its permits; only where its server is changes.
    pub(super) fn endpoint_moved(&mut self, endpoint: &EndpointName, url: &str) {
        let Some(ix) = self.find_endpoint(endpoint) else { return };
        let state = &mut self.endpoints[ix.0 as usize];
        state.config.url = url.to_owned();
        self.pools[state.pool.0 as usize].key = state.config.pool();
        if let Some(config) = self.config.fleet.endpoints.iter_mut().find(|e| e.name == *endpoint) {
            config.url = url.to_owned();
        }
    }

    pub(super) fn endpoint_changed(&mut self, at: Micros, changed: &EndpointChanged) {
        let Some(ix) = self.find_endpoint(&changed.endpoint) else { return };
        let endpoint = &mut self.endpoints[ix.0 as usize];
        let (was, since, others) = (endpoint.answers(), endpoint.since, endpoint.others);
        let away = match (&endpoint.health, &changed.health) {
            // Where a probe says it. That a request was turned away with such words may go on for ever.
            (Health::Loading, Health::Loading) => None,
            (Health::Loading, _) => Some(since).filter(|_| endpoint.residence == Some(Residence::Loading)),
            // One that is given a rest is there, and what fails there goes on failing.
            (Health::Down { .. }, Health::Up | Health::Loading) if endpoint.rests > 0 => Some(since.plus(LONGEST_REST)),
            (Health::Down { .. }, Health::Up | Health::Loading) => Some(since),
            _ => None,
        };
        endpoint.learn(at, changed);
        let (pool, is) = (endpoint.pool, endpoint.answers());
        let watch = &mut self.pools[pool.0 as usize].watch;
        if (others == 0) != (changed.others == 0) {
            watch.doubt();
        }
        if is && !was {
            watch.came_back();
            // It worked all the time; only the probe did not come through.
            let heard = |a: &Attempt| {
                a.endpoint() == Some(ix) && a.turn().is_some_and(|t| t.ended.is_none() && t.heard_at > since)
            };
            if self.running().any(heard) {
                self.proves_itself(pool);
            }
        }
        if let Some(since) = away {
            self.was_away(at, since, pool);
        }
        self.resize_pool(pool);
    }

    /// A server that says that it loads is no trouble, and where one is down nothing is tried: the time it took is taken off
    /// what its tasks had.
    fn was_away(&mut self, at: Micros, since: Micros, pool: PoolIx) {
        for i in 0..self.tasks.len() {
            let task = &self.tasks[i];
            let Some(troubled) = task.troubled_since.filter(|_| !task.has_ended()) else { continue };
            let theirs = self.last_attempt(task).and_then(|a| self.place_of(a)).is_some_and(|e| e.pool == pool);
            if theirs {
                self.tasks[i].troubled_since = Some(troubled.plus(at.since(since.max(troubled))));
            }
        }
    }

    /// What a request that its server turned away says of when the next one may be sent: not before the time it asked for;
    /// and where it had no room though none of ours is there, later each time, and then one at a time.
    fn turned_away(&mut self, at: Micros, ix: EndpointIx, turn: TurnId, failure: &Failure) {
        let settings = &self.config.settings;
        let most = settings.outage_seconds.saturating_mul(1_000);
        let (first, longest) = (settings.backoff_ms, settings.backoff_max_ms);
        let pool = &mut self.pools[self.endpoints[ix.0 as usize].pool.0 as usize];
        let asked = failure.told.wait_ms.filter(|ms| *ms > 0);
        let ours = pool.permits.iter().any(|p| p.phase.turn().is_some_and(|t| t != turn));
        let full = failure.kind == FailureKind::Busy && !ours;
        let wait = match asked {
            Some(ms) => Some(ms.min(most)),
            None => full.then(|| first.saturating_mul(1 << pool.refusals.min(16)).min(longest.max(first)).max(1)),
        };
        if let Some(ms) = wait {
            pool.shut_until(Shut { until: at.plus(Micros::from_millis(ms)), asked_ms: asked });
        }
        if full {
            pool.refusals = pool.refusals.saturating_add(1);
        }
        if full || failure.kind == FailureKind::Loading {
            self.endpoints[ix.0 as usize].trust = Trust::Trial;
            self.resize_pool(self.endpoints[ix.0 as usize].pool);
        }
    }

    /// A request of a pool gave a sign of work: those of its endpoints that were away are trusted again. One whose
    /// requests failed has to serve one to its end.
    pub(super) fn proves_itself(&mut self, pool: PoolIx) {
        let mut changed = false;
        for e in self.endpoints.iter_mut().filter(|e| e.pool == pool && e.trust == Trust::Trial) {
            if e.rests == 0 && e.answers() {
                e.trust = Trust::Whole;
                changed = true;
            }
        }
        if changed {
            self.resize_pool(pool);
        }
    }

    /// A server that was started for the session, and did not end by itself since, is as good as on its first start.
    pub(super) fn server_changed(&mut self, changed: &ServerChanged) {
        if changed.standing != ServerStanding::Ready || changed.restarts > 0 {
            return;
        }
        let Some(ix) = self.find_endpoint(&changed.endpoint) else { return };
        let e = &mut self.endpoints[ix.0 as usize];
        if e.rests == 0 {
            e.trust = Trust::Whole;
            let pool = e.pool;
            self.resize_pool(pool);
        }
    }

    /// A turn gave its first sign of work, or the first of its answer.
    pub(super) fn turn_begins(&mut self, at: Micros, turn: TurnId, sign: Sign) {
        let Some(endpoint) = self.attempt(turn.attempt).and_then(Attempt::endpoint) else { return };
        let ix = self.endpoint(endpoint).pool;
        self.watched(ix, |watch, believed| watch.begins(at, turn, sign, believed));
        self.pools[ix.0 as usize].takes();
        self.proves_itself(ix);
    }

    /// Something was seen of a pool's server; its ceiling follows.
    pub(super) fn watched<T>(&mut self, ix: PoolIx, see: impl FnOnce(&mut Watch, Option<u32>) -> T) -> T {
        let pool = &mut self.pools[ix.0 as usize];
        let (before, believed) = (pool.watch.extra(), pool.measured);
        let seen = see(&mut pool.watch, believed);
        if pool.watch.extra() != before {
            self.resize_pool(ix);
        }
        seen
    }

    pub(super) fn with_endpoint(&mut self, name: &EndpointName, change: impl FnOnce(&mut EndpointState)) {
        if let Some(ix) = self.find_endpoint(name) {
            change(&mut self.endpoints[ix.0 as usize]);
        }
    }

    pub(super) fn found(&mut self, found: &EndpointFound) {
        let Some(ix) = self.find_endpoint(&found.endpoint) else { return };
        let endpoint = &mut self.endpoints[ix.0 as usize];
        let ix = endpoint.pool;
        let pool = &mut self.pools[ix.0 as usize];
        let believe = |pool: &mut Pool, serves: Option<u32>| {
            pool.watch.believed(pool.measured, serves);
            pool.measured = serves;
        };
        match found.finding {
            Finding::Serves { slots, .. } => believe(pool, Some(slots.max(1))),
            Finding::ServesAll => believe(pool, None),
            Finding::Failing { .. } => {
                endpoint.trust = Trust::Trial;
                endpoint.rests = endpoint.rests.saturating_add(1);
            }
            Finding::Recovered => (endpoint.trust, endpoint.rests) = (Trust::Whole, 0),
            Finding::Slowed { usual, now } => {
                endpoint.pace.told(Some(usual));
                endpoint.slot_speed = now;
            }
            Finding::Quickened { now } => {
                endpoint.pace.told(None);
                endpoint.slot_speed = now;
            }
            Finding::Shared { .. } | Finding::Alone => {}
        }
        self.resize_pool(ix);
        self.settle_pace();
    }

    /// A turn is over: what that says of its endpoint. `counted` of its `tokens` were heard while they came.
    pub(super) fn served(&mut self, at: Micros, ix: EndpointIx, ended: &TurnEnded, counted: u64, tokens: u64) {
        let pool = self.endpoint(ix).pool;
        let left = match &ended.end {
            TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls => Left::Served,
            TurnEnd::Failed(failure) if failure.kind == FailureKind::Busy => Left::Refused,
            TurnEnd::Failed(_) => Left::Failed,
            TurnEnd::Cancelled => Left::Cancelled,
        };
        let beside = self.watched(pool, |watch, believed| watch.left(at, ended.turn, left, believed));
        let density = self.density_told(ended);
        let e = &mut self.endpoints[ix.0 as usize];
        let usage = &ended.usage;
        e.read_prompt(density);
        e.prompt_tokens += usage.prompt_tokens;
        e.cached_tokens += usage.cached_tokens;
        let untold = u32::try_from(tokens.saturating_sub(counted)).unwrap_or(u32::MAX);
        if let Some((second, tokens)) = e.tokens.hand_on() {
            e.history.generated(second, tokens);
        }
        e.history.ended(at, untold, usage, &ended.end);
        match &ended.end {
            TurnEnd::Failed(failure) => {
                e.errors += 1;
                if failure.kind == FailureKind::Context {
                    let told = failure.told.context.and_then(|c| u32::try_from(c).ok());
                    e.told_context = told.filter(|c| *c >= LEAST_CONTEXT).or(e.told_context);
                }
                if failure.is_against_endpoint() {
                    e.failures += 1;
                }
                if failure.kind.blame() == Blame::Server {
                    self.turned_away(at, ix, ended.turn, failure);
                }
            }
            TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls => {
                e.failures = 0;
                if tokens > 1 && usage.generation_us > 0 {
                    let speed = tokens as f32 / (usage.generation_us as f32 / 1e6);
                    e.slot_speed = if e.slot_speed == 0.0 { speed } else { e.slot_speed * 0.7 + speed * 0.3 };
                    if tokens >= Pace::TOKENS && usage.generation_us >= Pace::SPAN.0 {
                        e.pace.learn(speed, beside.unwrap_or(1.0));
                    }
                }
                if usage.first_token_us > 0 {
                    let first = usage.first_token_us as f32 / 1e6;
                    e.first_token = if e.first_token == 0.0 { first } else { e.first_token * 0.7 + first * 0.3 };
                }
                let p = &mut self.pools[pool.0 as usize];
                p.takes();
                p.served_at = Some(at);
                self.proves_itself(pool);
            }
            TurnEnd::Cancelled => {}
        }
    }

    pub(super) fn endpoint_edited(&mut self, name: &EndpointName, edit: &EndpointEdit) {
        let Some(ix) = self.find_endpoint(name) else { return };
        let state = &mut self.endpoints[ix.0 as usize];
        let config = &mut state.config;
        config.slots = edit.slots.unwrap_or(config.slots);
        config.context = edit.context.unwrap_or(config.context);
        if edit.context.is_some() {
            state.told_context = None;
        }
        config.memory_gb = edit.memory_gb.or(config.memory_gb);
        if let Some(tiers) = &edit.tiers {
            config.tiers.clone_from(tiers);
        }
        let (config, pool) = (config.clone(), state.pool);
        if let Some(configured) = self.config.fleet.endpoints.iter_mut().find(|e| e.name == *name) {
            *configured = config;
        }
        self.resize_pool(pool);
    }

    pub(super) fn model_moved(&mut self, moved: &ModelMoved) {
        if moved.failed.is_some() {
            return;
        }
        self.with_endpoint(&moved.endpoint, |e| match moved.verb {
            ModelVerb::Load => e.residence = Some(Residence::Loaded),
            ModelVerb::Unload => (e.residence, e.resident) = (Some(Residence::Unloaded), None),
        });
    }

    pub(super) fn goal_memory(&mut self, goal: GoalId, memory: GoalMemory) {
        if let Some(goal) = self.goal_mut(goal) {
            goal.memory = memory;
        }
    }
}
