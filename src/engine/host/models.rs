//! Models moved into memory and out of it while the session runs.
//!
//! Not here: whether they may be (the orchestrator), that at one server one model moves one way at a time (`jobs`), how a
//! server is told (`engine/providers`).

use super::jobs::{Say, Unfinished, Worker};
use crate::domain::fleet::Endpoint;
use crate::domain::orchestrator::{JobEnd, News};
use crate::domain::protocol::{ModelMoved, ModelVerb};
use crate::domain::text::CleanText;
use crate::engine::providers::{Client, load, unload};

/// A model on its way.
pub(super) struct ModelMove {
    pub(super) client: Client,
    pub(super) endpoint: Endpoint,
    pub(super) verb: ModelVerb,
}

impl Worker for ModelMove {
    async fn run(&mut self, _: &Say) -> News {
        let done = match self.verb {
            ModelVerb::Load => load(&self.client, &self.endpoint).await.map(|()| None),
            ModelVerb::Unload => unload(&self.client, &self.endpoint).await,
        };
        match done {
            Ok(held) => moved(&self.endpoint, self.verb, None, held),
            Err(failure) => moved(&self.endpoint, self.verb, Some(failure.message), None),
        }
    }

    async fn unfinished(&mut self, _: &Say, why: Unfinished) -> News {
        let words = why.words(&format!("{}ing the model of {}", self.verb.word(), self.endpoint.title()));
        moved(&self.endpoint, self.verb, Some(words), None)
    }
}

fn moved(endpoint: &Endpoint, verb: ModelVerb, failed: Option<CleanText>, held: Option<u64>) -> News {
    JobEnd::Model(ModelMoved { endpoint: endpoint.name.clone(), verb, failed, held }).into()
}

/// What a second order comes to while one is carried out.
pub(super) fn still_moving(endpoint: &Endpoint, verb: ModelVerb) -> News {
    let why = format!(
        "The model of {} was not to be {}ed: its server is busy loading or unloading it. Wait until that is done.",
        endpoint.title(),
        verb.word()
    );
    moved(endpoint, verb, Some(CleanText::new(&why)), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::host::jobs::tests::{Breaks, client, end_of, endpoint, heard_of};

    #[tokio::test]
    async fn a_move_that_breaks_off_has_failed_and_says_so() {
        let moving = ModelMove { client: client(), endpoint: endpoint("http://127.0.0.1:1"), verb: ModelVerb::Unload };
        let news = heard_of(None, Breaks(moving), |_| {}).await;
        let JobEnd::Model(moved) = end_of(news) else { panic!("not a move's end") };
        assert_eq!((moved.endpoint.as_str(), moved.verb), ("t", ModelVerb::Unload));
        assert!(moved.failed.is_some_and(|why| why.contains("broke off while unloading the model of t")));
    }
}
