//! Commands from outside: handed on to the session with who gives them, and answered in words.
//!
//! Not here: whether a command may be done. Invariants: author, role and viewer are the connection's; ids of clients are
//! kept apart from the session's own, so that nobody can use up the id of somebody else's command.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Query, Request, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;

use super::connection::body;
use super::records::SECRET;
use super::refusal::Refusal;
use super::routes::{Peer, Shared, known};
use crate::domain::protocol::{Author, Command, CommandEnvelope, CommandId, Name, Role, ViewerId};
use crate::domain::text::CleanText;
use crate::engine::client::SendError;
use crate::engine::host::Answer;

/// The longest body of a command with a plan in it, and of any other.
const MOST_PLAN: usize = 4 << 20;
pub(super) const MOST: usize = 1 << 20;

/// The longest id a client may give: ours begins with who it is.
const MOST_ID: usize = 40;

/// Commands that came without an id.
static UNNAMED: AtomicU64 = AtomicU64::new(1);

/// What became of a command.
#[derive(Debug, Serialize)]
struct Answered<'a> {
    answer: &'static str,
    id: &'a CommandId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// The id that a command of a client has in the session.
pub(super) fn command_id(viewer: Option<ViewerId>, given: &str) -> CommandId {
    let id = match viewer {
        Some(viewer) => format!("{viewer}.{given}"),
        None => format!("ctl.{given}"),
    };
    // What is given was checked, so it is a name as it stands.
    Name::new(&id).unwrap_or_else(|_| Name::slug(&id))
}

/// Answers `POST /v1/commands`.
pub(super) async fn commands(
    Held(house): Held<Shared>,
    Extension(peer): Extension<Peer>,
    Extension(role): Extension<Role>,
    Query(given): Query<BTreeMap<String, String>>,
    request: Request,
) -> Result<Response, Refusal> {
    known(&given, &[])?;
    let (viewer, role) = match request.headers().get(SECRET) {
        None => (None, role),
        Some(secret) => {
            let console = secret.to_str().ok().and_then(|s| house.consoles().get(s).copied());
            let console = console.ok_or_else(|| {
                Refusal::new(StatusCode::FORBIDDEN, "this console is not known to the session any more; attach again")
            })?;
            // No more than the connection itself may, and no more than the console came with.
            (Some(console.viewer), if console.role == role { role } else { Role::Viewer })
        }
    };
    let bytes = body(request.into_body(), MOST_PLAN).await?;
    let (id, command) = parse(&bytes)?;
    let has_plan = matches!(command, Command::AddGoal { .. } | Command::EditPlan { .. });
    if bytes.len() > MOST && !has_plan {
        let words = format!("a command without a plan has at most {MOST} bytes; send less");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, words));
    }
    let id = id.unwrap_or_else(|| format!("{}-{}", std::process::id(), UNNAMED.fetch_add(1, Ordering::Relaxed)));
    let id = command_id(viewer, &id);
    let author = Author::Person(peer.user);
    let envelope = CommandEnvelope { id: id.clone(), author, role, viewer, command };
    let answer = house.connector.ask(envelope).await.map_err(|error| match error {
        SendError::Closed => Refusal::over(),
        SendError::Busy | SendError::Refused(_) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    })?;
    let (status, answer, reason) = match &answer {
        Answer::Accepted => (StatusCode::OK, "accepted", None),
        Answer::Repeated => (StatusCode::OK, "repeated", None),
        Answer::Refused(reason) if role == Role::Viewer => (StatusCode::FORBIDDEN, "refused", Some(reason.as_str())),
        Answer::Refused(reason) => (StatusCode::CONFLICT, "refused", Some(reason.as_str())),
    };
    let counter = if reason.is_none() { &house.counts.accepted } else { &house.counts.refused };
    counter.fetch_add(1, Ordering::Relaxed);
    Ok((status, Json(Answered { answer, id: &id, reason })).into_response())
}

/// The command in a body, and the id that its client gave it.
fn parse(bytes: &[u8]) -> Result<(Option<String>, Command), Refusal> {
    let bad = |error: &serde_json::Error| {
        Refusal::bad(format!("this is no command: {}", CleanText::one_line(&error.to_string())))
    };
    let mut value: Value = serde_json::from_slice(bytes).map_err(|e| bad(&e))?;
    let Some(fields) = value.as_object_mut() else {
        return Err(Refusal::bad(r#"a command is an object, as in {"command":"pause"}"#));
    };
    let id = match fields.remove("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.len() <= MOST_ID && Name::new(&id).is_ok() => Some(id),
        Some(_) => {
            let words = format!("an id is 1 to {MOST_ID} letters, digits, '.', '_' or '-'");
            return Err(Refusal::bad(words));
        }
    };
    if let Some(other) = fields.keys().find(|k| !matches!(k.as_str(), "command" | "with")) {
        let other = CleanText::one_line(other);
        let words = format!("{other:?} is not part of a command; who gives it is known from the connection");
        return Err(Refusal::bad(words));
    }
    let command = serde_json::from_value(value).map_err(|e| bad(&e))?;
    Ok((id, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_and_nothing_else_is() {
        let read = |text: &str| parse(text.as_bytes());
        assert_eq!(read(r#"{"command":"pause"}"#), Ok((None, Command::Pause)));
        let (id, command) = read(r#"{"id":"a-1","command":"hold","with":"g1/x"}"#).unwrap();
        assert_eq!((id.as_deref(), command.to_string().as_str()), (Some("a-1"), "hold g1/x"));
        for (text, words) in [
            ("", "no command"),
            ("[]", "an object"),
            (r#"{"command":"fly"}"#, "no command"),
            (r#"{"command":"hold","with":"../x"}"#, "no command"),
            (r#"{"command":"pause","author":"baton"}"#, "known from the connection"),
            (r#"{"command":"pause","role":"control"}"#, "known from the connection"),
            (r#"{"command":"pause","id":"a b"}"#, "an id is"),
            (r#"{"command":"pause","id":"../../x"}"#, "an id is"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.words.contains(words), "{text}: {}", refusal.words);
        }
    }

    #[test]
    fn ids_of_clients_are_kept_apart() {
        let long = "x".repeat(MOST_ID);
        assert_eq!(command_id(None, "a-1").as_str(), "ctl.a-1");
        assert_ne!(command_id(Some(ViewerId(1)), &long), command_id(Some(ViewerId(2)), &long));
        assert!(command_id(Some(ViewerId(u64::MAX)), &long).as_str().ends_with(&long));
    }
}
