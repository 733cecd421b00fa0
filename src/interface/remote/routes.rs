//! What can be asked: the table of routes, and what stands before each of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query, Request, State as Held};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Json, Router};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::doors::{Doors, Taking};
use super::guard::{Key, Rates, Way, host, role};
use super::refusal::Refusal;
use super::snapshot::{SessionInfo, Snapshot};
use super::watched::Watched;
use super::{commands, metrics, query, records};
use crate::domain::protocol::{AttemptId, Channel, Role, ViewerId};
use crate::domain::text::CleanText;
use crate::engine::host::Connector;

/// The description of the service for programs, as it is served.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub user: CleanText,
    pub way: Way,
    /// Closes the connection, whatever waits in it.
    pub cut: Arc<Notify>,
    /// The connection's place.
    pub taking: Arc<Taking>,
}

/// A console that watches over a stream of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Console {
    pub viewer: ViewerId,
    pub role: Role,
}

/// What the server counts, beside what is in the records.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub requests: AtomicU64,
    /// Connections and requests that were not let in.
    pub turned_away: AtomicU64,
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
    pub queries: AtomicU64,
}

/// What every answer is made from.
pub(super) struct House {
    pub connector: Connector,
    pub key: Key,
    pub user: CleanText,
    pub watched: Arc<Watched>,
    pub counts: Counts,
    pub began: Instant,
    pub doors: Arc<Doors>,
    /// How it is taken up again in the background.
    pub again: Vec<String>,
    rates: Rates,
    /// By the secret that was handed out on the console's own stream.
    consoles: Mutex<BTreeMap<String, Console>>,
}

/// [`House`], as handlers have it.
pub(super) type Shared = Arc<House>;

impl House {
    pub(super) fn new(connector: Connector, key: Key, user: CleanText, again: Vec<String>) -> Self {
        let began = Instant::now();
        let watched = Arc::new(Watched::new());
        let rates = Rates::new(began);
        let (counts, doors, consoles) = (Counts::default(), Arc::default(), Mutex::default());
        Self { connector, key, user, watched, counts, began, doors, again, rates, consoles }
    }

    /// The consoles that watch now.
    pub(super) fn consoles(&self) -> MutexGuard<'_, BTreeMap<String, Console>> {
        self.consoles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line for each thing that can be asked.
fn table() -> Vec<(&'static str, &'static str, MethodRouter<Shared>)> {
    vec![
        ("get", "/v1/session", get(session)),
        ("get", "/v1/state", get(state)),
        ("get", "/v1/records", get(records::records)),
        ("get", "/v1/text/{attempt}", get(text)),
        ("post", "/v1/commands", post(commands::commands)),
        ("post", "/api/query/parallel", post(query::query)),
        ("get", "/metrics", get(metrics::metrics)),
        ("get", "/openapi.json", get(openapi)),
    ]
}

/// The method and path of everything that can be asked.
pub fn routes_listed() -> Vec<(&'static str, &'static str)> {
    table().into_iter().map(|(method, path, _)| (method, path)).collect()
}

pub(super) fn router(house: Shared) -> Router {
    let mut router = Router::new();
    for (_, path, handler) in table() {
        router = router.route(path, handler);
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(Arc::clone(&house), enter))
        .with_state(house)
}

/// Before every answer: from where, who, and how often.
async fn enter(
    Held(house): Held<Shared>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    house.counts.requests.fetch_add(1, Ordering::Relaxed);
    let role = host(request.headers()).and_then(|()| role(peer.way, request.headers(), &house.key));
    // Whoever guesses is counted with those who only look.
    let rate = house.rates.take(peer.way, role.as_ref().copied().unwrap_or(Role::Viewer), Instant::now());
    let may = role.and_then(|role| rate.map(|()| role)).and_then(|role| match role {
        Role::Control => peer.taking.has_key().map(|()| role),
        Role::Viewer => Ok(role),
    });
    match may {
        Ok(role) => {
            request.extensions_mut().insert(role);
            Ok(next.run(request).await)
        }
        Err(refusal) => {
            house.counts.turned_away.fetch_add(1, Ordering::Relaxed);
            Err(refusal)
        }
    }
}

async fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path; /openapi.json says what there is")
}

async fn other_method() -> Refusal {
    let words = "this path is asked with another method; /openapi.json says with which";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, words)
}

/// Whether nothing but these names was asked for after the `?`.
pub(super) fn known(given: &BTreeMap<String, String>, names: &[&str]) -> Result<(), Refusal> {
    match given.keys().find(|k| !names.contains(&k.as_str())) {
        None => Ok(()),
        Some(other) => {
            let other = CleanText::one_line(other);
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            Err(Refusal::bad(format!("{other:?} can't be asked for here; {names} can")))
        }
    }
}

async fn session(
    Held(house): Held<Shared>,
    Query(given): Query<BTreeMap<String, String>>,
) -> Result<Json<SessionInfo>, Refusal> {
    known(&given, &[])?;
    Ok(Json(SessionInfo::of(&house)))
}

async fn state(Held(house): Held<Shared>, Query(given): Query<BTreeMap<String, String>>) -> Result<Response, Refusal> {
    known(&given, &[])?;
    let state = house.watched.state();
    Ok(Json(Snapshot::of(&state, house.connector.now())).into_response())
}

async fn text(
    Held(house): Held<Shared>,
    Path(attempt): Path<String>,
    Query(given): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    known(&given, &["channel"])?;
    let attempt: AttemptId = attempt.parse().map_err(|error| Refusal::bad(format!("this is no attempt: {error}")))?;
    let channel = match given.get("channel").map(String::as_str) {
        None | Some("answer") => Channel::Answer,
        Some("thinking") => Channel::Thinking,
        Some("tool_call") => Channel::ToolCall,
        Some(_) => return Err(Refusal::bad("channel is answer, thinking or tool_call")),
    };
    let turns = {
        let state = house.watched.state();
        state.attempt(attempt).map(|a| state.turns_of(a, channel))
    };
    let Some(turns) = turns else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("there is no attempt {attempt}; /v1/state lists them"),
        ));
    };
    let journal = house.connector.journal().to_path_buf();
    let read = tokio::task::spawn_blocking(move || crate::engine::journal::text_of(&journal, &turns, channel));
    match read.await {
        // Raw: for programs and files, not for a terminal.
        Ok(Ok(text)) => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()),
        Ok(Err(error)) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        Err(_) => {
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "reading the journal broke off; the log says where"))
        }
    }
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
