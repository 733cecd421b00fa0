//! `baton replay --script` and `baton export --cast`: a session's past without a terminal.
//!
//! Not here: the script's language and the frames (`interface/script`).

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::args::{ExportArgs, ReplayArgs};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::runtime;
use crate::domain::protocol::Micros;
use crate::domain::source::text_of;
use crate::domain::text::CleanText;
use crate::engine::journal::Past;
use crate::interface::script::cast::Heading;
use crate::interface::script::film::{Film, FilmError, shoot};
use crate::interface::script::language::{MAX_SCRIPT_BYTES, parse};
use crate::interface::script::run::{Deck, Run, ScriptError, Snapshots};
use crate::interface::script::table::{SIZE, Table};

/// Does what a script says on a journal. Exit code 1: something is not as the script expects; the frame is on stderr.
///
/// # Errors
/// [`CliError::Source`] for mistakes in the script, [`CliError::Journal`].
pub(crate) fn script(journal: &Path, file: &Path, args: &ReplayArgs, printer: &mut Printer) -> Result<Exit, CliError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let lines = parse(&name, &text).map_err(CliError::Source)?;
    let beside = || file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let folder = args.snapshots.clone().unwrap_or_else(beside);
    let snapshots = if args.update { Snapshots::Update } else { Snapshots::Compare };
    let mut run =
        Run { deck: Table::open(journal)?, past: Past::open(journal)?, file: &name, folder: &folder, snapshots };
    let ran = runtime()?.block_on(run.run(&lines, |frame| printer.data(frame)));
    match ran {
        Ok(ran) => {
            let mut words = vec![format!("{} steps", ran.steps), format!("{} expectations held", ran.held)];
            if ran.same > 0 {
                words.push(format!("{} snapshots as they were", ran.same));
            }
            if ran.written > 0 {
                words.push(format!("{} snapshots written", ran.written));
            }
            printer.words(&words.join(" · "));
            Ok(Exit::Done)
        }
        Err(error @ ScriptError::Failed { .. }) => {
            printer.words(&format!("baton: {error}"));
            if let ScriptError::Failed { frame, .. } = &error {
                printer.words(&format!("the frame was:\n{}", frame.trim_end()));
            }
            Ok(Exit::TaskFailed)
        }
        Err(ScriptError::Journal(error)) => Err(error.into()),
        Err(error @ ScriptError::Snapshot { .. }) => Err(CliError::Usage(error.to_string())),
    }
}

fn read(file: &Path) -> Result<String, CliError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    // Bounded while reading; one byte more, so that a longer one is refused in words.
    std::fs::File::open(file)
        .and_then(|f| f.take(MAX_SCRIPT_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|source| CliError::Read { path: file.to_owned(), source })?;
    text_of(bytes, &file.display().to_string()).map_err(|error| CliError::Source(vec![error]))
}

/// Writes a session as a film to stdout.
///
/// # Errors
/// [`CliError::Usage`] for a theme or a speed that is none, [`CliError::Journal`].
pub(crate) fn film(journal: &Path, args: &ExportArgs, printer: &mut Printer) -> Result<Exit, CliError> {
    if !(0.1..=1000.0).contains(&args.speed) {
        return Err(CliError::Usage(format!("--speed {}: a film is 0.1 to 1000 times as fast", args.speed)));
    }
    if !(0.1..=3600.0).contains(&args.idle) {
        return Err(CliError::Usage(format!("--idle {}: a pause is 0.1 to 3600 seconds long", args.idle)));
    }
    let mut table = Table::open(journal)?;
    if let Some(theme) = &args.theme
        && !table.theme(theme)
    {
        return Err(CliError::Usage(format!("there is no theme {theme}; T in the console shows those there are")));
    }
    let mut past = Past::open(journal)?;
    let end = past.end()?.0;
    let state = past.state_at(end)?;
    let began = state.lives.first().map(|(_, opened)| opened.wall_ms / 1000);
    let title = state.goals().first().map(|g| CleanText::one_line(&g.text)).unwrap_or_default();
    let size = args.size.unwrap_or(SIZE);
    let heading = Heading { size, began, title: title.to_string(), idle_limit: None };
    let film = Film { idle: Micros((args.idle * 1e6) as u64), speed: args.speed, ..Film::default() };
    let made = runtime()?.block_on(async {
        table.resize(size.0, size.1).await;
        shoot(&mut table, &past, film, &heading, BufWriter::with_capacity(64 * 1024, Out(&mut *printer))).await
    });
    match made {
        Ok(out) => drop(out),
        Err(FilmError::Journal(error)) => return Err(error.into()),
        Err(error @ FilmError::Write(_)) => return Err(CliError::Usage(error.to_string())),
    }
    Ok(Exit::Done)
}

/// stdout by way of the printer.
struct Out<'a>(&'a mut Printer);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Whole characters only: a cast is text, and its lines come in pieces.
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => text.len(),
            Err(error) if error.valid_up_to() > 0 => error.valid_up_to(),
            Err(error) => return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error)),
        };
        self.0.data(std::str::from_utf8(&bytes[..valid]).unwrap_or_default());
        Ok(valid)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
