//! The journal: a session is a folder, its truth the file `journal.jsonl` in it and the closed parts before that.
//!
//! | file | what it is |
//! | --- | --- |
//! | `journal.jsonl` | the open part: a header line, then one record a line; only ever appended to |
//! | `journal-<seq>-<byte>.jsonl` | a closed part: the same, from that record and byte of the whole story on |
//! | `journal.next` | the next part while it is being made; no part of the story yet |
//! | `checkpoint-<seq>-<byte>.json` | what was true after a record, to begin there; may be deleted at any time |
//! | `checkpoint-<seq>-<byte>-on-<seq>-<byte>.json` | the same, as what changed since that one |
//! | `lock` | held (advisory) by the one process that writes; its text is that process's id |
//! | `summary.json` | what the list of sessions says of it; may be deleted at any time |
//! | `torn-<n>.txt` | a last line that a crash left unfinished, kept aside |
//!
//! Not here: what records mean ([`crate::domain::state`]) and when they are made (`engine::host`).
//!
//! Invariants: what [`Writer::commit`] returned `Ok` for survives the death of the process; what
//! [`Writer::barrier`] or [`Writer::sync_now`] returned `Ok` for survives a power cut; a line in the middle is whole.

mod checkpoint;
mod error;
mod folder;
mod fork;
mod keeper;
mod own;
mod pages;
mod parts;
mod past;
mod reader;
mod recovery;
mod search;
mod seek;
mod summary;
mod sync;
#[cfg(test)]
mod tests;
mod writer;

pub use error::JournalError;
pub use folder::{Listed, SessionFolder, Sessions};
pub use fork::{Begins, Fork, fork, fork_file};
pub use keeper::Keeper;
pub use pages::{Digest, HOT_BYTES, TextStore, cut_text, text_of, text_with};
pub use past::Past;
pub use reader::{Journal, MAX_LINE, Reader};
pub use recovery::Torn;
pub use search::{Found, Searched, Where, search};
pub use summary::{Glance, Halt, Runner, SessionSummary, Standing, TaskCounts};
pub use writer::{MAX_PENDING, PART_BYTES, Resumed, Writer};
