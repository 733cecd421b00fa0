//! The file `console.toml` in the state folder, in which the console keeps how it looks.
//!
//! Not here: what is kept ([`super::model::remembered`]). Invariants: it is written whole or not at all; whatever stands in it,
//! the console starts; nobody's work depends on it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::model::Remembered;
use crate::domain::protocol::SessionId;

/// Two writes are at least this far apart, except at the end: a border that is dragged changes with every cell.
const PAUSE: Duration = Duration::from_secs(1);
/// A longer file is not ours.
const MOST: u64 = 256 * 1024;

/// What is kept, and the file it is kept in.
#[derive(Debug)]
pub(crate) struct Memory {
    folder: PathBuf,
    kept: Remembered,
    /// When it was written last; what changed since waits.
    written: Option<Instant>,
    due: Due,
}

/// Whether something is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    No,
    Yes,
}

impl Memory {
    /// Reads the file. What is wrong with it comes back in words; the rest counts.
    pub(crate) fn load(folder: &Path) -> (Self, Vec<String>) {
        let (kept, wrong) = read(folder);
        (Self { folder: folder.to_owned(), kept, written: None, due: Due::No }, wrong)
    }

    /// What is kept.
    pub(crate) fn kept(&self) -> &Remembered {
        &self.kept
    }

    /// Keeps this from now on; it is written unless that was done a moment ago.
    ///
    /// # Errors
    /// The file can't be written. It is tried again with the next change.
    pub(crate) fn keep(&mut self, kept: Remembered, session: Option<&SessionId>) -> io::Result<()> {
        if kept != self.kept {
            self.kept = kept;
            self.due = Due::Yes;
        }
        if self.written.is_some_and(|at| at.elapsed() < PAUSE) { Ok(()) } else { self.flush(session) }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// As [`Memory::keep`].
    pub(crate) fn flush(&mut self, session: Option<&SessionId>) -> io::Result<()> {
        if self.due == Due::No {
            return Ok(());
        }
        self.written = Some(Instant::now());
        self.due = Due::No;
        // Other consoles keep pins of their sessions in the same file.
        let mut whole = read(&self.folder).0;
        if let Some(session) = session {
            whole.set_pins(session, self.kept.pins_of(session).to_vec());
        }
        let whole = Remembered { pins: whole.pins, ..self.kept.clone() };
        write(&self.folder, &whole)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("console.toml")
}

/// Writes the file aside and puts it in its place.
fn write(folder: &Path, kept: &Remembered) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let body = toml::to_string(kept).map_err(io::Error::other)?;
    let text = format!(
        "# What the console looked like last; Baton writes this. Settings of yours belong into baton.toml.\n{body}"
    );
    let aside = folder.join(format!("console.toml.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&aside, path(folder)));
    if written.is_err() {
        // What is left of it is of no use to anybody.
        let _ = std::fs::remove_file(&aside);
    }
    written
}

/// Reads the file, each part by itself.
fn read(folder: &Path) -> (Remembered, Vec<String>) {
    let path = path(folder);
    let mut text = String::new();
    let opened = std::fs::File::open(&path).and_then(|file| file.take(MOST + 1).read_to_string(&mut text));
    let name = path.display();
    let table = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
        Err(error) => Err(error.to_string()),
        Ok(_) if text.len() as u64 > MOST => Err("it is far too long".to_owned()),
        Ok(_) => text.parse::<toml::Table>().map_err(|error| error.message().to_owned()),
    };
    let mut table = match table {
        Ok(table) => table,
        Err(error) => {
            let words = format!("{name}: {error}; how the console looked last is forgotten");
            return (Remembered::default(), vec![words]);
        }
    };
    let mut wrong = Vec::new();
    let kept = Remembered {
        theme: part(&mut table, "theme", &mut wrong),
        mouse: part(&mut table, "mouse", &mut wrong),
        grid: part(&mut table, "grid", &mut wrong),
        splits: part(&mut table, "splits", &mut wrong),
        pins: part(&mut table, "pins", &mut wrong),
    };
    wrong.extend(table.keys().map(|key| format!("{key:?} is unknown")));
    let wrong = wrong.into_iter().map(|words| format!("{name}: {words}; it is left out")).collect();
    (kept, wrong)
}

fn part<T: DeserializeOwned + Default>(table: &mut toml::Table, key: &str, wrong: &mut Vec<String>) -> T {
    match table.remove(key).map(toml::Value::try_into) {
        None => T::default(),
        Some(Ok(value)) => value,
        Some(Err(_)) => {
            wrong.push(format!("{key:?} is not understood"));
            T::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::domain::protocol::Name;

    fn session(name: &str) -> SessionId {
        Name::new(name).unwrap()
    }

    fn kept() -> Remembered {
        let mut kept = Remembered {
            theme: Some("ember".into()),
            mouse: Some(false),
            grid: Some("2x2".into()),
            splits: [("run.left".to_owned(), 450)].into(),
            pins: Vec::new(),
        };
        kept.set_pins(&session("s1"), vec!["g1/one".parse().unwrap()]);
        kept
    }

    #[test]
    fn what_is_written_is_read_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let (mut memory, wrong) = Memory::load(&folder);
        assert_eq!((memory.kept(), wrong.len()), (&Remembered::default(), 0));
        memory.keep(kept(), Some(&session("s1"))).unwrap();
        let (again, wrong) = Memory::load(&folder);
        assert_eq!((again.kept(), wrong), (&kept(), Vec::new()));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path(&folder))), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_file_in_pieces_gives_what_can_be_read_and_says_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let put = |text: &str| std::fs::write(path(folder.path()), text).unwrap();
        put("theme = \"ember\"\ngrid = 7\nmood = \"good\"\n[splits]\n\"run.left\" = 300\n");
        let (memory, wrong) = Memory::load(folder.path());
        assert_eq!(memory.kept().theme.as_deref(), Some("ember"));
        assert_eq!(memory.kept().splits.get("run.left"), Some(&300));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].contains("\"grid\" is not understood") && wrong[1].contains("\"mood\" is unknown"),
            "{wrong:?}"
        );
        for text in ["theme = ", "\u{0}\u{1}", &"# long\n".repeat(60_000)] {
            put(text);
            let (memory, wrong) = Memory::load(folder.path());
            assert_eq!((memory.kept(), wrong.len()), (&Remembered::default(), 1));
        }
        std::fs::write(path(folder.path()), [0xff, 0xfe]).unwrap();
        assert_eq!(Memory::load(folder.path()).1.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn changes_in_a_row_are_written_once_and_the_last_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (mut memory, _) = Memory::load(folder.path());
        let split = |n: u16| Remembered { splits: [("run.left".to_owned(), n)].into(), ..Remembered::default() };
        let on_disk = || read(folder.path()).0.splits.get("run.left").copied();
        memory.keep(split(1), None).unwrap();
        memory.keep(split(2), None).unwrap();
        memory.keep(split(3), None).unwrap();
        assert_eq!(on_disk(), Some(1));
        tokio::time::advance(PAUSE).await;
        memory.keep(split(3), None).unwrap();
        assert_eq!(on_disk(), Some(3), "what waited is written with what comes next");
        memory.keep(split(4), None).unwrap();
        memory.flush(None).unwrap();
        assert_eq!(on_disk(), Some(4));
    }

    #[test]
    fn two_consoles_keep_their_pins_in_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, _) = Memory::load(folder.path());
        let (mut two, _) = Memory::load(folder.path());
        let pinned = |session: &SessionId| {
            let mut kept = Remembered::default();
            kept.set_pins(session, vec!["g1/one".parse().unwrap()]);
            kept
        };
        one.keep(pinned(&session("s1")), Some(&session("s1"))).unwrap();
        two.keep(pinned(&session("s2")), Some(&session("s2"))).unwrap();
        let kept = read(folder.path()).0;
        assert_eq!(kept.pins.iter().map(|p| p.session.as_str()).collect::<Vec<_>>(), ["s2", "s1"]);
    }
}
