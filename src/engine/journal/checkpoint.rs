//! Checkpoints: what was true after a record, as a file in the session's folder.
//!
//! A file begins with a line that says what it is of; the lines after it are a state's ([`StateLines`]). It is whole, or
//! has only what changed since a whole one before it: so many of them fit beside a journal that no place in it is far
//! from one. It may be deleted at any time, and one that is damaged, of another version, or not of this journal (the last
//! records were lost in a power cut, and others came in their place) is as if it were not there.
//!
//! Not here: when one is made ([`super::Past`], [`super::Keeper`]). Invariants: what is loaded is the fold of the journal up
//! to that record, as long as the journal's closed parts are as they were written; none has records in it that this
//! version does not know, or the next one would miss them.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::reader::{BLOCK, Reader};
use super::{Digest, own, parts};
use crate::domain::state::{State, StateLines};

/// Goes up when the meaning of what State has changes, so that no older checkpoint is taken for a newer one.
const SHAPE: u32 = 4;

/// A larger one is no checkpoint of ours.
const MAX_BYTES: u64 = 512 << 20;

/// One is made each time the journal grew by this: to fold so much takes some hundredths of a second.
pub(super) const STEP: u64 = 12 << 20;

/// All of them together take this part of the journal at most.
const SHARE: u64 = 5;

/// What changed since the last whole one is worth a file while it is this part of it at most: it is read on top of that.
const CHANGED: u64 = 6;

/// So much of a disk is left to others: two parts of the journal, which goes before.
const LEFT: u64 = 2 * super::PART_BYTES;

/// The first line is filled up to this with spaces, so that it is read without looking for its end.
const HEAD: usize = 512;

/// A checkpoint as its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    /// The last record of it.
    pub(super) seq: u64,
    /// Where the next line begins, over all parts.
    pub(super) offset: u64,
    /// Of its own file.
    pub(super) own_bytes: u64,
    /// All that is to be read for it.
    pub(super) bytes: u64,
    /// The whole one that it says the changes to.
    on: Option<PathBuf>,
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
    /// The sum of the lines of the whole one that it says the changes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<u64>,
    /// The sum of its own lines.
    sum: u64,
}

/// The place of a state in its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the line of its last record begins.
    pub(super) line: u64,
    /// Where the next one begins.
    pub(super) offset: u64,
}

/// A whole checkpoint, as those after it are compared with.
#[derive(Debug)]
pub(super) struct Whole {
    seq: u64,
    offset: u64,
    bytes: u64,
    sum: u64,
    /// Of each of its lines.
    lines: HashSet<u64>,
}

/// What was read.
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) place: Place,
    /// Itself, or the one below it.
    pub(super) whole: Whole,
}

/// What became of the wish for one.
pub(super) enum Made {
    /// It is there; where it was whole, it is what those after it are compared with.
    Kept(Option<Whole>),
    /// All together would be too large until the journal has so many bytes.
    TooLarge {
        /// In bytes over all parts.
        until: u64,
    },
}

/// The checkpoints beside a journal, in order.
pub(super) fn list(journal: &Path) -> Vec<Named> {
    // A folder that can't be listed has none for us.
    let Ok(entries) = std::fs::read_dir(parts::folder_of(journal)) else { return Vec::new() };
    let mut found: Vec<Named> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?.strip_prefix("checkpoint-")?.strip_suffix(".json")?;
            let (own, on) = name.split_once("-on-").map_or((name, None), |(own, on)| (own, Some(on)));
            let (seq, offset) = own.split_once('-')?;
            let (seq, offset) = (seq.parse().ok()?, offset.parse().ok()?);
            let on = on.map(|on| journal.with_file_name(format!("checkpoint-{on}.json")));
            let bytes = entry.metadata().ok()?.len();
            Some(Named { path: entry.path(), seq, offset, own_bytes: bytes, bytes, on })
        })
        .collect();
    found.sort_by(|a, b| (a.seq, &a.path).cmp(&(b.seq, &b.path)));
    let sizes: Vec<(PathBuf, u64)> =
        found.iter().filter(|named| named.on.is_none()).map(|named| (named.path.clone(), named.bytes)).collect();
    // Without the whole one there are only changes to nothing.
    found.retain_mut(|named| {
        let Some(on) = &named.on else { return true };
        let below = sizes.iter().find(|(path, _)| path == on);
        named.bytes += below.map_or(0, |(_, bytes)| *bytes);
        below.is_some()
    });
    found
}

/// The newest one that is good.
pub(super) fn newest(journal: &Path) -> Option<Loaded> {
    list(journal).iter().rev().find_map(|named| load(journal, named))
}

/// Reads one. None: it is none for this journal and this program. One that can never be of use again is removed.
pub(super) fn load(journal: &Path, named: &Named) -> Option<Loaded> {
    let opened = open(named.seq, named.offset, &named.path);
    if let Some((guard, _)) = &opened
        && !guard.is_ours()
    {
        // Another version of this program made it, and may come back to it.
        return None;
    }
    let loaded = opened.and_then(|(guard, file)| {
        if !fits(journal, &guard) {
            return None;
        }
        let (mut lines, mut sums) = (StateLines::default(), HashSet::new());
        let mut whole = None;
        if let Some(on) = &named.on {
            let (seq, offset) = places(on)?;
            let (below, file) = open(seq, offset, on)?;
            if !below.is_ours()
                || guard.on != Some(below.sum)
                || !take(file, below.sum, &mut lines, |n| {
                    sums.insert(n);
                })
            {
                return None;
            }
            let bytes = named.bytes - named.own_bytes;
            whole = Some(Whole { seq, offset, bytes, sum: below.sum, lines: std::mem::take(&mut sums) });
        }
        if guard.on.is_some() != named.on.is_some()
            || !take(file, guard.sum, &mut lines, |n| {
                sums.insert(n);
            })
        {
            return None;
        }
        let Guard { seq, offset, sum, line, .. } = guard;
        let state = lines.state().filter(|state| state.seq == seq)?;
        let whole = whole.unwrap_or(Whole { seq, offset, bytes: named.bytes, sum, lines: sums });
        Some(Loaded { state, place: Place { line, offset }, whole })
    });
    if loaded.is_none() {
        tracing::debug!(path = %named.path.display(), "a checkpoint does not fit its journal and is removed");
        // It is of no use; where it can't be removed it is passed over each time.
        let _ = std::fs::remove_file(&named.path);
    }
    loaded
}

/// What the name of a whole one tells.
fn places(path: &Path) -> Option<(u64, u64)> {
    let name = path.file_name()?.to_str()?;
    let (seq, offset) = name.strip_prefix("checkpoint-")?.strip_suffix(".json")?.split_once('-')?;
    Some((seq.parse().ok()?, offset.parse().ok()?))
}

impl Guard {
    fn is_ours(&self) -> bool {
        self.baton_checkpoint == SHAPE && self.program == env!("CARGO_PKG_VERSION")
    }
}

/// Opens one and reads its first line.
fn open(seq: u64, offset: u64, path: &Path) -> Option<(Guard, BufReader<io::Take<File>>)> {
    let mut file = BufReader::with_capacity(BLOCK, own::read(path).ok()?.take(MAX_BYTES));
    let mut head = [0; HEAD];
    file.read_exact(&mut head).ok()?;
    let guard: Guard = serde_json::from_slice(&head).ok()?;
    ((guard.seq, guard.offset) == (seq, offset)).then_some((guard, file))
}

/// Takes in the lines of one. False: they are not what its first line says. Attempts are half of all that is read, and are
/// read beside the rest.
fn take(mut file: impl Read, sum: u64, lines: &mut StateLines, mut each: impl FnMut(u64)) -> bool {
    let mut text = Vec::new();
    // Bounded where it was opened.
    if file.read_to_end(&mut text).is_err() || !text.ends_with(b"\n") {
        return false;
    }
    let of_attempt = |line: &&[u8]| line.first() == Some(&b'a');
    let all = || text.split_inclusive(|byte| *byte == b'\n');
    let read = |lines: &mut StateLines, line: &[u8]| lines.take(&line[..line.len() - 1]).is_some();
    let mut attempts = lines.attempts_apart();
    let (beside, whole) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| all().filter(of_attempt).all(|line| read(&mut attempts, line)));
        let mut mixed = 0;
        for line in all() {
            let of_line = sum_of(0, line);
            mixed = mix(mixed, of_line);
            each(of_line);
        }
        let whole = mixed == sum && all().filter(|line| !of_attempt(line)).all(|line| read(lines, line));
        (beside.join().unwrap_or(false), whole)
    });
    lines.with_attempts(attempts);
    beside && whole
}

/// A sum over bytes, eight at a time: [`Digest`] would take longer than all else. Tells damage, and whether a line changed; not
/// made to withstand anyone who wants a collision.
fn sum_of(before: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mut sum = mix(before, bytes.len() as u64);
    for word in words.by_ref() {
        sum = mix(sum, word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    words.remainder().iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}

/// Each step loses nothing of the sum, so that one changed word always shows.
fn mix(sum: u64, word: u64) -> u64 {
    let mixed = (sum ^ word).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// Whether the journal has that very record at that very place, and all its parts up to there.
fn fits(journal: &Path, guard: &Guard) -> bool {
    digest_at(journal, guard.line).is_ok_and(|(digest, end)| digest == guard.line_digest && end == guard.offset)
        && parts::are_whole(journal)
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

/// Writes one, whole or as the changes to `whole`, whatever is less to write and to read. The state is the same afterwards.
pub(super) fn save(journal: &Path, state: &mut State, place: Place, whole: Option<&Whole>) -> io::Result<Made> {
    let mut changes = Changes { most: whole.map_or(0, |whole| whole.bytes / CHANGED), ..Changes::default() };
    state.each_line(|line| changes.take(line, whole))?;
    let whole = whole.filter(|_| changes.are_few());
    let size = HEAD as u64 + if whole.is_some() { changes.text.len() as u64 } else { changes.all_bytes };
    let others: u64 = list(journal).iter().map(|named| named.own_bytes).sum();
    if others + size > place.offset / SHARE {
        return Ok(Made::TooLarge { until: (others + size) * SHARE });
    }
    let free = rustix::fs::statvfs(parts::folder_of(journal))?;
    if free.f_bavail.saturating_mul(free.f_frsize) < LEFT + size {
        return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk has little room left"));
    }
    let (line_digest, end) = digest_at(journal, place.line)?;
    if end != place.offset {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the journal has changed"));
    }
    let guard = Guard {
        baton_checkpoint: SHAPE,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        seq: state.seq,
        offset: place.offset,
        line: place.line,
        line_digest,
        on: whole.map(|whole| whole.sum),
        sum: if whole.is_some() { changes.sum } else { changes.all },
    };
    let on = whole.map_or_else(String::new, |whole| format!("-on-{}", name(whole.seq, whole.offset)));
    let path = journal.with_file_name(format!("checkpoint-{}{on}.json", name(guard.seq, guard.offset)));
    write(&path, &guard, |file| match whole {
        Some(_) => file.write_all(&changes.text),
        None => {
            let mut written = Ok(());
            state.each_line(|line| {
                if written.is_ok() {
                    written = file.write_all(line);
                }
            })?;
            written
        }
    })?;
    Ok(Made::Kept(match whole {
        Some(_) => None,
        None => Some(Whole { seq: guard.seq, offset: guard.offset, bytes: size, sum: guard.sum, lines: changes.lines }),
    }))
}

fn name(seq: u64, offset: u64) -> String {
    format!("{seq:012}-{offset:013}")
}

/// What changed since a whole checkpoint, while that is little.
#[derive(Default)]
struct Changes {
    /// More is not kept.
    most: u64,
    text: Vec<u8>,
    changed: u64,
    sum: u64,
    lines: HashSet<u64>,
    all_bytes: u64,
    all: u64,
}

impl Changes {
    fn take(&mut self, line: &[u8], whole: Option<&Whole>) {
        let sum = sum_of(0, line);
        self.all = mix(self.all, sum);
        self.all_bytes += line.len() as u64;
        self.lines.insert(sum);
        if whole.is_some_and(|whole| whole.lines.contains(&sum)) {
            return;
        }
        self.changed += line.len() as u64;
        if self.are_few() {
            self.text.extend_from_slice(line);
            self.sum = mix(self.sum, sum);
        } else {
            self.text = Vec::new();
        }
    }

    fn are_few(&self) -> bool {
        self.changed <= self.most
    }
}

/// Several may be made at once, also by one process.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Writes a file beside and gives it its name when it is whole.
fn write(path: &Path, guard: &Guard, body: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut head = serde_json::to_vec(guard)?;
    if head.len() >= HEAD {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its first line is too long"));
    }
    head.resize(HEAD - 1, b' ');
    head.push(b'\n');
    let n = MADE.fetch_add(1, Ordering::Relaxed);
    let new = path.with_extension(format!("new-{}-{n}", std::process::id()));
    let written = (|| {
        // One that a crash left, of a process that had the same number.
        let _ = std::fs::remove_file(&new);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let mut file = BufWriter::with_capacity(BLOCK, file);
        file.write_all(&head)?;
        body(&mut file)?;
        file.flush()?;
        std::fs::rename(&new, path)
    })();
    if written.is_err() {
        // Half a file is of no use to anybody, and the disk may be full.
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Takes away what crashes left of checkpoints that were being made. One that another process makes just now is not
/// finished, which is no harm.
pub(super) fn tidy(journal: &Path) {
    let Ok(entries) = std::fs::read_dir(parts::folder_of(journal)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("checkpoint-") && name.contains(".new-")) {
            // What can't be removed stays.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
