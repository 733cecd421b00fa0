//! What is true: [`State`] and its questions.
//!
//! [`State::apply`] is the only code that changes what is true; the orchestrator runs it on its own copy, and every
//! viewer on theirs. Not here: decisions ([`crate::domain::orchestrator`]) and output text: state holds references,
//! counts and digests.
//!
//! Invariants: applying never panics and never looks at a clock; applying a record twice does nothing the second time;
//! the fold of a journal equals the live state.

mod admit;
mod answer;
mod apply;
mod attempt;
mod capacity;
mod claims;
mod cost;
mod cut;
mod dirty;
mod edits;
mod estimate;
mod fit;
mod frozen;
mod goal;
mod history;
mod pace;
mod pieces;
mod pool;
mod preview;
mod progress;
mod reason;
mod status;
mod strain;
mod talk;
mod task;
mod wall;
mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use admit::{IdleWhy, Pinch, QueuePlace, QueueStanding, Seat, Why};
pub(crate) use answer::{SYNTHESIS, VOICE};
pub use attempt::{Attempt, ChannelCount, Doer, Input, Step, Turn};
pub use claims::{Holding, Lack, Lacked};
pub use cost::dollars;
pub use cut::{AfterCut, CutAt, CutBy};
pub use edits::{Inverse, PastChange, PastEdit};
pub use estimate::{AgentHistory, Estimates};
#[cfg(test)]
pub(crate) use fit::MAY_ASK;
pub use fit::{Density, Fit};
pub use frozen::Frozen;
pub use goal::{Goal, GoalMemory, GoalPhase};
pub use history::{EndpointHistory, MachineHistory, Track};
pub use pace::Pace;
pub use pieces::StateLines;
pub use pool::{EndpointIx, EndpointState, Permit, PermitPhase, Pool, PoolIx, Shut, SpeedHistory, Trust};
pub use preview::{ChangedTask, Preview};
pub use progress::{Phase, Progress};
pub use reason::Urgency;
pub use status::Status;
pub use strain::Strain;
pub use task::{End, Life, Question, Said, Task, TaskIx};
pub use watch::Watch;

use crate::domain::fleet::SessionConfig;
use crate::domain::hash::IdMap;
use crate::domain::protocol::{
    AgentName, AttemptId, CommandId, EndpointName, Forked, GoalId, Level, MachineSampled, Micros, ServerChanged,
    SessionId, SessionOpened, SessionSlept, Subject, TaskId, Throttle, TurnId, Viewer, ViewerId,
};
use crate::domain::text::CleanText;

/// Whether tasks may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gear {
    /// They may.
    #[default]
    Running,
    /// Nothing new starts.
    Paused,
}

/// Something that needs the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// Since when.
    pub since: Micros,
    /// What is wrong and what would mend it.
    pub text: CleanText,
}

/// Counters over the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Tokens generated.
    pub output_tokens: u64,
    /// Prompt tokens read, as servers told.
    pub prompt_tokens: u64,
    /// Busy slot time in microseconds: the sum over turns from grant to end.
    pub slot_us: u64,
    /// The sum of attempt times of finished attempts in microseconds: what one at a time would have taken.
    pub attempt_us: u64,
    /// Records that were left out: events that a later version knows.
    pub unknown_records: u64,
    /// Time of the first attempt's start.
    pub first_start: Option<Micros>,
    /// The most attempts that ran at once.
    pub widest: u32,
}

/// All that is true of a session. Cloning it is a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The last record applied.
    pub seq: u64,
    /// Its session time.
    pub at: Micros,
    /// The session's id.
    pub session: Option<SessionId>,
    /// Process lives, with the session time each began at.
    pub lives: Vec<(Micros, SessionOpened)>,
    /// Sleeps of the machine, with the session time each ended at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub naps: Vec<(Micros, SessionSlept)>,
    /// Why the session ended, if it did.
    pub ended: Option<CleanText>,
    /// The configuration it runs under.
    pub config: SessionConfig,
    /// Paused or not.
    pub gear: Gear,
    /// It is paused because the journal can't be written, and goes on by itself when it can.
    pub halted: bool,
    /// The session's reasoning level.
    pub level: Level,
    /// Levels set for agents while running.
    pub agent_levels: BTreeMap<AgentName, Level>,
    goals: Vec<Goal>,
    tasks: Vec<Task>,
    #[serde(skip)]
    task_index: IdMap<TaskId, TaskIx>,
    attempts: Vec<Attempt>,
    running: Vec<AttemptId>,
    /// What tasks have for themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holdings: Vec<Holding>,
    /// For whom what they claim is kept, and since when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reserved: Vec<(TaskIx, Micros)>,
    pools: Vec<Pool>,
    endpoints: Vec<EndpointState>,
    /// The machine, as it was last looked at.
    pub machine: MachineSampled,
    /// When it was last looked at in this life of the process.
    #[serde(default)]
    pub machine_at: Option<Micros>,
    /// And over the last minutes.
    pub machine_history: MachineHistory,
    /// Since when it is hard pressed, or at ease.
    #[serde(default)]
    pub strain: Strain,
    /// Why fewer tasks start on this machine than could, if so.
    pub throttle: Option<Throttle>,
    /// How the servers stand that Baton started or found, by endpoint.
    pub servers: BTreeMap<EndpointName, ServerChanged>,
    /// What needs the operator.
    #[serde(with = "pieces::pairs")]
    pub attention: BTreeMap<Subject, Attention>,
    /// What the operator has seen and left as it is, and the turn it was about: it is not raised again for the same.
    #[serde(with = "pieces::pairs")]
    dismissed: BTreeMap<Subject, Option<TurnId>>,
    /// How long answers of each agent were.
    pub history: BTreeMap<AgentName, AgentHistory>,
    /// Counters.
    pub totals: Totals,
    /// The consoles that watch.
    pub viewers: BTreeMap<ViewerId, Viewer>,
    /// Which of them has control; none: whoever may act acts.
    pub control: Option<ViewerId>,
    /// Which of them asks for it.
    pub asking_control: Option<ViewerId>,
    /// The last viewer's number: ids are never used again.
    pub viewers_seen: u64,
    /// Whose past this session has, if it is a fork.
    pub parent: Option<Forked>,
    commands: std::collections::BTreeSet<CommandId>,
    /// Why those of them that were refused were: the same id asked again is answered the same.
    #[serde(default)]
    refusals: BTreeMap<CommandId, CleanText>,
}

impl State {
    /// The goals, in the order they were given.
    pub fn goals(&self) -> &[Goal] {
        &self.goals
    }

    /// A goal by id.
    pub fn goal(&self, id: GoalId) -> Option<&Goal> {
        self.goals.get((id.0 as usize).checked_sub(1)?)
    }

    /// The tasks of all goals, in the order they were added; removed ones stay, marked.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// A task by index.
    pub fn task(&self, ix: TaskIx) -> &Task {
        &self.tasks[ix.0 as usize]
    }

    /// A task's index by id.
    pub fn find(&self, id: &TaskId) -> Option<TaskIx> {
        self.task_index.get(id).copied()
    }

    /// A task by id.
    pub fn task_by_id(&self, id: &TaskId) -> Option<&Task> {
        self.find(id).map(|ix| self.task(ix))
    }

    /// The attempts of the session; `a1` is the first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// An attempt by id.
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// The attempts that run now, oldest first.
    pub fn running(&self) -> impl ExactSizeIterator<Item = &Attempt> + '_ {
        self.running.iter().map(|id| &self.attempts[(id.0 - 1) as usize])
    }

    /// The last attempt of a task.
    pub fn last_attempt(&self, task: &Task) -> Option<&Attempt> {
        task.attempts.last().and_then(|id| self.attempt(*id))
    }

    /// What a subject is about now: the last turn of its task, if it is about one.
    pub fn cause(&self, subject: &Subject) -> Option<TurnId> {
        let task = self.task_by_id(subject.task()?)?;
        self.last_attempt(task).map(Attempt::turn_id)
    }

    /// Whether the operator has seen this and left it as it is.
    pub fn is_dismissed(&self, subject: &Subject) -> bool {
        self.dismissed.get(subject).is_some_and(|cause| *cause == self.cause(subject))
    }

    /// The slot pools.
    pub fn pools(&self) -> &[Pool] {
        &self.pools
    }

    /// A pool by index.
    pub fn pool(&self, ix: PoolIx) -> &Pool {
        &self.pools[ix.0 as usize]
    }

    /// The endpoints, in the order of the configuration.
    pub fn endpoints(&self) -> &[EndpointState] {
        &self.endpoints
    }

    /// An endpoint by index.
    pub fn endpoint(&self, ix: EndpointIx) -> &EndpointState {
        &self.endpoints[ix.0 as usize]
    }

    /// An endpoint by name.
    pub fn find_endpoint(&self, name: &EndpointName) -> Option<EndpointIx> {
        self.endpoints.iter().position(|e| e.config.name == *name).map(|i| EndpointIx(i as u32))
    }

    /// Whether a command of that id was seen.
    pub fn saw_command(&self, id: &CommandId) -> bool {
        self.commands.contains(id)
    }

    /// Why a command of that id was refused, if it was.
    pub fn refusal_of(&self, id: &CommandId) -> Option<&CleanText> {
        self.refusals.get(id)
    }

    /// The reasoning level a task's next request would run with: task → agent → session.
    pub fn level_of(&self, task: &Task) -> Level {
        task.level
            .or(task.spec.level)
            .or_else(|| self.agent_levels.get(&task.spec.agent).copied())
            .or_else(|| self.config.fleet.agent(&task.spec.agent).and_then(|a| a.level))
            .unwrap_or(self.level)
    }

    /// Rebuilds what is not stored, after a checkpoint was read.
    pub fn reindex(&mut self) {
        self.task_index = self.tasks.iter().enumerate().map(|(i, t)| (t.id.clone(), TaskIx(i as u32))).collect();
    }
}
