//! What events change of endpoints, their slots, and goals' memory.

use crate::domain::protocol::{
    EndpointChanged, EndpointEdit, EndpointFound, EndpointName, Finding, GoalId, Health, Intake, LevelSupport, Micros,
    ModelMoved, ModelVerb, Residence, SessionStarted,
};
use crate::domain::state::{
    EndpointHistory, EndpointState, GoalMemory, Permit, PermitPhase, Pool, PoolIx, SpeedHistory, State, Trust,
};

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
                    self.pools.push(Pool { key, permits: Vec::new(), ceiling: 0, measured: None });
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
                first_token: 0.0,
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
                intake: Intake::Open,
                trust: Trust::Whole,
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
        let tried = members().any(|e| e.trust == Trust::Trial);
        let pool = &mut self.pools[ix.0 as usize];
        let serves = configured.min(reported).min(pool.measured.unwrap_or(u32::MAX));
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
        endpoint.learn(at, changed);
        let pool = endpoint.pool;
        self.resize_pool(pool);
    }

    pub(super) fn with_endpoint(&mut self, name: &EndpointName, change: impl FnOnce(&mut EndpointState)) {
        if let Some(ix) = self.find_endpoint(name) {
            change(&mut self.endpoints[ix.0 as usize]);
        }
    }

    pub(super) fn found(&mut self, found: &EndpointFound) {
        let Some(ix) = self.find_endpoint(&found.endpoint) else { return };
        let endpoint = &mut self.endpoints[ix.0 as usize];
        let pool = endpoint.pool;
        match found.finding {
            Finding::Serves { slots, .. } => self.pools[pool.0 as usize].measured = Some(slots.max(1)),
            Finding::ServesAll => self.pools[pool.0 as usize].measured = None,
            Finding::Failing { .. } => endpoint.trust = Trust::Trial,
            Finding::Recovered => endpoint.trust = Trust::Whole,
            Finding::Slowed { .. } | Finding::Quickened { .. } | Finding::Shared { .. } | Finding::Alone => {}
        }
        self.resize_pool(pool);
    }

    pub(super) fn endpoint_edited(&mut self, name: &EndpointName, edit: &EndpointEdit) {
        let Some(ix) = self.find_endpoint(name) else { return };
        let state = &mut self.endpoints[ix.0 as usize];
        let config = &mut state.config;
        config.slots = edit.slots.unwrap_or(config.slots);
        config.context = edit.context.unwrap_or(config.context);
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
