//! The built program on a disk that takes nothing any more: a limit on the size of its files stands for it, so that no
//! test needs a file system of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

const ONE: &str = "version: 1
goal: Compare two parsers
synthesis: false
tasks:
  - {id: answer, agent: reasoner, prompt: 'Which one? [sim ms=900 text=The hand-written one it is.]'}
";

const FOUR: &str = "version: 1
goal: Four at once
synthesis: false
tasks:
  - {id: a, agent: researcher, prompt: 'x [sim ms=900 tokens=40]'}
  - {id: b, agent: researcher, prompt: 'x [sim ms=900 tokens=40]'}
  - {id: c, agent: coder, prompt: 'x [sim ms=900 tokens=40]'}
  - {id: d, agent: coder, prompt: 'x [sim ms=900 tokens=40]'}
";

/// With what is left over when only two of four could begin.
const CHAIN: &str = "version: 1
goal: One after the other
synthesis: false
tasks:
  - {id: a, agent: researcher, prompt: 'x [sim ms=600 tokens=40]'}
  - {id: b, agent: researcher, needs: [a], prompt: 'x [sim ms=5 text=After it had room.]'}
";

/// A home of its own for each test.
struct Home(tempfile::TempDir);

impl Home {
    fn new(plan: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("plan.yaml"), plan).unwrap();
        Self(home)
    }

    /// One that a limit does not kill.
    fn baton(&self, args: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_baton")]).args(args);
        command.current_dir(self.0.path()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        for (name, folder) in
            [("HOME", "."), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")]
        {
            command.env(name, self.0.path().join(folder));
        }
        command
    }

    fn journal(&self) -> Option<PathBuf> {
        let mut sessions = std::fs::read_dir(self.0.path().join("state/baton/sessions")).ok()?;
        Some(sessions.next()?.ok()?.path().join("journal.jsonl"))
    }

    fn text(&self) -> String {
        self.journal().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    }

    fn completed(&self) -> usize {
        self.text().matches("\"task.completed\"").count()
    }
}

/// A run whose disk was full as soon as its model spoke.
struct Full {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Full {
    fn start(home: &Home, args: &[&str]) -> Self {
        let told = std::fs::File::create(home.0.path().join("told")).unwrap();
        let mut child = home.baton(args).stdout(Stdio::piped()).stderr(told).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        until("it speaks", || home.text().contains("\"attempt.output\""));
        let full = Self { child, out };
        full.limit(std::fs::metadata(home.journal().unwrap()).unwrap().len());
        full
    }

    fn limit(&self, bytes: impl Into<Option<u64>>) {
        let limit = Rlimit { current: bytes.into(), maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn signal(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Its code, and what else it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }

    fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn told(home: &Home) -> String {
    std::fs::read_to_string(home.0.path().join("told")).unwrap()
}

const RUN: [&str; 5] = ["run", "plan.yaml", "--headless", "--fleet", "sim"];

#[test]
fn the_answer_comes_before_the_wait_for_room_and_the_end_after_it() {
    let home = Home::new(ONE);
    let mut full = Full::start(&home, &RUN);
    assert_eq!(full.line(), "The hand-written one it is.\n");
    until("it says what it waits for", || told(&home).contains("waiting    "));
    assert!(full.runs() && home.completed() == 0, "{}", told(&home));
    assert!(told(&home).contains("the result of 1 task"), "{}", told(&home));
    full.limit(None);
    let (code, rest) = full.end();
    assert_eq!((code, rest.as_str()), (Some(0), ""), "{}", told(&home));
    assert_eq!(home.completed(), 1);
    assert!(home.text().contains("it is."), "and its text");
    let again = home.baton(&["resume", "--headless"]).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn a_signal_ends_the_wait_and_says_what_is_lost() {
    let home = Home::new(FOUR);
    let mut full = Full::start(&home, &[&RUN[..], &["--json"]].concat());
    assert_eq!(full.line(), "{\n");
    until("it says what it waits for", || told(&home).contains("the results of 4 tasks"));
    assert!(full.runs());
    full.signal();
    let (code, rest) = full.end();
    let told = told(&home);
    assert_eq!(code, Some(4), "{told}");
    assert_eq!(rest.matches("\"status\": \"done\"").count(), 4, "{rest}");
    let lost = told.lines().find(|line| line.contains("lost: ")).unwrap_or_default();
    assert!(lost.contains("the results of 4 tasks") && !lost.contains("is kept"), "{told}");
    assert_eq!(home.completed(), 0);
    let again = home.baton(&["resume", "--headless"]).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(home.completed(), 4);
}

#[test]
fn a_run_with_tasks_left_goes_on_when_there_is_room() {
    let home = Home::new(CHAIN);
    let mut full = Full::start(&home, &RUN);
    until("it says so", || told(&home).contains("written once there is room"));
    // Longer than what runs, and than the pace at which a run looks whether only its operator can go on.
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(full.runs(), "{}", told(&home));
    full.limit(None);
    let (code, rest) = full.end();
    assert_eq!((code, rest.as_str()), (Some(0), "After it had room.\n"), "{}", told(&home));
    assert_eq!(home.completed(), 2);
}

#[test]
fn a_signal_while_something_runs_ends_it_too() {
    let home = Home::new(&FOUR.replace("ms=900", "ms=60000"));
    let full = Full::start(&home, &RUN);
    until("it says so", || told(&home).contains("written once there is room"));
    full.signal();
    let (code, _) = full.end();
    assert_eq!(code, Some(4), "{}", told(&home));
    assert!(told(&home).contains("no result of a task among them"), "{}", told(&home));
}

#[test]
fn a_service_stays_too_when_it_is_ended_from_outside() {
    let home = Home::new(FOUR);
    let file = |name: &str| std::fs::File::create(home.0.path().join(name)).unwrap();
    let mut child = home.baton(&["serve", "--fleet", "sim"]).stdout(file("out")).stderr(file("told")).spawn().unwrap();
    let ctl = |args: &[&str]| home.baton(&[&["ctl"], args].concat()).output().unwrap();
    until("it serves", || ctl(&["state"]).status.success());
    let full = |bytes: Option<u64>| {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(Pid::from_child(&child)), Resource::Fsize, limit).unwrap();
    };
    full(Some(std::fs::metadata(home.journal().unwrap()).unwrap().len()));
    let ended = ctl(&["end"]);
    let words = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && words.contains("not on disk yet"), "{words}");
    until("it says what it waits for", || told(&home).contains("waiting    "));
    let late = ctl(&["pause"]);
    assert!(!late.status.success(), "{}", String::from_utf8_lossy(&late.stderr));
    full(None);
    until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", told(&home));
    assert!(home.text().contains("\"session.ended\""));
}
