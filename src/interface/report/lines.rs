//! The tables of a report, a line each: lives, goals, phases, agents, endpoints, deliverables, attempts, failures, what
//! remains.
//!
//! Not here: how they are written ([`super::markdown()`]). Invariant: lines stand in the order of the session.

use serde::Serialize;

use super::Story;
use super::figures::{last_end, micro_dollars, rounded, success_rate};
use super::read::moment;
use crate::domain::protocol::{AttemptEnd, Micros, Outcome, Work};
use crate::domain::state::{Attempt, CutAt, End, GoalPhase, Life, State, Task, TaskIx, Urgency};

/// A process that worked on the session.
#[derive(Clone, Debug, Serialize)]
pub struct LifeLine {
    /// When it took the session up, in words.
    pub began: String,
    /// The same in milliseconds since 1970.
    pub began_ms: u64,
    /// The same in session time.
    pub seconds: f64,
    /// On which host.
    pub host: String,
    /// Which version of Baton.
    pub version: String,
    /// The process id.
    pub pid: u32,
}

/// A goal.
#[derive(Clone, Debug, Serialize)]
pub struct GoalLine {
    /// Its id.
    pub id: String,
    /// The operator's words.
    pub text: String,
    /// `planning`, `draft`, `running`, `done`, `failed`, `cancelled`.
    pub outcome: &'static str,
    /// Its plan's revision.
    pub revision: u32,
    /// What was mended in a model's plan.
    pub repairs: Vec<String>,
    /// The task whose result is the answer.
    pub answer_task: Option<String>,
    /// The answer, whole.
    pub answer: Option<String>,
    /// Where the answer was cut; absent where it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutAt>,
    /// The summary to be spoken.
    pub voice: Option<String>,
}

/// A phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseLine {
    /// The goal.
    pub goal: String,
    /// Its name; empty for tasks without one.
    pub name: String,
    /// Its tasks.
    pub tasks: u32,
    /// Of them done.
    pub done: u32,
    /// Of them failed.
    pub failed: u32,
    /// From its first attempt's start to its last one's end.
    pub seconds: f64,
    /// The sum of its attempts' times.
    pub sequential_seconds: f64,
    /// The most of its attempts at once.
    pub widest: u32,
    /// The share of that width that was used over its time, 0..=1.
    pub efficiency: f64,
}

/// An agent.
#[derive(Clone, Debug, Serialize)]
pub struct AgentLine {
    /// Its name.
    pub name: String,
    /// Tasks that are its.
    pub tasks: u32,
    /// Attempts it made.
    pub attempts: u32,
    /// Of those that ended well or failed, the share that ended well.
    pub success_rate: Option<f64>,
    /// Tokens it generated.
    pub tokens: u64,
    /// The time its attempts took.
    pub seconds: f64,
}

/// An endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointLine {
    /// Its title.
    pub name: String,
    /// Its model.
    pub model: String,
    /// Its slots.
    pub slots: u32,
    /// Attempts that ran there.
    pub attempts: u32,
    /// Attempts that failed there.
    pub failures: u32,
    /// Tokens generated there.
    pub tokens: u64,
    /// The share of its slots' time that was used, 0..=1.
    pub busy: f64,
    /// Tokens a second of one slot while it generated; none: not measured.
    pub tokens_per_second: Option<f64>,
    /// Seconds to the first token, on average; none: not measured.
    pub first_token_seconds: Option<f64>,
    /// US dollars, where it has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// What a task came to.
#[derive(Clone, Debug, Serialize)]
pub struct Deliverable {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its agent.
    pub agent: String,
    /// Bytes of its result.
    pub bytes: u64,
    /// The first line of it that says something.
    pub first_line: String,
    /// Whether it was put in by hand.
    pub edited: bool,
    /// Whether its inputs changed since.
    pub out_of_date: bool,
    /// Where it was cut; absent where it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutAt>,
}

/// A try.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptLine {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Which try of it, from 1.
    pub number: u32,
    /// Where; empty for a result put in by hand.
    pub endpoint: String,
    /// The level of its last turn.
    pub level: &'static str,
    /// When it began, in session time.
    pub started: f64,
    /// How long it took.
    pub seconds: f64,
    /// Tokens it generated.
    pub tokens: u64,
    /// `running`, `completed`, `failed`, `cancelled`, `moved`, `interrupted`, `by hand`.
    pub end: &'static str,
    /// Where what it came to was cut; absent where that is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutAt>,
    /// US dollars, where its endpoint has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// A failure.
#[derive(Clone, Debug, Serialize)]
pub struct FailureLine {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Which try of it.
    pub number: u32,
    /// Where.
    pub endpoint: String,
    /// Why.
    pub reason: String,
    /// What came then.
    pub then: String,
}

/// Something that was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct CommandLine {
    /// When, in session time.
    pub seconds: f64,
    /// By whom.
    pub author: String,
    /// What, in words.
    pub what: String,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

/// A change of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct EditLine {
    /// When, in session time.
    pub seconds: f64,
    /// The goal.
    pub goal: String,
    /// The plan's revision since.
    pub revision: u32,
    /// By whom.
    pub author: String,
    /// Whether it undoes or repeats another; empty: neither.
    pub kind: String,
    /// Tasks that were added or brought back.
    pub added: Vec<String>,
    /// Tasks that were changed.
    pub changed: Vec<String>,
    /// Tasks that were taken out.
    pub removed: Vec<String>,
}

/// A task without a result.
#[derive(Clone, Debug, Serialize)]
pub struct RemainLine {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: &'static str,
    /// Why, in words.
    pub why: String,
}

fn seconds(time: Micros) -> f64 {
    rounded(time.secs_f64())
}

fn live_tasks(state: &State) -> impl Iterator<Item = (TaskIx, &Task)> {
    (0..).map(TaskIx).zip(state.tasks()).filter(|(_, t)| !t.removed)
}

/// A sleep of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct SleepLine {
    /// When it woke, in words.
    pub woke: String,
    /// The same in session time.
    pub seconds: f64,
    /// For how long it slept.
    pub slept_seconds: f64,
}

pub(super) fn sleeps(state: &State) -> Vec<SleepLine> {
    let line = |(at, nap): &(Micros, crate::domain::protocol::SessionSlept)| SleepLine {
        woke: moment(nap.wall_ms),
        seconds: seconds(*at),
        slept_seconds: rounded(nap.slept_ms as f64 / 1e3),
    };
    state.naps.iter().map(line).collect()
}

pub(super) fn lives(state: &State) -> Vec<LifeLine> {
    let line = |(at, life): &(Micros, crate::domain::protocol::SessionOpened)| LifeLine {
        began: moment(life.wall_ms),
        began_ms: life.wall_ms,
        seconds: seconds(*at),
        host: life.host.to_string(),
        version: life.version.clone(),
        pid: life.pid,
    };
    state.lives.iter().map(line).collect()
}

pub(super) fn goals(story: &Story) -> Vec<GoalLine> {
    let state = &story.state;
    let text_of = |task: &Task| state.attempt(task.result?).map(|a| story.result(a));
    let line = |goal: &crate::domain::state::Goal| {
        let answer = goal.answer.as_ref().and_then(|id| state.task_by_id(id));
        let voice = goal.tasks.iter().map(|ix| state.task(*ix)).find(|t| t.work == Work::Voice && !t.removed);
        GoalLine {
            id: goal.id.to_string(),
            text: goal.text.to_string(),
            outcome: match goal.phase {
                GoalPhase::Planning => "planning",
                GoalPhase::Draft => "draft",
                GoalPhase::Running => "running",
                GoalPhase::Ended(Outcome::Done) => "done",
                GoalPhase::Ended(Outcome::Failed) => "failed",
                GoalPhase::Ended(Outcome::Cancelled) => "cancelled",
            },
            revision: goal.revision,
            repairs: goal.repairs.iter().map(ToString::to_string).collect(),
            answer_task: answer.map(|t| t.id.to_string()),
            answer: answer.and_then(text_of).filter(|t| !t.trim().is_empty()),
            cut: answer.and_then(|t| state.cut_of(t)),
            voice: voice.and_then(text_of).filter(|t| !t.trim().is_empty()),
        }
    };
    state.goals().iter().map(line).collect()
}

pub(super) fn phases(state: &State) -> Vec<PhaseLine> {
    let all = state.goals().iter().flat_map(|g| state.phases(g.id));
    all.map(|phase| {
        let attempts = phase.tasks.iter().flat_map(|ix| &state.task(*ix).attempts).filter_map(|id| state.attempt(*id));
        let spans: Vec<(Micros, Micros)> =
            attempts.filter(|a| a.is_model()).map(|a| (a.started_at, a.started_at.plus(a.elapsed(state.at)))).collect();
        let from = spans.iter().map(|s| s.0).min().unwrap_or_default();
        let to = spans.iter().map(|s| s.1).max().unwrap_or_default();
        let sum: u64 = spans.iter().map(|s| s.1.since(s.0).0).sum();
        let widest = widest(&spans);
        let room = to.since(from).secs_f64() * f64::from(widest);
        PhaseLine {
            goal: phase.goal.to_string(),
            name: phase.name,
            tasks: phase.progress.total,
            done: phase.progress.done,
            failed: phase.progress.failed,
            seconds: seconds(to.since(from)),
            sequential_seconds: seconds(Micros(sum)),
            widest,
            efficiency: if room > 0.0 { rounded((Micros(sum).secs_f64() / room).min(1.0)) } else { 0.0 },
        }
    })
    .collect()
}

/// The most spans at one instant; one that begins as another ends is not beside it.
fn widest(spans: &[(Micros, Micros)]) -> u32 {
    let mut steps: Vec<(Micros, i32)> = spans.iter().flat_map(|(from, to)| [(*from, 1), (*to, -1)]).collect();
    steps.sort();
    let (mut now, mut most) = (0, 0);
    for (_, step) in steps {
        now += step;
        most = most.max(now);
    }
    u32::try_from(most).unwrap_or(0)
}

pub(super) fn agents(state: &State) -> Vec<AgentLine> {
    let mut names: Vec<_> = state.by_models().map(|(a, _)| &a.agent).collect();
    names.extend(live_tasks(state).map(|(_, t)| &t.spec.agent));
    names.sort();
    names.dedup();
    let line = |name: &crate::domain::protocol::AgentName| {
        let attempts = || state.by_models().map(|(a, _)| a).filter(|a| a.agent == *name);
        AgentLine {
            name: name.to_string(),
            tasks: live_tasks(state).filter(|(_, t)| t.spec.agent == *name).count() as u32,
            attempts: attempts().count() as u32,
            success_rate: success_rate(attempts().filter_map(|a| a.ended.as_ref().map(|(_, end)| end))),
            tokens: attempts().map(Attempt::output_tokens).sum(),
            seconds: seconds(Micros(attempts().map(|a| a.worked(state.at).0).sum())),
        }
    };
    names.into_iter().map(line).collect()
}

pub(super) fn endpoints(state: &State) -> Vec<EndpointLine> {
    let all = last_end(state).since(state.totals.first_start.unwrap_or_default()).secs_f64();
    let line = |(i, endpoint): (usize, &crate::domain::state::EndpointState)| {
        let attempts = || state.by_models().filter(move |(_, e)| e.0 as usize == i).map(|(a, _)| a);
        let turns = || attempts().flat_map(Attempt::turns);
        let busy = Micros(attempts().map(|a| a.worked(state.at).0).sum()).secs_f64();
        let slots = state.pool(endpoint.pool).ceiling;
        let generating: u64 = turns().map(|t| t.usage.generation_us).sum();
        let generated: u64 = turns().filter(|t| t.usage.generation_us > 0).map(|t| t.output_tokens()).sum();
        let waits: Vec<u64> = turns().map(|t| t.usage.first_token_us).filter(|us| *us > 0).collect();
        let room = all * f64::from(slots);
        EndpointLine {
            name: endpoint.config.title().to_owned(),
            model: endpoint.config.model.clone(),
            slots,
            attempts: attempts().count() as u32,
            failures: attempts().filter(|a| matches!(a.ended, Some((_, AttemptEnd::Failed(_))))).count() as u32,
            tokens: attempts().map(Attempt::output_tokens).sum(),
            cost_usd: attempts()
                .filter_map(|a| state.cost_of(a))
                .fold(None, |sum, usd| Some(sum.unwrap_or(0.0) + usd))
                .map(micro_dollars),
            busy: if room > 0.0 { rounded((busy / room).min(1.0)) } else { 0.0 },
            tokens_per_second: (generating > 0).then(|| rounded(generated as f64 / Micros(generating).secs_f64())),
            first_token_seconds: (!waits.is_empty())
                .then(|| seconds(Micros(waits.iter().sum::<u64>() / waits.len() as u64))),
        }
    };
    state.endpoints().iter().enumerate().map(line).collect()
}

pub(super) fn deliverables(story: &Story) -> Vec<Deliverable> {
    let state = &story.state;
    let results = live_tasks(state).filter(|(_, t)| t.has_result() && t.work == Work::Ordinary);
    results
        .filter_map(|(_, task)| Some((task, state.attempt(task.result?)?)))
        .map(|(task, attempt)| Deliverable {
            task: task.id.to_string(),
            title: task.title.to_string(),
            agent: attempt.agent.to_string(),
            bytes: state.answer_bytes(attempt),
            first_line: first_line(&story.result(attempt)),
            edited: task.edited,
            out_of_date: task.dirty,
            cut: state.cut_of(task),
        })
        .collect()
}

/// The first line that has words, without the marks of a heading or a list, cut.
fn first_line(text: &str) -> String {
    let line = text.lines().map(|l| l.trim_start_matches(['#', '*', '-', '>', ' ', '\t', '`']).trim());
    let line = line.into_iter().find(|l| l.chars().any(char::is_alphanumeric)).unwrap_or_default();
    match line.char_indices().nth(120) {
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or_default().trim_end()),
        None => line.to_owned(),
    }
}

pub(super) fn endpoint_of(state: &State, attempt: &Attempt) -> String {
    state.place_of(attempt).map(|e| e.config.title().to_owned()).unwrap_or_default()
}

/// An attempt's task and which try of it it is.
pub(super) fn number_of<'s>(state: &'s State, attempt: &Attempt) -> (&'s Task, u32) {
    let task = state.task(attempt.task);
    let before = task.attempts.iter().position(|id| *id == attempt.id).unwrap_or(0);
    (task, before as u32 + 1)
}

pub(super) fn attempts(state: &State) -> Vec<AttemptLine> {
    let line = |attempt: &Attempt| {
        let (task, number) = number_of(state, attempt);
        AttemptLine {
            task: task.id.to_string(),
            title: task.title.to_string(),
            number,
            endpoint: endpoint_of(state, attempt),
            level: attempt.turn().map_or("", |t| t.level.word()),
            started: seconds(attempt.started_at),
            seconds: seconds(attempt.elapsed(state.at)),
            tokens: attempt.output_tokens(),
            end: match (attempt.by_hand(), &attempt.ended) {
                (Some(_), _) => "by hand",
                (None, None) => "running",
                (None, Some((_, end))) => match end {
                    AttemptEnd::Completed => "completed",
                    AttemptEnd::Failed(_) => "failed",
                    AttemptEnd::Cancelled => "cancelled",
                    AttemptEnd::Moved => "moved",
                    AttemptEnd::Interrupted => "interrupted",
                },
            },
            cut: state.cut_in(attempt).filter(|_| matches!(attempt.ended, Some((_, AttemptEnd::Completed)))),
            cost_usd: state.cost_of(attempt).map(micro_dollars),
        }
    };
    state.attempts().iter().map(line).collect()
}

pub(super) fn failures(state: &State) -> Vec<FailureLine> {
    let failed = state.attempts().iter().filter_map(|a| match &a.ended {
        Some((_, AttemptEnd::Failed(failure))) => Some((a, failure)),
        _ => None,
    });
    failed
        .map(|(attempt, failure)| {
            let (task, number) = number_of(state, attempt);
            let next = task.attempts.get(number as usize).and_then(|id| state.attempt(*id));
            FailureLine {
                task: task.id.to_string(),
                title: task.title.to_string(),
                number,
                endpoint: endpoint_of(state, attempt),
                reason: failure.message.to_string(),
                then: match (next, task.life) {
                    (Some(next), _) if !next.is_model() => "its result was put in by hand".to_owned(),
                    (Some(next), _) => format!("try {} on {}", number + 1, endpoint_of(state, next)),
                    (None, Life::Ended(End::Failed)) => "the task failed".to_owned(),
                    (None, Life::Ended(_)) => "the task was ended".to_owned(),
                    (None, _) => "it waits for another try".to_owned(),
                },
            }
        })
        .collect()
}

pub(super) fn remains(state: &State) -> Vec<RemainLine> {
    let open = live_tasks(state).filter(|(_, t)| !matches!(t.life, Life::Ended(End::Done)) && !t.has_result());
    open.map(|(ix, task)| RemainLine {
        task: task.id.to_string(),
        title: task.title.to_string(),
        status: state.status(ix, state.at).word(),
        why: match task.life {
            Life::Ended(_) => task.reason.to_string(),
            _ => state.why_words(ix, state.at, Urgency::Usual).to_string(),
        },
    })
    .collect()
}
