//! `POST /api/query/parallel`: a question in, the answer of a whole goal out.
//!
//! Invariants: the goal runs without review, eight tasks wide at most; one whose client went away is stopped; one that only
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
    Author, Command, CommandEnvelope, Event, GoalId, GoalOptions, Micros, Name, Partial, PlanSource, Review, Role,
    StopScope, TaskId, Work,
};
use crate::domain::state::{GoalPhase, State};
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::host::{Answer, LocalClient};
use crate::interface::cli::patience::{Patience, Patient};
use crate::interface::cli::stuck::{Outlook, outlook};
use crate::interface::cli::summary::result_text;

/// Tasks of a query at once.
const WIDE: u32 = 8;

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
}

#[derive(Debug, Serialize)]
struct TaskLine {
    id: String,
    title: String,
    agent: String,
    work: Work,
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    /// Where its result was cut; absent where it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<crate::domain::state::CutAt>,
    attempts: usize,
    endpoint: Option<String>,
    tier: Option<String>,
    tokens: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Metrics {
    /// From the question to the answer.
    seconds: f64,
    /// The sum of attempt times: what one at a time would have taken.
    sequential_seconds: f64,
    speed_up: f64,
    output_tokens: u64,
    tasks: usize,
    attempts: usize,
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
    response.response = read(&house, answer).await?;
    response.voice_summary = read(&house, voice).await?;
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
        let lines = goal.tasks.iter().filter(|ix| !state.task(**ix).removed).map(|ix| {
            let task = state.task(*ix);
            let attempts: Vec<_> = task.attempts.iter().filter_map(|a| state.attempt(*a)).collect();
            TaskLine {
                id: task.id.to_string(),
                title: task.title.to_string(),
                agent: task.spec.agent.to_string(),
                work: task.work,
                status: state.status(*ix, state.at).word(),
                reason: if task.is_done() { String::new() } else { task.reason.to_string() },
                cut: state.cut_of(task),
                attempts: attempts.len(),
                endpoint: attempts.last().map(|a| state.endpoint(a.endpoint).config.name.to_string()),
                tier: state.config.fleet.agent(&task.spec.agent).map(|a| a.tier.to_string()),
                tokens: attempts.iter().map(|a| a.output_tokens()).sum(),
                seconds: rounded(attempts.iter().map(|a| a.elapsed(end)).fold(Micros(0), Micros::plus)),
            }
        });
        let tasks: Vec<TaskLine> = lines.collect();
        let (seconds, sequential) = (end.since(goal.added_at), tasks.iter().map(|t| t.seconds).sum::<f64>());
        let metrics = Metrics {
            seconds: rounded(seconds),
            sequential_seconds: (sequential * 1000.0).round() / 1000.0,
            speed_up: (sequential / seconds.secs_f64().max(0.001) * 100.0).round() / 100.0,
            output_tokens: tasks.iter().map(|t| t.tokens).sum(),
            tasks: tasks.len(),
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
        Some(Self { response: None, voice_summary: None, outcome, goal: id, tasks, metrics })
    }
}

/// Milliseconds say enough.
fn rounded(time: Micros) -> f64 {
    (time.secs_f64() * 1000.0).round() / 1000.0
}
