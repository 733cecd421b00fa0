//! `baton sessions`: what sessions there are, and a search through all that was said in them.
//!
//! Not here: what is known of a session and how it is searched (`engine/journal`). Invariant: the newest comes first.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

use super::args::{Form, Global, SessionsArgs};
use super::error::{CliError, Exit};
use super::names::keep_list;
use super::narrow::{NARROW, hang};
use super::print::Printer;
use super::session::{configuration, here};
use crate::domain::protocol::SessionId;
use crate::domain::text::width::{Align, cut_end, pad, width};
use crate::domain::text::{CleanText, Needle};
use crate::engine::journal::{Found, Glance, Halt, SessionSummary, Sessions, search};
use crate::interface::report::{ago, now_ms};
use crate::interface::tui::widget::figure::{clock, count};
use crate::interface::zone::Zone;

/// Matches of one session that are printed: more help nobody, and `/` on the screen goes on from there.
const MOST: usize = 50;

/// A session as JSON.
#[derive(Debug, Serialize)]
struct Row<'a> {
    /// How it stands now.
    state: &'static str,
    /// The process that has it.
    pid: Option<u32>,
    #[serde(flatten)]
    summary: &'a SessionSummary,
}

/// A match as JSON.
#[derive(Debug, Serialize)]
struct Hit<'a> {
    session: &'a SessionId,
    #[serde(flatten)]
    found: &'a Found,
}

/// Lists sessions, or searches them.
///
/// # Errors
/// [`CliError::Source`], [`CliError::Journal`].
pub(crate) fn sessions(args: &SessionsArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let paths = configuration(global)?.paths;
    let sessions = Sessions::new(paths.sessions);
    let halt = Halt::default();
    let mut found = sessions.glance()?;
    for glance in found.iter_mut().filter(|g| !g.is_fresh) {
        glance.summary = sessions.summarise(glance, &halt)?;
    }
    let none = found.is_empty();
    if let Some(filter) = &args.filter {
        let needle = Needle::new(filter);
        found.retain(|g| passes(g, &needle));
    }
    if args.failed {
        found.retain(|g| g.summary.as_ref().is_some_and(|s| s.tasks.failed > 0));
    }
    if let Some(word) = &args.since {
        let (zone, now) = (Zone::here(), now_ms());
        let from = match word.as_str() {
            "yesterday" => zone.yesterday(now),
            time => zone.last(time, now).map_err(CliError::Usage)?,
        };
        let written = |g: &Glance| g.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        found.retain(|g| written(g) >= u128::from(from));
    }
    if args.here {
        let here =
            here().ok_or_else(|| CliError::Usage("--here: this folder is gone; go to one that is there".to_owned()))?;
        let started = |g: &Glance| g.summary.as_ref().and_then(|s| s.folder.clone());
        found.retain(|g| started(g).is_some_and(|folder| Path::new(&folder).starts_with(&here)));
    }
    if let Some(text) = &args.search {
        return look(&sessions, &found, text, global.form(), printer);
    }
    if global.form() == Form::Json {
        printer.json(&found.iter().filter_map(row).collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    if global.form() == Form::JsonLines {
        found.iter().filter_map(row).for_each(|row| line(&row, printer));
        return Ok(Exit::Done);
    }
    match (none, found.is_empty()) {
        (true, _) => {
            printer.words("There is no session yet. `baton run PLAN|GOAL` makes one, and so does the console.")
        }
        (false, true) => printer.words("No session is like that; `baton sessions` alone lists all."),
        (false, false) => {
            match printer.columns().filter(|columns| *columns < NARROW) {
                Some(columns) => stacked(&found, columns, printer),
                None => table(&found, printer),
            }
            keep_list(&paths.state, found.iter().map(|g| &g.id));
        }
    }
    Ok(Exit::Done)
}

/// Whether a needle is in a session's name, goal or state.
fn passes(glance: &Glance, needle: &Needle) -> bool {
    let goal = glance.summary.as_ref().map_or("", |s| s.goal.as_str());
    [glance.id.as_str(), goal, glance.word()].iter().any(|text| needle.find(text, 0).is_some())
}

fn row(glance: &Glance) -> Option<Row<'_>> {
    let pid = glance.runner.and_then(|r| r.pid);
    Some(Row { state: glance.word(), pid, summary: glance.summary.as_ref()? })
}

/// The version of a running session's program, where that is another than this one.
fn engine(glance: &Glance) -> String {
    let runs = glance.runner.is_some();
    let other = glance.summary.as_ref().and_then(SessionSummary::other_version).filter(|_| runs);
    other.map(|version| format!("  Baton {}", CleanText::one_line(version))).unwrap_or_default()
}

fn line(value: &impl Serialize, printer: &mut Printer) {
    match serde_json::to_string(value) {
        Ok(text) => printer.data_line(&text),
        Err(error) => printer.words(&format!("a line could not be written as JSON: {error}")),
    }
}

fn table(found: &[Glance], printer: &mut Printer) {
    let goal_of = |g: &Glance| match &g.summary {
        Some(s) if s.goal.is_empty() => "(no goal)".to_owned(),
        Some(s) => s.goal.to_one_line().to_string(),
        None => String::new(),
    };
    let widest = |of: &dyn Fn(&Glance) -> usize, most: usize| found.iter().map(of).max().unwrap_or(0).min(most);
    let (names, goals) = (widest(&|g| width(g.id.as_str()), 30).max(7), widest(&|g| width(&goal_of(g)), 48).max(4));
    let left = |text: &str, cells: usize| pad(&cut_end(text, cells), cells, Align::Left);
    let right = |text: &str, cells: usize| pad(&cut_end(text, cells), cells, Align::Right);
    let write = |cells: [&str; 8]| {
        let [number, name, goal, state, when, time, tasks, tokens] = cells;
        format!(
            "{}  {}  {}  {}  {}  {}  {}  {}",
            right(number, 3),
            left(name, names),
            left(goal, goals),
            left(state, 10),
            left(when, 11),
            right(time, 8),
            right(tasks, 7),
            right(tokens, 6)
        )
    };
    printer.data_line(&write(["no.", "session", "goal", "state", "started", "time", "tasks", "tokens"]));
    let now = now_ms();
    for (number, glance) in (1..).zip(found) {
        let Some(s) = &glance.summary else { continue };
        let when = s.started_ms.map(|then| ago(now, then)).unwrap_or_default();
        let tasks = format!("{}/{}", s.tasks.done, s.tasks.total);
        let simulated = if s.simulated { "  simulated" } else { "" };
        let line = write([
            &format!("{number}"),
            glance.id.as_str(),
            &goal_of(glance),
            glance.word(),
            &when,
            &clock(s.time),
            &tasks,
            &count(s.tokens),
        ]);
        printer.data_line(&format!("{line}{simulated}{}", engine(glance)));
        if let Some(damage) = &s.damage {
            printer.words(&format!("{}: {damage}", glance.id));
        }
    }
}

/// The same where a table has no room: an entry in several lines, none of them cut.
fn stacked(found: &[Glance], columns: usize, printer: &mut Printer) {
    let now = now_ms();
    for (number, glance) in (1..).zip(found) {
        let Some(s) = &glance.summary else { continue };
        let when = s.started_ms.map(|then| ago(now, then)).unwrap_or_default();
        let goal = if s.goal.is_empty() { "(no goal)".to_owned() } else { s.goal.to_one_line().to_string() };
        let simulated = if s.simulated { " · simulated" } else { "" };
        let figures = format!(
            "{}/{} tasks · {} · {} tokens{simulated}{}",
            s.tasks.done,
            s.tasks.total,
            clock(s.time),
            count(s.tokens),
            engine(glance)
        );
        let lead = format!("{number:>2}  ");
        let mut lines = hang(&lead, &format!("{} · {} · {when}", glance.id, glance.word()), columns);
        lines.extend(hang("    ", &goal, columns));
        lines.extend(hang("    ", &figures, columns));
        if let Some(damage) = &s.damage {
            lines.extend(hang("    ", &damage.to_one_line(), columns));
        }
        lines.iter().for_each(|line| printer.data_line(line));
    }
}

/// Searches the sessions and prints each match as it is found.
fn look(
    sessions: &Sessions,
    found: &[Glance],
    text: &str,
    form: Form,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    if text.is_empty() {
        return Err(CliError::Usage("--search wants a text to look for, as in --search grammar".to_owned()));
    }
    let halt = Halt::default();
    let (mut hits, mut all) = (Vec::new(), 0_usize);
    for glance in found {
        let mut count = 0;
        let ended = search(&sessions.journal(&glance.id)?, text, &halt, &mut |hit| {
            count += 1;
            match form {
                Form::Words => {
                    let task = hit.place.task().map_or_else(String::new, |t| format!(" {t}"));
                    let excerpt = CleanText::one_line(&format!("…{}{}{}…", hit.before, hit.found, hit.after));
                    printer.data_line(&format!("{}{task} {} {excerpt}", glance.id, hit.place.word()));
                }
                Form::JsonLines => line(&Hit { session: &glance.id, found: &hit }, printer),
                Form::Json => hits.push((glance.id.clone(), hit)),
            }
            if count >= MOST || printer.is_gone() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Err(error) = ended {
            printer.words(&format!("{}: {error}", glance.id));
        }
        if count >= MOST {
            printer.words(&format!("{}: only the first {MOST} are shown", glance.id));
        }
        all += count;
        if printer.is_gone() {
            break;
        }
    }
    if form == Form::Json {
        printer.json(&hits.iter().map(|(session, found)| Hit { session, found }).collect::<Vec<_>>());
    } else if all == 0 {
        printer.words(&format!("{} looked through; {text:?} is in none of them", found.len()));
    }
    Ok(Exit::Done)
}
