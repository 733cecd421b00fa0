//! Endpoints: what probes find, and when the next one is due; the journal's health.

use super::{Look, Orchestrator, ProbeReport};
use crate::domain::fleet::local_port;
use crate::domain::protocol::{EndpointChanged, EndpointName, Event, Finding, Health, Micros, Residence, Subject};
use crate::domain::state::{EndpointIx, Gear};
use crate::domain::text::CleanText;

/// First wait before a server that is down is probed again; doubles up to [`DOWN_LONGEST`].
const DOWN_FIRST: Micros = Micros::from_secs(2);
/// The longest wait.
const DOWN_LONGEST: Micros = Micros::from_secs(30);
/// The longest wait while tasks are ready that could go there: each second of it is one of its slots' too.
const DOWN_WANTED: Micros = Micros::from_secs(5);
/// The same for a server on this machine: that nobody listens on its port costs nothing to find out.
const DOWN_WANTED_HERE: Micros = Micros::from_secs(2);
/// A server that loads a model is asked this often.
const LOADING: Micros = Micros::from_secs(2);
/// A server that is up is looked at this often while something runs (residence changes, a silent death)…
const UP_BUSY: Micros = Micros::from_secs(15);
/// …and this often while nothing does.
pub(super) const UP_IDLE: Micros = Micros::from_secs(60);

impl Orchestrator {
    /// Probes every endpoint now.
    pub(super) fn probe_all(&mut self) {
        let names: Vec<EndpointName> = self.state.endpoints().iter().map(|e| e.config.name.clone()).collect();
        for name in names {
            self.probe(name, Look::Light);
        }
    }

    /// Takes in what a probe found; recorded when it changes anything.
    pub(super) fn probed(&mut self, name: &EndpointName, report: ProbeReport) {
        let Some(ix) = self.state.find_endpoint(name) else { return self.late() };
        self.index.look_is_back(self.state.endpoint(ix).pool);
        let report = ProbeReport { health: self.heed_the_end(name, report.health.clone()), ..report };
        // What a request met says nothing of that: so it is told apart in the record who said that it loads.
        let residence = if report.health == Health::Loading { Some(Residence::Loading) } else { report.residence };
        let report = ProbeReport { residence, ..report };
        if report.health == Health::Unknown {
            // No answer while Baton's own requests may hold every thread of the server: that says nothing.
            self.index.probe_at(name, self.now.plus(UP_BUSY));
            return;
        }
        let e = self.state.endpoint(ix);
        let rests = e.rests > 0 && !e.answers() && e.probe_at.is_some_and(|at| at > self.now);
        if rests && report.health == Health::Up {
            // That it answers was known; it is its requests that fail.
            return;
        }
        let before = e.others;
        let same = e.health == report.health
            && e.reported_slots == report.slots
            && e.reported_context == report.context
            && e.level == report.level
            && e.resident == report.resident
            && e.server == report.server
            && report.others.is_none_or(|n| n == e.others)
            && e.queued == report.queued
            && e.shape == report.shape.or(e.shape)
            && e.residence == report.residence
            && e.mismatch == report.mismatch;
        let (was, is) = (e.mismatch.is_some(), report.mismatch.clone());
        let up = report.health == Health::Up;
        let (others, shape) = (report.others.unwrap_or(e.others), report.shape.or(e.shape));
        let longest = self.longest_wait(ix);
        let waited = e.probe_at.map(|_| self.now.since(e.since));
        let probe_at = match report.health {
            Health::Up | Health::Unknown => None,
            Health::Loading => Some(self.now.plus(LOADING)),
            Health::Down { .. } => {
                // As long as it has been down so far doubles the wait, within the two bounds.
                let wait = waited.unwrap_or(DOWN_FIRST).max(DOWN_FIRST).min(longest);
                Some(self.now.plus(wait))
            }
        };
        let found = ProbeReport { fault: report.fault, ..ProbeReport::of(report.health.clone()) };
        if !same || probe_at.is_some() {
            self.emit(Event::EndpointChanged(Box::new(EndpointChanged {
                endpoint: name.clone(),
                health: report.health,
                slots: report.slots,
                context: report.context,
                level: report.level,
                resident: report.resident,
                server: report.server,
                probe_at,
                others: if up { others } else { 0 },
                queued: report.queued,
                shape,
                residence: report.residence,
                mismatch: report.mismatch,
            })));
        }
        match is {
            Some(is) => {
                let says = CleanText::one_line(&format!("{name}: {is}"));
                self.emit_attention(Subject::Endpoint(name.clone()), says);
            }
            None if was => self.emit_cleared(Subject::Endpoint(name.clone())),
            None => {}
        }
        if let Some(now) = report.others.filter(|_| up) {
            match (before, now) {
                (0, 1..) => self.found(ix, Finding::Shared { others: now }),
                (1.., 0) => self.found(ix, Finding::Alone),
                _ => {}
            }
        }
        if up {
            let next = if self.state.running().len() > 0 { UP_BUSY } else { UP_IDLE };
            self.index.probe_at(name, self.now.plus(next));
        }
        self.heed_the_find(ix, &found);
    }

    /// The longest an endpoint that is down may wait for its next probe.
    fn longest_wait(&self, ix: EndpointIx) -> Micros {
        let e = self.state.endpoint(ix);
        match self.index.is_wanted(ix, e) {
            true if local_port(&e.config.url).is_some() => DOWN_WANTED_HERE,
            true => DOWN_WANTED,
            false => DOWN_LONGEST,
        }
    }

    /// Tasks may have become ready for an endpoint that is down since its next probe was set: it comes sooner then.
    pub(super) fn probe_what_is_wanted(&mut self) {
        for ix in (0..self.state.endpoints().len() as u32).map(EndpointIx) {
            let e = self.state.endpoint(ix);
            let waits = matches!(e.health, Health::Down { .. }) && e.rests == 0;
            if !waits || e.probe_at.is_none_or(|at| at <= self.now.plus(DOWN_WANTED_HERE)) {
                continue;
            }
            let (name, soon) = (e.config.name.clone(), self.now.plus(self.longest_wait(ix)));
            self.index.probe_by(&name, soon);
        }
    }

    /// Sets an endpoint's health by what a request met; the rest stays as known. A probe follows.
    pub(super) fn endpoint_is(&mut self, ix: EndpointIx, health: Health) {
        self.set_health(ix, health, DOWN_FIRST);
    }

    /// The same for the `rests`-th rest in a row: each is twice as long as the one before, within the two bounds.
    pub(super) fn endpoint_rests(&mut self, ix: EndpointIx, health: Health, rests: u32) {
        let wait = DOWN_FIRST.0.saturating_mul(1 << rests.saturating_sub(1).min(16));
        self.set_health(ix, health, Micros(wait).min(DOWN_LONGEST));
    }

    fn set_health(&mut self, ix: EndpointIx, health: Health, wait: Micros) {
        let e = self.state.endpoint(ix);
        let changed = EndpointChanged {
            endpoint: e.config.name.clone(),
            health,
            slots: e.reported_slots,
            context: e.reported_context,
            level: e.level,
            resident: e.resident,
            server: e.server.clone(),
            probe_at: Some(self.now.plus(wait)),
            others: 0,
            queued: None,
            shape: e.shape,
            residence: None,
            mismatch: e.mismatch.clone(),
        };
        self.emit(Event::EndpointChanged(Box::new(changed)));
    }

    /// A journal that can't be written stops new starts: work that is not recorded would be lost.
    pub(super) fn journal_failed(&mut self, reason: CleanText) {
        // First why, then the pause: so state knows whose pause it is.
        self.emit_attention(Subject::Journal, reason);
        if self.state.gear == Gear::Running {
            self.emit(Event::SessionPaused {});
        }
    }

    /// The journal is written again: what it stopped goes on by itself; what the operator paused stays paused.
    pub(super) fn journal_mended(&mut self) {
        self.emit_cleared(Subject::Journal);
        if self.state.halted {
            self.emit(Event::SessionResumed {});
        }
    }
}
