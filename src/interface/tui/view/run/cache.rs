//! Clean text of the attempts that are on the screen, in runs of one kind, rendered where it is looked at.
//!
//! Not here: raw text (`Transcripts`). Only what is shown is kept: what was not drawn for a while goes, so memory does
//! not grow with the session. A long text is read in slices, a slice a frame.

use std::collections::BTreeMap;

use crate::domain::protocol::{AttemptId, Channel};
use crate::domain::text::document::{Document, Form};
use crate::domain::text::{CleanText, Hits};
use crate::interface::tui::scene::Transcripts;

/// Attempts kept that were not drawn lately: enough to go back and forth between a few without rendering again.
const SPARE: usize = 12;
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
#[derive(Debug, Default)]
pub struct RunCaches {
    texts: BTreeMap<AttemptId, AttemptText>,
    frame: u64,
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
    use super::*;

    #[test]
    fn calls_are_named_and_laid_out_and_half_a_call_stays() {
        let (names, told) = calls(r#"{"id":"a","name":"read","arguments":{"path":"x"}}{"id":"b","name":"ru"#);
        assert_eq!(names, "read");
        assert_eq!(told, "{\n  \"path\": \"x\"\n}\n{\"id\":\"b\",\"name\":\"ru");
        assert_eq!(calls(r#"{"name":"f","arguments":"{\"ci"}"#), ("f".to_owned(), "{\"ci\n".to_owned()));
    }
}
