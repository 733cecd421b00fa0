//! Who may come in: the host that was named, the key, and how often.
//!
//! Not here: what may be done once inside (the orchestrator). Invariants: keys are compared in a time that says nothing of
//! where they differ, and are shown nowhere; a flood of those without a key does not keep the one with it out.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;

use super::refusal::Refusal;
use crate::domain::protocol::Role;

/// Requests a second that are answered for long…
const RATE: f64 = 100.0;
/// …and at once after a rest: twenty consoles that attach together are welcome.
const BURST: f64 = 200.0;

/// A session's control key: 32 random bytes, written as hexadecimal digits.
#[derive(Clone)]
pub(super) struct Key(String);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A new one.
    pub(super) fn random() -> std::io::Result<Self> {
        // The same source on Linux and macOS.
        let mut bytes = [0_u8; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }

    /// For the one file that holds it, and for the console it is handed to.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn fits(&self, given: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), given.as_bytes());
        let differ = ours.iter().zip(theirs).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differ) == 0 && ours.len() == theirs.len()
    }
}

/// How a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Over the socket: it is this user, who may look without a key.
    Socket,
    /// Over loopback: anybody on this machine.
    Tcp,
}

/// What a connection may do, by its key.
pub(super) fn role(way: Way, headers: &HeaderMap, key: &Key) -> Result<Role, Refusal> {
    let given = headers.get(header::AUTHORIZATION).map(|v| v.to_str().unwrap_or_default());
    let token = given.map(|v| v.strip_prefix("Bearer ").unwrap_or_default().trim());
    match (token, way) {
        (Some(token), _) if key.fits(token) => Ok(Role::Control),
        (Some(_), _) => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the key is not this session's; it stands in the .key file beside the session's socket",
        )),
        (None, Way::Socket) => Ok(Role::Viewer),
        (None, Way::Tcp) => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "a key is needed here: send `Authorization: Bearer KEY`; `baton serve` says in which file it stands",
        )),
    }
}

/// Whether the host that a client named is this machine: a page in a browser that was led here names its own.
pub(super) fn host(headers: &HeaderMap) -> Result<(), Refusal> {
    let named = headers.get(header::HOST).map(|v| v.to_str().unwrap_or_default());
    let Some(named) = named else {
        return Err(Refusal::bad("the request names no host; send `Host: localhost`"));
    };
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => named,
    };
    if ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "the host named is not this machine; only localhost, 127.0.0.1 and [::1] are answered",
    ))
}

/// How many requests are taken: by door, for those with the key and those without apart. So nobody who comes over
/// loopback, key or none, makes the owner wait at the socket.
#[derive(Debug)]
pub(super) struct Rates {
    socket: Door,
    tcp: Door,
}

#[derive(Debug)]
struct Door {
    looking: Mutex<Bucket>,
    acting: Mutex<Bucket>,
}

impl Door {
    fn new(now: Instant) -> Self {
        Self { looking: Mutex::new(Bucket::full(now)), acting: Mutex::new(Bucket::full(now)) }
    }
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(at: Instant) -> Self {
        Self { left: BURST, at }
    }

    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * RATE).min(BURST);
        self.at = now;
        let any = self.left >= 1.0;
        if any {
            self.left -= 1.0;
        }
        any
    }
}

impl Rates {
    pub(super) fn new(now: Instant) -> Self {
        Self { socket: Door::new(now), tcp: Door::new(now) }
    }

    pub(super) fn take(&self, way: Way, role: Role, now: Instant) -> Result<(), Refusal> {
        let door = match way {
            Way::Socket => &self.socket,
            Way::Tcp => &self.tcp,
        };
        let bucket = match role {
            Role::Control => &door.acting,
            Role::Viewer => &door.looking,
        };
        if bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now) {
            return Ok(());
        }
        let words =
            format!("too many requests: {RATE:.0} a second are answered; wait a second, or ask for more at once");
        Err(Refusal { status: StatusCode::TOO_MANY_REQUESTS, words, retry_after: Some(1) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn only_the_whole_key_opens_and_a_wrong_one_is_no_look_either() {
        let key = Key::random().unwrap();
        let ask = |way, value: &str| role(way, &with(header::AUTHORIZATION, value), &key).map_err(|r| r.status);
        let right = format!("Bearer {}", key.reveal());
        assert_eq!(ask(Way::Tcp, &right), Ok(Role::Control));
        assert_eq!(ask(Way::Socket, &right), Ok(Role::Control));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            &right[..right.len() - 1],
            &format!("{right}0"),
            &right.replace("Bearer", "Basic"),
        ] {
            assert_eq!(ask(Way::Tcp, wrong), Err(StatusCode::UNAUTHORIZED), "{wrong}");
            assert_eq!(ask(Way::Socket, wrong), Err(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        assert_eq!(role(Way::Socket, &HeaderMap::new(), &key), Ok(Role::Viewer));
        assert_eq!(role(Way::Tcp, &HeaderMap::new(), &key).map_err(|r| r.status), Err(StatusCode::UNAUTHORIZED));
        assert_eq!((key.reveal().len(), format!("{key:?}")), (64, "Key(…)".to_owned()));
    }

    #[test]
    fn only_this_machines_names_are_answered() {
        for own in ["localhost", "LocalHost:8420", "127.0.0.1:1", "[::1]", "[::1]:80"] {
            assert_eq!(host(&with(header::HOST, own)), Ok(()), "{own}");
        }
        for other in
            ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "127.0.0.2", "", "localhost@x", "::1"]
        {
            assert_eq!(host(&with(header::HOST, other)).map_err(|r| r.status), Err(StatusCode::FORBIDDEN), "{other}");
        }
        assert!(host(&HeaderMap::new()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_to_wait_and_those_with_the_key_get_through() {
        let rates = Rates::new(Instant::now());
        let taken = (0..1_000).filter(|_| rates.take(Way::Tcp, Role::Viewer, Instant::now()).is_ok()).count();
        assert_eq!(taken, 200);
        assert_eq!(rates.take(Way::Tcp, Role::Viewer, Instant::now()).map_err(|r| r.retry_after), Err(Some(1)));
        assert_eq!(rates.take(Way::Tcp, Role::Control, Instant::now()), Ok(()));
        assert_eq!(rates.take(Way::Socket, Role::Viewer, Instant::now()), Ok(()), "another door");
        tokio::time::advance(Duration::from_secs(1)).await;
        let taken = (0..1_000).filter(|_| rates.take(Way::Tcp, Role::Viewer, Instant::now()).is_ok()).count();
        assert_eq!(taken, 100);
    }
}
