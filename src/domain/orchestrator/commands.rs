//! Commands: accepted or refused with a reason, either way a record.

use super::again::Reach;
use super::{Effect, EndReason, Look, Orchestrator};
use crate::domain::protocol::{
    Author, Command, CommandEnvelope, EditKind, Event, GoalAdded, GoalId, GoalOptions, Intake, LevelScope,
    MOST_DECIDED, Partial, PlanSource, RetryScope, Role, StopScope, Subject, TaskId, Work, recorded_bytes,
};
use crate::domain::state::{End, Gear, GoalPhase, Life, TaskIx};
use crate::domain::text::CleanText;

/// Why not, in words.
pub(super) type Refusal = String;

/// A record that decides is kept whole or not made: what would be longer than one may be is refused while nothing came
/// of it yet.
fn check_size(command: &Command) -> Result<(), Refusal> {
    let bytes = match command {
        Command::AddGoal { text, plan: PlanSource::Model, .. } => recorded_bytes(text),
        Command::AddGoal { plan: PlanSource::Given(plan), .. } => recorded_bytes(plan),
        Command::EditPlan { edits, .. } => recorded_bytes(edits),
        _ => return Ok(()),
    };
    if bytes <= MOST_DECIDED {
        return Ok(());
    }
    Err(format!(
        "it is {bytes} bytes long in the journal, and the most is {MOST_DECIDED}; shorten its texts, or split it"
    ))
}

impl Orchestrator {
    /// Takes a command. The same id twice acts once.
    pub(super) fn command(&mut self, envelope: CommandEnvelope) {
        if self.state.saw_command(&envelope.id) {
            return;
        }
        if envelope.role == Role::Viewer {
            return self.turn_away(&envelope, "this connection may look, not act");
        }
        let may = self.may_act(&envelope);
        let CommandEnvelope { id, author, role: _, viewer, command } = envelope;
        let what = CleanText::one_line(&command.to_string());
        let passes_control = matches!(command, Command::TakeControl | Command::AskControl | Command::GiveControl(_));
        let checked = may.and_then(|()| match &command {
            _ if self.state.ended.is_some() => Err("the session has ended".to_owned()),
            control if passes_control => self.check_control(viewer, control),
            command => self.check(&author, command),
        });
        match checked {
            Ok(()) => {
                let what = self.consequence(&author, &command).unwrap_or(what);
                self.emit(Event::CommandAccepted { id, author: author.clone(), what });
                if passes_control {
                    self.pass_control(viewer, &command);
                } else {
                    self.act(author, command);
                }
            }
            Err(reason) => {
                let reason = CleanText::one_line(&reason);
                self.emit(Event::CommandRefused { id, author, what, reason });
            }
        }
    }

    pub(super) fn task(&self, id: &TaskId) -> Result<TaskIx, Refusal> {
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

    pub(super) fn goal(&self, id: GoalId) -> Result<&crate::domain::state::Goal, Refusal> {
        self.state.goal(id).ok_or_else(|| format!("there is no goal {id}"))
    }

    /// Whether a command can be done now.
    fn check(&self, author: &Author, command: &Command) -> Result<(), Refusal> {
        check_size(command)?;
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
            Command::EditPlan { goal, if_revision, edits, rerun } => self.check_edit(*goal, *if_revision, edits, rerun),
            Command::Undo(goal) => self.state.undo(*goal, author).map(|_| ()),
            Command::Redo(goal) => self.state.redo(*goal, author).map(|_| ()),
            Command::Place { task, endpoint } => self.check_place(task, endpoint.as_ref()),
            Command::EditResult { task, text } => self.check_result(task, text),
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
            Command::Message { task, text } => self.check_message(self.task(task)?, text),
            Command::Answer { task, text } => self.check_answer(self.task(task)?, text),
            Command::Dismiss(subject) => self.check_dismiss(subject),
            Command::Force(goal) => self.check_force(*goal),
            Command::Drain(endpoint) => self.check_intake(endpoint, Intake::Draining),
            Command::Undrain(endpoint) => self.check_intake(endpoint, Intake::Open),
            Command::EditEndpoint { endpoint, edit } => self.check_endpoint_edit(endpoint, edit),
            Command::Server { endpoint, verb, memory } => self.check_server(endpoint, *verb, *memory),
            Command::Model { endpoint, verb, memory } => self.check_model(endpoint, *verb, *memory),
            // Control passes before it comes here.
            Command::TakeControl | Command::AskControl | Command::GiveControl(_) => Ok(()),
            Command::Pause | Command::Resume | Command::Probe(_) | Command::EndSession => Ok(()),
        }
    }

    /// Does what was checked.
    fn act(&mut self, author: Author, command: Command) {
        match command {
            Command::AddGoal { text, plan, options } => self.add_goal(author, &text, plan, options),
            Command::Approve(goal) => {
                self.emit(Event::GoalApproved { goal });
                self.emit_cleared(Subject::Review(goal));
            }
            Command::EditPlan { goal, edits, rerun, .. } => {
                self.edit_plan(author, goal, edits, &rerun, EditKind::New);
            }
            Command::Undo(goal) => {
                if let Ok(undo) = self.state.undo(goal, &author) {
                    self.edit_plan(author, goal, undo.edits, &[], undo.kind);
                }
            }
            Command::Redo(goal) => {
                if let Ok(redo) = self.state.redo(goal, &author) {
                    self.edit_plan(author, goal, redo.edits, &[], redo.kind);
                }
            }
            Command::Place { task, endpoint } => self.emit(Event::TaskPlaced { task, endpoint }),
            Command::EditResult { task, text } => self.edit_result(author, task, text),
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
            Command::Force(goal) => self.force(goal),
            Command::Drain(endpoint) => self.set_intake(endpoint, Intake::Draining),
            Command::Undrain(endpoint) => self.set_intake(endpoint, Intake::Open),
            Command::EditEndpoint { endpoint, edit } => self.edit_endpoint(endpoint, edit),
            Command::Server { endpoint, verb, .. } => self.serve(&author, endpoint, verb),
            Command::Model { endpoint, verb, .. } => self.move_model(endpoint, verb),
            Command::Probe(Some(endpoint)) => self.probe(endpoint, Look::Slots),
            Command::Probe(None) => self.probe_all(),
            Command::TakeControl | Command::AskControl | Command::GiveControl(_) => {}
            Command::EndSession => {
                self.interrupt();
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
                for (lock, n) in &plan.capacity {
                    options.capacity.entry(lock.clone()).or_insert(*n);
                }
                self.emit(Event::GoalAdded(GoalAdded { goal, text: CleanText::new(text.trim()), options }));
                self.adopt(goal, *plan, author, Vec::new());
            }
        }
    }

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
        let reach = match scope {
            RetryScope::WithDependants(_) => Reach::Everything,
            RetryScope::Task(_) | RetryScope::Failed => Reach::Skipped,
        };
        self.run_again(author, seeds, reach);
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
