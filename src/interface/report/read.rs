//! Reading a session for a report: the fold of its journal, what people did to it, and the texts that are wanted.
//!
//! Not here: what becomes of it. Invariant: a journal that is damaged, or still being written, is read as far as it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use time::OffsetDateTime;
use time::macros::format_description;

use super::lines::{CommandLine, EditLine};
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{Channel, EditKind, Event, PlanEdited, Record, SessionId, TurnId};
use crate::domain::state::{Attempt, State};
use crate::engine::journal::{JournalError, Reader};

/// Bytes of a result that are kept where only its first line is wanted.
const HEAD: usize = 2_000;

/// Which texts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The answers of goals whole, of other results the beginning.
    Results,
    /// Every answer of every turn: in memory at once.
    All,
}

/// A session as it was read.
pub struct Story {
    /// The session.
    pub session: SessionId,
    /// What was true at its last record.
    pub state: State,
    /// What was asked for, in order.
    pub commands: Vec<CommandLine>,
    /// How plans changed, in order.
    pub edits: Vec<EditLine>,
    /// Why it can't be read further, in words.
    pub damage: Option<String>,
    texts: BTreeMap<TurnId, String>,
}

impl Story {
    /// Reads a journal twice: once for what is true, once for the texts.
    ///
    /// # Errors
    /// As [`Reader::open`]; damage further on is told in [`Story::damage`].
    pub fn read(journal: &Path, wanted: Wanted) -> Result<Self, JournalError> {
        let mut reader = Reader::open(journal)?;
        let mut story = Self {
            session: reader.header().session.clone(),
            state: State::default(),
            commands: Vec::new(),
            edits: Vec::new(),
            damage: None,
            texts: BTreeMap::new(),
        };
        loop {
            match reader.read() {
                Ok(Some((_, record))) => story.take(&record),
                Ok(None) => break,
                Err(error) => {
                    story.damage = Some(error.to_string());
                    break;
                }
            }
        }
        story.read_texts(journal, wanted)?;
        Ok(story)
    }

    fn take(&mut self, record: &Record) {
        self.state.apply(record);
        let seconds = record.at.secs_f64();
        let command = |author: &crate::domain::protocol::Author, what: &str, refused: Option<String>| CommandLine {
            seconds,
            author: author.to_string(),
            what: what.to_owned(),
            refused,
        };
        match &record.event {
            Event::CommandAccepted { author, what, .. } => self.commands.push(command(author, what, None)),
            Event::CommandRefused { author, what, reason, .. } => {
                self.commands.push(command(author, what, Some(reason.to_string())));
            }
            Event::PlanEdited(edit) => self.edits.push(edit_line(seconds, edit)),
            _ => {}
        }
    }

    fn read_texts(&mut self, journal: &Path, wanted: Wanted) -> Result<(), JournalError> {
        let (mut whole, mut heads) = (BTreeSet::new(), BTreeSet::new());
        if wanted == Wanted::Results {
            let turns = |id: &crate::domain::protocol::AttemptId| {
                self.state.attempt(*id).map(|a| self.state.result_turns(a)).unwrap_or_default()
            };
            let answers = self.state.goals().iter().filter_map(|g| g.answer.as_ref());
            let spoken = self.state.tasks().iter().filter(|t| t.work == crate::domain::protocol::Work::Voice);
            let answers = answers.filter_map(|id| self.state.task_by_id(id)).chain(spoken);
            whole.extend(answers.filter_map(|t| t.result.as_ref()).flat_map(turns));
            heads.extend(self.state.tasks().iter().filter_map(|t| t.result.as_ref()).flat_map(turns));
        }
        let mut reader = Reader::open(journal)?;
        // What was damaged was told; what is written meanwhile belongs to the next report.
        while let Ok(Some((_, record))) = reader.read() {
            if record.seq > self.state.seq {
                break;
            }
            let Some((turn, Channel::Answer, piece)) = self.state.text_in(&record) else { continue };
            if wanted == Wanted::All || whole.contains(&turn) {
                self.texts.entry(turn).or_default().push_str(piece);
            } else if heads.contains(&turn) {
                let text = self.texts.entry(turn).or_default();
                let room = HEAD.saturating_sub(text.len());
                text.push_str(piece.get(..piece.floor_char_boundary(room)).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// What a turn answered, raw, as far as it was wanted.
    pub fn text(&self, turn: TurnId) -> &str {
        self.texts.get(&turn).map_or("", String::as_str)
    }

    /// The text of an attempt's result, raw, as far as it was wanted.
    pub fn result(&self, attempt: &Attempt) -> String {
        self.state.result_turns(attempt).into_iter().map(|turn| self.text(turn)).collect()
    }
}

fn edit_line(seconds: f64, edit: &PlanEdited) -> EditLine {
    let mut line = EditLine {
        seconds,
        goal: edit.goal.to_string(),
        revision: edit.revision,
        author: edit.author.to_string(),
        kind: match edit.kind {
            EditKind::New => String::new(),
            EditKind::Undoes(revision) => format!("undoes revision {revision}"),
            EditKind::Redoes(revision) => format!("makes revision {revision} again"),
        },
        added: Vec::new(),
        changed: Vec::new(),
        removed: Vec::new(),
    };
    for step in &edit.edits {
        let list = match step {
            PlanEdit::Add(_) | PlanEdit::Restore(_) => &mut line.added,
            PlanEdit::Replace(_) => &mut line.changed,
            PlanEdit::Remove(_) => &mut line.removed,
        };
        list.push(step.name().to_string());
    }
    line
}

/// A wall time as people write it: `2026-11-20 19:03:57 UTC`.
pub fn moment(wall_ms: u64) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(wall_ms) * 1_000_000) else {
        return String::new();
    };
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    time.format(&form).unwrap_or_default()
}
