//! The stream of records: the past from the journal, then what happens, a line of JSON each, from any place on.
//!
//! Invariants: a stream that is asked for again from the next place misses nothing; nobody waits for one that does not
//! read: after a minute its connection is cut, and its console has left; an empty line each ten seconds is no record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State as Held};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;

use super::guard::Key;
use super::refusal::Refusal;
use super::routes::{Console, Peer, Shared, known};
use crate::domain::protocol::{Author, Record, Role};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, SendError};
use crate::engine::host::{LocalClient, MAX_VIEWERS};

/// Which viewer a console is; with it, the secret that its commands carry, what it may do at most, and session time.
pub(super) const VIEWER: HeaderName = HeaderName::from_static("baton-viewer");
pub(super) const SECRET: HeaderName = HeaderName::from_static("baton-secret");
pub(super) const ROLE: HeaderName = HeaderName::from_static("baton-role");
pub(super) const NOW: HeaderName = HeaderName::from_static("baton-now");

/// An empty line after this long without a record, so that a dead connection is noticed on either side.
const BEAT: Duration = Duration::from_secs(10);

/// A client that has not read for this long is cut off; it may come again and misses nothing.
const STUCK: Duration = Duration::from_secs(60);

/// Records asked of the session at once, and bytes put into one piece.
const BATCH: usize = 512;
const PIECE: usize = 64 * 1024;

/// Records of a session that is watched as it goes are gathered for this long, less than a frame: each piece costs a write
/// here and a wake-up there.
const GATHER: Duration = Duration::from_millis(25);

/// The longest label of where a console is.
const MOST_ORIGIN: usize = 64;

/// Answers `GET /v1/records`.
pub(super) async fn records(
    Held(house): Held<Shared>,
    Extension(peer): Extension<Peer>,
    Extension(role): Extension<Role>,
    Query(given): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    known(&given, &["from", "until", "as", "origin"])?;
    let place = |name: &str| {
        let word = given.get(name);
        let number =
            word.map(|w| w.parse::<u64>().map_err(|_| Refusal::bad(format!("{name} is the number of a record"))));
        number.transpose()
    };
    let from = place("from")?.unwrap_or(1).max(1);
    // What is not there yet would have to be waited for: a stream does that, a part does not.
    let until = place("until")?.map(|until| until.min(house.watched.state().seq));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NOW, HeaderValue::from(house.connector.now().0));
    let (mut client, seat) = match given.get("as").map(String::as_str) {
        None => (house.connector.client(Author::Person(peer.user.clone()), Role::Viewer), None),
        Some("console") if until.is_none() => {
            let origin: String =
                given.get("origin").map(String::as_str).unwrap_or_default().chars().take(MOST_ORIGIN).collect();
            let (client, seat) = join(&house, &peer, role, &CleanText::one_line(&origin))?;
            let word = if role == Role::Control { "control" } else { "viewer" };
            headers.insert(ROLE, HeaderValue::from_static(word));
            for (name, value) in [(VIEWER, seat.console.viewer.to_string()), (SECRET, seat.secret.clone())] {
                // Both are letters and digits.
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.insert(name, value);
                }
            }
            (client, Some(seat))
        }
        Some("console") => return Err(Refusal::bad("a console watches without an end: leave `until` away")),
        Some(_) => return Err(Refusal::bad("`as` is console, or is left away")),
    };
    if until.is_some_and(|until| until < from) {
        return Ok((headers, Body::empty()).into_response());
    }
    client.begin_after(from - 1);
    // One piece waits while another is written: what is further behind is read from the journal when its turn comes.
    let (pieces, waiting) = mpsc::channel::<Bytes>(1);
    tokio::spawn(feed(client, until, pieces, Arc::clone(&peer.cut), seat));
    let body = stream::unfold(waiting, |mut waiting| async move {
        waiting.recv().await.map(|piece| (Ok::<_, std::convert::Infallible>(piece), waiting))
    });
    Ok((headers, Body::from_stream(body)).into_response())
}

/// A console's place among the viewers, until its stream ends.
struct Seat {
    house: Shared,
    secret: String,
    console: Console,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.house.consoles().remove(&self.secret);
    }
}

fn join(house: &Shared, peer: &Peer, role: Role, origin: &CleanText) -> Result<(LocalClient, Seat), Refusal> {
    let full = || {
        house.counts.turned_away.fetch_add(1, Ordering::Relaxed);
        let words = format!("{MAX_VIEWERS} consoles watch already, and no more are taken; leave one");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, words)
    };
    if house.consoles().len() >= MAX_VIEWERS {
        return Err(full());
    }
    let origin = if origin.is_empty() { CleanText::from_static("this machine") } else { origin.clone() };
    let secret = Key::random().map_err(|error| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no secret could be made for this console: {error}"))
    })?;
    let client = house.connector.viewer(peer.user.clone(), origin, role).map_err(|error| match error {
        SendError::Closed => Refusal::over(),
        SendError::Busy | SendError::Refused(_) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    })?;
    let viewer = client.standing().viewer.ok_or_else(Refusal::over)?;
    let console = Console { viewer, role };
    let secret = secret.reveal().to_owned();
    house.consoles().insert(secret.clone(), console);
    Ok((client, Seat { house: Arc::clone(house), secret, console }))
}

/// Turns records into pieces until nobody takes them, the session is over, or the last one asked for is in.
async fn feed(
    mut client: LocalClient,
    until: Option<u64>,
    pieces: mpsc::Sender<Bytes>,
    cut: Arc<Notify>,
    _seat: Option<Seat>,
) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let mut batch: Vec<Arc<Record>> = Vec::new();
    loop {
        let more = tokio::select! {
            () = pieces.closed() => return,
            more = client.recv(&mut batch, BATCH) => more,
            _ = beat.tick() => true,
        };
        let mut over = !more;
        let behind = batch.len() >= BATCH;
        let mut piece = Vec::with_capacity(1024);
        for record in batch.drain(..) {
            if until.is_some_and(|until| record.seq > until) {
                over = true;
                break;
            }
            over |= until == Some(record.seq);
            if serde_json::to_writer(&mut piece, &*record).is_ok() {
                piece.push(b'\n');
            }
            if piece.len() >= PIECE && !send(&pieces, std::mem::take(&mut piece), &cut).await {
                return;
            }
        }
        if piece.is_empty() && !over {
            piece.push(b'\n');
        }
        beat.reset();
        if !piece.is_empty() && !send(&pieces, piece, &cut).await {
            return;
        }
        if over {
            return;
        }
        if !behind {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Whether a piece was taken. Whoever takes none for too long is cut off.
async fn send(pieces: &mpsc::Sender<Bytes>, piece: Vec<u8>, cut: &Notify) -> bool {
    match pieces.send_timeout(Bytes::from(piece), STUCK).await {
        Ok(()) => true,
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
            cut.notify_one();
            false
        }
        Err(mpsc::error::SendTimeoutError::Closed(_)) => false,
    }
}
