//! A result put in by hand: an attempt that a person did, of one step.

use std::sync::Arc;

use super::super::{Attempt, ChannelCount, Doer, End, Life, State, Step};
use crate::domain::protocol::{AttemptEnd, Micros, ResultEdited};
use crate::domain::text::CleanText;

impl State {
    /// The task is done with the text. No slot, no tokens, no endpoint's record: those count what models do.
    pub(super) fn result_edited(&mut self, seq: u64, at: Micros, edited: &ResultEdited) {
        let Some(ix) = self.find(&edited.task) else { return };
        if edited.attempt.0 != self.attempts.len() as u64 + 1 {
            return;
        }
        let task = self.task(ix);
        let text = ChannelCount { bytes: edited.text.len() as u64, tokens: 0, first_seq: seq, last_seq: seq };
        let attempt = Attempt {
            id: edited.attempt,
            task: ix,
            version: task.version,
            spec: Arc::clone(&task.spec),
            inputs: Vec::new(),
            agent: task.spec.agent.clone(),
            doer: Doer::Person(edited.author.clone()),
            started_at: at,
            ended: Some((at, AttemptEnd::Completed)),
            steps: vec![Step::Text(text)],
            rate: 0.0,
            last_output_at: None,
        };
        self.attempts.push(attempt);
        self.set_life(&edited.task, at, Life::Ended(End::Done));
        let task = &mut self.tasks[ix.0 as usize];
        task.attempts.push(edited.attempt);
        task.result = Some(edited.attempt);
        task.edited = true;
        task.asking = None;
        task.reason = CleanText::default();
        self.refresh_result(ix);
    }
}
