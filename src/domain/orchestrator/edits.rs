//! Edits of plans: checked, made, undone and made again; and where a task runs.

use super::Orchestrator;
use super::again::Reach;
use super::commands::Refusal;
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{
    Author, Command, EditKind, EndpointName, Event, GoalId, Name, Partial, PlanEdited, Subject, TaskId, Work,
};
use crate::domain::state::{End, Life, TaskIx};
use crate::domain::text::CleanText;

impl Orchestrator {
    pub(super) fn check_edit(
        &self,
        goal: GoalId,
        if_revision: u32,
        edits: &[PlanEdit],
        rerun: &[Name],
    ) -> Result<(), Refusal> {
        let g = self.goal(goal)?;
        if g.revision != if_revision {
            return Err(format!(
                "the plan changed meanwhile (it is at revision {}, the edit was made on {if_revision}); look at it again",
                g.revision
            ));
        }
        if edits.iter().any(|e| matches!(e, PlanEdit::Restore(_))) {
            return Err("a removed task comes back by undo only".to_owned());
        }
        let after = self.state.edited_plan(goal, edits)?;
        for name in rerun {
            let own = self
                .state
                .task_by_id(&TaskId::new(goal, name.clone()))
                .is_some_and(|t| matches!(t.work, Work::Round | Work::Synthesis | Work::Voice) && !t.removed);
            if !own && !after.iter().any(|form| form.id == *name) {
                return Err(format!("{name} can't run again: it is not in the plan"));
            }
        }
        Ok(())
    }

    /// Makes an edit that was checked, and runs again what was confirmed.
    pub(super) fn edit_plan(
        &mut self,
        author: Author,
        goal: GoalId,
        edits: Vec<PlanEdit>,
        rerun: &[Name],
        kind: EditKind,
    ) {
        let ids = |wanted: fn(&PlanEdit) -> bool| -> Vec<TaskId> {
            edits.iter().filter(|e| wanted(e)).map(|e| TaskId::new(goal, e.name().clone())).collect()
        };
        let removed = ids(|e| matches!(e, PlanEdit::Remove(_)));
        let restored = ids(|e| matches!(e, PlanEdit::Restore(_)));
        let answers = self.answers_that_go_along(goal);
        self.reopen(goal);
        let revision = self.state.goal(goal).map_or(0, |g| g.revision) + 1;
        self.emit(Event::PlanEdited(PlanEdited {
            goal,
            revision,
            author: author.clone(),
            edits,
            work: Work::Ordinary,
            repairs: Vec::new(),
            kind,
        }));
        for id in removed {
            if let Some(ix) = self.state.find(&id)
                && self.state.task(ix).life == Life::Running
            {
                self.stop_attempt(ix);
                self.emit(Event::TaskCancelled { task: id.clone(), keep: Partial::Kept });
            }
            self.emit_cleared(Subject::Fit(id.clone()));
            self.emit_cleared(Subject::Task(id));
        }
        for ix in restored.iter().filter_map(|id| self.state.find(id)).collect::<Vec<TaskIx>>() {
            if self.state.task(ix).life == Life::Ended(End::Failed) {
                self.tell_failure(ix);
            }
        }
        self.add_answer(goal);
        let again: Vec<TaskIx> = rerun
            .iter()
            .filter_map(|name| self.state.find(&TaskId::new(goal, name.clone())))
            .filter(|ix| !self.state.task(*ix).removed && self.state.task(*ix).life != Life::NotStarted)
            .collect();
        if !again.is_empty() {
            self.run_again(&author, again, Reach::Skipped);
        }
        self.follow(answers);
    }

    pub(super) fn check_place(&self, task: &TaskId, endpoint: Option<&EndpointName>) -> Result<(), Refusal> {
        let task = self.state.task(self.task(task)?);
        match endpoint {
            Some(name) if self.state.find_endpoint(name).is_none() => Err(format!("there is no endpoint {name}")),
            Some(name) if task.place.as_ref() == Some(name) => Err(format!("it goes to {name} already")),
            None if task.place.is_none() => Err("it goes wherever its tier is served already".to_owned()),
            _ => Ok(()),
        }
    }

    /// What a command that was checked will do beyond its own words.
    pub(super) fn consequence(&self, author: &Author, command: &Command) -> Option<CleanText> {
        let words = match command {
            Command::Undo(goal) => format!("undo: {}", self.state.undo(*goal, author).ok()?.words),
            Command::Redo(goal) => format!("redo: {}", self.state.redo(*goal, author).ok()?.words),
            Command::Place { task, endpoint: Some(endpoint) } => {
                let task = self.state.task_by_id(task)?;
                let e = self.state.endpoint(self.state.find_endpoint(endpoint)?);
                let mut words = command.to_string();
                if let Some(tier) = self.state.tier_of(task).filter(|tier| !e.serves(tier)) {
                    words.push_str(&format!("; it does not serve the tier {tier}"));
                }
                if !e.is_usable() {
                    words.push_str("; it does not answer now, so others of the tier are used until it does");
                }
                if task.life == Life::Running {
                    words.push_str("; the attempt that runs stays where it is");
                }
                words
            }
            _ => return None,
        };
        Some(CleanText::one_line(&words))
    }
}
