//! Reports: a session folded from its journal into figures, tables and texts, as Markdown for people and JSON for programs.
//!
//! Not here: where sessions are and where the text goes (`cli`, `tui`). Invariants: everything here is a function of
//! the journal, at its last record; text from outside is raw in JSON and escaped in Markdown, and whoever prints it on a
//! terminal cleans it there; what is stated is measured, and an estimate says that it is one.

mod failure;
mod figures;
mod fits;
mod lines;
mod markdown;
mod narrow;
mod read;
mod since;
#[cfg(test)]
mod tests;
mod transcript;
mod when;

pub use failure::failure;
pub(crate) use failure::task_of;
pub(crate) use figures::micro_dollars;
pub use figures::{Bound, Metrics, Overall, pace_words};
pub use fits::FitLine;
pub(crate) use fits::shortage;
pub use lines::{
    AgentLine, AttemptLine, CommandLine, Deliverable, EditLine, EndpointLine, FailureLine, GoalLine, LifeLine,
    PhaseLine, RemainLine, SleepLine,
};
pub use markdown::markdown;
pub use narrow::fold;
pub use read::{Story, Wanted, moment};
pub use since::{Going, SinceWhen, since, since_words};
pub use transcript::transcript;
pub use when::{ago, now_ms};

use serde::Serialize;

use crate::domain::protocol::Forked;

/// The version of the JSON form: fields may be added within one, none change.
pub const FORMAT: u32 = 1;

/// A session's report. Times are seconds; a time of day in the session counts from its first record.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub baton_report: u32,
    /// The session.
    pub session: String,
    /// How its work stands: `empty`, `unfinished`, `done`, `failed`, `cancelled`.
    pub standing: &'static str,
    /// Whether its models were simulated.
    pub simulated: bool,
    /// Whose past it has, if it is a fork.
    pub parent: Option<Forked>,
    /// A process works on it still: the figures are those of its last record, in seconds of its time; absent when it has
    /// been set down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub so_far: Option<f64>,
    /// Sleeps of the machine: session time stood still meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sleeps: Vec<SleepLine>,
    /// Why the journal can't be read to its end; the report is of what stands before that.
    pub damage: Option<String>,
    /// The processes that worked on it; each but the first took it up again.
    pub lives: Vec<LifeLine>,
    /// Its goals, with their answers.
    pub goals: Vec<GoalLine>,
    /// The figures of all of it.
    pub metrics: Overall,
    /// By phase.
    pub phases: Vec<PhaseLine>,
    /// By agent.
    pub agents: Vec<AgentLine>,
    /// By endpoint.
    pub endpoints: Vec<EndpointLine>,
    /// What the tasks came to.
    pub deliverables: Vec<Deliverable>,
    /// Every try.
    pub attempts: Vec<AttemptLine>,
    /// What went wrong, and what was done about it.
    pub failures: Vec<FailureLine>,
    /// The tries whose requests did not fit whole into a context.
    pub fits: Vec<FitLine>,
    /// What the operator asked for.
    pub commands: Vec<CommandLine>,
    /// How plans changed.
    pub edits: Vec<EditLine>,
    /// The tasks without a result, and why.
    pub remains: Vec<RemainLine>,
}

impl Report {
    /// Of a session as it was read.
    pub fn of(story: &Story) -> Self {
        let state = &story.state;
        let summary = crate::engine::journal::SessionSummary::of(&story.session, state);
        Self {
            baton_report: FORMAT,
            session: story.session.to_string(),
            standing: summary.standing.word(),
            simulated: summary.simulated,
            so_far: None,
            sleeps: lines::sleeps(state),
            parent: state.parent.clone(),
            damage: story.damage.clone(),
            lives: lines::lives(state),
            goals: lines::goals(story),
            metrics: Overall::of(state),
            phases: lines::phases(state),
            agents: lines::agents(state),
            endpoints: lines::endpoints(state),
            deliverables: lines::deliverables(story),
            attempts: lines::attempts(state),
            failures: lines::failures(state),
            fits: fits::fits(state),
            commands: story.commands.clone(),
            edits: story.edits.clone(),
            remains: lines::remains(state),
        }
    }

    /// Of a session that a process works on: what can't be known yet is said to be so.
    pub fn running(mut self, state: &crate::domain::state::State) -> Self {
        self.so_far = Some(figures::rounded(state.at.secs_f64()));
        self
    }
}
