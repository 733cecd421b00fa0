//! The private folder of one port: the record of its server, the lock of its supervisor, its log.
//!
//! Invariants: readable for this user only; a record is replaced whole; the lock is held exactly as long as a supervisor
//! lives, so that no number of a process is needed to know.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::ServersError;
use super::process::{Identity, until};
use super::state::ServerState;
use crate::domain::fleet::Lifetime;
use crate::domain::protocol::EndpointName;

/// The record's version; another one is not read.
const VERSION: u32 = 1;

/// What a supervisor writes down at every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    pub(super) endpoint: EndpointName,
    pub(super) port: u16,
    pub(super) lifetime: Lifetime,
    /// [`crate::domain::fleet::Launch::digest`].
    pub(super) digest: u64,
    /// The time its server has to end, in seconds.
    pub(super) stop_seconds: u32,
    pub(super) supervisor: Identity,
    /// The leader of the server's process group.
    pub(super) server: Option<Identity>,
    #[serde(flatten)]
    pub(super) state: ServerState,
    /// When it is started again, in milliseconds since 1970.
    pub(super) restart_at: Option<u64>,
    pub(super) restarts: u32,
}

impl Record {
    /// A record of a server that is being started by `supervisor`.
    pub(super) fn new(
        endpoint: EndpointName,
        port: u16,
        lifetime: Lifetime,
        digest: u64,
        stop_seconds: u32,
        supervisor: Identity,
    ) -> Self {
        Self {
            version: VERSION,
            endpoint,
            port,
            lifetime,
            digest,
            stop_seconds,
            supervisor,
            server: None,
            state: ServerState::Starting,
            restart_at: None,
            restarts: 0,
        }
    }
}

/// The folder of one port; it need not exist.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    folder: PathBuf,
    pub(super) port: u16,
}

impl Seat {
    /// The seat of `port` under `root`.
    pub(super) fn new(root: &Path, port: u16) -> Self {
        Self { folder: root.join(port.to_string()), port }
    }

    /// Every seat under `root`, by port.
    pub(super) fn all(root: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let mut ports: Vec<u16> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        ports.sort_unstable();
        ports.into_iter().map(|port| Self::new(root, port)).collect()
    }

    /// Where the server's log is.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// What was written down last; none where there is nothing that can be read.
    pub(super) fn record(&self) -> Option<Record> {
        let text = std::fs::read(self.folder.join("server.json")).ok()?;
        serde_json::from_slice(&text).ok().filter(|record: &Record| record.version == VERSION)
    }

    /// Replaces the record.
    pub(super) fn write(&self, record: &Record) -> Result<(), ServersError> {
        let (path, fresh) = (self.folder.join("server.json"), self.folder.join("server.json.new"));
        let write = || {
            let text = serde_json::to_vec_pretty(record).map_err(std::io::Error::other)?;
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&text)?;
            std::fs::rename(&fresh, &path)
        };
        write().map_err(|source| ServersError::File { what: "write", path: path.clone(), source })
    }

    /// Whether a supervisor lives.
    pub(super) fn is_taken(&self) -> bool {
        let Ok(lock) = File::open(self.lock_path()) else { return false };
        // Shared, so that two who look don't take each other for a supervisor.
        matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
    }

    /// Takes the seat for as long as the file is held, making the folder where it is not there.
    pub(super) async fn take(&self) -> Result<File, ServersError> {
        let file_error = |what, path: &Path| {
            let path = path.to_owned();
            move |source| ServersError::File { what, path, source }
        };
        let mut make = DirBuilder::new();
        make.recursive(true).mode(0o700);
        make.create(&self.folder).map_err(file_error("make", &self.folder))?;
        let path = self.lock_path();
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(file_error("open", &path))?;
        // Somebody who only looks holds it for a moment.
        match until(Duration::from_secs(1), || lock.try_lock().is_ok()).await {
            true => Ok(lock),
            false => Err(ServersError::Taken(self.port)),
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.folder.join("lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;

    #[tokio::test]
    async fn a_seat_has_one_holder_and_its_record_is_read_back() {
        let root = tempfile::tempdir().unwrap();
        let seat = Seat::new(root.path(), 8083);
        assert!(!seat.is_taken() && seat.record().is_none());
        let held = seat.take().await.unwrap();
        assert!(seat.is_taken());
        let me = Identity::of(std::process::id()).unwrap();
        let record = Record::new(Name::slug("a"), 8083, Lifetime::Kept, u64::MAX, 10, me);
        seat.write(&record).unwrap();
        assert_eq!(seat.record(), Some(record));
        drop(held);
        assert!(!seat.is_taken());
        assert_eq!(Seat::all(root.path()).len(), 1);
        std::fs::write(root.path().join("8083/server.json"), "{\"version\":").unwrap();
        assert_eq!(seat.record(), None, "a torn record is none");
    }
}
