//! The word beside a journal that its process ends so that another one takes the session up at once.
//!
//! Whoever watches then waits for the other one in place of leaving. It is no record: it says something of a process, not
//! of the session. Invariant: it names the process that ends, so that it means nothing of any later one, and it is not
//! believed for long, so that nobody waits for a process that never came.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the next process is waited for: the end of the old one and the reading of a long journal.
const BELIEVED: Duration = Duration::from_secs(120);

fn file(journal: &Path) -> PathBuf {
    journal.with_file_name("restarting")
}

/// Says that the process `pid` ends and another follows. It lies there until the next time, or [`withdraw`].
///
/// # Errors
/// What the system says.
pub fn announce(journal: &Path, pid: u32) -> io::Result<()> {
    std::fs::write(file(journal), pid.to_string())
}

/// No other process follows.
pub fn withdraw(journal: &Path) {
    // What stays is not believed for long.
    let _ = std::fs::remove_file(file(journal));
}

/// Whether another process follows the process `pid`.
pub fn is_announced(journal: &Path, pid: u32) -> bool {
    let file = file(journal);
    let age = std::fs::symlink_metadata(&file).and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
    // A number has at most ten digits: nothing longer is read.
    let short = std::fs::symlink_metadata(&file).is_ok_and(|meta| meta.is_file() && meta.len() <= 10);
    short
        && age.is_some_and(|age| age < BELIEVED)
        && std::fs::read_to_string(&file).is_ok_and(|text| text.parse() == Ok(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_one_process_and_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.jsonl");
        assert!(!is_announced(&journal, 7));
        announce(&journal, 7).unwrap();
        assert!(is_announced(&journal, 7) && !is_announced(&journal, 8));
        withdraw(&journal);
        assert!(!is_announced(&journal, 7));
    }
}
