//! A console over a session that is taken up from its journal.

use super::deferred::DeferredClient;
use super::{Left, Running, Starting, over};
use crate::config::Config;
use crate::domain::protocol::{Role, SessionId};
use crate::engine::client::Client;
use crate::engine::host::{LocalClient, TakenUp};
use crate::engine::journal::Resumed;
use crate::engine::servers::Room;
use crate::interface::cli::error::{CliError, system};
use crate::interface::cli::headless::Again;
use crate::interface::cli::print::Printer;
use crate::interface::cli::serve::listen_if_possible;
use crate::interface::cli::session::{lock, origin, runtime, take_up, user};

/// Shows a session and lets it go on. What stands in the way is told before the terminal is taken over; only the journal's
/// records are read while the console shows already.
///
/// # Errors
/// The session can't be had, or did not start.
pub(super) fn resumed(
    config: &Config,
    session: &SessionId,
    again: Again,
    servers: Option<Room>,
    printer: &mut Printer,
) -> Result<Left, CliError> {
    let (client, starting) = start(lock(config, session)?, again, config.clone(), servers)?;
    over(client, starting, config, printer)
}

fn start(
    resumed: Resumed,
    again: Again,
    config: Config,
    servers: Option<Room>,
) -> Result<(DeferredClient<LocalClient>, Starting), CliError> {
    let (client, ready) = DeferredClient::new();
    let thread = std::thread::Builder::new().name("start".into()).spawn(move || {
        let taken = TakenUp::read(resumed)?;
        if let Some(words) = taken.unknown_words() {
            tracing::info!("{words}");
        }
        let orders = again.commands(taken.state());
        let again = runtime()?.block_on(take_up(taken, &config, servers.as_ref()))?;
        let client = again.engine.connector().viewer(user(), origin(), Role::Control)?;
        for order in orders {
            client.send(order)?;
        }
        // A console that is gone already needs no client.
        let _ = ready.send(client);
        let server = listen_if_possible(&again.engine, &config, crate::interface::remote::Again::Serves);
        Ok(Running { engine: again.engine, _server: server, _simulator: again.simulator })
    });
    Ok((client, thread.map_err(system("start a thread"))?))
}
