//! The loop: signals, input, deadlines, records; then a frame when one is due. It owns the terminal, the folded state
//! and what the user does, and is the only place that executes effects.
//!
//! Not here: when a frame is due (`frame`), what a key means ([`super::action`]), what it does
//! ([`super::model`]). Invariants: input waits for at most `BATCH` of records; while nothing changes no timer runs and
//! nothing is written; the engine is reached through the client alone.

mod absent;
mod call;
pub mod driven;
mod files;
mod logs;
mod look;
mod outside;
mod past;
mod sessions;
mod shown;
mod signalled;
mod typed;

pub use call::Notify;
pub use driven::Driven;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::Event;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::action::Keymap;
use super::frame::{FramePolicy, Wish};
use super::model::discovery::Discovery;
use super::model::time::Kind;
use super::model::{Leave, Mouse, Msg, Tone, Ui};
use super::probe::{self, GlyphChoice};
use super::remember::Memory;
use super::scene::Transcripts;
use super::signal::Signals;
use super::terminal::{Bell, Stage, Tty};
use super::theme::{Depth, GlyphSet, Theme, Themes};
use super::time::Reads;
use crate::config::Motion;
use crate::domain::protocol::{Command, Event as Fact, Record};
use crate::domain::state::{Gear, GoalPhase, State};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving};
use look::{Looks, and_more};
use past::Away;

pub use look::Preset;
pub use past::{Forks, Opens};

/// How long records are applied before input has its turn.
const BATCH: Duration = Duration::from_millis(4);
/// Records asked for at once: well under [`BATCH`] at a few microseconds each.
const RECORDS: usize = 512;
/// Lines one notch of the wheel moves.
const NOTCH: i16 = 3;
/// For how long after it was continued the console takes no stop for a new one: signals of one suspension come late.
const RESUMED: Duration = Duration::from_millis(500);
/// How long the session may take to end in order.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a console is started with.
pub struct ConsoleOptions {
    /// The themes there are.
    pub themes: Themes,
    /// The theme's name.
    pub theme: Preset<String>,
    /// Who has the mouse.
    pub mouse: Preset<Mouse>,
    /// Whether anything moves by itself.
    pub motion: Motion,
    /// How many colours.
    pub depth: Depth,
    /// Which glyphs.
    pub glyphs: GlyphChoice,
    /// The keys.
    pub keymap: Keymap,
    /// Where plans are edited and the look is kept; made when needed.
    pub state_folder: PathBuf,
    /// Where answers are saved.
    pub working_folder: PathBuf,
    /// Whether the bell calls the operator from another window.
    pub bell: Bell,
    /// Whether a notification does.
    pub notify: Notify,
    /// What is shown at first.
    pub opens: Opens,
    /// Where the journal is read.
    pub reads: Reads,
    /// Where the search for model servers tells how far it is; none: there is no search.
    pub discovery: Option<watch::Receiver<Discovery>>,
    /// Keeps the fleet that was found; none: it can't be done from here.
    pub keeps: Option<Keeps>,
    /// Makes a new session of a past; none: it can't be done from here.
    pub forks: Option<Forks>,
    /// Said at the start: mistakes in settings, themes and keys.
    pub warnings: Vec<CleanText>,
}

/// Keeps the fleet that was found as a fleet file: where, or why not, in words.
pub type Keeps = Arc<dyn Fn() -> Result<CleanText, CleanText> + Send + Sync>;

/// How a console ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleExit {
    /// The user left, or the session ended.
    Left(Leave),
    /// It parted from the terminal, and all work has ended since.
    Detached,
    /// A signal ended it.
    Terminated,
    /// Something else comes in the same terminal.
    Next(super::model::Next),
}

impl ConsoleExit {
    /// The process's exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Left(Leave::Interrupted) => 130,
            Self::Terminated => 143,
            Self::Left(_) | Self::Detached | Self::Next(_) => 0,
        }
    }
}

/// Why a console could not run.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// There is no terminal, or it can't be taken over.
    #[error("the terminal could not be taken over: {0}; `--headless` works without one")]
    Terminal(#[source] io::Error),
    /// Signals can't be heard.
    #[error("signals could not be listened for: {0}")]
    Signals(#[source] io::Error),
}

/// Runs a console in this process's terminal until it is left. Needs a tokio runtime with I/O and time; made for a
/// current-thread one on the main thread.
///
/// # Errors
/// [`ConsoleError`] when it can't begin. Once begun, a terminal that fails is parted from and the work goes on.
pub async fn run<C: Client>(client: C, options: ConsoleOptions) -> Result<ConsoleExit, ConsoleError> {
    let signals = Signals::listen_to_stops().map_err(ConsoleError::Signals)?;
    let tty = Tty::new().map_err(ConsoleError::Terminal)?;
    let mut console = Console::new(client, tty, signals, options);
    console.begin(Greeting::Ask).map_err(ConsoleError::Terminal)?;
    Ok(console.run().await)
}

/// Whether the terminal is asked how wide it draws signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Ask,
    /// It is not, or there is none.
    Trust,
}

/// Where the loop stands on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Course {
    /// It goes on.
    On,
    /// It ends when nothing runs any more.
    WhenIdle,
    /// The session was asked to end; the loop waits for it until then.
    Ending(ConsoleExit, Instant),
    /// It is over.
    Over(ConsoleExit),
}

/// Whether the terminal was parted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parted {
    No,
    Yes,
}

/// A running console.
struct Console<C: Client, S: Stage> {
    client: C,
    stage: S,
    events: Option<S::Events>,
    signals: Signals,
    options: ConsoleOptions,
    theme: Theme,
    looks: Looks,
    state: State,
    transcripts: Transcripts,
    caches: super::view::Caches,
    ui: Ui,
    policy: FramePolicy,
    began: Instant,
    /// Records that came and are not applied yet.
    waiting: VecDeque<Arc<Record>>,
    /// Whether the client may give more.
    live: bool,
    /// When figures that run on are drawn again.
    tick: Option<Instant>,
    size: (u16, u16),
    /// Whether the terminal said so since the last frame.
    resized: bool,
    title: CleanText,
    course: Course,
    parted: Parted,
    /// When it last came back from being suspended.
    resumed: Option<Instant>,
    /// Keys that came while the terminal was asked something.
    typed: Vec<Event>,
    /// What looks for sessions beside the loop.
    desk: sessions::Desk,
    /// What reads files that a goal names beside the loop.
    files: files::Files,
    /// What reads the log that is shown, if one is.
    logs: logs::Follower,
    /// The past, while it is shown.
    away: Away,
    /// What happened while nobody was here.
    meanwhile: absent::Meanwhile,
}

impl<C: Client, S: Stage> Console<C, S> {
    fn new(client: C, stage: S, signals: Signals, options: ConsoleOptions) -> Self {
        let glyphs = match options.glyphs {
            GlyphChoice::Auto => probe::by_locale(|name| std::env::var(name).ok()),
            GlyphChoice::Unicode => GlyphSet::Unicode,
            GlyphChoice::Ascii => GlyphSet::Ascii,
        };
        let (memory, forgotten) = Memory::load(&options.state_folder);
        let kept = options.theme.clone().or_remembered(memory.kept().theme.clone());
        let (theme, wrong) = options.themes.load(&kept, options.depth, glyphs);
        let mut ui = Ui::default();
        if let Some(discovery) = &options.discovery {
            ui.discovery = discovery.borrow().clone();
        }
        ui.leaving = client.leaving();
        ui.run.lights.motion = options.motion;
        ui.recall(memory.kept());
        let owner = |baton| if baton { Mouse::Baton } else { Mouse::Terminal };
        if matches!(options.opens, Opens::Replay(_)) {
            ui.time.kind = Kind::Replay;
        }
        ui.mouse = options.mouse.clone().or_remembered(memory.kept().mouse.map(owner));
        let wrong = wrong.iter().map(ToString::to_string).chain(forgotten).map(CleanText::from);
        let warnings: Vec<CleanText> = options.warnings.iter().cloned().chain(wrong).collect();
        if let Some(first) = warnings.first() {
            ui.say(and_more(first, warnings.len() - 1), Tone::Warning, client.now());
        }
        let desk = sessions::Desk::new(options.state_folder.join("sessions"));
        let reads = options.reads;
        let looks = Looks { kept, glanced: Instant::now(), memory, pins: None };
        Self {
            client,
            stage,
            events: None,
            signals,
            options,
            theme,
            looks,
            state: State::default(),
            transcripts: Transcripts::default(),
            caches: super::view::Caches::default(),
            ui,
            policy: FramePolicy::default(),
            began: Instant::now(),
            waiting: VecDeque::new(),
            live: true,
            tick: None,
            size: (0, 0),
            resized: false,
            title: CleanText::default(),
            course: Course::On,
            parted: Parted::No,
            resumed: None,
            typed: Vec::new(),
            desk,
            files: files::Files::default(),
            logs: logs::Follower::default(),
            away: Away::new(reads),
            meanwhile: absent::Meanwhile::default(),
        }
    }

    /// Takes the terminal over and draws the first frame, before anything else is done.
    fn begin(&mut self, greeting: Greeting) -> io::Result<()> {
        self.stage.enter()?;
        if self.ui.mouse == Mouse::Baton {
            self.stage.mouse(self.ui.mouse)?;
        }
        self.size = self.stage.size()?;
        self.open_the_past();
        self.act(Msg::Resize(self.size.0, self.size.1));
        let ask = greeting == Greeting::Ask && self.options.glyphs == GlyphChoice::Auto;
        if ask {
            // The question goes out before the frame that covers it, the answer is read after.
            probe::ask(&mut io::stdout())?;
        }
        self.draw()?;
        let mut typed = Vec::new();
        if ask && let Ok(answer) = probe::answer() {
            typed = answer.typed;
            if let Some(glyphs) = answer.glyphs.filter(|g| *g != self.theme.glyphs) {
                self.set_glyphs(glyphs);
                self.stage.clear()?;
                self.draw()?;
            }
        }
        self.events = Some(self.stage.events());
        self.typed = typed;
        // The welcome says what was left unfinished.
        if self.desk.has_sessions() {
            self.desk.list();
        }
        Ok(())
    }

    async fn run(mut self) -> ConsoleExit {
        for event in std::mem::take(&mut self.typed) {
            let effects = self.event(&event);
            self.perform_all(effects).await;
        }
        loop {
            self.turn().await;
            if let Course::Over(exit) = &self.course {
                let exit = exit.clone();
                self.flush_looks();
                // A terminal that is gone needs nothing back.
                let _ = self.stage.leave();
                return exit;
            }
            let now = self.began.elapsed();
            if self.parted == Parted::No && self.policy.is_due(now) && self.draw().is_err() {
                self.part();
            }
        }
    }

    /// Waits for one thing and meets it.
    async fn turn(&mut self) {
        let deadline = self.deadline();
        let mut batch = Vec::new();
        let (live, waiting) = (self.live, !self.waiting.is_empty());
        tokio::select! {
            biased;
            signal = self.signals.next() => self.signalled(signal).await,
            event = next(&mut self.events) => match event {
                Some(Ok(event)) => self.input(event).await,
                // Nothing more comes from a terminal that is gone.
                Some(Err(_)) | None => self.part(),
            },
            found = self.away.seeker.found(), if self.away.seeker.is_busy() => self.found(found),
            () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)).await }, if deadline.is_some() => {
                self.timed().await;
            }
            () = std::future::ready(()), if waiting => self.apply().await,
            Some(news) = self.desk.next() => self.hear(news).await,
            found = searched(&mut self.options.discovery) => {
                self.ui.discovery = found;
                self.policy.want(Wish::Change);
            }
            Some(news) = self.files.next() => self.hear_files(news).await,
            Some(news) = self.logs.next() => self.hear_log(news).await,
            more = self.client.recv(&mut batch, RECORDS), if live && !waiting => {
                self.live = more;
                self.waiting.extend(batch);
                while let Some(words) = self.client.notice() {
                    self.ui.say(words, Tone::Warning, self.client.now());
                }
                self.apply().await;
                if !more {
                    self.over();
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let end = match self.course {
            Course::Ending(_, at) => Some(at),
            _ => None,
        };
        if self.parted == Parted::Yes {
            return end;
        }
        let now = self.client.now();
        let ui = self.eyes().2.deadline(now).map(|at| Instant::now() + Duration::from_micros(at.since(now).0));
        let frame = self.policy.deadline().map(|at| self.began + at);
        [ui, frame, self.tick, end, self.away.due].into_iter().flatten().min()
    }

    /// A deadline came.
    async fn timed(&mut self) {
        let now = Instant::now();
        if let Course::Ending(exit, at) = &self.course
            && *at <= now
        {
            self.course = Course::Over(exit.clone());
            return;
        }
        if self.tick.is_some_and(|at| at <= now) {
            self.tick = None;
            self.policy.want(Wish::Change);
        }
        if self.away.due.is_some_and(|at| at <= now) {
            self.play_on();
        }
        let session = self.client.now();
        if self.eyes().2.deadline(session).is_some_and(|at| at <= session) {
            let effects = self.act(Msg::Tick);
            self.policy.want(Wish::Change);
            self.perform_all(effects).await;
        }
        self.plan_tick();
    }

    /// While something runs, its figures are drawn again once a second. Otherwise no timer runs.
    fn plan_tick(&mut self) {
        let runs = self.state.running().len() > 0
            || self.state.gear == Gear::Running
                && self
                    .state
                    .goals()
                    .iter()
                    .any(|g| g.open > 0 && matches!(g.phase, GoalPhase::Running | GoalPhase::Planning));
        if !runs {
            self.tick = None;
        } else if self.tick.is_none() {
            self.tick = Some(Instant::now() + Duration::from_secs(1));
        }
    }

    /// Applies records that wait, for [`BATCH`] at most.
    async fn apply(&mut self) {
        let began = Instant::now();
        let mut raised = None;
        while let Some(record) = self.waiting.pop_front() {
            self.state.apply(&record);
            self.transcripts.apply(&record);
            self.ui.observe(&self.state, &record);
            self.meanwhile.take(&self.state, &record);
            if let Fact::AttentionRaised { subject, .. } = &record.event {
                raised = Some(subject.clone());
            }
            if began.elapsed() > BATCH {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.caught_up();
        }
        self.recall_pins();
        if self.away.moved.is_none() {
            self.policy.want(Wish::Change);
        }
        self.plan_tick();
        self.retitle();
        if let Some(subject) = raised.filter(|_| self.ui.time.kind == Kind::Live) {
            self.call(&subject);
        }
        if self.course == Course::WhenIdle && self.state.running().len() == 0 {
            self.end(ConsoleExit::Left(Leave::AfterRunning));
        }
        self.end_if_all_is_done();
    }

    /// No record comes any more.
    fn over(&mut self) {
        match &self.course {
            Course::Ending(exit, _) => self.course = Course::Over(exit.clone()),
            Course::Over(_) => {}
            _ if self.parted == Parted::Yes => self.course = Course::Over(ConsoleExit::Detached),
            Course::On | Course::WhenIdle => {
                let text = "the session is over; what is shown stays, q leaves";
                let now = self.client.now();
                self.seen().say(text, Tone::Warning, now);
                self.policy.want(Wish::Change);
            }
        }
    }

    /// Asks the session to end, and waits for it a while.
    fn end(&mut self, exit: ConsoleExit) {
        // A session of another process goes on without this console.
        let closes = !self.live || self.client.leaving() == Leaving::OnlyCloses;
        if closes || self.client.send(Command::EndSession).is_err() {
            self.course = Course::Over(exit);
            return;
        }
        let now = self.client.now();
        self.seen().say("ending the session", Tone::Plain, now);
        self.policy.want(Wish::Key);
        self.course = Course::Ending(exit, Instant::now() + FAREWELL);
    }
}

/// The next event; for ever none while nobody reads.
async fn next<E: futures_util::Stream<Item = io::Result<Event>> + Unpin>(
    events: &mut Option<E>,
) -> Option<io::Result<Event>> {
    match events {
        Some(events) => pin!(events).next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod look_tests;
#[cfg(test)]
mod past_tests;
#[cfg(test)]
mod tests;

/// What the search tells next; for ever nothing once it has ended. Dropping the future loses nothing.
async fn searched(discovery: &mut Option<watch::Receiver<Discovery>>) -> Discovery {
    if let Some(told) = discovery {
        if told.changed().await.is_ok() {
            return told.borrow_and_update().clone();
        }
        *discovery = None;
    }
    std::future::pending().await
}
