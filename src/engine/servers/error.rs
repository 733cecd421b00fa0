//! Why a server could not be brought under control, or out of it.

use std::path::PathBuf;

use super::port::Listener;
use crate::engine::providers::ClientError;

/// What was attempted, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// The endpoint says nothing of how it is started.
    #[error(
        "{name} has no `launch` in the fleet file; add `launch = {{ command = \"…\", args = [] }}` to its endpoint"
    )]
    NoLaunch {
        /// The endpoint.
        name: String,
    },
    /// The endpoint is on another machine, or its URL has no port.
    #[error("{name} is at {url}, which names no port of this machine; write its `url` as in http://127.0.0.1:8083")]
    NoPort {
        /// The endpoint.
        name: String,
        /// Its URL.
        url: String,
    },
    /// Something that is no such model server listens there.
    #[error("can't start {name}: port {port} is in use by {}; end that, or give {name} another port", who(.by.as_ref()))]
    PortInUse {
        /// The endpoint.
        name: String,
        /// Its port.
        port: u16,
        /// Who listens, where the system tells.
        by: Option<Listener>,
    },
    /// Baton did not start it.
    #[error("{name} is served by {}, which Baton did not start; `--force` stops it all the same", who(.by.as_ref()))]
    NotOurs {
        /// The endpoint.
        name: String,
        /// Who listens, where the system tells.
        by: Option<Listener>,
    },
    /// The system does not tell who listens, so nobody can be stopped.
    #[error("can't stop {name}: the system does not tell which process listens at port {port}; end it yourself")]
    NobodyKnown {
        /// The endpoint.
        name: String,
        /// Its port.
        port: u16,
    },
    /// It was told to end and did not.
    #[error("{name} (pid {pid}) does not end; its log and `ps` may say why")]
    Stays {
        /// The endpoint.
        name: String,
        /// The process that stays.
        pid: u32,
    },
    /// A folder or file of a server.
    #[error("can't {what} {}: {source}; the folder must be writable for you", path.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The supervisor could not be started.
    #[error("can't start a supervisor for {name}: {source}; see that {} can be run", program.display())]
    Supervisor {
        /// The endpoint.
        name: String,
        /// This program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The supervisor ended before it said anything.
    #[error("the supervisor of {name} ended at once ({status}); Baton's log (`baton config path`) says why")]
    Mute {
        /// The endpoint.
        name: String,
        /// How it ended.
        status: String,
    },
    /// The supervisor, or who ordered it, is of another version.
    #[error(
        "the supervisor {} is of {theirs} and this Baton of {ours}, and they may mean different things; start the session \
         again with the version that is installed", program.display()
    )]
    OtherVersion {
        /// What was started.
        program: PathBuf,
        /// What the other is.
        theirs: String,
        /// What this is.
        ours: String,
    },
    /// Another supervisor has the port.
    #[error("port {0} has a supervisor already; `baton fleet status` shows it")]
    Taken(u16),
    /// What a supervisor was told to do can't be read.
    #[error("a supervisor was not told what to do: {0}; it is started by `baton fleet up`, not by hand")]
    NoOrders(String),
    /// Signals can't be listened for.
    #[error("can't listen for signals: {0}")]
    Signals(std::io::Error),
    /// Whoever ordered it left it.
    #[error("{0}")]
    Left(String),
    /// What did it panicked.
    #[error("Baton broke off while it did that; the log says where")]
    BrokeOff,
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn who(by: Option<&Listener>) -> String {
    by.map_or_else(|| "another program".to_owned(), ToString::to_string)
}
