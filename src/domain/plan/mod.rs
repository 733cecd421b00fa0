//! Plans: a goal as a DAG of tasks.
//!
//! Not here: what a task is doing ([`crate::domain::state`]) and when it starts ([`crate::domain::orchestrator`]).
//! Invariant: a [`Plan`] that passed [`validate`] has unique ids, known needs and no cycle.

mod decompose;
mod schema;
mod task;
mod validate;

pub use decompose::{Decomposition, Origin, built_in, planning_prompt, read_answer};
pub use schema::{decomposition_schema, plan_schema};
pub use task::{Backoff, Budget, OnFailure, Plan, PlanEdit, Priority, Retry, TaskSpec};
pub use validate::{EditError, PLAN_VERSION, Problem, apply_edits, validate};
