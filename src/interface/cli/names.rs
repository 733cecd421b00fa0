//! Which session a word means: its name, a part of that, words of its goal, its number in the last list, or how many
//! before the latest.
//!
//! Not here: whether it can be had. Invariant: a word that may mean two sessions means neither; both are named.

use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::print::Printer;
use crate::config::Config;
use crate::domain::protocol::SessionId;
use crate::engine::journal::{Halt, Sessions};

/// Sessions of the last list that are kept: more are not typed by their number.
const MOST_LISTED: usize = 999;

/// Sessions named where a word means several: more don't help to choose.
const MOST_NAMED: usize = 9;

/// A session that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its name.
    pub(crate) id: SessionId,
    /// Its goals, as far as they are known.
    pub(crate) goal: String,
}

/// What a word means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// This session.
    One(SessionId),
    /// Any of these.
    Several(Vec<SessionId>),
    /// Nothing there.
    Nothing,
}

/// What a word means among sessions, the latest first; `listed` is the last list that was printed.
pub(crate) fn meant(word: &str, all: &[Candidate], listed: &[SessionId]) -> Meant {
    if word.trim().is_empty() {
        return Meant::Nothing;
    }
    let there = |id: &&SessionId| all.iter().any(|c| c.id == **id);
    if let Some(exact) = all.iter().find(|c| c.id.as_str() == word) {
        return Meant::One(exact.id.clone());
    }
    if let Some(before) = word.strip_prefix('-').and_then(|n| n.parse::<usize>().ok()) {
        return all.get(before).map_or(Meant::Nothing, |c| Meant::One(c.id.clone()));
    }
    let number = word.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let numbered = number.and_then(|n| listed.get(n)).filter(there);
    // Two digits are in nearly every name: they are a number, or nothing.
    if number.is_some() && word.len() <= 2 {
        return numbered.map_or(Meant::Nothing, |id| Meant::One(id.clone()));
    }
    let folded = word.to_lowercase();
    let named = |fits: &dyn Fn(&str) -> bool| -> Vec<SessionId> {
        all.iter().filter(|c| fits(&c.id.as_str().to_lowercase())).map(|c| c.id.clone()).collect()
    };
    let (begins, ends) = (named(&|id| id.starts_with(&folded)), named(&|id| id.ends_with(&folded)));
    let mut found = match (begins.len(), ends.len()) {
        (1, 0) => begins,
        (0, 1) => ends,
        _ => named(&|id| id.contains(&folded)),
    };
    found.extend(numbered.filter(|id| !found.contains(id)).cloned());
    if found.is_empty() {
        let says = |goal: &str| folded.split_whitespace().all(|part| goal.contains(part));
        found = all.iter().filter(|c| says(&c.goal.to_lowercase())).map(|c| c.id.clone()).collect();
    }
    match found.len() {
        0 => Meant::Nothing,
        1 => Meant::One(found.remove(0)),
        _ => Meant::Several(found),
    }
}

/// The session that a word means among those on disk.
///
/// # Errors
/// None, or several, are meant; [`CliError::Journal`].
pub(crate) fn stored(config: &Config, word: &str, printer: &mut Printer) -> Result<SessionId, CliError> {
    let sessions = Sessions::new(&config.paths.sessions);
    let mut glances = sessions.glance()?;
    if glances.is_empty() {
        return Err(CliError::NoSessions(config.paths.sessions.clone()));
    }
    let candidates = |glances: &[crate::engine::journal::Glance]| -> Vec<Candidate> {
        let goal = |g: &crate::engine::journal::Glance| g.summary.as_ref().map(|s| s.goal.to_string());
        glances.iter().map(|g| Candidate { id: g.id.clone(), goal: goal(g).unwrap_or_default() }).collect()
    };
    let listed = last_list(&config.paths.state);
    let mut answer = meant(word, &candidates(&glances), &listed);
    if answer == Meant::Nothing {
        // Goals are in journals that nobody looked into yet.
        let halt = Halt::default();
        for glance in glances.iter_mut().filter(|g| !g.is_fresh) {
            glance.summary = sessions.summarise(glance, &halt)?;
        }
        answer = meant(word, &candidates(&glances), &listed);
    }
    one(word, answer, &candidates(&glances), printer)
}

/// The one that is meant; in a terminal one of several can be picked.
///
/// # Errors
/// [`CliError::Usage`].
pub(crate) fn one(word: &str, answer: Meant, all: &[Candidate], printer: &mut Printer) -> Result<SessionId, CliError> {
    let several = match answer {
        Meant::One(id) => return Ok(id),
        Meant::Nothing => {
            let words = format!("there is no session {word:?}; `baton sessions` lists those there are");
            return Err(CliError::Usage(words));
        }
        Meant::Several(several) => several,
    };
    let line = |id: &SessionId| {
        let goal = all.iter().find(|c| c.id == *id).map_or("", |c| c.goal.as_str());
        let goal: String = goal.chars().take(60).collect();
        format!("{id}  {}", goal.lines().next().unwrap_or_default()).trim_end().to_owned()
    };
    let shown = &several[..several.len().min(MOST_NAMED)];
    let more = several.len() - shown.len();
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        printer.words(&format!("{word:?} is {} sessions:", several.len()));
        for (n, id) in (1..).zip(shown) {
            printer.words(&format!("  {n}  {}", line(id)));
        }
        printer.words("which one? Its number:");
        let mut typed = String::new();
        let read = std::io::stdin().lock().read_line(&mut typed).is_ok();
        let picked = typed.trim().parse::<usize>().ok().and_then(|n| shown.get(n.checked_sub(1)?));
        if let Some(id) = picked.filter(|_| read) {
            return Ok(id.clone());
        }
    }
    let lines: Vec<String> = shown.iter().map(|id| format!("  {}", line(id))).collect();
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Err(CliError::Usage(format!("{word:?} is several sessions; write more of one:\n{}{more}", lines.join("\n"))))
}

fn list_file(state: &Path) -> PathBuf {
    state.join("listed.txt")
}

/// The sessions of the last list, in its order; none where there was none.
pub(crate) fn last_list(state: &Path) -> Vec<SessionId> {
    use std::io::Read as _;
    let mut text = String::new();
    // A name has 64 bytes at most.
    let most = (MOST_LISTED * 65) as u64;
    let read = std::fs::File::open(list_file(state)).and_then(|file| file.take(most).read_to_string(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Keeps a list as the last one. Numbers then mean nothing where that can't be written.
pub(crate) fn keep_list<'a>(state: &Path, ids: impl Iterator<Item = &'a SessionId>) {
    let text: String = ids.take(MOST_LISTED).map(|id| format!("{id}\n")).collect();
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(list_file(state));
    if let Err(error) = opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        tracing::debug!(%error, "the numbers of the list could not be kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;

    fn all() -> Vec<Candidate> {
        let one = |id: &str, goal: &str| Candidate { id: Name::new(id).unwrap(), goal: goal.to_owned() };
        vec![
            one("20261130-200758", "Second try: compare two parsers"),
            one("20261130-200631", "Compare two parsers"),
            one("20261129-110631-night", "Write the release notes"),
        ]
    }

    fn said(word: &str, listed: &[&str]) -> String {
        let listed: Vec<SessionId> = listed.iter().map(|id| Name::new(id).unwrap()).collect();
        match meant(word, &all(), &listed) {
            Meant::One(id) => id.to_string(),
            Meant::Several(ids) => format!("{} of them", ids.len()),
            Meant::Nothing => "none".to_owned(),
        }
    }

    #[test]
    fn a_session_is_named_by_any_part_that_is_its_own() {
        for word in ["758", "20261130-200758", "20261130-2007", "Second", "second try", "try parsers"] {
            assert_eq!(said(word, &[]), "20261130-200758", "{word}");
        }
        assert_eq!(said("20261129", &[]), "20261129-110631-night");
        assert_eq!(said("night", &[]), "20261129-110631-night");
        // The end of one goes before the middle of another.
        assert_eq!(said("0631", &[]), "20261130-200631");
        assert_eq!(said("20261130", &[]), "2 of them");
        assert_eq!(said("compare", &[]), "2 of them");
        for word in ["", " ", "1999", "third"] {
            assert_eq!(said(word, &[]), "none", "{word:?}");
        }
    }

    #[test]
    fn a_number_is_that_of_the_last_list_and_a_minus_counts_back() {
        let listed = ["20261129-110631-night", "20261130-200758"];
        assert_eq!(said("1", &listed), "20261129-110631-night");
        assert_eq!(said("2", &listed), "20261130-200758");
        assert_eq!(said("3", &listed), "none", "no number of the list, and too short to be a part of a name");
        assert_eq!(said("-1", &[]), "20261130-200631");
        assert_eq!(said("-9", &[]), "none");
        // What is gone has no number.
        assert_eq!(said("1", &["20200101-000000"]), "none");
    }
}
