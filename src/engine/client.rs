//! How a viewer sees a session: records in, commands out. The local console, an attached one and a replay use the same
//! trait, so none of them can know more than the records say.

use std::future::Future;
use std::sync::Arc;

use crate::domain::protocol::{AttemptId, Channel, Command, CommandId, Record};
use crate::domain::text::CleanText;

/// A viewer's end of a session.
///
/// Invariant: records come in order and without a gap, from the first one of the session (or from a checkpoint the
/// client applied before). A viewer that lags re-reads the journal inside the client; it never sees it.
pub trait Client: Send {
    /// Waits for records and appends them to `batch`: at least one, at most `limit`. False: the session is over and no
    /// more will come. Dropping the future loses nothing.
    fn recv(&mut self, batch: &mut Vec<Arc<Record>>, limit: usize) -> impl Future<Output = bool> + Send;

    /// Sends a command. The answer comes as a `command.accepted` or `command.refused` record with the id returned.
    ///
    /// # Errors
    /// [`SendError`] when the command did not reach the session at all.
    fn send(&self, command: Command) -> Result<CommandId, SendError>;

    /// The whole text of one channel of an attempt, as the session keeps it; none: this client can't reach it.
    fn text(&self, attempt: AttemptId, channel: Channel) -> impl Future<Output = Option<String>> + Send + 'static {
        let _ = (attempt, channel);
        std::future::ready(None)
    }

    /// Session time now, in the clock of the records: live it runs on between records.
    fn now(&self) -> crate::domain::protocol::Micros;
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
