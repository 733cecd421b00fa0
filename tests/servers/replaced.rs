//! The built program whose file is removed, or replaced by another, while a session runs from it.

use super::*;

/// What an update leaves of the file that runs.
fn leaves(file: &Path, another: Option<&str>) {
    std::fs::remove_file(file).unwrap();
    if let Some(text) = another {
        std::fs::write(file, text).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_session_goes_on_starting_servers_when_its_program_is_removed_or_replaced() {
    for another in [None, Some("#!/bin/sh\nexit 7\n")] {
        let world = World::new();
        let file = world.path("installed");
        std::fs::copy(BATON, &file).unwrap();
        let like = world.baton("session", &[]);
        let mut serve = Command::new(&file);
        serve.args(["serve", "--jsonl"]).env_clear().current_dir(world.home.path());
        serve.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut serve = serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let line = ready_line(&mut serve);
        assert!(line.contains("\"socket\""), "{line}");
        let order = |verb: &str| {
            let (code, _, words) = world.words("session", &["ctl", "server", verb, "one"]);
            assert_eq!(code, Some(0), "{words}");
        };
        let ready_but = |before: u64| {
            until("a server that answers", || {
                let record: Value = serde_json::from_slice(&std::fs::read(world.record()).ok()?).ok()?;
                let pid = record["supervisor"]["pid"].as_u64()?;
                (record["state"]["state"] == "ready" || record["state"] == "ready")
                    .then_some(pid)
                    .filter(|p| *p != before)
            })
        };
        order("start");
        let first = ready_but(0);
        leaves(&file, another);
        assert!(Identity::of(u32::try_from(first).unwrap()).is_some(), "what runs goes on");
        order("restart");
        let second = ready_but(first);
        order("stop");
        until("the server's end", || world.is_free().then_some(()));
        until("the supervisor's end", || Identity::of(u32::try_from(second).unwrap()).is_none().then_some(()));
        order("start");
        ready_but(second);
        kill_process(pid(serve.id()), Signal::TERM).unwrap();
        serve.wait().unwrap();
        until("the end of the session's server", || world.is_free().then_some(()));
    }
}

#[test]
fn a_supervisor_of_another_version_is_refused_in_words_before_it_is_told_anything() {
    let world = World::new();
    let told = world.path("told");
    for (says, wanted) in [
        ("echo '{\"version\":\"99.1.0\",\"words\":1}'", "version 99.1.0"),
        ("echo '{}'", "a version that does not say so"),
        ("exit 3", "the supervisor of one ended at once"),
    ] {
        let other = world.path("other");
        let text = format!("#!/bin/sh\n{says}\nhead -n 1 > {}\n", told.display());
        std::fs::write(&other, text).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o700)).unwrap();
        run(async {
            let servers = Servers::new(Options::new(&world.path("state/baton"), other.into())).unwrap();
            let error = servers.up(&world.endpoint(&json!({})), None).await.unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        });
        assert_eq!(std::fs::read_to_string(&told).unwrap_or_default(), "", "it was told what to do");
    }
}
