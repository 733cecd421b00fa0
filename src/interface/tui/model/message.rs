//! The message field: something said to the agent of a task, queued for its next turn.
//!
//! Not here: where drafts are kept ([`super::Ui`]) and when the message goes (the orchestrator). Invariants: nothing is
//! sent but by accepting; what was typed is lost only when it was sent and taken.

use super::field::TextField;
use super::layer::LayerDoes;
use super::{UiEffect, notice};
use crate::domain::protocol::{Command, TaskId};
use crate::domain::state::{Life, State, Task, TaskIx};
use crate::interface::tui::action::Action;

/// A message that is being written.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageUi {
    /// To whose agent.
    pub task: TaskId,
    /// The words.
    pub(crate) field: TextField,
}

impl MessageUi {
    /// An empty message to the agent of a task.
    pub fn new(task: TaskIx, state: &State) -> Self {
        Self { task: state.task(task).id.clone(), field: TextField::default() }
    }

    /// When it will be read, in words.
    pub fn when(task: &Task) -> &'static str {
        match task.life {
            Life::Running if task.asking.is_some() => "it asks you something: a answers that; this goes along with it",
            Life::Running => "queued for its next turn; the one under way is not disturbed",
            Life::Ended(_) => "it has ended: sending this makes it go on with your words",
            Life::NotStarted => "it has not started: this goes with its first request",
        }
    }

    /// Does what an action means here.
    pub(super) fn update(&mut self, action: Action, state: &State) -> LayerDoes {
        if self.field.act(action) {
            return LayerDoes::Stays(Vec::new());
        }
        match action {
            Action::Enter if self.field.is_empty() => {
                LayerDoes::Stays(notice("there is nothing to send yet; esc goes back"))
            }
            Action::Enter if state.task_by_id(&self.task).is_none_or(|t| t.removed) => {
                LayerDoes::Stays(notice("the task was taken out of the plan; nobody would read this"))
            }
            Action::Enter => {
                let text = self.field.text().trim().to_owned();
                LayerDoes::Closes(vec![UiEffect::Send(Command::Message { task: self.task.clone(), text })])
            }
            _ => LayerDoes::Stays(Vec::new()),
        }
    }
}
