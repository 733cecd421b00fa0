//! Clean, rendered text of the attempts that are on the screen.
//!
//! Not here: raw text (`Transcripts`). Only what is shown is kept: what was not drawn for a while goes, so memory does
//! not grow with the session.

use std::collections::BTreeMap;

use crate::domain::protocol::{AttemptId, Channel};
use crate::interface::tui::scene::Transcripts;
use crate::interface::tui::widget::flow::{Answer, Thoughts};

/// Attempts kept that were not drawn lately: enough to go back and forth between a few without rendering again.
const SPARE: usize = 12;

/// How an attempt's text begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With its first piece.
    #[default]
    Whole,
    /// Somewhere later: what came before is in the journal only.
    Cut,
}

/// The text of one attempt.
#[derive(Clone, Debug, Default)]
pub struct AttemptText {
    pieces: usize,
    /// Whether its beginning was no longer at hand when it was first shown.
    pub start: Start,
    /// What it thought.
    pub thoughts: Thoughts,
    /// What it answered.
    pub answer: Answer,
    /// Which came last.
    pub last: Option<Channel>,
    drawn: u64,
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

    /// An attempt's text, with the pieces that came since.
    pub fn text(&mut self, attempt: AttemptId, transcripts: &Transcripts) -> &mut AttemptText {
        let text = self.texts.entry(attempt).or_default();
        text.drawn = self.frame;
        let gone = transcripts.gone(attempt);
        if text.pieces < gone {
            text.pieces = gone;
            text.start = Start::Cut;
        }
        for (channel, piece) in transcripts.pieces(attempt, text.pieces) {
            match channel {
                Channel::Thinking => text.thoughts.push(piece),
                Channel::Answer => text.answer.push(piece),
                Channel::ToolCall => {}
            }
            text.last = Some(channel);
            text.pieces += 1;
        }
        text
    }

    /// How many texts are kept.
    pub fn kept(&self) -> usize {
        self.texts.len()
    }
}
