//! The HTTP client: what is written goes to its endpoint, and a [`Reply`] comes back.
//!
//! Not here: bodies (`body`), the stream of an answer (`answer`), what errors mean (`fault`). Invariants: a request that makes a server do something goes over a connection of its own, never over one that was used before
//! (llama-server closes each stream's connection right after the last chunk and does not say so in its head), so that
//! one that breaks says something of the server; no proxy is ever used. Over http such a request is sent by `wire`, over
//! https by the HTTP library. A head is bounded by the HTTP library: 100 fields, 400 KiB.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, SERVER};
use reqwest::{RequestBuilder, Url};
use tokio::time::{Instant, timeout, timeout_at};

use super::body::Written;
use super::fault::{Broken, Fault, Unsaid, chain, wait_of};
use super::reply::{Reply, read, text_of};
use super::secret::{Redactor, Secret, Vault};
use super::shape::Known;
use super::wire::{Target, Wire};
use crate::domain::fleet::{Endpoint, Protocol, SecretRef, base_url};
use crate::domain::protocol::{FailureKind, Remedy};

/// llama.cpp closes an idle connection after 5 s (`Keep-Alive: timeout=5`); a second less, and none is used that the
/// server is just closing.
const IDLE: Duration = Duration::from_secs(4);

/// A server on this machine accepts at once, one in the house within milliseconds; of 12 connections at once to mlx, two
/// needed 1.0 s (its backlog is 5).
const CONNECT: Duration = Duration::from_secs(3);

/// The time an error's body may take.
const ERROR_LIMIT: Duration = Duration::from_secs(3);

/// The most of an error's body that is read: known ones have less than 1 KiB.
const ERROR_BODY: usize = 64 * 1024;

/// The most of a state answer (`/props`, `/api/show`) that is read: they carry a template and lists of tensors.
const STATE_BODY: usize = 16 * 1024 * 1024;

/// The most of an answer that is read of an address nobody named: a list of 5,000 models, and no more than 32 MiB where
/// 16 addresses are asked at once.
const LOOK_BODY: usize = 2 * 1024 * 1024;

/// Who asks.
pub(super) const WHO: &str = concat!("baton/", env!("CARGO_PKG_VERSION"));

/// There are servers that compress for whoever does not say that he can't read it.
pub(super) const PLAIN: &str = "identity";

/// The client can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The HTTP library refused its settings.
    #[error("the HTTP client could not be made: {0}; this is a fault of this build of Baton, please report it")]
    Build(#[from] reqwest::Error),
}

/// Talks to model servers. Cheap to clone; clones share connections and secrets.
#[derive(Clone, Debug)]
pub struct Client {
    /// For answers over http.
    wire: Wire,
    /// For what else goes over http; it trusts no certificate at all, and so needs no store of them.
    plain: Pair,
    /// For https, made when the first such address is asked: to read the machine's certificates takes 10 ms and more,
    /// and there are machines without any.
    secure: Arc<OnceLock<Result<Pair, String>>>,
    pub(super) vault: Vault,
    /// Where requests go, parsed: by the endpoint's url as it is written, then by path. As many as endpoints were used.
    addresses: Arc<Mutex<Addresses>>,
    pub(super) doubts: Doubts,
    /// What was learnt once of servers and their models.
    pub(super) known: Known,
}

/// Two clients of one scheme, by what becomes of their connections.
#[derive(Clone, Debug)]
struct Pair {
    /// Connections are kept for the next question: for reading state, which every server keeps them open for.
    kept: reqwest::Client,
    /// A connection for each request: for answers over https, and for whatever else is sent once only. To connect costs
    /// 50 µs on this machine; a broken one cost a task its try.
    fresh: reqwest::Client,
}

impl Pair {
    fn new(settings: impl Fn() -> reqwest::ClientBuilder) -> reqwest::Result<Self> {
        let kept = settings().pool_idle_timeout(IDLE).build()?;
        Ok(Self { kept, fresh: settings().pool_max_idle_per_host(0).build()? })
    }
}

/// Endpoints' urls at which a connection broke, and when. A server that ends takes no connections any more, and answers for a
/// while over those it has: what it says there is no sign of health. As many as endpoints were used.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts(Arc<Mutex<HashMap<String, Instant>>>);

impl Doubts {
    /// A connection broke at `url`.
    pub(super) fn raise(&self, url: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(url.to_owned(), Instant::now());
    }

    /// Whether there may be a connection that was kept before the last one broke.
    fn about(&self, url: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(url).is_some_and(|since| since.elapsed() < IDLE)
    }
}

/// By the endpoint's url, then by path.
type Addresses = HashMap<String, Vec<(&'static str, Arc<Place>)>>;

/// Where a request goes.
#[derive(Debug)]
struct Place {
    url: Url,
    /// None where the library is to send it.
    target: Option<Target>,
}

/// A state answer: status, the server's name for itself, and the body.
#[derive(Debug)]
pub(super) struct State {
    pub(super) status: u16,
    pub(super) server: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// A client with a pool of its own.
    ///
    /// # Errors
    /// [`ClientError::Build`] where the HTTP library refuses its settings.
    pub fn new() -> Result<Self, ClientError> {
        static PROVIDER: Once = Once::new();
        // An error says that the process has one already, which does as well.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let plain = Pair::new(|| settings().tls_certs_only(std::iter::empty()))?;
        Ok(Self {
            wire: Wire::new(CONNECT),
            plain,
            secure: Arc::default(),
            vault: Vault::default(),
            addresses: Arc::default(),
            doubts: Doubts::default(),
            known: Known::default(),
        })
    }

    /// The clients for `url`'s scheme.
    fn http(&self, url: &str) -> Result<&Pair, Fault> {
        if !url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
            return Ok(&self.plain);
        }
        let secure = self.secure.get_or_init(|| Pair::new(settings).map_err(|error| chain(&error)));
        secure.as_ref().map_err(|error| {
            Fault::new(
                FailureKind::Unreachable,
                Remedy::Operator,
                format!("https can't be used on this machine: {error}"),
                "install root certificates, or use http for a server on this machine",
            )
        })
    }

    /// Replaces the secrets this client has resolved; for texts that do not pass through it.
    pub fn redactor(&self) -> Redactor {
        self.vault.redactor.clone()
    }

    /// The secret behind `reference`; from now on the redactor knows it.
    ///
    /// # Errors
    /// The fault says what was not there.
    pub(in crate::engine) async fn secret(&self, reference: &SecretRef) -> Result<Secret, Fault> {
        self.vault.resolve(reference).await
    }

    /// Sends what was `written` and waits for its headers, no longer than `silence`: llama-server sends none before the
    /// request has a slot, and one that lost its power never does.
    pub(super) async fn open(
        &self,
        endpoint: &Endpoint,
        written: Result<Written, serde_json::Error>,
        silence: Duration,
    ) -> Result<Reply, Fault> {
        if endpoint.protocol == Protocol::Command {
            return Err(Fault::new(
                FailureKind::Refused,
                Remedy::Operator,
                "command-line agents are not served yet",
                "give the endpoint another protocol in fleet.toml",
            ));
        }
        let (path, body) = written.map_err(|error| {
            Fault::new(
                FailureKind::Refused,
                Remedy::Operator,
                format!("the request could not be written: {error}"),
                "see the answer schema in the plan",
            )
        })?;
        let place = self.place(endpoint, path)?;
        let key = self.key(endpoint).await?;
        let began = Instant::now();
        let sent = timeout(silence, self.post(&place, key, body)).await;
        let status = sent.as_ref().ok().and_then(|sent| sent.as_ref().ok()).map(|response| response.status().as_u16());
        noted("POST", &place.url, status, began);
        let response = sent.map_err(|_| Fault::silent(silence, Unsaid::Head))?.inspect_err(|fault| {
            if fault.kind == FailureKind::Cut {
                self.doubts.raise(&endpoint.url);
            }
        })?;
        let headers = response.headers();
        let coding = text_of(headers, &CONTENT_ENCODING).filter(|coding| !coding.eq_ignore_ascii_case("identity"));
        if response.status().is_success() {
            return coding.map(Fault::compressed).map_or(Ok(()), Err).map(|()| response);
        }
        // What is compressed has no words to show.
        let most = coding.map_or(ERROR_BODY, |_| 0);
        let status = response.status().as_u16();
        if let (401 | 403, Some(key)) = (status, &endpoint.key) {
            self.vault.forget(key);
        }
        let wait = wait_of(|name| response.headers().get(name)?.to_str().ok(), SystemTime::now());
        let server = text_of(headers, &SERVER).map(str::to_owned);
        // An error without words is still an error.
        let body = timeout(ERROR_LIMIT, read(response, most)).await.unwrap_or_default();
        let fault = Fault::of_reply(endpoint.protocol, status, &body, wait).by_server(server.as_deref());
        Err(if matches!(status, 404 | 405) { fault.of_path(place.url.path()) } else { fault })
    }

    /// Sends `body` to a place over a connection of its own, and waits for the head of the answer.
    async fn post(&self, place: &Place, key: Option<HeaderValue>, body: Vec<u8>) -> Result<Reply, Fault> {
        let sent = match &place.target {
            Some(target) => self.wire.post(target, key, body).await.map(|answer| Reply::Own(Box::new(answer))),
            None => {
                let post = self.http(place.url.as_str())?.fresh.post(place.url.clone()).body(body);
                let post = post.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                with(post, key).send().await.map(Reply::Library).map_err(Broken::from)
            }
        };
        sent.map_err(|broken| Fault::of_transport(&broken))
    }

    /// Where `path` of `endpoint` is; parsed once, not for every request.
    fn place(&self, endpoint: &Endpoint, path: &'static str) -> Result<Arc<Place>, Fault> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let known = addresses.get(&endpoint.url).and_then(|paths| paths.iter().find(|(known, _)| *known == path));
        if let Some((_, place)) = known {
            return Ok(Arc::clone(place));
        }
        let url = Url::parse(&format!("{}{path}", base(endpoint))).map_err(|error| Fault::of_url(&error))?;
        let place = Arc::new(Place { target: Target::of(&url), url });
        addresses.entry(endpoint.url.clone()).or_default().push((path, Arc::clone(&place)));
        Ok(place)
    }

    /// The endpoint's key, as it is sent.
    async fn key(&self, endpoint: &Endpoint) -> Result<Option<HeaderValue>, Fault> {
        let Some(key) = &endpoint.key else { return Ok(None) };
        let secret = self.vault.resolve(key).await?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", secret.expose())).map_err(|_| {
            Fault::new(
                FailureKind::Secret,
                Remedy::Operator,
                "the key has characters that no header may have",
                "check what the endpoint's key in fleet.toml refers to",
            )
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Reads state from `endpoint`: `GET path`, or `POST` where there is a body; whole within `limit`.
    pub(super) async fn state(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<State, Fault> {
        let url = format!("{}{path}", base(endpoint));
        let Pair { kept, fresh } = self.http(&url)?;
        let http = if self.doubts.about(&endpoint.url) { fresh } else { kept };
        let request = match body {
            Some(body) => http.post(url).header(CONTENT_TYPE, "application/json").body(body),
            None => http.get(url),
        };
        let request = with(request, self.key(endpoint).await?);
        let again = request.try_clone();
        Ok(self.redacted(fetch(request, again, limit, STATE_BODY).await?))
    }

    /// Has `endpoint` do something by `POST path`; whole within `limit`, and sent once only, over a connection of its own.
    pub(super) async fn act(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<State, Fault> {
        let url = format!("{}{path}", base(endpoint));
        let post = self.http(&url)?.fresh.post(url).header(CONTENT_TYPE, "application/json").body(body);
        Ok(self.redacted(fetch(with(post, self.key(endpoint).await?), None, limit, STATE_BODY).await?))
    }

    /// A server may show the key it was sent as its own name or its model's.
    fn redacted(&self, mut state: State) -> State {
        // JSON may write any letter as its number; then the key is there only once it is read.
        if state.body.contains(&b'\\')
            && let Ok(value) = serde_json::from_slice::<serde_json::Value>(&state.body)
            && let Ok(plain) = serde_json::to_vec(&value)
        {
            state.body = plain;
        }
        state.body = self.vault.redactor.bytes(state.body);
        state.server = state.server.map(|name| self.vault.redactor.text(&name));
        state
    }

    /// Reads state from an address that is no endpoint yet: no key goes with it, and little is read.
    pub(super) async fn look(&self, base: &str, path: &str, limit: Duration) -> Result<State, Fault> {
        let url = format!("{base}{path}");
        let get = self.http(&url)?.kept.get(url);
        let again = get.try_clone();
        Ok(self.redacted(fetch(get, again, limit, LOOK_BODY).await?))
    }

    /// The same by POST, for Ollama's `/api/show`.
    pub(super) async fn look_by_post(
        &self,
        base: &str,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<State, Fault> {
        let url = format!("{base}{path}");
        let post = self.http(&url)?.kept.post(url).header(CONTENT_TYPE, "application/json").body(body);
        let again = post.try_clone();
        Ok(self.redacted(fetch(post, again, limit, STATE_BODY).await?))
    }
}

fn base(endpoint: &Endpoint) -> String {
    base_url(&endpoint.url, Some(endpoint.protocol))
}

/// `request` with the endpoint's key.
fn with(request: RequestBuilder, key: Option<HeaderValue>) -> RequestBuilder {
    match key {
        Some(key) => request.headers(HeaderMap::from_iter([(AUTHORIZATION, key)])),
        None => request,
    }
}

fn settings() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy() // a system proxy takes even loopback addresses
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT)
        // The orchestrator decides what is tried again; the library would copy every request to be ready for it.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .redirect(reqwest::redirect::Policy::none()) // a key must not follow to another host
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(PLAIN))]))
        .user_agent(WHO)
}

/// A line of the log for a request: never what was said, nor a key. The path alone of its address, which names the
/// server and nothing else; `status` is none where no answer came.
fn noted(method: &str, url: &Url, status: Option<u16>, began: Instant) {
    let ms = began.elapsed().as_millis() as u64;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let server = format_args!("{host}:{port}");
    match status {
        Some(status) => tracing::debug!(method, %server, path = url.path(), status, ms, "request"),
        None => tracing::debug!(method, %server, path = url.path(), status = "no answer", ms, "request"),
    }
}

/// Sends `request`, and once more what is to be sent `again` where the connection broke; `most` of the body is read.
async fn fetch(
    request: RequestBuilder,
    again: Option<RequestBuilder>,
    limit: Duration,
    most: usize,
) -> Result<State, Fault> {
    let began = Instant::now();
    let deadline = began + limit;
    // Built a second time only for who wants to read of it.
    let note = if tracing::enabled!(tracing::Level::DEBUG) {
        request.try_clone().and_then(|request| request.build().ok())
    } else {
        None
    };
    let note = |status: Option<u16>| {
        if let Some(request) = &note {
            noted(request.method().as_str(), request.url(), status, began);
        }
    };
    let silent = || {
        Fault::new(
            FailureKind::Silent,
            Remedy::Elsewhere,
            format!("no answer within {} ms", limit.as_millis()),
            "see the server's log",
        )
    };
    let mut sent = timeout_at(deadline, request.send()).await.map_err(|_| {
        note(None);
        silent()
    })?;
    // A kept connection may close in the very moment it is used; reading state twice does no harm.
    if let (Err(error), Some(again)) = (&sent, again)
        && !error.is_connect()
    {
        sent = timeout_at(deadline, again.send()).await.map_err(|_| silent())?;
    }
    note(sent.as_ref().ok().map(|response| response.status().as_u16()));
    let response = sent.map_err(|error| Fault::of_transport(&error.into()))?;
    let status = response.status().as_u16();
    let server = response.headers().get(SERVER).and_then(|name| name.to_str().ok()).map(str::to_owned);
    let body = timeout_at(deadline, read(Reply::Library(response), most)).await.map_err(|_| silent())?;
    Ok(State { status, server, body })
}
