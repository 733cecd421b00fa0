//! The command line: one thin file for each command.
//!
//! Not here: anything a console could not do as well. Invariants: stdout is data, stderr is words, and both go through
//! [`print::Printer`]; every way out has its exit code in [`error::Exit`].

mod about;
mod args;
mod check;
mod choose;
mod config;
mod console;
mod doctor;
mod error;
mod fleet;
mod headless;
mod logging;
mod plan;
mod print;
mod progress;
mod run;
mod servers;
mod session;
mod simulate;
mod stuck;
mod summary;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::config::{Paths, Surroundings};
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

fn act(cli: &Cli, printer: &mut Printer) -> Result<Exit, CliError> {
    let global = &cli.global;
    let in_console = match &cli.command {
        None => {
            console::check_terminal(global)?;
            true
        }
        Some(Sub::Run { .. }) => console::is_wanted(global),
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
        Some(Sub::Run { what }) => run::run(what, global, printer),
        Some(Sub::Plan { goal }) => plan::plan(goal, global, printer),
        Some(Sub::Check { plans }) => check::check(plans, global, printer),
        Some(Sub::Sim(args)) => simulate::simulate(args, global, printer),
        Some(Sub::Fleet { command }) => match command {
            FleetSub::Status => fleet::status(global, printer),
            FleetSub::Up { names, keep } => servers::up(names, *keep, global, printer),
            FleetSub::Down { names, force } => servers::down(names, *force, global, printer),
            FleetSub::Restart { names, keep } => servers::restart(names, *keep, global, printer),
            FleetSub::Logs(args) => servers::logs(args, global, printer),
        },
        Some(Sub::Supervise) => servers::stand_around(),
        Some(Sub::Config { command }) => config::config(*command, global, printer),
        Some(Sub::Doctor) => doctor::doctor(global, printer),
        Some(Sub::Completions { shell }) => Ok(about::completions(*shell, printer)),
        Some(Sub::Man) => about::man(printer),
    }
}
