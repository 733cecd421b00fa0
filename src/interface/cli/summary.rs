//! A finished goal as JSON: what `run --json` prints.
//!
//! Not here: how the figures come about ([`crate::interface::report`]). The form is public: fields may be added, none change.

use std::path::Path;

use serde::Serialize;

use crate::domain::protocol::{GoalId, Outcome, Work};
use crate::domain::state::{CutAt, GoalPhase, State};
use crate::domain::text::CleanText;
use crate::interface::report::{Metrics, micro_dollars, shortage};

/// A finished goal.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    session: String,
    journal: String,
    goal: &'a str,
    outcome: &'static str,
    answer: Option<String>,
    simulated: bool,
    tasks: Vec<TaskLine<'a>>,
    metrics: Metrics,
    /// What was mended in the model's plan, in words.
    plan_repairs: &'a [CleanText],
}

#[derive(Debug, Serialize)]
struct TaskLine<'a> {
    id: String,
    title: &'a str,
    agent: &'a str,
    work: Work,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    /// Where its result was cut; absent where it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<CutAt>,
    attempts: usize,
    endpoint: Option<&'a str>,
    tokens: u64,
    /// US dollars, where a price is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    seconds: f64,
    /// What of its last request did not fit into the context, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    short: Option<String>,
    /// Bytes of the results it needed, and those that were in its last prompt; where these are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Results>,
}

#[derive(Debug, Serialize)]
struct Results {
    bytes: u64,
    given: u64,
}

/// Milliseconds say enough; a sum of nothing is 0, not -0.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0 + 0.0
}

impl<'a> Summary<'a> {
    /// Of a goal; none when there is no such goal.
    pub(crate) fn of(state: &'a State, goal: GoalId, journal: &Path, answer: Option<String>) -> Option<Self> {
        let goal = state.goal(goal)?;
        let tasks = goal.tasks.iter().map(|ix| (*ix, state.task(*ix))).filter(|(_, t)| !t.removed).map(|(ix, task)| {
            let fit = state.last_attempt(task).and_then(|a| state.fit_of(a));
            let attempts: Vec<_> = task.attempts.iter().filter_map(|id| state.attempt(*id)).collect();
            TaskLine {
                id: task.id.to_string(),
                title: &task.title,
                agent: task.spec.agent.as_str(),
                work: task.work,
                status: state.status(ix, state.at).word(),
                reason: if task.is_done() { "" } else { &task.reason },
                cut: state.cut_of(task),
                attempts: attempts.len(),
                endpoint: attempts.last().and_then(|a| state.place_of(a)).map(|e| e.config.name.as_str()),
                tokens: attempts.iter().map(|a| a.output_tokens()).sum(),
                cost_usd: state.cost_of_task(task).map(micro_dollars),
                seconds: rounded(attempts.iter().map(|a| a.elapsed(state.at).secs_f64()).sum()),
                short: fit.as_ref().and_then(shortage),
                results: fit.filter(|f| f.given < f.there).map(|f| Results { bytes: f.there, given: f.given }),
            }
        });
        Some(Self {
            session: state.session.as_ref().map(ToString::to_string).unwrap_or_default(),
            journal: journal.display().to_string(),
            goal: &goal.text,
            outcome: match goal.phase {
                GoalPhase::Ended(Outcome::Done) => "done",
                GoalPhase::Ended(Outcome::Failed) => "failed",
                GoalPhase::Ended(Outcome::Cancelled) => "cancelled",
                GoalPhase::Planning | GoalPhase::Draft | GoalPhase::Running => "unfinished",
            },
            answer,
            simulated: state.config.fleet.is_simulated(),
            tasks: tasks.collect(),
            metrics: Metrics::of(state),
            plan_repairs: &goal.repairs,
        })
    }
}
