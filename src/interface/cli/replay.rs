//! `baton replay`: a session's past in the console.

use super::args::{Global, ReplayArgs};
use super::console::{self, Opening};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{configuration, latest};
use crate::interface::tui::time::player::Speed;

/// Shows the past of a session, or of the latest.
///
/// # Errors
/// There is no such session, or no terminal.
pub(crate) fn replay(args: &ReplayArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let session = match &args.session {
        Some(session) => session.clone(),
        None => latest(&config)?,
    };
    let opening = Opening::Replay(session, Speed::times(args.speed));
    console::open(config, opening, global, printer)
}
