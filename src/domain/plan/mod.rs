//! Plans: a goal as a DAG of tasks.
//!
//! Not here: what a task is doing ([`crate::domain::state`]) and when it starts ([`crate::domain::orchestrator`]).
//! Invariant: a [`Plan`] that passed [`validate()`] has unique ids, known needs and no cycle.

mod decompose;
mod demo;
mod diff;
mod lost;
mod meant;
mod ownership;
mod parse;
mod paths;
mod schema;
mod task;
mod validate;
mod write;

pub(crate) use decompose::answer_is_cut;
pub use decompose::{Decomposition, Origin, built_in, planning_prompt, read_answer};
pub use demo::demo_plan;
pub use diff::{FormChange, Weight, form_changes, same_work};
pub use parse::{MAX_PLAN_BYTES, PlanError, PlanReading, parse, parse_for, read_plan};
pub use paths::{PatternError, check_pattern, shared_path};
pub use schema::{decomposition_schema, plan_schema};
pub use task::{Backoff, Budget, OnFailure, Plan, PlanEdit, Priority, Retry, TaskSpec};
pub use validate::{EditError, NEWEST_PLAN_VERSION, PLAN_VERSION, Problem, apply_edits, validate};
pub use write::write;
