//! What is known of an endpoint at a moment, as a record carries it.

use serde::{Deserialize, Serialize};

use super::{EndpointName, LevelSupport, Micros, TierName};
use crate::domain::text::CleanText;

/// What is known of an endpoint. Carries the whole of it, so the last one is the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointChanged {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// How it is.
    pub health: Health,
    /// Slots the server says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Context of one request the server says it has, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// What its model does with a level.
    pub level: LevelSupport,
    /// Bytes its model holds resident, where the server tells (Ollama).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<u64>,
    /// The server's name and version in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<CleanText>,
    /// When it is probed again, if it is not up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_at: Option<Micros>,
    /// Slots that work for others than this session; 0 also where the server does not tell.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub others: u32,
    /// Requests that wait in the server's own queue, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<u32>,
    /// What its model takes in memory, where it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<ModelShape>,
    /// Whether its model is in memory, where the server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residence: Option<Residence>,
    /// Where it answers and is not what the fleet file says: another model, another protocol; in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<CleanText>,
}

impl EndpointChanged {
    /// An endpoint of this health of which nothing else is known.
    pub fn of(endpoint: EndpointName, health: Health) -> Self {
        Self {
            endpoint,
            health,
            slots: None,
            context: None,
            level: LevelSupport::Unknown,
            resident: None,
            server: None,
            probe_at: None,
            others: 0,
            queued: None,
            shape: None,
            residence: None,
            mismatch: None,
        }
    }
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What a model takes in memory, as far as its file or its server tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelShape {
    /// Bytes of its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<u64>,
    /// Bytes of KV cache that one token of context takes, over all layers whose attention reaches back all the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_token: Option<u64>,
    /// Bytes that one slot takes whatever its context: windows of sliding attention, recurrent states.
    #[serde(default, skip_serializing_if = "is_none_or_zero")]
    pub kv_slot: u64,
    /// The longest context it was trained for, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained: Option<u32>,
}

fn is_none_or_zero(n: &u64) -> bool {
    *n == 0
}

/// Whether a model is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residence {
    /// It is.
    Loaded,
    /// It is being loaded.
    Loading,
    /// It is not; a request would load it first.
    Unloaded,
}

/// What was found out about an endpoint by watching how it serves; found again only when it is another than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointFound {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// What.
    pub finding: Finding,
}

/// What was found out about an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// It serves fewer requests at once than it claims: no more are sent, until one more was tried and served.
    Serves {
        /// As many as it serves.
        slots: u32,
        /// As many as it claims.
        claims: u32,
    },
    /// It serves as many as it claims.
    ServesAll,
    /// It generates much slower than it did.
    Slowed {
        /// Tokens a second of one slot before.
        usual: f32,
        /// And now.
        now: f32,
    },
    /// It is as fast as before.
    Quickened {
        /// Tokens a second of one slot.
        now: f32,
    },
    /// Others than this session use it.
    Shared {
        /// Slots that work for them.
        others: u32,
    },
    /// Nobody else uses it any more.
    Alone,
    /// Its requests fail one after another, though it answers: it is given a rest, then tried with one request.
    Failing {
        /// How many in a row.
        failures: u32,
    },
    /// The one request it was tried with is served: it is used again as before.
    Recovered,
}

/// What the operator changes of an endpoint while the session runs; none: as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointEdit {
    /// How many requests it serves at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// The context of one request, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// The tiers it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Vec<TierName>>,
    /// Planned resident memory in gigabytes (10⁹ bytes) of the model without KV cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f32>,
}

/// Whether an endpoint takes new requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intake {
    /// It does.
    #[default]
    Open,
    /// It does not: the operator lets it run empty.
    Draining,
}

/// What is to be done with a model in a server that loads models by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelVerb {
    /// Into memory.
    Load,
    /// Out of memory.
    Unload,
}

impl ModelVerb {
    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Unload => "unload",
        }
    }
}

/// A model was loaded or unloaded, or could not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelMoved {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// Which way.
    pub verb: ModelVerb,
    /// Why it could not be; none: it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<CleanText>,
    /// Bytes that it held before, where they were told: what unloading frees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
}

/// How an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not probed yet; used as if it were up.
    Unknown,
    /// It answers.
    Up,
    /// It answers that its model is loading.
    Loading,
    /// It does not answer, or not as its protocol says.
    Down {
        /// Why, in words.
        reason: CleanText,
    },
}

impl std::fmt::Display for Finding {
    /// What was found, in words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serves { slots, claims } => write!(f, "claims {claims} slots and serves {slots} at once"),
            Self::ServesAll => f.write_str("serves as many at once as it claims"),
            Self::Slowed { usual, now } => write!(f, "slowed down: {now:.0} tokens a second a slot, {usual:.0} before"),
            Self::Quickened { now } => write!(f, "is as fast as before: {now:.0} tokens a second a slot"),
            Self::Shared { others: 1 } => f.write_str("is used by another client: 1 slot"),
            Self::Shared { others } => write!(f, "is used by another client: {others} slots"),
            Self::Alone => f.write_str("is used by nobody else any more"),
            Self::Failing { failures: 0 | 1 } => {
                f.write_str("answers, but the request it was tried with failed: it is given a rest")
            }
            Self::Failing { failures } => {
                write!(f, "answers, but {failures} requests in a row failed: it is given a rest")
            }
            Self::Recovered => f.write_str("serves again"),
        }
    }
}

impl std::fmt::Display for EndpointEdit {
    /// What is changed, in words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tiers = |tiers: &Vec<TierName>| tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let parts = [
            self.slots.map(|n| format!("{n} slots")),
            self.context.map(|n| format!("context {n}")),
            self.tiers.as_ref().map(|t| format!("tiers {}", tiers(t))),
            self.memory_gb.map(|gb| format!("{gb} GB planned")),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}
