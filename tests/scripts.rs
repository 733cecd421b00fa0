//! Scripted replays of recorded sessions by the built binary: the same frames every time, in words where they are not.

#![allow(clippy::unwrap_used, reason = "a test: what goes wrong fails it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the program away from anybody's own files.
fn baton(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"))
        .output()
        .unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const WEATHER: &str = "tests/journals/weather-station.jsonl";

/// Every snapshot a script makes, by name.
fn made(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().to_path_buf(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_tour_shows_the_frames_it_always_showed_and_twice_the_same() {
    let home = tempfile::tempdir().unwrap();
    let kept = baton(home.path(), &["replay", WEATHER, "--script", "tests/scripts/tour.baton"]);
    assert_eq!(kept.status.code(), Some(0), "{}", words(&kept));
    let frames = |folder: &str| {
        let folder = home.path().join(folder);
        let to = folder.display().to_string();
        let args = ["replay", WEATHER, "--script", "tests/scripts/tour.baton", "--snapshots", &to, "--update"];
        let run = baton(home.path(), &args);
        assert_eq!(run.status.code(), Some(0), "{}", words(&run));
        made(&folder)
    };
    let (first, second) = (frames("first"), frames("second"));
    assert!(first.len() >= 8, "{}", first.len());
    assert_eq!(first, second);
    // Whatever the reader's own settings are.
    std::fs::create_dir_all(home.path().join("config/baton")).unwrap();
    std::fs::write(home.path().join("config/baton/baton.toml"), "[console]\ntheme = \"paper\"\n").unwrap();
    assert_eq!(first, frames("third"));
}

#[test]
fn the_pictures_of_the_readme_are_of_this_program() {
    let home = tempfile::tempdir().unwrap();
    let args = ["replay", WEATHER, "--script", "tests/scripts/pictures.baton", "--snapshots", "assets"];
    let run = baton(home.path(), &args);
    assert_eq!(run.status.code(), Some(0), "{}\nWith --update they are made anew.", words(&run));
}

#[test]
fn what_is_not_as_expected_is_told_with_the_line_and_the_frame() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("wrong.baton");
    let run = |text: &str| {
        std::fs::write(&script, text).unwrap();
        baton(home.path(), &["replay", WEATHER, "--script", &script.display().to_string()])
    };
    let failed = run("go 50%\nexpect done = 3\nprint");
    assert_eq!(failed.status.code(), Some(1));
    let said = words(&failed);
    for wanted in ["wrong.baton:2", "done is ", "expect done = 3", "the frame was", "REPLAY"] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
    assert!(failed.stdout.is_empty(), "nothing after the line that failed is done");

    let mistaken = run("go 50%\nexpct done = 3");
    assert_eq!(mistaken.status.code(), Some(2));
    assert!(
        words(&mistaken).contains("wrong.baton:2:1") && words(&mistaken).contains("expect"),
        "{}",
        words(&mistaken)
    );

    let waits = run("go end\nwait event:task.started");
    assert_eq!(waits.status.code(), Some(1));
    assert!(words(&waits).contains("no record from"), "{}", words(&waits));

    let changed = home.path().join("run.txt");
    std::fs::write(&changed, "another frame\n").unwrap();
    let differs = run("snapshot run.txt");
    assert_eq!(differs.status.code(), Some(1));
    assert!(words(&differs).contains("--update"), "{}", words(&differs));
    assert_eq!(std::fs::read_to_string(&changed).unwrap(), "another frame\n");
}

#[test]
fn keys_typed_by_a_script_do_what_they_do_and_change_nothing_of_the_session() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("keys.baton");
    let before = std::fs::read(at(WEATHER)).unwrap();
    let text =
        "go 20s\nkeys 1 /\ntype \"rain\"\nexpect \"rain\"\nkeys enter\nkeys r\nexpect \"this is a replay\"\nprint\n";
    std::fs::write(&script, text).unwrap();
    let run = baton(home.path(), &["replay", WEATHER, "--script", &script.display().to_string()]);
    assert_eq!(run.status.code(), Some(0), "{}", words(&run));
    assert!(String::from_utf8_lossy(&run.stdout).contains("Counting the tips"), "the filter holds");
    assert_eq!(std::fs::read(at(WEATHER)).unwrap(), before);
}

#[test]
fn a_film_is_the_same_twice_and_shows_the_last_frame_of_the_session() {
    let home = tempfile::tempdir().unwrap();
    let args = ["export", "tests/journals/two-parsers.jsonl", "--cast", "--size", "100x30", "--idle", "1"];
    let (first, second) = (baton(home.path(), &args), baton(home.path(), &args));
    assert_eq!(first.status.code(), Some(0), "{}", words(&first));
    assert_eq!(first.stdout, second.stdout);
    let text = String::from_utf8(first.stdout).unwrap();
    let mut lines = text.lines();
    let header: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((header["version"].as_u64(), header["term"]["cols"].as_u64()), (Some(3), Some(100)));
    let mut screen = vt100::Parser::new(30, 100, 0);
    let mut codes = String::new();
    for line in lines {
        let (interval, code, data): (f64, String, String) = serde_json::from_str(line).unwrap();
        assert!((0.0..=1.2).contains(&interval), "{interval}: pauses are cut to the limit");
        if code == "o" {
            screen.process(data.as_bytes());
        }
        codes.push_str(&code);
    }
    assert!(codes.starts_with('o') && codes.ends_with('x') && codes.contains('m'), "{codes}");
    let script = home.path().join("end.baton");
    std::fs::write(&script, "size 100x30\ngo end\nprint\n").unwrap();
    let args = ["replay", "tests/journals/two-parsers.jsonl", "--script", &script.display().to_string()];
    let frame = String::from_utf8(baton(home.path(), &args).stdout).unwrap();
    let rows = |text: &str| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(rows(&screen.screen().contents()), rows(frame.trim_end()), "played, it ends where a script does");
}
