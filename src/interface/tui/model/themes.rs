//! The theme picker: which themes there are, and which one the console wears meanwhile.
//!
//! Not here: reading themes (the loop does, for [`UiEffect::PreviewTheme`] and its like). Invariant: until one is kept, going
//! back gives the one before.

use super::UiEffect;
use crate::interface::tui::action::Action;
use crate::interface::tui::theme::{Listed, Theme};

/// A theme to choose.
#[derive(Clone, Debug, PartialEq)]
pub struct ThemeRow {
    /// What is known of it.
    pub listed: Listed,
    /// Itself, to show its colours.
    pub theme: Theme,
}

/// The picker.
#[derive(Clone, Debug, PartialEq)]
pub struct ThemesUi {
    /// What there is.
    pub rows: Vec<ThemeRow>,
    /// The row the cursor is on; the console wears it.
    pub selected: usize,
    /// The theme that comes back when none is kept.
    pub before: String,
}

impl ThemesUi {
    /// A picker with the cursor on the theme that is worn.
    pub fn new(rows: Vec<ThemeRow>, worn: &str) -> Self {
        let selected = rows.iter().position(|r| r.listed.name == worn).unwrap_or(0);
        Self { rows, selected, before: worn.to_owned() }
    }

    /// The row under the cursor.
    pub fn chosen(&self) -> Option<&ThemeRow> {
        self.rows.get(self.selected)
    }

    /// The themes are others now; the cursor stays with its name.
    pub(crate) fn refresh(&mut self, rows: Vec<ThemeRow>) {
        let name = self.chosen().map(|r| r.listed.name.clone());
        self.rows = rows;
        let place = self.rows.iter().position(|r| Some(&r.listed.name) == name.as_ref());
        self.selected = place.unwrap_or(self.selected.min(self.rows.len().saturating_sub(1)));
    }

    /// Takes an action that moves the cursor; none when it is not the picker's.
    pub(super) fn update(&mut self, action: Action) -> Option<Vec<UiEffect>> {
        const PAGE: isize = 10;
        match action {
            Action::Down => Some(self.turn(1)),
            Action::Up => Some(self.turn(-1)),
            Action::PageDown => Some(self.turn(PAGE)),
            Action::PageUp => Some(self.turn(-PAGE)),
            Action::First => Some(self.turn(isize::MIN)),
            Action::Last => Some(self.turn(isize::MAX)),
            _ => None,
        }
    }

    /// Moves the cursor and tries on what is under it.
    pub(super) fn turn(&mut self, by: isize) -> Vec<UiEffect> {
        let before = self.selected;
        self.selected = before.saturating_add_signed(by).min(self.rows.len().saturating_sub(1));
        if self.selected == before { Vec::new() } else { self.preview() }
    }

    /// The cursor to a row; nothing comes back when it is there already.
    pub(super) fn go(&mut self, row: usize) -> Vec<UiEffect> {
        let by = row as isize - self.selected as isize;
        self.turn(by)
    }

    fn preview(&self) -> Vec<UiEffect> {
        self.chosen().map(|r| UiEffect::PreviewTheme(r.listed.name.clone())).into_iter().collect()
    }

    /// What keeps the theme under the cursor.
    pub(super) fn keep(&self) -> Vec<UiEffect> {
        self.chosen().map(|r| UiEffect::KeepTheme(r.listed.name.clone())).into_iter().collect()
    }

    /// What puts the theme before on again.
    pub(super) fn undo(&self) -> Vec<UiEffect> {
        vec![UiEffect::PreviewTheme(self.before.clone())]
    }
}
