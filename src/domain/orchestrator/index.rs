//! What the orchestrator looks up fast: who is ready and in what order, what waits for a time. All of it follows from
//! the state and can be rebuilt from it.

use std::collections::{BTreeMap, BTreeSet};

use super::down::Hush;
use super::queues::{Lane, Queues};
use crate::domain::plan::{PlanEdit, Priority};
use crate::domain::protocol::{EndpointName, Event, GoalId, Micros, Record, TaskId, TurnEnd, TurnId};
use crate::domain::state::{EndpointIx, EndpointState, GoalPhase, Life, PoolIx, QueuePlace, State, Task, TaskIx};

/// Something that waits for a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A task's wait for a retry is over.
    Backoff(TaskIx),
    /// An endpoint is to be probed.
    Probe(EndpointName),
    /// A turn may have been silent for too long.
    Silence(TurnId),
    /// Turns of a pool may wait in its server.
    Watch(PoolIx),
    /// A stream of a pool may say nothing any more.
    Hush(PoolIx),
    /// A pool's server takes requests again.
    Open(PoolIx),
    /// More of what waits for a claim is to be looked at.
    Walk,
    /// Whether goals fit into memory is judged by what is known, though not all was looked at.
    Weigh,
    /// How hard this machine is pressed may mean something else now.
    Strain,
}

/// The index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    /// Ready tasks.
    pub queues: Queues,
    /// How often others took what a task claims that stands before them.
    passed: BTreeMap<TaskIx, u32>,
    /// Needs of each task that have not ended.
    unmet: Vec<u32>,
    /// Longest remaining path of each task in seconds.
    paths: Vec<f32>,
    /// Tasks whose readiness is to be looked at again.
    touched: Vec<TaskIx>,
    /// Goals that may have come to an end.
    pub goals_touched: Vec<GoalId>,
    /// What waits for a time.
    timers: BTreeSet<(Micros, Timer)>,
    /// When the silence of each turn under way is looked at.
    silence: BTreeMap<TurnId, Micros>,
    /// When the turns of each pool are looked at.
    watches: BTreeMap<PoolIx, Micros>,
    /// When it was last looked for others who use a pool's server, and how often that was in vain.
    looks: BTreeMap<PoolIx, (Micros, u32)>,
    /// Pools of which the last look has not come back.
    looking: BTreeSet<PoolIx>,
    /// When ready tasks grow older. Apart from the timers: it wakes nobody, and there may be one for each task.
    ages: BTreeSet<(Micros, TaskIx)>,
    /// When each ready task grows older; none for those that are not ready.
    age_at: Vec<Option<Micros>>,
    /// The priority under which each unfinished task is counted in `by_priority`.
    counted: Vec<Option<Priority>>,
    /// Unfinished tasks by priority as written: ageing raises nobody above the highest of them.
    by_priority: [u32; 4],
    /// Whose silence is watched, and what waits for a probe.
    pub hush: Hush,
    /// Whether paths must be computed again.
    stale_paths: bool,
    /// Whether what goals would load must be weighed again.
    weigh: bool,
    wake: Option<Micros>,
}

impl Index {
    /// The index of a state.
    pub(super) fn rebuild(state: &State) -> Self {
        let mut index = Self { stale_paths: true, ..Self::default() };
        for (i, task) in state.tasks().iter().enumerate() {
            index.grow(i + 1);
            index.count(TaskIx(i as u32), task);
            index.unmet[i] = count_unmet(state, TaskIx(i as u32));
            index.touched.push(TaskIx(i as u32));
        }
        index.goals_touched.extend(state.goals().iter().map(|g| g.id));
        for endpoint in state.endpoints() {
            if let Some(at) = endpoint.probe_at {
                index.timers.insert((at, Timer::Probe(endpoint.config.name.clone())));
            }
        }
        for pool in (0..state.pools().len() as u32).map(PoolIx) {
            index.open_in_time(pool, state);
        }
        index.watch_machine(state);
        index
    }

    /// Sets when a pool takes requests again, if nothing is sent to it now.
    fn open_in_time(&mut self, pool: PoolIx, state: &State) {
        if let Some(shut) = state.pool(pool).shut(state.at) {
            self.timers.insert((shut.until, Timer::Open(pool)));
        }
    }

    /// Adds a time.
    pub(super) fn set(&mut self, at: Micros, timer: Timer) {
        self.timers.insert((at, timer));
    }

    /// Sets when the machine is to be thought of again, in place of the times it had.
    fn watch_machine(&mut self, state: &State) {
        self.weigh = true;
        self.timers.retain(|(_, t)| !matches!(t, Timer::Weigh | Timer::Strain));
        let (until, has_models) = (state.first_look_until(), state.endpoints().iter().any(|e| e.config.is_here()));
        if has_models && until > state.at {
            self.timers.insert((until, Timer::Weigh));
        }
        self.timers.extend(state.throttle_due(state.at).filter(|_| has_models).map(|at| (at, Timer::Strain)));
    }

    /// Whether what goals would load is to be weighed, since something may have changed it; asked once.
    pub(super) fn take_weigh(&mut self) -> bool {
        std::mem::take(&mut self.weigh)
    }

    fn grow(&mut self, n: usize) {
        if self.unmet.len() < n {
            self.queues.grow(n);
            self.unmet.resize(n, 0);
            self.paths.resize(n, 0.0);
            self.age_at.resize(n, None);
            self.counted.resize(n, None);
        }
    }

    /// Counts a task under its priority while it is unfinished. Returns whether it was counted before.
    fn count(&mut self, ix: TaskIx, task: &Task) -> bool {
        let now = (!task.has_ended() && !task.removed).then_some(task.spec.priority);
        let highest = self.highest();
        let was = std::mem::replace(&mut self.counted[ix.0 as usize], now);
        if let Some(was) = was {
            let n = &mut self.by_priority[was as usize];
            *n = n.saturating_sub(1);
        }
        if let Some(now) = now {
            self.by_priority[now as usize] += 1;
        }
        if self.highest() != highest {
            // Ageing raises to it.
            self.touch_ready();
        }
        was.is_some()
    }

    /// Keeps step with a record that was just applied.
    pub(super) fn observe(&mut self, record: &Record, state: &State) {
        // What is kept for a task is kept no longer once that can't use it: those behind are looked at again.
        if state.reserved().next().is_some() && !matches!(record.event, Event::AttemptOutput(_)) {
            self.queues.released();
        }
        match &record.event {
            Event::PlanEdited(edited) => {
                self.grow(state.tasks().len());
                self.stale_paths = true;
                // One that goes or comes back may be needed by any; else only the tasks named have other needs than before.
                let any = edited.edits.iter().any(|e| matches!(e, PlanEdit::Remove(_) | PlanEdit::Restore(_)));
                let named = |edit: &PlanEdit| state.find(&TaskId::new(edited.goal, edit.name().clone()));
                let tasks: Vec<TaskIx> = match state.goal(edited.goal) {
                    Some(goal) if any => goal.tasks.clone(),
                    _ => edited.edits.iter().filter_map(named).collect(),
                };
                for ix in tasks {
                    self.count(ix, state.task(ix));
                    self.unmet[ix.0 as usize] = count_unmet(state, ix);
                    self.touched.push(ix);
                }
                self.goals_touched.push(edited.goal);
                self.weigh = true;
            }
            Event::SessionOpened(_) | Event::MachineSampled(_) | Event::MachineThrottled { .. } => {
                self.watch_machine(state);
            }
            Event::GoalReleased { .. }
            | Event::ModelMoved(_)
            | Event::ServerChanged(_)
            | Event::EndpointMoved { .. } => {
                self.weigh = true;
            }
            Event::GoalApproved { goal } | Event::GoalDrafted { goal } | Event::GoalReopened { goal } => {
                if let Some(goal) = state.goal(*goal) {
                    self.touched.extend(&goal.tasks);
                }
                self.goals_touched.push(*goal);
                self.weigh = true;
            }
            Event::TaskCompleted { task, .. }
            | Event::TaskFailed { task, .. }
            | Event::TaskCancelled { task, .. }
            | Event::TaskSkipped { task, .. } => self.ended(task, state),
            Event::ResultEdited(edited) => self.ended(&edited.task, state),
            Event::TaskRetried(retried) => {
                self.reopened(&retried.task, state);
                self.weigh = true;
                self.stale_paths = true;
            }
            Event::TaskStarted { task }
            | Event::TaskHeld { task }
            | Event::TaskReleased { task }
            | Event::TaskPlaced { task, .. } => {
                self.touched.extend(state.find(task));
                let placed = matches!(record.event, Event::TaskPlaced { .. });
                self.weigh |= placed;
                self.stale_paths |= placed;
            }
            Event::TaskUnclaimed { .. } | Event::GoalEnded { .. } => self.queues.released(),
            Event::TaskAnswered(said) => self.touched.extend(state.find(&said.task)),
            Event::TurnStarted(started) => self.touched.extend(state.attempt(started.turn.attempt).map(|a| a.task)),
            Event::TurnEnded(ended) => {
                self.listen_no_more(ended.turn);
                let attempt = state.attempt(ended.turn.attempt);
                self.touched.extend(attempt.map(|a| a.task));
                let failed = attempt.filter(|_| matches!(ended.end, TurnEnd::Failed(_)));
                if let Some(place) = failed.and_then(|a| state.place_of(a)) {
                    self.open_in_time(place.pool, state);
                }
            }
            Event::AttemptEnded { attempt, .. } => {
                // Estimates follow the agent's history; recomputing at every doubling keeps the cost small.
                if let Some(a) = state.attempt(*attempt)
                    && state.history.get(&a.agent).is_some_and(|h| h.answers.is_power_of_two())
                {
                    self.stale_paths = true;
                }
            }
            Event::EndpointChanged(changed) => {
                let name = &changed.endpoint;
                self.timers.retain(|(_, t)| !matches!(t, Timer::Probe(n) if n == name));
                if let Some(at) = changed.probe_at {
                    self.timers.insert((at, Timer::Probe(name.clone())));
                }
                // A tier that went down or came back sends its ready tasks another way. What is kept for one of them is kept
                // no longer while it can't be used.
                self.touch_ready();
                self.queues.released();
                self.stale_paths = true;
                self.weigh = true;
            }
            Event::EndpointDrained { .. } | Event::EndpointEdited { .. } => {
                self.touch_ready();
                self.stale_paths = true;
                self.weigh = true;
            }
            Event::EndpointFound(_) => self.stale_paths = true,
            _ => {}
        }
    }

    /// What is ready may go another way.
    fn touch_ready(&mut self) {
        self.touched.extend(self.queues.ready());
    }

    fn ended(&mut self, id: &TaskId, state: &State) {
        let Some(ix) = state.find(id) else { return };
        let task = state.task(ix);
        // A result put in by hand comes to tasks that had ended as well: they were met then already.
        let open = self.count(ix, task);
        self.touched.push(ix);
        // It ended before what it needs: the paths of that are shorter now. Else nothing before it waits any more.
        self.stale_paths |= self.unmet[ix.0 as usize] > 0;
        for feed in &task.feeds {
            let unmet = &mut self.unmet[feed.0 as usize];
            *unmet = unmet.saturating_sub(u32::from(open));
            if *unmet == 0 {
                self.touched.push(*feed);
            }
        }
        self.goals_touched.push(id.goal);
        // What is left of it may fit now, or leave room for another one.
        self.weigh |= state.goals().iter().any(|g| g.short_of().is_some());
    }

    fn reopened(&mut self, id: &TaskId, state: &State) {
        let Some(ix) = state.find(id) else { return };
        let task = state.task(ix);
        self.touched.push(ix);
        if self.count(ix, task) {
            return;
        }
        // It had ended; those that need it wait for it again.
        for feed in &task.feeds {
            self.unmet[feed.0 as usize] += 1;
            self.touched.push(*feed);
        }
    }

    /// Tasks to look at again; each once.
    pub(super) fn take_touched(&mut self) -> Vec<TaskIx> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Whether everything a task needs has ended.
    pub(super) fn is_met(&self, ix: TaskIx) -> bool {
        self.unmet[ix.0 as usize] == 0
    }

    /// Whether anything is still to be looked at.
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Puts a task among the ready ones, or takes it out, as the state has it at `now`. Its needs are met or it is not
    /// ready.
    pub(super) fn classify(&mut self, ix: TaskIx, state: &State, now: Micros) {
        let i = ix.0 as usize;
        let task = state.task(ix);
        let goal = state.goal(task.id.goal);
        let goes_on = state.between_turns(task).is_some();
        let new = task.life == Life::NotStarted
            && !task.removed
            && !task.held
            && self.unmet[i] == 0
            && goal.is_some_and(|g| g.phase != GoalPhase::Draft);
        let lane = match state.tier_of(task) {
            Some(tier) if goes_on || (new && task.not_before <= now) => {
                Some(Lane { goal: task.id.goal, tier: tier.clone(), endpoint: state.placed(task) })
            }
            _ => None,
        };
        if new && task.not_before > now {
            self.timers.insert((task.not_before, Timer::Backoff(ix)));
        }
        let Some(lane) = lane else {
            self.queues.remove(ix);
            self.passed.remove(&ix);
            if let Some(at) = self.age_at[i].take() {
                self.ages.remove(&(at, ix));
            }
            return;
        };
        self.age_after(ix, state, now);
        let place = self.place(ix, state, now);
        // One that goes on has what it claims.
        let set = if goes_on { None } else { self.queues.set_of(ix, state) };
        self.queues.put(lane, place, set, state);
    }

    /// Counts that others took what a task claims, though it stands before them. Returns how often that was.
    pub(super) fn pass(&mut self, ix: TaskIx) -> u32 {
        let passed = self.passed.entry(ix).or_default();
        *passed += 1;
        *passed
    }

    /// Looks again at the tasks that have grown older by `now`.
    pub(super) fn grow_older(&mut self, now: Micros) {
        while let Some((at, ix)) = self.ages.first().copied()
            && at <= now
        {
            self.ages.pop_first();
            self.age_at[ix.0 as usize] = None;
            self.touched.push(ix);
        }
    }

    /// Sets when a ready task grows older next.
    fn age_after(&mut self, ix: TaskIx, state: &State, now: Micros) {
        let next = state.older_at(state.waits_since(state.task(ix)), now);
        let age_at = &mut self.age_at[ix.0 as usize];
        if *age_at == next {
            return;
        }
        if let Some(at) = std::mem::replace(age_at, next) {
            self.ages.remove(&(at, ix));
        }
        self.ages.extend(next.map(|at| (at, ix)));
    }

    fn place(&self, ix: TaskIx, state: &State, now: Micros) -> QueuePlace {
        state.queue_place(ix, now, self.paths[ix.0 as usize], self.highest())
    }

    /// As [`State::highest_priority`], kept in step.
    fn highest(&self) -> Priority {
        let all = [Priority::Critical, Priority::High, Priority::Medium];
        all.into_iter().find(|p| self.by_priority[*p as usize] > 0).unwrap_or(Priority::Low)
    }

    /// Computes paths again if they are stale, and moves ready tasks to their new places.
    pub(super) fn refresh_paths(&mut self, state: &State, now: Micros) {
        if !std::mem::take(&mut self.stale_paths) {
            return;
        }
        self.paths = state.paths();
        let highest = self.highest();
        let paths = &self.paths;
        let path = |ix: TaskIx| paths.get(ix.0 as usize).copied().unwrap_or_default();
        self.queues.replace(state, |ix| state.queue_place(ix, now, path(ix), highest));
    }

    /// Adds a time an endpoint is to be probed at, in place of the one it had.
    pub(super) fn probe_at(&mut self, endpoint: &EndpointName, at: Micros) {
        self.timers.retain(|(_, t)| !matches!(t, Timer::Probe(n) if n == endpoint));
        self.timers.insert((at, Timer::Probe(endpoint.clone())));
    }

    /// The same, unless it is to be probed before.
    pub(super) fn probe_by(&mut self, endpoint: &EndpointName, at: Micros) {
        let theirs = |(due, t): &&(Micros, Timer)| *due <= at && matches!(t, Timer::Probe(n) if n == endpoint);
        if self.timers.iter().find(theirs).is_none() {
            self.probe_at(endpoint, at);
        }
    }

    /// Looks at a turn's silence at `at`, in place of the time it had.
    pub(super) fn listen(&mut self, turn: TurnId, at: Micros) {
        self.listen_no_more(turn);
        self.silence.insert(turn, at);
        self.timers.insert((at, Timer::Silence(turn)));
    }

    /// Whether a task is ready that may go to an endpoint.
    pub(super) fn is_wanted(&self, ix: EndpointIx, endpoint: &EndpointState) -> bool {
        self.queues.any(|lane| lane.endpoint.map_or_else(|| endpoint.serves(&lane.tier), |only| only == ix))
    }

    /// Looks at a pool's turns at `at`, unless that is done before.
    pub(super) fn watch_at(&mut self, pool: PoolIx, at: Micros) {
        match self.watches.get(&pool) {
            Some(sooner) if *sooner <= at => return,
            Some(later) => {
                self.timers.remove(&(*later, Timer::Watch(pool)));
            }
            None => {}
        }
        self.watches.insert(pool, at);
        self.timers.insert((at, Timer::Watch(pool)));
    }

    /// Others were looked for: in vain, so far; no more than `doublings` times that makes the next look later.
    pub(super) fn looked(&mut self, pool: PoolIx, now: Micros, doublings: u32) {
        let vain = self.looks.get(&pool).map_or(0, |(_, vain)| vain + 1).min(doublings);
        self.looks.insert(pool, (now, vain));
        self.looking.insert(pool);
    }

    /// Whether a look has not come back yet.
    pub(super) fn is_looking(&self, pool: PoolIx) -> bool {
        self.looking.contains(&pool)
    }

    /// A probe of a pool's server came back.
    pub(super) fn look_is_back(&mut self, pool: PoolIx) {
        self.looking.remove(&pool);
    }

    /// When others may be looked for again, if that is done every `pace` while there are some.
    pub(super) fn look_due(&self, pool: PoolIx, pace: Micros) -> Micros {
        self.looks.get(&pool).map_or(Micros(0), |(at, vain)| at.plus(Micros(pace.0 << vain)))
    }

    fn listen_no_more(&mut self, turn: TurnId) {
        if let Some(at) = self.silence.remove(&turn) {
            self.timers.remove(&(at, Timer::Silence(turn)));
        }
    }

    /// The timers that are due.
    pub(super) fn due(&mut self, now: Micros) -> Vec<Timer> {
        let mut due = Vec::new();
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            let Some((_, timer)) = self.timers.pop_first() else { break };
            match timer {
                Timer::Backoff(ix) => self.touched.push(ix),
                // That it is time is enough: whoever waits for it is placed after every input.
                Timer::Open(_) | Timer::Walk => {}
                Timer::Hush(pool) => {
                    self.hush.came(pool);
                    due.push(Timer::Hush(pool));
                }
                Timer::Weigh => self.weigh = true,
                timer @ (Timer::Probe(_) | Timer::Strain) => due.push(timer),
                Timer::Silence(turn) => {
                    self.silence.remove(&turn);
                    due.push(Timer::Silence(turn));
                }
                Timer::Watch(pool) => {
                    self.watches.remove(&pool);
                    due.push(Timer::Watch(pool));
                }
            }
        }
        due
    }

    /// The earliest deadline, if it is not the one asked for already. Ageing alone wakes nobody: it matters only when
    /// a slot is given out.
    pub(super) fn next_wake(&mut self, now: Micros) -> Option<Micros> {
        let next = self.timers.first().map(|(at, _)| (*at).max(now));
        if next == self.wake {
            return None;
        }
        self.wake = next;
        next
    }

    /// The wake that was asked for has come.
    pub(super) fn woken(&mut self, now: Micros) {
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
        }
    }
}

#[cfg(test)]
impl Index {
    /// What is kept in step is what counting gives.
    pub(super) fn assert_true(&self, state: &State, now: Micros) {
        let fresh = Self::rebuild(state);
        let open = |ix: &usize| !state.task(TaskIx(*ix as u32)).removed;
        for i in (0..state.tasks().len()).filter(open) {
            assert_eq!(self.unmet[i], fresh.unmet[i], "unmet needs of {}", state.tasks()[i].id);
        }
        assert_eq!(self.by_priority, fresh.by_priority, "unfinished tasks by priority");
        self.queues.assert_true(state);
        assert_eq!(self.ages.len(), self.age_at.iter().flatten().count());
        if !self.stale_paths {
            let (paths, highest) = (state.paths(), state.highest_priority());
            for ix in self.queues.ready() {
                let theirs = state.queue_place(ix, now, paths[ix.0 as usize], highest);
                assert_eq!(
                    self.queues.place(ix),
                    Some(&theirs),
                    "the order is what any viewer works out: {}",
                    state.task(ix).id
                );
            }
        }
        for endpoint in state.endpoints().iter().filter(|e| e.probe_at.is_some()) {
            let name = &endpoint.config.name;
            assert!(self.timers.iter().any(|(_, t)| matches!(t, Timer::Probe(n) if n == name)), "{name} is forgotten");
        }
    }
}

fn count_unmet(state: &State, ix: TaskIx) -> u32 {
    state.task(ix).needs.iter().filter(|n| !state.task(**n).has_ended()).count() as u32
}
