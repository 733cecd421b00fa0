//! The text store: what attempts said, hot in bounded memory, older text read back from the journal.
//!
//! Not here: cleaning (raw text goes in and comes out) and prompts (the engine expands recipes with this).
//! Invariants: [`TextStore::text`] is the same whether text is hot or not; hot text takes at most its bound, and cold
//! text some 24 bytes for each [`SPAN`] of journal. Records are fed in order, after they were committed.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{JournalError, Reader};
use crate::domain::protocol::{AttemptId, Channel, Cut, Event, Record, Rethought, TurnId};
use crate::domain::state::State;

/// The usual bound of hot text: a minute of a busy session, a twentieth of the memory budget.
pub const HOT_BYTES: usize = 4 << 20;

/// Cold pieces are remembered together as long as they span no more of the journal than this: reading a run back then
/// decodes at most a quarter megabyte that may belong to others.
const SPAN: u64 = 256 * 1024;

/// What a piece costs beside its text, roughly: the record, its Arc, its place here.
const OVERHEAD: usize = 160;

/// Text by attempt.
pub struct TextStore {
    journal: PathBuf,
    limit: usize,
    hot: usize,
    attempts: BTreeMap<AttemptId, Pieces>,
    /// Whose piece is the oldest hot one, and so on.
    order: VecDeque<AttemptId>,
    rethought: Rethought,
}

#[derive(Default)]
struct Pieces {
    /// What was said before the store began, by turn.
    past: Vec<Said>,
    cold: Vec<Run>,
    hot: VecDeque<(u64, Arc<Record>)>,
}

/// Neighbouring cold pieces, as the byte offsets of the first and last line with one.
struct Run {
    first: u64,
    last: u64,
}

/// The first and the last record with text of a turn.
struct Said {
    turn: TurnId,
    first_seq: u64,
    last_seq: u64,
}

impl TextStore {
    /// A store over a journal that goes on after `state`: what was said until then is read back from the journal, where the
    /// state says that it is.
    pub fn after(journal: impl Into<PathBuf>, limit: usize, state: &State) -> Self {
        let mut store = Self::new(journal, limit);
        for attempt in state.attempts() {
            for (id, step) in attempt.numbered_steps() {
                if let Some(seq) = step.turn().and_then(|turn| turn.rethought) {
                    store.rethought.add(id, seq);
                }
                let counts = step.channels();
                let said = counts.iter().filter(|count| count.first_seq > 0);
                let said = said.map(|c| (c.first_seq, c.last_seq)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
                if let Some((first_seq, last_seq)) = said {
                    let pieces = store.attempts.entry(attempt.id).or_default();
                    pieces.past.push(Said { turn: id, first_seq, last_seq });
                }
            }
        }
        store
    }

    /// An empty store over a journal; `limit` bounds the hot bytes ([`HOT_BYTES`]).
    pub fn new(journal: impl Into<PathBuf>, limit: usize) -> Self {
        let journal = journal.into();
        let (attempts, order, rethought) = (BTreeMap::new(), VecDeque::new(), Rethought::default());
        Self { journal, limit, hot: 0, attempts, order, rethought }
    }

    /// Takes in a committed record and the byte offset of its line; only text of attempts is kept.
    pub fn feed(&mut self, record: &Arc<Record>, offset: u64) {
        self.rethought.take(record);
        let Some((TurnId { attempt: id, .. }, _, text)) = record.said() else { return };
        self.attempts.entry(id).or_default().hot.push_back((offset, Arc::clone(record)));
        self.order.push_back(id);
        self.hot += cost(text);
        while self.hot > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.evict(oldest);
        }
    }

    fn evict(&mut self, id: AttemptId) {
        let Some(pieces) = self.attempts.get_mut(&id) else { return };
        let Some((offset, record)) = pieces.hot.pop_front() else { return };
        if let Some((_, _, text)) = record.said() {
            self.hot -= cost(text);
        }
        if pieces.hot.is_empty() {
            // Its room too: thousands of attempts that ended long ago would keep more of it than all text that is hot.
            pieces.hot = VecDeque::new();
        }
        match pieces.cold.last_mut() {
            Some(run) if offset - run.first <= SPAN => run.last = offset,
            _ => pieces.cold.push(Run { first: offset, last: offset }),
        }
    }

    /// Bytes held in memory now, roughly.
    pub fn hot_bytes(&self) -> usize {
        self.hot
    }

    /// All text of one channel of an attempt, over its turns; empty when there is none.
    ///
    /// # Errors
    /// When older text can't be read back from the journal.
    pub fn text(&self, attempt: AttemptId, channel: Channel) -> Result<String, JournalError> {
        self.collect(attempt, |_, c| c == channel)
    }

    /// All text of one channel of a turn.
    ///
    /// # Errors
    /// As [`TextStore::text`].
    pub fn turn_text(&self, turn: TurnId, channel: Channel) -> Result<String, JournalError> {
        self.collect(turn.attempt, |t, c| t == turn && c == channel)
    }

    /// The text of one channel of a turn, cut to a budget with a mark ([`cut_text`]).
    ///
    /// # Errors
    /// As [`TextStore::text`].
    pub fn cut(&self, turn: TurnId, channel: Channel, cut: Cut) -> Result<String, JournalError> {
        let text = self.turn_text(turn, channel)?;
        Ok(match cut_text(&text, cut) {
            Cow::Borrowed(_) => text,
            Cow::Owned(short) => short,
        })
    }

    fn collect(&self, attempt: AttemptId, wanted: impl Fn(TurnId, Channel) -> bool) -> Result<String, JournalError> {
        let mut text = String::new();
        let Some(pieces) = self.attempts.get(&attempt) else { return Ok(text) };
        let mut take = |record: &Record| {
            if let Some((turn, channel, piece)) = self.rethought.said(record)
                && turn.attempt == attempt
                && wanted(turn, channel)
            {
                text.push_str(piece);
            }
        };
        let any = [Channel::Thinking, Channel::Answer, Channel::ToolCall];
        for said in pieces.past.iter().filter(|said| any.iter().any(|channel| wanted(said.turn, *channel))) {
            let mut reader = Reader::open_from(&self.journal, said.first_seq)?;
            while let Some((_, record)) = reader.read()? {
                if record.seq <= said.last_seq && record.said().is_some_and(|(turn, ..)| turn == said.turn) {
                    take(&record);
                }
                if record.seq >= said.last_seq {
                    break;
                }
            }
        }
        for run in &pieces.cold {
            let mut reader = Reader::open_at(&self.journal, run.first)?;
            while let Some((offset, record)) = reader.read()? {
                if offset > run.last {
                    break;
                }
                take(&record);
                if offset == run.last {
                    break;
                }
            }
        }
        pieces.hot.iter().for_each(|(_, record)| take(record));
        Ok(text)
    }
}

/// What turns said on one channel, joined in their order, read from a journal: of each attempt from where it began up to
/// its end. The beginning is found by halving.
///
/// # Errors
/// When the journal can't be read.
pub fn text_of(journal: &Path, turns: &[TurnId], channel: Channel) -> Result<String, JournalError> {
    text_with(journal, &[], turns, channel)
}

/// The same where the last records are not in the journal yet, because its disk takes nothing.
///
/// # Errors
/// As [`text_of`].
pub fn text_with(
    journal: &Path,
    unwritten: &[Record],
    turns: &[TurnId],
    channel: Channel,
) -> Result<String, JournalError> {
    // What answers became of it is known at the end only, so they are kept for who wants the thinking.
    let wanted = |c: Channel| c == channel || (channel == Channel::Thinking && c == Channel::Answer);
    let mut runs: Vec<(TurnId, Channel, String)> = Vec::new();
    for of in turns.chunk_by(|a, b| a.attempt == b.attempt) {
        let Some(TurnId { attempt, .. }) = of.first() else { continue };
        let mut reader = Reader::open_attempt(journal, *attempt)?;
        let (mut last, mut more) = (0, unwritten.iter());
        loop {
            let record = match reader.read()? {
                Some((_, record)) => Cow::Owned(record),
                // Some of them may have been written since.
                None => match more.find(|record| record.seq > last) {
                    Some(record) => Cow::Borrowed(record),
                    None => break,
                },
            };
            last = record.seq;
            if let Some((turn, said, piece)) = record.said()
                && of.contains(&turn)
                && wanted(said)
            {
                match runs.last_mut().filter(|(of, c, _)| (*of, *c) == (turn, said)) {
                    Some((.., text)) => text.push_str(piece),
                    None => runs.push((turn, said, piece.to_owned())),
                }
            }
            match &record.event {
                Event::TurnRethought { turn } if of.contains(turn) => {
                    let turned = |run: &&mut (TurnId, Channel, String)| run.0 == *turn && run.1 == Channel::Answer;
                    runs.iter_mut().filter(turned).for_each(|run| run.1 = Channel::Thinking);
                    runs.retain(|run| wanted(run.1));
                }
                Event::AttemptEnded { attempt: ended, .. } if ended == attempt => break,
                Event::ResultEdited(edited) if edited.attempt == *attempt => break,
                _ => {}
            }
        }
    }
    Ok(runs.into_iter().filter(|run| run.1 == channel).map(|(.., text)| text).collect())
}

fn cost(text: &str) -> usize {
    text.len() + OVERHEAD
}

/// Cuts a text to a budget: head and tail moved inwards to character boundaries, between them a mark that says how
/// many bytes are missing. A text that fits stays as it is.
pub fn cut_text(text: &str, cut: Cut) -> Cow<'_, str> {
    let Cut::Middle { head, tail } = cut else { return Cow::Borrowed(text) };
    if text.len() as u64 <= head.saturating_add(tail) {
        return Cow::Borrowed(text);
    }
    // Both are below the text's length here, so they fit.
    let head = text.floor_char_boundary(head as usize);
    let tail = text.ceil_char_boundary(text.len() - tail as usize);
    Cow::Owned(format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..]))
}

/// A digest of a text: FNV-1a, 64 bits (offset basis cbf29ce484222325, prime 100000001b3), written as 16 hex digits. Tells
/// whether two prompts are the same; not made to withstand anyone who wants a collision.
#[derive(Clone, Copy, Debug)]
pub struct Digest(u64);

impl Digest {
    /// Of nothing yet.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in more; split anywhere, the digest is the same.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The digest of one text.
    pub fn of(text: &str) -> String {
        let mut digest = Self::new();
        digest.update(text.as_bytes());
        digest.hex()
    }

    /// 16 hex digits.
    pub fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}
