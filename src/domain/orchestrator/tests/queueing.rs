//! Servers for the world of these tests that take time as real ones do: requests wait for one of their slots, are read, and
//! are answered; some claim more slots than they have, some read one prompt at a time, some serve others too.

use std::collections::VecDeque;

use crate::domain::orchestrator::StartTurn;
use crate::domain::protocol::{Micros, TurnId};

/// How prompts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// All at the same time.
    Together,
    /// One after the other, while others are answered.
    InTurn,
}

/// Whether it tells how far it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    Reading,
    Nothing,
}

pub(super) struct Server {
    /// Requests it works at, at a time.
    pub serves: Box<dyn Fn(Micros) -> u32>,
    /// Its slots that work for others, at a time.
    pub others: Box<dyn Fn(Micros) -> u32>,
    pub reads: Reads,
    pub tells: Tells,
    /// Microseconds to read a prompt.
    pub prompt: Box<dyn Fn(&StartTurn) -> u64>,
    /// Microseconds for which its first request makes it load its model.
    pub load: u64,
    /// Up to when it loads, once it had a request.
    pub loaded: Option<Micros>,
    /// Tokens a second of one slot, at a time, with so many at work.
    pub speed: Box<dyn Fn(Micros, u32) -> f64>,
    pub queue: VecDeque<TurnId>,
    pub working: Vec<TurnId>,
    pub reading_until: Micros,
}

/// When a turn that a server takes up shows what.
pub(super) struct Course {
    pub read: Option<Micros>,
    pub first: Micros,
    pub end: Micros,
}

impl Server {
    /// One that serves `slots` and reads prompts in a fifth of a second.
    pub(super) fn of(slots: u32) -> Self {
        Self {
            serves: Box::new(move |_| slots),
            others: Box::new(|_| 0),
            reads: Reads::Together,
            tells: Tells::Reading,
            prompt: Box::new(|_| 200_000),
            load: 0,
            loaded: None,
            speed: Box::new(|_, _| 50.0),
            queue: VecDeque::new(),
            working: Vec::new(),
            reading_until: Micros(0),
        }
    }

    /// The next turn that it takes up, if it has room.
    pub(super) fn next(&mut self, now: Micros) -> Option<TurnId> {
        if self.working.len() as u32 + (self.others)(now) >= (self.serves)(now) {
            return None;
        }
        let turn = self.queue.pop_front()?;
        self.working.push(turn);
        Some(turn)
    }

    /// What becomes of a turn sent at `sent` that it takes up now.
    pub(super) fn course(&mut self, now: Micros, sent: Micros, start: &StartTurn) -> Course {
        let prompt = (self.prompt)(start).max(1);
        let begin = match self.reads {
            Reads::Together => now,
            Reads::InTurn => now.max(self.reading_until),
        };
        let begin = begin.max(*self.loaded.get_or_insert(now.plus(Micros(self.load))));
        let first = begin.plus(Micros(prompt));
        self.reading_until = first;
        // That it begins is told at once; the host passes over what comes in the first fifth of a second.
        let told = if begin.since(sent) > Micros::from_millis(200) { 1 } else { prompt / 4 + 1 };
        let read = (self.tells == Tells::Reading).then(|| begin.plus(Micros(told)));
        let at_work = self.working.len() + self.queue.len();
        let tokens = f64::from(start.max_tokens);
        let seconds = tokens / (self.speed)(now, at_work.min((self.serves)(now) as usize) as u32);
        Course { read, first, end: first.plus(Micros((seconds * 1e6) as u64)) }
    }

    pub(super) fn drop_turn(&mut self, turn: TurnId) {
        self.queue.retain(|t| *t != turn);
        self.working.retain(|t| *t != turn);
    }
}
