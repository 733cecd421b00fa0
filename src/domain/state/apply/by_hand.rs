//! A result put in by hand: an attempt that no model made.

use std::sync::Arc;

use super::super::{Attempt, ChannelCount, End, EndpointIx, Life, State, Turn};
use crate::domain::protocol::{AttemptEnd, Micros, Recipe, ResultEdited, Route, TurnEnd, Usage};
use crate::domain::text::CleanText;

impl State {
    /// The task is done with the text. No slot, no tokens, no endpoint's record: those count what models do.
    pub(super) fn result_edited(&mut self, seq: u64, at: Micros, edited: &ResultEdited) {
        let Some(ix) = self.find(&edited.task) else { return };
        if edited.attempt.0 != self.attempts.len() as u64 + 1 || self.endpoints.is_empty() {
            return;
        }
        let level = self.level_of(self.task(ix));
        let task = self.task(ix);
        let turn = Turn {
            slot: 0,
            level,
            max_tokens: 0,
            recipe: Recipe::default(),
            started_at: at,
            first_token_at: None,
            prompt: None,
            ended: Some((at, TurnEnd::Stop)),
            usage: Usage::default(),
            prompt_digest: String::new(),
            thinking: ChannelCount::default(),
            answer: ChannelCount { bytes: edited.text.len() as u64, tokens: 0, first_seq: seq, last_seq: seq },
            tool_calls: ChannelCount::default(),
            rethought: None,
            heard_at: at,
            asked: false,
            continues: None,
        };
        let attempt = Attempt {
            id: edited.attempt,
            task: ix,
            version: task.version,
            spec: Arc::clone(&task.spec),
            inputs: Vec::new(),
            by: Some(edited.author.clone()),
            agent: task.spec.agent.clone(),
            // Where the task was last, so that there is a place to name.
            endpoint: self.last_attempt(task).map_or(EndpointIx(0), |a| a.endpoint),
            route: Route::Primary,
            started_at: at,
            ended: Some((at, AttemptEnd::Completed)),
            turns: vec![turn],
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
