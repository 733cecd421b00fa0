//! How the server of an endpoint stands that Baton started or found, as a record carries it, and what the operator can
//! want of it.
//!
//! Not here: its life (`engine/servers`). Invariant: what it last said is clean text.

use serde::{Deserialize, Serialize};

use super::EndpointName;
use crate::domain::fleet::Lifetime;
use crate::domain::text::CleanText;

/// How a server stands. Carries the whole of it, so the last one is the truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerChanged {
    /// The endpoint it serves.
    pub endpoint: EndpointName,
    /// How far it is.
    pub standing: ServerStanding,
    /// The same in a sentence, with what would mend it where it failed.
    pub words: CleanText,
    /// Where it listens on this machine.
    pub port: u16,
    /// Its process, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How long it lives; none where Baton did not start it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    /// How many times in a row it was started again.
    #[serde(default)]
    pub restarts: u32,
    /// The last it said before it failed, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<CleanText>,
    /// The file of its log; none where Baton did not start it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerStanding {
    /// It was started and does not answer yet.
    Starting,
    /// It answered.
    Ready,
    /// It ended by itself and is started again.
    Restarting,
    /// It was told to end.
    Stopping,
    /// It does not run.
    Stopped,
    /// It does not run, and will not by itself.
    Failed,
    /// It runs, and Baton did not start it or lost its supervisor.
    Adopted,
}

impl ServerStanding {
    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Adopted => "adopted",
        }
    }

    /// Whether nothing more happens by itself.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }
}

/// What is to be done with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerVerb {
    /// See that it runs.
    Start,
    /// End it.
    Stop,
    /// End it and start it anew.
    Restart,
}

impl ServerVerb {
    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// Whether memory is looked at before something is begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryCheck {
    /// What does not fit is refused.
    #[default]
    Heed,
    /// It is begun all the same.
    Force,
}
