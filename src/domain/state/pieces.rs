//! A state in pieces, each a line of text: what a checkpoint is made of.
//!
//! A line begins with what it is: `s` and everything but the long lists, or `g`, `t`, `a` with the place of a goal, a task
//! or an attempt. Lines that come later take the place of earlier ones, so that the lines that changed since are a state
//! too, on top of those before. Not here: where lines are kept. Invariant: what is put together of all the lines of a state
//! is that state.

use std::io::Write as _;
use std::mem::take;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Attempt, Goal, State, Task};

impl State {
    /// Gives each line of this state, its end included, in an order that is the same each time. The state itself is the
    /// same afterwards.
    ///
    /// # Errors
    /// Something in it has no JSON form.
    pub fn each_line(&mut self, mut give: impl FnMut(&[u8])) -> serde_json::Result<()> {
        let lists = (take(&mut self.goals), take(&mut self.tasks), take(&mut self.attempts));
        let mut line = vec![b's'];
        let rest = serde_json::to_writer(&mut line, &*self);
        (self.goals, self.tasks, self.attempts) = lists;
        rest?;
        line.push(b'\n');
        give(&line);
        each(b'g', &self.goals, &mut line, &mut give)?;
        each(b't', &self.tasks, &mut line, &mut give)?;
        each(b'a', &self.attempts, &mut line, &mut give)
    }
}

fn each<T: Serialize>(
    kind: u8,
    items: &[T],
    line: &mut Vec<u8>,
    give: &mut impl FnMut(&[u8]),
) -> serde_json::Result<()> {
    for (place, item) in items.iter().enumerate() {
        line.clear();
        line.push(kind);
        // Writing to memory does not fail.
        let _ = write!(line, "{place} ");
        serde_json::to_writer(&mut *line, item)?;
        line.push(b'\n');
        give(line);
    }
    Ok(())
}

/// Puts a state together of its lines.
#[derive(Debug, Default)]
pub struct StateLines {
    rest: Option<State>,
    goals: Vec<Goal>,
    tasks: Vec<Task>,
    attempts: Vec<Attempt>,
}

impl StateLines {
    /// Takes a line in, without its end. None: it is none of a state, or one before it is missing.
    #[must_use]
    pub fn take(&mut self, line: &[u8]) -> Option<()> {
        let (kind, line) = line.split_first()?;
        match kind {
            b's' => {
                self.rest = Some(serde_json::from_slice(line).ok()?);
                Some(())
            }
            b'g' => put(&mut self.goals, line),
            b't' => put(&mut self.tasks, line),
            b'a' => put(&mut self.attempts, line),
            _ => None,
        }
    }

    /// Those of attempts, to take more of them in beside the rest.
    pub fn attempts_apart(&mut self) -> Self {
        Self { attempts: take(&mut self.attempts), ..Self::default() }
    }

    /// Puts them back.
    pub fn with_attempts(&mut self, apart: Self) {
        self.attempts = apart.attempts;
    }

    /// The state of all that was taken in; none: its first line is missing.
    pub fn state(self) -> Option<State> {
        let mut state = self.rest?;
        (state.goals, state.tasks, state.attempts) = (self.goals, self.tasks, self.attempts);
        state.reindex();
        Some(state)
    }
}

fn put<T: DeserializeOwned>(items: &mut Vec<T>, line: &[u8]) -> Option<()> {
    let space = line.iter().position(|b| *b == b' ')?;
    let place: usize = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    let item = serde_json::from_slice(&line[space + 1..]).ok()?;
    if place == items.len() {
        items.push(item);
        return Some(());
    }
    *items.get_mut(place)? = item;
    Some(())
}

/// A map whose keys are more than text, which JSON has no such maps for: as a list of pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::domain::state) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(in crate::domain::state) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{Micros, Record, Subject};
    use crate::domain::state::Attention;
    use crate::domain::text::CleanText;

    fn lines(state: &mut State) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        state.each_line(|line| lines.push(line.strip_suffix(b"\n").unwrap().to_vec())).unwrap();
        lines
    }

    #[test]
    fn what_is_put_together_is_what_was_taken_apart_also_of_what_changed_alone() {
        let journal = include_str!("../../../tests/journals/v1/journal.jsonl");
        let mut state = State::default();
        let mut before = Vec::new();
        for line in journal.lines().skip(1) {
            state.apply(&Record::from_json(line).unwrap());
            let was = state.clone();
            let now = lines(&mut state);
            assert_eq!(state, was, "it is as it was");
            let mut whole = StateLines::default();
            now.iter().for_each(|line| whole.take(line).unwrap());
            let whole = whole.state().unwrap();
            assert_eq!(whole, state);
            assert!(state.tasks().iter().all(|t| whole.find(&t.id) == state.find(&t.id)), "the index is there");
            let mut changed = StateLines::default();
            let new = now.iter().filter(|line| !before.contains(*line));
            before.iter().chain(new).for_each(|line: &Vec<u8>| changed.take(line).unwrap());
            assert_eq!(changed.state().unwrap(), state);
            before = now;
        }
        let asks = Subject::Question(state.tasks()[0].id.clone());
        let attention = Attention { since: Micros(1), text: CleanText::from_static("which one?") };
        state.attention.insert(asks.clone(), attention);
        state.dismissed.insert(asks, None);
        let mut whole = StateLines::default();
        lines(&mut state).iter().for_each(|line| whole.take(line).unwrap());
        assert_eq!(whole.state().unwrap(), state, "what needs the operator is kept too");
        let mut gap = StateLines::default();
        let second = before.iter().find(|line| line.starts_with(b"t1 ")).unwrap();
        assert_eq!(gap.take(second), None, "the first task is missing");
        assert_eq!(gap.take(b""), None);
        assert!(gap.state().is_none());
    }
}
