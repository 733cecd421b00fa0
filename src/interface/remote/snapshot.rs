//! What is true now, for programs: the session in a line, and the whole of it in short.
//!
//! The forms are public: fields may be added, none changes its meaning; [`Snapshot::VERSION`] says when one had to.

use serde::{Deserialize, Serialize};

use super::routes::House;
use crate::domain::protocol::{
    Author, EndpointName, GoalId, Health, Level, Micros, SessionId, Subject, Viewer, ViewerId,
};
use crate::domain::state::{Gear, GoalPhase, State, Status, Totals};
use crate::domain::text::CleanText;

/// A running session, as `GET /v1/session` says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its name.
    pub session: SessionId,
    /// Its journal.
    pub journal: String,
    /// The program's version.
    pub program: String,
    /// Its process.
    pub pid: u32,
    /// The last record.
    pub seq: u64,
    /// Session time now.
    pub at: Micros,
    /// Paused or not.
    pub gear: Gear,
    /// Whether its fleet is a simulated one.
    pub simulated: bool,
    /// Its goals in the operator's words.
    pub goals: Vec<CleanText>,
    /// Tasks that have not ended.
    pub open: u32,
    /// Who watches.
    pub viewers: Vec<Viewer>,
    /// Which of them has control.
    pub control: Option<ViewerId>,
    /// Whether a console on a terminal holds its process.
    #[serde(default)]
    pub held: Held,
    /// The arguments with which its program takes it up again in the background; none where it can't: a command waits for
    /// its result.
    #[serde(default)]
    pub again: Vec<String>,
    /// The folder its process works in; empty of an engine that did not say so yet.
    #[serde(default)]
    pub folder: String,
}

/// Who holds the process of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Nobody who would miss it.
    #[default]
    Nobody,
    /// A console of its own, on a terminal.
    Console,
}

impl SessionInfo {
    pub(super) fn of(house: &House) -> Self {
        let attached: Vec<ViewerId> = house.consoles().values().map(|console| console.viewer).collect();
        let state = house.watched.state();
        // Who watches and did not come over the socket sits at this process's own terminal.
        let own = state.viewers.keys().any(|viewer| !attached.contains(viewer));
        Self {
            held: if own { Held::Console } else { Held::Nobody },
            again: house.again.clone(),
            folder: std::env::current_dir().unwrap_or_default().display().to_string(),
            session: house.connector.session().clone(),
            journal: house.connector.journal().display().to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            seq: state.seq,
            at: house.connector.now(),
            gear: state.gear,
            simulated: state.config.fleet.is_simulated(),
            goals: state.goals().iter().map(|g| g.text.clone()).collect(),
            open: state.goals().iter().map(|g| g.open).sum(),
            viewers: state.viewers.values().cloned().collect(),
            control: state.control,
        }
    }
}

/// The session in short, as `GET /v1/state` says it.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot<'a> {
    version: u32,
    session: Option<&'a SessionId>,
    seq: u64,
    at: Micros,
    gear: Gear,
    level: Level,
    simulated: bool,
    ended: Option<&'a CleanText>,
    goals: Vec<GoalLine<'a>>,
    endpoints: Vec<EndpointLine<'a>>,
    attention: Vec<AttentionLine<'a>>,
    viewers: Vec<&'a Viewer>,
    control: Option<ViewerId>,
    totals: Totals,
}

#[derive(Debug, Serialize)]
struct GoalLine<'a> {
    id: GoalId,
    text: &'a CleanText,
    phase: &'a GoalPhase,
    revision: u32,
    by: &'a Author,
    answer: Option<String>,
    tasks: Vec<TaskLine<'a>>,
}

#[derive(Debug, Serialize)]
struct TaskLine<'a> {
    id: String,
    title: &'a str,
    agent: &'a str,
    status: &'static str,
    /// Why it is not running, in words; absent where it runs or is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a CleanText>,
    #[serde(skip_serializing_if = "is_empty")]
    choices: &'a [CleanText],
    /// Its attempts: `/v1/text/ATTEMPT` has what they said.
    attempts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// Where its result was cut; absent where it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<crate::domain::state::CutAt>,
    endpoint: Option<&'a EndpointName>,
    tokens: u64,
}

fn is_empty(choices: &[CleanText]) -> bool {
    choices.is_empty()
}

#[derive(Debug, Serialize)]
struct EndpointLine<'a> {
    name: &'a EndpointName,
    health: &'a Health,
    busy: u32,
    slots: u32,
    /// Where it answers and is not what the fleet file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    mismatch: Option<&'a CleanText>,
    /// How Baton starts its server, where it is down and Baton can.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

#[derive(Debug, Serialize)]
struct AttentionLine<'a> {
    /// What it is about, for programs.
    subject: &'a Subject,
    about: String,
    since: Micros,
    text: &'a CleanText,
}

impl<'a> Snapshot<'a> {
    /// Raised when a field had to change its meaning.
    pub(super) const VERSION: u32 = 1;

    pub(super) fn of(state: &'a State, now: Micros) -> Self {
        let goals = state.goals().iter().map(|goal| GoalLine {
            id: goal.id,
            text: &goal.text,
            phase: &goal.phase,
            revision: goal.revision,
            by: &goal.author,
            answer: goal.answer.as_ref().map(ToString::to_string),
            tasks: goal.tasks.iter().filter(|ix| !state.task(**ix).removed).map(|ix| task(state, *ix, now)).collect(),
        });
        Self {
            version: Self::VERSION,
            session: state.session.as_ref(),
            seq: state.seq,
            at: now,
            gear: state.gear,
            level: state.level,
            simulated: state.config.fleet.is_simulated(),
            ended: state.ended.as_ref(),
            goals: goals.collect(),
            endpoints: state
                .endpoints()
                .iter()
                .map(|e| {
                    let pool = state.pool(e.pool);
                    EndpointLine {
                        name: &e.config.name,
                        health: &e.health,
                        busy: pool.busy(),
                        slots: pool.ceiling,
                        mismatch: e.mismatch.as_ref(),
                        mend: e.config.how_to_start().filter(|_| matches!(e.health, Health::Down { .. })),
                    }
                })
                .collect(),
            attention: state
                .attention
                .iter()
                .map(|(about, a)| AttentionLine {
                    subject: about,
                    about: about.to_string(),
                    since: a.since,
                    text: &a.text,
                })
                .collect(),
            viewers: state.viewers.values().collect(),
            control: state.control,
            totals: state.totals,
        }
    }
}

fn task(state: &State, ix: crate::domain::state::TaskIx, now: Micros) -> TaskLine<'_> {
    let task = state.task(ix);
    let status = state.status(ix, now);
    let attempts: Vec<_> = task.attempts.iter().filter_map(|id| state.attempt(*id)).collect();
    let why = match status {
        Status::Running | Status::Done | Status::Asking => None,
        Status::Failed | Status::Cancelled | Status::Skipped => Some(task.reason.to_string()),
        _ => state.admit(ix, now).err().map(|why| why.to_string()),
    };
    TaskLine {
        id: task.id.to_string(),
        title: &task.title,
        agent: task.spec.agent.as_str(),
        status: status.word(),
        why,
        question: task.asking.as_ref().map(|q| &q.text),
        choices: task.asking.as_ref().map_or(&[], |q| &q.choices),
        attempts: attempts.iter().map(|a| a.id.to_string()).collect(),
        result: task.result.map(|a| a.to_string()),
        cut: state.cut_of(task),
        endpoint: attempts.last().and_then(|a| state.place_of(a)).map(|e| &e.config.name),
        tokens: attempts.iter().map(|a| a.output_tokens()).sum(),
    }
}
