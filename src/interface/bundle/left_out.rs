//! What people and models said, taken out of records that fold as before.
//!
//! Not here: what servers said of their failures, without which a bundle would help nobody; secrets, paths and names
//! ([`super::scrub`]). Invariants: what was said keeps its length in bytes and its lines, so that sizes, places and times
//! are those of the session; what was empty stays empty; words of Baton's own stay where what is true depends on them.

use std::collections::BTreeMap;

use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::{AskedAbout, Event, Part, Recipe, TaskId};
use crate::domain::text::CleanText;

/// What stands at the beginning of a text that is left out, where it has room.
const MARK: &str = "(left out) ";

/// Dots of the same length. With line breaks where they were.
pub(super) fn dots(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for byte in text.bytes() {
        // A space now and then, so that it can be wrapped.
        let (c, next) = match byte {
            b'\n' => ('\n', 0),
            _ if column % 8 == 7 => (' ', column + 1),
            _ => ('.', column + 1),
        };
        out.push(c);
        column = next;
    }
    // What ends in a space is trimmed by some.
    if out.ends_with(' ') {
        out.pop();
        out.push('.');
    }
    out
}

/// The same, and it says what it is.
fn blank(text: &str) -> String {
    let mut out = dots(text);
    let first = out.find('\n').unwrap_or(out.len());
    if first > MARK.len() {
        out.replace_range(..MARK.len(), MARK);
    }
    out
}

fn clean(text: &mut CleanText) {
    *text = CleanText::new(&blank(text));
}

/// What has been met on the way through a journal.
#[derive(Debug, Default)]
pub(super) struct LeavesOut {
    /// What each task's last question was about.
    asked: BTreeMap<TaskId, AskedAbout>,
}

impl LeavesOut {
    /// Takes out of a record what was said.
    pub(super) fn text(&mut self, event: &mut Event) {
        match event {
            Event::SessionStarted(started) => {
                for agent in &mut started.config.fleet.agents {
                    agent.prompt = blank(&agent.prompt);
                    agent.description = blank(&agent.description);
                }
            }
            Event::GoalAdded(goal) => clean(&mut goal.text),
            Event::PlanEdited(edited) => {
                for edit in &mut edited.edits {
                    match edit {
                        PlanEdit::Add(spec) | PlanEdit::Replace(spec) | PlanEdit::Restore(spec) => task(spec),
                        PlanEdit::Remove(_) => {}
                    }
                }
                edited.repairs.iter_mut().for_each(clean);
            }
            Event::TaskAsked(asked) => {
                self.asked.insert(asked.task.clone(), asked.about);
                if asked.about == AskedAbout::Work {
                    clean(&mut asked.question);
                    // Told apart still: two of one length would be one choice.
                    for (number, choice) in (1..).zip(&mut asked.choices) {
                        *choice = CleanText::new(&format!("choice {number}"));
                    }
                }
            }
            // Which of Baton's own choices it was decides what is true.
            Event::TaskAnswered(sent) if self.asked.get(&sent.task) == Some(&AskedAbout::Cut) => {}
            Event::TaskAnswered(sent) | Event::MessageSent(sent) => clean(&mut sent.text),
            Event::ResultEdited(edited) => edited.text = blank(&edited.text),
            Event::AttemptOutput(output) => output.text = dots(&output.text),
            Event::TurnStarted(turn) => turn.recipe = recipe(&turn.recipe),
            Event::CommandAccepted { what, .. } => command(what),
            Event::CommandRefused { what, reason, .. } => {
                command(what);
                clean(reason);
            }
            Event::AttentionRaised { subject, text } => *text = CleanText::new(&subject.to_string()),
            // The last lines of a log may have a prompt in them.
            Event::ServerChanged(changed) => changed.last.clear(),
            // Named one by one: whatever is added must be thought of here.
            Event::SessionOpened(_)
            | Event::SessionSlept(_)
            | Event::SessionPaused {}
            | Event::SessionResumed {}
            | Event::SessionEnded { .. }
            | Event::SessionForked(_)
            | Event::SessionLeveled { .. }
            | Event::GoalDrafted { .. }
            | Event::GoalApproved { .. }
            | Event::GoalEnded { .. }
            | Event::GoalReopened { .. }
            | Event::GoalHeld(_)
            | Event::GoalReleased { .. }
            | Event::TaskStarted { .. }
            | Event::TaskCompleted { .. }
            | Event::TaskFailed { .. }
            | Event::TaskRetried(_)
            | Event::TaskCancelled { .. }
            | Event::TaskSkipped { .. }
            | Event::TaskHeld { .. }
            | Event::TaskReleased { .. }
            | Event::TaskPlaced { .. }
            | Event::AttemptStarted(_)
            | Event::AttemptEnded { .. }
            | Event::TurnProgressed { .. }
            | Event::TurnRethought { .. }
            | Event::TurnEnded(_)
            | Event::SlotFreed { .. }
            | Event::EndpointChanged(_)
            | Event::EndpointMoved { .. }
            | Event::EndpointFound(_)
            | Event::EndpointDrained { .. }
            | Event::EndpointEdited { .. }
            | Event::ModelMoved(_)
            | Event::MachineSampled(_)
            | Event::MachineThrottled { .. }
            | Event::ViewerJoined(_)
            | Event::ViewerLeft { .. }
            | Event::ViewerAsked { .. }
            | Event::ViewerGivenControl { .. }
            | Event::AttentionCleared { .. }
            | Event::AttentionDismissed { .. } => {}
        }
    }
}

fn task(spec: &mut TaskSpec) {
    spec.prompt = blank(&spec.prompt);
    // It says what the task is about; its name stays, since others need it by that.
    spec.title = Some(spec.id.to_string());
}

/// A new goal's command repeats its first line.
fn command(what: &mut CleanText) {
    if let Some(goal) = what.strip_prefix("new goal: ") {
        *what = CleanText::new(&format!("new goal: {}", blank(goal)));
    }
}

fn recipe(recipe: &Recipe) -> Recipe {
    let mut messages = recipe.messages.to_vec();
    for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::Literal(text) = part
            && ![Part::BEFORE_GOAL, Part::BEFORE_TASK, Part::BETWEEN, Part::GO_ON].contains(&text.as_str())
        {
            clean(text);
        }
    }
    messages.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_length_and_its_lines() {
        for text in ["", "a", "\n", "eight ch", "a line of words\nand another\n\nü", &"x".repeat(100)] {
            for made in [dots(text), blank(text)] {
                assert_eq!(made.len(), text.len(), "{text:?}");
                assert_eq!(made.matches('\n').count(), text.matches('\n').count());
                assert_eq!(CleanText::new(&made).len(), text.len(), "nothing in it is taken away");
                assert!(!text.contains("line of") || !made.contains("line of"));
            }
        }
        assert!(blank("a line of words").starts_with(MARK));
    }
}
