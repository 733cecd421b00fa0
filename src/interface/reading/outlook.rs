//! Whether a goal can still get on by itself, or only the operator can release what is left.
//!
//! Pure. Not here: why a single task waits ([`State::admit`], asked here for all of them).

use crate::domain::protocol::{GoalId, Health, Micros};
use crate::domain::state::{EndpointIx, EndpointState, GoalPhase, State, Why};
use crate::domain::text::CleanText;

/// Whether a goal gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It does, or has ended.
    Moving,
    /// Nothing runs until a server answers that does not now.
    Servers(Waits),
    /// Only the operator can release what is left; the sentences say how.
    Operator(Vec<String>),
}

/// What is waited for where servers are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    /// Which tasks wait for what, a sentence for all that wait for the same.
    pub(crate) sentences: Vec<String>,
    /// The endpoints that say that they load their models.
    pub(crate) loading: Vec<EndpointIx>,
}

/// How some goals stand at `now`: they get on as long as one of them does.
pub(crate) fn outlook_of(state: &State, goals: &[GoalId], now: Micros) -> Outlook {
    let (mut operator, mut servers) = (Vec::new(), Waits::default());
    let open = |g: &&GoalId| state.goal(**g).is_some_and(|g| !matches!(g.phase, GoalPhase::Ended(_)));
    for goal in goals.iter().filter(open) {
        match outlook(state, *goal, now) {
            Outlook::Moving => return Outlook::Moving,
            Outlook::Servers(waits) => {
                servers.sentences.extend(waits.sentences);
                servers.loading.extend(waits.loading);
            }
            Outlook::Operator(sentences) => operator.extend(sentences),
        }
    }
    match (servers.sentences.is_empty(), operator.is_empty()) {
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
    // What keeps tasks, with the first of them and how many more there are.
    let (mut operator, mut silent): (Vec<String>, Vec<(Why, &CleanText, usize)>) = (Vec::new(), Vec::new());
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
            Why::Down { .. } | Why::Loading { .. } => match silent.iter_mut().find(|(other, ..)| *other == why) {
                Some((.., more)) => *more += 1,
                None => silent.push((why, &task.title, 0)),
            },
            // It stands and falls with another task, or was said of the goal.
            Why::Needs { .. }
            | Why::Limit { .. }
            | Why::Memory { .. }
            | Why::Lock { .. }
            | Why::Path { .. }
            | Why::Reserved { .. } => {}
            Why::NotWaiting
            | Why::Backoff { .. }
            | Why::Resting { .. }
            | Why::Asked { .. }
            | Why::Slot { .. }
            | Why::Throttled { .. }
            | Why::FirstLook => {
                return Outlook::Moving;
            }
        }
    }
    match (silent.is_empty(), operator.is_empty()) {
        (false, _) => Outlook::Servers(waiting(state, silent)),
        (true, false) => Outlook::Operator(operator),
        (true, true) => Outlook::Moving,
    }
}

fn waiting(state: &State, silent: Vec<(Why, &CleanText, usize)>) -> Waits {
    let loading = |(ix, e): (usize, &EndpointState)| {
        let is = |why: &Why| matches!(why, Why::Loading { tier, .. } if e.serves(tier));
        let waited_for = e.health == Health::Loading && silent.iter().any(|(why, ..)| is(why));
        waited_for.then_some(EndpointIx(ix as u32))
    };
    Waits {
        loading: state.endpoints().iter().enumerate().filter_map(loading).collect(),
        sentences: silent
            .iter()
            .map(|(why, title, more)| match more {
                0 => format!("{title}: {why}"),
                more => format!("{title} and {more} more: {why}"),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    #[test]
    fn a_goal_that_waits_for_memory_is_told_once_with_its_sum() {
        let story = story::short_of_memory();
        let sum = "lacks 1.5 GB: needs 4 for Phi 4; 2.5 GB are left of 144.5 (170 less 25.5 kept free)";
        let want = Outlook::Operator(vec![format!("g1 waits for memory: it {sum}")]);
        assert_eq!(outlook_of(&story.state, &[GoalId(1)], story.at), want);
    }
}
