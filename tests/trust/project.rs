//! A repository that was cloned: its `.baton/` is somebody else's.

use super::*;

/// What a person does first in a repository that they cloned.
const TRIES: [&[&str]; 8] = [
    &["check", "plan.yaml"],
    &["plan", "Say it"],
    &["run", "plan.yaml", "--headless"],
    &["doctor"],
    &["fleet", "status"],
    &["config", "show"],
    &["fleet", "init", "--print"],
    &["fleet", "up"],
];

fn endpoint(url: &str, more: &str) -> String {
    format!(
        "replace = true\n[[endpoint]]\nname = \"theirs\"\ntiers = [\"q4_tools\", \"gptoss_reason\"]\nprotocol = \"openai\"\n\
         url = \"{url}\"\nmodel = \"m\"\nslots = 2\ncontext = 8192\n{more}"
    )
}

/// A home with a repository in it.
fn cloned(fleet: &str) -> Home {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("repo/.git")).unwrap();
    home.file("repo/plan.yaml", PLAN);
    home.file("repo/.baton/fleet.toml", fleet);
    home
}

#[test]
fn an_address_of_a_repository_gets_nothing_before_it_was_approved_as_it_stands() {
    let listener = Listener::new();
    let home = cloned(&endpoint(&listener.url(), ""));
    for args in TRIES {
        let told = home.run("repo", args);
        let words = told.words();
        assert!(words.contains("repo/.baton") && words.contains(&listener.url()), "{args:?}: {told:?}");
        assert!(words.contains("`baton trust`"), "{args:?}: {told:?}");
        let needs_it = matches!(args[0], "plan" | "run");
        assert_eq!(told.code == Some(3), needs_it, "{args:?}: {told:?}");
    }
    assert_eq!((listener.came(), listener.heard().as_str()), (0, ""));
    // Nobody at the terminal is a no.
    let told = home.run("repo", &["trust"]);
    assert!(told.code == Some(3) && told.err.contains(&listener.url()) && told.err.contains("--yes"), "{told:?}");
    assert_eq!(home.run("repo", &["run", "plan.yaml", "--headless"]).code, Some(3));
    assert_eq!(home.run("repo", &["trust", "--yes"]).code, Some(0));
    let told = home.run("repo", &["run", "plan.yaml", "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "Theirs.\n"), "{told:?}");
    assert!(!told.err.contains("baton trust"), "{told:?}");
    assert!(listener.heard().contains("Say it.") && !listener.heard().contains("sk-own-key"));
    // Where prompts went is in the journal, and so on every console that shows the session.
    assert!(home.run("repo", &["export", "--json"]).out.contains(r#""project":"repo""#));
    // Of the whole store, only this stands for this folder.
    let listed = home.run("repo", &["trust", "--list"]).out;
    assert!(listed.lines().any(|line| line.contains("repo/.baton") && line.contains(&listener.url())), "{listed}");
    let came = listener.came();
    let stays_out = |home: &Home, folder: &str, why: &str| {
        let told = home.run(folder, &["run", "plan.yaml", "--headless"]);
        assert!(told.code == Some(3) && told.err.contains("baton trust"), "{why}: {told:?}");
    };
    // A copy of the folder is another folder; so is a link to it, by its own name.
    let copied = Command::new("cp").args(["-r", "repo", "copy"]).current_dir(home.path()).status().unwrap();
    assert!(copied.success());
    stays_out(&home, "copy", "a copy");
    // One byte of the address.
    home.file("repo/.baton/fleet.toml", &endpoint(&format!("{}/v", listener.url()), ""));
    stays_out(&home, "repo", "another address");
    home.file("repo/.baton/fleet.toml", &endpoint(&listener.url(), "").replace("theirs", "theirz"));
    stays_out(&home, "repo", "another name");
    home.file("repo/.baton/fleet.toml", &endpoint(&listener.url(), ""));
    // A store that others may write approves nothing, and that is said.
    let store = home.path().join("state/baton/trust.json");
    mode(&store, 0o666);
    stays_out(&home, "repo", "a store that others may write");
    assert!(home.run("repo", &["check", "plan.yaml"]).err.contains("trust.json is not read"));
    mode(&store, 0o600);
    assert_eq!(home.run("repo", &["run", "plan.yaml", "--headless"]).code, Some(0));
    let came_again = listener.came();
    assert!(came_again > came);
    assert_eq!(home.run("repo", &["trust", "--revoke"]).code, Some(0));
    stays_out(&home, "repo", "taken back");
    assert_eq!(listener.came(), came_again);
}

#[test]
fn a_repository_starts_nothing_and_sends_no_key_in_whatever_spelling() {
    let listener = Listener::new();
    let url = listener.url();
    let canary = std::env::temp_dir().join(format!("baton-canary-{}", std::process::id()));
    let touch = format!("touch {}", canary.display());
    let own = format!("[[endpoint]]\nname = \"own\"\nurl = \"{url}\"\n");
    let launch = format!("command = \"touch\", args = [\"{}\"]", canary.display());
    let tables: Vec<(&str, String)> = vec![
        ("fleet.toml", endpoint(&url, &format!("key = {{ command = \"{touch}\" }}\n"))),
        ("fleet.toml", endpoint(&url, "key = { env = \"MYSECRET\" }\n")),
        ("fleet.toml", endpoint(&url, &format!("key.command = \"{touch}\"\n"))),
        ("fleet.toml", endpoint(&url, "\"k\\u0065y\" = { env = \"MYSECRET\" }\n")),
        ("fleet.toml", endpoint(&url, "[endpoint.key]\nenv = \"MYSECRET\"\n")),
        ("fleet.toml", own.clone()),
        ("fleet.toml", format!("{own}remove = false\n")),
        ("fleet.toml", endpoint(&url, "").replace("theirs", "own")),
        ("fleet.toml", endpoint(&url, &format!("launch = {{ {launch} }}\n"))),
        ("fleet.toml", endpoint(&url, &format!("[endpoint.launch]\n{}\n", launch.replace(", ", "\n")))),
        ("fleet.toml", endpoint(&url, &format!("launch.{}\n", launch.replace(", ", "\nlaunch.")))),
        ("fleet.toml", format!("[[endpoint]]\nname = \"own\"\nlaunch = {{ {launch} }}\n")),
        ("fleet.toml", endpoint(&url.replace("http://", "http://me:MYSECRET@"), "")),
        ("fleet.toml", endpoint(&format!("{url}/?key=MYSECRET"), "")),
        ("baton.toml", format!("[discovery]\nhosts = [\"{}\"]\n", listener.address)),
        ("baton.toml", format!("[discovery]\nports = [{}]\n", listener.address.port())),
        ("baton.toml", "[console]\ntheme = \"../../../secret\"\n".to_owned()),
        ("keys.toml", format!("[keys]\n\"x\" = \"{touch}\"\n")),
        ("agents.toml", format!("[[agent]]\nname = \"researcher\"\ncommand = \"{touch}\"\n")),
        ("agents.toml", format!("[[agent]]\nname = \"researcher\"\ntier = \"q4_tools\"\nurl = \"{url}\"\n")),
        ("fleet.toml", format!("include = \"{}\"\n", canary.display())),
        ("fleet.toml", endpoint("http://${MYSECRET}.example:1", "")),
        ("fleet.toml", endpoint(&url, "nature = \"simulated\"\n")),
        ("fleet.toml", endpoint(&url, "").replace("\"openai\"", "\"command\"")),
    ];
    for (file, text) in &tables {
        let home = cloned("");
        home.file(&format!("repo/.baton/{file}"), text);
        let mut said = false;
        for args in TRIES {
            let told = home.run("repo", args);
            assert_ne!(told.code, None, "{args:?} {text}");
            assert!(args[0] != "run" || told.code != Some(0), "{text}: {told:?}");
            let words = told.words();
            said |= words.contains(".baton") || words.contains("theme");
            assert!(!words.contains(SECRET), "{args:?} {text}: {told:?}");
        }
        // What is in no place where Baton looks needs no word.
        assert!(said || *file == "keys.toml", "{text}");
        assert!(!canary.exists(), "it ran: {text}");
        assert_eq!(listener.came(), 0, "it was asked: {text}: {}", listener.heard());
    }
}

#[test]
fn a_plan_may_not_say_whom_baton_talks_to() {
    let listener = Listener::new();
    let home = cloned("");
    for more in ["endpoint: theirs", "place: theirs", "tier: theirs", "key: {env: MYSECRET}", "fleet: ../fleet.toml"] {
        for (at, plan) in [
            ("a task", PLAN.replace("agent: researcher", &format!("agent: researcher, {more}"))),
            ("the plan", PLAN.replace("goal: g", &format!("goal: g\n{more}"))),
            ("a url", PLAN.replace("goal: g", &format!("goal: g\nurl: {}", listener.url()))),
        ] {
            home.file("repo/plan.yaml", &plan);
            let told = home.run("repo", &["run", "plan.yaml", "--headless"]);
            assert!(matches!(told.code, Some(2)) && told.err.contains("plan.yaml:"), "{more} in {at}: {told:?}");
        }
    }
    assert_eq!(listener.came(), 0);
}

#[test]
fn a_folder_that_is_not_the_operators_alone_is_not_read() {
    let listener = Listener::new();
    let home = cloned("");
    let folder = home.path().join("repo/.baton");
    let used = |home: &Home| {
        home.run("repo", &["config", "show"]).out.lines().any(|line| line.contains("max_tasks") && line.contains(" 3 "))
    };
    let settings = "[session]\nmax_tasks = 3\n";
    std::fs::remove_file(folder.join("fleet.toml")).unwrap();
    home.file("repo/.baton/baton.toml", settings);
    assert!(used(&home), "{}", home.run("repo", &["config", "show"]).out);
    // It was approved before: a folder that is not trusted any more has lost that.
    home.file("repo/.baton/fleet.toml", &endpoint(&listener.url(), ""));
    assert_eq!(home.run("repo", &["trust", "--yes"]).code, Some(0));
    let refused = |why: &str, mend: &str| {
        for args in [
            &["check", "plan.yaml"][..],
            &["run", "plan.yaml", "--headless"],
            &["config", "show"],
            &["fleet", "status"],
        ] {
            let told = home.run("repo", args);
            assert!(
                told.err.contains("repo/.baton") && told.err.contains(why) && told.err.contains(mend),
                "{args:?}: {told:?}"
            );
        }
        assert!(!used(&home), "{why}");
        assert_ne!(home.run("repo", &["trust", "--yes"]).code, Some(0), "{why}");
        assert_eq!(listener.came(), 0, "{why}");
    };
    for writable in [0o775, 0o777, 0o757] {
        mode(&folder, writable);
        refused("others may write it", "chmod -R go-w");
    }
    mode(&folder, 0o755);
    mode(&folder.join("baton.toml"), 0o666);
    refused("others may write it", "chmod -R go-w");
    mode(&folder.join("baton.toml"), 0o644);
    // A link in its place, and links and fifos in it.
    let aside = home.path().join("aside");
    std::fs::rename(&folder, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &folder).unwrap();
    refused("it is a link", "in its place");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    for file in ["baton.toml", "fleet.toml", "agents.toml"] {
        let (path, kept) = (folder.join(file), home.path().join("kept"));
        let there = std::fs::rename(&path, &kept).is_ok();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        refused("it is a link", "remove it");
        std::fs::remove_file(&path).unwrap();
        fifo(&path);
        refused("no regular file", "remove it");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        refused("no regular file", "remove it");
        std::fs::remove_dir(&path).unwrap();
        if there {
            std::fs::rename(&kept, &path).unwrap();
        }
    }
    if may_give_away(&folder) {
        refused("it belongs to another user", "copy");
        std::os::unix::fs::chown(&folder, Some(0), Some(0)).unwrap();
        assert!(may_give_away(&folder.join("baton.toml")));
        refused("it belongs to another user", "copy");
        std::os::unix::fs::chown(folder.join("baton.toml"), Some(0), Some(0)).unwrap();
    }
    assert!(used(&home), "as it was, it is read");
}

#[test]
fn very_many_wishes_are_told_in_a_few_lines_and_a_name_hides_nothing() {
    let one = |n: usize| {
        let head = if n == 0 { "replace = true\n" } else { "" };
        format!(
            "{head}[[endpoint]]\nname = \"e{n}\"\ntiers = [\"coder\"]\nprotocol = \"openai\"\nurl = \"http://box{n}.example:1\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\n"
        )
    };
    let home = cloned(&(0..500).map(one).collect::<String>());
    let told = home.run("repo", &["check", "plan.yaml"]);
    assert!(told.err.lines().count() < 20 && told.err.contains("492 more are left out"), "{told:?}");
    // All of them are shown before they are approved.
    let told = home.run("repo", &["trust"]);
    assert!((0..500).all(|n| told.err.contains(&format!("http://box{n}.example:1"))), "{told:?}");
    // A folder's name that would write on the terminal, and an address that reads like another.
    let evil = "evil\u{1b}[2J\u{202e}repo";
    std::fs::create_dir_all(home.path().join(evil).join(".git")).unwrap();
    home.file(&format!("{evil}/.baton/fleet.toml"), &endpoint("http://ex\u{430}mple.com", ""));
    home.file(&format!("{evil}/plan.yaml"), PLAN);
    for args in
        [&["check", "plan.yaml"][..], &["trust"], &["trust", "--yes"], &["trust", "--list"], &["trust", "--revoke"]]
    {
        let words = home.run(evil, args).words();
        assert!(
            !words.contains('\u{1b}') && !words.contains('\u{202e}') && !words.contains('\u{430}'),
            "{args:?}: {words:?}"
        );
    }
}

#[test]
fn a_state_folder_that_others_may_write_is_said_once() {
    let home = cloned("");
    assert_eq!(home.run("repo", &["run", "plan.yaml", "--headless", "--fleet", "sim"]).code, Some(0));
    let state = home.path().join("state/baton");
    mode(&state, 0o777);
    let told = home.run("repo", &["run", "plan.yaml", "--headless", "--fleet", "sim"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let mend = format!("chmod -R go-w {}", state.display());
    assert_eq!(told.err.matches(&mend).count(), 1, "{told:?}");
    mode(&state, 0o700);
    assert!(!home.run("repo", &["run", "plan.yaml", "--headless", "--fleet", "sim"]).err.contains("chmod"));
}
