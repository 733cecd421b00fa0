//! What an action does on the Run screen.

use super::rows::{Fold, Pick};
use super::{Focus, Guide, RunUi};
use crate::domain::protocol::{Command, LevelScope, Micros};
use crate::domain::state::{Gear, State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::task_verbs::{inspect, is_task_verb, select_one, task_action};
use crate::interface::tui::model::{Card, Layer, UiEffect};

impl RunUi {
    /// Does `action`. What it can't do here it says in a notice; actions of other rooms do nothing.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.finding.is_some() {
            self.close_field(action);
            return Vec::new();
        }
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
            Action::Range => match self.toggle_selection() {
                Ok(()) if self.selection().is_some() => {
                    return notice("selecting: j k g G extend, y copies, esc leaves".to_owned());
                }
                Ok(()) => {}
                Err(why) => return notice(why.to_owned()),
            },
            Action::Zoom => self.zoom = if self.zoom.is_some() { None } else { self.shown_task() },
            Action::Grid => {
                self.grid = self.grid.next();
                self.panes.most = 0;
                return notice(format!("grid: {}", self.grid.word()));
            }
            Action::Pin => return self.pin(state),
            Action::Copy => return self.copy(state),
            verb if is_task_verb(verb) => {
                let Some(ix) = self.selected() else { return select_one() };
                return task_action(verb, ix, state, now).unwrap_or_default();
            }
            Action::StopAll => return card(Card::stop_all(state, now), "nothing is left to stop"),
            Action::RetryFailed => return card(Card::retry_failed(state, now), "nothing failed"),
            Action::SessionLevel => {
                let level = Some(state.level.next());
                return vec![UiEffect::Send(Command::SetLevel { scope: LevelScope::Session, level })];
            }
            Action::Pause => {
                return vec![UiEffect::Send(match state.gear {
                    Gear::Running => Command::Pause,
                    Gear::Paused => Command::Resume,
                })];
            }
            _ => {}
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

    /// The task whose output the user looks at: the selected one, else that of the focused pane.
    fn shown_task(&self) -> Option<TaskIx> {
        self.selected().or_else(|| self.panes.get(self.panes.focus).map(|p| p.task))
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
            self.zoom = None;
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
            (None, Fold::Closed) => {
                if let Some(at) = self
                    .rows()
                    .iter()
                    .take(self.cursor())
                    .rposition(|r| r.fold.is_some() && !matches!(r.pick, Pick::Finished(_)))
                {
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

    fn enter(&mut self, state: &State) -> Vec<UiEffect> {
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
            _ => Vec::new(),
        }
    }

    /// One level back: selection, zoom, search, filter, focus.
    fn back(&mut self) {
        if self.selection().is_some() {
            self.end_selection();
        } else if self.zoom.take().is_some() {
        } else if self.focus == Focus::Pane && !self.search.text.is_empty() {
            self.search = super::Search::default();
        } else if !self.filter.is_empty() && self.focus != Focus::Pane {
            self.filter.clear();
        } else {
            self.focus = Focus::Tree;
        }
    }

    fn pin(&mut self, state: &State) -> Vec<UiEffect> {
        let Some(task) = self.shown_task() else { return notice("select a task to pin its output".to_owned()) };
        let title = &state.task(task).title;
        if self.panes.pins.remove(&task) {
            return notice(format!("unpinned: {title}"));
        }
        self.panes.pins.insert(task);
        notice(format!("pinned: {title}"))
    }

    fn copy(&self, state: &State) -> Vec<UiEffect> {
        if self.selection().is_some() {
            return vec![UiEffect::CopySelection];
        }
        match self.shown_task() {
            Some(ix) => match state.last_attempt(state.task(ix)) {
                Some(attempt) => vec![UiEffect::CopyAnswer(attempt.id)],
                None => notice("it has written nothing yet".to_owned()),
            },
            None => Vec::new(),
        }
    }
}

fn card(card: Option<Card>, otherwise: &str) -> Vec<UiEffect> {
    match card {
        Some(card) => vec![UiEffect::Open(Box::new(Layer::Card(card)))],
        None => notice(otherwise.to_owned()),
    }
}

fn notice(text: String) -> Vec<UiEffect> {
    vec![UiEffect::Notice(CleanText::from(text))]
}
