//! Checkpoints: what was true after a record, as a file in the session's folder.
//!
//! A file has two lines: what it is of, and the state. It may be deleted at any time, and one that is damaged, of another
//! version, or not of this journal (the last records were lost in a power cut, and others came in their place) is as if
//! it were not there. Not here: when one is made ([`super::Past`]).

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::reader::Reader;
use super::{Digest, own, parts};
use crate::domain::state::{Frozen, State};

/// Goes up when the meaning of what State has changes, so that no older checkpoint is taken for a newer one.
const SHAPE: u32 = 2;

/// A larger one is no checkpoint of ours.
const MAX_BYTES: u64 = 512 << 20;

/// A checkpoint as its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    /// The last record of it.
    pub(super) seq: u64,
    /// Where the next line begins, over all parts.
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// Its first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Guard {
    baton_checkpoint: u32,
    program: String,
    seq: u64,
    offset: u64,
    /// Where the line of record `seq` begins, and its digest.
    line: u64,
    line_digest: String,
    /// Digest of the state's line.
    digest: String,
}

/// The place of a state in its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the line of its last record begins.
    pub(super) line: u64,
    /// Where the next one begins.
    pub(super) offset: u64,
}

/// The checkpoints beside a journal, in order.
pub(super) fn list(journal: &Path) -> Vec<Named> {
    // A folder that can't be listed has none for us.
    let Ok(entries) = std::fs::read_dir(parts::folder_of(journal)) else { return Vec::new() };
    let mut found: Vec<Named> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let (seq, offset) = name.to_str()?.strip_prefix("checkpoint-")?.strip_suffix(".json")?.split_once('-')?;
            let bytes = entry.metadata().ok()?.len();
            Some(Named { path: entry.path(), seq: seq.parse().ok()?, offset: offset.parse().ok()?, bytes })
        })
        .collect();
    found.sort_by_key(|named| named.seq);
    found
}

/// Reads one. None: it is none for this journal and this program. One that can never be of use again is removed.
pub(super) fn load(journal: &Path, named: &Named) -> Option<(State, Place)> {
    let (guard, text) = read(named)?;
    let ours = guard.baton_checkpoint == SHAPE && guard.program == env!("CARGO_PKG_VERSION");
    if !ours {
        return None;
    }
    let loaded = (Digest::of(&text) == guard.digest && fits(journal, &guard))
        .then(|| serde_json::from_str::<State>(&text).ok())
        .flatten()
        .filter(|state| state.seq == guard.seq);
    let Some(mut state) = loaded else {
        tracing::debug!(path = %named.path.display(), "a checkpoint does not fit its journal and is removed");
        // It is of no use; where it can't be removed it is passed over each time.
        let _ = std::fs::remove_file(&named.path);
        return None;
    };
    state.reindex();
    Some((state, Place { line: guard.line, offset: guard.offset }))
}

fn read(named: &Named) -> Option<(Guard, String)> {
    if named.bytes > MAX_BYTES {
        return None;
    }
    let mut text = String::new();
    own::read(&named.path).ok()?.take(MAX_BYTES + 1).read_to_string(&mut text).ok()?;
    let end = text.find('\n')?;
    let guard: Guard = serde_json::from_str(&text[..end]).ok()?;
    text.drain(..=end);
    ((guard.seq, guard.offset) == (named.seq, named.offset)).then_some((guard, text))
}

/// Whether the journal has that very record at that very place.
fn fits(journal: &Path, guard: &Guard) -> bool {
    digest_at(journal, guard.line).is_ok_and(|(digest, end)| digest == guard.line_digest && end == guard.offset)
}

/// The digest of the line at `offset`, and where it ends.
fn digest_at(journal: &Path, offset: u64) -> io::Result<(String, u64)> {
    let other = |e: super::JournalError| io::Error::other(e.to_string());
    let mut reader = Reader::open_at(journal, offset).map_err(other)?;
    let mut digest = Digest::new();
    let Some((_, line)) = reader.look().map_err(other)? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    digest.update(line);
    Ok((digest.hex(), reader.offset()))
}

/// Writes one. Its bytes on disk.
pub(super) fn save(journal: &Path, frozen: &Frozen, place: Place) -> io::Result<u64> {
    let text = serde_json::to_string(&frozen.thaw())?;
    let (line_digest, end) = digest_at(journal, place.line)?;
    if end != place.offset {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the journal has changed"));
    }
    let guard = Guard {
        baton_checkpoint: SHAPE,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        seq: frozen.seq(),
        offset: place.offset,
        line: place.line,
        line_digest,
        digest: Digest::of(&text),
    };
    let mut bytes = serde_json::to_vec(&guard)?;
    bytes.push(b'\n');
    let path = journal.with_file_name(format!("checkpoint-{:012}-{:013}.json", guard.seq, guard.offset));
    // Several processes may make the same one; each has its own file until it is whole.
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = (|| {
        // One that a crash left, of a process that had the same number.
        let _ = std::fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&bytes)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&new, &path)
    })();
    if written.is_err() {
        // Half a file is of no use to anybody, and the disk may be full.
        let _ = std::fs::remove_file(&new);
    }
    written.map(|()| (bytes.len() + text.len()) as u64)
}
