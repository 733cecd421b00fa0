//! The one reducer: what each event changes.
//!
//! Events that name something unknown change nothing; a journal from anywhere can be folded without a panic.

use std::collections::VecDeque;

mod attempts;
mod by_hand;
mod fleet;
mod plan;

use super::{
    Attempt, Attention, End, Gear, Goal, GoalMemory, GoalPhase, Life, PermitPhase, State, Strain, Task, TaskIx,
    watch::Sign,
};
use crate::domain::protocol::{
    AttemptEnd, Author, Blame, Counted, Event, FailureCount, FailureKind, GoalAdded, GoalId, LevelScope, Micros,
    OutputCount, Partial, Record, Release, Subject, TaskId, TaskRetried,
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
            // Records are numbered without a gap; one that is not here was of a kind that this program does not know.
            self.totals.unknown_records += seq - self.seq - 1;
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
}
