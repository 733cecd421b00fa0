//! A goal run without the console: records in, progress to stderr, the result to stdout.
//!
//! Not here: what the figures and sentences say (`progress`, `summary`, `stuck`). Invariants: whatever ends the run,
//! its journal is on disk before the exit code is given; a second signal ends at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::args::Form;
use super::error::{CliError, Exit};
use super::print::Printer;
use super::progress::{self, Telling};
use super::run::Stuck;
use super::session::{Ends, person};
use super::stuck::{Outlook, outlook};
use super::summary::{Metrics, Summary, result_text};
use crate::domain::protocol::{Command, CommandId, Event, GoalId, Outcome, Record, Role, Subject};
use crate::domain::state::{GoalPhase, State};
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::host::{Engine, LocalClient};

/// Records taken in at once: a tenth of a second of the busiest fleet.
const BATCH: usize = 256;

/// Between two drawings of the progress line: four a second are read comfortably.
const BEAT: Duration = Duration::from_millis(250);

/// How long a goal waits for servers while nothing else can run, before the operator is needed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run is over with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The goal's end.
    Ended,
    /// Its plan waiting for review.
    Drafted,
}

/// A session watched to its end.
pub(crate) struct Headless<'a> {
    printer: &'a mut Printer,
    form: Form,
    until: Until,
    stuck: Stuck,
    state: State,
    client: LocalClient,
    command: CommandId,
    goal: Option<GoalId>,
    refused: Option<CleanText>,
    telling: Telling,
}

/// How the watching ended.
enum Watched {
    /// What was waited for happened.
    Reached,
    /// By a signal.
    Signal(u8),
    /// Only the operator can go on.
    Stuck(Vec<String>),
    /// The session is over.
    Over,
}

/// A watched session after its end.
pub(crate) struct Finished {
    /// What is true at the end.
    pub(crate) state: State,
    /// The goal.
    pub(crate) goal: GoalId,
    /// The exit code.
    pub(crate) exit: Exit,
}

impl<'a> Headless<'a> {
    /// Gives the goal to an engine.
    ///
    /// # Errors
    /// [`CliError::Send`].
    pub(crate) fn begin(
        engine: &Engine,
        command: Command,
        (form, until): (Form, Until),
        printer: &'a mut Printer,
    ) -> Result<Self, CliError> {
        let client = engine.client(person(), Role::Control);
        let command = client.send(command)?;
        let telling = match (until, printer.words_on_terminal()) {
            (Until::Ended, false) => Telling::All,
            _ => Telling::Trouble,
        };
        let stuck = Stuck::Ends;
        let state = State::default();
        Ok(Self { printer, form, until, stuck, state, client, command, goal: None, refused: None, telling })
    }

    /// Says what it does when only the operator can release what is left; it ends when this is not said.
    pub(crate) fn when_stuck(mut self, stuck: Stuck) -> Self {
        self.stuck = stuck;
        self
    }

    /// Watches until it is over, ends the session, and waits for its journal.
    ///
    /// # Errors
    /// The goal was refused, or the engine broke off.
    pub(crate) async fn finish(mut self, engine: Engine, ends: &mut Ends, log: &Path) -> Result<Finished, CliError> {
        let watched = self.watch(ends).await;
        // As it is before the end cancels what is left.
        let phase = self.goal.and_then(|g| self.state.goal(g)).map(|g| g.phase.clone());
        if phase == Some(GoalPhase::Draft) {
            self.telling = Telling::Nothing;
        }
        // Sent rather than called, so that the last records are seen too.
        let closing = self.client.send(Command::EndSession);
        if closing.is_ok() {
            let mut batch = Vec::new();
            loop {
                tokio::select! {
                    more = self.client.recv(&mut batch, BATCH) => {
                        self.take(&mut batch);
                        if !more {
                            break;
                        }
                    }
                    number = ends.next() => {
                        self.printer.words("ended at once; what was under way is in the journal as far as it came");
                        return Err(CliError::Killed(number));
                    }
                }
            }
        }
        self.printer.clear_bar();
        engine.end()?;
        if let Some(reason) = self.refused {
            return Err(CliError::Refused(reason));
        }
        let Some(goal) = self.goal else { return Err(CliError::BrokeOff(log.to_owned())) };
        let exit = match watched {
            Watched::Reached => match phase {
                Some(GoalPhase::Ended(Outcome::Failed | Outcome::Cancelled)) => Exit::TaskFailed,
                _ => Exit::Done,
            },
            Watched::Signal(number) => Exit::Signal(number),
            Watched::Stuck(sentences) => {
                self.printer.words("nothing more can run without you:");
                for sentence in sentences {
                    self.printer.words(&format!("  {sentence}"));
                }
                Exit::Operator
            }
            // Somebody who attached ended it.
            Watched::Over if self.state.ended.is_some() => {
                self.printer.words("the session was ended from outside before its goal was");
                Exit::TaskFailed
            }
            Watched::Over => return Err(CliError::BrokeOff(log.to_owned())),
        };
        Ok(Finished { state: self.state, goal, exit })
    }

    async fn watch(&mut self, ends: &mut Ends) -> Watched {
        let mut batch = Vec::new();
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting_since: Option<Instant> = None;
        let mut told: Option<Vec<String>> = None;
        loop {
            tokio::select! {
                more = self.client.recv(&mut batch, BATCH) => {
                    self.take(&mut batch);
                    if self.reached() {
                        return Watched::Reached;
                    }
                    if !more {
                        return Watched::Over;
                    }
                }
                number = ends.next() => {
                    self.printer.words("ending: what runs is cancelled, partial answers are kept");
                    return Watched::Signal(number);
                }
                _ = beat.tick() => {
                    let Some(goal) = self.goal else { continue };
                    let now = self.client.now();
                    if self.printer.words_on_terminal() {
                        let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
                        self.printer.bar(&progress::bar(&self.state, goal, now), columns);
                    }
                    match outlook(&self.state, goal, now) {
                        Outlook::Moving => (waiting_since, told) = (None, None),
                        // With time, a server comes back by itself.
                        Outlook::Servers(_) if self.stuck == Stuck::Waits => {}
                        Outlook::Operator(sentences) if self.stuck == Stuck::Waits => {
                            if told.as_ref() != Some(&sentences) {
                                self.wait_for_the_operator(&sentences);
                                told = Some(sentences);
                            }
                        }
                        Outlook::Operator(sentences) => return Watched::Stuck(sentences),
                        Outlook::Servers(sentences) => {
                            let since = *waiting_since.get_or_insert_with(|| {
                                let seconds = PATIENCE.as_secs();
                                self.printer.words(&format!("waiting up to {seconds} s for a server to answer: {}", sentences.join("; ")));
                                Instant::now()
                            });
                            if since.elapsed() >= PATIENCE {
                                return Watched::Stuck(sentences);
                            }
                        }
                    }
                }
            }
        }
    }

    fn wait_for_the_operator(&mut self, sentences: &[String]) {
        self.printer.words("nothing more can run without you:");
        for sentence in sentences {
            self.printer.words(&format!("  {sentence}"));
        }
        let session = self.state.session.as_ref().map(ToString::to_string).unwrap_or_default();
        self.printer.words(&format!("waiting; `baton attach {session}` or `baton answer {session}` reach it"));
    }

    fn take(&mut self, batch: &mut Vec<Arc<Record>>) {
        for record in batch.drain(..) {
            let before = match &record.event {
                Event::EndpointChanged(changed) => {
                    let ix = self.state.find_endpoint(&changed.endpoint);
                    ix.map(|ix| self.state.endpoint(ix).health.clone())
                }
                _ => None,
            };
            self.state.apply(&record);
            match &record.event {
                Event::GoalAdded(added) if self.goal.is_none() => self.goal = Some(added.goal),
                Event::CommandRefused { id, reason, .. } if *id == self.command => self.refused = Some(reason.clone()),
                _ => {}
            }
            let is_review = matches!(&record.event, Event::AttentionRaised { subject: Subject::Review(_), .. });
            if !(is_review && self.until == Until::Drafted)
                && let Some(line) = progress::line(&self.state, &record, before.as_ref(), self.telling)
            {
                self.printer.words(&line);
            }
            if self.form == Form::JsonLines
                && let Ok(line) = serde_json::to_string(&*record)
            {
                self.printer.data_line(&line);
            }
        }
    }

    fn reached(&self) -> bool {
        if self.refused.is_some() {
            return true;
        }
        let phase = self.goal.and_then(|g| self.state.goal(g)).map(|g| &g.phase);
        match phase {
            Some(GoalPhase::Ended(_)) => true,
            Some(GoalPhase::Draft) => self.until == Until::Drafted,
            _ => false,
        }
    }
}

impl Finished {
    /// Prints the result in the form asked for.
    pub(crate) fn tell(&self, journal: &Path, form: Form, printer: &mut Printer) -> Result<(), CliError> {
        let answer = self.answer(journal)?;
        match form {
            Form::Json => {
                if let Some(summary) = Summary::of(&self.state, self.goal, journal, answer) {
                    printer.json(&summary);
                }
            }
            Form::JsonLines => {}
            Form::Words => {
                if let Some(answer) = answer {
                    printer.data_line(answer.trim_end());
                }
            }
        }
        let progress = self.state.progress(Some(self.goal));
        let mut counts = vec![format!("{} of {} done", progress.done, progress.total)];
        if progress.failed > 0 {
            counts.push(format!("{} failed", progress.failed));
        }
        if progress.dropped > 0 {
            counts.push(format!("{} cancelled or skipped", progress.dropped));
        }
        printer.words(&format!("{} · {}", counts.join(" · "), Metrics::of(&self.state).words()));
        printer.words(&format!("journal: {}", journal.display()));
        Ok(())
    }

    /// The goal's answer, read back from the journal: state keeps no text.
    fn answer(&self, journal: &Path) -> Result<Option<String>, CliError> {
        let task = self.state.goal(self.goal).and_then(|g| g.answer.as_ref());
        match task.and_then(|task| result_text(&self.state, task)) {
            Some(place) => Ok(Some(place.read(journal)?)),
            None => Ok(None),
        }
    }
}
