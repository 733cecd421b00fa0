//! What an endpoint really serves, found out by watching it: how many at once, how fast, who else uses it, whether it is
//! to be trusted again; and giving back what waits where it need not.
//!
//! Not here: what is seen (`state/watch`, `state/pace`), what probes find (`endpoints`).
//!
//! Invariants: only a turn that gave no sign of work is given back, no task more than [`RECALLS`] times; that is no failure.
//! Others are looked for only while work is under way, and never twice within [`LOOK_AGAIN`].

use super::commands::Refusal;
use super::{Look, Orchestrator};
use crate::domain::fleet::Protocol;
use crate::domain::protocol::{
    AttemptEnd, EndpointEdit, EndpointFound, EndpointName, Event, Failure, FailureCount, Finding, Health, Intake,
    Micros, TaskRetried, TurnEnd, TurnId,
};
use crate::domain::state::{EndpointIx, EndpointState, Gear, GoalMemory, PermitPhase, PoolIx, Task, Trust};
use crate::domain::text::CleanText;

/// A task is taken back from servers' queues no more often than this; then it waits where it is.
const RECALLS: usize = 4;
/// The time between two looks at who else uses a server. Each delays its notice of a closed connection
/// (`engine/providers/drain`): it must be more than 2 s.
const LOOK_AGAIN: Micros = Micros::from_secs(5);
/// Looks that found nobody double that up to this many times.
const LOOK_DOUBLINGS: u32 = 4;
/// Failures in a row that blame an endpoint before it is given a rest.
const FAILURES: u32 = 3;

impl Orchestrator {
    /// Says what was seen of an endpoint, where that is another than was believed.
    pub(super) fn look_at_capacity(&mut self, ix: EndpointIx) {
        // Each finding changes what the next is compared with; more than one of a kind there can't be.
        let pool = self.state.endpoint(ix).pool;
        let in_question = self.others_are_in_question(pool);
        if let Some(finding) = self.state.capacity_news(ix, self.now).filter(|_| !in_question) {
            self.found(ix, finding);
        }
        if let Some(finding) = self.state.endpoint(ix).pace.news() {
            self.found(ix, finding);
        }
        let e = self.state.endpoint(ix);
        if e.rests > 0 && e.failures == 0 {
            self.found(ix, Finding::Recovered);
        }
    }

    pub(super) fn found(&mut self, ix: EndpointIx, finding: Finding) {
        let endpoint = self.state.endpoint(ix).config.name.clone();
        self.emit(Event::EndpointFound(EndpointFound { endpoint, finding }));
    }

    /// Gives an endpoint a rest whose requests fail one after another though probes say that it answers, and also one that
    /// was away and fails the request it is tried with. It doubles each time.
    pub(super) fn rest_if_failing(&mut self, ix: EndpointIx, failure: &Failure) {
        let e = self.state.endpoint(ix);
        if !failure.is_against_endpoint() || !e.answers() || (e.failures < FAILURES && e.trust == Trust::Whole) {
            return;
        }
        let failures = e.failures;
        self.found(ix, Finding::Failing { failures });
        let reason = CleanText::one_line(&format!("{}; it is given a rest", failure.message));
        let rests = self.state.endpoint(ix).rests;
        self.endpoint_rests(ix, Health::Down { reason }, rests);
    }

    /// Gives back what nobody has begun where more is out than the ceiling: what waits in a server's queue can as well
    /// wait here, or go where there is room.
    pub(super) fn recall_beyond_ceilings(&mut self) {
        for pool in (0..self.state.pools().len() as u32).map(PoolIx) {
            let p = self.state.pool(pool);
            if p.permits.len() <= p.ceiling as usize {
                continue;
            }
            let is_out = |phase: PermitPhase| matches!(phase, PermitPhase::Granted(_) | PermitPhase::Generating(_));
            let out = p.permits.iter().filter(|p| is_out(p.phase)).count();
            let over = out.saturating_sub(p.ceiling as usize);
            let serves = p.ceiling;
            let turns: Vec<TurnId> = self.state.unbegun(pool).into_iter().map(|(turn, _)| turn).collect();
            for turn in turns.into_iter().filter(|t| self.may_recall(*t)).take(over).collect::<Vec<_>>() {
                self.recall(turn, &format!("its server takes {serves} at once now; it goes where there is room"));
            }
        }
    }

    /// Moves one turn that waits in a server's queue to a free slot that nobody else wants. True: there was one.
    pub(super) fn spread(&mut self) -> bool {
        if self.state.gear == Gear::Paused || self.state.ended.is_some() || self.state.throttle.is_some() {
            return false;
        }
        for pool in (0..self.state.pools().len() as u32).map(PoolIx) {
            if !self.state.is_stuck(pool, self.now) {
                continue;
            }
            let turn = self.state.unbegun(pool).into_iter().map(|(t, _)| t).find(|t| {
                self.may_recall(*t) && self.task_of(*t).is_some_and(|task| self.has_room_elsewhere(task, pool))
            });
            if let Some(turn) = turn {
                self.recall(turn, "it waited in its server's queue; another has a free slot");
                return true;
            }
        }
        false
    }

    fn task_of(&self, turn: TurnId) -> Option<&Task> {
        self.state.attempt(turn.attempt).map(|a| self.state.task(a.task))
    }

    fn has_room_elsewhere(&self, task: &Task, pool: PoolIx) -> bool {
        let Some(tier) = self.state.tier_of(task).filter(|_| task.place.is_none() && !task.held) else { return false };
        let fits = self.state.goal(task.id.goal).is_some_and(|g| !matches!(g.memory, GoalMemory::Short(_)));
        fits && self.state.endpoints().iter().any(|e| {
            e.serves(tier)
                && e.is_usable()
                && e.pool != pool
                && !task.avoids(&e.config.name)
                && self.state.pool(e.pool).free_slot().is_some()
                && self.state.pool(e.pool).shut(self.now).is_none()
                && !self.state.is_stuck(e.pool, self.now)
        })
    }

    /// Whether a turn may be taken back: not when its task was again and again.
    fn may_recall(&self, turn: TurnId) -> bool {
        let Some(task) = self.task_of(turn) else { return false };
        let recalled = task.attempts.iter().filter_map(|id| self.state.attempt(*id)).filter(|a| {
            matches!(a.ended, Some((_, AttemptEnd::Moved)))
                && a.turn().is_some_and(|t| matches!(t.ended, Some((_, TurnEnd::Cancelled))))
        });
        recalled.count() < RECALLS
    }

    /// Takes back a turn that gave no sign of work. The attempt ends first: so no prefix of the journal has a cancelled
    /// turn that was not cancelled for the task's sake.
    fn recall(&mut self, turn: TurnId, why: &str) {
        let Some(task) = self.task_of(turn) else { return };
        let (id, route) = (task.id.clone(), task.route);
        self.emit(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Moved });
        self.cut_turn(turn);
        self.emit(Event::TaskRetried(TaskRetried {
            task: id,
            not_before: Micros(0),
            reason: CleanText::one_line(why),
            count: FailureCount::Unchanged,
            route,
        }));
    }

    /// A turn was sent: its pool is looked at when that should have given a sign.
    pub(super) fn watch_sent(&mut self, endpoint: EndpointIx) {
        let pool = self.state.endpoint(endpoint).pool;
        let late = self.now.plus(self.state.pool(pool).watch.patience());
        let at =
            if self.others(pool) > 0 { late.min(self.index.look_due(pool, LOOK_AGAIN).max(self.now)) } else { late };
        self.index.watch_at(pool, at);
    }

    fn others(&self, pool: PoolIx) -> u32 {
        self.members(pool).map(|(_, e)| e.others).max().unwrap_or(0)
    }

    fn members(&self, pool: PoolIx) -> impl Iterator<Item = (EndpointIx, &EndpointState)> {
        let all = self.state.endpoints().iter().enumerate();
        all.filter(move |(_, e)| e.pool == pool).map(|(i, e)| (EndpointIx(i as u32), e))
    }

    /// Whether others may have the slots that a server, believed so far, seems not to have. It is asked, where it tells, and
    /// nothing is said of it before the answer.
    fn others_are_in_question(&mut self, pool: PoolIx) -> bool {
        let p = self.state.pool(pool);
        if p.measured.is_some() || !p.watch.is_suspect() || self.others(pool) > 0 {
            return false;
        }
        self.look_for_others(pool, LOOK_DOUBLINGS);
        self.index.is_looking(pool)
    }

    /// Looks for others who use a pool's server, if it tells and it is time again; each look in vain makes the next later,
    /// up to so many times. True: it tells.
    fn look_for_others(&mut self, pool: PoolIx, doublings: u32) -> bool {
        let asks = |e: &EndpointState| e.config.protocol == Protocol::LlamaCpp && e.answers();
        let Some((_, e)) = self.members(pool).find(|(_, e)| asks(e)) else { return false };
        let name = e.config.name.clone();
        if self.index.look_due(pool, LOOK_AGAIN) <= self.now {
            self.index.looked(pool, self.now, doublings);
            self.probe(name, Look::Slots);
        }
        true
    }

    /// Looks at a pool: whether something waits longer than usual, and whether others have its slots.
    pub(super) fn watch_pool(&mut self, pool: PoolIx) {
        let p = self.state.pool(pool);
        let (waiting, working) = (p.watch.waiting(), p.watch.working());
        if waiting + working == 0 {
            return;
        }
        let oldest = p.watch.unbegun().map(|(_, since)| since).next();
        let due = oldest.map(|since| since.plus(p.watch.patience()));
        let late = due.is_some_and(|due| due <= self.now);
        let (one_more, full) = (p.watch.extra() > 0, p.measured.is_some_and(|m| working >= m));
        let suspicious = late && working < p.ceiling;
        let others = self.others(pool);
        let mut next = due.map(|due| if late { self.now.plus(LOOK_AGAIN) } else { due });
        if (suspicious || others > 0) && self.look_for_others(pool, if others > 0 { 0 } else { LOOK_DOUBLINGS }) {
            let due = self.index.look_due(pool, LOOK_AGAIN);
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        if late && one_more && full {
            let newest = self.state.unbegun(pool).into_iter().map(|(turn, _)| turn).find(|t| self.may_recall(*t));
            if let Some(turn) = newest {
                self.recall(turn, "its server still works at no more than before; it goes where there is room");
            }
        }
        if let Some(next) = next {
            self.index.watch_at(pool, next);
        }
    }

    /// Whether an endpoint may be let run empty, or opened again.
    pub(super) fn check_intake(&self, name: &EndpointName, intake: Intake) -> Result<(), Refusal> {
        let ix = self.state.find_endpoint(name).ok_or_else(|| format!("there is no endpoint {name}"))?;
        match (self.state.endpoint(ix).intake, intake) {
            (Intake::Draining, Intake::Draining) => Err(format!("{name} runs empty already")),
            (Intake::Open, Intake::Open) => Err(format!("{name} takes requests already")),
            _ => Ok(()),
        }
    }

    /// Lets an endpoint run empty, or opens it again.
    pub(super) fn set_intake(&mut self, endpoint: EndpointName, intake: Intake) {
        self.emit(Event::EndpointDrained { endpoint, intake });
    }

    /// Whether an endpoint may be changed so.
    pub(super) fn check_endpoint_edit(&self, name: &EndpointName, edit: &EndpointEdit) -> Result<(), Refusal> {
        if self.state.find_endpoint(name).is_none() {
            return Err(format!("there is no endpoint {name}"));
        }
        if *edit == EndpointEdit::default() {
            return Err("nothing of it is changed".to_owned());
        }
        if edit.slots == Some(0) {
            return Err("an endpoint has at least 1 slot; p lets it run empty".to_owned());
        }
        if edit.context.is_some_and(|c| c < 256) {
            return Err("a context is at least 256 tokens".to_owned());
        }
        if edit.tiers.as_ref().is_some_and(Vec::is_empty) {
            return Err("it would serve no tier; p lets it run empty".to_owned());
        }
        if edit.memory_gb.is_some_and(|gb| !gb.is_finite() || gb < 0.0) {
            return Err("planned memory is 0 or more gigabytes".to_owned());
        }
        Ok(())
    }

    /// Changes an endpoint for this session.
    pub(super) fn edit_endpoint(&mut self, endpoint: EndpointName, edit: EndpointEdit) {
        self.emit(Event::EndpointEdited { endpoint, edit });
    }
}
