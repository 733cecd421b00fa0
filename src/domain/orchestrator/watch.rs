//! What needs the operator without having failed: silence, repetition, a context nearly full; and when it needs them no
//! more.
//!
//! Not here: failures and questions (`turns`, `talk`). Invariants: each is raised once a turn and is cleared by what
//! ends it; silence costs one timer a turn, looked at when it is due and not at every piece of output.

use super::Orchestrator;
use super::commands::Refusal;
use super::cut::thinks_long;
use crate::domain::protocol::{AttemptId, Micros, Subject, TaskId, TurnId};
use crate::domain::state::{Attempt, EndpointState, TaskIx, Turn};
use crate::domain::text::CleanText;

impl Orchestrator {
    /// The turn of a task that is under way.
    fn turn_of(&self, ix: TaskIx) -> Option<(&Attempt, &Turn)> {
        let attempt = self.state.open_attempt(self.state.task(ix))?;
        attempt.turn().filter(|t| t.ended.is_none()).map(|t| (attempt, t))
    }

    /// How long a turn may be silent as it is now; none: for ever.
    fn patience(&self, turn: &Turn) -> Option<u64> {
        let settings = &self.state.config.attention;
        let seconds = match turn.first_token_at {
            Some(_) => settings.silent_seconds,
            None => settings.prompt_seconds,
        };
        (seconds > 0).then_some(seconds)
    }

    /// Looks at a turn's silence: it is told, or looked at again when it could have been too long.
    pub(super) fn listen(&mut self, turn: TurnId) {
        let Some(ix) = self.state.attempt(turn.attempt).map(|a| a.task) else { return };
        let Some((attempt, t)) = self.turn_of(ix).filter(|(a, _)| a.turn_id() == turn) else { return };
        let settings = &self.state.config.attention;
        let shortest = [settings.silent_seconds, settings.prompt_seconds].into_iter().filter(|s| *s > 0).min();
        let Some(shortest) = shortest else { return };
        let again = self.now.plus(Micros::from_secs(shortest));
        let Some(limit) = self.patience(t).map(Micros::from_secs) else { return self.index.listen(turn, again) };
        let due = t.heard_at.plus(limit);
        if due > self.now {
            // What it does may change, and with it how long it may be silent.
            return self.index.listen(turn, due.min(again));
        }
        let task = self.state.task(ix);
        let Some(endpoint) = self.state.place_of(attempt).map(|e| e.config.short()) else { return };
        let what = if t.first_token_at.is_some() { "said nothing" } else { "not got on with the prompt" };
        let seconds = self.now.since(t.heard_at).0 / 1_000_000;
        let text = format!(
            "“{}” has {what} on {endpoint} for {seconds} s; wait, or x stops it and r tries it again",
            task.title
        );
        self.emit_attention(Subject::Stall(task.id.clone()), CleanText::one_line(&text));
    }

    /// A turn has given a sign of work.
    pub(super) fn heard(&mut self, ix: TaskIx, turn: TurnId) {
        if !self.state.attention.is_empty() {
            let stall = Subject::Stall(self.state.task(ix).id.clone());
            if self.state.attention.contains_key(&stall) {
                self.emit_cleared(stall);
                self.listen(turn);
            }
        }
        self.look_at_context(ix);
        self.look_at_thinking(ix);
    }

    /// A turn that has only thought so far, and has little left for its answer.
    fn look_at_thinking(&mut self, ix: TaskIx) {
        let Some((_, t)) = self.turn_of(ix).filter(|(_, t)| t.answer.bytes == 0 && thinks_long(t)) else { return };
        let task = self.state.task(ix);
        let subject = Subject::Thinking(task.id.clone());
        if self.state.attention.contains_key(&subject) {
            return;
        }
        let text = format!(
            "“{}” has thought for {} of the {} tokens it may say, and not begun to answer; l lowers its level for the next \
             try",
            task.title, t.thinking.tokens, t.max_tokens
        );
        self.emit_attention(subject, CleanText::one_line(&text));
    }

    fn look_at_context(&mut self, ix: TaskIx) {
        let percent = self.state.config.attention.full_percent;
        let Some((attempt, _)) = self.turn_of(ix).filter(|_| percent > 0) else { return };
        let Some(context) = self.state.place_of(attempt).map(EndpointState::context) else { return };
        let Some(share) = attempt.context_share(context).filter(|s| s * 100.0 >= percent as f32) else { return };
        let task = self.state.task(ix);
        let subject = Subject::Context(task.id.clone());
        if self.state.attention.contains_key(&subject) {
            return;
        }
        let text = format!(
            "“{}” has filled {:.0} % of its context of {context} tokens; its answer may be cut. A shorter prompt, a lower \
             level or an endpoint with more context helps",
            task.title,
            share * 100.0
        );
        self.emit_attention(subject, CleanText::one_line(&text));
    }

    /// A turn says the same over and over.
    pub(super) fn looping(&mut self, turn: TurnId, evidence: &CleanText) {
        let Some(ix) = self.live(turn) else { return };
        let task = self.state.task(ix);
        let subject = Subject::Loop(task.id.clone());
        if !self.state.config.attention.loops || self.state.attention.contains_key(&subject) {
            return;
        }
        let text = format!("“{}” repeats itself: {evidence}; x stops it, i tells it something", task.title);
        self.emit_attention(subject, CleanText::one_line(&text));
    }

    /// Clears what a task needs the operator for no more.
    pub(super) fn calm(&mut self, ix: TaskIx) {
        if self.state.attention.is_empty() {
            return;
        }
        let task = self.state.task(ix);
        let (id, asks, works) = (task.id.clone(), task.asking.is_some(), self.turn_of(ix).is_some());
        if !asks {
            self.emit_cleared(Subject::Question(id.clone()));
        }
        if !works {
            let subjects = [Subject::Stall, Subject::Loop, Subject::Context, Subject::Thinking];
            for subject in subjects.map(|subject: fn(TaskId) -> Subject| subject(id.clone())) {
                self.emit_cleared(subject);
            }
        }
        let task = self.state.task(ix);
        if task.removed || self.state.cut_of(task).is_none() {
            self.emit_cleared(Subject::Cut(id));
        }
    }

    /// Whether something can be taken off the list.
    pub(super) fn check_dismiss(&self, subject: &Subject) -> Result<(), Refusal> {
        match subject {
            Subject::Journal => Err("work that is not written down would be lost; mend the journal".to_owned()),
            _ if self.state.attention.contains_key(subject) => Ok(()),
            _ => Err(format!("{subject} is not on the list of what needs you")),
        }
    }

    /// A request to an endpoint succeeded: what was refused before is mended.
    pub(super) fn trusted(&mut self, attempt: AttemptId) {
        let Some(endpoint) = self.state.attempt(attempt).and_then(Attempt::endpoint) else { return };
        self.emit_cleared(Subject::Endpoint(self.state.endpoint(endpoint).config.name.clone()));
    }
}
