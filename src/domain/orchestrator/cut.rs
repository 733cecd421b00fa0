//! What is done about an answer that was cut at its limit: it goes on, is asked anew with more tokens, the operator is
//! asked, or it stays and is marked.
//!
//! Not here: which of these ([`State::after_cut`], the same live and after a crash), what is a result
//! ([`State::result_turns`]). Invariants: an answer is completed, asked anew or asked about once; what was answered before a
//! continuation is never lost to one that fails.
//!
//! [`State::after_cut`]: crate::domain::state::State::after_cut
//! [`State::result_turns`]: crate::domain::state::State::result_turns

use super::Orchestrator;
use crate::domain::plan::answer_is_cut;
use crate::domain::protocol::{
    AskedAbout, AttemptEnd, AttemptId, Cut, Event, Failure, FailureCount, FailureKind, Message, Part, Recipe, Remedy,
    Route, Speaker, Subject, TaskAsked, TaskRetried, Work,
};
use crate::domain::state::{AfterCut, CutAt, CutBy, EndpointIx, TaskIx, Turn};
use crate::domain::text::CleanText;

/// What the operator may answer when asked about a cut answer, beside how many tokens; the state reads it.
const KEEP_IT: &str = "keep it";
const GO_ON_CHOICE: &str = "go on";

impl Orchestrator {
    /// An attempt's last turn ended well: it is done with that, unless its answer was cut and more is to come.
    pub(super) fn conclude(&mut self, ix: TaskIx, attempt: AttemptId, answer: &str) {
        match self.state.attempt(attempt).and_then(|a| self.state.after_cut(a)) {
            // It stays open between two turns; the next one continues.
            Some(AfterCut::GoOn) => return,
            Some(AfterCut::Ask { can_go_on, larger }) => return self.ask_about_cut(ix, attempt, can_go_on, larger),
            Some(AfterCut::Larger(limit)) => {
                self.emit(Event::AttemptEnded { attempt, end: AttemptEnd::Completed });
                return self.ask_anew(ix, attempt, limit);
            }
            Some(AfterCut::Keep) | None => {}
        }
        self.emit(Event::AttemptEnded { attempt, end: AttemptEnd::Completed });
        if let Some(limit) = self.half_a_plan(ix, attempt, answer) {
            let (task, route) = (self.state.task(ix).id.clone(), self.state.task(ix).route);
            let reason = format!("the plan stops in the middle; it is asked anew with {limit} tokens");
            let (reason, count) = (CleanText::from(reason), FailureCount::Larger(limit));
            return self.emit(Event::TaskRetried(TaskRetried { task, not_before: self.now, reason, count, route }));
        }
        self.complete(ix, attempt);
        let task = self.state.task(ix);
        if task.work == Work::Planning {
            let id = task.id.clone();
            self.planned(&id, answer);
        }
    }

    /// The limit with which a plan is asked for once more that stops in the middle, though its server says that it ended:
    /// some keep a limit of their own and don't tell.
    fn half_a_plan(&self, ix: TaskIx, attempt: AttemptId, answer: &str) -> Option<u32> {
        let task = self.state.task(ix);
        let larger = self.state.attempt(attempt).and_then(|a| self.state.larger(a));
        larger.filter(|_| task.work == Work::Planning && answer_is_cut(answer, &self.state.config.fleet.agents))
    }

    /// A task is done with what an attempt answered.
    pub(super) fn complete(&mut self, ix: TaskIx, attempt: AttemptId) {
        let task = self.state.task(ix).id.clone();
        self.emit(Event::TaskCompleted { task: task.clone(), attempt });
        self.emit_cleared(Subject::Task(task));
        self.tell_cut(ix);
    }

    /// Puts a task back to be asked anew with a larger limit.
    pub(super) fn ask_anew(&mut self, ix: TaskIx, attempt: AttemptId, limit: u32) {
        let task = self.state.task(ix);
        let (task, route) = (task.id.clone(), task.route);
        let at = self.state.attempt(attempt).and_then(|a| a.turn()).map_or(0, |t| t.max_tokens);
        let reason = CleanText::from(format!("cut at {at} tokens; it is asked anew with {limit}"));
        let count = FailureCount::Larger(limit);
        self.emit(Event::TaskRetried(TaskRetried { task, not_before: self.now, reason, count, route }));
    }

    /// Asks the operator what becomes of an answer that was cut. Said after the turn's end: the answer stays one.
    pub(super) fn ask_about_cut(&mut self, ix: TaskIx, attempt: AttemptId, can_go_on: bool, larger: Option<u32>) {
        let Some(attempt) = self.state.attempt(attempt) else { return };
        let (turn, cut) = (attempt.turn_id(), self.state.cut_in(attempt));
        let cut = cut.map_or_else(|| "cut".to_owned(), |cut| cut.to_string());
        let mut choices = Vec::new();
        if can_go_on {
            choices.push(CleanText::from_static(GO_ON_CHOICE));
        }
        choices.extend(larger.map(|limit| CleanText::from(format!("again with {limit} tokens"))));
        choices.push(CleanText::from_static(KEEP_IT));
        let question = CleanText::from(format!("its answer was {cut}; what now?"));
        let task = self.state.task(ix).id.clone();
        self.emit(Event::TaskAsked(TaskAsked { task, turn, question, choices, about: AskedAbout::Cut }));
        self.tell_question(ix);
    }

    /// The operator has said what becomes of a cut answer. Other words than those offered go to the agent, as ever.
    pub(super) fn settle_cut(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        let Some(open) = self.state.open_attempt(task) else { return };
        let (attempt, says) = (open.id, task.unsent().next().is_some());
        let goes_on = says || self.state.after_cut(open) == Some(AfterCut::GoOn);
        if goes_on && task.held {
            self.set_down(ix, attempt);
        } else if !says {
            self.conclude(ix, attempt, "");
        }
    }

    /// An attempt has failed. One that thought to its limit is tried once with twice of it, then on the fallback tier: the
    /// same again would end the same way.
    pub(super) fn after_failed(&mut self, ix: TaskIx, failure: &Failure) {
        if failure.blame_is_emptiness() && self.keep_cut(ix) {
            return;
        }
        if failure.kind != FailureKind::AllThinking {
            return self.after_failure(ix, failure);
        }
        let task = self.state.task(ix);
        let larger = self.state.last_attempt(task).and_then(|a| self.state.larger(a));
        let agent = self.state.config.fleet.agent(&task.spec.agent);
        let fallback =
            agent.and_then(|a| a.fallback.as_ref().filter(|f| **f != a.tier && task.route == Route::Primary));
        let (route, count, next) = match (larger, fallback) {
            (Some(limit), _) => {
                (task.route, FailureCount::Larger(limit), format!("it is tried again with {limit} tokens"))
            }
            (None, Some(tier)) => (Route::Fallback, FailureCount::Counted, format!("goes to the fallback tier {tier}")),
            (None, None) => return self.fail(ix, failure.message.clone()),
        };
        let reason = CleanText::one_line(&format!("{}; {next}", failure.message));
        let task = task.id.clone();
        self.emit(Event::TaskRetried(TaskRetried { task, not_before: self.now, reason, count, route }));
    }

    /// A continuation came to nothing: the task is done with the answer it was to complete. False: there is none.
    pub(super) fn keep_cut(&mut self, ix: TaskIx) -> bool {
        let Some(last) = self.state.last_attempt(self.state.task(ix)) else { return false };
        let continued = last.turn().is_some_and(|t| t.continues.is_some());
        if !continued || self.state.result_turns(last).is_empty() {
            return false;
        }
        self.complete(ix, last.id);
        true
    }

    /// Tells the operator that a task's result was cut, and what they can do.
    pub(super) fn tell_cut(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        let Some(cut) = self.state.cut_of(task).filter(|_| !task.removed) else { return };
        if task.work == Work::Planning {
            let text =
                format!("the plan of {} was {cut}: what came after that is missing from it. E adds it", task.id.goal);
            return self.emit_attention(Subject::Cut(task.id.clone()), CleanText::from(text));
        }
        let turn = task.result.and_then(|a| self.state.attempt(a)).and_then(|a| self.state.result_turns(a).pop());
        let thought = turn.and_then(|t| self.state.turn(t)).filter(|t| thinks_long(t)).map(|t| {
            let (thinking, all) = (t.thinking.tokens, t.output_tokens());
            format!(" {thinking} of its last {all} tokens went into thinking: l lowers its level.")
        });
        let mend = match (cut.by, task.work) {
            (CutBy::Limit, Work::Ordinary) => {
                "e raises its tokens, then r runs it again; i asks it for less".to_owned()
            }
            // Baton's own tasks have no form.
            (CutBy::Limit, _) => {
                format!("r writes it again; max_tokens of {} in the fleet file is its limit", task.spec.agent)
            }
            (CutBy::Server, _) => {
                "its server has a limit of its own: raise that there (-n, max_tokens), then r".to_owned()
            }
            (CutBy::Overrun, _) => {
                "its server keeps no limit: look what model and flags it runs with, then r".to_owned()
            }
            (CutBy::Context, _) => "fewer or shorter results, or an endpoint with more context help, then r".to_owned(),
        };
        let text = format!("“{}” was {cut}: its end is missing.{} {mend}", task.title, thought.unwrap_or_default());
        self.emit_attention(Subject::Cut(task.id.clone()), CleanText::one_line(&text));
    }

    /// The request that continues a cut answer: what was sent before, the answer so far whole, and the word to go on. None:
    /// the next turn continues nothing, or the endpoint has no room for that, and the conversation is cut to it as ever.
    pub(super) fn continuation(&self, ix: TaskIx, endpoint: EndpointIx, limit: u64) -> Option<(Recipe, u64)> {
        let version = self.state.open_attempt(self.state.task(ix))?.version;
        let before = self.state.to_continue(ix, version)?;
        let room = self.state.room_to_continue(before, u64::from(self.state.endpoint(endpoint).context()))?;
        let mut messages = self.state.turn(before)?.recipe.messages.to_vec();
        let so_far = Part::AnswerOf { turn: before, cut: Cut::Whole };
        messages.push(Message { role: Speaker::Assistant, parts: vec![so_far] });
        messages.push(Message { role: Speaker::User, parts: vec![Part::literal(Part::GO_ON)] });
        Some((messages.into(), limit.min(room)))
    }
}

impl Failure {
    /// Whether nothing came that could be an answer.
    fn blame_is_emptiness(&self) -> bool {
        matches!(self.kind, FailureKind::Empty | FailureKind::AllThinking | FailureKind::ToolsOnly)
    }
}

/// Whether a turn has spent more than three quarters of what it may say on thinking.
pub(super) fn thinks_long(turn: &Turn) -> bool {
    turn.thinking.tokens * 4 > u64::from(turn.max_tokens) * 3
}

/// The failure of a turn whose limit was reached before a word of answer.
pub(super) fn all_thinking(turn: &Turn) -> Failure {
    let words = format!(
        "{} tokens went into thinking, and none were left for an answer; raise budget.tokens or lower the level",
        turn.max_tokens
    );
    Failure::new(FailureKind::AllThinking, Remedy::RetryHere, CleanText::from(words))
}

/// What stands in a prompt after a result that was cut.
pub(super) fn mark(cut: CutAt) -> String {
    match cut.by {
        CutBy::Limit => format!("\n\n[This result stops here: its limit of {} tokens was reached.]", cut.tokens),
        CutBy::Server | CutBy::Overrun => format!("\n\n[This result stops here, after {} tokens.]", cut.tokens),
        CutBy::Context => format!("\n\n[This result stops here: the context of {} tokens was full.]", cut.tokens),
    }
}
