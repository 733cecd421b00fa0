//! `baton report`: what a session came to.
//!
//! Not here: what stands in it (`interface/report`).

use super::args::{Form, Global, ReportArgs};
use super::error::{CliError, Exit};
use super::narrow::NARROW;
use super::print::Printer;
use super::session::configuration;
use super::sessions::chosen;
use crate::engine::journal::Sessions;
use crate::interface::report::{Report, Story, Wanted, fold, markdown};

/// Prints a report, or writes it to a file.
///
/// # Errors
/// [`CliError::Usage`] for a session that is not there; [`CliError::Journal`]; [`CliError::Write`].
pub(crate) fn report(args: &ReportArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let id = chosen(&config, args.session.as_deref(), printer)?;
    let sessions = Sessions::new(&config.paths.sessions);
    let story = Story::read(&sessions.journal(&id)?, Wanted::Results)?;
    let report = Report::of(&story);
    let text = match global.form() {
        Form::Words => {
            // A file is Markdown however narrow the terminal is.
            let columns = printer.columns().filter(|columns| *columns < NARROW && args.out.is_none());
            let page = markdown(&report);
            columns.map_or_else(|| page.clone(), |columns| fold(&page, columns))
        }
        // On one line in either case: a program reads it as well.
        Form::JsonLines => json(serde_json::to_string(&report)),
        Form::Json => json(serde_json::to_string_pretty(&report)),
    };
    match &args.out {
        None => printer.data(&text),
        Some(path) => {
            std::fs::write(path, &text).map_err(|source| CliError::Write { path: path.clone(), source })?;
            printer.words(&format!("the report of {id} is in {}", path.display()));
        }
    }
    Ok(Exit::Done)
}

fn json(text: Result<String, serde_json::Error>) -> String {
    // Nothing in a report can fail to be written.
    text.map(|t| t + "\n").unwrap_or_default()
}
