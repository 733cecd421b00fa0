//! What comes in and what is to be done: the orchestrator's border with the engine.

use super::{Job, JobId, News};
use crate::domain::protocol::{
    CommandEnvelope, CommandId, EndpointName, Failure, Health, Level, LevelSupport, MachineSampled, Micros, ModelShape,
    Recipe, Residence, ServerChanged, TaskId, TurnId, Viewer, ViewerId,
};
use crate::domain::text::CleanText;

/// Something happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Somebody wants something.
    Command(CommandEnvelope),
    /// News of a job.
    Job(JobId, News),
    /// How a server stands that Baton started or found. No job's news: servers begin and end by themselves, too.
    ServerIs(Box<ServerChanged>),
    /// A look at the machine.
    Sampled(Box<MachineSampled>),
    /// The machine slept and woke.
    Slept {
        /// The wall clock now, in milliseconds since 1970.
        wall_ms: u64,
        /// For how long, in milliseconds.
        slept_ms: u64,
    },
    /// A console begins to watch.
    ViewerJoined(Viewer),
    /// A console watches no more.
    ViewerLeft(ViewerId),
    /// The journal can't be written.
    JournalFailed {
        /// What was attempted on what and how to mend it.
        reason: CleanText,
    },
    /// The journal is written again.
    JournalMended,
    /// A deadline came.
    Wake,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeReport {
    /// How the endpoint is.
    pub health: Health,
    /// Slots it says it has.
    pub slots: Option<u32>,
    /// Context of one request it says it has.
    pub context: Option<u32>,
    /// What its model does with a level.
    pub level: LevelSupport,
    /// Bytes resident.
    pub resident: Option<u64>,
    /// The server's name and version.
    pub server: Option<CleanText>,
    /// Slots that work for others than this session; none where this was not asked or is not told.
    pub others: Option<u32>,
    /// Requests that wait in the server's own queue, where it tells.
    pub queued: Option<u32>,
    /// What its model takes in memory, where it can be told.
    pub shape: Option<ModelShape>,
    /// Whether its model is in memory, where the server tells.
    pub residence: Option<Residence>,
    /// Where it answers and is not what the fleet file says, in one line.
    pub mismatch: Option<CleanText>,
    /// What kept it from an answer, where the endpoint is down: nobody listens, no answer came in time, or another.
    pub fault: Option<Failure>,
}

impl ProbeReport {
    /// An endpoint of this health of which nothing else is told.
    pub fn of(health: Health) -> Self {
        Self {
            health,
            slots: None,
            context: None,
            level: LevelSupport::Unknown,
            resident: None,
            server: None,
            others: None,
            queued: None,
            shape: None,
            residence: None,
            mismatch: None,
            fault: None,
        }
    }
}

/// How deep a probe looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Health and what the server is.
    Light,
    /// Slots that work for others too: where the server tells, and at some cost to it.
    Slots,
}

/// Something the engine is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Begin a job, once its records are kept as [`Job::durability`] wants it; while the journal fails it waits.
    Begin(Job),
    /// End a job before its own end. Of a turn: close its connection if it is open, wait until the server's slot is free (or
    /// for the bounded time), then say [`News::Freed`].
    Stop(JobId),
    /// Say [`Input::Wake`] at this session time; replaces the wake asked for before.
    WakeAt(Micros),
    /// Tell the client that gave this command why it may not; no record says so.
    TurnAway {
        /// The command.
        id: CommandId,
        /// Why.
        reason: CleanText,
    },
    /// Flush the journal and end the process's engine.
    End(EndReason),
}

/// Why the engine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// By command.
    Command,
}

/// A model request to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct StartTurn {
    /// Its id.
    pub turn: TurnId,
    /// Whose work it is.
    pub task: TaskId,
    /// Where.
    pub endpoint: EndpointName,
    /// What is asked, as pieces.
    pub recipe: Recipe,
    /// The most tokens to generate.
    pub max_tokens: u32,
    /// Sampling temperature.
    pub temperature: f32,
    /// The reasoning level.
    pub level: Level,
    /// What the model does with it.
    pub level_support: LevelSupport,
    /// JSON Schema the answer must follow, where the server can enforce it.
    pub schema: Option<serde_json::Value>,
    /// Whether the whole answer comes back with [`JobEnd::Turn`](super::JobEnd::Turn).
    pub want_answer: WantAnswer,
    /// The longest the turn may take, in seconds.
    pub seconds: Option<u32>,
    /// A stream without a byte for so long is given up, in seconds.
    pub silence_seconds: u64,
}

/// Whether the domain needs an answer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantAnswer {
    /// Yes, up to [`WantAnswer::CAP`] bytes.
    Whole,
    /// Only if it is short: it may be a question to the operator.
    Short,
    /// No: counts and digests are enough.
    No,
}

impl WantAnswer {
    /// The most bytes of an answer that reach the domain.
    pub const CAP: usize = 256 * 1024;

    /// The most bytes of an answer that may be a question.
    pub const SHORT: usize = 4 * 1024;
}
