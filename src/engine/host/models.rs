//! Models moved into memory and out of it while the session runs.
//!
//! Not here: whether they may be (the orchestrator), how a server is told (`engine/providers`). Invariant: at one server
//! one model moves one way at a time; every order has its answer, unless the session ends first.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::domain::fleet::{Endpoint, PoolKey};
use crate::domain::orchestrator::Input;
use crate::domain::protocol::{ModelMoved, ModelVerb};
use crate::domain::text::CleanText;
use crate::engine::providers::{Client, load, unload};

/// What moves now.
#[derive(Debug, Default)]
pub(super) struct Moving(BTreeMap<PoolKey, AbortHandle>);

impl Moving {
    /// Has the model of `endpoint` loaded or unloaded as a task among `tasks`; how it went comes as an input.
    pub(super) fn begin(
        &mut self,
        (client, endpoint): (&Client, Endpoint),
        verb: ModelVerb,
        (tasks, inputs): (&mut JoinSet<()>, &mpsc::Sender<Input>),
    ) {
        let key = endpoint.pool();
        let busy = self.0.get(&key).is_some_and(|moving| !moving.is_finished());
        let (client, inputs) = (client.clone(), inputs.clone());
        let task = tasks.spawn(async move {
            let moved = if busy { still_moving(&endpoint, verb) } else { moved(&client, &endpoint, verb).await };
            // The loop is gone only when the session ends.
            let _ = inputs.send(Input::ModelMoved(moved)).await;
        });
        if !busy {
            self.0.insert(key, task);
        }
    }
}

async fn moved(client: &Client, endpoint: &Endpoint, verb: ModelVerb) -> ModelMoved {
    let done = match verb {
        ModelVerb::Load => load(client, endpoint).await.map(|()| None),
        ModelVerb::Unload => unload(client, endpoint).await,
    };
    let (held, failed) = match done {
        Ok(held) => (held, None),
        Err(failure) => (None, Some(failure.message)),
    };
    ModelMoved { endpoint: endpoint.name.clone(), verb, failed, held }
}

fn still_moving(endpoint: &Endpoint, verb: ModelVerb) -> ModelMoved {
    let why = format!(
        "The model of {} was not to be {}ed: its server is busy loading or unloading it. Wait until that is done.",
        endpoint.title(),
        verb.word()
    );
    ModelMoved { endpoint: endpoint.name.clone(), verb, failed: Some(CleanText::new(&why)), held: None }
}
