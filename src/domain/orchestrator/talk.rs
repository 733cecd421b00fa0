//! What the operator and agents say to each other: messages that make a next turn, questions that give their slot back,
//! holds after a turn.
//!
//! Not here: what of it is true ([`crate::domain::state`]), how it stands in the prompt (`prompts`). Invariants: a task
//! that asks has no turn; nothing that was said is lost before a turn with it was answered.

use super::commands::Refusal;
use super::{Orchestrator, WantAnswer};
use crate::domain::protocol::{
    AskedAbout, AttemptEnd, AttemptId, Author, Event, FailureCount, MessageSent, Route, Subject, TaskId, TaskRetried,
    TurnEnd, Work,
};
use crate::domain::state::{AfterCut, Attempt, GoalPhase, Life, Task, TaskIx};
use crate::domain::text::CleanText;

/// How a model asks: this goes with the system prompt of a task that may.
pub const QUESTIONS: &str = "\n\nIf you cannot go on without a decision that only the operator can make, answer \
    with nothing but a line `ASK: <question>` and, if there are choices, lines `- <choice>`. The operator's answer comes \
    as the next message.";

/// What begins a question.
const ASK: &str = "ASK:";

/// The most bytes of a message: a page or ten, far below any context.
const MOST: usize = 64 * 1024;

impl Orchestrator {
    /// Whether the agent of a task may ask the operator.
    pub(super) fn may_ask(&self, task: &Task) -> bool {
        self.state.config.settings.questions && task.work == Work::Ordinary
    }

    /// The question in a task's answer, with its choices.
    pub(super) fn question_in(&self, ix: TaskIx, answer: &str) -> Option<(CleanText, Vec<CleanText>)> {
        if self.may_ask(self.state.task(ix)) { read_question(answer) } else { None }
    }

    /// Whether a message can be taken.
    pub(super) fn check_message(&self, ix: TaskIx, text: &str) -> Result<(), Refusal> {
        if self.state.task(ix).work == Work::Planning {
            return Err("the planning takes no messages; ctrl-n gives a new goal".to_owned());
        }
        check_words(text)
    }

    /// Whether an answer can be taken.
    pub(super) fn check_answer(&self, ix: TaskIx, text: &str) -> Result<(), Refusal> {
        if self.state.task(ix).asking.is_none() {
            return Err("it asks nothing; i sends it a message".to_owned());
        }
        check_words(text)
    }

    /// Says something to a task's agent. A task that has ended with a result goes on with it at once.
    pub(super) fn message(&mut self, author: Author, ix: TaskIx, text: &str) {
        let task = self.state.task(ix);
        let goes_on = task.has_result();
        let said = MessageSent { task: task.id.clone(), author, text: CleanText::new(text.trim()) };
        self.emit(Event::MessageSent(said));
        if goes_on {
            self.take_up(ix);
        }
    }

    /// Answers a task's question.
    pub(super) fn answer(&mut self, author: Author, ix: TaskIx, text: &str) {
        let task = self.state.task(ix);
        let about_cut = task.asking.as_ref().is_some_and(|q| q.about == AskedAbout::Cut);
        let task = task.id.clone();
        self.emit(Event::TaskAnswered(MessageSent { task: task.clone(), author, text: CleanText::new(text.trim()) }));
        self.emit_cleared(Subject::Question(task));
        if about_cut {
            self.settle_cut(ix);
        }
    }

    /// An ended task goes on with what was said to it; the answers made of its result are written again.
    pub(super) fn take_up(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        let (id, route) = (task.id.clone(), task.route);
        if matches!(self.state.goal(id.goal).map(|g| &g.phase), Some(GoalPhase::Ended(_))) {
            self.emit(Event::GoalReopened { goal: id.goal });
        }
        let mut after = vec![ix];
        let mut i = 0;
        while i < after.len() {
            for feed in &self.state.task(after[i]).feeds {
                let f = self.state.task(*feed);
                if f.work != Work::Ordinary && f.has_ended() && !f.removed && !after.contains(feed) {
                    after.push(*feed);
                }
            }
            i += 1;
        }
        // The task itself last: a journal that ends before it still shows that the message waits.
        for follower in after.into_iter().skip(1).rev() {
            let follower = self.state.task(follower).id.clone();
            let reason = format!("“{}” goes on", self.state.task(ix).title);
            self.put_back(follower, Route::Primary, FailureCount::Reset, &reason);
        }
        self.emit_cleared(Subject::Task(id.clone()));
        self.put_back(id, route, FailureCount::Unchanged, "goes on with your message");
    }

    /// After a turn that ended well: whether the task goes on instead of being done, because something waits to be said
    /// or because it is held.
    pub(super) fn goes_on(&mut self, ix: TaskIx, attempt: AttemptId) -> bool {
        let task = self.state.task(ix);
        if task.work == Work::Planning {
            return false;
        }
        // What becomes of a cut answer is asked all the same: nothing runs while it is.
        let asks = || self.state.attempt(attempt).is_some_and(|a| self.is_asked_about(a));
        if task.held && !asks() {
            self.set_down(ix, attempt);
            return true;
        }
        task.unsent().next().is_some()
    }

    /// Tells the operator that a task asks; one that is held is set down instead.
    pub(super) fn tell_question(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        let Some(question) = &task.asking else { return };
        if task.held && question.about == AskedAbout::Work {
            if let Some(open) = self.state.open_attempt(task).map(|a| a.id) {
                self.set_down(ix, open);
            }
            return;
        }
        let text = CleanText::one_line(&format!("“{}” asks: {}; a answers", task.title, question.text));
        self.emit_attention(Subject::Question(task.id.clone()), text);
    }

    /// Holds a task; one that is between two turns is set down at once.
    pub(super) fn hold(&mut self, ix: TaskIx) {
        let id = self.state.task(ix).id.clone();
        self.emit(Event::TaskHeld { task: id });
        let task = self.state.task(ix);
        let idle = self.state.open_attempt(task).filter(|a| a.turn().is_none_or(|t| t.ended.is_some()));
        let idle = idle.filter(|a| !self.is_asked_about(a));
        if let Some(attempt) = idle.map(|a| a.id) {
            self.set_down(ix, attempt);
        }
    }

    /// Whether the operator says what becomes of what an attempt answered: it was cut, and nothing waits to be said to it.
    pub(super) fn is_asked_about(&self, attempt: &Attempt) -> bool {
        let waits = self.state.task(attempt.task).unsent().next().is_some();
        !waits && matches!(self.state.after_cut(attempt), Some(AfterCut::Ask { .. }))
    }

    /// Ends the attempt of a held task and keeps what it said.
    pub(super) fn set_down(&mut self, ix: TaskIx, attempt: AttemptId) {
        self.emit(Event::AttemptEnded { attempt, end: AttemptEnd::Moved });
        let task = self.state.task(ix);
        let (id, route) = (task.id.clone(), task.route);
        self.put_back(id, route, FailureCount::Unchanged, "held after its turn; what it said is kept");
    }

    /// Releases a task. One that had said all it has to say is done with that; one whose form changed begins again.
    pub(super) fn release(&mut self, ix: TaskIx) {
        let id = self.state.task(ix).id.clone();
        self.emit(Event::TaskReleased { task: id.clone() });
        let task = self.state.task(ix);
        let Some(last) = self.state.last_attempt(task).filter(|_| task.life == Life::NotStarted) else { return };
        if task.thread.last() != Some(&last.turn_id()) {
            return;
        }
        let (attempt, changed) = (last.id, last.version != task.version);
        let stopped = last.turn().and_then(|t| t.ended.as_ref()).is_some_and(|(_, end)| *end == TurnEnd::Stop);
        let after = self.state.after_cut(last);
        let complete = stopped || matches!(after, Some(AfterCut::Keep | AfterCut::Ask { .. }));
        if changed {
            let route = task.route;
            self.put_back(id, route, FailureCount::Reset, "released with another form; it begins again");
        } else if task.unsent().next().is_some() {
            // It goes on with that.
        } else if let Some(AfterCut::Larger(limit)) = after {
            self.ask_anew(ix, attempt, limit);
        } else if complete {
            self.complete(ix, attempt);
        }
    }

    /// Puts a task back to wait for its next attempt.
    pub(super) fn put_back(&mut self, task: TaskId, route: Route, count: FailureCount, reason: &str) {
        let reason = CleanText::one_line(reason);
        self.emit(Event::TaskRetried(TaskRetried { task, not_before: self.now, reason, count, route }));
    }
}

fn check_words(text: &str) -> Result<(), Refusal> {
    if CleanText::new(text).trim().is_empty() {
        return Err("it says nothing; write a word or esc".to_owned());
    }
    if text.len() > MOST {
        return Err(format!("it is {} bytes long; the most is {MOST}", text.len()));
    }
    Ok(())
}

/// The question of an answer that is nothing but a question: a line that begins with `ASK:`, then choices.
fn read_question(answer: &str) -> Option<(CleanText, Vec<CleanText>)> {
    let answer = answer.trim();
    if answer.len() > WantAnswer::SHORT {
        return None;
    }
    let mut lines = answer.lines().map(str::trim).filter(|l| !l.is_empty());
    let question = CleanText::one_line(lines.next()?.strip_prefix(ASK)?.trim());
    let choices: Option<Vec<CleanText>> =
        lines.map(|l| l.strip_prefix("- ").map(|c| CleanText::one_line(c.trim())).filter(|c| !c.is_empty())).collect();
    choices.filter(|_| !question.is_empty()).map(|choices| (question, choices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_the_whole_answer_or_none() {
        let read = |text: &str| {
            read_question(text).map(|(q, c)| (q.to_string(), c.iter().map(ToString::to_string).collect::<Vec<_>>()))
        };
        let asks = |q: &str, choices: &[&str]| {
            Some((q.to_owned(), choices.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()))
        };
        assert_eq!(read("ASK: Keep the GPL sources?"), asks("Keep the GPL sources?", &[]));
        assert_eq!(read("\n ASK: Which?\n\n- one\n- two words\n"), asks("Which?", &["one", "two words"]));
        for no in [
            "",
            "ASK:",
            "ask: Which?",
            "Well. ASK: Which?",
            "ASK: Which?\nI would take the first.",
            "ASK: Which?\n- ",
            "The line `ASK: x` is how one asks.",
        ] {
            assert_eq!(read(no), None, "{no}");
        }
        assert_eq!(read(&format!("ASK: {}?", "x".repeat(WantAnswer::SHORT))), None);
        assert_eq!(read("ASK: Which \u{1b}[31mone\u{1b}[0m?"), asks("Which one?", &[]));
    }
}
