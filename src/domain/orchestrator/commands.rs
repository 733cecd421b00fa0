//! Commands: accepted or refused with a reason, either way a record.

use std::collections::BTreeSet;

use super::{Effect, EndReason, Orchestrator};
use crate::domain::plan::{PlanEdit, apply_edits};
use crate::domain::protocol::{
    Author, Command, CommandEnvelope, Event, FailureCount, GoalAdded, GoalId, GoalOptions, LevelScope, Partial,
    PlanSource, RetryScope, Role, Route, StopScope, Subject, TaskId, TaskRetried, Work,
};
use crate::domain::state::{End, Gear, GoalPhase, Life, TaskIx};
use crate::domain::text::CleanText;

/// Why not, in words.
pub(super) type Refusal = String;

impl Orchestrator {
    /// Takes a command. The same id twice acts once.
    pub(super) fn command(&mut self, envelope: CommandEnvelope) {
        let CommandEnvelope { id, author, role, command } = envelope;
        if self.state.saw_command(&id) {
            return;
        }
        let what = CleanText::one_line(&command.to_string());
        let checked = match role {
            Role::Viewer => Err("this connection may look, not act".to_owned()),
            Role::Control if self.state.ended.is_some() => Err("the session has ended".to_owned()),
            Role::Control => self.check(&command),
        };
        match checked {
            Ok(()) => {
                self.emit(Event::CommandAccepted { id, author: author.clone(), what });
                self.act(author, command);
            }
            Err(reason) => {
                let reason = CleanText::one_line(&reason);
                self.emit(Event::CommandRefused { id, author, what, reason });
            }
        }
    }

    fn task(&self, id: &TaskId) -> Result<TaskIx, Refusal> {
        match self.state.find(id) {
            Some(ix) if !self.state.task(ix).removed => Ok(ix),
            Some(_) => Err(format!("{id} was removed from the plan")),
            None => Err(format!("there is no task {id}")),
        }
    }

    /// Does something to a task that was checked to be there.
    fn with(&mut self, task: &TaskId, act: impl FnOnce(&mut Self, TaskIx)) {
        if let Some(ix) = self.state.find(task) {
            act(self, ix);
        }
    }

    fn goal(&self, id: GoalId) -> Result<&crate::domain::state::Goal, Refusal> {
        self.state.goal(id).ok_or_else(|| format!("there is no goal {id}"))
    }

    /// Whether a command can be done now.
    fn check(&self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::AddGoal { text, plan, options } => {
                if text.trim().is_empty() {
                    return Err("the goal is empty; say what is wanted".to_owned());
                }
                if options.max_parallel == Some(0) {
                    return Err("max_parallel is 0, so that nothing could start; give at least 1".to_owned());
                }
                match plan {
                    PlanSource::Model => Ok(()),
                    PlanSource::Given(plan) if plan.max_parallel == Some(0) => {
                        Err("the plan's max_parallel is 0, so that nothing could start; give at least 1".to_owned())
                    }
                    PlanSource::Given(plan) => super::goals::check_plan(plan, &self.state.config.fleet.agents),
                }
            }
            Command::Approve(goal) => match self.goal(*goal)?.phase {
                GoalPhase::Draft => Ok(()),
                GoalPhase::Planning => Err("there is no plan yet; a model is making it".to_owned()),
                GoalPhase::Running | GoalPhase::Ended(_) => Err("its plan runs already".to_owned()),
            },
            Command::EditPlan { goal, if_revision, edits, .. } => self.check_edit(*goal, *if_revision, edits),
            Command::Pause if self.state.gear == Gear::Paused => Err("it is paused already".to_owned()),
            Command::Resume if self.state.gear == Gear::Running => Err("it is not paused".to_owned()),
            Command::Resume if self.state.attention.contains_key(&Subject::Journal) => {
                Err("the journal can't be written; mend that first (see !)".to_owned())
            }
            Command::Hold(task) => {
                let task = self.state.task(self.task(task)?);
                if task.has_ended() {
                    Err("it has ended; there is nothing to hold".to_owned())
                } else if task.held {
                    Err("it is held already; p releases it".to_owned())
                } else {
                    Ok(())
                }
            }
            Command::Release(task) => {
                if self.state.task(self.task(task)?).held {
                    Ok(())
                } else {
                    Err("it is not held".to_owned())
                }
            }
            Command::Retry(RetryScope::Task(task) | RetryScope::WithDependants(task)) => {
                let task = self.state.task(self.task(task)?);
                match task.life {
                    Life::Running if task.asking.is_none() => Err("it runs; stop it first, or wait".to_owned()),
                    Life::NotStarted if task.failures == 0 && task.thread.is_empty() => {
                        Err("it has not run yet; it starts by itself".to_owned())
                    }
                    Life::NotStarted | Life::Ended(_) if task.work == Work::Planning => {
                        Err("the plan is made; ctrl-n gives a new goal".to_owned())
                    }
                    _ => Ok(()),
                }
            }
            Command::Retry(RetryScope::Failed) => {
                if self
                    .state
                    .tasks()
                    .iter()
                    .any(|t| !t.removed && t.life == Life::Ended(End::Failed) && t.work != Work::Planning)
                {
                    Ok(())
                } else {
                    Err("nothing failed".to_owned())
                }
            }
            Command::Stop { scope, .. } => {
                let any = match scope {
                    StopScope::Task(task) => !self.state.task(self.task(task)?).has_ended(),
                    StopScope::Goal(goal) => self.goal(*goal)?.open > 0,
                    StopScope::All => self.state.goals().iter().any(|g| g.open > 0),
                };
                if any { Ok(()) } else { Err("it has ended; there is nothing to stop".to_owned()) }
            }
            Command::Skip(task) => {
                let task = self.state.task(self.task(task)?);
                if task.has_ended() {
                    Err("it has ended; there is nothing to skip".to_owned())
                } else if task.work == Work::Planning {
                    Err("a goal needs its plan; x stops it".to_owned())
                } else {
                    Ok(())
                }
            }
            Command::SetLevel { scope, level } => match scope {
                LevelScope::Session if level.is_none() => Err("the session always has a level".to_owned()),
                LevelScope::Session => Ok(()),
                LevelScope::Agent(agent) => match self.state.config.fleet.agent(agent) {
                    Some(_) => Ok(()),
                    None => Err(format!("there is no agent {agent}")),
                },
                LevelScope::Task(task) => self.task(task).map(|_| ()),
            },
            Command::Probe(Some(endpoint)) if self.state.find_endpoint(endpoint).is_none() => {
                Err(format!("there is no endpoint {endpoint}"))
            }
            Command::Undo(_) | Command::Redo(_) | Command::Place { .. } | Command::EditResult { .. } => {
                Err("this version can't do that yet".to_owned())
            }
            Command::Message { task, text } => self.check_message(self.task(task)?, text),
            Command::Answer { task, text } => self.check_answer(self.task(task)?, text),
            Command::Dismiss(subject) => self.check_dismiss(subject),
            Command::Pause | Command::Resume | Command::Probe(_) | Command::EndSession => Ok(()),
        }
    }

    fn check_edit(&self, goal: GoalId, if_revision: u32, edits: &[PlanEdit]) -> Result<(), Refusal> {
        let g = self.goal(goal)?;
        if g.phase == GoalPhase::Planning {
            return Err("there is no plan yet; a model is making it".to_owned());
        }
        if g.revision != if_revision {
            return Err(format!(
                "the plan changed meanwhile (it is at revision {}, the edit was made on {if_revision}); look at it again",
                g.revision
            ));
        }
        if edits.is_empty() {
            return Err("the edit changes nothing".to_owned());
        }
        let specs = g
            .tasks
            .iter()
            .map(|t| self.state.task(*t))
            .filter(|task| task.work == Work::Ordinary && !task.removed)
            .map(|task| &*task.spec);
        for edit in edits {
            let name = match edit {
                PlanEdit::Add(spec) => {
                    if self.state.find(&TaskId::new(goal, spec.id.clone())).is_some() {
                        return Err(format!("the id {} was used before; ids are never used again", spec.id));
                    }
                    &spec.id
                }
                PlanEdit::Restore(_) => return Err("a removed task comes back by undo only".to_owned()),
                PlanEdit::Replace(spec) => &spec.id,
                PlanEdit::Remove(name) => name,
            };
            if let PlanEdit::Add(spec) | PlanEdit::Replace(spec) = edit
                && self.state.config.fleet.agent(&spec.agent).is_none()
            {
                return Err(format!("{name}: there is no agent {}", spec.agent));
            }
        }
        apply_edits(specs, edits).map(|_| ()).map_err(|e| e.to_string())
    }

    /// Does what was checked.
    fn act(&mut self, author: Author, command: Command) {
        match command {
            Command::AddGoal { text, plan, options } => self.add_goal(author, &text, plan, options),
            Command::Approve(goal) => {
                self.emit(Event::GoalApproved { goal });
                self.emit_cleared(Subject::Review(goal));
            }
            Command::EditPlan { goal, edits, .. } => self.edit_plan(author, goal, edits),
            Command::Undo(_) | Command::Redo(_) | Command::Place { .. } | Command::EditResult { .. } => {}
            Command::Message { task, text } => self.with(&task, |this, ix| this.message(author, ix, &text)),
            Command::Answer { task, text } => self.with(&task, |this, ix| this.answer(author, ix, &text)),
            Command::Dismiss(subject) => self.emit(Event::AttentionDismissed { subject }),
            Command::Pause => self.emit(Event::SessionPaused {}),
            Command::Resume => self.emit(Event::SessionResumed {}),
            Command::Hold(task) => self.with(&task, Self::hold),
            Command::Release(task) => self.with(&task, Self::release),
            Command::Retry(scope) => self.retry(&author, &scope),
            Command::Stop { scope, partial } => self.stop(&scope, partial),
            Command::Skip(task) => {
                if let Some(ix) = self.state.find(&task) {
                    self.stop_attempt(ix);
                    let reason = CleanText::one_line(&format!("skipped by {author}"));
                    self.emit(Event::TaskSkipped { task, reason });
                }
            }
            Command::SetLevel { scope, level } => self.emit(Event::SessionLeveled { scope, level }),
            Command::Probe(Some(endpoint)) => self.effect(Effect::Probe(endpoint)),
            Command::Probe(None) => self.probe_all(),
            Command::EndSession => {
                self.stop(&StopScope::All, Partial::Kept);
                self.settle();
                let reason = CleanText::one_line(&format!("ended by {author}"));
                self.emit(Event::SessionEnded { reason });
                self.effect(Effect::End(EndReason::Command));
            }
        }
    }

    fn add_goal(&mut self, author: Author, text: &str, plan: PlanSource, options: GoalOptions) {
        let goal = GoalId(self.state.goals().len() as u32 + 1);
        let settings = &self.state.config.settings;
        let mut options = options;
        let max_parallel = settings.max_parallel;
        match plan {
            PlanSource::Model => {
                options.max_parallel = options.max_parallel.or(max_parallel);
                self.emit(Event::GoalAdded(GoalAdded { goal, text: CleanText::new(text.trim()), options }));
                self.add_planning(goal);
            }
            PlanSource::Given(plan) => {
                options.max_parallel = options.max_parallel.or(plan.max_parallel).or(max_parallel);
                options.synthesis = options.synthesis.or(plan.synthesis);
                self.emit(Event::GoalAdded(GoalAdded { goal, text: CleanText::new(text.trim()), options }));
                self.adopt(goal, *plan, author, Vec::new());
            }
        }
    }

    fn edit_plan(&mut self, author: Author, goal: GoalId, edits: Vec<PlanEdit>) {
        let removed: Vec<TaskId> = edits
            .iter()
            .filter_map(|e| match e {
                PlanEdit::Remove(name) => Some(TaskId::new(goal, name.clone())),
                _ => None,
            })
            .collect();
        for id in &removed {
            if let Some(ix) = self.state.find(id)
                && self.state.task(ix).life == Life::Running
            {
                self.stop_attempt(ix);
                self.emit(Event::TaskCancelled { task: id.clone(), keep: Partial::Kept });
            }
        }
        if matches!(self.state.goal(goal).map(|g| &g.phase), Some(GoalPhase::Ended(_))) {
            self.emit(Event::GoalReopened { goal });
        }
        self.edit(goal, author, edits, Work::Ordinary, Vec::new());
        for id in removed {
            self.emit_cleared(Subject::Task(id));
        }
        self.add_answer(goal);
    }

    /// Puts tasks back to their start: those asked for, what was skipped because of them, and the answer made of them.
    fn retry(&mut self, author: &Author, scope: &RetryScope) {
        let seeds: Vec<TaskIx> = match scope {
            RetryScope::Task(task) | RetryScope::WithDependants(task) => self.state.find(task).into_iter().collect(),
            RetryScope::Failed => (0..self.state.tasks().len() as u32)
                .map(TaskIx)
                .filter(|t| {
                    let t = self.state.task(*t);
                    !t.removed && t.life == Life::Ended(End::Failed) && t.work != Work::Planning
                })
                .collect(),
        };
        let everything = matches!(scope, RetryScope::WithDependants(_));
        let mut seen: BTreeSet<TaskIx> = seeds.iter().copied().collect();
        let mut again = seeds;
        let mut i = 0;
        while i < again.len() {
            for feed in self.state.task(again[i]).feeds.clone() {
                let f = self.state.task(feed);
                let skipped = f.life == Life::Ended(End::Skipped);
                let answer = f.work != Work::Ordinary && f.has_ended();
                if !f.removed && f.has_ended() && (everything || skipped || answer) && seen.insert(feed) {
                    again.push(feed);
                }
            }
            i += 1;
        }
        let mut goals: Vec<GoalId> = again.iter().map(|t| self.state.task(*t).id.goal).collect();
        goals.sort_unstable();
        goals.dedup();
        for goal in goals {
            if matches!(self.state.goal(goal).map(|g| &g.phase), Some(GoalPhase::Ended(_))) {
                self.emit(Event::GoalReopened { goal });
            }
        }
        for ix in again {
            let task = self.state.task(ix).id.clone();
            // One that asks gives its question up.
            self.stop_attempt(ix);
            self.emit_cleared(Subject::Task(task.clone()));
            self.emit(Event::TaskRetried(TaskRetried {
                task,
                not_before: self.now,
                reason: CleanText::one_line(&format!("again, by {author}")),
                count: FailureCount::Reset,
                route: Route::Primary,
            }));
        }
    }

    fn stop(&mut self, scope: &StopScope, partial: Partial) {
        let tasks: Vec<TaskIx> = (0..self.state.tasks().len() as u32)
            .map(TaskIx)
            .filter(|ix| {
                let task = self.state.task(*ix);
                !task.removed
                    && !task.has_ended()
                    && match scope {
                        StopScope::Task(id) => task.id == *id,
                        StopScope::Goal(goal) => task.id.goal == *goal,
                        StopScope::All => true,
                    }
            })
            .collect();
        for ix in tasks {
            self.stop_attempt(ix);
            let task = self.state.task(ix).id.clone();
            self.emit(Event::TaskCancelled { task, keep: partial });
        }
        // A draft whose every task was stopped is over.
        let drafts: Vec<GoalId> =
            self.state.goals().iter().filter(|g| g.phase == GoalPhase::Draft && g.open == 0).map(|g| g.id).collect();
        for goal in drafts {
            self.emit(Event::GoalApproved { goal });
        }
    }
}
