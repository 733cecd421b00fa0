//! Jobs: whatever the engine does that ends. How a job is named, what must be kept before it begins, how long it may take,
//! and what is heard of it.
//!
//! Not here: what a job does (one worker a kind in `engine/host`, under the one table `engine/host/jobs`), and what follows
//! from its news (the module of its subject). Invariants: a job that was begun and is not stopped says its end once, also
//! when what carries it out breaks off or runs out of time; news of what is not under way changes nothing and is counted.

use super::{Effect, Look, Orchestrator, ProbeReport, StartTurn};
use crate::domain::fleet::PoolKey;
use crate::domain::protocol::{
    Channel, EndpointName, Micros, ModelMoved, ModelVerb, ServerVerb, SlotAfter, TurnEnd, TurnId, Usage,
};
use crate::domain::text::CleanText;

/// The longest a probe takes. An answer has 2 s, a second look comes 2 s later, and the command that tells a key, once for
/// each of the two, has 30 s.
const PROBE_LIMIT: Micros = Micros::from_secs(120);
/// The longest it takes to give an order about a server: it is told to a thread of this process.
const ORDER_LIMIT: Micros = Micros::from_secs(60);

/// Which job. Of one id, one is under way at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobId {
    /// A model request.
    Turn(TurnId),
    /// A look at an endpoint.
    Probe(EndpointName),
    /// An order about the server of an endpoint.
    Server(EndpointName),
    /// A model on its way into memory or out of it: one at a server at a time.
    Model(PoolKey),
}

/// Something that the engine is to do and that ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Send a model request.
    Turn(Box<StartTurn>),
    /// Look at an endpoint.
    Probe(EndpointName, Look),
    /// Have the server of an endpoint started, stopped or restarted. It ends when the order is given: how the server stands
    /// is seen all the time ([`super::Input::ServerIs`]).
    Server(EndpointName, ServerVerb),
    /// Load or unload the model of an endpoint.
    Model {
        /// The endpoint that the order names.
        endpoint: EndpointName,
        /// Its server and model.
        pool: PoolKey,
        /// Which way.
        verb: ModelVerb,
    },
}

/// What must be kept before a job begins, and what becomes of one that a crash broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Begins when the kernel has its records. After a crash it is begun again: nothing outside is otherwise for it.
    Repeat,
    /// Begins when its records are on disk. After a crash Baton looks at the world and goes on from what it finds.
    Reconcile,
    /// Begins when its records are on disk. After a crash it may have happened, and a person says whether it is done again.
    Once,
}

/// What is heard of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Text of a turn arrived (coalesced).
    Said {
        /// Which text.
        channel: Channel,
        /// The raw text.
        text: String,
        /// Tokens in it.
        tokens: u32,
    },
    /// The server reads a turn's prompt.
    Progress {
        /// Tokens read.
        processed: u64,
        /// Tokens in all.
        total: u64,
    },
    /// All that a turn answered so far was thinking: its closing tag came, and none had opened it.
    Rethought,
    /// A turn says the same over and over. Told once a turn.
    Looping {
        /// What it repeats, and how often.
        evidence: CleanText,
    },
    /// It ended by itself. Boxed: pieces of text, which are many, stay small.
    Over(Box<JobEnd>),
    /// The server shows that the slot of a turn that was stopped is free, or the time for that is over.
    Freed,
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEnd {
    /// A model request.
    Turn {
        /// How it ended. Never [`TurnEnd::Cancelled`]: that is decided here.
        end: TurnEnd,
        /// Tokens and times.
        usage: Usage,
        /// Whether its slot is free.
        slot: SlotAfter,
        /// Digest of the prompt as sent.
        prompt_digest: String,
        /// The whole answer, where [`StartTurn::want_answer`] asked for it (capped by the engine).
        answer: Option<String>,
    },
    /// What a probe found.
    Probe(ProbeReport),
    /// An order about a server was given, or why nothing was done.
    Server(Result<(), CleanText>),
    /// A model was loaded or unloaded, or could not be.
    Model(ModelMoved),
}

impl From<JobEnd> for News {
    fn from(end: JobEnd) -> Self {
        Self::Over(Box::new(end))
    }
}

impl Job {
    /// Which job it is.
    pub fn id(&self) -> JobId {
        match self {
            Self::Turn(start) => JobId::Turn(start.turn),
            Self::Probe(endpoint, _) => JobId::Probe(endpoint.clone()),
            Self::Server(endpoint, _) => JobId::Server(endpoint.clone()),
            Self::Model { pool, .. } => JobId::Model(pool.clone()),
        }
    }

    /// Where it is done.
    pub fn endpoint(&self) -> &EndpointName {
        match self {
            Self::Turn(start) => &start.endpoint,
            Self::Probe(endpoint, _) | Self::Server(endpoint, _) | Self::Model { endpoint, .. } => endpoint,
        }
    }

    /// What must be kept before it begins. A request and a look leave nothing behind; a server or a model that was moved
    /// shows where it is.
    pub fn durability(&self) -> Durability {
        match self {
            Self::Turn(_) | Self::Probe(..) => Durability::Repeat,
            Self::Server(..) | Self::Model { .. } => Durability::Reconcile,
        }
    }

    /// The longest it may take from when it begins; what is not over by then is ended and has failed. None: what carries it
    /// out knows when to give up. A turn by its server's silence, a model by the time that its server's launch allows.
    pub fn limit(&self) -> Option<Micros> {
        match self {
            Self::Turn(start) => start.seconds.map(|seconds| Micros::from_secs(seconds.into())),
            Self::Probe(..) => Some(PROBE_LIMIT),
            Self::Server(..) => Some(ORDER_LIMIT),
            Self::Model { .. } => None,
        }
    }
}

impl Orchestrator {
    /// Takes in what is heard of a job. It is late where its step is not open (any more): a turn's that has ended, an
    /// order's whose server stands otherwise by now, that of an endpoint that is not there, or nothing that such a job says.
    pub(super) fn hear(&mut self, id: JobId, news: News) {
        match (id, news) {
            (JobId::Turn(turn), News::Said { channel, text, tokens }) => self.output(turn, channel, text, tokens),
            (JobId::Turn(turn), News::Progress { processed, total }) => self.progress(turn, processed, total),
            (JobId::Turn(turn), News::Rethought) => self.rethought(turn),
            (JobId::Turn(turn), News::Looping { evidence }) => self.looping(turn, &evidence),
            (JobId::Turn(turn), News::Freed) => self.slot_freed(turn),
            (id, News::Over(end)) => self.over(id, *end),
            _ => self.late(),
        }
    }

    fn over(&mut self, id: JobId, end: JobEnd) {
        match (id, end) {
            (JobId::Turn(turn), JobEnd::Turn { end, usage, slot, prompt_digest, answer }) => {
                self.turn_ended(turn, end, usage, slot, prompt_digest, answer.as_deref());
            }
            (JobId::Probe(endpoint), JobEnd::Probe(report)) => self.probed(&endpoint, report),
            (JobId::Server(endpoint), JobEnd::Server(given)) => self.order_given(&endpoint, given),
            (JobId::Model(_), JobEnd::Model(moved)) => self.model_moved(moved),
            _ => self.late(),
        }
    }

    /// Counts news that came too late to matter.
    pub(super) fn late(&mut self) {
        self.late_news += 1;
    }

    pub(super) fn begin(&mut self, job: Job) {
        self.effect(Effect::Begin(job));
    }

    pub(super) fn probe(&mut self, endpoint: EndpointName, look: Look) {
        self.begin(Job::Probe(endpoint, look));
    }

    /// Closes a turn's request; [`News::Freed`] says when its slot is free.
    pub(super) fn stop_turn(&mut self, turn: TurnId) {
        self.effect(Effect::Stop(JobId::Turn(turn)));
    }
}
