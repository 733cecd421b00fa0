//! The fleet: endpoints, tiers and agents as configured, and the settings a session runs under.
//!
//! Not here: what a server is doing now ([`crate::domain::state`]), how it is talked to (`engine/providers`), where
//! the values come from ([`crate::config`]). Invariant: nothing here holds a secret, only references to one.

mod agent;
mod endpoint;
mod launch;
mod settings;
mod shape;
mod work;

pub use agent::Agent;
pub use endpoint::{Api, Endpoint, Fleet, Nature, PoolKey, Price, Protocol, SecretRef, base_url, bytes, local_port};
pub use launch::{EnvValue, Launch, Lifetime};
pub use settings::{AttentionSettings, MachineSettings, OnCut, SessionConfig, Settings};
pub use shape::{CacheSettings, Fact, ModelFacts};
pub use work::Work;
