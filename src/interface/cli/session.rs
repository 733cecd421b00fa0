//! What starting a session takes, the same for every command: configuration, a name, an engine, signals.

use std::time::SystemTime;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::Global;
use super::error::{CliError, system};
use crate::config::Config;
use crate::domain::fleet::{Fleet, SessionConfig};
use crate::domain::protocol::{Author, Name, SessionId};
use crate::domain::text::CleanText;
use crate::engine::host::{Engine, EngineError, EngineOptions};
use crate::engine::journal::JournalError;

/// The configuration as the flags change it.
///
/// # Errors
/// Everything wrong in any file.
pub(crate) fn configuration(global: &Global) -> Result<Config, CliError> {
    crate::config::load(&global.flags()).map_err(CliError::Source)
}

/// An engine for a new session on a fleet.
///
/// # Errors
/// [`CliError::Engine`].
pub(crate) fn engine(config: &Config, fleet: Fleet, seed: u64) -> Result<Engine, CliError> {
    let config_of =
        SessionConfig { fleet, settings: config.settings.clone(), attention: config.attention.clone(), seed };
    let stamp = stamp();
    let options = |session: SessionId| EngineOptions {
        session,
        config: config_of.clone(),
        sessions: config.paths.sessions.clone(),
        host: host(),
    };
    match Engine::start(options(Name::slug(&stamp))) {
        // Two sessions of one second.
        Err(EngineError::Journal(JournalError::Exists { .. })) => {
            Ok(Engine::start(options(Name::slug(&format!("{stamp}-{}", std::process::id()))))?)
        }
        started => Ok(started?),
    }
}

/// A session's name: it sorts by time.
fn stamp() -> String {
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
