//! Connections of one life of an endpoint: accepted, served one request after another, and closed as servers close them.
//!
//! llama-server closes the connection of a streamed answer right after its last chunk, without a word: the head has
//! promised `Keep-Alive: timeout=5, max=100`, and there is no `Connection: close` (two builds, seen with strace). A client
//! that sends its next request over it finds it closed before an answer. Such responses are marked with [`Closes`].
//!
//! Not here: what is answered (`routes`), and the end of a life, which cuts all connections.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The mark of a response whose end closes its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closes;

/// Between the last chunk and the close. llama-server takes some 0.1 ms; a client on a busy machine is often slower than
/// that to send its next request, so this is the grain of tokio's timer, and a client that is wrong finds it out.
const BEFORE_CLOSING: Duration = Duration::from_millis(1);
/// How long what a client still sends is read and thrown away, so that it sees an end and no reset, as there.
const DRAINING: Duration = Duration::from_millis(500);
/// After a connection that could not be accepted: most often there are no descriptors left, and some get free.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves whoever connects, for ever. A request that comes over a kept connection when this life is `over` finds it closed.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    over: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Each write is one piece of an answer: it must not wait for the next one.
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, router.clone(), over.clone()));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, router: Router, over: impl Fn() -> bool + Send + Sync) {
    let closes = Arc::new(AtomicBool::new(false));
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let answer = (!over()).then(|| router.call(request));
        let closes = Arc::clone(&closes);
        Box::pin(async move {
            let Some(answer) = answer else { return Err(io::Error::from(io::ErrorKind::ConnectionAborted)) };
            let Ok(response) = answer.await;
            if response.extensions().get::<Closes>().is_some() {
                closes.store(true, Ordering::Relaxed);
            }
            Ok(response)
        })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| {
        let polled = connection.poll_without_shutdown(context);
        if polled.is_ready() || !closes.load(Ordering::Relaxed) {
            return polled;
        }
        // Only now, when the head is written, or it would tell.
        Pin::new(&mut connection).graceful_shutdown();
        connection.poll_without_shutdown(context)
    });
    if ended.await.is_err() || !closes.load(Ordering::Relaxed) {
        return;
    }
    let mut stream = connection.into_parts().io.into_inner();
    tokio::time::sleep(BEFORE_CLOSING).await;
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut thrown = [0; 4096];
    let drained = async { while stream.read(&mut thrown).await.is_ok_and(|n| n > 0) {} };
    // A client that keeps it open is left.
    let _ = tokio::time::timeout(DRAINING, drained).await;
}
