//! The whole loop on a buffer instead of a terminal, with a client that is told what to say: for tests of keys.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use crossterm::event::Event;
use futures_util::FutureExt;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use tokio::sync::{mpsc, watch};

use super::{Console, ConsoleExit, ConsoleOptions, Course, Greeting, Keeps, Notify, Opens, Parted, Preset};
use crate::config::Motion;
use crate::domain::protocol::{Command, CommandId, Event as Fact, Micros, Name, Record, ViewerId};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving, SendError, Standing};
use crate::interface::tui::action::{Key, Keymap};
use crate::interface::tui::model::discovery::Discovery;
use crate::interface::tui::model::{Mouse, Ui};
use crate::interface::tui::probe::GlyphChoice;
use crate::interface::tui::signal::Signals;
use crate::interface::tui::terminal::{Bell, Stage};
use crate::interface::tui::theme::{Depth, Theme, Themes};
use crate::interface::tui::time::Reads;

/// A client that says what a test tells it to, and keeps what it was sent.
pub(crate) struct Told {
    records: mpsc::UnboundedReceiver<Arc<Record>>,
    pub(crate) sent: Arc<Mutex<Vec<Command>>>,
    now: Arc<Mutex<Micros>>,
    /// Where the records are too, if they are.
    journal: Option<std::path::PathBuf>,
    leaving: Leaving,
    standing: Standing,
}

impl Client for Told {
    async fn recv(&mut self, batch: &mut Vec<Arc<Record>>, limit: usize) -> bool {
        self.records.recv_many(batch, limit).await > 0
    }

    fn send(&self, command: Command) -> Result<CommandId, SendError> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        Ok(Name::slug("c1"))
    }

    fn leaving(&self) -> Leaving {
        self.leaving
    }

    fn standing(&self) -> Standing {
        self.standing
    }

    fn journal(&self) -> Option<std::path::PathBuf> {
        self.journal.clone()
    }

    fn now(&self) -> Micros {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened to the stage, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Entered,
    Left,
    Suspended,
    Parted,
    Drawn,
    Cleared,
    Mouse(Mouse),
    Title(String),
    Clipboard(String),
    Called(Bell, Option<String>),
}

/// A buffer in place of a terminal.
pub(crate) struct Board {
    terminal: Terminal<TestBackend>,
    events: Option<mpsc::UnboundedReceiver<Event>>,
    pub(crate) log: Rc<RefCell<Vec<Happened>>>,
}

impl Board {
    fn note(&self, happened: Happened) -> io::Result<()> {
        self.log.borrow_mut().push(happened);
        Ok(())
    }
}

/// What was typed.
pub(crate) struct Typed(Option<mpsc::UnboundedReceiver<Event>>);

impl futures_util::Stream for Typed {
    type Item = io::Result<Event>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        match &mut self.0 {
            Some(events) => events.poll_recv(context).map(|e| e.map(Ok)),
            None => std::task::Poll::Pending,
        }
    }
}

impl Stage for Board {
    type Events = Typed;

    fn enter(&mut self) -> io::Result<()> {
        self.note(Happened::Entered)
    }

    fn leave(&mut self) -> io::Result<()> {
        self.note(Happened::Left)
    }

    fn events(&mut self) -> Typed {
        Typed(self.events.take())
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size().unwrap();
        Ok((size.width, size.height))
    }

    fn draw(&mut self, paint: &mut dyn FnMut(&mut Buffer)) -> io::Result<()> {
        self.terminal.draw(|frame| paint(frame.buffer_mut())).unwrap();
        self.note(Happened::Drawn)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.note(Happened::Cleared)
    }

    fn mouse(&mut self, mouse: Mouse) -> io::Result<()> {
        self.note(Happened::Mouse(mouse))
    }

    fn title(&mut self, title: &CleanText) -> io::Result<()> {
        self.note(Happened::Title(title.to_string()))
    }

    fn call(&mut self, bell: Bell, words: Option<&CleanText>) -> io::Result<()> {
        self.note(Happened::Called(bell, words.map(ToString::to_string)))
    }

    fn clipboard(&mut self, text: &str) -> io::Result<()> {
        self.note(Happened::Clipboard(text.to_owned()))
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.note(Happened::Suspended)
    }

    fn part(&mut self) -> io::Result<()> {
        self.note(Happened::Parted)
    }
}

/// What a console is started with in tests: everything of it in `folder`.
pub(crate) fn options(folder: &std::path::Path) -> ConsoleOptions {
    ConsoleOptions {
        themes: Themes::default().with_folder(&folder.join("themes")),
        theme: Preset::Given("mono".into()),
        mouse: Preset::Given(Mouse::Terminal),
        motion: Motion::Full,
        depth: Depth::None,
        glyphs: GlyphChoice::Unicode,
        keymap: Keymap::default(),
        state_folder: folder.to_owned(),
        working_folder: folder.to_owned(),
        bell: Bell::Rings,
        notify: Notify::WhenAway,
        opens: Opens::Live,
        reads: Reads::Here,
        discovery: None,
        keeps: None,
        forks: None,
        warnings: Vec::new(),
    }
}

/// A console that a test types at.
pub(crate) struct Harness {
    console: Console<Told, Board>,
    typing: mpsc::UnboundedSender<Event>,
    telling: Option<mpsc::UnboundedSender<Arc<Record>>>,
    seq: u64,
    pub(crate) sent: Arc<Mutex<Vec<Command>>>,
    now: Arc<Mutex<Micros>>,
    pub(crate) log: Rc<RefCell<Vec<Happened>>>,
    /// Where themes and what is kept lie, when nobody else has them.
    _folder: Option<tempfile::TempDir>,
}

impl Harness {
    /// A console of that size, before any record. Needs a runtime with paused time.
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (theme, mouse) = (Preset::Given("mono".into()), Preset::Given(Mouse::Terminal));
        let mut harness = Self::with(columns, rows, folder.path(), theme, mouse, Depth::None);
        harness._folder = Some(folder);
        harness
    }

    /// The same with its state in `folder` and its own themes in `themes` in it.
    pub(crate) fn with(
        columns: u16,
        rows: u16,
        folder: &std::path::Path,
        theme: Preset<String>,
        mouse: Preset<Mouse>,
        depth: Depth,
    ) -> Self {
        // Unbounded: a test types all it wants before the loop runs.
        let (typing, events) = mpsc::unbounded_channel();
        let (telling, records) = mpsc::unbounded_channel();
        let (leaving, standing) = Default::default();
        let (sent, now, log) = (Arc::default(), Arc::<Mutex<Micros>>::default(), Rc::default());
        let client = Told { records, sent: Arc::clone(&sent), now: Arc::clone(&now), journal: None, leaving, standing };
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let board = Board { terminal, events: Some(events), log: Rc::clone(&log) };
        let options = ConsoleOptions { theme, mouse, depth, ..options(folder) };
        let mut console = Console::new(client, board, Signals::none(), options);
        console.begin(Greeting::Trust).unwrap();
        Self { console, typing, telling: Some(telling), seq: 0, sent, now, log, _folder: None }
    }

    /// It watches a session of another process, as this viewer.
    pub(crate) fn attach(&mut self, viewer: ViewerId) {
        self.console.client.leaving = Leaving::OnlyCloses;
        self.console.client.standing.viewer = Some(viewer);
    }

    /// A search tells it how far it is, and what it finds is kept so.
    pub(crate) fn searches(&mut self, keeps: Keeps) -> watch::Sender<Discovery> {
        let (tell, told) = watch::channel(Discovery::default());
        self.console.options.discovery = Some(told);
        self.console.options.keeps = Some(keeps);
        tell
    }

    /// Says what happened, a millisecond after what was said before.
    pub(crate) async fn tell(&mut self, facts: impl IntoIterator<Item = Fact>) -> &mut Self {
        for event in facts {
            self.seq += 1;
            let at = *self.now.lock().unwrap();
            let record = Arc::new(Record { seq: self.seq, at, event });
            self.telling.as_ref().unwrap().send(record).unwrap();
        }
        self.settle().await;
        self
    }

    /// The records are in this journal too.
    pub(crate) fn keep_journal(&mut self, journal: &std::path::Path) {
        self.console.client.journal = Some(journal.to_owned());
    }

    /// Of what was said little stays at hand.
    pub(crate) fn forget_text(&mut self) {
        self.console.transcripts.keep_less(2_000);
        self.console.caches = Default::default();
        self.console.policy.want(crate::interface::tui::frame::Wish::Change);
    }

    /// Says what happened, at its own time.
    pub(crate) async fn tell_records(&mut self, records: &[Arc<Record>]) -> &mut Self {
        for record in records {
            self.seq = record.seq;
            *self.now.lock().unwrap() = record.at;
            self.telling.as_ref().unwrap().send(Arc::clone(record)).unwrap();
        }
        self.settle().await;
        self
    }

    /// The terminal goes away; then this happens.
    pub(crate) fn lose_terminal(&mut self, facts: impl IntoIterator<Item = Fact>) {
        self.typing = mpsc::unbounded_channel().0;
        for event in facts {
            self.seq += 1;
            let at = *self.now.lock().unwrap();
            let record = Arc::new(Record { seq: self.seq, at, event });
            self.telling.as_ref().unwrap().send(record).unwrap();
        }
    }

    /// The session ends: no record comes any more.
    pub(crate) async fn hang_up(&mut self) -> &mut Self {
        self.telling = None;
        self.settle().await;
        self
    }

    /// Types: letters as they stand, others as `<enter>`, `<ctrl-c>`.
    pub(crate) async fn keys(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|t| t.split_once('>'));
            let (key, tail) = match named.and_then(|(name, tail)| name.parse::<Key>().ok().map(|k| (k, tail))) {
                Some(found) => found,
                None => {
                    (if c == ' ' { "space".parse() } else { c.to_string().parse() }.unwrap(), &rest[c.len_utf8()..])
                }
            };
            self.typing.send(Event::Key(key.event())).unwrap();
            rest = tail;
            self.settle().await;
        }
        self
    }

    /// Anything else a terminal says.
    pub(crate) async fn event(&mut self, event: Event) -> &mut Self {
        self.typing.send(event).unwrap();
        self.settle().await;
        self
    }

    /// Session time and the loop's clock move on.
    pub(crate) async fn pass(&mut self, millis: u64) -> &mut Self {
        {
            let mut now = self.now.lock().unwrap();
            *now = now.plus(Micros::from_millis(millis));
        }
        tokio::time::advance(std::time::Duration::from_millis(millis)).await;
        self.settle().await;
        self
    }

    /// Lets the loop meet all that is there, frames included.
    async fn settle(&mut self) {
        for _ in 0..10_000 {
            if matches!(self.console.course, Course::Over(_)) {
                break;
            }
            let moved = self.console.turn().now_or_never().is_some();
            if self.console.parted == Parted::Yes {
                if !moved {
                    break;
                }
            } else if self.console.policy.is_due(self.console.began.elapsed()) {
                self.console.draw().unwrap();
            } else if !moved {
                if self.console.policy.deadline().is_none() {
                    break;
                }
                tokio::time::advance(std::time::Duration::from_millis(10)).await;
            }
        }
    }

    /// How many frames were drawn.
    pub(crate) fn frames(&self) -> usize {
        self.log.borrow().iter().filter(|h| **h == Happened::Drawn).count()
    }

    /// What stands on the screen, without spaces at the ends of rows.
    pub(crate) fn screen(&self) -> String {
        let buffer = self.console.stage.terminal.backend().buffer();
        let rows = (0..buffer.area.height).map(|y| {
            let mut row = String::new();
            let mut skip = 0;
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if skip == 0 {
                    row.push_str(symbol);
                    skip = unicode_width::UnicodeWidthStr::width(symbol).max(1);
                }
                skip -= 1;
            }
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// The theme that is worn.
    pub(crate) fn theme(&self) -> &Theme {
        &self.console.theme
    }

    /// The console is left in order.
    pub(crate) fn leave(mut self) {
        self.console.flush_looks();
    }

    /// What the user does.
    pub(crate) fn ui(&self) -> &Ui {
        &self.console.ui
    }

    /// What was sent to the session, in words.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(ToString::to_string).collect()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&self) -> Option<ConsoleExit> {
        match &self.console.course {
            Course::Over(exit) => Some(exit.clone()),
            _ => None,
        }
    }
}
