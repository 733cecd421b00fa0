//! A session's past: its state after any record, what was said until then, and the way on from there.
//!
//! States on the way are kept, in memory within a bound ([`KEPT_BYTES`]) and in the session's folder as checkpoints
//! ([`super::checkpoint`]), so that a place that was passed once is found again in less than a tenth of a second. Not
//! here: playing (the console's clock decides when the next record is due). Invariants: [`Past::state_at`] is the fold
//! of the journal up to that record, whatever was asked before; a journal that is being written is read as far as it
//! has come; the folder's writer is never waited for nor made to wait.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::checkpoint::{self, Loaded, Made, Named, Place, Whole};
use super::reader::{seq_of, time_of};
use super::{JournalError, Reader};
use crate::domain::protocol::{AttemptId, Counted, Micros, Record};
use crate::domain::state::{Frozen, State, Step};

/// The most memory for states on the way: with the texts at hand it stays within the 80 MB the process may have.
const KEPT_BYTES: usize = 24 << 20;

/// States are kept at least this far apart in the journal, in memory as in the folder.
const SPACING: u64 = checkpoint::STEP;

/// To read a checkpoint takes about as long as to fold this many times as much of a journal.
const DEAR: u64 = 4;

/// To clone a task or an attempt of a state takes about as long as to fold so many bytes of a journal.
const CLONED: u64 = 800;

/// A journal to be looked at, at any instant. Reading it blocks: keep it off threads that must not wait.
pub struct Past {
    journal: PathBuf,
    /// The state asked for last, if it was not given away: the next one is often a little later.
    last: State,
    /// Behind the last record of `last`; none: at the journal's beginning.
    reader: Option<Reader>,
    /// Read, and later than what was asked for.
    ahead: Option<(u64, Counted)>,
    /// States by their last record.
    kept: BTreeMap<u64, Kept>,
    kept_bytes: usize,
    limit: usize,
    spacing: u64,
    /// A state is kept once the journal was read so far.
    keep_at: u64,
    /// Checkpoints are this far apart.
    step: u64,
    /// A checkpoint is made once the journal was read so far.
    save_at: u64,
    saved: Vec<Named>,
    /// What the next ones are compared with.
    whole: Option<Arc<Whole>>,
    saving: Option<JoinHandle<io::Result<Made>>>,
}

struct Kept {
    frozen: Arc<Frozen>,
    place: Place,
}

impl Past {
    /// Opens a session's journal.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(journal: &Path) -> Result<Self, JournalError> {
        Self::with(journal, KEPT_BYTES, SPACING)
    }

    /// The same with other bounds.
    pub(super) fn with(journal: &Path, limit: usize, spacing: u64) -> Result<Self, JournalError> {
        Reader::open(journal)?;
        let mut past = Self {
            journal: journal.to_path_buf(),
            last: State::default(),
            reader: None,
            ahead: None,
            kept: BTreeMap::new(),
            kept_bytes: 0,
            limit,
            spacing,
            keep_at: spacing,
            step: spacing,
            save_at: spacing,
            saved: Vec::new(),
            whole: None,
            saving: None,
        };
        past.look_for_checkpoints();
        Ok(past)
    }

    fn look_for_checkpoints(&mut self) {
        self.saved = checkpoint::list(&self.journal);
        if let Some(last) = self.saved.last() {
            self.save_at = self.save_at.max(last.offset + self.step);
        }
    }

    /// What was true just after record `seq`; after the last one, when there are not that many.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn state_at(&mut self, seq: u64) -> Result<State, JournalError> {
        self.go_to(seq)?;
        let items = (self.last.tasks().len() + self.last.attempts().len()) as u64;
        let here = self.reader.as_ref().map_or(0, Reader::offset);
        let kept = self.kept.range(..=self.last.seq).next_back();
        if kept.is_some_and(|(_, kept)| here.saturating_sub(kept.place.offset) <= CLONED * items) {
            // It costs less to come here again from the state that is kept than to have two of this one.
            return Ok(self.leave());
        }
        Ok(self.last.clone())
    }

    /// Leaves the place for the journal's beginning. What was true at it.
    fn leave(&mut self) -> State {
        self.mind_unknown();
        (self.reader, self.ahead) = (None, None);
        self.keep_at = self.spacing;
        std::mem::take(&mut self.last)
    }

    /// The same, to be looked at in place.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn see(&mut self, seq: u64) -> Result<&State, JournalError> {
        self.go_to(seq)?;
        Ok(&self.last)
    }

    fn go_to(&mut self, seq: u64) -> Result<(), JournalError> {
        let outcome = self.come_near(seq).and_then(|()| self.fold(seq));
        if outcome.is_err() {
            // Whatever was read so far is not to be gone on from.
            self.leave();
        }
        outcome
    }

    /// Goes to the last state at hand that is not after `seq`.
    fn come_near(&mut self, seq: u64) -> Result<(), JournalError> {
        let here = if self.last.seq <= seq { self.reader.as_ref().map_or(0, Reader::offset) } else { 0 };
        let kept = self.kept.range(..=seq).next_back().map(|(_, kept)| kept.place.offset);
        let best = kept.unwrap_or(0).max(here);
        let worth = |named: &&Named| named.seq <= seq && named.offset > best + DEAR * named.bytes;
        if let Some(at) = self.saved.iter().rposition(|named| worth(&named)) {
            let named = self.saved[at].clone();
            match checkpoint::load(&self.journal, &named) {
                Some(Loaded { state, place, whole }) => {
                    self.whole = Some(Arc::new(whole));
                    return self.begin(state, place);
                }
                None => {
                    self.saved.remove(at);
                    return self.come_near(seq);
                }
            }
        }
        // From not far before it is quicker to read on than to thaw.
        let near = if self.last.seq <= seq { here + self.spacing / 2 } else { 0 };
        match self.kept.range(..=seq).next_back() {
            Some((_, kept)) if kept.place.offset > near => {
                let (state, place) = (kept.frozen.thaw(), kept.place);
                self.begin(state, place)
            }
            _ if self.last.seq > seq => {
                self.leave();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Goes on from a state.
    fn begin(&mut self, state: State, place: Place) -> Result<(), JournalError> {
        self.mind_unknown();
        self.reader = Some(Reader::open_after(&self.journal, place, state.seq)?);
        self.ahead = None;
        self.keep_at = place.offset + self.spacing;
        self.last = state;
        Ok(())
    }

    /// Of a journal with records that this version does not know no checkpoint is made: who knows them would miss them.
    fn mind_unknown(&mut self) {
        if self.reader.as_ref().is_some_and(|reader| reader.unknown() > 0) {
            self.save_at = u64::MAX;
        }
    }

    /// Applies what there is up to `seq`.
    fn fold(&mut self, seq: u64) -> Result<(), JournalError> {
        while self.last.seq < seq {
            let (line, record) = match self.ahead.take() {
                Some(ahead) => ahead,
                None => {
                    let reader = match &mut self.reader {
                        Some(reader) => reader,
                        none => none.insert(Reader::open(&self.journal)?),
                    };
                    let Some(read) = reader.read_counted()? else { break };
                    read
                }
            };
            if record.seq() > seq {
                // Those between are of a later version and were skipped.
                self.ahead = Some((line, record));
                break;
            }
            self.last.apply_counted(&record);
            let offset = self.reader.as_ref().map_or(0, Reader::offset);
            if offset >= self.keep_at {
                self.keep(Place { line, offset });
            }
        }
        Ok(())
    }

    /// Keeps the state where it stands, unless one is kept near.
    fn keep(&mut self, place: Place) {
        let before = self.kept.range(..=self.last.seq).next_back().map(|(_, kept)| kept);
        if let Some(near) = before
            && near.place.offset + self.spacing > place.offset
        {
            self.keep_at = near.place.offset + self.spacing;
            return;
        }
        let before = before.map(|kept| Arc::clone(&kept.frozen));
        let frozen = Arc::new(self.last.freeze(before.as_deref()));
        self.kept_bytes += frozen.bytes_beside(before.as_deref());
        self.keep_at = place.offset + self.spacing;
        // A disk that is slow is waited for rather than left behind: a place far from each checkpoint is found late for good.
        let behind = place.offset >= self.save_at.saturating_add(2 * self.step);
        if self.saving.as_ref().is_some_and(|saving| behind || saving.is_finished()) {
            self.settle();
        }
        self.mind_unknown();
        if place.offset >= self.save_at && self.saving.is_none() {
            self.save(&frozen, place);
        }
        self.kept.insert(frozen.seq(), Kept { frozen, place });
        while self.kept_bytes > self.limit && self.kept.len() > 1 {
            self.thin();
        }
    }

    /// Lets go of every second state, and keeps them twice as far apart from now on.
    fn thin(&mut self) {
        let mut odd = false;
        self.kept.retain(|_, _| {
            odd = !odd;
            odd
        });
        self.spacing *= 2;
        let mut before: Option<&Frozen> = None;
        self.kept_bytes = 0;
        for kept in self.kept.values() {
            self.kept_bytes += kept.frozen.bytes_beside(before);
            before = Some(&kept.frozen);
        }
    }

    /// Makes a checkpoint on a thread of its own.
    fn save(&mut self, frozen: &Arc<Frozen>, place: Place) {
        let (journal, frozen, whole) = (self.journal.clone(), Arc::clone(frozen), self.whole.clone());
        let save = move || checkpoint::save(&journal, &mut frozen.thaw(), place, whole.as_deref());
        self.save_at = place.offset + self.step;
        // Without a thread there is no checkpoint, which is no harm.
        self.saving = std::thread::Builder::new().name("checkpoint".into()).spawn(save).ok();
    }

    /// Waits for a checkpoint that is being made.
    fn settle(&mut self) {
        let Some(saving) = self.saving.take() else { return };
        match saving.join() {
            Ok(Ok(Made::Kept(None))) => {}
            Ok(Ok(Made::Kept(Some(whole)))) => self.whole = Some(Arc::new(whole)),
            Ok(Ok(Made::TooLarge { until })) => self.save_at = self.save_at.max(until),
            Ok(Err(error)) => tracing::debug!(%error, "no checkpoint could be made"),
            // A panic there cost a checkpoint, no more.
            Err(_) => {}
        }
        self.look_for_checkpoints();
    }

    /// The newest state that is at hand without reading much: where a viewer that comes late may begin. None: the
    /// journal is short, or nobody has looked at its past yet.
    pub fn latest_checkpoint(&mut self) -> Option<State> {
        self.settle();
        self.look_for_checkpoints();
        let kept = self.kept.last_key_value().map_or(0, |(seq, _)| *seq);
        while let Some(named) = self.saved.last().filter(|named| named.seq > kept.max(self.last.seq)) {
            if let Some(loaded) = checkpoint::load(&self.journal, named) {
                return Some(loaded.state);
            }
            self.saved.pop();
        }
        if self.last.seq > 0 && self.last.seq >= kept {
            return Some(self.last.clone());
        }
        self.kept.last_key_value().map(|(_, kept)| kept.frozen.thaw())
    }

    /// The last record at or before a session time; 0 when there is none.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn seq_at(&self, at: Micros) -> Result<u64, JournalError> {
        let mut reader = Reader::open_near(&self.journal, at)?;
        let mut seq = 0;
        while let Some((_, line)) = reader.look()? {
            match (seq_of(line), time_of(line)) {
                (Some(found), Some(time)) if time <= at => seq = found,
                _ => break,
            }
        }
        Ok(seq)
    }

    /// The last record there is now, with its time.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn end(&mut self) -> Result<(u64, Micros), JournalError> {
        let mut end = (self.last.seq, self.last.at);
        let mut reader = Reader::open_near(&self.journal, Micros::NEVER)?;
        while let Some((_, record)) = reader.read()? {
            end = end.max((record.seq, record.at));
        }
        Ok(end)
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

    /// What these attempts had said just after `state`, one after another: the records that [`Record::said`]. Of each the
    /// newest, its share of `most` bytes of text: an answer without end does not fit into memory.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn said(&self, state: &State, attempts: &[AttemptId], most: usize) -> Result<Vec<Arc<Record>>, JournalError> {
        let counts = attempts.iter().filter_map(|id| state.attempt(*id)).flat_map(|a| &a.steps);
        let counts = counts.flat_map(Step::channels).filter(|c| c.first_seq > 0);
        let Some((first, last)) =
            counts.map(|c| (c.first_seq, c.last_seq)).reduce(|(first, last), (a, b)| (first.min(a), last.max(b)))
        else {
            return Ok(Vec::new());
        };
        let mut reader = Reader::open_from(&self.journal, first)?;
        let share = most / attempts.len().max(1);
        let mut said: BTreeMap<AttemptId, (usize, VecDeque<Arc<Record>>)> = BTreeMap::new();
        let bytes = |record: &Record| record.said().map_or(0, |(.., text)| text.len());
        while let Some((_, record)) = reader.read()? {
            if record.seq > last.min(state.seq) {
                break;
            }
            let Some(attempt) = record.said().map(|(turn, ..)| turn.attempt).filter(|a| attempts.contains(a)) else {
                continue;
            };
            let (held, records) = said.entry(attempt).or_default();
            *held += bytes(&record);
            records.push_back(Arc::new(record));
            while *held > share
                && let Some(first) = records.pop_front()
            {
                *held -= bytes(&first);
            }
        }
        Ok(said.into_values().flat_map(|(_, records)| records).collect())
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        self.settle();
    }
}
