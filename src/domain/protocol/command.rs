//! What the operator can ask for. One way in: every intent is a [`Command`] in an envelope whose author and role the
//! host sets from the connection.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    AgentName, CommandId, EndpointEdit, EndpointName, GoalId, Level, MemoryCheck, ModelVerb, Name, ServerVerb, Subject,
    TaskId, ViewerId,
};
use crate::domain::plan::{Plan, PlanEdit};
use crate::domain::text::CleanText;

/// A command with who gives it. Author and role come from the connection, never from the payload.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandEnvelope {
    /// The same id twice acts once.
    pub id: CommandId,
    /// Who.
    pub author: Author,
    /// What they may do.
    pub role: Role,
    /// The console it came from; none: a script, a command line, Baton itself.
    pub viewer: Option<ViewerId>,
    /// What.
    pub command: Command,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// Baton itself.
    Baton,
    /// A model, by the task whose result it is.
    Task(TaskId),
    /// The person at the console or a client, by name.
    Person(CleanText),
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Baton => f.write_str("baton"),
            Self::Task(task) => write!(f, "{task}"),
            Self::Person(name) => f.write_str(name),
        }
    }
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Control,
    /// Look only; commands are refused.
    Viewer,
}

/// One intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", content = "with", rename_all = "snake_case")]
pub enum Command {
    /// A new goal.
    AddGoal {
        /// The operator's words.
        text: String,
        /// Where its plan comes from.
        plan: PlanSource,
        /// Its mode and limits.
        options: GoalOptions,
    },
    /// Let a drafted plan run.
    Approve(GoalId),
    /// Change a plan. Refused when `if_revision` is not the plan's revision.
    EditPlan {
        /// The goal.
        goal: GoalId,
        /// The revision the edit was made on.
        if_revision: u32,
        /// The steps, applied whole or not at all.
        edits: Vec<PlanEdit>,
        /// Tasks to run again because of it, as confirmed: ended ones start over, running ones are restarted. The others
        /// that it touches keep their results and attempts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rerun: Vec<Name>,
    },
    /// Undo the author's own last edit of a plan that is not undone: a new edit, inverse to it. Refused by name where
    /// later edits touch the same tasks.
    Undo(GoalId),
    /// Make the author's own last undone edit again.
    Redo(GoalId),
    /// Run the next attempts of a task on this endpoint while it is usable; none: wherever its tier is served.
    Place {
        /// The task.
        task: TaskId,
        /// Where.
        endpoint: Option<EndpointName>,
    },
    /// Say something to the agent of a task: queued for its next turn; a task that has ended goes on with it.
    Message {
        /// The task.
        task: TaskId,
        /// The words.
        text: String,
    },
    /// Answer a question that an agent asks.
    Answer {
        /// The task.
        task: TaskId,
        /// The words, or one of the choices.
        text: String,
    },
    /// Put a text in the place of a task's result; its dependants then use it, marked as edited.
    EditResult {
        /// The task.
        task: TaskId,
        /// The new result.
        text: String,
    },
    /// Take something off the list of what needs the operator, seen and left as it is.
    Dismiss(Subject),
    /// Start nothing new.
    Pause,
    /// Start tasks again.
    Resume,
    /// Hold a task: a running turn ends first and its partial is kept.
    Hold(TaskId),
    /// Release a held task.
    Release(TaskId),
    /// Run again what has ended, or end a wait for a retry now.
    Retry(RetryScope),
    /// Stop tasks.
    Stop {
        /// Which.
        scope: StopScope,
        /// What becomes of the partial answer.
        partial: super::Partial,
    },
    /// Don't run a task; its dependants are told or stopped by their policy.
    Skip(TaskId),
    /// Set a reasoning level; it applies to the next request.
    SetLevel {
        /// Whose.
        scope: LevelScope,
        /// Which; none clears it (not for the session).
        level: Option<Level>,
    },
    /// Probe an endpoint now, or all of them.
    Probe(Option<EndpointName>),
    /// Start the tasks of a goal that is held because its models do not fit into memory.
    Force(GoalId),
    /// Let an endpoint run empty: what runs there ends, nothing new is sent.
    Drain(EndpointName),
    /// Send requests to an endpoint again.
    Undrain(EndpointName),
    /// Change an endpoint for this session.
    EditEndpoint {
        /// The endpoint.
        endpoint: EndpointName,
        /// What.
        edit: EndpointEdit,
    },
    /// Start, stop or restart the server of an endpoint.
    Server {
        /// The endpoint.
        endpoint: EndpointName,
        /// Which of the three.
        verb: ServerVerb,
        /// Whether what does not fit into memory is refused.
        #[serde(default)]
        memory: MemoryCheck,
    },
    /// Load or unload the model of an endpoint, where its server can.
    Model {
        /// The endpoint.
        endpoint: EndpointName,
        /// Which of the two.
        verb: ModelVerb,
        /// Whether what does not fit into memory is refused.
        #[serde(default)]
        memory: MemoryCheck,
    },
    /// Take control; refused while another viewer has it.
    TakeControl,
    /// Ask whoever has control for it.
    AskControl,
    /// Give control to another viewer; none: to nobody, and whoever may act acts.
    GiveControl(Option<ViewerId>),
    /// End the session: cancel what runs, keep partials, close the journal.
    EndSession,
}

/// Which tasks a retry means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryScope {
    /// One task.
    Task(TaskId),
    /// One task and everything that needs it, directly or not.
    WithDependants(TaskId),
    /// Everything that failed, and what was skipped because of it.
    Failed,
}

/// Which tasks a stop means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopScope {
    /// One task.
    Task(TaskId),
    /// Every task of a goal that has not ended.
    Goal(GoalId),
    /// Every task that has not ended.
    All,
}

/// Whose reasoning level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelScope {
    /// The session's.
    Session,
    /// An agent's.
    Agent(AgentName),
    /// A task's.
    Task(TaskId),
}

/// Where a goal's plan comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanSource {
    /// A model makes it.
    Model,
    /// It is given.
    Given(Box<Plan>),
}

/// Whether a plan is looked at before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// It waits as a draft for [`Command::Approve`].
    Ask,
    /// It runs at once.
    #[default]
    Auto,
}

/// Mode and limits of a goal. None means the session's setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoalOptions {
    /// Look at the plan first?
    pub review: Review,
    /// The most tasks at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// How many may have each lock at once; one where it is not named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity: BTreeMap<Name, u32>,
    /// The most tasks a planning model may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tasks: Option<u32>,
    /// End with a synthesis?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthesis: Option<bool>,
    /// Add a summary to be spoken?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_summary: Option<bool>,
    /// Does it wait when its models do not fit into memory?
    #[serde(skip_serializing_if = "is_heeded")]
    pub memory: MemoryCheck,
}

fn is_heeded(memory: &MemoryCheck) -> bool {
    *memory == MemoryCheck::Heed
}

impl fmt::Display for Command {
    /// What is asked, in words: for notices and the journal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddGoal { text, .. } => write!(f, "new goal: {}", text.lines().next().unwrap_or("")),
            Self::Approve(goal) => write!(f, "run the plan of {goal}"),
            Self::EditPlan { goal, edits, .. } => write!(f, "edit the plan of {goal} ({} changes)", edits.len()),
            Self::Undo(goal) => write!(f, "undo the last edit of {goal}"),
            Self::Redo(goal) => write!(f, "redo the last undone edit of {goal}"),
            Self::Place { task, endpoint: Some(endpoint) } => write!(f, "run {task} on {endpoint}"),
            Self::Place { task, endpoint: None } => write!(f, "run {task} wherever its tier is served"),
            Self::Message { task, .. } => write!(f, "message to {task}"),
            Self::Answer { task, .. } => write!(f, "answer to {task}"),
            Self::EditResult { task, .. } => write!(f, "edit the result of {task}"),
            Self::Dismiss(subject) => write!(f, "dismiss {subject}"),
            Self::Pause => f.write_str("start nothing new"),
            Self::Resume => f.write_str("go on"),
            Self::Hold(task) => write!(f, "hold {task}"),
            Self::Release(task) => write!(f, "release {task}"),
            Self::Retry(RetryScope::Task(task)) => write!(f, "retry {task}"),
            Self::Retry(RetryScope::WithDependants(task)) => write!(f, "retry {task} and what needs it"),
            Self::Retry(RetryScope::Failed) => f.write_str("retry everything that failed"),
            Self::Stop { scope: StopScope::Task(task), .. } => write!(f, "stop {task}"),
            Self::Stop { scope: StopScope::Goal(goal), .. } => write!(f, "stop {goal}"),
            Self::Stop { scope: StopScope::All, .. } => f.write_str("stop everything"),
            Self::Skip(task) => write!(f, "skip {task}"),
            Self::SetLevel { scope, level } => {
                match scope {
                    LevelScope::Session => f.write_str("level of the session: ")?,
                    LevelScope::Agent(agent) => write!(f, "level of {agent}: ")?,
                    LevelScope::Task(task) => write!(f, "level of {task}: ")?,
                }
                f.write_str(level.map_or("as inherited", Level::word))
            }
            Self::Probe(Some(endpoint)) => write!(f, "probe {endpoint}"),
            Self::Probe(None) => f.write_str("probe every endpoint"),
            Self::Force(goal) => write!(f, "start {goal} though memory is short"),
            Self::Drain(endpoint) => write!(f, "let {endpoint} run empty"),
            Self::Undrain(endpoint) => write!(f, "send requests to {endpoint} again"),
            Self::EditEndpoint { endpoint, .. } => write!(f, "edit {endpoint}"),
            Self::Server { endpoint, verb, .. } => write!(f, "{} the server of {endpoint}", verb.word()),
            Self::Model { endpoint, verb, .. } => write!(f, "{} the model of {endpoint}", verb.word()),
            Self::TakeControl => f.write_str("take control"),
            Self::AskControl => f.write_str("ask for control"),
            Self::GiveControl(Some(viewer)) => write!(f, "give control to {viewer}"),
            Self::GiveControl(None) => f.write_str("give control to nobody"),
            Self::EndSession => f.write_str("end the session"),
        }
    }
}
