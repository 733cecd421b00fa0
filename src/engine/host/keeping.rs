//! Whether what is decided reaches the journal, and what becomes of it at the session's end while it does not.
//!
//! A disk that takes nothing may take it later, so a session that has ended stays for it: what it holds is bounded by what
//! the writer takes ([`crate::engine::journal::MAX_PENDING`]). Not here: the pause of a session whose journal fails (the
//! orchestrator), and for how long the holder of the engine waits.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::run::{Host, JOURNAL_RETRY};
use super::{Answer, Asked};
use crate::domain::protocol::{Event, Record};
use crate::domain::text::CleanText;
use crate::engine::journal::JournalError;

/// What the engine's holder wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Wish {
    /// That the session goes on.
    GoesOn,
    /// That it ends, and what waits for the disk is kept.
    Ends,
    /// The same, and nothing is waited for.
    EndsNow,
}

/// Waits until so much is wished for, or nobody is left to wish.
pub(super) async fn wished(wish: &mut watch::Receiver<Wish>, least: Wish) {
    let _ = wish.wait_for(|now| *now >= least).await;
}

/// How the journal keeps what is decided.
#[derive(Clone, Debug, Default)]
pub enum Keeping {
    /// Everything is handed to the kernel.
    #[default]
    Written,
    /// The disk takes nothing now: what is decided waits in memory.
    Waits,
    /// Nothing will be kept any more: the file is gone, or was cut, or can't be made durable.
    Broken,
    /// The session has ended, and its last records wait for the disk.
    Leaves(Arc<Unwritten>),
}

/// What waits for a disk that takes nothing.
#[derive(Debug)]
pub struct Unwritten {
    /// The records, in order: the journal ends where they begin.
    pub records: Vec<Record>,
    /// Why they can't be written, and how to mend that.
    pub why: CleanText,
}

impl Unwritten {
    /// What it is, in words.
    pub fn words(&self) -> String {
        words(&self.records)
    }
}

fn words(records: &[Record]) -> String {
    let results = records.iter().filter(|record| matches!(record.event, Event::TaskCompleted { .. })).count();
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let of = match results {
        0 => "no result of a task among them".to_owned(),
        1 => "the result of 1 task".to_owned(),
        n => format!("the results of {n} tasks"),
    };
    format!("{} record{}, {of}", records.len(), plural(records.len()))
}

impl Keeping {
    /// What a session that has ended leaves in memory; waits until there is some, for ever where there is none.
    pub async fn leaves(keeping: &mut watch::Receiver<Self>) -> Arc<Unwritten> {
        loop {
            if let Self::Leaves(unwritten) = &*keeping.borrow_and_update() {
                return Arc::clone(unwritten);
            }
            if keeping.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

impl Host {
    /// Tells how the last decision was kept.
    pub(super) fn tell_keeping(&self, failure: Option<&JournalError>) {
        self.keeping.send_if_modified(|keeping| {
            let now = match failure {
                None => Keeping::Written,
                Some(error) if error.may_pass() => Keeping::Waits,
                Some(_) => Keeping::Broken,
            };
            let changed = std::mem::discriminant(keeping) != std::mem::discriminant(&now);
            *keeping = now;
            changed
        });
    }

    /// At the end: writes what waits, again and again while the disk takes nothing, until that is no longer wished for.
    pub(super) async fn keep(
        &mut self,
        commands: &mut mpsc::Receiver<Asked>,
        wish: &mut watch::Receiver<Wish>,
    ) -> Result<(), JournalError> {
        loop {
            let now = *wish.borrow_and_update() == Wish::EndsNow;
            let Err(error) = self.writer.sync_now() else { return Ok(()) };
            if !error.may_pass() {
                return Err(error);
            }
            if now {
                return Err(JournalError::Lost { what: words(&self.writer.unwritten()), why: Box::new(error) });
            }
            if !matches!(*self.keeping.borrow(), Keeping::Leaves(_)) {
                let (records, why) = (self.writer.unwritten(), CleanText::one_line(&error.to_string()));
                self.keeping.send_replace(Keeping::Leaves(Arc::new(Unwritten { records, why })));
            }
            let next = Instant::now() + JOURNAL_RETRY;
            loop {
                tokio::select! {
                    () = wished(wish, Wish::EndsNow) => break,
                    () = tokio::time::sleep_until(next) => break,
                    Some(asked) = commands.recv() => refuse(asked),
                }
            }
        }
    }
}

fn refuse(asked: Asked) {
    if let Asked::Command(_, Some(answer)) = asked {
        let words = "the session has ended; its process stays only until there is room on the disk of its journal";
        // Whoever asked may be gone.
        let _ = answer.send(Answer::Refused(CleanText::from_static(words)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{AttemptId, Micros};

    #[test]
    fn what_waits_is_counted_in_words() {
        let record = |seq, event| Record { seq, at: Micros(seq), event };
        let completed =
            |seq, task: &str| record(seq, Event::TaskCompleted { task: task.parse().unwrap(), attempt: AttemptId(1) });
        let paused = |seq| record(seq, Event::SessionPaused {});
        assert_eq!(words(&[paused(1)]), "1 record, no result of a task among them");
        assert_eq!(words(&[paused(1), completed(2, "g1/a")]), "2 records, the result of 1 task");
        let three = [completed(1, "g1/a"), paused(2), completed(3, "g1/b")];
        assert_eq!(words(&three), "3 records, the results of 2 tasks");
    }
}
