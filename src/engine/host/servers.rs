//! What a session has done with the servers of its endpoints, through the process's room for servers.
//!
//! Not here: how a server is started and watched (`engine/servers`). Invariants: nothing is asked of the room before the
//! record that decided it is on disk; what was decided first is asked first; the loop waits for neither.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::run::Host;
use crate::domain::orchestrator::{Input, Orchestrator};
use crate::domain::protocol::{EndpointName, ServerChanged, ServerStanding, ServerVerb};
use crate::domain::text::CleanText;
use crate::engine::servers::Room;

/// The way to the room.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// None: this process has none.
    room: Option<Room>,
    /// Held by the order whose turn it is: it is given to who asked first.
    turn: Arc<Mutex<()>>,
}

impl Serving {
    pub(super) fn through(room: Option<Room>) -> Self {
        Self { room, turn: Arc::default() }
    }
}

impl Host {
    /// Hears, from now on, how the servers of the session's endpoints stand: first of those that stand otherwise than the
    /// journal says.
    pub(super) fn watch_servers(&mut self, orchestrator: &Orchestrator) {
        let Some(room) = self.serving.room.clone() else { return };
        let state = orchestrator.state();
        let (endpoints, known) = (state.config.fleet.endpoints.clone(), state.servers.clone());
        let inputs = self.inputs.clone();
        self.tasks.spawn(async move {
            let mut news = room.watch(endpoints, known).await;
            // Not held on to: the room ends with those that give orders.
            drop(room);
            while let Some(changed) = news.recv().await {
                if inputs.send(Input::ServerIs(Box::new(changed))).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Asks the room for something, once that it was decided is on disk.
    pub(super) fn serve(&mut self, orchestrator: &Orchestrator, name: &EndpointName, verb: ServerVerb) {
        let state = orchestrator.state();
        let Some(endpoint) = state.config.fleet.endpoint(name).cloned() else { return };
        let Some(stands) = state.servers.get(name).cloned() else { return };
        let (room, turn, inputs) = (self.serving.room.clone(), Arc::clone(&self.serving.turn), self.inputs.clone());
        let durable = self.writer.barrier();
        self.tasks.spawn(async move {
            let _turn = turn.lock_owned().await;
            let Some(room) = room else {
                return fail(&inputs, stands, "this process starts and stops no servers; `baton fleet` does").await;
            };
            let given = match durable.await {
                Ok(()) => room.order(endpoint, verb).await,
                Err(error) => room.leave(endpoint, verb, format!("the order could not be written down: {error}")).await,
            };
            if !given {
                fail(&inputs, stands, "what starts and stops servers broke off; the log says where").await;
            }
        });
    }
}

/// Says that nothing was done with a server.
async fn fail(inputs: &mpsc::Sender<Input>, stands: ServerChanged, why: &str) {
    let words = CleanText::one_line(&format!("nothing was done with it: {why}"));
    let failed = ServerChanged { standing: ServerStanding::Failed, words, pid: None, ..stands };
    // A host that is gone asks nothing.
    let _ = inputs.send(Input::ServerIs(Box::new(failed))).await;
}
