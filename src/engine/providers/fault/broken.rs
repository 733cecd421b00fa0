//! What broke at the connection, whichever library says it: in which part of a request, and in what words.

use std::error::Error;
use std::io::ErrorKind;

/// Why a request or an answer broke off at its connection.
#[derive(Clone, Debug)]
pub(in crate::engine::providers) struct Broken {
    pub(super) during: During,
    /// The words of the deepest cause.
    pub(super) words: String,
}

/// The part of a request in which it broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum During {
    /// The request could not be made at all.
    Making,
    /// Nobody listens at the address.
    Refusal,
    /// No connection was made, for another reason.
    Connecting,
    /// There was a connection.
    Answering,
}

impl Broken {
    /// No connection was made.
    pub(in crate::engine::providers) fn connecting(error: &(dyn Error + 'static)) -> Self {
        let during = if is_refused(error) { During::Refusal } else { During::Connecting };
        Self { during, words: chain(error) }
    }

    /// Nor was one in time.
    pub(in crate::engine::providers) fn late() -> Self {
        Self { during: During::Connecting, words: "operation timed out".to_owned() }
    }
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        let words = chain(&error);
        if error.is_builder() || error.is_request() && words.contains("invalid URL") {
            return Self { during: During::Making, words };
        }
        if error.is_connect() || error.is_timeout() {
            return Self::connecting(&error);
        }
        Self { during: During::Answering, words }
    }
}

impl From<hyper::Error> for Broken {
    fn from(error: hyper::Error) -> Self {
        Self { during: During::Answering, words: chain(&error) }
    }
}

/// Whether nobody listens at the address.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The last cause of an error says most ("Connection refused"); the first says on what.
pub(in crate::engine::providers) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
