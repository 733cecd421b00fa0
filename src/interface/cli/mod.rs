//! The command line: one thin file for each command.
//!
//! Not here: anything a console could not do as well. Invariants: stdout is data, stderr is words, and both go through
//! [`print::Printer`]; every way out has its exit code in [`error::Exit`].

mod about;
mod again;
mod answer;
mod answering;
mod args;
mod attach;
mod bundle;
mod canary;
mod check;
mod choose;
mod config;
mod console;
mod ctl;
mod doctor;
mod error;
mod export;
mod fleet;
mod fork;
mod headless;
mod inbox;
mod init;
mod leave;
mod leaving;
mod logging;
mod names;
mod narrow;
mod offer;
mod plan;
mod print;
mod progress;
mod replay;
mod report;
mod restart;
mod resume;
mod roles;
mod run;
mod scripted;
mod serve;
mod servers;
mod session;
mod sessions;
mod simulate;
pub(crate) mod summary;
mod survives;
mod tiers;
mod trust;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::config::{Paths, Surroundings};
use crate::engine::journal::Begins;
use crate::interface::given::Taken;
use crate::interface::tui::launcher::{Launch, launch};
use args::{Cli, FleetSub, Sub};
use error::{CliError, Exit};
use print::Printer;

/// Does what the process was started for.
pub fn main() -> ExitCode {
    let mut printer = Printer::new();
    let exit = match Cli::try_parse() {
        Ok(cli) => act(&cli, &mut printer).unwrap_or_else(|error| {
            printer.words(&format!("baton: {error}"));
            tracing::error!(%error, "ended");
            error.exit()
        }),
        Err(error) => told(&error, &mut printer),
    };
    printer.clear_bar();
    if let Some(error) = printer.failure() {
        printer.words(&format!("baton: stdout could not be written: {error}; free some space, or write elsewhere"));
        return Exit::NotStarted.code();
    }
    exit.code()
}

/// Prints what the parser has to say: help, version, or a mistake. Cleaned: it repeats what was typed.
fn told(error: &clap::Error, printer: &mut Printer) -> Exit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printer.data_line(text.trim_end());
            Exit::Done
        }
        _ => {
            printer.words(text.trim_end());
            Exit::Usage
        }
    }
}

fn stuck(wait: bool) -> run::Stuck {
    if wait { run::Stuck::Waits } else { run::Stuck::Ends }
}

fn act(cli: &Cli, printer: &mut Printer) -> Result<Exit, CliError> {
    let global = &cli.global;
    let in_console = match &cli.command {
        None => {
            console::check_terminal(global)?;
            true
        }
        Some(Sub::Run { leaving, .. } | Sub::Resume { leaving, .. }) if leaving.detach || leaving.detached => false,
        Some(Sub::Run { leaving, .. } | Sub::Resume { leaving, .. }) if console::is_wanted(global) => {
            leaving.check_console()?;
            true
        }
        Some(Sub::Fork { run: true, .. }) => console::is_wanted(global),
        // A script has no terminal.
        Some(Sub::Replay(args)) if args.script.is_some() => false,
        Some(Sub::Replay(_)) => {
            console::check_terminal(global)?;
            true
        }
        Some(_) => false,
    };
    // Before any thread: the child is the one that works.
    if in_console && let Launch::Over(code) = launch() {
        return Ok(Exit::Code(code));
    }
    let _log = logging::start(&Paths::find(&Surroundings::of_process()).log);
    match &cli.command {
        None => {
            let opening = console::Opening::New(global.fleet.clone(), None);
            console::open(session::configuration(global)?, opening, global, printer)
        }
        Some(Sub::Run { leaving, .. } | Sub::Resume { leaving, .. }) if leaving.detach => {
            leaving::leave(global, printer)
        }
        Some(Sub::Run { what, goal, wait, force_memory, name, leaving }) => {
            leaving.part();
            let wanted =
                run::Given { stuck: stuck(*wait), memory: ctl::memory(*force_memory), name: name.as_deref(), leaving };
            run::run(what, Taken::by(*goal), wanted, global, printer)
        }
        Some(Sub::Attach { session }) => attach::attach(session.as_deref(), global, printer),
        Some(Sub::Ctl(args)) => ctl::ctl(args, global, printer),
        Some(Sub::Inbox { session }) => inbox::inbox(session.as_deref(), global, printer),
        Some(Sub::Answer(args)) => answer::answer(args, global, printer),
        Some(Sub::Serve { tcp, session, detached }) => {
            serve::serve(*tcp, session.as_deref(), *detached, global, printer)
        }
        Some(Sub::Resume { session, go, failed, wait, leaving }) => {
            leaving.part();
            let again = headless::Again {
                go: if *go { headless::Go::Resumed } else { headless::Go::AsItWas },
                tries: if *failed { headless::Tries::Failed } else { headless::Tries::Nothing },
            };
            resume::resume(session.as_deref(), again, (stuck(*wait), leaving), global, printer)
        }
        Some(Sub::Fork { session, at, run }) => {
            let begins = if *run { Begins::Going } else { Begins::Held };
            fork::fork(session, *at, begins, global, printer)
        }
        Some(Sub::Replay(args)) => replay::replay(args, global, printer),
        Some(Sub::Plan { what, goal }) => plan::plan(what, Taken::by(*goal), global, printer),
        Some(Sub::Check { plans }) => check::check(plans, global, printer),
        Some(Sub::Sim(args)) => simulate::simulate(args, global, printer),
        Some(Sub::Fleet { command }) => match command {
            FleetSub::Status => fleet::status(global, printer),
            FleetSub::Up { names, keep, force } => servers::up(names, *keep, ctl::memory(*force), global, printer),
            FleetSub::Down { names, force } => servers::down(names, *force, global, printer),
            FleetSub::Restart { names, keep, force } => {
                servers::restart(names, *keep, ctl::memory(*force), global, printer)
            }
            FleetSub::Canary { names, at } => canary::canary(names, *at, global, printer),
            FleetSub::Logs(args) => servers::logs(args, global, printer),
            FleetSub::Init(args) => init::init(args, global, printer),
        },
        Some(Sub::Supervise) => servers::stand_around(),
        Some(Sub::Sessions(args)) => sessions::sessions(args, global, printer),
        Some(Sub::Report(args)) => report::report(args, global, printer),
        Some(Sub::Export(args)) => export::export(args, global, printer),
        Some(Sub::Config { command }) => config::config(*command, global, printer),
        Some(Sub::Trust(args)) => trust::trust(args, global, printer),
        Some(Sub::Doctor) => doctor::doctor(global, printer),
        Some(Sub::Survives) => Ok(survives::survives(global, printer)),
        Some(Sub::Completions { shell }) => Ok(about::completions(*shell, printer)),
        Some(Sub::Man) => about::man(printer),
    }
}
