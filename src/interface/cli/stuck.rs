//! Whether a goal can still get on by itself, or only the operator can release what is left.
//!
//! Pure. Not here: why a single task waits ([`State::admit`], asked here for all of them).

use crate::domain::protocol::{GoalId, Micros};
use crate::domain::state::{GoalPhase, State, Why};

/// Whether a goal gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It does, or has ended.
    Moving,
    /// Nothing runs until a server answers that does not now; the sentences say which.
    Servers(Vec<String>),
    /// Only the operator can release what is left; the sentences say how.
    Operator(Vec<String>),
}

/// How some goals stand at `now`: they get on as long as one of them does.
pub(crate) fn outlook_of(state: &State, goals: &[GoalId], now: Micros) -> Outlook {
    let (mut operator, mut servers) = (Vec::new(), Vec::new());
    let open = |g: &&GoalId| state.goal(**g).is_some_and(|g| !matches!(g.phase, GoalPhase::Ended(_)));
    for goal in goals.iter().filter(open) {
        match outlook(state, *goal, now) {
            Outlook::Moving => return Outlook::Moving,
            Outlook::Servers(sentences) => servers.extend(sentences),
            Outlook::Operator(sentences) => operator.extend(sentences),
        }
    }
    match (servers.is_empty(), operator.is_empty()) {
        (false, _) => Outlook::Servers(servers),
        (true, false) => Outlook::Operator(operator),
        (true, true) => Outlook::Moving,
    }
}

/// How a goal stands at `now`.
pub(crate) fn outlook(state: &State, goal: GoalId, now: Micros) -> Outlook {
    let Some(goal) = state.goal(goal) else { return Outlook::Moving };
    let works = state.running().any(|a| state.task(a.task).asking.is_none());
    if matches!(goal.phase, GoalPhase::Ended(_)) || works {
        return Outlook::Moving;
    }
    let (mut operator, mut servers) = (Vec::new(), Vec::new());
    if let Some(held) = goal.short_of() {
        operator.push(format!("{} waits for memory: it {}", goal.id, held.reason));
    }
    for ix in &goal.tasks {
        let task = state.task(*ix);
        if task.has_ended() || task.removed {
            continue;
        }
        if let Some(question) = &task.asking {
            operator.push(format!("{}: it asks you: {}", task.title, question.text));
            continue;
        }
        let why = match state.admit(*ix, now) {
            Ok(_) => return Outlook::Moving,
            Err(why) => why,
        };
        let sentence = format!("{}: {why}", task.title);
        match why {
            Why::Held
            | Why::Paused
            | Why::Ended
            | Why::Review(_)
            | Why::Draining { .. }
            | Why::Blocked { .. }
            | Why::NoEndpoint { .. }
            | Why::NoAgent => {
                operator.push(sentence);
            }
            Why::Down { .. } => servers.push(sentence),
            // It stands and falls with another task, or was said of the goal.
            Why::Needs { .. } | Why::Limit { .. } | Why::Memory { .. } => {}
            Why::NotWaiting
            | Why::Backoff { .. }
            | Why::Asked { .. }
            | Why::Slot { .. }
            | Why::Throttled { .. }
            | Why::FirstLook => {
                return Outlook::Moving;
            }
        }
    }
    match (servers.is_empty(), operator.is_empty()) {
        (false, _) => Outlook::Servers(servers),
        (true, false) => Outlook::Operator(operator),
        (true, true) => Outlook::Moving,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    #[test]
    fn a_goal_that_waits_for_memory_is_told_once_with_its_sum() {
        let story = story::short_of_memory();
        let sum = "needs 4 GB more: Phi 4; 2.5 GB are left of 144.5 (170 less 25.5 kept free)";
        let want = Outlook::Operator(vec![format!("g1 waits for memory: it {sum}")]);
        assert_eq!(outlook_of(&story.state, &[GoalId(1)], story.at), want);
    }
}
