//! What the user does on the Run screen: focus, selection, folds, panes, scroll, zoom, pins, filter.
//!
//! [`RunUi::tick`] follows the state before each frame; [`RunUi::update`] takes an action. Not here: drawing
//! (`view/run`), text fields and cards (the console's layers). Invariant: the selection stays with its task, whatever
//! happens around it.

pub mod areas;
pub mod figures;
pub mod filter;
pub mod groups;
mod instant;
mod lights;
pub mod marks;
pub mod order;
pub mod panes;
pub mod place;
mod pointer;
pub mod rows;
mod scroll;
pub mod select;
pub mod splits;
mod tree;
mod update;

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::layout::Rect;

use self::areas::{Areas, Form, Grid, Only, Wish, divide};
use self::figures::{Figures, FleetLine};
use self::filter::Filter;
use self::groups::Groups;
use self::lights::Lights;
use self::marks::Marks;
use self::order::Order;
use self::panes::Panes;
use self::place::{Anchor, Place};
use self::pointer::Pointer;
use self::rows::{Folds, Pick, Row, RowsKey};
use self::select::Selection;
use self::splits::Splits;
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
    /// A border that can be dragged.
    Border(splits::Border),
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
    /// The tree's filter.
    pub filter: Filter,
    /// The tree's order.
    pub order: Order,
    /// What is marked.
    pub marks: Marks,
    /// The sizes the user gave the parts.
    pub splits: Splits,
    /// What has just been released, while it is lit.
    pub lights: Lights,
    /// The search in outputs.
    pub search: Search,
    /// The selected line of the fleet pane.
    pub fleet_at: usize,
    /// The tree's first visible row.
    pub tree_top: usize,
    folds: Folds,
    groups: Groups,
    rows: Vec<Row>,
    /// Tasks that the filter lets through.
    found: usize,
    key: RowsKey,
    /// Whether rows are kept that would move the selected one.
    kept: bool,
    /// Whether the user did something since the rows were last looked at.
    stirred: bool,
    pointer: Pointer,
    at: usize,
    figures: Figures,
    areas: Areas,
    drawn: Drawn,
    /// Where the focus was before a pane was zoomed.
    zoomed_from: Option<Focus>,
    selection: Option<Selection>,
    /// While a filter or search is typed: what it was before.
    finding: Option<String>,
    now: Micros,
}

impl RunUi {
    /// Follows the state: call before each frame, with the area the Run screen has.
    pub fn tick(&mut self, state: &State, now: Micros, area: Rect) {
        self.now = now;
        self.lights.prune(now);
        self.figures.refresh(state, now);
        self.groups.refresh(state);
        self.marks.keep(|t| state.tasks().get(t.0 as usize).is_some_and(|t| !t.removed));
        self.guide(state);
        self.list(state, now);
        self.find_pick(state);
        self.zoom = self.zoom.filter(|t| (t.0 as usize) < state.tasks().len());
        self.areas = divide(area, self.wish(state));
        let capacity = if self.zoom.is_some() { self.panes.list.len().max(1) } else { self.areas.panes.len() };
        let first = self.zoom.filter(|_| self.panes.past).or_else(|| self.preview(state));
        self.panes.assign(state, now, capacity, first);
        if let Some(at) = self.zoom.filter(|_| self.panes.past).and_then(|t| self.panes.of(t)) {
            self.panes.focus = at;
        }
        // A zoomed pane is all there is to see, so keys mean it.
        if let Some(at) = self.zoom.and_then(|t| self.panes.of(t))
            && self.focus != Focus::Pane
        {
            self.zoomed_from = Some(self.focus);
            self.focus_pane(at);
        }
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
            // One for each server, so that nothing beside it moves when some idle.
            fleet_lines: state.pools().len().min(99) as u16,
            tasks: self.panes.wanted(state),
            splits: self.splits,
            zoomed: self.zoom.is_some(),
        }
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
    pub fn input(&mut self, msg: &Msg, state: &State, now: Micros) -> Vec<UiEffect> {
        match msg {
            Msg::Click(x, y) => return self.press(*x, *y, state, now),
            Msg::Drag(x, y) => self.drag(*x, *y),
            Msg::Release(..) => return self.release(),
            Msg::Wheel(x, y, by) => self.wheel(*x, *y, *by),
            Msg::Tick => self.lights.prune(now),
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

    /// Follows what happened: what it releases is lit; all else is read from the state in [`RunUi::tick`].
    pub fn observe(&mut self, state: &State, record: &Record) {
        self.lights.observe(state, record);
    }

    /// When a pane gives its place away by itself, or a light goes out.
    pub fn deadline(&self) -> Option<Micros> {
        let ends = self.panes.list.iter().flatten().filter_map(|p| p.ended_since).map(|since| since.plus(panes::SHOWN));
        ends.chain(self.lights.until()).filter(|at| *at > self.now).chain(self.wants_frame()).min()
    }

    /// What is typed for `/`, with the words before it, for the fixed line: `filter tasks` or `search output`.
    pub fn field(&self) -> Option<(&'static str, &str)> {
        self.finding.as_ref()?;
        Some((if self.focus == Focus::Pane { "search output" } else { "filter tasks" }, self.find_text()))
    }

    /// What `/` means now, with the text there is: the tree's filter or the search in outputs.
    pub fn find_text(&self) -> &str {
        if self.focus == Focus::Pane { &self.search.text } else { &self.filter.text }
    }

    /// Sets the filter (tree) or the search (outputs); called with each letter typed.
    pub fn set_find(&mut self, text: &str) {
        if self.focus == Focus::Pane {
            self.search_for(text);
        } else {
            self.filter = Filter::parse(text);
        }
    }

    /// Tasks that the filter lets through, of all.
    pub fn filtered(&self) -> (usize, u32) {
        (self.found, self.figures.progress.total)
    }

    /// Selects a task and shows it: for the palette, the attention list and the like.
    pub fn select(&mut self, task: TaskIx) {
        self.guide = Guide::User;
        self.focus = Focus::Tree;
        self.pick = Some(Pick::Task(task));
        // Where it ended, it is folded away until the list is made anew.
        self.stir();
    }

    /// Ends the zoom; the focus goes back to where it was. False: nothing was zoomed.
    fn unzoom(&mut self) -> bool {
        let was = self.zoom.take().is_some();
        if let Some(focus) = self.zoomed_from.take().filter(|_| was) {
            self.focus = focus;
        }
        was
    }

    fn focus_pane(&mut self, at: usize) {
        self.focus = Focus::Pane;
        self.panes.focus = at;
        if let Some(pane) = self.panes.get(at) {
            self.pick = Some(Pick::Task(pane.task));
        }
    }

    /// The form the screen has now.
    pub fn form(&self) -> Form {
        self.areas.form
    }
}

#[cfg(test)]
mod tests;
