//! What can go wrong with a journal: what was attempted on which path, and how to mend it.

use std::io;
use std::path::{Path, PathBuf};

/// A journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused something.
    #[error("could not {what} {}: {source}; {mend}", path.display())]
    Io {
        /// What was attempted, as in "write".
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// How to mend it.
        mend: &'static str,
    },
    /// A session of that name is there already.
    #[error("the session {id} exists already in {}; resume it, or choose another name", root.display())]
    Exists {
        /// The session.
        id: String,
        /// The sessions folder.
        root: PathBuf,
    },
    /// No session of that name.
    #[error("there is no session {id} in {}; list the sessions there are, or check the name", root.display())]
    Missing {
        /// The session.
        id: String,
        /// The sessions folder.
        root: PathBuf,
    },
    /// The name can't be a folder's.
    #[error(
        "{0:?} can't name a session: a name that starts with a dot would be hidden or lead elsewhere; choose another"
    )]
    Name(String),
    /// Another process writes this session.
    #[error("the session in {} is in use by {holder}; attach to it, or end it first", path.display())]
    Locked {
        /// The session's folder.
        path: PathBuf,
        /// Who, as far as the lock file tells.
        holder: String,
    },
    /// The first line is no header.
    #[error("{} does not begin with a journal header ({why}); it is no journal, or its first write never finished: move the folder away", path.display())]
    Header {
        /// The journal.
        path: PathBuf,
        /// What is wrong with the line.
        why: String,
    },
    /// Written by a later version.
    #[error("{} is written in journal format {found}, this Baton reads up to {known}; update Baton", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// [`crate::domain::protocol::FORMAT`].
        known: u32,
    },
    /// A line in the middle is no record.
    #[error("line {line} of {} is damaged ({why}); to use what stands before it, copy the first {} lines to a new session folder", path.display(), line - 1)]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1; the header is line 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The parts of a journal are not one story.
    #[error(
        "the parts of the journal in {} don't fit together ({why}); restore what is missing from a copy, or copy the parts before it to a new session folder",
        folder.display()
    )]
    Parts {
        /// The session's folder.
        folder: PathBuf,
        /// Which part is wrong, and how.
        why: String,
    },
    /// A session is to be forked where it has no record.
    #[error("{} has no record {seq} to fork at; its last one read is {last}", path.display())]
    NoRecord {
        /// The journal.
        path: PathBuf,
        /// The record asked for.
        seq: u64,
        /// The last one before it that there is.
        last: u64,
    },
    /// A session with records that this version can't copy is to be forked.
    #[error("{} has records of a later version, which a copy would lose; update Baton", path.display())]
    Later {
        /// The journal.
        path: PathBuf,
    },
    /// A record is longer than a reader takes: neither it nor anything after it is kept.
    #[error(
        "record {seq} is {bytes} bytes long, more than the {max} a line of the journal may have, so it and all that came after it was not kept; this is a fault of Baton's, please report it; `baton resume` goes on from what was kept"
    )]
    TooLong {
        /// The record.
        seq: u64,
        /// Its length.
        bytes: usize,
        /// [`super::MAX_LINE`].
        max: usize,
    },
    /// So much is waiting for a disk that does not take it that records are refused; later ones too, so that none is missing
    /// in the middle.
    #[error("{} takes nothing and {bytes} bytes wait already, so record {seq} was not kept; the session must stop here: {mend}", path.display())]
    Refused {
        /// The journal.
        path: PathBuf,
        /// The first record that was not kept.
        seq: u64,
        /// Bytes waiting.
        bytes: usize,
        /// How to mend it.
        mend: &'static str,
    },
    /// What was decided waits in memory for a disk that takes nothing: it holds as long as this process lives.
    #[error("{} takes nothing now: {bytes} bytes wait in memory, what was decided is not on disk yet and is written by itself once there is room; {mend}", path.display())]
    Waiting {
        /// The journal.
        path: PathBuf,
        /// Bytes waiting.
        bytes: usize,
        /// How to mend it.
        mend: &'static str,
    },
    /// What waited in memory when the process was told to wait no longer for a disk that takes nothing.
    #[error(
        "lost: {what}, which waited in memory because of this: {why}; `baton resume` goes on from what is in the journal"
    )]
    Lost {
        /// Which records, in words.
        what: String,
        /// Why they could not be written.
        why: Box<JournalError>,
    },
    /// The disk took the bytes but could not keep them. Stays: after such an error a later success proves nothing.
    #[error("could not make {} durable: {why}; what came last may be lost after a power cut: {mend}", path.display())]
    Unsynced {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        why: String,
        /// How to mend it.
        mend: &'static str,
    },
}

impl JournalError {
    /// Whether what could not be written is worth keeping: it may go through once somebody has made room. Not where the
    /// file itself is gone or cut, nor where a sync failed.
    pub fn may_pass(&self) -> bool {
        use io::ErrorKind as K;
        matches!(self, Self::Io { source, .. } if !matches!(source.kind(), K::NotFound | K::InvalidData))
    }

    /// Wraps what the system said with the mend that fits it.
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        let mend = mend(source.kind());
        Self::Io { what, path: path.to_path_buf(), source, mend }
    }
}

/// What an operator can do about a refusal of the system.
pub(super) fn mend(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind as K;
    match kind {
        K::StorageFull | K::QuotaExceeded | K::WriteZero => "free space on that disk",
        K::FileTooLarge => "raise the limit on the size of files (`ulimit -f`)",
        K::PermissionDenied => "make it readable and writable for your user",
        K::ReadOnlyFilesystem => "mount that disk writable, or choose another sessions folder",
        K::NotFound => "the file or its folder is gone: restore it, or start a new session",
        // What stands there is none of Baton's making.
        K::InvalidInput => "remove it, or put the session's own file in its place",
        _ => "check that disk and its free space",
    }
}
