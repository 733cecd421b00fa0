//! What an action does on the Graph screen.

use super::moves::Side;
use super::{Form, GraphUi, MOST};
use crate::domain::graph::Content;
use crate::domain::protocol::Micros;
use crate::domain::state::{State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::UiEffect;
use crate::interface::tui::model::many::many_action;
use crate::interface::tui::model::task_verbs::{inspect, is_task_verb, not_here, select_one, task_action};

impl GraphUi {
    /// Does `action`. What it can't do here it says in a notice; so it does of actions of other screens.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.finding.is_some() {
            if action == Action::Enter {
                self.finding = None;
            }
            return Vec::new();
        }
        match action {
            Action::Search => self.finding = Some(self.filter.clone()),
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::PageDown => self.step(self.page()),
            Action::PageUp => self.step(-self.page()),
            Action::First => self.step(isize::MIN / 2),
            Action::Last => self.step(isize::MAX / 2),
            Action::Left => self.left(),
            Action::Right => self.right(),
            Action::NextMatch | Action::PreviousMatch => {
                if !self.next_found(if action == Action::NextMatch { 1 } else { -1 }) {
                    return notice("nothing is filtered; / filters");
                }
            }
            Action::Enter => match self.selected().and_then(|n| self.content(n)) {
                Some(Content::Task(ix)) => return vec![inspect(ix, state)],
                Some(Content::Twins(group)) => self.open_twins(group),
                None => {}
            },
            Action::Order => return self.next_form(),
            Action::Zoom => return self.zoom(),
            Action::Mark | Action::Range => {
                return notice("tasks are marked on screen 1; here a verb on a group means all of it");
            }
            // What was open is closed before this comes here.
            Action::Back => {}
            verb => {
                return match self.selected().and_then(|n| self.content(n)) {
                    Some(Content::Task(ix)) => task_action(verb, ix, state, now).unwrap_or_else(|| not_here(verb)),
                    Some(Content::Twins(group)) if is_task_verb(verb) => {
                        let members: Vec<TaskIx> = self.plot.members(group).collect();
                        many_action(verb, &members, state, now)
                    }
                    _ if is_task_verb(verb) => select_one(),
                    _ => not_here(verb),
                };
            }
        }
        Vec::new()
    }

    /// One level back: what is typed, the filter, the neighbourhood, open twins. False when there was nothing.
    pub fn back(&mut self) -> bool {
        if let Some(before) = self.finding.take() {
            self.filter = before;
        } else if !self.filter.is_empty() {
            self.filter.clear();
        } else if self.form == Form::Near {
            self.leave_near();
        } else if !self.open.is_empty() {
            if !self.close_twins() {
                self.open.clear();
                self.refold();
            }
        } else {
            return false;
        }
        true
    }

    fn page(&self) -> isize {
        // One row of the page before stays in sight.
        usize::from(self.area.height).saturating_sub(1).max(1) as isize
    }

    fn left(&mut self) {
        if self.form == Form::Rails && self.close_twins() {
            return;
        }
        if !self.across(Side::Left) {
            self.close_twins();
        }
    }

    fn right(&mut self) {
        match self.selected().and_then(|n| self.content(n)) {
            Some(Content::Twins(group)) if self.form == Form::Rails => self.open_twins(group),
            _ => {
                self.across(Side::Right);
            }
        }
    }

    pub(super) fn open_twins(&mut self, group: usize) {
        if let Some(name) = self.plot.name(group) {
            self.open.insert(name);
            self.refold();
        }
    }

    /// Closes the open group the selected task is in. False when it is in none.
    fn close_twins(&mut self) -> bool {
        let Some(at) = self.at else { return false };
        let group = (0..self.plot.twins().len()).find(|g| self.plot.members(*g).any(|m| m == at));
        let Some(name) = group.and_then(|g| self.plot.name(g)).filter(|n| self.open.contains(n)) else { return false };
        self.open.remove(&name);
        self.refold();
        true
    }

    fn next_form(&mut self) -> Vec<UiEffect> {
        let many = self.dag.len();
        let next = match self.form {
            Form::Drawing => Form::Rails,
            Form::Rails => Form::Near,
            Form::Near if many > MOST => Form::Rails,
            Form::Near => Form::Drawing,
        };
        self.chosen = Some(next);
        self.form = next;
        if next == Form::Near {
            self.centre = self.at;
        }
        self.stand_ready();
        let words = match next {
            Form::Rails if many > MOST => format!("rails beside a list; {many} are too many to draw"),
            Form::Rails => "rails beside a list".to_owned(),
            Form::Drawing => "drawn in layers".to_owned(),
            Form::Near => "the neighbourhood of the selected one; z elsewhere moves there".to_owned(),
        };
        notice(&words)
    }

    /// To the neighbourhood of the selected one; there already, back.
    fn zoom(&mut self) -> Vec<UiEffect> {
        let Some(selected) = self.selected() else { return Vec::new() };
        if self.form == Form::Near && self.near.as_ref().is_some_and(|n| n.centre == selected) {
            self.leave_near();
            return Vec::new();
        }
        self.chosen = Some(Form::Near);
        self.centre = self.at;
        Vec::new()
    }

    fn leave_near(&mut self) {
        self.chosen = None;
        self.centre = None;
    }
}

fn notice(text: &str) -> Vec<UiEffect> {
    vec![UiEffect::Notice(CleanText::from(text))]
}
