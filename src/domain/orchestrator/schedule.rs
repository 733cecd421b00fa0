//! Who starts: ready tasks in order onto free slots, in the same decision that freed them.

use std::sync::Arc;

use super::index::Timer;
use super::queues::LOOKS;
use super::{Job, Look, Orchestrator, StartTurn, WantAnswer};
use crate::domain::protocol::{
    AttemptEnd, AttemptId, AttemptStarted, Claims, Event, FailureKind, Micros, TaskClaimed, TurnId, TurnStarted, Work,
};
use crate::domain::state::{EndpointState, Gear, Goal, Life, QueuePlace, QueueStanding, Seat, State, TaskIx, Why};

/// Whether anything may start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Starts {
    Allowed,
    Over,
}

/// What a task claims is kept for it after others took it so often, or after it waited so long.
const PASSES: u32 = 8;
const RESERVED_AFTER: Micros = Micros::from_secs(60);

/// Sampling of the summary that is to be spoken (source: the parallel engine's description).
const VOICE_TEMPERATURE: f32 = 0.4;

impl Orchestrator {
    /// Acts on deadlines that have come.
    pub(super) fn wake(&mut self) {
        self.index.woken(self.now);
        for timer in self.index.due(self.now) {
            match timer {
                Timer::Probe(endpoint) => {
                    // Its answer sets the time of the next one; without an answer there is still a next one.
                    self.index.probe_at(&endpoint, self.now.plus(super::endpoints::UP_IDLE));
                    self.probe(endpoint, Look::Light);
                }
                Timer::Silence(turn) => self.listen(turn),
                Timer::Watch(pool) => self.watch_pool(pool),
                Timer::Hush(pool) => self.look_at_silence(pool),
                Timer::Strain => self.throttle(),
                Timer::Backoff(_) | Timer::Open(_) | Timer::Weigh | Timer::Walk => {}
            }
        }
    }

    /// Brings everything to rest: readiness, skips, goal ends, starts.
    pub(super) fn settle(&mut self) {
        self.come_to_rest(Starts::Allowed);
    }

    /// The same without starting anything: the session ends.
    pub(super) fn settle_for_the_end(&mut self) {
        self.come_to_rest(Starts::Over);
    }

    fn come_to_rest(&mut self, starts: Starts) {
        self.index.grow_older(self.now);
        loop {
            while self.index.is_touched() {
                for ix in self.index.take_touched() {
                    self.calm(ix);
                    self.let_go(ix);
                    if !self.skip_if_blocked(ix) {
                        self.index.classify(ix, &self.state, self.now);
                    }
                }
            }
            self.index.refresh_paths(&self.state, self.now);
            if starts == Starts::Allowed {
                self.weigh_goals();
                self.fill_slots();
                self.recall_beyond_ceilings();
            }
            if !self.advance_goals() && !self.index.is_touched() && (starts == Starts::Over || !self.spread()) {
                return;
            }
        }
    }

    /// Gives free slots to ready tasks until one of the two runs out.
    fn fill_slots(&mut self) {
        if self.state.gear == Gear::Paused || self.state.ended.is_some() {
            return;
        }
        let mut looks = 0;
        loop {
            let (next, taken) = self.next_start();
            // Where so many were passed over there may be more.
            looks += taken.len() + usize::from(taken.len() >= LOOKS);
            for ix in taken {
                self.index.queues.hide(ix);
            }
            if let Some((ix, seat)) = next {
                if self.is_kept_for_others(ix) {
                    self.index.queues.hide(ix);
                } else if !self.rounds_first(ix, seat.endpoint) {
                    self.start_task(ix, seat);
                    looks = 0;
                }
                for ix in self.index.take_touched() {
                    self.calm(ix);
                    self.index.classify(ix, &self.state, self.now);
                }
                continue;
            }
            if looks < LOOKS && self.index.queues.walks() {
                looks += LOOKS;
                if self.index.queues.look(&self.state) {
                    continue;
                }
            }
            if self.index.queues.walks() || looks > LOOKS {
                // The rest in the next decision, after whatever else came in.
                self.index.set(self.now, Timer::Walk);
            }
            return;
        }
    }

    /// Lets go of what a task has that is not at work any more.
    fn let_go(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        if task.life != Life::Running && self.state.holding(ix).is_some() {
            let task = task.id.clone();
            self.emit(Event::TaskUnclaimed { task });
        }
    }

    /// A task is about to take what others claim that stand before it. Whether it is kept for one of them from now on: it
    /// was taken eight times, or that one waited for a minute.
    fn is_kept_for_others(&mut self, ix: TaskIx) -> bool {
        let form = Arc::clone(&self.state.task(ix).spec);
        let claims = !form.locks.is_empty() || !form.owns.is_empty();
        let Some(place) = self.index.queues.place(ix).copied().filter(|_| claims) else { return false };
        for before in self.index.queues.before(&place) {
            let clashes = || self.state.clash(before, &form.locks, &form.owns).is_some();
            if before == ix || !clashes() || !self.state.can_use(before) {
                continue;
            }
            let task = self.state.task(before);
            let waited = self.now.since(self.state.waits_since(task));
            let (long, often) = (waited >= RESERVED_AFTER, self.index.pass(before) > PASSES);
            if long || often {
                let task = task.id.clone();
                self.emit(Event::TaskReserved { task });
                return true;
            }
        }
        false
    }

    /// The first ready task, over all lanes, that can be placed; and tasks before it of which something they claim is taken.
    fn next_start(&self) -> (Option<(TaskIx, Seat)>, Vec<TaskIx>) {
        let mut best: Option<(QueuePlace, Seat)> = None;
        let mut taken = Vec::new();
        for (lane, places) in self.index.queues.lanes() {
            let goal = self.state.goal(lane.goal);
            let takes = |e: &EndpointState| {
                let pool = self.state.pool(e.pool);
                pool.free_slot().is_some() && pool.shut(self.now).is_none()
            };
            let is_free = |e: &EndpointState| e.is_usable() && takes(e);
            let free = match lane.endpoint {
                Some(endpoint) => is_free(self.state.endpoint(endpoint)),
                None => self.state.endpoints().iter().any(|e| e.serves(&lane.tier) && is_free(e)),
            };
            if !free {
                continue;
            }
            let full = goal.and_then(Goal::full).is_some() || self.is_shut_to_new(lane);
            // Beyond the first: only tasks that avoid the one endpoint with room are passed over.
            for place in places {
                // What is under way is counted in the limit already, and goes before what is new.
                if best.as_ref().is_some_and(|(b, _)| b < place) || (full && place.standing == QueueStanding::New) {
                    break;
                }
                match self.state.admit(place.task, self.now) {
                    Ok(seat) => {
                        best = Some((*place, seat));
                        break;
                    }
                    Err(Why::Lock { .. } | Why::Path { .. } | Why::Reserved { .. }) => taken.push(place.task),
                    Err(_) => {}
                }
                if taken.len() >= LOOKS {
                    return (None, taken);
                }
            }
        }
        (best.map(|(place, seat)| (place.task, seat)), taken)
    }

    fn start_task(&mut self, ix: TaskIx, seat: Seat) {
        let task = self.state.task(ix);
        let (id, version, agent) = (task.id.clone(), task.version, task.spec.agent.clone());
        if let Some(open) = self.state.open_attempt(task) {
            let TurnId { attempt, turn } = open.turn_id();
            if open.endpoint() == Some(seat.endpoint) && open.agent == agent && open.version == version {
                self.start_turn(ix, TurnId { attempt, turn: turn + 1 }, seat);
                return;
            }
            self.emit(Event::AttemptEnded { attempt, end: AttemptEnd::Moved });
        } else if task.life == Life::NotStarted {
            self.emit(Event::TaskStarted { task: id.clone() });
        }
        let claims = task_claims(&self.state, ix);
        if let Some(claims) = claims {
            let waited = self.now.since(self.state.waits_since(self.state.task(ix))).0;
            self.emit(Event::TaskClaimed(TaskClaimed { task: id.clone(), claims, waited_us: waited }));
        }
        let attempt = AttemptId(self.state.attempts().len() as u64 + 1);
        let endpoint = self.state.endpoint(seat.endpoint).config.name.clone();
        self.emit(Event::AttemptStarted(AttemptStarted {
            attempt,
            task: id,
            version,
            agent,
            endpoint,
            route: seat.route,
        }));
        self.start_turn(ix, TurnId { attempt, turn: 1 }, seat);
    }

    /// Sends a turn's request on a granted slot.
    fn start_turn(&mut self, ix: TaskIx, turn: TurnId, seat: Seat) {
        let (recipe, max_tokens) = self.recipe(ix, seat.endpoint);
        let task = self.state.task(ix);
        let endpoint = self.state.endpoint(seat.endpoint);
        let level = self.state.level_of(task);
        let agent = self.state.config.fleet.agent(&task.spec.agent);
        let planning = task.work == Work::Planning;
        let start = StartTurn {
            turn,
            task: task.id.clone(),
            endpoint: endpoint.config.name.clone(),
            recipe: recipe.clone(),
            max_tokens,
            temperature: match task.work {
                // Spoken words may vary more than a summary does.
                Work::Voice => VOICE_TEMPERATURE,
                _ => agent.map_or(0.3, |a| a.temperature),
            },
            level,
            level_support: endpoint.level_support(),
            schema: planning.then(|| self.planning_schema(task.id.goal)),
            want_answer: match task.work {
                Work::Planning => WantAnswer::Whole,
                _ if self.may_ask(task) => WantAnswer::Short,
                _ => WantAnswer::No,
            },
            seconds: task.spec.budget.seconds,
            silence_seconds: self.silence_limit(task),
        };
        self.emit(Event::TurnStarted(TurnStarted { turn, slot: seat.slot, level, max_tokens, recipe }));
        self.listen(turn);
        self.watch_sent(seat.endpoint);
        self.hush(self.state.endpoint(seat.endpoint).pool);
        self.begin(Job::Turn(Box::new(start)));
        self.tell_fit(ix);
    }

    /// How long to wait before the `failures`-th retry: doubling, from the first wait to the longest; none where trying
    /// elsewhere needs no wait.
    pub(super) fn backoff(&self, failures: u32, kind: FailureKind) -> Micros {
        let settings = &self.state.config.settings;
        let first = match kind {
            FailureKind::Loading => settings.backoff_ms.max(1_000),
            _ => settings.backoff_ms,
        };
        let wait =
            first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(settings.backoff_max_ms.max(first));
        Micros::from_millis(wait)
    }
}

/// What a task claims that begins, or that begins again in another form; none: nothing new.
fn task_claims(state: &State, ix: TaskIx) -> Option<Claims> {
    let form = &state.task(ix).spec;
    let held = state.holding(ix).map(|holding| &holding.claims);
    let claims = form.claims();
    (held.is_none() && !claims.is_empty()).then_some(claims)
}
