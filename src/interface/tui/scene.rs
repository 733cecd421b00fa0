//! What a view draws from, and what the console keeps of the session's text.

use std::collections::HashMap;
use std::sync::Arc;

use super::model::Ui;
use super::theme::Theme;
use crate::domain::protocol::{AttemptId, Channel, Event, Micros, Record};
use crate::domain::state::State;

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

/// The raw text of attempts, as records: shared with the journal's writer, never copied.
///
/// Views make clean text of what they show and cache that (`Caches`).
#[derive(Default)]
pub struct Transcripts {
    pieces: HashMap<AttemptId, Vec<Arc<Record>>>,
}

impl Transcripts {
    /// Takes in a record; only `attempt.output` is kept.
    pub fn apply(&mut self, record: &Arc<Record>) {
        if let Event::AttemptOutput(output) = &record.event {
            self.pieces.entry(output.turn.attempt).or_default().push(Arc::clone(record));
        }
    }

    /// The pieces of an attempt in order, from the `from`-th on.
    pub fn pieces(&self, attempt: AttemptId, from: usize) -> impl Iterator<Item = (Channel, &str)> + '_ {
        self.pieces.get(&attempt).into_iter().flat_map(move |p| p.iter().skip(from)).filter_map(|r| match &r.event {
            Event::AttemptOutput(output) => Some((output.channel, output.text.as_str())),
            _ => None,
        })
    }

    /// How many pieces an attempt has.
    pub fn count(&self, attempt: AttemptId) -> usize {
        self.pieces.get(&attempt).map_or(0, Vec::len)
    }

    /// The whole raw text of one channel of an attempt.
    pub fn text(&self, attempt: AttemptId, channel: Channel) -> String {
        self.pieces(attempt, 0).filter(|(c, _)| *c == channel).map(|(_, t)| t).collect()
    }
}
