//! Attempts and their steps as they stand: counts and references, no text.
//!
//! An attempt is somebody's work in steps: a model's turns, or a text that a person put in. Not here: what an attempt does
//! next ([`super::talk`]), which of its steps are its result ([`super::cut`]). Invariants: steps are numbered from 1 within
//! their attempt and keep their numbers; only a model's attempt has an endpoint, and only it has turns.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{EndpointIx, EndpointState, State, TaskIx};
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

/// Who works on an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doer {
    /// A model.
    Model {
        /// Where it is served.
        endpoint: EndpointIx,
        /// By which of the agent's tiers it was found.
        route: Route,
    },
    /// A person, by hand.
    Person(Author),
}

/// One step of an attempt.
#[expect(clippy::large_enum_variant, reason = "nearly every step is a turn; a box each would be an allocation a task")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A model request.
    Turn(Turn),
    /// A text that was put in by hand, whole; its count has no tokens.
    Text(ChannelCount),
}

impl Step {
    /// The model request, where the step is one.
    pub fn turn(&self) -> Option<&Turn> {
        match self {
            Self::Turn(turn) => Some(turn),
            Self::Text(_) => None,
        }
    }

    /// The count of one channel. A text put in by hand stands for an answer.
    pub fn channel(&self, channel: Channel) -> ChannelCount {
        match self {
            Self::Turn(turn) => *turn.channel(channel),
            Self::Text(count) if channel == Channel::Answer => *count,
            Self::Text(_) => ChannelCount::default(),
        }
    }

    /// The counts of all channels.
    pub fn channels(&self) -> [ChannelCount; 3] {
        [Channel::Thinking, Channel::Answer, Channel::ToolCall].map(|channel| self.channel(channel))
    }
}

/// One try of a task by one agent on one endpoint, or a text put in its place by hand.
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
    /// The agent.
    pub agent: AgentName,
    /// Who does it.
    pub doer: Doer,
    /// When it began.
    pub started_at: Micros,
    /// When and how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Micros, AttemptEnd)>,
    /// Its steps, oldest first.
    pub steps: Vec<Step>,
    /// Tokens a second over the last seconds (smoothed), 0 while nothing came.
    pub rate: f32,
    /// When the last text came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_output_at: Option<Micros>,
}

impl Attempt {
    /// Where its model is served; none: no model does it.
    pub fn endpoint(&self) -> Option<EndpointIx> {
        match self.doer {
            Doer::Model { endpoint, .. } => Some(endpoint),
            Doer::Person(_) => None,
        }
    }

    /// By which of the agent's tiers its endpoint was found; none: no model does it.
    pub fn route(&self) -> Option<Route> {
        match self.doer {
            Doer::Model { route, .. } => Some(route),
            Doer::Person(_) => None,
        }
    }

    /// Who put its text in by hand; none: a model does it.
    pub fn by_hand(&self) -> Option<&Author> {
        match &self.doer {
            Doer::Model { .. } => None,
            Doer::Person(author) => Some(author),
        }
    }

    /// Whether a model does it.
    pub fn is_model(&self) -> bool {
        matches!(self.doer, Doer::Model { .. })
    }

    /// A step by its number, from 1.
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get((number as usize).checked_sub(1)?)
    }

    /// Its steps with their ids, oldest first.
    pub fn numbered_steps(&self) -> impl DoubleEndedIterator<Item = (TurnId, &Step)> + ExactSizeIterator {
        let attempt = self.id;
        self.steps.iter().enumerate().map(move |(i, step)| (TurnId { attempt, turn: i as u32 + 1 }, step))
    }

    /// Its model requests, oldest first.
    pub fn turns(&self) -> impl DoubleEndedIterator<Item = &Turn> {
        self.steps.iter().filter_map(Step::turn)
    }

    /// The last step, where it is a turn: the one under way, or the one that ended last.
    pub fn turn(&self) -> Option<&Turn> {
        self.steps.last().and_then(Step::turn)
    }

    /// The id of the last step.
    pub fn turn_id(&self) -> TurnId {
        TurnId { attempt: self.id, turn: self.steps.len() as u32 }
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
        Micros(self.turns().map(turn).sum())
    }

    /// Tokens generated, all turns.
    pub fn output_tokens(&self) -> u64 {
        self.turns().map(Turn::output_tokens).sum()
    }

    /// The part of the endpoint's context in use, 0..=1, as far as known; `context` in tokens.
    pub fn context_share(&self, context: u32) -> Option<f32> {
        let turn = self.turn()?;
        let prompt = if turn.usage.prompt_tokens > 0 { turn.usage.prompt_tokens } else { turn.prompt.map(|p| p.1)? };
        (context > 0).then(|| (prompt + turn.output_tokens()) as f32 / context as f32)
    }
}

impl State {
    /// The endpoint of an attempt; none: no model does it.
    pub fn place_of(&self, attempt: &Attempt) -> Option<&EndpointState> {
        attempt.endpoint().map(|ix| self.endpoint(ix))
    }

    /// The attempts that models did, oldest first, with where.
    pub fn by_models(&self) -> impl Iterator<Item = (&Attempt, EndpointIx)> {
        self.attempts.iter().filter_map(|a| Some((a, a.endpoint()?)))
    }

    /// The text that a record adds to an attempt, as [`Record::said`], with the channel it has as far as this state knows:
    /// an answer that turned out to be thinking is thinking.
    pub fn text_in<'a>(&self, record: &'a Record) -> Option<(TurnId, Channel, &'a str)> {
        let (turn, channel, text) = record.said()?;
        let known = self.turn(turn).and_then(|t| t.rethought);
        Some((turn, channel.known(record.seq, known), text))
    }
}
