//! Attempts and turns as they stand: counts and references, no text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{EndpointIx, State, TaskIx};
use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{
    AgentName, AttemptEnd, AttemptId, Author, Channel, Level, Micros, Recipe, Record, Route, TurnEnd, TurnId, Usage,
};

/// How much text of one channel there is, and where the journal has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelCount {
    /// Raw bytes.
    pub bytes: u64,
    /// Tokens (stream events).
    pub tokens: u64,
    /// The first record with text of it; 0 when there is none.
    pub first_seq: u64,
    /// The last record with text of it.
    pub last_seq: u64,
}

impl ChannelCount {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    fn with(self, other: Self) -> Self {
        let first = [self.first_seq, other.first_seq].into_iter().filter(|seq| *seq > 0).min();
        Self {
            bytes: self.bytes + other.bytes,
            tokens: self.tokens + other.tokens,
            first_seq: first.unwrap_or(0),
            last_seq: self.last_seq.max(other.last_seq),
        }
    }
}

/// A model request as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Its slot in the endpoint's pool, from 0.
    pub slot: u16,
    /// The level it runs with.
    pub level: Level,
    /// The most tokens it may answer.
    pub max_tokens: u32,
    /// What it is asked.
    pub recipe: Recipe,
    /// When it was sent.
    pub started_at: Micros,
    /// When the first token came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_at: Option<Micros>,
    /// Prompt tokens read and in all, while the server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<(u64, u64)>,
    /// When and how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Micros, TurnEnd)>,
    /// Tokens and times.
    pub usage: Usage,
    /// Digest of the prompt as sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt_digest: String,
    /// Thinking.
    #[serde(default, skip_serializing_if = "ChannelCount::is_none")]
    pub thinking: ChannelCount,
    /// Answer.
    #[serde(default, skip_serializing_if = "ChannelCount::is_none")]
    pub answer: ChannelCount,
    /// Tool calls.
    #[serde(default, skip_serializing_if = "ChannelCount::is_none")]
    pub tool_calls: ChannelCount,
    /// The record before which all that it answered was thinking; none: it never turned over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rethought: Option<u64>,
    /// When the server last gave a sign of work: it was sent, read on, or said something.
    pub heard_at: Micros,
    /// Its answer is a question to the operator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// The turn whose answer was cut and that this one continues; what both answered, joined, is one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<TurnId>,
}

impl Turn {
    /// The count of one channel.
    pub fn channel(&self, channel: Channel) -> &ChannelCount {
        match channel {
            Channel::Thinking => &self.thinking,
            Channel::Answer => &self.answer,
            Channel::ToolCall => &self.tool_calls,
        }
    }

    pub(super) fn channel_mut(&mut self, channel: Channel) -> &mut ChannelCount {
        match channel {
            Channel::Thinking => &mut self.thinking,
            Channel::Answer => &mut self.answer,
            Channel::ToolCall => &mut self.tool_calls,
        }
    }

    /// All that it answered before record `seq` was thinking.
    pub(super) fn turn_over(&mut self, seq: u64) {
        self.thinking = self.thinking.with(std::mem::take(&mut self.answer));
        self.rethought = Some(seq);
    }

    /// Tokens generated so far: the server's figure once it told, else counted.
    pub fn output_tokens(&self) -> u64 {
        let counted = self.thinking.tokens + self.answer.tokens + self.tool_calls.tokens;
        if self.usage.output_tokens > 0 { self.usage.output_tokens } else { counted }
    }
}

/// A result that an attempt was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The task that was needed.
    pub task: TaskIx,
    /// The attempt whose answer it gave; none: it gave none.
    pub result: Option<AttemptId>,
}

/// One try of a task on one endpoint, or a text put in its place by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Of which task.
    pub task: TaskIx,
    /// The task's version it runs.
    pub version: u32,
    /// The task's form of that version.
    pub spec: Arc<TaskSpec>,
    /// What it took in, sorted by task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    /// Who put its text in by hand; none: a model wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Author>,
    /// The agent.
    pub agent: AgentName,
    /// Where.
    pub endpoint: EndpointIx,
    /// By which of the agent's tiers.
    pub route: Route,
    /// When it began.
    pub started_at: Micros,
    /// When and how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Micros, AttemptEnd)>,
    /// Its turns, oldest first.
    pub turns: Vec<Turn>,
    /// Tokens a second over the last seconds (smoothed), 0 while nothing came.
    pub rate: f32,
    /// When the last text came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_output_at: Option<Micros>,
}

impl Attempt {
    /// The turn under way or the last one.
    pub fn turn(&self) -> Option<&Turn> {
        self.turns.last()
    }

    /// The id of the turn under way or the last one.
    pub fn turn_id(&self) -> TurnId {
        TurnId { attempt: self.id, turn: self.turns.len() as u32 }
    }

    /// How long it took, or has taken at `now`.
    pub fn elapsed(&self, now: Micros) -> Micros {
        self.ended.as_ref().map_or(now, |(at, _)| *at).since(self.started_at)
    }

    /// The time its turns took, up to `now`: the time between them is not work.
    pub fn worked(&self, now: Micros) -> Micros {
        // What a turn waited in its server's queue was no work, where the server tells of it.
        let turn = |t: &Turn| {
            let time = t.ended.as_ref().map_or(now, |(at, _)| *at).since(t.started_at).0;
            time.saturating_sub(t.usage.queue_us)
        };
        Micros(self.turns.iter().map(turn).sum())
    }

    /// Tokens generated, all turns.
    pub fn output_tokens(&self) -> u64 {
        self.turns.iter().map(Turn::output_tokens).sum()
    }

    /// The part of the endpoint's context in use, 0..=1, as far as known; `context` in tokens.
    pub fn context_share(&self, context: u32) -> Option<f32> {
        let turn = self.turn()?;
        let prompt = if turn.usage.prompt_tokens > 0 { turn.usage.prompt_tokens } else { turn.prompt.map(|p| p.1)? };
        (context > 0).then(|| (prompt + turn.output_tokens()) as f32 / context as f32)
    }
}

impl State {
    /// The text that a record adds to an attempt, as [`Record::said`], with the channel it has as far as this state knows:
    /// an answer that turned out to be thinking is thinking.
    pub fn text_in<'a>(&self, record: &'a Record) -> Option<(TurnId, Channel, &'a str)> {
        let (turn, channel, text) = record.said()?;
        let number = (turn.turn as usize).checked_sub(1);
        let known = number.and_then(|n| self.attempt(turn.attempt)?.turns.get(n)).and_then(|t| t.rethought);
        Some((turn, channel.known(record.seq, known), text))
    }
}
