//! The records the console keeps for its Events screen, the newest ones.
//!
//! A piece of output is kept without its text, which [`super::scene::Transcripts`] has. Not here: what is true of the
//! session, and which records are shown. Invariants: the places in it follow each other without a gap; what is kept is
//! bounded, the oldest go first, and how many went is told.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::protocol::{About, AttemptId, Bearing, Channel, Event, Facts, Micros, Record, TurnId, output_words};
use crate::domain::state::State;

/// Records kept: some 4 MB of places, and of the others' bodies what their events hold.
const KEPT: usize = 50_000;

/// The newest records.
#[derive(Debug)]
pub struct EventLog {
    entries: VecDeque<Entry>,
    /// The place of the first one kept.
    first: u64,
    limit: usize,
}

/// A record as it is kept.
#[derive(Clone, Debug)]
pub enum Entry {
    /// All of it.
    Whole(Arc<Record>),
    /// A piece of output without its text.
    Output {
        /// When it came.
        at: Micros,
        /// The turn.
        turn: TurnId,
        /// Which text.
        channel: Channel,
        /// Tokens in it.
        tokens: u32,
        /// Bytes of it.
        bytes: u32,
    },
}

impl Default for EventLog {
    fn default() -> Self {
        Self::with_limit(KEPT)
    }
}

impl EventLog {
    /// Keeps at most `limit` records.
    pub fn with_limit(limit: usize) -> Self {
        Self { entries: VecDeque::new(), first: 1, limit: limit.max(1) }
    }

    /// Takes in a record. One that does not follow the last starts the log anew: between the two, some were not seen.
    pub fn apply(&mut self, record: &Arc<Record>) {
        if record.seq != self.end() {
            self.entries.clear();
            self.first = record.seq;
        }
        self.entries.push_back(match &record.event {
            Event::AttemptOutput(output) => Entry::Output {
                at: record.at,
                turn: output.turn,
                channel: output.channel,
                tokens: output.tokens,
                bytes: u32::try_from(output.text.len()).unwrap_or(u32::MAX),
            },
            _ => Entry::Whole(Arc::clone(record)),
        });
        while self.entries.len() > self.limit {
            self.entries.pop_front();
            self.first += 1;
        }
    }

    /// The place of the first record kept.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The place after the last one.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The record at a place.
    pub fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }
}

impl Entry {
    /// When it was.
    pub fn at(&self) -> Micros {
        match self {
            Self::Whole(record) => record.at,
            Self::Output { at, .. } => *at,
        }
    }

    /// The event's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Whole(record) => record.event.name(),
            Self::Output { .. } => "attempt.output",
        }
    }

    /// How it bears on what it is about.
    pub fn bearing(&self) -> Bearing {
        match self {
            Self::Whole(record) => record.event.bearing(),
            Self::Output { .. } => Bearing::Plain,
        }
    }

    /// What it says.
    pub fn words(&self) -> String {
        match self {
            Self::Whole(record) => record.event.words(),
            Self::Output { turn, channel, tokens, bytes, .. } => {
                output_words(*turn, *channel, *tokens, *bytes as usize)
            }
        }
    }

    /// Whom it names, completed by what the state knows.
    pub fn about<'a>(&'a self, state: &'a State) -> About<'a> {
        let mut about = match self {
            Self::Whole(record) => record.event.about(),
            Self::Output { turn, .. } => About { attempt: Some(turn.attempt), ..About::default() },
        };
        if let Some(attempt) = about.attempt.and_then(|a| state.attempt(a)) {
            about.task = about.task.or_else(|| Some(&state.task(attempt.task).id));
            about.agent = about.agent.or(Some(&attempt.agent));
            about.endpoint = about.endpoint.or(state.place_of(attempt).map(|e| &e.config.name));
        }
        if let Some(task) = about.task.and_then(|t| state.task_by_id(t)) {
            about.agent = about.agent.or(Some(&task.spec.agent));
        }
        about
    }

    /// The attempt it is about.
    pub fn attempt(&self) -> Option<AttemptId> {
        match self {
            Self::Whole(record) => record.event.about().attempt,
            Self::Output { turn, .. } => Some(turn.attempt),
        }
    }

    /// Lets `look` see what a filter looks at.
    pub fn with_facts<T>(&self, state: &State, look: impl FnOnce(&Facts<'_>) -> T) -> T {
        let about = self.about(state);
        let title = about.task.and_then(|t| state.task_by_id(t)).map_or("", |t| t.title.as_str());
        look(&Facts { name: self.name(), about, title, words: &self.words() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::AttemptOutput;

    fn record(seq: u64) -> Arc<Record> {
        let turn = TurnId { attempt: AttemptId(1), turn: 1 };
        let output = AttemptOutput { turn, channel: Channel::Answer, text: "four".into(), tokens: 1 };
        let event = if seq.is_multiple_of(2) { Event::AttemptOutput(output) } else { Event::SessionPaused {} };
        Arc::new(Record { seq, at: Micros(seq), event })
    }

    #[test]
    fn the_oldest_go_and_places_stay_true() {
        let mut log = EventLog::with_limit(10);
        (1..=25).for_each(|seq| log.apply(&record(seq)));
        assert_eq!((log.first(), log.end(), log.len()), (16, 26, 10));
        assert!((16..26).all(|seq| log.get(seq).is_some_and(|e| e.at() == Micros(seq))));
        assert!(log.get(15).is_none() && log.get(26).is_none() && log.get(0).is_none());
        assert!(matches!(log.get(20), Some(Entry::Output { bytes: 4, .. })));
    }

    #[test]
    fn a_gap_starts_it_anew() {
        let mut log = EventLog::default();
        [1, 2, 7, 8].into_iter().for_each(|seq| log.apply(&record(seq)));
        assert_eq!((log.first(), log.end()), (7, 9));
    }
}
