//! How a server stands, as data: for the console, the command line and JSON.
//!
//! Texts from outside (names of programs, last lines of logs) are raw here; whoever shows them cleans them.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::port::Listener;
use crate::domain::fleet::Lifetime;
use crate::domain::protocol::EndpointName;

/// How far a server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServerState {
    /// It was started and does not answer yet.
    Starting,
    /// It answered.
    Ready,
    /// It ended by itself and is started again.
    Restarting {
        /// After so many seconds, rounded up.
        in_seconds: u64,
    },
    /// It was told to end.
    Stopping,
    /// It does not run.
    Stopped,
    /// It does not run, and will not by itself.
    Failed {
        /// What is wrong.
        why: Why,
    },
    /// It runs, and Baton did not start it or lost its supervisor: it is used, and neither watched nor logged.
    Adopted {
        /// Who it is, where the system tells.
        by: Option<Listener>,
    },
}

impl ServerState {
    /// Whether nothing more happens by itself.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Stopped | Self::Failed { .. })
    }

    /// Whether it can be asked.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Ready | Self::Adopted { .. })
    }
}

/// Why a server does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Why {
    /// There is no such program.
    NoCommand {
        /// As the fleet file names it.
        command: String,
    },
    /// The folder it should work in is not there.
    NoFolder {
        /// As the fleet file names it.
        folder: String,
    },
    /// The system refused to start it.
    Refused {
        /// As the fleet file names it.
        command: String,
        /// What the system said.
        said: String,
    },
    /// A variable's secret could not be had.
    NoSecret {
        /// The variable.
        variable: String,
        /// What was not there.
        said: String,
    },
    /// Something else listens at its port.
    PortInUse {
        /// The port.
        port: u16,
        /// Who, where the system tells.
        by: Option<Listener>,
    },
    /// It ended before it answered.
    EndedAtOnce {
        /// How it ended.
        status: String,
        /// The last it said.
        log: Vec<String>,
    },
    /// It did not answer in time and was stopped.
    NeverReady {
        /// The time it had.
        seconds: u32,
        /// What came instead of an answer.
        said: String,
        /// The last it said.
        log: Vec<String>,
    },
    /// It ended again and again.
    EndedTooOften {
        /// How many times in a row it was started again.
        restarts: u32,
        /// How it ended last.
        status: String,
        /// The last it said.
        log: Vec<String>,
    },
    /// Its supervisor was killed, and it is gone too.
    Lost,
}

impl Why {
    /// The last it said before it failed; nothing where it never ran.
    pub fn log(&self) -> &[String] {
        match self {
            Self::EndedAtOnce { log, .. } | Self::NeverReady { log, .. } | Self::EndedTooOften { log, .. } => log,
            _ => &[],
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand { command } => {
                write!(f, "there is no program {command}; install it, or give its whole path in `launch.command`")
            }
            Self::NoFolder { folder } => {
                write!(f, "there is no folder {folder}; make it, or mend `launch.cwd`")
            }
            Self::Refused { command, said } => {
                write!(f, "{command} can't be started: {said}; see that you may run it")
            }
            Self::NoSecret { variable, said } => {
                write!(f, "the value of {variable} can't be had: {said}; mend `launch.env`")
            }
            Self::PortInUse { port, by } => {
                let who = by.as_ref().map_or_else(|| "another program".to_owned(), ToString::to_string);
                write!(f, "port {port} is in use by {who}; end that, or use another port")
            }
            Self::EndedAtOnce { status, .. } => {
                write!(f, "it ended before it answered ({status}); its last lines say why")
            }
            Self::NeverReady { seconds, said, .. } => write!(
                f,
                "it did not answer within {seconds} s ({said}) and was stopped; see its last lines, that it listens at the port of `url`, or raise `launch.ready_seconds`"
            ),
            Self::EndedTooOften { restarts, status, .. } => {
                write!(
                    f,
                    "it was started again {restarts} times and ended each time ({status}); its last lines say why"
                )
            }
            Self::Lost => f.write_str("it ended together with its supervisor; start it again"),
        }
    }
}

/// Whose a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// Nobody's: it does not run.
    Nobody,
    /// It was started here.
    Here,
    /// Another Baton started it, one that may be gone by now.
    Another,
    /// A Baton started it, and its supervisor was killed.
    Orphan,
    /// Somebody else started it.
    Foreign,
}

/// A server, as it stood a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// The endpoint it was started for.
    pub endpoint: EndpointName,
    /// Where it listens.
    pub port: u16,
    /// How far it is.
    #[serde(flatten)]
    pub state: ServerState,
    /// Whose it is.
    pub holder: Holder,
    /// How long it lives; none where Baton did not start it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    /// Its process, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How many times in a row it was started again.
    pub restarts: u32,
    /// It was started by another command than the fleet file has now.
    pub outdated: bool,
    /// Its log; none where Baton did not start it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            ServerState::Starting => write!(f, "starting at port {}", self.port)?,
            ServerState::Ready => write!(f, "ready at port {}", self.port)?,
            ServerState::Restarting { in_seconds } => write!(f, "ended by itself; starts again in {in_seconds} s")?,
            ServerState::Stopping => f.write_str("ending")?,
            ServerState::Stopped => f.write_str("stopped")?,
            ServerState::Failed { why } => write!(f, "failed: {why}")?,
            ServerState::Adopted { by } => {
                let who = by.as_ref().map_or_else(|| "another program".to_owned(), ToString::to_string);
                match self.holder {
                    Holder::Orphan => write!(
                        f,
                        "runs at port {} without its supervisor, which was killed: not watched, not logged; `baton fleet restart {}` mends that",
                        self.port, self.endpoint
                    )?,
                    _ => write!(
                        f,
                        "runs at port {} already: {who}, not started by Baton; used as it is, and `down` leaves it alone",
                        self.port
                    )?,
                }
            }
        }
        if let (Some(pid), Holder::Here | Holder::Another | Holder::Orphan, false) =
            (self.pid, self.holder, self.state.is_over())
        {
            write!(f, " (pid {pid}")?;
            match (self.holder, self.lifetime) {
                (Holder::Here, Some(Lifetime::Kept)) => f.write_str(", kept")?,
                (Holder::Another, Some(Lifetime::Kept)) => f.write_str(", kept, adopted from an earlier Baton")?,
                (Holder::Another, _) => f.write_str(", of another Baton's session and ends with it")?,
                _ => {}
            }
            f.write_str(")")?;
        }
        match self.restarts {
            _ if self.state.is_over() => {}
            0 => {}
            1 => f.write_str(", started again once")?,
            times => write!(f, ", started again {times} times in a row")?,
        }
        if self.outdated && !self.state.is_over() {
            write!(f, "; the fleet file has another command now: `baton fleet restart {}` takes it", self.endpoint)?;
        }
        Ok(())
    }
}
