//! A console over a session's past.
//!
//! Not here: playing (`tui/time`). Invariant: nothing of the session is written.

use super::{Left, options, show_with};
use crate::config::Config;
use crate::domain::protocol::SessionId;
use crate::engine::journal::Sessions;
use crate::interface::cli::error::CliError;
use crate::interface::cli::session::runtime;
use crate::interface::tui::runtime::Opens;
use crate::interface::tui::time::Reads;
use crate::interface::tui::time::player::Speed;
use crate::interface::tui::time::replay::{ReplayClient, ReplayClock};

/// Shows a session's past, played from its beginning, until it is left.
///
/// # Errors
/// There is no such session, its journal can't be read, or the terminal can't be had.
pub(super) fn replayed(config: &Config, session: &SessionId, speed: Speed) -> Result<Left, CliError> {
    let journal = Sessions::new(&config.paths.sessions).journal(session)?;
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let clock = ReplayClock::Runs(tokio::time::Instant::now());
    let client = ReplayClient::open(&journal, Reads::Aside, clock)?;
    let mut options = options(config);
    options.opens = Opens::Replay(speed);
    drop(_inside);
    let exit = show_with(runtime, client, options)?;
    Ok(Left { exit, journal: None, unfinished: None })
}
