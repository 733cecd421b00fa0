//! `baton serve`: an engine without a console that waits for goals; and how every running session listens.

use std::net::SocketAddr;

use serde::Serialize;

use super::args::{Form, Global};
use super::choose::{Unanswered, choose_fleet};
use super::error::{CliError, Exit};
use super::leave::{HangUp, set_down};
use super::print::Printer;
use super::servers::room;
use super::session::{Ends, caution, configuration, engine, person, runtime, user, without_project};
use crate::config::Config;
use crate::domain::protocol::{Command, Role};
use crate::engine::client::Client;
use crate::engine::host::{Engine, Keeping};
use crate::interface::remote::{Server, ServerError, ServerOptions};

/// Records passed over at once.
const BATCH: usize = 512;

/// Where a service is found.
#[derive(Debug, Serialize)]
struct Serving {
    session: String,
    journal: String,
    socket: String,
    /// The file with the key: never the key.
    key_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// Makes a session reachable from outside.
///
/// # Errors
/// [`ServerError`].
pub(crate) fn listen(engine: &Engine, config: &Config, tcp: Option<SocketAddr>) -> Result<Server, ServerError> {
    Server::start(engine.connector().clone(), ServerOptions { run: config.paths.run.clone(), tcp, user: user() })
}

/// The same for a session that goes on without it, too: why not is in the log.
pub(crate) fn listen_if_possible(engine: &Engine, config: &Config) -> Option<Server> {
    match listen(engine, config, None) {
        Ok(server) => Some(server),
        Err(error) => {
            tracing::warn!(%error, "the session can't be attached to");
            None
        }
    }
}

/// Serves until a signal, or until somebody ends the session.
///
/// # Errors
/// [`CliError`].
pub(crate) fn serve(tcp: Option<SocketAddr>, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    if let Some(address) = tcp.filter(|a| !a.ip().is_loopback()) {
        return Err(CliError::Usage(ServerError::NotLoopback(address).to_string()));
    }
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        let chosen = tokio::select! {
            // It answers nobody by itself, and starts servers when it is told to: it may begin before they do.
            chosen = choose_fleet(&config, &global.fleet, global.seed, Unanswered::Waits) =>
                chosen.map_err(without_project(&config))?,
            number = ends.next() => return Ok(Exit::Signal(number)),
        };
        caution(&config, printer);
        for sentence in &chosen.words {
            printer.words(sentence);
        }
        let engine = engine(&config, chosen.fleet.clone(), global.seed, room(&config).as_ref())?;
        let server = listen(&engine, &config, tcp)?;
        let serving = Serving {
            session: engine.connector().session().to_string(),
            journal: engine.journal().display().to_string(),
            socket: server.place().socket().display().to_string(),
            key_file: server.place().key_file().display().to_string(),
            url: server.tcp().map(|address| format!("http://{address}")),
        };
        match global.form() {
            Form::Words => tell(&serving, printer),
            Form::Json => printer.json(&serving),
            Form::JsonLines => printer.data_line(&serde_json::to_string(&serving).unwrap_or_default()),
        }
        let exit = watch(&engine, &mut ends, printer).await;
        match exit {
            Ok(Exit::Done) => set_down(engine, &mut ends, HangUp::Ends, printer).await?,
            _ => engine.end()?,
        };
        // Whoever watches has seen the end.
        drop(server);
        printer.words(&format!("journal: {}", serving.journal));
        exit
    })
}

fn tell(serving: &Serving, printer: &mut Printer) {
    printer.words(&format!("session {}: `baton attach`, `baton ctl goal \"…\"`", serving.session));
    printer.words(&format!("socket {}", serving.socket));
    if let Some(url) = &serving.url {
        printer.words(&format!("{url}, with the key in {}", serving.key_file));
    }
    printer.words("ctrl-c ends it; `baton resume` takes it up again");
}

/// Waits for a signal or the session's end.
async fn watch(engine: &Engine, ends: &mut Ends, printer: &mut Printer) -> Result<Exit, CliError> {
    let mut client = engine.client(person(), Role::Control);
    let (mut batch, mut signal, mut keeping) = (Vec::new(), None, engine.keeping());
    loop {
        let more = tokio::select! {
            more = client.recv(&mut batch, BATCH) => more,
            // It has ended but for its disk.
            _ = Keeping::leaves(&mut keeping) => false,
            number = ends.next() => {
                if signal.replace(number).is_some() || client.send(Command::EndSession).is_err() {
                    return Ok(Exit::Signal(number));
                }
                printer.words("ending");
                true
            }
        };
        batch.clear();
        if !more {
            return Ok(signal.map_or(Exit::Done, Exit::Signal));
        }
    }
}
