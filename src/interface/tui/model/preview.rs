//! The preview of an edit: what changes, which finished work it makes out of date, what of it runs again.
//!
//! Not here: what an edit does ([`State::preview`]), drawing (`view/preview`). Invariants: nothing is sent before `enter`;
//! nothing that runs or is finished is chosen to run again but by the operator.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyModifiers};

use super::Msg;
use super::scroll::Scroll;
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{Command, GoalId, Micros, Name, TaskId};
use crate::domain::state::{Preview, State};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

/// A row of the preview.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// What the rows below it are.
    Heading(CleanText),
    /// A task and what becomes of its form.
    Change(Change, Name, CleanText),
    /// A task that can be chosen to run again.
    Choice(Name),
    /// A remark.
    Remark(CleanText),
    /// Nothing.
    Empty,
}

/// What becomes of a task's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It has a new form.
    Changed,
    /// It goes.
    Removed,
}

/// An edit before it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewUi {
    /// Whose plan.
    pub goal: GoalId,
    /// What it does.
    pub preview: Preview,
    if_revision: u32,
    edits: Vec<PlanEdit>,
    /// Finished and running tasks that run again.
    chosen: BTreeSet<Name>,
    /// Its rows.
    rows: Vec<Row>,
    /// The selected row: always a choice, where there is one.
    selected: usize,
    pub(crate) scroll: Scroll,
    opened: Micros,
}

impl PreviewUi {
    /// For how long it takes no `enter`: a key meant for what was there before decides nothing.
    const DEAF: Micros = Micros::from_millis(300);

    /// The preview of an edit of a goal's plan as it is now; `remarks` stand first.
    ///
    /// # Errors
    /// Why the edit can't be made, in words.
    pub fn new(
        state: &State,
        goal: GoalId,
        edits: Vec<PlanEdit>,
        remarks: Vec<CleanText>,
        now: Micros,
    ) -> Result<Self, String> {
        let preview = state.preview(goal, &edits)?;
        let if_revision = state.goal(goal).map_or(0, |g| g.revision);
        let rows = rows(state, goal, &preview, remarks);
        let selected = rows.iter().position(|r| matches!(r, Row::Choice(_))).unwrap_or(0);
        let chosen = BTreeSet::new();
        Ok(Self { goal, preview, if_revision, edits, chosen, rows, selected, scroll: Scroll::default(), opened: now })
    }

    /// Its rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The selected row, where there is something to choose.
    pub fn selected(&self) -> Option<usize> {
        matches!(self.rows.get(self.selected), Some(Row::Choice(_))).then_some(self.selected)
    }

    /// Whether a task was chosen to run again.
    pub fn is_chosen(&self, task: &Name) -> bool {
        self.chosen.contains(task)
    }

    /// Whether there is something to choose.
    pub fn has_choices(&self) -> bool {
        self.choices().next().is_some()
    }

    /// Tasks that can be chosen.
    fn choices(&self) -> impl Iterator<Item = &Name> {
        self.rows.iter().filter_map(|r| match r {
            Row::Choice(name) => Some(name),
            _ => None,
        })
    }

    /// A task's title: that of its new form, else that it has.
    pub fn title(&self, name: &Name, state: &State) -> CleanText {
        let new = self.edits.iter().rev().find_map(|edit| match edit {
            PlanEdit::Add(spec) | PlanEdit::Replace(spec) | PlanEdit::Restore(spec) if spec.id == *name => Some(spec),
            _ => None,
        });
        let old = || state.task_by_id(&TaskId::new(self.goal, name.clone())).map(|t| t.title.clone());
        new.map(|spec| CleanText::one_line(&spec.title())).or_else(old).unwrap_or_else(|| name.to_string().into())
    }

    /// What runs because of the edit as chosen, and the seconds that takes.
    pub fn cost(&self) -> (usize, f32) {
        let chosen: Vec<Name> = self.chosen.iter().cloned().collect();
        (self.preview.runs_with(&chosen).len(), self.preview.seconds_with(&chosen))
    }

    /// It is shown from now on.
    pub(super) fn opens(&mut self, now: Micros) {
        self.opened = now;
    }

    /// From when on it takes `enter`.
    pub(super) fn listens_at(&self) -> Micros {
        self.opened.plus(Self::DEAF)
    }

    /// The command it stands for, and what it does in words.
    pub(super) fn command(&self) -> (Command, CleanText) {
        let rerun: Vec<Name> = self.chosen.iter().cloned().collect();
        let command =
            Command::EditPlan { goal: self.goal, if_revision: self.if_revision, edits: self.edits.clone(), rerun };
        let mut parts = Vec::new();
        let preview = &self.preview;
        let counts =
            [(preview.added.len(), "added"), (preview.changed.len(), "changed"), (preview.removed.len(), "removed")];
        for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
            parts.push(format!("{count} {word}"));
        }
        if !self.chosen.is_empty() {
            parts.push(format!("{} run again", self.chosen.len()));
        }
        (command, format!("plan edited: {}; u undoes it", parts.join(", ")).into())
    }

    /// Moves, as the keys of a card do.
    pub(super) fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Down | Action::NextPane | Action::Right => self.step(1),
            Action::Up | Action::PreviousPane | Action::Left => self.step(-1),
            _ => return false,
        }
        true
    }

    /// Takes a key or the wheel.
    pub(super) fn input(&mut self, msg: &Msg) {
        match msg {
            Msg::Key(key) if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {}
            Msg::Key(key) => match key.code {
                KeyCode::Char(' ') => self.toggle(),
                KeyCode::Char('a') => self.all(),
                KeyCode::Char('j') => self.step(1),
                KeyCode::Char('k') => self.step(-1),
                KeyCode::PageDown => self.roll(Action::PageDown),
                KeyCode::PageUp => self.roll(Action::PageUp),
                KeyCode::Home => self.roll(Action::First),
                KeyCode::End => self.roll(Action::Last),
                _ => {}
            },
            Msg::Wheel(_, _, by) => self.scroll.wheel(*by),
            _ => {}
        }
    }

    fn step(&mut self, by: isize) {
        let choice = |i: &usize| matches!(self.rows.get(*i), Some(Row::Choice(_)));
        let next = match by {
            1.. => (self.selected + 1..self.rows.len()).find(choice),
            _ => (0..self.selected).rev().find(choice),
        };
        match next {
            Some(row) => {
                self.selected = row;
                self.scroll.reveal(row);
            }
            // Past the last choice, and where there is none, the rows scroll.
            None => self.roll(if by > 0 { Action::Down } else { Action::Up }),
        }
    }

    fn roll(&mut self, by: Action) {
        self.scroll.act(by);
    }

    fn toggle(&mut self) {
        if let Some(Row::Choice(name)) = self.rows.get(self.selected)
            && !self.chosen.remove(name)
        {
            self.chosen.insert(name.clone());
        }
    }

    /// All that is finished and out of date; all chosen already: none.
    fn all(&mut self) {
        let all: BTreeSet<Name> = self.choices().filter(|n| self.preview.dirty.contains(n)).cloned().collect();
        if all.is_subset(&self.chosen) {
            self.chosen.clear();
        } else {
            self.chosen.extend(all);
        }
    }
}

fn rows(state: &State, goal: GoalId, preview: &Preview, remarks: Vec<CleanText>) -> Vec<Row> {
    let mut rows: Vec<Row> = remarks.into_iter().map(Row::Remark).collect();
    let mut block = |heading: String, under: Vec<Row>| {
        if !under.is_empty() {
            if !rows.is_empty() {
                rows.push(Row::Empty);
            }
            rows.push(Row::Heading(heading.into()));
            rows.extend(under);
        }
    };
    let added = preview.added.iter().map(|n| Row::Change(Change::Added, n.clone(), CleanText::from_static("new")));
    let changed = preview.changed.iter().filter(|c| !c.changes.is_empty());
    let changed = changed.map(|c| Row::Change(Change::Changed, c.name.clone(), c.words().into()));
    let removed = preview.removed.iter().map(|n| {
        let words = if preview.stopped.contains(n) { "removed; it runs, and is stopped" } else { "removed" };
        Row::Change(Change::Removed, n.clone(), CleanText::from_static(words))
    });
    let all: Vec<Row> = added.chain(changed).chain(removed).collect();
    block(format!("Changes {}", all.len()), all);
    let finished = preview.dirty.iter().filter(|n| state.find(&TaskId::new(goal, (*n).clone())).is_some());
    let finished: Vec<Row> = finished.cloned().map(Row::Choice).collect();
    block(format!("Finished, and out of date by this {}", finished.len()), finished);
    let running: Vec<Row> = preview.running.iter().cloned().map(Row::Choice).collect();
    block(format!("At work with the old form {}", running.len()), running);
    rows
}
