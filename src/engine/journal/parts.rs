//! The parts of a journal: closed ones beside the open one, together one story.
//!
//! `journal.jsonl` is the open part, the only one that is written. A closed part is named by the first record it has and
//! by where in the whole story its first byte stands: `journal-000000000001-0000000000000.jsonl`. Each part begins with
//! a header line that says the same, so that no index is needed. Byte offsets count over all parts, header lines
//! included.
//!
//! A rotation gives the open file its second name first ([`link`]) and then puts the next part, whose header is on disk
//! already, in the place of the first name ([`switch`]): there is no instant without a `journal.jsonl`, and a crash in
//! between leaves only a name too many or a file that was never part of the story.
//!
//! Not here: when to rotate. Invariant: a closed part is whole; it is never written again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::reader::{BLOCK, LineEnd, fill, time_of};
use super::{JournalError, own};
use crate::domain::protocol::{FORMAT, Header, Micros};

/// The next part's name until it is complete.
const NEXT: &str = "journal.next";

/// A part's first line: the journal's header, and where the part stands. Journals of format 1 have one part and say
/// nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartHeader {
    #[serde(flatten)]
    pub(super) header: Header,
    /// The first record of this part, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) first_seq: u64,
    /// Where its first byte stands in the whole story.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) start: u64,
}

fn one() -> u64 {
    1
}

fn is_one(n: &u64) -> bool {
    *n == 1
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl PartHeader {
    /// Its line.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// The name a part gets when it is closed.
pub(super) fn closed_name(first_seq: u64, start: u64) -> String {
    format!("journal-{first_seq:012}-{start:013}.jsonl")
}

/// A closed part, as its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) path: PathBuf,
    pub(super) first_seq: u64,
    pub(super) start: u64,
}

/// The closed parts in a session's folder that stand before `end`, in order. Others are none of the story: the second
/// name of the open part while it is being closed.
pub(super) fn closed_before(folder: &Path, end: u64) -> Result<Vec<Closed>, JournalError> {
    let entries = std::fs::read_dir(folder).map_err(|e| JournalError::io("list", folder, e))?;
    let mut parts: Vec<Closed> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let (first_seq, start) =
                name.to_str()?.strip_prefix("journal-")?.strip_suffix(".jsonl")?.split_once('-')?;
            Some(Closed { path: entry.path(), first_seq: first_seq.parse().ok()?, start: start.parse().ok()? })
        })
        .filter(|part| part.start < end)
        .collect();
    parts.sort_by_key(|part| part.start);
    Ok(parts)
}

/// A part whose header was read.
pub(super) struct Opened {
    pub(super) file: BufReader<File>,
    pub(super) head: PartHeader,
    /// Bytes of the header line.
    pub(super) head_bytes: u64,
}

/// Opens a part, closed or open, and reads its header.
pub(super) fn open(path: &Path) -> Result<Opened, JournalError> {
    #[derive(Deserialize)]
    struct Format {
        baton_journal: u32,
    }
    let file = own::read(path).map_err(|e| JournalError::io("open", path, e))?;
    let mut file = BufReader::with_capacity(BLOCK, file);
    let mut line = Vec::new();
    let end = fill(&mut file, &mut line).map_err(|e| JournalError::io("read", path, e))?;
    let bad = |why: String| JournalError::Header { path: path.to_path_buf(), why };
    if end != LineEnd::Whole {
        return Err(bad("its first line has no end".into()));
    }
    // A later format may have changed the rest of the header, so the number is read first.
    let Format { baton_journal } = serde_json::from_slice(&line).map_err(|e| bad(e.to_string()))?;
    if baton_journal > FORMAT {
        return Err(JournalError::Newer { path: path.to_path_buf(), found: baton_journal, known: FORMAT });
    }
    let head = serde_json::from_slice(&line).map_err(|e| bad(e.to_string()))?;
    Ok(Opened { file, head, head_bytes: line.len() as u64 })
}

/// The folder a journal's file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where the whole story ends now.
pub(super) fn end_of(journal: &Path) -> Result<u64, JournalError> {
    let opened = open(journal)?;
    let meta = opened.file.get_ref().metadata().map_err(|e| JournalError::io("look at", journal, e))?;
    Ok(opened.head.start + meta.len())
}

/// The session time of a part's first record; none while it has none.
pub(super) fn first_time(part: &Path) -> Option<Micros> {
    let mut opened = open(part).ok()?;
    let mut line = Vec::new();
    fill(&mut opened.file, &mut line).ok()?;
    time_of(&line)
}

/// Whether a path still names an open file. A path that names nothing any more is not told from one that does: nobody
/// can say what came after.
pub(super) fn is_still(path: &Path, file: &File) -> bool {
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => (named.dev(), named.ino()) == (open.dev(), open.ino()),
        _ => true,
    }
}

/// Rotation, first step: the next part with its header line, on disk under a name nobody reads. Returned open for
/// appending.
pub(super) fn prepare(journal: &Path, header: &[u8]) -> io::Result<File> {
    let path = journal.with_file_name(NEXT);
    // One that a crash left may have anything in it.
    if let Err(e) = std::fs::remove_file(&path)
        && e.kind() != ErrorKind::NotFound
    {
        return Err(e);
    }
    let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(header)?;
    file.sync_all()?;
    Ok(file)
}

/// Rotation, second step: the open part gets the name it will have when it is closed.
pub(super) fn link(journal: &Path, open: &File, closed: &Path) -> io::Result<()> {
    if !is_still(journal, open) {
        return Err(io::Error::new(ErrorKind::NotFound, "another file has its name"));
    }
    match std::fs::hard_link(journal, closed) {
        // The name of a rotation that a crash broke off after this step.
        Err(e) if e.kind() == ErrorKind::AlreadyExists && is_still(closed, open) => Ok(()),
        done => done,
    }
}

/// Rotation, last step: the next part takes the place of the open one.
pub(super) fn switch(journal: &Path) -> io::Result<()> {
    std::fs::rename(journal.with_file_name(NEXT), journal)
}

/// Takes away what a rotation that a crash broke off has left, before a journal is written again. `head` is the open
/// part's.
///
/// # Errors
/// [`JournalError::Parts`] when there are closed parts that stand after the open one: then something other than Baton
/// has been here, and writing on would bury them.
pub(super) fn tidy(journal: &Path, head: &PartHeader) -> Result<(), JournalError> {
    let folder = folder_of(journal);
    let open = own::read(journal).map_err(|e| JournalError::io("open", journal, e))?;
    for part in closed_before(folder, u64::MAX)?.into_iter().filter(|part| part.start >= head.start) {
        if !is_still(&part.path, &open) {
            let why = format!("{} stands after the open part, or in its place", part.path.display());
            return Err(JournalError::Parts { folder: folder.to_path_buf(), why });
        }
        std::fs::remove_file(&part.path).map_err(|e| JournalError::io("remove", &part.path, e))?;
    }
    let next = journal.with_file_name(NEXT);
    match std::fs::remove_file(&next) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(JournalError::io("remove", &next, e)),
        _ => Ok(()),
    }
}

/// Whether the closed parts follow each other to the open one without a gap, by their names and lengths: what a reader that
/// begins in the middle still looks at of what stands before.
pub(super) fn are_whole(journal: &Path) -> bool {
    let Ok(open) = open(journal) else { return false };
    let Ok(closed) = closed_before(folder_of(journal), open.head.start) else { return false };
    let mut end = 0;
    for part in closed {
        let Ok(meta) = std::fs::metadata(&part.path) else { return false };
        if part.start != end {
            return false;
        }
        end += meta.len();
    }
    end == open.head.start
}
