//! The seat: a slot of an endpoint that serves the task's tier, and the tier it goes to.
//!
//! Not here: whether the task may start at all (the constraints beside). Invariant: a seat that is given is free, its
//! server takes requests, and fewer starts on this machine are not passed over.

use super::{Seat, Why};
use crate::domain::protocol::{AgentName, Health, Intake, Micros, Route, TierName};
use crate::domain::state::fit::Room;
use crate::domain::state::{Attempt, EndpointIx, EndpointState, Shut, State, Task, TaskIx};
use crate::domain::text::CleanText;

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
    pub(in crate::domain::state) fn route_for(&self, agent: &AgentName, route: Route) -> Option<(&TierName, Route)> {
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
    pub fn place(&self, ix: TaskIx, now: Micros) -> Result<Seat, Why> {
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
                (Some(slot), None) => Ok(Seat { endpoint, slot, route }),
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
            return Ok(Seat { endpoint, slot, route });
        }
        let contexts = || usable().filter(|(_, e)| !passed_over(e)).map(|(_, e)| e.context());
        // Where all are alike there is nothing to choose, and nothing is counted.
        let most = contexts().max().filter(|most| contexts().any(|c| c < *most));
        let size = most.map(|most| (most, self.size_of(task)));
        let mut best: Option<(Seat, bool, u32, f32, u32)> = None;
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
                best = Some((Seat { endpoint, slot, route }, open, room, speed, free));
            }
        }
        if let Some((seat, ..)) = best {
            return Ok(seat);
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

    /// Whether no endpoint of a tier answers (one that is loading will). One that the operator lets run empty answers: that
    /// is for a while, and no reason to give its tasks to the lesser model of the fallback tier; they say what they wait
    /// for, and `Place` sends one elsewhere.
    pub fn tier_is_down(&self, tier: &TierName) -> bool {
        !self.endpoints.iter().any(|e| e.serves(tier) && (e.answers() || e.health == Health::Loading))
    }
}
