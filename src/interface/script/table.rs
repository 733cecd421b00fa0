//! The deck that scripts and films use: the console itself, without a terminal.
//!
//! Not here: the console (`tui/runtime`). Invariant: of the operator's settings, keys and themes nothing is used, so that
//! a script does the same for everybody.

use std::path::Path;

use ratatui::buffer::Buffer;

use super::language::{Colors, Glyphs};
use super::run::Deck;
use super::svg::Ground;
use crate::config::Motion;
use crate::domain::state::State;
use crate::engine::journal::JournalError;
use crate::interface::tui::GlyphChoice;
use crate::interface::tui::action::{Key, Keymap};
use crate::interface::tui::model::Mouse;
use crate::interface::tui::runtime::{ConsoleOptions, Driven, Notify, Opens, Preset};
use crate::interface::tui::terminal::Bell;
use crate::interface::tui::theme::{Appearance, Depth, GlyphSet, Slot, Themes, grounds};
use crate::interface::tui::time::Reads;

/// The screen a script begins with.
pub const SIZE: (u16, u16) = (120, 40);
/// The theme it begins with.
const THEME: &str = "midnight";

/// A console over a journal, for a script.
pub struct Table {
    driven: Driven,
    depth: Depth,
    glyphs: GlyphSet,
}

impl Table {
    /// Opens a journal: 120×40, in colour, before the first record.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn open(journal: &Path) -> Result<Self, JournalError> {
        let mut driven = Driven::open(journal, SIZE, options())?;
        driven.quiet();
        Ok(Self { driven, depth: Depth::True, glyphs: GlyphSet::Unicode })
    }
}

fn options() -> ConsoleOptions {
    // Never made: what a console keeps between its lives is neither read nor written here.
    let nowhere = std::env::temp_dir().join(format!("baton-no-state-{}", std::process::id()));
    ConsoleOptions {
        themes: Themes::default(),
        theme: Preset::Given(THEME.to_owned()),
        mouse: Preset::Given(Mouse::Terminal),
        motion: Motion::None,
        depth: Depth::True,
        glyphs: GlyphChoice::Unicode,
        keymap: Keymap::default(),
        state_folder: nowhere.clone(),
        working_folder: nowhere,
        bell: Bell::Silent,
        notify: Notify::Never,
        warnings: Vec::new(),
        opens: Opens::default(),
        reads: Reads::Here,
        forks: None,
        discovery: None,
        keeps: None,
    }
}

impl Deck for Table {
    async fn resize(&mut self, columns: u16, rows: u16) {
        self.driven.resize(columns, rows);
    }

    fn theme(&mut self, name: &str) -> bool {
        self.driven.theme(name)
    }

    fn colors(&mut self, colors: Colors) {
        self.depth = match colors {
            Colors::Never => Depth::None,
            Colors::Sixteen => Depth::Ansi16,
            Colors::Indexed => Depth::Ansi256,
            Colors::True => Depth::True,
        };
        self.driven.dress(self.depth, self.glyphs);
    }

    fn glyphs(&mut self, glyphs: Glyphs) {
        self.glyphs = match glyphs {
            Glyphs::Unicode => GlyphSet::Unicode,
            Glyphs::Ascii => GlyphSet::Ascii,
        };
        self.driven.dress(self.depth, self.glyphs);
    }

    async fn key(&mut self, key: Key) {
        self.driven.key(key.event()).await;
    }

    async fn seek(&mut self, seq: u64) {
        self.driven.seek(crate::interface::tui::time::Aim::Record(seq));
    }

    fn frame(&mut self) -> &Buffer {
        self.driven.frame()
    }

    fn state(&self) -> &State {
        self.driven.state()
    }

    fn ground(&self) -> Ground {
        let theme = self.driven.worn();
        let usual = if theme.appearance == Appearance::Light { Ground::LIGHT } else { Ground::DARK };
        let [text, back] = grounds(theme.style(Slot::Text));
        Ground { text: text.unwrap_or(usual.text), back: back.unwrap_or(usual.back) }
    }
}
