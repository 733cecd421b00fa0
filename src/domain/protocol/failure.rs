//! Why a model request failed, and what is to be done about it.

use serde::{Deserialize, Serialize};

use crate::domain::text::CleanText;

/// Why a request failed and what is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// What is to be done.
    pub remedy: Remedy,
    /// What was attempted on what, what came, and how to mend it.
    pub message: CleanText,
    /// Figures the server told along with it.
    #[serde(default, skip_serializing_if = "Told::is_nothing")]
    pub told: Told,
}

impl Failure {
    /// A failure of which no figures were told.
    pub fn new(kind: FailureKind, remedy: Remedy, message: impl Into<CleanText>) -> Self {
        Self { kind, remedy, message: message.into(), told: Told::default() }
    }

    /// Whether it speaks against the endpoint as such, so that a few in a row give it a rest. Not where the server says
    /// itself when it will do, and not a prompt that is too long for it.
    /// Nor what a model answered: a filter, an answer without a word.
    pub fn is_against_endpoint(&self) -> bool {
        let says_when = matches!(self.kind, FailureKind::Busy | FailureKind::Loading);
        let answered = matches!(self.kind, FailureKind::Aborted | FailureKind::Empty | FailureKind::ToolsOnly);
        self.remedy == Remedy::Elsewhere && self.kind.blame() != Blame::Request && !says_when && !answered
    }

    /// Whether somebody answered that it failed: the server, or a gateway before it. The endpoint is there then.
    pub fn is_told(&self) -> bool {
        match self.kind {
            FailureKind::Server => true,
            FailureKind::Unreachable => self.told.unmade.is_none(),
            _ => false,
        }
    }

    /// Whether nobody listens at the endpoint's own address, so that nobody works there at anything.
    pub fn is_refused_connection(&self) -> bool {
        self.kind == FailureKind::Unreachable && self.told.unmade == Some(Unmade::Refused)
    }
}

/// The figures of a failure that decide what comes next, as the server told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The wait it asked for before the next request (`Retry-After` in any form), in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// The tokens of the prompt it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// The tokens one request may have there, prompt and answer together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Why no connection was made to the endpoint's own address; none: one was, and what answered there told the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmade: Option<Unmade>,
}

/// Why no connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmade {
    /// It was refused: nobody listens there.
    Refused,
    /// Another reason: no way there, no host of that name, none in time, no agreement on TLS.
    Failed,
}

impl Told {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What a failure says something of. It decides whether it costs the task a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The server: it is not there, loads, has no room, or broke. The task loses its place in line and no try.
    Server,
    /// The request, or the endpoint's settings: the same again there fails the same way.
    Request,
    /// The answer: another try may give a better one.
    Answer,
}

/// What went wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Nothing listens, or the connection could not be made.
    Unreachable,
    /// The connection ended before the answer did.
    Cut,
    /// No byte for too long.
    Silent,
    /// The model is loading.
    Loading,
    /// The server has no room for the request (429, 503).
    Busy,
    /// The prompt is longer than the context.
    Context,
    /// The server wants a key or refuses the one given.
    Unauthorized,
    /// The server does not have the model.
    NoModel,
    /// The server refuses the request as such.
    Refused,
    /// The server failed inside.
    Server,
    /// What came is no answer of the protocol.
    Garbage,
    /// The answer is empty or useless.
    Empty,
    /// The token limit was reached before a word of answer: all of it went into thinking.
    AllThinking,
    /// The server ended the answer itself, with a reason that is no good end (`abort`, `content_filter`, one unknown).
    Aborted,
    /// The answer is nothing but calls of tools that nobody offered.
    ToolsOnly,
    /// The task's time is over.
    TimedOut,
    /// A secret could not be had.
    Secret,
}

impl FailureKind {
    /// What it says something of.
    pub const fn blame(self) -> Blame {
        match self {
            Self::Unreachable | Self::Cut | Self::Loading | Self::Busy | Self::Server => Blame::Server,
            Self::Context | Self::Unauthorized | Self::NoModel | Self::Refused | Self::Secret => Blame::Request,
            Self::Silent
            | Self::Garbage
            | Self::Empty
            | Self::AllThinking
            | Self::Aborted
            | Self::ToolsOnly
            | Self::TimedOut => Blame::Answer,
        }
    }
}

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Try the same endpoint again after a wait.
    RetryHere,
    /// Try another endpoint.
    Elsewhere,
    /// Only the operator can mend it.
    Operator,
}
