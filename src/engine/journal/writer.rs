//! Writes a journal: records into a buffer, the buffer to the kernel, the kernel's pages to the disk.
//!
//! Not here: what to write. Invariants: the file only ever grows by whole commits in order; after a failed write the
//! next one goes on at exactly the byte where that one stopped, so no line is ever half and followed by another; no record is
//! left out in the middle: after the first refused one all later ones are refused too.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::mend;
use super::folder::sync_folder;
use super::recovery::{Torn, cut_torn};
use super::sync::{SyncFn, Syncer};
use super::{JournalError, MAX_LINE, Reader, SessionFolder};
use crate::domain::protocol::{FORMAT, Header, Record};

/// The most bytes that wait for a disk that takes nothing: minutes of a busy session (20 streams write about 100 KB/s),
/// and little beside the memory budget of 80 MB.
pub const MAX_PENDING: usize = 8 << 20;

/// Where bytes go; a seam so that tests can fill the disk.
pub(super) trait Disk: Send {
    /// Hands bytes to the kernel; may take fewer.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Opens the file anew so that the next byte lands at `len`; never makes a new file.
    fn reopen(&mut self, len: u64) -> io::Result<()>;
    /// What makes the open file durable.
    fn sync(&self) -> SyncFn;
}

struct RealDisk {
    path: PathBuf,
    file: Arc<File>,
}

impl Disk for RealDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.file).write(bytes)
    }

    fn reopen(&mut self, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().append(true).open(&self.path)?;
        let found = file.metadata()?.len();
        if found < len {
            let text = format!("the file has {found} bytes, but {len} were written: something else cut it");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        if found > len {
            // A write that reported an error but left bytes behind.
            file.set_len(len)?;
        }
        self.file = Arc::new(file);
        Ok(())
    }

    fn sync(&self) -> SyncFn {
        let file = Arc::clone(&self.file);
        Arc::new(move || {
            file.sync_data()?;
            // Writing to a removed file succeeds; only its link count tells that nobody will ever read it.
            if file.metadata()?.nlink() == 0 {
                return Err(io::Error::new(ErrorKind::NotFound, "the file was removed while it was written"));
            }
            Ok(())
        })
    }
}

/// The one writer of a session's journal. Dropping it commits what waits, syncs, and frees the session's lock.
pub struct Writer {
    path: PathBuf,
    disk: Box<dyn Disk>,
    /// Serialised and not yet taken by the kernel; its first byte belongs at `offset`.
    pending: Vec<u8>,
    /// How many bytes the kernel has taken.
    offset: u64,
    /// The last write failed; the next one opens the file anew.
    broken: bool,
    /// The first record that was not kept.
    refused: Option<u64>,
    syncer: Syncer,
    /// Last, so that the lock is freed after the thread has ended.
    _folder: Option<SessionFolder>,
}

/// A journal taken up again.
pub struct Resumed {
    /// Appends after the last whole line.
    pub writer: Writer,
    /// The journal's header.
    pub header: Header,
    /// The unfinished last line that was cut, to be reported.
    pub torn: Option<Torn>,
}

impl Writer {
    /// Begins a new session's journal: the header is on disk when this returns.
    ///
    /// # Errors
    /// What the system refused.
    pub fn create(folder: SessionFolder, program: &str) -> Result<Self, JournalError> {
        let path = folder.journal();
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| JournalError::io("make", &path, e))?;
        let header = Header { baton_journal: FORMAT, program: program.into(), session: folder.id().clone() };
        let at = folder.path().to_path_buf();
        let disk = RealDisk { path: path.clone(), file: Arc::new(file) };
        let mut writer = Self::over(path, Box::new(disk), 0, Some(folder))?;
        writer.line(&header)?;
        writer.sync_now()?;
        sync_folder(&at)?;
        Ok(writer)
    }

    /// Takes up a session's journal; a torn last line is cut and kept aside.
    ///
    /// # Errors
    /// [`JournalError::Header`], [`JournalError::Newer`], or what the system refused. Damage in the middle is for the reader to tell.
    pub fn resume(folder: SessionFolder) -> Result<Resumed, JournalError> {
        let path = folder.journal();
        // The header first: a file of a later version, or no journal at all, is not touched.
        let header = Reader::open(&path)?.header().clone();
        let torn = cut_torn(folder.path(), &path)?;
        let file =
            OpenOptions::new().append(true).open(&path).map_err(|e| JournalError::io("open for writing", &path, e))?;
        let len = file.metadata().map_err(|e| JournalError::io("look at", &path, e))?.len();
        let disk = RealDisk { path: path.clone(), file: Arc::new(file) };
        let writer = Self::over(path, Box::new(disk), len, Some(folder))?;
        Ok(Resumed { writer, header, torn })
    }

    pub(super) fn over(
        path: PathBuf,
        disk: Box<dyn Disk>,
        offset: u64,
        folder: Option<SessionFolder>,
    ) -> Result<Self, JournalError> {
        let syncer =
            Syncer::start(disk.sync(), offset).map_err(|e| JournalError::io("start the sync thread for", &path, e))?;
        let pending = Vec::with_capacity(64 * 1024);
        Ok(Self { path, disk, pending, offset, broken: false, refused: None, syncer, _folder: folder })
    }

    /// Buffers a record and returns the byte offset its line will have. Nothing is written until [`Writer::commit`], unless
    /// [`MAX_PENDING`] is reached.
    ///
    /// # Errors
    /// [`JournalError::TooLong`] or [`JournalError::Refused`]: the record is not kept, and no later one will be.
    pub fn append(&mut self, record: &Record) -> Result<u64, JournalError> {
        if self.pending.len() >= MAX_PENDING && self.refused.is_none() {
            // Whether it failed shows in what is still pending; its error comes again at the next commit.
            let _ = self.commit();
        }
        if self.refused.is_some() || self.pending.len() >= MAX_PENDING {
            return Err(self.refuse(record.seq));
        }
        let start = self.pending.len();
        let written = self.line(record);
        if written.is_err() {
            self.refused = Some(record.seq);
        }
        written?;
        let bytes = self.pending.len() - start;
        if bytes > MAX_LINE {
            self.pending.truncate(start);
            self.refused = Some(record.seq);
            return Err(JournalError::TooLong { seq: record.seq, bytes, max: MAX_LINE });
        }
        Ok(self.offset + start as u64)
    }

    fn line(&mut self, value: &impl serde::Serialize) -> Result<(), JournalError> {
        let start = self.pending.len();
        if let Err(e) = serde_json::to_writer(&mut self.pending, value) {
            self.pending.truncate(start);
            return Err(JournalError::io("serialise a record for", &self.path, e.into()));
        }
        self.pending.push(b'\n');
        Ok(())
    }

    fn refuse(&mut self, seq: u64) -> JournalError {
        let seq = *self.refused.get_or_insert(seq);
        let mend = "free space on that disk, then resume the session";
        JournalError::Refused { path: self.path.clone(), seq, bytes: self.pending.len(), mend }
    }

    /// Hands all that waits to the kernel, with one write where the kernel takes it whole. To be called before any effect.
    ///
    /// # Errors
    /// What the system refused: the bytes are kept and the next commit tries again. Or [`JournalError::Unsynced`], for good:
    /// an earlier commit could not be made durable.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        if !self.pending.is_empty() {
            let outcome = self.write_pending();
            outcome.map_err(|e| {
                self.broken = true;
                JournalError::io("write", &self.path, e)
            })?;
            self.syncer.committed(self.offset);
        }
        match self.syncer.failure() {
            Some((kind, why)) => Err(unsynced(&self.path, kind, why)),
            None => Ok(()),
        }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if self.broken {
            self.disk.reopen(self.offset)?;
            self.syncer.replace(self.disk.sync());
            self.broken = false;
        }
        let mut done = 0;
        let outcome = loop {
            if done == self.pending.len() {
                break Ok(());
            }
            match self.disk.write(&self.pending[done..]) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.offset += done as u64;
        self.pending.drain(..done);
        outcome
    }

    /// Waits until all that was committed before this call is on disk: for effects that can't be undone, answers to
    /// operators and exit codes. The future needs no borrow of the writer, and dropping it loses nothing.
    ///
    /// # Errors
    /// [`JournalError::Unsynced`].
    pub fn barrier(&self) -> impl Future<Output = Result<(), JournalError>> + Send + 'static {
        let (target, path) = (self.offset, self.path.clone());
        let mut synced = self.syncer.watch();
        if synced.borrow().upto < target {
            self.syncer.hurry();
        }
        async move {
            let gone = || unsynced(&path, ErrorKind::Other, "the journal was closed".into());
            let now = synced.wait_for(|s| s.upto >= target || s.failed.is_some()).await.map_err(|_| gone())?;
            match &now.failed {
                Some((kind, why)) if now.upto < target => Err(unsynced(&path, *kind, why.clone())),
                _ => Ok(()),
            }
        }
    }

    /// Commits and waits, on this thread, until all of it is on disk: for ends and tests.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn sync_now(&mut self) -> Result<(), JournalError> {
        self.commit()?;
        self.syncer.sync_here();
        self.commit()
    }

    /// The journal's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes the kernel has taken.
    pub fn committed_bytes(&self) -> u64 {
        self.offset
    }

    /// How many bytes wait for [`Writer::commit`].
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Nobody is left to tell; an engine that cares calls `sync_now` first.
        let _ = self.commit();
    }
}

fn unsynced(path: &Path, kind: ErrorKind, why: String) -> JournalError {
    JournalError::Unsynced { path: path.to_path_buf(), why, mend: mend(kind) }
}
