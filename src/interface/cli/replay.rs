//! `baton replay`: a session's past in the console, or by a script.

use std::path::{Path, PathBuf};

use super::args::{Global, ReplayArgs};
use super::console::{self, Opening, Past};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::scripted;
use super::session::{configuration, latest};
use crate::config::Config;
use crate::engine::journal::Sessions;
use crate::interface::tui::time::player::Speed;

/// Shows the past of a session, or of the latest; with a script, does what it says on it.
///
/// # Errors
/// There is no such session, no terminal, or the script is wrong.
pub(crate) fn replay(args: &ReplayArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    if let Some(script) = &args.script {
        let journal = journal_of(&config, args.session.as_deref(), printer)?;
        return scripted::script(&journal, script, args, printer);
    }
    let journal = journal_of(&config, args.session.as_deref(), printer)?;
    let opening = Opening::Replay(Past::Journal(journal), Speed::times(args.speed));
    console::open(config, opening, global, printer)
}

/// The journal of what was named: a session, or a file that is one, or its folder; the latest session when nothing was.
///
/// # Errors
/// [`CliError::Usage`] when it is neither, [`CliError::Read`] where a path leads to nothing.
pub(super) fn journal_of(config: &Config, name: Option<&str>, printer: &mut Printer) -> Result<PathBuf, CliError> {
    let session = match name {
        Some(path) if path.contains('/') || path.ends_with(".jsonl") => {
            let path = Path::new(path);
            let meta = std::fs::metadata(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
            return Ok(if meta.is_dir() { path.join("journal.jsonl") } else { path.to_owned() });
        }
        Some(word) => super::names::stored(config, word, printer)?,
        None => latest(config)?,
    };
    Ok(Sessions::new(&config.paths.sessions).journal(&session)?)
}
