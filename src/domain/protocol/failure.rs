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
    /// The task's time is over.
    TimedOut,
    /// A secret could not be had.
    Secret,
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
