//! What a list says of a session: [`SessionSummary`], folded from its journal once and kept beside it.
//!
//! `summary.json` in a session's folder holds it, with the size and time of the journal it was made from; it counts only
//! while both are as they were, and may be deleted at any time. Not here: a session in full ([`super::Past`]).
//!
//! Invariants: a session with a summary that counts is listed without a look into its journal; a summary is never newer
//! than its journal; asking whether a session runs takes nothing from whoever runs it.

use std::fs::{OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{JournalError, Past, Reader, SessionFolder, Sessions, own};
use crate::domain::protocol::{Forked, Micros, Outcome, SessionId};
use crate::domain::state::{GoalPhase, State};
use crate::domain::text::CleanText;

/// The file's name.
const FILE: &str = "summary.json";

/// The most of it that is read: a session of a thousand goals has a tenth of this.
const MOST_BYTES: u64 = 4 << 20;
/// The file's version: another one is not read.
const FORMAT: u32 = 1;
/// The most bytes of a goal's text that are kept.
const GOAL_BYTES: usize = 2_000;
/// Records between two looks at whether to go on: some milliseconds.
const STRIDE: u64 = 4_096;

/// Tells work on another thread to stop; it does so soon after. Clones stop the same work.
#[derive(Clone, Debug, Default)]
pub struct Halt(Arc<AtomicBool>);

impl Halt {
    /// Stops it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is to stop.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a session's work stands, apart from whether a process works on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was never given a goal.
    Empty,
    /// A goal of it has not ended.
    Unfinished,
    /// Every task ended well.
    Done,
    /// A task failed.
    Failed,
    /// A goal was cancelled, and nothing failed.
    Cancelled,
}

impl Standing {
    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unfinished => "unfinished",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How many tasks there are and how they stand. Removed ones do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// All of them.
    pub total: u32,
    /// Ended with a result.
    pub done: u32,
    /// Ended without.
    pub failed: u32,
    /// Cancelled or skipped.
    pub dropped: u32,
    /// Running at the last record.
    pub running: u32,
    /// Not started.
    pub waiting: u32,
}

/// A session in a few figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// The session.
    pub id: SessionId,
    /// Its first goal, whole but for a very long one; empty while it has none.
    pub goal: CleanText,
    /// How many goals it has.
    pub goals: u32,
    /// How its work stands.
    pub standing: Standing,
    /// When it began: wall time in milliseconds since 1970.
    pub started_ms: Option<u64>,
    /// How long it was worked on: session time, which stands still while no process has it.
    pub time: Micros,
    /// Its tasks.
    pub tasks: TaskCounts,
    /// Tokens generated.
    pub tokens: u64,
    /// Whether its models were simulated.
    pub simulated: bool,
    /// Bytes of its folder.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// How many processes worked on it, one after the other.
    pub lives: u32,
    /// The version of the program that worked on it last.
    #[serde(default)]
    pub version: String,
    /// The endpoints that worked for it, by title.
    pub endpoints: Vec<CleanText>,
    /// The folder it was started in, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Whose past it has, if it is a fork.
    pub parent: Option<Forked>,
    /// Why its journal can't be read to its end, in words; the figures are those before that.
    pub damage: Option<CleanText>,
}

impl SessionSummary {
    /// Of a state. The bytes of the folder are not known here.
    pub fn of(id: &SessionId, state: &State) -> Self {
        let progress = state.progress(None);
        let goal = state.goals().first().map(|g| g.text.clone()).unwrap_or_default();
        let mut worked = vec![false; state.endpoints().len()];
        for (_, endpoint) in state.by_models() {
            if let Some(flag) = worked.get_mut(endpoint.0 as usize) {
                *flag = true;
            }
        }
        let endpoints = state.endpoints().iter().zip(worked).filter(|(_, worked)| *worked);
        let began = state.lives.first().map_or(Micros(0), |(at, _)| *at);
        Self {
            id: id.clone(),
            goal: if goal.len() > GOAL_BYTES { goal.slice(0..GOAL_BYTES) } else { goal },
            goals: state.goals().len() as u32,
            standing: standing(state),
            started_ms: state.lives.first().map(|(_, life)| life.wall_ms),
            time: state.at.since(began),
            tasks: TaskCounts {
                total: progress.total,
                done: progress.done,
                failed: progress.failed,
                dropped: progress.dropped,
                running: progress.running,
                waiting: progress.waiting,
            },
            tokens: state.totals.output_tokens,
            simulated: state.config.fleet.is_simulated(),
            bytes: 0,
            records: state.seq,
            lives: state.lives.len() as u32,
            version: state.lives.last().map(|(_, life)| life.version.clone()).unwrap_or_default(),
            endpoints: endpoints.map(|(e, _)| CleanText::one_line(e.config.title())).collect(),
            folder: state.config.folder.clone(),
            parent: state.parent.clone(),
            damage: None,
        }
    }

    /// The version of its program, where that is another than this one.
    pub fn other_version(&self) -> Option<&str> {
        let version = self.version.as_str();
        (!version.is_empty() && version != env!("CARGO_PKG_VERSION")).then_some(version)
    }

    /// Whether there is something left to do.
    pub fn is_unfinished(&self) -> bool {
        self.standing == Standing::Unfinished
    }
}

fn standing(state: &State) -> Standing {
    let mut all = Standing::Empty;
    for goal in state.goals() {
        let one = match goal.phase {
            GoalPhase::Planning | GoalPhase::Draft | GoalPhase::Running => return Standing::Unfinished,
            GoalPhase::Ended(Outcome::Done) => Standing::Done,
            GoalPhase::Ended(Outcome::Failed) => Standing::Failed,
            GoalPhase::Ended(Outcome::Cancelled) => Standing::Cancelled,
        };
        all = match (all, one) {
            (Standing::Failed, _) | (_, Standing::Failed) => Standing::Failed,
            (Standing::Cancelled, _) | (_, Standing::Cancelled) => Standing::Cancelled,
            (_, one) => one,
        };
    }
    all
}

/// The process that has a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runner {
    /// Its id, where the lock tells.
    pub pid: Option<u32>,
}

/// A session as it is found without a look into its journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// The session.
    pub id: SessionId,
    /// When its journal was last written.
    pub modified: SystemTime,
    /// The process that has it now.
    pub runner: Option<Runner>,
    /// What was known of it when it was last folded.
    pub summary: Option<SessionSummary>,
    /// Whether that is what its journal says now.
    pub is_fresh: bool,
    stamp: Stamp,
}

impl Glance {
    /// How it stands, in a word; `unread` while nobody has looked into its journal.
    pub fn word(&self) -> &'static str {
        match (&self.runner, &self.summary) {
            (Some(_), _) => "running",
            (None, None) => "unread",
            (None, Some(summary)) if summary.damage.is_some() => "damaged",
            (None, Some(summary)) => summary.standing.word(),
        }
    }
}

#[cfg(test)]
impl Glance {
    /// One as it might be found, written at that wall time.
    pub(crate) fn told(
        id: SessionId,
        written_ms: u64,
        runner: Option<Runner>,
        summary: Option<SessionSummary>,
    ) -> Self {
        let modified = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(written_ms);
        let stamp = Stamp { size: 0, seconds: 0, nanos: 0 };
        Self { id, modified, runner, is_fresh: summary.is_some(), summary, stamp }
    }
}

/// By what a journal is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    seconds: i64,
    nanos: i64,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    baton_summary: u32,
    /// Another version may fold otherwise.
    program: String,
    stamp: Stamp,
    summary: SessionSummary,
}

impl Sessions {
    /// Every session, last written first; no journal is opened. A sessions folder that is not there holds none.
    ///
    /// # Errors
    /// When the folder can't be listed.
    pub fn glance(&self) -> Result<Vec<Glance>, JournalError> {
        let entries = match std::fs::read_dir(self.root()) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(JournalError::io("list", self.root(), e)),
        };
        let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<SessionId>().ok());
        // Whatever vanishes or has no journal while we look is no session.
        let mut found: Vec<Glance> = ids.filter_map(|id| self.glance_at(&id)).collect();
        found.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| b.id.cmp(&a.id)));
        Ok(found)
    }

    /// One session; none when there is none of that name.
    pub fn glance_at(&self, id: &SessionId) -> Option<Glance> {
        let folder = self.path(id).ok()?;
        let meta = std::fs::metadata(self.journal(id).ok()?).ok()?;
        let stamp = Stamp { size: meta.len(), seconds: meta.mtime(), nanos: meta.mtime_nsec() };
        let kept = kept(&folder).filter(|k| k.summary.id == *id);
        Some(Glance {
            id: id.clone(),
            modified: meta.modified().ok()?,
            runner: runner(&folder),
            is_fresh: kept.as_ref().is_some_and(|k| k.stamp == stamp),
            summary: kept.map(|k| k.summary),
            stamp,
        })
    }

    /// Folds a session's journal, and keeps what comes of it for the next time. None: it was told to stop.
    ///
    /// # Errors
    /// [`JournalError::Name`]; a journal that can't be read is a summary that says so.
    pub fn summarise(&self, glance: &Glance, halt: &Halt) -> Result<Option<SessionSummary>, JournalError> {
        let (folder, journal) = (self.path(&glance.id)?, self.journal(&glance.id)?);
        let mut state = State::default();
        let damage = match fold(&journal, &mut state, halt) {
            Ok(Folded::Stopped) => return Ok(None),
            Ok(Folded::Whole) => None,
            Err(error) => Some(CleanText::one_line(&error.to_string())),
        };
        let mut summary = SessionSummary::of(&glance.id, &state);
        summary.damage = damage;
        summary.bytes = bytes_of(&folder);
        keep(&folder, glance.stamp, &summary);
        Ok(Some(summary))
    }

    /// The process that has a session now, if one has it.
    pub fn runner(&self, id: &SessionId) -> Option<Runner> {
        runner(&self.path(id).ok()?)
    }

    /// Takes a session away, with all that is in its folder. It is locked meanwhile, so that nobody takes it up.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::Locked`] for one that runs, or what the system refused.
    pub fn delete(&self, id: &SessionId) -> Result<(), JournalError> {
        let held: SessionFolder = self.open(id)?;
        // Renamed first: a crash in the middle leaves no half of a session in the list.
        let aside = self.root().join(format!(".deleted-{id}-{}", std::process::id()));
        std::fs::rename(held.path(), &aside).map_err(|e| JournalError::io("delete", held.path(), e))?;
        std::fs::remove_dir_all(&aside).map_err(|e| JournalError::io("delete", &aside, e))
    }
}

/// How far a fold came.
enum Folded {
    Whole,
    Stopped,
}

fn fold(journal: &Path, state: &mut State, halt: &Halt) -> Result<Folded, JournalError> {
    // What was once folded of a long journal is not folded again.
    if let Some(checkpoint) = Past::open(journal)?.latest_checkpoint() {
        *state = checkpoint;
    }
    let mut reader = Reader::open_from(journal, state.seq + 1)?;
    while let Some((_, record)) = reader.read()? {
        state.apply(&record);
        if record.seq.is_multiple_of(STRIDE) && halt.is_stopped() {
            return Ok(Folded::Stopped);
        }
    }
    Ok(Folded::Whole)
}

fn kept(folder: &Path) -> Option<Kept> {
    let mut text = Vec::new();
    own::read(&folder.join(FILE)).ok()?.take(MOST_BYTES).read_to_end(&mut text).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    (kept.baton_summary == FORMAT && kept.program == env!("CARGO_PKG_VERSION")).then_some(kept)
}

/// Keeps a summary. A folder that can't be written only costs the time of folding again.
fn keep(folder: &Path, stamp: Stamp, summary: &SessionSummary) {
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let kept = Kept { baton_summary: FORMAT, program, stamp, summary: summary.clone() };
    let Ok(text) = serde_json::to_vec(&kept) else { return };
    let beside = folder.join(format!("{FILE}.{}", std::process::id()));
    // One that a crash left, of a process that had the same number; never written over, whatever it is.
    let _ = std::fs::remove_file(&beside);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    let written = file.and_then(|mut f| f.write_all(&text)).and_then(|()| std::fs::rename(&beside, folder.join(FILE)));
    if let Err(error) = written {
        tracing::debug!(%error, folder = %folder.display(), "a session's summary could not be kept");
        // What is left of it, if anything is.
        let _ = std::fs::remove_file(&beside);
    }
}

fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| e.metadata().ok()).filter(std::fs::Metadata::is_file).map(|m| m.len()).sum()
}

/// Who has a session's lock. A process that is named there and lives no more has it not, and then the lock is not
/// touched; else it is tried as readers share it, for no longer than a call takes, so that nobody who means to write
/// finds it taken.
fn runner(folder: &Path) -> Option<Runner> {
    let mut lock = own::read(&folder.join("lock")).ok()?;
    let mut text = String::new();
    // The text only names the process; the lock itself is the kernel's.
    let _ = (&mut lock).take(32).read_to_string(&mut text);
    let pid: Option<u32> = text.trim().parse().ok();
    if pid.is_some_and(|pid| !lives(pid)) {
        return None;
    }
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(Runner { pid }),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Whether there is a process of that id, whoever's it is.
fn lives(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session's folder with a journal that can't be read: whoever opens it finds that out.
    fn unreadable(root: &Path, n: u32) -> SessionId {
        let id: SessionId = format!("s{n:05}").parse().unwrap();
        let folder = root.join(id.as_str());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("journal.jsonl"), "not a journal\n").unwrap();
        id
    }

    #[test]
    fn thousands_are_listed_from_what_is_kept_and_no_journal_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(root.path());
        for n in 0..3_000 {
            let id = unreadable(root.path(), n);
            let glance = sessions.glance_at(&id).unwrap();
            let mut summary = SessionSummary::of(&id, &State::default());
            summary.tokens = u64::from(n);
            keep(&sessions.path(&id).unwrap(), glance.stamp, &summary);
        }
        let found = sessions.glance().unwrap();
        assert_eq!(found.len(), 3_000);
        // A journal that was opened would have said that it is damaged.
        assert!(found.iter().all(|g| g.is_fresh && g.summary.as_ref().is_some_and(|s| s.damage.is_none())));
        assert!(found.windows(2).all(|w| w[0].modified >= w[1].modified));
    }

    #[test]
    fn a_summary_counts_only_while_the_journal_is_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(root.path());
        let id = unreadable(root.path(), 1);
        let before = sessions.glance_at(&id).unwrap();
        assert!(before.summary.is_none() && !before.is_fresh);
        let summary = sessions.summarise(&before, &Halt::default()).unwrap().unwrap();
        assert!(summary.damage.is_some() && summary.bytes > 0, "it says that it can't be read");
        let kept = sessions.glance_at(&id).unwrap();
        assert!(kept.is_fresh);
        assert_eq!(kept.summary, Some(summary));
        let journal = sessions.journal(&id).unwrap();
        std::fs::write(&journal, "something else, and longer\n").unwrap();
        let old = sessions.glance_at(&id).unwrap();
        assert!(!old.is_fresh && old.summary.is_some(), "what was known is shown until it is known anew");
        std::fs::write(sessions.path(&id).unwrap().join(FILE), "garbage").unwrap();
        assert!(sessions.glance_at(&id).unwrap().summary.is_none());
    }

    #[test]
    fn a_session_runs_while_its_lock_is_held_and_asking_takes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(root.path());
        let id: SessionId = "s1".parse().unwrap();
        let held = sessions.create(&id).unwrap();
        std::fs::write(held.journal(), "").unwrap();
        let pid = Some(std::process::id());
        assert_eq!(sessions.runner(&id), Some(Runner { pid }));
        assert!(matches!(sessions.delete(&id), Err(JournalError::Locked { .. })), "never one that runs");
        drop(held);
        assert_eq!(sessions.runner(&id), None);
        let again = sessions.open(&id).unwrap();
        drop(again);
        // A process that is gone has nothing, and then the lock is not even tried.
        std::fs::write(root.path().join("s1/lock"), "4000000000\n").unwrap();
        assert_eq!(sessions.runner(&id), None);
        sessions.delete(&id).unwrap();
        assert!(sessions.glance().unwrap().is_empty());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left of it");
    }

    #[test]
    fn folding_stops_when_it_is_told_to() {
        use crate::domain::protocol::{Event, Header, Record};
        let root = tempfile::tempdir().unwrap();
        let journal = root.path().join("journal.jsonl");
        let header = Header {
            baton_journal: crate::domain::protocol::FORMAT,
            program: "test".into(),
            session: "s1".parse().unwrap(),
        };
        let mut text = serde_json::to_string(&header).unwrap() + "\n";
        for seq in 1..=STRIDE + 10 {
            let record = Record { seq, at: Micros(seq), event: Event::SessionPaused {} };
            text.push_str(&(serde_json::to_string(&record).unwrap() + "\n"));
        }
        std::fs::write(&journal, text).unwrap();
        let halt = Halt::default();
        let mut state = State::default();
        assert!(matches!(fold(&journal, &mut state, &halt), Ok(Folded::Whole)));
        assert_eq!(state.seq, STRIDE + 10);
        halt.clone().stop();
        let mut state = State::default();
        assert!(matches!(fold(&journal, &mut state, &halt), Ok(Folded::Stopped)));
        assert_eq!(state.seq, STRIDE);
    }
}
