//! Durability on a thread of its own: fdatasync, grouped.
//!
//! There is no queue to bound: the writer raises one flag, the thread lowers it. However many commits come within
//! [`GROUP`], one fdatasync answers them all; a barrier does not wait for the group. The time runs from the first of them,
//! also while a sync is under way, so that what comes during one waits no longer than for that and the next.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Commits within this time share one fdatasync: the most model-only work a power cut can undo.
const GROUP: Duration = Duration::from_millis(20);

/// Makes durable what the kernel has.
pub(super) type SyncFn = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// How far the journal is on disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Synced {
    /// All bytes before this offset are.
    pub(super) upto: u64,
    /// Why no more will be; it stays.
    pub(super) failed: Option<(io::ErrorKind, String)>,
}

struct Wanted {
    sync: SyncFn,
    committed: u64,
    dirty: Dirty,
    /// When the first commit came that no sync has begun for.
    since: Instant,
    closed: bool,
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Dirty {
    No,
    Soon,
    Now,
}

struct Shared {
    wanted: Mutex<Wanted>,
    woken: Condvar,
    synced: watch::Sender<Synced>,
}

impl Shared {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One fdatasync for all that is committed.
    fn sync(&self) {
        let (sync, committed) = {
            let mut wanted = self.wanted();
            wanted.dirty = Dirty::No;
            (Arc::clone(&wanted.sync), wanted.committed)
        };
        let done = sync();
        self.synced.send_modify(|synced| match done {
            Ok(()) if synced.failed.is_none() => synced.upto = synced.upto.max(committed),
            Ok(()) => {}
            Err(e) => synced.failed = Some((e.kind(), e.to_string())),
        });
    }

    fn run(&self) {
        loop {
            let wait = |w: &mut Wanted| w.dirty == Dirty::No && !w.closed;
            let wanted = self.woken.wait_while(self.wanted(), wait).unwrap_or_else(PoisonError::into_inner);
            let group = |w: &mut Wanted| w.dirty < Dirty::Now && !w.closed;
            let left = GROUP.saturating_sub(wanted.since.elapsed());
            let (wanted, _) =
                self.woken.wait_timeout_while(wanted, left, group).unwrap_or_else(PoisonError::into_inner);
            let (dirty, closed) = (wanted.dirty != Dirty::No, wanted.closed);
            drop(wanted);
            if dirty {
                self.sync();
            }
            if closed {
                return;
            }
        }
    }
}

/// The thread's handle; dropping it syncs what is committed and ends the thread.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(sync: SyncFn, committed: u64) -> io::Result<Self> {
        let wanted = Wanted { sync, committed, dirty: Dirty::No, since: Instant::now(), closed: false };
        // What a journal holds when it is opened may not be on disk yet, so nothing counts as synced.
        let shared = Arc::new(Shared {
            wanted: Mutex::new(wanted),
            woken: Condvar::new(),
            synced: watch::Sender::new(Synced::default()),
        });
        let on_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("journal-sync".into()).spawn(move || on_thread.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The kernel has all bytes before `offset`.
    pub(super) fn committed(&self, offset: u64) {
        let mut wanted = self.shared.wanted();
        wanted.committed = offset;
        if wanted.dirty == Dirty::No {
            (wanted.dirty, wanted.since) = (Dirty::Soon, Instant::now());
            self.shared.woken.notify_one();
        }
    }

    /// The file was opened anew.
    pub(super) fn replace(&self, sync: SyncFn) {
        self.shared.wanted().sync = sync;
    }

    /// Asks for a sync without waiting for the group.
    pub(super) fn hurry(&self) {
        self.shared.wanted().dirty = Dirty::Now;
        self.shared.woken.notify_one();
    }

    /// Syncs on the caller's thread.
    pub(super) fn sync_here(&self) {
        self.shared.sync();
    }

    /// How far it is.
    pub(super) fn watch(&self) -> watch::Receiver<Synced> {
        self.shared.synced.subscribe()
    }

    /// Why no more will be durable, if so.
    pub(super) fn failure(&self) -> Option<(io::ErrorKind, String)> {
        self.shared.synced.borrow().failed.clone()
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.wanted().closed = true;
        self.shared.woken.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to say that the writer's last error did not.
            let _ = thread.join();
        }
    }
}
