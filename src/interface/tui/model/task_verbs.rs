//! What a key does to one task, wherever the task is selected: Run, Graph, Events, the plan review and the
//! inspector ask here.
//!
//! Not here: what a key does to the screen it was pressed on (folds, panes, scrolling), and keys pressed on many tasks
//! at once: those ask with a card of their own. Pure; a refusal is a notice that says why.

use super::task_edits::{edit_action, is_edit};
use super::{Card, InspectorUi, Layer, MessageUi, RetryUi, UiEffect};
use crate::domain::protocol::{Command, LevelScope, Micros, Work};
use crate::domain::state::{State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::action::table::entry_of;

/// What `action` does to `task`; none when it is no verb of a task.
pub fn task_action(action: Action, task: TaskIx, state: &State, now: Micros) -> Option<Vec<UiEffect>> {
    let of = state.task(task);
    let id = || of.id.clone();
    Some(match action {
        Action::Retry => RetryUi::open(task, state, now),
        Action::Message if of.removed => notice("it was taken out of the plan; nobody would read that"),
        Action::Message if of.work == Work::Planning => {
            notice("the planning model takes no messages; E edits its plan")
        }
        Action::Message => vec![UiEffect::Open(Box::new(Layer::Message(MessageUi::new(task, state))))],
        Action::Answer => super::answer::answer(task, state, now),
        Action::DiffAttempts if of.attempts.len() < 2 => notice("it has no two attempts to compare yet"),
        Action::DiffAttempts => vec![UiEffect::Open(Box::new(Layer::Inspector(InspectorUi::comparing(id()))))],
        Action::Level => {
            let level = state.level_of(of).next();
            send(Command::SetLevel { scope: LevelScope::Task(id()), level: Some(level) })
        }
        Action::Hold if of.held => send(Command::Release(id())),
        Action::Hold => send(Command::Hold(id())),
        Action::Stop => match Card::stop(state, &of.id, now) {
            Some(card) => vec![UiEffect::Open(Box::new(Layer::Card(card)))],
            None => notice("it has ended; there is nothing to stop"),
        },
        Action::Copy => match state.last_attempt(of) {
            Some(attempt) => vec![UiEffect::CopyAnswer(attempt.id)],
            None => notice("it has written nothing yet"),
        },
        verb => return edit_action(verb, task, state, now),
    })
}

/// Whether `action` is a verb of a task: where no task is selected, it is refused in words.
pub fn is_task_verb(action: Action) -> bool {
    matches!(
        action,
        Action::Retry
            | Action::Level
            | Action::Hold
            | Action::Stop
            | Action::Message
            | Action::Answer
            | Action::DiffAttempts
    ) || is_edit(action)
}

/// What a verb of a task says where the selection is not one task.
pub fn select_one() -> Vec<UiEffect> {
    notice("that key acts on one task; select one (R and X act on the whole session)")
}

/// What a key says that means nothing where it was pressed.
pub(super) fn not_here(action: Action) -> Vec<UiEffect> {
    let words = entry_of(action).map_or("that", |entry| entry.words);
    vec![UiEffect::Notice(format!("“{words}” means nothing here; ? says what works").into())]
}

/// Opens the inspector on `task`.
pub fn inspect(task: TaskIx, state: &State) -> UiEffect {
    UiEffect::Open(Box::new(Layer::Inspector(InspectorUi::new(state.task(task).id.clone()))))
}

fn send(command: Command) -> Vec<UiEffect> {
    vec![UiEffect::Send(command)]
}

fn notice(text: &'static str) -> Vec<UiEffect> {
    vec![UiEffect::Notice(CleanText::from_static(text))]
}
