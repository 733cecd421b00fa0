//! What somebody does who is not there: from scripts, from a phone, in the morning.

use std::io::BufRead;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Home, SMALL, Told};

/// A child that is ended when it is dropped.
pub(super) struct Child(pub(super) std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A simulated fleet on that port and those after it, with these faults.
fn sim(home: &Home, port: u16, faults: &[&str]) -> Child {
    let port = port.to_string();
    let mut args = vec!["sim", "--speed", "50", "--port-base", &port];
    faults.iter().for_each(|fault| args.extend(["--faults", fault]));
    let mut child = home.baton(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("hermes")), "it serves");
    Child(child)
}

/// Five ports in a row that nobody has now.
fn ports() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let begin = 20_000 + (std::process::id() % 20_000) as u16;
    (begin..60_000).step_by(7).find(|port| (0..5).all(|n| free(port + n))).unwrap()
}

fn the_session(home: &Home) -> String {
    let sessions = home.path().join("state/baton/sessions");
    std::fs::read_dir(sessions).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_failed_and_what_was_skipped_behind_it_is_tried_anew_from_a_script() {
    let home = Home::new();
    let port = ports();
    home.file(
        "fleet.toml",
        &format!(
            "[[endpoint]]\nname = \"only\"\ntiers = [\"q4_tools\"]\nprotocol = \"llama.cpp\"\n\
             url = \"http://127.0.0.1:{port}\"\nmodel = \"kitty-q4\"\nslots = 2\ncontext = 16384\n"
        ),
    );
    home.file(
        "two.yaml",
        "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  \
         - {id: a, agent: researcher, title: A, prompt: 'x [sim ms=5]', retry: {max: 0}}\n  \
         - {id: b, agent: researcher, title: B, needs: [a], prompt: 'x [sim ms=5 text=It is done.]'}\n",
    );
    let broken = sim(&home, port, &["athene:garbage=1"]);
    let told = home.run(&["run", "two.yaml", "--headless", "--fleet", "fleet.toml"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    let id = the_session(&home);
    assert!(told.err.contains(&format!("baton resume {id} --failed")), "{}", told.err);
    drop(broken);
    // Without the word nothing is tried, and nothing is called done that is not.
    let told = home.run(&["resume", "--headless"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.err.contains("failed: 1, skipped: 1") && !told.err.contains("is done"), "{}", told.err);
    let mended = sim(&home, port, &[]);
    let told = home.run(&["resume", "--failed", "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "It is done.\n"), "{}", told.err);
    assert!(told.err.contains("1 that failed and 1 skipped behind run anew"), "{}", told.err);
    drop(mended);
    // Once more there is nothing to try: the same answer, and it takes --wait.
    let told = home.run(&["resume", "--failed", "--headless", "--wait", &id[4..]]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "It is done.\n"), "{}", told.err);
    assert!(told.err.contains("is done: nothing is left to run"), "{}", told.err);
}

#[test]
fn a_session_is_named_by_any_part_of_it_wherever_one_is_named() {
    let home = Home::new();
    home.file("small.yaml", SMALL);
    let told = home.run(&["run", "small.yaml", "--headless", "--fleet", "sim"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let id = the_session(&home);
    assert!(home.run(&["sessions"]).out.lines().nth(1).unwrap().trim_start().starts_with("1  "), "numbered");
    for word in [&id[id.len() - 3..], "parsers", "Compare two", "1", &id[..11]] {
        let told = home.run(&["report", word]);
        assert!(told.out.starts_with(&format!("# Session {id}\n")), "{word}: {}{}", told.out, told.err);
    }
    assert_eq!(home.run(&["export", "parsers", "--markdown"]).code, Some(0));
    assert_eq!(home.run(&["resume", "parsers", "--headless"]).code, Some(0));
    let told = home.run(&["ctl", "state", "--session", "parsers"]);
    assert!(told.code == Some(4) && told.err.contains("is not running"), "{:?} {}", told.code, told.err);
    let told = home.run(&["report", "nobody"]);
    assert!(told.code == Some(2) && told.err.contains("there is no session \"nobody\""), "{}", told.err);
}

/// Starts a run that asks, and waits until it does.
fn asking(home: &Home, plan: &str) -> Child {
    asking_as(home, plan, &[])
}

/// The same, with more arguments.
pub(super) fn asking_as(home: &Home, plan: &str, more: &[&str]) -> Child {
    let args = ["run", plan, "--headless", "--wait", "--fleet", "sim"];
    let mut child = home.baton(&args).args(more).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("waiting; ")), "it asks");
    // Read on, so that it is never told that nobody listens.
    std::thread::spawn(move || lines.for_each(drop));
    Child(child)
}

#[test]
fn two_sessions_are_answered_from_a_phone() {
    let home = Home::new();
    let plan = |goal: &str, question: &str| {
        format!(
            "version: 1\ngoal: {goal}\nsynthesis: false\ntasks:\n  - {{id: asks, title: Choose, agent: researcher, \
             prompt: '[sim ms=20 ask={question}|accept it and bump the major version of the crate|keep the old type and wrap \
             the new one in it]'}}\n"
        )
    };
    home.file("first.yaml", &plan("First goal", "Break callers?"));
    home.file("second.yaml", &plan("Second goal", "Delete the tables?"));
    let mut first = asking(&home, "first.yaml");
    // Another second, another name.
    std::thread::sleep(Duration::from_millis(1_100));
    let mut second = asking(&home, "second.yaml");
    for args in [&["inbox"][..], &["answer"], &["ctl", "state"]] {
        let told = Told::from(home.baton(args).env("COLUMNS", "46").output().unwrap());
        assert_eq!(told.code, Some(0), "{args:?}: {}", told.err);
        let words = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for whole in [
            "Break callers?",
            "Delete the tables?",
            "accept it and bump the major version of the crate",
            "keep the old type and wrap the new one in it",
        ] {
            assert!(words.contains(whole), "{args:?}: {whole} is not in {}", told.out);
        }
        assert!(told.out.lines().all(|line| line.chars().count() <= 46), "{args:?}: {}", told.out);
    }
    let json: serde_json::Value = serde_json::from_str(&home.run(&["inbox", "--json"]).out).unwrap();
    let goals: Vec<&str> = json.as_array().unwrap().iter().map(|e| e["goal"].as_str().unwrap()).collect();
    assert_eq!(goals, ["First goal", "Second goal"], "the oldest first");
    assert_eq!(
        (&json[0]["kind"], &json[1]["choices"][1]),
        (&"question".into(), &"keep the old type and wrap the new one in it".into())
    );
    // Which one is not guessed.
    let told = home.run(&["answer", "--text", "1"]);
    assert!(told.code == Some(2) && told.err.matches("--task g1/asks --text").count() == 2, "{}", told.err);
    let told = home.run(&["ctl", "pause"]);
    assert!(told.code == Some(2) && told.err.contains("First goal"), "{}", told.err);
    // Without a terminal attaching says how it stands, and how to get a screen.
    let told = home.run(&["attach", "First"]);
    assert!(told.code == Some(0) && told.out.contains("Break callers?"), "{:?} {}", told.code, told.out);
    assert!(told.err.contains("ssh -t"), "{}", told.err);
    assert!(told.out.starts_with("since ") && told.out.contains("waits for you since"), "{}", told.out);
    for word in ["Second", "First"] {
        let told = home.run(&["answer", word, "--text", "2"]);
        assert_eq!(told.code, Some(0), "{}", told.err);
    }
    assert_eq!((first.0.wait().unwrap().code(), second.0.wait().unwrap().code()), (Some(0), Some(0)));
    assert!(home.run(&["inbox"]).err.contains("nothing waits for you"));
    let told = Told::from(home.baton(&["sessions"]).env("COLUMNS", "46").output().unwrap());
    assert!(told.out.contains("Second goal") && told.out.lines().all(|l| l.chars().count() <= 46), "{}", told.out);
    let told = Told::from(home.baton(&["report", "Second"]).env("COLUMNS", "46").output().unwrap());
    assert!(!told.out.contains("| ") && told.out.lines().all(|l| l.chars().count() <= 46), "{}", told.out);
}

#[test]
fn a_plan_file_waits_for_review_where_that_is_asked_for() {
    let home = Home::new();
    home.file("small.yaml", SMALL);
    let serving = home.baton(&["serve", "--fleet", "sim"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _serving = Child(serving);
    until("it serves", || home.run(&["ctl", "state"]).code == Some(0));
    assert_eq!(home.run(&["ctl", "goal", "small.yaml", "--review"]).code, Some(0));
    until("it waits", || home.run(&["inbox"]).out.contains("approve g1"));
    assert!(home.run(&["ctl", "state"]).out.contains("review"), "nothing began");
    assert_eq!(home.run(&["ctl", "approve"]).code, Some(0));
    until("it runs", || home.run(&["ctl", "state"]).out.contains("done "));
}

#[test]
fn a_configuration_that_is_links_works() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("dotfiles/baton")).unwrap();
    std::fs::create_dir_all(home.path().join("config")).unwrap();
    home.file("dotfiles/fleet.toml", "replace = true\n[[endpoint]]\nname = \"mine\"\ntiers = [\"summary\"]\nprotocol = \"openai\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\n");
    home.file("dotfiles/baton.toml", "[session]\nlevel = \"high\"\n");
    // As stow links: files in a folder of its own; as others do: the folder itself.
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(home.path().join(from), home.path().join(to)).unwrap();
    link("dotfiles/fleet.toml", "dotfiles/baton/fleet.toml");
    link("dotfiles/baton.toml", "dotfiles/baton/baton.toml");
    link("dotfiles/baton", "config/baton");
    let mut read_only = std::fs::metadata(home.path().join("dotfiles/fleet.toml")).unwrap().permissions();
    read_only.set_readonly(true);
    std::fs::set_permissions(home.path().join("dotfiles/fleet.toml"), read_only).unwrap();
    let shown = home.run(&["config", "show"]);
    assert!(shown.code == Some(0) && !shown.err.contains("link"), "{} {}", shown.out, shown.err);
    let level = shown.out.lines().find(|line| line.contains("session.level")).unwrap();
    assert!(level.contains("high") && level.contains("baton.toml"), "{level}");
    let json: serde_json::Value = serde_json::from_str(&home.run(&["fleet", "status", "--json"]).out).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["name"]), (1, &"mine".into()));
}

#[test]
fn what_survives_is_said_as_json_too() {
    let home = Home::new();
    let json: serde_json::Value = serde_json::from_str(&home.run(&["survives", "--json"]).out).unwrap();
    assert_eq!(json["survives"][0]["what_happens"], "kill -9 of Baton");
}

#[test]
fn a_run_is_started_and_left_and_calls_at_its_end() {
    let home = Home::new();
    // What can't start is said, with its code, before the shell is given back.
    home.file("broken.yaml", "version: 1\ngoal: g\ntasks: []\n");
    let told = home.run(&["run", "broken.yaml", "--detach", "--fleet", "sim"]);
    assert!(told.code == Some(2) && told.err.contains("broken.yaml"), "{:?} {}", told.code, told.err);
    let told = home.run(&["run", "goal", "--detach", "--fleet", "sim", "--until", "25:00"]);
    assert!(told.code == Some(2) && told.err.contains("no time of day"), "{}", told.err);
    home.file(
        "asks.yaml",
        "version: 1\ngoal: A night\nsynthesis: false\ntasks:\n  - {id: a, title: Sources, agent: researcher, prompt: 'x [sim ms=5]'}\n  \
         - {id: b, agent: researcher, prompt: '[sim ms=5 ask=Keep it?|yes|no]'}\n",
    );
    let over = home.path().join("over.json");
    let on_done = format!("cat > {} && test \"$BATON_EXIT\" = 0", over.display());
    let told = home.run(&["run", "asks.yaml", "--detach", "--fleet", "sim", "--name", "night", "--on-done", &on_done]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let id = told.out.trim();
    assert!(id.ends_with("-night") && told.err.contains("baton attach"), "{} {}", told.out, told.err);
    until("it asks", || home.run(&["inbox"]).out.contains("Keep it?"));
    let since = home.run(&["report", "night", "--since", "attach"]);
    assert!(since.out.contains("1 done, 1 waits for you since"), "{}{}", since.out, since.err);
    assert!(!over.exists());
    assert_eq!(home.run(&["answer", "night", "--text", "1"]).code, Some(0));
    until("it ends and calls", || std::fs::read_to_string(&over).is_ok_and(|text| text.ends_with('\n')));
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&over).unwrap()).unwrap();
    assert_eq!((&json["session"], &json["exit"], &json["done"]), (&id.into(), &0.into(), &2.into()));
    let since = home.run(&["report", "night", "--since", "yesterday", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&since.out).unwrap();
    assert_eq!((&json["ended"]["g1/a"], &json["ended"]["g1/b"]), (&"done".into(), &"done".into()), "{}", since.out);
}

#[test]
fn a_session_goes_on_in_a_new_process_of_the_program_that_asks() {
    let home = Home::new();
    home.file(
        "one.yaml",
        "version: 1\ngoal: An update\nsynthesis: false\ntasks:\n  \
         - {id: a, agent: researcher, locks: [db], prompt: 'x [sim ms=2500 tokens=50]'}\n",
    );
    let over = home.path().join("over.json");
    let on_done = format!("cat > {}", over.display());
    let told = home.run(&["run", "one.yaml", "--detach", "--fleet", "sim", "--name", "up", "--on-done", &on_done]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let session = |home: &Home| -> serde_json::Value {
        let listed = home.run(&["sessions", "--json"]);
        let all: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
        all[0].clone()
    };
    until("it works", || home.run(&["ctl", "state", "--session", "up"]).out.contains("running   g1/a"));
    let before = session(&home);
    let told = home.run(&["ctl", "restart", "--session", "up"]);
    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    let after = session(&home);
    assert_eq!((&after["id"], after["lives"].as_u64(), &after["state"]), (&before["id"], Some(2), &"running".into()));
    assert_ne!(after["pid"], before["pid"]);
    assert_eq!(after["version"], env!("CARGO_PKG_VERSION"));
    assert!(!over.exists(), "it has not ended");
    until("it ends and calls", || std::fs::read_to_string(&over).is_ok_and(|text| text.ends_with('\n')));
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&over).unwrap()).unwrap();
    assert_eq!((&json["exit"], &json["done"]), (&0.into(), &1.into()));
}

#[test]
fn from_that_time_on_nothing_new_starts() {
    let home = Home::new();
    home.file(
        "two.yaml",
        "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {id: a, agent: researcher, prompt: 'x [sim ms=5000 tokens=50]'}\n  \
         - {id: b, agent: researcher, needs: [a], prompt: 'x [sim ms=5]'}\n",
    );
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 2;
    let time = format!("{:02}:{:02}:{:02}", since / 3_600 % 24, since / 60 % 60, since % 60);
    let run = ["run", "two.yaml", "--headless", "--fleet", "sim", "--until", &time];
    let told = Told::from(home.baton(&run).env("TZ", "UTC").output().unwrap());
    assert_eq!(told.code, Some(3), "{}", told.err);
    assert!(told.err.contains(&format!("it is {time}: nothing new starts")), "{}", told.err);
    assert!(told.err.contains("1 of 2 done") && told.err.contains("baton resume"), "{}", told.err);
    // In the morning it goes on where it was.
    let told = home.run(&["resume", "--go", "--headless"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
}

#[test]
fn the_log_tells_requests_decisions_and_probes_and_nothing_that_was_said() {
    let home = Home::new();
    home.file(
        "one.yaml",
        "version: 1\ngoal: An unsaid goal\nsynthesis: false\ntasks:\n  \
         - {id: a, agent: researcher, title: Unsaid, prompt: 'unsaid-prompt [sim ms=5 text=An unsaid answer.]'}\n",
    );
    let run = ["run", "one.yaml", "--headless", "--fleet", "sim"];
    let told = Told::from(home.baton(&run).env("BATON_LOG", "debug").output().unwrap());
    assert_eq!(told.code, Some(0), "{}", told.err);
    let log = std::fs::read_to_string(home.path().join("state/baton/baton.log")).unwrap();
    let request = log.lines().find(|line| line.contains("path=\"/v1/chat/completions\"")).unwrap();
    for part in ["request", "method=\"POST\"", "server=127.0.0.1:", "status=200", "ms="] {
        assert!(request.contains(part), "{part} is not in {request}");
    }
    for part in ["decided turn.started seq=", "task=g1/a", "probe", "endpoint=athene", "method=\"GET\""] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    assert!(!log.to_lowercase().contains("unsaid"), "{log}");
    // As it is by itself, the log is short.
    std::fs::remove_file(home.path().join("state/baton/baton.log")).unwrap();
    let told = Told::from(home.baton(&run).env("BATON_LOG", "info").output().unwrap());
    assert_eq!(told.code, Some(0), "{}", told.err);
    let log = std::fs::read_to_string(home.path().join("state/baton/baton.log")).unwrap();
    assert!(!log.contains("decided") && !log.contains("method="), "{log}");
}

/// The script that README shows, on the session that it is shown for.
#[test]
fn the_readme_s_script_is_true() {
    let home = Home::new();
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```text\nsize 120x40\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    home.file("readme.baton", &format!("size 120x40\n{script}"));
    let journal = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals/weather-station.jsonl");
    let told = home.run(&["replay", journal, "--script", "readme.baton", "--update"]);
    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    // A path that leads nowhere is said, with a script and without.
    let told = home.run(&["replay", "no/such.jsonl", "--script", "readme.baton"]);
    assert!(told.code == Some(2) && told.err.contains("no/such.jsonl"), "{:?} {}", told.code, told.err);
}
