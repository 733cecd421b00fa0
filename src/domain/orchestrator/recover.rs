//! Setting a session down, and taking it up after its process ended, at whatever record that was.
//!
//! Neither is a cancel: what was under way is marked interrupted and runs again. A model request is no failure then. Whatever a decision had begun and not finished is
//! finished here.

use super::Orchestrator;
use crate::domain::protocol::{
    AskedAbout, AttemptEnd, AttemptId, EndpointName, Event, FailureCount, GoalId, Micros, Name, Outcome, Review,
    SessionOpened, SlotAfter, Subject, TaskRetried, TurnEnd, TurnEnded, TurnId, Usage, Work,
};
use crate::domain::state::{AfterCut, Attempt, End, GoalPhase, Life, PermitPhase, TaskIx, Turn};
use crate::domain::text::CleanText;

/// What a session is taken up with.
#[derive(Clone, Debug, PartialEq)]
pub struct Reopening {
    /// The process that does.
    pub opened: SessionOpened,
    /// Endpoints whose servers are at another address than the records say.
    pub moved: Vec<(EndpointName, String)>,
    /// The file that keeps a last line which the process before had not finished, and what is to be said of it.
    pub torn: Option<(Name, CleanText)>,
}

/// What became of the process that had the connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// It is gone, and the servers have noticed.
    Gone,
    /// It is this one, and it ends: it closes them.
    Ends,
}

impl Orchestrator {
    /// Finishes what the process before left in the middle.
    pub(super) fn recover(&mut self, reopening: Reopening) {
        self.emit(Event::SessionOpened(reopening.opened));
        for (endpoint, url) in reopening.moved {
            if self.state.find_endpoint(&endpoint).is_some_and(|ix| self.state.endpoint(ix).config.url != url) {
                self.emit(Event::EndpointMoved { endpoint, url });
            }
        }
        self.free_slots();
        self.close_attempts(Holder::Gone);
        self.finish_tasks(Holder::Gone);
        self.finish_goals();
        self.finish_attention();
        // Whether the journal can be written is found out anew; one that can't is told again.
        self.emit_cleared(Subject::Journal);
        if let Some((file, words)) = reopening.torn {
            self.emit_attention(Subject::Other(file), words);
        }
    }

    /// Sets the session down: running turns are stopped with what they said kept, and their tasks wait to run again.
    pub(super) fn interrupt(&mut self) {
        self.close_attempts(Holder::Ends);
        self.finish_tasks(Holder::Ends);
        self.settle_for_the_end();
    }

    /// What needs the operator is said after the event that made it so, and may be missing, or out of date.
    fn finish_attention(&mut self) {
        self.calm_servers();
        for (id, phase) in self.state.goals().iter().map(|g| (g.id, g.phase.clone())).collect::<Vec<_>>() {
            match phase {
                GoalPhase::Draft => self.ask_for_review(id),
                _ => self.emit_cleared(Subject::Review(id)),
            }
            match self.state.goal(id).is_some_and(|g| g.short_of().is_some()) {
                true => self.tell_memory(id),
                false => self.emit_cleared(Subject::Memory(id)),
            }
        }
        for ix in (0..self.state.tasks().len() as u32).map(TaskIx) {
            let task = self.state.task(ix);
            let id = task.id.clone();
            let failed = task.life == Life::Ended(End::Failed) && !task.removed && task.work != Work::Planning;
            let subject = Subject::Task(id.clone());
            self.calm(ix);
            if !self.state.attention.contains_key(&Subject::Cut(id.clone())) {
                self.tell_cut(ix);
            }
            if !self.state.task(ix).has_ended() {
                self.tell_fit(ix);
            }
            if self.state.task(ix).asking.is_some() && !self.state.attention.contains_key(&Subject::Question(id)) {
                self.tell_question(ix);
            }
            if !failed {
                self.emit_cleared(subject);
            } else if !self.state.attention.contains_key(&subject) {
                self.tell_failure(ix);
            }
        }
    }

    /// The process that held the connections is gone, and the servers have noticed.
    fn free_slots(&mut self) {
        // One was taken back; that its turn ended with its attempt was not written.
        let open = |turn: &TurnId| self.state.attempt(turn.attempt).is_some_and(|a| a.ended.is_some());
        let permits = self.state.pools().iter().flat_map(|p| &p.permits);
        let taken_back: Vec<TurnId> = permits
            .filter_map(|p| match p.phase {
                PermitPhase::Granted(turn) | PermitPhase::Generating(turn) => Some(turn).filter(open),
                _ => None,
            })
            .collect();
        for turn in taken_back {
            self.end_turn(turn, TurnEnd::Cancelled, Holder::Gone);
        }
        let draining: Vec<TurnId> = self
            .state
            .pools()
            .iter()
            .flat_map(|p| &p.permits)
            .filter_map(|p| match p.phase {
                PermitPhase::Draining(turn) => Some(turn),
                _ => None,
            })
            .collect();
        for turn in draining {
            self.emit(Event::SlotFreed { turn });
        }
    }

    /// Open attempts end as interrupted; those between two turns, or with a question, stay.
    fn close_attempts(&mut self, holder: Holder) {
        let open: Vec<AttemptId> = self.state.running().map(|a| a.id).collect();
        for id in open {
            let Some(attempt) = self.state.attempt(id) else { continue };
            let (turn, ix) = (attempt.turn_id(), attempt.task);
            let task = self.state.task(ix);
            let well = |t: &Turn| {
                matches!(t.ended, Some((_, TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls)))
                    && task.work != Work::Planning
            };
            let cut = match attempt.turn() {
                // It was taken out of the plan; that it was stopped with that may not have been written.
                turn_now if task.removed => {
                    if turn_now.is_some_and(|t| t.ended.is_none()) {
                        self.end_turn(turn, TurnEnd::Cancelled, holder);
                    }
                    self.emit(Event::AttemptEnded { attempt: id, end: AttemptEnd::Cancelled });
                    continue;
                }
                Some(t) if task.asking.as_ref().is_some_and(|q| q.turn == turn) => {
                    // It asked; that its turn had ended may not have been written.
                    if t.ended.is_none() {
                        self.end_turn(turn, TurnEnd::Stop, holder);
                    }
                    let task = self.state.task(ix);
                    if task.held && task.asking.as_ref().is_some_and(|q| q.about == AskedAbout::Work) {
                        self.set_down(ix, id);
                    }
                    continue;
                }
                // Its turn had ended and it goes on, or is held, instead of being done.
                Some(t) if well(t) && task.held && !self.is_asked_about(attempt) => {
                    self.set_down(ix, id);
                    continue;
                }
                Some(t) if well(t) && (task.unsent().next().is_some() || t.asked) => continue,
                // It was cut, and goes on or is asked about.
                Some(_) if matches!(self.state.after_cut(attempt), Some(AfterCut::GoOn | AfterCut::Ask { .. })) => {
                    self.conclude(ix, id, "");
                    continue;
                }
                Some(t) if t.ended.is_none() => true,
                Some(t) => {
                    // The turn had ended, the attempt's end was not written: end it as the turn says.
                    let end = match t.ended.as_ref().map(|(_, e)| e) {
                        Some(TurnEnd::Failed(failure)) => AttemptEnd::Failed(failure.clone()),
                        Some(TurnEnd::Cancelled) => AttemptEnd::Cancelled,
                        _ => AttemptEnd::Completed,
                    };
                    self.emit(Event::AttemptEnded { attempt: id, end });
                    continue;
                }
                None => false,
            };
            if cut {
                self.end_turn(turn, TurnEnd::Cancelled, holder);
            }
            self.emit(Event::AttemptEnded { attempt: id, end: AttemptEnd::Interrupted });
        }
    }

    fn end_turn(&mut self, turn: TurnId, end: TurnEnd, holder: Holder) {
        let slot = match holder {
            Holder::Gone => SlotAfter::Free,
            Holder::Ends => {
                self.stop_turn(turn);
                SlotAfter::Draining
            }
        };
        self.emit(Event::TurnEnded(Box::new(TurnEnded {
            turn,
            end,
            slot,
            usage: Usage::default(),
            prompt_digest: String::new(),
        })));
    }

    /// Running tasks without a running attempt: finished as their last attempt says, or run again.
    fn finish_tasks(&mut self, holder: Holder) {
        for ix in (0..self.state.tasks().len() as u32).map(TaskIx) {
            let task = self.state.task(ix);
            if task.is_done() && !task.removed && task.unsent().next().is_some() {
                self.take_up(ix);
                continue;
            }
            if task.life != Life::Running || self.state.open_attempt(task).is_some() {
                continue;
            }
            let (id, planning) = (task.id.clone(), task.work == Work::Planning);
            let (count, route) = (FailureCount::Unchanged, task.route);
            // The one that was cut had its say: the next one was about to begin.
            let of_now = |a: &&Attempt| task.cut_attempt != Some(a.id);
            let last = self.state.last_attempt(task).filter(of_now);
            let last = last.map(|a| (a.id, a.ended.clone().map(|(_, e)| e)));
            match last {
                Some((attempt, Some(AttemptEnd::Completed))) if let Some(limit) = self.asked_anew(attempt) => {
                    self.ask_anew(ix, attempt, limit);
                }
                // A plan's text did not outlive the process; the planning runs again.
                Some((attempt, Some(AttemptEnd::Completed))) if !planning => self.complete(ix, attempt),
                Some((_, Some(AttemptEnd::Failed(failure)))) => self.after_failed(ix, &failure),
                Some((_, Some(AttemptEnd::Cancelled))) => {
                    self.emit(Event::TaskCancelled { task: id, keep: crate::domain::protocol::Partial::Kept });
                }
                _ => self.emit(Event::TaskRetried(TaskRetried {
                    task: id,
                    not_before: Micros(0),
                    reason: CleanText::from(match holder {
                        Holder::Gone => "interrupted: the program ended under it; it runs again",
                        Holder::Ends => "interrupted: the session ends; it runs again when that is taken up",
                    }),
                    count,
                    route,
                })),
            }
        }
    }

    /// The limit with which a completed attempt, whose answer was cut, is to be asked anew.
    fn asked_anew(&self, attempt: AttemptId) -> Option<u32> {
        match self.state.attempt(attempt).and_then(|a| self.state.after_cut(a)) {
            Some(AfterCut::Larger(limit)) => Some(limit),
            _ => None,
        }
    }

    /// Goals whose decision was cut: a plan without its answer task, a plan neither drafted nor approved, no plan.
    fn finish_goals(&mut self) {
        // An edit's answer follows it in records of its own.
        let edited: Vec<GoalId> = self
            .state
            .goals()
            .iter()
            .filter(|g| matches!(g.phase, GoalPhase::Draft | GoalPhase::Running))
            .map(|g| g.id)
            .collect();
        for id in edited {
            self.add_answer(id);
            self.follow(self.answers_that_go_along(id));
        }
        let goals: Vec<GoalId> =
            self.state.goals().iter().filter(|g| g.phase == GoalPhase::Planning).map(|g| g.id).collect();
        for id in goals {
            let Some(goal) = self.state.goal(id) else { continue };
            let tasks = || goal.tasks.iter().map(|t| self.state.task(*t));
            let ordinary = tasks().any(|t| t.work == Work::Ordinary);
            let planning = tasks().find(|t| t.work == Work::Planning).map(|t| (t.id.clone(), t.life));
            let review = goal.options.review;
            if ordinary {
                self.add_answer(id);
                match review {
                    Review::Ask => self.emit(Event::GoalDrafted { goal: id }),
                    Review::Auto => self.emit(Event::GoalApproved { goal: id }),
                }
                continue;
            }
            match planning {
                // Not written down whether it was given or to be made: a model makes it, the operator looks at it.
                None if review == Review::Ask => self.add_planning(id),
                None => self.emit(Event::GoalEnded { goal: id, outcome: Outcome::Failed, answer: None }),
                Some((task, Life::Ended(End::Done))) => self.emit(Event::TaskRetried(TaskRetried {
                    task,
                    not_before: Micros(0),
                    reason: CleanText::from("the program ended before the plan was read; it is made again"),
                    count: FailureCount::Unchanged,
                    route: crate::domain::protocol::Route::Primary,
                })),
                Some((task, Life::Ended(End::Failed))) => {
                    let reason = self.state.task_by_id(&task).map(|t| t.reason.clone()).unwrap_or_default();
                    self.plan_built_in(&task, &reason);
                }
                Some(_) => {}
            }
        }
    }
}
