//! How editors, forms and previews open, close, and lead to commands.
//!
//! Not here: what they hold (`editor`, `form`, `preview`). Invariants: an edit of work that is finished or runs is looked
//! at before it is sent; a text is kept until the session has taken it, or the operator has thrown it away.

use super::editor::{Accepted, EditorUi, Gravity, Purpose};
use super::form::Filled;
use super::form::fields::Field;
use super::{Card, Choice, Layer, Msg, PreviewUi, Screen, Tone, Ui, UiEffect};
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{Command, Event, GoalId, Micros, Name, Record, TaskId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

/// What becomes of a text that is left without being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// It is thrown away.
    Lost,
    /// It is kept, and opens again where it was opened from.
    Draft,
}

/// A command that the session has not answered yet, and what is opened again when it is refused.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The command in words, as records say it.
    what: String,
    layer: Option<Layer>,
    /// What is said when it is taken.
    said: CleanText,
}

impl Ui {
    /// Does what an action means for an editor, a form or a preview on top; none: it is not theirs.
    pub(super) fn act_editing(&mut self, action: Action, state: &State, now: Micros) -> Option<Vec<UiEffect>> {
        match self.layers.last_mut()? {
            Layer::Preview(preview) => match action {
                Action::Back => {
                    self.layers.pop();
                    Some(Vec::new())
                }
                Action::Enter if now < preview.listens_at() => Some(Vec::new()),
                Action::Enter => Some(self.apply_preview()),
                action => preview.act(action).then(Vec::new),
            },
            Layer::Editor(_) | Layer::Form(_) => self.act_in_text(action, state, now),
            _ => None,
        }
    }

    fn act_in_text(&mut self, action: Action, state: &State, now: Micros) -> Option<Vec<UiEffect>> {
        let top = self.layers.last_mut()?;
        match action {
            Action::Back => return Some(self.leave_text(now)),
            Action::Quit if top.is_changed() => return Some(self.leave_text(now)),
            Action::Quit | Action::Suspend | Action::Redraw | Action::Help | Action::Palette | Action::Mouse => {
                return None;
            }
            Action::Refresh | Action::NextTheme | Action::Pause => return None,
            _ => {}
        }
        let effects = match top {
            Layer::Editor(editor) => match action {
                Action::Accept => return Some(self.accept_text(state, now)),
                Action::ExternalEditor => {
                    vec![UiEffect::ExternalEditor { name: editor.file_name(), text: editor.text.text() }]
                }
                action if editor.act(action, now) => Vec::new(),
                _ => finish_first(),
            },
            Layer::Form(form) => match action {
                Action::Enter if form.focus() == Field::Result => vec![UiEffect::EditResult(form.task())],
                Action::Enter if form.focus() != Field::Prompt => return Some(self.accept_form(state, now)),
                Action::Accept => return Some(self.accept_form(state, now)),
                Action::ExternalEditor => {
                    vec![UiEffect::ExternalEditor { name: format!("{}.md", form.task().name), text: form.prompt() }]
                }
                Action::TextFind => notice("a form is not searched; ctrl-o opens the prompt in your editor"),
                action if form.act(action, state) => Vec::new(),
                _ => finish_first(),
            },
            _ => return None,
        };
        Some(effects)
    }

    /// Gives a key, a paste or the wheel to an editor, a form or a preview on top; false: none is.
    pub(super) fn input_editing(&mut self, msg: &Msg, state: &State, now: Micros) -> bool {
        match self.layers.last_mut() {
            Some(Layer::Editor(editor)) => editor.input(msg, now),
            Some(Layer::Form(form)) => form.input(msg, state),
            Some(Layer::Preview(preview)) if now >= preview.listens_at() => preview.input(msg),
            Some(Layer::Preview(_)) => {}
            _ => return false,
        }
        true
    }

    /// A moment came that the uppermost layer waits for.
    pub(super) fn tick_editing(&mut self, state: &State, now: Micros) {
        if let Some(Layer::Editor(editor)) = self.layers.last_mut() {
            editor.tick(state, now);
        }
    }

    /// Leaves an editor or a form: at once when nothing was changed, else it asks.
    fn leave_text(&mut self, now: Micros) -> Vec<UiEffect> {
        if let Some(Layer::Editor(editor)) = self.layers.last_mut()
            && editor.find.take().is_some()
        {
            return Vec::new();
        }
        if !self.layers.last().is_some_and(Layer::is_changed) {
            self.layers.pop();
            return Vec::new();
        }
        let close = |unsaved| vec![UiEffect::CloseEditor(unsaved)];
        let choices = vec![
            Choice::nothing("go on editing"),
            Choice::new('d', "keep it as a draft: it opens again from here", close(Unsaved::Draft)),
            Choice::new('t', "throw the changes away", close(Unsaved::Lost)),
        ];
        let body = vec![CleanText::from_static("What you changed is not saved; ctrl-s saves it.")];
        vec![UiEffect::Open(Box::new(Layer::Card(Card::confirm("Leave this text", body, choices, now))))]
    }

    /// Closes the editor or form on top.
    pub(super) fn close_editor(&mut self, unsaved: Unsaved, now: Micros) {
        if !matches!(self.layers.last(), Some(Layer::Editor(_) | Layer::Form(_))) {
            return;
        }
        let Some(layer) = self.layers.pop() else { return };
        if unsaved == Unsaved::Draft {
            self.kept.retain(|draft| !draft.is_same_text(&layer));
            self.kept.push(layer);
            self.say("kept as a draft; the same key opens it again", Tone::Plain, now);
        }
    }

    /// The draft that was kept of the same text as a layer's, which opens in its place.
    pub(super) fn kept_draft(&mut self, layer: &Layer, now: Micros) -> Option<Layer> {
        let at = self.kept.iter().position(|draft| draft.is_same_text(layer))?;
        self.say("your draft is open again; esc and t throw it away", Tone::Plain, now);
        Some(self.kept.remove(at))
    }

    /// Opens the result of a task, whose text the loop has.
    pub fn edit_result(&mut self, task: &TaskId, text: &str, state: &State, now: Micros) {
        if let Some(editor) = EditorUi::result(state, task, text) {
            self.open(Layer::Editor(Box::new(editor)), now);
        }
    }

    /// The text on top came back from another editor.
    pub fn edited_outside(&mut self, text: &str, state: &State) {
        match self.layers.last_mut() {
            Some(Layer::Editor(editor)) => editor.edited_outside(text, state),
            Some(Layer::Form(form)) => form.edited_outside(text, state),
            _ => {}
        }
    }

    fn accept_text(&mut self, state: &State, now: Micros) -> Vec<UiEffect> {
        let Some(Layer::Editor(editor)) = self.layers.last_mut() else { return Vec::new() };
        match editor.accept(state) {
            Accepted::Unchanged => {
                self.layers.pop();
                notice("nothing was changed")
            }
            Accepted::Mistakes => {
                let n = editor.problems().iter().filter(|p| p.gravity == Gravity::Mistake).count();
                notice(&format!("{}, told under the line; ctrl-g goes to the next", mistakes(n)))
            }
            Accepted::Send(command, said) => {
                let layer = self.layers.pop();
                self.ask(command, said, layer)
            }
            Accepted::Edits(edits) => {
                let Purpose::Plan(base) = &editor.purpose else { return Vec::new() };
                let (goal, since) = (base.goal, base.changed_since(state));
                let mine = |name: &Name| edits.iter().any(|edit| edit.name() == name);
                // At most two: the text behind tells them all.
                let doubtful = editor.problems().iter().take(2);
                let mut remarks: Vec<CleanText> =
                    doubtful.map(|p| format!("Line {}: {}.", p.at.line + 1, p.what).into()).collect();
                if !since.is_empty() {
                    let names: Vec<&str> = since.iter().take(6).map(|n| n.as_str()).collect();
                    let more = if since.len() > 6 { " and others" } else { "" };
                    remarks.push(format!("Changed by others meanwhile: {}{more}.", names.join(", ")).into());
                    let both: Vec<&str> = since.iter().filter(|n| mine(n)).map(|n| n.as_str()).collect();
                    remarks.push(match both.as_slice() {
                        [] => CleanText::from_static("You did not touch those; they stay as they are now."),
                        both => format!("You changed {} too: your text goes over theirs.", both.join(", ")).into(),
                    });
                }
                self.preview(state, goal, edits, remarks, now)
            }
        }
    }

    fn accept_form(&mut self, state: &State, now: Micros) -> Vec<UiEffect> {
        let Some(Layer::Form(form)) = self.layers.last_mut() else { return Vec::new() };
        match form.accept(state) {
            Filled::Unchanged => {
                self.layers.pop();
                notice("nothing was changed")
            }
            Filled::Mistakes => notice("mend what stands under the field"),
            Filled::Edit(edit) => {
                let goal = form.goal;
                let edits = vec![edit];
                match state.preview(goal, &edits) {
                    Err(words) => notice(&words),
                    Ok(p) if p.dirty.is_empty() && p.running.is_empty() && p.stopped.is_empty() => {
                        let words = match p.changed.iter().map(|c| c.words()).find(|w| !w.is_empty()) {
                            Some(words) => format!("“{}”: {words} changed; u undoes it", name_of(&edits, state, goal)),
                            None => format!("“{}” is in the plan; u takes it out again", name_of(&edits, state, goal)),
                        };
                        let if_revision = state.goal(goal).map_or(0, |g| g.revision);
                        let layer = self.layers.pop();
                        self.ask(Command::EditPlan { goal, if_revision, edits, rerun: Vec::new() }, words.into(), layer)
                    }
                    Ok(_) => self.preview(state, goal, edits, Vec::new(), now),
                }
            }
        }
    }

    /// Opens the preview of an edit over what it came from.
    fn preview(
        &mut self,
        state: &State,
        goal: GoalId,
        edits: Vec<PlanEdit>,
        remarks: Vec<CleanText>,
        now: Micros,
    ) -> Vec<UiEffect> {
        match PreviewUi::new(state, goal, edits, remarks, now) {
            Ok(preview) => vec![UiEffect::Open(Box::new(Layer::Preview(Box::new(preview))))],
            Err(words) => notice(&words),
        }
    }

    /// Sends what the preview on top shows, and keeps the text it came from until that is answered.
    fn apply_preview(&mut self) -> Vec<UiEffect> {
        let Some(Layer::Preview(preview)) = self.layers.pop() else { return Vec::new() };
        let (command, said) = preview.command();
        let from = matches!(self.layers.last(), Some(Layer::Editor(_) | Layer::Form(_)));
        let layer = if from { self.layers.pop() } else { None };
        self.ask(command, said, layer)
    }

    fn ask(&mut self, command: Command, said: CleanText, layer: Option<Layer>) -> Vec<UiEffect> {
        self.asked = Some(Asked { what: command.to_string(), layer, said });
        vec![UiEffect::Send(command)]
    }

    /// The session answered: what was asked for is said, or what it was written in is open again.
    pub(super) fn observe_editing(&mut self, record: &Record) {
        let Some(asked) = &self.asked else { return };
        match &record.event {
            Event::CommandAccepted { what, .. } if **what == *asked.what => {
                let said = asked.said.clone();
                self.asked = None;
                self.say(said, Tone::Plain, record.at);
            }
            Event::CommandRefused { what, reason, .. } if **what == *asked.what => {
                let words = reason.clone();
                self.refused(&words, record.at);
            }
            _ => {}
        }
    }

    /// Whether a command, in words, is the edit that waits for its answer.
    pub(super) fn has_asked(&self, what: &str) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.what == what)
    }

    /// What was asked for can't be done: the text is open again, with the reason.
    pub fn refused(&mut self, reason: &str, now: Micros) {
        let Some(asked) = self.asked.take() else { return };
        let kept = if asked.layer.is_some() { " · your text is open again, ctrl-s tries once more" } else { "" };
        self.say(format!("refused: {reason}{kept}"), Tone::Warning, now);
        self.layers.extend(asked.layer);
    }

    /// The goal that the keys of the whole session mean: that of what is shown or selected, else the last.
    pub(super) fn goal_here(&self, state: &State) -> Option<GoalId> {
        let shown = match self.screen {
            Screen::Review(goal) | Screen::Done(goal) => Some(goal),
            Screen::Run => self.run.selected().map(|ix| state.task(ix).id.goal),
            Screen::Graph => self.graph.task().map(|ix| state.task(ix).id.goal),
            Screen::Welcome | Screen::Time | Screen::Events | Screen::Sessions | Screen::Fleet => None,
        };
        shown.or_else(|| state.goals().last().map(|g| g.id))
    }

    /// Opens the plan of the goal that is shown.
    pub(super) fn edit_plan(&self, state: &State) -> Vec<UiEffect> {
        match self.goal_here(state) {
            Some(goal) => open_plan(goal, state),
            None => notice("there is no plan yet; ctrl-n gives a goal"),
        }
    }
}

/// Opens the plan of a goal in the editor.
pub(super) fn open_plan(goal: GoalId, state: &State) -> Vec<UiEffect> {
    match EditorUi::plan(state, goal) {
        Some(_) if state.goal(goal).is_some_and(|g| g.revision == 0) => {
            notice("the plan is still being made; wait for it")
        }
        Some(editor) => vec![UiEffect::Open(Box::new(Layer::Editor(Box::new(editor))))],
        None => notice("there is no such goal"),
    }
}

impl Layer {
    /// Whether a text on it differs from what it was.
    fn is_changed(&self) -> bool {
        match self {
            Self::Editor(editor) => editor.is_changed(),
            Self::Form(form) => form.is_changed(),
            _ => false,
        }
    }

    /// Whether both are editors, or forms, of the same thing.
    fn is_same_text(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Editor(a), Self::Editor(b)) => a.is_same_thing(b),
            (Self::Form(a), Self::Form(b)) => a.kind == b.kind && a.task() == b.task(),
            _ => false,
        }
    }
}

/// The title of the task that the first step of an edit is about.
fn name_of(edits: &[PlanEdit], state: &State, goal: GoalId) -> CleanText {
    match edits.first() {
        Some(PlanEdit::Add(spec) | PlanEdit::Replace(spec) | PlanEdit::Restore(spec)) => {
            CleanText::one_line(&spec.title())
        }
        Some(PlanEdit::Remove(name)) => {
            state.task_by_id(&TaskId::new(goal, name.clone())).map(|t| t.title.clone()).unwrap_or_default()
        }
        None => CleanText::default(),
    }
}

/// `1 mistake`, `3 mistakes`.
pub(crate) fn mistakes(n: usize) -> String {
    if n == 1 { "1 mistake".to_owned() } else { format!("{n} mistakes") }
}

fn finish_first() -> Vec<UiEffect> {
    notice("not while this text is open: ctrl-s saves it, esc leaves it")
}

fn notice(text: &str) -> Vec<UiEffect> {
    vec![UiEffect::Notice(text.into())]
}

#[cfg(test)]
pub(crate) mod desk;
#[cfg(test)]
mod tests;
