//! What an effect does outside: files, the clipboard, an editor. Each answers with a sentence for the notice line.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::model::Tone;
use crate::domain::text::CleanText;

/// The most bytes sent to the clipboard through the terminal: several terminals drop longer ones without a word.
pub(crate) const CLIPBOARD_CAP: usize = 100_000;

/// How long a clipboard program may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// A sentence and how it is meant.
pub(crate) type Said = (CleanText, Tone);

/// Writes `text` to a new file of that name in `folder`; where one stands, `name-2`, `name-3`… is taken.
pub(crate) fn save(folder: &Path, name: &str, text: &str) -> Said {
    // A name is one part of a path, whatever a goal was called.
    let name: String = name.chars().map(|c| if c == '/' || c == '\\' || c.is_control() { '-' } else { c }).collect();
    let (stem, tail) = match name.rsplit_once('.') {
        Some((stem, tail)) if !stem.is_empty() => (stem.to_owned(), format!(".{tail}")),
        _ => (name, String::new()),
    };
    for n in 1..1_000 {
        let file = if n == 1 { format!("{stem}{tail}") } else { format!("{stem}-{n}{tail}") };
        let path: PathBuf = folder.join(file);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut out) => {
                return match out.write_all(text.as_bytes()) {
                    Ok(()) => (format!("saved to {}", path.display()).into(), Tone::Plain),
                    Err(error) => (format!("{} could not be written: {error}", path.display()).into(), Tone::Warning),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return (format!("{} could not be made: {error}", path.display()).into(), Tone::Warning);
            }
        }
    }
    (format!("there are too many files named {stem}{tail} here").into(), Tone::Warning)
}

/// What goes to the clipboard through the terminal: at most [`CLIPBOARD_CAP`] bytes, cut between characters.
pub(crate) fn for_clipboard(text: &str) -> (&str, Said) {
    let part = text.get(..text.floor_char_boundary(CLIPBOARD_CAP)).unwrap_or_default();
    let said = if part.len() < text.len() {
        let words = format!(
            "copied the first {} KB of {} through the terminal, which takes no more; S saves a whole answer",
            part.len() / 1_000,
            text.len() / 1_000
        );
        (words.into(), Tone::Warning)
    } else {
        (format!("copied {} through the terminal (OSC 52)", amount(text)).into(), Tone::Plain)
    };
    (part, said)
}

/// How much text that is, in words.
pub(crate) fn amount(text: &str) -> String {
    let lines = text.lines().count();
    match (lines, text.chars().count()) {
        (0 | 1, 1) => "1 letter".to_owned(),
        (0 | 1, letters) => format!("{letters} letters"),
        (lines, _) => format!("{lines} lines"),
    }
}

/// A program that takes text for the clipboard, and its arguments.
type Program = (&'static str, &'static [&'static str]);

/// The programs that reach the clipboard of the machine this process runs on; none over SSH, where that clipboard is
/// not the operator's.
fn programs(variable: impl Fn(&str) -> bool) -> &'static [Program] {
    if variable("SSH_CONNECTION") || variable("SSH_TTY") {
        &[]
    } else if cfg!(target_os = "macos") {
        &[("pbcopy", &[])]
    } else if variable("WAYLAND_DISPLAY") {
        &[("wl-copy", &[])]
    } else if variable("DISPLAY") {
        &[("xclip", &["-selection", "clipboard"]), ("xsel", &["--clipboard", "--input"])]
    } else {
        &[]
    }
}

/// Gives text to the clipboard of this machine. Returns the program that took it; none: there is none, or none did.
pub(crate) fn native_clipboard(text: &str) -> Option<&'static str> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    programs(set).iter().find(|program| give(program, text)).map(|(name, _)| *name)
}

/// Whether a program took the text, within a bounded time: one that hangs must not hold the console.
fn give((name, args): &Program, text: &str) -> bool {
    let child = std::process::Command::new(name)
        .args(*args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let (done, took) = std::sync::mpsc::channel();
    let text = text.to_owned();
    std::thread::spawn(move || {
        let written = child.stdin.take().is_some_and(|mut to| to.write_all(text.as_bytes()).is_ok());
        let ended = child.wait().is_ok_and(|status| status.success());
        // Nobody may listen any more.
        let _ = done.send(written && ended);
    });
    took.recv_timeout(PATIENCE).unwrap_or(false)
}

/// The editor the operator asks for, as words of a command line.
pub(crate) fn editor() -> Vec<String> {
    let asked = ["VISUAL", "EDITOR"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.trim().is_empty()));
    asked.unwrap_or_else(|| "vi".to_owned()).split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saving_never_writes_over_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for (text, file) in [("one", "answer.md"), ("two", "answer-2.md"), ("three", "answer-3.md")] {
            let (said, tone) = save(folder.path(), "answer.md", text);
            assert!(said.ends_with(file) && tone == Tone::Plain, "{said}");
            assert_eq!(std::fs::read_to_string(folder.path().join(file)).unwrap(), text);
        }
        let (said, _) = save(folder.path(), "../up.md", "x");
        assert!(said.ends_with("..-up.md"), "{said}");
        assert_eq!(save(&folder.path().join("gone"), "a", "x").1, Tone::Warning);
    }

    #[test]
    fn the_clipboard_gets_a_part_and_the_notice_says_so() {
        let long = "é".repeat(CLIPBOARD_CAP);
        let (part, (said, tone)) = for_clipboard(&long);
        assert_eq!((part.len(), tone), (CLIPBOARD_CAP, Tone::Warning));
        assert!(said.contains("first 100 KB of 200"), "{said}");
        let (part, (said, tone)) = for_clipboard("one\ntwo");
        assert_eq!(
            (part, said.as_str(), tone),
            ("one\ntwo", "copied 2 lines through the terminal (OSC 52)", Tone::Plain)
        );
        assert_eq!((amount("é"), amount("全角")), ("1 letter".into(), "2 letters".into()));
    }

    #[test]
    fn over_ssh_the_clipboard_of_this_machine_is_left_alone() {
        for names in [&["SSH_TTY", "DISPLAY"][..], &["SSH_CONNECTION", "WAYLAND_DISPLAY"]] {
            assert!(programs(|name| names.contains(&name)).is_empty());
        }
        if !cfg!(target_os = "macos") {
            assert_eq!(programs(|name| name == "WAYLAND_DISPLAY")[0].0, "wl-copy");
            assert_eq!(programs(|name| name == "DISPLAY").len(), 2);
            assert!(programs(|_| false).is_empty());
        }
        assert!(!give(&("no-such-program-here", &[]), "x"));
    }
}
