//! Finds a place in a journal by halving, without an index.
//!
//! Not here: reading on from there. Invariant: what is looked for is never before the place that is found.

use std::path::Path;

use super::reader::{NEAR, Reader};
use super::{JournalError, parts};
use crate::domain::protocol::{AttemptId, Micros, Record};

/// What a line tells of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tells {
    /// Here this attempt begins.
    Begins(AttemptId),
    /// It had begun before.
    HasBegun(AttemptId),
}

impl Reader {
    /// Opens a journal near the last record of a session time: at that record or a little before it.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub(super) fn open_near(path: &Path, at: Micros) -> Result<Self, JournalError> {
        // The names of parts don't tell times; their first records do.
        let open = parts::open(path)?;
        let mut begins = vec![(open.head.first_seq, path.to_path_buf())];
        if open.head.start > 0 {
            let closed = parts::closed_before(parts::folder_of(path), open.head.start)?;
            begins.extend(closed.into_iter().map(|part| (part.first_seq, part.path)));
        }
        begins.sort();
        let not_after = begins.partition_point(|(_, part)| parts::first_time(part).is_some_and(|found| found <= at));
        let from = begins.get(not_after.saturating_sub(1)).map_or(1, |(first, _)| *first);
        let mut reader = Self::open_part(path, |part| part.first_seq > from)?;
        reader.halve(|line| super::reader::time_of(line).map(|found| found <= at))?;
        Ok(reader)
    }

    /// Opens a journal at or before the record with which an attempt begins, not far from it. Attempts are counted in the
    /// order in which they begin, which is what makes halving possible.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub(super) fn open_attempt(path: &Path, attempt: AttemptId) -> Result<Self, JournalError> {
        let mut low = 0;
        let mut high = parts::end_of(path)?;
        while high - low > NEAR {
            let middle = low + (high - low) / 2;
            let mut reader = Self::open_at(path, middle)?;
            if reader.offset() == middle {
                // Most likely the rest of a line.
                reader.look()?;
            }
            let found = loop {
                let Some((start, line)) = reader.look()? else { break None };
                if start >= high {
                    break None;
                }
                if let Some(tells) = tells(line) {
                    match tells {
                        Tells::Begins(found) if found <= attempt => break Some(start),
                        Tells::HasBegun(found) if found < attempt => {}
                        _ => break None,
                    }
                }
            };
            match found {
                Some(start) => low = start,
                None => high = middle,
            }
        }
        if low == 0 { Self::open(path) } else { Self::open_at(path, low) }
    }
}

/// What a line tells, looked at in place; only the rare ones are decoded.
fn tells(line: &[u8]) -> Option<Tells> {
    let number = |key: &[u8]| {
        let at = memchr::memmem::find(&line[..line.len().min(256)], key)? + key.len();
        let digits = line[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        std::str::from_utf8(&line[at..at + digits]).ok()?.parse().ok().map(AttemptId)
    };
    let tag = memchr::memmem::find(&line[..line.len().min(80)], b"\"event\":\"")? + 9;
    let tag = &line[tag..];
    if tag.starts_with(b"attempt.output\"") || tag.starts_with(b"turn.") {
        number(b"\"data\":{\"turn\":\"a").map(Tells::HasBegun)
    } else if tag.starts_with(b"attempt.started\"") {
        number(b"\"data\":{\"attempt\":\"a").map(Tells::Begins)
    } else if tag.starts_with(b"task.result_edited\"") {
        let record = Record::from_json(std::str::from_utf8(line).ok()?).ok()?;
        record.said().map(|(turn, ..)| Tells::Begins(turn.attempt))
    } else {
        None
    }
}
