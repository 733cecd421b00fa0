//! What is decided: inputs in, records and effects out. Sans-IO: no clock, no chance, no waiting.
//!
//! [`Orchestrator::handle`] emits events, each stamped and applied at once so that a later step of one decision sees the
//! earlier, and returns the effects the engine is to act on. Not here: what is true ([`crate::domain::state`]), how a
//! request is made (`engine`).
//!
//! Invariants: no more permits of a pool are out than its ceiling; no slot is free while a task that may take it is
//! ready; the index can be rebuilt from the state at any record, also in the middle of a decision, and the session
//! still reaches an end.

mod again;
mod by_hand;
mod capacity;
mod commands;
mod control;
mod cut;
mod down;
mod edits;
mod endpoints;
mod failures;
mod fitting;
mod goals;
mod index;
mod input;
mod job;
mod memory;
mod prompts;
mod queues;
mod recover;
mod rounds;
mod schedule;
mod servers;
mod share;
mod talk;
mod turns;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use input::{Effect, EndReason, Input, Look, ProbeReport, StartTurn, WantAnswer};
pub use job::{Durability, Job, JobEnd, JobId, News};
pub use recover::Reopening;
pub use talk::QUESTIONS;

use crate::domain::protocol::{Event, Micros, Record, SessionOpened, SessionSlept, SessionStarted};
use crate::domain::state::State;
use index::Index;

/// What one input led to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What happened, in order. To be in the kernel's hands before any effect is acted on.
    pub records: Vec<Arc<Record>>,
    /// What the engine is to do, in order.
    pub effects: Vec<Effect>,
}

/// Decides. Holds the state and an index of it.
#[derive(Clone, Debug)]
pub struct Orchestrator {
    state: State,
    index: Index,
    now: Micros,
    out: Decision,
    /// News of jobs that were not under way any more; dropped, counted here.
    late_news: u64,
    /// Commands of clients that may only look; answered, counted here.
    turned_away: u64,
}

impl Orchestrator {
    /// A new session: emits `session.started` and `session.opened`.
    pub fn start(started: SessionStarted, opened: SessionOpened) -> (Self, Decision) {
        let mut this = Self {
            state: State::default(),
            index: Index::default(),
            now: Micros(0),
            out: Decision::default(),
            late_news: 0,
            turned_away: 0,
        };
        this.emit(Event::SessionStarted(Box::new(started)));
        this.emit(Event::SessionOpened(opened));
        this.index = Index::rebuild(&this.state);
        this.probe_all();
        let decision = this.finish();
        (this, decision)
    }

    /// Takes up a session after its process ended: what was under way is marked interrupted and runs again.
    pub fn resume(state: State, reopening: Reopening) -> (Self, Decision) {
        let now = state.at;
        let index = Index::rebuild(&state);
        let mut this = Self { state, index, now, out: Decision::default(), late_news: 0, turned_away: 0 };
        this.recover(reopening);
        this.probe_all();
        this.settle();
        let decision = this.finish();
        (this, decision)
    }

    /// What is true.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// News that came of jobs that were not under way any more.
    pub fn late_news(&self) -> u64 {
        self.late_news
    }

    /// Commands of clients that may only look.
    pub fn turned_away(&self) -> u64 {
        self.turned_away
    }

    /// Takes one input at session time `now` (never before an earlier one; it is moved up if it is).
    pub fn handle(&mut self, now: Micros, input: Input) -> Decision {
        self.now = now.max(self.now);
        match input {
            Input::Command(envelope) => self.command(envelope),
            Input::Job(id, news) => self.hear(id, news),
            Input::ServerIs(server) => self.server_is(server),
            Input::Sampled(sample) => self.sampled(sample),
            Input::Slept { wall_ms, slept_ms } => {
                self.emit(Event::SessionSlept(SessionSlept { wall_ms, slept_ms }));
                // What was known of servers is old: also those on other machines went on, or did not.
                self.probe_all();
            }
            Input::ViewerJoined(viewer) => self.viewer_joined(viewer),
            Input::ViewerLeft(viewer) => self.viewer_left(viewer),
            Input::JournalFailed { reason } => self.journal_failed(reason),
            Input::JournalMended => self.journal_mended(),
            Input::Wake => {}
        }
        self.wake();
        self.settle();
        self.probe_what_is_wanted();
        self.finish()
    }

    /// Stamps an event, applies it and keeps the index in step.
    fn emit(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.now, event };
        self.state.apply(&record);
        self.index.observe(&record, &self.state);
        self.out.records.push(Arc::new(record));
    }

    fn effect(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    fn finish(&mut self) -> Decision {
        if let Some(at) = self.index.next_wake(self.now) {
            self.out.effects.push(Effect::WakeAt(at));
        }
        std::mem::take(&mut self.out)
    }
}
