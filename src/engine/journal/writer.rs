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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::mend;
use super::folder::sync_folder;
use super::parts::{self, PartHeader};
use super::recovery::{Torn, cut_torn};
use super::sync::{SyncFn, Syncer};
use super::{JournalError, MAX_LINE, SessionFolder, own};
use crate::domain::protocol::{FORMAT, Header, Record};

/// The most bytes that wait for a disk that takes nothing: minutes of a busy session (20 streams write about 100 KB/s),
/// and little beside the memory budget of 80 MB.
pub const MAX_PENDING: usize = 8 << 20;

/// A part is closed at this size: small enough to be copied or looked into with ordinary tools, large enough that a
/// journal of a gigabyte has sixteen.
pub const PART_BYTES: u64 = 64 << 20;

/// Where bytes go; a seam so that tests can fill the disk.
pub(super) trait Disk: Send {
    /// Hands bytes to the kernel; may take fewer.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Opens the file anew so that the next byte lands at `len`; never makes a new file.
    fn reopen(&mut self, len: u64) -> io::Result<()>;
    /// What makes the open file durable.
    fn sync(&self) -> SyncFn;
    /// Closes the open part under a name and goes on in a new one that begins with this line. After an error nothing
    /// has changed for who writes.
    fn rotate(&mut self, closed: &str, header: &[u8]) -> io::Result<()>;
}

struct RealDisk {
    path: PathBuf,
    file: Arc<File>,
    /// How many bytes the open part has, by what was written.
    written: Arc<AtomicU64>,
    /// Whether the folder knows of the open file, durably: after a rotation that is left to the next sync.
    entered: Arc<AtomicBool>,
}

impl RealDisk {
    /// Over the open part, of which `written` bytes are there.
    fn over(path: &Path, file: File, written: u64) -> Self {
        let (written, entered) = (Arc::new(AtomicU64::new(written)), Arc::new(AtomicBool::new(true)));
        Self { path: path.to_path_buf(), file: Arc::new(file), written, entered }
    }
}

impl Disk for RealDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = (&*self.file).write(bytes)?;
        self.written.fetch_add(n as u64, Ordering::Release);
        Ok(n)
    }

    fn reopen(&mut self, len: u64) -> io::Result<()> {
        let file = own::write(&self.path, OpenOptions::new().append(true))?;
        let found = file.metadata()?.len();
        if found < len {
            return Err(was_cut(found, len));
        }
        if found > len {
            // A write that reported an error but left bytes behind.
            file.set_len(len)?;
        }
        self.file = Arc::new(file);
        self.written = Arc::new(AtomicU64::new(len));
        Ok(())
    }

    fn sync(&self) -> SyncFn {
        let file = Arc::clone(&self.file);
        let (written, entered) = (Arc::clone(&self.written), Arc::clone(&self.entered));
        let folder = parts::folder_of(&self.path).to_path_buf();
        Arc::new(move || {
            let least = written.load(Ordering::Acquire);
            file.sync_data()?;
            // Writing to a removed file succeeds; only its link count tells that nobody will ever read it. So does
            // writing on after the end was cut off, which leaves a hole in the story.
            let meta = file.metadata()?;
            if meta.nlink() == 0 {
                return Err(io::Error::new(ErrorKind::NotFound, "the file was removed while it was written"));
            }
            if meta.len() < least {
                return Err(was_cut(meta.len(), least));
            }
            if !entered.load(Ordering::Acquire) {
                File::open(&folder)?.sync_all()?;
                entered.store(true, Ordering::Release);
            }
            Ok(())
        })
    }

    fn rotate(&mut self, closed: &str, header: &[u8]) -> io::Result<()> {
        let next = parts::prepare(&self.path, header)?;
        parts::link(&self.path, &self.file, &self.path.with_file_name(closed))?;
        parts::switch(&self.path)?;
        (self.file, self.entered) = (Arc::new(next), Arc::default());
        self.written = Arc::new(AtomicU64::new(header.len() as u64));
        Ok(())
    }
}

fn was_cut(found: u64, written: u64) -> io::Error {
    let text = format!("the file has {found} bytes, but {written} were written: something else cut it");
    io::Error::new(ErrorKind::InvalidData, text)
}

/// The one writer of a session's journal. Dropping it commits what waits, syncs, and frees the session's lock.
pub struct Writer {
    path: PathBuf,
    disk: Box<dyn Disk>,
    /// Serialised lines of which the kernel has not taken all: whole ones, so that they can be told.
    pending: Vec<u8>,
    /// How many bytes of the first of them it has taken: the rest belongs at `offset`.
    taken: usize,
    /// How many bytes the kernel has taken, over all parts.
    offset: u64,
    /// Where the open part begins, and with which record.
    base: u64,
    first_seq: u64,
    /// The open part is closed once there are so many bytes in all.
    close_at: u64,
    part_bytes: u64,
    longest_line: usize,
    /// For the parts to come; none: there will be none.
    header: Option<Header>,
    last_seq: u64,
    /// The last write failed; the next one opens the file anew.
    broken: bool,
    /// The first record that was not kept, and its length where that was why.
    refused: Option<(u64, Option<usize>)>,
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
        let disk = RealDisk::over(&path, file, 0);
        let mut writer = Self::over(path, Box::new(disk), 0, Some(folder))?;
        writer.line(&header)?;
        writer.header = Some(header);
        writer.sync_now()?;
        sync_folder(&at)?;
        Ok(writer)
    }

    /// Takes up a session's journal; a torn last line is cut and kept aside.
    ///
    /// # Errors
    /// [`JournalError::Header`], [`JournalError::Newer`], [`JournalError::Parts`], or what the system refused. Damage in the
    /// middle is for the reader to tell.
    pub fn resume(folder: SessionFolder) -> Result<Resumed, JournalError> {
        let path = folder.journal();
        // The header first: a file of a later version, or no journal at all, is not touched.
        let head = parts::open(&path)?.head;
        parts::tidy(&path, &head)?;
        let torn = cut_torn(folder.path(), &path)?;
        let file = own::write(&path, OpenOptions::new().append(true))
            .map_err(|e| JournalError::io("open for writing", &path, e))?;
        let len = file.metadata().map_err(|e| JournalError::io("look at", &path, e))?.len();
        // A rotation that a crash broke off may have left the folder as it was before it.
        sync_folder(folder.path())?;
        let disk = RealDisk::over(&path, file, len);
        let mut writer = Self::over(path, Box::new(disk), head.start + len, Some(folder))?;
        (writer.base, writer.first_seq) = (head.start, head.first_seq);
        writer = writer.with_part_bytes(PART_BYTES);
        let (program, session) = (env!("CARGO_PKG_VERSION").to_owned(), head.header.session.clone());
        writer.header = Some(Header { baton_journal: FORMAT, program, session });
        Ok(Resumed { writer, header: head.header, torn })
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
        Ok(Self {
            path,
            disk,
            pending,
            taken: 0,
            offset,
            base: 0,
            first_seq: 1,
            close_at: PART_BYTES,
            part_bytes: PART_BYTES,
            longest_line: MAX_LINE,
            header: None,
            last_seq: 0,
            broken: false,
            refused: None,
            syncer,
            _folder: folder,
        })
    }

    /// Lets a writer over a disk of the tests close parts.
    #[cfg(test)]
    pub(super) fn in_parts(mut self, header: Header, bytes: u64) -> Self {
        self.header = Some(header);
        self.with_part_bytes(bytes)
    }

    /// Closes parts at another size than [`PART_BYTES`].
    #[must_use]
    pub fn with_part_bytes(mut self, bytes: u64) -> Self {
        (self.part_bytes, self.close_at) = (bytes, self.base.saturating_add(bytes));
        self
    }

    /// Takes no line longer than this, at most [`MAX_LINE`]: shows what a longer one would come to.
    #[must_use]
    pub fn with_longest_line(mut self, bytes: usize) -> Self {
        self.longest_line = bytes.min(MAX_LINE);
        self
    }

    /// Buffers a record and returns the byte offset its line will have, over all parts. Nothing is written until [`Writer::commit`], unless
    /// [`MAX_PENDING`] is reached.
    ///
    /// # Errors
    /// [`JournalError::TooLong`] or [`JournalError::Refused`]: the record is not kept, and no later one will be.
    pub fn append(&mut self, record: &Record) -> Result<u64, JournalError> {
        if self.pending.len() >= MAX_PENDING && self.refused.is_none() {
            // Whether it failed shows in what is still pending; its error comes again at the next commit.
            let _ = self.commit();
        }
        if self.refused.is_none() && self.pending.len() >= MAX_PENDING {
            self.refused = Some((record.seq, None));
        }
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        let start = self.pending.len();
        let written = self.line(record);
        if written.is_err() {
            self.refused = Some((record.seq, None));
        }
        written?;
        let bytes = self.pending.len() - start;
        if bytes > self.longest_line {
            self.pending.truncate(start);
            self.refused = Some((record.seq, Some(bytes)));
            return Err(JournalError::TooLong { seq: record.seq, bytes, max: self.longest_line });
        }
        self.last_seq = record.seq;
        Ok(self.offset + (start - self.taken) as u64)
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

    /// Why records are not kept any more, if so: it stays.
    pub fn lost(&self) -> Option<JournalError> {
        let (seq, long) = self.refused?;
        Some(match long {
            Some(bytes) => JournalError::TooLong { seq, bytes, max: self.longest_line },
            None => {
                let mend = "free space on that disk, then resume the session";
                JournalError::Refused { path: self.path.clone(), seq, bytes: self.pending_bytes(), mend }
            }
        })
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
            if self.offset >= self.close_at {
                self.close_part();
            }
        }
        match self.syncer.failure() {
            Some((kind, why)) => Err(unsynced(&self.path, kind, why)),
            None => Ok(()),
        }
    }

    /// Goes on in a new part, once a part; what is in the old one is on disk before the new one is there, so that a power
    /// cut never leaves a hole. What can't be closed goes on being written, and is closed when the next size is reached.
    fn close_part(&mut self) {
        self.close_at = self.offset.saturating_add(self.part_bytes);
        let Some(header) = self.header.clone() else { return };
        self.syncer.sync_here();
        if self.syncer.failure().is_some() {
            return;
        }
        let closed = parts::closed_name(self.first_seq, self.base);
        let next = PartHeader { header, first_seq: self.last_seq + 1, start: self.offset };
        let done = next.line().and_then(|line| self.disk.rotate(&closed, &line).map(|()| line.len() as u64));
        match done.map_err(|e| JournalError::io("close a part of", &self.path, e)) {
            Ok(bytes) => {
                (self.base, self.first_seq) = (self.offset, next.first_seq);
                self.offset += bytes;
                self.close_at = self.base.saturating_add(self.part_bytes);
                self.syncer.replace(self.disk.sync());
                self.syncer.committed(self.offset);
            }
            Err(error) => tracing::warn!(%error, "a part of the journal stays open"),
        }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if self.broken {
            self.disk.reopen(self.offset - self.base)?;
            self.syncer.replace(self.disk.sync());
            self.broken = false;
        }
        let outcome = loop {
            if self.taken == self.pending.len() {
                break Ok(());
            }
            match self.disk.write(&self.pending[self.taken..]) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.taken += n;
                    self.offset += n as u64;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        let whole = memchr::memrchr(b'\n', &self.pending[..self.taken]).map_or(0, |end| end + 1);
        self.pending.drain(..whole);
        self.taken -= whole;
        outcome
    }

    /// The records whose lines the kernel has not taken, or not whole: what is lost if this process ends now.
    pub fn unwritten(&self) -> Vec<Record> {
        let lines = self.pending.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        lines.filter_map(|line| Record::from_json(line).ok()).collect()
    }

    /// Waits until all that was committed before this call is on disk: for effects that can't be undone, answers to
    /// operators and exit codes. The future needs no borrow of the writer, and dropping it loses nothing.
    ///
    /// # Errors
    /// [`JournalError::Unsynced`], or at once [`JournalError::Waiting`] when the disk has not taken all of it: then it
    /// can take any time.
    pub fn barrier(&self) -> impl Future<Output = Result<(), JournalError>> + Send + 'static {
        let (target, path) = (self.offset, self.path.clone());
        let waiting = (!self.pending.is_empty() || self.refused.is_some()).then(|| JournalError::Waiting {
            path: self.path.clone(),
            bytes: self.pending_bytes(),
            mend: mend(ErrorKind::StorageFull),
        });
        let mut synced = self.syncer.watch();
        if synced.borrow().upto < target {
            self.syncer.hurry();
        }
        async move {
            if let Some(waiting) = waiting {
                return Err(waiting);
            }
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
    /// As [`Writer::commit`]; and where a record was refused, that: what came after it is not there.
    pub fn sync_now(&mut self) -> Result<(), JournalError> {
        self.commit()?;
        self.syncer.sync_here();
        self.commit()?;
        self.lost().map_or(Ok(()), Err)
    }

    /// The journal's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes the kernel has taken, over all parts.
    pub fn committed_bytes(&self) -> u64 {
        self.offset
    }

    /// How many bytes wait for [`Writer::commit`].
    pub fn pending_bytes(&self) -> usize {
        self.pending.len() - self.taken
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
