//! A console over a session's past.
//!
//! Not here: playing (`tui/time`). Invariant: nothing of the session is written.

use super::{Left, Past, options, show_with};
use crate::config::Config;
use crate::engine::journal::{JournalError, Sessions};
use crate::interface::cli::error::CliError;
use crate::interface::cli::session::{mistaken, runtime};
use crate::interface::tui::runtime::Opens;
use crate::interface::tui::time::Reads;
use crate::interface::tui::time::player::Speed;
use crate::interface::tui::time::replay::{ReplayClient, ReplayClock};

/// Shows a past, played from its beginning, until it is left.
///
/// # Errors
/// There is no such session, its journal can't be read, or the terminal can't be had.
pub(super) fn replayed(config: &Config, past: &Past, speed: Speed) -> Result<Left, CliError> {
    let sessions = Sessions::new(&config.paths.sessions);
    let wrong = |error: JournalError| match past {
        Past::Session(session) => mistaken(&sessions, session)(error),
        Past::Journal(_) => CliError::Journal(error),
    };
    let journal = match past {
        Past::Session(session) => sessions.journal(session)?,
        Past::Journal(path) => path.clone(),
    };
    if let Past::Session(session) = past
        && !journal.is_file()
    {
        return Err(wrong(JournalError::Missing { id: session.to_string(), root: config.paths.sessions.clone() }));
    }
    let runtime = runtime()?;
    let clock = ReplayClock::Runs(tokio::time::Instant::now());
    let client = ReplayClient::open(&journal, Reads::Aside, clock).map_err(wrong)?;
    let mut options = options(config);
    options.opens = Opens::Replay(speed);
    let exit = show_with(runtime, client, options)?;
    Ok(Left { exit, journal: None, unfinished: None })
}
