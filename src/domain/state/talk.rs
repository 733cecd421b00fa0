//! What is said between the operator and a task's agent: questions, answers, messages, and which turns the conversation
//! of the next request carries.
//!
//! Not here: when a next turn starts ([`super::why`]), what it is asked word for word (the orchestrator's prompts).
//! Invariants: a message goes with one turn that was answered, or waits; what went with a turn that came to nothing
//! waits again; a task asks only while an attempt of it is open and has no turn under way.

use super::{Attempt, Life, Question, Said, State, Task};
use crate::domain::protocol::{MessageSent, Micros, TaskAsked, TurnEnd, TurnId};

impl Task {
    /// What was said to its agent and has not gone with a turn, oldest first.
    pub fn unsent(&self) -> impl Iterator<Item = &Said> {
        self.messages.iter().filter(|m| m.turn.is_none())
    }

    /// Takes the question back: what went with the turn that asked waits again, for the turn is run again.
    pub(super) fn drop_question(&mut self) {
        if let Some(question) = self.asking.take() {
            self.unsay(question.turn);
        }
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

    /// The attempt of a task that has not ended.
    pub fn open_attempt(&self, task: &Task) -> Option<&Attempt> {
        self.last_attempt(task).filter(|a| a.ended.is_none())
    }

    /// A turn asks the operator. Said before the turn's end is, so that no prefix of the journal has an answer that
    /// nobody knows for a question.
    pub(super) fn asked(&mut self, at: Micros, asked: &TaskAsked) {
        let Some(ix) = self.find(&asked.task) else { return };
        if let Some(turn) = self.turn_mut(asked.turn) {
            turn.asked = true;
        }
        self.tasks[ix.0 as usize].asking = Some(Question {
            turn: asked.turn,
            text: asked.question.clone(),
            choices: asked.choices.clone(),
            since: at,
        });
    }

    pub(super) fn answered(&mut self, at: Micros, said: &MessageSent) {
        let Some(ix) = self.find(&said.task) else { return };
        let task = &mut self.tasks[ix.0 as usize];
        if let Some(question) = task.asking.take() {
            task.thread.push(question.turn);
        }
        task.messages.push(Said { author: said.author.clone(), text: said.text.clone(), at, turn: None });
    }

    pub(super) fn said(&mut self, at: Micros, said: &MessageSent) {
        let Some(ix) = self.find(&said.task) else { return };
        // What is kept of a cancelled answer is what the message is about, and so is what was put in by hand.
        let result = self.given(ix).and_then(|a| self.attempt(a)).and_then(Attempt::result_turn);
        let task = &mut self.tasks[ix.0 as usize];
        if let Some(turn) = result.filter(|turn| task.thread.last() != Some(turn)) {
            task.thread.push(turn);
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
        let task = &mut self.tasks[ix.0 as usize];
        match end {
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
