//! Does what a script says on a deck: a console over a session's past.
//!
//! Not here: reading a script ([`super::language`]) and how a console shows an instant (the [`Deck`]). Invariants: steps
//! are done in order and the first that fails ends the run; nothing outside the folder of snapshots is written.

use std::future::Future;
use std::path::{Path, PathBuf};

use ratatui::buffer::Buffer;

use super::language::{Colors, Expectation, Figure, Glyphs, Line, Picture, Step, Target};
use super::svg::Ground;
use super::{frame, svg};
use crate::domain::protocol::{Event, Micros, Record, RecordFilter, TaskId};
use crate::domain::state::{State, Status, TaskIx};
use crate::engine::journal::{JournalError, Past};
use crate::interface::tui::action::Key;
use crate::interface::tui::log::Entry;

/// A console without a terminal, over a session's past.
///
/// Invariant: after a call has returned, the frame shows all that it did.
pub trait Deck {
    /// A screen of another size.
    fn resize(&mut self, columns: u16, rows: u16) -> impl Future<Output = ()>;
    /// Wears a theme. False: there is none of that name.
    fn theme(&mut self, name: &str) -> bool;
    /// Draws with so many colours.
    fn colors(&mut self, colors: Colors);
    /// Draws with these glyphs.
    fn glyphs(&mut self, glyphs: Glyphs);
    /// A key is pressed.
    fn key(&mut self, key: Key) -> impl Future<Output = ()>;
    /// Shows the instant just after a record; 0: before the first.
    fn seek(&mut self, seq: u64) -> impl Future<Output = ()>;
    /// Draws.
    fn frame(&mut self) -> &Buffer;
    /// What is true at the instant shown.
    fn state(&self) -> &State;
    /// The ground under the frame, for pictures.
    fn ground(&self) -> Ground;
}

/// What becomes of a snapshot that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// The frame must be the same.
    Compare,
    /// It is written anew.
    Update,
}

/// Why a script ended early.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Something that was expected is not so.
    #[error("{file}:{line}: {what}\n  {text}")]
    Failed {
        /// The script.
        file: String,
        /// Its line.
        line: usize,
        /// The line's text.
        text: String,
        /// What is not so.
        what: String,
        /// The frame at that moment, as text.
        frame: String,
    },
    /// A snapshot could not be read or written.
    #[error("{file}:{line}: could not {what} {}: {source}; check the folder", path.display())]
    Snapshot {
        /// The script.
        file: String,
        /// Its line.
        line: usize,
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Steps done.
    pub steps: usize,
    /// Expectations that held.
    pub held: usize,
    /// Snapshots that were the same.
    pub same: usize,
    /// Snapshots written.
    pub written: usize,
}

/// A script on its way.
pub struct Run<'a, D: Deck> {
    /// The console.
    pub deck: D,
    /// The session's past.
    pub past: Past,
    /// The script's name, for what is said.
    pub file: &'a str,
    /// Where snapshots are.
    pub folder: &'a Path,
    /// What becomes of those that are there.
    pub snapshots: Snapshots,
}

impl<D: Deck> Run<'_, D> {
    /// Does every line; `print` is given frames that the script prints.
    ///
    /// # Errors
    /// [`ScriptError`] of the first line that fails.
    pub async fn run(&mut self, lines: &[Line], mut print: impl FnMut(&str)) -> Result<Ran, ScriptError> {
        let mut ran = Ran::default();
        for line in lines {
            match self.step(line, &mut ran, &mut print).await {
                Ok(()) => ran.steps += 1,
                Err(Stop::Failed(what)) => {
                    return Err(ScriptError::Failed {
                        file: self.file.to_owned(),
                        line: line.number,
                        text: line.text.clone(),
                        what,
                        frame: frame::text(self.deck.frame()),
                    });
                }
                Err(Stop::Snapshot(what, path, source)) => {
                    let (file, line) = (self.file.to_owned(), line.number);
                    return Err(ScriptError::Snapshot { file, line, what, path, source });
                }
                Err(Stop::Journal(error)) => return Err(error.into()),
            }
        }
        Ok(ran)
    }

    async fn step(&mut self, line: &Line, ran: &mut Ran, print: &mut impl FnMut(&str)) -> Result<(), Stop> {
        match &line.step {
            Step::Size(columns, rows) => self.deck.resize(*columns, *rows).await,
            Step::Theme(name) => {
                if !self.deck.theme(name) {
                    return fail(format!("there is no theme {name}; `baton doctor` names the folder of themes"));
                }
            }
            Step::Colors(colors) => self.deck.colors(*colors),
            Step::Glyphs(glyphs) => self.deck.glyphs(*glyphs),
            Step::Wait(filter) => self.wait(filter).await?,
            Step::Go(target) => {
                let seq = self.place(target)?;
                self.deck.seek(seq).await;
            }
            Step::Step(n) => {
                let end = self.past.end()?.0;
                let seq = self.deck.state().seq.saturating_add_signed(*n).min(end);
                self.deck.seek(seq).await;
            }
            Step::Keys(keys) => {
                for key in keys {
                    self.deck.key(*key).await;
                }
            }
            Step::Type(text) => {
                for letter in text.chars() {
                    let name = match letter {
                        ' ' => "space".to_owned(),
                        '\n' => "enter".to_owned(),
                        '\t' => "tab".to_owned(),
                        c => c.to_string(),
                    };
                    match name.parse() {
                        Ok(key) => self.deck.key(key).await,
                        Err(_) => return fail(format!("{letter:?} can't be typed")),
                    }
                }
            }
            Step::Expect(expected) => {
                self.expect(expected)?;
                ran.held += 1;
            }
            Step::Snapshot { name, form } => self.snapshot(name, *form, ran)?,
            Step::Print => print(&frame::text(self.deck.frame())),
        }
        Ok(())
    }

    /// On to the next record that the filter lets pass.
    async fn wait(&mut self, filter: &RecordFilter) -> Result<(), Stop> {
        let mut state = self.deck.state().clone();
        let from = state.seq + 1;
        let mut reader = self.past.records_from(from)?;
        while let Some((_, record)) = reader.read()? {
            state.apply(&record);
            let seq = record.seq;
            let entry = Entry::Whole(std::sync::Arc::new(record));
            if entry.with_facts(&state, |facts| filter.passes(facts)) {
                self.deck.seek(seq).await;
                return Ok(());
            }
        }
        fail(format!("no record from #{from} on is like this"))
    }

    /// The record after which a place is.
    fn place(&mut self, target: &Target) -> Result<u64, Stop> {
        let now = self.deck.state().at;
        let at = match target {
            Target::Start => return Ok(0),
            Target::End => return Ok(self.past.end()?.0),
            Target::Record(seq) => {
                let end = self.past.end()?.0;
                return if *seq <= end { Ok(*seq) } else { fail(format!("the last record is #{end}")) };
            }
            Target::Task(name) => return self.start_of(name),
            Target::At(at) => *at,
            Target::Later(by) => now.plus(*by),
            Target::Earlier(by) => Micros(now.0.saturating_sub(by.0)),
            Target::Share(thousandths) => {
                let end = self.past.end()?.1.0;
                Micros((u128::from(end) * u128::from(*thousandths) / 1000) as u64)
            }
        };
        Ok(self.past.seq_at(at)?)
    }

    fn start_of(&mut self, name: &str) -> Result<u64, Stop> {
        let mut reader = self.past.records_from(1)?;
        while let Some((_, Record { seq, event, .. })) = reader.read()? {
            if let Event::AttemptStarted(started) = &event
                && is_named(&started.task, name)
            {
                return Ok(seq);
            }
        }
        fail(format!("no attempt of a task {name:?} ever started"))
    }

    fn expect(&mut self, expected: &Expectation) -> Result<(), Stop> {
        match expected {
            Expectation::Shows(text) => {
                if !shows(self.deck.frame(), text) {
                    return fail(format!("the frame does not have {text:?}"));
                }
            }
            Expectation::ShowsNot(text) => {
                if shows(self.deck.frame(), text) {
                    return fail(format!("the frame has {text:?}"));
                }
            }
            Expectation::Figure(figure, relation, wanted) => {
                let found = value(self.deck.state(), *figure);
                if !relation.holds(found, *wanted) {
                    return fail(format!("{} is {found}", figure.word()));
                }
            }
            Expectation::Task(name, wanted) => {
                let state = self.deck.state();
                let found = state.tasks().iter().enumerate().find(|(_, t)| is_named(&t.id, name) && !t.removed);
                let Some((ix, _)) = found else { return fail(format!("there is no task {name:?} yet")) };
                let status = word(state.status(TaskIx(ix as u32), state.at));
                if status != wanted {
                    return fail(format!("{name} is {status}"));
                }
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, name: &str, form: Picture, ran: &mut Ran) -> Result<(), Stop> {
        let path = self.folder.join(name);
        let ground = self.deck.ground();
        let new = match form {
            Picture::Text => frame::text(self.deck.frame()),
            Picture::Svg => svg::picture(self.deck.frame(), ground),
        };
        let old = match std::fs::read_to_string(&path) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Stop::Snapshot("read", path, error)),
        };
        match old {
            Some(old) if old == new => ran.same += 1,
            Some(old) if self.snapshots == Snapshots::Compare => {
                let place = differs(&old, &new);
                return fail(format!("{name} is not as it was: {place}; --update keeps the new one"));
            }
            _ => {
                let folder = path.parent().unwrap_or(self.folder);
                std::fs::create_dir_all(folder)
                    .and_then(|()| std::fs::write(&path, &new))
                    .map_err(|error| Stop::Snapshot("write", path.clone(), error))?;
                ran.written += 1;
            }
        }
        Ok(())
    }
}

/// Why a step ends the run.
enum Stop {
    Failed(String),
    Snapshot(&'static str, PathBuf, std::io::Error),
    Journal(JournalError),
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

fn fail<T>(what: String) -> Result<T, Stop> {
    Err(Stop::Failed(what))
}

/// A task is named by its full id, or by its name in the plan.
fn is_named(task: &TaskId, name: &str) -> bool {
    task.name.as_str() == name || task.to_string() == name
}

fn shows(buffer: &Buffer, text: &str) -> bool {
    frame::rows(buffer).iter().any(|row| row.contains(text))
}

fn value(state: &State, figure: Figure) -> u64 {
    let progress = state.progress(None);
    match figure {
        Figure::Done => progress.done.into(),
        Figure::Total => progress.total.into(),
        Figure::Running => progress.running.into(),
        Figure::Failed => progress.failed.into(),
        Figure::Waiting => progress.waiting.into(),
        Figure::Dropped => progress.dropped.into(),
        Figure::Attempts => state.attempts().len() as u64,
        Figure::Tokens => state.totals.output_tokens,
        Figure::Attention => state.attention.len() as u64,
        Figure::Record => state.seq,
    }
}

/// A status as scripts call it: one word.
fn word(status: Status) -> &'static str {
    match status {
        Status::Asking => "asking",
        other => other.word(),
    }
}

/// Where two texts begin to differ, in words.
fn differs(old: &str, new: &str) -> String {
    let (mut olds, mut news) = (old.lines(), new.lines());
    let mut row = 1;
    loop {
        match (olds.next(), news.next()) {
            (Some(a), Some(b)) if a == b => row += 1,
            (None, None) => return "in its line ends".to_owned(),
            (a, b) => {
                let cut = |text: Option<&str>| text.map_or("nothing".to_owned(), |t| format!("{:?}", t.trim()));
                return format!("line {row} was {} and is {}", cut(a), cut(b));
            }
        }
    }
}
