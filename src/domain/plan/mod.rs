//! Plans: a goal as a DAG of tasks.
//!
//! Not here: what a task is doing ([`crate::domain::state`]) and when it starts ([`crate::domain::orchestrator`]).
//! Invariant: a [`Plan`] that passed `validate` has unique ids, known needs and no cycle.

mod task;

pub use task::{Backoff, Budget, OnFailure, Plan, PlanEdit, Priority, Retry, TaskSpec};
