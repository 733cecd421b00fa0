//! Many addresses asked, a bounded number at once.
//!
//! Not here: where the addresses come from (configuration), what an answer means (`judge`).

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};

use super::{Found, Stranger, Whom, identify};
use crate::domain::fleet::Endpoint;
use crate::engine::providers::Client;

/// Addresses asked at once: a house full of machines is through in a few seconds, though hosts that are off cost their
/// whole time limit, and no router takes it for a flood.
pub const AT_ONCE: usize = 16;

/// An address to ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// Its base URL.
    pub url: String,
    /// The time it is given for all questions.
    pub limit: Duration,
    /// The configured endpoint whose server is there, if any: its key may be sent.
    pub endpoint: Option<Box<Endpoint>>,
}

/// An address that was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its place in what was to be asked.
    pub index: usize,
    /// The model server that is there, or what came instead.
    pub found: Result<Found, Stranger>,
}

/// Asks all of them, [`AT_ONCE`] at once, each as soon as it has its turn; they come in the order in which they answered or
/// were given up.
pub fn discover(client: &Client, addresses: Vec<Address>) -> impl Stream<Item = Asked> + '_ {
    stream::iter(addresses.into_iter().enumerate())
        .map(move |(index, address)| async move {
            let whom = match &address.endpoint {
                Some(endpoint) => Whom::Endpoint(endpoint),
                None => Whom::Address(&address.url),
            };
            Asked { index, found: identify(client, whom, address.limit).await }
        })
        .buffer_unordered(AT_ONCE)
}
