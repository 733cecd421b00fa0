//! Starting a run and leaving it: a run of its own without a terminal, a time from which nothing new starts, a command at
//! the end.
//!
//! Not here: the run itself (`headless`). Invariants: who leaves knows that it began, or why not, before the shell is given
//! back; a run that was left stays for its operator as with `--wait`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::args::{Form, Global};
use super::error::{CliError, Exit, system};
use super::headless::Finished;
use super::print::Printer;
use super::run::Stuck;
use super::zone::{Zone, seconds_of};
use crate::domain::protocol::SessionId;
use crate::domain::state::GoalPhase;
use crate::interface::remote::{Again, is_announced};
use crate::interface::report::now_ms;

/// The flag that starts a run and leaves it, and the one it becomes for the run that is left.
const LEAVES: (&str, &str) = ("--detach", "--detached");

/// How long the command at the end may take before it is left alone.
const AT_THE_END: Duration = Duration::from_secs(60);

/// What `run` and `resume` take of this.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Leaving {
    /// Start it without a terminal, print its session, and return. It stays, as with --wait; `baton attach` shows it.
    #[arg(long)]
    pub(crate) detach: bool,
    /// This is the run that was left. Not typed.
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
    /// Start nothing new from this time of day on (the session is paused then; what runs ends). Without the console.
    #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
    pub(crate) until: Option<String>,
    /// Run this with `sh -c` when it is over: a line of JSON on its stdin, BATON_SESSION and BATON_EXIT set. Without the
    /// console.
    #[arg(long, value_name = "CMD")]
    pub(crate) on_done: Option<String>,
}

fn time_of_day(text: &str) -> Result<String, String> {
    seconds_of(text).map(|_| text.trim().to_owned())
}

/// The time from which nothing new starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Curfew {
    /// As it was typed.
    pub(crate) word: String,
    /// In milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// What a run says first, for who started it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The session.
    pub(crate) session: SessionId,
    /// Its journal.
    pub(crate) journal: String,
    /// Its process.
    pub(crate) pid: u32,
}

/// What the command at the end is told.
#[derive(Debug, Serialize)]
struct Over<'a> {
    session: String,
    goal: &'a str,
    exit: u8,
    done: u32,
    failed: u32,
    unfinished: bool,
    answer_with: String,
}

impl Leaving {
    /// What is meant by `--until`, from now on.
    ///
    /// # Errors
    /// [`CliError::Usage`].
    pub(crate) fn curfew(&self) -> Result<Option<Curfew>, CliError> {
        let Some(word) = &self.until else { return Ok(None) };
        let at_ms = Zone::here().next(word, now_ms()).map_err(CliError::Usage)?;
        Ok(Some(Curfew { word: word.clone(), at_ms }))
    }

    /// Whether it stays when only the operator can release what is left.
    pub(crate) fn stuck(&self, typed: Stuck) -> Stuck {
        if self.detached { Stuck::Waits } else { typed }
    }

    /// What goes to stdout: of the run that was left, one line for who started it.
    pub(crate) fn form(&self, global: &Global) -> Form {
        if self.detached { Form::Words } else { global.form() }
    }

    /// Refuses what a console does not do.
    ///
    /// # Errors
    /// [`CliError::Usage`].
    pub(crate) fn check_console(&self) -> Result<(), CliError> {
        if self.until.is_none() && self.on_done.is_none() {
            return Ok(());
        }
        let words = "--until and --on-done go with --detach or --headless; in the console P pauses";
        Err(CliError::Usage(words.to_owned()))
    }

    /// How another process takes the run up again: only one that was left has nobody who waits for its result.
    pub(crate) fn again(&self, global: &Global) -> Again {
        if !self.detached {
            return Again::Never;
        }
        let until = self.until.iter().flat_map(|word| ["--until".to_owned(), word.clone()]);
        let on_done = self.on_done.iter().flat_map(|command| ["--on-done".to_owned(), command.clone()]);
        let patience = global.patience.iter().flat_map(|seconds| ["--patience".to_owned(), seconds.to_string()]);
        Again::Runs(until.chain(on_done).chain(patience).collect())
    }

    /// Leaves the terminal's session, in the run that was left.
    pub(crate) fn part(&self) {
        if self.detached {
            // Who leads one already is as free of the terminal.
            let _ = rustix::process::setsid();
        }
    }

    /// Tells what came of a run, and runs the command at the end, if there is one.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(crate) fn tell(
        &self,
        done: &Finished<'_>,
        exit: Exit,
        (journal, form): (&Path, Form),
        printer: &mut Printer,
    ) -> Result<Exit, CliError> {
        done.tell(journal, form, printer)?;
        // A restart is not its end.
        if !is_announced(journal, std::process::id()) {
            self.over(done, exit, printer);
        }
        Ok(exit)
    }

    fn over(&self, finished: &Finished<'_>, exit: Exit, printer: &mut Printer) {
        let Some(command) = &self.on_done else { return };
        let state = &finished.state;
        let session = state.session.as_ref().map(ToString::to_string).unwrap_or_default();
        let goals = || finished.goals.iter().filter_map(|id| state.goal(*id));
        let progress = state.progress(None);
        let exit = exit.number();
        let over = Over {
            goal: goals().next().map_or("", |g| g.text.as_str()),
            exit,
            done: progress.done,
            failed: progress.failed,
            unfinished: goals().any(|g| !matches!(g.phase, GoalPhase::Ended(_))),
            answer_with: format!("baton report {session}"),
            session: session.clone(),
        };
        let line = serde_json::to_string(&over).unwrap_or_default();
        let ran = run(command, &line, [("BATON_SESSION", &session), ("BATON_EXIT", &exit.to_string())], self.detached);
        if let Err(error) = ran {
            printer.words(&format!("--on-done could not be run: {error}"));
        }
    }
}

fn run(command: &str, line: &str, variables: [(&str, &str); 2], detached: bool) -> std::io::Result<()> {
    let mut child = Process::new("/bin/sh")
        .args(["-c", command])
        .envs(variables)
        .stdin(Stdio::piped())
        // What it prints is not the run's answer.
        .stdout(Stdio::null())
        .stderr(if detached { Stdio::null() } else { Stdio::inherit() })
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing has its right.
        let _ = writeln!(stdin, "{line}");
    }
    let began = Instant::now();
    while began.elapsed() < AT_THE_END {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // It goes on without us.
    Ok(())
}

/// Starts this very command as a run of its own and waits until it began, or did not.
///
/// # Errors
/// [`CliError::System`] when no process can be started.
pub(crate) fn leave(global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let own = std::env::current_exe().map_err(system("find this program"))?;
    let arguments = std::env::args_os().skip(1).map(|a| if a == LEAVES.0 { LEAVES.1.into() } else { a });
    let mut child = Process::new(own)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(system("start a run of its own"))?;
    let words = child.stderr.take();
    let listening = words.map(|words| {
        std::thread::spawn(move || {
            let mut printer = Printer::new();
            // Until it began these are words on why it does, or does not.
            BufReader::new(words).lines().map_while(Result::ok).for_each(|line| printer.words(&line));
        })
    });
    let mut first = String::new();
    if let Some(out) = child.stdout.take() {
        let _ = BufReader::new(out).read_line(&mut first);
    }
    let Ok(begun) = serde_json::from_str::<Begun>(&first) else {
        let status = child.wait().map_err(system("wait for the run"))?;
        if let Some(listening) = listening {
            let _ = listening.join();
        }
        // One that ended well before it began did not begin.
        let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
        return Ok(code.map_or(Exit::NotStarted, Exit::Code));
    };
    match global.form() {
        Form::Words => printer.data_line(begun.session.as_str()),
        Form::Json => printer.json(&begun),
        Form::JsonLines => printer.data_line(first.trim_end()),
    }
    let session = &begun.session;
    printer.words(&format!(
        "it runs on without this terminal: `baton attach {session}` shows it, `baton inbox` lists what waits for you, \
         `baton report {session} --since attach` tells what happened since"
    ));
    Ok(Exit::Done)
}
