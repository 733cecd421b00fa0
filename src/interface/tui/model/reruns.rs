//! Which tasks a retry puts back to their start, and how long they take: what a card says before it is confirmed.
//!
//! The orchestrator decides; here stands what it will do, by the same rule.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::protocol::{RetryScope, Work};
use crate::domain::state::{End, Life, State, TaskIx};

/// The tasks that start over: those asked for, what was skipped because of them, and the answer made of them.
pub fn reruns(state: &State, scope: &RetryScope) -> Vec<TaskIx> {
    let mut again: Vec<TaskIx> = match scope {
        RetryScope::Task(task) | RetryScope::WithDependants(task) => state.find(task).into_iter().collect(),
        RetryScope::Failed => (0..state.tasks().len() as u32)
            .map(TaskIx)
            .filter(|t| {
                let t = state.task(*t);
                !t.removed && t.life == Life::Ended(End::Failed) && t.work != Work::Planning
            })
            .collect(),
    };
    let everything = matches!(scope, RetryScope::WithDependants(_));
    let mut seen: BTreeSet<TaskIx> = again.iter().copied().collect();
    let mut i = 0;
    while i < again.len() {
        for feed in &state.task(again[i]).feeds {
            let f = state.task(*feed);
            let also = everything || f.life == Life::Ended(End::Skipped) || f.work != Work::Ordinary;
            if !f.removed && f.has_ended() && also && seen.insert(*feed) {
                again.push(*feed);
            }
        }
        i += 1;
    }
    again
}

/// Seconds of the longest chain among `tasks`, each taking as long as `own` says.
pub fn seconds(state: &State, tasks: &[TaskIx], own: impl Fn(TaskIx) -> f32) -> f32 {
    let mut open: BTreeMap<TaskIx, usize> = tasks.iter().map(|t| (*t, 0)).collect();
    for task in tasks {
        let inside = state.task(*task).needs.iter().filter(|n| open.contains_key(n)).count();
        open.insert(*task, inside);
    }
    let mut begins: BTreeMap<TaskIx, f32> = BTreeMap::new();
    let mut ready: Vec<TaskIx> = open.iter().filter(|(_, n)| **n == 0).map(|(t, _)| *t).collect();
    let mut longest = 0.0f32;
    while let Some(task) = ready.pop() {
        let ends = begins.get(&task).copied().unwrap_or(0.0) + own(task);
        longest = longest.max(ends);
        for feed in &state.task(task).feeds {
            let Some(left) = open.get_mut(feed) else { continue };
            let begin = begins.entry(*feed).or_insert(0.0);
            *begin = begin.max(ends);
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push(*feed);
            }
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    fn names(state: &State, tasks: &[TaskIx]) -> Vec<String> {
        tasks.iter().map(|t| state.task(*t).id.name.to_string()).collect()
    }

    #[test]
    fn a_retry_brings_back_what_was_skipped_and_the_rest_only_when_asked() {
        let failed = story::failed().state;
        let samples = "g1/samples".parse().unwrap();
        assert_eq!(
            names(&failed, &reruns(&failed, &RetryScope::Task(samples))),
            ["samples", "errors", "speed", "rank", "answer"]
        );
        let done = story::done().state;
        let sources: crate::domain::protocol::TaskId = "g1/sources".parse().unwrap();
        assert_eq!(names(&done, &reruns(&done, &RetryScope::Task(sources.clone()))), ["sources"]);
        assert_eq!(
            names(&done, &reruns(&done, &RetryScope::WithDependants(sources))),
            ["sources", "errors", "upkeep", "rank", "answer"]
        );
    }

    #[test]
    fn the_longest_chain_counts_not_the_sum() {
        let done = story::done().state;
        let all: Vec<TaskIx> = (0..done.tasks().len() as u32).map(TaskIx).collect();
        // sources → errors → rank → answer.
        assert!((seconds(&done, &all, |_| 1.0) - 4.0).abs() < 0.01);
        assert!((seconds(&done, &all[..3], |_| 5.0) - 5.0).abs() < 0.01);
    }
}
