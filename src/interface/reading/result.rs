//! Where the text of a result is.
//!
//! Not here: which turns are a result ([`State::result_turns`]).

use std::path::Path;

use crate::domain::protocol::{Channel, Record, TaskId, TurnId};
use crate::domain::state::State;
use crate::engine::journal::{JournalError, text_with};

/// Where the text of a task's result stands in the journal: state keeps no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextPlace(Vec<TurnId>);

/// Where a task's result is; none while it has none.
pub(crate) fn result_text(state: &State, task: &TaskId) -> Option<TextPlace> {
    let attempt = state.attempt(state.task_by_id(task)?.result?)?;
    Some(TextPlace(state.result_turns(attempt)))
}

impl TextPlace {
    /// Reads the text back. Blocks.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn read(self, journal: &Path) -> Result<String, JournalError> {
        self.read_with(journal, &[])
    }

    /// The same where the last records are not in the journal yet. Blocks.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn read_with(self, journal: &Path, unwritten: &[Record]) -> Result<String, JournalError> {
        text_with(journal, unwritten, &self.0, Channel::Answer)
    }
}
