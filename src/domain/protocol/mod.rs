//! The words: ids, [`Command`] (an intent), [`Event`] (a fact) and [`Record`] (a fact with its place and time).
//!
//! Not here: what a fact changes ([`crate::domain::state`]) or why it was decided ([`crate::domain::orchestrator`]).
//! Invariant: everything in this module serialises to the journal's format; names on the wire change only with
//! [`FORMAT`].

mod about;
mod claims;
mod command;
mod conversation;
mod endpoint;
mod event;
mod failure;
mod filter;
mod id;
mod level;
mod machine;
mod recipe;
mod record;
mod server;
mod size;
mod subject;
mod turn;
mod viewer;

pub use about::{About, Bearing, output_words};
pub use claims::{Claims, LockMode, LockUse, TaskClaimed};
pub use command::{
    Author, Command, CommandEnvelope, GoalOptions, LevelScope, PlanSource, RetryScope, Review, Role, StopScope,
};
pub use conversation::{AskedAbout, MessageSent, ResultEdited, TaskAsked};
pub use endpoint::{
    EndpointChanged, EndpointEdit, EndpointFound, Finding, Health, Intake, ModelMoved, ModelShape, ModelVerb, Residence,
};
pub use event::*;
pub use failure::{Blame, Failure, FailureKind, Remedy, Told, Unmade};
pub use filter::{Facts, FilterError, KEYS as FILTER_KEYS, RecordFilter};
pub use id::{
    AgentName, AttemptId, CommandId, EndpointName, GoalId, IdError, Micros, Name, SessionId, TaskId, TierName, TurnId,
    ViewerId,
};
pub use level::{Level, LevelSupport};
pub use machine::{
    Gpu, GpuLimit, Grip, LimitSource, MachineSampled, Power, Pressure, ServerMemory, Thermal, Throttle, ThrottleCause,
};
pub use recipe::{Cut, Message, Part, Recipe, Speaker};
pub use record::{Counted, FORMAT, Header, OutputCount, Record, RecordError, Rethought};
pub use server::{MemoryCheck, ServerChanged, ServerStanding, ServerVerb};
pub use size::{MOST_DECIDED, recorded_bytes};
pub use subject::Subject;
pub use turn::{SlotAfter, TurnEnd, TurnEnded, TurnStarted, Usage};
pub use viewer::{Forked, Viewer};
