//! The server's own fold of the session, for questions about what is true now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::state::State;
use crate::engine::client::Client;
use crate::engine::host::LocalClient;

/// Records taken in at once.
const BATCH: usize = 512;

/// The state as of the last record that came.
#[derive(Debug)]
pub(super) struct Watched {
    state: Mutex<State>,
    seq: watch::Sender<u64>,
}

impl Watched {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), seq: watch::Sender::new(0) }
    }

    /// What is true; not to be held over an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with every batch of records.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.seq.subscribe()
    }

    /// Takes records in until there are no more.
    pub(super) async fn follow(self: Arc<Self>, mut client: LocalClient) {
        let mut batch = Vec::new();
        loop {
            let more = client.recv(&mut batch, BATCH).await;
            let seq = {
                let mut state = self.state();
                batch.drain(..).for_each(|record| state.apply(&record));
                state.seq
            };
            self.seq.send_replace(seq);
            if !more {
                return;
            }
            // A long past is read without a wait in it; others have their turn between.
            tokio::task::yield_now().await;
        }
    }
}
