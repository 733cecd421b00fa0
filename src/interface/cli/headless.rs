//! A goal run without the console: records in, progress to stderr, the result to stdout.
//!
//! Not here: what the figures and sentences say (`progress`, `summary`, `stuck`). Invariants: whatever ends the run,
//! its journal is on disk before the exit code is given, or the code says that it is not; where the disk takes nothing,
//! the result is printed first, and then a signal ends the wait; a second signal ends at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

pub(crate) use super::again::{Again, Go, Tries, failed_goals, left_to_do};
use super::args::Form;
use super::error::{CliError, Exit};
use super::leave;
use super::leaving::{Begun, Curfew};
use super::print::Printer;
use super::progress::{self, Telling};
use super::run::Stuck;
use super::session::{Ends, how_to_go_on, person};
use super::summary::Summary;
use crate::domain::protocol::{Command, CommandId, Event, GoalId, Health, Outcome, Record, Role, Subject};
use crate::domain::state::{Gear, GoalPhase, State};
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::host::{Engine, Keeping, LocalClient};
use crate::interface::reading::outlook::{Outlook, outlook_of};
use crate::interface::reading::patience::{Patience, Patient};
use crate::interface::reading::result::result_text;
use crate::interface::report::{Metrics, now_ms};

/// Records taken in at once: a tenth of a second of the busiest fleet.
const BATCH: usize = 256;

/// Between two drawings of the progress line: four a second are read comfortably.
const BEAT: Duration = Duration::from_millis(250);

/// How long the first probes may take before the goal is given all the same: as long as one question of theirs.
const FIRST_LOOK: Duration = Duration::from_secs(2);

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
    patience: Patience,
    state: State,
    client: LocalClient,
    /// What gave the goal; none: the goals were given in an earlier life of the session.
    command: Option<CommandId>,
    /// What is watched.
    goals: Vec<GoalId>,
    /// Those of them that have ended and are to be taken up all the same: a message waits for one of their tasks.
    reopening: Vec<GoalId>,
    awaited: Awaited,
    refused: Option<CleanText>,
    telling: Telling,
    /// Who started it waits to hear that it began.
    announces: bool,
    /// From when on nothing new starts; none once that was said to the session.
    curfew: Option<Curfew>,
}

/// What has to be seen before the state tells how the session gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Awaited {
    Nothing,
    /// That this process took it up.
    Opening,
    /// What became of a command.
    Answer(CommandId),
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

/// A watched session when it has ended: its result is known, also where the journal does not have all of it yet.
#[derive(Clone, Copy)]
pub(crate) struct Finished<'a> {
    /// What is true at the end.
    pub(crate) state: &'a State,
    /// The goals that were watched; at least one.
    pub(crate) goals: &'a [GoalId],
    /// The journal's last records, where its disk did not take them.
    pub(crate) unwritten: &'a [Record],
}

impl<'a> Headless<'a> {
    /// Gives the goal to an engine, once its endpoints were looked at.
    ///
    /// # Errors
    /// [`CliError::Send`].
    pub(crate) async fn begin(
        engine: &Engine,
        command: Command,
        (form, until): (Form, Until),
        printer: &'a mut Printer,
    ) -> Result<Self, CliError> {
        let telling = match (until, printer.words_on_terminal()) {
            (Until::Ended, false) => Telling::All,
            _ => Telling::Trouble,
        };
        let mut watching = Self {
            printer,
            form,
            until,
            stuck: Stuck::Ends,
            patience: Patience::new(None),
            state: State::default(),
            client: engine.client(person(), Role::Control),
            command: None,
            goals: Vec::new(),
            reopening: Vec::new(),
            awaited: Awaited::Nothing,
            refused: None,
            telling,
            announces: false,
            curfew: None,
        };
        watching.first_look().await;
        watching.command = Some(watching.client.send(command)?);
        Ok(watching)
    }

    /// Waits for the first probe of every endpoint, so that nothing is sent to one that is no server of its protocol.
    async fn first_look(&mut self) {
        let deadline = Instant::now() + FIRST_LOOK;
        let is_unknown = |state: &State| {
            state.endpoints().is_empty() || state.endpoints().iter().any(|e| e.health == Health::Unknown)
        };
        let mut batch = Vec::new();
        while is_unknown(&self.state) {
            let more = tokio::time::timeout_at(deadline, self.client.recv(&mut batch, BATCH)).await;
            self.take(&mut batch);
            if more != Ok(true) {
                break;
            }
        }
    }

    /// Says what it does when only the operator can release what is left; it ends when this is not said.
    pub(crate) fn when_stuck(mut self, stuck: Stuck) -> Self {
        self.stuck = stuck;
        self
    }

    /// Says how many seconds of silence it bears while it waits for servers.
    pub(crate) fn with_patience(mut self, seconds: Option<u32>) -> Self {
        self.patience = Patience::new(seconds);
        self
    }

    /// Says that somebody started it and left, and from when on nothing new starts.
    pub(crate) fn left(mut self, announces: bool, curfew: Option<Curfew>) -> Self {
        (self.announces, self.curfew) = (announces, curfew);
        self
    }

    /// Tells who started it that it began, once.
    fn announce(&mut self) {
        if !self.announces || self.goals.is_empty() || self.awaited != Awaited::Nothing || self.refused.is_some() {
            return;
        }
        if let Some(session) = &self.state.session {
            let journal = self.client.journal().map(|path| path.display().to_string()).unwrap_or_default();
            let begun = Begun { session: session.clone(), journal, pid: std::process::id() };
            self.printer.data_line(&serde_json::to_string(&begun).unwrap_or_default());
            self.announces = false;
        }
    }

    /// Lets nothing new start once it is time.
    fn heed_the_time(&mut self) {
        let due = self.curfew.take_if(|curfew| now_ms() >= curfew.at_ms);
        let Some(curfew) = due else { return };
        self.printer.words(&format!("it is {}: nothing new starts, what runs ends", curfew.word));
        if self.state.gear == Gear::Running
            && let Err(error) = self.client.send(Command::Pause)
        {
            self.printer.words(&format!("the session could not be paused: {error}"));
        }
    }

    /// Watches a session that was taken up: `before` is what was true then. None: nothing of it is left to do.
    ///
    /// # Errors
    /// [`CliError::Send`].
    pub(crate) fn again(
        engine: &Engine,
        before: State,
        again: Again,
        form: Form,
        printer: &'a mut Printer,
    ) -> Result<Self, CliError> {
        let mut client = engine.client(person(), Role::Control);
        client.begin_after(before.seq);
        let (mut command, mut awaited) = (None, Awaited::Opening);
        for order in again.commands(&before) {
            let id = client.send(order)?;
            (command, awaited) = (Some(id.clone()), Awaited::Answer(id));
        }
        let telling = if printer.words_on_terminal() { Telling::Trouble } else { Telling::All };
        let left = left_to_do(&before, again.tries);
        let has_ended = |id: &GoalId| before.goal(*id).is_some_and(|g| matches!(g.phase, GoalPhase::Ended(_)));
        let reopening = left.iter().copied().filter(has_ended).collect();
        Ok(Self {
            printer,
            form,
            until: Until::Ended,
            stuck: Stuck::Ends,
            patience: Patience::new(None),
            state: before,
            client,
            command,
            goals: left,
            reopening,
            awaited,
            refused: None,
            telling,
            announces: false,
            curfew: None,
        })
    }

    /// Watches until it is over, ends the session, and waits for its journal; `tell` prints the result, once. What is not
    /// done then can be taken up again, and the command for it is told.
    ///
    /// # Errors
    /// The goal was refused, or the engine broke off, or what it decided could not be kept.
    pub(crate) async fn finish(
        mut self,
        engine: Engine,
        ends: &mut Ends,
        log: &Path,
        mut tell: impl FnMut(Finished<'_>, Exit, &mut Printer) -> Result<Exit, CliError>,
    ) -> Result<Exit, CliError> {
        let mut keeping = engine.keeping();
        let mut watched = self.watch(ends, &mut keeping).await;
        if self.until == Until::Drafted {
            self.telling = Telling::Nothing;
        }
        let mut told = None;
        // Sent rather than called, so that the last records are seen too.
        let closing = self.client.send(Command::EndSession);
        if closing.is_ok() {
            let mut batch = Vec::new();
            loop {
                tokio::select! {
                    // What came is told before what is left of it.
                    biased;
                    more = self.client.recv(&mut batch, BATCH) => {
                        self.take(&mut batch);
                        if !more {
                            break;
                        }
                    }
                    unwritten = Keeping::leaves(&mut keeping), if told.is_none() => {
                        self.printer.clear_bar();
                        let exit = if self.reached() { outcome(&self.state, &self.goals) } else { Exit::NotStarted };
                        let done = Finished { state: &self.state, goals: &self.goals, unwritten: &unwritten.records };
                        let is_given = self.refused.is_none() && !self.goals.is_empty();
                        told = Some(if is_given { tell(done, exit, self.printer) } else { Ok(exit) });
                        leave::tell(&unwritten, self.printer);
                        if matches!(watched, Watched::Signal(_)) {
                            // It came before, and waits for nothing.
                            break;
                        }
                    }
                    number = ends.next() => {
                        if told.is_some() {
                            break;
                        }
                        self.printer.words("ended at once; what was under way is in the journal as far as it came");
                        self.tell_how_to_go_on();
                        return Err(CliError::Killed(number));
                    }
                }
            }
        }
        self.printer.clear_bar();
        let unfinished = engine.end()?.unfinished;
        if matches!(watched, Watched::Over) && self.reached() {
            // What it was over with came in the same moment.
            watched = Watched::Reached;
        }
        if let Some(reason) = self.refused {
            return Err(CliError::Refused(reason));
        }
        if self.goals.is_empty() {
            return Err(CliError::BrokeOff(log.to_owned()));
        }
        let exit = match watched {
            Watched::Reached => outcome(&self.state, &self.goals),
            Watched::Signal(number) => Exit::Signal(number),
            Watched::Stuck(sentences) => {
                self.printer.words("nothing more can run without you:");
                for sentence in sentences {
                    self.printer.words(&format!("  {sentence}"));
                }
                self.tell_how_to_force(
                    "`baton run` with --force-memory starts it all the same; with --wait it stays, for",
                );
                Exit::Operator
            }
            // Somebody who attached ended it.
            Watched::Over if self.state.ended.is_some() => {
                self.printer.words("the session was ended from outside before its goal was");
                Exit::TaskFailed
            }
            Watched::Over => {
                self.tell_how_to_go_on();
                return Err(CliError::BrokeOff(log.to_owned()));
            }
        };
        if unfinished > 0 && self.until == Until::Ended {
            self.tell_how_to_go_on();
        }
        match told {
            Some(told) => told.map(|_| exit),
            None => tell(Finished { state: &self.state, goals: &self.goals, unwritten: &[] }, exit, self.printer),
        }
    }

    fn tell_how_to_go_on(&mut self) {
        if let Some(session) = &self.state.session {
            self.printer.words(&how_to_go_on(session));
        }
    }

    async fn watch(&mut self, ends: &mut Ends, keeping: &mut watch::Receiver<Keeping>) -> Watched {
        let mut batch = Vec::new();
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told: Option<Vec<String>> = None;
        loop {
            tokio::select! {
                more = self.client.recv(&mut batch, BATCH) => {
                    self.take(&mut batch);
                    self.announce();
                    if self.reached() {
                        return Watched::Reached;
                    }
                    if !more {
                        return Watched::Over;
                    }
                }
                // It ended by itself, and only its disk is waited for.
                _ = Keeping::leaves(keeping) => return Watched::Over,
                number = ends.next() => {
                    self.printer.words("ending: what runs is stopped, partial answers are kept");
                    return Watched::Signal(number);
                }
                _ = beat.tick() => {
                    self.heed_the_time();
                    if self.goals.is_empty() || self.awaited != Awaited::Nothing {
                        continue;
                    }
                    let now = self.client.now();
                    // Goes on by itself once the disk has room.
                    let waits = self.state.halted || self.state.attention.contains_key(&Subject::Journal);
                    if waits && !matches!(*keeping.borrow(), Keeping::Broken) {
                        continue;
                    }
                    if self.printer.words_on_terminal() {
                        let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
                        self.printer.bar(&progress::bar(&self.state, &self.goals, now), columns);
                    }
                    match outlook_of(&self.state, &self.goals, now) {
                        Outlook::Moving => {
                            self.patience.gets_on();
                            told = None;
                        }
                        Outlook::Operator(sentences) if self.stuck == Stuck::Waits => {
                            if told.as_ref() != Some(&sentences) {
                                self.wait_for_the_operator(&sentences);
                                told = Some(sentences);
                            }
                        }
                        Outlook::Operator(sentences) => return Watched::Stuck(sentences),
                        Outlook::Servers(waits) => {
                            match self.patience.waits(Instant::now().into(), &self.state, now, &waits) {
                                Patient::Waits(words) => words.iter().for_each(|words| self.printer.words(words)),
                                // With time, a server comes back by itself.
                                Patient::Over if self.stuck == Stuck::Waits => {}
                                Patient::Over => return Watched::Stuck(waits.sentences),
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
        self.tell_how_to_force("started all the same:");
        let session = self.state.session.as_ref().map(ToString::to_string).unwrap_or_default();
        self.printer.words(&format!("waiting; `baton attach {session}` or `baton answer {session}` reach it"));
    }

    /// Names the command that starts what is held for memory, after what is said of it.
    fn tell_how_to_force(&mut self, before: &str) {
        let session = self.state.session.as_ref().map(ToString::to_string).unwrap_or_default();
        let held = |id: &&GoalId| self.state.goal(**id).is_some_and(|g| g.short_of().is_some());
        for goal in self.goals.iter().filter(held) {
            self.printer.words(&format!("{before} `baton ctl --session {session} force {goal}`"));
        }
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
            match (&record.event, &self.awaited) {
                (Event::SessionOpened(_), Awaited::Opening) => self.awaited = Awaited::Nothing,
                (Event::CommandAccepted { id, .. } | Event::CommandRefused { id, .. }, Awaited::Answer(answered))
                    if id == answered =>
                {
                    self.awaited = Awaited::Nothing;
                }
                _ => {}
            }
            match &record.event {
                Event::GoalAdded(added) if self.goals.is_empty() => self.goals.push(added.goal),
                Event::GoalReopened { goal } => self.reopening.retain(|g| g != goal),
                Event::CommandRefused { id, reason, .. } if Some(id) == self.command.as_ref() => {
                    self.refused = Some(reason.clone());
                }
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
        // What was sent may begin again what has ended.
        if self.awaited != Awaited::Nothing {
            return false;
        }
        let is_over = |id: &GoalId| match self.state.goal(*id).map(|g| &g.phase) {
            Some(GoalPhase::Ended(_)) => !self.reopening.contains(id),
            Some(GoalPhase::Draft) => self.until == Until::Drafted,
            _ => false,
        };
        !self.goals.is_empty() && self.goals.iter().all(is_over)
    }
}

/// The exit code that tells how ended goals ended.
pub(crate) fn outcome(state: &State, goals: &[GoalId]) -> Exit {
    let badly = |id: &GoalId| {
        let phase = state.goal(*id).map(|g| &g.phase);
        matches!(phase, Some(GoalPhase::Ended(Outcome::Failed | Outcome::Cancelled)))
    };
    if goals.iter().any(badly) { Exit::TaskFailed } else { Exit::Done }
}

impl Finished<'_> {
    /// Prints the result in the form asked for.
    pub(crate) fn tell(&self, journal: &Path, form: Form, printer: &mut Printer) -> Result<(), CliError> {
        for goal in self.goals {
            let answer = self.answer(*goal, journal)?;
            match form {
                Form::Json => {
                    if let Some(summary) = Summary::of(self.state, *goal, journal, answer) {
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
        }
        let progress = self.state.progress_of(&progress::tasks_of(self.state, self.goals));
        let mut counts = vec![format!("{} of {} done", progress.done, progress.total)];
        if progress.failed > 0 {
            counts.push(format!("{} failed", progress.failed));
        }
        if progress.dropped > 0 {
            counts.push(format!("{} cancelled or skipped", progress.dropped));
        }
        printer.words(&format!("{} · {}", counts.join(" · "), Metrics::of(self.state).words()));
        printer.words(&format!("journal: {}", journal.display()));
        if self.goals.iter().any(|g| failed_goals(self.state).contains(g))
            && let Some(session) = &self.state.session
        {
            printer.words(&format!("what failed is tried anew with: baton resume {session} --failed"));
        }
        Ok(())
    }

    /// A goal's answer, read back from the journal: state keeps no text.
    fn answer(&self, goal: GoalId, journal: &Path) -> Result<Option<String>, CliError> {
        let task = self.state.goal(goal).and_then(|g| g.answer.as_ref());
        match task.and_then(|task| result_text(self.state, task)) {
            Some(place) => Ok(Some(place.read_with(journal, self.unwritten)?)),
            None => Ok(None),
        }
    }
}
