//! `baton ctl restart`: a running session goes on in a new process of the program that asks.
//!
//! The old process ends as with `ctl end` (what was said of open turns is kept), the new one takes the session up in the
//! background with what the old one says of itself; consoles that are attached follow. Kept servers are adopted by the new
//! process; those of the session end with the old one and are started again as at any resume. Not here: sessions that
//! somebody else holds, a console on its terminal or a command that waits for its result: they are refused, because no
//! other process can give back that terminal, or that result. Invariant: whether it goes on is known before this returns.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::{Instant, sleep, timeout};

use super::args::{Form, Global};
use super::attach::{reach, the_one};
use super::error::{CliError, Exit};
use super::print::Printer;
use crate::config::Config;
use crate::domain::protocol::Command;
use crate::engine::servers::Identity;
use crate::interface::remote::{Call, Given, Held, SessionInfo, Verdict, announce, withdraw};

/// What the old process may take to keep its turns, stop its servers and end.
const ENDING: Duration = Duration::from_secs(60);

/// What the new one may take to read the journal and ask its servers.
const BEGINNING: Duration = Duration::from_secs(60);

/// How often it is looked whether the old one has ended.
const LOOK: Duration = Duration::from_millis(50);

/// The most that is read of what a process says before it begins.
const MOST_WORDS: u64 = 16 * 1024;

/// Which sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The one that is named, or runs alone.
    One,
    /// All that run.
    All,
}

/// Restarts sessions, one after the other.
///
/// # Errors
/// None runs, or several do and none was named. A session that can't be restarted is told, and is exit code 1.
pub(super) async fn restart(
    config: &Config,
    wish: Option<&str>,
    which: Which,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    if global.read_only {
        let words = "who only looks (--read-only) restarts nothing; leave that flag away";
        return Err(CliError::Usage(words.to_owned()));
    }
    let reached = match which {
        Which::One => vec![the_one(config, wish, Given::Key, printer).await?],
        Which::All => reach(config, wish, Given::Key, printer).await?,
    };
    if reached.is_empty() {
        return Err(CliError::NoneRuns);
    }
    let (mut exit, mut told) = (Exit::Done, Vec::new());
    for (call, info) in &reached {
        let (session, ours) = (&info.session, env!("CARGO_PKG_VERSION"));
        match one(call, info).await {
            Ok(begun) => {
                let pid = begun.get("pid").cloned().unwrap_or_default();
                printer_words(global, printer, &format!("{session}: goes on in a new process of version {ours}"));
                told.push(json!({"session": session, "pid": pid, "version": ours, "before": info.program}));
            }
            Err(why) => {
                exit = Exit::TaskFailed;
                printer.words(&format!("{session}: {why}"));
                told.push(json!({"session": session, "error": why}));
            }
        }
    }
    match (global.form(), which) {
        (Form::Words, _) => {}
        (Form::Json, _) => printer.json(&told),
        (Form::JsonLines, _) => told.iter().for_each(|line| printer.data_line(&line.to_string())),
    }
    Ok(exit)
}

fn printer_words(global: &Global, printer: &mut Printer, words: &str) {
    if global.form() == Form::Words {
        printer.data_line(words);
    }
}

/// Why a session stays as it is, if it does.
fn refusal(info: &SessionInfo) -> Option<String> {
    if info.held == Held::Console {
        return Some(
            "not restarted: its process holds a console on a terminal; q and then d there (detach) lets go of it, and \
             then it can be restarted"
                .to_owned(),
        );
    }
    let session = &info.session;
    match (info.again.is_empty(), info.folder.is_empty()) {
        (false, _) => None,
        (true, true) => Some(format!(
            "not restarted: its engine ({}) does not know how to be; `baton ctl --session {session} end`, then \
             `baton resume {session}` do the same",
            info.program.escape_debug()
        )),
        (true, false) => Some(
            "not restarted: a command waits for its result, and would get none; start such a run with --detach"
                .to_owned(),
        ),
    }
}

/// Restarts one; what the new process says of itself, else why not.
async fn one(call: &Call, info: &SessionInfo) -> Result<Value, String> {
    if let Some(words) = refusal(info) {
        return Err(words);
    }
    let journal = Path::new(&info.journal);
    let old = Identity::of(info.pid);
    announce(journal, info.pid)
        .map_err(|error| format!("not restarted: can't write beside {}: {error}", info.journal))?;
    let went = ended(call, old).await;
    let went = match went {
        Ok(()) => begin(info).await,
        Err(words) => Err(words),
    };
    went.inspect_err(|_| withdraw(journal))
}

/// Ends the old process.
async fn ended(call: &Call, old: Option<Identity>) -> Result<(), String> {
    match call.command(None, &Command::EndSession, None).await {
        Ok((Verdict::Accepted, _)) => {}
        Ok((Verdict::Refused(reason), _)) => return Err(format!("not restarted: {reason}")),
        Err(error) => return Err(format!("not restarted: {error}")),
    }
    let deadline = Instant::now() + ENDING;
    while old.as_ref().is_some_and(Identity::lives) {
        if Instant::now() >= deadline {
            return Err(format!(
                "it was told to end and has not in {} s (its disk may take nothing); `baton resume` takes it up when it has",
                ENDING.as_secs()
            ));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Starts the new process and waits until it says that it has begun.
async fn begin(info: &SessionInfo) -> Result<Value, String> {
    let session = &info.session;
    let not = |why: &str| format!("it ended and was not taken up again: {why}; `baton resume {session}` tries it anew");
    let program = std::env::current_exe().map_err(|error| not(&format!("can't find this program: {error}")))?;
    let mut command = tokio::process::Command::new(program);
    command.args(&info.again).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let folder = Path::new(&info.folder);
    // One that was removed meanwhile is nothing to fail for.
    if folder.is_dir() {
        command.current_dir(folder);
    }
    let mut child = command.spawn().map_err(|error| not(&error.to_string()))?;
    let mut first = String::new();
    if let Some(out) = child.stdout.take() {
        let mut out = BufReader::new(out).take(MOST_WORDS);
        // One that says nothing has not begun.
        let _ = timeout(BEGINNING, out.read_line(&mut first)).await;
    }
    if let Ok(begun) = serde_json::from_str::<Value>(&first)
        && begun.get("session").is_some()
    {
        return Ok(begun);
    }
    // It is told to end before its last words are read: one that hangs says none.
    let _ = child.start_kill();
    let mut words = Vec::new();
    if let Some(err) = child.stderr.take() {
        let _ = timeout(Duration::from_secs(2), err.take(MOST_WORDS).read_to_end(&mut words)).await;
    }
    let words = String::from_utf8_lossy(&words);
    Err(not(words.trim().lines().last().unwrap_or("it said nothing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_holds_is_refused_in_words() {
        let info = |more: Value| {
            let mut info = json!({
                "session": "s", "journal": "", "program": "0.0.9", "pid": 1, "seq": 1, "at": 0, "gear": "running",
                "simulated": true, "goals": [], "open": 3, "viewers": [], "control": null,
            });
            info.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            refusal(&serde_json::from_value(info).unwrap())
        };
        // An engine of before there were restarts says nothing of it.
        assert!(info(json!({})).unwrap().contains("its engine (0.0.9) does not know how"));
        assert!(info(json!({"folder": "/"})).unwrap().contains("a command waits for its result"));
        let again = json!({"folder": "/", "again": ["serve"], "held": "console"});
        assert!(info(again).unwrap().contains("detach"));
        assert_eq!(info(json!({"folder": "/", "again": ["serve"]})), None);
    }
}
