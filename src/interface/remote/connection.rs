//! One connection: one request, whose head must come whole and in time, and its answer.
//!
//! Not here: what is asked (`routes`). Invariants: half a request holds a connection for [`PATIENCE`] at most; what is no
//! HTTP is told so in words and goes no further; one request a connection, so that none lies about unused.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::Notify;

use super::refusal::{Refusal, Wire};

/// How long a client may take for the head of its request, and again for the body.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head: a key and a few lines beside it.
const MOST_HEAD: usize = 16 * 1024;

/// How long a client may take to read a refusal.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves one connection to its end, or until it is cut.
pub(super) async fn serve<S>(io: S, router: Router, cut: Arc<Notify>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::select! {
        () = answer(io, router) => {}
        () = cut.notified() => {}
    }
}

async fn answer<S>(mut io: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = match tokio::time::timeout(PATIENCE, read_head(&mut io)).await {
        Ok(Ok(Some(head))) => head,
        Ok(Ok(None)) => return,
        Ok(Err(refusal)) => return tell(&mut io, &refusal).await,
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            let words = format!("the request was not whole after {seconds} s; send it at once");
            return tell(&mut io, &Refusal::new(StatusCode::REQUEST_TIMEOUT, words)).await;
        }
    };
    let io = TokioIo::new(Rewound { head: Bytes::from(head), io });
    // How a client goes away is its own affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(io, TowerToHyperService::new(router))
        .await;
}

/// Reads a body of at most that many bytes.
pub(super) async fn body(body: Body, most: usize) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(PATIENCE, axum::body::to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let words = format!("the body is longer than {most} bytes, or broke off; send less");
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, words))
        }
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            let words = format!("the body was not whole after {seconds} s; send it at once");
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, words))
        }
    }
}

/// A refusal as bytes, for a client that has no request yet.
pub(super) fn raw(refusal: &Refusal) -> String {
    let body = serde_json::to_string(&Wire { error: &refusal.words }).unwrap_or_default();
    format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        refusal.status,
        body.len()
    )
}

async fn tell(io: &mut (impl AsyncWrite + Unpin), refusal: &Refusal) {
    let text = raw(refusal);
    let told = async {
        io.write_all(text.as_bytes()).await?;
        io.shutdown().await
    };
    // Whoever does not read is not waited for.
    let _ = tokio::time::timeout(FAREWELL, told).await;
}

/// Reads to the end of the head, and what came with it; none: nothing came.
async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, Refusal> {
    let mut head = Vec::with_capacity(1024);
    loop {
        let seen = head.len();
        let read = io.read_buf(&mut head).await.unwrap_or(0);
        if read == 0 {
            if head.is_empty() {
                return Ok(None);
            }
            return Err(Refusal::bad("the request broke off before its head was whole"));
        }
        let end = find(&head, seen.saturating_sub(3), b"\r\n\r\n");
        let whole = end.unwrap_or(head.len());
        if whole > MOST_HEAD {
            let words =
                format!("the head of the request is longer than {MOST_HEAD} bytes; send fewer or shorter headers");
            return Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, words));
        }
        if !is_http(&head[..whole], end.is_some()) {
            return Err(Refusal::bad("this is no HTTP/1.1 request; `baton ctl` speaks for you"));
        }
        if end.is_some() {
            return Ok(Some(head));
        }
    }
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes[from..].windows(what.len()).position(|w| w == what).map(|at| from + at)
}

/// Whether a head, as far as it came, is one of a request: its first line, and a name before each colon.
fn is_http(head: &[u8], whole: bool) -> bool {
    let mut lines = head.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).peekable();
    let Some(first) = lines.next() else { return false };
    let complete = whole || lines.peek().is_some();
    if !first.first().is_some_and(u8::is_ascii_uppercase) || first.iter().any(|b| *b < b' ' || *b == 127) {
        return false;
    }
    if !complete {
        return true;
    }
    let mut words = first.split(|b| *b == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let method = method.is_some_and(|m| m.len() <= 16 && m.iter().all(u8::is_ascii_uppercase));
    let target = target.is_some_and(|t| !t.is_empty());
    let version = words.next().is_none() && version.is_some_and(|v| v == b"HTTP/1.1" || v == b"HTTP/1.0");
    let is_header = |line: &[u8]| {
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
        name.len() < line.len() && !name.is_empty() && name.iter().all(token)
    };
    let mut headers: Vec<&[u8]> = lines.collect();
    if !whole {
        // The last line may go on.
        headers.pop();
    }
    method && target && version && headers.iter().all(|line| is_header(line))
}

/// A connection whose first bytes were read already.
struct Rewound<S> {
    head: Bytes,
    io: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.head.is_empty() {
            let n = self.head.len().min(into.remaining());
            into.put_slice(&self.head.split_to(n));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(bytes: &[u8]) -> String {
        let (mut here, there) = tokio::io::duplex(1 << 20);
        let router = Router::new().fallback(|| async { "served" });
        let served = tokio::spawn(serve(there, router, Arc::default()));
        here.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        here.read_to_end(&mut answer).await.unwrap();
        served.await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_whole_request_is_told_so_in_words() {
        for (bytes, status, words) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00"[..], "400", "no HTTP"),
            (b"get / HTTP/1.1\r\n\r\n", "400", "no HTTP"),
            (b"GET /\r\n\r\n", "400", "no HTTP"),
            (b"GET / HTTP/2\r\n\r\n", "400", "no HTTP"),
            (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "400", "no HTTP"),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", "408", "not whole"),
            (b"G", "408", "not whole"),
        ] {
            let answer = answered(bytes).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(words), "{answer}");
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
        assert!(answered(long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_pieces_is_served_once_it_is_whole() {
        let (mut here, there) = tokio::io::duplex(64);
        let router = Router::new().fallback(|| async { "served" });
        let served = tokio::spawn(serve(there, router, Arc::default()));
        for byte in b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n" {
            here.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        here.read_to_end(&mut answer).await.unwrap();
        served.await.unwrap();
        assert!(String::from_utf8(answer).unwrap().ends_with("served"));
    }
}
