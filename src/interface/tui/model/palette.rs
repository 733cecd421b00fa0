//! The palette: every action by name, found by a few of its letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::interface::tui::action::table::{self, Entry};

/// What is typed into the palette and which row is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaletteUi {
    /// What is typed.
    pub query: String,
    /// The chosen row among [`PaletteUi::found`].
    pub selected: usize,
}

/// The most letters taken: longer finds nothing more.
const LONGEST: usize = 60;

impl PaletteUi {
    /// The actions that match, best first; all of them, in the order of the table, while nothing is typed.
    pub fn found(&self) -> Vec<&'static Entry> {
        let entries = table::ENTRIES.iter().filter(|e| e.in_palette());
        if self.query.trim().is_empty() {
            return entries.collect();
        }
        let pattern = Pattern::parse(&self.query, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut found: Vec<_> = entries
            .filter_map(|e| {
                let text = format!("{} {}", e.words, e.name.replace('_', " "));
                pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher).map(|score| (score, e))
            })
            .collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, e)| e).collect()
    }

    /// Takes a letter.
    pub(super) fn push(&mut self, c: char) {
        if self.query.chars().count() < LONGEST {
            self.query.push(c);
        }
        self.selected = 0;
    }

    /// Takes the last letter back.
    pub(super) fn pop(&mut self) {
        self.query.pop();
        self.selected = 0;
    }

    /// Moves the choice, within what was found.
    pub(super) fn turn(&mut self, by: isize) {
        let last = self.found().len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    /// The chosen action.
    pub(super) fn chosen(&self) -> Option<&'static Entry> {
        self.found().get(self.selected).copied()
    }
}
