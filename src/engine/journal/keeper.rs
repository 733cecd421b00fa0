//! Keeps checkpoints of a journal that is being written, so that whoever comes later finds any place of it soon.
//!
//! It never touches the state of who writes: a thread beside reads the journal itself, from the last checkpoint on, as any
//! reader does, makes the next one, and ends. Not here: what one is ([`super::checkpoint`]). Invariants: one is made at a
//! time; who writes waits for none but at its own end, and then for no more than one file; a failure to make one is a
//! line in the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::checkpoint::{self, Made, Place};
use super::{JournalError, Reader};
use crate::domain::state::State;

/// The most tasks and attempts of a state that is read beside the engine's own: with it, engine and console stay within
/// the 80 MB that a process may have. Of a larger session whoever looks at its past makes the checkpoints.
const MOST_ITEMS: usize = 12_000;

/// After so many records it is looked whether the session ends.
const STRIDE: u64 = 4_096;

/// After a failure (the disk is full, the folder read-only) so many times the usual distance goes by before the next try.
const REST: u64 = 4;

/// Makes checkpoints while a journal grows.
pub struct Keeper {
    journal: PathBuf,
    step: u64,
    /// The next is made once the journal has so many bytes.
    due: u64,
    at_work: Option<JoinHandle<u64>>,
    stop: Arc<AtomicBool>,
}

impl Keeper {
    /// For the journal at this path, which may have checkpoints already.
    pub fn new(journal: &Path) -> Self {
        Self::with(journal, checkpoint::STEP)
    }

    /// The same with another distance between two.
    pub(super) fn with(journal: &Path, step: u64) -> Self {
        checkpoint::tidy(journal);
        let last = checkpoint::list(journal).last().map_or(0, |named| named.offset);
        Self { journal: journal.to_owned(), step, due: last + step, at_work: None, stop: Arc::default() }
    }

    /// The kernel has so many bytes of the journal, over all parts, of a session with so many tasks and attempts. To be
    /// called after each commit that went well.
    pub fn written(&mut self, offset: u64, items: usize) {
        if offset < self.due || items > MOST_ITEMS || self.at_work.as_ref().is_some_and(|work| !work.is_finished()) {
            return;
        }
        if let Some(work) = self.at_work.take() {
            // Where it broke off, the next try comes later.
            self.due = work.join().unwrap_or(offset + REST * self.step);
            return self.written(offset, items);
        }
        let (journal, step, stop) = (self.journal.clone(), self.step, Arc::clone(&self.stop));
        let work = move || {
            make(&journal, step, &stop).unwrap_or_else(|error| {
                tracing::debug!(%error, "no checkpoint could be made");
                offset + REST * step
            })
        };
        self.at_work = std::thread::Builder::new().name("checkpoint".into()).spawn(work).ok();
        if self.at_work.is_none() {
            self.due = offset + REST * self.step;
        }
    }

    #[cfg(test)]
    pub(super) fn is_at_work(&self) -> bool {
        self.at_work.is_some()
    }

    /// Waits for the one that is being made.
    #[cfg(test)]
    pub(super) fn settle(&mut self) {
        if let Some(work) = self.at_work.take() {
            self.due = work.join().unwrap();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(work) = self.at_work.take() {
            // A panic there cost a checkpoint, no more.
            let _ = work.join();
        }
    }
}

/// Makes one of the journal as far as it has come. When the next is due.
fn make(journal: &Path, step: u64, stop: &AtomicBool) -> Result<u64, JournalError> {
    let loaded = checkpoint::newest(journal);
    let (mut state, mut place, whole) = match loaded {
        Some(loaded) => (loaded.state, loaded.place, Some(loaded.whole)),
        None => (State::default(), Place { line: 0, offset: 0 }, None),
    };
    let from = place.offset;
    let mut reader = Reader::open_after(journal, place, state.seq)?;
    let mut read = 0u64;
    while let Some((line, record)) = reader.read_counted()? {
        state.apply_counted(&record);
        place = Place { line, offset: reader.offset() };
        read += 1;
        if read.is_multiple_of(STRIDE) && stop.load(Ordering::Relaxed) {
            return Ok(u64::MAX);
        }
    }
    if reader.unknown() > 0 {
        // Who knows more would miss what they say.
        return Ok(u64::MAX);
    }
    if place.offset < from + step || stop.load(Ordering::Relaxed) {
        return Ok(from + step);
    }
    let made = checkpoint::save(journal, &mut state, place, whole.as_ref());
    match made.map_err(|e| JournalError::io("make a checkpoint of", journal, e))? {
        Made::Kept(_) => Ok(place.offset + step),
        Made::TooLarge { until } => Ok(until.max(place.offset + step)),
    }
}
