//! The one reducer: what each event changes.
//!
//! Events that name something unknown change nothing; a journal from anywhere can be folded without a panic.

use std::collections::VecDeque;
use std::sync::Arc;

mod by_hand;
mod fleet;
mod plan;

use super::{
    Attempt, Attention, ChannelCount, Doer, End, Gear, Goal, GoalMemory, GoalPhase, Life, Permit, PermitPhase, State,
    Step, Strain, Task, TaskIx, Turn, watch::Sign,
};
use crate::domain::protocol::{
    AttemptEnd, AttemptStarted, Author, Blame, Counted, Event, FailureCount, FailureKind, GoalAdded, GoalId,
    LevelScope, Micros, OutputCount, Partial, Record, Release, SlotAfter, Subject, TaskId, TaskRetried, TurnEnd,
    TurnEnded, TurnId, TurnStarted,
};
use crate::domain::text::CleanText;

impl State {
    /// Applies a record. One that was applied before (`seq` not after the last) changes nothing.
    pub fn apply(&mut self, record: &Record) {
        if !self.comes_to(record.seq, record.at) {
            return;
        }
        let at = record.at;
        match &record.event {
            Event::SessionStarted(started) => self.session_started(started),
            Event::SessionOpened(opened) => {
                self.ended = None;
                // Whoever watched the process before went with it.
                self.viewers.clear();
                self.control = None;
                self.asking_control = None;
                // Nor is known how this machine is pressed now: this may be another one.
                (self.machine_at, self.throttle, self.strain) = (None, None, Strain::default());
                self.lives.push((at, opened.clone()));
            }
            Event::SessionSlept(slept) => self.naps.push((at, *slept)),
            Event::SessionPaused {} => {
                self.gear = Gear::Paused;
                self.halted = self.attention.contains_key(&Subject::Journal);
            }
            Event::SessionResumed {} => (self.gear, self.halted) = (Gear::Running, false),
            Event::SessionEnded { reason } => self.ended = Some(reason.clone()),
            Event::SessionForked(forked) => {
                self.session = Some(forked.session.clone());
                self.parent = Some(forked.clone());
            }
            Event::SessionLeveled { scope, level } => self.leveled(scope, *level),
            Event::GoalAdded(goal) => self.goal_added(at, goal),
            Event::GoalDrafted { goal } => self.goal_phase(*goal, GoalPhase::Draft),
            Event::GoalApproved { goal } => {
                self.goal_phase(*goal, GoalPhase::Running);
                if let Some(g) = self.goal_mut(*goal) {
                    g.approved_at = Some(at);
                }
            }
            Event::GoalEnded { goal, outcome, answer } => {
                self.goal_phase(*goal, GoalPhase::Ended(*outcome));
                if let Some(g) = self.goal_mut(*goal) {
                    g.ended_at = Some(at);
                    g.answer = answer.clone();
                }
            }
            Event::GoalReopened { goal } => {
                self.goal_phase(*goal, GoalPhase::Running);
                if let Some(g) = self.goal_mut(*goal) {
                    g.ended_at = None;
                    g.answer = None;
                }
            }
            Event::GoalHeld(held) => self.goal_memory(held.goal, GoalMemory::Short(Box::new(held.clone()))),
            Event::GoalReleased { goal, by: Release::Fits } => self.goal_memory(*goal, GoalMemory::Fits),
            Event::GoalReleased { goal, by: Release::Forced } => self.goal_memory(*goal, GoalMemory::Forced),
            Event::PlanEdited(edited) => self.plan_edited(at, edited),
            Event::TaskStarted { task } => {
                self.set_life(task, at, Life::Running);
            }
            Event::TaskCompleted { task, attempt } => {
                if let Some(ix) = self.set_life(task, at, Life::Ended(End::Done)) {
                    let task = &mut self.tasks[ix.0 as usize];
                    task.result = Some(*attempt);
                    task.edited = false;
                    task.reason = CleanText::default();
                    // What comes after a result is cut, completed and asked anew for itself.
                    (task.limit, task.cut_choice) = (None, None);
                    self.refresh_result(ix);
                }
            }
            Event::TaskFailed { task, reason } => {
                if let Some(ix) = self.set_life(task, at, Life::Ended(End::Failed)) {
                    self.tasks[ix.0 as usize].reason = reason.clone();
                    self.refresh_result(ix);
                }
            }
            Event::TaskRetried(retried) => self.task_retried(at, retried),
            Event::TaskCancelled { task, keep } => {
                // One that was taken out while it ran starts over if it comes back.
                let removed = self.task_by_id(task).is_some_and(|t| t.removed);
                let life = if removed { Life::NotStarted } else { Life::Ended(End::Cancelled(*keep)) };
                if let Some(ix) = self.set_life(task, at, life) {
                    let partial = self.partial(ix).filter(|_| *keep == Partial::Kept);
                    if !removed {
                        self.tasks[ix.0 as usize].result = partial;
                    }
                    self.refresh_result(ix);
                }
            }
            Event::TaskSkipped { task, reason } => {
                if let Some(ix) = self.set_life(task, at, Life::Ended(End::Skipped)) {
                    self.tasks[ix.0 as usize].reason = reason.clone();
                    self.refresh_result(ix);
                }
            }
            Event::TaskHeld { task } => self.with_task(task, |t| t.held = true),
            Event::TaskReleased { task } => self.with_task(task, |t| (t.held, t.waits_since) = (false, at)),
            Event::TaskClaimed(claimed) => self.task_claimed(at, claimed),
            Event::TaskUnclaimed { task } => {
                if let Some(ix) = self.find(task) {
                    self.task_unclaimed(ix);
                }
            }
            Event::TaskReserved { task } => {
                if let Some(ix) = self.find(task) {
                    self.task_reserved(at, ix);
                }
            }
            Event::TaskPlaced { task, endpoint } => self.with_task(task, |t| t.place.clone_from(endpoint)),
            Event::TaskAsked(asked) => self.asked(at, asked),
            Event::TaskAnswered(said) => self.answered(at, said),
            Event::MessageSent(said) => self.said(at, said),
            Event::ResultEdited(edited) => self.result_edited(record.seq, at, edited),
            Event::AttemptStarted(started) => self.attempt_started(at, started),
            Event::AttemptOutput(_) => {
                if let Some(count) = OutputCount::of(record) {
                    self.output(&count);
                }
            }
            Event::AttemptEnded { attempt, end } => self.attempt_ended(at, *attempt, end),
            Event::TurnStarted(started) => self.turn_started(at, started),
            Event::TurnProgressed { turn: id, processed, total } => {
                if let Some(turn) = self.turn_mut(*id) {
                    let begun = turn.first_token_at.is_some() || turn.prompt.is_some();
                    turn.prompt = Some((*processed, *total));
                    turn.heard_at = at;
                    // Also where nothing is read yet: a request that waits for a slot is told nothing (llama.cpp, mlx_lm).
                    if !begun {
                        self.turn_begins(at, *id, Sign::Read);
                    }
                }
            }
            Event::TurnRethought { turn } => {
                if let Some(turn) = self.turn_mut(*turn) {
                    turn.turn_over(record.seq);
                }
            }
            Event::TurnEnded(ended) => self.turn_ended(at, ended),
            Event::SlotFreed { turn } => self.set_permit(at, *turn, PermitPhase::Free),
            Event::EndpointChanged(changed) => self.endpoint_changed(at, changed),
            Event::EndpointMoved { endpoint, url } => self.endpoint_moved(endpoint, url),
            Event::ViewerJoined(viewer) => {
                self.viewers_seen = self.viewers_seen.max(viewer.viewer.0);
                self.viewers.insert(viewer.viewer, viewer.clone());
            }
            Event::ViewerLeft { viewer } => {
                self.viewers.remove(viewer);
                self.asking_control = self.asking_control.filter(|v| v != viewer);
            }
            Event::ViewerAsked { viewer } => self.asking_control = Some(*viewer),
            Event::ViewerGivenControl { viewer } => {
                self.control = *viewer;
                self.asking_control = None;
            }
            Event::EndpointFound(found) => self.found(found),
            Event::EndpointDrained { endpoint, intake } => self.with_endpoint(endpoint, |e| e.intake = *intake),
            Event::EndpointEdited { endpoint, edit } => self.endpoint_edited(endpoint, edit),
            Event::ModelMoved(moved) => self.model_moved(moved),
            Event::ServerChanged(changed) => {
                self.servers.insert(changed.endpoint.clone(), (**changed).clone());
                self.server_changed(changed);
            }
            Event::MachineThrottled { throttle } => self.throttle = *throttle,
            Event::MachineSampled(sample) => {
                self.machine.clone_from(sample);
                self.machine_at = Some(at);
                self.strain.follow(at, sample, &self.config.machine);
                self.machine_history.add(at, sample);
            }
            Event::CommandAccepted { id, .. } => {
                self.commands.insert(id.clone());
            }
            Event::CommandRefused { id, reason, .. } => {
                self.commands.insert(id.clone());
                self.refusals.insert(id.clone(), reason.clone());
            }
            Event::AttentionRaised { subject, text } => {
                self.attention.insert(subject.clone(), Attention { since: at, text: text.clone() });
            }
            Event::AttentionCleared { subject } => {
                self.attention.remove(subject);
                self.dismissed.remove(subject);
            }
            Event::AttentionDismissed { subject } => {
                self.attention.remove(subject);
                let cause = self.cause(subject);
                self.dismissed.insert(subject.clone(), cause);
            }
        }
    }

    /// The same with a record of which only that much was read: what is true afterwards is the same.
    pub fn apply_counted(&mut self, counted: &Counted) {
        match counted {
            Counted::Whole(record) => self.apply(record),
            Counted::Output(count) => {
                if self.comes_to(count.seq, count.at) {
                    self.output(count);
                }
            }
        }
    }

    /// Whether a record is not applied yet; then it is the last one from now on.
    fn comes_to(&mut self, seq: u64, at: Micros) -> bool {
        let is_new = seq > self.seq;
        if is_new {
            self.seq = seq;
            self.at = self.at.max(at);
        }
        is_new
    }

    fn leveled(&mut self, scope: &LevelScope, level: Option<crate::domain::protocol::Level>) {
        match scope {
            LevelScope::Session => {
                if let Some(level) = level {
                    self.level = level;
                }
            }
            LevelScope::Agent(agent) => match level {
                Some(level) => {
                    self.agent_levels.insert(agent.clone(), level);
                }
                None => {
                    self.agent_levels.remove(agent);
                }
            },
            LevelScope::Task(task) => self.with_task(task, |t| t.level = level),
        }
    }

    fn goal_mut(&mut self, id: GoalId) -> Option<&mut Goal> {
        self.goals.get_mut((id.0 as usize).checked_sub(1)?)
    }

    fn goal_added(&mut self, at: Micros, added: &GoalAdded) {
        if added.goal.0 as usize != self.goals.len() + 1 {
            return;
        }
        self.goals.push(Goal {
            id: added.goal,
            text: added.text.clone(),
            options: added.options.clone(),
            phase: GoalPhase::Planning,
            revision: 0,
            tasks: Vec::new(),
            repairs: Vec::new(),
            author: Author::Baton,
            added_at: at,
            approved_at: None,
            ended_at: None,
            answer: None,
            running: 0,
            asking: 0,
            open: 0,
            edits: VecDeque::new(),
            memory: GoalMemory::Fits,
        });
    }

    fn goal_phase(&mut self, id: GoalId, phase: GoalPhase) {
        if let Some(goal) = self.goal_mut(id) {
            goal.phase = phase;
        }
    }

    pub(super) fn with_goal(&mut self, id: GoalId, change: impl FnOnce(&mut Goal)) {
        if let Some(goal) = self.goal_mut(id) {
            change(goal);
        }
    }

    fn with_task(&mut self, id: &TaskId, change: impl FnOnce(&mut Task)) {
        if let Some(ix) = self.find(id) {
            change(&mut self.tasks[ix.0 as usize]);
        }
    }

    fn set_life(&mut self, id: &TaskId, at: Micros, life: Life) -> Option<TaskIx> {
        let ix = self.find(id)?;
        let task = &mut self.tasks[ix.0 as usize];
        let (was, removed) = (task.life, task.removed);
        task.life = life;
        let asked = life != Life::Running && task.drop_question();
        match life {
            Life::Running => {
                task.started_at = Some(at);
                task.ended_at = None;
            }
            Life::Ended(_) => {
                task.ended_at = Some(at);
                // What has ended is not held; a retry by the operator would else wait for a second word.
                task.held = false;
            }
            Life::NotStarted => task.ended_at = None,
        }
        if let Some(goal) = self.goal_mut(id.goal) {
            goal.asking = goal.asking.saturating_sub(u32::from(asked));
            match (was == Life::Running, life == Life::Running) {
                (false, true) => goal.running += 1,
                (true, false) => goal.running = goal.running.saturating_sub(1),
                _ => {}
            }
            if !removed {
                match (matches!(was, Life::Ended(_)), matches!(life, Life::Ended(_))) {
                    (false, true) => goal.open = goal.open.saturating_sub(1),
                    (true, false) => goal.open += 1,
                    _ => {}
                }
            }
        }
        if matches!(life, Life::Ended(_)) {
            self.unreserve(ix);
        }
        Some(ix)
    }

    fn partial(&self, ix: TaskIx) -> Option<crate::domain::protocol::AttemptId> {
        let last = self.last_attempt(self.task(ix))?;
        (self.answer_bytes(last) > 0).then_some(last.id)
    }

    fn task_retried(&mut self, at: Micros, retried: &TaskRetried) {
        let was = self.task_by_id(&retried.task).map(|t| t.life);
        let Some(ix) = self.set_life(&retried.task, at, Life::NotStarted) else { return };
        let avoid = self.last_attempt(self.task(ix)).and_then(|a| match &a.ended {
            // Whatever it was: where there is another endpoint, that one may not have it.
            Some((_, AttemptEnd::Failed(_))) => self.place_of(a).map(|e| e.config.name.clone()),
            _ => None,
        });
        // Of a failure that costs no try only the first word counts: what is found out of it later says no new one.
        let setback = self.last_attempt(self.task(ix)).and_then(|a| match &a.ended {
            Some((at, AttemptEnd::Failed(failure)))
                if was == Some(Life::Running)
                    && (failure.kind.blame() == Blame::Server || failure.kind == FailureKind::Silent) =>
            {
                // It may be this request that breaks it. One that is not there is not usable, and needs no avoiding.
                let place = self.place_of(a).filter(|_| failure.is_told());
                let avoid = place.map(|e| e.config.name.clone());
                Some((*at, avoid))
            }
            _ => None,
        });
        let version = self.task(ix).version;
        let refused = self.last_attempt(self.task(ix)).filter(|a| a.version == version).and_then(|a| match &a.ended {
            Some((_, AttemptEnd::Failed(failure))) if failure.kind.blame() == Blame::Request => {
                self.place_of(a).map(|e| e.config.name.clone())
            }
            _ => None,
        });
        let last = self.last_attempt(self.task(ix)).map(Attempt::turn_id);
        let task = &mut self.tasks[ix.0 as usize];
        let moves = task.route != retried.route;
        (task.not_before, task.waits_since) = (retried.not_before, at);
        task.reason = retried.reason.clone();
        task.route = retried.route;
        match retried.count {
            FailureCount::Reset => {
                task.failures = 0;
                task.avoid = None;
                task.is_out_of_trouble();
                (task.limit, task.cut_choice, task.cut_attempt) = (None, None, None);
                task.refused_by.clear();
                // From the beginning, unless it broke in the middle of a conversation.
                if was != Some(Life::Ended(End::Failed)) {
                    task.thread.clear();
                }
            }
            FailureCount::Counted => {
                task.failures += 1;
                task.avoid = avoid;
                task.refused_by.extend(refused.filter(|name| !task.refused_by.contains(name)));
                task.is_out_of_trouble();
            }
            FailureCount::Unchanged => {
                if let Some((since, avoid)) = setback {
                    task.setbacks += 1;
                    task.troubled_since.get_or_insert(since);
                    task.avoid = avoid.or_else(|| task.avoid.take());
                }
            }
            FailureCount::Larger(limit) => {
                (task.limit, task.cut_choice) = (Some(limit), None);
                task.cut_attempt = last.map(|turn| turn.attempt);
                if let Some(cut) = last {
                    task.take_back(cut);
                }
            }
        }
        if moves {
            task.is_out_of_trouble();
        }
        self.refresh_result(ix);
    }

    fn attempt_started(&mut self, at: Micros, started: &AttemptStarted) {
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

    fn turn_started(&mut self, at: Micros, started: &TurnStarted) {
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

    pub(super) fn turn_mut(&mut self, id: TurnId) -> Option<&mut Turn> {
        let attempt = self.attempts.get_mut(usize::try_from(id.attempt.0).ok()?.checked_sub(1)?)?;
        match attempt.steps.get_mut((id.turn as usize).checked_sub(1)?)? {
            Step::Turn(turn) => Some(turn),
            Step::Text(_) => None,
        }
    }

    /// Moves the permit that a turn has (or is to have) to a phase.
    fn set_permit(&mut self, at: Micros, id: TurnId, phase: PermitPhase) {
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

    fn output(&mut self, output: &OutputCount) {
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

    fn turn_ended(&mut self, at: Micros, ended: &TurnEnded) {
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

    fn attempt_ended(&mut self, at: Micros, id: crate::domain::protocol::AttemptId, end: &AttemptEnd) {
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
