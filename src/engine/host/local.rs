//! A viewer in the same process: live records from the host, and the journal where it lagged.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use super::clock::SessionClock;
use super::{Answer, Asked};
use crate::domain::protocol::{Author, Command, CommandEnvelope, CommandId, Micros, Name, Record, Role, ViewerId};
use crate::engine::client::{Client, SendError, Standing};
use crate::engine::journal::Reader;

/// Records are gathered for this long before a viewer is woken again: waking a thread for each record costs more than
/// the record, and 8 ms are a quarter of a frame.
const GATHER: Duration = Duration::from_millis(8);

/// The two ways to the host.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub commands: mpsc::Sender<Asked>,
    /// Unbounded, because a client that is dropped can't wait: each viewer says once that it left, and there are
    /// [`super::MAX_VIEWERS`] at most.
    pub left: mpsc::UnboundedSender<ViewerId>,
    /// Which process life of the session this is: command ids differ by it, since process ids come again.
    pub life: u64,
}

impl Host {
    /// Gives a command and waits for what became of it.
    pub(super) fn ask(
        &self,
        envelope: CommandEnvelope,
    ) -> impl Future<Output = Result<Answer, SendError>> + Send + 'static {
        let commands = self.commands.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            commands.send(Asked::Command(envelope, Some(answer))).await.map_err(|_| SendError::Closed)?;
            answered.await.map_err(|_| SendError::Closed)
        }
    }
}

/// Clients of this process, counted so that their command ids differ.
static CLIENTS: AtomicU64 = AtomicU64::new(1);

/// The local console's end of the session.
pub struct LocalClient {
    live: Option<broadcast::Receiver<Arc<Record>>>,
    /// A live record that came while those before it are still to be read from the journal.
    ahead: Option<Arc<Record>>,
    catching_up: Option<Reader>,
    /// What was recorded before this client came is still to be read.
    past: Past,
    journal: PathBuf,
    next: u64,
    /// Not to be woken before.
    rest: Option<Instant>,
    host: Host,
    clock: SessionClock,
    author: Author,
    role: Role,
    viewer: Option<ViewerId>,
    id: u64,
    sent: AtomicU64,
}

/// Whether a client has read what was recorded before it came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Past {
    Unread,
    Read,
}

impl LocalClient {
    pub(super) fn new(
        live: Option<broadcast::Receiver<Arc<Record>>>,
        journal: PathBuf,
        host: Host,
        clock: SessionClock,
        author: Author,
        role: Role,
        viewer: Option<ViewerId>,
    ) -> Self {
        let id = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let sent = AtomicU64::new(0);
        Self {
            live,
            ahead: None,
            catching_up: None,
            past: Past::Unread,
            journal,
            next: 1,
            rest: None,
            host,
            clock,
            author,
            role,
            viewer,
            id,
            sent,
        }
    }

    /// Where in the session this client begins to see records: from the one after this. For a client that has what came
    /// before. To be called before the first [`Client::recv`].
    pub fn begin_after(&mut self, seq: u64) {
        self.next = seq + 1;
    }

    /// Sends a command and waits for what became of it; the answer comes when it is on disk.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn ask(&self, command: Command) -> impl Future<Output = Result<Answer, SendError>> + Send + 'static {
        self.host.ask(self.envelope(command))
    }

    fn envelope(&self, command: Command) -> CommandEnvelope {
        let n = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let id = Name::slug(&format!("{}-{}-{}-{n}", self.host.life, std::process::id(), self.id));
        CommandEnvelope { id, author: self.author.clone(), role: self.role, viewer: self.viewer, command }
    }

    /// Takes a record if it is the next one. False: those before it are missing.
    fn take(&mut self, record: &Arc<Record>, batch: &mut Vec<Arc<Record>>) -> bool {
        if record.seq > self.next {
            return false;
        }
        if record.seq == self.next {
            self.next += 1;
            batch.push(Arc::clone(record));
        }
        true
    }

    /// Reads what is missing from the journal, `limit` records at most; up to `upto`, or to the end.
    fn catch_up(&mut self, upto: Option<u64>, batch: &mut Vec<Arc<Record>>, limit: usize) {
        if self.catching_up.is_none() {
            match Reader::open_from(&self.journal, self.next) {
                Ok(reader) => self.catching_up = Some(reader),
                Err(error) => tracing::warn!(%error, "a viewer that lagged can't read the journal"),
            }
        }
        let mut done = true;
        if let Some(reader) = &mut self.catching_up {
            while upto.is_none_or(|upto| self.next < upto) {
                if batch.len() >= limit {
                    done = false;
                    break;
                }
                match reader.read() {
                    Ok(Some((_, record))) if record.seq >= self.next => {
                        self.next = record.seq + 1;
                        batch.push(Arc::new(record));
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(%error, "a viewer that lagged can't read the journal");
                        break;
                    }
                }
            }
        }
        if done {
            self.catching_up = None;
            // What the journal could not give is skipped rather than waited for: the viewer's state says what it missed.
            if let Some(upto) = upto {
                self.next = self.next.max(upto);
            }
        }
    }
}

impl Client for LocalClient {
    async fn recv(&mut self, batch: &mut Vec<Arc<Record>>, limit: usize) -> bool {
        let from = batch.len();
        let limit = from + limit.max(1);
        while self.past == Past::Unread {
            // Subscribed before this reading began, so what is written meanwhile comes live.
            self.catch_up(None, batch, limit);
            if self.catching_up.is_none() {
                self.past = Past::Read;
            }
            if batch.len() > from {
                return true;
            }
        }
        loop {
            if let Some(ahead) = self.ahead.take() {
                if !self.take(&ahead, batch) {
                    self.catch_up(Some(ahead.seq), batch, limit);
                    self.ahead = Some(ahead);
                }
                if batch.len() >= limit {
                    return true;
                }
                continue;
            }
            let Some(live) = &mut self.live else {
                self.catch_up(None, batch, limit);
                return batch.len() > from;
            };
            // Wait for one; then take what is there.
            let next = if batch.len() > from {
                match live.try_recv() {
                    Ok(record) => Ok(record),
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Lagged(n)) => Err(RecvError::Lagged(n)),
                    Err(TryRecvError::Closed) => Err(RecvError::Closed),
                }
            } else {
                if let Some(rest) = self.rest {
                    // Asleep rather than waiting, so that what is sent meanwhile wakes nobody. Dropped, it is asked again.
                    tokio::time::sleep_until(rest).await;
                    self.rest = None;
                }
                let first = live.recv().await;
                self.rest = Some(Instant::now() + GATHER);
                first
            };
            match next {
                Ok(record) => self.ahead = Some(record),
                Err(RecvError::Lagged(skipped)) => tracing::debug!(skipped, "a viewer lags and re-reads the journal"),
                Err(RecvError::Closed) => self.live = None,
            }
            if batch.len() >= limit {
                return true;
            }
        }
    }

    fn send(&self, command: Command) -> Result<CommandId, SendError> {
        let envelope = self.envelope(command);
        let id = envelope.id.clone();
        self.host.commands.try_send(Asked::Command(envelope, None)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Busy,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })?;
        Ok(id)
    }

    fn now(&self) -> Micros {
        self.clock.now()
    }

    fn journal(&self) -> Option<PathBuf> {
        Some(self.journal.clone())
    }

    fn standing(&self) -> Standing {
        Standing { viewer: self.viewer, role: self.role }
    }

    fn part(&mut self) {
        if let Some(viewer) = self.viewer.take() {
            // A host that is gone knows of no viewers.
            let _ = self.host.left.send(viewer);
        }
    }
}

impl Drop for LocalClient {
    fn drop(&mut self) {
        self.part();
    }
}
