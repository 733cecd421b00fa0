//! An answer as it comes: a [`Request`] becomes an [`AnswerStream`].
//!
//! Not here: the way to the server (`client`), decoding (`decode`), what errors mean (`fault`). Invariants: dropping a stream
//! closes its connection, which is how a request is cancelled (every server looks at the connection, none has a better
//! way); no secret leaves in a chunk; what never ends is ended.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::SERVER;
use tokio::time::{Instant, Sleep, sleep_until};

use super::body::written;
use super::chunk::Chunk;
use super::client::{Client, Doubts};
use super::decode::Decoder;
use super::fault::{Fault, ProviderError};
use super::reply::{Reply, text_of};
use super::request::Request;
use super::secret::{Redactor, StreamRedactor};
use crate::domain::fleet::Endpoint;
use crate::domain::protocol::FailureKind;

/// How long figures and the terminator may take after the server has said why the answer ended: they come with it, and
/// some servers keep the connection open after them, or for good.
const AFTER_END: Duration = Duration::from_secs(3);

/// The bytes of an answer's body that may come without an end of the answer, whatever is in them: signs of life while a long
/// prompt is read, and events with nothing in them. A comment each second has 30 bytes, so this is 25 days of them; progress of
/// half a KiB ten times a second is hours of it. What never ends takes minutes to come to it, and ends then.
const MOST_BODY: u64 = 64 * 1024 * 1024;

/// And so many for each token that was asked for: events of one token have 200 to 500 bytes.
const MOST_OF_TOKEN: u64 = 4 * 1024;

type Opening = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

impl Client {
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
            doubts: self.doubts.clone(),
            out: VecDeque::new(),
            raw: VecDeque::new(),
            fault: None,
            endpoint,
            silence,
            left,
            last: None,
        }
    }
}

/// Where a stream is.
enum Stage {
    /// Sent or queued; no headers yet.
    Opening(Opening),
    /// Accepted; the body is being read.
    Reading { response: Reply, deadline: Instant, alarm: Pin<Box<Sleep>> },
    /// Nothing more comes.
    Over,
}

/// An answer as it comes. Dropping it closes the connection, and the server stops.
pub struct AnswerStream {
    state: Stage,
    decoder: Decoder,
    redact: Option<StreamRedactor>,
    redactor: Redactor,
    doubts: Doubts,
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
                        let deadline = Instant::now() + self.silence;
                        self.state = Stage::Reading { response, deadline, alarm: Box::pin(sleep_until(deadline)) };
                        return Some(Ok(Chunk::Accepted));
                    }
                    Err(fault) => {
                        self.state = Stage::Over;
                        return Some(Err(fault.at(&self.endpoint, &self.redactor)));
                    }
                },
                Stage::Reading { response, deadline, alarm } => {
                    if self.decoder.is_told() {
                        // Signs of life put it off no more.
                        let last = *self.last.get_or_insert_with(|| Instant::now() + AFTER_END);
                        *deadline = last.min(*deadline);
                    }
                    let came = tokio::select! {
                        biased;
                        came = response.chunk() => Ok(came),
                        () = reached(alarm.as_mut(), *deadline) => Err(()),
                    };
                    let fed = match came {
                        Err(()) if self.last.is_some() => self.decoder.finish(&mut self.raw),
                        Err(()) => Err(Fault::silent(self.silence, self.decoder.unsaid())),
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
                        Ok(Err(broken)) => self.decoder.finish(&mut self.raw).map_err(|fault| match fault.kind {
                            FailureKind::Cut => Fault::of_broken_body(&broken),
                            _ => fault,
                        }),
                    };
                    if fed.as_ref().is_err_and(|fault| fault.kind == FailureKind::Cut) {
                        self.doubts.raise(&self.endpoint.url);
                    }
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

/// Waits until `deadline`. The timer is moved when it rings too early, and not for every token.
async fn reached(mut alarm: Pin<&mut Sleep>, deadline: Instant) {
    while alarm.deadline() != deadline || !alarm.is_elapsed() {
        if alarm.is_elapsed() || deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().await;
    }
}
