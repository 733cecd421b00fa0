//! A console's client of a session in another process: the past from the journal on disk, the rest from the stream.
//!
//! Not here: what is shown. Invariants: records come in order and without a gap, over any number of lost connections; a
//! command that never reached the session is told; dropping the client leaves the session and nothing else.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::call::{Call, CallError, Given};
use super::commands::command_id;
use super::handover::is_announced;
use super::place::Place;
use super::records::{NOW, SECRET, VIEWER};
use super::snapshot::SessionInfo;
use crate::domain::protocol::{Command, CommandId, Event, Micros, Record, RecordError, Role, ViewerId};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving, SendError, Standing};
use crate::engine::journal::{MAX_LINE, Reader};

/// Records on their way to a console that draws; a full queue slows the reading of the stream, and the session's end of
/// it reads on from the journal when there is room.
const BACKLOG: usize = 2_048;

/// Records read from the journal before others have their turn.
const BATCH: u32 = 512;

/// The first wait before a connection is tried again; it doubles up to the longest.
const SOON: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_secs(2);

/// A session sends something each ten seconds; after this long without, the connection is dead.
const SILENCE: Duration = Duration::from_secs(35);

/// How one takes part in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// As a console, which the others see, from there.
    Console(CleanText),
    /// As a reader of records, of whom nothing is seen.
    Reader,
}

/// What the reading task and the console share.
#[derive(Debug)]
struct Shared {
    /// Session time at an instant of this process.
    clock: (Instant, Micros),
    /// The way to its process: another one after a restart.
    call: Call,
    /// Which console of the session this is, while it is connected.
    seat: Option<(ViewerId, String)>,
}

/// A command on its way, with the id its client gives it and the secret of the console.
struct Letter {
    id: String,
    command: Command,
    secret: String,
}

/// Commands on their way at once: a person gives a few a second.
const OUTBOX: usize = 16;

/// A console's end of a session of another process.
pub struct AttachClient {
    given: Given,
    pid: u32,
    attachment: Attachment,
    role: Role,
    journal: PathBuf,
    shared: Arc<Mutex<Shared>>,
    tasks: Option<Tasks>,
    notices: (mpsc::Sender<CleanText>, mpsc::Receiver<CleanText>),
    /// Notices taken in and not told yet.
    told: VecDeque<CleanText>,
    /// Commands of this client, counted; with chance in front, so that they are nobody else's.
    sent: AtomicU64,
    id: String,
}

/// What works for a client, and ends with it.
struct Tasks {
    records: mpsc::Receiver<Arc<Record>>,
    outbox: mpsc::Sender<Letter>,
    reading: AbortHandle,
    sending: AbortHandle,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.reading.abort();
        self.sending.abort();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AttachClient {
    /// Finds the session at a place. The connection is made with the first [`Client::recv`].
    ///
    /// # Errors
    /// [`CallError`]: nobody answers there, or the key can't be read.
    pub async fn open(place: Place, given: Given, attachment: Attachment) -> Result<(Self, SessionInfo), CallError> {
        let call = Call::new(place, given)?;
        let info = call.session().await?;
        let role = match given {
            Given::Key => Role::Control,
            Given::Nothing => Role::Viewer,
        };
        let chance = super::guard::Key::random().map(|key| key.reveal()[..12].to_owned());
        let client = Self {
            given,
            pid: info.pid,
            attachment,
            role,
            journal: PathBuf::from(&info.journal),
            shared: Arc::new(Mutex::new(Shared { clock: (Instant::now(), info.at), call, seat: None })),
            tasks: None,
            notices: mpsc::channel(OUTBOX),
            told: VecDeque::new(),
            sent: AtomicU64::new(0),
            id: chance.unwrap_or_else(|_| std::process::id().to_string()),
        };
        Ok((client, info))
    }

    /// What works for this client, begun with the first question for records: it needs the console's own runtime.
    fn tasks(&mut self) -> &mut Tasks {
        let (given, pid, shared, notices) = (self.given, self.pid, &self.shared, &self.notices.0);
        let (attachment, journal) = (&self.attachment, &self.journal);
        self.tasks.get_or_insert_with(|| {
            let (into, records) = mpsc::channel(BACKLOG);
            let (outbox, letters) = mpsc::channel(OUTBOX);
            let reading = Reading {
                given,
                pid,
                attachment: attachment.clone(),
                journal: journal.clone(),
                shared: Arc::clone(shared),
                into,
                notices: notices.clone(),
                next: 1,
                ended: false,
            };
            let sending = deliver(Arc::clone(shared), letters, notices.clone());
            let (reading, sending) = (tokio::spawn(reading.run()), tokio::spawn(sending));
            Tasks { records, outbox, reading: reading.abort_handle(), sending: sending.abort_handle() }
        })
    }
}

/// Gives commands one after the other, in the order they came; says what did not arrive.
async fn deliver(shared: Arc<Mutex<Shared>>, mut letters: mpsc::Receiver<Letter>, notices: mpsc::Sender<CleanText>) {
    while let Some(Letter { id, command, secret }) = letters.recv().await {
        let call = lock(&shared).call.clone();
        // What the session says to it is a record.
        if let Err(error) = call.command(Some(&id), &command, Some(&secret)).await {
            tracing::warn!(%error, %command, "a command did not reach the session");
            // More notices than can be read are one too many.
            let _ = notices.try_send(CleanText::one_line(&format!("{command}: {error}")));
        }
    }
}

impl Client for AttachClient {
    async fn recv(&mut self, batch: &mut Vec<Arc<Record>>, limit: usize) -> bool {
        self.tasks();
        let (Some(tasks), (_, notices)) = (&mut self.tasks, &mut self.notices) else { return false };
        tokio::select! {
            biased;
            Some(words) = notices.recv() => {
                self.told.push_back(words);
                true
            }
            n = tasks.records.recv_many(batch, limit.max(1)) => n > 0,
        }
    }

    fn send(&self, command: Command) -> Result<CommandId, SendError> {
        let refused = |words| Err(SendError::Refused(CleanText::from_static(words)));
        if self.role == Role::Viewer {
            return refused("you only look; attach without --read-only to act");
        }
        let seat = lock(&self.shared).seat.clone();
        let (Some((viewer, secret)), Some(tasks)) = (seat, &self.tasks) else {
            return refused("there is no connection to the session just now; try again in a moment");
        };
        let id = format!("{}-{}", self.id, self.sent.fetch_add(1, Ordering::Relaxed) + 1);
        let full = command_id(Some(viewer), &id);
        tasks.outbox.try_send(Letter { id, command, secret }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Busy,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })?;
        Ok(full)
    }

    fn journal(&self) -> Option<PathBuf> {
        Some(self.journal.clone())
    }

    fn standing(&self) -> Standing {
        Standing { viewer: lock(&self.shared).seat.as_ref().map(|(viewer, _)| *viewer), role: self.role }
    }

    fn leaving(&self) -> Leaving {
        Leaving::OnlyCloses
    }

    fn notice(&mut self) -> Option<CleanText> {
        self.told.pop_front()
    }

    fn now(&self) -> Micros {
        lock(&self.shared).now()
    }
}

impl Shared {
    fn now(&self) -> Micros {
        let (at, session) = self.clock;
        session.plus(Micros(u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX)))
    }

    /// Session time was at least this just now: it never goes back.
    fn hear(&mut self, session: Micros) {
        if session > self.now() {
            self.clock = (Instant::now(), session);
        }
    }
}

/// The task that reads records, from the journal and from the session.
struct Reading {
    given: Given,
    /// The session's process.
    pid: u32,
    attachment: Attachment,
    journal: PathBuf,
    shared: Arc<Mutex<Shared>>,
    into: mpsc::Sender<Arc<Record>>,
    notices: mpsc::Sender<CleanText>,
    /// The next record.
    next: u64,
    /// Whether the last record was the session's end.
    ended: bool,
}

/// The console that reads is gone.
struct Gone;

impl Reading {
    async fn run(mut self) {
        // Told once while it lasts.
        let (mut wait, mut lost) = (SOON, false);
        if self.past().await.is_err() {
            return;
        }
        loop {
            let origin = match &self.attachment {
                Attachment::Console(origin) => Some(origin.as_str()),
                Attachment::Reader => None,
            };
            let from = self.next;
            let call = lock(&self.shared).call.clone();
            match call.records(from, origin).await {
                Ok(response) => {
                    if std::mem::take(&mut lost) {
                        self.say("connected to the session again");
                    }
                    let streamed = self.stream(response).await;
                    lock(&self.shared).seat = None;
                    if streamed.is_err() {
                        return;
                    }
                    if self.ended {
                        if !self.follow(&call).await {
                            return;
                        }
                        continue;
                    }
                    if self.next > from {
                        wait = SOON;
                    }
                }
                // Its process is gone: what it still wrote is in the journal.
                Err(CallError::Gone(_)) => {
                    if self.past().await.is_err() {
                        return;
                    }
                    if self.follow(&call).await {
                        continue;
                    }
                    if !self.ended {
                        self.say("the session's process is gone; `baton resume` takes the session up again");
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "a session that is watched does not answer");
                    if !lost {
                        self.say(&format!("the session does not answer ({error}); trying again"));
                    }
                    lost = true;
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LATE);
        }
    }

    /// Waits for the process that takes the session up where this one ends for it; false: none does.
    async fn follow(&mut self, before: &Call) -> bool {
        let old = self.pid;
        if !is_announced(&self.journal, old) {
            return false;
        }
        self.say("the session goes on in another process; this console follows");
        loop {
            tokio::time::sleep(SOON).await;
            // Its key is another.
            if let Ok(call) = Call::new(before.place().clone(), self.given)
                && let Ok(info) = call.session().await
                && info.pid != old
            {
                self.pid = info.pid;
                lock(&self.shared).call = call;
                return true;
            }
            if !is_announced(&self.journal, old) {
                return false;
            }
        }
    }

    fn say(&self, words: &str) {
        // More notices than can be read are one too many.
        let _ = self.notices.try_send(CleanText::one_line(words));
    }

    /// Reads what the journal has from the next record on. One that can't be read here comes over the stream instead.
    async fn past(&mut self) -> Result<(), Gone> {
        let mut reader = match Reader::open_from(&self.journal, self.next) {
            Ok(reader) => reader,
            Err(error) => {
                tracing::info!(%error, "the journal can't be read here; the session sends its past");
                return Ok(());
            }
        };
        let mut read = 0_u32;
        loop {
            match reader.read() {
                Ok(Some((_, record))) => self.take(record).await?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "the journal can't be read on; the session sends the rest");
                    return Ok(());
                }
            }
            read += 1;
            if read.is_multiple_of(BATCH) {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn take(&mut self, record: Record) -> Result<(), Gone> {
        if record.seq < self.next {
            return Ok(());
        }
        self.next = record.seq + 1;
        self.ended = matches!(record.event, Event::SessionEnded { .. });
        self.into.send(Arc::new(record)).await.map_err(|_| Gone)
    }

    /// Takes records in until the connection ends.
    async fn stream(&mut self, mut response: reqwest::Response) -> Result<(), Gone> {
        {
            let headers = response.headers();
            let word = |name| headers.get(name).and_then(|v: &reqwest::header::HeaderValue| v.to_str().ok());
            let seat = word(VIEWER).and_then(|v| v.parse().ok()).zip(word(SECRET).map(str::to_owned));
            let mut shared = lock(&self.shared);
            shared.seat = seat;
            if let Some(now) = word(NOW).and_then(|n| n.parse().ok()) {
                shared.hear(Micros(now));
            }
        }
        let mut line: Vec<u8> = Vec::new();
        loop {
            let piece = match tokio::time::timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => {
                    tracing::info!(%error, "the stream of records broke off");
                    return Ok(());
                }
                Err(_) => {
                    tracing::info!("the stream of records fell silent");
                    return Ok(());
                }
            };
            let mut rest = &piece[..];
            while let Some(at) = rest.iter().position(|b| *b == b'\n') {
                line.extend_from_slice(&rest[..at]);
                rest = &rest[at + 1..];
                let whole = std::mem::take(&mut line);
                if !self.line(&whole).await? {
                    return Ok(());
                }
            }
            line.extend_from_slice(rest);
            if line.len() > MAX_LINE {
                tracing::warn!("a record is longer than any may be");
                return Ok(());
            }
        }
    }

    /// Takes a line in. False: it is not what comes next, and the stream has to begin again from there.
    async fn line(&mut self, line: &[u8]) -> Result<bool, Gone> {
        // A sign of life.
        if line.is_empty() {
            return Ok(true);
        }
        let parsed = std::str::from_utf8(line).ok().map(Record::from_json);
        match parsed {
            Some(Ok(record)) if record.seq <= self.next => {
                lock(&self.shared).hear(record.at);
                self.take(record).await?;
                Ok(true)
            }
            Some(Err(RecordError::Unknown { seq, tag })) if seq == self.next => {
                tracing::info!(seq, tag, "a record of a later version is left out");
                self.next += 1;
                Ok(true)
            }
            _ => {
                tracing::warn!(next = self.next, "the stream gave something else than the next record");
                Ok(false)
            }
        }
    }
}
