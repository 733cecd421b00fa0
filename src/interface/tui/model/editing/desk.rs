//! A console that tests type at: keys as text, through the keymap, into [`Ui::update`].

use crossterm::event::KeyEvent;

use crate::domain::protocol::{Command, Event, Micros, Record};
use crate::domain::state::TaskIx;
use crate::interface::tui::action::{Context, Key, Keymap};
use crate::interface::tui::model::{Layer, Msg, Screen, Ui, UiEffect};
use crate::interface::tui::view::story::Story;

/// A story, what the user does, and what came of it.
pub(crate) struct Desk {
    pub(crate) story: Story,
    pub(crate) ui: Ui,
    pub(crate) now: Micros,
    /// Effects that left the console.
    pub(crate) out: Vec<UiEffect>,
    keymap: Keymap,
    seq: u64,
}

impl Desk {
    /// A console of 80×24 that shows `screen`.
    pub(crate) fn new(story: Story, screen: Screen) -> Self {
        let mut ui = Ui { size: (80, 24), ..Ui::default() };
        ui.screen = screen;
        Self { now: story.at, story, ui, out: Vec::new(), keymap: Keymap::default(), seq: 1_000_000 }
    }

    pub(crate) fn does(&mut self, msg: Msg) {
        let effects = self.ui.update(msg, &self.story.state, self.now);
        self.out.extend(effects);
    }

    pub(crate) fn press(&mut self, event: KeyEvent) {
        let contexts = self.ui.contexts(&self.story.state);
        match self.keymap.lookup(&contexts, event) {
            Some(action) => self.does(Msg::Action(action)),
            None if matches!(contexts.first(), Some(Context::Text | Context::Card)) => self.does(Msg::Key(event)),
            None => {}
        }
    }

    /// Types: letters as they stand, others as `<enter>`, `<ctrl-s>`. A pause of half a second is made before keys that
    /// answer a card or a preview.
    pub(crate) fn keys(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if matches!(self.ui.layers.last(), Some(Layer::Card(_) | Layer::Preview(_))) {
                self.pass(500);
            }
            let named = rest.strip_prefix('<').and_then(|t| t.split_once('>'));
            let (key, tail) = match named.and_then(|(name, tail)| name.parse::<Key>().ok().map(|k| (k, tail))) {
                Some(found) => found,
                None => {
                    (if c == ' ' { "space".parse() } else { c.to_string().parse() }.unwrap(), &rest[c.len_utf8()..])
                }
            };
            rest = tail;
            self.press(key.event());
        }
        self
    }

    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        self.does(Msg::Paste(text.into()));
        self
    }

    /// Time passes; deadlines that come are met.
    pub(crate) fn pass(&mut self, millis: u64) -> &mut Self {
        let until = self.now.plus(Micros::from_millis(millis));
        while let Some(at) = self.ui.deadline(self.now).filter(|at| *at <= until && *at > self.now) {
            self.now = at;
            self.does(Msg::Tick);
        }
        self.now = until;
        self
    }

    /// Something happens in the session.
    pub(crate) fn tell(&mut self, event: Event) -> &mut Self {
        self.story.at = self.now;
        self.story.tell(event.clone());
        self.seq += 1;
        let record = Record { seq: self.seq, at: self.now, event };
        self.ui.observe(&self.story.state, &record);
        self
    }

    pub(crate) fn notice(&self) -> &str {
        self.ui.notice.as_ref().map_or("", |n| &n.text)
    }

    /// The commands sent so far.
    pub(crate) fn sent(&self) -> Vec<&Command> {
        self.out.iter().filter_map(|e| if let UiEffect::Send(c) = e { Some(c) } else { None }).collect()
    }

    /// The index of a task of the first goal.
    pub(crate) fn task(&self, name: &str) -> TaskIx {
        self.story.state.find(&format!("g1/{name}").parse().unwrap()).unwrap()
    }

    /// The text of the editor on top.
    pub(crate) fn text(&self) -> String {
        match self.ui.layers.last() {
            Some(Layer::Editor(editor)) => editor.text.text(),
            _ => panic!("no editor is open: {}", self.notice()),
        }
    }
}
