//! `baton replay`: a session's past in the console, or by a script.

use std::path::{Path, PathBuf};

use super::args::{Global, ReplayArgs};
use super::console::{self, Opening};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::scripted;
use super::session::{configuration, latest};
use crate::config::Config;
use crate::domain::protocol::SessionId;
use crate::engine::journal::Sessions;
use crate::interface::tui::time::player::Speed;

/// Shows the past of a session, or of the latest; with a script, does what it says on it.
///
/// # Errors
/// There is no such session, no terminal, or the script is wrong.
pub(crate) fn replay(args: &ReplayArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    if let Some(script) = &args.script {
        let journal = journal_of(&config, args.session.as_deref())?;
        return scripted::script(&journal, script, args, printer);
    }
    let session = match &args.session {
        Some(name) => named(name)?,
        None => latest(&config)?,
    };
    let opening = Opening::Replay(session, Speed::times(args.speed));
    console::open(config, opening, global, printer)
}

/// The journal of what was named: a session, or a file that is one; the latest session when nothing was.
///
/// # Errors
/// [`CliError::Usage`] when it is neither.
pub(super) fn journal_of(config: &Config, name: Option<&str>) -> Result<PathBuf, CliError> {
    let session = match name {
        Some(path) if path.contains('/') || path.ends_with(".jsonl") => return Ok(Path::new(path).to_path_buf()),
        Some(name) => named(name)?,
        None => latest(config)?,
    };
    Ok(Sessions::new(&config.paths.sessions).journal(&session)?)
}

fn named(name: &str) -> Result<SessionId, CliError> {
    name.parse().map_err(|error| CliError::Usage(format!("{name:?} is no session: {error}")))
}
