//! `baton config`: what is set and by whom, where files are, and their schemas.

use super::args::{ConfigSub, Form, Global, SchemaFile};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{caution, configuration};
use crate::config::{Paths, Surroundings, schemas, show_paths};

/// Prints what is asked for.
///
/// # Errors
/// The configuration is wrong (`show` only).
pub(crate) fn config(command: ConfigSub, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let words = global.form() == Form::Words;
    match command {
        ConfigSub::Show => {
            let config = configuration(global)?;
            caution(&config, printer);
            if words {
                printer.data_line(config.show_text().trim_end());
                for warning in &config.warnings {
                    printer.words(&warning.to_string());
                }
            } else {
                printer.json(&config.show_json());
            }
        }
        // Works where the configuration is broken too: one must find the file to mend it.
        ConfigSub::Path => {
            let lines = show_paths(&Paths::find(&Surroundings::of_process()));
            if words {
                lines.iter().for_each(|line| printer.data_line(&line.to_string()));
            } else {
                printer.json(&lines);
            }
        }
        ConfigSub::Schema { file } => {
            let all = schemas();
            match file {
                None => printer.json(&all),
                Some(SchemaFile::Fleet) => printer.json(&all.fleet),
                Some(SchemaFile::Agents) => printer.json(&all.agents),
                Some(SchemaFile::Baton) => printer.json(&all.baton),
                Some(SchemaFile::Plan) => printer.json(&all.plan),
            }
        }
    }
    Ok(Exit::Done)
}
