//! A home of its own for each run of the built binary, and what the run left in it.
//!
//! Shared by the targets that run Baton against servers of all kinds; each uses a part of it.

#![allow(dead_code, reason = "each target uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use baton::domain::protocol::Record;
use serde_json::Value;

/// The built binary.
const BATON: &str = env!("CARGO_BIN_EXE_baton");
/// The address space that a run may take, in kilobytes: what grows without a limit ends it. A healthy run takes 1 GB of it,
/// most of which is promised to threads and never used.
const MOST_MEMORY: u32 = 4_000_000;

/// A folder with everything that Baton reads and writes.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file into it.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts Baton in it; what it says goes into files.
    pub(crate) fn start(&self, args: &[&str], env: &[(&str, &str)]) -> Running<'_> {
        let told = |name: &str| std::fs::File::create(self.path().join(name)).unwrap();
        let folder = |name: &str| self.path().join(name);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -v {MOST_MEMORY} 2>/dev/null; exec \"$0\" \"$@\""), BATON]).args(args);
        command.current_dir(self.path()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command.stdout(told("stdout")).stderr(told("stderr"));
        command.env("HOME", self.path()).env("XDG_CONFIG_HOME", folder("config"));
        command.env("XDG_STATE_HOME", folder("state")).env("XDG_RUNTIME_DIR", folder("run"));
        command.envs(env.iter().copied());
        Running { home: self, child: command.spawn().unwrap(), begun: Instant::now() }
    }

    /// The one session's journal, as it is on disk.
    pub(crate) fn journal(&self) -> String {
        let sessions = std::fs::read_dir(self.path().join("state/baton/sessions"));
        let folder = sessions.ok().and_then(|mut found| found.next()).map(|entry| entry.unwrap().path());
        folder.map_or_else(String::new, |folder| {
            // A file that was begun anew when the journal was long comes after the first.
            let mut parts: Vec<PathBuf> =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            parts.retain(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
            parts.sort();
            parts.iter().map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
        })
    }
}

/// Baton at work. It is ended when this is dropped.
pub(crate) struct Running<'a> {
    home: &'a Home,
    child: Child,
    begun: Instant,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running<'_> {
    /// How long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits for its end, or ends it after `limit`.
    pub(crate) fn finish(mut self, limit: Duration) -> Ran {
        let mut code = None;
        while self.begun.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                code = status.code();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let read = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(self.home.path().join(name)).unwrap_or_default()).into_owned()
        };
        Ran { code, out: read("stdout"), err: read("stderr"), journal: self.home.journal(), seconds }
    }
}

/// What a run left.
pub(crate) struct Ran {
    /// Its exit code; none: it had to be ended.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) out: String,
    /// What it said.
    pub(crate) err: String,
    /// Its journal.
    pub(crate) journal: String,
    /// How long it took.
    pub(crate) seconds: f64,
}

impl Ran {
    /// Its summary; null without one.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_default()
    }

    /// Its records. The first line of a part is its head.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.journal.lines().filter_map(|line| Record::from_json(line).ok()).collect()
    }

    /// How many records of a kind there are, by the name of their event.
    pub(crate) fn count(&self, event: &str) -> usize {
        self.journal.matches(&format!("\"event\":\"{event}\"")).count()
    }

    /// How many of its tasks stand so.
    pub(crate) fn tasks(&self, status: &str) -> usize {
        let json = self.json();
        json["tasks"].as_array().map_or(0, |tasks| tasks.iter().filter(|task| task["status"] == status).count())
    }
}
