//! An answer whose head has come, whichever way it came.
//!
//! Not here: what its bytes mean. Invariant: dropping it closes its connection, unless that is one of the library's pool.

use hyper::body::Bytes;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Response, StatusCode};

use super::fault::Broken;
use super::wire;

/// An answer whose head has come.
pub(super) enum Reply {
    /// Over a connection of its own.
    Own(Box<wire::Answer>),
    /// Through the HTTP library.
    Library(Response),
}

impl Reply {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Own(answer) => answer.head.status,
            Self::Library(response) => response.status(),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Own(answer) => &answer.head.headers,
            Self::Library(response) => response.headers(),
        }
    }

    /// The next bytes of the body; none at its end. May be dropped while it waits and asked again.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        match self {
            Self::Own(answer) => answer.chunk().await,
            Self::Library(response) => Ok(response.chunk().await?),
        }
    }
}

/// The body, as much of it as comes, up to `most` bytes.
pub(super) async fn read(mut response: Reply, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < most
        && let Ok(Some(bytes)) = response.chunk().await
    {
        body.extend_from_slice(&bytes);
    }
    body.truncate(most);
    body
}

/// A header as text.
pub(super) fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
