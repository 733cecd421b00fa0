//! What the loop does when a signal comes: it parts, ends, stops or comes back.

use super::{Console, ConsoleExit, Course, Parted, RESUMED};
use crate::domain::protocol::Micros;
use crate::engine::client::Client;
use crate::interface::tui::frame::Wish;
use crate::interface::tui::model::Leave;
use crate::interface::tui::signal::Signalled;
use crate::interface::tui::terminal::Stage;

impl<C: Client, S: Stage> Console<C, S> {
    pub(super) async fn signalled(&mut self, signal: Signalled) {
        match signal {
            Signalled::HangUp => self.part(),
            // A second one does not wait.
            Signalled::Terminate | Signalled::Interrupt if matches!(self.course, Course::Ending(..)) => {
                if let Course::Ending(exit, _) = &self.course {
                    self.course = Course::Over(exit.clone());
                }
            }
            Signalled::Terminate => self.end(ConsoleExit::Terminated),
            Signalled::Interrupt => self.end(ConsoleExit::Left(Leave::Interrupted)),
            Signalled::Continue => {
                if self.events.is_some() && self.stage.enter().is_err() {
                    self.part();
                }
                self.policy.want(Wish::Key);
            }
            // Without a terminal there is no shell that would wait for a stop.
            Signalled::Stop => {
                let late = self.resumed.is_some_and(|at| at.elapsed() < RESUMED);
                if self.parted == Parted::No && !late && self.suspend().is_err() {
                    self.part();
                }
                self.policy.want(Wish::Key);
            }
        }
    }

    pub(super) fn now(&self) -> Micros {
        self.client.now()
    }
}
