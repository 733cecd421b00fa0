//! The card that asks before a key acts on many tasks: it names how many, and what becomes of them.
//!
//! Not here: which tasks are meant. Invariant: a task that the verb means nothing to gets no command, and the card says
//! how many those are.

use super::{Card, CardKind, Choice, UiEffect};
use crate::domain::protocol::{Command, Level, LevelScope, Micros, Partial, RetryScope, StopScope, TaskId};
use crate::domain::state::{Life, State, Task, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

impl Card {
    /// A card for `verb` on all of `tasks`.
    ///
    /// # Errors
    /// Why there is nothing to ask, in words.
    pub fn many(verb: Action, tasks: &[TaskIx], state: &State, now: Micros) -> Result<Self, CleanText> {
        let all: Vec<&Task> = tasks.iter().map(|t| state.task(*t)).filter(|t| !t.removed).collect();
        let fits = |t: &&&Task| match verb {
            Action::Retry => t.has_ended() || t.not_before > now,
            Action::Hold | Action::Stop | Action::Level => !t.has_ended(),
            _ => false,
        };
        let meant: Vec<&Task> = all.iter().filter(fits).copied().collect();
        let n = meant.len();
        let count = |of: &dyn Fn(&Task) -> bool| meant.iter().filter(|t| of(t)).count();
        let running = count(&|t| t.life == Life::Running);
        let (word, body, mut choices): (&str, Vec<String>, Vec<Choice>) = match verb {
            Action::Retry if n == 0 => return Err("none of them has ended; there is nothing to retry".into()),
            Action::Retry => {
                let done = count(&|t| t.is_done());
                let mut body = vec![];
                if done > 0 {
                    body.push(format!("{} done; a new result takes the place of the old one.", are(done)));
                }
                body.push("Each starts again with a new attempt; those before are kept.".to_owned());
                let retry = |t: &TaskId| Command::Retry(RetryScope::Task(t.clone()));
                ("Retry", body, vec![Choice::new('r', format!("retry {}", them(n)), each(&meant, retry))])
            }
            Action::Stop if n == 0 => return Err("all of them have ended; there is nothing to stop".into()),
            Action::Stop => {
                let mut body = vec![format!("{} at work, {} {}.", are(running), n - running, waits(n - running))];
                let inside: std::collections::BTreeSet<&TaskId> = meant.iter().map(|t| &t.id).collect();
                let outside = meant.iter().flat_map(|t| &t.feeds).map(|f| state.task(*f));
                let feeds: std::collections::BTreeSet<&TaskId> =
                    outside.filter(|t| !t.removed && !t.has_ended()).map(|t| &t.id).collect();
                match feeds.difference(&inside).count() {
                    0 => {}
                    1 => body.push("1 other task waits for them.".to_owned()),
                    more => body.push(format!("{more} other tasks wait for them.")),
                }
                let stop = |partial| {
                    each(&meant, |t: &TaskId| Command::Stop { scope: StopScope::Task(t.clone()), partial })
                };
                let choices = vec![
                    Choice::new('k', "cancel them, keeping partial answers", stop(Partial::Kept)),
                    Choice::new('d', "cancel them and discard what they wrote", stop(Partial::Discarded)),
                    Choice::new(
                        's',
                        "skip them: what waits goes on without them",
                        each(&meant, |t: &TaskId| Command::Skip(t.clone())),
                    ),
                ];
                ("Stop", body, choices)
            }
            Action::Hold if n == 0 => return Err("all of them have ended; there is nothing to hold".into()),
            Action::Hold => {
                let held: Vec<&Task> = meant.iter().filter(|t| t.held).copied().collect();
                let free: Vec<&Task> = meant.iter().filter(|t| !t.held).copied().collect();
                let mut choices = Vec::new();
                if !free.is_empty() {
                    let hold = each(&free, |t: &TaskId| Command::Hold(t.clone()));
                    choices.push(Choice::new('p', format!("hold {}", them(free.len())), hold));
                }
                if !held.is_empty() {
                    let release = each(&held, |t: &TaskId| Command::Release(t.clone()));
                    choices.push(Choice::new('g', format!("release {} held", held.len()), release));
                }
                let body = vec![format!("{} at work: a turn ends first and its partial is kept.", are(running))];
                ("Hold", if running > 0 { body } else { Vec::new() }, choices)
            }
            Action::Level if n == 0 => return Err("all of them have ended; a level means nothing to them".into()),
            Action::Level => {
                let set = |level| {
                    each(&meant, |t: &TaskId| Command::SetLevel {
                        scope: LevelScope::Task(t.clone()),
                        level: Some(level),
                    })
                };
                let choices = vec![
                    Choice::new('l', "low", set(Level::Low)),
                    Choice::new('m', "medium", set(Level::Medium)),
                    Choice::new('h', "high", set(Level::High)),
                ];
                ("Set the level of", vec!["It applies to the next request of each.".to_owned()], choices)
            }
            _ => return Err("that key acts on one task; select one".into()),
        };
        let title = format!("{word} {n} {}", if n == 1 { "task" } else { "tasks" });
        let mut body: Vec<CleanText> = body.into_iter().map(CleanText::from).collect();
        body.insert(0, names(&meant));
        if n < all.len() {
            body.push(format!("It means nothing to {} more, which stay as they are.", all.len() - n).into());
        }
        choices.insert(0, Choice::nothing("leave them as they are"));
        Ok(Self { kind: CardKind::Confirm, title: title.into(), body, choices, focused: 0, opened: now })
    }
}

fn each(tasks: &[&Task], command: impl Fn(&TaskId) -> Command) -> Vec<UiEffect> {
    tasks.iter().map(|t| UiEffect::Send(command(&t.id))).collect()
}

/// The first few titles.
fn names(tasks: &[&Task]) -> CleanText {
    let mut words: Vec<&str> = tasks.iter().take(2).map(|t| t.title.as_str()).collect();
    let more = format!("{} more", tasks.len().saturating_sub(2));
    if tasks.len() > 2 {
        words.push(&more);
    }
    words.join(" · ").into()
}

fn are(n: usize) -> String {
    if n == 1 { "1 is".to_owned() } else { format!("{n} are") }
}

fn waits(n: usize) -> &'static str {
    if n == 1 { "waits" } else { "wait" }
}

fn them(n: usize) -> String {
    if n == 1 { "it".to_owned() } else { format!("all {n}") }
}
