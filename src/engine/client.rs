//! How a viewer sees a session: records in, commands out. The local console, an attached one and a replay use the same
//! trait, so none of them can know more than the records say.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::protocol::{Channel, Command, CommandId, Record, Role, TurnId, ViewerId};
use crate::domain::text::CleanText;
use crate::engine::journal::text_of;

/// A viewer's end of a session.
///
/// Invariant: records come in order and without a gap, from the first one of the session (or from a checkpoint the
/// client applied before). A viewer that lags re-reads the journal inside the client; it never sees it.
pub trait Client: Send {
    /// Waits for records and appends them to `batch`: at least one unless there is a [`Client::notice`], at most `limit`. False: the session is over and no
    /// more will come. Dropping the future loses nothing.
    fn recv(&mut self, batch: &mut Vec<Arc<Record>>, limit: usize) -> impl Future<Output = bool> + Send;

    /// Sends a command. The answer comes as a `command.accepted` or `command.refused` record with the id returned.
    ///
    /// # Errors
    /// [`SendError`] when the command did not reach the session at all.
    fn send(&self, command: Command) -> Result<CommandId, SendError>;

    /// All that turns said on one channel, joined, as the session keeps it; none: this client can't reach it.
    fn text(&self, turns: Vec<TurnId>, channel: Channel) -> impl Future<Output = Option<String>> + Send + 'static {
        let journal = self.journal();
        async move {
            let journal = journal?;
            match tokio::task::spawn_blocking(move || text_of(&journal, &turns, channel)).await {
                Ok(Ok(text)) => Some(text),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a text could not be read back from the journal");
                    None
                }
                Err(_) => None,
            }
        }
    }

    /// The session's journal, from which this process can read the past; none: it can't.
    fn journal(&self) -> Option<PathBuf> {
        None
    }

    /// What this client is to the session. What it may do besides follows from the state: who has control.
    fn standing(&self) -> Standing {
        Standing::default()
    }

    /// The console that this client serves watches no more (its terminal is gone); the client goes on for the process.
    fn part(&mut self) {}

    /// What becomes of the session when its console is left.
    fn leaving(&self) -> Leaving {
        Leaving::EndsSession
    }

    /// What is to be told besides the records, oldest first: a command that never reached the session, a connection that
    /// was lost. [`Client::recv`] returns with no record when there is something.
    fn notice(&mut self) -> Option<CleanText> {
        None
    }

    /// Session time now, in the clock of the records: live it runs on between records.
    fn now(&self) -> crate::domain::protocol::Micros;
}

/// What becomes of a session when a console of it is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leaving {
    #[default]
    /// The console asks it to end: it is the session's own.
    EndsSession,
    /// Nothing: it lives elsewhere and goes on.
    OnlyCloses,
}

/// What a client is to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which of its viewers it is; none: it is no console of that session.
    pub viewer: Option<ViewerId>,
    /// The most it may do.
    pub role: Role,
}

impl Default for Standing {
    /// Of somebody alone with a session.
    fn default() -> Self {
        Self { viewer: None, role: Role::Control }
    }
}

/// A command that did not reach the session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The engine has more waiting than it takes.
    #[error("the engine is busy; try again in a moment")]
    Busy,
    /// The engine is gone.
    #[error("the session is over")]
    Closed,
    /// This client may not command.
    #[error("{0}")]
    Refused(CleanText),
}
