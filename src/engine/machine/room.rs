//! The room: a thread of its own in which a probe works, so that nothing waits for a slow source.
//!
//! It is asked, and answers when it can; an ask while one is under way is dropped, and of the answers only the latest is
//! kept. Not here: when to ask, and what is worth a record (`policy`). Invariants: the room takes at most 1/200 of a
//! processor on average, whatever its sources cost; dropping it ends the thread at once, or after the
//! look it is at.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::cost::thread_time;
use super::{Figure, Note, Probe, Reading, this_machine};

/// A look is followed by at least this many times its processor time of rest: 0.5 %.
const REST: u32 = 200;
/// The first looks load libraries and are dear; no rest is longer.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// A probe at work.
#[derive(Debug)]
pub struct Room {
    ask: SyncSender<Vec<u16>>,
    readings: watch::Receiver<Option<Arc<Reading>>>,
}

impl Room {
    /// The room of the machine this runs on. A system that Baton does not know has one that never answers.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn open() -> std::io::Result<Self> {
        Self::with(this_machine)
    }

    /// A room for the probe that `make` makes in it.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn with(make: impl FnOnce() -> Option<Box<dyn Probe>> + Send + 'static) -> std::io::Result<Self> {
        Self::resting(REST, make)
    }

    fn resting(rest: u32, make: impl FnOnce() -> Option<Box<dyn Probe>> + Send + 'static) -> std::io::Result<Self> {
        // One ask: who asks again before the answer wants the same.
        let (ask, asked) = sync_channel(1);
        let (tell, readings) = watch::channel(None);
        std::thread::Builder::new().name("machine".to_owned()).spawn(move || {
            if let Some(probe) = make() {
                work(probe, rest, &asked, &tell);
            }
        })?;
        Ok(Self { ask, readings })
    }

    /// Asks for a look at the machine, with the servers that listen on `ports`. Returns whether the room takes it: not
    /// while another waits to be done, nor when it is closed.
    pub fn ask(&self, ports: Vec<u16>) -> bool {
        self.ask.try_send(ports).is_ok()
    }

    /// The next reading, once there is one; none when the room is closed. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Arc<Reading>> {
        self.readings.changed().await.ok()?;
        self.readings.borrow_and_update().clone()
    }
}

fn work(mut probe: Box<dyn Probe>, rest: u32, asked: &Receiver<Vec<u16>>, tell: &watch::Sender<Option<Arc<Reading>>>) {
    let opened = Instant::now();
    let mut rested = opened;
    let mut known: Vec<Note> = Vec::new();
    while let Some(ports) = next(asked, rested) {
        let (wall, before) = (Instant::now(), thread_time());
        // A source that panics must not take the others with it for good: what it said is lost once.
        let looked = catch_unwind(AssertUnwindSafe(|| probe.sample(opened.elapsed(), &ports)));
        let reading = looked.unwrap_or_else(|_| {
            let why = "the probe broke off; the log says where".to_owned();
            let note = Note { figure: Figure::Memory, source: "the probe".to_owned(), why };
            Reading { notes: vec![note], ..Reading::default() }
        });
        let cost = thread_time().saturating_sub(before);
        rested = wall + cost.saturating_mul(rest).min(LONGEST_REST);
        for note in reading.notes.iter().filter(|n| !known.contains(n)) {
            tracing::info!(figure = note.figure.word(), source = note.source, why = note.why, "a source does not tell");
        }
        reading.notes.clone_into(&mut known);
        if tell.send(Some(Arc::new(reading))).is_err() {
            return;
        }
    }
}

/// The latest ask, not before `rested`; none when nobody can ask any more.
fn next(asked: &Receiver<Vec<u16>>, rested: Instant) -> Option<Vec<u16>> {
    let mut ports = asked.recv().ok()?;
    loop {
        match asked.recv_timeout(rested.saturating_duration_since(Instant::now())) {
            Ok(later) => ports = later,
            Err(RecvTimeoutError::Timeout) => return Some(ports),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::machine::Recorded;

    const TWO: &str = "{\"total\":8,\"used\":1,\"swap\":0}\n{\"total\":8,\"used\":2,\"swap\":0}\n";

    #[tokio::test]
    async fn it_answers_when_asked() {
        let mut room = Room::with(|| Some(Box::new(Recorded::read(TWO)))).unwrap();
        for want in [1, 2, 2] {
            assert!(room.ask(Vec::new()));
            assert_eq!(room.next().await.unwrap().sample.used, want);
        }
    }

    /// Breaks off at its first look.
    struct Breaks(bool);

    impl Probe for Breaks {
        fn sample(&mut self, _: Duration, ports: &[u16]) -> Reading {
            assert!(std::mem::replace(&mut self.0, true), "as the test wants");
            Recorded::read(&format!("{{\"total\":8,\"used\":{},\"swap\":0}}", ports[0])).sample(Duration::ZERO, ports)
        }
    }

    #[tokio::test]
    async fn a_probe_that_breaks_off_says_so_and_is_asked_again() {
        // To tell a panic costs so much that the rest after it would be long.
        let mut room = Room::resting(0, || Some(Box::new(Breaks(false)))).unwrap();
        assert!(room.ask(vec![3]));
        let broken = room.next().await.unwrap();
        assert_eq!((broken.told(), broken.notes.len()), (None, 1));
        assert!(room.ask(vec![3]));
        assert_eq!(room.next().await.unwrap().sample.used, 3);
    }

    #[tokio::test]
    async fn a_room_without_a_probe_is_closed() {
        let mut room = Room::with(|| None).unwrap();
        assert_eq!(room.next().await, None);
        assert!(!room.ask(Vec::new()));
    }
}
