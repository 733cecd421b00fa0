//! What an action does on the Run screen.

use super::filter::Filter;
use super::rows::{Fold, Pick};
use super::splits::{Moved, Splits};
use super::{Focus, Guide, RunUi};
use crate::domain::protocol::Micros;
use crate::domain::state::{Life, State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::UiEffect;
use crate::interface::tui::model::many::many_action;
use crate::interface::tui::model::task_verbs::{inspect, is_task_verb, not_here, select_one, task_action};

/// Columns that one key moves a border.
const STEP: i16 = 4;

impl RunUi {
    /// Does `action`. What it can't do here it says in a notice; so it does of actions of other screens.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.finding.is_some() {
            self.close_field(action);
            return Vec::new();
        }
        self.stir();
        self.pointer.forget();
        match action {
            Action::Search => self.finding = Some(self.find_text().to_owned()),
            Action::NextPane => self.step_focus(1),
            Action::PreviousPane => self.step_focus(-1),
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::PageDown => self.step(self.page()),
            Action::PageUp => self.step(-self.page()),
            Action::First => self.step(isize::MIN / 2),
            Action::Last => self.step(isize::MAX / 2),
            Action::Left => self.fold(Fold::Closed),
            Action::Right => self.fold(Fold::Open),
            Action::Enter => return self.enter(state),
            Action::Back => self.back(),
            Action::NextMatch => self.step_match(1),
            Action::PreviousMatch => self.step_match(-1),
            Action::Follow => self.follow(),
            Action::Range if self.focus == Focus::Tree && self.zoom.is_none() => return self.range(),
            Action::Range => match self.toggle_selection() {
                Ok(()) if self.selection().is_some() => {
                    return notice("selecting: j k g G extend, y copies, esc leaves".to_owned());
                }
                Ok(()) => {}
                Err(why) => return notice(why.to_owned()),
            },
            Action::Zoom => {
                if !self.unzoom() {
                    self.zoom = self.shown_task(state);
                }
            }
            Action::Mark => self.mark(state),
            Action::Order => {
                self.order = self.order.next();
                return notice(format!("order of the tasks: {}", self.order.words()));
            }
            Action::WiderList => return sized(self.splits.widen(STEP, &self.areas)),
            Action::NarrowerList => return sized(self.splits.widen(-STEP, &self.areas)),
            Action::TallerList => return sized(self.splits.heighten(1, &self.areas)),
            Action::LowerList => return sized(self.splits.heighten(-1, &self.areas)),
            Action::ResetSizes => self.splits = Splits::default(),
            Action::Grid => {
                self.grid = self.grid.next();
                self.panes.most = 0;
                return notice(format!("grid: {}", self.grid.word()));
            }
            Action::Pin => return self.pin(state),
            Action::Copy if self.selection().is_some() => return vec![UiEffect::CopySelection],
            Action::Copy => {
                return self.shown_task(state).and_then(|ix| task_action(action, ix, state, now)).unwrap_or_default();
            }
            verb if is_task_verb(verb) => {
                return self.verb(verb, state, now);
            }
            action => return not_here(action),
        }
        Vec::new()
    }

    /// Ends typing: `Enter` keeps the text (and goes to the last match), `Back` takes what was there before.
    fn close_field(&mut self, action: Action) {
        match action {
            Action::Enter => {
                self.finding = None;
                if self.focus == Focus::Pane {
                    self.step_match(-1);
                }
            }
            Action::Back => {
                if let Some(before) = self.finding.take() {
                    self.set_find(&before);
                }
            }
            _ => {}
        }
    }

    /// What a verb does: to the marked tasks, to all under a group, or to the one task under the cursor.
    fn verb(&mut self, verb: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        let many = self.focus == Focus::Tree && self.zoom.is_none();
        if many && (!self.marks.is_empty() || !matches!(self.pick, Some(Pick::Task(_)))) {
            let targets = self.targets(state);
            if targets.is_empty() {
                return select_one();
            }
            self.marks.end_range();
            return many_action(verb, &targets, state, now);
        }
        let Some(ix) = self.selected() else { return select_one() };
        task_action(verb, ix, state, now).unwrap_or_default()
    }

    /// Marks what is under the cursor, or takes the mark off.
    fn mark(&mut self, state: &State) {
        if self.focus != Focus::Tree {
            return;
        }
        self.guide = Guide::User;
        if let Some(pick) = &self.pick {
            let tasks = self.tasks_of(pick, state);
            self.marks.toggle(&tasks);
        }
    }

    /// Begins a range at the cursor, or ends it.
    fn range(&mut self) -> Vec<UiEffect> {
        let Some(pick) = self.pick.clone().filter(|_| self.focus == Focus::Tree) else { return Vec::new() };
        self.guide = Guide::User;
        self.marks.range(&pick);
        self.reach();
        match self.marks.from() {
            Some(_) => notice("move to mark up to there; v ends, esc takes it back".to_owned()),
            None => Vec::new(),
        }
    }

    /// The task whose output the user looks at: the selected one, else one of the selected group, else that of the
    /// focused pane.
    fn shown_task(&self, state: &State) -> Option<TaskIx> {
        self.preview(state).or_else(|| self.panes.get(self.panes.focus).map(|p| p.task))
    }

    /// The selected task; of a group the first that runs, else the first that wrote something.
    pub(super) fn preview(&self, state: &State) -> Option<TaskIx> {
        self.selected().or_else(|| match &self.pick {
            Some(Pick::Twins(first)) => {
                let members = &self.groups.named(*first)?.members;
                let runs = members.iter().find(|t| state.task(**t).life == Life::Running);
                runs.or_else(|| members.iter().find(|t| !state.task(**t).attempts.is_empty())).copied()
            }
            _ => None,
        })
    }

    fn step_focus(&mut self, by: isize) {
        let filled: Vec<usize> = (0..self.panes.list.len()).filter(|i| self.panes.get(*i).is_some()).collect();
        // Zoomed, only panes take turns; else tree, each pane, fleet.
        let places = filled.len() as isize + 2;
        let here = match self.focus {
            Focus::Tree => 0,
            Focus::Pane => 1 + filled.iter().position(|i| *i == self.panes.focus).unwrap_or(0) as isize,
            Focus::Fleet => places - 1,
        };
        let next = (here + by).rem_euclid(places);
        match next {
            0 => self.focus = Focus::Tree,
            n if n == places - 1 => self.focus = Focus::Fleet,
            n => {
                if let Some(at) = filled.get((n - 1) as usize).copied() {
                    self.guide = Guide::User;
                    self.focus_pane(at);
                    if self.zoom.is_some() {
                        self.zoom = self.panes.get(at).map(|p| p.task);
                    }
                }
            }
        }
        if self.focus != Focus::Pane {
            (self.zoom, self.zoomed_from) = (None, None);
        }
    }

    fn step(&mut self, by: isize) {
        match self.focus {
            _ if self.zoom.is_some() => {
                let at = self.zoom.and_then(|t| self.panes.of(t)).unwrap_or(self.panes.focus);
                self.scroll_pane(at, by);
            }
            Focus::Tree => self.move_pick(by),
            Focus::Pane => self.scroll_pane(self.panes.focus, by),
            Focus::Fleet => {
                self.fleet_at =
                    self.fleet_at.saturating_add_signed(by).min(self.figures().fleet.len().saturating_sub(1));
            }
        }
    }

    fn page(&self) -> isize {
        let rows = match self.focus {
            Focus::Pane => self.drawn.panes.get(self.panes.focus).map_or(10, |s| s.height),
            Focus::Tree => usize::from(self.areas().tree.height),
            Focus::Fleet => 5,
        };
        // One row of the page before stays in sight.
        rows.saturating_sub(1).max(1) as isize
    }

    fn fold(&mut self, fold: Fold) {
        if let Some(at) = self.keys_pane() {
            self.fold_pane(at, fold);
            return;
        }
        let Some(row) = self.rows().get(self.cursor()) else { return };
        match (row.fold, fold) {
            // Left on a task, or on what is folded, goes to what it stands under.
            (None | Some(Fold::Closed), Fold::Closed) => {
                let depth = row.depth;
                let over = |r: &super::rows::Row| match r.pick {
                    Pick::Twins(_) => r.depth < depth,
                    Pick::Phase(_) => !matches!(row.pick, Pick::Phase(_) | Pick::Goal(_)),
                    Pick::Goal(_) => true,
                    _ => false,
                };
                if let Some(at) = self.rows().iter().take(self.cursor()).rposition(over) {
                    let by = at as isize - self.cursor() as isize;
                    self.move_pick(by);
                }
            }
            (None, Fold::Open) => {
                if let Some(at) = self.selected().and_then(|t| self.panes.of(t)) {
                    self.focus_pane(at);
                }
            }
            _ => {
                self.guide = Guide::User;
                self.set_fold(fold);
            }
        }
    }

    pub(super) fn enter(&mut self, state: &State) -> Vec<UiEffect> {
        match (self.focus, &self.pick) {
            (Focus::Tree, Some(Pick::Task(ix))) => {
                vec![inspect(*ix, state)]
            }
            (Focus::Tree, Some(_)) => {
                self.guide = Guide::User;
                self.toggle_fold();
                Vec::new()
            }
            (Focus::Pane, _) => match self.selected() {
                Some(ix) => vec![inspect(ix, state)],
                None => Vec::new(),
            },
            (Focus::Fleet, _) => {
                let words = "the Why box tells how this endpoint stands; its log and history come with screen 3";
                notice(words.to_owned())
            }
            (Focus::Tree, None) => Vec::new(),
        }
    }

    /// One level back: selection, zoom, search, marks, filter, focus.
    fn back(&mut self) {
        if self.selection().is_some() {
            self.end_selection();
        } else if self.unzoom() {
        } else if self.focus == Focus::Pane && !self.search.text.is_empty() {
            self.search = super::Search::default();
        } else if self.focus == Focus::Tree && self.marks.back() {
        } else if !self.filter.is_empty() && self.focus != Focus::Pane {
            self.filter = Filter::default();
        } else {
            self.focus = Focus::Tree;
        }
    }

    fn pin(&mut self, state: &State) -> Vec<UiEffect> {
        let marked = self.marks.tasks();
        if self.focus == Focus::Tree && !marked.is_empty() {
            let n = marked.len();
            if marked.iter().all(|t| self.panes.pins.contains(t)) {
                self.panes.pins.retain(|t| !marked.contains(t));
                return notice(format!("unpinned {n} outputs"));
            }
            self.panes.pins.extend(marked);
            return notice(format!("pinned {n} outputs"));
        }
        let Some(task) = self.shown_task(state) else { return notice("select a task to pin its output".to_owned()) };
        self.pin_task(task, state)
    }

    /// Pins a task's output, or takes the pin off.
    pub(in crate::interface::tui::model) fn pin_task(&mut self, task: TaskIx, state: &State) -> Vec<UiEffect> {
        let title = &state.task(task).title;
        if self.panes.pins.remove(&task) {
            return notice(format!("unpinned: {title}"));
        }
        self.panes.pins.insert(task);
        notice(format!("pinned: {title}"))
    }
}

/// A border was moved, or there was none to move.
fn sized(moved: Moved) -> Vec<UiEffect> {
    match moved {
        Moved::Yes => Vec::new(),
        Moved::NoBorder => notice("nothing stands beside it here that could give way".to_owned()),
    }
}

fn notice(text: String) -> Vec<UiEffect> {
    vec![UiEffect::Notice(CleanText::from(text))]
}
