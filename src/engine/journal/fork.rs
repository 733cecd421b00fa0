//! A fork: a new session whose past is another one's, up to a record.
//!
//! Not here: what becomes of attempts that were open there (whoever takes the fork up marks them interrupted), and
//! effects outside: none but model requests exist, and those leave nothing behind. Invariants: the parent is only read,
//! also while another process writes it; a fork is whole and durable, or not there.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use super::folder::sync_folder;
use super::{JournalError, Reader, SessionFolder, Sessions, Writer};
use crate::domain::protocol::{Event, Forked, Micros, Record, SessionId};
use crate::domain::state::State;

/// Where forks are made, beside the sessions: a name that no session can have.
const WORKSHOP: &str = ".forks";

/// Whether a fork begins paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// Nothing starts until it is resumed.
    Held,
    /// It goes on as soon as it is taken up.
    Going,
}

/// A fork that was made.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The new session.
    pub session: SessionId,
    /// What is true in it.
    pub state: State,
}

/// Makes a session with the past of `parent` up to record `seq`. It is on disk when this returns.
///
/// # Errors
/// [`JournalError::Missing`], [`JournalError::Exists`], [`JournalError::NoRecord`], [`JournalError::Later`], or what the
/// system refused.
pub fn fork(
    sessions: &Sessions,
    parent: &SessionId,
    seq: u64,
    new: &SessionId,
    begins: Begins,
) -> Result<Fork, JournalError> {
    let from = sessions.journal(parent)?;
    if !from.is_file() {
        return Err(JournalError::Missing { id: parent.to_string(), root: sessions.root().to_path_buf() });
    }
    copied(sessions, (&from, parent), seq, new, begins)
}

/// The same of a journal that lies elsewhere: its past becomes a session here, which is a foreign one as much as before.
///
/// # Errors
/// As [`fork`], and as [`Reader::open`].
pub fn fork_file(
    sessions: &Sessions,
    journal: &Path,
    seq: u64,
    new: &SessionId,
    begins: Begins,
) -> Result<Fork, JournalError> {
    let parent = Reader::open(journal)?.header().session.clone();
    // The folder of all sessions may not be there yet.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(sessions.root())
        .map_err(|e| JournalError::io("make the folder", sessions.root(), e))?;
    copied(sessions, (journal, &parent), seq, new, begins)
}

fn copied(
    sessions: &Sessions,
    (from, parent): (&Path, &SessionId),
    seq: u64,
    new: &SessionId,
    begins: Begins,
) -> Result<Fork, JournalError> {
    let to = sessions.path(new)?;
    let root = to.parent().unwrap_or(Path::new(".")).to_path_buf();
    if to.exists() {
        return Err(JournalError::Exists { id: new.to_string(), root });
    }
    let workshop = Sessions::new(root.join(WORKSHOP));
    sweep(&workshop);
    let made = workshop.path(new)?;
    let state = copy(&workshop, from, &Forked { session: new.clone(), parent: parent.clone(), seq }, begins);
    let done = state.and_then(|state| {
        // Whole from here on: a folder that appears under its name is a session.
        std::fs::rename(&made, &to).map_err(|e| JournalError::io("move the fork to", &to, e))?;
        sync_folder(&root)?;
        Ok(Fork { session: new.clone(), state })
    });
    if done.is_err() {
        // What is left of it is no session, wherever it lies.
        let _ = std::fs::remove_dir_all(&made);
    }
    // Stays while another fork is made.
    let _ = std::fs::remove_dir(root.join(WORKSHOP));
    done
}

/// A copy younger than this is not swept away: its process may be about to lock it.
const YOUNG: Duration = Duration::from_secs(10);

/// Removes the copies of processes that were killed while they made a fork: those that nobody holds.
fn sweep(workshop: &Sessions) {
    for entry in std::fs::read_dir(workshop.root()).into_iter().flatten().flatten() {
        let path = entry.path();
        // Not of what a link leads to.
        let meta = entry.metadata().ok().filter(std::fs::Metadata::is_dir);
        let age = meta.and_then(|meta| meta.modified().ok()?.elapsed().ok());
        let id: Option<SessionId> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let (Some(id), true) = (id, age.is_some_and(|age| age > YOUNG)) else { continue };
        if let Ok(held) = SessionFolder::lock(id, path.clone()) {
            // What can't be removed is tried again with the next fork.
            let _ = std::fs::remove_dir_all(&path);
            drop(held);
        }
    }
}

/// Writes the fork's journal into a folder that nobody looks into.
fn copy(workshop: &Sessions, from: &Path, forked: &Forked, begins: Begins) -> Result<State, JournalError> {
    let mut reader = Reader::open(from)?;
    let mut writer = Writer::create(workshop.create(&forked.session)?, env!("CARGO_PKG_VERSION"))?;
    let mut state = State::default();
    while state.seq < forked.seq
        && let Some((_, record)) = reader.read()?
    {
        if reader.unknown() > 0 || record.seq > forked.seq {
            break;
        }
        writer.append(&record)?;
        if writer.pending_bytes() > CHUNK {
            writer.commit()?;
        }
        state.apply(&record);
    }
    if reader.unknown() > 0 {
        return Err(JournalError::Later { path: from.to_path_buf() });
    }
    if state.seq != forked.seq || state.session.is_none() {
        return Err(JournalError::NoRecord { path: from.to_path_buf(), seq: forked.seq, last: state.seq });
    }
    let mut add = |event| {
        let record = Record { seq: state.seq + 1, at: Micros(state.at.0), event };
        state.apply(&record);
        writer.append(&record)
    };
    add(Event::SessionForked(forked.clone()))?;
    match begins {
        Begins::Held => add(Event::SessionPaused {})?,
        Begins::Going => add(Event::SessionResumed {})?,
    };
    writer.sync_now()?;
    Ok(state)
}

/// Bytes given to the kernel at once.
const CHUNK: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{Name, SessionOpened, SessionStarted};
    use crate::domain::state::Gear;
    use crate::engine::journal::Journal;

    /// A session of `n` records, still held by its writer.
    fn parent(sessions: &Sessions, n: u64) -> Writer {
        let id: SessionId = Name::slug("parent");
        let mut writer = Writer::create(sessions.create(&id).unwrap(), "0").unwrap();
        let opened = SessionOpened { wall_ms: 1, pid: 2, version: "0".into(), host: "here".into() };
        let started = SessionStarted { session: id, config: crate::domain::fleet::SessionConfig::default() };
        for seq in 1..=n {
            let event = match seq {
                1 => Event::SessionStarted(Box::new(started.clone())),
                2 => Event::SessionOpened(opened.clone()),
                odd if odd % 2 == 1 => Event::SessionPaused {},
                _ => Event::SessionResumed {},
            };
            writer.append(&Record { seq, at: Micros(seq * 10), event }).unwrap();
        }
        writer.sync_now().unwrap();
        writer
    }

    #[test]
    fn a_fork_of_a_session_that_is_written_has_its_past_and_stands_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(folder.path());
        let _writing = parent(&sessions, 9);
        let (old, new) = (Name::slug("parent"), Name::slug("child"));
        let before = std::fs::read(sessions.journal(&old).unwrap()).unwrap();
        for (seq, begins, gear) in [(6, Begins::Held, Gear::Paused), (7, Begins::Going, Gear::Running)] {
            let new: SessionId = Name::slug(&format!("{new}-{seq}"));
            let made = fork(&sessions, &old, seq, &new, begins).unwrap();
            assert_eq!((made.state.gear, made.state.at), (gear, Micros(seq * 10)));
            let journal = Journal::read_all(&sessions.journal(&new).unwrap()).unwrap();
            assert_eq!((journal.header.session, journal.records.len() as u64), (new.clone(), seq + 2));
            let mut folded = State::default();
            journal.records.iter().for_each(|r| folded.apply(r));
            assert_eq!(folded, made.state);
            assert_eq!(folded.session, Some(new.clone()));
            assert_eq!(folded.parent, Some(Forked { session: new.clone(), parent: old.clone(), seq }));
            // It is nobody's: whoever takes it up may write it.
            assert!(sessions.open(&new).is_ok());
        }
        assert_eq!(std::fs::read(sessions.journal(&old).unwrap()).unwrap(), before, "the parent is only read");
        assert_eq!(sessions.list().unwrap().len(), 3);
    }

    #[test]
    fn what_can_not_be_forked_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(folder.path());
        drop(parent(&sessions, 4));
        let (old, new): (SessionId, SessionId) = (Name::slug("parent"), Name::slug("child"));
        let fails = |from: &SessionId, seq, to: &SessionId| fork(&sessions, from, seq, to, Begins::Held).unwrap_err();
        assert!(matches!(fails(&old, 5, &new), JournalError::NoRecord { last: 4, .. }));
        assert!(matches!(fails(&old, 0, &new), JournalError::NoRecord { .. }));
        assert!(matches!(fails(&new, 1, &old), JournalError::Missing { .. }));
        assert!(matches!(fails(&old, 3, &old), JournalError::Exists { .. }));
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["parent"]);
    }

    #[test]
    fn what_a_killed_process_left_of_a_fork_goes_with_the_next_one_and_what_is_being_made_stays() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(folder.path());
        drop(parent(&sessions, 4));
        let workshop = Sessions::new(folder.path().join(WORKSHOP));
        let long_ago = std::time::SystemTime::now() - 2 * YOUNG;
        let age = |name: &str| {
            let folder = std::fs::File::open(workshop.root().join(name)).unwrap();
            folder.set_times(std::fs::FileTimes::new().set_modified(long_ago)).unwrap();
        };
        // One whose process is gone, one that is held, one that was only just begun.
        drop(workshop.create(&Name::slug("left")).unwrap());
        std::fs::write(workshop.root().join("left/journal.jsonl"), "half").unwrap();
        let _held = workshop.create(&Name::slug("held")).unwrap();
        drop(workshop.create(&Name::slug("young")).unwrap());
        // Nothing of a link is followed, and what no session could be named stays.
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("mine"), "mine").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), workshop.root().join("link")).unwrap();
        age("left");
        age("held");
        let old = Name::slug("parent");
        fork(&sessions, &old, 4, &Name::slug("child"), Begins::Held).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(workshop.root())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["held", "link", "young"]);
        let mine: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(mine, ["mine"], "nothing was made or removed there");
    }
}
