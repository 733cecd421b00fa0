//! A session given to a colleague: one file made here and opened in a home that never saw it.

use super::{Home, Told, with_session};

const TOKEN: &str = "ghp_0123456789abcdefghij0123456789";

#[test]
fn a_session_is_given_away_in_one_file_and_opened_as_it_is() {
    let (mine, journal) = with_session();
    let told = mine.run(&["export", "--bundle"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "20261120-192323.baton.tgz\n"), "{}", told.err);
    let file = mine.path().join("20261120-192323.baton.tgz");
    let theirs = Home::new();
    std::fs::copy(&file, theirs.path().join("given.baton.tgz")).unwrap();
    // The system's own tar reads it too.
    let listed = std::process::Command::new("tar").arg("tzf").arg(&file).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with("manifest.json\njournal.jsonl\nsettings.json\n"), "{listed}");
    assert!(listed.contains("results/g1-sources.md") && listed.contains("failures/g1-"), "{listed}");
    let report = theirs.run(&["report", "given.baton.tgz"]);
    assert_eq!(report.out, mine.run(&["report"]).out, "{}", report.err);
    assert!(report.err.contains("a bundle of 20261120-192323"), "{}", report.err);
    assert_eq!(theirs.run(&["export", "given.baton.tgz", "--json"]).out, journal);
    assert!(theirs.run(&["export", "./given.baton.tgz", "--markdown"]).out.contains("## Goal g1"));
    let failed = listed.lines().find_map(|l| l.strip_prefix("failures/g1-")?.strip_suffix(".md")).unwrap();
    let page = theirs.run(&["report", "given.baton.tgz", "--failure", failed]);
    assert!(page.code == Some(0) && page.out.contains("## What was asked"), "{}{}", page.out, page.err);
    theirs.file("look.baton", "size 120x30\ngo end\nprint\n");
    let told = theirs.run(&["replay", "given.baton.tgz", "--script", "look.baton"]);
    assert!(told.code == Some(0) && told.out.contains("Compare two parsers"), "{}{}", told.out, told.err);
    // Nothing of it stays, but what is made of it.
    let sessions = theirs.path().join("state/baton/sessions");
    assert!(!sessions.exists() && !theirs.path().join("state/baton/bundles").exists());
    for source in ["given.baton.tgz", &mine.path().join("state/baton/sessions/20261120-192323").display().to_string()] {
        let told = theirs.run(&["fork", source, "--at", "50%"]);
        assert_eq!(told.code, Some(0), "{}", told.err);
        let told = theirs.run(&["report", told.out.trim(), "--json"]);
        assert!(told.out.contains("20261120-192323"), "whose past it has: {}{}", told.out, told.err);
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }
    assert_eq!(std::fs::read_dir(&sessions).unwrap().count(), 2);
    assert!(!theirs.path().join("state/baton/bundles").exists());
}

#[test]
fn what_is_not_to_be_given_away_is_replaced_and_told_and_what_is_left_out_is_gone() {
    let home = Home::new();
    // Put together: no file of ours names a path of somebody's machine.
    let maria = ["", "home", "maria"].join("/");
    home.file(
        "plan.yaml",
        &format!(
            "version: 1\ngoal: Look into {maria}/secret-project for Maria\nsynthesis: false\ntasks:\n  - {{id: a, agent: researcher, \
             prompt: 'Use it. [sim ms=5 text=The token is {TOKEN} and the word is mine-all-mine.]'}}\n"
        ),
    );
    let with = |args: &[&str]| {
        let mut command = home.baton(args);
        Told::from(command.env("USER", "maria").env("MY_API_TOKEN", "mine-all-mine").output().unwrap())
    };
    assert_eq!(with(&["run", "plan.yaml", "--headless", "--fleet", "sim"]).code, Some(0));
    let told = with(&["export", "--bundle", "-o", "all.baton.tgz"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "all.baton.tgz\n"), "{}", told.err);
    assert!(told.err.contains("a GitHub token") && told.err.contains("what g1/a said"), "{}", told.err);
    assert!(told.err.contains("the value of $MY_API_TOKEN") && !told.err.contains(TOKEN), "{}", told.err);
    let given = home.run(&["export", "all.baton.tgz", "--json"]).out;
    assert!(!given.contains(TOKEN) && !given.contains("mine-all-mine") && given.contains("«secret»"), "{given}");
    assert!(given.contains("secret-project"));
    let told = with(&["export", "--bundle", "--without", "text,paths", "--without", "names", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&json["file"], &json["without"][2]), (&"session-1.baton.tgz".into(), &"names".into()), "{}", told.out);
    let given = home.run(&["export", "session-1.baton.tgz", "--json"]).out.to_lowercase();
    let host = sysinfo_host();
    for gone in ["secret-project", "maria", "use it", "the token is", home.path().to_str().unwrap()] {
        assert!(!given.contains(gone), "{gone}");
    }
    assert!(host.len() < 3 || !given.contains(&format!("\"host\":\"{}\"", host.to_lowercase())), "{host}");
    let report = home.run(&["report", "session-1.baton.tgz"]);
    assert!(report.code == Some(0) && report.out.starts_with("# Session session-1\n"), "{}{}", report.out, report.err);
    assert!(report.err.contains("without text, paths, names"), "{}", report.err);
    // What is asked for and is not there is said.
    let told = home.run(&["export", "--bundle", "--task", "nobody"]);
    assert!(told.code == Some(2) && told.err.contains("no task \"nobody\""), "{}", told.err);
    assert_eq!(home.run(&["export", "--without", "text", "--json"]).code, Some(2));
    home.file("no.baton.tgz", "not packed at all");
    let told = home.run(&["report", "no.baton.tgz"]);
    assert!(told.code != Some(0) && told.err.contains("no.baton.tgz"), "{}", told.err);
    let whole = std::fs::read(home.path().join("all.baton.tgz")).unwrap();
    std::fs::write(home.path().join("cut.baton.tgz"), &whole[..whole.len() / 2]).unwrap();
    for args in [&["report"][..], &["fork"], &["export", "--json"], &["replay", "--script", "x"]] {
        let mut all = vec![args[0], "cut.baton.tgz"];
        all.extend(&args[1..]);
        let told = home.run(&all);
        assert!(told.code == Some(2) && told.err.contains("cut off"), "{all:?}: {}", told.err);
    }
    assert!(!home.path().join("state/baton/bundles").exists());
}

/// This machine's name, as far as the kernel tells.
fn sysinfo_host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[test]
fn a_fork_of_somebody_elses_bundle_sends_nothing_before_it_was_approved() {
    let (mine, journal) = with_session();
    // As though its servers were real ones somewhere.
    let folder = mine.path().join("state/baton/sessions/20261120-192323");
    std::fs::write(folder.join("journal.jsonl"), journal.replace("\"nature\":\"simulated\"", "\"nature\":\"real\""))
        .unwrap();
    assert_eq!(mine.run(&["export", "--bundle", "-o", "given.baton.tgz"]).code, Some(0));
    let theirs = Home::new();
    std::fs::copy(mine.path().join("given.baton.tgz"), theirs.path().join("given.baton.tgz")).unwrap();
    let told = theirs.run(&["fork", "given.baton.tgz", "--at", "30%", "--run", "--headless"]);
    assert!(told.code == Some(3) && told.err.contains("baton trust --session"), "{:?} {}", told.code, told.err);
}
