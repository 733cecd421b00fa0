//! What starting a session takes, the same for every command: configuration, a name, an engine, signals.

use std::time::SystemTime;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::Global;
use super::error::{CliError, system};
use super::print::Printer;
use crate::config::Config;
use crate::domain::fleet::{Fleet, SessionConfig};
use crate::domain::protocol::{Author, EndpointName, Name, SessionId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::host::{Engine, EngineError, EngineOptions, ResumeOptions, TakenUp};
use crate::engine::journal::{JournalError, Resumed, Sessions, Writer};
use crate::engine::servers::Room;
use crate::engine::simulator::{Simulator, SimulatorConfig};

/// The configuration as the flags change it.
///
/// # Errors
/// Everything wrong in any file.
pub(crate) fn configuration(global: &Global) -> Result<Config, CliError> {
    crate::config::load(&global.flags()).map_err(CliError::Source)
}

/// Says what of the project's folder is left out, and why; and which of Baton's own folders others may write.
pub(crate) fn caution(config: &Config, printer: &mut Printer) {
    for words in config.cautions().into_iter().chain(config.open_folders()) {
        printer.words(&words);
    }
}

/// For `map_err`: where there is no fleet to run on, and the project's own was left out, it is the operator who can help.
pub(crate) fn without_project(config: &Config) -> impl FnOnce(CliError) -> CliError {
    let project = config.left_out().next().map(|wish| wish.folder.clone());
    move |error| match (error, project) {
        (
            without @ (CliError::EmptyFleet(_) | CliError::NobodyAnswers(_) | CliError::NothingToRunOn { .. }),
            Some(project),
        ) => CliError::LeftOut { without: Box::new(without), project },
        (error, _) => error,
    }
}

/// An engine for a new session on a fleet.
///
/// # Errors
/// [`CliError::Engine`].
pub(crate) fn engine(config: &Config, fleet: Fleet, seed: u64, servers: Option<&Room>) -> Result<Engine, CliError> {
    engine_named(config, fleet, seed, servers, None)
}

/// The same; the session's name ends with that word.
///
/// # Errors
/// [`CliError::Engine`].
pub(crate) fn engine_named(
    config: &Config,
    fleet: Fleet,
    seed: u64,
    servers: Option<&Room>,
    named: Option<&str>,
) -> Result<Engine, CliError> {
    let project = config.project_of(&fleet);
    let config_of = SessionConfig {
        fleet,
        settings: config.settings.clone(),
        attention: config.attention.clone(),
        machine: config.machine.clone(),
        seed,
        project,
        folder: here(),
    };
    if let Err(error) = super::trust::own_session(config, &config_of.fleet) {
        tracing::warn!(%error, "that this session's fleet is the operator's own could not be noted");
    }
    let stamp = named.map_or_else(stamp, |word| format!("{}-{word}", stamp()));
    let options = |session: SessionId| EngineOptions {
        session,
        config: config_of.clone(),
        sessions: config.paths.sessions.clone(),
        host: host(),
        servers: servers.cloned(),
    };
    match Engine::start(options(Name::slug(&stamp))) {
        // Two sessions of one second.
        Err(EngineError::Journal(JournalError::Exists { .. })) => {
            Ok(Engine::start(options(Name::slug(&format!("{stamp}-{}", std::process::id()))))?)
        }
        started => Ok(started?),
    }
}

/// The folder this process works in, as it is without links.
pub(crate) fn here() -> Option<String> {
    let folder = std::env::current_dir().and_then(|folder| folder.canonicalize()).ok()?;
    folder.into_os_string().into_string().ok()
}

/// The session written last.
///
/// # Errors
/// [`CliError::NoSessions`].
pub(crate) fn latest(config: &Config) -> Result<SessionId, CliError> {
    let listed = Sessions::new(&config.paths.sessions).list()?;
    // A folder whose journal has no header is what a first write that never finished left behind.
    let last = listed.into_iter().find(|l| l.header.is_some());
    last.map(|l| l.id).ok_or_else(|| CliError::NoSessions(config.paths.sessions.clone()))
}

/// Locks a session that is to be taken up.
///
/// # Errors
/// In words: there is none of that name, another process has it, its journal can't be taken up.
pub(crate) fn lock(config: &Config, session: &SessionId) -> Result<Resumed, CliError> {
    let sessions = Sessions::new(&config.paths.sessions);
    sessions.open(session).and_then(Writer::resume).map_err(mistaken(&sessions, session))
}

/// For `map_err`: what can be done about a session that can't be had.
pub(crate) fn mistaken(sessions: &Sessions, session: &SessionId) -> impl Fn(JournalError) -> CliError {
    let root =
        sessions.path(session).ok().and_then(|p| p.parent().map(std::path::Path::to_path_buf)).unwrap_or_default();
    let none = sessions.list().is_ok_and(|listed| listed.iter().all(|l| l.header.is_none()));
    let session = session.clone();
    move |error| match error {
        JournalError::Missing { .. } if none => CliError::NoSessions(root.clone()),
        JournalError::Missing { .. } => CliError::NoSession { session: session.clone(), root: root.clone() },
        JournalError::Locked { holder, .. } => CliError::InUse { session: session.clone(), holder },
        error @ (JournalError::NoRecord { .. } | JournalError::Name(_)) => CliError::Usage(error.to_string()),
        error => CliError::Journal(error),
    }
}

/// A session that goes on.
pub(crate) struct Again {
    /// Its engine.
    pub(crate) engine: Engine,
    /// The servers behind a simulated fleet. Lives as long as the session.
    pub(crate) simulator: Option<Simulator>,
    /// What is to be said about the fleet, a sentence each.
    pub(crate) words: Vec<String>,
}

/// Starts an engine over a session that was taken up. A simulated fleet went with its process: a new one takes its place.
///
/// # Errors
/// [`CliError::Unapproved`], [`CliError::Simulator`], [`CliError::Engine`].
pub(crate) async fn take_up(taken: TakenUp, config: &Config, servers: Option<&Room>) -> Result<Again, CliError> {
    super::trust::check(&taken, config)?;
    let mut words = Vec::new();
    let simulator = simulator_for(taken.state()).await?;
    let mut moved = Vec::new();
    if let Some(simulator) = &simulator {
        words.push(SIMULATED.to_owned());
        let fleet = simulator.fleet(&taken.state().config.fleet);
        moved = fleet.endpoints.into_iter().map(|e| (e.name, e.url)).collect::<Vec<(EndpointName, String)>>();
    }
    let engine = Engine::resume(taken, ResumeOptions { host: host(), moved, servers: servers.cloned() })?;
    Ok(Again { engine, simulator, words })
}

async fn simulator_for(state: &State) -> Result<Option<Simulator>, CliError> {
    let config = &state.config;
    if !config.fleet.is_simulated() {
        return Ok(None);
    }
    Ok(Some(Simulator::start(SimulatorConfig::for_fleet(&config.fleet, config.seed)).await?))
}

/// What is said of a simulated fleet.
pub(crate) const SIMULATED: &str = "SIMULATED: the answers of this fleet are made up; nothing is sent to any model";

/// How a session that is not done is taken up again.
pub(crate) fn how_to_go_on(session: &SessionId) -> String {
    format!("it is not done; take it up again with: baton resume {session}")
}

/// A session's name: it sorts by time.
pub(crate) fn stamp() -> String {
    let now = time::OffsetDateTime::from(SystemTime::now());
    let format = time::macros::format_description!("[year][month][day]-[hour][minute][second]");
    now.format(&format).unwrap_or_default()
}

fn host() -> CleanText {
    CleanText::one_line(&sysinfo::System::host_name().unwrap_or_default())
}

/// Who sits here.
pub(crate) fn person() -> Author {
    Author::Person(user())
}

/// The user's name.
pub(crate) fn user() -> CleanText {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let name = CleanText::one_line(&name);
    if name.is_empty() { CleanText::from_static("you") } else { name }
}

/// From where this process is used: over SSH, or here.
pub(crate) fn origin() -> CleanText {
    let ssh = std::env::var("SSH_CONNECTION").ok();
    match ssh.as_deref().and_then(|line| line.split_whitespace().next()) {
        Some(address) => CleanText::one_line(&format!("ssh {address}")),
        None => CleanText::from_static("this machine"),
    }
}

/// A runtime for the calling thread.
///
/// # Errors
/// [`CliError::System`].
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system("start a runtime"))
}

/// The signals that end a command in an orderly way.
pub(crate) struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Ends {
    /// Begins to listen; from here on these signals end nothing by themselves.
    ///
    /// # Errors
    /// [`CliError::System`].
    pub(crate) fn listen() -> Result<Self, CliError> {
        let on = |kind| signal(kind).map_err(system("listen for signals"));
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// The next one's number. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hang_up.recv() => 1,
        }
    }
}
