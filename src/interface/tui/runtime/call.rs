//! How the operator is told while looking elsewhere: the window's title, the bell, a notification.
//!
//! Invariants: the words are Baton's own, never a model's; nothing rings while the window is in front.

use super::Console;
use crate::domain::protocol::Subject;
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::interface::tui::frame::Gaze;
use crate::interface::tui::terminal::{Bell, Stage};

/// Whether the terminal is asked for notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// It is not.
    #[default]
    Never,
    /// It is, while its window is not in front.
    WhenAway,
}

impl<C: Client, S: Stage> Console<C, S> {
    /// The title: how many things need the operator, and the goal.
    pub(super) fn retitle(&mut self) {
        let needs = match self.state.attention.len() {
            0 => String::new(),
            n => format!(" ! {n}"),
        };
        let title = match self.state.goals().last() {
            Some(goal) => format!("baton{needs} · {}", CleanText::one_line(&goal.text)),
            None => format!("baton{needs}"),
        };
        if *title != *self.title {
            self.title = title.into();
            // A title that can't be set is met by the next frame.
            if self.parted == super::Parted::No {
                let _ = self.stage.title(&self.title);
            }
        }
    }

    /// Something new needs the operator.
    pub(super) fn call(&mut self, subject: &Subject) {
        let away = self.parted == super::Parted::No && self.policy.gazes() == Gaze::Away;
        // It may have been taken care of in the same breath.
        if !away || !self.state.attention.contains_key(subject) {
            return;
        }
        let notify = self.options.notify == Notify::WhenAway;
        let words = notify.then(|| CleanText::from(format!("baton: {}", words(subject, self.state.attention.len()))));
        if words.is_some() || self.options.bell == Bell::Rings {
            // A terminal that can't be written to is met by the next frame.
            let _ = self.stage.call(self.options.bell, words.as_ref());
        }
    }
}

/// What is said of something new, with how many things need the operator in all.
fn words(subject: &Subject, count: usize) -> String {
    let what = match subject {
        Subject::Review(_) => "a plan waits for your review",
        Subject::Task(_) => "a task failed",
        Subject::Question(_) => "an agent asks you something",
        Subject::Stall(_) => "a task has gone silent",
        Subject::Loop(_) => "a task repeats itself",
        Subject::Context(_) => "a task's context is nearly full",
        Subject::Thinking(_) => "a task thinks for long",
        Subject::Cut(_) => "a task's answer was cut",
        Subject::Fit(_) => "a task sees little of what it needs",
        Subject::Endpoint(_) => "an endpoint needs a hand",
        Subject::Memory(_) => "a goal waits for memory",
        Subject::Server(_) => "a server does not run any more",
        Subject::Journal => "the journal can't be written",
        Subject::Other(_) => "something needs you",
    };
    if count > 1 { format!("{what}; {count} things need you") } else { what.to_owned() }
}
