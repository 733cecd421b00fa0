//! `baton export`: a session as one text.
//!
//! Not here: what stands in the transcript (`interface/report`). Invariant: however many files a journal has, `--json`
//! is one story: its header, then every record that this version knows, in order.

use super::args::{ExportArgs, Form, Global};
use super::bundle::journal_of;
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::configuration;
use crate::engine::journal::Reader;
use crate::interface::report::{Story, Wanted, transcript};

/// Bytes written at once.
const BLOCK: usize = 64 * 1024;

/// Writes a session to stdout.
///
/// # Errors
/// [`CliError::Usage`] when no form or no such session was named; [`CliError::Journal`], after all that can be read.
pub(crate) fn export(args: &ExportArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let named = journal_of(&config, args.session.as_deref(), printer)?;
    let journal = &named.journal;
    if args.cast {
        return super::scripted::film(journal, args, printer);
    }
    named.introduce(printer);
    if args.bundle {
        return super::bundle::export(journal, args, &config, global, printer);
    }
    match (args.markdown, global.form()) {
        (true, _) => {
            let story = Story::read(journal, Wanted::All)?;
            printer.data(&transcript(&story));
        }
        (false, Form::Json | Form::JsonLines) => records(Reader::open(journal)?, printer)?,
        (false, Form::Words) => {
            let words = "export wants a form: --json for every record, a line each, --markdown to read, --cast to watch, or --bundle \
                 to give it away";
            return Err(CliError::Usage(words.to_owned()));
        }
    }
    Ok(Exit::Done)
}

fn records(mut reader: Reader, printer: &mut Printer) -> Result<(), CliError> {
    let mut block = String::new();
    push(&mut block, reader.header());
    let ended = loop {
        match reader.read() {
            Ok(Some((_, record))) => push(&mut block, &record),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if block.len() >= BLOCK {
            printer.data(&block);
            block.clear();
            if printer.is_gone() {
                return Ok(());
            }
        }
    };
    printer.data(&block);
    if reader.unknown() > 0 {
        printer.words(&format!("{} records of a later version of Baton were left out", reader.unknown()));
    }
    Ok(ended?)
}

fn push(block: &mut String, line: &impl serde::Serialize) {
    // What was read from JSON can be written as it.
    block.push_str(&serde_json::to_string(line).unwrap_or_default());
    block.push('\n');
}
