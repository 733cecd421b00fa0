//! What of the user's side belongs to him, and what comes of what was seen: at another instant only the first stays.
//!
//! Not here: the instants ([`crate::interface::tui::time`]). Invariant: after [`Ui::settle_at`] nothing names a task
//! that is not there yet, and nothing is left that came of records or of frames.

use super::{Layer, Screen, Ui};
use crate::domain::state::State;

impl Ui {
    /// Parts from the live screen: what was said and what waits for an answer stays there.
    pub(crate) fn leave_now(&mut self) {
        self.notice = None;
        self.notices = Default::default();
        self.pending_interrupt = None;
        self.fleet.leave_now();
        self.layers.retain(|layer| {
            matches!(layer, Layer::Help(_) | Layer::Inspector(_) | Layer::Attention(_) | Layer::Notices(_))
        });
        self.forget_what_was_seen();
    }

    /// Drops what frames worked out, so that choices are cheap to copy.
    pub(crate) fn forget_what_was_seen(&mut self) {
        self.run.forget_what_was_seen();
        self.graph = self.graph.choices();
        self.notice = None;
        self.notices = Default::default();
    }

    /// Takes over what is costly and the same at every instant.
    pub(crate) fn keep_worked_out(&mut self, seen: Self) {
        self.graph.adopt(seen.graph);
        self.events.adopt(seen.events);
        self.spots = seen.spots;
        self.time.adopt(seen.time);
    }

    /// Fits the choices to an instant: what is not there at that instant is left out.
    pub(crate) fn settle_at(&mut self, state: &State) {
        self.run.settle_at(state);
        self.fleet.settle_at(state);
        self.layers.retain(|layer| match layer {
            Layer::Inspector(inspector) => state.find(&inspector.task).is_some(),
            _ => true,
        });
    }

    /// Comes back from another moment: the screen that was looked at there, and how, stays.
    pub(crate) fn come_back(&mut self, away: Self) {
        if !matches!(away.screen, Screen::Welcome | Screen::Review(_) | Screen::Done(_)) {
            self.screen = away.screen;
        }
        self.time.timeline = away.time.timeline;
        self.mouse = away.mouse;
        (self.notice, self.size) = (None, away.size);
    }

    /// Whether something on the screen goes on without anything new: a text that is read or searched in slices.
    pub(crate) fn wants_frame(&self) -> bool {
        self.run.is_busy() || self.screen == Screen::Events && self.events.looked_percent().is_some()
    }
}
