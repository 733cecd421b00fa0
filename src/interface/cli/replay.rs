//! `baton replay`: a session's past in the console.

use super::args::{Global, ReplayArgs};
use super::console::{self, Opening};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::configuration;
use crate::domain::protocol::SessionId;
use crate::engine::journal::Sessions;
use crate::interface::tui::time::player::Speed;

/// Shows the past of a session, or of the latest.
///
/// # Errors
/// There is no such session, or no terminal.
pub(crate) fn replay(args: &ReplayArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let session = named(&Sessions::new(&config.paths.sessions), args.session.as_deref())?;
    let opening = Opening::Replay(session, Speed::times(args.speed));
    console::open(config, opening, global, printer)
}

/// The session of that name; without one, the latest.
fn named(sessions: &Sessions, name: Option<&str>) -> Result<SessionId, CliError> {
    if let Some(name) = name {
        let no_name = |error| CliError::Usage(format!("{name:?} is no session: {error}"));
        return name.parse().map_err(no_name);
    }
    let latest = sessions.list()?.into_iter().next().map(|s| s.id);
    latest.ok_or_else(|| CliError::Usage("there is no session yet; `baton run GOAL` makes one".to_owned()))
}
