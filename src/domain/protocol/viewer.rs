//! Who watches a session, and who has control of it.

use serde::{Deserialize, Serialize};

use super::{Role, SessionId, ViewerId};
use crate::domain::text::CleanText;

/// A console that watches: the one in the session's own process, or one that attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Its id.
    pub viewer: ViewerId,
    /// Who: the user the host found at the other end of the connection.
    pub name: CleanText,
    /// From where, as the client says: "ssh 10.0.0.7", "this machine". A label, not a proof.
    pub origin: CleanText,
    /// The most it may do: [`Role::Viewer`] never acts; [`Role::Control`] acts while it has control, or nobody has.
    pub role: Role,
}

/// A session that began as a copy of another one's past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forked {
    /// The new session.
    pub session: SessionId,
    /// Whose past it has.
    pub parent: SessionId,
    /// The last record of the parent that it has.
    pub seq: u64,
}
