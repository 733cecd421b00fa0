//! What the page of a server's log asks the loop for, and what comes back.
//!
//! Not here: reading (`runtime/logs`). Invariants: lines are whole and clean; all that is told at once stays within
//! [`MOST_LINES`] and [`MOST_BYTES`], so a page that heeds them too holds a bounded text however long a server speaks.

use std::path::PathBuf;

use crate::domain::protocol::{EndpointName, ServerChanged};
use crate::domain::text::CleanText;

/// As many lines of a log are kept: a screen shows 60, and a search looks through all that are kept.
pub const MOST_LINES: usize = 2_000;

/// …and no more bytes: a server that prints whole prompts fills lines of 16 KiB.
pub const MOST_BYTES: usize = 256 * 1024;

/// A log that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// Whose.
    pub endpoint: EndpointName,
    /// The file, as [`ServerChanged::log`] names it.
    pub path: PathBuf,
}

impl LogSource {
    /// The log of a server; none where Baton did not start it.
    pub fn of(server: &ServerChanged) -> Option<Self> {
        Some(Self { endpoint: server.endpoint.clone(), path: PathBuf::from(server.log.as_ref()?) })
    }
}

/// What was read of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogNews {
    /// Whose.
    pub endpoint: EndpointName,
    /// Whole lines, oldest first.
    pub lines: Vec<CleanText>,
    /// What becomes of the lines told before.
    pub before: Before,
    /// Why there is nothing to read now; it is tried on. None again with the first lines that can be read.
    pub error: Option<CleanText>,
}

/// What becomes of the lines told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// They stay, and these come after them; the oldest go where there are too many.
    Stay,
    /// They go: these are the last there are.
    Go,
}

impl LogNews {
    /// Takes these lines into those that are kept, within the bounds.
    pub fn into_kept(self, kept: &mut Vec<CleanText>) {
        if self.before == Before::Go {
            kept.clear();
        }
        kept.extend(self.lines);
        let gone = kept.len() - within(kept);
        kept.drain(..gone);
    }
}

/// How many of the last lines are within the bounds: one at least, where there is any.
pub(crate) fn within(lines: &[CleanText]) -> usize {
    let mut bytes = 0;
    let fits = |line: &&CleanText| {
        bytes += line.len() + 1;
        bytes <= MOST_BYTES
    };
    let count = lines.iter().rev().take(MOST_LINES).take_while(fits).count();
    count.max(lines.len().min(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;

    fn news(lines: impl IntoIterator<Item = String>, before: Before) -> LogNews {
        let lines = lines.into_iter().map(CleanText::from).collect();
        LogNews { endpoint: Name::slug("a"), lines, before, error: None }
    }

    #[test]
    fn what_is_kept_is_bounded_in_lines_and_in_bytes() {
        let mut kept = Vec::new();
        news((0..1_500).map(|n| n.to_string()), Before::Go).into_kept(&mut kept);
        news((1_500..3_000).map(|n| n.to_string()), Before::Stay).into_kept(&mut kept);
        assert_eq!((kept.len(), kept[0].as_str(), kept[1_999].as_str()), (2_000, "1000", "2999"));
        news((0..40).map(|_| "x".repeat(16 * 1024 - 1)), Before::Stay).into_kept(&mut kept);
        assert_eq!(kept.len(), 16, "16 lines of 16 KiB are the most bytes");
        news(["all there is".to_owned()], Before::Go).into_kept(&mut kept);
        assert_eq!(kept.len(), 1);
        news(["y".repeat(MOST_BYTES * 2)], Before::Stay).into_kept(&mut kept);
        assert_eq!(kept.len(), 1, "a line longer than all is kept: nothing would be shown");
    }
}
