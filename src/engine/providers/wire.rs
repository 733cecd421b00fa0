//! One request over a connection of its own, to a server in plain http: what nearly every answer comes over.
//!
//! The connection is worked by whoever waits for its answer, in no task beside it, and in no pool: a task of a few
//! milliseconds has no time for either. Not here: https, whose certificates the HTTP library knows (`client` chooses);
//! what a request says (`body`) and what goes wrong with it means (`fault`). Invariants: dropping an [`Answer`], or the
//! future that waits for one, closes the connection at once; nothing is sent twice; no proxy is used and no redirect
//! followed. A head is bounded by the HTTP library: 100 fields, 400 KiB.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::response::Parts;
use hyper::service::Service;
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use reqwest::{Body, Url};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fault::Broken;

/// Where one kind of request goes, made ready once for all of them.
#[derive(Debug)]
pub(super) struct Target {
    /// The whole address, for the way there.
    address: Uri,
    /// What the request line has of it.
    path: Uri,
    head: HeaderMap,
}

impl Target {
    /// None for what this is not made for, and the library is: another scheme, or a user in the address.
    pub(super) fn of(url: &Url) -> Option<Self> {
        if url.scheme() != "http" || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let address: Uri = url.as_str().parse().ok()?;
        // With its port, where that is not http's own, and with the brackets of an address of IPv6.
        let host = HeaderValue::from_str(address.authority()?.as_str()).ok()?;
        let path = address.path_and_query()?.as_str().parse().ok()?;
        let head = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (ACCEPT, HeaderValue::from_static("*/*")),
            (ACCEPT_ENCODING, HeaderValue::from_static(super::client::PLAIN)),
            (USER_AGENT, HeaderValue::from_static(super::client::WHO)),
            (HOST, host),
        ]);
        Some(Self { address, path, head })
    }
}

/// Makes connections. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    connect: TowerToHyperService<HttpConnector>,
    patience: Duration,
}

impl Wire {
    /// Connections that must stand within `patience`, the look-up of the name included.
    pub(super) fn new(patience: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Of several addresses one that drops every packet takes its share of the time only.
        connector.set_connect_timeout(Some(patience));
        Self { connect: TowerToHyperService::new(connector), patience }
    }

    /// Sends `body` by POST, and waits for the head of the answer.
    pub(super) async fn post(
        &self,
        target: &Target,
        key: Option<HeaderValue>,
        body: Vec<u8>,
    ) -> Result<Answer, Broken> {
        let connecting = timeout(self.patience, self.connect.call(target.address.clone()));
        let stream = connecting.await.map_err(|_| Broken::late())?.map_err(|error| Broken::connecting(&error))?;
        let (mut sender, connection) = http1::handshake(stream).await?;
        let mut work = Work(Some(connection));
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.path.clone();
        request.headers_mut().clone_from(&target.head);
        if let Some(key) = key {
            request.headers_mut().insert(AUTHORIZATION, key);
        }
        let mut response = pin!(sender.send_request(request));
        let response = std::future::poll_fn(|context| {
            work.advance(context);
            response.as_mut().poll(context)
        });
        let (head, body) = response.await?.into_parts();
        Ok(Answer { head, body, work, _sender: sender })
    }
}

/// An answer whose head has come.
pub(super) struct Answer {
    pub(super) head: Parts,
    body: Incoming,
    work: Work,
    /// Without it the connection takes its request for the last one and may close before the body has come.
    _sender: http1::SendRequest<Body>,
}

/// The connection; none once its last byte has come, or it broke: whoever waits for the head or the body is told which.
struct Work(Option<http1::Connection<TokioIo<TcpStream>, Body>>);

impl Work {
    /// Reads and writes what can be.
    fn advance(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && Pin::new(connection).poll(context).is_ready()
        {
            self.0 = None;
        }
    }
}

impl Answer {
    /// The next bytes of the body; none at its end. May be dropped while it waits and asked again.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        std::future::poll_fn(|context| {
            // It is the connection that hands over, while it is worked here: it need not wake its own task for that.
            let polled = self.taken(&mut Context::from_waker(Waker::noop()));
            if polled.is_ready() {
                return polled;
            }
            self.work.advance(context);
            self.taken(context)
        })
        .await
    }

    /// What the connection has handed over.
    fn taken(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Broken>> {
        loop {
            return match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(error))) => Poll::Ready(Err(error.into())),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => Poll::Ready(Ok(Some(bytes))),
                    // Trailers say nothing of an answer.
                    Err(_) => continue,
                },
            };
        }
    }
}
