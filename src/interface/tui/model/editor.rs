//! The text editor over a screen: a plan as text, or a task's result. What is typed, found, wrong, and accepted.
//!
//! Not here: drawing (`view/editor`), what becomes of an accepted plan ([`super::preview`]), how layers open and close
//! ([`super::editing`]). Invariants: a text is thrown away only when that was chosen; a plan's mistakes are looked for
//! when typing pauses, never at each key.

pub mod find;
pub mod keys;
pub mod plan;
pub mod rows;
pub mod text;

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::find::Find;
use self::keys::{Room, press};
use self::plan::PlanBase;
use self::rows::step;
use self::text::{At, EditText, Indent};
use super::Msg;
use crate::domain::plan::{PlanEdit, PlanError};
use crate::domain::protocol::{Command, GoalId, Micros, TaskId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;

/// How long typing pauses before a plan is read.
const PAUSE: Micros = Micros::from_millis(150);

/// What is edited.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// A goal's plan, from the plan it was.
    Plan(Box<PlanBase>),
    /// The result of a task.
    Result(TaskId),
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gravity {
    /// The text can't be accepted.
    Mistake,
    /// It can, and is most likely not what was meant.
    Warning,
}

/// A problem with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub gravity: Gravity,
    /// Where.
    pub at: At,
    /// What is wrong.
    pub what: CleanText,
    /// How to mend it.
    pub mend: CleanText,
}

/// What accepting a text leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Accepted {
    /// Nothing differs.
    Unchanged,
    /// It has mistakes; the cursor is at the first.
    Mistakes,
    /// A plan's steps, to be looked at first.
    Edits(Vec<PlanEdit>),
    /// To be sent, and what to say of it.
    Send(Command, CleanText),
}

/// A text being edited over a screen.
#[derive(Clone, Debug, PartialEq)]
pub struct EditorUi {
    /// What is edited.
    pub purpose: Purpose,
    /// What stands on its frame.
    pub title: CleanText,
    /// The text.
    pub text: EditText,
    /// The find line, while it is open.
    pub find: Option<Find>,
    original: String,
    problems: Vec<Problem>,
    /// When the text is read for mistakes.
    read_at: Option<Micros>,
    /// The first row shown: a line and a row of it.
    top: Cell<(usize, usize)>,
    room: Cell<Room>,
}

impl EditorUi {
    fn new(purpose: Purpose, title: CleanText, text: &str) -> Self {
        Self {
            purpose,
            title,
            text: EditText::new(text),
            find: None,
            original: text.to_owned(),
            problems: Vec::new(),
            read_at: None,
            top: Cell::default(),
            room: Cell::new(Room { cells: 80, rows: 20 }),
        }
    }

    /// The plan of a goal; none: there is no such goal.
    pub fn plan(state: &State, goal: GoalId) -> Option<Self> {
        let base = PlanBase::of(state, goal)?;
        let words = state.goal(goal).map(|g| g.text.to_one_line()).unwrap_or_default();
        let title = format!("Plan of {goal}: {words}").into();
        let text = CleanText::new(&base.text());
        let mut editor = Self::new(Purpose::Plan(Box::new(base)), title, &text);
        // A plan that has mistakes as it is (its agents are gone) says so at once.
        editor.check(state);
        Some(editor)
    }

    /// The result of a task, from its present text.
    pub fn result(state: &State, task: &TaskId, text: &str) -> Option<Self> {
        let title = format!("Result of {}", state.task_by_id(task)?.title).into();
        Some(Self::new(Purpose::Result(task.clone()), title, &CleanText::new(text)))
    }

    /// Whether the text differs from what it was.
    pub fn is_changed(&self) -> bool {
        !self.text.is(&self.original)
    }

    /// Whether both edit the same thing.
    pub(super) fn is_same_thing(&self, other: &Self) -> bool {
        match (&self.purpose, &other.purpose) {
            (Purpose::Plan(a), Purpose::Plan(b)) => a.goal == b.goal,
            (Purpose::Result(a), Purpose::Result(b)) => a == b,
            _ => false,
        }
    }

    /// The mistakes, in the order of the text.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The mistakes of a line.
    pub fn problems_in(&self, line: usize) -> &[Problem] {
        let from = self.problems.partition_point(|p| p.at.line < line);
        let to = self.problems.partition_point(|p| p.at.line <= line);
        self.problems.get(from..to).unwrap_or_default()
    }

    /// The mistake that the bottom line tells: that of the cursor's line, else the first.
    pub fn problem_told(&self) -> Option<&Problem> {
        self.problems_in(self.text.cursor().line).first().or_else(|| self.problems.first())
    }

    /// When it has something to do by itself.
    pub(super) fn deadline(&self) -> Option<Micros> {
        self.read_at
    }

    /// The first row shown, and the view's measure of the room: the cursor's row is always among those shown.
    ///
    /// `rows_of` tells how many rows a line takes, with what stands under it.
    pub(crate) fn top(&self, room: Room, rows_of: impl Fn(usize) -> usize) -> (usize, usize) {
        self.room.set(room);
        let At { line, byte } = self.text.cursor();
        let (row, _) = rows::place(self.text.line(line), byte, room.cells);
        // What stands under the cursor's row and belongs to its line is seen too, where there is room.
        let under = rows_of(line).saturating_sub(row + 1).min(room.rows / 3);
        let height = room.rows.saturating_sub(under).max(1);
        let (mut top, mut from) = self.top.get();
        top = top.min(self.text.lines().len() - 1);
        from = from.min(rows_of(top).saturating_sub(1));
        let above = (line, row) < (top, from);
        let mut between = 0;
        let mut at = top;
        while !above && at < line && between < height + from {
            between += rows_of(at);
            at += 1;
        }
        let below = !above && (at < line || between + row >= height + from);
        if above {
            (top, from) = (line, row);
        } else if below {
            // The cursor on the last row: back from it by what fits above.
            let mut left = height - 1;
            (top, from) = (line, row);
            loop {
                if left <= from {
                    from -= left;
                    break;
                }
                left -= from;
                if top == 0 {
                    from = 0;
                    break;
                }
                top -= 1;
                from = rows_of(top);
            }
        }
        self.top.set((top, from));
        (top, from)
    }

    /// Takes a key, a paste or the wheel.
    pub(super) fn input(&mut self, msg: &Msg, now: Micros) {
        let lines = self.text.lines().len();
        let (version, line) = (self.text.version(), self.text.cursor().line);
        match (msg, &mut self.find) {
            (Msg::Key(key), Some(find)) if key.kind != KeyEventKind::Release => find_key(find, *key, &mut self.text),
            (Msg::Paste(words), Some(find)) => {
                let needle = format!("{}{}", find.needle(), words.lines().next().unwrap_or_default());
                find.set(needle, &mut self.text);
            }
            (Msg::Key(key), None) if key.kind != KeyEventKind::Release => press(&mut self.text, *key, self.room.get()),
            (Msg::Paste(words), None) => self.text.paste(words),
            (Msg::Wheel(_, _, by), _) => step(&mut self.text, isize::from(*by), self.room.get().cells),
            _ => {}
        }
        self.changed(version, line, lines, now);
    }

    /// After a change: mistakes move with their lines, and the text is read when typing pauses.
    fn changed(&mut self, version: u64, line: usize, lines: usize, now: Micros) {
        if self.text.version() == version {
            return;
        }
        let line = line.min(self.text.cursor().line);
        let by = self.text.lines().len() as isize - lines as isize;
        for problem in self.problems.iter_mut().filter(|p| p.at.line > line) {
            problem.at.line = problem.at.line.saturating_add_signed(by).max(line);
        }
        if matches!(self.purpose, Purpose::Plan(_)) {
            self.read_at = Some(now.plus(PAUSE));
        }
    }

    /// A moment came: reads the text when it is time.
    pub(super) fn tick(&mut self, state: &State, now: Micros) {
        if self.read_at.is_some_and(|at| at <= now) {
            self.check(state);
        }
    }

    /// Reads a plan's text: its steps, or none when it has mistakes.
    fn check(&mut self, state: &State) -> Option<Vec<PlanEdit>> {
        self.read_at = None;
        let Purpose::Plan(base) = &self.purpose else { return None };
        let (read, warnings) = base.read(&self.text.text(), state);
        let mistakes = read.as_ref().err().into_iter().flatten().map(|e| self.problem(e, Gravity::Mistake));
        let warnings = warnings.iter().map(|w| self.problem(w, Gravity::Warning));
        let mut problems: Vec<Problem> = mistakes.chain(warnings).collect();
        problems.sort_by_key(|p| p.at);
        self.problems = problems;
        read.ok()
    }

    fn problem(&self, error: &PlanError, gravity: Gravity) -> Problem {
        let line = error.line.saturating_sub(1).min(self.text.lines().len() - 1);
        let text = self.text.line(line);
        let byte = text.char_indices().nth(error.column.saturating_sub(1)).map_or(text.len(), |(byte, _)| byte);
        let clean = |words: &str| CleanText::one_line(words);
        Problem { gravity, at: At { line, byte }, what: clean(&error.what), mend: clean(&error.mend) }
    }

    /// Does what an action of a text field means; false: it means nothing here.
    pub(super) fn act(&mut self, action: Action, now: Micros) -> bool {
        let lines = self.text.lines().len();
        let (version, line) = (self.text.version(), self.text.cursor().line);
        match (action, &mut self.find) {
            (Action::Enter, Some(find)) => find.turn(1, &mut self.text),
            (Action::TextFind, Some(find)) => find.turn(-1, &mut self.text),
            (Action::TextFind, None) => self.find = Some(Find::new(&self.text)),
            (Action::Enter, None) => self.text.newline(match self.purpose {
                Purpose::Plan(_) => Indent::Yaml,
                Purpose::Result(_) => Indent::None,
            }),
            (Action::NextPane, None) => self.text.indent(),
            (Action::PreviousPane, None) => self.text.outdent(),
            (Action::TextUndo, _) => {
                self.text.undo();
            }
            (Action::TextRedo, _) => {
                self.text.redo();
            }
            (Action::NextProblem, _) => self.next_problem(),
            (Action::NextPane | Action::PreviousPane, Some(_)) => {}
            _ => return false,
        }
        self.changed(version, line, lines, now);
        true
    }

    fn next_problem(&mut self) {
        let cursor = self.text.cursor();
        let next = self.problems.iter().find(|p| p.at > cursor).or_else(|| self.problems.first());
        if let Some(at) = next.map(|p| p.at) {
            self.text.go(at);
        }
    }

    /// Accepts the text.
    pub(super) fn accept(&mut self, state: &State) -> Accepted {
        match &self.purpose {
            Purpose::Result(_) if !self.is_changed() => Accepted::Unchanged,
            Purpose::Result(task) => {
                let command = Command::EditResult { task: task.clone(), text: self.text.text() };
                let title = state.task_by_id(task).map(|t| t.title.clone()).unwrap_or_default();
                Accepted::Send(command, format!("the result of “{title}” is the text you wrote").into())
            }
            Purpose::Plan(_) => match self.check(state) {
                None => {
                    let first = self.problems.iter().find(|p| p.gravity == Gravity::Mistake);
                    if let Some(first) = first.map(|p| p.at) {
                        self.text.go(first);
                    }
                    Accepted::Mistakes
                }
                Some(edits) if edits.is_empty() => Accepted::Unchanged,
                Some(edits) => Accepted::Edits(edits),
            },
        }
    }

    /// The text came back from another editor.
    pub(super) fn edited_outside(&mut self, text: &str, state: &State) {
        self.text.set(&CleanText::new(text));
        self.check(state);
        if let Some(first) = self.problems.first().map(|p| p.at) {
            self.text.go(first);
        }
    }

    /// The name of the file another editor is given.
    pub(super) fn file_name(&self) -> String {
        match &self.purpose {
            Purpose::Plan(base) => format!("plan-{}.yaml", base.goal),
            Purpose::Result(task) => format!("result-{}-{}.md", task.goal, task.name),
        }
    }
}

/// A key while the find line is open.
fn find_key(find: &mut Find, key: KeyEvent, text: &mut EditText) {
    let chord = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    let mut needle = find.needle().to_owned();
    match key.code {
        KeyCode::Char('u') if chord => needle.clear(),
        KeyCode::Char(c) if !chord => needle.push(c),
        KeyCode::Backspace => {
            needle.pop();
        }
        KeyCode::Down => return find.turn(1, text),
        KeyCode::Up => return find.turn(-1, text),
        _ => return,
    }
    find.set(needle, text);
}
