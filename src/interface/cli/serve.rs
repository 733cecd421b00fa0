//! `baton serve`: an engine without a console that waits for goals; and how every running session listens.

use std::net::SocketAddr;

use serde::Serialize;

use super::args::{Form, Global};
use super::choose::{Unanswered, choose_fleet};
use super::error::{CliError, Exit};
use super::leave::{HangUp, set_down};
use super::print::Printer;
use super::servers::room;
use super::session::{Ends, caution, configuration, engine, lock, person, runtime, take_up, user, without_project};
use crate::config::Config;
use crate::domain::protocol::{Command, Role};
use crate::engine::client::Client;
use crate::engine::host::{Engine, Keeping, TakenUp};
use crate::engine::simulator::Simulator;
use crate::interface::remote::{Again, Server, ServerError, ServerOptions};

/// Records passed over at once.
const BATCH: usize = 512;

/// Where a service is found.
#[derive(Debug, Serialize)]
struct Serving {
    session: String,
    pid: u32,
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
pub(crate) fn listen(
    engine: &Engine,
    config: &Config,
    tcp: Option<SocketAddr>,
    again: Again,
) -> Result<Server, ServerError> {
    Server::start(engine.connector().clone(), ServerOptions { run: config.paths.run.clone(), tcp, user: user(), again })
}

/// The same for a session that goes on without it, too: why not is in the log.
pub(crate) fn listen_if_possible(engine: &Engine, config: &Config, again: Again) -> Option<Server> {
    match listen(engine, config, None, again) {
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
pub(crate) fn serve(
    tcp: Option<SocketAddr>,
    session: Option<&str>,
    detached: bool,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    if detached {
        // Who leads a session of the system's already is as free of the terminal.
        let _ = rustix::process::setsid();
    }
    let config = configuration(global)?;
    if let Some(address) = tcp.filter(|a| !a.ip().is_loopback()) {
        return Err(CliError::Usage(ServerError::NotLoopback(address).to_string()));
    }
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        let begun = tokio::select! {
            begun = begin(&config, session, global, printer) => begun?,
            number = ends.next() => return Ok(Exit::Signal(number)),
        };
        let (engine, _simulator) = begun;
        let server = listen(&engine, &config, tcp, Again::Serves)?;
        let serving = Serving {
            session: engine.connector().session().to_string(),
            pid: std::process::id(),
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

/// A new session on the fleet that is wanted, or one of before under its own.
async fn begin(
    config: &Config,
    session: Option<&str>,
    global: &Global,
    printer: &mut Printer,
) -> Result<(Engine, Option<Simulator>), CliError> {
    if let Some(word) = session {
        let session = super::names::stored(config, word, printer)?;
        let taken = TakenUp::read(lock(config, &session)?)?;
        taken.torn_words().into_iter().chain(taken.unknown_words()).for_each(|words| printer.words(&words));
        let again = take_up(taken, config, room(config).as_ref()).await?;
        again.words.iter().for_each(|sentence| printer.words(sentence));
        return Ok((again.engine, again.simulator));
    }
    // It answers nobody by itself, and starts servers when it is told to: it may begin before they do.
    let chosen = choose_fleet(config, &global.fleet, global.seed, Unanswered::Waits).await;
    let chosen = chosen.map_err(without_project(config))?;
    caution(config, printer);
    chosen.words.iter().for_each(|sentence| printer.words(sentence));
    let engine = engine(config, chosen.fleet.clone(), global.seed, room(config).as_ref())?;
    Ok((engine, chosen.simulator))
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
