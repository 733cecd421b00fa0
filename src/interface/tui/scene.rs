//! What a view draws from, and what the console keeps of the session's text.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::log::EventLog;
use super::model::Ui;
use super::theme::Theme;
use crate::domain::protocol::{AttemptId, Channel, Event, Micros, Record, Rethought, TurnId};
use crate::domain::state::{Attempt, State, Step};

/// All a view may look at. Views are functions of it.
pub struct Scene<'a> {
    /// What is true.
    pub state: &'a State,
    /// What was said.
    pub transcripts: &'a Transcripts,
    /// What the user does.
    pub ui: &'a Ui,
    /// Colours and glyphs.
    pub theme: &'a Theme,
    /// Session time now; figures that run on use it.
    pub now: Micros,
}

/// Bytes that are kept at hand over all attempts: a tenth of what the design lets the whole process have. The states of
/// engine and console take more than half of it with ten thousand tasks, and what is rendered takes room too.
pub(crate) const HOT: usize = 8 * 1024 * 1024;
/// Bytes a record takes besides its text: itself, its count, its place in the list.
const RECORD: usize = size_of::<Record>() + 2 * size_of::<usize>() + size_of::<Arc<Record>>();

/// The raw text of attempts, as records: shared with the journal's writer, never copied.
///
/// Views make clean text of what they show and cache that (`Caches`). What is kept is bounded: the oldest ended
/// attempts go first, whole; when none is left, the first pieces of the one with the most text. The journal has all.
pub struct Transcripts {
    texts: HashMap<AttemptId, Kept>,
    /// Attempts that ended and have text, the oldest first.
    ended: VecDeque<AttemptId>,
    bytes: usize,
    limit: usize,
    log: EventLog,
    rethought: Rethought,
}

/// The text of one attempt that is still at hand.
#[derive(Default)]
struct Kept {
    /// Pieces before the first of `pieces` that are no longer at hand.
    gone: usize,
    pieces: VecDeque<Arc<Record>>,
    bytes: usize,
    /// Bytes of text in the pieces that are gone.
    gone_bytes: u64,
}

impl Default for Transcripts {
    fn default() -> Self {
        Self::with_limit(HOT)
    }
}

impl Transcripts {
    /// Keeps about `limit` bytes at most.
    pub fn with_limit(limit: usize) -> Self {
        let (log, rethought) = (EventLog::default(), Rethought::default());
        Self { texts: HashMap::new(), ended: VecDeque::new(), bytes: 0, limit, log, rethought }
    }

    /// From now on about `limit` bytes are kept, and what is more goes; for a text read back there is room again.
    #[cfg(test)]
    pub(crate) fn keep_less(&mut self, limit: usize) {
        let before = std::mem::replace(&mut self.limit, limit);
        self.make_room();
        self.limit = before;
    }

    /// Those of another instant: the newest records up to it, at most `keep`; no text yet.
    pub(crate) fn of_the_past(log: &[Arc<Record>], keep: usize) -> Self {
        let mut events = EventLog::with_limit(keep);
        log.iter().for_each(|record| events.apply(record));
        Self { log: events, ..Self::default() }
    }

    /// Takes in the text of attempts as it was read back from the journal, as of `state`, or the newest part of it: it takes
    /// the place of what is at hand of them. What of it is more than a third of the limit stays in the journal, the first
    /// pieces.
    pub(crate) fn read_back(&mut self, state: &State, records: Vec<Arc<Record>>) {
        let mut texts: HashMap<AttemptId, Kept> = HashMap::new();
        for record in records {
            let Some((turn, _, text)) = record.said() else { continue };
            let (attempt, bytes) = (turn.attempt, text.len() + RECORD);
            let kept = texts.entry(attempt).or_default();
            kept.bytes += bytes;
            kept.pieces.push_back(record);
            while kept.bytes > self.limit / 3
                && let Some(first) = kept.pieces.pop_front()
            {
                kept.bytes -= first.said().map_or(0, |(.., text)| text.len()) + RECORD;
                kept.gone += 1;
            }
        }
        for (attempt, mut kept) in texts {
            for (id, step) in state.attempt(attempt).into_iter().flat_map(Attempt::numbered_steps) {
                let rethought = step.turn().and_then(|turn| turn.rethought);
                rethought.iter().for_each(|seq| self.rethought.add(id, *seq));
            }
            // What came while it was read goes on behind it.
            let read = kept.pieces.back().map_or(0, |p| p.seq);
            let later = self.texts.get(&attempt).into_iter().flat_map(|k| &k.pieces).filter(|p| p.seq > read);
            for piece in later {
                kept.bytes += piece.said().map_or(0, |(.., text)| text.len()) + RECORD;
                kept.pieces.push_back(Arc::clone(piece));
            }
            // What of all that was said is not here was not read, or not kept.
            let steps = state.attempt(attempt).into_iter().flat_map(|a| &a.steps);
            let all: u64 = steps.flat_map(Step::channels).map(|count| count.bytes).sum();
            kept.gone_bytes = all.saturating_sub(kept.pieces.iter().map(|p| text_bytes(p)).sum());
            if kept.gone_bytes > 0 {
                kept.gone = kept.gone.max(1);
            }
            self.ended.retain(|a| *a != attempt);
            if state.attempt(attempt).is_some_and(|a| a.ended.is_some()) {
                self.ended.push_back(attempt);
            }
            self.bytes += kept.bytes;
            if let Some(before) = self.texts.insert(attempt, kept) {
                self.bytes -= before.bytes;
            }
        }
        self.make_room();
    }

    /// The newest records, without the text of outputs.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// Takes in a record: the text of an output; of the others what the log keeps.
    pub fn apply(&mut self, record: &Arc<Record>) {
        self.log.apply(record);
        self.rethought.take(record);
        if let Some((turn, _, text)) = record.said() {
            let bytes = text.len() + RECORD;
            let kept = self.texts.entry(turn.attempt).or_default();
            kept.pieces.push_back(Arc::clone(record));
            kept.bytes += bytes;
            self.bytes += bytes;
            self.make_room();
        }
        match &record.event {
            Event::AttemptEnded { attempt, .. } if self.texts.contains_key(attempt) => self.ended.push_back(*attempt),
            // Put in by hand: it is whole at once.
            Event::ResultEdited(edited) => self.ended.push_back(edited.attempt),
            _ => {}
        }
    }

    fn make_room(&mut self) {
        while self.bytes > self.limit {
            if let Some(attempt) = self.ended.pop_front() {
                if let Some(kept) = self.texts.get_mut(&attempt) {
                    kept.gone += kept.pieces.len();
                    kept.gone_bytes += kept.pieces.iter().map(|p| text_bytes(p)).sum::<u64>();
                    kept.pieces = VecDeque::new();
                    self.bytes -= std::mem::take(&mut kept.bytes);
                }
                continue;
            }
            let Some(most) = self.texts.values_mut().max_by_key(|k| k.bytes) else { return };
            // A quarter at a time, so that this is not done for every piece that comes.
            for _ in 0..most.pieces.len().div_ceil(4) {
                let Some(piece) = most.pieces.pop_front() else { break };
                if let Some((_, _, text)) = piece.said() {
                    let bytes = text.len() + RECORD;
                    most.bytes -= bytes;
                    self.bytes -= bytes;
                }
                most.gone_bytes += text_bytes(&piece);
                most.gone += 1;
            }
        }
    }

    /// The pieces of an attempt in order, from the `from`-th on; those that are no longer at hand are left out.
    pub fn pieces(&self, attempt: AttemptId, from: usize) -> impl Iterator<Item = (Channel, &str)> + '_ {
        let kept = self.texts.get(&attempt);
        let skip = from.saturating_sub(kept.map_or(0, |k| k.gone));
        kept.into_iter().flat_map(move |k| k.pieces.iter().skip(skip)).filter_map(|r| {
            let (_, channel, text) = self.rethought.said(r)?;
            Some((channel, text))
        })
    }

    /// The record with which the last of an attempt's answers became thinking: from then on its pieces are other ones.
    pub fn turned(&self, attempt: AttemptId) -> Option<u64> {
        self.rethought.last_of(attempt)
    }

    /// How many pieces an attempt has had.
    pub fn count(&self, attempt: AttemptId) -> usize {
        self.texts.get(&attempt).map_or(0, |k| k.gone + k.pieces.len())
    }

    /// How many of an attempt's pieces, from the first on, are no longer at hand; the journal has them.
    pub fn gone(&self, attempt: AttemptId) -> usize {
        self.texts.get(&attempt).map_or(0, |k| k.gone)
    }

    /// How many bytes of text those were.
    pub fn gone_bytes(&self, attempt: AttemptId) -> u64 {
        self.texts.get(&attempt).map_or(0, |k| k.gone_bytes)
    }

    /// The raw text that turns said on one channel, joined, as far as it is at hand.
    pub fn text(&self, turns: &[TurnId], channel: Channel) -> String {
        self.said_by(turns, channel).collect()
    }

    /// The end of the same text, about `most` bytes, and how many bytes of what is at hand stand before it.
    pub fn text_end(&self, turns: &[TurnId], channel: Channel, most: usize) -> (String, u64) {
        let all: usize = self.said_by(turns, channel).map(str::len).sum();
        let mut text = String::with_capacity(all.min(most));
        let mut over = all.saturating_sub(most);
        for piece in self.said_by(turns, channel) {
            let cut = piece.ceil_char_boundary(over.min(piece.len()));
            over = over.saturating_sub(cut);
            text.push_str(piece.get(cut..).unwrap_or_default());
        }
        let before = (all - text.len()) as u64;
        (text, before)
    }

    fn said_by<'a>(&'a self, turns: &'a [TurnId], channel: Channel) -> impl Iterator<Item = &'a str> {
        turns.iter().flat_map(move |turn| {
            let kept = self.texts.get(&turn.attempt).into_iter().flat_map(|k| &k.pieces);
            let said = kept.filter_map(|r| self.rethought.said(r));
            said.filter(move |(t, c, _)| t == turn && *c == channel).map(|(.., text)| text)
        })
    }
}

fn text_bytes(piece: &Record) -> u64 {
    piece.said().map_or(0, |(.., text)| text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{AttemptEnd, AttemptOutput, Author, ResultEdited, TurnId};

    fn say(transcripts: &mut Transcripts, attempt: u64, text: &str) {
        let turn = TurnId { attempt: AttemptId(attempt), turn: 1 };
        let output = AttemptOutput { turn, channel: Channel::Answer, text: text.into(), tokens: 1 };
        transcripts.apply(&Arc::new(Record { seq: 1, at: Micros(0), event: Event::AttemptOutput(output) }));
    }

    fn end(transcripts: &mut Transcripts, attempt: u64) {
        let event = Event::AttemptEnded { attempt: AttemptId(attempt), end: AttemptEnd::Completed };
        transcripts.apply(&Arc::new(Record { seq: 1, at: Micros(0), event }));
    }

    #[test]
    fn the_oldest_ended_text_goes_first_and_what_runs_stays() {
        let piece = "x".repeat(1000);
        let mut transcripts = Transcripts::with_limit(10 * (1000 + RECORD));
        for attempt in 1..=5 {
            say(&mut transcripts, attempt, &piece);
            say(&mut transcripts, attempt, &piece);
        }
        end(&mut transcripts, 2);
        end(&mut transcripts, 1);
        say(&mut transcripts, 3, &piece);
        let gone = |t: &Transcripts| (1..=5).map(|a| t.gone(AttemptId(a))).collect::<Vec<_>>();
        assert_eq!(gone(&transcripts), [0, 2, 0, 0, 0]);
        assert_eq!(transcripts.text(&[TurnId { attempt: AttemptId(2), turn: 1 }], Channel::Answer), "");
        assert_eq!(transcripts.count(AttemptId(2)), 2);
        assert_eq!(transcripts.text(&[TurnId { attempt: AttemptId(1), turn: 1 }], Channel::Answer).len(), 2000);
        for _ in 0..100 {
            say(&mut transcripts, 4, &piece);
            assert!(transcripts.bytes <= transcripts.limit);
        }
        assert_eq!(gone(&transcripts)[..3], [2, 2, 0]);
        assert_eq!(transcripts.count(AttemptId(4)), 102);
        // Whoever has read up to somewhere goes on there.
        assert_eq!(transcripts.pieces(AttemptId(4), 101).count(), 1);
        assert_eq!(transcripts.pieces(AttemptId(4), 0).count(), 102 - transcripts.gone(AttemptId(4)));
    }

    #[test]
    fn a_result_put_in_by_hand_is_at_hand_and_goes_like_any_that_ended() {
        let mut transcripts = Transcripts::with_limit(3 * (1000 + RECORD));
        let edited = ResultEdited {
            task: "g1/a".parse().unwrap(),
            attempt: AttemptId(1),
            author: Author::Baton,
            text: "x".repeat(1000),
        };
        transcripts.apply(&Arc::new(Record { seq: 1, at: Micros(0), event: Event::ResultEdited(edited) }));
        assert_eq!(transcripts.text(&[TurnId { attempt: AttemptId(1), turn: 1 }], Channel::Answer).len(), 1000);
        for _ in 0..3 {
            say(&mut transcripts, 2, &"y".repeat(1000));
        }
        assert_eq!(transcripts.gone(AttemptId(1)), 1);
    }

    #[test]
    fn the_end_of_a_text_is_had_without_the_rest_of_it() {
        let mut transcripts = Transcripts::default();
        ["one ", "two é", " three"].iter().for_each(|piece| say(&mut transcripts, 1, piece));
        let turn = TurnId { attempt: AttemptId(1), turn: 1 };
        let end = |most| transcripts.text_end(&[turn], Channel::Answer, most);
        assert_eq!(end(100), ("one two é three".to_owned(), 0));
        assert_eq!(end(16), ("one two é three".to_owned(), 0));
        assert_eq!(end(7), (" three".to_owned(), 10), "letters stay whole");
        assert_eq!(end(0), (String::new(), 16));
    }

    #[test]
    fn much_text_stays_within_the_limit() {
        let mut transcripts = Transcripts::with_limit(HOT / 16);
        for attempt in 0..2_000 {
            for _ in 0..50 {
                say(&mut transcripts, attempt, "twenty bytes of text");
            }
            end(&mut transcripts, attempt);
        }
        assert!(transcripts.bytes <= HOT / 16, "{}", transcripts.bytes);
        let kept: usize = transcripts.texts.values().map(|k| k.pieces.len()).sum();
        assert!(transcripts.bytes >= kept * RECORD);
    }
}
