//! [`Rethought`]: which answers turned out to be thinking, up to which record.
//!
//! A server whose template opens the tag of thinking itself sends thinking as the answer, until the closing tag comes.
//! The records say what came, when it came; what a text is follows from all records up to the moment that is asked
//! about. Everything that reads text by channel asks here, or a state that was told the same
//! ([`crate::domain::state::State::text_in`]). Invariant: of records taken in any order, what was said before the last
//! turnover of its turn is thinking, and nothing else changes its channel.

use std::collections::BTreeMap;

use crate::domain::protocol::{AttemptId, Channel, Event, Record, TurnId};

/// The turnovers that are known: one place a turn that had one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rethought {
    turns: BTreeMap<TurnId, u64>,
}

impl Rethought {
    /// Takes a record in; most say nothing of it.
    pub fn take(&mut self, record: &Record) {
        if let Event::TurnRethought { turn } = record.event {
            self.add(turn, record.seq);
        }
    }

    /// What this turn answered before record `seq` was thinking.
    pub fn add(&mut self, turn: TurnId, seq: u64) {
        let last = self.turns.entry(turn).or_default();
        *last = seq.max(*last);
    }

    /// The text that a record adds to an attempt, as [`Record::said`], with the channel it has as far as is known here.
    pub fn said<'a>(&self, record: &'a Record) -> Option<(TurnId, Channel, &'a str)> {
        let (turn, channel, text) = record.said()?;
        // Nearly always there is none, and nothing is looked up.
        let until = self.turns.get(&turn).copied();
        Some((turn, channel.known(record.seq, until), text))
    }

    /// The record with the last turnover of an attempt; none: it had none.
    pub fn last_of(&self, attempt: AttemptId) -> Option<u64> {
        let turns = TurnId { attempt, turn: 0 }..=TurnId { attempt, turn: u32::MAX };
        self.turns.range(turns).map(|(_, seq)| *seq).max()
    }
}

impl Channel {
    /// What text of this channel is that came with record `seq`, when all that its turn answered before record `until`
    /// was thinking.
    pub fn known(self, seq: u64, until: Option<u64>) -> Self {
        match (self, until) {
            (Self::Answer, Some(until)) if seq < until => Self::Thinking,
            (channel, _) => channel,
        }
    }
}
