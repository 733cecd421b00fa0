//! What this machine can bear: goals whose models do not fit wait, and fewer tasks start while it is hard pressed.
//!
//! Not here: the sum itself ([`crate::domain::memory`]), how the machine is read (`engine/machine`). Invariants: a goal is
//! weighed before its first request and again whenever what it would load, or what is left for that, may have changed;
//! nothing starts while it is held, and what runs goes on; one that the operator forced is never held again.

use super::Orchestrator;
use super::commands::Refusal;
use super::queues::Lane;
use crate::domain::memory::{Fit, MemoryPlan, Verdict};
use crate::domain::protocol::{
    EndpointName, Event, GoalHeld, GoalId, MachineSampled, MemoryCheck, Release, ServerStanding, Subject,
};
use crate::domain::state::{EndpointState, GoalMemory, GoalPhase};
use crate::domain::text::CleanText;

/// What is held is released only when this part of the limit is left beside what it needs, in percent: figures of a
/// machine at work move all the time.
const SPARE_PERCENT: u64 = 1;
/// What is left must have moved by this part of the limit to be told anew, in percent.
const MOVED_PERCENT: u64 = 5;

impl Orchestrator {
    /// Takes in a look at the machine.
    pub(super) fn sampled(&mut self, sample: Box<MachineSampled>) {
        self.emit(Event::MachineSampled(sample));
        self.throttle();
    }

    /// Grips or lets go as the machine is pressed now.
    pub(super) fn throttle(&mut self) {
        let throttle = self.state.throttle_wanted(self.now);
        if throttle != self.state.throttle {
            self.emit(Event::MachineThrottled { throttle });
        }
    }

    /// Whether no new task of a lane may start, whatever slots are free: its goal is held for memory, memory is being
    /// looked at, or this machine is hard pressed.
    pub(super) fn is_shut_to_new(&self, lane: &Lane) -> bool {
        if self.state.goal(lane.goal).is_some_and(|g| g.short_of().is_some()) || self.state.is_first_looking(self.now) {
            return true;
        }
        if self.state.throttle.is_none() {
            return false;
        }
        let open = |e: &EndpointState| {
            e.is_usable() && self.state.pool(e.pool).free_slot().is_some() && self.state.throttled_to_new(e).is_none()
        };
        match lane.endpoint {
            Some(ix) => !open(self.state.endpoint(ix)),
            None => !self.state.endpoints().iter().any(|e| e.serves(&lane.tier) && open(e)),
        }
    }

    /// Holds the goals whose models do not fit, releases those whose models do; where something may have changed that.
    pub(super) fn weigh_goals(&mut self) {
        if self.state.ended.is_some() || self.state.is_first_looking(self.now) || !self.index.take_weigh() {
            return;
        }
        let plan = MemoryPlan::of(&self.state);
        let is_held = |id: &GoalId| self.state.goal(*id).is_some_and(|g| g.short_of().is_some());
        let (held, others): (Vec<GoalId>, Vec<GoalId>) = self.state.goals().iter().map(|g| g.id).partition(is_held);
        if held.is_empty() && !plan.can_grow() {
            return;
        }
        // What the others will load comes first: they go on.
        let mut promised: Vec<EndpointName> = Vec::new();
        for id in others.into_iter().chain(held) {
            let wanted = self.to_be_loaded_by(id);
            let verdict = plan.judge(&wanted, &promised);
            if self.weigh(id, &verdict) {
                promised.extend(wanted);
            }
        }
    }

    /// The endpoints whose models a goal's requests would load; none while it starts nothing.
    fn to_be_loaded_by(&self, goal: GoalId) -> Vec<EndpointName> {
        let starts = self
            .state
            .goal(goal)
            .is_some_and(|g| matches!(g.phase, GoalPhase::Planning | GoalPhase::Running) && g.open > 0);
        if starts { self.state.endpoints_of(goal) } else { Vec::new() }
    }

    /// Holds a goal or releases it, by a verdict. True: it goes on.
    fn weigh(&mut self, goal: GoalId, verdict: &Verdict) -> bool {
        let Some(g) = self.state.goal(goal) else { return false };
        let short = verdict.fit == Fit::No && self.state.config.machine.hold_for_memory;
        let part = |percent: u64| verdict.limit.map_or(0, |l| l.bytes / 100 * percent);
        let (forced, now) = (g.options.memory == MemoryCheck::Force, held_with(goal, verdict));
        match &g.memory {
            GoalMemory::Forced => return true,
            GoalMemory::Fits if !short => return true,
            GoalMemory::Fits => {
                self.emit(Event::GoalHeld(now));
            }
            // Cut between the two by the end of the process before.
            GoalMemory::Short(_) if forced => {}
            GoalMemory::Short(before) => {
                let same = before.needed == now.needed;
                let spare = !same || now.room >= now.needed.saturating_add(part(SPARE_PERCENT));
                if !short && spare {
                    self.emit(Event::GoalReleased { goal, by: Release::Fits });
                    self.emit_cleared(Subject::Memory(goal));
                    return true;
                }
                if short && (!same || before.room.abs_diff(now.room) >= part(MOVED_PERCENT).max(1)) {
                    self.emit(Event::GoalHeld(now));
                }
            }
        }
        if forced {
            self.force(goal);
            return true;
        }
        self.tell_memory(goal);
        false
    }

    /// Brings a goal that is held for memory to the operator's attention.
    pub(super) fn tell_memory(&mut self, goal: GoalId) {
        let Some(held) = self.state.goal(goal).and_then(|g| g.short_of()) else { return };
        let text = format!("{goal} waits for memory: it {}; a starts it all the same", held.reason);
        self.emit_attention(Subject::Memory(goal), CleanText::one_line(&text));
    }

    /// Whether a goal is held for memory.
    pub(super) fn check_force(&self, goal: GoalId) -> Result<(), Refusal> {
        match self.goal(goal)?.memory {
            GoalMemory::Short(_) => Ok(()),
            GoalMemory::Fits => Err("it is not held for memory".to_owned()),
            GoalMemory::Forced => Err("it was forced already".to_owned()),
        }
    }

    /// Starts the tasks of a goal though its models do not fit.
    pub(super) fn force(&mut self, goal: GoalId) {
        self.emit(Event::GoalReleased { goal, by: Release::Forced });
        self.emit_cleared(Subject::Memory(goal));
    }

    /// The endpoints whose models are promised to goals that go on.
    fn promised(&self) -> impl Iterator<Item = EndpointName> + '_ {
        let goes_on = self.state.goals().iter().filter(|g| g.short_of().is_none()).map(|g| g.id);
        goes_on.flat_map(|goal| self.to_be_loaded_by(goal))
    }

    /// Whether the model of an endpoint fits into memory, beside what goals that go on will load, when it is to be loaded
    /// or its server to be started.
    ///
    /// # Errors
    /// It does not; the sum in words.
    pub(super) fn check_room_for(&self, endpoint: &EndpointName, memory: MemoryCheck) -> Result<(), Refusal> {
        if memory == MemoryCheck::Force || !self.state.config.machine.hold_for_memory {
            return Ok(());
        }
        // What was started a moment ago will take what it needs, too.
        let starts = self.state.servers.values().filter(|s| s.standing == ServerStanding::Starting);
        let promised: Vec<EndpointName> = starts.map(|s| s.endpoint.clone()).chain(self.promised()).collect();
        let verdict = MemoryPlan::of(&self.state).judge(std::slice::from_ref(endpoint), &promised);
        if verdict.fit == Fit::No { Err(format!("it {verdict}")) } else { Ok(()) }
    }
}

fn held_with(goal: GoalId, verdict: &Verdict) -> GoalHeld {
    let reason = CleanText::one_line(&verdict.to_string());
    GoalHeld { goal, needed: verdict.needed, room: verdict.room, reason }
}
