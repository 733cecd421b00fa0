//! What becomes of turns: output, ends, failures, retries and the fallback tier.

use super::{Effect, Look, Orchestrator};
use crate::domain::plan::Backoff;
use crate::domain::protocol::{
    AttemptEnd, AttemptId, AttemptOutput, Channel, Event, Failure, FailureCount, FailureKind, Health, Micros, Remedy,
    Route, SlotAfter, Subject, TaskAsked, TaskRetried, TurnEnd, TurnEnded, TurnId, Usage, Work,
};
use crate::domain::state::{PermitPhase, TaskIx, Trust};
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
            self.late_inputs += 1;
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

    /// What a turn's sign of work, or its end, says of its endpoint.
    fn worked(&mut self, turn: TurnId) {
        if let Some(endpoint) = self.state.attempt(turn.attempt).map(|a| a.endpoint) {
            self.look_at_capacity(endpoint);
        }
    }

    pub(super) fn slot_freed(&mut self, turn: TurnId) {
        let draining = self
            .state
            .attempt(turn.attempt)
            .map(|a| self.state.pool(self.state.endpoint(a.endpoint).pool))
            .is_some_and(|p| p.permits.iter().any(|p| p.phase == PermitPhase::Draining(turn)));
        if draining {
            self.emit(Event::SlotFreed { turn });
        } else {
            self.late_inputs += 1;
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
            self.effect(Effect::StopTurn(turn));
        }
        let asks = match &end {
            TurnEnd::Stop => self.question_in(ix, answer.unwrap_or("")),
            _ => None,
        };
        if let Some((question, choices)) = asks.clone() {
            let task = self.state.task(ix).id.clone();
            self.emit(Event::TaskAsked(TaskAsked { task, turn, question, choices }));
        }
        self.emit(Event::TurnEnded(Box::new(TurnEnded { turn, end: end.clone(), slot, usage, prompt_digest })));
        self.worked(turn);
        match end {
            TurnEnd::Failed(failure) => {
                self.emit(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Failed(failure.clone()) });
                self.blame_endpoint(turn.attempt, &failure);
                self.after_failure(ix, &failure);
            }
            _ if asks.is_some() => {
                self.trusted(turn.attempt);
                self.tell_question(ix);
            }
            _ if self.goes_on(ix, turn.attempt) => self.trusted(turn.attempt),
            TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls | TurnEnd::Cancelled => {
                self.trusted(turn.attempt);
                self.emit(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Completed });
                let task = self.state.task(ix);
                let (id, work) = (task.id.clone(), task.work);
                self.emit(Event::TaskCompleted { task: id.clone(), attempt: turn.attempt });
                self.emit_cleared(Subject::Task(id.clone()));
                if work == Work::Planning {
                    self.planned(&id, answer.unwrap_or(""));
                }
            }
        }
    }

    /// An answer without a word is a failure, whatever the server says of it.
    fn judge(&self, turn: TurnId, end: TurnEnd) -> TurnEnd {
        let Some(t) = self.state.attempt(turn.attempt).and_then(|a| a.turn()) else { return end };
        let said = t.answer.bytes + t.tool_calls.bytes;
        let message = match &end {
            TurnEnd::Stop | TurnEnd::ToolCalls if said == 0 => {
                "the model ended without a word of answer; it is tried again"
            }
            TurnEnd::Length if said == 0 => {
                "the token limit was reached before a word of answer (all of it went into thinking); raise the task's \
                 token budget or lower its level"
            }
            _ => return end,
        };
        TurnEnd::Failed(Failure::new(FailureKind::Empty, Remedy::RetryHere, CleanText::from(message)))
    }

    /// A failed task is tried again on its tier, then on the fallback tier, then it has failed.
    pub(super) fn after_failure(&mut self, ix: TaskIx, failure: &Failure) {
        if self.fits_if_cut(ix, failure) {
            return self.cut_and_retry(ix, failure);
        }
        let task = self.state.task(ix);
        let settings = &self.state.config.settings;
        let retry = task.spec.retry;
        let max = retry.map_or(settings.retries, |r| r.max);
        let failures = task.failures + 1;
        let agent = self.state.config.fleet.agent(&task.spec.agent);
        let fallback = agent.and_then(|a| a.fallback.as_ref().filter(|f| **f != a.tier)).cloned();
        let (id, route) = (task.id.clone(), task.route);
        let last_tried = self.state.last_attempt(task).map(|a| (a.endpoint, a.route));
        let others = last_tried.is_some_and(|(endpoint, _)| {
            self.state.tier_of(task).is_some_and(|tier| {
                self.state
                    .endpoints()
                    .iter()
                    .enumerate()
                    .any(|(i, e)| i != endpoint.0 as usize && e.is_usable() && e.serves(tier))
            })
        });
        let hopeless_here = matches!(
            failure.kind,
            FailureKind::Unauthorized
                | FailureKind::NoModel
                | FailureKind::Refused
                | FailureKind::Secret
                | FailureKind::Context
        );
        let to_fallback = |why: &str| (Route::Fallback, Micros(0), format!("{}; {why}", failure.message));
        let next = if hopeless_here && !others {
            match (&fallback, route) {
                (Some(f), Route::Primary) => Some(to_fallback(&format!("goes to the fallback tier {f}"))),
                _ => None,
            }
        } else if failures <= max || (route == Route::Fallback && failures <= max.saturating_mul(2) + 1) {
            let down = fallback.as_ref().is_some_and(|f| {
                agent.is_some_and(|a| self.state.tier_is_down(&a.tier)) && !self.state.tier_is_down(f)
            });
            let wait = if retry.is_some_and(|r| r.backoff == Backoff::None)
                || (failure.remedy == Remedy::Elsewhere && (others || down))
            {
                Micros(0)
            } else {
                self.backoff(failures, failure.kind)
            };
            let route = if down { Route::Fallback } else { route };
            Some((route, wait, failure.message.to_string()))
        } else {
            match (&fallback, route) {
                (Some(f), Route::Primary) => Some(to_fallback(&format!("goes to the fallback tier {f}"))),
                _ => None,
            }
        };
        match next {
            Some((route, wait, reason)) => self.emit(Event::TaskRetried(TaskRetried {
                task: id,
                not_before: self.now.plus(wait),
                reason: CleanText::one_line(&reason),
                count: FailureCount::Counted,
                route,
            })),
            None => self.fail(ix, failure.message.clone()),
        }
    }

    /// A task has failed for good.
    pub(super) fn fail(&mut self, ix: TaskIx, reason: CleanText) {
        let task = self.state.task(ix);
        let (id, work) = (task.id.clone(), task.work);
        self.emit(Event::TaskFailed { task: id.clone(), reason: reason.clone() });
        if work == Work::Planning {
            self.plan_built_in(&id, &reason);
            return;
        }
        self.tell_failure(ix);
    }

    /// Tells the operator that a task has failed.
    pub(super) fn tell_failure(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        let text = CleanText::one_line(&format!("“{}” failed: {}; r tries it again", task.title, task.reason));
        self.emit_attention(Subject::Task(task.id.clone()), text);
    }

    /// A server that can't be reached is down at once; one that cut a stream is looked at at once.
    fn blame_endpoint(&mut self, attempt: AttemptId, failure: &Failure) {
        let Some(endpoint) = self.state.attempt(attempt).map(|a| a.endpoint) else { return };
        let e = self.state.endpoint(endpoint);
        let name = e.config.name.clone();
        match failure.kind {
            FailureKind::Unreachable if e.answers() && e.trust == Trust::Whole => {
                self.endpoint_is(endpoint, Health::Down { reason: failure.message.clone() });
            }
            FailureKind::Cut | FailureKind::Silent | FailureKind::Loading | FailureKind::Server => {
                self.effect(Effect::Probe(name, Look::Light));
            }
            FailureKind::Unauthorized | FailureKind::NoModel | FailureKind::Secret => {
                self.emit_attention(Subject::Endpoint(name), failure.message.clone());
            }
            _ => {}
        }
        self.rest_if_failing(endpoint, failure);
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
        self.effect(Effect::StopTurn(turn));
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
