//! A console over a session's past without a terminal, driven step by step: for scripts, pictures and tests.
//!
//! Not here: the steps of a script. Invariants: no clock and no terminal is asked, so the same steps give the same
//! frames; after a step all that it asked for was read; nothing is written, copied or sent.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyEvent};
use futures_util::FutureExt;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Console, ConsoleOptions, Greeting, Opens};
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::journal::JournalError;
use crate::interface::tui::model::time::Travel;
use crate::interface::tui::model::{Mouse, Msg, UiEffect};
use crate::interface::tui::probe::GlyphChoice;
use crate::interface::tui::signal::Signals;
use crate::interface::tui::terminal::{Bell, Stage};
use crate::interface::tui::theme::{Depth, GlyphSet, Theme};
use crate::interface::tui::time::Reads;
use crate::interface::tui::time::player::Speed;
use crate::interface::tui::time::replay::{ReplayClient, ReplayClock};
use crate::interface::tui::time::seek::Aim;

/// The time of notices and cards goes on by so much before each key: a card listens, and a notice ends in time.
const KEY: Duration = Duration::from_millis(400);
/// Frames drawn at most until all that is shown in slices is there.
const SLICES: usize = 1_000;

/// A console over a journal, driven step by step. It begins before the first record, and pauses.
pub struct Driven {
    console: Console<ReplayClient, Slate>,
    clock: Arc<AtomicU64>,
    wall: Duration,
}

impl Driven {
    /// Opens a journal, whole. Of the options, what opens, where it reads and who has the mouse are set here.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn open(journal: &Path, (columns, rows): (u16, u16), options: ConsoleOptions) -> Result<Self, JournalError> {
        let clock = Arc::new(AtomicU64::new(0));
        let client = ReplayClient::open(journal, Reads::Here, ReplayClock::Told(Arc::clone(&clock)))?;
        let slate = Slate(Buffer::empty(Rect::new(0, 0, columns, rows)));
        let glyphs = if options.glyphs == GlyphChoice::Ascii { GlyphChoice::Ascii } else { GlyphChoice::Unicode };
        let options = ConsoleOptions { opens: Opens::Replay(Speed::default()), reads: Reads::Here, glyphs, ..options };
        let mut console = Console::new(client, slate, Signals::none(), options);
        console.away.tell_time(Duration::ZERO);
        // A slate takes everything.
        let _ = console.begin(Greeting::Trust);
        let mut driven = Self { console, clock, wall: Duration::ZERO };
        driven.read_all();
        driven.console.travel(Travel::Play);
        Ok(driven)
    }

    /// Folds the whole journal.
    fn read_all(&mut self) {
        let console = &mut self.console;
        let mut batch = Vec::new();
        while let Some(true) = console.client.recv(&mut batch, super::RECORDS).now_or_never() {
            for record in batch.drain(..) {
                console.state.apply(&record);
                console.ui.observe(&console.state, &record);
            }
        }
    }

    /// A key is pressed.
    pub async fn key(&mut self, key: KeyEvent) {
        self.clock.fetch_add(KEY.as_micros() as u64, Ordering::Relaxed);
        let mut effects = self.console.act(Msg::Tick);
        effects.extend(self.console.event(&Event::Key(key)));
        self.perform(effects).await;
    }

    /// What a key asks for, as far as it stays inside the console.
    async fn perform(&mut self, effects: Vec<UiEffect>) {
        for effect in effects {
            let outside = matches!(
                effect,
                UiEffect::Copy(_)
                    | UiEffect::CopyAnswer(_)
                    | UiEffect::CopyRecord(_)
                    | UiEffect::CopyText(..)
                    | UiEffect::SaveAnswer { .. }
                    | UiEffect::Save { .. }
                    | UiEffect::ExternalEditor { .. }
                    | UiEffect::EditResult(_)
                    | UiEffect::Files(_)
                    | UiEffect::Suspend
                    | UiEffect::Detach
                    | UiEffect::Quit(_)
                    | UiEffect::Go(_)
                    | UiEffect::Fork(_)
                    | UiEffect::KeepFleet
                    | UiEffect::FollowLog(_)
                    | UiEffect::StopLog
            );
            if !outside {
                self.console.perform(effect).await;
            }
        }
    }

    /// Goes to an instant of the session; one after its end is its end.
    pub fn seek(&mut self, aim: Aim) {
        let aim = match aim {
            Aim::Record(seq) => Aim::Record(seq.min(self.console.state.seq)),
            Aim::Time(at) => Aim::Time(at.min(self.console.state.at)),
        };
        self.console.head_for(aim);
    }

    /// Goes a way through time, as a time key does.
    pub fn travel(&mut self, travel: Travel) {
        self.console.travel(travel);
    }

    /// Real time goes by: what is played is played on.
    pub fn pass(&mut self, by: Duration) {
        self.wall += by;
        self.clock.fetch_add(by.as_micros() as u64, Ordering::Relaxed);
        self.console.away.tell_time(self.wall);
        self.console.play_all();
    }

    /// The screen has another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.console.stage.0 = Buffer::empty(Rect::new(0, 0, columns, rows));
    }

    /// Wears a theme. False: there is none of that name, and nothing changes.
    pub fn theme(&mut self, name: &str) -> bool {
        let there = self.console.options.themes.list().iter().any(|listed| listed.name == name);
        if there {
            self.console.looks.kept = name.to_owned();
            self.dress(self.console.options.depth, self.console.theme.glyphs);
        }
        there
    }

    /// Draws with so many colours and with these glyphs.
    pub fn dress(&mut self, depth: Depth, glyphs: GlyphSet) {
        let console = &mut self.console;
        console.options.depth = depth;
        console.theme = console.options.themes.load(&console.looks.kept, depth, glyphs).0;
    }

    /// The theme that is worn.
    pub fn worn(&self) -> &Theme {
        &self.console.theme
    }

    /// What was true at the instant that is shown.
    pub fn state(&self) -> &State {
        self.console.eyes().0
    }

    /// The session as it ends.
    pub fn whole(&self) -> &State {
        &self.console.state
    }

    /// The session time that is shown.
    pub fn at(&self) -> Micros {
        self.console.away.moved.as_ref().map_or(self.console.state.at, |m| m.at)
    }

    /// Whether it is played.
    pub fn plays(&self) -> bool {
        self.console.away.player.plays()
    }

    /// What was said on the notice line goes.
    pub fn quiet(&mut self) {
        self.console.seen().notice = None;
    }

    /// Draws until all that is shown was read, and gives the frame.
    pub fn frame(&mut self) -> &Buffer {
        for _ in 0..SLICES {
            // A slate takes everything.
            let _ = self.console.draw();
            if !self.console.is_unread() {
                break;
            }
        }
        &self.console.stage.0
    }
}

/// A buffer in place of a terminal.
struct Slate(Buffer);

impl Stage for Slate {
    type Events = futures_util::stream::Pending<io::Result<Event>>;

    fn enter(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn events(&mut self) -> Self::Events {
        futures_util::stream::pending()
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        Ok((self.0.area.width, self.0.area.height))
    }

    fn draw(&mut self, paint: &mut dyn FnMut(&mut Buffer)) -> io::Result<()> {
        self.0.reset();
        paint(&mut self.0);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn mouse(&mut self, _: Mouse) -> io::Result<()> {
        Ok(())
    }

    fn title(&mut self, _: &CleanText) -> io::Result<()> {
        Ok(())
    }

    fn call(&mut self, _: Bell, _: Option<&CleanText>) -> io::Result<()> {
        Ok(())
    }

    fn clipboard(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn part(&mut self) -> io::Result<()> {
        Ok(())
    }
}
