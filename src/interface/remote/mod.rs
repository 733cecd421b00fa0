//! The session from outside its process: HTTP on a unix socket and, when asked, on loopback; and the clients of it.
//!
//! Not here: what a command does, and who may give one (the orchestrator decides that; here it is only found out who is at
//! the other end). Invariants: whoever has no key looks and nothing more; role and author come from the connection, never
//! from what it says; a client that is slow, silent or hostile costs its own connection and nothing else; every refusal
//! says in words what was wrong and how to mend it.
//!
//! | file | what it is |
//! | --- | --- |
//! | `place` | the private folder, the socket, the key: where a running session is found |
//! | `server` | the listening thread; `connection`: one connection, its head read within its time |
//! | `guard`, `doors` | who may come in: host, key, rate; how many, by door |
//! | `routes` | the table of what can be asked; `records`, `commands`, `query`, `metrics`, `snapshot` answer |
//! | `handover` | the word that a process ends for another to follow |
//! | `call` | one question from the other side; `client` is a console's whole client |

mod call;
mod client;
mod commands;
mod connection;
mod doors;
mod guard;
mod handover;
mod metrics;
mod place;
mod query;
mod records;
mod refusal;
mod routes;
mod server;
mod snapshot;
mod watched;

pub use call::{Call, CallError, Given, Verdict};
pub use client::{AttachClient, Attachment};
pub use handover::{announce, is_announced, withdraw};
pub use place::{Place, PlaceError};
pub use routes::{OPENAPI, routes_listed};
pub use server::{Again, Server, ServerError, ServerOptions};
pub use snapshot::{Held, SessionInfo};
