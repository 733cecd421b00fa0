//! Admission, and "why?": one function answers both, so the console can never say what the orchestrator does not do.

use std::fmt;

use super::fit::Room;
use super::{Attempt, End, EndpointIx, EndpointState, Gear, Goal, GoalPhase, Life, Shut, State, Task, TaskIx};
use crate::domain::plan::OnFailure;
use crate::domain::protocol::{
    AgentName, EndpointName, GoalId, Grip, Health, Intake, Micros, Route, Throttle, TierName,
};
use crate::domain::text::CleanText;

/// What a task is given when it starts: all of it or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Where.
    pub endpoint: EndpointIx,
    /// The slot in the endpoint's pool.
    pub slot: u16,
    /// By which of the agent's tiers.
    pub route: Route,
}

/// Why a task does not start now. Its text is one true sentence with what would release it.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It runs or has ended.
    NotWaiting,
    /// The operator holds it.
    Held,
    /// The session is paused.
    Paused,
    /// The session has ended, with this left to do.
    Ended,
    /// The goal's plan waits for review.
    Review(GoalId),
    /// It needs tasks that have not ended.
    Needs {
        /// How many.
        count: u32,
        /// The title of the first of them.
        first: CleanText,
    },
    /// A need ended badly and its policy is to stop.
    Blocked {
        /// The title of the need.
        by: CleanText,
        /// How that ended.
        end: &'static str,
    },
    /// It waits for a retry.
    Backoff {
        /// When it may start, session time.
        until: Micros,
        /// Seconds from now.
        seconds: u64,
        /// Why it failed.
        reason: CleanText,
    },
    /// What the goal's tasks would load does not fit into memory.
    Memory {
        /// The sum in words.
        reason: CleanText,
    },
    /// What is in this machine's memory is being looked at, at the beginning of a process's life.
    FirstLook,
    /// Fewer tasks start on this machine than could.
    Throttled {
        /// Why.
        throttle: Throttle,
    },
    /// The operator lets every endpoint of the tier run empty.
    Draining {
        /// The first one's name.
        endpoint: CleanText,
    },
    /// The goal runs as many tasks as the operator allows.
    Limit {
        /// The limit.
        max: u32,
    },
    /// No endpoint serves the tier.
    NoEndpoint {
        /// The tier.
        tier: TierName,
    },
    /// Every endpoint of the tier is down.
    Down {
        /// The tier.
        tier: TierName,
        /// The first one's name.
        endpoint: CleanText,
        /// Seconds until it is probed again.
        probe_in: Option<u64>,
        /// The first that Baton can start, where it can.
        starts: Option<EndpointName>,
    },
    /// No endpoint of the tier answers yet, but one loads its model.
    Loading {
        /// The tier.
        tier: TierName,
        /// Its name.
        endpoint: CleanText,
        /// Seconds since it began.
        seconds: u64,
    },
    /// Every endpoint of the tier is down, but one that answers and whose requests failed: it is tried again by itself.
    Resting {
        /// Its name.
        endpoint: CleanText,
        /// Seconds until it is tried.
        seconds: u64,
    },
    /// Nothing is sent yet to the one endpoint with room: its server asked for a wait, or had no room by itself.
    Asked {
        /// The endpoint's name.
        endpoint: CleanText,
        /// The wait that its server asked for in seconds; none: it named no time.
        asked: Option<u64>,
        /// When the next request may go, session time.
        until: Micros,
        /// Seconds from now.
        seconds: u64,
    },
    /// Every slot of the tier is in use.
    Slot {
        /// The endpoint's name, or how many there are.
        endpoint: CleanText,
        /// Slots in use.
        busy: u32,
        /// Of which drain after a cancel.
        draining: u32,
        /// Why there are not more.
        pinch: Pinch,
    },
    /// Nobody knows the agent.
    NoAgent,
}

/// Why a tier has fewer slots than its servers claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinch {
    /// It does not.
    None,
    /// Others use some.
    Others(u32),
    /// They serve fewer at once than they claim.
    Serves {
        /// As many as they claim.
        claims: u32,
    },
    /// A server that was away or failed is tried with one request.
    Trial,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWaiting => f.write_str("it does not wait"),
            Self::Held => f.write_str("held by you; p releases it"),
            Self::Paused => f.write_str("the session is paused; P resumes it"),
            Self::Ended => f.write_str("the session has ended; `baton resume` takes it up again"),
            Self::Review(_) => f.write_str("the plan waits for your review; enter runs it"),
            Self::Needs { count: 1, first } => write!(f, "needs “{first}” to end"),
            Self::Needs { count, first } => write!(f, "needs {count} tasks to end, “{first}” first"),
            Self::Blocked { by, end } => write!(f, "“{by}” {end}; retry that one, or skip it"),
            Self::Backoff { seconds, reason, .. } => write!(f, "waits {seconds} s more: {reason}"),
            Self::Limit { max } => {
                write!(f, "the goal's limit of {max} at once is reached; the next one to end frees a place")
            }
            Self::Memory { reason } => write!(f, "{reason}; a starts it all the same"),
            Self::FirstLook => f.write_str("what is in this machine's memory is being looked at, for a second at most"),
            Self::Throttled { throttle } => {
                let how = match throttle.grip {
                    Grip::Half => "only half of the slots here are given out",
                    Grip::Stop => "nothing new starts here",
                };
                write!(f, "{throttle}: {how} until that is over")
            }
            Self::Draining { endpoint } => write!(f, "{endpoint} runs empty as you asked; p on it takes tasks again"),
            Self::NoEndpoint { tier } => write!(f, "no endpoint serves the tier {tier}; add one to the fleet file"),
            Self::Down { tier, endpoint, probe_in, starts } => {
                write!(f, "no endpoint of {tier} answers; ")?;
                match probe_in {
                    Some(s) => write!(f, "{endpoint} is probed again in {s} s")?,
                    None => write!(f, "start {endpoint}, then ctrl-r probes it")?,
                }
                starts.as_ref().map_or(Ok(()), |name| write!(f, "; `baton fleet up {name}` starts it"))
            }
            Self::Loading { endpoint, seconds, .. } => write!(f, "{endpoint} is loading its model (for {seconds} s)"),
            Self::Resting { endpoint, seconds } => {
                write!(f, "{endpoint} answers, but request after request failed there; one tries it in {seconds} s")
            }
            Self::Asked { endpoint, asked: Some(asked), seconds, .. } => {
                write!(f, "{endpoint} asks for a wait of {asked} s; the next request goes there in {seconds} s")
            }
            Self::Asked { endpoint, asked: None, seconds, .. } => {
                write!(f, "{endpoint} had no room though nothing of ours is there; it is asked again in {seconds} s")
            }
            Self::Slot { endpoint, busy, draining, pinch } => {
                let (of, are) = match (pinch, busy) {
                    (Pinch::Serves { .. }, 1) => ("the 1 slot that", "serves is busy"),
                    (Pinch::Serves { .. }, _) => ("slots that", "serves are busy"),
                    _ => ("slots of", "are busy"),
                };
                match (pinch, busy) {
                    (Pinch::Serves { .. }, 1) => write!(f, "{of} {endpoint} {are}")?,
                    _ => write!(f, "all {busy} {of} {endpoint} {are}")?,
                }
                match pinch {
                    Pinch::Serves { claims } => write!(f, " (it claims {claims})")?,
                    Pinch::Others(1) => f.write_str(", 1 more is used by another client")?,
                    Pinch::Others(n) => write!(f, ", {n} more are used by another client")?,
                    Pinch::Trial => f.write_str(", for it was away and is tried with one request")?,
                    Pinch::None => {}
                }
                match draining {
                    0 => f.write_str("; the next one free takes it in order"),
                    _ => write!(f, ", {draining} of them draining after a stop"),
                }
            }
            Self::NoAgent => f.write_str("its agent is not configured; give it another one"),
        }
    }
}

/// Why a slot has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleWhy {
    /// The session is paused.
    Paused,
    /// It does not answer.
    Down,
    /// The operator lets it run empty.
    Draining,
    /// Its server asked for a wait, or had no room.
    Asked,
    /// No task that is ready goes there.
    NoTask,
    /// Tasks for it wait for a goal's limit.
    Limit,
    /// Tasks for it are of a goal whose models do not fit into memory.
    Memory,
    /// Fewer tasks start on this machine than could.
    Throttled,
    /// Nothing is to be done at all.
    Nothing,
}

impl IdleWhy {
    /// The words shown.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Down => "down",
            Self::Draining => "runs empty",
            Self::Asked => "asked to wait",
            Self::NoTask => "no task for them",
            Self::Limit => "the goal's limit",
            Self::Memory => "memory",
            Self::Throttled => "throttled",
            Self::Nothing => "nothing to do",
        }
    }
}

fn asked(e: &EndpointState, shut: Shut, now: Micros) -> Why {
    Why::Asked {
        endpoint: CleanText::from(e.config.short()),
        asked: shut.asked_ms.map(|ms| ms.div_ceil(1_000)),
        until: shut.until,
        seconds: shut.until.since(now).0.div_ceil(1_000_000),
    }
}

impl State {
    /// The tier a task goes to now, and which of its agent's it is: the one it was sent to, or the other while
    /// only that one answers.
    pub fn route_of(&self, task: &Task) -> Option<(&TierName, Route)> {
        self.route_for(&task.spec.agent, task.route)
    }

    /// As [`State::route_of`], for any task of an agent that was sent to `route`.
    pub(super) fn route_for(&self, agent: &AgentName, route: Route) -> Option<(&TierName, Route)> {
        let agent = self.config.fleet.agent(agent)?;
        let Some(fallback) = &agent.fallback else { return Some((&agent.tier, Route::Primary)) };
        // The one it was sent to, unless only the other one answers.
        let (first_down, fallback_down) = (self.tier_is_down(&agent.tier), self.tier_is_down(fallback));
        let away = match route {
            Route::Fallback => first_down || !fallback_down,
            Route::Primary => first_down && !fallback_down,
        };
        Some(if away { (fallback, Route::Fallback) } else { (&agent.tier, Route::Primary) })
    }

    /// The tier a task goes to now.
    pub fn tier_of(&self, task: &Task) -> Option<&TierName> {
        self.route_of(task).map(|(tier, _)| tier)
    }

    /// Whether a need that has ended lets `task` start.
    pub fn satisfies(&self, need: &Task, task: &Task) -> bool {
        match need.life {
            Life::Ended(End::Done) => true,
            Life::Ended(End::Cancelled(_) | End::Skipped | End::Failed) => {
                task.spec.on_dependency_failure == OnFailure::Tell || need.has_result()
            }
            _ => false,
        }
    }

    /// Everything but a slot: whether the task itself may start at `now`.
    ///
    /// # Errors
    /// The first thing that keeps it from starting.
    pub fn eligible(&self, ix: TaskIx, now: Micros) -> Result<(), Why> {
        let task = self.task(ix);
        if self.between_turns(task).is_some() {
            // Its needs, its hold and the limit were looked at when it started.
            return self.is_open_to_work();
        }
        if task.life != Life::NotStarted || task.removed {
            return Err(Why::NotWaiting);
        }
        let goal = self.goal(task.id.goal);
        if goal.is_some_and(|g| g.phase == GoalPhase::Draft) {
            return Err(Why::Review(task.id.goal));
        }
        let (mut open, mut first) = (0, None);
        for need in task.needs.iter().map(|n| self.task(*n)) {
            if self.satisfies(need, task) {
                continue;
            }
            if let Life::Ended(end) = need.life {
                let end = match end {
                    End::Done => continue,
                    End::Failed => "failed",
                    End::Cancelled(_) => "was cancelled",
                    End::Skipped => "was skipped",
                };
                return Err(Why::Blocked { by: need.title.clone(), end });
            }
            open += 1;
            first.get_or_insert(need);
        }
        if let Some(first) = first {
            return Err(Why::Needs { count: open, first: first.title.clone() });
        }
        if task.held {
            return Err(Why::Held);
        }
        if task.not_before > now {
            let seconds = task.not_before.since(now).0.div_ceil(1_000_000);
            return Err(Why::Backoff { until: task.not_before, seconds, reason: task.reason.clone() });
        }
        self.is_open_to_work()?;
        if let Some(short) = goal.and_then(Goal::short_of) {
            return Err(Why::Memory { reason: short.reason.clone() });
        }
        if self.is_first_looking(now) {
            return Err(Why::FirstLook);
        }
        if let Some(max) = goal.and_then(|g| g.options.max_parallel)
            && goal.is_some_and(|g| g.running >= max)
        {
            return Err(Why::Limit { max });
        }
        Ok(())
    }

    /// Whether the session starts anything at all.
    fn is_open_to_work(&self) -> Result<(), Why> {
        match self.gear {
            _ if self.ended.is_some() => Err(Why::Ended),
            Gear::Paused => Err(Why::Paused),
            Gear::Running => Ok(()),
        }
    }

    /// Whether a task may start at `now`, and with what. The one function that decides it.
    ///
    /// # Errors
    /// [`Why`] not.
    pub fn admit(&self, ix: TaskIx, now: Micros) -> Result<Grant, Why> {
        self.eligible(ix, now)?;
        self.place(ix, now)
    }

    /// The endpoint that the operator chose for a task, while it is usable and did not just fail it.
    pub fn placed(&self, task: &Task) -> Option<EndpointIx> {
        let name = task.place.as_ref().filter(|name| !task.avoids(name))?;
        self.find_endpoint(name).filter(|ix| self.endpoint(*ix).is_usable())
    }

    /// The best slot for a task that may start: one of the endpoint it is placed on while that is usable, else of the
    /// fastest usable endpoint of its tier with a free slot; among equals the one with the most free. One that is stuck
    /// ([`State::is_stuck`]) comes last, where contexts differ those that hold what it needs come first, and one it failed on, or that refused it before, is taken only when the tier has
    /// no other that is usable. A next turn goes where the one before was, if
    /// there is room.
    ///
    /// # Errors
    /// [`Why`] there is none.
    pub fn place(&self, ix: TaskIx, now: Micros) -> Result<Grant, Why> {
        let task = self.task(ix);
        let Some((tier, route)) = self.route_of(task) else { return Err(Why::NoAgent) };
        if let Some(endpoint) = self.placed(task) {
            let e = self.endpoint(endpoint);
            let pool = self.pool(e.pool);
            if let Some(shut) = pool.shut(now) {
                return Err(asked(e, shut, now));
            }
            return match (pool.free_slot(), self.throttled(task, e)) {
                (Some(_), Some(throttle)) => Err(Why::Throttled { throttle }),
                (Some(slot), None) => Ok(Grant { endpoint, slot, route }),
                (None, _) => Err(Why::Slot {
                    endpoint: CleanText::from(e.config.short()),
                    busy: pool.busy(),
                    draining: pool.draining(),
                    pinch: self.pinch(&[endpoint]),
                }),
            };
        }
        let serving = || {
            self.endpoints.iter().enumerate().filter(|(_, e)| e.serves(tier)).map(|(i, e)| (EndpointIx(i as u32), e))
        };
        let usable = || serving().filter(|(_, e)| e.is_usable());
        // What failed it last may serve it again; what refused it does not.
        let failed = |e: &EndpointState| task.avoids(&e.config.name);
        let refused = |e: &EndpointState| task.refused_by.contains(&e.config.name);
        let passed_over: &dyn Fn(&EndpointState) -> bool = match () {
            () if usable().any(|(_, e)| !failed(e)) => &failed,
            () if usable().any(|(_, e)| !refused(e)) => &refused,
            () => &|_| false,
        };
        let own = self.between_turns(task).and_then(Attempt::endpoint);
        if let Some((endpoint, e)) = own.and_then(|own| usable().find(|(i, _)| *i == own))
            && let Some(slot) = self.pool(e.pool).free_slot()
            && self.pool(e.pool).shut(now).is_none()
            && self.throttled(task, e).is_none()
        {
            return Ok(Grant { endpoint, slot, route });
        }
        let contexts = || usable().filter(|(_, e)| !passed_over(e)).map(|(_, e)| e.context());
        // Where all are alike there is nothing to choose, and nothing is counted.
        let most = contexts().max().filter(|most| contexts().any(|c| c < *most));
        let size = most.map(|most| (most, self.size_of(task)));
        let mut best: Option<(Grant, bool, u32, f32, u32)> = None;
        let (mut busy, mut draining, mut name) = (0, 0, None);
        let mut full: Vec<EndpointIx> = Vec::new();
        let mut throttled = None;
        let mut shut: Option<(Shut, &EndpointState)> = None;
        for (endpoint, e) in usable() {
            if passed_over(e) {
                continue;
            }
            let pool = self.pool(e.pool);
            if let Some(wait) = pool.shut(now) {
                if shut.is_none_or(|(first, _)| wait.until < first.until) {
                    shut = Some((wait, e));
                }
                continue;
            }
            let room = match size {
                Some((most, size)) => size.room(e, self.config.settings.context_percent, most),
                None => Room::Whole,
            };
            // It could read nothing of what it is for there: it waits for a larger one that is at work and so comes free.
            let comes_free = |larger: &EndpointState| {
                let pool = self.pool(larger.pool);
                pool.ceiling > 0 && (pool.free_slot().is_some() || pool.busy() > 0) && pool.shut(now).is_none()
            };
            if room == Room::Nothing
                && usable().any(|(_, l)| {
                    !passed_over(l) && Some(l.context()) == most && comes_free(l) && self.throttled(task, l).is_none()
                })
            {
                continue;
            }
            busy += pool.busy();
            draining += pool.draining();
            name.get_or_insert(e);
            let Some(slot) = pool.free_slot() else {
                full.push(endpoint);
                continue;
            };
            if let Some(throttle) = self.throttled(task, e) {
                throttled = Some(throttle);
                continue;
            }
            let (open, speed, free) = (!self.is_stuck(e.pool, now), e.speed(), pool.free());
            let room = if room == Room::Whole { u32::MAX } else { e.context() };
            let better = best.is_none_or(|(_, o, r, s, f)| {
                (open && !o)
                    || (open == o && (room > r || (room == r && (speed > s * 1.1 || (speed > s * 0.9 && free > f)))))
            });
            if better {
                best = Some((Grant { endpoint, slot, route }, open, room, speed, free));
            }
        }
        if let Some((grant, ..)) = best {
            return Ok(grant);
        }
        if let Some(throttle) = throttled {
            return Err(Why::Throttled { throttle });
        }
        if let Some(e) = name {
            let endpoint = match full.len() {
                1 => CleanText::from(e.config.short()),
                n => CleanText::from(format!("the {n} endpoints of {tier}")),
            };
            return Err(Why::Slot { endpoint, busy, draining, pinch: self.pinch(&full) });
        }
        if let Some((wait, e)) = shut {
            return Err(asked(e, wait, now));
        }
        let drained = serving().find(|(_, e)| e.answers() && e.intake == Intake::Draining);
        match (drained, serving().next()) {
            (_, None) => Err(Why::NoEndpoint { tier: tier.clone() }),
            (Some((_, e)), _) => Err(Why::Draining { endpoint: CleanText::from(e.config.short()) }),
            (None, Some(_)) if let Some((_, e)) = serving().find(|(_, e)| e.health == Health::Loading) => {
                Err(Why::Loading {
                    tier: tier.clone(),
                    endpoint: CleanText::from(e.config.short()),
                    seconds: now.since(e.since).0 / 1_000_000,
                })
            }
            (None, Some(_)) if let Some((_, e)) = serving().find(|(_, e)| e.rests > 0) => Err(Why::Resting {
                endpoint: CleanText::from(e.config.short()),
                seconds: e.probe_at.map_or(0, |at| at.since(now).0.div_ceil(1_000_000)),
            }),
            (None, Some((_, e))) => Err(Why::Down {
                tier: tier.clone(),
                endpoint: CleanText::from(e.config.short()),
                probe_in: e.probe_at.map(|at| at.since(now).0.div_ceil(1_000_000)),
                starts: serving().find(|(_, e)| e.config.launch.is_some()).map(|(_, e)| e.config.name.clone()),
            }),
        }
    }

    /// Why the free slots of an endpoint have nothing to do; none when it has no free slot.
    pub fn idle_why(&self, endpoint: EndpointIx, now: Micros) -> Option<IdleWhy> {
        let e = self.endpoint(endpoint);
        if !e.answers() {
            return Some(IdleWhy::Down);
        }
        if e.intake == Intake::Draining {
            return Some(IdleWhy::Draining);
        }
        if self.pool(e.pool).free() == 0 {
            return None;
        }
        if self.pool(e.pool).shut(now).is_some() {
            return Some(IdleWhy::Asked);
        }
        if self.gear == Gear::Paused {
            return Some(IdleWhy::Paused);
        }
        let mut open =
            self.tasks.iter().enumerate().filter(|(_, t)| t.life == Life::NotStarted && !t.removed).peekable();
        if open.peek().is_none() {
            return Some(IdleWhy::Nothing);
        }
        let throttled = self.throttled_to_new(e).is_some();
        let mut why = IdleWhy::NoTask;
        for (i, _) in open.filter(|(_, t)| self.tier_of(t).is_some_and(|tier| e.serves(tier))) {
            match self.eligible(TaskIx(i as u32), now) {
                Ok(()) if throttled => return Some(IdleWhy::Throttled),
                Err(Why::Limit { .. }) => why = IdleWhy::Limit,
                Err(Why::Memory { .. }) if why == IdleWhy::NoTask => why = IdleWhy::Memory,
                _ => {}
            }
        }
        Some(why)
    }

    /// Whether no endpoint of a tier answers (one that is loading will). One that the operator lets run empty answers: that
    /// is for a while, and no reason to give its tasks to the lesser model of the fallback tier; they say what they wait
    /// for, and `Place` sends one elsewhere.
    pub fn tier_is_down(&self, tier: &TierName) -> bool {
        !self.endpoints.iter().any(|e| e.serves(tier) && (e.answers() || e.health == Health::Loading))
    }
}
