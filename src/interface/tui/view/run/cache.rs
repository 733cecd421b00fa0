//! Clean text of the attempts that are on the screen, in runs of one kind, rendered where it is looked at.
//!
//! Not here: raw text (`Transcripts`). Only what is shown is kept: what was not drawn for a while goes, so memory does
//! not grow with the session; and of a text without end the newest [`MOST`] bytes are, so it does not grow with the
//! answer. A long text is read in slices, a slice a frame.

use std::collections::BTreeMap;

use crate::domain::protocol::{AttemptId, Channel};
use crate::domain::text::document::{Document, Form};
use crate::domain::text::{CleanText, Hits};
use crate::interface::tui::scene::Transcripts;

/// Attempts kept that were not drawn lately: enough to go back and forth between a few without rendering again.
const SPARE: usize = 12;
/// Bytes that all texts take together: as much as of the raw text is at hand, for what is gone there is read back from the
/// journal when somebody scrolls to it, and reads then the whole attempt.
const MOST: usize = 16 << 20;
/// Of the texts that take most a part is let go of at a time, so that this is not done in every frame.
const SHED: usize = 4;
/// Runs of one attempt whose places stay true when their text is gone. More than these are of a few words each (a model that
/// goes to and fro between thinking and answer), and the first of them go whole.
const RUNS: usize = 256;
/// Bytes read in one frame.
const SLICE: usize = 256 << 10;

/// A run of one kind of text.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which kind.
    pub channel: Channel,
    /// The text.
    pub text: Document,
    /// What is searched for, and where it was found.
    pub hits: Option<(String, Hits)>,
    /// The calls named, when these are calls; as of how many bytes.
    calls: (usize, String),
}

impl Part {
    fn new(channel: Channel) -> Self {
        let form = match channel {
            Channel::Answer => Form::Markdown,
            Channel::Thinking => Form::Plain,
            Channel::ToolCall => Form::Json,
        };
        Self { channel, text: Document::new(form), hits: None, calls: (0, String::new()) }
    }

    /// Lets go of about so many bytes at its beginning. Returns how many went.
    fn shed(&mut self, bytes: usize) -> usize {
        let gone = self.text.shed(bytes);
        if gone > 0 {
            // What is found counts from the text's beginning.
            self.hits = None;
        }
        gone
    }

    fn cost(&self) -> usize {
        size_of::<Self>() + self.text.cost()
    }

    /// The names of the tools called. The text then shows what they are given.
    pub fn calls(&mut self) -> &str {
        if self.calls.0 != self.text.clean().len() {
            let (names, told) = calls(self.text.clean());
            self.text.retell(Some(told));
            self.calls = (self.text.clean().len(), names);
        }
        &self.calls.1
    }
}

/// The text of one attempt.
#[derive(Clone, Debug, Default)]
pub struct AttemptText {
    pieces: usize,
    /// The last turnover that its runs know of.
    turned: Option<u64>,
    /// Bytes at its beginning that were no longer at hand when it was first shown.
    pub gone: u64,
    /// Its runs, in order.
    pub parts: Vec<Part>,
    /// How much of what there is was read, in percent; none: all.
    pub reading: Option<u8>,
    drawn: u64,
}

impl AttemptText {
    /// The channel of the last run.
    pub fn last(&self) -> Option<Channel> {
        self.parts.last().map(|part| part.channel)
    }

    /// Whether it has an answer yet.
    pub fn answers(&self) -> bool {
        self.parts.iter().any(|part| part.channel == Channel::Answer && !part.text.is_empty())
    }

    /// About the memory it takes, in bytes.
    fn cost(&self) -> usize {
        self.parts.iter().map(Part::cost).sum()
    }

    /// Lets go of about so many bytes at its beginning.
    fn shed(&mut self, bytes: usize) {
        let mut left = bytes;
        let many = self.parts.len().saturating_sub(RUNS);
        for part in self.parts.drain(..many) {
            left = left.saturating_sub(part.cost());
            self.gone += part.text.clean().len() as u64;
        }
        for part in &mut self.parts {
            if left == 0 {
                break;
            }
            let gone = part.shed(left);
            left -= gone.min(left);
            self.gone += gone as u64;
        }
    }

    fn push(&mut self, channel: Channel, piece: &str) {
        if self.last() != Some(channel) {
            self.parts.push(Part::new(channel));
        }
        if let Some(part) = self.parts.last_mut() {
            part.text.push(piece);
        }
    }
}

/// The texts by attempt.
#[derive(Debug)]
pub struct RunCaches {
    texts: BTreeMap<AttemptId, AttemptText>,
    frame: u64,
    most: usize,
}

impl Default for RunCaches {
    fn default() -> Self {
        Self { texts: BTreeMap::new(), frame: 0, most: MOST }
    }
}

impl RunCaches {
    /// A new frame begins; what was not drawn for long goes.
    pub fn begin(&mut self) {
        self.frame += 1;
        let current = self.frame;
        let old = |t: &AttemptText| t.drawn + 1 < current;
        while self.texts.values().filter(|t| old(t)).count() > SPARE {
            let Some(id) = self.texts.iter().filter(|(_, t)| old(t)).min_by_key(|(_, t)| t.drawn).map(|(id, _)| *id)
            else {
                return;
            };
            self.texts.remove(&id);
        }
        self.make_room();
    }

    /// Keeps all texts within the bound: those that were not drawn lately go first, then the beginning of the longest.
    fn make_room(&mut self) {
        let mut costs: Vec<(usize, AttemptId)> = self.texts.iter().map(|(id, text)| (text.cost(), *id)).collect();
        let mut all: usize = costs.iter().map(|(cost, _)| cost).sum();
        if all <= self.most {
            return;
        }
        let frame = self.frame;
        costs.sort_unstable_by_key(|(cost, id)| {
            let drawn = self.texts.get(id).is_some_and(|text| text.drawn + 1 >= frame);
            (drawn, std::cmp::Reverse(*cost))
        });
        for (cost, id) in costs {
            if all <= self.most {
                return;
            }
            let Some(text) = self.texts.get_mut(&id) else { continue };
            if text.drawn + 1 < frame {
                self.texts.remove(&id);
                all -= cost;
            } else {
                text.shed((cost / SHED).max(all - self.most));
                all = all.saturating_sub(cost - text.cost().min(cost));
            }
        }
    }

    /// About the memory that the texts take, in bytes.
    #[cfg(test)]
    pub fn cost(&self) -> usize {
        self.texts.values().map(AttemptText::cost).sum()
    }

    /// An attempt's text, with the pieces that came since: as many as a frame has time for.
    pub fn text(&mut self, attempt: AttemptId, transcripts: &Transcripts) -> &mut AttemptText {
        let text = self.texts.entry(attempt).or_default();
        if text.turned != transcripts.turned(attempt) {
            // What was an answer is thinking now.
            *text = AttemptText { turned: transcripts.turned(attempt), ..AttemptText::default() };
        }
        text.drawn = self.frame;
        let gone = transcripts.gone(attempt);
        if text.pieces < gone {
            text.pieces = gone;
            text.gone = transcripts.gone_bytes(attempt);
        }
        let mut left = SLICE;
        for (channel, piece) in transcripts.pieces(attempt, text.pieces) {
            text.push(channel, piece);
            text.pieces += 1;
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
        let count = transcripts.count(attempt);
        text.reading =
            (text.pieces < count).then(|| (text.pieces.saturating_sub(gone) * 100 / (count - gone).max(1)) as u8);
        text
    }

    /// An attempt's text is read anew: more of it is at hand.
    pub fn forget(&mut self, attempt: AttemptId) {
        self.texts.remove(&attempt);
    }

    /// An attempt's text as it was last drawn.
    pub fn drawn(&mut self, attempt: AttemptId) -> Option<&mut AttemptText> {
        self.texts.get_mut(&attempt)
    }

    /// How many texts are kept.
    pub fn kept(&self) -> usize {
        self.texts.len()
    }
}

/// The names of the calls in a text of JSON values, and what they are given, laid out. What is not whole yet, or no
/// JSON, stays as it came.
fn calls(clean: &str) -> (String, String) {
    let mut names = Vec::new();
    let mut told = String::new();
    let mut values = serde_json::Deserializer::from_str(clean).into_iter::<serde_json::Value>();
    while let Some(Ok(call)) = values.next() {
        let name = call.get("name").and_then(|name| name.as_str()).unwrap_or("a call without a name");
        names.push(CleanText::one_line(name).to_string());
        let given = call.get("arguments").unwrap_or(&call);
        // What a model was not able to close is shown as it wrote it.
        let text =
            given.as_str().map_or_else(|| serde_json::to_string_pretty(given).unwrap_or_default(), str::to_owned);
        told.push_str(&CleanText::new(&text));
        told.push('\n');
    }
    told.push_str(clean.get(values.byte_offset()..).unwrap_or_default().trim_start());
    (names.join(", "), told)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::protocol::{AttemptOutput, Event, Micros, Record, TurnId};

    fn say(transcripts: &mut Transcripts, seq: u64, attempt: u64, channel: Channel, text: &str, tokens: u32) {
        let turn = TurnId { attempt: AttemptId(attempt), turn: 1 };
        let output = AttemptOutput { turn, channel, text: text.to_owned(), tokens };
        transcripts.apply(&Arc::new(Record { seq, at: Micros(seq), event: Event::AttemptOutput(output) }));
    }

    #[test]
    fn a_text_of_many_times_the_bound_keeps_to_it_and_its_end_is_what_stays() {
        let most = 512 << 10;
        let mut transcripts = Transcripts::default();
        for channel in [Channel::Answer, Channel::Thinking] {
            let mut caches = RunCaches { most, ..RunCaches::default() };
            let attempt = AttemptId(channel as u64);
            let piece = "word ".repeat(10_000);
            for seq in 1..=60 {
                say(&mut transcripts, seq, attempt.0, channel, &piece, 10_000);
                caches.begin();
                assert!(caches.cost() <= most, "{}", caches.cost());
                caches.text(attempt, &transcripts).parts.iter_mut().for_each(|part| part.text.update(80));
            }
            let text = caches.text(attempt, &transcripts);
            let part = &text.parts[0].text;
            assert_eq!(part.end(), 60 * piece.len());
            assert_eq!(text.gone as usize + part.clean().len(), part.end(), "what is gone is told");
            assert!(part.source().ends_with("word word "));
        }
    }

    #[test]
    fn an_answer_that_goes_to_and_fro_with_thinking_is_bounded_too() {
        let texts = [(Channel::Answer, "an answer\n\n"), (Channel::Thinking, "no, wait\n\n")];
        let (mut caches, transcripts) = (RunCaches::default(), Transcripts::default());
        let mut text = AttemptText::default();
        for (channel, piece) in texts.iter().cycle().take(10_000) {
            text.push(*channel, piece);
        }
        let before = text.cost();
        text.shed(before / 2);
        assert!(text.cost() <= before * 6 / 10, "{} of {before}", text.cost());
        text.shed(usize::MAX);
        assert_eq!(text.parts.len(), RUNS);
        assert!(caches.text(AttemptId(1), &transcripts).parts.is_empty());
    }

    #[test]
    fn texts_that_were_not_drawn_lately_go_before_any_is_shortened() {
        let piece = "words of it\n".repeat(100_000);
        let (mut caches, mut transcripts) = (RunCaches::default(), Transcripts::with_limit(usize::MAX));
        for attempt in 1..=20 {
            say(&mut transcripts, attempt, attempt, Channel::Answer, &piece, 1);
        }
        for attempt in 1..=20 {
            caches.begin();
            caches.text(AttemptId(attempt), &transcripts);
            caches.text(AttemptId(1), &transcripts);
        }
        caches.begin();
        assert!(caches.cost() <= MOST, "{}", caches.cost());
        assert_eq!(caches.text(AttemptId(1), &transcripts).gone, 0);
        assert_eq!(caches.text(AttemptId(20), &transcripts).gone, 0);
    }

    #[test]
    fn calls_are_named_and_laid_out_and_half_a_call_stays() {
        let (names, told) = calls(r#"{"id":"a","name":"read","arguments":{"path":"x"}}{"id":"b","name":"ru"#);
        assert_eq!(names, "read");
        assert_eq!(told, "{\n  \"path\": \"x\"\n}\n{\"id\":\"b\",\"name\":\"ru");
        assert_eq!(calls(r#"{"name":"f","arguments":"{\"ci"}"#), ("f".to_owned(), "{\"ci\n".to_owned()));
    }
}
