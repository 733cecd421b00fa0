//! Clients for model servers: a [`Request`] becomes a stream of typed [`Chunk`]s.
//!
//! | where | what |
//! | --- | --- |
//! | [`Client`], [`AnswerStream`] | connections; dropping the stream is how a request is cancelled |
//! | [`Decoder`] | bytes to chunks, pure |
//! | `body` | a request as each server wants it written |
//! | [`Fault`] | what an error means: kind, remedy, words |
//! | [`Secret`], [`Redactor`] | keys, and keeping them out of every text |
//! | [`probe()`] | how an endpoint is |
//! | [`identify()`], [`discover()`] | what answers at an address, at many |
//! | `shape`, [`gguf`] | what a model takes in memory, from its server or its file |
//! | [`load()`], [`unload()`] | a model into memory and out of it, where the server can |
//! | [`ready()`] | whether a server that was just started answers yet |
//! | [`drained`] | when the slot of a dropped request is free |
//!
//! Not here: who may ask when (the orchestrator grants slots), retries (it decides), text on the screen.
//! Invariants: every request streams; an answer without its terminator is an error; no secret leaves in a chunk or in a
//! message.

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
mod request;
mod residence;
mod secret;
mod shape;
#[cfg(test)]
mod tests;

pub use canary::{Canary, MOST as MOST_CANARIES, canary};
pub use chunk::Chunk;
pub use client::{AnswerStream, Client, ClientError};
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
