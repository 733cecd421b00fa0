//! A console over a session's past.
//!
//! Not here: playing (`tui/time`). Invariant: nothing of the session is written.

use super::{Left, options, show_with};
use crate::config::Config;
use crate::domain::protocol::SessionId;
use crate::engine::journal::{JournalError, Sessions};
use crate::interface::cli::error::CliError;
use crate::interface::cli::session::{mistaken, runtime};
use crate::interface::tui::runtime::Opens;
use crate::interface::tui::time::Reads;
use crate::interface::tui::time::player::Speed;
use crate::interface::tui::time::replay::{ReplayClient, ReplayClock};

/// Shows a session's past, played from its beginning, until it is left.
///
/// # Errors
/// There is no such session, its journal can't be read, or the terminal can't be had.
pub(super) fn replayed(config: &Config, session: &SessionId, speed: Speed) -> Result<Left, CliError> {
    let sessions = Sessions::new(&config.paths.sessions);
    let journal = sessions.journal(session)?;
    if !journal.is_file() {
        let missing = JournalError::Missing { id: session.to_string(), root: config.paths.sessions.clone() };
        return Err(mistaken(&sessions, session)(missing));
    }
    let runtime = runtime()?;
    let clock = ReplayClock::Runs(tokio::time::Instant::now());
    let client = ReplayClient::open(&journal, Reads::Aside, clock).map_err(mistaken(&sessions, session))?;
    let mut options = options(config);
    options.opens = Opens::Replay(speed);
    let exit = show_with(runtime, client, options)?;
    Ok(Left { exit, journal: None, unfinished: None })
}
