//! Forks from the console: a new session with a session's past, held.

use std::sync::Arc;

use crate::config::Config;
use crate::domain::protocol::Name;
use crate::domain::text::CleanText;
use crate::engine::journal::{self, Begins, JournalError, Sessions};
use crate::interface::cli::session::stamp;
use crate::interface::tui::runtime::Forks;

/// Makes forks among the sessions of this configuration.
pub(super) fn forks(config: &Config) -> Forks {
    let sessions = Sessions::new(&config.paths.sessions);
    Arc::new(move |parent, seq| {
        let named = |name: &str| journal::fork(&sessions, parent, seq, &Name::slug(name), Begins::Held);
        let name = stamp();
        let made = match named(&name) {
            // Two sessions of one second.
            Err(JournalError::Exists { .. }) => named(&format!("{name}-{}", std::process::id())),
            made => made,
        };
        made.map(|fork| fork.session).map_err(|error| CleanText::one_line(&format!("not forked: {error}")))
    })
}
