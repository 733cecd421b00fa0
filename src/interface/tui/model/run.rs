//! What the user does on the Run screen: focus, selection, folds, panes, scroll, zoom, pins, filter.
//!
//! [`RunUi::tick`] follows the state before each frame; [`RunUi::update`] takes an action. Not here: drawing
//! (`view/run`), text fields and cards (the console's layers). Invariant: the selection stays with its task, whatever
//! happens around it.

pub mod areas;
pub mod figures;
pub mod panes;
pub mod place;
pub mod rows;
mod scroll;
pub mod select;
mod update;

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::layout::{Position, Rect};

use self::areas::{Areas, Form, Grid, Only, Wish, divide};
use self::figures::{Figures, FleetLine};
use self::panes::Panes;
use self::place::{Anchor, Place};
use self::rows::{Fold, Folds, Pick, Row, RowsKey, rows};
use self::select::Selection;
use super::super::action::Context;
use super::{Msg, UiEffect};
use crate::domain::protocol::{Micros, Record};
use crate::domain::state::{EndpointIx, State, TaskIx};

/// Which part has the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// The task tree.
    #[default]
    Tree,
    /// An output pane (which one: [`Panes::focus`]).
    Pane,
    /// The fleet.
    Fleet,
}

/// Whether the selection goes along with the work by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guide {
    /// Until the user moves it, it goes to a task that runs.
    #[default]
    Work,
    /// The user moved it.
    User,
}

/// What stands at a place of the screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Hit {
    /// A row of the tree.
    Row(Pick),
    /// A pane.
    Pane(usize),
    /// A line of the fleet pane.
    Fleet(usize),
}

/// What the last frame showed of a pane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// Where its text stood on the screen.
    pub area: Rect,
    /// Rows visible.
    pub height: usize,
    /// Rows in all; an estimate in a long text.
    pub rows: usize,
    /// The topmost row.
    pub top: usize,
    /// Rows that came since it was scrolled away from the end.
    pub new: usize,
    /// Where it stands, what was asked for done; none: it has no text.
    pub anchor: Option<Anchor>,
    /// The topmost row.
    pub first: Option<Place>,
    /// The last row of all.
    pub last: Option<Place>,
    /// What is selected in it.
    pub selected: Option<(Place, Place)>,
    /// What the search found in it.
    pub found: Option<Found>,
    /// How much of a long text was read yet, in percent.
    pub reading: Option<u8>,
}

/// What a search found in a pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The match the user is at: its part and byte.
    pub at: Option<(u32, usize)>,
    /// Its place in the order, from 1.
    pub nth: usize,
    /// How many there are.
    pub count: usize,
    /// Whether there are more than are counted.
    pub bound: Bound,
    /// How much was searched yet, in percent; none: all.
    pub busy: Option<u8>,
}

/// Whether a count is of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bound {
    /// It is.
    #[default]
    All,
    /// There are at least so many.
    AtLeast,
}

/// What the last frame showed; the loop hands it back with [`RunUi::drawn`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// What stands where.
    pub hits: Vec<(Rect, Hit)>,
    /// By pane.
    pub panes: Vec<Shown>,
}

/// A search in outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What is looked for; empty: nothing.
    pub text: String,
    /// The match the user is at: its part and byte.
    pub at: Option<(u32, usize)>,
    /// Matches it is to go on by; the next frame does it.
    pub step: isize,
}

/// The user's side of the Run screen.
#[derive(Clone, Debug, Default)]
pub struct RunUi {
    /// Which part has the focus.
    pub focus: Focus,
    /// The selected row.
    pub pick: Option<Pick>,
    /// Whether the selection follows the work.
    pub guide: Guide,
    /// The panes.
    pub panes: Panes,
    /// The grid.
    pub grid: Grid,
    /// The task whose pane fills the screen.
    pub zoom: Option<TaskIx>,
    /// The tree's filter; empty: none.
    pub filter: String,
    /// The search in outputs.
    pub search: Search,
    /// The selected line of the fleet pane.
    pub fleet_at: usize,
    /// The tree's first visible row.
    pub tree_top: usize,
    folds: Folds,
    rows: Vec<Row>,
    key: RowsKey,
    at: usize,
    figures: Figures,
    areas: Areas,
    drawn: Drawn,
    selection: Option<Selection>,
    /// While a filter or search is typed: what it was before.
    finding: Option<String>,
    now: Micros,
}

impl RunUi {
    /// Follows the state: call before each frame, with the area the Run screen has.
    pub fn tick(&mut self, state: &State, now: Micros, area: Rect) {
        self.now = now;
        self.figures.refresh(state, now);
        self.guide(state);
        let key = RowsKey::of(state, &self.folds, &self.filter, self.pick.as_ref(), now);
        if self.key != key {
            self.rows = rows(state, &self.folds, &self.filter, self.pick.as_ref(), now);
            self.key = key;
        }
        self.find_pick(state);
        self.zoom = self.zoom.filter(|t| (t.0 as usize) < state.tasks().len());
        self.areas = divide(area, self.wish(state));
        let capacity = if self.zoom.is_some() { self.panes.list.len().max(1) } else { self.areas.panes.len() };
        self.panes.assign(state, now, capacity, self.selected());
        self.fleet_at = self.fleet_at.min(self.figures.fleet.len().saturating_sub(1));
        self.scroll_tree();
    }

    fn wish(&self, state: &State) -> Wish {
        Wish {
            grid: self.grid,
            only: match self.focus {
                Focus::Tree => Only::Tree,
                Focus::Pane => Only::Panes,
                Focus::Fleet => Only::Fleet,
            },
            fleet_lines: self.figures.fleet.len().min(99) as u16,
            tasks: self.panes.wanted(state),
            zoomed: self.zoom.is_some(),
        }
    }

    /// Until the user moves it, the selection goes to a task that runs.
    fn guide(&mut self, state: &State) {
        let settled = match &self.pick {
            Some(Pick::Task(ix)) => !state.task(*ix).has_ended() && !state.task(*ix).attempts.is_empty(),
            Some(_) => true,
            None => false,
        };
        if self.guide == Guide::Work && !settled && self.filter.is_empty() {
            let next = state.running().next().map(|a| a.task);
            let first = || (0..state.tasks().len() as u32).map(TaskIx).find(|t| !state.task(*t).removed);
            if let Some(task) = next.or_else(|| self.selected()).or_else(first) {
                self.pick = Some(Pick::Task(task));
            }
        }
    }

    /// Finds the selected row again; when it is folded away, its phase (or goal) takes its place.
    fn find_pick(&mut self, state: &State) {
        let Some(pick) = self.pick.clone() else {
            self.at = 0;
            self.pick = self.rows.first().map(|r| r.pick.clone());
            return;
        };
        if let Some(at) = self.rows.iter().position(|r| r.pick == pick) {
            self.at = at;
            return;
        }
        if let Pick::Task(ix) = pick {
            let goal = state.task(ix).id.goal;
            let holds = |row: &Row| match &row.pick {
                Pick::Phase(key) => state.phases(key.0).iter().any(|p| p.name == key.1 && p.tasks.contains(&ix)),
                Pick::Goal(g) => *g == goal,
                _ => false,
            };
            if let Some(at) = self.rows.iter().rposition(holds) {
                self.at = at;
                self.pick = self.rows.get(at).map(|r| r.pick.clone());
                return;
            }
        }
        self.at = self.at.min(self.rows.len().saturating_sub(1));
        self.pick = self.rows.get(self.at).map(|r| r.pick.clone());
    }

    fn scroll_tree(&mut self) {
        let height = usize::from(self.areas.tree.height).max(1);
        self.tree_top = self.tree_top.min(self.at).max((self.at + 1).saturating_sub(height));
        self.tree_top = self.tree_top.min(self.rows.len().saturating_sub(height));
    }

    /// The rows of the tree.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The place of the selected row.
    pub fn cursor(&self) -> usize {
        self.at
    }

    /// The figures of this second; the header uses them too.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The division of the screen.
    pub fn areas(&self) -> &Areas {
        &self.areas
    }

    /// The task that keys mean.
    pub fn selected(&self) -> Option<TaskIx> {
        match (&self.focus, &self.pick) {
            (Focus::Pane, _) => self.panes.get(self.panes.focus).map(|p| p.task),
            (_, Some(Pick::Task(ix))) => Some(*ix),
            _ => None,
        }
    }

    /// The endpoint that is selected in the fleet pane, when that has the focus.
    pub fn selected_endpoint(&self) -> Option<EndpointIx> {
        if self.focus != Focus::Fleet {
            return None;
        }
        match self.figures.fleet.get(self.fleet_at)? {
            FleetLine::Endpoint { endpoint, .. } => Some(*endpoint),
            FleetLine::Idle { endpoints, .. } => endpoints.first().copied(),
        }
    }

    /// The contexts of its focus, innermost first; a field that is typed into stands alone.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        match self.focus {
            _ if self.finding.is_some() => vec![Context::Text],
            Focus::Tree => vec![Context::Task, Context::List],
            Focus::Pane => vec![Context::Output, Context::Task],
            Focus::Fleet => vec![Context::Fleet, Context::List],
        }
    }

    /// Takes a key of its text field, a paste, a click or the wheel.
    pub fn input(&mut self, msg: &Msg, _state: &State, _now: Micros) -> Vec<UiEffect> {
        match msg {
            Msg::Click(x, y) => {
                self.click(*x, *y);
            }
            Msg::Wheel(x, y, by) => self.wheel(*x, *y, *by),
            Msg::Key(key) if self.finding.is_some() => {
                let mut text = self.find_text().to_owned();
                match key.code {
                    KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
                    KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                        text.push(c);
                    }
                    KeyCode::Backspace => {
                        text.pop();
                    }
                    _ => return Vec::new(),
                }
                self.set_find(&text);
            }
            Msg::Paste(pasted) if self.finding.is_some() => {
                let text = format!("{}{}", self.find_text(), pasted.replace('\n', " "));
                self.set_find(&text);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Follows what happened; all of it is read from the state in [`RunUi::tick`].
    pub fn observe(&mut self, _state: &State, _record: &Record) {}

    /// When a pane gives its place away by itself.
    pub fn deadline(&self) -> Option<Micros> {
        let ends = self.panes.list.iter().flatten().filter_map(|p| p.ended_since).map(|since| since.plus(panes::SHOWN));
        ends.filter(|at| *at > self.now).chain(self.wants_frame()).min()
    }

    /// What is typed for `/`, with the words before it, for the fixed line: `filter tasks` or `search output`.
    pub fn field(&self) -> Option<(&'static str, &str)> {
        self.finding.as_ref()?;
        Some((if self.focus == Focus::Pane { "search output" } else { "filter tasks" }, self.find_text()))
    }

    /// What `/` means now, with the text there is: the tree's filter or the search in outputs.
    pub fn find_text(&self) -> &str {
        if self.focus == Focus::Pane { &self.search.text } else { &self.filter }
    }

    /// Sets the filter (tree) or the search (outputs); called with each letter typed.
    pub fn set_find(&mut self, text: &str) {
        if self.focus == Focus::Pane {
            self.search_for(text);
        } else {
            text.clone_into(&mut self.filter);
        }
    }

    /// Selects a task and shows it: for the palette, the attention list and the like.
    pub fn select(&mut self, task: TaskIx) {
        self.guide = Guide::User;
        self.focus = Focus::Tree;
        self.pick = Some(Pick::Task(task));
    }

    /// A click: selects the row, focuses the pane. True when it hit something.
    pub fn click(&mut self, x: u16, y: u16) -> bool {
        let Some(hit) = self.hit(x, y) else { return false };
        self.guide = Guide::User;
        match hit {
            Hit::Row(pick) => {
                let again = self.pick.as_ref() == Some(&pick) && self.focus == Focus::Tree;
                self.focus = Focus::Tree;
                let folds = !matches!(pick, Pick::Task(_));
                self.pick = Some(pick);
                if again && folds {
                    self.toggle_fold();
                }
            }
            Hit::Pane(at) => self.focus_pane(at),
            Hit::Fleet(at) => {
                self.focus = Focus::Fleet;
                self.fleet_at = at;
            }
        }
        true
    }

    /// The wheel over a place; negative is up.
    pub fn wheel(&mut self, x: u16, y: u16, by: i16) {
        match self.hit(x, y) {
            Some(Hit::Pane(at)) => self.scroll_pane(at, isize::from(by) * 3),
            Some(Hit::Row(_)) => self.move_pick(isize::from(by) * 3),
            Some(Hit::Fleet(_)) | None => {}
        }
    }

    fn hit(&self, x: u16, y: u16) -> Option<Hit> {
        let at = Position::new(x, y);
        self.drawn.hits.iter().find(|(rect, _)| rect.contains(at)).map(|(_, hit)| hit.clone())
    }

    fn focus_pane(&mut self, at: usize) {
        self.focus = Focus::Pane;
        self.panes.focus = at;
        if let Some(pane) = self.panes.get(at) {
            self.pick = Some(Pick::Task(pane.task));
        }
    }

    fn move_pick(&mut self, by: isize) {
        self.guide = Guide::User;
        let last = self.rows.len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        self.pick = self.rows.get(self.at).map(|r| r.pick.clone());
    }

    fn toggle_fold(&mut self) {
        let Some(row) = self.rows.get(self.at) else { return };
        match row.fold {
            Some(Fold::Open) => self.set_fold(Fold::Closed),
            Some(Fold::Closed) => self.set_fold(Fold::Open),
            None => {}
        }
    }

    fn set_fold(&mut self, fold: Fold) {
        if let Some(Row { pick, fold: Some(now), .. }) = self.rows.get(self.at)
            && *now != fold
        {
            self.folds.set.insert(pick.clone(), fold);
            self.folds.revision += 1;
        }
    }

    /// The form the screen has now.
    pub fn form(&self) -> Form {
        self.areas.form
    }
}

#[cfg(test)]
mod tests;
