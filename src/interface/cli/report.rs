//! `baton report`: what a session came to.
//!
//! Not here: what stands in it (`interface/report`).

use std::path::Path;

use super::args::{Form, Global, ReportArgs};
use super::bundle::journal_of;
use super::error::{CliError, Exit};
use super::narrow::{NARROW, hang_in};
use super::print::Printer;
use super::session::configuration;
use crate::domain::protocol::SessionId;
use crate::engine::journal::{Reader, Sessions};
use crate::interface::report::{
    Going, Report, SinceWhen, Story, Wanted, failure, fold, markdown, now_ms, since, since_words,
};
use crate::interface::zone::Zone;

/// Prints a report, or writes it to a file.
///
/// # Errors
/// [`CliError::Usage`] for a session that is not there; [`CliError::Journal`]; [`CliError::Write`].
pub(crate) fn report(args: &ReportArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let named = journal_of(&config, args.session.as_deref(), printer)?;
    named.introduce(printer);
    let journal = named.journal.clone();
    let sessions = Sessions::new(&config.paths.sessions);
    if let Some(word) = &args.since {
        return tell_since(&sessions, &journal, word, global, printer);
    }
    let wanted = if args.failure.is_some() { Wanted::All } else { Wanted::Results };
    let story = Story::read(&journal, wanted)?;
    let id = &story.session;
    let left_out = story.state.totals.unknown_records;
    if left_out > 0 {
        printer.words(&format!("this Baton is older than the session: {left_out} records of it were left out"));
    }
    if let Some(word) = &args.failure {
        let page = failure(&story, word).ok_or_else(|| {
            CliError::Usage(format!("{id} has no task {word:?}; `baton report {id}` names those it has"))
        })?;
        return give(&page, args, id, printer);
    }
    let runs = runs(&sessions, id, &journal) && story.state.ended.is_none();
    let report = Report::of(&story);
    let report = if runs { report.running(&story.state) } else { report };
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
    give(&text, args, id, printer)
}

/// Prints a text, or writes it to the file that was named.
fn give(text: &str, args: &ReportArgs, id: &SessionId, printer: &mut Printer) -> Result<Exit, CliError> {
    match &args.out {
        None => printer.data(text),
        Some(path) => {
            std::fs::write(path, text).map_err(|source| CliError::Write { path: path.clone(), source })?;
            printer.words(&format!("the report of {id} is in {}", path.display()));
        }
    }
    Ok(Exit::Done)
}

/// Whether a process works on the very session that this is the journal of.
fn runs(sessions: &Sessions, id: &SessionId, journal: &Path) -> bool {
    let own = sessions.journal(id).is_ok_and(|own| own == journal);
    own && sessions.runner(id).is_some()
}

/// Prints what happened since.
fn tell_since(
    sessions: &Sessions,
    journal: &Path,
    word: &str,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let (zone, now) = (Zone::here(), now_ms());
    let when = match word {
        "attach" => SinceWhen::LastWatched,
        "yesterday" => SinceWhen::Wall(zone.yesterday(now)),
        time => SinceWhen::Wall(zone.last(time, now).map_err(CliError::Usage)?),
    };
    let id = Reader::open(journal)?.header().session.clone();
    let going = if runs(sessions, &id, journal) { Going::Until(now) } else { Going::No };
    let (state, told) = since(journal, when, going)?;
    match global.form() {
        Form::Words => {
            for line in since_words(&state, &told, &|ms| zone.time(ms)) {
                hang_in("", &line, printer.columns()).iter().for_each(|row| printer.data_line(row));
            }
        }
        Form::Json => printer.json(&told),
        Form::JsonLines => printer.data_line(&serde_json::to_string(&told).unwrap_or_default()),
    }
    Ok(Exit::Done)
}

fn json(text: Result<String, serde_json::Error>) -> String {
    // Nothing in a report can fail to be written.
    text.map(|t| t + "\n").unwrap_or_default()
}
