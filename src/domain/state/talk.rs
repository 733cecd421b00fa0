//! What is said between the operator and a task's agent: questions, answers, messages, and which turns the conversation
//! of the next request carries.
//!
//! Not here: when a next turn starts ([`super::admit`]), what it is asked word for word (the orchestrator's prompts).
//! Invariants: a message goes with one turn that was answered, or waits; what went with a turn that came to nothing
//! waits again; a task asks only while an attempt of it is open and has no turn under way.

use super::{Attempt, Life, Question, Said, State, Task, TaskIx};
use crate::domain::fleet::OnCut;
use crate::domain::protocol::{AskedAbout, MessageSent, Micros, TaskAsked, TurnEnd, TurnId};

impl Task {
    /// What was said to its agent and has not gone with a turn, oldest first.
    pub fn unsent(&self) -> impl Iterator<Item = &Said> {
        self.messages.iter().filter(|m| m.turn.is_none())
    }

    /// Takes the question back: what went with the turn that asked waits again, for the turn is run again. Returns whether
    /// there was one.
    pub(super) fn drop_question(&mut self) -> bool {
        let Some(question) = self.asking.take() else { return false };
        if question.about == AskedAbout::Work {
            self.unsay(question.turn);
        }
        true
    }

    /// What a turn answered is no part of the conversation: it is asked anew, with what went along with it.
    pub(super) fn take_back(&mut self, turn: TurnId) {
        self.thread.retain(|t| *t != turn);
        self.unsay(turn);
    }

    /// What went with a turn waits for the next one.
    fn unsay(&mut self, turn: TurnId) {
        for said in self.messages.iter_mut().filter(|m| m.turn == Some(turn)) {
            said.turn = None;
        }
    }
}

impl State {
    /// The open attempt of a task whose last turn is over and that is to have another one: it goes before new tasks.
    pub fn between_turns(&self, task: &Task) -> Option<&Attempt> {
        let waits = task.life == Life::Running && task.asking.is_none();
        waits.then(|| self.open_attempt(task)).flatten().filter(|a| a.turn().is_some_and(|t| t.ended.is_some()))
    }

    /// Whether a task has a turn under way.
    pub fn has_turn(&self, ix: TaskIx) -> bool {
        self.open_attempt(self.task(ix)).and_then(Attempt::turn).is_some_and(|t| t.ended.is_none())
    }

    /// The attempt of a task that has not ended.
    pub fn open_attempt(&self, task: &Task) -> Option<&Attempt> {
        self.last_attempt(task).filter(|a| a.ended.is_none())
    }

    /// A turn asks the operator. Said before the turn's end is, so that no prefix of the journal has an answer that
    /// nobody knows for a question.
    pub(super) fn asked(&mut self, at: Micros, asked: &TaskAsked) {
        let Some(ix) = self.find(&asked.task) else { return };
        if asked.about == AskedAbout::Work
            && let Some(turn) = self.turn_mut(asked.turn)
        {
            turn.asked = true;
        }
        let question = Question {
            turn: asked.turn,
            text: asked.question.clone(),
            choices: asked.choices.clone(),
            since: at,
            about: asked.about,
        };
        if self.tasks[ix.0 as usize].asking.replace(question).is_none() {
            self.with_goal(asked.task.goal, |goal| goal.asking += 1);
        }
    }

    pub(super) fn answered(&mut self, at: Micros, said: &MessageSent) {
        let Some(ix) = self.find(&said.task) else { return };
        let question = self.tasks[ix.0 as usize].asking.take();
        if question.is_some() {
            self.with_goal(said.task.goal, |goal| goal.asking = goal.asking.saturating_sub(1));
        }
        let task = &mut self.tasks[ix.0 as usize];
        match question {
            // Baton asked what becomes of a cut answer. Other words than those it offered are for the agent.
            Some(Question { about: AskedAbout::Cut, .. }) => {
                task.cut_choice = cut_choice(&said.text);
                if task.cut_choice.is_some() {
                    return;
                }
            }
            Some(question) => task.thread.push(question.turn),
            None => {}
        }
        task.messages.push(Said { author: said.author.clone(), text: said.text.clone(), at, turn: None });
    }

    pub(super) fn said(&mut self, at: Micros, said: &MessageSent) {
        let Some(ix) = self.find(&said.task) else { return };
        // What is kept of a cancelled answer is what the message is about, and so is what was put in by hand.
        let result = self.given(ix).and_then(|a| self.attempt(a)).map(|a| self.result_turns(a)).unwrap_or_default();
        let task = &mut self.tasks[ix.0 as usize];
        if let Some(last) = result.last()
            && task.thread.last() != Some(last)
        {
            // What it continues stands there already, unless its attempt came to nothing else.
            let new: Vec<TurnId> = result.iter().filter(|t| *t == last || !task.thread.contains(t)).copied().collect();
            task.thread.extend(new);
        }
        task.messages.push(Said { author: said.author.clone(), text: said.text.clone(), at, turn: None });
    }

    /// A turn begins: what waits to be said goes with it.
    pub(super) fn goes_with(&mut self, turn: TurnId) {
        let Some(ix) = self.attempt(turn.attempt).map(|a| a.task) else { return };
        for said in self.tasks[ix.0 as usize].messages.iter_mut().filter(|m| m.turn.is_none()) {
            said.turn = Some(turn);
        }
    }

    /// A turn ended: its answer belongs to the conversation, or what was said with it waits again.
    pub(super) fn spoke(&mut self, turn: TurnId, end: &TurnEnd) {
        let Some(ix) = self.attempt(turn.attempt).map(|a| a.task) else { return };
        // A continuation without a word says nothing: a message of nothing is refused by chat templates.
        let silent = self.turn(turn).is_some_and(|t| t.continues.is_some() && t.answer.bytes == 0);
        let task = &mut self.tasks[ix.0 as usize];
        match end {
            _ if silent => {}
            // A question belongs to it once it is answered.
            TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls => {
                if task.asking.as_ref().is_none_or(|q| q.turn != turn) {
                    if task.thread.is_empty() {
                        // Most tasks have one; the room for four that a vector begins with adds up.
                        task.thread.reserve_exact(1);
                    }
                    task.thread.push(turn);
                }
            }
            TurnEnd::Failed(_) | TurnEnd::Cancelled => task.unsay(turn),
        }
    }
}

/// What the operator wants done about a cut answer, by the words that were offered ([`super::cut`]): `go on`,
/// `again with 200 tokens`, `keep it`.
fn cut_choice(answer: &str) -> Option<OnCut> {
    let words = answer.trim().to_lowercase();
    match words.split_whitespace().next()? {
        "go" if words == "go on" => Some(OnCut::GoOn),
        "again" if words == "again" || words.starts_with("again with ") => Some(OnCut::RetryLarger),
        "keep" if words == "keep" || words == "keep it" => Some(OnCut::Keep),
        _ => None,
    }
}
