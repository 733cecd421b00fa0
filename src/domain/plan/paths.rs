//! Which paths a task may write: patterns from the root, and whether two lists of them share one.
//!
//! Not here: what is on a disk. Invariants: the answer is exact (the two are walked together as automata until both take the
//! same path, which is the witness), the same for the same patterns, and "they share one" where it would cost too much.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use globset::GlobBuilder;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// The most bytes of one pattern's automaton: those of usual patterns have 8 KiB. A larger one is taken to share a path with
/// all others.
const MOST_AUTOMATON: usize = 1 << 20;
/// The most pairs of states that are walked through: usual patterns have a few hundred.
const MOST_STEPS: usize = 50_000;
/// So many compiled lists and so many compared pairs are remembered: a plan of 2,000 lists, of which each task at work is
/// compared with each that waits. About 60 MB at the most, of 8 KiB each; they are forgotten together.
const MOST_LISTS: usize = 4_096;
const MOST_PAIRS: usize = 1 << 16;

/// The signs of patterns.
const SIGNS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is prose.
    #[error("“{0}” is no path")]
    Prose(String),
    /// It leads out of the root.
    #[error("“{0}” leads out of the project")]
    Outside(String),
    /// Its signs do not match.
    #[error("“{0}” is no pattern: {1}")]
    Syntax(String, String),
}

impl PatternError {
    /// How to mend it.
    pub const fn mend(&self) -> &'static str {
        match self {
            Self::Prose(_) => "write paths from the project's root, as in `src/api/**` or `README.md`",
            Self::Outside(_) => "write a path from the project's root, without `/` before it and without `..`",
            Self::Syntax(..) => {
                "use `*` within a name, `**` for any folders, `?`, `[ab]`, `{a,b}`, `!` for what is not meant"
            }
        }
    }
}

/// Whether a pattern can be one.
///
/// # Errors
/// [`PatternError`] where it can't.
pub fn check_pattern(pattern: &str) -> Result<(), PatternError> {
    let path = pattern.strip_prefix('!').unwrap_or(pattern);
    let is_prose = path.trim() != path
        || path.is_empty()
        || path.starts_with('(')
        || (path.contains(' ') && !path.contains(['/', '*', '.']));
    if is_prose {
        return Err(PatternError::Prose(pattern.to_owned()));
    }
    if path.starts_with(['/', '~', '\\']) || path.split('/').any(|part| part == "..") || path.contains('\0') {
        return Err(PatternError::Outside(pattern.to_owned()));
    }
    glob(path).map(|_| ()).map_err(|error| PatternError::Syntax(pattern.to_owned(), error.kind().to_string()))
}

/// A pattern as a regular expression. A name without signs stands for the file, or for all in the folder of that name.
fn glob(path: &str) -> Result<String, globset::Error> {
    let path = path.strip_prefix("./").unwrap_or(path);
    let folder = path.trim_end_matches('/');
    let is_plain = !path.contains(SIGNS);
    let regex = |pattern: &str| {
        let mut builder = GlobBuilder::new(pattern);
        // A file system of macOS does not tell `A` from `a`.
        builder.literal_separator(true).empty_alternates(true).case_insensitive(cfg!(target_os = "macos"));
        builder.build().map(|glob| glob.regex().to_owned())
    };
    let inside = if is_plain || folder.len() < path.len() { Some(regex(&format!("{folder}/**"))?) } else { None };
    Ok(match inside {
        Some(inside) if folder.len() < path.len() => inside,
        Some(inside) => format!("(?:{}|{inside})", regex(path)?),
        None => regex(path)?,
    })
}

/// A compiled list.
struct Compiled {
    takes: Vec<Automate>,
    not: Vec<Automate>,
    /// One of its patterns was too large, or none: it is taken to share a path with all others.
    opaque: bool,
}

type Automate = dense::DFA<Vec<u32>>;

impl Compiled {
    fn of(patterns: &[String]) -> Self {
        let mut list = Self { takes: Vec::new(), not: Vec::new(), opaque: false };
        for pattern in patterns {
            let (negative, path) = pattern.strip_prefix('!').map_or((false, pattern.as_str()), |path| (true, path));
            match automaton(path) {
                Some(automaton) if negative => list.not.push(automaton),
                Some(automaton) => list.takes.push(automaton),
                // Of what is not meant nothing is taken away: rather one clash too many.
                None => list.opaque |= !negative,
            }
        }
        list
    }
}

fn automaton(path: &str) -> Option<Automate> {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(MOST_AUTOMATON))
        .determinize_size_limit(Some(8 * MOST_AUTOMATON));
    let mut builder = dense::Builder::new();
    builder.configure(config).syntax(syntax::Config::new().unicode(false).utf8(false));
    builder.build(&glob(path).ok()?).ok()
}

/// Bytes of paths, so that a witness is one that people would write.
fn letters() -> impl Iterator<Item = u8> + Clone {
    let usual = (b'a'..=b'z').chain(*b"/._-").chain(b'0'..=b'9').chain(b'A'..=b'Z');
    usual.chain((0x20..=0x7e).filter(|b: &u8| !b.is_ascii_alphanumeric() && !b"/._-".contains(b))).chain(0x80..=0xff)
}

/// A path that both lists take; none: they share none.
fn witness(a: &Compiled, b: &Compiled) -> Option<String> {
    if a.opaque || b.opaque {
        return Some("any path".to_owned());
    }
    let not: Vec<&Automate> = a.not.iter().chain(&b.not).collect();
    a.takes.iter().find_map(|one| b.takes.iter().find_map(|other| common(one, other, &not)))
}

fn start(of: &Automate) -> Option<StateID> {
    of.start_state_forward(&Input::new("").anchored(Anchored::Yes)).ok()
}

/// The shortest path that two patterns take and none of `not` does.
fn common(one: &Automate, other: &Automate, not: &[&Automate]) -> Option<String> {
    let all: Vec<&Automate> = [one, other].into_iter().chain(not.iter().copied()).collect();
    let first: Vec<StateID> = all.iter().map(|of| start(of)).collect::<Option<_>>()?;
    let takes = |of: &Automate, state: StateID| of.is_match_state(of.next_eoi_state(state));
    // The same states behind a `/` are not the same place: no path ends there.
    let mut seen: BTreeSet<(Vec<StateID>, bool)> = BTreeSet::from([(first.clone(), true)]);
    // Each with the one before it and the byte that led here.
    let mut walked: Vec<(Vec<StateID>, usize, u8)> = vec![(first, 0, 0)];
    let mut open = VecDeque::from([0]);
    while let Some(at) = open.pop_front() {
        let states = walked.get(at)?.0.clone();
        let (.., byte) = walked.get(at)?;
        // A path names a file: it ends in no `/`.
        let named = at > 0 && *byte != b'/';
        let taken = named && states.iter().zip(&all).enumerate().all(|(i, (state, of))| takes(of, *state) == (i < 2));
        if taken {
            return Some(path_to(&walked, at));
        }
        let slash = !named;
        for byte in letters().filter(|byte| !(slash && *byte == b'/')) {
            let next: Vec<StateID> = states.iter().zip(&all).map(|(state, of)| of.next_state(*state, byte)).collect();
            let dead = next.iter().zip(&all).take(2).any(|(state, of)| of.is_dead_state(*state));
            if dead || !seen.insert((next.clone(), byte == b'/')) {
                continue;
            }
            if walked.len() >= MOST_STEPS {
                return Some("any path".to_owned());
            }
            open.push_back(walked.len());
            walked.push((next, at, byte));
        }
    }
    None
}

fn path_to(walked: &[(Vec<StateID>, usize, u8)], mut at: usize) -> String {
    let mut bytes = Vec::new();
    while at > 0 {
        let Some((_, before, byte)) = walked.get(at) else { break };
        bytes.push(*byte);
        at = *before;
    }
    bytes.reverse();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What was compiled and compared: each thread asks for the same again and again, and the answer is always the same.
#[derive(Default)]
struct Memory {
    lists: BTreeMap<Vec<String>, (u32, Rc<Compiled>)>,
    pairs: BTreeMap<(u32, u32), Option<Rc<str>>>,
    next: u32,
}

impl Memory {
    fn list(&mut self, patterns: &[String]) -> (u32, Rc<Compiled>) {
        if let Some(known) = self.lists.get(patterns) {
            return known.clone();
        }
        if self.lists.len() >= MOST_LISTS {
            self.lists.clear();
        }
        self.next = self.next.wrapping_add(1);
        let new = (self.next, Rc::new(Compiled::of(patterns)));
        self.lists.insert(patterns.to_vec(), new.clone());
        new
    }
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// What the patterns of a list begin with before their first signs.
pub(super) fn beginnings(patterns: &[String]) -> Vec<&str> {
    // What takes away takes nothing by itself.
    let takes = patterns.iter().filter(|pattern| !pattern.starts_with('!'));
    takes
        .map(|pattern| {
            let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
            pattern.find(SIGNS).and_then(|end| pattern.get(..end)).unwrap_or(pattern)
        })
        .collect()
}

/// Whether patterns with these beginnings may share a path: only where one's goes on as the other's.
pub(super) fn near(a: &[&str], b: &[&str]) -> bool {
    // A file system of macOS does not tell `A` from `a`, and beginnings are compared as they are written.
    cfg!(target_os = "macos") || a.iter().any(|a| b.iter().any(|b| a.starts_with(b) || b.starts_with(a)))
}

/// A path that stands in both lists by its name, of which nothing is taken away.
fn same_name<'a>(a: &'a [String], b: &[String]) -> Option<&'a str> {
    if a.iter().chain(b).any(|pattern| pattern.starts_with('!')) {
        return None;
    }
    let plain = |pattern: &&String| !pattern.contains(SIGNS) && !pattern.ends_with('/');
    a.iter().filter(plain).find(|pattern| b.contains(pattern)).map(String::as_str)
}

/// A path that both lists of patterns take; none: they share none. Most lists are told apart, or found to share a name,
/// without an automaton.
pub fn shared_path(a: &[String], b: &[String]) -> Option<Rc<str>> {
    if a.is_empty() || b.is_empty() || !near(&beginnings(a), &beginnings(b)) {
        return None;
    }
    if let Some(path) = same_name(a, b) {
        return Some(path.into());
    }
    MEMORY.with_borrow_mut(|memory| {
        let ((first, a), (second, b)) = (memory.list(a), memory.list(b));
        let key = (first.min(second), first.max(second));
        if let Some(known) = memory.pairs.get(&key) {
            return known.clone();
        }
        if memory.pairs.len() >= MOST_PAIRS {
            memory.pairs.clear();
        }
        let found: Option<Rc<str>> = witness(&a, &b).map(Rc::from);
        memory.pairs.insert(key, found.clone());
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(a: &[&str], b: &[&str]) -> Option<String> {
        let list = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let (there, back) = (shared_path(&list(a), &list(b)), shared_path(&list(b), &list(a)));
        assert_eq!(there, back);
        there.map(|path| path.to_string())
    }

    #[test]
    fn two_patterns_share_a_path_or_none() {
        let file = "tkr_embed/api/error_handlers.py";
        assert_eq!(shared(&["tkr_embed/api/**"], &[file]).as_deref(), Some(file));
        assert_eq!(shared(&["src/*.rs"], &["src/api/*.rs"]), None);
        assert_eq!(shared(&["*.lock"], &["x/Cargo.lock"]), None);
        assert_eq!(shared(&["src/"], &["src"]).as_deref(), Some("src/a"), "a folder, with or without its sign");
        assert_eq!(shared(&["src/api/"], &["src/api/server.rs"]).as_deref(), Some("src/api/server.rs"));
        assert_eq!(shared(&["docs"], &["src/**"]), None);
        assert_eq!(shared(&["tests/**"], &["**/fixtures/*.json"]).as_deref(), Some("tests/fixtures/.json"));
        assert_eq!(shared(&["src/**/test_*.py"], &["src/*_test.py"]).as_deref(), Some("src/test_test.py"));
        assert_eq!(shared(&["src/**", "!src/api/**"], &["src/api/a.rs"]), None);
        assert_eq!(shared(&["src/**", "!src/api/**"], &["src/**"]).as_deref(), Some("src/a"));
        assert_eq!(shared(&["a{b,c}/x"], &["ac/?"]).as_deref(), Some("ac/x"));
        assert_eq!(shared(&["**"], &["übung/ä.txt"]).as_deref(), Some("übung/ä.txt"));
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_mend() {
        for prose in ["Unused files", "(new files)", " src", ""] {
            assert!(matches!(check_pattern(prose), Err(PatternError::Prose(_))), "{prose}");
        }
        for outside in ["/etc/passwd", "../other", "src/../../x", "~/x"] {
            assert!(matches!(check_pattern(outside), Err(PatternError::Outside(_))), "{outside}");
        }
        assert!(matches!(check_pattern("src/[a"), Err(PatternError::Syntax(..))));
        for good in ["src/**", "!src/x", "README.md", "error_handlers", "My Notes/a.md", "src/{a,b}/*.rs"] {
            assert_eq!(check_pattern(good), Ok(()), "{good}");
        }
    }
}
