//! Five sessions at once, at the width of a phone.

use super::afar::{Child, asking_as};
use super::{Home, Told, on_terminal_of};

/// The width of a phone's terminal.
const COLUMNS: u16 = 46;

const CHOICES: [&str; 2] = [
    "accept it and bump the major version of the published crate, since that is what it is for",
    "keep the old type and wrap the new one in it until the release after the next one",
];

const NAMES: [&str; 5] = ["amber", "birch", "cedar", "dune", "elm"];

/// A home in which five sessions run and ask, each under a name of its own.
fn five() -> (Home, Vec<Child>) {
    let home = Home::new();
    let running = NAMES.map(|name| {
        let plan = format!(
            "version: 1\ngoal: Publish the crate {name} with the new type of its public interface and tell everybody about \
             it\nsynthesis: false\ntasks:\n  - {{id: asks, title: Choose what becomes of the old type, agent: researcher, prompt: \
             '[sim ms=20 ask=The new type of {name} breaks callers outside. What now?|{}|{}]'}}\n",
            CHOICES[0], CHOICES[1]
        );
        home.file(&format!("{name}.yaml"), &plan);
        asking_as(&home, &format!("{name}.yaml"), &["--name", name])
    });
    (home, running.into_iter().collect())
}

/// No line is too wide, and every choice is there in full as often as it is asked.
#[track_caller]
fn fits(what: &str, text: &str, choices: usize) {
    let wide: Vec<&str> = text.lines().filter(|line| line.trim_end().chars().count() > usize::from(COLUMNS)).collect();
    assert!(wide.is_empty(), "{what}: {wide:#?}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for choice in CHOICES {
        assert_eq!(words.matches(choice).count(), choices, "{what}: {choice}\n{text}");
    }
}

/// The sessions that a text names.
fn named(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split(|c: char| c.is_whitespace() || "`()·,:;".contains(c))
        .filter(|word| NAMES.iter().any(|name| word.ends_with(&format!("-{name}"))) && word.len() > 15)
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn five_sessions_are_read_and_answered_at_46_columns() {
    let (home, mut running) = five();
    let all: [(&[&str], usize, usize); 5] = [
        (&["inbox", "--read-only"], 5, 5),
        (&["answer"], 5, 5),
        (&["ctl", "state", "--session", "cedar"], 1, 0),
        (&["report", "cedar"], 0, 1),
        (&["sessions"], 0, 5),
    ];
    let mut listed = Vec::new();
    for (args, choices, sessions) in all {
        let told = Told::from(home.baton(args).env("COLUMNS", COLUMNS.to_string()).output().unwrap());
        assert_eq!(told.code, Some(0), "{args:?}: {}", told.err);
        fits(&format!("{args:?}"), &told.out, choices);
        // Whatever names a session is a name that can be typed.
        let found = named(&told.out);
        assert!(found.len() >= sessions, "{args:?}: {found:?}\n{}", told.out);
        listed.extend(found);
        let (terminal, code) = on_terminal_of(COLUMNS, &home, args);
        assert_eq!(code, 0, "{args:?}: {terminal}");
        fits(&format!("{args:?} in a terminal"), &terminal.replace('\r', ""), choices);
    }
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), 5, "each has one name: {listed:?}");
    for name in &listed {
        assert_eq!(home.run(&["ctl", "state", "--session", name]).code, Some(0), "{name}");
        assert_eq!(home.run(&["report", name]).code, Some(0), "{name}");
    }
    // Its number in the list, a word of its name, and words of its goal are names as well.
    for (n, word) in (1..).zip(["elm", "crate dune", "cedar", "birch"]) {
        assert_eq!(home.run(&["report", &n.to_string()]).code, Some(0));
        let told = home.run(&["answer", word, "--text", "2"]);
        assert_eq!(told.code, Some(0), "{word}: {}", told.err);
    }
    let told = home.run(&["answer", "--text", "1"]);
    assert_eq!(told.code, Some(0), "one is left: {}", told.err);
    for child in &mut running {
        assert_eq!(child.0.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn filters_of_the_list_are_combined() {
    let home = Home::new();
    let folder = |name: &str| home.path().join(name);
    let plan = |fails: &str| {
        format!(
            "version: 1\ngoal: Goal of {fails}\nsynthesis: false\ntasks:\n  - {{id: a, agent: vision_analyst, prompt: 'x [sim ms=5{}]', \
             retry: {{max: 0}}}}\n",
            if fails == "bad" { " fail=garbage" } else { "" }
        )
    };
    for (place, kind) in [("one", "good"), ("one", "bad"), ("two", "bad"), ("one/deep", "good")] {
        std::fs::create_dir_all(folder(place)).unwrap();
        std::fs::write(folder(place).join("plan.yaml"), plan(kind)).unwrap();
        let name = format!("{}-{kind}", place.replace('/', "-"));
        let args = ["run", "plan.yaml", "--headless", "--fleet", "sim", "--name", &name];
        let told = Told::from(home.baton(&args).current_dir(folder(place)).output().unwrap());
        assert_eq!(told.code, Some(i32::from(kind == "bad")), "{}", told.err);
    }
    let ends = |place: &str, args: &[&str]| {
        let mut all = vec!["sessions", "--json"];
        all.extend(args);
        let told = Told::from(home.baton(&all).current_dir(folder(place)).output().unwrap());
        let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
        let name = |row: &serde_json::Value| row["id"].as_str().unwrap().splitn(3, '-').nth(2).unwrap().to_owned();
        let mut names: Vec<String> = json.as_array().unwrap().iter().map(name).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(ends("one", &[]), "one-bad one-deep-good one-good two-bad");
    assert_eq!(ends("one", &["--here"]), "one-bad one-deep-good one-good");
    assert_eq!(ends("one/deep", &["--here"]), "one-deep-good");
    assert_eq!(ends("one", &["--failed", "--since", "yesterday", "--here"]), "one-bad");
    assert_eq!(ends("two", &["--failed", "--here", "Goal of bad"]), "two-bad");
    assert_eq!(ends(".", &["--failed", "--here"]), "one-bad two-bad");
    let told =
        Told::from(home.baton(&["sessions", "--failed", "--here"]).current_dir(folder("one/deep")).output().unwrap());
    assert!(told.code == Some(0) && told.err.contains("No session is like that"), "{}", told.err);
}
