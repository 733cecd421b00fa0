//! What becomes of turns: output, ends, and what they say of their tasks. Failures: [`super::failures`].

use super::Orchestrator;
use crate::domain::protocol::{
    AskedAbout, AttemptEnd, AttemptOutput, Channel, Event, Failure, FailureKind, Remedy, SlotAfter, Subject, TaskAsked,
    TurnEnd, TurnEnded, TurnId, Usage,
};
use crate::domain::state::{Attempt, PermitPhase, TaskIx};
use crate::domain::text::CleanText;

impl Orchestrator {
    /// The task of a turn that is under way; counts the input as late when there is none.
    pub(super) fn live(&mut self, turn: TurnId) -> Option<TaskIx> {
        let live = self
            .state
            .attempt(turn.attempt)
            .filter(|a| a.ended.is_none() && a.turn_id() == turn && a.turn().is_some_and(|t| t.ended.is_none()))
            .map(|a| a.task);
        if live.is_none() {
            self.late();
        }
        live
    }

    pub(super) fn output(&mut self, turn: TurnId, channel: Channel, text: String, tokens: u32) {
        if let Some(ix) = self.live(turn) {
            self.emit(Event::AttemptOutput(AttemptOutput { turn, channel, text, tokens }));
            self.heard(ix, turn);
            self.worked(turn);
        }
    }

    pub(super) fn progress(&mut self, turn: TurnId, processed: u64, total: u64) {
        if let Some(ix) = self.live(turn) {
            self.emit(Event::TurnProgressed { turn, processed, total });
            self.heard(ix, turn);
            self.worked(turn);
        }
    }

    /// What a turn answered so far was thinking; where it answered nothing, nothing is turned over.
    pub(super) fn rethought(&mut self, turn: TurnId) {
        if self.live(turn).is_some()
            && self.state.attempt(turn.attempt).and_then(|a| a.turn()).is_some_and(|t| t.answer.bytes > 0)
        {
            self.emit(Event::TurnRethought { turn });
        }
    }

    /// What a turn's sign of work, or its end, says of its endpoint.
    fn worked(&mut self, turn: TurnId) {
        if let Some(endpoint) = self.state.attempt(turn.attempt).and_then(Attempt::endpoint) {
            self.look_at_capacity(endpoint);
        }
    }

    pub(super) fn slot_freed(&mut self, turn: TurnId) {
        let draining = self
            .state
            .attempt(turn.attempt)
            .and_then(|a| self.state.place_of(a))
            .map(|e| self.state.pool(e.pool))
            .is_some_and(|p| p.permits.iter().any(|p| p.phase == PermitPhase::Draining(turn)));
        if draining {
            self.emit(Event::SlotFreed { turn });
        } else {
            self.late();
        }
    }

    pub(super) fn turn_ended(
        &mut self,
        turn: TurnId,
        end: TurnEnd,
        usage: Usage,
        slot: SlotAfter,
        prompt_digest: String,
        answer: Option<&str>,
    ) {
        let Some(ix) = self.live(turn) else { return };
        let end = self.judge(turn, end);
        if slot == SlotAfter::Draining {
            self.stop_turn(turn);
        }
        let asks = match &end {
            TurnEnd::Stop => self.question_in(ix, answer.unwrap_or("")),
            _ => None,
        };
        if let Some((question, choices)) = asks.clone() {
            let task = self.state.task(ix).id.clone();
            self.emit(Event::TaskAsked(TaskAsked { task, turn, question, choices, about: AskedAbout::Work }));
        }
        self.emit(Event::TurnEnded(Box::new(TurnEnded { turn, end: end.clone(), slot, usage, prompt_digest })));
        self.worked(turn);
        match end {
            TurnEnd::Failed(failure) => {
                self.emit(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Failed(failure.clone()) });
                self.blame_endpoint(turn.attempt, &failure);
                self.after_failed(ix, &failure);
            }
            _ if asks.is_some() => {
                self.trusted(turn.attempt);
                self.tell_question(ix);
            }
            _ if self.goes_on(ix, turn.attempt) => self.trusted(turn.attempt),
            TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls | TurnEnd::Cancelled => {
                self.trusted(turn.attempt);
                self.conclude(ix, turn.attempt, answer.unwrap_or(""));
            }
        }
    }

    /// An answer without a word is a failure, whatever the server says of it.
    fn judge(&self, turn: TurnId, end: TurnEnd) -> TurnEnd {
        let Some(t) = self.state.attempt(turn.attempt).and_then(|a| a.turn()) else { return end };
        let said = t.answer.bytes + t.tool_calls.bytes;
        // What it continues is an answer: that nothing more came is no failure.
        if t.continues.is_some() {
            return end;
        }
        let message = match &end {
            TurnEnd::Stop | TurnEnd::ToolCalls if said == 0 => "the model ended without a word of answer",
            TurnEnd::Length if said == 0 => return TurnEnd::Failed(super::cut::all_thinking(t)),
            _ => return end,
        };
        TurnEnd::Failed(Failure::new(FailureKind::Empty, Remedy::RetryHere, CleanText::from(message)))
    }

    /// Ends a turn that is under way: its request is closed, and its slot drains until the server shows it free.
    pub(super) fn cut_turn(&mut self, turn: TurnId) {
        self.emit(Event::TurnEnded(Box::new(TurnEnded {
            turn,
            end: TurnEnd::Cancelled,
            slot: SlotAfter::Draining,
            usage: Usage::default(),
            prompt_digest: String::new(),
        })));
        self.stop_turn(turn);
    }

    /// Ends what runs of a task: its turn is cancelled and its slot drains until the server shows it free.
    pub(super) fn stop_attempt(&mut self, ix: TaskIx) {
        let Some(attempt) = self.state.last_attempt(self.state.task(ix)).filter(|a| a.ended.is_none()) else { return };
        let id = attempt.id;
        let turn = attempt.turn_id();
        if attempt.turn().is_some_and(|t| t.ended.is_none()) {
            self.cut_turn(turn);
        }
        self.emit(Event::AttemptEnded { attempt: id, end: AttemptEnd::Cancelled });
    }

    /// Raises attention unless the same is raised already.
    pub(super) fn emit_attention(&mut self, subject: Subject, text: CleanText) {
        if self.state.attention.get(&subject).is_none_or(|a| a.text != text) && !self.state.is_dismissed(&subject) {
            self.emit(Event::AttentionRaised { subject, text });
        }
    }

    /// Clears attention if it is raised, or was and the operator dismissed it.
    pub(super) fn emit_cleared(&mut self, subject: Subject) {
        if self.state.attention.contains_key(&subject) || self.state.is_dismissed(&subject) {
            self.emit(Event::AttentionCleared { subject });
        }
    }
}
