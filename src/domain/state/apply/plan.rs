//! What an edit changes: tasks come, go and take new forms; needs and feeds follow; the edit is kept for undo.

use std::sync::Arc;

use super::super::{Life, PastChange, PastEdit, State, Task, TaskIx};
use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::{EditKind, GoalId, Micros, PlanEdited, Route, TaskId, Work};
use crate::domain::state::GoalPhase;
use crate::domain::text::CleanText;

impl State {
    pub(super) fn plan_edited(&mut self, at: Micros, edited: &PlanEdited) {
        let Some(goal) = self.goal_mut(edited.goal) else { return };
        goal.revision = edited.revision;
        goal.author = edited.author.clone();
        if !edited.repairs.is_empty() {
            goal.repairs.clone_from(&edited.repairs);
        }
        // A goal's first plan is no edit of it, and Baton's own tasks follow by themselves.
        let kept = edited.work == Work::Ordinary && goal.phase != GoalPhase::Planning;
        let before = if kept && edited.kind == EditKind::New { self.forms(edited) } else { Vec::new() };
        for edit in &edited.edits {
            match edit {
                PlanEdit::Add(spec) => self.add_task(at, edited.goal, edited.work, spec),
                PlanEdit::Replace(spec) => {
                    self.with_task(&TaskId::new(edited.goal, spec.id.clone()), |task| take_form(task, spec));
                }
                PlanEdit::Restore(spec) => self.set_removed(edited.goal, edit, |task| {
                    task.removed = false;
                    take_form(task, spec);
                }),
                PlanEdit::Remove(_) => self.set_removed(edited.goal, edit, |task| task.removed = true),
            }
        }
        let touched = self.link(edited);
        self.refresh_dirty(touched);
        if kept {
            self.keep_edit(edited, before);
        }
    }

    /// Takes a task out or in, and counts it.
    fn set_removed(&mut self, goal: GoalId, edit: &PlanEdit, change: impl FnOnce(&mut Task)) {
        let Some(ix) = self.find(&TaskId::new(goal, edit.name().clone())) else { return };
        let was = self.task(ix).removed;
        if was == matches!(edit, PlanEdit::Remove(_)) {
            return;
        }
        change(&mut self.tasks[ix.0 as usize]);
        if !self.task(ix).has_ended()
            && let Some(goal) = self.goal_mut(goal)
        {
            goal.open = if was { goal.open + 1 } else { goal.open.saturating_sub(1) };
        }
    }

    /// The forms of the tasks an edit names, each once.
    fn forms(&self, edited: &PlanEdited) -> Vec<PastChange> {
        let mut forms: Vec<PastChange> = Vec::new();
        let mut names: Vec<_> = edited.edits.iter().map(PlanEdit::name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            forms.push(PastChange { name: name.clone(), before: self.form(edited.goal, name), after: None });
        }
        forms
    }

    fn keep_edit(&mut self, edited: &PlanEdited, mut changes: Vec<PastChange>) {
        for change in &mut changes {
            change.after = self.form(edited.goal, &change.name);
        }
        changes.retain(|c| c.before != c.after);
        if changes.is_empty() && edited.kind == EditKind::New {
            return;
        }
        let Some(goal) = self.goal_mut(edited.goal) else { return };
        match edited.kind {
            EditKind::New => {
                // Who makes a new edit has gone another way than what was undone.
                goal.edits.retain(|e| !(e.undone && e.author == edited.author));
                goal.edits.push_back(PastEdit {
                    revision: edited.revision,
                    author: edited.author.clone(),
                    changes,
                    undone: false,
                });
                while goal.edits.len() > PastEdit::KEPT {
                    goal.edits.pop_front();
                }
            }
            EditKind::Undoes(revision) | EditKind::Redoes(revision) => {
                if let Some(edit) = goal.edits.iter_mut().find(|e| e.revision == revision) {
                    edit.undone = matches!(edited.kind, EditKind::Undoes(_));
                }
            }
        }
    }

    fn add_task(&mut self, at: Micros, goal: GoalId, work: Work, spec: &TaskSpec) {
        let id = TaskId::new(goal, spec.id.clone());
        if self.task_index.contains_key(&id) {
            return;
        }
        let ix = TaskIx(self.tasks.len() as u32);
        self.task_index.insert(id.clone(), ix);
        self.tasks.push(Task {
            id,
            work,
            title: CleanText::one_line(&spec.title()),
            spec: Arc::new(spec.clone()),
            version: 1,
            life: Life::NotStarted,
            held: false,
            dirty: false,
            removed: false,
            edited: false,
            asking: None,
            messages: Vec::new(),
            thread: Vec::new(),
            place: None,
            needs: Vec::new(),
            feeds: Vec::new(),
            attempts: Vec::new(),
            result: None,
            failures: 0,
            route: Route::Primary,
            setbacks: 0,
            troubled_since: None,
            avoid: None,
            refused_by: Vec::new(),
            not_before: Micros(0),
            waits_since: Micros(0),
            level: None,
            limit: None,
            cut_attempt: None,
            cut_choice: None,
            reason: CleanText::default(),
            added_at: at,
            started_at: None,
            ended_at: None,
        });
        if let Some(goal) = self.goal_mut(goal) {
            goal.tasks.push(ix);
            goal.open += 1;
        }
    }

    /// Sets needs and feeds of the tasks an edit touched, and names those; a need on a removed task does not count.
    fn link(&mut self, edited: &PlanEdited) -> Vec<TaskIx> {
        // One that goes or comes back may be needed by any other.
        let any = edited.edits.iter().any(|e| matches!(e, PlanEdit::Remove(_) | PlanEdit::Restore(_)));
        let touched: Vec<TaskIx> = match self.goal(edited.goal) {
            Some(goal) if any => goal.tasks.clone(),
            _ => edited.edits.iter().filter_map(|e| self.find(&TaskId::new(edited.goal, e.name().clone()))).collect(),
        };
        for ix in &touched {
            let spec = Arc::clone(&self.task(*ix).spec);
            let removed = self.task(*ix).removed;
            let mut needs = Vec::with_capacity(spec.needs.len());
            for name in &spec.needs {
                if let Some(need) = self.find(&TaskId::new(edited.goal, name.clone()))
                    && !self.task(need).removed
                    && !removed
                    && !needs.contains(&need)
                {
                    needs.push(need);
                }
            }
            let old = std::mem::take(&mut self.tasks[ix.0 as usize].needs);
            for need in &old {
                if !needs.contains(need) {
                    self.tasks[need.0 as usize].feeds.retain(|f| f != ix);
                }
            }
            for need in &needs {
                if !old.contains(need) {
                    self.tasks[need.0 as usize].feeds.push(*ix);
                }
            }
            self.tasks[ix.0 as usize].needs = needs;
        }
        touched
    }
}

fn take_form(task: &mut Task, spec: &TaskSpec) {
    task.title = CleanText::one_line(&spec.title());
    task.spec = Arc::new(spec.clone());
    task.version += 1;
    task.refused_by.clear();
}
