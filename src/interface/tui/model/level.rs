//! The reasoning level in words: what was set, from when on it counts, and where it can't.

use crate::domain::protocol::{Level, LevelScope, LevelSupport};
use crate::domain::state::{EndpointState, Life, State, Task};

/// What the setting of a level means, in a sentence.
pub(crate) fn words(scope: &LevelScope, level: Option<Level>, state: &State) -> String {
    match scope {
        LevelScope::Session => {
            let level = level.unwrap_or(state.level).word();
            format!("level of the session: {level}, from the next requests on; tasks and agents with their own keep it")
        }
        LevelScope::Agent(agent) => match level {
            Some(level) => format!("level of agent {agent}: {}, from the next requests on", level.word()),
            None => format!("level of agent {agent}: as configured, from the next requests on"),
        },
        LevelScope::Task(id) => {
            let Some(task) = state.task_by_id(id) else { return format!("level of {id} set") };
            let level = state.level_of(task);
            let when = if task.has_ended() { "when it runs again" } else { "from its next request" };
            let can = support(task, level, state).map_or_else(String::new, |says| format!("; {says}"));
            format!("{}: level {} {when}{can}", task.title, level.word())
        }
    }
}

/// What keeps a level from being what it says, where something does: the endpoint a task runs on, or all it may go to.
pub(crate) fn support(task: &Task, level: Level, state: &State) -> Option<String> {
    let running = state.last_attempt(task).filter(|_| task.life == Life::Running).and_then(|a| state.place_of(a));
    let tier = state.tier_of(task);
    let places: Vec<&EndpointState> = match running {
        Some(endpoint) => vec![endpoint],
        None => state.endpoints().iter().filter(|e| tier.is_some_and(|t| e.serves(t)) && e.is_usable()).collect(),
    };
    let first = places.first()?;
    let all = |support| places.iter().all(|e| e.level == support);
    let place = match places.len() {
        1 => first.config.short().to_owned(),
        n => format!("the {n} endpoints it may go to"),
    };
    if all(LevelSupport::None) {
        Some(format!("{place} can't be told how hard to think, so it changes nothing there"))
    } else if all(LevelSupport::Switch) {
        let thinks = if level == Level::Low { "does not think" } else { "thinks" };
        Some(format!("{place} knows on and off only: it {thinks}"))
    } else if all(LevelSupport::Unknown) {
        Some(format!("whether {place} heeds it is not known"))
    } else {
        None
    }
}
