//! A session between two processes: locked by this one, its journal read, its engine not started yet.
//!
//! Not here: what is done about what was under way (the orchestrator's recovery). Invariant: nothing was written but what
//! the journal's own recovery cut and kept aside.

use std::sync::Arc;

use super::EngineError;
use crate::domain::protocol::{Name, SessionId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::journal::{HOT_BYTES, Reader, Resumed, Sessions, TextStore, Torn, Writer};

/// A session taken up from its journal.
pub struct TakenUp {
    pub(super) session: SessionId,
    pub(super) writer: Writer,
    pub(super) state: State,
    pub(super) texts: TextStore,
    torn: Option<Torn>,
    unknown: u64,
}

impl TakenUp {
    /// Locks a session's folder and reads its journal.
    ///
    /// # Errors
    /// As [`Sessions::open`], [`Writer::resume`] and [`TakenUp::read`].
    pub fn open(sessions: &Sessions, id: &SessionId) -> Result<Self, EngineError> {
        Self::read(Writer::resume(sessions.open(id)?)?)
    }

    /// Reads the journal of a session that is locked already, from its newest checkpoint on: a tenth of a second. Without
    /// one it takes as long as the journal is: a second for some hundred megabytes.
    ///
    /// # Errors
    /// The journal is damaged, or ends before its first record.
    pub fn read(resumed: Resumed) -> Result<Self, EngineError> {
        let Resumed { writer, header, torn } = resumed;
        let (mut state, mut reader) = Reader::open_late(writer.path())?;
        let mut texts = TextStore::after(writer.path(), HOT_BYTES, &state);
        while let Some((offset, record)) = reader.read()? {
            state.apply(&record);
            texts.feed(&Arc::new(record), offset);
        }
        let Some(session) = state.session.clone() else {
            return Err(EngineError::Empty { session: header.session });
        };
        // Records of a later version count too, or the next one would have a number that is taken.
        let unknown = reader.unknown();
        state.seq = state.seq.max(reader.last_seq().unwrap_or(0));
        Ok(Self { session, writer, state, texts, torn, unknown })
    }

    /// The session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// The name of its folder, by which it is called: a journal that was copied says another one.
    pub fn folder(&self) -> CleanText {
        let folder = self.writer.path().parent().and_then(std::path::Path::file_name);
        CleanText::one_line(&folder.unwrap_or_default().to_string_lossy())
    }

    /// What is true at the journal's end, before anything is done about it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is to be said of a last line that was cut. The engine says it too, in a record.
    pub fn torn_words(&self) -> Option<String> {
        self.torn.as_ref().map(torn_words)
    }

    /// What is to be said of records that were left out because they are of a later version.
    pub fn unknown_words(&self) -> Option<String> {
        let n = self.unknown;
        let words =
            || format!("{n} records are of a later version and were left out; update Baton to see what they say");
        (n > 0).then(words)
    }

    /// A last line that was cut: the file that keeps it, and what is to be said of it.
    pub(super) fn torn(&self) -> Option<(Name, CleanText)> {
        let torn = self.torn.as_ref()?;
        let file = torn.kept.file_name()?.to_str()?;
        Some((Name::slug(file), CleanText::one_line(&torn_words(torn))))
    }
}

fn torn_words(torn: &Torn) -> String {
    let (bytes, kept) = (torn.bytes, torn.kept.display());
    format!("the journal ended in the middle of a record; its last {bytes} bytes were cut and are kept in {kept}")
}
