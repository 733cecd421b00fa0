//! What happened, in the past tense. One enum; the tag on the wire is the dotted name.

use serde::{Deserialize, Serialize};

use super::{
    AgentName, AttemptId, Author, CommandId, EndpointChanged, EndpointEdit, EndpointFound, EndpointName, Failure,
    Forked, GoalId, GoalOptions, Intake, Level, LevelScope, MachineSampled, MessageSent, Micros, ModelMoved,
    ResultEdited, ServerChanged, SessionId, Subject, TaskAsked, TaskClaimed, TaskId, Throttle, TurnEnded, TurnId,
    TurnStarted, Viewer, ViewerId,
};
use crate::domain::fleet::SessionConfig;
use crate::domain::plan::PlanEdit;
use crate::domain::text::CleanText;

/// A fact. Records carry it; [`crate::domain::state::State::apply`] is the only code that acts on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data")]
pub enum Event {
    /// The first record: what the session runs under.
    #[serde(rename = "session.started")]
    SessionStarted(Box<SessionStarted>),
    /// A process took the session up; the first record of each process life.
    #[serde(rename = "session.opened")]
    SessionOpened(SessionOpened),
    /// The machine slept and woke: session time stood still meanwhile.
    #[serde(rename = "session.slept")]
    SessionSlept(SessionSlept),
    /// Nothing new starts until `session.resumed`.
    #[serde(rename = "session.paused")]
    SessionPaused {},
    /// Tasks may start again.
    #[serde(rename = "session.resumed")]
    SessionResumed {},
    /// The session's process ends in an orderly way.
    #[serde(rename = "session.ended")]
    SessionEnded {
        /// Why, in words.
        reason: CleanText,
    },
    /// The session is a copy of another one's past from here on; the first record of its own.
    #[serde(rename = "session.forked")]
    SessionForked(Forked),
    /// The reasoning level of the session, an agent or a task was set.
    #[serde(rename = "session.leveled")]
    SessionLeveled {
        /// Whose level.
        scope: LevelScope,
        /// The level; none: back to what it would be without.
        level: Option<Level>,
    },

    /// A goal was given.
    #[serde(rename = "goal.added")]
    GoalAdded(GoalAdded),
    /// The goal's plan waits for the operator's review; its tasks do not start.
    #[serde(rename = "goal.drafted")]
    GoalDrafted {
        /// The goal.
        goal: GoalId,
    },
    /// The goal's plan may run.
    #[serde(rename = "goal.approved")]
    GoalApproved {
        /// The goal.
        goal: GoalId,
    },
    /// All tasks of the goal have ended.
    #[serde(rename = "goal.ended")]
    GoalEnded {
        /// The goal.
        goal: GoalId,
        /// How.
        outcome: Outcome,
        /// The task whose result is the answer: the synthesis, else the last task that ended well.
        answer: Option<TaskId>,
    },
    /// The goal goes on after it had ended: a task is retried or was added.
    #[serde(rename = "goal.reopened")]
    GoalReopened {
        /// The goal.
        goal: GoalId,
    },

    /// What a goal's tasks would load does not fit into memory: its tasks do not start.
    #[serde(rename = "goal.held")]
    GoalHeld(GoalHeld),
    /// A goal that was held for memory may start its tasks.
    #[serde(rename = "goal.released")]
    GoalReleased {
        /// The goal.
        goal: GoalId,
        /// Why.
        by: Release,
    },

    /// The plan of a goal grew or changed. Everything that changes the DAG is this event.
    #[serde(rename = "plan.edited")]
    PlanEdited(PlanEdited),

    /// A task became running: its first attempt of a new run starts.
    #[serde(rename = "task.started")]
    TaskStarted {
        /// The task.
        task: TaskId,
    },
    /// A task ended well; its result is that attempt's answer.
    #[serde(rename = "task.completed")]
    TaskCompleted {
        /// The task.
        task: TaskId,
        /// Whose answer is the result.
        attempt: AttemptId,
    },
    /// A task ended badly, with no more tries.
    #[serde(rename = "task.failed")]
    TaskFailed {
        /// The task.
        task: TaskId,
        /// Why, in words.
        reason: CleanText,
    },
    /// A task will be tried again (after a failure, by itself; or by the operator).
    #[serde(rename = "task.retried")]
    TaskRetried(TaskRetried),
    /// A task was cancelled by the operator.
    #[serde(rename = "task.cancelled")]
    TaskCancelled {
        /// The task.
        task: TaskId,
        /// Whether the partial answer may be used as the result.
        keep: Partial,
    },
    /// A task will not run: by the operator, or because what it needs can't end well.
    #[serde(rename = "task.skipped")]
    TaskSkipped {
        /// The task.
        task: TaskId,
        /// Why, in words.
        reason: CleanText,
    },
    /// A task is held: it does not start (a running turn ends first).
    #[serde(rename = "task.held")]
    TaskHeld {
        /// The task.
        task: TaskId,
    },
    /// A held task may start again.
    #[serde(rename = "task.released")]
    TaskReleased {
        /// The task.
        task: TaskId,
    },
    /// A task has locks and paths for itself. It stands before its attempt's start.
    #[serde(rename = "task.claimed")]
    TaskClaimed(TaskClaimed),
    /// It has them no more.
    #[serde(rename = "task.unclaimed")]
    TaskUnclaimed {
        /// The task.
        task: TaskId,
    },
    /// What a task claims is kept for it when it comes free: others took it again and again, or it waited long.
    #[serde(rename = "task.reserved")]
    TaskReserved {
        /// The task.
        task: TaskId,
    },
    /// The next attempts of a task go to this endpoint while it is usable.
    #[serde(rename = "task.placed")]
    TaskPlaced {
        /// The task.
        task: TaskId,
        /// Where; none: wherever its tier is served.
        endpoint: Option<EndpointName>,
    },
    /// The agent of a task asks the operator; its slot is free while it waits.
    #[serde(rename = "task.asked")]
    TaskAsked(TaskAsked),
    /// A question was answered; the answer is the next turn's message.
    #[serde(rename = "task.answered")]
    TaskAnswered(MessageSent),
    /// Somebody said something to the agent of a task; it goes with its next turn.
    #[serde(rename = "message.sent")]
    MessageSent(MessageSent),
    /// A text was put in the place of a task's result.
    #[serde(rename = "task.result_edited")]
    ResultEdited(ResultEdited),

    /// An attempt began: one agent on one endpoint.
    #[serde(rename = "attempt.started")]
    AttemptStarted(AttemptStarted),
    /// Text arrived. Coalesced at the source (50 ms or 4 KiB).
    #[serde(rename = "attempt.output")]
    AttemptOutput(AttemptOutput),
    /// An attempt ended.
    #[serde(rename = "attempt.ended")]
    AttemptEnded {
        /// The attempt.
        attempt: AttemptId,
        /// How.
        end: AttemptEnd,
    },

    /// A model request was granted a slot and sent.
    #[serde(rename = "turn.started")]
    TurnStarted(TurnStarted),
    /// The server reads the prompt (recorded at most once a second).
    #[serde(rename = "turn.progressed")]
    TurnProgressed {
        /// The turn.
        turn: TurnId,
        /// Prompt tokens read, those from the cache included.
        processed: u64,
        /// Prompt tokens in all.
        total: u64,
    },
    /// A closing tag of thinking came that was never opened: all that the turn had answered so far was thinking.
    #[serde(rename = "turn.rethought")]
    TurnRethought {
        /// The turn.
        turn: TurnId,
    },
    /// A model request ended.
    #[serde(rename = "turn.ended")]
    TurnEnded(Box<TurnEnded>),

    /// A draining slot is free again.
    #[serde(rename = "slot.freed")]
    SlotFreed {
        /// The turn that held it last.
        turn: TurnId,
    },
    /// What is known of an endpoint changed.
    #[serde(rename = "endpoint.changed")]
    EndpointChanged(Box<EndpointChanged>),
    /// An endpoint's server is found at another address from now on (the simulated fleet, after a resume).
    #[serde(rename = "endpoint.moved")]
    EndpointMoved {
        /// The endpoint.
        endpoint: EndpointName,
        /// Its base URL.
        url: String,
    },
    /// Something was found out about an endpoint by watching how it serves.
    #[serde(rename = "endpoint.found")]
    EndpointFound(EndpointFound),
    /// The operator lets an endpoint run empty, or opens it again.
    #[serde(rename = "endpoint.drained")]
    EndpointDrained {
        /// The endpoint.
        endpoint: EndpointName,
        /// Whether it takes new requests.
        intake: Intake,
    },
    /// The operator changed an endpoint for this session.
    #[serde(rename = "endpoint.edited")]
    EndpointEdited {
        /// The endpoint.
        endpoint: EndpointName,
        /// What.
        edit: EndpointEdit,
    },
    /// A model was loaded or unloaded, or could not be.
    #[serde(rename = "endpoint.model_moved")]
    ModelMoved(ModelMoved),
    /// How a server stands that Baton started or found changed.
    #[serde(rename = "server.changed")]
    ServerChanged(Box<ServerChanged>),
    /// The machine, looked at (on change beyond a step).
    #[serde(rename = "machine.sampled")]
    MachineSampled(Box<MachineSampled>),
    /// Fewer tasks start on this machine than could, or as many again.
    #[serde(rename = "machine.throttled")]
    MachineThrottled {
        /// Why and how many fewer; none: as many again.
        throttle: Option<Throttle>,
    },

    /// A console began to watch.
    #[serde(rename = "viewer.joined")]
    ViewerJoined(Viewer),
    /// A console watches no more.
    #[serde(rename = "viewer.left")]
    ViewerLeft {
        /// Which.
        viewer: ViewerId,
    },
    /// A viewer asks for control.
    #[serde(rename = "viewer.asked")]
    ViewerAsked {
        /// Which.
        viewer: ViewerId,
    },
    /// Control passed.
    #[serde(rename = "viewer.given_control")]
    ViewerGivenControl {
        /// Who has it now; none: nobody, whoever may act acts.
        viewer: Option<ViewerId>,
    },

    /// A command was accepted; the records after it are what it did.
    #[serde(rename = "command.accepted")]
    CommandAccepted {
        /// The command's id.
        id: CommandId,
        /// Who gave it.
        author: Author,
        /// What, in words.
        what: CleanText,
    },
    /// A command was refused.
    #[serde(rename = "command.refused")]
    CommandRefused {
        /// The command's id.
        id: CommandId,
        /// Who gave it.
        author: Author,
        /// What, in words.
        what: CleanText,
        /// Why not, in words.
        reason: CleanText,
    },

    /// Something needs the operator.
    #[serde(rename = "attention.raised")]
    AttentionRaised {
        /// What it is about; the same subject is raised once.
        subject: Subject,
        /// What is wrong and what would mend it, in words.
        text: CleanText,
    },
    /// It needs the operator no more.
    #[serde(rename = "attention.cleared")]
    AttentionCleared {
        /// What it was about.
        subject: Subject,
    },
    /// The operator has seen it and leaves it as it is; it is not raised again for the same cause.
    #[serde(rename = "attention.dismissed")]
    AttentionDismissed {
        /// What it is about.
        subject: Subject,
    },
}

/// What a session runs under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionStarted {
    /// The session's id, also its folder's name.
    pub session: SessionId,
    /// The effective configuration. State reads settings only from here.
    pub config: SessionConfig,
}

/// A process life of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// Wall time in milliseconds since 1970, at this record.
    pub wall_ms: u64,
    /// The process id.
    pub pid: u32,
    /// The program's version.
    pub version: String,
    /// The host's name.
    pub host: CleanText,
}

/// A sleep of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSlept {
    /// Wall time in milliseconds since 1970 when it woke, at this record.
    pub wall_ms: u64,
    /// How long it slept, in milliseconds.
    pub slept_ms: u64,
}

/// A goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoalAdded {
    /// Its id.
    pub goal: GoalId,
    /// The operator's words.
    pub text: CleanText,
    /// Its mode and limits, resolved.
    pub options: GoalOptions,
}

/// What a goal's tasks would load does not fit into memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalHeld {
    /// The goal.
    pub goal: GoalId,
    /// Bytes that its models still need.
    pub needed: u64,
    /// Bytes that are left for them.
    pub room: u64,
    /// The sum in words: which models, what each takes, and what limits them.
    pub reason: CleanText,
}

/// Why a goal that was held for memory goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// What it needs fits now.
    Fits,
    /// The operator wants it all the same.
    Forced,
}

/// A change of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanEdited {
    /// The goal.
    pub goal: GoalId,
    /// The plan's new revision, from 1.
    pub revision: u32,
    /// Who or what edited.
    pub author: Author,
    /// The steps, applied whole.
    pub edits: Vec<PlanEdit>,
    /// What of these tasks is not ordinary work.
    #[serde(default, skip_serializing_if = "is_ordinary")]
    pub work: Work,
    /// What was mended in a model's plan, in words; empty for plans of people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<CleanText>,
    /// Whether it undoes or redoes an edit before it.
    #[serde(default, skip_serializing_if = "is_new")]
    pub kind: EditKind,
}

/// Whether an edit is new, or the inverse of one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditKind {
    /// Of its own.
    #[default]
    New,
    /// It undoes the edit that made this revision.
    Undoes(u32),
    /// It makes the edit of this revision again.
    Redoes(u32),
}

fn is_new(kind: &EditKind) -> bool {
    *kind == EditKind::New
}

fn is_ordinary(work: &Work) -> bool {
    *work == Work::Ordinary
}

/// What a task's result is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A task of the plan.
    #[default]
    Ordinary,
    /// Its result is the goal's plan.
    Planning,
    /// Its result stands for several others, condensed, where those do not fit into the answer's context.
    Round,
    /// Its result is the goal's answer.
    Synthesis,
    /// Its result is the summary to be spoken.
    Voice,
}

/// How a goal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every task ended well.
    Done,
    /// At least one task failed or had to be skipped.
    Failed,
    /// The operator cancelled it.
    Cancelled,
}

/// A task will be tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRetried {
    /// The task.
    pub task: TaskId,
    /// Not before this session time.
    pub not_before: Micros,
    /// Why, in words.
    pub reason: CleanText,
    /// What becomes of its count of failures.
    pub count: FailureCount,
    /// Whether it goes to the fallback tier from now on.
    pub route: Route,
}

/// What becomes of a task's count of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCount {
    /// One more.
    Counted,
    /// As before: an interruption is no failure.
    Unchanged,
    /// As before. What it answered was cut: it is asked anew with this limit of tokens.
    Larger(u32),
    /// From zero.
    Reset,
}

/// Which of an agent's tiers a task goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The agent's tier.
    #[default]
    Primary,
    /// The agent's fallback tier.
    Fallback,
}

/// What becomes of a partial answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partial {
    /// It stays readable and dependants that are told of failures may use it.
    Kept,
    /// It is not used.
    Discarded,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// Its id.
    pub attempt: AttemptId,
    /// Of which task.
    pub task: TaskId,
    /// The version of the task it runs, from 1.
    pub version: u32,
    /// The agent.
    pub agent: AgentName,
    /// Where.
    pub endpoint: EndpointName,
    /// By which of the agent's tiers it got there.
    pub route: Route,
}

/// Which text of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// What the model thinks.
    Thinking,
    /// What it answers.
    Answer,
    /// A tool call it makes, as JSON.
    ToolCall,
}

/// Text of a turn, as it arrived: raw, to be cleaned where it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptOutput {
    /// The turn.
    pub turn: TurnId,
    /// Which text.
    pub channel: Channel,
    /// The raw text.
    pub text: String,
    /// Tokens (stream events) in it.
    pub tokens: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// With an answer.
    Completed,
    /// With a failure that counts.
    Failed(Failure),
    /// Stopped by the operator (cancelled, held, skipped) or by an edit.
    Cancelled,
    /// Goes on elsewhere as a new attempt.
    Moved,
    /// Its process ended under it.
    Interrupted,
}
