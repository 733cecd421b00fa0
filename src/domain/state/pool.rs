//! Slots: pools of permits, and endpoints as they are known.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Density, EndpointHistory, Pace, Watch};
use crate::domain::fleet::{Endpoint, PoolKey};
use crate::domain::protocol::{
    EndpointChanged, Health, Intake, LevelSupport, Micros, ModelShape, Residence, TierName, TurnId,
};

/// An endpoint's place in [`super::State::endpoints`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndpointIx(pub u32);

/// A pool's place in [`super::State::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolIx(pub u32);

/// One slot's permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit {
    /// Where it is.
    pub phase: PermitPhase,
    /// Since when.
    pub since: Micros,
}

/// Free → granted → generating → draining → free. A draining permit is never granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermitPhase {
    /// Nobody has it.
    #[default]
    Free,
    /// A turn has it; no token came yet.
    Granted(TurnId),
    /// A turn has it and tokens come.
    Generating(TurnId),
    /// Its turn is over, the server still works on it.
    Draining(TurnId),
}

impl PermitPhase {
    /// The turn that has it.
    pub fn turn(self) -> Option<TurnId> {
        match self {
            Self::Free => None,
            Self::Granted(t) | Self::Generating(t) | Self::Draining(t) => Some(t),
        }
    }
}

/// The slots of one model on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Server and model.
    pub key: PoolKey,
    /// One permit a slot. Its length is the ceiling, or more while permits above it are still in use.
    pub permits: Vec<Permit>,
    /// How many permits may be in use: the least of configured, reported and measured, less what others use; one while
    /// its server is tried again after failures. Never 0: a request may always wait in the server.
    pub ceiling: u32,
    /// How many requests it was seen to serve at once, where that is fewer than it claims.
    #[serde(default)]
    pub measured: Option<u32>,
    /// How its server is seen to work.
    #[serde(default)]
    pub watch: Watch,
    /// The sum of the times of finished attempts there, in microseconds, what waited in its server's queue included.
    #[serde(default)]
    pub worked_us: u64,
    /// For how long nothing is sent to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shut: Option<Shut>,
    /// Requests in a row for which its server had no room, with none of ours there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refusals: u32,
    /// When a turn ended well here last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_at: Option<Micros>,
}

/// A wait before the next request to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shut {
    /// Up to this session time.
    pub until: Micros,
    /// The wait its server asked for, in milliseconds; none: it had no room and named no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_ms: Option<u64>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Pool {
    /// Permits in use: granted, generating or draining.
    pub fn busy(&self) -> u32 {
        self.permits.iter().filter(|p| p.phase != PermitPhase::Free).count() as u32
    }

    /// Permits whose turns are over and whose servers still work on them.
    pub fn draining(&self) -> u32 {
        self.permits.iter().filter(|p| matches!(p.phase, PermitPhase::Draining(_))).count() as u32
    }

    /// A free slot under the ceiling.
    pub fn free_slot(&self) -> Option<u16> {
        if self.busy() >= self.ceiling {
            return None;
        }
        self.permits.iter().position(|p| p.phase == PermitPhase::Free).map(|i| i as u16)
    }

    /// Whether nothing is to be sent to it at `now`, and why.
    pub fn shut(&self, now: Micros) -> Option<Shut> {
        self.shut.filter(|s| s.until > now)
    }

    /// The server works, or has worked, at a request of ours: it has room for one.
    pub(super) fn takes(&mut self) {
        self.refusals = 0;
    }

    /// Nothing is sent before the later of this time and one that was set already.
    pub(super) fn shut_until(&mut self, shut: Shut) {
        if self.shut.is_none_or(|s| s.until < shut.until) {
            self.shut = Some(shut);
        }
    }

    /// How many may still be granted.
    pub fn free(&self) -> u32 {
        self.ceiling.saturating_sub(self.busy())
    }
}

/// Tokens of the last minute, a bucket a second, for the little histories on the screen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeedHistory {
    second: u64,
    buckets: VecDeque<u32>,
    /// Tokens of the newest second that were handed on already.
    handed: u32,
}

impl SpeedHistory {
    /// How many seconds are kept.
    pub const SECONDS: usize = 60;

    /// Moves to the second of `at` and counts tokens in it. Returns the second before with its tokens where this is a new
    /// one: for histories that need not be as fine.
    pub(super) fn add(&mut self, at: Micros, tokens: u32) -> Option<(Micros, u32)> {
        let over = if at.0 / 1_000_000 > self.second { self.hand_on() } else { None };
        self.roll(at);
        if let Some(last) = self.buckets.back_mut() {
            *last = last.saturating_add(tokens);
        }
        over
    }

    /// What of the newest second was not handed on yet.
    pub(super) fn hand_on(&mut self) -> Option<(Micros, u32)> {
        let last = self.buckets.back()?;
        let left = last.saturating_sub(std::mem::replace(&mut self.handed, *last));
        (left > 0).then_some((Micros::from_secs(self.second), left))
    }

    fn roll(&mut self, at: Micros) {
        let second = at.0 / 1_000_000;
        if self.buckets.is_empty() {
            self.buckets.push_back(0);
            self.second = second;
        }
        let ahead = second.saturating_sub(self.second).min(Self::SECONDS as u64);
        for _ in 0..ahead {
            self.buckets.push_back(0);
            self.handed = 0;
        }
        while self.buckets.len() > Self::SECONDS {
            self.buckets.pop_front();
        }
        self.second = self.second.max(second);
    }

    /// Tokens in each of the last `n` whole seconds before `now`, oldest first.
    pub fn last(&self, now: Micros, n: usize) -> Vec<u32> {
        let now = now.0 / 1_000_000;
        (0..n as u64)
            .rev()
            .map(|back| {
                let Some(second) = now.checked_sub(back + 1) else { return 0 };
                let Some(from_end) = self.second.checked_sub(second) else { return 0 };
                let len = self.buckets.len() as u64;
                if from_end < len { self.buckets[(len - 1 - from_end) as usize] } else { 0 }
            })
            .collect()
    }

    /// Tokens a second over the last five whole seconds.
    pub fn rate(&self, now: Micros) -> f32 {
        self.last(now, 5).iter().sum::<u32>() as f32 / 5.0
    }
}

/// An endpoint as it is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointState {
    /// As configured.
    pub config: Endpoint,
    /// Whose slots it uses.
    pub pool: PoolIx,
    /// How it is.
    pub health: Health,
    /// Slots it reports.
    pub reported_slots: Option<u32>,
    /// Context it reports, in tokens.
    pub reported_context: Option<u32>,
    /// What its model does with a level.
    pub level: LevelSupport,
    /// Bytes its model holds resident.
    pub resident: Option<u64>,
    /// Its server's name and version.
    pub server: Option<crate::domain::text::CleanText>,
    /// When it is probed again.
    pub probe_at: Option<Micros>,
    /// Since when its health is as it is.
    pub since: Micros,
    /// Failures of requests in a row that blame the endpoint.
    pub failures: u32,
    /// Tokens a second of one slot, smoothed over finished turns; 0 while unmeasured.
    pub slot_speed: f32,
    /// What it usually has.
    pub pace: Pace,
    /// Seconds to the first token, smoothed; 0 while unmeasured.
    pub first_token: f32,
    /// Both, the speed first, when the order of the queue was settled last ([`super::State::paths`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<(f32, f32)>,
    /// Attempts that ended well.
    pub completed: u64,
    /// Attempts that failed.
    pub errors: u64,
    /// Tokens of the last minute.
    pub tokens: SpeedHistory,
    /// Its figures over the last minutes.
    pub history: EndpointHistory,
    /// Prompt tokens read here, those from the cache included.
    pub prompt_tokens: u64,
    /// Prompt tokens that came from the server's cache.
    pub cached_tokens: u64,
    /// Slots that work for others than this session.
    pub others: u32,
    /// Requests that wait in the server's own queue, where it tells.
    pub queued: Option<u32>,
    /// What its model takes in memory, where it can be told.
    pub shape: Option<ModelShape>,
    /// Whether its model is in memory, where the server tells.
    pub residence: Option<Residence>,
    /// Where it answers and is not what the fleet file says, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<crate::domain::text::CleanText>,
    /// Whether the operator lets it run empty.
    pub intake: Intake,
    /// Whether it is trusted with all its slots.
    pub trust: Trust,
    /// Rests it was given in a row because its requests failed though it answers; 0 once one was served again.
    pub rests: u32,
    /// The context of one request that it named when it refused one as too long, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_context: Option<u32>,
    /// How dense text was seen to be for its model; none: not seen yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) density: Option<Density>,
}

/// Whether an endpoint is trusted with all its slots (the circuit breaker of the field's literature).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// It is (closed).
    #[default]
    Whole,
    /// It was down or failed again and again, and answers: one request tries it (half open).
    Trial,
}

impl EndpointState {
    /// What its model does with a reasoning level: as its server told, else as it is configured.
    pub fn level_support(&self) -> LevelSupport {
        match self.level {
            LevelSupport::Unknown => self.config.level.unwrap_or(LevelSupport::Unknown),
            known => known,
        }
    }

    /// Whether requests may be sent to it.
    pub fn is_usable(&self) -> bool {
        self.answers() && self.intake == Intake::Open
    }

    /// Whether it would serve requests, may they be sent or not.
    pub fn answers(&self) -> bool {
        matches!(self.health, Health::Up | Health::Unknown)
            && self.config.protocol != crate::domain::fleet::Protocol::Command
    }

    /// Whether it serves a tier.
    pub fn serves(&self, tier: &TierName) -> bool {
        self.config.tiers.contains(tier)
    }

    /// The context of one request in tokens: the smallest of configured, reported and told by a refusal.
    pub fn context(&self) -> u32 {
        [self.reported_context, self.told_context].into_iter().flatten().fold(self.config.context, u32::min)
    }

    /// Tokens a second and seconds to the first token as the order of the queue goes by them.
    pub(super) fn settled_pace(&self) -> (f32, f32) {
        self.settled.unwrap_or_else(|| (self.config.tokens_per_second.unwrap_or(40.0), 0.0))
    }

    /// Tokens a second of one slot: measured, else configured, else a guess of 40.
    /// Tokens a second of one slot: measured, else configured, else a guess of 40.
    pub fn speed(&self) -> f32 {
        if self.slot_speed > 0.0 { self.slot_speed } else { self.config.tokens_per_second.unwrap_or(40.0) }
    }

    pub(super) fn learn(&mut self, at: Micros, changed: &EndpointChanged) {
        if std::mem::discriminant(&self.health) != std::mem::discriminant(&changed.health) {
            self.since = at;
            if changed.health == Health::Up && self.rests == 0 {
                self.failures = 0;
            }
        }
        if matches!(changed.health, Health::Down { .. }) {
            self.trust = Trust::Trial;
        }
        self.health = changed.health.clone();
        self.reported_slots = changed.slots;
        if self.reported_context != changed.context {
            // It runs with another one now than when it refused something.
            self.told_context = None;
        }
        self.reported_context = changed.context;
        self.level = changed.level;
        self.resident = changed.resident;
        self.server = changed.server.clone();
        self.probe_at = changed.probe_at;
        self.others = changed.others;
        self.queued = changed.queued;
        self.shape = changed.shape;
        self.residence = changed.residence;
        self.mismatch = changed.mismatch.clone();
    }
}
