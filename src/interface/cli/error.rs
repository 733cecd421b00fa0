//! How a command can fail, and the exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::domain::protocol::SessionId;
use crate::domain::source::SourceError;
use crate::domain::text::CleanText;
use crate::engine::host::EngineError;
use crate::engine::journal::JournalError;
use crate::engine::providers::ClientError;
use crate::engine::simulator::{FaultError, SimulatorError};
use crate::interface::bundle::BundleError;
use crate::interface::remote::CallError;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All done.
    Done,
    /// A task failed.
    TaskFailed,
    /// Something typed or written in a file is wrong.
    Usage,
    /// Only the operator can release what is left.
    Operator,
    /// It could not start, or broke off.
    NotStarted,
    /// Ended by a signal of that number.
    Signal(u8),
    /// The code of the process that did the work.
    Code(u8),
}

impl Exit {
    /// For the system.
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// The number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::TaskFailed => 1,
            Self::Usage => 2,
            Self::Operator => 3,
            Self::NotStarted => 4,
            Self::Signal(number) => 128u8.saturating_add(number),
            Self::Code(code) => code,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A plan or configuration file is wrong.
    #[error("{}", list(.0))]
    Source(Vec<SourceError>),
    /// A file can't be read.
    #[error("can't read {}: {source}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file can't be written.
    #[error("can't write {}: {source}; check the path, or write elsewhere", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something typed is wrong; the sentence says what and how to mend it.
    #[error("{0}")]
    Usage(String),
    /// A line of `--faults`.
    #[error("--faults {line}: {error}")]
    Faults {
        /// As typed.
        line: String,
        /// What is wrong.
        error: FaultError,
    },
    /// The session refused the goal.
    #[error("refused: {0}")]
    Refused(CleanText),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// No session of that name.
    #[error("there is no session {session} in {}; `baton sessions` lists those there are", root.display())]
    NoSession {
        /// As typed.
        session: SessionId,
        /// The sessions folder.
        root: PathBuf,
    },
    /// No session at all.
    #[error("there is no session yet in {}; `baton run` begins one", .0.display())]
    NoSessions(PathBuf),
    /// Another process has the session.
    #[error(
        "the session {session} is in use by {holder}; `baton attach {session}` shows it, or end that process first"
    )]
    InUse {
        /// The session.
        session: SessionId,
        /// Who, as far as its lock tells.
        holder: String,
    },
    /// A session that wants what nobody approved.
    #[error("{session} is not taken up: {}; if it is yours, `baton trust --session {session}` shows that and approves it", words.join("; "))]
    Unapproved {
        /// The session's folder.
        session: CleanText,
        /// What it wants, a sentence each.
        words: Vec<String>,
    },
    /// Nothing could be begun, and what the project brings for it was left out.
    #[error("{without}\n  {} names servers of its own, which are left out until you approve them: `baton trust` shows them", project.display())]
    LeftOut {
        /// What is wrong without them.
        without: Box<CliError>,
        /// The project's folder.
        project: PathBuf,
    },
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The simulated fleet.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// A server that is started or stopped.
    #[error(transparent)]
    Servers(#[from] crate::engine::servers::ServersError),
    /// The session could not be told something.
    #[error("the session did not take the goal: {0}")]
    Send(#[from] crate::engine::client::SendError),
    /// The fleet has nothing to run on.
    #[error("the fleet has no endpoint; add one to {}, or try `--fleet sim`", .0.display())]
    EmptyFleet(PathBuf),
    /// No endpoint of the operator's fleet answers; a line for each.
    #[error(
        "no endpoint of the fleet answers, so nothing was started; `--patience SECONDS` waits for them\n  {}",
        .0.join("\n  ")
    )]
    NobodyAnswers(Vec<String>),
    /// No fleet file, and no server on the known ports.
    #[error(
        "no model server answers ({asked} addresses asked), and there is no fleet file that names others{}\n  start one \
         (llama-server, ollama serve, mlx_lm.server, LM Studio's server), then `baton fleet init` writes a fleet file of \
         what answers; `--fleet FILE` names one; `--fleet sim` runs on the simulated fleet, whose answers are made up",
        useless.iter().map(|line| format!("\n  {line}")).collect::<String>()
    )]
    NothingToRunOn {
        /// How many addresses were asked.
        asked: usize,
        /// What answers and can't be used, a line each.
        useless: Vec<String>,
    },
    /// A fleet file is there already.
    #[error(
        "{} is there already and stays as it is; --force replaces it and keeps it beside as .bak, --output FILE writes \
         elsewhere, --print only shows",
        .0.display()
    )]
    FleetFileExists(PathBuf),
    /// No model server that can be used.
    #[error(
        "no model server that can be used answers; asked: {asked}. Start one (llama-server, ollama serve, mlx_lm.server, \
         LM Studio's server), or name its machine with --host and its port with --port"
    )]
    NothingFound {
        /// The machines.
        asked: String,
    },
    /// The session was over before its goal was.
    #[error("the session broke off before its goal ended; the log ({}) says why", .0.display())]
    BrokeOff(PathBuf),
    /// No session runs that could be reached.
    #[error("no session is running; `baton` begins one, `baton resume` takes one up again")]
    NoneRuns,
    /// A running session did not do what it was asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The place of a running session.
    #[error(transparent)]
    Place(#[from] crate::interface::remote::PlaceError),
    /// A session that can't be reached from outside.
    #[error(transparent)]
    Server(#[from] crate::interface::remote::ServerError),
    /// The console.
    #[error(transparent)]
    Console(crate::interface::tui::runtime::ConsoleError),
    /// A second signal ended it at once; its number.
    #[error("ended by signal {0}")]
    Killed(u8),
    /// The system refused something.
    #[error("can't {what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl CliError {
    /// The exit code that goes with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Source(_)
            | Self::Read { .. }
            | Self::Usage(_)
            | Self::Faults { .. }
            | Self::Refused(_)
            | Self::FleetFileExists(_)
            | Self::Bundle(BundleError::Wrong { .. } | BundleError::NoTask { .. })
            | Self::NoSession { .. }
            | Self::NoSessions(_) => Exit::Usage,
            Self::Call(CallError::Refused(_)) => Exit::TaskFailed,
            Self::Unapproved { .. } | Self::LeftOut { .. } => Exit::Operator,
            Self::Killed(number) => Exit::Signal(*number),
            _ => Exit::NotStarted,
        }
    }
}

/// For `map_err`: what was attempted.
pub(crate) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> CliError {
    move |source| CliError::System { what, source }
}

fn list(errors: &[SourceError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
