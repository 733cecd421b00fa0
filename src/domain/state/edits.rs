//! The edits of a plan that can be undone or made again, and what that takes.
//!
//! Each author undoes their own edits, the last one first. An edit can be undone while each task it touched is still as
//! it left it, and made again while each is as it was before; so nobody loses the work of another. Invariants: of one
//! author's edits the undone ones come last; no more than [`PastEdit::KEPT`] are kept for a goal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Goal, State};
use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::{Author, EditKind, GoalId, Name, TaskId};
use crate::domain::text::CleanText;

/// What an edit did to one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastChange {
    /// The task.
    pub name: Name,
    /// Its form before; none: it was not in the plan.
    pub before: Option<Arc<TaskSpec>>,
    /// Its form after; none: it was taken out.
    pub after: Option<Arc<TaskSpec>>,
}

/// An edit of a plan that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastEdit {
    /// The revision it made.
    pub revision: u32,
    /// Who made it.
    pub author: Author,
    /// What it did, a task each.
    pub changes: Vec<PastChange>,
    /// Whether it is undone.
    pub undone: bool,
}

impl PastEdit {
    /// How many are kept for a goal.
    pub const KEPT: usize = 200;

    /// What it is, in words: "edit of sources", "removal of lit and web".
    pub fn words(&self) -> String {
        let is =
            |from: bool, to: bool| self.changes.iter().all(|c| c.before.is_some() == from && c.after.is_some() == to);
        let what = if is(false, true) {
            "addition"
        } else if is(true, false) {
            "removal"
        } else {
            "edit"
        };
        let names: Vec<&str> = self.changes.iter().map(|c| c.name.as_str()).collect();
        format!("{what} of {}", listed(&names))
    }
}

/// An edit that undoes one before it, or makes it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Inverse {
    /// Which edit, and which of the two.
    pub kind: EditKind,
    /// The steps.
    pub edits: Vec<PlanEdit>,
    /// What it takes back or makes again and what comes of it, in words: "edit of sources; sources is in date
    /// again".
    pub words: CleanText,
}

/// `a`, `a and b`, `a, b and 3 more`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

impl State {
    /// The form of a task that is in the plan.
    pub(super) fn form(&self, goal: GoalId, name: &Name) -> Option<Arc<TaskSpec>> {
        self.task_by_id(&TaskId::new(goal, name.clone())).filter(|t| !t.removed).map(|t| Arc::clone(&t.spec))
    }

    /// What undoes the author's own last edit of a goal's plan that is not undone.
    ///
    /// # Errors
    /// In words, why there is none.
    pub fn undo(&self, goal: GoalId, author: &Author) -> Result<Inverse, String> {
        let g = self.goal(goal).ok_or_else(|| format!("there is no goal {goal}"))?;
        let Some(edit) = g.edits.iter().rev().find(|e| e.author == *author && !e.undone) else {
            return Err("there is no edit of yours to undo".to_owned());
        };
        self.inverse(g, edit, EditKind::Undoes(edit.revision))
    }

    /// What makes the author's own last undone edit of a goal's plan again.
    ///
    /// # Errors
    /// In words, why there is none.
    pub fn redo(&self, goal: GoalId, author: &Author) -> Result<Inverse, String> {
        let g = self.goal(goal).ok_or_else(|| format!("there is no goal {goal}"))?;
        let Some(edit) = g.edits.iter().find(|e| e.author == *author && e.undone) else {
            return Err("there is nothing undone of yours to make again".to_owned());
        };
        self.inverse(g, edit, EditKind::Redoes(edit.revision))
    }

    /// What [`State::undo`] would take back, in words; none where it would be refused.
    pub fn undoable(&self, goal: GoalId, author: &Author) -> Option<CleanText> {
        self.undo(goal, author).ok().map(|inverse| inverse.words)
    }

    /// What [`State::redo`] would make again, in words; none where it would be refused.
    pub fn redoable(&self, goal: GoalId, author: &Author) -> Option<CleanText> {
        self.redo(goal, author).ok().map(|inverse| inverse.words)
    }

    fn inverse(&self, goal: &Goal, edit: &PastEdit, kind: EditKind) -> Result<Inverse, String> {
        let mut edits = Vec::new();
        for change in &edit.changes {
            let (from, to) = match kind {
                EditKind::Redoes(_) => (&change.before, &change.after),
                _ => (&change.after, &change.before),
            };
            if self.form(goal.id, &change.name) != *from {
                return Err(self.overtaken(goal, edit, &change.name));
            }
            match (from, to) {
                (Some(_), Some(to)) => edits.push(PlanEdit::Replace(Box::new((**to).clone()))),
                (Some(_), None) => edits.push(PlanEdit::Remove(change.name.clone())),
                (None, Some(to)) => edits.push(PlanEdit::Restore(Box::new((**to).clone()))),
                (None, None) => {}
            }
        }
        let preview = self.preview(goal.id, &edits).map_err(|e| format!("the {}: {e}", edit.words()))?;
        let mut words = edit.words();
        let mut say = |names: &[Name], one: &str, many: &str| {
            let names: Vec<&str> = names.iter().map(Name::as_str).collect();
            if !names.is_empty() {
                words.push_str(&format!("; {} {}", listed(&names), if names.len() == 1 { one } else { many }));
            }
        };
        say(&preview.stopped, "is stopped, what it wrote is kept", "are stopped, what they wrote is kept");
        say(&preview.running, "runs on with its old form", "run on with their old forms");
        say(&preview.dirty, "is out of date then", "are out of date then");
        say(&preview.clean, "is in date again", "are in date again");
        say(&preview.runs, "runs", "run");
        Ok(Inverse { kind, edits, words: CleanText::one_line(&words) })
    }

    /// Who changed a task after an edit (or after it was undone).
    fn overtaken(&self, goal: &Goal, edit: &PastEdit, name: &Name) -> String {
        let touches = |e: &&PastEdit| e.author != edit.author && e.changes.iter().any(|c| c.name == *name);
        match goal.edits.iter().rev().filter(|e| e.revision != edit.revision).find(touches) {
            Some(other) if !other.undone => {
                format!("the {} by {} came after it; undo that first", other.words(), other.author)
            }
            Some(other) => {
                format!("the {} by {} was undone since; make that again first", other.words(), other.author)
            }
            None => format!("{name} was changed since, and it is not known any more by whom"),
        }
    }
}
