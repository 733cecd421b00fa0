//! Clients for model servers: a [`Request`] becomes a stream of typed [`Chunk`]s.
//!
//! | where | what |
//! | --- | --- |
//! | [`Client`] | connections, keys |
//! | [`AnswerStream`] | an answer as it comes; dropping it is how a request is cancelled |
//! | [`Decoder`] | bytes to chunks, pure |
//! | `wire` | a plain http connection, for one request |
//! | `body` | a request as each server wants it written |
//! | [`Fault`] | what an error means: kind, remedy, words |
//! | [`Secret`], [`Redactor`] | keys, and keeping them out of every text |
//! | [`probe()`] | how an endpoint is |
//! | [`identify()`], [`discover()`] | what answers at an address, at many |
//! | `shape`, [`gguf`] | what a model takes in memory, from its server or its file |
//! | [`load()`], [`unload()`] | a model into memory and out of it, where the server can |
//! | [`canary()`] | whether each of many requests at once gets its own answer |
//! | [`ready()`] | whether a server that was just started answers yet |
//! | [`drained`] | when the slot of a dropped request is free |
//!
//! Not here: who may ask when (the orchestrator grants slots), retries (it decides), text on the screen.
//! Invariants: every request streams; an answer without its terminator is an error; no secret leaves in a chunk or in a
//! message.

mod answer;
mod body;
mod canary;
mod chunk;
mod client;
mod decode;
mod drain;
mod fault;
pub mod gguf;
mod identify;
#[cfg(test)]
mod memory_tests;
mod metrics;
mod probe;
mod ready;
mod reply;
mod request;
mod residence;
mod secret;
mod shape;
#[cfg(test)]
mod tests;
mod wire;

pub use answer::AnswerStream;
pub use canary::{Canary, MOST as MOST_CANARIES, canary};
pub use chunk::Chunk;
pub use client::{Client, ClientError};
pub use decode::Decoder;
pub use drain::{Phase, drained};
pub use fault::{Fault, ProviderError};
pub use identify::{
    AT_ONCE, Address, Asked, Found, FoundModel, Loaded, Purpose, Readiness, ServerKind, Stranger, Whom, discover,
    identify, look_closer, parameters,
};
pub use probe::{Depth, Report, Traffic, probe};
pub use ready::{Ready, ready};
pub use request::{AnswerFormat, Request};
pub use residence::{load, unload};
pub use secret::{Redactor, Secret};
