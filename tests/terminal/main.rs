//! The built program in a real pseudo-terminal: what it shows, how it is left, and what it leaves behind.
//!
//! Every test has a home of its own and the simulated fleet. What is on the screen is waited for, never slept for; the
//! deadlines are for a machine that does much else.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attach;
mod walk;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// One test has windows at a time: two cores don't let a dozen consoles keep pace, and a program that is started while
/// another's terminal is made would hold that open.
static TURN: Mutex<()> = Mutex::new(());

thread_local! {
    /// The turn of the test this thread runs; it ends with it.
    static HELD: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(40);
const ESC: &str = "\x1b";

/// What vt100 hears besides text.
#[derive(Default)]
struct Heard {
    titles: Vec<String>,
    clipboard: usize,
}

impl vt100::Callbacks for Heard {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.titles.push(String::from_utf8_lossy(title).into_owned());
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], _: &[u8]) {
        self.clipboard += 1;
    }
}

/// What came from the program so far.
struct Seen {
    parser: vt100::Parser<Heard>,
    raw: Vec<u8>,
    /// The reader is to let go of the terminal with the next bytes that come.
    let_go: bool,
    over: bool,
}

impl Seen {
    fn text(&self) -> String {
        self.parser.screen().contents()
    }
}

type Typing = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// A terminal window with a program in it.
struct Window {
    master: Option<Box<dyn MasterPty + Send>>,
    typing: Typing,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    child: Mutex<Box<dyn Child + Send + Sync>>,
    home: tempfile::TempDir,
}

impl Window {
    /// Baton with these arguments and the simulated fleet.
    fn baton(arguments: &[&str]) -> Self {
        Self::with_files(arguments, &[])
    }

    /// The same, with files in the home it starts in.
    fn with_files(arguments: &[&str], files: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_baton"));
        command.args(arguments);
        command.args(["--fleet", "sim"]);
        Self::open(command, files)
    }

    fn open(command: CommandBuilder, files: &[(&str, &str)]) -> Self {
        Self::open_in(command, files, &[("TERM", "xterm-256color")])
    }

    /// The same, in a terminal that these variables describe.
    fn open_in(command: CommandBuilder, files: &[(&str, &str)], terminal: &[(&str, &str)]) -> Self {
        Self::open_at(command, files, terminal, None)
    }

    /// Another window of the same user, with these arguments.
    fn beside(&self, arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_baton"));
        command.args(arguments);
        Self::open_at(command, &[], &[("TERM", "xterm-256color")], Some(self.home.path()))
    }

    /// The same, in the home of another window.
    fn open_at(
        mut command: CommandBuilder,
        files: &[(&str, &str)],
        terminal: &[(&str, &str)],
        other: Option<&std::path::Path>,
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let base = other.unwrap_or(home.path()).to_path_buf();
        for (name, text) in files {
            std::fs::write(home.path().join(name), text).unwrap();
        }
        let runtime = home.path().join("run");
        std::fs::create_dir(&runtime).unwrap();
        std::fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, value) in terminal {
            command.env(name, value);
        }
        command.env("LANG", "C.UTF-8");
        for (name, folder) in [
            ("HOME", "."),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            command.env(name, base.join(folder));
        }
        command.cwd(&base);
        HELD.with(|held| {
            held.borrow_mut().get_or_insert_with(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
        });
        let pair = native_pty_system().openpty(size(100, 30)).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let typing: Typing = Arc::new(Mutex::new(Some(pair.master.take_writer().unwrap())));
        let reader = pair.master.try_clone_reader().unwrap();
        let parser = vt100::Parser::new_with_callbacks(30, 100, 0, Heard::default());
        let seen = Seen { parser, raw: Vec::new(), let_go: false, over: false };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        std::thread::spawn({
            let (seen, typing) = (Arc::clone(&seen), Arc::clone(&typing));
            move || read(reader, &seen, &typing)
        });
        Self { master: Some(pair.master), typing, seen, child: Mutex::new(child), home }
    }

    fn type_keys(&self, keys: &str) {
        let mut typing = self.typing.lock().unwrap();
        let typing = typing.as_mut().unwrap();
        typing.write_all(keys.as_bytes()).unwrap();
        typing.flush().unwrap();
    }

    /// Waits until that is true of what was seen.
    fn until(&self, what: &str, mut is: impl FnMut(&Seen) -> bool) {
        let (lock, changed) = &*self.seen;
        let end = Instant::now() + PATIENCE;
        let mut seen = lock.lock().unwrap();
        while !is(&seen) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.over {
                let tail = String::from_utf8_lossy(&seen.raw[seen.raw.len().saturating_sub(400)..]).into_owned();
                let over = if seen.over { " (the program is gone)" } else { "" };
                panic!("{what} never came{over}:\n{}\n{tail:?}\n{}", seen.text(), self.log());
            }
            seen = changed.wait_timeout(seen, left.min(Duration::from_millis(100))).unwrap().0;
        }
    }

    fn until_text(&self, text: &str) {
        self.until(text, |seen| seen.text().contains(text));
    }

    /// What was seen, looked at once.
    fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.seen.0.lock().unwrap())
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        self.master.as_ref().unwrap().resize(size(columns, rows)).unwrap();
    }

    fn exit_code(&self) -> Option<u32> {
        self.child.lock().unwrap().try_wait().unwrap().map(|status| status.exit_code())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.lock().unwrap().process_id().unwrap()).unwrap()).unwrap()
    }

    /// The process that works: the last of the line of children.
    fn worker(&self) -> Pid {
        let mut pid = self.pid();
        eventually("a child", || {
            while let Some(child) = children(pid).first() {
                pid = *child;
            }
            pid != self.pid()
        });
        pid
    }

    /// The exit code, and that the terminal was given back as it was.
    fn ends(&mut self) -> u32 {
        let mut code = None;
        let log = self.log();
        eventually_or(
            "the end",
            || self.look(Seen::text) + &log,
            || {
                code = self.exit_code();
                code.is_some()
            },
        );
        // What it wrote last may still be on its way.
        eventually_or(
            "a terminal given back",
            || self.look(Seen::text),
            || self.look(|seen| !seen.parser.screen().alternate_screen()),
        );
        self.look(is_clean);
        code.unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("state/baton/baton.log")).unwrap_or_default()
    }

    fn journal(&self) -> String {
        let sessions = self.home.path().join("state/baton/sessions");
        let folders = std::fs::read_dir(sessions).into_iter().flatten().flatten();
        let journals: Vec<PathBuf> = folders.map(|f| f.path().join("journal.jsonl")).collect();
        assert!(journals.len() < 2, "{journals:?}");
        journals.first().map(|j| std::fs::read_to_string(j).unwrap_or_default()).unwrap_or_default()
    }

    fn last_record(&self) -> String {
        let journal = self.journal();
        let line = journal.lines().last().unwrap_or_default();
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["event"].as_str().unwrap_or_default().to_owned()
    }

    /// Closes the window, as a dropped connection does. The program has to write once more for it.
    fn close(&mut self) {
        self.seen.0.lock().unwrap().let_go = true;
        self.resize(90, 30);
        self.until("the reader's end", |seen| seen.over);
        *self.typing.lock().unwrap() = None;
        self.master = None;
        // The kernel hangs up when the last holder of the terminal's other side is gone; a server of remote shells says
        // so itself as well. Twice is once.
        let _ = kill_process(self.pid(), Signal::HUP);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if self.exit_code().is_none() {
            let mut line = vec![self.pid()];
            while let Some(child) = line.last().and_then(|p| children(*p).first().copied()) {
                line.push(child);
            }
            for pid in line {
                let _ = kill_process(pid, Signal::KILL);
            }
            let _ = self.child.lock().unwrap().wait();
        }
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// Reads what the program writes, and answers where the cursor is: one cell after the sign that was written.
fn read(mut from: Box<dyn Read + Send>, seen: &(Mutex<Seen>, Condvar), typing: &Typing) {
    let mut piece = [0; 16 * 1024];
    loop {
        let read = from.read(&mut piece).unwrap_or(0);
        let bytes = &piece[..read];
        // A test that failed has nothing to read for.
        let Ok(mut seen_now) = seen.0.lock() else { return };
        seen_now.raw.extend_from_slice(bytes);
        // While sizes change the emulator may be told of cells it has not got, and stops at that (vt100 0.16). The
        // frame after a change of size is whole, so a new one sees all.
        let (rows, columns) = seen_now.parser.screen().size();
        let met = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| seen_now.parser.process(bytes)));
        if met.is_err() {
            seen_now.parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Heard::default());
        }
        if bytes.windows(4).any(|w| w == b"\x1b[6n")
            && let Ok(mut typing) = typing.lock()
            && let Some(typing) = typing.as_mut()
        {
            // A program that is gone needs no answer.
            let _ = typing.write_all(b"\x1b[1;2R");
        }
        if read == 0 || seen_now.let_go {
            drop(from);
            seen_now.over = true;
            seen.1.notify_all();
            return;
        }
        seen.1.notify_all();
    }
}

/// Nothing that the program changed about the terminal stays changed.
fn is_clean(seen: &Seen) {
    let screen = seen.parser.screen();
    assert!(!screen.hide_cursor() && !screen.bracketed_paste() && !screen.alternate_screen());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    let raw = String::from_utf8_lossy(&seen.raw);
    for (on, off) in [("?1049h", "?1049l"), ("?2004h", "?2004l"), ("?1004h", "?1004l"), ("?25l", "?25h")] {
        let last = |mode: &str| raw.rfind(&format!("{ESC}[{mode}"));
        assert!(last(on).is_some() && last(off) > last(on), "{on} stays on");
    }
    assert!(raw.rfind("\x1b[23;2t") > raw.rfind("\x1b[22;2t"), "the title is taken back");
}

fn eventually(what: &str, is: impl FnMut() -> bool) {
    eventually_or(what, String::new, is);
}

fn eventually_or(what: &str, words: impl Fn() -> String, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "{what} never came\n{}", words());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The fields of `/proc/PID/stat` after the name: state, parent, …
#[cfg(target_os = "linux")]
fn stat(pid: Pid) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split_whitespace().map(str::to_owned).collect())
}

#[cfg(target_os = "linux")]
fn children(of: Pid) -> Vec<Pid> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| stat(*pid).is_some_and(|s| s[1] == of.to_string() && s[0] != "Z")).collect()
}

#[cfg(not(target_os = "linux"))]
fn children(of: Pid) -> Vec<Pid> {
    let found = std::process::Command::new("pgrep").args(["-P", &of.to_string()]).output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    found.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Whether a process that is no child of this one still works.
fn is_alive(pid: Pid) -> bool {
    #[cfg(target_os = "linux")]
    return stat(pid).is_some_and(|s| s[0] != "Z");
    #[cfg(not(target_os = "linux"))]
    return rustix::process::test_kill_process(pid).is_ok();
}

/// Processor time so far, in hundredths of a second.
#[cfg(target_os = "linux")]
fn ticks(pid: Pid) -> u64 {
    let stat = stat(pid).unwrap_or_default();
    [11, 12].iter().filter_map(|i| stat.get(*i)?.parse::<u64>().ok()).sum()
}

/// A plan of one task whose answer has that many tokens, in that many milliseconds.
fn plan(tokens: u32, ms: u32) -> String {
    format!(
        "version: 1\ngoal: Count to {tokens}\ntasks:\n  - {{id: one, agent: researcher, level: low, \
         prompt: \"Count. [sim thinking=0 tokens={tokens} ms={ms}]\"}}\n"
    )
}

/// A window in which an agent is at work for a while.
fn at_work(tokens: u32, ms: u32) -> Window {
    let window = Window::with_files(&["run", "plan.yaml"], &[("plan.yaml", &plan(tokens, ms))]);
    window.until_text("● running");
    eventually("an attempt", || window.journal().contains("attempt.started"));
    window
}

#[test]
fn a_goal_is_typed_planned_and_reviewed_at_every_size() {
    let mut window = Window::baton(&[]);
    window.until_text("What is your goal?");
    window.until_text("SIMULATED");
    window.until_text("of 5 answer");
    // The goal box has the focus; help opens from it and goes again, and the letters after it are text.
    window.type_keys("\x1bOP");
    window.until_text("What works here");
    window.type_keys("\x1bOP");
    window.until("help's end", |seen| !seen.text().contains("What works here"));
    window.type_keys("Compare tea and coffee? [sim ms=3000]");
    window.until_text("tea and coffee? [sim ms=3000]");
    window.type_keys("\r");
    window.until_text("planning");
    window.until_text("enter run it");
    for (columns, rows, words) in
        [(60, 20, "run it"), (20, 5, "30×8"), (200, 60, "enter run it"), (1, 1, ""), (80, 24, "enter run it")]
    {
        window.resize(columns, rows);
        window.until(&format!("{columns}×{rows}"), |seen| {
            seen.parser.screen().size() == (rows, columns) && seen.text().contains(words)
        });
    }
    window.type_keys("q");
    assert_eq!(window.ends(), 0, "a draft runs nothing, so nothing is asked");
    assert_eq!(window.last_record(), "session.ended");
}

#[test]
fn a_console_that_was_only_looked_at_leaves_no_session_behind() {
    let mut window = Window::baton(&[]);
    window.until_text("of 5 answer");
    eventually("a session", || window.journal().contains("session.started"));
    window.type_keys("\x03");
    assert_eq!(window.ends(), 0);
    let sessions = window.home.path().join("state/baton/sessions");
    let left: Vec<_> = std::fs::read_dir(sessions).unwrap().flatten().map(|f| f.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_job_is_stopped_and_continued_by_key_and_from_outside() {
    let mut command = CommandBuilder::new("/bin/sh");
    // A shell's job control without a shell's prompt.
    let script = r#"
        report() { echo "STOPPED $1:" $(stty -a | tr -s ' ;' '\n\n' | grep -xE -- '-?(icanon|echo|isig)'); }
        "$0" --fleet sim; report 1; read go; fg; report 2; read go; fg; echo "OVER $?""#;
    command.args(["-mc", script, env!("CARGO_BIN_EXE_baton")]);
    let mut window = Window::open(command, &[]);
    window.until_text("of 5 answer");
    let worker = window.worker();
    for turn in 1..=2 {
        let words = format!("STOPPED {turn}:");
        if turn == 1 {
            window.type_keys("\x1a");
            window.until_text(&words);
        } else {
            // One that comes right after the last is taken for a part of it.
            eventually_or(
                &words,
                || window.look(Seen::text),
                || {
                    kill_process(worker, Signal::TSTP).unwrap();
                    std::thread::sleep(Duration::from_millis(100));
                    window.look(|seen| seen.text().contains(&words))
                },
            );
        }
        window.until("modes", |seen| seen.text().rsplit(&words).next().is_some_and(|t| t.contains("icanon")));
        window.look(|seen| {
            is_clean(seen);
            let modes = seen.text().rsplit(&words).next().unwrap_or_default().to_owned();
            assert!(!modes.contains('-') && modes.contains("echo") && modes.contains("isig"), "{modes}");
        });
        #[cfg(target_os = "linux")]
        eventually("the stop", || stat(worker).is_some_and(|s| s[0] == "T"));
        window.type_keys("go\r");
        window.until("the console again", |seen| {
            seen.parser.screen().alternate_screen() && seen.text().contains("of 5 answer")
        });
    }
    window.type_keys("still here");
    window.until_text("still here");
    window.type_keys("\x03");
    window.until_text("OVER 0");
    assert_eq!(window.ends(), 0);
}

#[test]
fn sigterm_ends_the_session_in_order_and_gives_the_terminal_back() {
    let mut window = at_work(2_000, 60_000);
    kill_process(window.pid(), Signal::TERM).unwrap();
    assert_eq!(window.ends(), 143);
    assert_eq!(window.last_record(), "session.ended");
    assert!(window.journal().contains("attempt.ended"), "what ran has ended");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let mut window = at_work(2_000, 60_000);
    window.type_keys("\x03");
    window.until_text("detach: give the shell back");
    window.type_keys("\x03");
    assert_eq!(window.ends(), 130);
    assert_eq!(window.last_record(), "session.ended");
}

#[test]
fn detaching_gives_the_shell_back_and_works_on() {
    let mut window = at_work(60, 5_000);
    let worker = window.worker();
    window.type_keys("\x1a");
    window.until_text("Suspend");
    // The card is deaf at first.
    eventually("the end of the launcher", || {
        if is_alive(worker) && window.exit_code().is_none() {
            let _ = window.typing.lock().unwrap().as_mut().unwrap().write_all(b"d");
            std::thread::sleep(Duration::from_millis(200));
        }
        window.exit_code().is_some()
    });
    assert_eq!(window.ends(), 0);
    eventually("the goal's end", || window.journal().contains("goal.ended"));
    eventually("the worker's end", || !is_alive(worker));
    assert_eq!(window.last_record(), "session.ended");
}

#[test]
fn a_closed_window_leaves_the_work_going_to_its_end() {
    let mut window = at_work(60, 8_000);
    let worker = window.worker();
    window.close();
    eventually("the end of the launcher", || window.exit_code().is_some());
    assert!(is_alive(worker) && !window.journal().contains("goal.ended"), "{}", window.log());
    #[cfg(target_os = "linux")]
    {
        let before = ticks(worker);
        std::thread::sleep(Duration::from_secs(2));
        let used = ticks(worker).saturating_sub(before);
        assert!(used <= 20, "{used} ticks of 200 without a terminal: something spins");
    }
    eventually_or("the goal's end", || window.log(), || window.journal().contains("goal.ended"));
    eventually_or("the worker's end", || window.log(), || !is_alive(worker));
    assert_eq!(window.last_record(), "session.ended");
    assert!(window.journal().contains(r#""outcome":"done""#) || window.journal().contains("task.done"));
}

/// No signal tells of it here, and the reading of a terminal that is gone never ends: what is written fails.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_goes_without_a_word_while_keys_come_is_parted_from() {
    for round in 0..3 {
        // In a session of its own it has no controlling terminal, so nothing hangs it up.
        let mut command = CommandBuilder::new("setsid");
        command.args(["--wait", env!("CARGO_BIN_EXE_baton"), "run", "plan.yaml", "--fleet", "sim"]);
        let mut window = Window::open(command, &[("plan.yaml", &plan(600, 60_000))]);
        window.until_text("● running");
        let worker = window.worker();
        for _ in 0..100 {
            window.type_keys("jk");
        }
        // The last who holds the other side lets go of it at the next frame: in the middle of what the keys do.
        *window.typing.lock().unwrap() = None;
        window.master = None;
        window.seen.0.lock().unwrap().let_go = true;
        let parted = || window.exit_code().is_some();
        eventually_or(&format!("the end of the launcher in round {round}"), || window.log(), parted);
        assert!(is_alive(worker), "{}", window.log());
        let _ = kill_process(worker, Signal::KILL);
        eventually("the worker's end", || !is_alive(worker));
    }
}

/// Whether the terminal reads lines and shows what is typed, as a shell wants it.
fn is_cooked(window: &Window) -> bool {
    use rustix::termios::LocalModes;
    let modes = window.master.as_ref().unwrap().get_termios().unwrap().local_flags.bits();
    let wanted = (LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG).bits();
    modes & wanted == wanted
}

#[test]
fn a_console_whose_process_is_killed_leaves_the_terminal_clean_and_says_how_to_go_on() {
    for (signal, code) in [(Signal::KILL, 137), (Signal::ABORT, 134)] {
        let mut window = at_work(4_000, 60_000);
        // What was typed for the console is not run by the shell.
        window.type_keys("m");
        assert!(!is_cooked(&window));
        kill_process(window.worker(), signal).unwrap();
        assert_eq!(window.ends(), code);
        eventually("a terminal that reads lines", || is_cooked(&window));
        window.until_text("baton resume");
        assert!(window.look(Seen::text).contains(&format!("signal {}", code - 128)), "{}", window.look(Seen::text));
    }
}

#[test]
fn a_run_that_was_killed_is_taken_up_in_the_console_and_left_with_the_way_back() {
    let mut command = CommandBuilder::new("sh");
    let script = "\"$0\" run plan.yaml --headless --fleet sim 2>told & \
                  until grep -qs attempt.output state/baton/sessions/*/journal.jsonl; do sleep 0.05; done; \
                  kill -9 $!; wait; exec \"$0\" resume";
    command.args(["-c", script, env!("CARGO_BIN_EXE_baton")]);
    let mut window = Window::open(command, &[("plan.yaml", &plan(600, 60_000))]);
    window.until_text("● running");
    eventually("the next attempt", || window.journal().matches("\"attempt.started\"").count() == 2);
    let journal = window.journal();
    assert!(journal.contains("\"interrupted\"") && journal.contains("\"endpoint.moved\""), "{journal}");
    window.type_keys("\x03");
    window.until_text("Leave");
    window.type_keys("\x03");
    assert_eq!(window.ends(), 130);
    window.until_text("take it up again with: baton resume 2");
    assert_eq!(window.last_record(), "session.ended");
}

#[test]
fn what_a_goal_and_a_model_say_never_steers_the_terminal() {
    // The title, the clipboard, a colour, the main screen, and the same in single bytes.
    let bomb = r"A\e]2;PWNED\aB\e]52;c;UFdORUQ=\aC\e[31mD\e[?1049lE\x9b31mF\x9d2;PWNED\x9cG\e[6nH\e[2JI";
    // In the simulator's answer a closing bracket would end the directive.
    let answer = r"A\x9d2;PWNED\x9cB\e[31mC\eP1$r0m\e\\D\e[?1049lE\x9b31mF\ecG\e[6nH\e[2JI";
    let text = format!(
        "version: 1\ngoal: \"Goal {bomb}\"\ntasks:\n  - {{id: one, agent: researcher, level: low, title: \"Title {bomb}\", \
         prompt: \"Prompt {bomb} [sim ms=5 text=Answer {answer} is said.]\"}}\n"
    );
    let mut window = Window::with_files(&["run", "plan.yaml"], &[("plan.yaml", &text)]);
    eventually_or("the goal's end", || window.look(Seen::text), || window.journal().contains("goal.ended"));
    window.until_text("is said");
    for keys in ["1", "\r", "\t", "\t", "\x1b", "5", "1"] {
        window.type_keys(keys);
    }
    // A paste of it into the goal box.
    window.type_keys("\x0e");
    window.until_text("What is the next goal?");
    window.type_keys("\x1b[200~Pasted A\x1b]2;PWNED\x07B\x1b]52;c;UFdORUQ=\x07C end\x1b[201~");
    window.until_text("Pasted A");
    window.type_keys("\x03");
    assert_eq!(window.ends(), 0);
    window.look(|seen| {
        let raw = String::from_utf8_lossy(&seen.raw);
        for planted in [
            "\x1b]2;PWNED",
            "\x1b]52",
            "\x1b[31mD",
            "\x1b[?1049lE",
            "\u{9b}",
            "\u{9d}",
            "\x1b[2JI",
            "\x1b[6nH",
            "\x1bP",
            "\x1bc",
        ] {
            assert!(!raw.contains(planted), "{planted:?} reached the terminal");
        }
        let heard = seen.parser.callbacks();
        assert_eq!(heard.clipboard, 0);
        assert!(heard.titles.iter().all(|t| t.starts_with("baton")), "{:?}", heard.titles);
    });
}

#[test]
fn an_idle_console_writes_nothing() {
    let mut window = Window::baton(&[]);
    window.until_text("of 5 answer");
    // Until nothing came for a second.
    let (mut length, mut since) = (0, Instant::now());
    eventually_or(
        "rest",
        || window.look(Seen::text),
        || {
            let now = window.look(|seen| seen.raw.len());
            if now != length {
                (length, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_secs(1)
        },
    );
    #[cfg(target_os = "linux")]
    let (worker, before) = (window.worker(), ticks(window.worker()));
    std::thread::sleep(Duration::from_secs(3));
    let written = window.look(|seen| String::from_utf8_lossy(&seen.raw[length..]).into_owned());
    assert_eq!(written, "", "an idle console writes nothing");
    #[cfg(target_os = "linux")]
    assert!(ticks(worker) - before <= 15, "{} ticks of 300 for nothing", ticks(worker) - before);
    window.type_keys("\x03");
    assert_eq!(window.ends(), 0);
}
