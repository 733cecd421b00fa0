//! `baton fleet up|down|restart|logs`, and the hidden `baton supervise` that stands around each server.
//!
//! Not here: what a server's life is (`engine/servers`). Invariant: a server of a session lives no longer than the command
//! that started it, so `up` stays as long as it has one.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use super::args::{Form, Global, LogArgs};
use super::error::{CliError, Exit, system};
use super::print::Printer;
use super::session::{Ends, caution, configuration, runtime};
use crate::config::Config;
use crate::domain::fleet::{Endpoint, Lifetime};
use crate::domain::memory::{Fit, MemoryPlan};
use crate::domain::protocol::{EndpointName, MemoryCheck};
use crate::domain::source::nearest;
use crate::engine::machine::{local_ports, this_machine};
use crate::engine::servers::{
    Force, LogReader, Options, OwnProgram, Room, Server, ServerState, Servers, ServersError, supervise,
};

/// How often states and logs are looked at while the command stays.
const BEAT: Duration = Duration::from_millis(200);

/// What became of one endpoint.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Server(Box<Server>),
    Error { endpoint: String, error: String },
}

impl Outcome {
    fn is_up(&self) -> bool {
        matches!(self, Self::Server(server) if server.state.is_up())
    }
}

/// Control over this machine's servers.
///
/// # Errors
/// [`CliError::System`], [`CliError::Servers`].
pub(crate) fn control(config: &Config) -> Result<Servers, CliError> {
    let program = OwnProgram::hold(&config.paths.run).map_err(system("hold this program's file"))?;
    Ok(Servers::new(Options::new(&config.paths.state, program))?)
}

/// The room for the servers of this process's sessions; none where it can't be had, and then the log says why.
pub(crate) fn room(config: &Config) -> Option<Room> {
    let held = OwnProgram::hold(&config.paths.run);
    let opened = held.and_then(|program| Room::open(Options::new(&config.paths.state, program)));
    opened.inspect_err(|error| tracing::warn!(%error, "sessions can't start or stop servers")).ok()
}

/// Starts servers and waits until they are ready; stays where one ends with this command.
///
/// # Errors
/// [`CliError`].
pub(crate) fn up(
    names: &[String],
    keep: bool,
    memory: MemoryCheck,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    caution(&config, printer);
    let endpoints = launched(&config, names)?;
    let servers = control(&config)?;
    if !fits(&servers, &endpoints, &config, memory, printer) {
        return Ok(Exit::NotStarted);
    }
    let lifetime = keep.then_some(Lifetime::Kept);
    runtime()?.block_on(bring_up(&servers, &endpoints, lifetime, global, printer))
}

/// Ends servers and starts them anew, with what the fleet file says now.
///
/// # Errors
/// [`CliError`].
pub(crate) fn restart(
    names: &[String],
    keep: bool,
    memory: MemoryCheck,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    caution(&config, printer);
    let endpoints = launched(&config, names)?;
    let servers = control(&config)?;
    // Before any of them is ended: what runs takes no more than it has.
    if !fits(&servers, &endpoints, &config, memory, printer) {
        return Ok(Exit::NotStarted);
    }
    let lifetime = keep.then_some(Lifetime::Kept);
    runtime()?.block_on(async {
        for endpoint in &endpoints {
            servers.down(endpoint, Force::Ours).await?;
        }
        bring_up(&servers, &endpoints, lifetime, global, printer).await
    })
}

/// Whether the models of those endpoints whose servers do not run fit into memory, or are started all the same; the sum
/// is told where it is not plain that they do.
fn fits(
    servers: &Servers,
    endpoints: &[&Endpoint],
    config: &Config,
    memory: MemoryCheck,
    printer: &mut Printer,
) -> bool {
    let ended = |e: &&&Endpoint| servers.look(e).is_none_or(|server| server.state.is_over());
    let wanted: Vec<&Endpoint> = endpoints.iter().filter(ended).copied().collect();
    // Of a fleet file alone nothing else tells how much a model takes.
    if wanted.iter().all(|endpoint| endpoint.memory_gb.is_none()) {
        return true;
    }
    let Some(mut probe) = this_machine() else { return true };
    let machine = probe.sample(Duration::ZERO, &local_ports(&config.fleet)).sample;
    let names: Vec<EndpointName> = wanted.iter().map(|endpoint| endpoint.name.clone()).collect();
    let verdict = MemoryPlan::of_fleet(&config.fleet, &machine, &config.machine).judge(&names, &[]);
    let heed = memory == MemoryCheck::Heed && config.machine.hold_for_memory;
    match verdict.fit {
        Fit::Fits | Fit::Unknown => {}
        Fit::Tight => printer.words(&format!("memory {}; {}", verdict.headline(), verdict.details())),
        Fit::No if heed => {
            printer.words(&format!("nothing is started: memory {}", verdict.headline()));
            printer.words("`baton fleet down` ends others, fewer names need less, `--force` starts them all the same");
        }
        Fit::No => printer.words(&format!("started all the same: memory {}", verdict.headline())),
    }
    verdict.fit != Fit::No || !heed
}

async fn bring_up(
    servers: &Servers,
    endpoints: &[&Endpoint],
    lifetime: Option<Lifetime>,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let mut ends = Ends::listen()?;
    let started = tokio::select! {
        number = ends.next() => Err(number),
        outcomes = start(servers, endpoints, lifetime, printer) => Ok(outcomes),
    };
    let outcomes = match started {
        Ok(outcomes) => outcomes,
        Err(number) => {
            end_session(servers, printer).await;
            return Ok(Exit::Signal(number));
        }
    };
    tell(&outcomes, global, printer);
    let exit = if outcomes.iter().all(Outcome::is_up) { Exit::Done } else { Exit::NotStarted };
    let stays: Vec<&Endpoint> = endpoints
        .iter()
        .filter(|endpoint| {
            servers.look(endpoint).is_some_and(|s| servers.of_session().contains(&s.port) && !s.state.is_over())
        })
        .copied()
        .collect();
    if stays.is_empty() {
        return Ok(exit);
    }
    let names: Vec<&str> = stays.iter().map(|endpoint| endpoint.name.as_str()).collect();
    printer.words(&format!("ctrl-c ends {}; `--keep` would let them live on", names.join(", ")));
    stay(servers, &stays, &mut ends, printer).await
}

/// Starts all, and waits until each is up or has failed.
async fn start(
    servers: &Servers,
    endpoints: &[&Endpoint],
    lifetime: Option<Lifetime>,
    printer: &mut Printer,
) -> Vec<Outcome> {
    let mut begun = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        begun.push(servers.up(endpoint, lifetime).await);
    }
    let printer = RefCell::new(printer);
    let all = endpoints.iter().zip(begun).map(|(endpoint, begun)| {
        let printer = &printer;
        async move {
            let server = match begun {
                Ok(server) => server,
                Err(error) => return failed(endpoint, &error),
            };
            if server.state.is_up() {
                return Outcome::Server(Box::new(server));
            }
            let told = |server: &Server| {
                if !server.state.is_up() && !server.state.is_over() {
                    printer.borrow_mut().words(&format!("{}: {server}", endpoint.name));
                }
            };
            let settled = servers.settled(endpoint, told).await;
            Outcome::Server(Box::new(settled.unwrap_or(server)))
        }
    });
    join_all(all).await
}

/// Stays until a signal, or until none of these servers is left; says what happens to them meanwhile.
async fn stay(
    servers: &Servers,
    stays: &[&Endpoint],
    ends: &mut Ends,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let now = |servers: &Servers| -> Vec<Option<Server>> { stays.iter().map(|e| servers.look(e)).collect() };
    let mut before = now(servers);
    loop {
        tokio::select! {
            number = ends.next() => {
                end_session(servers, printer).await;
                return Ok(Exit::Signal(number));
            }
            () = tokio::time::sleep(BEAT) => {}
        }
        let after = now(servers);
        for server in
            after.iter().zip(&before).filter(|(a, b)| is_news(a.as_ref(), b.as_ref())).filter_map(|(a, _)| a.as_ref())
        {
            words(server, printer);
        }
        if after.iter().flatten().all(|server| server.state.is_over()) {
            // Stopped by another command is as it was wished.
            let failed = after.iter().flatten().any(|server| matches!(server.state, ServerState::Failed { .. }));
            return Ok(if failed { Exit::NotStarted } else { Exit::Done });
        }
        before = after;
    }
}

/// Whether something happened; seconds that pass are nothing.
fn is_news(after: Option<&Server>, before: Option<&Server>) -> bool {
    match (after.map(|s| &s.state), before.map(|s| &s.state)) {
        (Some(ServerState::Restarting { .. }), Some(ServerState::Restarting { .. })) => false,
        (after, before) => after != before,
    }
}

/// Ends what would end with this process anyway, and waits for it.
async fn end_session(servers: &Servers, printer: &mut Printer) {
    for port in servers.of_session() {
        if let Err(error) = servers.down_at(port).await {
            printer.words(&error.to_string());
        }
    }
}

/// Ends servers: those named, else all that Baton started.
///
/// # Errors
/// [`CliError`].
pub(crate) fn down(names: &[String], force: bool, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let force = if force { Force::Anybody } else { Force::Ours };
    runtime()?.block_on(async {
        let servers = control(&config)?;
        let known = servers.all();
        let mut wanted: Vec<String> = names.to_vec();
        if wanted.is_empty() {
            wanted.extend(known.iter().filter(|s| !s.state.is_over()).map(|s| s.endpoint.to_string()));
        }
        let mut outcomes = Vec::new();
        for name in &wanted {
            let endpoint = config.fleet.endpoints.iter().find(|endpoint| endpoint.name.as_str() == name);
            // It may have left the fleet file since it was started.
            let former = known.iter().find(|server| server.endpoint.as_str() == name);
            let ended = match (endpoint, former) {
                (Some(endpoint), _) => {
                    servers.down(endpoint, force).await.map(|server| (endpoint.name.clone(), server))
                }
                (None, Some(former)) => servers.down_at(former.port).await.map(|()| {
                    let server = Server { state: ServerState::Stopped, pid: None, ..former.clone() };
                    (former.endpoint.clone(), server)
                }),
                (None, None) => return Err(unknown(&config, name)),
            };
            outcomes.push(match ended {
                Ok((_, server)) => Outcome::Server(Box::new(server)),
                Err(error) => Outcome::Error { endpoint: name.clone(), error: error.to_string() },
            });
        }
        if outcomes.is_empty() && global.form() == Form::Words {
            printer.words("no server that Baton started runs");
        } else {
            tell(&outcomes, global, printer);
        }
        let all = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Server(_)));
        Ok(if all { Exit::Done } else { Exit::NotStarted })
    })
}

/// Prints the last lines of servers' logs, and what comes with `-f`.
///
/// # Errors
/// [`CliError`].
pub(crate) fn logs(args: &LogArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let servers = control(&config)?;
    let named = |name: &str| config.fleet.endpoints.iter().find(|endpoint| endpoint.name.as_str() == name);
    let endpoints: Vec<&Endpoint> = if args.names.is_empty() {
        config.fleet.endpoints.iter().filter(|endpoint| servers.look(endpoint).is_some()).collect()
    } else {
        args.names.iter().map(|name| named(name).ok_or_else(|| unknown(&config, name))).collect::<Result<_, _>>()?
    };
    if endpoints.is_empty() {
        printer.words("there is no log: Baton has started no server of this fleet yet; `baton fleet up` does");
        return Ok(Exit::NotStarted);
    }
    let mut readers: Vec<(&str, LogReader)> = Vec::new();
    for endpoint in &endpoints {
        readers.push((endpoint.name.as_str(), servers.log(endpoint, args.grep.as_deref())?));
    }
    let several = endpoints.len() > 1;
    let print = |name: &str, lines: Vec<String>, printer: &mut Printer| {
        for line in lines {
            match (global.form(), several) {
                (Form::Words, false) => printer.data_line(&line),
                (Form::Words, true) => printer.data_line(&format!("{name}: {line}")),
                _ => printer.data_line(&serde_json::json!({"endpoint": name, "line": line}).to_string()),
            }
        }
    };
    for (name, reader) in &mut readers {
        print(name, reader.last(args.lines), printer);
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        loop {
            tokio::select! {
                number = ends.next() => return Ok(Exit::Signal(number)),
                () = tokio::time::sleep(BEAT) => {}
            }
            for (name, reader) in &mut readers {
                print(name, reader.more(), printer);
            }
            if printer.is_unread() {
                return Ok(Exit::Done);
            }
        }
    })
}

/// Supervises one server; started by Baton itself, with its order on stdin.
///
/// # Errors
/// [`CliError::Servers`].
pub(crate) fn stand_around() -> Result<Exit, CliError> {
    runtime()?.block_on(supervise(std::io::stdin(), std::io::stdout()))?;
    Ok(Exit::Done)
}

/// The endpoints to start: those named, else all with a launch.
fn launched<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a Endpoint>, CliError> {
    let all = &config.fleet.endpoints;
    if !names.is_empty() {
        let named = |name: &String| all.iter().find(|endpoint| endpoint.name.as_str() == name);
        return names.iter().map(|name| named(name).ok_or_else(|| unknown(config, name))).collect();
    }
    let found: Vec<&Endpoint> = all.iter().filter(|endpoint| endpoint.launch.is_some()).collect();
    if found.is_empty() {
        let file = config.paths.config.join("fleet.toml");
        return Err(CliError::Usage(format!(
            "no endpoint of the fleet has a `launch`; add one in {}, as in `launch = {{ command = \"llama-server\", args = [\"-m\", \"~/models/x.gguf\", \"--port\", \"8083\"] }}`",
            file.display()
        )));
    }
    Ok(found)
}

fn unknown(config: &Config, name: &str) -> CliError {
    let all = || config.fleet.endpoints.iter().map(|endpoint| endpoint.name.as_str());
    CliError::Usage(match nearest(name, all()) {
        Some(near) => format!("there is no endpoint {name}; did you mean {near}?"),
        None => format!("there is no endpoint {name}; there are {}", all().collect::<Vec<_>>().join(", ")),
    })
}

fn failed(endpoint: &Endpoint, error: &ServersError) -> Outcome {
    Outcome::Error { endpoint: endpoint.name.to_string(), error: error.to_string() }
}

fn tell(outcomes: &[Outcome], global: &Global, printer: &mut Printer) {
    if global.form() != Form::Words {
        return printer.json(&outcomes);
    }
    for outcome in outcomes {
        match outcome {
            Outcome::Server(server) if matches!(server.state, ServerState::Failed { .. }) => words(server, printer),
            Outcome::Server(server) => printer.data_line(&format!("{}: {server}", server.endpoint)),
            Outcome::Error { endpoint, error } => printer.words(&format!("{endpoint}: {error}")),
        }
    }
}

/// How a server stands, with the last it said where it failed.
fn words(server: &Server, printer: &mut Printer) {
    printer.words(&format!("{}: {server}", server.endpoint));
    if let ServerState::Failed { why } = &server.state {
        for line in why.log() {
            printer.words(&format!("  | {line}"));
        }
    }
}
