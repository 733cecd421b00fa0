//! A folder for what is made or unpacked, gone with who uses it.
//!
//! Invariant: what a killed process left there goes when the next one needs a folder; what one is at work in stays.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::BundleError;

/// Where such folders are, in the state folder.
const WORKSHOP: &str = "bundles";

/// One younger than this is not swept away: its process may be about to lock it.
const YOUNG: Duration = Duration::from_secs(10);

/// A folder of one's own, removed when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    /// Held, never read: closing it releases the lock.
    _lock: File,
}

impl Scratch {
    /// Makes one below the state folder.
    ///
    /// # Errors
    /// What the system refused.
    pub(super) fn new(state: &Path) -> Result<Self, BundleError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = state.join(WORKSHOP);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&root)
            .map_err(BundleError::io("make the folder", &root))?;
        sweep(&root);
        let path = root.join(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        // A process of the same number may have left it a moment ago.
        let _ = std::fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).map_err(BundleError::io("make the folder", &path))?;
        let lock = File::create_new(path.join("lock")).map_err(BundleError::io("write in", &path))?;
        lock.try_lock().map_err(|error| BundleError::io("lock", &path)(error.into()))?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is swept away by the next one.
        let _ = std::fs::remove_dir_all(&self.path);
        let _ = self.path.parent().map(std::fs::remove_dir);
    }
}

fn sweep(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        // Not of what a link leads to.
        let meta = entry.metadata().ok().filter(std::fs::Metadata::is_dir);
        let age = meta.and_then(|meta| meta.modified().ok()?.elapsed().ok());
        if age.is_none_or(|age| age < YOUNG) {
            continue;
        }
        let free = File::open(entry.path().join("lock")).map_or(true, |lock| lock.try_lock().is_ok());
        if free {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
