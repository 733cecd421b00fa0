//! What was typed as a plan or a goal: a file of a plan, a file or a pipe whose text is the goal, or words.
//!
//! The command line and the console's goal box take both from here, so that a file is the same to them. Not here: what
//! becomes of it, and files that a goal names by `@` ([`mentioned`]). Invariants: a file that is there is never taken as
//! words, and a word that looks like a path and is none is a mistake, unless it was said to be words.

pub(crate) mod mentioned;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::domain::fleet::Agent;
use crate::domain::foreign::{AsGoal, as_goal};
use crate::domain::plan::{MAX_PLAN_BYTES, Plan, PlanReading, read_plan};
use crate::domain::protocol::{Command, GoalOptions, PlanSource, Review};
use crate::domain::source::{SourceError, nearest, text_of};

/// A longer goal is refused: some hundred thousand tokens, more than the contexts of planning models hold.
const MAX_GOAL_BYTES: usize = 512 * 1024;
/// Names in a folder that are looked at for one that was meant.
const MOST_NAMES: usize = 2_000;
/// How a path is taken as words on the command line.
const AS_WORDS: &str = "--goal takes it as a goal in words";
/// What stdin is called in sentences, and as which it is typed.
const STDIN: &str = "-";

/// Why it can't be taken, in a sentence that says how to mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GivenError {
    /// It has mistakes, or is no text.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Source(Vec<SourceError>),
    /// It can't be read.
    #[error("can't read {}: {source}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what was meant.
    #[error("{0}")]
    Usage(String),
}

/// How what was typed is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// As a file where one is there.
    AsFound,
    /// As words, whatever it looks like.
    AsWords,
}

impl Taken {
    /// By the flag `--goal`.
    pub(crate) fn by(goal: bool) -> Self {
        if goal { Self::AsWords } else { Self::AsFound }
    }
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A plan or a goal, to be run.
    Either,
    /// A goal, to be planned.
    Goal,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum Input {
    /// A plan.
    Plan(Box<Plan>),
    /// A goal.
    Goal(String),
}

/// What was typed, with what is to be said of it.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) input: Input,
    /// Whose text the goal is, a sentence each.
    pub(crate) words: Vec<String>,
    /// What is suspicious in the plan.
    pub(crate) warnings: Vec<SourceError>,
}

impl Typed {
    /// What is to be said of it, a sentence each.
    pub(crate) fn said(&self) -> Vec<String> {
        let warnings = self.warnings.iter().map(|warning| format!("warning: {warning}"));
        self.words.iter().cloned().chain(warnings).collect()
    }

    fn goal(text: &str, words: Vec<String>) -> Self {
        Self { input: Input::Goal(text.to_owned()), words, warnings: Vec::new() }
    }
}

/// What was typed as a command: a given plan runs at once, a model's is looked at first where somebody can.
pub(crate) fn command_of(input: Input, review: Review) -> Command {
    let (text, plan, review) = match input {
        Input::Plan(plan) => (plan.goal.clone(), PlanSource::Given(plan), Review::Auto),
        Input::Goal(text) => (text, PlanSource::Model, review),
    };
    Command::AddGoal { text, plan, options: GoalOptions { review, ..GoalOptions::default() } }
}

/// Finds out what was typed.
///
/// # Errors
/// It is empty, a file with mistakes, another program's file, or looks like a path and is none.
pub(crate) fn typed(what: &str, taken: Taken, wanted: Wanted, agents: &[Agent]) -> Result<Typed, GivenError> {
    if what.trim().is_empty() {
        return Err(GivenError::Usage("the goal is empty; say in words what is wanted, or name a file".to_owned()));
    }
    if taken == Taken::AsWords {
        return Ok(Typed::goal(what, Vec::new()));
    }
    let path = Path::new(what);
    if what == STDIN {
        return of_text(what, &bounded(path, std::io::stdin().lock())?, wanted, agents);
    }
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(GivenError::Usage(format!(
            "{what} is a folder; name a file in it, or say with --goal that it is a goal in words"
        ))),
        Ok(_) => of_text(what, &read_text(path)?, wanted, agents),
        Err(_) if is_path(what) => Err(GivenError::Usage(missing(what, AS_WORDS))),
        Err(_) => Ok(Typed::goal(what, Vec::new())),
    }
}

/// Reads a plan file for the configured agents.
///
/// # Errors
/// It can't be read, or is no text.
pub(crate) fn plan_file(path: &Path, agents: &[Agent]) -> Result<PlanReading, GivenError> {
    let text = read_text(path)?;
    Ok(read_plan(&text, &path.display().to_string(), Some(agents)))
}

/// The text of a file that a person wrote, up to the longest plan.
///
/// # Errors
/// It can't be read, or is no text.
fn read_text(path: &Path) -> Result<String, GivenError> {
    let unreadable = |source| GivenError::Read { path: path.to_owned(), source };
    bounded(path, std::fs::File::open(path).map_err(unreadable)?)
}

fn bounded(path: &Path, from: impl Read) -> Result<String, GivenError> {
    let mut bytes = Vec::new();
    let most = MAX_PLAN_BYTES as u64 + 1;
    // Bounded while reading: a length asked for before says nothing of a pipe. One byte more, so that it is refused.
    from.take(most).read_to_end(&mut bytes).map_err(|source| GivenError::Read { path: path.to_owned(), source })?;
    text_of(bytes, &path.display().to_string()).map_err(|error| GivenError::Source(vec![error]))
}

fn of_text(what: &str, text: &str, wanted: Wanted, agents: &[Agent]) -> Result<Typed, GivenError> {
    let as_plan = || {
        let PlanReading { plan, warnings } = read_plan(text, what, Some(agents));
        match plan {
            Ok(plan) => Ok(Typed { input: Input::Plan(Box::new(plan)), words: Vec::new(), warnings }),
            Err(errors) => Err(GivenError::Source(errors.into_iter().chain(warnings).collect())),
        }
    };
    let kind = as_goal(what, text);
    match (kind, wanted) {
        (AsGoal::Plan, Wanted::Goal) => Err(GivenError::Usage(format!(
            "{what} is a plan already; `baton run {what}` runs it, `baton check {what}` looks at it"
        ))),
        (AsGoal::Plan | AsGoal::Work(_), Wanted::Either) => as_plan(),
        (AsGoal::No(error), Wanted::Goal) => Err(GivenError::Source(vec![error])),
        (AsGoal::No(_), Wanted::Either) => as_plan(),
        (AsGoal::Text, Wanted::Either) if is_data(what) => as_plan(),
        (AsGoal::Work(words), Wanted::Goal) => as_goal_of(what, text, words),
        (AsGoal::Text, _) => {
            let name = if what == STDIN { "stdin" } else { what };
            as_goal_of(what, text, format!("the goal is the text of {name} ({} bytes)", text.trim().len()))
        }
    }
}

fn as_goal_of(what: &str, text: &str, words: String) -> Result<Typed, GivenError> {
    let text = text.trim();
    match text.len() {
        0 => Err(GivenError::Usage(format!(
            "{} is empty; say in it what is wanted",
            if what == STDIN { "stdin" } else { what }
        ))),
        1..=MAX_GOAL_BYTES => Ok(Typed::goal(text, vec![words])),
        bytes => Err(GivenError::Usage(format!(
            "{what} has {bytes} bytes, and a goal has at most {MAX_GOAL_BYTES}; keep what says what is wanted, and name the rest"
        ))),
    }
}

/// Whether a file's name says that it holds values rather than a text.
fn is_data(what: &str) -> bool {
    let ending = Path::new(what).extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    matches!(ending.as_deref(), Some("yaml" | "yml" | "json" | "toml"))
}

/// Whether words look like a path: one word with a slash, or with a dot in it.
fn is_path(what: &str) -> bool {
    if what.split_whitespace().count() > 1 {
        return false;
    }
    // Chinese, Japanese and Thai sentences are one word; a name of a file in them is short.
    let unspaced =
        what.chars().filter(|c| matches!(c, '\u{e00}'..='\u{e7f}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'));
    if unspaced.count() > 12 {
        return false;
    }
    let word = what.trim_end_matches(['.', '?', '!', ',']);
    word.contains(['/', '.'])
}

/// What is said of a path that leads to nothing; `words` says how it is taken as words.
fn missing(what: &str, words: &str) -> String {
    if what.contains("://") {
        return format!(
            "{what} is an address, and Baton fetches none; give its text as a file or a pipe (-), or {words}"
        );
    }
    let path = Path::new(what);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return format!("there is no file {what}: there is no folder {}; {words}", folder.display());
    };
    let mut names: Vec<String> = entries
        .take(MOST_NAMES)
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|n| !n.starts_with('.'))
        .collect();
    names.sort();
    // Without their endings too: those are what one leaves out.
    let stem = |name: &str| Path::new(name).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let stems: Vec<String> = names.iter().map(|n| stem(n)).collect();
    let whole = nearest(&name, names.iter().map(String::as_str)).map(str::to_owned);
    let found = whole.or_else(|| {
        let near = nearest(&stem(&name), stems.iter().map(String::as_str))?;
        stems.iter().position(|s| s == near).and_then(|i| names.get(i)).cloned()
    });
    match found {
        Some(near) => {
            format!("there is no file {what}; did you mean {}? ({words})", path.with_file_name(near).display())
        }
        None => format!("there is no file {what}; check the path, or {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_words() {
        for path in ["plan.yaml", "a/b.YML", "x.json", "plans/relase", "prd.md", "../x", "main.rs"] {
            assert!(is_path(path), "{path}");
        }
        for words in [
            "Compare two parsers",
            "what is node.js?",
            "Hello.",
            "relase",
            "read this\nand that.yaml",
            "比较两个解析器的速度并说明原因和结果/结论。",
            "read/write locks in Rust",
            "Explain package.json",
        ] {
            assert!(!is_path(words), "{words}");
        }
    }

    #[test]
    fn a_path_that_leads_to_nothing_names_the_one_that_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("release.yaml"), "").unwrap();
        let at = |name: &str| missing(&folder.path().join(name).display().to_string(), AS_WORDS);
        assert!(at("relase").contains("release.yaml?") && at("relase").contains("--goal"), "{}", at("relase"));
        assert!(at("relase.yml").contains("release.yaml?"), "{}", at("relase.yml"));
        assert!(at("zzz").contains("check the path"), "{}", at("zzz"));
        assert!(at("none/zzz").contains("there is no folder"), "{}", at("none/zzz"));
        assert!(missing("https://x.org/issues/3", AS_WORDS).contains("is an address"));
    }
}
