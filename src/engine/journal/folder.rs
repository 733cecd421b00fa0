//! Session folders: made, found, locked and listed.
//!
//! Not here: what is in a journal. Invariant: whoever holds a [`SessionFolder`] is the only process that does; folders
//! are for their owner alone (0700), files too (0600).

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{JournalError, own, parts};
use crate::domain::protocol::{Header, SessionId};

/// The folder all sessions live in.
#[derive(Clone, Debug)]
pub struct Sessions {
    root: PathBuf,
}

/// One session's folder, locked for writing until this is dropped.
#[derive(Debug)]
pub struct SessionFolder {
    id: SessionId,
    path: PathBuf,
    /// Held, never read: closing it releases the lock.
    _lock: File,
}

/// A session as the list shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub id: SessionId,
    /// Its journal's header; none when the journal has none that can be read.
    pub header: Option<Header>,
    /// When its journal was last written.
    pub modified: SystemTime,
    /// Its journal's size in bytes, over all parts.
    pub bytes: u64,
}

impl Sessions {
    /// Names the folder; nothing is touched yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a session's folder is or would be.
    ///
    /// # Errors
    /// [`JournalError::Name`] for an id that starts with a dot.
    pub fn path(&self, id: &SessionId) -> Result<PathBuf, JournalError> {
        if id.as_str().starts_with('.') {
            return Err(JournalError::Name(id.to_string()));
        }
        Ok(self.root.join(id.as_str()))
    }

    /// Where a session's journal is or would be: for readers, who need no lock.
    ///
    /// # Errors
    /// [`JournalError::Name`] for an id that starts with a dot.
    pub fn journal(&self, id: &SessionId) -> Result<PathBuf, JournalError> {
        Ok(self.path(id)?.join(JOURNAL))
    }

    /// Makes a session's folder and locks it.
    ///
    /// # Errors
    /// [`JournalError::Exists`], [`JournalError::Name`], or what the system refused.
    pub fn create(&self, id: &SessionId) -> Result<SessionFolder, JournalError> {
        let path = self.path(id)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(|e| JournalError::io("make the folder", &self.root, e))?;
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                return Err(JournalError::Exists { id: id.to_string(), root: self.root.clone() });
            }
            Err(e) => return Err(JournalError::io("make the folder", &path, e)),
        }
        // So that the folder itself outlives a power cut.
        sync_folder(&self.root)?;
        SessionFolder::lock(id.clone(), path)
    }

    /// Locks the folder of a session that is there.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::Locked`], [`JournalError::Name`], or what the system refused.
    pub fn open(&self, id: &SessionId) -> Result<SessionFolder, JournalError> {
        let path = self.path(id)?;
        // A link in its place leads to files that are no session of this folder's.
        let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
        if !is_folder || !path.join(JOURNAL).is_file() {
            return Err(JournalError::Missing { id: id.to_string(), root: self.root.clone() });
        }
        SessionFolder::lock(id.clone(), path)
    }

    /// The sessions there are, last written first. A sessions folder that is not there holds none.
    ///
    /// # Errors
    /// When the folder can't be listed.
    pub fn list(&self) -> Result<Vec<Listed>, JournalError> {
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(JournalError::io("list", &self.root, e)),
        };
        let mut listed: Vec<Listed> = entries
            .flatten()
            .filter_map(|entry| {
                let id: SessionId = entry.file_name().to_str()?.parse().ok()?;
                let journal = self.journal(&id).ok()?;
                // Whatever vanishes or has no journal while we look is no session.
                let meta = std::fs::metadata(&journal).ok()?;
                let head = parts::open(&journal).ok().map(|part| part.head);
                let before = head.as_ref().map_or(0, |head| head.start);
                let header = head.map(|head| head.header);
                Some(Listed { id, header, modified: meta.modified().ok()?, bytes: before + meta.len() })
            })
            .collect();
        listed.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.id.cmp(&b.id)));
        Ok(listed)
    }
}

impl SessionFolder {
    pub(super) fn lock(id: SessionId, path: PathBuf) -> Result<Self, JournalError> {
        own::folder(&path).map_err(|e| JournalError::io("take up", &path, e))?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = own::write(&lock_path, &mut options).map_err(|e| JournalError::io("open", &lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The text is only for the message; the lock itself is the kernel's.
                let _ = (&lock).take(32).read_to_string(&mut pid);
                let pid = pid.trim();
                let holder = if !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()) {
                    format!("process {pid}")
                } else {
                    "another process".into()
                };
                return Err(JournalError::Locked { path, holder });
            }
            Err(TryLockError::Error(e)) => return Err(JournalError::io("lock", &lock_path, e)),
        }
        // One that has another name too may be somebody's file elsewhere: it serves as a lock, and nothing is written to it.
        let alone = lock.metadata().is_ok_and(|meta| meta.nlink() == 1);
        if !alone {
            return Ok(Self { id, path, _lock: lock });
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(|e| JournalError::io("write", &lock_path, e))?;
        Ok(Self { id, path, _lock: lock })
    }

    /// The session.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's path.
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }
}

/// The journal's name in a session's folder.
const JOURNAL: &str = "journal.jsonl";

/// Makes the entries of a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), JournalError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| JournalError::io("make durable", path, e))
}
