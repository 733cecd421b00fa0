//! Servers found down in time, and what of ours is lost with them.
//!
//! A stream that says nothing for [`QUIET`] is no failure: its server may be reading somebody else's prompt. It is worth a
//! look, though: a server that ends refuses connections at once and may leave its streams open without a word for half a
//! minute. Where nothing listens any more, what is silent there is lost, and goes on elsewhere, or waits, at once.
//!
//! Not here: when an endpoint is probed for other reasons (`endpoints`), what becomes of a task that lost its turn
//! (`failures`). Invariants: one timer a pool, set while a turn of it is open, and no work for a piece of output; a turn that
//! speaks is never ended; what is kept here may be lost with the process, and nothing stops for it.

use std::collections::BTreeMap;

use super::index::Timer;
use super::{Look, Orchestrator, ProbeReport};
use crate::domain::protocol::{
    AttemptEnd, Event, Failure, FailureCount, FailureKind, Health, Micros, Remedy, ServerStanding, SlotAfter, Told,
    TurnEnd, TurnEnded, TurnId, Unmade, Usage,
};
use crate::domain::state::{EndpointIx, Life, PermitPhase, PoolIx, TaskIx};
use crate::domain::text::CleanText;

/// So long a stream says nothing before its server is looked at.
const QUIET: Micros = Micros::from_secs(2);
/// The longest time between two such looks: each that finds the server well doubles it from [`QUIET`].
const QUIET_LONGEST: Micros = Micros::from_secs(15);
/// A server that gives probes no answer for so long takes up nothing that it has not begun. It may be busy for a while: up to
/// 18.9 s were measured on llama-server, with streams going on.
const NO_ANSWER: Micros = Micros::from_secs(20);

/// What is watched of pools whose turns are open, and what waits for a probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hush {
    /// When each pool's turns are looked at.
    due: BTreeMap<PoolIx, Micros>,
    /// When a pool's server was looked at for the silence of its streams, and how often in a row it was well.
    looks: BTreeMap<PoolIx, (Micros, u32)>,
    /// Tasks whose streams broke at an endpoint, until a probe says of what.
    broken: Vec<(EndpointIx, TaskIx)>,
    /// Endpoints where nothing listens, by what was met there last.
    refusing: Vec<EndpointIx>,
}

impl Hush {
    /// A pool's timer came.
    pub(super) fn came(&mut self, pool: PoolIx) {
        self.due.remove(&pool);
    }

    /// A task's stream broke: what the next probe of the endpoint finds decides whose fault it was.
    pub(super) fn look_into(&mut self, endpoint: EndpointIx, task: TaskIx) {
        self.broken.push((endpoint, task));
    }

    fn take_broken(&mut self, endpoint: EndpointIx) -> Vec<TaskIx> {
        let theirs = self.broken.extract_if(.., |(e, _)| *e == endpoint);
        theirs.map(|(_, task)| task).collect()
    }

    fn refuses(&mut self, endpoint: EndpointIx, now: bool) {
        self.refusing.retain(|e| *e != endpoint);
        if now {
            self.refusing.push(endpoint);
        }
    }
}

/// Which of a pool's open turns are lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// Those that have been silent, and those that never began.
    Silent,
    /// Those that never began.
    Unbegun,
}

impl Orchestrator {
    /// A turn of a pool is open: it is looked at in time.
    pub(super) fn hush(&mut self, pool: PoolIx) {
        if !self.index.hush.due.contains_key(&pool) {
            self.hush_at(pool, self.now.plus(QUIET));
        }
    }

    fn hush_at(&mut self, pool: PoolIx, at: Micros) {
        self.index.hush.due.insert(pool, at);
        self.index.set(at, Timer::Hush(pool));
    }

    /// The open turns of a pool: whose, whether they have begun, and when they were heard last.
    fn open_turns(&self, pool: PoolIx) -> Vec<(TurnId, EndpointIx, bool, Micros)> {
        let models = self.state.running().filter_map(|a| Some((a, a.endpoint()?)));
        let here = models.filter(|(_, endpoint)| self.state.endpoint(*endpoint).pool == pool);
        here.filter_map(|(a, endpoint)| {
            let turn = a.turn().filter(|t| t.ended.is_none())?;
            Some((a.turn_id(), endpoint, turn.first_token_at.is_some() || turn.prompt.is_some(), turn.heard_at))
        })
        .collect()
    }

    /// Looks at a pool's open turns: where one that had begun says nothing, its server is probed.
    pub(super) fn look_at_silence(&mut self, pool: PoolIx) {
        let refusing = self.index.hush.refusing.iter().copied();
        let here: Vec<EndpointIx> = refusing.filter(|e| self.state.endpoint(*e).pool == pool).collect();
        for endpoint in here {
            self.end_lost(endpoint, Lost::Silent);
        }
        let open = self.open_turns(pool);
        let begun = || open.iter().filter(|(_, _, begun, _)| *begun);
        let soon = self.now.plus(QUIET);
        // One that has not begun may begin, and stop, at any time.
        let Some(mut next) =
            open.iter().map(|(_, _, begun, heard)| if *begun { heard.plus(QUIET) } else { soon }).min()
        else {
            return;
        };
        if let Some((_, endpoint, _, heard)) = begun().find(|(_, _, _, heard)| heard.plus(QUIET) <= self.now) {
            let (last, well) = self.index.hush.looks.get(&pool).copied().unwrap_or_default();
            // One that has spoken since: this is another silence.
            let well = if *heard > last { 0 } else { well };
            let gap = Micros(QUIET.0 << well.min(8)).min(QUIET_LONGEST);
            if well == 0 && *heard > last || last.plus(gap) <= self.now {
                let name = self.state.endpoint(*endpoint).config.name.clone();
                self.index.hush.looks.insert(pool, (self.now, well + 1));
                self.probe(name, Look::Light);
            }
            next = self.now.plus(QUIET);
        }
        self.hush_at(pool, next.max(self.now.plus(Micros::from_millis(100))));
    }

    /// Nothing listens at an endpoint.
    pub(super) fn takes_no_connections(&mut self, ix: EndpointIx) {
        self.index.hush.refuses(ix, true);
        self.end_lost(ix, Lost::Silent);
    }

    /// What a probe found, beyond the endpoint's health: who is lost, and who is to blame for a stream that broke.
    pub(super) fn heed_the_find(&mut self, ix: EndpointIx, report: &ProbeReport) {
        let refuses = report.fault.as_ref().is_some_and(Failure::is_refused_connection);
        match report.health {
            Health::Down { .. } if refuses => self.takes_no_connections(ix),
            Health::Down { .. } => {
                self.index.hush.refuses(ix, false);
                let since = self.state.endpoint(ix).since;
                if report.fault.as_ref().is_some_and(|f| f.kind == FailureKind::Silent)
                    && self.now.since(since) >= NO_ANSWER
                {
                    self.end_lost(ix, Lost::Unbegun);
                }
            }
            Health::Up | Health::Loading => self.index.hush.refuses(ix, false),
            Health::Unknown => return,
        }
        for task in self.index.hush.take_broken(ix) {
            self.judge_broken(task, ix, &report.health);
        }
    }

    /// A task's stream broke and its server was looked at. Where that is well, and was all the time, the next try counts as
    /// one; else its task waits no longer.
    fn judge_broken(&mut self, task: TaskIx, endpoint: EndpointIx, health: &Health) {
        let t = self.state.task(task);
        let waits = t.life == Life::NotStarted && !t.removed && t.setbacks > 0 && t.not_before > self.now;
        let Some(attempt) = self.state.last_attempt(t).filter(|a| waits && a.endpoint() == Some(endpoint)) else {
            return;
        };
        let Some((_, AttemptEnd::Failed(failure))) = &attempt.ended else { return };
        let e = self.state.endpoint(endpoint);
        let server = self.state.servers.get(&e.config.name).map(|s| s.standing);
        let moves = |s| matches!(s, ServerStanding::Starting | ServerStanding::Restarting | ServerStanding::Stopping);
        let stands = !server.is_some_and(moves);
        if *health == Health::Up && stands && e.since <= attempt.started_at {
            let failure = failure.clone();
            return self.count_failure(task, &failure);
        }
        let (route, found) = match health {
            Health::Up => (t.route, "its server was restarted"),
            Health::Loading => (t.route, "its server loads its model"),
            _ => (t.route, "its server is down"),
        };
        let words = format!("{}; {found}, so no try is used", failure.message.trim_end_matches(['.', ' ']));
        self.again_after(task, FailureCount::Unchanged, route, Micros(0), &words);
    }

    /// Ends, in this decision, the open turns of an endpoint's pool that are lost with its server. No try is used, and their
    /// slots are free: there is nobody left who works at them.
    fn end_lost(&mut self, ix: EndpointIx, which: Lost) {
        let e = self.state.endpoint(ix);
        let (pool, name) = (e.pool, e.config.name.clone());
        let lost: Vec<_> = self
            .open_turns(pool)
            .into_iter()
            .filter(|(_, _, begun, heard)| match which {
                Lost::Unbegun => !begun,
                Lost::Silent => !begun || heard.plus(QUIET) <= self.now,
            })
            .collect();
        for (turn, _, begun, heard) in lost {
            let (why, unmade) = match which {
                Lost::Silent => ("nothing listens there any more", Unmade::Refused),
                Lost::Unbegun => ("it gives no answer any more", Unmade::Failed),
            };
            let what = match begun {
                true => format!("its stream had said nothing for {} s", self.now.since(heard).0 / 1_000_000),
                false => "it had not begun".to_owned(),
            };
            let words = format!("Request to {name} was given up: {why}, and {what}. Mend: see the server's log");
            let failure = Failure::new(FailureKind::Unreachable, Remedy::Elsewhere, CleanText::one_line(&words));
            let failure = Failure { told: Told { unmade: Some(unmade), ..Told::default() }, ..failure };
            self.lose_turn(turn, failure);
        }
        let permits = &self.state.pool(pool).permits;
        let draining: Vec<TurnId> = permits
            .iter()
            .filter_map(|p| match p.phase {
                PermitPhase::Draining(turn) if which == Lost::Silent => Some(turn),
                _ => None,
            })
            .collect();
        for turn in draining {
            self.emit(Event::SlotFreed { turn });
        }
    }

    fn lose_turn(&mut self, turn: TurnId, failure: Failure) {
        let Some(ix) = self.live(turn) else { return };
        self.emit(Event::TurnEnded(Box::new(TurnEnded {
            turn,
            end: TurnEnd::Failed(failure.clone()),
            slot: SlotAfter::Free,
            usage: Usage::default(),
            prompt_digest: String::new(),
        })));
        self.stop_turn(turn);
        self.emit(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Failed(failure.clone()) });
        self.server_failed(ix, &failure);
    }
}
