//! `baton replay`: a session's past in the console, or by a script.

use super::args::{Global, ReplayArgs};
use super::bundle::journal_of;
use super::console::{self, Opening, Past};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::scripted;
use super::session::configuration;
use crate::interface::tui::time::player::Speed;

/// Shows the past of a session, or of the latest; with a script, does what it says on it.
///
/// # Errors
/// There is no such session, no terminal, or the script is wrong.
pub(crate) fn replay(args: &ReplayArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    // A bundle is unpacked as long as this is held.
    let named = journal_of(&config, args.session.as_deref(), printer)?;
    if let Some(script) = &args.script {
        return scripted::script(&named.journal, script, args, printer);
    }
    let opening = Opening::Replay(Past::Journal(named.journal.clone()), Speed::times(args.speed));
    console::open(config, opening, global, printer)
}
