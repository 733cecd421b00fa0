//! `baton fork`: a new session with another one's past up to a record.

use std::path::Path;

use serde::Serialize;

use super::args::Global;
use super::error::{CliError, Exit};
use super::headless::Again;
use super::leaving::Leaving;
use super::print::Printer;
use super::session::{configuration, mistaken, stamp};
use crate::domain::protocol::{Micros, Name, SessionId};
use crate::engine::journal::{self, Begins, JournalError, Past, Reader, Sessions};

/// Where a session is forked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    /// Just after this record.
    Seq(u64),
    /// At this share of its time, in percent.
    Percent(f64),
    /// At this session time.
    Time(Micros),
}

impl std::str::FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "{text:?} is no place in a session; give a record (120), a share of its time (50%) or a time (02:10)"
            )
        };
        if let Some(share) = text.strip_suffix('%') {
            let share: f64 = share.parse().map_err(|_| wrong())?;
            return if (0.0..=100.0).contains(&share) { Ok(Self::Percent(share)) } else { Err(wrong()) };
        }
        if !text.contains(':') {
            return text.parse().map(Self::Seq).map_err(|_| wrong());
        }
        let mut seconds = 0.0;
        for (i, part) in text.split(':').enumerate() {
            let part: f64 = part.parse().map_err(|_| wrong())?;
            let fits = part >= 0.0 && (i == 0 || part < 60.0);
            if i > 2 || !fits {
                return Err(wrong());
            }
            seconds = seconds * 60.0 + part;
        }
        Ok(Self::Time(Micros((seconds * 1e6) as u64)))
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Made<'a> {
    session: &'a SessionId,
    parent: &'a SessionId,
    seq: u64,
    at_us: u64,
}

/// Forks a session; with `--run` the fork goes on at once, else it is held.
///
/// # Errors
/// [`CliError`].
pub(crate) fn fork(
    parent: &str,
    at: At,
    begins: Begins,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let source = super::bundle::journal_of(&config, Some(parent), printer)?;
    source.introduce(printer);
    let sessions = Sessions::new(&config.paths.sessions);
    let parent = &match &source.session {
        Some(session) => session.clone(),
        None => Reader::open(&source.journal)?.header().session.clone(),
    };
    let seq = place(&source.journal, at).map_err(mistaken(&sessions, parent))?;
    let named = |name: &str| match &source.session {
        Some(session) => journal::fork(&sessions, session, seq, &Name::slug(name), begins),
        None => journal::fork_file(&sessions, &source.journal, seq, &Name::slug(name), begins),
    };
    let name = stamp();
    let made = match named(&name) {
        // Two sessions of one second.
        Err(JournalError::Exists { .. }) => named(&format!("{name}-{}", std::process::id())),
        made => made,
    };
    let made = made.map_err(mistaken(&sessions, parent))?;
    let (id, state) = (&made.session, &made.state);
    let progress = state.progress(None);
    printer.words(&format!(
        "{id} is {parent} as it was after record {seq}, {:.1} s in: {} of {} tasks had ended. \
         Nothing but model requests had an effect outside, and those leave none",
        state.at.secs_f64(),
        progress.ended(),
        progress.total
    ));
    match begins {
        Begins::Held => {
            tell(printer, global, parent, seq, &made);
            printer.words(&format!("it is held: `baton resume {id}` shows it and P lets it go on; without a console: `baton resume {id} --go --headless`"));
            Ok(Exit::Done)
        }
        Begins::Going => super::resume::go_on(
            config,
            id.clone(),
            Again::AS_IT_WAS,
            (super::run::Stuck::Ends, &Leaving::default()),
            global,
            printer,
        ),
    }
}

fn tell(printer: &mut Printer, global: &Global, parent: &SessionId, seq: u64, made: &journal::Fork) {
    if global.json {
        printer.json(&Made { session: &made.session, parent, seq, at_us: made.state.at.0 });
    } else {
        printer.data_line(made.session.as_str());
    }
}

/// The record a place in a session stands for.
fn place(journal: &Path, at: At) -> Result<u64, JournalError> {
    if let At::Seq(seq) = at {
        return Ok(seq);
    }
    let mut past = Past::open(journal)?;
    match at {
        At::Percent(share) if share >= 100.0 => Ok(past.end()?.0),
        At::Percent(share) => {
            let end = past.end()?.1;
            past.seq_at(Micros((end.0 as f64 * share / 100.0) as u64))
        }
        At::Time(time) => past.seq_at(time),
        At::Seq(seq) => Ok(seq),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_record_a_share_or_a_time() {
        assert_eq!("120".parse(), Ok(At::Seq(120)));
        assert_eq!("50%".parse(), Ok(At::Percent(50.0)));
        assert_eq!("02:10".parse(), Ok(At::Time(Micros::from_secs(130))));
        assert_eq!("1:00:00.5".parse(), Ok(At::Time(Micros::from_millis(3_600_500))));
        for wrong in ["", "half", "101%", "-3", "1:60", "1:2:3:4", ":", "1e3%%"] {
            assert!(wrong.parse::<At>().is_err(), "{wrong}");
        }
    }
}
