//! `baton completions` and `baton man`: the command line about itself.

use clap::CommandFactory;

use super::args::Cli;
use super::error::{CliError, Exit, system};
use super::print::Printer;

/// The version, with the commit it was built from where that is known: `0.1.0 (a1b2c3d4e5)`.
pub(super) const VERSION: &str = env!("BATON_VERSION");

/// Prints completions.
pub(crate) fn completions(shell: clap_complete::Shell, printer: &mut Printer) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "baton", &mut script);
    printer.data(&String::from_utf8_lossy(&script));
    Exit::Done
}

/// Prints the manual page, each command with its flags.
///
/// # Errors
/// [`CliError::System`].
pub(crate) fn man(printer: &mut Printer) -> Result<Exit, CliError> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(system("write the manual page"))?;
    printer.data(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}
