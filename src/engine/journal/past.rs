//! A session's past: its state after any record, what was said until then, and the way on from there.
//!
//! Not here: playing (the console's clock decides when the next record is due). Invariants: [`Past::state_at`] is the
//! fold of the journal up to that record, whatever was asked before; a journal that is being written is read as far as
//! it has come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{JournalError, Reader};
use crate::domain::protocol::{AttemptId, Micros, Record};
use crate::domain::state::State;

/// A journal to be looked at, at any instant. Reading it blocks: keep it off threads that must not wait.
pub struct Past {
    journal: PathBuf,
    /// The state asked for last: the next one is often a little later.
    last: State,
}

impl Past {
    /// Opens a session's journal.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(journal: &Path) -> Result<Self, JournalError> {
        Reader::open(journal)?;
        Ok(Self { journal: journal.to_path_buf(), last: State::default() })
    }

    /// What was true just after record `seq`; after the last one, when there are not that many.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn state_at(&mut self, seq: u64) -> Result<State, JournalError> {
        if self.last.seq > seq {
            self.last = State::default();
        }
        let mut reader = Reader::open_from(&self.journal, self.last.seq + 1)?;
        while self.last.seq < seq
            && let Some((_, record)) = reader.read()?
        {
            if record.seq > seq {
                break;
            }
            self.last.apply(&record);
        }
        Ok(self.last.clone())
    }

    /// The last record at or before a session time; 0 when there is none.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn seq_at(&self, at: Micros) -> Result<u64, JournalError> {
        let mut reader = Reader::open(&self.journal)?;
        let mut seq = 0;
        while let Some((_, record)) = reader.read()? {
            if record.at > at {
                break;
            }
            seq = record.seq;
        }
        Ok(seq)
    }

    /// The last record there is now, with its time.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn end(&mut self) -> Result<(u64, Micros), JournalError> {
        let end = self.state_at(u64::MAX)?;
        Ok((end.seq, end.at))
    }

    /// The records from `seq` on.
    ///
    /// # Errors
    /// As [`Reader::open_from`].
    pub fn records_from(&self, seq: u64) -> Result<Reader, JournalError> {
        Reader::open_from(&self.journal, seq)
    }

    /// The newest `count` records up to `seq`, in order: for a list of what happened.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn records_before(&self, seq: u64, count: u64) -> Result<Vec<Arc<Record>>, JournalError> {
        let mut reader = Reader::open_from(&self.journal, seq.saturating_sub(count) + 1)?;
        let mut records = Vec::new();
        while let Some((_, record)) = reader.read()? {
            if record.seq > seq {
                break;
            }
            records.push(Arc::new(record));
        }
        Ok(records)
    }

    /// What these attempts had said just after `state`, in order, whole attempts: the records that [`Record::said`].
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn said(&self, state: &State, attempts: &[AttemptId]) -> Result<Vec<Arc<Record>>, JournalError> {
        let counts = attempts.iter().filter_map(|id| state.attempt(*id)).flat_map(|a| &a.turns);
        let counts = counts.flat_map(|t| [t.thinking, t.answer, t.tool_calls]).filter(|c| c.first_seq > 0);
        let Some((first, last)) =
            counts.map(|c| (c.first_seq, c.last_seq)).reduce(|(first, last), (a, b)| (first.min(a), last.max(b)))
        else {
            return Ok(Vec::new());
        };
        let mut reader = Reader::open_from(&self.journal, first)?;
        let mut records = Vec::new();
        while let Some((_, record)) = reader.read()? {
            if record.seq > last.min(state.seq) {
                break;
            }
            if record.said().is_some_and(|(turn, ..)| attempts.contains(&turn.attempt)) {
                records.push(Arc::new(record));
            }
        }
        Ok(records)
    }
}
