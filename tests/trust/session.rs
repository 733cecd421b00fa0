//! A session's folder that came from somewhere else.

use serde_json::{Value, json};

use super::*;

const TWO: &str = "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {id: one, agent: researcher, prompt: 'Say it. [sim ms=5]'}\n  \
    - {id: two, agent: researcher, needs: [one], prompt: 'Say more. [sim ms=5]'}\n";

/// The journal of a session that has something left to do, its endpoints as `change` leaves them.
fn journal(change: impl Fn(&mut Value)) -> (String, String) {
    let made = Home::new();
    made.file("two.yaml", TWO);
    assert_eq!(made.run(".", &["run", "two.yaml", "--headless", "--fleet", "sim"]).code, Some(0));
    let mut folders = std::fs::read_dir(made.path().join("state/baton/sessions")).unwrap();
    let folder = folders.next().unwrap().unwrap();
    let text = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
    let mut out = String::new();
    for line in text.lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["event"] == "task.completed" {
            break;
        }
        if record["event"] == "session.started" {
            for endpoint in record["data"]["config"]["fleet"]["endpoint"].as_array_mut().unwrap() {
                endpoint["nature"] = json!("real");
                change(endpoint);
            }
            // In the order in which the journal has its fields.
            let data = record["data"].to_string();
            out += &format!(
                "{{\"seq\":{},\"at\":{},\"event\":\"session.started\",\"data\":{data}}}\n",
                record["seq"], record["at"]
            );
        } else {
            out += line;
            out.push('\n');
        }
    }
    (folder.file_name().into_string().unwrap(), out)
}

/// A home in which that session lies.
fn given(name: &str, text: &str) -> Home {
    let home = Home::new();
    home.file(&format!("state/baton/sessions/{name}/journal.jsonl"), text);
    home
}

#[test]
fn a_session_that_came_from_elsewhere_runs_nothing_and_sends_nothing_before_it_was_approved() {
    let listener = Listener::new();
    let url = listener.url();
    let canary = std::env::temp_dir().join(format!("baton-session-canary-{}", std::process::id()));
    let touch = format!("touch {}; echo $MYSECRET", canary.display());
    let launch = json!({"command": "touch", "args": [canary.display().to_string()]});
    let kinds: Vec<(&str, Value)> = vec![
        ("a key's command", json!({"url": url, "key": {"command": touch}})),
        ("a key's variable", json!({"url": url, "key": {"env": "MYSECRET"}})),
        ("a program", json!({"launch": launch})),
        ("another address", json!({"url": url})),
        ("an address under a false flag", json!({"url": url, "nature": "simulated", "protocol": "command"})),
        ("a key for what is simulated", json!({"nature": "simulated", "key": {"command": touch}})),
        ("the operator's own name", json!({"name": "own", "url": url, "key": {"env": "OWN_KEY"}})),
    ];
    for (what, fields) in kinds {
        let (name, text) = journal(|endpoint| {
            for (field, value) in fields.as_object().unwrap() {
                endpoint[field] = value.clone();
            }
        });
        let home = given(&name, &text);
        for args in [
            &["sessions"][..],
            &["report", &name],
            &["export", &name, "--json"],
            &["export", &name, "--markdown"],
            &["replay", &name],
            &["attach", &name, "--jsonl"],
            &["resume", &name, "--headless"],
            &["resume", "--headless", "--go"],
            &["fork", &name],
            &["fork", &name, "--run", "--headless"],
        ] {
            let told = home.run(".", args);
            assert!(!told.words().contains(SECRET), "{what}: {args:?}: {told:?}");
            if args[0] == "resume" {
                assert_eq!(told.code, Some(3), "{what}: {args:?}: {told:?}");
                assert!(told.err.contains("baton trust --session"), "{what}: {told:?}");
            }
            assert!(!canary.exists(), "{what} ran with {args:?}");
            assert_eq!(listener.came(), 0, "{what} was asked with {args:?}: {}", listener.heard());
        }
        let told = home.run(".", &["trust", "--session", &name]);
        assert!(told.code == Some(3) && told.err.contains(&name), "{what}: {told:?}");
    }
}

#[test]
fn a_session_that_was_approved_goes_on_and_another_word_in_it_asks_again() {
    let listener = Listener::new();
    let (name, text) = journal(|endpoint| endpoint["url"] = json!(listener.url()));
    let home = given(&name, &text);
    assert_eq!(home.run(".", &["trust", "--session", &name, "--yes"]).code, Some(0));
    // The same session with one byte of its address changed.
    let other = text.replace(&listener.url(), &format!("{}/x", listener.url()));
    home.file("state/baton/sessions/other/journal.jsonl", &other);
    let told = home.run(".", &["resume", "other", "--headless"]);
    assert!(told.code == Some(3) && told.err.contains("baton trust --session other"), "{told:?}");
    assert_eq!(listener.came(), 0);
    let told = home.run(".", &["resume", &name, "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "Theirs.\n"), "{told:?}");
    assert!(listener.heard().contains("Say more."));
    // Taken back, it is asked for again; what else was approved stays.
    home.file(&format!("state/baton/sessions/{name}/journal.jsonl"), &text);
    assert_eq!(home.run(".", &["trust", "--session", "other", "--yes"]).code, Some(0));
    assert_eq!(home.run(".", &["trust", "--session", &name, "--revoke"]).code, Some(0));
    assert_eq!(home.run(".", &["resume", &name, "--headless"]).code, Some(3));
    assert!(home.run(".", &["trust", "--list"]).out.contains("/x "));
}

#[test]
fn what_the_operator_began_is_theirs_to_go_on_with() {
    let listener = Listener::new();
    let home = Home::new();
    home.file("one.yaml", PLAN);
    let fleet = OWN_FLEET.replace("http://127.0.0.1:9", &listener.url());
    home.file("fleet.toml", &fleet);
    // The first session ever: the sessions' folder is made by it.
    let told = home.run(".", &["run", "one.yaml", "--headless", "--fleet", "fleet.toml"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let folder = std::fs::read_dir(home.path().join("state/baton/sessions")).unwrap().next().unwrap().unwrap().path();
    let journal = folder.join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let cut: String =
        text.lines().take_while(|line| !line.contains("task.completed")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&journal, cut).unwrap();
    let told = home.run(".", &["resume", "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "Theirs.\n"), "{told:?}");
}

#[test]
fn links_fifos_and_folders_of_others_are_refused_and_change_nothing() {
    let (name, text) = journal(|_| {});
    let text = text.replace(r#""nature":"real""#, r#""nature":"simulated""#);
    let home = given(&name, &text);
    let folder = home.path().join("state/baton/sessions").join(&name);
    let outside = home.file("notes", "mine\n");
    let refused = |why: &str, mend: &str| {
        let told = home.run(".", &["resume", &name, "--headless"]);
        assert!(told.code == Some(4) && told.err.contains(why) && told.err.contains(mend), "{told:?}");
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "mine\n");
    };
    let report = home.run(".", &["report", &name]).out;
    assert!(report.contains("one"), "{report}");
    std::os::unix::fs::symlink(&outside, folder.join("lock")).unwrap();
    refused("it is a link", "lock");
    std::fs::remove_file(folder.join("lock")).unwrap();
    // A name more of somebody's file is only locked.
    std::fs::hard_link(&outside, folder.join("lock")).unwrap();
    let told = home.run(".", &["fork", &name]);
    assert_eq!(told.code, Some(0), "{told:?}");
    std::fs::remove_file(folder.join("lock")).unwrap();
    for writable in [0o770, 0o777] {
        mode(&folder, writable);
        refused("others may write it", "chmod -R go-w");
    }
    mode(&folder, 0o700);
    mode(&folder.join("journal.jsonl"), 0o666);
    refused("others may write it", "chmod -R go-w");
    mode(&folder.join("journal.jsonl"), 0o600);
    if may_give_away(&folder) {
        refused("another user", "copy");
        std::os::unix::fs::chown(&folder, Some(0), Some(0)).unwrap();
        assert!(may_give_away(&folder.join("journal.jsonl")));
        refused("another user", "copy");
        std::os::unix::fs::chown(folder.join("journal.jsonl"), Some(0), Some(0)).unwrap();
    }
    // Garbage beside the journal is as if it were not there.
    for file in ["summary.json", "checkpoint-1.json", "journal.next", "journal-1.idx"] {
        home.file(&format!("state/baton/sessions/{name}/{file}"), "\u{0}garbage{{{");
    }
    assert_eq!(home.run(".", &["report", &name]).out, report);
    // The journal itself: a fifo or a device beside it holds up no other session.
    for (other, make) in [("fifo", 0), ("device", 1), ("folder", 2), ("link", 3)] {
        let beside = home.path().join("state/baton/sessions").join(other);
        std::fs::create_dir_all(&beside).unwrap();
        let path = beside.join("journal.jsonl");
        match make {
            0 => fifo(&path),
            1 => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
            2 => std::fs::create_dir(&path).unwrap(),
            _ => std::os::unix::fs::symlink(&outside, &path).unwrap(),
        }
        for args in [
            &["resume", other, "--headless"][..],
            &["report", other],
            &["export", other, "--json"],
            &["fork", other],
            &["trust", "--session", other],
        ] {
            let told = home.run(".", args);
            assert!(matches!(told.code, Some(2 | 4)) && !told.err.is_empty(), "{other}: {args:?}: {told:?}");
        }
    }
    assert!(home.run(".", &["sessions"]).out.contains(&name));
    let told = home.run(".", &["resume", &name, "--headless"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "mine\n");
}
