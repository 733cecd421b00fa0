//! A goal as it stands: its plan's revision, its phase, its outcome.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{PastEdit, TaskIx};
use crate::domain::protocol::{Author, GoalHeld, GoalId, GoalOptions, Micros, Outcome, TaskId};
use crate::domain::text::CleanText;

/// Where a goal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalPhase {
    /// A model makes its plan.
    Planning,
    /// Its plan waits for review.
    Draft,
    /// Its tasks run as they can.
    Running,
    /// All its tasks have ended.
    Ended(Outcome),
}

/// Whether what a goal's tasks would load fits into memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalMemory {
    /// It does, or nobody could tell.
    #[default]
    Fits,
    /// It does not: its tasks wait.
    Short(Box<GoalHeld>),
    /// It did not, and the operator wants it all the same.
    Forced,
}

/// A goal as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Its id.
    pub id: GoalId,
    /// The operator's words.
    pub text: CleanText,
    /// Mode and limits, resolved.
    pub options: GoalOptions,
    /// Where it is.
    pub phase: GoalPhase,
    /// The plan's revision; 0 while there is none.
    pub revision: u32,
    /// Its tasks, in plan order, planning and synthesis included.
    pub tasks: Vec<TaskIx>,
    /// What was mended in the model's plan, in words.
    pub repairs: Vec<CleanText>,
    /// Who made the newest revision.
    pub author: Author,
    /// When it was given.
    pub added_at: Micros,
    /// When its plan was approved or began to run.
    pub approved_at: Option<Micros>,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// The task whose result is the answer.
    pub answer: Option<TaskId>,
    /// Whether its models fit into memory.
    #[serde(default)]
    pub memory: GoalMemory,
    /// How many of its tasks run now.
    pub running: u32,
    /// How many of its tasks have not ended (removed ones aside).
    pub open: u32,
    /// The edits of its plan that can be undone or made again, oldest first.
    pub edits: VecDeque<PastEdit>,
}
