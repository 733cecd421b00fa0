//! One question to a running session, from the other side of its socket.
//!
//! Invariant: the key goes to the session's own socket and nowhere else: no proxy, no redirect.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::place::{Place, PlaceError};
use super::records::SECRET;
use super::snapshot::SessionInfo;
use crate::domain::protocol::{Command, CommandId};
use crate::domain::text::CleanText;

/// How long an answer may take that waits for nothing: the engine answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a session did not answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody is there.
    #[error("the session {0} is not running; `baton resume {0}` takes it up again")]
    Gone(String),
    /// Somebody is there and does not answer: stopped, flooded, or too busy.
    #[error(
        "the session {session} is there but does not answer ({why}); try again, or see whether its process is stopped"
    )]
    Mute {
        /// The session.
        session: String,
        /// What came in place of an answer.
        why: CleanText,
    },
    /// It said no.
    #[error("{0}")]
    Refused(CleanText),
    /// It said something that is no answer.
    #[error("the session's answer could not be read: {0}; are both programs of the same version?")]
    Garbled(String),
    /// Its key can't be read.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// What is given with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The key: what is asked may act.
    Key,
    /// Nothing: it may look.
    Nothing,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, or begun.
    Accepted,
    /// It is not, for this reason.
    Refused(CleanText),
}

/// A way to ask one session.
#[derive(Clone, Debug)]
pub struct Call {
    place: Place,
    http: reqwest::Client,
    key: Option<String>,
}

/// A refusal, or what became of a command, as they go over the wire.
#[derive(Debug, Deserialize)]
struct Said {
    error: Option<String>,
    answer: Option<String>,
    reason: Option<String>,
    id: Option<CommandId>,
}

impl Call {
    /// A way to the session at a place. Nothing is asked yet.
    ///
    /// # Errors
    /// The key can't be read, or no HTTP client be made.
    pub fn new(place: Place, given: Given) -> Result<Self, CallError> {
        // Sets up what any HTTP client of this program needs.
        crate::engine::providers::Client::new().map_err(|error| CallError::Garbled(error.to_string()))?;
        let socket = place.socket();
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| CallError::Garbled(error.to_string()))?;
        let key = match given {
            Given::Key => Some(place.key()?),
            Given::Nothing => None,
        };
        Ok(Self { place, http, key })
    }

    /// Whom it asks.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Asks what session it is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn session(&self) -> Result<SessionInfo, CallError> {
        self.get("/v1/session").await
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let request = self.ask(reqwest::Method::GET, path).timeout(PATIENCE);
        let response = self.send(request).await?;
        response.json().await.map_err(|error| CallError::Garbled(error.to_string()))
    }

    /// Gives a command, as the console of that secret, or as nobody's.
    ///
    /// # Errors
    /// [`CallError`]; a refusal by the session is no error but a verdict.
    pub async fn command(
        &self,
        id: Option<&str>,
        command: &Command,
        secret: Option<&str>,
    ) -> Result<(Verdict, CommandId), CallError> {
        let garbled = |error: serde_json::Error| CallError::Garbled(error.to_string());
        let mut value = serde_json::to_value(command).map_err(garbled)?;
        if let (Some(fields), Some(id)) = (value.as_object_mut(), id) {
            fields.insert("id".to_owned(), id.into());
        }
        let mut request = self.ask(reqwest::Method::POST, "/v1/commands").json(&value).timeout(PATIENCE);
        if let Some(secret) = secret {
            request = request.header(SECRET, secret);
        }
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let said: Said = response.json().await.map_err(|error| CallError::Garbled(error.to_string()))?;
        match said {
            Said { answer: Some(answer), id: Some(id), .. } if answer != "refused" && status == StatusCode::OK => {
                Ok((Verdict::Accepted, id))
            }
            Said { reason: Some(reason), id: Some(id), .. } if status == StatusCode::CONFLICT => {
                Ok((Verdict::Refused(CleanText::one_line(&reason)), id))
            }
            Said { reason, error, .. } => {
                let words = reason.or(error).unwrap_or_else(|| format!("the session answered {status}"));
                Err(self.refusal(status, &words))
            }
        }
    }

    /// Begins a stream of records; as a console when `origin` says where it is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn records(&self, from: u64, origin: Option<&str>) -> Result<Response, CallError> {
        let mut path = format!("/v1/records?from={from}");
        if let Some(origin) = origin {
            // Encoded as a query is, by the one who knows how.
            let encoded = reqwest::Url::parse_with_params("http://localhost/", [("as", "console"), ("origin", origin)]);
            path.push_str(&encoded.ok().and_then(|u| u.query().map(|q| format!("&{q}"))).unwrap_or_default());
        }
        let request = self.ask(reqwest::Method::GET, &path);
        self.send(request).await
    }

    fn ask(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("http://localhost{path}"));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, CallError> {
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let said: Option<Said> = response.json().await.ok();
        let words = said.and_then(|s| s.error.or(s.reason)).unwrap_or_else(|| format!("the session answered {status}"));
        Err(self.refusal(status, &words))
    }

    /// What an answer that is none means: one that has no room now is there all the same.
    fn refusal(&self, status: StatusCode, words: &str) -> CallError {
        let words = CleanText::one_line(words);
        let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE, StatusCode::REQUEST_TIMEOUT];
        if busy.contains(&status) { self.mute(words) } else { CallError::Refused(words) }
    }

    fn mute(&self, why: CleanText) -> CallError {
        CallError::Mute { session: self.place.session().to_string(), why }
    }

    fn lost(&self, error: &reqwest::Error) -> CallError {
        if error.is_connect() && nobody_listens(error) {
            return CallError::Gone(self.place.session().to_string());
        }
        if error.is_timeout() {
            return self.mute(CleanText::from_static("nothing came in time"));
        }
        // Somebody took the connection, or has a queue of them that is full.
        self.mute(CleanText::from_static("it closed the connection; it may have as many open as it takes"))
    }
}

/// Whether there is no socket, or nobody at its other end.
fn nobody_listens(error: &reqwest::Error) -> bool {
    use std::io::ErrorKind;
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
        }
        source = error.source();
    }
    false
}
