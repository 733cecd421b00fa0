//! The settings a session runs under. `session.started` carries them; later changes are records.

use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::domain::protocol::{AgentName, Level};
use crate::domain::text::CleanText;

/// What becomes of an answer that was cut at its token limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCut {
    /// Its model is asked once to continue where it stopped; both parts are the result.
    #[default]
    GoOn,
    /// It is asked anew, once, with twice the limit where the context has room.
    RetryLarger,
    /// The operator says which of these.
    Ask,
    /// It stays as it is, marked as cut.
    Keep,
}

impl OnCut {
    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::GoOn => "go_on",
            Self::RetryLarger => "retry_larger",
            Self::Ask => "ask",
            Self::Keep => "keep",
        }
    }
}

/// What the operator can set for the engine. Units are in the names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The session's reasoning level.
    pub level: Level,
    /// The most tasks of one goal at once; none: as many as there are slots.
    pub max_parallel: Option<u32>,
    /// The most tasks a planning model may make.
    pub max_tasks: u32,
    /// Whether a goal ends with a synthesis of all results.
    pub synthesis: bool,
    /// Whether a 2–3 sentence summary to be spoken follows the synthesis.
    pub voice_summary: bool,
    /// The agent that plans.
    pub planner: AgentName,
    /// The agent that synthesises.
    pub synthesizer: AgentName,
    /// The agent that writes the voice summary.
    pub narrator: AgentName,
    /// Tries again on the first tier after a failure, before the fallback tier.
    pub retries: u32,
    /// The first wait before a retry; it doubles each time.
    pub backoff_ms: u64,
    /// The longest wait before a retry.
    pub backoff_max_ms: u64,
    /// The part of an endpoint's context that results of dependencies may fill, in percent.
    pub context_percent: u32,
    /// A request without a byte for this long is given up.
    pub silence_seconds: u64,
    /// How long servers may fail a task in a row (refused, loading, busy, broken) before it has failed. Such failures
    /// cost it no try.
    #[serde(skip_serializing_if = "is_usual_outage")]
    pub outage_seconds: u64,
    /// What becomes of an answer that was cut at its limit.
    #[serde(skip_serializing_if = "is_usual_cut")]
    pub on_cut: OnCut,
    /// A ready task that waited this long counts one priority higher; again after each such time.
    pub ageing_seconds: u64,
    /// Whether agents may ask the operator; without it they decide for themselves.
    pub questions: bool,
}

/// What is brought to the operator's attention, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionSettings {
    /// A turn that answers and has said nothing for this long; 0: never.
    pub silent_seconds: u64,
    /// A turn whose prompt has not been read on for this long; 0: never.
    pub prompt_seconds: u64,
    /// A context filled to this part, in percent; 0: never.
    pub full_percent: u32,
    /// A turn that repeats itself.
    pub loops: bool,
}

/// What this machine may be loaded with. It concerns endpoints on this machine only, and never a simulated fleet, whose
/// models take no memory, unless `budget_gb` is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MachineSettings {
    /// Gigabytes (10⁹ bytes) kept free for the system and other programs; none: 15 % of all memory, 40 at most.
    pub reserve_gb: Option<f32>,
    /// The most gigabytes that models and their KV caches may take; none: what the machine and its GPU allow.
    pub budget_gb: Option<f32>,
    /// From this part of what they may take on it is tight, in percent.
    pub tight_percent: u32,
    /// Whether a goal or a server that does not fit waits for your word.
    pub hold_for_memory: bool,
    /// Fewer tasks start while other work than the fleet's own servers keeps the processors this busy, in percent; 0: never.
    pub throttle_cpu_percent: u32,
    /// As many again when they are no busier than this, in percent.
    pub release_cpu_percent: u32,
    /// For so long one or the other must be so.
    pub throttle_seconds: u64,
    /// Whether fewer tasks start while the kernel finds it hard to give memory.
    pub throttle_pressure: bool,
    /// Whether the machine is kept from falling asleep while models work for a session.
    pub keep_awake: bool,
}

impl Default for MachineSettings {
    fn default() -> Self {
        Self {
            reserve_gb: None,
            budget_gb: None,
            tight_percent: 90,
            hold_for_memory: true,
            throttle_cpu_percent: 80,
            release_cpu_percent: 70,
            throttle_seconds: 10,
            throttle_pressure: true,
            keep_awake: true,
        }
    }
}

impl Default for AttentionSettings {
    fn default() -> Self {
        Self { silent_seconds: 60, prompt_seconds: 300, full_percent: 90, loops: true }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: Level::Medium,
            max_parallel: None,
            max_tasks: 6,
            synthesis: true,
            voice_summary: false,
            planner: crate::domain::protocol::Name::slug("researcher"),
            synthesizer: crate::domain::protocol::Name::slug("reasoner"),
            narrator: crate::domain::protocol::Name::slug("summarizer"),
            retries: 2,
            backoff_ms: 500,
            backoff_max_ms: 30_000,
            context_percent: 60,
            silence_seconds: 300,
            outage_seconds: OUTAGE_SECONDS,
            on_cut: OnCut::GoOn,
            ageing_seconds: 60,
            questions: true,
        }
    }
}

/// Ten minutes: a machine that starts again, and the model that it loads then.
const OUTAGE_SECONDS: u64 = 600;

fn is_usual_outage(seconds: &u64) -> bool {
    *seconds == OUTAGE_SECONDS
}

fn is_usual_cut(on_cut: &OnCut) -> bool {
    *on_cut == OnCut::default()
}

/// What is as it ships is not written: a session from before there was such a thing reads and is written as it was.
fn is_default(machine: &MachineSettings) -> bool {
    *machine == MachineSettings::default()
}

/// All a session was started with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionConfig {
    /// The fleet and its agents.
    pub fleet: Fleet,
    /// The settings.
    pub settings: Settings,
    /// When the operator is told.
    #[serde(default)]
    pub attention: AttentionSettings,
    /// What this machine may be loaded with.
    #[serde(default, skip_serializing_if = "is_default")]
    pub machine: MachineSettings,
    /// What chance is counted over.
    pub seed: u64,
    /// The project that named servers of this fleet, by its folder's name; none where the fleet is the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<CleanText>,
    /// The folder it was started in; none in sessions from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}
