//! The loop: signals, input, deadlines, records; then a frame when one is due. It owns the terminal, the folded state
//! and what the user does, and is the only place that executes effects.
//!
//! Not here: when a frame is due (`frame`), what a key means ([`super::action`]), what it does
//! ([`super::model`]). Invariants: input waits for at most `BATCH` of records; while nothing changes no timer runs and
//! nothing is written; the engine is reached through the client alone.

mod call;
mod look;
mod outside;
mod sessions;
mod signalled;

pub use call::Notify;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event, KeyEventKind, MouseButton, MouseEventKind};
use futures_util::StreamExt;
use ratatui::layout::Rect;
use tokio::time::Instant;

use super::action::{Action, Context, Keymap};
use super::frame::{FramePolicy, Gaze, Wish};
use super::model::run::Drawn;
use super::model::{Leave, Mouse, Msg, Screen, Tone, Ui, UiEffect};
use super::probe::{self, GlyphChoice};
use super::remember::Memory;
use super::scene::{Scene, Transcripts};
use super::signal::Signals;
use super::terminal::{Bell, Stage, Tty};
use super::theme::{Depth, GlyphSet, Theme, Themes};
use crate::config::Motion;
use crate::domain::protocol::{Command, Event as Fact, Record};
use crate::domain::state::{Gear, GoalPhase, State};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving};
use look::{Glance, Looks, and_more};

pub use look::Preset;

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
    /// Said at the start: mistakes in settings, themes and keys.
    pub warnings: Vec<CleanText>,
}

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
    #[cfg(test)]
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
        ui.leaving = client.leaving();
        ui.run.lights.motion = options.motion;
        ui.recall(memory.kept());
        let owner = |baton| if baton { Mouse::Baton } else { Mouse::Terminal };
        ui.mouse = options.mouse.clone().or_remembered(memory.kept().mouse.map(owner));
        let wrong = wrong.iter().map(ToString::to_string).chain(forgotten).map(CleanText::from);
        let warnings: Vec<CleanText> = options.warnings.iter().cloned().chain(wrong).collect();
        if let Some(first) = warnings.first() {
            ui.say(and_more(first, warnings.len() - 1), Tone::Warning, client.now());
        }
        let desk = sessions::Desk::new(options.state_folder.join("sessions"));
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
        }
    }

    /// Takes the terminal over and draws the first frame, before anything else is done.
    fn begin(&mut self, greeting: Greeting) -> io::Result<()> {
        self.stage.enter()?;
        if self.ui.mouse == Mouse::Baton {
            self.stage.mouse(self.ui.mouse)?;
        }
        self.size = self.stage.size()?;
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
            () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)).await }, if deadline.is_some() => {
                self.timed().await;
            }
            () = std::future::ready(()), if waiting => self.apply().await,
            Some(news) = self.desk.next() => self.hear(news).await,
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
        let ui = self.ui.deadline(now).map(|at| Instant::now() + Duration::from_micros(at.since(now).0));
        let frame = self.policy.deadline().map(|at| self.began + at);
        [ui, frame, self.tick, end].into_iter().flatten().min()
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
        let session = self.client.now();
        if self.ui.deadline(session).is_some_and(|at| at <= session) {
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
            if let Fact::AttentionRaised { subject, .. } = &record.event {
                raised = Some(subject.clone());
            }
            if began.elapsed() > BATCH {
                break;
            }
        }
        self.recall_pins();
        self.policy.want(Wish::Change);
        self.plan_tick();
        self.retitle();
        if let Some(subject) = raised {
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
                self.ui.say(text, Tone::Warning, self.client.now());
                self.policy.want(Wish::Change);
            }
        }
    }

    fn act(&mut self, msg: Msg) -> Vec<UiEffect> {
        self.ui.update(msg, &self.state, self.client.now())
    }

    /// One event and those that came with it: a paste without brackets, a window being dragged.
    async fn input(&mut self, event: Event) {
        let mut next = Some(event);
        // The limit gives records their turn while a key is held down over a slow line.
        for _ in 0..64 {
            let Some(event) = next else { break };
            let effects = self.event(&event);
            self.perform_all(effects).await;
            if self.course != Course::On && self.course != Course::WhenIdle {
                return;
            }
            next = self.ready().await;
        }
    }

    /// An event that has come already.
    ///
    /// Polled with this task's own waker: crossterm's stream keeps the first waker it is given, so one that wakes
    /// nobody (`now_or_never`) would leave the console deaf.
    async fn ready(&mut self) -> Option<Event> {
        let events = self.events.as_mut()?;
        std::future::poll_fn(|context| match events.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(event))) => Poll::Ready(Some(event)),
            // An end or an error comes again to whoever waits.
            Poll::Ready(_) | Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn event(&mut self, event: &Event) -> Vec<UiEffect> {
        match event {
            // Terminals that tell when a key is let go say everything twice otherwise.
            Event::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
            Event::Key(key) => {
                self.policy.want(Wish::Key);
                let contexts = self.ui.contexts(&self.state);
                let action = self.options.keymap.lookup(&contexts, *key);
                self.look_at_themes(if action == Some(Action::Refresh) { Glance::Now } else { Glance::InPassing });
                match action {
                    Some(Action::Quit) if super::action::Key::of(*key).to_string() == "ctrl-c" => {
                        self.ui.interrupt(&self.state, self.client.now())
                    }
                    Some(action) => self.act(Msg::Action(action)),
                    None if matches!(contexts.first(), Some(Context::Text | Context::Card)) => self.act(Msg::Key(*key)),
                    None => {
                        if let Some(words) = self.options.keymap.refusal(&contexts, *key) {
                            self.ui.say(words, Tone::Plain, self.client.now());
                        }
                        Vec::new()
                    }
                }
            }
            Event::Paste(text) => {
                self.policy.want(Wish::Key);
                if self.ui.contexts(&self.state).first() == Some(&Context::Text) {
                    return self.act(Msg::Paste(CleanText::new(text)));
                }
                let words = "a paste here would press keys, so nothing was done; open a text field first";
                self.ui.say(words, Tone::Warning, self.client.now());
                Vec::new()
            }
            Event::Mouse(mouse) if self.ui.mouse == Mouse::Baton => {
                let msg = match mouse.kind {
                    MouseEventKind::Down(MouseButton::Left) => Msg::Click(mouse.column, mouse.row),
                    MouseEventKind::Drag(MouseButton::Left) => Msg::Drag(mouse.column, mouse.row),
                    MouseEventKind::Up(MouseButton::Left) => Msg::Release(mouse.column, mouse.row),
                    MouseEventKind::ScrollUp => Msg::Wheel(mouse.column, mouse.row, -NOTCH),
                    MouseEventKind::ScrollDown => Msg::Wheel(mouse.column, mouse.row, NOTCH),
                    _ => return Vec::new(),
                };
                self.policy.want(Wish::Key);
                self.act(msg)
            }
            Event::Mouse(_) => Vec::new(),
            Event::Resize(columns, rows) => {
                self.size = (*columns, *rows);
                self.resized = true;
                // At the rate of changes: a window being dragged sends a flood.
                self.policy.want(Wish::Change);
                Vec::new()
            }
            Event::FocusGained => {
                self.policy.gaze(Gaze::Here);
                self.look_at_themes(Glance::Now);
                self.policy.want(Wish::Change);
                Vec::new()
            }
            Event::FocusLost => {
                self.policy.gaze(Gaze::Away);
                Vec::new()
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let began = self.began.elapsed();
        // A size that changed without a word is met too.
        if let Ok(size) = self.stage.size() {
            self.size = size;
        }
        // A terminal that was made small and large again between two frames has lost what it cut off meanwhile.
        if std::mem::take(&mut self.resized) && self.ui.size == self.size {
            self.stage.clear()?;
        }
        if self.ui.size != self.size {
            // What a resize asks for outside is nothing.
            let _ = self.act(Msg::Resize(self.size.0, self.size.1));
        }
        let now = self.client.now();
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let body = super::view::body(area);
        self.ui.run.tick(&self.state, now, body);
        match self.ui.screen {
            Screen::Graph => self.ui.graph.tick(&self.state, now, body),
            Screen::Events => {
                let height = super::view::events::height(body);
                self.ui.events.tick(self.transcripts.log(), &self.state, now, height);
            }
            _ => {}
        }
        let scene = Scene { state: &self.state, transcripts: &self.transcripts, ui: &self.ui, theme: &self.theme, now };
        let (keymap, caches) = (&self.options.keymap, &mut self.caches);
        let mut shown = Drawn::default();
        let done = self.stage.draw(&mut |buf| shown = super::view::render(&scene, keymap, caches, buf.area, buf));
        self.ui.run.drawn(shown);
        self.policy.drew(began, self.began.elapsed());
        done
    }

    /// Asks the session to end, and waits for it a while.
    fn end(&mut self, exit: ConsoleExit) {
        // A session of another process goes on without this console.
        let closes = !self.live || self.client.leaving() == Leaving::OnlyCloses;
        if closes || self.client.send(Command::EndSession).is_err() {
            self.course = Course::Over(exit);
            return;
        }
        self.ui.say("ending the session", Tone::Plain, self.client.now());
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
mod tests;
