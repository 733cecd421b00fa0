//! What an effect does outside: files, the clipboard, an editor. Each answers with a sentence for the notice line.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::model::Tone;
use crate::domain::text::CleanText;

/// The most bytes sent to the clipboard through the terminal: several terminals drop longer ones without a word.
pub(crate) const CLIPBOARD_CAP: usize = 100_000;

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
    let mut end = text.len().min(CLIPBOARD_CAP);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let said = if end < text.len() {
        let words = format!("copied the first {} KB of {}; S saves all of it", end / 1_000, text.len() / 1_000);
        (words.into(), Tone::Warning)
    } else {
        (CleanText::from_static("copied"), Tone::Plain)
    };
    (text.get(..end).unwrap_or_default(), said)
}

/// Gives text to the clipboard of a Mac that this process runs on itself. False: it is none, or it did not take it.
pub(crate) fn pasteboard(text: &str) -> bool {
    if !cfg!(target_os = "macos") || std::env::var_os("SSH_CONNECTION").is_some() {
        return false;
    }
    let child =
        std::process::Command::new("pbcopy").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return false };
    let written = child.stdin.take().is_some_and(|mut to| to.write_all(text.as_bytes()).is_ok());
    child.wait().is_ok_and(|status| status.success()) && written
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
        assert_eq!(for_clipboard("short").0, "short");
    }
}
