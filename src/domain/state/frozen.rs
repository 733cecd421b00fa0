//! A state kept for later, many of one session beside each other: what did not change from one to the next is there
//! once.
//!
//! Not here: when one is kept. Invariant: what is thawed equals what was frozen.

use std::mem::take;
use std::sync::Arc;

use super::{Attempt, Goal, State, Task};
use crate::domain::protocol::Part;

/// A state as it was.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// All but the long lists.
    rest: Box<State>,
    goals: Items<Goal>,
    tasks: Items<Task>,
    attempts: Items<Attempt>,
}

/// A list in pieces, so that one that hardly changes costs hardly more than a pointer a piece.
type Items<T> = Vec<Arc<Vec<Arc<T>>>>;

/// How many items a piece has: with 64 a list of ten thousand is shared by some hundred pointers.
const PIECE: usize = 64;

impl State {
    /// Keeps this state; what is as it was in `before` is shared with it. The state itself is the same afterwards.
    pub fn freeze(&mut self, before: Option<&Frozen>) -> Frozen {
        let goals = take(&mut self.goals);
        let tasks = take(&mut self.tasks);
        let attempts = take(&mut self.attempts);
        let index = take(&mut self.task_index);
        let rest = Box::new(self.clone());
        let frozen = Frozen {
            rest,
            goals: shared(&goals, before.map(|b| &*b.goals)),
            tasks: shared(&tasks, before.map(|b| &*b.tasks)),
            attempts: shared(&attempts, before.map(|b| &*b.attempts)),
        };
        (self.goals, self.tasks, self.attempts, self.task_index) = (goals, tasks, attempts, index);
        frozen
    }
}

fn shared<T: Clone + PartialEq>(now: &[T], before: Option<&[Arc<Vec<Arc<T>>>]>) -> Items<T> {
    let before = before.unwrap_or_default();
    let piece = |(i, items): (usize, &[T])| {
        let was = before.get(i);
        let same = |n: usize, item: &T| was.and_then(|was| was.get(n)).filter(|was| ***was == *item).cloned();
        let piece: Vec<Arc<T>> =
            items.iter().enumerate().map(|(n, item)| same(n, item).unwrap_or_else(|| Arc::new(item.clone()))).collect();
        let is_same = |was: &&Arc<Vec<Arc<T>>>| {
            was.len() == piece.len() && was.iter().zip(&piece).all(|(was, now)| Arc::ptr_eq(was, now))
        };
        was.filter(is_same).cloned().unwrap_or_else(|| Arc::new(piece))
    };
    now.chunks(PIECE).enumerate().map(piece).collect()
}

fn thawed<T: Clone>(items: &Items<T>) -> Vec<T> {
    let mut list = Vec::with_capacity(items.len() * PIECE);
    list.extend(items.iter().flat_map(|piece| piece.iter()).map(|item| (**item).clone()));
    list
}

impl Frozen {
    /// The last record of it.
    pub fn seq(&self) -> u64 {
        self.rest.seq
    }

    /// The state it was made of.
    pub fn thaw(&self) -> State {
        let mut state = (*self.rest).clone();
        state.goals = thawed(&self.goals);
        state.tasks = thawed(&self.tasks);
        state.attempts = thawed(&self.attempts);
        state.reindex();
        state
    }

    /// The memory it takes beside `before`, in bytes, roughly.
    pub fn bytes_beside(&self, before: Option<&Self>) -> usize {
        // Configuration, endpoints with their histories, viewers, names of commands.
        let rest = size_of::<State>() + 8_192 + 512 * self.rest.endpoints.len() + 48 * self.rest.commands.len();
        rest + own(&self.goals, before.map(|b| &*b.goals), goal_bytes)
            + own(&self.tasks, before.map(|b| &*b.tasks), task_bytes)
            + own(&self.attempts, before.map(|b| &*b.attempts), attempt_bytes)
    }
}

fn own<T>(items: &[Arc<Vec<Arc<T>>>], before: Option<&[Arc<Vec<Arc<T>>>]>, bytes: impl Fn(&T) -> usize) -> usize {
    let before = before.unwrap_or_default();
    let mut sum = size_of_val(items);
    for (i, piece) in items.iter().enumerate() {
        let was = before.get(i);
        if was.is_some_and(|was| Arc::ptr_eq(was, piece)) {
            continue;
        }
        sum += size_of_val(piece.as_slice()) + 64;
        for (n, item) in piece.iter().enumerate() {
            let is_shared = was.and_then(|was| was.get(n)).is_some_and(|was| Arc::ptr_eq(was, item));
            sum += if is_shared { 0 } else { bytes(item) };
        }
    }
    sum
}

fn goal_bytes(goal: &Goal) -> usize {
    let changes: usize = goal.edits.iter().map(|edit| edit.changes.len()).sum();
    size_of::<Goal>() + goal.text.as_str().len() + 4 * goal.tasks.len() + 64 * changes
}

fn task_bytes(task: &Task) -> usize {
    let messages: usize = task.messages.iter().map(|said| 96 + said.text.as_str().len()).sum();
    let places = task.needs.len() + task.feeds.len() + 4 * task.attempts.len();
    size_of::<Task>() + 64 + 4 * places + messages + task.reason.as_str().len()
}

fn attempt_bytes(attempt: &Attempt) -> usize {
    let part = |part: &Part| {
        let text = if let Part::Literal(text) = part { text.as_str().len() } else { 0 };
        size_of::<Part>() + text
    };
    let parts = attempt.turns().flat_map(|turn| turn.recipe.messages.iter()).flat_map(|message| &message.parts);
    size_of::<Attempt>() + 224 * attempt.steps.len().max(1) + parts.map(part).sum::<usize>() + 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{Event, Micros, Record};

    #[test]
    fn what_is_thawed_is_what_was_frozen_and_what_did_not_change_is_there_once() {
        let lines = include_str!("../../../tests/journals/v1/journal.jsonl").lines().skip(1);
        let mut state = State::default();
        let mut kept: Vec<(Frozen, State)> = Vec::new();
        for line in lines {
            state.apply(&Record::from_json(line).unwrap());
            let frozen = state.freeze(kept.last().map(|(frozen, _)| frozen));
            kept.push((frozen, state.clone()));
        }
        for (frozen, was) in &kept {
            let thawed = frozen.thaw();
            assert_eq!(thawed, *was);
            assert_eq!(thawed.seq, frozen.seq());
            assert!(was.tasks().iter().all(|t| thawed.find(&t.id) == was.find(&t.id)), "the index is there");
        }
        let last = &kept[kept.len() - 1].0;
        state.apply(&Record { seq: state.seq + 1, at: Micros(u64::MAX), event: Event::SessionPaused {} });
        let next = state.freeze(Some(last));
        assert!(next.tasks.iter().zip(&last.tasks).all(|(a, b)| Arc::ptr_eq(a, b)));
        assert!(next.bytes_beside(Some(last)) < next.bytes_beside(None));
    }
}
