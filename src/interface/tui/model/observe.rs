//! [`Ui::observe`]: the console follows what happened: screens change at the turns of a goal, notices say in words what
//! went wrong and what is done about it.

use super::notices::Tally;
use super::{DraftOf, Layer, Notice, Screen, Tone, Ui, level};
use crate::domain::protocol::{Event, FailureCount, GoalId, Health, Micros, Outcome, Record, Review, Subject, Work};
use crate::domain::state::{Life, State};

impl Ui {
    /// Follows a record that `state` has applied.
    pub fn observe(&mut self, state: &State, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::GoalAdded(_) if self.screen == Screen::Welcome => self.screen = Screen::Run,
            Event::GoalDrafted { goal } if matches!(self.screen, Screen::Welcome | Screen::Run) => {
                self.screen = Screen::Review(*goal);
                self.planned();
            }
            Event::GoalDrafted { goal } => self.say(format!("the plan of {goal} waits for you: !"), Tone::Plain, at),
            Event::GoalApproved { goal } => {
                self.planned();
                if self.screen == Screen::Review(*goal) {
                    self.screen = Screen::Run;
                }
            }
            Event::TaskStarted { task } if is_planning(state, task) => self.planning(state, task.goal, at),
            Event::GoalEnded { goal, outcome, .. } => {
                let words = match outcome {
                    Outcome::Done => "done",
                    Outcome::Failed => "over; something failed",
                    Outcome::Cancelled => "cancelled; 1 sums it up, ctrl-n asks for another goal",
                };
                if *outcome != Outcome::Cancelled && self.screen == Screen::Run && self.layers.is_empty() {
                    self.screen = Screen::Done(*goal);
                } else {
                    self.say(format!("{goal} is {words}"), Tone::Plain, at);
                }
            }
            Event::GoalReopened { goal } if self.screen == Screen::Done(*goal) => self.screen = Screen::Run,
            Event::EndpointChanged(change) => {
                let name = state.find_endpoint(&change.endpoint).map(|ix| state.endpoint(ix).config.short().to_owned());
                let name = name.unwrap_or_else(|| change.endpoint.to_string());
                match &change.health {
                    Health::Up if self.up.insert(change.endpoint.clone()) => {}
                    Health::Down { reason } if self.up.remove(&change.endpoint) => {
                        self.say(format!("{name} stopped answering: {reason}"), Tone::Warning, at);
                    }
                    _ => {}
                }
            }
            Event::TaskRetried(retry) if retry.count == FailureCount::Reset => {
                self.tell(Tally::Again, &title(state, &retry.task), at);
            }
            Event::TaskRetried(retry) => {
                let title = title(state, &retry.task);
                let wait = retry.not_before.since(at).0.div_ceil(1_000_000);
                let when = if wait == 0 { "again now".to_owned() } else { format!("again in {wait} s") };
                self.say(format!("{title}: {when} ({})", retry.reason), Tone::Warning, at);
            }
            Event::TaskFailed { task, reason } => {
                self.say(format!("{} failed: {reason}", title(state, task)), Tone::Warning, at);
            }
            Event::TaskCancelled { task, .. } => self.tell(Tally::Stopped, &title(state, task), at),
            Event::TaskSkipped { task, .. } => self.tell(Tally::Skipped, &title(state, task), at),
            Event::TaskHeld { task } => self.tell(Tally::Held, &title(state, task), at),
            Event::TaskReleased { task } => self.tell(Tally::Released, &title(state, task), at),
            Event::TaskPlaced { task, endpoint } => {
                let place =
                    endpoint.as_ref().map_or_else(|| "wherever its tier is served".to_owned(), |e| format!("on {e}"));
                self.say(format!("{}: its next attempt runs {place}", title(state, task)), Tone::Plain, at);
            }
            Event::TaskAnswered(said) => {
                self.drop_draft(DraftOf::Answer, &said.task, &said.text);
                self.say(format!("{}: answered; it goes on", title(state, &said.task)), Tone::Plain, at);
            }
            Event::MessageSent(said) => {
                self.drop_draft(DraftOf::Message, &said.task, &said.text);
                let when = match state.task_by_id(&said.task).map(|t| t.life) {
                    Some(Life::Running) => "queued for its next turn",
                    _ => "goes with its next request",
                };
                self.say(format!("{}: message {when}", title(state, &said.task)), Tone::Plain, at);
            }
            Event::ResultEdited(edit) => {
                let text =
                    format!("{}: its result was put in by hand; what needs it uses that", title(state, &edit.task));
                self.say(text, Tone::Plain, at);
            }
            Event::SessionLeveled { scope, level } => {
                self.say(level::words(scope, *level, state), Tone::Plain, at);
            }
            Event::AttentionCleared { subject } if self.dismissing.as_ref() == Some(subject) => {
                self.dismissing = None;
                self.say(format!("taken off the list: {subject}"), Tone::Plain, at);
            }
            Event::PlanEdited(edit) if !edit.repairs.is_empty() => {
                let first = edit.repairs.first().map_or("", |r| r.as_str());
                let more = match edit.repairs.len() {
                    1 => String::new(),
                    n => format!(", and {} more", n - 1),
                };
                self.say(format!("the model's plan was mended: {first}{more}"), Tone::Plain, at);
            }
            Event::CommandRefused { what, .. } if self.has_asked(what) => {}
            Event::CommandRefused { what, reason, .. } => {
                self.say(format!("refused: {what}: {reason}"), Tone::Warning, at);
            }
            Event::SessionPaused {} => self.say("nothing new starts; P goes on", Tone::Plain, at),
            Event::SessionResumed {} => self.say("tasks start again", Tone::Plain, at),
            Event::AttentionRaised { subject, text } if !matches!(subject, Subject::Review(_)) => {
                self.say(text.clone(), Tone::Warning, at);
            }
            _ => {}
        }
        if matches!(record.event, Event::AttentionRaised { .. } | Event::AttentionCleared { .. }) {
            for layer in &mut self.layers {
                if let Layer::Attention(list) = layer {
                    list.follow(state);
                }
            }
        }
        self.observe_editing(record);
        self.observe_control(state, record);
        self.time.observe(state, record);
        self.welcome.observe(state, record);
        self.review.observe(state, record);
        self.run.observe(state, record);
        self.graph.observe(state, record);
        self.done.observe(state, record);
    }
}

/// What the notice line says while a model makes the plan.
const PLANNING: &str = "a model makes the plan; ";

/// Longer than a model takes for a plan; a finite time, as every notice has.
const PLANNING_LASTS: Micros = Micros::from_secs(1800);

impl Ui {
    /// Says that a plan is being made and what comes then; it stands until then, or until something else is said.
    fn planning(&mut self, state: &State, goal: GoalId, at: Micros) {
        let then = match state.goal(goal).map(|g| g.options.review) {
            Some(Review::Ask) => "nothing runs before your review",
            _ => "its tasks start by themselves",
        };
        let mut notice = Notice::new(format!("{PLANNING}{then}").into(), Tone::Plain, at);
        notice.until = at.plus(PLANNING_LASTS);
        self.put(notice, at);
    }

    /// The plan is there: what was said of its making goes.
    fn planned(&mut self) {
        if self.notice.as_ref().is_some_and(|n| n.text.starts_with(PLANNING)) {
            self.notice = None;
        }
    }
}

fn is_planning(state: &State, task: &crate::domain::protocol::TaskId) -> bool {
    state.task_by_id(task).is_some_and(|t| t.work == Work::Planning)
}

fn title(state: &State, task: &crate::domain::protocol::TaskId) -> String {
    state.task_by_id(task).map_or_else(|| task.to_string(), |t| t.title.to_string())
}
