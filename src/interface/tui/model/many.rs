//! Cards for a verb on many tasks: a phase, a group, a marked set. They say which tasks are meant and ask first.
//!
//! Also here: what becomes of the tasks that wait for one that is stopped, in words.

use std::collections::BTreeSet;

use super::task_verbs::select_one;
use super::{Card, Choice, Layer, UiEffect, notice};
use crate::domain::plan::OnFailure;
use crate::domain::protocol::{Command, Level, LevelScope, Micros, Partial, RetryScope, StopScope, TaskId, Work};
use crate::domain::state::{Life, State, Task, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

/// A verb that can be said of many tasks at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// Run them again.
    Retry,
    /// Cancel them.
    Stop,
    /// Hold them; release them when all are held.
    Hold,
    /// Don't run them.
    Skip,
    /// Set their level.
    Level,
}

/// Names on a card before the rest is counted.
const NAMED: usize = 6;

/// What a verb's key does to several tasks at once: a phase, a group, a marked set. It asks first, or says why not.
pub(super) fn many_action(verb: Action, tasks: &[TaskIx], state: &State, now: Micros) -> Vec<UiEffect> {
    let (many, otherwise) = match verb {
        Action::Retry => (Many::Retry, "none of them has ended; there is nothing to retry"),
        Action::Stop => (Many::Stop, "all of them have ended; there is nothing to stop"),
        Action::Hold => (Many::Hold, "all of them have ended; there is nothing to hold"),
        Action::Level => (Many::Level, "a level means nothing to them"),
        _ => return select_one(),
    };
    match Card::many(many, tasks, state, now) {
        Some(card) => vec![UiEffect::Open(Box::new(Layer::Card(card)))],
        None => notice(otherwise),
    }
}

impl Card {
    /// Asks before a verb is done to many tasks; none when it can be done to none of them.
    pub fn many(verb: Many, tasks: &[TaskIx], state: &State, now: Micros) -> Option<Self> {
        let open = |t: &Task| !t.removed && !t.has_ended();
        let can = |verb: Many, t: &Task| match verb {
            Many::Retry => {
                let ran = t.has_ended() || t.life == Life::NotStarted && t.failures > 0;
                !t.removed && ran && t.work != Work::Planning
            }
            Many::Stop => open(t),
            Many::Hold => open(t) && !t.held,
            Many::Skip => open(t) && t.work != Work::Planning,
            Many::Level => !t.removed,
        };
        let mut meant: Vec<TaskIx> = tasks.iter().copied().filter(|ix| can(verb, state.task(*ix))).collect();
        let release = verb == Many::Hold && meant.is_empty();
        if release {
            meant = tasks.iter().copied().filter(|ix| open(state.task(*ix)) && state.task(*ix).held).collect();
        }
        if meant.is_empty() {
            return None;
        }
        let each = |command: &dyn Fn(TaskId) -> Command| -> Vec<UiEffect> {
            meant.iter().map(|ix| UiEffect::Send(command(state.task(*ix).id.clone()))).collect()
        };
        let stop = |partial| each(&|id| Command::Stop { scope: StopScope::Task(id), partial });
        let level = |level: Level| each(&|id| Command::SetLevel { scope: LevelScope::Task(id), level: Some(level) });
        let (does, nothing, choices) = match verb {
            Many::Retry => (
                "Retry",
                "leave them",
                vec![Choice::new('r', "retry them", each(&|id| Command::Retry(RetryScope::Task(id))))],
            ),
            Many::Stop => (
                "Stop",
                "let them go on",
                vec![
                    Choice::new('k', "cancel them, keeping partial answers", stop(Partial::Kept)),
                    Choice::new('d', "cancel them and discard what they wrote", stop(Partial::Discarded)),
                ],
            ),
            Many::Hold if release => {
                ("Release", "leave them held", vec![Choice::new('p', "release them", each(&Command::Release))])
            }
            Many::Hold => (
                "Hold",
                "let them go on",
                vec![Choice::new('p', "hold them: turns under way end first", each(&Command::Hold))],
            ),
            Many::Skip => (
                "Skip",
                "leave them in",
                vec![Choice::new('s', "skip them: what needs them is told, or skipped too", each(&Command::Skip))],
            ),
            Many::Level => (
                "Set the level of",
                "leave it",
                vec![
                    Choice::new('l', "low", level(Level::Low)),
                    Choice::new('m', "medium", level(Level::Medium)),
                    Choice::new('h', "high", level(Level::High)),
                ],
            ),
        };
        let title = match meant.len() {
            1 => format!("{does} 1 task"),
            n => format!("{does} {n} tasks"),
        };
        let mut body = listed(state, &meant);
        if meant.len() < tasks.len() {
            body.push(format!("{} of the {} can't be, as they stand.", tasks.len() - meant.len(), tasks.len()).into());
        }
        let choices = std::iter::once(Choice::nothing(nothing)).chain(choices).collect();
        Some(Self::confirm(title, body, choices, now))
    }
}

/// The titles of tasks, a line each; of many the first, and how many more.
pub(super) fn listed(state: &State, tasks: &[TaskIx]) -> Vec<CleanText> {
    let named = if tasks.len() <= NAMED + 1 { tasks.len() } else { NAMED };
    let mut lines: Vec<CleanText> =
        tasks.iter().take(named).map(|ix| format!("- {}", state.task(*ix).title).into()).collect();
    if tasks.len() > named {
        lines.push(format!("  and {} more", tasks.len() - named).into());
    }
    lines
}

/// Seconds as a card says them.
pub(crate) fn span(seconds: f32) -> String {
    let s = seconds.max(0.0).round() as u64;
    if s < 60 { format!("{s} s") } else { format!("{}:{:02} min", s / 60, s % 60) }
}

/// What becomes of those that wait for a task when it ends without a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fates {
    /// Those that need it directly and have not ended.
    pub(super) direct: Vec<TaskIx>,
    /// How many run all the same and are told.
    told: usize,
    /// How many are skipped, directly or not.
    skipped: usize,
}

impl Fates {
    /// Of the tasks that wait for `task`.
    pub(super) fn of(state: &State, task: TaskIx) -> Self {
        let waiting = |ix: &TaskIx| !state.task(*ix).removed && !state.task(*ix).has_ended();
        let direct: Vec<TaskIx> = state.task(task).feeds.iter().copied().filter(waiting).collect();
        let mut fates = Self { direct: direct.clone(), told: 0, skipped: 0 };
        let mut seen: BTreeSet<TaskIx> = direct.iter().copied().collect();
        let mut next = direct;
        while let Some(ix) = next.pop() {
            let of = state.task(ix);
            if of.spec.on_dependency_failure == OnFailure::Tell {
                fates.told += 1;
                continue;
            }
            fates.skipped += 1;
            next.extend(of.feeds.iter().copied().filter(waiting).filter(|f| seen.insert(*f)));
        }
        fates
    }

    /// Who waits for it, in a line.
    pub(super) fn words(&self, state: &State) -> Vec<CleanText> {
        let titles: Vec<&str> = self.direct.iter().take(2).map(|ix| state.task(*ix).title.as_str()).collect();
        match (titles.as_slice(), self.direct.len()) {
            ([], _) => vec!["nothing waits for it".into()],
            ([one], _) => vec![format!("needed by “{one}”").into()],
            ([a, b, ..], 2) => vec![format!("needed by “{a}” and “{b}”").into()],
            ([a, b, ..], n) => vec![format!("needed by “{a}”, “{b}” and {} more", n - 2).into()],
        }
    }

    /// What comes of it, to end a sentence with.
    pub(super) fn end(&self) -> String {
        match (self.skipped, self.told) {
            (0, 0) => String::new(),
            (s, 0) => format!("; {s} skipped with it"),
            (0, t) => format!("; {t} told, and run"),
            (s, t) => format!("; {s} skipped, {t} told"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    #[test]
    fn a_card_for_many_names_them_and_leaves_out_what_can_t_be() {
        let state = story::failed().state;
        let all: Vec<TaskIx> = (0..state.tasks().len() as u32).map(TaskIx).collect();
        assert_eq!(Card::many(Many::Stop, &all, &state, Micros(0)), None, "all have ended");
        let card = Card::many(Many::Retry, &all, &state, Micros(0)).unwrap();
        assert_eq!(card.choices[card.focused].effects, vec![], "the harmless choice is focused");
        assert_eq!(card.choices[1].effects.len(), all.len());
        let card = Card::many(Many::Level, &all[..1], &state, Micros(0)).unwrap();
        assert_eq!(card.choices.iter().map(|c| c.effects.len()).collect::<Vec<_>>(), [0, 1, 1, 1]);
    }

    #[test]
    fn held_tasks_are_released_together() {
        let mut story = story::asking(&[]);
        let tasks = [TaskIx(0), TaskIx(2)];
        let first = |card: Card| card.choices[1].effects.clone();
        let hold = first(Card::many(Many::Hold, &tasks, &story.state, Micros(0)).unwrap());
        assert!(matches!(hold.as_slice(), [UiEffect::Send(Command::Hold(_)), UiEffect::Send(Command::Hold(_))]));
        story.hold("sources");
        story.hold("jp");
        let release = first(Card::many(Many::Hold, &tasks, &story.state, Micros(0)).unwrap());
        assert!(matches!(release.as_slice(), [UiEffect::Send(Command::Release(_)), ..]));
    }

    #[test]
    fn who_is_skipped_with_a_task_is_counted_through_the_graph() {
        let state = story::asking(&[]).state;
        let sources = state.find(&"g1/sources".parse().unwrap()).unwrap();
        let fates = Fates::of(&state, sources);
        // errors and upkeep need it; rank and the answer need those.
        assert_eq!((fates.direct.len(), fates.skipped, fates.told), (2, 4, 0));
    }
}
