//! Answers that were cut at a limit: what continues what, which turns are a result, and what is to be done about a cut.
//!
//! Not here: how it is done (the orchestrator's `cut`), how it is said to a model (its prompts). Invariants: whatever
//! shows, copies, counts or passes on a result asks [`State::result_turns`]; what becomes of a cut follows from the state
//! alone, so that a session taken up in between does the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Attempt, End, Life, State, Step, Task, TaskIx, Turn};
use crate::domain::fleet::OnCut;
use crate::domain::protocol::{AttemptEnd, AttemptId, Author, Channel, Partial, TurnEnd, TurnId, Work};

/// Tokens that must be left in a context for a continuation: its request has some thirty of its own, chat templates and
/// counting errors take as many again, and fewer than a hundred of answer would only be cut again.
const ROOM: u64 = 256;
/// Tokens of those that are not for the answer.
const FRAME: u64 = 64;

/// What cut an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutBy {
    /// The most tokens it was allowed.
    Limit,
    /// The context was full.
    Context,
    /// Its server, before either: it has a limit of its own.
    Server,
    /// Baton: it was far beyond what it was allowed.
    Overrun,
}

/// Where a result was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CutAt {
    /// The tokens its turns were allowed, those of the context, or as many as came.
    pub tokens: u64,
    /// By what.
    pub by: CutBy,
}

impl fmt::Display for CutAt {
    /// "cut at 100 tokens", "cut by the context of 4096 tokens".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            CutBy::Limit => write!(f, "cut at {} tokens", self.tokens),
            CutBy::Context => write!(f, "cut by the context of {} tokens", self.tokens),
            CutBy::Server => write!(f, "cut by its server at {} tokens", self.tokens),
            CutBy::Overrun => write!(f, "ended after {} tokens, far beyond its limit", self.tokens),
        }
    }
}

/// What is to be done after a turn that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCut {
    /// Nothing: it stays as it is.
    Keep,
    /// Its model continues in a next turn.
    GoOn,
    /// It is asked anew with so many tokens.
    Larger(u32),
    /// The operator says which.
    Ask {
        /// Whether the context has room to go on.
        can_go_on: bool,
        /// With how many tokens it can be asked anew; none: the context has no room for more.
        larger: Option<u32>,
    },
}

impl Turn {
    /// Whether it is an answer that was cut at its limit.
    pub fn is_cut(&self) -> bool {
        matches!(self.ended, Some((_, TurnEnd::Length))) && !self.asked && self.answer.bytes > 0
    }

    /// Whether it said far more than it was allowed: no honest server lets it, and Baton hung up.
    fn overran(&self) -> bool {
        self.output_tokens() > u64::from(self.max_tokens) * 2
    }

    /// Tokens of its prompt, as far as they are known.
    pub(super) fn prompt_tokens(&self) -> u64 {
        if self.usage.prompt_tokens > 0 { self.usage.prompt_tokens } else { self.prompt.map_or(0, |(_, total)| total) }
    }

    /// Whether what it answered belongs to a result: what a failed continuation said is no part of the answer it was to
    /// complete.
    fn tells(&self) -> bool {
        let broke = matches!(self.ended, Some((_, TurnEnd::Failed(_)))) && self.continues.is_some();
        self.answer.bytes > 0 && !broke
    }
}

impl State {
    /// A turn by id.
    pub fn turn(&self, id: TurnId) -> Option<&Turn> {
        self.step(id)?.turn()
    }

    /// A step by id.
    pub fn step(&self, id: TurnId) -> Option<&Step> {
        self.attempt(id.attempt)?.step(id.turn)
    }

    /// The turns whose answers, joined as they are, are the result of an attempt, oldest first: the last one that answered
    /// with more than a question, and what it continues. They may be turns of earlier attempts.
    pub fn result_turns(&self, attempt: &Attempt) -> Vec<TurnId> {
        let is_last = |step: &Step| match step {
            Step::Turn(t) => !t.asked && (t.tells() || t.continues.is_some()),
            Step::Text(_) => true,
        };
        let mut next = attempt.numbered_steps().rfind(|(_, step)| is_last(step)).map(|(id, _)| id);
        let mut turns = Vec::with_capacity(1);
        while let Some((id, step)) = next.and_then(|id| Some((id, self.step(id)?))) {
            if step.turn().is_none_or(Turn::tells) {
                turns.push(id);
            }
            // A turn continues an earlier one, so this ends; a record from elsewhere that says otherwise ends it too.
            next = step.turn().and_then(|turn| turn.continues).filter(|before| *before < id);
        }
        turns.reverse();
        turns
    }

    /// The turns that are shown for one channel of an attempt: of the answer those of its result, else the last that said
    /// something there.
    pub fn turns_of(&self, attempt: &Attempt, channel: Channel) -> Vec<TurnId> {
        let result = if channel == Channel::Answer { self.result_turns(attempt) } else { Vec::new() };
        if !result.is_empty() {
            return result;
        }
        let last = attempt.numbered_steps().rfind(|(_, step)| step.channel(channel).bytes > 0);
        last.map(|(id, _)| id).into_iter().collect()
    }

    /// Bytes of an attempt's result.
    pub fn answer_bytes(&self, attempt: &Attempt) -> u64 {
        let answers = self.result_turns(attempt).into_iter().filter_map(|id| self.step(id));
        answers.map(|step| step.channel(Channel::Answer).bytes).sum()
    }

    /// Where the result of an attempt was cut; none: it is whole, or there is none.
    pub fn cut_in(&self, attempt: &Attempt) -> Option<CutAt> {
        let turns = self.result_turns(attempt);
        let last = *turns.last()?;
        let turn = self.turn(last).filter(|t| t.is_cut())?;
        let context = self.context_of(last.attempt);
        let said = || turns.iter().filter_map(|id| self.turn(*id)).map(Turn::output_tokens).sum();
        if turn.overran() {
            return Some(CutAt { tokens: said(), by: CutBy::Overrun });
        }
        if room_after(turn, context).is_none() {
            return Some(CutAt { tokens: context, by: CutBy::Context });
        }
        // Servers count a few more or less than they were allowed.
        let told = turn.usage.output_tokens;
        if told > 0 && told + 8 < u64::from(turn.max_tokens) {
            return Some(CutAt { tokens: said(), by: CutBy::Server });
        }
        let tokens = turns.iter().filter_map(|id| self.turn(*id)).map(|t| u64::from(t.max_tokens)).sum();
        Some(CutAt { tokens, by: CutBy::Limit })
    }

    /// Where the result of a task was cut; none: it is whole, was completed since, or there is none.
    pub fn cut_of(&self, task: &Task) -> Option<CutAt> {
        let usable = matches!(task.life, Life::Ended(End::Done | End::Cancelled(Partial::Kept) | End::Skipped));
        task.result.filter(|_| usable).and_then(|id| self.attempt(id)).and_then(|a| self.cut_in(a))
    }

    /// What becomes of an attempt whose last turn was cut; none: it was not.
    pub fn after_cut(&self, attempt: &Attempt) -> Option<AfterCut> {
        let turn = attempt.turn().filter(|t| t.is_cut())?;
        let task = self.task(attempt.task);
        let can_go_on = turn.continues.is_none()
            && !turn.overran()
            && task.work != Work::Planning
            && room_after(turn, self.context_of(attempt.id)).is_some();
        let larger = || self.larger(attempt);
        Some(match self.on_cut(task) {
            // What the operator wants of this one answer is no turn of its own accord.
            OnCut::GoOn if can_go_on && (task.cut_choice.is_some() || self.has_turns_left(task)) => AfterCut::GoOn,
            OnCut::RetryLarger => larger().map_or(AfterCut::Keep, AfterCut::Larger),
            OnCut::Ask if self.config.settings.questions && turn.continues.is_none() && task.limit.is_none() => {
                match larger() {
                    None if !can_go_on => AfterCut::Keep,
                    larger => AfterCut::Ask { can_go_on, larger },
                }
            }
            OnCut::GoOn | OnCut::Ask | OnCut::Keep => AfterCut::Keep,
        })
    }

    /// Whether a task may have another turn of its own accord: its chain of attempts had fewer than its budget says. What was
    /// interrupted or moved counts on; a failure, a retry or a word of a person begins a new chain.
    fn has_turns_left(&self, task: &Task) -> bool {
        let Some(most) = task.spec.budget.turns else { return true };
        let told =
            |id: TurnId| task.messages.iter().any(|m| m.turn == Some(id) && matches!(m.author, Author::Person(_)));
        let mut had = 0;
        for attempt in task.attempts.iter().rev().filter_map(|id| self.attempt(*id)) {
            if !matches!(attempt.ended, None | Some((_, AttemptEnd::Moved | AttemptEnd::Interrupted))) {
                break;
            }
            for (id, step) in attempt.numbered_steps().rev() {
                let end = step.turn().and_then(|turn| turn.ended.as_ref());
                had += u32::from(matches!(end, Some((_, TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls))));
                if told(id) {
                    return had < most;
                }
            }
        }
        had < most
    }

    /// What becomes of a task's answer when it is cut: what the operator said of this one, its form, the setting. Half a
    /// plan is no plan, so that of Baton's own planning is asked for anew. A session that asks no questions keeps it.
    pub fn on_cut(&self, task: &Task) -> OnCut {
        match task.work {
            Work::Planning => OnCut::RetryLarger,
            _ => task.cut_choice.or(task.spec.on_cut).unwrap_or(self.config.settings.on_cut),
        }
    }

    /// The larger limit with which what an attempt was asked can be asked anew; none: it was asked anew already, or the
    /// context has no room for a quarter more.
    pub fn larger(&self, attempt: &Attempt) -> Option<u32> {
        let turn = attempt.turn().filter(|_| self.task(attempt.task).limit.is_none())?;
        let (limit, context) = (u64::from(turn.max_tokens), self.context_of(attempt.id));
        let room = context.saturating_sub(turn.prompt_tokens() + ROOM).min(context * 3 / 4);
        let larger = (limit * 2).min(room);
        (larger >= limit + limit / 4).then(|| u32::try_from(larger).ok()).flatten()
    }

    /// The turn that the next one of a task continues, if it starts in an attempt of this version: the one before was cut,
    /// and nobody said anything since.
    pub fn to_continue(&self, ix: TaskIx, version: u32) -> Option<TurnId> {
        let task = self.task(ix);
        let before = *task.thread.last()?;
        let same = self.attempt(before.attempt).is_some_and(|a| a.version == version && a.is_model());
        let cut = self.turn(before).is_some_and(Turn::is_cut);
        (same && cut && task.work != Work::Planning && task.unsent().next().is_none()).then_some(before)
    }

    /// The most tokens that a continuation of a turn can have in a context of that size; none: there is no room.
    pub fn room_to_continue(&self, before: TurnId, context: u64) -> Option<u64> {
        self.turn(before).and_then(|turn| room_after(turn, context))
    }

    fn context_of(&self, attempt: AttemptId) -> u64 {
        let place = self.attempt(attempt).and_then(|a| self.place_of(a));
        place.map_or(0, |e| u64::from(e.context()))
    }
}

/// What a context has left for the answer after a turn's prompt, its answer and the request to continue. Its thinking is
/// not sent back.
fn room_after(turn: &Turn, context: u64) -> Option<u64> {
    let said = turn.output_tokens().saturating_sub(turn.thinking.tokens);
    let left = context.checked_sub(turn.prompt_tokens() + said).filter(|left| *left >= ROOM)?;
    Some(left - FRAME)
}
