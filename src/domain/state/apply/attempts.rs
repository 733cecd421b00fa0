//! Attempts and their turns: how they begin, what they say, how they end, and the slots they have meanwhile.
//!
//! Not here: what an attempt means for its task (beside), what it says of its endpoint (`fleet`).

use std::sync::Arc;

use super::super::watch::Sign;
use super::super::{Attempt, ChannelCount, Doer, Permit, PermitPhase, State, Step, Turn};
use crate::domain::protocol::{
    AttemptEnd, AttemptStarted, Micros, OutputCount, SlotAfter, TurnEnd, TurnEnded, TurnId, TurnStarted,
};

impl State {
    pub(super) fn attempt_started(&mut self, at: Micros, started: &AttemptStarted) {
        let (Some(task), Some(endpoint)) = (self.find(&started.task), self.find_endpoint(&started.endpoint)) else {
            return;
        };
        if started.attempt.0 != self.attempts.len() as u64 + 1 {
            return;
        }
        let inputs = self.inputs_of(task);
        self.attempts.push(Attempt {
            id: started.attempt,
            task,
            version: started.version,
            spec: Arc::clone(&self.task(task).spec),
            inputs,
            agent: started.agent.clone(),
            doer: Doer::Model { endpoint, route: started.route },
            started_at: at,
            ended: None,
            // Most attempts have one step, and a turn is large: room for the four a vector begins with would be waste.
            steps: Vec::with_capacity(1),
            rate: 0.0,
            last_output_at: None,
        });
        self.running.push(started.attempt);
        self.totals.widest = self.totals.widest.max(self.running.len() as u32);
        self.totals.first_start.get_or_insert(at);
        let attempts = &mut self.tasks[task.0 as usize].attempts;
        if attempts.is_empty() {
            attempts.reserve_exact(1);
        }
        attempts.push(started.attempt);
    }

    pub(super) fn turn_started(&mut self, at: Micros, started: &TurnStarted) {
        let Some(attempt) = self.attempts.get_mut((started.turn.attempt.0 as usize).wrapping_sub(1)) else { return };
        if started.turn.turn as usize != attempt.steps.len() + 1 {
            return;
        }
        let Some(endpoint) = attempt.endpoint() else { return };
        let (ix, version) = (attempt.task, attempt.version);
        let continues = self.to_continue(ix, version);
        let Some(attempt) = self.attempts.get_mut((started.turn.attempt.0 as usize).wrapping_sub(1)) else { return };
        attempt.steps.push(Step::Turn(Turn {
            slot: started.slot,
            level: started.level,
            max_tokens: started.max_tokens,
            recipe: started.recipe.clone(),
            started_at: at,
            first_token_at: None,
            prompt: None,
            ended: None,
            usage: crate::domain::protocol::Usage::default(),
            prompt_digest: String::new(),
            thinking: ChannelCount::default(),
            answer: ChannelCount::default(),
            tool_calls: ChannelCount::default(),
            rethought: None,
            heard_at: at,
            asked: false,
            continues,
        }));
        self.goes_with(started.turn);
        self.set_permit(at, started.turn, PermitPhase::Granted(started.turn));
        let pool = self.endpoint(endpoint).pool;
        self.pools[pool.0 as usize].watch.sent(at, started.turn);
    }

    pub(in crate::domain::state) fn turn_mut(&mut self, id: TurnId) -> Option<&mut Turn> {
        let attempt = self.attempts.get_mut(usize::try_from(id.attempt.0).ok()?.checked_sub(1)?)?;
        match attempt.steps.get_mut((id.turn as usize).checked_sub(1)?)? {
            Step::Turn(turn) => Some(turn),
            Step::Text(_) => None,
        }
    }

    /// Moves the permit that a turn has (or is to have) to a phase.
    pub(super) fn set_permit(&mut self, at: Micros, id: TurnId, phase: PermitPhase) {
        let Some(attempt) = self.attempt(id.attempt) else { return };
        let Some(turn) = attempt.step(id.turn).and_then(Step::turn) else { return };
        let Some(place) = self.place_of(attempt) else { return };
        let (pool, slot) = (place.pool, turn.slot as usize);
        let pool = &mut self.pools[pool.0 as usize];
        if let Some(permit) = pool.permits.get_mut(slot) {
            let theirs = permit.phase.turn().is_some_and(|t| t != id);
            if !theirs {
                *permit = Permit { phase, since: at };
            }
        }
        while pool.permits.len() > pool.ceiling as usize
            && pool.permits.last().is_some_and(|p| p.phase == PermitPhase::Free)
        {
            pool.permits.pop();
        }
    }

    pub(super) fn output(&mut self, output: &OutputCount) {
        let OutputCount { seq, at, turn: id, .. } = *output;
        let Some(attempt) = self.attempts.get_mut((id.attempt.0 as usize).wrapping_sub(1)) else { return };
        let Some(endpoint) = attempt.endpoint() else { return };
        let last = attempt.last_output_at;
        let Some(Step::Turn(turn)) = attempt.steps.get_mut((id.turn as usize).wrapping_sub(1)) else { return };
        let first = turn.first_token_at.is_none();
        turn.first_token_at.get_or_insert(at);
        turn.heard_at = at;
        let count = turn.channel_mut(output.channel);
        count.bytes += output.bytes;
        count.tokens += u64::from(output.tokens);
        if count.first_seq == 0 {
            count.first_seq = seq;
        }
        count.last_seq = seq;
        // Smoothed over about two seconds, whatever the size of the pieces.
        if let Some(last) = last {
            let seconds = at.since(last).secs_f64().max(0.000_1) as f32;
            let now = output.tokens as f32 / seconds;
            let weight = 1.0 - (-seconds / 2.0).exp();
            attempt.rate = if attempt.rate == 0.0 { now } else { attempt.rate + (now - attempt.rate) * weight };
        }
        attempt.last_output_at = Some(at);
        if first {
            self.set_permit(at, id, PermitPhase::Generating(id));
            self.turn_begins(at, id, Sign::Answered);
        }
        let endpoint = &mut self.endpoints[endpoint.0 as usize];
        if let Some((second, tokens)) = endpoint.tokens.add(at, output.tokens) {
            endpoint.history.generated(second, tokens);
        }
    }

    pub(super) fn turn_ended(&mut self, at: Micros, ended: &TurnEnded) {
        let Some(turn) = self.turn_mut(ended.turn) else { return };
        if turn.ended.is_some() {
            return;
        }
        turn.ended = Some((at, ended.end.clone()));
        let counted = turn.output_tokens();
        turn.usage = ended.usage;
        turn.prompt_digest.clone_from(&ended.prompt_digest);
        let tokens = turn.output_tokens();
        let busy = at.since(turn.started_at).0;
        self.totals.output_tokens += tokens;
        self.totals.prompt_tokens += ended.usage.prompt_tokens;
        self.totals.slot_us += busy;
        let endpoint = self.attempt(ended.turn.attempt).and_then(Attempt::endpoint);
        if let Some(ix) = endpoint {
            self.served(at, ix, ended, counted, tokens);
        }
        let phase = match ended.slot {
            SlotAfter::Free => PermitPhase::Free,
            SlotAfter::Draining => PermitPhase::Draining(ended.turn),
        };
        self.set_permit(at, ended.turn, phase);
        if !matches!(ended.end, TurnEnd::Failed(_) | TurnEnd::Cancelled)
            && let Some(task) = self.attempt(ended.turn.attempt).map(|a| a.task)
        {
            self.tasks[task.0 as usize].is_out_of_trouble();
        }
        self.spoke(ended.turn, &ended.end);
    }

    pub(super) fn attempt_ended(&mut self, at: Micros, id: crate::domain::protocol::AttemptId, end: &AttemptEnd) {
        let Some(attempt) = self.attempts.get_mut((id.0 as usize).wrapping_sub(1)) else { return };
        if attempt.ended.is_some() {
            return;
        }
        attempt.ended = Some((at, end.clone()));
        attempt.rate = 0.0;
        let Some(endpoint) = attempt.endpoint() else { return };
        let tokens = attempt.output_tokens();
        let worked = attempt.worked(at).0;
        self.totals.attempt_us += worked;
        let pool = self.endpoints[endpoint.0 as usize].pool;
        self.pools[pool.0 as usize].worked_us += worked;
        if let Some(i) = self.running.iter().position(|r| *r == id) {
            self.running.remove(i);
        }
        if *end == AttemptEnd::Completed {
            self.endpoints[endpoint.0 as usize].completed += 1;
            let doubled = match self.history.get_mut(&attempt.agent) {
                Some(history) => history.learn(tokens),
                None => self.history.entry(attempt.agent.clone()).or_default().learn(tokens),
            };
            if doubled {
                self.settle_pace();
            }
        }
    }
}
