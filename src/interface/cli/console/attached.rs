//! A console over a session of another process: its own size, screen and focus; leaving it ends nothing.

use super::{Left, show};
use crate::config::Config;
use crate::domain::protocol::SessionId;
use crate::interface::cli::args::Global;
use crate::interface::cli::attach::given;
use crate::interface::cli::error::CliError;
use crate::interface::cli::session::{origin, runtime};
use crate::interface::remote::{AttachClient, Attachment, Place};

/// Shows a running session until its console is left.
///
/// # Errors
/// It does not run, or its key can't be read.
pub(super) fn attached(config: &Config, session: &SessionId, global: &Global) -> Result<Left, CliError> {
    let place = Place::of(session, &config.paths.run)?;
    let opening = AttachClient::open(place, given(global), Attachment::Console(origin()));
    let (client, _) = runtime()?.block_on(opening)?;
    // Its journal is still being written by its own process.
    Ok(Left { exit: show(client, config)?, journal: None, unfinished: None })
}
