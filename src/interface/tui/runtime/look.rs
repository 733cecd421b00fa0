//! How the console looks: the theme that is worn, tried on or read again, and what is kept of it for the next start.
//!
//! Invariant: no timer runs for any of it. Theme files are looked at when something else happens: the window comes to the
//! front, a key is pressed, the picker opens.

use std::time::Duration;

use tokio::time::Instant;

use super::Console;
use crate::domain::protocol::TaskId;
use crate::engine::client::Client;
use crate::interface::tui::frame::Wish;
use crate::interface::tui::model::themes::ThemeRow;
use crate::interface::tui::model::{Layer, Mouse, ThemesUi, Tone};
use crate::interface::tui::remember::Memory;
use crate::interface::tui::terminal::Stage;
use crate::interface::tui::theme::{GlyphSet, Look, ThemeWarning};

/// Keys look at the theme files no more often than this.
const GLANCE: Duration = Duration::from_secs(2);

/// How urgently theme files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glance {
    /// When it was not done lately.
    InPassing,
    /// Now.
    Now,
}

/// A setting, and whether the operator gave it: then it goes before what is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preset<T> {
    /// It is as Baton has it.
    BuiltIn(T),
    /// The operator gave it.
    Given(T),
}

impl<T> Preset<T> {
    /// What counts.
    pub fn or_remembered(self, remembered: Option<T>) -> T {
        match (self, remembered) {
            (Self::Given(value), _) | (Self::BuiltIn(value), None) => value,
            (Self::BuiltIn(_), Some(value)) => value,
        }
    }
}

/// What the console looks like besides the theme itself.
pub(super) struct Looks {
    /// The theme that was kept; another may be tried on.
    pub(super) kept: String,
    /// When theme files were looked at last.
    pub(super) glanced: Instant,
    pub(super) memory: Memory,
    /// Pins of this session whose tasks are not there yet; none until the session is known.
    pub(super) pins: Option<Vec<TaskId>>,
}

impl<C: Client, S: Stage> Console<C, S> {
    /// Loads a theme and wears it. Mistakes in it are told; how many there were comes back.
    fn wear(&mut self, name: &str, glyphs: GlyphSet) -> usize {
        let (theme, warnings) = self.options.themes.load(name, self.options.depth, glyphs);
        self.theme = theme;
        self.tell(&warnings);
        self.policy.want(Wish::Key);
        warnings.len()
    }

    /// The first mistake in words, and how many more there are.
    fn tell(&mut self, warnings: &[ThemeWarning]) {
        if let Some(first) = warnings.first() {
            let words = and_more(&first.to_string(), warnings.len() - 1);
            let now = self.client.now();
            self.seen().say(words, Tone::Warning, now);
        }
    }

    /// The same theme with other glyphs.
    pub(super) fn set_glyphs(&mut self, glyphs: GlyphSet) {
        let name = self.worn();
        self.wear(&name, glyphs);
    }

    /// The theme that is to be seen now: the one tried on, else the one kept.
    fn worn(&self) -> String {
        let picker = self.eyes().2.layers.iter().find_map(|l| match l {
            Layer::Themes(picker) => picker.chosen(),
            _ => None,
        });
        picker.map_or_else(|| self.looks.kept.clone(), |row| row.listed.name.clone())
    }

    /// Tries a theme on.
    pub(super) fn preview_theme(&mut self, name: &str) {
        self.wear(name, self.theme.glyphs);
    }

    /// Wears a theme from now on.
    pub(super) fn keep_theme(&mut self, name: &str) {
        self.looks.kept = name.to_owned();
        if self.wear(name, self.theme.glyphs) == 0 {
            let words = match &self.options.theme {
                Preset::Given(set) if set != name => format!("theme {name} until you leave: your settings say {set}"),
                _ => format!("theme {name}"),
            };
            let now = self.client.now();
            self.seen().say(words, Tone::Plain, now);
        }
        let mut kept = self.looks.memory.kept().clone();
        kept.theme = Some(name.to_owned());
        self.keep(kept);
    }

    pub(super) fn next_theme(&mut self) {
        let next = self.options.themes.after(&self.looks.kept).to_owned();
        self.keep_theme(&next);
    }

    /// Opens the picker.
    pub(super) fn choose_theme(&mut self) {
        self.look_at_themes(Glance::Now);
        self.seen().layers.retain(|l| !matches!(l, Layer::Themes(_)));
        let picker = ThemesUi::new(self.theme_rows(), &self.theme.name);
        // A name that is no theme is not what going back is to bring.
        self.seen().layers.push(Layer::Themes(picker));
    }

    fn theme_rows(&self) -> Vec<ThemeRow> {
        let row = |listed: crate::interface::tui::theme::Listed| {
            let (theme, _) = self.options.themes.load(&listed.name, self.options.depth, self.theme.glyphs);
            ThemeRow { listed, theme }
        };
        self.options.themes.list().into_iter().map(row).collect()
    }

    /// Reads theme files that changed since they were read.
    pub(super) fn look_at_themes(&mut self, glance: Glance) {
        if glance == Glance::InPassing && self.looks.glanced.elapsed() < GLANCE {
            return;
        }
        self.looks.glanced = Instant::now();
        let Look::Changed(names) = self.options.themes.look_again() else { return };
        let rows = self.theme_rows();
        for layer in &mut self.seen().layers {
            if let Layer::Themes(picker) = layer {
                picker.refresh(rows.clone());
            }
        }
        let worn = self.worn();
        let wrong = self.wear(&worn, self.theme.glyphs);
        let unread = self.options.themes.warnings.clone();
        self.tell(&unread);
        if wrong + unread.len() == 0 {
            let words = format!("themes read again: {}", names.join(", "));
            let now = self.client.now();
            self.seen().say(words, Tone::Plain, now);
        }
    }

    /// The user switched the mouse: from now on that is kept.
    pub(super) fn keep_mouse(&mut self) {
        let mut kept = self.looks.memory.kept().clone();
        kept.mouse = Some(self.eyes().2.mouse == Mouse::Baton);
        self.keep(kept);
    }

    /// Keeps what the user changed of the look, if anything.
    pub(super) fn keep_looks(&mut self) {
        let mut kept = self.looks.memory.kept().clone();
        self.ui.remember(&mut kept, self.looks.pins.as_deref().unwrap_or_default(), &self.state);
        self.keep(kept);
    }

    fn keep(&mut self, kept: crate::interface::tui::model::Remembered) {
        // While the session's pins are not taken in, nothing is known of them.
        let session = self.state.session.as_ref().filter(|_| self.looks.pins.is_some());
        if let Err(error) = self.looks.memory.keep(kept, session) {
            self.unkept(&error);
        }
    }

    /// Writes what was not written yet: at the end.
    pub(super) fn flush_looks(&mut self) {
        self.keep_looks();
        let session = self.state.session.as_ref().filter(|_| self.looks.pins.is_some());
        if let Err(error) = self.looks.memory.flush(session) {
            self.unkept(&error);
        }
    }

    fn unkept(&mut self, error: &std::io::Error) {
        tracing::warn!(%error, "console.toml was not written");
        let words = format!("how the console looks is not kept: {error}");
        let now = self.client.now();
        self.seen().say(words, Tone::Warning, now);
    }

    /// Pins again what was pinned when this session was seen last, as its tasks come.
    pub(super) fn recall_pins(&mut self) {
        if self.looks.pins.is_none()
            && let Some(session) = &self.state.session
        {
            self.looks.pins = Some(self.looks.memory.kept().pins_of(session).to_vec());
        }
        if let Some(waiting) = self.looks.pins.as_mut().filter(|w| !w.is_empty()) {
            self.ui.recall_pins(waiting, &self.state);
        }
    }
}

/// Words, and that there are more like them.
pub(super) fn and_more(words: &str, more: usize) -> String {
    match more {
        0 => words.to_owned(),
        n => format!("{words} · and {n} more"),
    }
}
