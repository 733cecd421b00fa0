//! The built binary from outside: exit codes, stdout and stderr, the journal, signals, and what must never come out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use baton::domain::protocol::{Event, Record};

#[path = "cli/afar.rs"]
mod afar;
#[path = "cli/bundle.rs"]
mod bundle;
#[path = "cli/narrow.rs"]
mod narrow;

const BATON: &str = env!("CARGO_BIN_EXE_baton");

/// A home of its own for each test.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn baton(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BATON);
        command.args(args).current_dir(self.path()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        for (name, value) in self.surroundings() {
            command.env(name, value);
        }
        command
    }

    fn surroundings(&self) -> [(&'static str, String); 5] {
        let folder = |name: &str| self.path().join(name).display().to_string();
        [
            ("HOME", self.path().display().to_string()),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_STATE_HOME", folder("state")),
            ("XDG_RUNTIME_DIR", folder("run")),
            ("BATON_LOG", "trace".to_owned()),
        ]
    }

    fn run(&self, args: &[&str]) -> Told {
        Told::from(self.baton(args).output().unwrap())
    }

    /// The one session's journal.
    fn journal(&self) -> String {
        let sessions = self.path().join("state/baton/sessions");
        let mut found: Vec<PathBuf> = std::fs::read_dir(&sessions).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        std::fs::read_to_string(found.remove(0).join("journal.jsonl")).unwrap()
    }
}

struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

const SMALL: &str = "version: 1
goal: Compare two parsers
synthesis: false
tasks:
  - {id: sources, agent: researcher, prompt: 'Find what was written on both. [sim ms=5]'}
  - {id: speed, agent: coder, prompt: 'Measure both. [sim ms=5]'}
  - {id: answer, agent: reasoner, needs: [sources, speed], prompt: 'Which one? [sim ms=5 text=The hand-written one.]'}
";

#[test]
fn a_broken_plan_is_refused_with_its_places() {
    let home = Home::new();
    home.file("broken.yaml", "version: 1\ngoal: g\ntasks:\n  - {id: a, agent: coderr, prompt: p, needs: [b]}\n");
    home.file("fine.yaml", SMALL);
    let told = home.run(&["check", "broken.yaml", "fine.yaml"]);
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("broken.yaml:4:"), "{}", told.err);
    assert!(told.err.contains("mend:") && told.err.contains("coder"), "{}", told.err);
    assert_eq!(told.out, "fine.yaml: ok: 3 tasks in 2 layers, 2 wide\n");
    let told = home.run(&["check", "broken.yaml", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((json[0]["ok"].as_bool(), json[0]["errors"][0]["line"].as_u64()), (Some(false), Some(4)));
    let told = home.run(&["run", "broken.yaml", "--headless", "--fleet", "sim"]);
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("broken.yaml:4:"), "{}", told.err);
    assert_eq!(home.run(&["run", "missing.yaml", "--headless"]).code, Some(2));
}

#[test]
fn a_plan_runs_and_its_summary_says_how() {
    let home = Home::new();
    home.file("small.yaml", SMALL);
    let told = home.run(&["run", "small.yaml", "--headless", "--fleet", "sim", "--json"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(json["outcome"], "done");
    assert_eq!(json["answer"], "The hand-written one.");
    assert_eq!(json["simulated"], true);
    assert_eq!(json["tasks"].as_array().unwrap().len(), 3);
    assert_eq!(json["tasks"][1]["endpoint"], "qwen");
    assert_eq!(json["metrics"]["widest"], 2);
    assert!(Path::new(json["journal"].as_str().unwrap()).is_file());
    assert!(told.err.contains("SIMULATED") && told.err.contains("completed  Measure both."), "{}", told.err);
}

#[test]
fn an_answer_that_is_cut_is_marked_wherever_it_is_told() {
    let home = Home::new();
    let task = |more: &str| format!("prompt: 'Explain it. [sim tokens=90]', budget: {{tokens: 20}}{more}");
    let plan = format!(
        "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {{id: a, title: Kept, agent: researcher, {}}}\n  - {{id: b, title: Gone on, agent: researcher, {}}}\n",
        task(", on_cut: keep"),
        task("")
    );
    home.file("cut.yaml", &plan);
    let told = home.run(&["run", "cut.yaml", "--headless", "--fleet", "sim", "--json"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    for words in
        ["completed, cut at 20 tokens Kept", "completed, cut at 40 tokens Gone on", "needs you  “Kept” was cut at 20"]
    {
        assert!(told.err.contains(words), "{words} is not in {}", told.err);
    }
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let cut: Vec<_> = (0..2).map(|i| json["tasks"][i]["cut"].clone()).collect();
    assert_eq!(cut, [20, 40].map(|tokens| serde_json::json!({"tokens": tokens, "by": "limit"})));
    let report = home.run(&["report"]);
    assert!(
        report.out.contains("completed, cut at 20 tokens") && report.out.contains("cut at 40 tokens"),
        "{}",
        report.out
    );
    let report: serde_json::Value = serde_json::from_str(&home.run(&["report", "--json"]).out).unwrap();
    assert_eq!(report["attempts"][0]["cut"]["by"], "limit");
}

#[test]
fn without_a_form_the_answer_alone_is_on_stdout() {
    let home = Home::new();
    home.file("small.yaml", SMALL);
    let told = home.run(&["run", "small.yaml", "--fleet", "sim"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "The hand-written one.\n"), "{}", told.err);
}

#[test]
fn jsonl_is_the_journal() {
    let home = Home::new();
    home.file("small.yaml", SMALL);
    let told = home.run(&["run", "small.yaml", "--headless", "--fleet", "sim", "--jsonl"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let records: Vec<Record> = told.out.lines().map(|line| Record::from_json(line).unwrap()).collect();
    assert!(matches!(records[0].event, Event::SessionStarted(_)));
    assert!(matches!(records.last().unwrap().event, Event::SessionEnded { .. }));
    let journal = home.journal();
    let (_header, rest) = journal.split_once('\n').unwrap();
    assert_eq!(rest, told.out);
}

#[test]
fn a_failing_task_is_told_by_the_exit_code() {
    let home = Home::new();
    home.file(
        "failing.yaml",
        "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {id: a, agent: vision_analyst, prompt: 'x [sim ms=1 fail=garbage]', retry: {max: 0}}\n",
    );
    let told = home.run(&["run", "failing.yaml", "--headless", "--fleet", "sim", "--json"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((json["outcome"].as_str(), json["tasks"][0]["status"].as_str()), (Some("failed"), Some("failed")));
    assert!(told.err.contains("failed"), "{}", told.err);
}

#[test]
fn where_no_session_can_be_kept_nothing_starts_and_the_exit_code_says_so() {
    let home = Home::new();
    home.file("small.yaml", "version: 1\ngoal: g\ntasks:\n  - {id: a, agent: researcher, prompt: 'x [sim ms=1]'}\n");
    std::fs::create_dir_all(home.path().join("state/baton")).unwrap();
    // The superuser may write anywhere, so a folder that is closed to others would stop nobody here; a file does.
    home.file("state/baton/sessions", "");
    let told = home.run(&["run", "small.yaml", "--headless", "--fleet", "sim"]);
    assert_eq!(told.code, Some(4), "{}", told.err);
    assert!(told.err.contains("could not make the folder") && told.err.contains("sessions"), "{}", told.err);
    assert_eq!(told.out, "");
}

#[test]
fn a_goal_is_planned_and_printed_as_a_plan_that_can_be_checked() {
    let home = Home::new();
    let told = home.run(&["plan", "Compare two parsers [sim ms=5]", "--fleet", "sim"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.starts_with("# SIMULATED"), "{}", told.out);
    home.file("made.yaml", &told.out);
    assert_eq!(home.run(&["check", "made.yaml"]).code, Some(0));
}

#[test]
fn a_plan_that_does_not_fit_into_memory_starts_nothing_unless_it_is_forced() {
    let home = Home::new();
    home.file("small.yaml", SMALL);
    std::fs::create_dir_all(home.path().join("config/baton")).unwrap();
    home.file("config/baton/baton.toml", "[machine]\nbudget_gb = 50\n");
    let told = home.run(&["run", "small.yaml", "--headless", "--fleet", "sim"]);
    assert_eq!(told.code, Some(3), "{}", told.err);
    let sum = "g1 waits for memory: it lacks 81 GB: needs 131 for GPT 80 + Qwen 35 + Athene 16; 50 GB are left of 50 (your budget)";
    assert!(told.err.contains(sum), "{}", told.err);
    assert!(told.err.contains("--force-memory") && told.err.contains("force g1`"), "{}", told.err);
    let journal = home.journal();
    assert!(journal.contains("goal.held") && !journal.contains("turn.started"));
    let home = Home::new();
    home.file("small.yaml", SMALL);
    std::fs::create_dir_all(home.path().join("config/baton")).unwrap();
    home.file("config/baton/baton.toml", "[machine]\nbudget_gb = 50\n");
    let told = home.run(&["run", "small.yaml", "--headless", "--fleet", "sim", "--force-memory"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("g1 starts though memory is short"), "{}", told.err);
    assert!(home.journal().contains("\"forced\""));
}

#[test]
fn the_small_commands_answer() {
    let home = Home::new();
    let told = home.run(&["config", "show"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("session.level") && told.out.contains("built-in"), "{}", told.out);
    assert!(home.run(&["config", "path"]).out.contains("state/baton/sessions"));
    let schema: serde_json::Value = serde_json::from_str(&home.run(&["config", "schema", "plan"]).out).unwrap();
    assert!(schema["properties"]["tasks"].is_object());
    assert!(home.run(&["completions", "bash"]).out.contains("baton"));
    assert!(home.run(&["survives"]).out.contains("kill -9"));
    assert!(home.run(&["man"]).out.contains(".TH baton"));
    assert_eq!(home.run(&["fleet", "status", "--fleet", "sim"]).code, Some(0));
    // By whether a model server answers on the machine that the tests run on.
    let doctor = home.run(&["doctor"]);
    let code = i32::from(doctor.out.contains("no model server answers"));
    assert_eq!(doctor.code, Some(code), "{}", doctor.out);
    let version = home.run(&["--version"]);
    // A release names its commit; a build of tests doesn't look for it.
    let (number, commit) = version.out.trim().split_once(" (").unwrap_or((version.out.trim(), ")"));
    assert_eq!((version.code, number), (Some(0), concat!("baton ", env!("CARGO_PKG_VERSION"))), "{}", version.out);
    assert!(commit.trim_end_matches(')').bytes().all(|b| b.is_ascii_hexdigit()), "{}", version.out);
}

#[test]
fn mistakes_in_what_is_typed_exit_with_2_and_say_what_works() {
    let home = Home::new();
    let told = home.run(&[]);
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("terminal") && told.err.contains("--headless"), "{}", told.err);
    for args in [&["rnu"][..], &["sim", "--faults", "athene"], &["run", ""], &["fleet", "status", "--fleet", "no.toml"]]
    {
        assert_eq!(home.run(args).code, Some(2), "{args:?}");
    }
    let told = home.run(&["x\u{1b}]0;owned\u{7}y"]);
    assert!(!told.err.contains('\u{1b}'), "{:?}", told.err);
}

#[test]
fn what_only_the_operator_can_release_exits_with_3() {
    let home = Home::new();
    home.file("small.yaml", SMALL);
    // Nobody serves the tiers of the coder and his fallback.
    home.file(
        "fleet.toml",
        "[[endpoint]]\nname = \"only\"\ntiers = [\"summary\"]\nprotocol = \"llama.cpp\"\nurl = \"http://127.0.0.1:9\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\n",
    );
    let told = home.run(&["run", "small.yaml", "--headless", "--fleet", "fleet.toml", "--patience", "60"]);
    assert_eq!(told.code, Some(3), "{}", told.err);
    assert!(told.err.contains("no endpoint serves the tier"), "{}", told.err);
}

#[test]
fn sigterm_ends_in_order() {
    let home = Home::new();
    home.file(
        "long.yaml",
        "version: 1\ngoal: g\ntasks:\n  - {id: a, agent: researcher, prompt: 'x [sim ms=60000 tokens=4000]'}\n",
    );
    let mut child = home
        .baton(&["run", "long.yaml", "--headless", "--fleet", "sim", "--jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("attempt.output") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0, "it ended by itself");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let journal = home.journal();
    assert!(journal.ends_with('\n'));
    let last = Record::from_json(journal.lines().last().unwrap()).unwrap();
    assert!(matches!(last.event, Event::SessionEnded { .. }), "{last:?}");
    assert!(journal.contains("\"interrupted\"") && !journal.contains("\"task.cancelled\""));
}

#[test]
fn a_session_that_was_ended_is_taken_up_and_forked_by_name() {
    let home = Home::new();
    let told = home.run(&["resume", "--headless"]);
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("no session yet") && told.err.contains("baton run"), "{}", told.err);
    home.file(
        "two.yaml",
        "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {id: a, agent: researcher, title: A, prompt: 'x [sim ms=5]'}\n  - {id: b, agent: researcher, title: B, needs: [a], prompt: 'x [sim ms=600 tokens=40 text=It is done.]'}\n",
    );
    let mut child = home
        .baton(&["run", "two.yaml", "--headless", "--fleet", "sim"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("started    B") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut err, &mut line).unwrap() > 0, "it ended by itself");
    }
    // In use: the words name the process.
    let pid = child.id();
    let told = home.run(&["resume", "--headless"]);
    assert_eq!(told.code, Some(4), "{}", told.err);
    assert!(told.err.contains(&format!("process {pid}")) && told.err.contains("baton attach"), "{}", told.err);
    // A fork of a session that another process writes.
    let sessions = home.path().join("state/baton/sessions");
    let id = std::fs::read_dir(&sessions).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let forked = home.run(&["fork", &id, "--at", "3"]);
    assert_eq!(forked.code, Some(0), "{}", forked.err);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.contains(&format!("baton resume {id}")), "{rest}");
    let told = home.run(&["resume", &id, "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "It is done.\n"), "{}", told.err);
    assert!(told.err.contains("1 of 2 tasks have ended") && !told.err.contains("started    A"), "{}", told.err);
    // Once more there is nothing left to do, and nothing is written.
    let journal = || std::fs::read(sessions.join(&id).join("journal.jsonl")).unwrap();
    let before = journal();
    let told = home.run(&["resume", &id, "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "It is done.\n"), "{}", told.err);
    assert_eq!(journal(), before);
    // The fork is held until it is let go; record 3 is before its goal.
    let fork = forked.out.trim();
    let told = home.run(&["resume", fork, "--headless"]);
    assert_eq!(told.code, Some(3), "{}", told.err);
    let told = home.run(&["fork", &id, "--at", "50%"]);
    let held = home.run(&["resume", told.out.trim(), "--headless"]);
    assert_eq!(held.code, Some(3), "{}", held.err);
    assert!(held.err.contains("paused and stays so") && held.err.contains("--go"), "{}", held.err);
    let let_go = home.run(&["resume", told.out.trim(), "--headless", "--go"]);
    assert_eq!((let_go.code, let_go.out.as_str()), (Some(0), "It is done.\n"), "{}", let_go.err);
    for wrong in
        [&["resume", "none"][..], &["fork", "none"], &["fork", &id, "--at", "99999"], &["fork", &id, "--at", "x"]]
    {
        assert_eq!(home.run(wrong).code, Some(2), "{wrong:?}");
    }
}

/// Runs in a terminal and returns all that came on it, and the exit code.
fn on_terminal(home: &Home, args: &[&str]) -> (String, u32) {
    on_terminal_of(100, home, args)
}

/// The same in a terminal of so many columns.
fn on_terminal_of(cols: u16, home: &Home, args: &[&str]) -> (String, u32) {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(BATON);
    command.args(args);
    command.cwd(home.path());
    command.env_clear();
    command.env("TERM", "xterm-256color");
    for (name, value) in home.surroundings() {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let read = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // On Linux the end of a terminal is an error.
        let _ = reader.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    drop(pair.master);
    (read.join().unwrap(), status.exit_code())
}

#[test]
fn an_escape_bomb_reaches_neither_a_terminal_nor_stderr() {
    let home = Home::new();
    let bomb = "\\e]0;owned\\a\\e[2J\\e[31m\\x9b5n\\u202E";
    home.file(
        "bomb.yaml",
        &format!(
            "version: 1\ngoal: \"g {bomb}\"\nsynthesis: false\ntasks:\n  - {{id: a, agent: vision_analyst, title: \"t {bomb}\", prompt: \"p [sim ms=2 text=x {bomb} y\"}}\n  - {{id: b, agent: vision_analyst, title: \"u {bomb}\", prompt: \"p {bomb} [sim ms=2 fail=garbage]\", retry: {{max: 0}}}}\n"
        )
        .replace("x \\e", "fine \\e")
        .replace(" y\"", " y]\""),
    );
    let clean = |text: &str| {
        // Baton's own progress line knows these two, and nothing else.
        let rest = text.replace("\u{1b}[K", "").replace('\r', "");
        for bad in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}'] {
            assert!(!rest.contains(bad), "{bad:?} in {rest:?}");
        }
    };
    for args in [
        &["run", "bomb.yaml", "--headless", "--fleet", "sim"][..],
        &["run", "bomb.yaml", "--headless", "--fleet", "sim", "--jsonl"],
        &["run", "bomb.yaml", "--headless", "--fleet", "sim", "--json"],
        &["check", "bomb.yaml"],
    ] {
        let (text, _) = on_terminal(&home, args);
        assert!(!text.is_empty());
        clean(&text);
        clean(&home.run(args).err);
    }
    for args in [
        &["sessions"][..],
        &["sessions", "--search", "fine"],
        &["report"],
        &["report", "--json"],
        &["export", "--markdown"],
        &["export", "--json"],
    ] {
        let (text, code) = on_terminal(&home, args);
        assert!(!text.is_empty() && code == 0, "{args:?}: {text}");
        clean(&text);
        clean(&home.run(args).err);
    }
    // Into a pipe the answer goes as it is: programs want the bytes.
    let told = home.run(&["run", "bomb.yaml", "--headless", "--fleet", "sim"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.out.contains("fine"), "{:?}", told.out);
}

#[test]
fn a_key_is_never_written_anywhere() {
    const KEY: &str = "sk-planted-7d1f0c";
    let home = Home::new();
    home.file("small.yaml", SMALL);
    let mut fleet = String::from("replace = true\n");
    for tier in ["q4_tools", "coder", "gptoss_reason", "vision", "summary"] {
        fleet.push_str(&format!(
            "[[endpoint]]\nname = \"{tier}\"\ntiers = [\"{tier}\"]\nprotocol = \"openai\"\nurl = \"http://127.0.0.1:9\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\nkey = {{ env = \"PLANTED_KEY\" }}\n"
        ));
    }
    home.file("fleet.toml", &fleet);
    let mut everything = String::new();
    for args in [
        &["fleet", "status", "--fleet", "fleet.toml"][..],
        &["config", "show", "--fleet", "fleet.toml"],
        &["doctor", "--fleet", "fleet.toml"],
    ] {
        let told = Told::from(home.baton(args).env("PLANTED_KEY", KEY).output().unwrap());
        everything.push_str(&told.out);
        everything.push_str(&told.err);
    }
    // No server answers: it is ended when it has tried.
    let mut child = home
        .baton(&["run", "small.yaml", "--headless", "--fleet", "fleet.toml", "--jsonl", "--patience", "60"])
        .env("PLANTED_KEY", KEY)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"down\"") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0, "it ended by itself");
        everything.push_str(&line);
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    out.read_to_string(&mut everything).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut everything).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    everything.push_str(&home.journal());
    everything.push_str(&std::fs::read_to_string(home.path().join("state/baton/baton.log")).unwrap());
    assert!(everything.contains("PLANTED_KEY"));
    assert!(!everything.contains(KEY));
}

/// A home with a recorded session in it.
fn with_session() -> (Home, String) {
    let home = Home::new();
    let folder = home.path().join("state/baton/sessions/20261120-192323");
    std::fs::create_dir_all(&folder).unwrap();
    let journal = include_str!("journals/two-parsers.jsonl").to_owned();
    std::fs::write(folder.join("journal.jsonl"), &journal).unwrap();
    (home, journal)
}

#[test]
fn sessions_are_listed_filtered_and_searched() {
    let empty = Home::new().run(&["sessions"]);
    assert_eq!((empty.code, empty.out.as_str()), (Some(0), ""));
    assert!(empty.err.contains("no session yet"), "{}", empty.err);
    let (home, _) = with_session();
    let told = home.run(&["sessions"]);
    let line = told.out.lines().nth(1).unwrap();
    for word in ["20261120-192323", "Compare two parsers", "failed", "5/7", "simulated"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    let json: serde_json::Value = serde_json::from_str(&home.run(&["sessions", "parsers", "--json"]).out).unwrap();
    assert_eq!(json[0]["state"], "failed");
    assert_eq!(json[0]["tasks"]["done"], 5);
    assert!(home.run(&["sessions", "nobody asked"]).err.contains("No session"));
    assert!(home.run(&["sessions", "--failed", "--since", "yesterday"]).out.contains("20261120-192323"));
    assert_eq!(home.run(&["sessions", "--since", "noon"]).code, Some(2));
    let found = home.run(&["sessions", "--search", "thread | say"]);
    assert_eq!(found.out, "20261120-192323 g1/sources answer …Two papers and <b>one</b> thread | say it.…\n");
    assert!(home.run(&["sessions", "--search", "heredoc"]).err.contains("none of them"));
}

#[test]
fn a_session_is_reported_and_exported() {
    let (home, journal) = with_session();
    let report = home.run(&["report"]);
    assert!(report.out.starts_with("# Session 20261120-192323\n"), "{}", report.err);
    let json: serde_json::Value = serde_json::from_str(&home.run(&["report", "--json"]).out).unwrap();
    assert_eq!((json["baton_report"].as_u64(), json["metrics"]["done"].as_u64()), (Some(1), Some(5)));
    let told = home.run(&["report", "20261120-192323", "--out", "report.md"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_to_string(home.path().join("report.md")).unwrap(), report.out);
    assert_eq!(home.run(&["export", "--json"]).out, journal, "the one story, line for line");
    assert!(home.run(&["export", "--markdown"]).out.contains("## Goal g1"));
    for args in [&["export"][..], &["report", "nobody"], &["export", "../up", "--json"]] {
        let told = home.run(args);
        assert_eq!(told.code, Some(2), "{args:?}: {}", told.err);
    }
    assert_eq!(home.run(&["report", "--out", "no/such/folder"]).code, Some(4));
}

/// `baton sim` on free ports, until it is dropped.
struct Sim(std::process::Child, Vec<String>);

impl Sim {
    fn start(home: &Home) -> Self {
        use std::io::BufRead;
        let mut child =
            home.baton(&["sim", "--speed", "50"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ports = Vec::new();
        for line in std::io::BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            ports.extend(
                line.strip_prefix("url = \"http://127.0.0.1:").map(|rest| rest.trim_end_matches('"').to_owned()),
            );
            if ports.len() == 5 {
                break;
            }
        }
        assert_eq!(ports.len(), 5);
        Self(child, ports)
    }

    /// `fleet init` with these arguments, on its ports.
    fn init(&self, home: &Home, args: &[&str]) -> Told {
        let ports = self.1.iter().flat_map(|port| ["--port", port.as_str()]);
        home.run(&["fleet", "init"].into_iter().chain(ports).chain(args.iter().copied()).collect::<Vec<_>>())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_answers_becomes_a_fleet_file_that_runs() {
    let home = Home::new();
    let sim = Sim::start(&home);
    let told = sim.init(&home, &[]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    for part in ["kitty-q4", "gpt-oss-120b", "kitty-vision", "kitty-coder", "kitty-summary", "llama.cpp", "Ollama"] {
        assert!(told.out.contains(part), "{part} not in\n{}", told.out);
    }
    let file = home.path().join("config/baton/fleet.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(told.err.contains("this machine (5 ports)") && told.err.contains("next: look it over"), "{}", told.err);
    for part in ["replace = true", "vision = true", "slots = 6", "context = 32768", "by its name it is made for code"] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
    // It loads without a warning, answers, and works.
    let shown = home.run(&["config", "show"]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    let status = home.run(&["fleet", "status", "--json"]);
    let lines: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    let lines = lines.as_array().unwrap();
    assert!(lines.len() == 5 && lines.iter().all(|l| l["health"] == "up" && l["trouble"].is_null()), "{}", status.out);
    home.file("small.yaml", SMALL);
    let ran = home.run(&["run", "small.yaml", "--headless"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "The hand-written one.\n"), "{}", ran.err);
    // What is there stays, unless it is said that it shall not; then it stays beside.
    let again = sim.init(&home, &[]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("is there already") && again.err.contains("--force"), "{}", again.err);
    let mine = text.replace("name = \"kitty-coder\"", "name = \"my-coder\"");
    std::fs::write(&file, &mine).unwrap();
    let forced = sim.init(&home, &["--force", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&forced.out).unwrap();
    assert_eq!((forced.code, json["endpoints"].as_array().unwrap().len()), (Some(0), 5), "{}", forced.err);
    assert_eq!(std::fs::read_to_string(file.with_file_name("fleet.toml.bak")).unwrap(), mine);
    assert!(std::fs::read_to_string(&file).unwrap().contains("name = \"my-coder\""), "the configured name is kept");
    // Beside a configured fleet that answers, the doctor finds nothing new.
    let doctor = home.run(&["doctor"]);
    assert!(doctor.out.contains("the configured fleet is used"), "{}", doctor.out);
}

#[test]
fn a_fleet_file_is_only_printed_when_asked_and_goes_where_it_is_sent() {
    let home = Home::new();
    let sim = Sim::start(&home);
    let printed = sim.init(&home, &["--print"]);
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert!(printed.out.starts_with("# The fleet that answered"), "{}", printed.out);
    assert!(!home.path().join("config").exists());
    let told = sim.init(&home, &["--output", "my.toml", "--host", "localhost"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("baton --fleet") && told.err.contains("my.toml"), "{}", told.err);
    // Asked twice by two names, it is one server.
    assert_eq!(std::fs::read_to_string(home.path().join("my.toml")).unwrap().matches("[[endpoint]]").count(), 5);
    let status = home.run(&["fleet", "status", "--fleet", "my.toml"]);
    assert_eq!(status.code, Some(0), "{}", status.err);
    // What the configuration does not name is found by the doctor, with the next step.
    let ports = format!("[discovery]\nports = [{}]\n", sim.1.join(", "));
    std::fs::create_dir_all(home.path().join("config/baton")).unwrap();
    std::fs::write(home.path().join("config/baton/baton.toml"), ports).unwrap();
    let doctor = home.run(&["doctor"]);
    assert!(doctor.out.contains("found") && doctor.out.contains("`baton fleet init` writes it"), "{}", doctor.out);
    assert!(doctor.out.contains("kitty-coder"), "{}", doctor.out);
}

#[test]
fn where_nothing_answers_no_fleet_file_is_written_and_it_is_said_what_was_asked() {
    let home = Home::new();
    let told = home.run(&["fleet", "init", "--port", "1", "--host", "localhost:2"]);
    assert_eq!(told.code, Some(4), "{}", told.err);
    assert!(told.err.contains("asked: this machine") && told.err.contains("--host"), "{}", told.err);
    assert!(!home.path().join("config/baton/fleet.toml").exists());
    let told = home.run(&["fleet", "init", "--host", "http://me:secret@mac"]);
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("take user, password and query out"), "{}", told.err);
}

/// A command with something on its stdin.
fn fed(home: &Home, args: &[&str], text: &str) -> Told {
    use std::io::Write as _;
    let mut command = home.baton(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Told::from(child.wait_with_output().unwrap())
}

const DOCUMENT: &str = "# A reader for CSV files\n\n- [ ] open a file\n- [ ] show its columns\n";

#[test]
fn the_text_of_a_file_or_a_pipe_is_the_goal() {
    let home = Home::new();
    home.file("prd.md", DOCUMENT);
    let told = home.run(&["plan", "prd.md", "--fleet", "sim"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("the goal is the text of prd.md"), "{}", told.err);
    assert!(told.out.contains("A reader for CSV files") && told.out.contains("show its columns"), "{}", told.out);
    // Where the project keeps the schema of plans, editors are told.
    std::fs::create_dir_all(home.path().join(".baton")).unwrap();
    home.file(".baton/plan.schema.json", &home.run(&["config", "schema", "plan"]).out);
    let told = fed(&home, &["plan", "-", "--fleet", "sim"], DOCUMENT);
    assert!(told.out.contains("# yaml-language-server: $schema=.baton/plan.schema.json\n"), "{}", told.out);
    assert!(told.code == Some(0) && told.out.contains("show its columns"), "{}{}", told.out, told.err);
    // A plan by a pipe is one.
    let told = fed(&home, &["run", "-", "--headless", "--fleet", "sim"], SMALL);
    assert_eq!((told.code, told.out.trim()), (Some(0), "The hand-written one."), "{}", told.err);
    let told = fed(&home, &["run", "-", "--headless", "--fleet", "sim"], " \n");
    assert!(told.code == Some(2) && told.err.contains("stdin is empty"), "{}", told.err);
}

#[test]
fn a_mistyped_path_is_no_goal() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("plans")).unwrap();
    home.file("plans/release.yaml", SMALL);
    for args in [["run", "plans/relase"], ["plan", "plans/relase"], ["run", "plans/relase.yml"]] {
        let told = home.run(&[&args[..], &["--headless", "--fleet", "sim"]].concat());
        assert_eq!(told.code, Some(2), "{}", told.err);
        assert!(told.err.contains("did you mean plans/release.yaml?") && told.err.contains("--goal"), "{}", told.err);
    }
    let told = home.run(&["plan", "plans/relase", "--goal", "--fleet", "sim"]);
    assert!(told.code == Some(0) && told.out.contains("plans/relase"), "{}", told.err);
}

#[test]
fn a_text_that_yaml_cuts_is_told_before_it_is_run() {
    let home = Home::new();
    home.file(
        "cut.yaml",
        &SMALL.replace(
            "  - {id: speed, agent: coder, prompt: 'Measure both. [sim ms=5]'}",
            "  - id: speed\n    agent: coder\n    prompt: Measure both, as in issue #42",
        ),
    );
    let told = home.run(&["check", "cut.yaml"]);
    assert!(told.code == Some(0) && told.out.contains("ok: 3 tasks"), "{}{}", told.out, told.err);
    let at = "warning: cut.yaml:8:39: `prompt` is read as “Measure both, as in issue”: “#42” is a comment in YAML";
    assert!(told.err.contains(at) && told.err.contains("in quotes"), "{}", told.err);
    let told = home.run(&["check", "cut.yaml", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((json[0]["ok"].as_bool(), json[0]["warnings"][0]["column"].as_u64()), (Some(true), Some(39)));
    let told = home.run(&["run", "cut.yaml", "--headless", "--fleet", "sim"]);
    assert!(told.code == Some(0) && told.err.contains(at), "{}", told.err);
}

#[test]
fn a_file_in_another_encoding_is_told_wherever_it_is_given() {
    let home = Home::new();
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    std::fs::write(home.path().join("wide.yaml"), wide(SMALL)).unwrap();
    std::fs::write(home.path().join("wide.toml"), [vec![0xff, 0xfe], wide("name = \"x\"\n")].concat()).unwrap();
    std::fs::write(home.path().join("latin.md"), b"# Gr\xfc\xdfe\n").unwrap();
    for (args, what, mend) in [
        (vec!["check", "wide.yaml"], "UTF-16 (little endian", "`iconv -f UTF-16LE -t UTF-8 wide.yaml"),
        (vec!["run", "wide.yaml", "--headless"], "UTF-16 (little endian", "iconv"),
        (vec!["config", "show", "--fleet", "wide.toml"], "UTF-16, and Baton reads UTF-8", "`iconv -f UTF-16 -t"),
        (vec!["plan", "latin.md", "--fleet", "sim"], "latin.md:1:5: the file is no UTF-8: the byte FC", "ISO-8859-1"),
    ] {
        let told = home.run(&args);
        assert!(told.code == Some(2) && told.err.contains(what) && told.err.contains(mend), "{args:?}: {}", told.err);
    }
}
