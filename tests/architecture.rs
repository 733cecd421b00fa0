//! The house rules that no compiler knows: imports go down only, one subject a file, and the like. A failure names the file,
//! the line and the rule; where a rule is wrong, change it here and say why.

#![allow(clippy::unwrap_used, reason = "a test: what can't be read fails it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A source file under `src`, as the rules see it.
struct Source {
    /// Its path below the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Its floor or, within the domain, room: `domain`, `engine`, …
    fn floor(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs") || self.path.contains("/tests/")
    }

    /// The file without its tests' tail.
    fn body(&self) -> &str {
        if self.is_test() {
            return "";
        }
        self.text.find("#[cfg(test)]\nmod tests {").map_or(&self.text, |at| &self.text[..at])
    }

    /// Lines of code with their numbers: comments are left out, tests too.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(self.body())
    }

    /// Lines of code, tests included.
    fn all_code(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.text)
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(n, line)| (n, line.split_once(" // ").map_or(line, |(code, _)| code)))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    walk(&root().join("src"), &mut files);
    files.retain(|f| f.extension().is_some_and(|e| e == "rs"));
    let found: Vec<Source> = files
        .iter()
        .map(|f| Source {
            path: f.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"),
            text: std::fs::read_to_string(f).unwrap(),
        })
        .collect();
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `word` stands in `line` as a whole word or path, not as a part of a longer one.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word))
}

/// Whether a line names `what` below `module`, as `std::time::Instant` or `std::time::{Duration, Instant}`.
fn imports(line: &str, module: &str, what: &str) -> bool {
    line.match_indices(module).any(|(at, _)| {
        let rest = &line[at + module.len()..];
        rest.strip_prefix("::").is_some_and(|r| match r.strip_prefix('{') {
            Some(list) => names(list.split('}').next().unwrap_or(list), what),
            None => r.starts_with(what) && !r[what.len()..].starts_with(is_word),
        })
    })
}

#[track_caller]
fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}\n{}", broken.join("\n"));
}

#[test]
fn imports_go_down_only() {
    let mut broken = Vec::new();
    for source in sources() {
        let tests_too = source.floor() != "domain";
        let lines: Vec<_> = if tests_too { source.all_code().collect() } else { source.code().collect() };
        for (n, line) in lines {
            let forbidden: &[&str] = match source.floor() {
                "domain" => &["crate::engine", "crate::interface", "crate::config"],
                "engine" => &["crate::interface"],
                "config" => &["crate::engine", "crate::interface"],
                _ => &[],
            };
            broken.extend(forbidden.iter().filter(|f| names(line, f)).map(|f| source.at(n, f)));
            for floor in forbidden.iter().filter_map(|f| f.strip_prefix("crate::")) {
                if imports(line, "crate", floor) && !names(line, &format!("crate::{floor}")) {
                    broken.push(source.at(n, floor));
                }
            }
        }
    }
    none("Imports go down only: interface → engine → domain; config stands beside the domain.", broken);
}

#[test]
fn the_domain_is_pure() {
    const CRATES: [&str; 8] = ["tokio", "reqwest", "ratatui", "crossterm", "axum", "sysinfo", "rustix", "tracing"];
    const STD: [(&str, &str); 9] = [
        ("std", "fs"),
        ("std", "net"),
        ("std", "thread"),
        ("std", "env"),
        ("std", "process"),
        ("std::time", "Instant"),
        ("std::time", "SystemTime"),
        ("std::io", "stdin"),
        ("std::io", "stdout"),
    ];
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| s.floor() == "domain") {
        for (n, line) in source.code() {
            let crates = CRATES.iter().filter(|c| line.contains(&format!("{c}::")) && names(line, c));
            broken.extend(crates.map(|c| source.at(n, c)));
            let std = STD.iter().filter(|(module, what)| imports(line, module, what));
            broken.extend(std.map(|(module, what)| source.at(n, &format!("{module}::{what}"))));
        }
    }
    none("The domain has no I/O, clock, thread, environment, async or terminal: they arrive as arguments.", broken);
}

#[test]
fn the_command_line_stands_above_the_other_rooms_of_the_interface() {
    let mut broken = Vec::new();
    let below = ["remote", "report", "reading", "tui", "bundle"].map(|room| format!("src/interface/{room}"));
    for source in sources().into_iter().filter(|s| below.iter().any(|room| s.path.contains(room.as_str()))) {
        for (n, line) in source.all_code() {
            if names(line, "interface::cli") || imports(line, "crate::interface", "cli") {
                broken.push(source.at(n, "interface::cli"));
            }
        }
    }
    none("What the command line and others need of a state is in interface/reading.", broken);
}

#[test]
fn a_file_has_one_subject_and_names_it() {
    let mut broken = Vec::new();
    for source in sources() {
        let lines = source.body().lines().count();
        if lines > 600 {
            broken.push(source.at(lines, "more than 600 lines: split it by subject"));
        }
        if !source.text.starts_with("//! ") {
            broken.push(source.at(1, "the first line does not say what the file is (`//! …`)"));
        }
        let vague = ["manager", "managers", "helper", "helpers", "util", "utils", "utilities", "misc", "common"];
        for word in source.path.split(|c: char| !c.is_alphanumeric()).filter(|w| vague.contains(w)) {
            broken.push(source.at(1, &format!("{word:?} names no subject")));
        }
    }
    none("A file has one subject, names it in its first line, and stays below 600 lines (tests aside).", broken);
}

#[test]
fn colours_are_named_in_themes_only() {
    let mut broken = Vec::new();
    for source in sources() {
        let terminal = source.text.contains("ratatui") || source.text.contains("crossterm");
        if terminal && !source.path.starts_with("src/interface/tui/theme/") {
            broken.extend(source.code().filter(|(_, line)| names(line, "Color")).map(|(n, line)| source.at(n, line)));
        }
    }
    none("Colours are named in interface/tui/theme only; elsewhere a role of the theme is.", broken);
}

#[test]
fn no_unsafe_but_where_macos_needs_it() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| s.path != "src/engine/machine/macos.rs") {
        let code = source.all_code().filter(|(_, line)| names(line.split('"').next().unwrap_or(line), "unsafe"));
        broken.extend(code.map(|(n, line)| source.at(n, line)));
    }
    none("No `unsafe` outside engine/machine/macos.rs.", broken);
}

#[test]
fn every_allow_has_its_reason() {
    let mut broken = Vec::new();
    for source in sources() {
        for (at, _) in source.text.match_indices("[allow(").chain(source.text.match_indices("[expect(")) {
            let attribute = source.text[at..].split(']').next().unwrap_or_default();
            if source.text[..at].ends_with(['#', '!']) && !attribute.contains("reason = \"") {
                let line = source.text[..at].lines().count();
                broken.push(source.at(line, "give `reason = \"…\"`"));
            }
        }
    }
    none("An allowed lint says why.", broken);
}

/// Best effort: names declared as a std HashMap or HashSet in a room of the domain, and iterated in it.
#[test]
fn the_domain_does_not_iterate_over_hash_maps() {
    let all = sources();
    let mut rooms: BTreeMap<String, Vec<&Source>> = BTreeMap::new();
    for source in all.iter().filter(|s| s.floor() == "domain") {
        let room = source.path.split('/').take(3).collect::<Vec<_>>().join("/");
        rooms.entry(room).or_default().push(source);
    }
    let mut broken = Vec::new();
    for files in rooms.values() {
        let declared: Vec<&str> =
            files.iter().flat_map(|f| f.code()).filter_map(|(_, line)| declared_hash(line)).collect();
        for file in files {
            for (n, line) in file.code() {
                broken.extend(declared.iter().filter(|name| iterates(line, name)).map(|_| file.at(n, line.trim())));
            }
        }
    }
    none("Iterating a std HashMap makes decisions differ from run to run; use a BTreeMap or sort.", broken);
}

/// The name a line gives to a hash map: `name: HashMap<…` or `let mut name = HashMap::…`.
fn declared_hash(line: &str) -> Option<&str> {
    let at = ["HashMap<", "HashSet<", "HashMap::", "HashSet::"].iter().filter_map(|h| line.find(h)).min()?;
    let before = line[..at].trim_end_matches("std::collections::").trim_end();
    let before = before.strip_suffix(':').or_else(|| before.strip_suffix('='))?.trim_end();
    let name = &before[before.rfind(|c| !is_word(c)).map_or(0, |i| i + 1)..];
    (!name.is_empty()).then_some(name)
}

fn iterates(line: &str, name: &str) -> bool {
    const WAYS: [&str; 9] = [
        ".iter()",
        ".iter_mut()",
        ".keys()",
        ".values()",
        ".values_mut()",
        ".into_iter()",
        ".into_values()",
        ".drain(",
        ".into_keys()",
    ];
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let looped = line.trim_start().starts_with("for ") && after.trim() == "{" && before.contains(" in ");
        whole && (WAYS.iter().any(|way| after.starts_with(way)) || looped)
    })
}

/// What git tracks; where there is no git (a source package), what lies in the places that hold text.
fn tracked() -> Vec<PathBuf> {
    let listed = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output();
    if let Ok(listed) = listed
        && listed.status.success()
    {
        let names = String::from_utf8_lossy(&listed.stdout);
        return names.split('\0').filter(|n| !n.is_empty()).map(|n| root().join(n)).collect();
    }
    let mut files = Vec::new();
    ["src", "tests"].iter().for_each(|folder| walk(&root().join(folder), &mut files));
    files
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    // Put together here, so that this file does not name them either.
    let places: Vec<String> = ["work", "root", "tmp", "home", "Users"].iter().map(|p| format!("/{p}/")).collect();
    // Paths that stand for any reader's own.
    let anyones = ["you/", "you`", "<", "$", "*"];
    let mut broken = Vec::new();
    for path in tracked() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (n, line) in (1..).zip(text.lines()) {
            let named = places.iter().any(|place| {
                line.match_indices(place.as_str()).any(|(at, _)| {
                    let (before, after) = (&line[..at], &line[at + place.len()..]);
                    let begins = !before.ends_with(|c: char| is_word(c) || matches!(c, '.' | '/' | '-' | '}'));
                    begins && !anyones.iter().any(|a| after.starts_with(a))
                })
            });
            if named {
                broken.push(format!("{}:{n}: {line}", path.display()));
            }
        }
    }
    none("No file names a path of somebody's machine.", broken);
}

/// The rules above are only worth something if they can fail.
#[test]
fn the_rules_see_what_they_look_for() {
    assert!(names("use crate::engine::client;", "crate::engine") && !names("my_unsafe()", "unsafe"));
    assert!(imports("use std::time::{Duration, Instant};", "std::time", "Instant"));
    assert!(imports("let now = std::time::Instant::now();", "std::time", "Instant"));
    assert!(imports("use std::{fmt, fs};", "std", "fs") && !imports("use std::fmt;", "std", "fs"));
    assert!(!imports("use std::time::{Duration};", "std::time", "Instant"));
    assert_eq!(declared_hash("    task_index: HashMap<TaskId, TaskIx>,"), Some("task_index"));
    assert_eq!(declared_hash("let mut seen = std::collections::HashSet::new();"), Some("seen"));
    assert_eq!(declared_hash("use std::collections::{BTreeMap, HashMap};"), None);
    assert!(iterates("for (a, b) in &self.seen {", "seen") && iterates("seen.keys().max()", "seen"));
    assert!(!iterates("self.seen.get(&key)", "seen") && !iterates("unseen.iter()", "seen"));
}
