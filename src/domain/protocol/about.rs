//! What an event is about: its name on the wire, whom it names, and what it says in a few words.
//!
//! Not here: titles of tasks and names of agents that only the state knows; whoever shows a record adds them.

use super::{
    AgentName, AttemptEnd, AttemptId, Author, Channel, EndpointFound, EndpointName, Event, GoalHeld, GoalId, Health,
    Intake, Level, LevelScope, ModelMoved, Outcome, Partial, Release, ServerStanding, Subject, TaskId, TurnEnd,
};

/// Whom an event names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About<'a> {
    /// The goal.
    pub goal: Option<GoalId>,
    /// The task.
    pub task: Option<&'a TaskId>,
    /// The attempt.
    pub attempt: Option<AttemptId>,
    /// The endpoint.
    pub endpoint: Option<&'a EndpointName>,
    /// The agent.
    pub agent: Option<&'a AgentName>,
    /// Who did it.
    pub author: Option<&'a Author>,
}

/// How an event bears on what it is about: for the sign before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// Something began or goes on.
    Goes,
    /// Something ended well.
    Well,
    /// Something failed or was refused.
    Badly,
    /// Something needs the operator.
    Asks,
    /// Something was stopped.
    Stopped,
    /// Something was passed over.
    Skipped,
    /// Something is held or paused.
    Held,
    /// None of these.
    Plain,
}

impl Event {
    /// Its name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SessionStarted(_) => "session.started",
            Self::SessionOpened(_) => "session.opened",
            Self::SessionSlept(_) => "session.slept",
            Self::SessionPaused {} => "session.paused",
            Self::SessionResumed {} => "session.resumed",
            Self::SessionEnded { .. } => "session.ended",
            Self::SessionForked(_) => "session.forked",
            Self::SessionLeveled { .. } => "session.leveled",
            Self::GoalAdded(_) => "goal.added",
            Self::GoalDrafted { .. } => "goal.drafted",
            Self::GoalApproved { .. } => "goal.approved",
            Self::GoalEnded { .. } => "goal.ended",
            Self::GoalReopened { .. } => "goal.reopened",
            Self::GoalHeld(_) => "goal.held",
            Self::GoalReleased { .. } => "goal.released",
            Self::PlanEdited(_) => "plan.edited",
            Self::TaskStarted { .. } => "task.started",
            Self::TaskCompleted { .. } => "task.completed",
            Self::TaskFailed { .. } => "task.failed",
            Self::TaskRetried(_) => "task.retried",
            Self::TaskCancelled { .. } => "task.cancelled",
            Self::TaskSkipped { .. } => "task.skipped",
            Self::TaskHeld { .. } => "task.held",
            Self::TaskReleased { .. } => "task.released",
            Self::TaskClaimed(_) => "task.claimed",
            Self::TaskUnclaimed { .. } => "task.unclaimed",
            Self::TaskReserved { .. } => "task.reserved",
            Self::TaskPlaced { .. } => "task.placed",
            Self::TaskAsked(_) => "task.asked",
            Self::TaskAnswered(_) => "task.answered",
            Self::MessageSent(_) => "message.sent",
            Self::ResultEdited(_) => "task.result_edited",
            Self::AttemptStarted(_) => "attempt.started",
            Self::AttemptOutput(_) => "attempt.output",
            Self::AttemptEnded { .. } => "attempt.ended",
            Self::TurnStarted(_) => "turn.started",
            Self::TurnProgressed { .. } => "turn.progressed",
            Self::TurnRethought { .. } => "turn.rethought",
            Self::TurnEnded(_) => "turn.ended",
            Self::SlotFreed { .. } => "slot.freed",
            Self::EndpointChanged(_) => "endpoint.changed",
            Self::EndpointMoved { .. } => "endpoint.moved",
            Self::EndpointFound(_) => "endpoint.found",
            Self::EndpointDrained { .. } => "endpoint.drained",
            Self::EndpointEdited { .. } => "endpoint.edited",
            Self::ModelMoved(_) => "endpoint.model_moved",
            Self::ServerChanged(_) => "server.changed",
            Self::MachineSampled(_) => "machine.sampled",
            Self::MachineThrottled { .. } => "machine.throttled",
            Self::ViewerJoined(_) => "viewer.joined",
            Self::ViewerLeft { .. } => "viewer.left",
            Self::ViewerAsked { .. } => "viewer.asked",
            Self::ViewerGivenControl { .. } => "viewer.given_control",
            Self::CommandAccepted { .. } => "command.accepted",
            Self::CommandRefused { .. } => "command.refused",
            Self::AttentionRaised { .. } => "attention.raised",
            Self::AttentionCleared { .. } => "attention.cleared",
            Self::AttentionDismissed { .. } => "attention.dismissed",
        }
    }

    /// Whom it names.
    pub fn about(&self) -> About<'_> {
        let none = About::default();
        let task = |task| About { task: Some(task), ..none };
        let attempt = |attempt| About { attempt: Some(attempt), ..none };
        match self {
            Self::SessionLeveled { scope: LevelScope::Task(t), .. } => task(t),
            Self::SessionLeveled { scope: LevelScope::Agent(agent), .. } => About { agent: Some(agent), ..none },
            Self::GoalAdded(added) => About { goal: Some(added.goal), ..none },
            Self::GoalDrafted { goal }
            | Self::GoalApproved { goal }
            | Self::GoalReopened { goal }
            | Self::GoalReleased { goal, .. }
            | Self::GoalHeld(GoalHeld { goal, .. })
            | Self::GoalEnded { goal, .. } => About { goal: Some(*goal), ..none },
            Self::PlanEdited(edited) => About { goal: Some(edited.goal), author: Some(&edited.author), ..none },
            Self::TaskCompleted { task, attempt } => About { task: Some(task), attempt: Some(*attempt), ..none },
            Self::TaskStarted { task: t }
            | Self::TaskFailed { task: t, .. }
            | Self::TaskCancelled { task: t, .. }
            | Self::TaskSkipped { task: t, .. }
            | Self::TaskHeld { task: t }
            | Self::TaskUnclaimed { task: t }
            | Self::TaskReserved { task: t }
            | Self::TaskReleased { task: t } => task(t),
            Self::TaskClaimed(claimed) => task(&claimed.task),
            Self::TaskRetried(retried) => task(&retried.task),
            Self::TaskPlaced { task, endpoint } => About { task: Some(task), endpoint: endpoint.as_ref(), ..none },
            Self::TaskAsked(asked) => About { task: Some(&asked.task), attempt: Some(asked.turn.attempt), ..none },
            Self::TaskAnswered(said) | Self::MessageSent(said) => {
                About { task: Some(&said.task), author: Some(&said.author), ..none }
            }
            Self::ResultEdited(edited) => {
                About { task: Some(&edited.task), attempt: Some(edited.attempt), author: Some(&edited.author), ..none }
            }
            Self::AttemptStarted(started) => About {
                task: Some(&started.task),
                attempt: Some(started.attempt),
                endpoint: Some(&started.endpoint),
                agent: Some(&started.agent),
                ..none
            },
            Self::AttemptOutput(output) => attempt(output.turn.attempt),
            Self::AttemptEnded { attempt: a, .. } => attempt(*a),
            Self::TurnStarted(started) => attempt(started.turn.attempt),
            Self::TurnProgressed { turn, .. } | Self::TurnRethought { turn } | Self::SlotFreed { turn } => {
                attempt(turn.attempt)
            }
            Self::TurnEnded(ended) => attempt(ended.turn.attempt),
            Self::EndpointChanged(changed) => About { endpoint: Some(&changed.endpoint), ..none },
            Self::ServerChanged(changed) => About { endpoint: Some(&changed.endpoint), ..none },
            Self::EndpointMoved { endpoint, .. }
            | Self::EndpointFound(EndpointFound { endpoint, .. })
            | Self::EndpointDrained { endpoint, .. }
            | Self::EndpointEdited { endpoint, .. }
            | Self::ModelMoved(ModelMoved { endpoint, .. }) => About { endpoint: Some(endpoint), ..none },
            Self::CommandAccepted { author, .. } | Self::CommandRefused { author, .. } => {
                About { author: Some(author), ..none }
            }
            Self::AttentionRaised { subject, .. }
            | Self::AttentionCleared { subject }
            | Self::AttentionDismissed { subject } => about_subject(subject),
            Self::SessionStarted(_)
            | Self::SessionOpened(_)
            | Self::SessionSlept(_)
            | Self::SessionPaused {}
            | Self::SessionResumed {}
            | Self::SessionEnded { .. }
            | Self::SessionForked(_)
            | Self::ViewerJoined(_)
            | Self::ViewerLeft { .. }
            | Self::ViewerAsked { .. }
            | Self::ViewerGivenControl { .. }
            | Self::SessionLeveled { scope: LevelScope::Session, .. }
            | Self::MachineThrottled { .. }
            | Self::MachineSampled(_) => none,
        }
    }

    /// How it bears on what it is about.
    pub const fn bearing(&self) -> Bearing {
        match self {
            Self::TaskStarted { .. }
            | Self::AttemptStarted(_)
            | Self::GoalApproved { .. }
            | Self::SessionResumed {} => Bearing::Goes,
            Self::TaskCompleted { .. }
            | Self::GoalEnded { outcome: Outcome::Done, .. }
            | Self::AttemptEnded { end: AttemptEnd::Completed, .. } => Bearing::Well,
            Self::TaskFailed { .. }
            | Self::CommandRefused { .. }
            | Self::GoalEnded { outcome: Outcome::Failed, .. }
            | Self::AttemptEnded { end: AttemptEnd::Failed(_), .. } => Bearing::Badly,
            Self::TaskAsked(_) | Self::ViewerAsked { .. } | Self::AttentionRaised { .. } | Self::GoalDrafted { .. } => {
                Bearing::Asks
            }
            Self::TaskCancelled { .. }
            | Self::GoalEnded { outcome: Outcome::Cancelled, .. }
            | Self::AttemptEnded { end: AttemptEnd::Cancelled | AttemptEnd::Interrupted, .. } => Bearing::Stopped,
            Self::TaskSkipped { .. } => Bearing::Skipped,
            Self::TaskHeld { .. }
            | Self::SessionPaused {}
            | Self::GoalHeld(_)
            | Self::EndpointDrained { intake: Intake::Draining, .. }
            | Self::MachineThrottled { throttle: Some(_) } => Bearing::Held,
            Self::ServerChanged(changed) if matches!(changed.standing, ServerStanding::Failed) => Bearing::Badly,
            Self::ModelMoved(ModelMoved { failed: Some(_), .. }) => Bearing::Badly,
            _ => Bearing::Plain,
        }
    }

    /// What it says beyond its name and whom it names, in a few words; raw where it comes from outside.
    pub fn words(&self) -> String {
        match self {
            Self::SessionStarted(started) => format!(
                "{}, {} endpoints, {} agents",
                started.session,
                started.config.fleet.endpoints.len(),
                started.config.fleet.agents.len()
            ),
            Self::SessionOpened(opened) => {
                format!("Baton {} on {}, process {}", opened.version, opened.host, opened.pid)
            }
            Self::SessionEnded { reason } => reason.to_string(),
            Self::SessionLeveled { scope, level } => {
                let whose = match scope {
                    LevelScope::Session => "the session".to_owned(),
                    LevelScope::Agent(agent) => agent.to_string(),
                    LevelScope::Task(task) => task.to_string(),
                };
                format!("{whose}: {}", level.map_or("as inherited", Level::word))
            }
            Self::GoalAdded(added) => added.text.to_string(),
            Self::GoalEnded { outcome, answer, .. } => {
                let how = match outcome {
                    Outcome::Done => "done",
                    Outcome::Failed => "failed",
                    Outcome::Cancelled => "cancelled",
                };
                answer.as_ref().map_or_else(|| how.to_owned(), |task| format!("{how}; the answer is {task}"))
            }
            Self::PlanEdited(edited) => {
                let n = edited.edits.len();
                let names: Vec<&str> = edited.edits.iter().take(4).map(|e| e.name().as_str()).collect();
                let more = if n > 4 { format!(" and {} more", n - 4) } else { String::new() };
                format!("revision {} by {}: {}{more}", edited.revision, edited.author, names.join(", "))
            }
            Self::TaskCompleted { attempt, .. } => format!("by {attempt}"),
            Self::TaskFailed { reason, .. } | Self::TaskSkipped { reason, .. } => reason.to_string(),
            Self::TaskRetried(retried) => retried.reason.to_string(),
            Self::TaskCancelled { keep: Partial::Kept, .. } => "the partial is kept".to_owned(),
            Self::TaskCancelled { keep: Partial::Discarded, .. } => "the partial is discarded".to_owned(),
            Self::TaskClaimed(claimed) => {
                let locks = claimed.claims.locks.iter().map(|lock| lock.name.as_str());
                locks.chain(claimed.claims.paths.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
            }
            Self::TaskPlaced { endpoint, .. } => match endpoint {
                Some(endpoint) => format!("on {endpoint}"),
                None => "anywhere".to_owned(),
            },
            Self::TaskAsked(asked) => asked.question.to_string(),
            Self::TaskAnswered(said) | Self::MessageSent(said) => format!("{}: {}", said.author, said.text),
            Self::ResultEdited(edited) => format!("by {}, {} bytes", edited.author, edited.text.len()),
            Self::AttemptStarted(started) => {
                format!("{} by {} on {}", started.attempt, started.agent, started.endpoint)
            }
            Self::AttemptOutput(output) => output_words(output.turn, output.channel, output.tokens, output.text.len()),
            Self::AttemptEnded { attempt, end } => match end {
                AttemptEnd::Completed => format!("{attempt} with an answer"),
                AttemptEnd::Failed(failure) => format!("{attempt}: {}", failure.message),
                AttemptEnd::Cancelled => format!("{attempt} stopped"),
                AttemptEnd::Moved => format!("{attempt} goes on elsewhere"),
                AttemptEnd::Interrupted => format!("{attempt} interrupted"),
            },
            Self::TurnStarted(started) => format!(
                "{} slot {}, level {}, at most {} tokens",
                started.turn,
                started.slot + 1,
                started.level.word(),
                started.max_tokens
            ),
            Self::TurnProgressed { turn, processed, total } => format!("{turn} prompt {processed}/{total} tokens"),
            Self::TurnRethought { turn } => format!("{turn} what it had answered was thinking"),
            Self::TurnEnded(ended) => {
                let how = match &ended.end {
                    TurnEnd::Stop => "came to its end".to_owned(),
                    TurnEnd::Length => "cut by the token limit".to_owned(),
                    TurnEnd::ToolCalls => "asks for tools".to_owned(),
                    TurnEnd::Failed(failure) => failure.message.to_string(),
                    TurnEnd::Cancelled => "stopped".to_owned(),
                };
                format!("{} {how}, {} tokens", ended.turn, ended.usage.output_tokens)
            }
            Self::SlotFreed { turn } => turn.to_string(),
            Self::EndpointChanged(changed) => match &changed.health {
                Health::Unknown => "not asked yet".to_owned(),
                Health::Up => "up".to_owned(),
                Health::Loading => "loading its model".to_owned(),
                Health::Down { reason } => format!("down: {reason}"),
            },
            Self::SessionForked(forked) => {
                format!("{} from record {} of {}", forked.session, forked.seq, forked.parent)
            }
            Self::SessionSlept(slept) => format!("the machine slept for {} s", slept.slept_ms / 1_000),
            Self::EndpointMoved { endpoint, url } => format!("{endpoint} is at {url}"),
            Self::ViewerJoined(viewer) => format!("{} {} from {}", viewer.viewer, viewer.name, viewer.origin),
            Self::ViewerLeft { viewer } => viewer.to_string(),
            Self::ViewerAsked { viewer } => format!("{viewer} asks for control"),
            Self::ViewerGivenControl { viewer: Some(viewer) } => format!("{viewer} has control"),
            Self::ViewerGivenControl { viewer: None } => "nobody has control".to_owned(),
            Self::MachineSampled(sample) => {
                let gb = |bytes: u64| bytes as f64 / 1e9;
                let mut words = format!("{:.1} of {:.1} GB used", gb(sample.used), gb(sample.total));
                words += &format!(", swap {:.1}", gb(sample.swap));
                if let Some(pressure) = sample.pressure {
                    words += &format!(", pressure {}", pressure.word());
                }
                words
            }
            Self::GoalHeld(held) => held.reason.to_string(),
            Self::GoalReleased { by: Release::Fits, .. } => "what it needs fits into memory now".to_owned(),
            Self::GoalReleased { by: Release::Forced, .. } => "forced".to_owned(),
            Self::EndpointFound(found) => found.finding.to_string(),
            Self::EndpointDrained { intake: Intake::Draining, .. } => "runs empty".to_owned(),
            Self::EndpointDrained { intake: Intake::Open, .. } => "takes requests again".to_owned(),
            Self::EndpointEdited { edit, .. } => edit.to_string(),
            Self::ModelMoved(ModelMoved { verb, failed: Some(why), .. }) => format!("could not {}: {why}", verb.word()),
            Self::ModelMoved(ModelMoved { verb, failed: None, held, .. }) => {
                let size = held.map(|bytes| format!(", {:.1} GB", bytes as f64 / 1e9)).unwrap_or_default();
                format!("{}ed{size}", verb.word())
            }
            Self::ServerChanged(changed) => changed.words.to_string(),
            Self::MachineThrottled { throttle: Some(throttle) } => throttle.to_string(),
            Self::MachineThrottled { throttle: None } => "as many tasks start as can".to_owned(),
            Self::CommandAccepted { author, what, .. } => format!("{author}: {what}"),
            Self::CommandRefused { author, what, reason, .. } => format!("{author}: {what}: {reason}"),
            Self::AttentionRaised { text, .. } => text.to_string(),
            Self::AttentionCleared { subject } | Self::AttentionDismissed { subject } => subject.to_string(),
            Self::GoalDrafted { .. }
            | Self::GoalApproved { .. }
            | Self::GoalReopened { .. }
            | Self::SessionPaused {}
            | Self::SessionResumed {}
            | Self::TaskStarted { .. }
            | Self::TaskHeld { .. }
            | Self::TaskUnclaimed { .. }
            | Self::TaskReserved { .. }
            | Self::TaskReleased { .. } => String::new(),
        }
    }
}

/// What is said of a piece of output: its text stands elsewhere.
pub fn output_words(turn: super::TurnId, channel: Channel, tokens: u32, bytes: usize) -> String {
    let what = match channel {
        Channel::Thinking => "thinking",
        Channel::Answer => "answer",
        Channel::ToolCall => "tool call",
    };
    format!("{turn} {what}, {tokens} tokens, {bytes} bytes")
}

fn about_subject(subject: &Subject) -> About<'_> {
    let none = About::default();
    match subject {
        Subject::Review(goal) | Subject::Memory(goal) => About { goal: Some(*goal), ..none },
        Subject::Endpoint(endpoint) | Subject::Server(endpoint) => About { endpoint: Some(endpoint), ..none },
        _ => About { task: subject.task(), ..none },
    }
}

#[cfg(test)]
mod tests {
    /// The name is written twice, for serde and for [`super::Event::name`]; this holds the two together.
    #[test]
    fn every_name_on_the_wire_is_a_name_here() {
        let (wire, here) = (include_str!("event.rs"), include_str!("about.rs"));
        let mut names = 0;
        for rest in wire.split("#[serde(rename = \"").skip(1) {
            let (name, rest) = rest.split_once('"').unwrap();
            let variant = rest.split_once(")]").unwrap().1.trim_start();
            let variant: String = variant.chars().take_while(char::is_ascii_alphanumeric).collect();
            let arm = ["(_)", " { .. }", " {}"].map(|form| format!("Self::{variant}{form} => \"{name}\","));
            assert!(arm.iter().any(|arm| here.contains(arm)), "{variant} is {name} on the wire");
            names += 1;
        }
        assert!(names > 30, "{names}");
    }
}
