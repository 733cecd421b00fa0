//! A task as it stands: its form, its life, its tries.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::fleet::OnCut;
use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{
    AskedAbout, AttemptId, Author, EndpointName, Level, Micros, Partial, Route, TaskId, TurnId, Work,
};
use crate::domain::text::CleanText;

/// A task's place in [`super::State::tasks`]; stable, since tasks are never taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskIx(pub u32);

/// Where a task is in its life. What is derived (pending, ready, waiting, blocked) is [`super::Status`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// Not started, or to be started again.
    #[default]
    NotStarted,
    /// An attempt runs.
    Running,
    /// Over.
    Ended(End),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With a result.
    Done,
    /// Without, and with no tries left.
    Failed,
    /// By the operator.
    Cancelled(Partial),
    /// It will not run.
    Skipped,
}

/// A question that waits for the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The turn that asked.
    pub turn: TurnId,
    /// The words.
    pub text: CleanText,
    /// Answers it offers.
    pub choices: Vec<CleanText>,
    /// Since when it waits.
    pub since: Micros,
    /// What it is about.
    #[serde(default, skip_serializing_if = "AskedAbout::is_work")]
    pub about: AskedAbout,
}

/// Something that was said to a task's agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Who said it.
    pub author: Author,
    /// The words.
    pub text: CleanText,
    /// When.
    pub at: Micros,
    /// The turn it went with; none: it waits for the next one.
    pub turn: Option<TurnId>,
}

/// A task as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its full id.
    pub id: TaskId,
    /// What its result is for.
    pub work: Work,
    /// Its form, of the newest version.
    pub spec: Arc<TaskSpec>,
    /// Its title, clean and on one line.
    pub title: CleanText,
    /// The form's version, from 1.
    pub version: u32,
    /// Where it is in its life.
    pub life: Life,
    /// Held by the operator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Its result is out of date: its form or inputs changed since. It stays usable, also while the task runs again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty: bool,
    /// Its result was put in by hand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// What its agent asks the operator; its slot is free meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asking: Option<Question>,
    /// What was said to its agent, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Said>,
    /// The turns whose answers the conversation of its next request carries, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thread: Vec<TurnId>,
    /// Where its next attempts go while that is usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<EndpointName>,
    /// Taken out of the plan; kept for its history.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// What it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<TaskIx>,
    /// What needs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<TaskIx>,
    /// Its attempts, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptId>,
    /// The attempt whose answer is its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AttemptId>,
    /// Failures that count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Which of the agent's tiers it goes to.
    pub route: Route,
    /// Failures in a row that say something of its servers and nothing of it. They cost it no try.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub setbacks: u32,
    /// Since the first of them, moved on by the time for which its server was away or said that it loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub troubled_since: Option<Micros>,
    /// The endpoint its last try failed on, avoided when there is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoid: Option<EndpointName>,
    /// The endpoints that refused it in its form of now. It goes to one that did not, where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_by: Vec<EndpointName>,
    /// No start before this time (wait for a retry).
    pub not_before: Micros,
    /// When it was released or put back last; zero: never.
    #[serde(default, skip_serializing_if = "is_never")]
    pub waits_since: Micros,
    /// A level set while running; it goes before the form's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The limit of tokens it is asked anew with, for an answer was cut at the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The attempt that was cut there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_attempt: Option<AttemptId>,
    /// What the operator wants done about the answer that was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_choice: Option<OnCut>,
    /// Why it failed, was skipped or waits for a retry, in words.
    pub reason: CleanText,
    /// When it was added.
    pub added_at: Micros,
    /// When its life last changed to running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Micros>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Micros>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn is_never(at: &Micros) -> bool {
    at.0 == 0
}

impl Task {
    /// Its servers serve it again, or what was held against them is held against it.
    pub(super) fn is_out_of_trouble(&mut self) {
        (self.setbacks, self.troubled_since) = (0, None);
    }

    /// Whether it goes to another endpoint than this, where there is one: it failed there last, or was refused.
    pub fn avoids(&self, endpoint: &EndpointName) -> bool {
        self.avoid.as_ref() == Some(endpoint) || self.refused_by.contains(endpoint)
    }

    /// Whether it has ended, well or not.
    pub fn has_ended(&self) -> bool {
        matches!(self.life, Life::Ended(_))
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        self.life == Life::Ended(End::Done)
    }

    /// Whether its result, or what is kept of it, can be given to others.
    pub fn has_result(&self) -> bool {
        self.result.is_some()
            && matches!(self.life, Life::Ended(End::Done | End::Cancelled(Partial::Kept) | End::Skipped))
    }
}
