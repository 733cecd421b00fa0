//! A client of a session that is still to come: the console draws at once and is told of the session when there is one.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::domain::protocol::{Command, CommandId, Micros, Record};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving, SendError, Standing};

/// A client until then: no records, every command is told to come again, no time passes.
pub(crate) struct DeferredClient<C> {
    stage: Stage<C>,
}

enum Stage<C> {
    Waiting(oneshot::Receiver<C>),
    There(C),
    /// The session did not start.
    Never,
}

impl<C> DeferredClient<C> {
    /// A client, and where the real one is to be handed in. Dropping that end says that none will come.
    pub(crate) fn new() -> (Self, oneshot::Sender<C>) {
        let (ready, waiting) = oneshot::channel();
        (Self { stage: Stage::Waiting(waiting) }, ready)
    }
}

impl<C: Client + Sync> Client for DeferredClient<C> {
    async fn recv(&mut self, batch: &mut Vec<Arc<Record>>, limit: usize) -> bool {
        if let Stage::Waiting(waiting) = &mut self.stage {
            // Dropped here, the receiver still has whatever came.
            self.stage = match waiting.await {
                Ok(client) => Stage::There(client),
                Err(_) => Stage::Never,
            };
        }
        match &mut self.stage {
            Stage::There(client) => client.recv(batch, limit).await,
            Stage::Waiting(_) | Stage::Never => false,
        }
    }

    fn send(&self, command: Command) -> Result<CommandId, SendError> {
        match &self.stage {
            Stage::There(client) => client.send(command),
            Stage::Waiting(_) => Err(SendError::Busy),
            Stage::Never => Err(SendError::Closed),
        }
    }

    fn journal(&self) -> Option<PathBuf> {
        match &self.stage {
            Stage::There(client) => client.journal(),
            Stage::Waiting(_) | Stage::Never => None,
        }
    }

    fn standing(&self) -> Standing {
        match &self.stage {
            Stage::There(client) => client.standing(),
            Stage::Waiting(_) | Stage::Never => Standing::default(),
        }
    }

    fn part(&mut self) {
        if let Stage::There(client) = &mut self.stage {
            client.part();
        }
    }

    fn leaving(&self) -> Leaving {
        match &self.stage {
            Stage::There(client) => client.leaving(),
            Stage::Waiting(_) | Stage::Never => Leaving::EndsSession,
        }
    }

    fn notice(&mut self) -> Option<CleanText> {
        match &mut self.stage {
            Stage::There(client) => client.notice(),
            Stage::Waiting(_) | Stage::Never => None,
        }
    }

    fn now(&self) -> Micros {
        match &self.stage {
            Stage::There(client) => client.now(),
            Stage::Waiting(_) | Stage::Never => Micros(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{Event, Name};

    struct One(Option<Arc<Record>>);

    impl Client for One {
        async fn recv(&mut self, batch: &mut Vec<Arc<Record>>, _limit: usize) -> bool {
            let record = self.0.take();
            let more = record.is_some();
            batch.extend(record);
            more
        }

        fn send(&self, _command: Command) -> Result<CommandId, SendError> {
            Ok(Name::slug("sent"))
        }

        fn now(&self) -> Micros {
            Micros(7)
        }
    }

    #[tokio::test]
    async fn it_waits_says_busy_and_then_is_the_real_one() {
        let (mut client, ready) = DeferredClient::new();
        let mut batch = Vec::new();
        assert_eq!(client.send(Command::Pause), Err(SendError::Busy));
        assert_eq!(client.now(), Micros(0));
        // A wait that is given up loses nothing.
        tokio::select! {
            biased;
            _ = client.recv(&mut batch, 1) => unreachable!("nothing has come"),
            () = std::future::ready(()) => {}
        }
        let record = Arc::new(Record { seq: 1, at: Micros(0), event: Event::SessionPaused {} });
        assert!(ready.send(One(Some(record))).is_ok());
        assert!(client.recv(&mut batch, 1).await);
        assert_eq!((batch.len(), client.now()), (1, Micros(7)));
        assert!(client.send(Command::Pause).is_ok());
    }

    #[tokio::test]
    async fn a_session_that_never_starts_is_over() {
        let (mut client, ready) = DeferredClient::<One>::new();
        drop(ready);
        assert!(!client.recv(&mut Vec::new(), 1).await);
        assert_eq!(client.send(Command::Pause), Err(SendError::Closed));
    }
}
