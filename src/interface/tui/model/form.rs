//! The form of one task: its fields, what is wrong in them, what they would make of the task.
//!
//! Not here: drawing (`view/form`), sending ([`super::editing`]). Invariants: a field that was not touched keeps its value
//! to the byte; a mistake stands under its field while it is typed.

pub mod fields;

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEventKind, KeyModifiers};

use self::fields::{Field, Inherited, TEXTS, next_level, next_priority};
use super::Msg;
use super::editor::keys::{Room, press};
use super::editor::plan::present;
use super::editor::text::{EditText, Indent};
use crate::domain::fleet::Agent;
use crate::domain::plan::{PlanEdit, Priority, TaskSpec};
use crate::domain::protocol::{GoalId, Level, Name, TaskId};
use crate::domain::source::nearest;
use crate::domain::state::{State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

/// Whether the task is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormKind {
    /// Its form is changed.
    Existing,
    /// It is new.
    New,
}

/// What accepting a form leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filled {
    /// Nothing differs.
    Unchanged,
    /// A field has a mistake; it has the focus now.
    Mistakes,
    /// A step of an edit.
    Edit(PlanEdit),
}

/// The form of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct FormUi {
    /// Whose plan.
    pub goal: GoalId,
    /// New or not.
    pub kind: FormKind,
    base: TaskSpec,
    texts: [EditText; TEXTS],
    originals: [String; TEXTS],
    level: Option<Level>,
    priority: Priority,
    /// What the level is when the form gives none.
    inherited: Inherited,
    fields: Vec<Field>,
    focus: Field,
    problems: Vec<(Field, CleanText)>,
    room: Cell<Room>,
}

impl FormUi {
    /// The form of a task that is there.
    pub fn of(state: &State, task: TaskIx) -> Self {
        let task = state.task(task);
        let has_result = task.has_result();
        let fields = Field::ALL.into_iter().filter(|f| match f {
            Field::Id => false,
            Field::Result => has_result,
            _ => true,
        });
        Self::new(state, task.id.goal, FormKind::Existing, (*task.spec).clone(), fields.collect(), Field::Prompt)
    }

    /// The form of a new task that needs `after`.
    pub fn after(state: &State, goal: GoalId, after: Option<TaskIx>) -> Self {
        let after = after.map(|ix| &*state.task(ix).spec);
        let agent = after.map(|s| s.agent.clone());
        let agent = agent.or_else(|| state.config.fleet.agents.first().map(|a| a.name.clone()));
        let taken = |name: &Name| state.find(&TaskId::new(goal, name.clone())).is_some();
        let stem = after.map_or_else(|| "task".to_owned(), |s| format!("after-{}", s.id));
        let mut spec = TaskSpec::new(free(&stem, taken), agent.unwrap_or_else(|| Name::slug("agent")), "");
        spec.needs = after.map(|s| s.id.clone()).into_iter().collect();
        spec.phase = after.and_then(|s| s.phase.clone());
        let fields = Field::ALL.into_iter().filter(|f| *f != Field::Result).collect();
        Self::new(state, goal, FormKind::New, spec, fields, Field::Title)
    }

    fn new(state: &State, goal: GoalId, kind: FormKind, base: TaskSpec, fields: Vec<Field>, focus: Field) -> Self {
        let originals = Field::texts().map(|f| CleanText::new(&f.value(&base)).as_str().to_owned());
        let mut texts = originals.each_ref().map(|t| EditText::new(t));
        texts.iter_mut().for_each(EditText::line_end);
        let inherited = Inherited::of(state, &base);
        let (level, priority) = (base.level, base.priority);
        let room = Cell::new(Room { cells: 60, rows: 6 });
        let problems = Vec::new();
        Self { goal, kind, base, texts, originals, level, priority, inherited, fields, focus, problems, room }
    }

    /// The task's id.
    pub fn task(&self) -> TaskId {
        TaskId::new(self.goal, self.base.id.clone())
    }

    /// What stands on its frame.
    pub fn title(&self) -> CleanText {
        match self.kind {
            FormKind::Existing => format!("Task {}: {}", self.base.id, CleanText::one_line(&self.base.title())).into(),
            FormKind::New => CleanText::from_static("A new task"),
        }
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field that has the keys.
    pub fn focus(&self) -> Field {
        self.focus
    }

    /// The text of a field that is typed.
    pub fn text(&self, field: Field) -> Option<&EditText> {
        self.texts.get(field.text()?)
    }

    /// The words of a field that is chosen.
    pub fn choice(&self, field: Field) -> CleanText {
        match field {
            Field::Level => match self.level {
                Some(level) => CleanText::from_static(level.word()),
                None => format!("{} ({})", self.inherited.level.word(), self.inherited.from).into(),
            },
            Field::Priority => CleanText::from_static(fields::priority_word(self.priority)),
            _ => CleanText::default(),
        }
    }

    /// What is wrong with a field.
    pub fn problem(&self, field: Field) -> Option<&CleanText> {
        self.problems.iter().find(|(f, _)| *f == field).map(|(_, words)| words)
    }

    /// The view's measure of the prompt's room.
    pub(crate) fn measured(&self, room: Room) {
        self.room.set(room);
    }

    /// Whether anything was changed.
    pub fn is_changed(&self) -> bool {
        self.level != self.base.level
            || self.priority != self.base.priority
            || self.texts.iter().zip(&self.originals).any(|(text, original)| !text.is(original))
    }

    fn focused(&mut self) -> Option<&mut EditText> {
        self.texts.get_mut(self.focus.text()?)
    }

    /// Moves the focus, round and round.
    pub(super) fn turn(&mut self, by: isize) {
        let at = self.fields.iter().position(|f| *f == self.focus).unwrap_or(0);
        let n = self.fields.len().max(1);
        let to = at.saturating_add_signed(by.rem_euclid(isize::try_from(n).unwrap_or(1))) % n;
        self.focus = self.fields.get(to).copied().unwrap_or(self.focus);
    }

    /// Takes a key, a paste or the wheel.
    pub(super) fn input(&mut self, msg: &Msg, state: &State) {
        match msg {
            Msg::Key(key) if key.kind != KeyEventKind::Release => {
                let chord = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
                let first = self.focus == Field::Prompt && self.at_edge(-1);
                let last = self.focus == Field::Prompt && self.at_edge(1);
                let one_line = self.focus != Field::Prompt;
                match (key.code, self.focus) {
                    (KeyCode::Up, _) if one_line || first => self.turn(-1),
                    (KeyCode::Down, _) if one_line || last => self.turn(1),
                    (KeyCode::Left, Field::Level | Field::Priority | Field::Agent) => self.choose(-1, state),
                    (KeyCode::Right, Field::Level | Field::Priority | Field::Agent) => self.choose(1, state),
                    (KeyCode::Char(' '), Field::Level | Field::Priority) => self.choose(1, state),
                    (KeyCode::Char(c), _) if one_line && !chord && c.is_control() => {}
                    _ => {
                        let room = self.room.get();
                        if let Some(text) = self.focused() {
                            press(text, *key, room);
                        }
                    }
                }
            }
            Msg::Paste(words) => {
                let one_line = self.focus != Field::Prompt;
                if let Some(text) = self.focused() {
                    if one_line { text.paste(&words.to_one_line()) } else { text.paste(words) }
                }
            }
            Msg::Wheel(_, _, by) => self.turn(if *by > 0 { 1 } else { -1 }),
            _ => return,
        }
        self.check(state);
    }

    /// Whether the prompt's cursor can't go further up or down.
    fn at_edge(&self, by: isize) -> bool {
        let Some(text) = self.text(Field::Prompt) else { return true };
        let mut moved = text.clone();
        super::editor::rows::step(&mut moved, by, self.room.get().cells);
        moved.cursor().line == text.cursor().line
            && super::editor::rows::place(moved.line(moved.cursor().line), moved.cursor().byte, self.room.get().cells).0
                == super::editor::rows::place(text.line(text.cursor().line), text.cursor().byte, self.room.get().cells)
                    .0
    }

    fn choose(&mut self, by: isize, state: &State) {
        match self.focus {
            Field::Level => self.level = next_level(self.level, by),
            Field::Priority => self.priority = next_priority(self.priority, by),
            Field::Agent => {
                let agents: &[Agent] = &state.config.fleet.agents;
                let typed = self.text(Field::Agent).map(EditText::text).unwrap_or_default();
                let n = isize::try_from(agents.len()).unwrap_or(0).max(1);
                let at = agents.iter().position(|a| a.name.as_str() == typed.trim());
                let to = at.map_or(0, |at| (at as isize + by).rem_euclid(n).unsigned_abs());
                if let (Some(agent), Some(text)) = (agents.get(to), self.focused()) {
                    text.set(agent.name.as_str());
                    text.line_end();
                }
            }
            _ => {}
        }
    }

    /// Does what an action of a text field means; false: it means nothing here.
    pub(super) fn act(&mut self, action: Action, state: &State) -> bool {
        match action {
            Action::NextPane => {
                if !self.complete(state) {
                    self.turn(1);
                }
            }
            Action::PreviousPane => self.turn(-1),
            Action::Enter if self.focus == Field::Prompt => {
                if let Some(text) = self.focused() {
                    text.newline(Indent::None);
                }
            }
            Action::TextUndo | Action::TextRedo => {
                if let Some(text) = self.focused() {
                    let _ = if action == Action::TextUndo { text.undo() } else { text.redo() };
                }
            }
            _ => return false,
        }
        self.check(state);
        true
    }

    /// What `tab` would complete the word at the cursor to, best first: names, with titles.
    pub fn candidates(&self, state: &State) -> Vec<(Name, CleanText)> {
        const MOST: usize = 8;
        let Some((_, word)) = self.word() else { return Vec::new() };
        let lower = word.to_lowercase();
        let mut found: Vec<(bool, Name, CleanText)> = Vec::new();
        match self.focus {
            Field::Agent => {
                let all = state.config.fleet.agents.iter().map(|a| (a.name.clone(), CleanText::new(a.tier.as_str())));
                found.extend(
                    all.filter(|(n, _)| n.as_str() != word).map(|(n, t)| (!n.as_str().starts_with(&lower), n, t)),
                );
                found.retain(|(_, n, _)| n.as_str().to_lowercase().contains(&lower));
            }
            Field::Needs if !word.is_empty() => {
                let typed = self.text(Field::Needs).map(EditText::text).unwrap_or_default();
                let listed = fields::names(&typed);
                for spec in present(state, self.goal) {
                    let id = spec.id.as_str().to_lowercase();
                    let open = spec.id != self.base.id && !listed.contains(&spec.id.as_str());
                    if open && (id.contains(&lower) || spec.title().to_lowercase().contains(&lower)) {
                        found.push((!id.starts_with(&lower), spec.id.clone(), CleanText::one_line(&spec.title())));
                    }
                }
            }
            _ => {}
        }
        found.sort_by_key(|(inside, ..)| *inside);
        found.into_iter().take(MOST).map(|(_, name, title)| (name, title)).collect()
    }

    /// The word before the cursor in the focused field: where it begins, and it.
    fn word(&self) -> Option<(usize, &str)> {
        let text = self.text(self.focus)?;
        let before = text.line(0).get(..text.cursor().byte)?;
        let from = before.rfind([' ', ',']).map_or(0, |i| i + 1);
        Some((from, before.get(from..)?))
    }

    /// Completes the word at the cursor. False: there is nothing to complete.
    fn complete(&mut self, state: &State) -> bool {
        if !matches!(self.focus, Field::Agent | Field::Needs) || self.word().is_none_or(|(_, w)| w.is_empty()) {
            return false;
        }
        let known = |word: &str| match self.focus {
            Field::Agent => state.config.fleet.agents.iter().any(|a| a.name.as_str() == word),
            _ => present(state, self.goal).any(|t| t.id.as_str() == word),
        };
        let Some((from, word)) = self.word() else { return false };
        let (false, Some((name, _))) = (known(word), self.candidates(state).into_iter().next()) else { return false };
        if let Some(text) = self.focused() {
            let to = text.cursor().byte;
            text.replace(from, to, name.as_str());
        }
        true
    }

    /// The text of the prompt, for another editor.
    pub(super) fn prompt(&self) -> String {
        self.text(Field::Prompt).map(EditText::text).unwrap_or_default()
    }

    /// The prompt came back from another editor.
    pub(super) fn edited_outside(&mut self, text: &str, state: &State) {
        if let Some(prompt) = Field::Prompt.text().and_then(|i| self.texts.get_mut(i)) {
            prompt.set(CleanText::new(text).trim_end_matches('\n'));
        }
        self.check(state);
    }

    /// Accepts the form.
    pub(super) fn accept(&mut self, state: &State) -> Filled {
        let (spec, problems) = self.read(state);
        self.problems = problems;
        match (self.problems.first(), self.kind) {
            (Some((field, _)), _) => {
                self.focus = *field;
                Filled::Mistakes
            }
            (None, FormKind::New) => Filled::Edit(PlanEdit::Add(Box::new(spec))),
            (None, FormKind::Existing) if spec == self.present(state) => Filled::Unchanged,
            (None, FormKind::Existing) => Filled::Edit(PlanEdit::Replace(Box::new(spec))),
        }
    }

    /// Looks all fields over. That the prompt is empty is said when the form is accepted, not before it was written.
    fn check(&mut self, state: &State) {
        if self.kind == FormKind::New {
            self.propose_id(state);
        }
        let empty = self.text(Field::Prompt).is_none_or(EditText::is_empty);
        self.problems = self.read(state).1;
        self.problems.retain(|(field, _)| !(empty && *field == Field::Prompt));
    }

    /// A new task's id follows its title until it is typed.
    fn propose_id(&mut self, state: &State) {
        let (Some(id), Some(title)) = (Field::Id.text(), self.text(Field::Title).map(EditText::text)) else { return };
        let proposed = self.originals.get(id).cloned().unwrap_or_default();
        if title.trim().is_empty() || !self.texts.get(id).is_some_and(|t| t.is(&proposed)) {
            return;
        }
        let goal = self.goal;
        let name = free(&title, |n| state.find(&TaskId::new(goal, n.clone())).is_some());
        if let (Some(text), Some(original)) = (self.texts.get_mut(id), self.originals.get_mut(id)) {
            text.set(name.as_str());
            text.line_end();
            *original = name.to_string();
        }
    }

    /// The task as it is now: what others changed since the form was opened stays.
    fn present(&self, state: &State) -> TaskSpec {
        state.task_by_id(&self.task()).map_or_else(|| self.base.clone(), |task| (*task.spec).clone())
    }

    /// The task as the fields have it, and what is wrong with them.
    fn read(&self, state: &State) -> (TaskSpec, Vec<(Field, CleanText)>) {
        let mut spec = self.present(state);
        let mut problems: Vec<(Field, CleanText)> = Vec::new();
        if self.level != self.base.level {
            spec.level = self.level;
        }
        if self.priority != self.base.priority {
            spec.priority = self.priority;
        }
        for field in Field::texts() {
            let Some(i) = field.text() else { continue };
            let (Some(text), Some(original)) = (self.texts.get(i), self.originals.get(i)) else { continue };
            // What was not touched stays as it is, whatever the form could show of it.
            let touched = !text.is(original) || self.kind == FormKind::New;
            if touched && let Err(words) = field.put(&text.text(), &mut spec) {
                problems.push((field, words.into()));
            }
        }
        let mut also = |field: Field, words: String| {
            if !problems.iter().any(|(f, _)| *f == field) {
                problems.push((field, words.into()));
            }
        };
        let agents = &state.config.fleet.agents;
        if !agents.iter().any(|a| a.name == spec.agent) {
            let meant = nearest(spec.agent.as_str(), agents.iter().map(|a| a.name.as_str()));
            let mend = meant.map_or_else(|| "left and right choose one".to_owned(), |m| format!("did you mean {m}?"));
            also(Field::Agent, format!("there is no agent {}; {mend}", spec.agent));
        }
        if self.kind == FormKind::New && state.find(&TaskId::new(self.goal, spec.id.clone())).is_some() {
            also(Field::Id, format!("the id {} is or was another task's; ids are never given again", spec.id));
        }
        if let Err(words) = fields::check_needs(&spec, self.goal, state) {
            also(Field::Needs, words);
        }
        (spec, problems)
    }
}

/// The name nearest to `stem` that no task has or had.
fn free(stem: &str, taken: impl Fn(&Name) -> bool) -> Name {
    let short: String = stem.chars().take(40).collect();
    let first = Name::slug(&short);
    if !taken(&first) {
        return first;
    }
    let numbered = (2..).map(|n| Name::slug(&format!("{first}-{n}")));
    numbered.take(100_000).find(|n| !taken(n)).unwrap_or(first)
}
