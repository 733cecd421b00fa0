//! `POST /api/query/parallel`: a question in, the answer of a whole goal out.
//!
//! Invariants: the goal runs without review, six tasks wide at most; one whose client went away is stopped; one that only
//! the operator can release is answered so, in words, and stays.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Query, Request, State as Held};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::commands::MOST;
use super::connection::body;
use super::refusal::Refusal;
use super::routes::{Peer, Shared, known};
use crate::domain::protocol::{
    AttemptEnd, Author, Command, CommandEnvelope, Event, GoalId, GoalOptions, Micros, Name, Partial, PlanSource,
    Review, Role, Route, StopScope, TaskId, Work,
};
use crate::domain::state::{Attempt, Goal, GoalPhase, State, Task, TaskIx};
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::host::{Answer, LocalClient};
use crate::interface::reading::outlook::{Outlook, outlook};
use crate::interface::reading::patience::{Patience, Patient};
use crate::interface::reading::result::result_text;
use crate::interface::report::micro_dollars;

/// Tasks of a query at once: a program asks beside an operator, who has all slots.
const WIDE: u32 = 6;

/// The most tasks a query may ask for.
const MOST_TASKS: u32 = 64;

/// Between two looks at whether a goal still gets on by itself.
const LOOK: Duration = Duration::from_secs(1);

/// Queries of this process, counted so that their commands differ.
static QUERIES: AtomicU64 = AtomicU64::new(1);

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    query: String,
    #[serde(default)]
    max_tasks: Option<u32>,
    #[serde(default)]
    voice_mode: bool,
}

/// What is answered.
#[derive(Debug, Serialize)]
pub(super) struct Response {
    response: Option<String>,
    voice_summary: Option<String>,
    outcome: &'static str,
    goal: GoalId,
    tasks: Vec<TaskLine>,
    metrics: Metrics,
    execution_log: Vec<LogLine>,
}

#[derive(Debug, Serialize)]
struct TaskLine {
    id: String,
    title: String,
    /// What it was asked for.
    description: String,
    #[serde(rename = "assigned_to")]
    agent: String,
    work: Work,
    status: &'static str,
    /// Its text, whole; none where it has none.
    result: Option<String>,
    /// Why it has none.
    error: Option<String>,
    dependencies: Vec<String>,
    /// When its first attempt began, as in `2026-12-01T07:30:00.125Z`; none where none did.
    started_at: Option<String>,
    /// When its last attempt ended.
    completed_at: Option<String>,
    /// The time its attempts took.
    latency_ms: u64,
    tokens_used: u64,
    /// US dollars; none where no price is configured.
    cost_usd: Option<f64>,
    /// Of its last attempt; with ` (fallback)` where that was not on its agent's first tier.
    model_used: Option<String>,
    /// Where its result was cut; absent where it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<crate::domain::state::CutAt>,
    attempts: usize,
    endpoint: Option<String>,
    tier: Option<String>,
}

#[derive(Debug, Serialize)]
struct Metrics {
    /// From the question to the answer.
    total_time_seconds: f64,
    /// What one at a time would have taken: work without queueing, as the report counts it.
    sequential_seconds: f64,
    speed_up: f64,
    /// Tokens generated.
    total_tokens: u64,
    /// US dollars; none where no price is configured.
    cost_usd: Option<f64>,
    task_count: usize,
    /// The longest chain of tasks that need each other: with slots enough, so many batches one after another.
    parallel_batches: u32,
    attempts: usize,
}

/// What happened, in order.
#[derive(Debug, PartialEq, Serialize)]
struct LogLine {
    timestamp: String,
    message: String,
    level: &'static str,
}

/// Stops the goal of a query whose client does not wait any more.
struct Waiting {
    client: LocalClient,
    goal: Option<GoalId>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(goal) = self.goal {
            // A session that is over has stopped it.
            let _ = self.client.send(Command::Stop { scope: StopScope::Goal(goal), partial: Partial::Discarded });
        }
    }
}

/// Answers `POST /api/query/parallel`.
pub(super) async fn query(
    Held(house): Held<Shared>,
    Extension(peer): Extension<Peer>,
    Extension(role): Extension<Role>,
    Query(given): Query<BTreeMap<String, String>>,
    request: Request,
) -> Result<Json<Response>, Refusal> {
    known(&given, &[])?;
    let bytes = body(request.into_body(), MOST).await?;
    let asked: Asked = serde_json::from_slice(&bytes).map_err(|error| {
        let error = CleanText::one_line(&error.to_string());
        Refusal::bad(format!(
            "this is no query: {error}; send {{\"query\": \"…\", \"max_tasks\": 6, \"voice_mode\": false}}"
        ))
    })?;
    if asked.max_tasks.is_some_and(|n| n == 0 || n > MOST_TASKS) {
        return Err(Refusal::bad(format!("max_tasks is 1 to {MOST_TASKS}")));
    }
    house.counts.queries.fetch_add(1, Ordering::Relaxed);
    let author = Author::Person(peer.user);
    let mut client = house.connector.client(author.clone(), role);
    client.begin_after(house.watched.state().seq);
    let mut waiting = Waiting { client, goal: None };
    let options = GoalOptions {
        review: Review::Auto,
        max_parallel: Some(WIDE),
        max_tasks: asked.max_tasks,
        synthesis: None,
        voice_summary: Some(asked.voice_mode),
        ..GoalOptions::default()
    };
    let id = Name::slug(&format!("query.{}-{}", std::process::id(), QUERIES.fetch_add(1, Ordering::Relaxed)));
    let command = Command::AddGoal { text: asked.query, plan: PlanSource::Model, options };
    let envelope = CommandEnvelope { id: id.clone(), author, role, viewer: None, command };
    match house.connector.ask(envelope).await.map_err(|_| Refusal::over())? {
        Answer::Accepted | Answer::Repeated => {}
        Answer::Refused(reason) => {
            let status = if role == Role::Viewer { StatusCode::FORBIDDEN } else { StatusCode::CONFLICT };
            return Err(Refusal::new(status, reason.to_string()));
        }
    }
    let goal = goal_of(&mut waiting.client, &id).await.ok_or_else(Refusal::over)?;
    waiting.goal = Some(goal);
    wait(&house, goal, &mut waiting).await?;
    waiting.goal = None;
    let (answer, voice, mut response) = {
        let state = house.watched.state();
        let voice = state.own_task(goal, Work::Voice).map(|t| t.id.clone());
        let answer = state.goal(goal).and_then(|g| g.answer.clone());
        (answer, voice, Response::of(&state, goal).ok_or_else(Refusal::over)?)
    };
    for task in &mut response.tasks {
        task.result = read(&house, task.id.parse().ok()).await?;
    }
    let of = |id: Option<TaskId>| {
        let id = id?.to_string();
        response.tasks.iter().find(|task| task.id == id)?.result.clone()
    };
    (response.response, response.voice_summary) = (of(answer), of(voice));
    Ok(Json(response))
}

/// The goal that a command added: it stands right behind its acceptance.
async fn goal_of(client: &mut LocalClient, id: &Name) -> Option<GoalId> {
    let (mut batch, mut accepted) = (Vec::new(), false);
    loop {
        let more = client.recv(&mut batch, 64).await;
        for record in batch.drain(..) {
            match &record.event {
                Event::CommandAccepted { id: of, .. } if of == id => accepted = true,
                Event::GoalAdded(added) if accepted => return Some(added.goal),
                _ => {}
            }
        }
        if !more {
            return None;
        }
    }
}

/// Waits for a goal's end.
async fn wait(house: &Shared, goal: GoalId, waiting: &mut Waiting) -> Result<(), Refusal> {
    let mut changes = house.watched.changes();
    let mut patience = Patience::new(None);
    loop {
        {
            let state = house.watched.state();
            if state.goal(goal).is_some_and(|g| matches!(g.phase, GoalPhase::Ended(_))) {
                return Ok(());
            }
            if state.ended.is_some() {
                waiting.goal = None;
                return Err(Refusal::over());
            }
            let now = house.connector.now();
            let stuck = match outlook(&state, goal, now) {
                Outlook::Moving => {
                    patience.gets_on();
                    None
                }
                Outlook::Operator(sentences) => Some(sentences),
                Outlook::Servers(waits) => {
                    let over = patience.waits(tokio::time::Instant::now().into(), &state, now, &waits) == Patient::Over;
                    over.then_some(waits.sentences)
                }
            };
            // It is left as it is: what is missing can still be given.
            if let Some(sentences) = stuck {
                waiting.goal = None;
                let words = format!("{goal} can't go on without the operator: {}", sentences.join("; "));
                return Err(Refusal::new(StatusCode::CONFLICT, words));
            }
        }
        // A look now and then besides: servers go and come without a record of this goal.
        let _ = tokio::time::timeout(LOOK, changes.changed()).await;
    }
}

/// What a task gave, read back from the journal.
async fn read(house: &Shared, task: Option<TaskId>) -> Result<Option<String>, Refusal> {
    let Some(task) = task else { return Ok(None) };
    let turn = {
        let state = house.watched.state();
        result_text(&state, &task)
    };
    let Some(place) = turn else { return Ok(None) };
    let journal = house.connector.journal().to_path_buf();
    let read = tokio::task::spawn_blocking(move || place.read(&journal)).await;
    let failed = |words: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, words);
    let text = read.map_err(|_| failed("reading the journal broke off; the log says where".to_owned()))?;
    text.map(Some).map_err(|error| failed(error.to_string()))
}

impl Response {
    /// Of a goal that has ended; its texts are to be read.
    fn of(state: &State, id: GoalId) -> Option<Self> {
        let goal = state.goal(id)?;
        let end = goal.ended_at.unwrap_or(state.at);
        let live: Vec<TaskIx> = goal.tasks.iter().copied().filter(|ix| !state.task(*ix).removed).collect();
        let tasks: Vec<TaskLine> = live.iter().map(|ix| TaskLine::of(state, *ix, end)).collect();
        let spent: Vec<&Attempt> = live.iter().flat_map(|ix| attempts_of(state, state.task(*ix))).collect();
        let (seconds, sequential) = (end.since(goal.added_at), state.spent_on(&spent, end).1);
        let metrics = Metrics {
            total_time_seconds: rounded(seconds),
            sequential_seconds: rounded(sequential),
            speed_up: (sequential.secs_f64() / seconds.secs_f64().max(0.001) * 100.0).round() / 100.0,
            total_tokens: tasks.iter().map(|t| t.tokens_used).sum(),
            cost_usd: state.cost(Some(id)).map(micro_dollars),
            task_count: tasks.len(),
            parallel_batches: batches(state, &live),
            attempts: tasks.iter().map(|t| t.attempts).sum(),
        };
        let outcome = match goal.phase {
            GoalPhase::Ended(outcome) => match outcome {
                crate::domain::protocol::Outcome::Done => "done",
                crate::domain::protocol::Outcome::Failed => "failed",
                crate::domain::protocol::Outcome::Cancelled => "cancelled",
            },
            _ => "unfinished",
        };
        let execution_log = log(state, goal, &live, outcome);
        Some(Self { response: None, voice_summary: None, outcome, goal: id, tasks, metrics, execution_log })
    }
}

impl TaskLine {
    fn of(state: &State, ix: TaskIx, end: Micros) -> Self {
        let task = state.task(ix);
        let attempts: Vec<&Attempt> = attempts_of(state, task).collect();
        let last = attempts.last();
        let ended = attempts.iter().map(|a| a.ended.as_ref().map(|(at, _)| *at)).max().flatten();
        let model = |a: &&Attempt| {
            let fallback = if a.route() == Some(Route::Fallback) { " (fallback)" } else { "" };
            Some(format!("{}{fallback}", state.place_of(a)?.config.model))
        };
        Self {
            id: task.id.to_string(),
            title: task.title.to_string(),
            description: task.spec.prompt.clone(),
            agent: task.spec.agent.to_string(),
            work: task.work,
            status: state.status(ix, state.at).word(),
            result: None,
            error: (!task.is_done()).then(|| task.reason.to_string()).filter(|reason| !reason.is_empty()),
            dependencies: task.needs.iter().map(|need| state.task(*need).id.to_string()).collect(),
            started_at: attempts.first().and_then(|a| instant(state, a.started_at)),
            completed_at: ended.and_then(|at| instant(state, at)),
            latency_ms: attempts.iter().map(|a| a.elapsed(end)).fold(Micros(0), Micros::plus).0 / 1000,
            tokens_used: attempts.iter().map(|a| a.output_tokens()).sum(),
            cost_usd: state.cost_of_task(task).map(micro_dollars),
            model_used: last.and_then(model),
            cut: state.cut_of(task),
            attempts: attempts.len(),
            endpoint: last.and_then(|a| state.place_of(a)).map(|e| e.config.name.to_string()),
            tier: state.config.fleet.agent(&task.spec.agent).map(|a| a.tier.to_string()),
        }
    }
}

fn attempts_of<'s>(state: &'s State, task: &'s Task) -> impl Iterator<Item = &'s Attempt> {
    task.attempts.iter().filter_map(|a| state.attempt(*a))
}

/// The longest chain among `live`. What needs another stands behind it, except where an edit put it: then it is looked at
/// again, at most as often as there are tasks.
fn batches(state: &State, live: &[TaskIx]) -> u32 {
    let mut depth: BTreeMap<TaskIx, u32> = live.iter().map(|ix| (*ix, 1)).collect();
    for _ in live {
        let mut changed = false;
        for ix in live {
            let before = state.task(*ix).needs.iter().filter_map(|need| depth.get(need)).max().copied().unwrap_or(0);
            changed |= depth.insert(*ix, before + 1) != Some(before + 1);
        }
        if !changed {
            break;
        }
    }
    depth.into_values().max().unwrap_or(0)
}

/// What happened to a goal: its tasks' attempts, and its own beginning and end.
fn log(state: &State, goal: &Goal, live: &[TaskIx], outcome: &'static str) -> Vec<LogLine> {
    let mut said: Vec<(Micros, &'static str, String)> = vec![(goal.added_at, "info", format!("goal: {}", goal.text))];
    for ix in live {
        let task = state.task(*ix);
        for attempt in attempts_of(state, task) {
            let name = &task.id.name;
            let Some(place) = state.place_of(attempt).map(|e| e.config.title()) else {
                let by = attempt.by_hand().map(ToString::to_string).unwrap_or_default();
                said.push((attempt.started_at, "info", format!("the result of {name} is put in by {by}")));
                continue;
            };
            said.push((attempt.started_at, "info", format!("{name} ({}) begins on {place}", task.spec.agent)));
            let Some((at, how)) = &attempt.ended else { continue };
            let took = format!("after {:.1} s, {} tokens", attempt.elapsed(*at).secs_f64(), attempt.output_tokens());
            said.push(match how {
                AttemptEnd::Completed => (*at, "info", format!("{name} is done {took}")),
                AttemptEnd::Failed(failure) => (*at, "warning", format!("{name} failed {took}: {}", failure.message)),
                AttemptEnd::Cancelled => (*at, "warning", format!("{name} was stopped {took}")),
                AttemptEnd::Moved => (*at, "info", format!("{name} goes on elsewhere {took}")),
                AttemptEnd::Interrupted => (*at, "warning", format!("{name} was interrupted {took}")),
            });
        }
    }
    said.sort_by_key(|(at, ..)| *at);
    let level = if outcome == "done" { "info" } else { "error" };
    said.push((goal.ended_at.unwrap_or(state.at), level, format!("the goal is {outcome}")));
    let line = |(at, level, message)| LogLine { timestamp: instant(state, at).unwrap_or_default(), message, level };
    said.into_iter().map(line).collect()
}

/// A session's time by the wall clock, as RFC 3339 writes it.
fn instant(state: &State, at: Micros) -> Option<String> {
    let ms = state.wall_ms(at)?;
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    let form = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.format(&form).ok()
}

/// Milliseconds say enough.
fn rounded(time: Micros) -> f64 {
    (time.secs_f64() * 1000.0).round() / 1000.0
}
