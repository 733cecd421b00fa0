//! The HTTP client: a [`Request`] becomes an [`AnswerStream`].
//!
//! Not here: bodies (`body`), decoding (`decode`), what errors mean (`fault`). Invariants: dropping a stream closes its
//! connection, which is how a request is cancelled (every server looks at the connection, none has a better way); a
//! request that makes a server do something goes over a connection of its own, never over one that was used before
//! (llama-server closes each stream's connection right after the last chunk and does not say so in its head), so that
//! one that breaks says something of the server; no proxy is ever used. A head is bounded by the HTTP library: 100
//! fields, 400 KiB.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SERVER,
};
use reqwest::{RequestBuilder, Response, Url};
use tokio::time::{Instant, timeout, timeout_at};

use super::body::{Written, written};
use super::chunk::Chunk;
use super::decode::Decoder;
use super::fault::{Fault, ProviderError, Unsaid, chain, wait_of};
use super::request::Request;
use super::secret::{Redactor, Secret, StreamRedactor, Vault};
use super::shape::Known;
use crate::domain::fleet::{Endpoint, Protocol, SecretRef, base_url};
use crate::domain::protocol::{FailureKind, Remedy};

/// llama.cpp closes an idle connection after 5 s (`Keep-Alive: timeout=5`); a second less, and none is used that the
/// server is just closing.
const IDLE: Duration = Duration::from_secs(4);

/// A server on this machine accepts at once, one in the house within milliseconds; of 12 connections at once to mlx, two
/// needed 1.0 s (its backlog is 5).
const CONNECT: Duration = Duration::from_secs(3);

/// How long figures and the terminator may take after the server has said why the answer ended: they come with it, and
/// some servers keep the connection open after them, or for good.
const AFTER_END: Duration = Duration::from_secs(3);

/// The time an error's body may take.
const ERROR_LIMIT: Duration = Duration::from_secs(3);

/// The most of an error's body that is read: known ones have less than 1 KiB.
const ERROR_BODY: usize = 64 * 1024;

/// The most of a state answer (`/props`, `/api/show`) that is read: they carry a template and lists of tensors.
const STATE_BODY: usize = 16 * 1024 * 1024;

/// The most of an answer that is read of an address nobody named: a list of 5,000 models, and no more than 32 MiB where
/// 16 addresses are asked at once.
const LOOK_BODY: usize = 2 * 1024 * 1024;

/// The bytes of an answer's body that may come without an end of the answer, whatever is in them: signs of life while a long
/// prompt is read, and events with nothing in them. A comment each second has 30 bytes, so this is 25 days of them; progress of
/// half a KiB ten times a second is hours of it. What never ends takes minutes to come to it, and ends then.
const MOST_BODY: u64 = 64 * 1024 * 1024;

/// And so many for each token that was asked for: events of one token have 200 to 500 bytes.
const MOST_OF_TOKEN: u64 = 4 * 1024;

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
    /// For http; it trusts no certificate at all, and so needs no store of them.
    plain: Pair,
    /// For https, made when the first such address is asked: to read the machine's certificates takes 10 ms and more,
    /// and there are machines without any.
    secure: Arc<OnceLock<Result<Pair, String>>>,
    pub(super) vault: Vault,
    /// Where requests go, parsed: by the endpoint's url as it is written, then by path. As many as endpoints were used.
    addresses: Arc<Mutex<Addresses>>,
    /// What was learnt once of servers and their models.
    pub(super) known: Known,
}

/// Two clients of one scheme, by what becomes of their connections.
#[derive(Clone, Debug)]
struct Pair {
    /// Connections are kept for the next question: for reading state, which every server keeps them open for.
    kept: reqwest::Client,
    /// A connection for each request: for answers, and for whatever else is sent once only. To connect costs 50 µs on
    /// this machine; a broken one cost a task its try.
    fresh: reqwest::Client,
}

impl Pair {
    fn new(settings: impl Fn() -> reqwest::ClientBuilder) -> reqwest::Result<Self> {
        let kept = settings().pool_idle_timeout(IDLE).build()?;
        Ok(Self { kept, fresh: settings().pool_max_idle_per_host(0).build()? })
    }
}

/// By the endpoint's url, then by path.
type Addresses = HashMap<String, Vec<(&'static str, Url)>>;

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
            plain,
            secure: Arc::default(),
            vault: Vault::default(),
            addresses: Arc::default(),
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

    /// Sends `request` when the stream is first asked for its next chunk.
    pub fn stream(&self, request: Request) -> AnswerStream {
        let decoder = Decoder::new(request.endpoint.protocol, request.endpoint.api).for_format(&request.format);
        let written = written(&request);
        let silence = request.silence;
        let left = MOST_BODY.saturating_add(MOST_OF_TOKEN.saturating_mul(request.max_tokens.into()));
        // The conversation is in the body now; only the endpoint is needed on.
        let endpoint = Arc::new(request.endpoint);
        let (client, there) = (self.clone(), Arc::clone(&endpoint));
        AnswerStream {
            state: Stage::Opening(Box::pin(async move { client.open(&there, written, silence).await })),
            decoder,
            redact: None,
            redactor: self.redactor(),
            out: VecDeque::new(),
            raw: VecDeque::new(),
            fault: None,
            endpoint,
            silence,
            left,
            last: None,
        }
    }

    /// Sends what was `written` and waits for its headers, no longer than `silence`: llama-server sends none before the
    /// request has a slot, and one that lost its power never does.
    async fn open(
        &self,
        endpoint: &Endpoint,
        written: Result<Written, serde_json::Error>,
        silence: Duration,
    ) -> Result<Response, Fault> {
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
        let url = self.address(endpoint, path)?;
        let post = self.http(url.as_str())?.fresh.post(url).body(body);
        let post = post.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = timeout(silence, self.keyed(post, endpoint).await?.send()).await;
        let response =
            sent.map_err(|_| Fault::silent(silence, Unsaid::Head))?.map_err(|error| Fault::of_transport(&error))?;
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
        let asked = response.url().path().to_owned();
        // An error without words is still an error.
        let body = timeout(ERROR_LIMIT, read(response, most)).await.unwrap_or_default();
        let fault = Fault::of_reply(endpoint.protocol, status, &body, wait).by_server(server.as_deref());
        Err(if matches!(status, 404 | 405) { fault.of_path(&asked) } else { fault })
    }

    /// Where `path` of `endpoint` is; parsed once, not for every request.
    fn address(&self, endpoint: &Endpoint, path: &'static str) -> Result<Url, Fault> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let known = addresses.get(&endpoint.url).and_then(|paths| paths.iter().find(|(known, _)| *known == path));
        if let Some((_, url)) = known {
            return Ok(url.clone());
        }
        let url = Url::parse(&format!("{}{path}", base(endpoint))).map_err(|error| Fault::of_url(&error))?;
        addresses.entry(endpoint.url.clone()).or_default().push((path, url.clone()));
        Ok(url)
    }

    /// Adds the endpoint's key.
    async fn keyed(&self, request: RequestBuilder, endpoint: &Endpoint) -> Result<RequestBuilder, Fault> {
        let Some(key) = &endpoint.key else { return Ok(request) };
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
        Ok(request.headers(HeaderMap::from_iter([(AUTHORIZATION, value)])))
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
        let http = &self.http(&url)?.kept;
        let request = match body {
            Some(body) => http.post(url).header(CONTENT_TYPE, "application/json").body(body),
            None => http.get(url),
        };
        let request = self.keyed(request, endpoint).await?;
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
        Ok(self.redacted(fetch(self.keyed(post, endpoint).await?, None, limit, STATE_BODY).await?))
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

fn settings() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy() // a system proxy takes even loopback addresses
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT)
        // The orchestrator decides what is tried again; the library would copy every request to be ready for it.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .redirect(reqwest::redirect::Policy::none()) // a key must not follow to another host
        // There are servers that compress for whoever does not say that he can't read it.
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]))
        .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
}

/// Sends `request`, and once more what is to be sent `again` where the connection broke; `most` of the body is read.
async fn fetch(
    request: RequestBuilder,
    again: Option<RequestBuilder>,
    limit: Duration,
    most: usize,
) -> Result<State, Fault> {
    let deadline = Instant::now() + limit;
    let silent = || {
        Fault::new(
            FailureKind::Silent,
            Remedy::Elsewhere,
            format!("no answer within {} ms", limit.as_millis()),
            "see the server's log",
        )
    };
    let mut sent = timeout_at(deadline, request.send()).await.map_err(|_| silent())?;
    // A kept connection may close in the very moment it is used; reading state twice does no harm.
    if let (Err(error), Some(again)) = (&sent, again)
        && !error.is_connect()
    {
        sent = timeout_at(deadline, again.send()).await.map_err(|_| silent())?;
    }
    let response = sent.map_err(|error| Fault::of_transport(&error))?;
    let status = response.status().as_u16();
    let server = response.headers().get(SERVER).and_then(|name| name.to_str().ok()).map(str::to_owned);
    let body = timeout_at(deadline, read(response, most)).await.map_err(|_| silent())?;
    Ok(State { status, server, body })
}

/// The body, as much of it as comes, up to `most` bytes.
async fn read(mut response: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < most
        && let Ok(Some(bytes)) = response.chunk().await
    {
        body.extend_from_slice(&bytes);
    }
    body.truncate(most);
    body
}

/// A header as text.
fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

type Opening = Pin<Box<dyn Future<Output = Result<Response, Fault>> + Send>>;

/// Where a stream is.
enum Stage {
    /// Sent or queued; no headers yet.
    Opening(Opening),
    /// Accepted; the body is being read.
    Reading { response: Response, deadline: Instant },
    /// Nothing more comes.
    Over,
}

/// An answer as it comes. Dropping it closes the connection, and the server stops.
pub struct AnswerStream {
    state: Stage,
    decoder: Decoder,
    redact: Option<StreamRedactor>,
    redactor: Redactor,
    /// Decoded and redacted; never more than one read of the network gives.
    out: VecDeque<Chunk>,
    raw: VecDeque<Chunk>,
    /// What comes after `out`.
    fault: Option<Fault>,
    endpoint: Arc<Endpoint>,
    silence: Duration,
    /// The bytes of the body that may still come.
    left: u64,
    /// When it is over at the latest, once its server has said why it ended.
    last: Option<Instant>,
}

impl std::fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = match self.state {
            Stage::Opening(_) => "opening",
            Stage::Reading { .. } => "reading",
            Stage::Over => "over",
        };
        write!(f, "AnswerStream({} {stage})", self.endpoint.name)
    }
}

impl AnswerStream {
    /// The next chunk; none after [`Chunk::End`] or an error. May be dropped while it waits and asked again: nothing is
    /// lost, and the limit for silence does not start anew.
    ///
    /// # Errors
    /// The request's failure, once, as the last item.
    pub async fn next(&mut self) -> Option<Result<Chunk, ProviderError>> {
        loop {
            if let Some(chunk) = self.out.pop_front() {
                return Some(Ok(chunk));
            }
            if let Some(fault) = self.fault.take() {
                self.state = Stage::Over;
                return Some(Err(fault.at(&self.endpoint, &self.redactor)));
            }
            match &mut self.state {
                Stage::Opening(opening) => match opening.await {
                    Ok(response) => {
                        self.redact = Some(self.redactor.stream());
                        self.state = Stage::Reading { response, deadline: Instant::now() + self.silence };
                        return Some(Ok(Chunk::Accepted));
                    }
                    Err(fault) => {
                        self.state = Stage::Over;
                        return Some(Err(fault.at(&self.endpoint, &self.redactor)));
                    }
                },
                Stage::Reading { response, deadline } => {
                    if self.decoder.is_told() {
                        // Signs of life put it off no more.
                        let last = *self.last.get_or_insert_with(|| Instant::now() + AFTER_END);
                        *deadline = last.min(*deadline);
                    }
                    let fed = match timeout_at(*deadline, response.chunk()).await {
                        Err(_) if self.last.is_some() => self.decoder.finish(&mut self.raw),
                        Err(_) => Err(Fault::silent(self.silence, self.decoder.unsaid())),
                        Ok(Ok(Some(bytes))) => {
                            *deadline = Instant::now() + self.silence;
                            match self.left.checked_sub(bytes.len() as u64) {
                                Some(left) => {
                                    self.left = left;
                                    self.decoder.feed(&bytes, &mut self.raw)
                                }
                                None => Err(Fault::garbage(
                                    "more than 64 MiB came, and 4 KiB for each token asked for, without an end of the answer",
                                )),
                            }
                        }
                        Ok(Ok(None)) => self.decoder.finish(&mut self.raw),
                        // The end may have come all the same: only the terminator tells.
                        Ok(Err(error)) => self.decoder.finish(&mut self.raw).map_err(|fault| match fault.kind {
                            FailureKind::Cut => Fault::of_broken_body(&error),
                            _ => fault,
                        }),
                    };
                    self.fault = fed.err().map(|fault| fault.by_server(text_of(response.headers(), &SERVER)));
                    self.settle();
                }
                Stage::Over => return None,
            }
        }
    }

    /// Redacts what was decoded, and moves on where the answer is over.
    fn settle(&mut self) {
        let Self { raw, out, redact, .. } = self;
        match redact {
            Some(redact) => {
                for chunk in raw.drain(..) {
                    redact.pass(chunk, |chunk| out.push_back(chunk));
                }
                if self.fault.is_some() {
                    redact.rest(|chunk| out.push_back(chunk));
                }
            }
            None => out.append(raw),
        }
        if self.decoder.is_over() || self.fault.is_some() {
            self.state = Stage::Over;
        }
    }
}
