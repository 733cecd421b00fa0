//! Files that a goal names by `@`: found in its words, completed, looked at, and read.
//!
//! A goal that is nothing but `@FILE` is that file, as on the command line: a plan, or a text that says what is wanted. In
//! other words the texts follow the words, each under its name. Not here: when that happens (the console's goal box, whose
//! threads call this). Invariants: what is found in words needs no disk; what is read is a file, never a pipe or a device,
//! and never longer than a plan may be; a file that can't be taken fails the whole goal, with its reason.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{GivenError, MAX_GOAL_BYTES, MOST_NAMES, Typed, Wanted, is_path, missing, of_text, read_text};
use crate::domain::fleet::Agent;

/// Names that are told where several go on from what was typed: a line or two of them.
const MOST_TOLD: usize = 12;

/// A file as it is named in a goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Where it stands in the words, `@` and quotes with it, in bytes.
    pub(crate) at: Range<usize>,
    /// The path as it is written.
    pub(crate) path: String,
    /// Whether it stands in quotes.
    quoted: bool,
}

impl Mention {
    /// Whether it is meant to be a file whether there is one or not; else a name of something else may be meant.
    fn is_meant(&self) -> bool {
        self.quoted || self.path.starts_with('~') || is_path(&self.path)
    }
}

/// Where paths begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// The folder that a relative one is of.
    pub(crate) folder: PathBuf,
    /// What `~` stands for.
    pub(crate) home: Option<PathBuf>,
}

impl Base {
    fn resolve(&self, path: &str) -> PathBuf {
        let home = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (home, &self.home) {
            (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
            _ => self.folder.join(path),
        }
    }
}

/// The files that a text names, in their order. An `@` within a word, as in an address, names none.
pub(crate) fn mentions(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find('@').map(|i| from + i) {
        from = at + 1;
        if !text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "([{".contains(c)) {
            continue;
        }
        let rest = &text[from..];
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(path, _)| path);
        let (path, end, quoted) = match quoted {
            Some(path) => (path, from + path.len() + 2, true),
            None => {
                let word = rest.split(char::is_whitespace).next().unwrap_or_default();
                // A sentence goes on, or ends, behind a path.
                let path = word.trim_end_matches(|c: char| ",;:!?)]}.".contains(c));
                (path, from + path.len(), false)
            }
        };
        if !path.is_empty() && !path.contains('@') {
            found.push(Mention { at: at..end, path: path.to_owned(), quoted });
        }
        from = end.max(from);
    }
    found
}

/// The path that is being typed at the end of a text; empty behind a lone `@`.
pub(crate) fn typed_path(text: &str) -> Option<&str> {
    let at = text.rfind('@')?;
    let begins = text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "([{".contains(c));
    let path = &text[at + 1..];
    let open = match path.strip_prefix('"') {
        Some(quoted) => (!quoted.contains('"')).then_some(quoted),
        None => (!path.contains(char::is_whitespace)).then_some(path),
    };
    open.filter(|_| begins)
}

/// How a path goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    /// The path as far as it is sure.
    pub(crate) path: String,
    /// Names that go on from there; none where it is whole.
    pub(crate) names: Vec<String>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// Completes a path.
///
/// # Errors
/// Its folder can't be read, or nothing there begins so.
pub(crate) fn complete(path: &str, base: &Base) -> Result<Completion, String> {
    if path == "~" {
        return Ok(Completion { path: "~/".to_owned(), ..Completion::default() });
    }
    let (lead, begin) = path.rfind('/').map_or(("", path), |i| path.split_at(i + 1));
    let folder = base.resolve(lead);
    let entries =
        std::fs::read_dir(&folder).map_err(|error| format!("can't look into {}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .take(MOST_NAMES)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            // What can't be written between quotes can't be named.
            let fits = name.starts_with(begin) && (!name.starts_with('.') || begin.starts_with('.'));
            let plain = !name.contains(['"', '@']) && !name.chars().any(char::is_control);
            // A link to a folder is one.
            let ending = if std::fs::metadata(entry.path()).is_ok_and(|m| m.is_dir()) { "/" } else { "" };
            (fits && plain).then(|| name + ending)
        })
        .collect();
    names.sort();
    let Some(first) = names.first() else {
        return Err(format!("nothing in {} begins with {begin}", folder.display()));
    };
    let common = names.iter().fold(first.as_str(), |common, name| {
        let same = common
            .char_indices()
            .zip(name.chars())
            .find(|((_, a), b)| a != b)
            .map_or(common.len().min(name.len()), |((i, _), _)| i);
        &common[..same]
    });
    let path = format!("{lead}{common}");
    if names.len() == 1 {
        return Ok(Completion { path, ..Completion::default() });
    }
    let more = names.len().saturating_sub(MOST_TOLD);
    names.truncate(MOST_TOLD);
    Ok(Completion { path, names, more })
}

/// What a named file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A text of so many bytes.
    Text(u64),
    /// Nothing is there, and it may be meant as words.
    Words,
    /// It can't be taken: why.
    Wrong(String),
}

/// Looks at the files that a text names; each once.
pub(crate) fn look(text: &str, base: &Base) -> Vec<(String, Seen)> {
    let mut known = BTreeSet::new();
    let named = mentions(text).into_iter().filter(|mention| known.insert(mention.path.clone()));
    named
        .map(|mention| {
            let seen = match read(&mention, base) {
                Ok(Some(text)) => Seen::Text(text.len() as u64),
                Ok(None) => Seen::Words,
                Err(error) => Seen::Wrong(error.to_string()),
            };
            (mention.path, seen)
        })
        .collect()
}

/// The goal of a text that may name files, or the plan that it names.
///
/// # Errors
/// A file that it names can't be taken, or all of it is too long.
pub(crate) fn goal(text: &str, base: &Base, agents: &[Agent]) -> Result<Typed, GivenError> {
    let text = text.trim();
    let named = mentions(text);
    if let [only] = named.as_slice()
        && only.at == (0..text.len())
        && let Some(said) = read(only, base)?
    {
        return of_text(&only.path, &said, Wanted::Either, agents);
    }
    let mut whole = text.to_owned();
    let mut known = BTreeSet::new();
    for mention in named {
        if !known.insert(mention.path.clone()) {
            continue;
        }
        let Some(said) = read(&mention, base)? else { continue };
        if said.trim().is_empty() {
            return Err(GivenError::Usage(format!("{} is empty; leave it out", mention.path)));
        }
        whole.push_str(&format!("\n\n=== {} ===\n\n{}\n", mention.path, said.trim_end()));
        if whole.len() > MAX_GOAL_BYTES {
            return Err(GivenError::Usage(format!(
                "with {} the goal has {} bytes, and a goal has at most {MAX_GOAL_BYTES}; name less, or shorter files",
                mention.path,
                whole.len()
            )));
        }
    }
    Ok(Typed::goal(&whole, Vec::new()))
}

/// The text of a named file; none where nothing is there and something else may be meant.
fn read(mention: &Mention, base: &Base) -> Result<Option<String>, GivenError> {
    let what = &mention.path;
    let path = base.resolve(what);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => Err(GivenError::Usage(format!("{what} is a folder; name a file in it"))),
        Ok(meta) if !meta.is_file() => {
            Err(GivenError::Usage(format!("{what} is no file but a pipe, socket or device; name a file")))
        }
        Ok(_) => read_text(&path).map(Some),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(GivenError::Read { path, source: error }),
        Err(_) if mention.is_meant() => Err(GivenError::Usage(no_file(what, &path))),
        Err(_) => Ok(None),
    }
}

/// What is said of a path that leads to nothing.
fn no_file(what: &str, path: &Path) -> String {
    let mend = format!("in quotes, as \"@{what}\", it is words");
    missing(&path.display().to_string(), &mend)
}

#[cfg(test)]
mod tests {
    use super::super::Input;
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        mentions(text).into_iter().map(|m| m.path).collect()
    }

    fn base(folder: &tempfile::TempDir) -> Base {
        Base { folder: folder.path().to_owned(), home: Some(folder.path().join("home")) }
    }

    #[test]
    fn files_are_found_in_words_and_addresses_are_none() {
        assert_eq!(paths("compare @a.md, @../b/c.md and (@~/d)."), ["a.md", "../b/c.md", "~/d"]);
        assert_eq!(paths("@\"my notes.md\" and mail@example.com @ `@x`"), ["my notes.md"]);
        assert_eq!(paths("read @笔记.md！"), ["笔记.md！"]);
        let text = "see @a.md.";
        assert_eq!(&text[mentions(text)[0].at.clone()], "@a.md");
        for (text, want) in [("x @", Some("")), ("x @a", Some("a")), ("@\"a b", Some("a b")), ("x@a", None)] {
            assert_eq!(typed_path(text), want, "{text}");
        }
        assert_eq!((typed_path("@a b"), typed_path("@\"a\" ")), (None, None));
    }

    #[test]
    fn a_path_is_completed_as_far_as_it_is_sure() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["notes-a.md", "notes-b.md", ".hidden", "home/over there.txt"] {
            std::fs::create_dir_all(folder.path().join("home")).unwrap();
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let of = |path: &str| complete(path, &base(&folder)).unwrap();
        assert_eq!((of("n").path, of("n").names), ("notes-".into(), vec!["notes-a.md".into(), "notes-b.md".into()]));
        assert_eq!((of("notes-b").path.as_str(), of("ho").path.as_str()), ("notes-b.md", "home/"));
        assert_eq!((of("~").path.as_str(), of("~/o").path.as_str()), ("~/", "~/over there.txt"));
        assert_eq!((of(".h").path.as_str(), of("").names.len()), (".hidden", 3));
        assert!(complete("z", &base(&folder)).unwrap_err().contains("nothing in"));
        assert!(complete("none/z", &base(&folder)).unwrap_err().contains("can't look into"));
    }

    #[test]
    fn a_goal_takes_the_texts_of_the_files_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("a.md", b"first\n");
        write("README", b"read me");
        write("pic.png", b"\x89PNG\r\n\x1a\n0000");
        write("old.txt", b"caf\xe9");
        write("plan.yaml", b"version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p}\n");
        let of = |text: &str| goal(text, &base(&folder), &[]);
        let text = |typed: Typed| match typed.input {
            Input::Goal(text) => text,
            Input::Plan(plan) => panic!("{plan:?}"),
        };
        assert_eq!(
            text(of("Sum up @a.md, and @a.md.").unwrap()),
            "Sum up @a.md, and @a.md.\n\n=== a.md ===\n\nfirst\n"
        );
        assert_eq!(text(of("@a.md").unwrap()), "first");
        assert!(text(of("What of @README and @param?").unwrap()).ends_with("=== README ===\n\nread me\n"));
        // What it says of agents is another matter.
        assert!(!matches!(of("@plan.yaml"), Ok(Typed { input: Input::Goal(_), .. })));
        for (wrong, says) in [
            ("see @b.md", "there is no file"),
            ("see @b.md", "in quotes"),
            ("see @.", ""),
            ("see @pic.png", "a picture"),
            ("@pic.png", "a picture"),
            ("see @old.txt", "Latin-1"),
            ("see @./", "is a folder"),
        ] {
            match of(wrong) {
                Err(error) => assert!(error.to_string().contains(says), "{wrong}: {error}"),
                Ok(typed) => assert!(says.is_empty(), "{wrong}: {typed:?}"),
            }
        }
        let seen = look("@a.md @param @pic.png", &base(&folder));
        assert_eq!(seen[0], ("a.md".into(), Seen::Text(6)));
        assert_eq!(seen[1], ("param".into(), Seen::Words));
        assert!(matches!(&seen[2].1, Seen::Wrong(words) if words.contains("picture")));
    }

    #[test]
    fn a_goal_that_gets_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("big.md"), "x".repeat(MAX_GOAL_BYTES)).unwrap();
        let error = goal("sum up @big.md", &base(&folder), &[]).unwrap_err();
        assert!(error.to_string().contains("at most"), "{error}");
    }
}
