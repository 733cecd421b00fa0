//! The palette: every action by name, found by a few of its letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::interface::tui::action::Context;
use crate::interface::tui::action::table::{self, Entry};

/// What is typed into the palette and which row is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaletteUi {
    /// What is typed.
    pub query: String,
    /// The chosen row among [`PaletteUi::found`].
    pub selected: usize,
    /// Where it was opened: what works there is found first.
    pub contexts: Vec<Context>,
}

/// The most letters taken: longer finds nothing more.
const LONGEST: usize = 60;

impl PaletteUi {
    /// A palette opened where these contexts have the focus.
    pub fn new(contexts: Vec<Context>) -> Self {
        Self { contexts, ..Self::default() }
    }

    /// Whether an action means something where the palette was opened.
    pub fn works(&self, entry: &Entry) -> bool {
        let here = |c: &Context| matches!(c, Context::Everywhere | Context::Session) || self.contexts.contains(c);
        entry.bindings.is_empty() || entry.bindings.iter().any(|b| here(&b.context))
    }

    /// The actions that match: those that work here first, each best first. While nothing is typed, all that work here
    /// in the order of the table.
    pub fn found(&self) -> Vec<&'static Entry> {
        let entries = table::ENTRIES.iter().filter(|e| e.in_palette());
        if self.query.trim().is_empty() {
            return entries.filter(|e| self.works(e)).collect();
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
        found.sort_by_key(|(score, e)| (!self.works(e), std::cmp::Reverse(*score)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::action::Action;

    fn place(palette: &PaletteUi, action: Action) -> Option<usize> {
        palette.found().iter().position(|e| e.action == action)
    }

    #[test]
    fn what_works_here_is_listed_and_found_first() {
        let mut palette = PaletteUi::new(vec![Context::Task, Context::List, Context::Session, Context::Everywhere]);
        assert!(place(&palette, Action::Retry).is_some() && place(&palette, Action::NextTheme).is_some());
        assert_eq!(place(&palette, Action::ChooseFleet), None);
        "answer".chars().for_each(|c| palette.push(c));
        let found = palette.found();
        let works: Vec<bool> = found.iter().map(|e| palette.works(e)).collect();
        assert!(works.contains(&true) && works.is_sorted_by(|a, b| a >= b), "{works:?}");
        let review = PaletteUi::new(vec![Context::Review, Context::List]);
        assert!(place(&review, Action::Remove).is_some() && place(&review, Action::Retry).is_none());
    }
}
