//! The file this process runs, held so that it can be started again whatever became of its path.
//!
//! An update removes or replaces the file on disk while sessions run. What they start then must be what they are
//! themselves: Linux keeps the file of a running process and names it; elsewhere a second name for it (a hard link, or a
//! copy) lies in the private run folder as long as this lives. Not here: what is started. Invariant: nothing is removed
//! but names that this module made, and only of processes that are gone, or of this one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the second names begin with; the rest is the number of their process.
#[cfg(any(not(target_os = "linux"), test))]
const NAME: &str = "program-";

/// The program of this process, to be started again.
#[derive(Clone, Debug)]
pub struct OwnProgram {
    path: PathBuf,
    /// Removed with the last that has it. None: the system itself holds the file.
    _held: Option<Arc<Held>>,
}

/// A second name for this program's file.
#[derive(Debug)]
struct Held(PathBuf);

impl Drop for Held {
    fn drop(&mut self) {
        // What stays is removed by the next process.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl OwnProgram {
    /// Holds the file of this process. `run` is the user's private folder for what lives as long as a process.
    ///
    /// # Errors
    /// What the system says: there is neither room for a link nor for a copy.
    #[cfg(target_os = "linux")]
    pub fn hold(_run: &Path) -> io::Result<Self> {
        // In a child that is about to become another program this still is the file of its parent.
        let path = PathBuf::from("/proc/self/exe");
        std::fs::metadata(&path)?;
        Ok(Self { path, _held: None })
    }

    /// Holds the file of this process. `run` is the user's private folder for what lives as long as a process.
    ///
    /// # Errors
    /// What the system says: there is neither room for a link nor for a copy.
    #[cfg(not(target_os = "linux"))]
    pub fn hold(run: &Path) -> io::Result<Self> {
        Self::second_name(&std::env::current_exe()?, run)
    }

    /// A second name for a file, of this process.
    #[cfg(any(not(target_os = "linux"), test))]
    fn second_name(file: &Path, run: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        use std::sync::atomic::{AtomicU32, Ordering};

        static NEXT: AtomicU32 = AtomicU32::new(0);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(run)?;
        sweep(run);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = run.join(format!("{NAME}{}-{number}", std::process::id()));
        // Of a process of before with this number.
        let _ = std::fs::remove_file(&path);
        // Another file system takes no link; a copy keeps the permission to run it.
        std::fs::hard_link(file, &path).or_else(|_| std::fs::copy(file, &path).map(drop))?;
        Ok(Self { path: path.clone(), _held: Some(Arc::new(Held(path))) })
    }

    /// A path that starts it, in a child of this process.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl From<PathBuf> for OwnProgram {
    /// Another program in its place, by its path.
    fn from(path: PathBuf) -> Self {
        Self { path, _held: None }
    }
}

impl From<&str> for OwnProgram {
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

/// Removes the names that processes left which were killed.
#[cfg(any(not(target_os = "linux"), test))]
fn sweep(run: &Path) {
    for entry in std::fs::read_dir(run).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(NAME)?.split('-').next()?.parse().ok());
        if number.is_some_and(|number| super::process::Identity::of(number).is_none()) {
            // Another process may have done it.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_name_outlives_the_first_and_goes_with_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let (file, run) = (folder.path().join("baton"), folder.path().join("run"));
        std::fs::write(&file, "this one").unwrap();
        std::fs::create_dir(&run).unwrap();
        // The number is larger than any system gives.
        std::fs::write(run.join("program-4294967295-0"), "").unwrap();
        std::fs::write(run.join("other"), "").unwrap();
        let program = OwnProgram::second_name(&file, &run).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "another").unwrap();
        assert_eq!(std::fs::read_to_string(program.path()).unwrap(), "this one");
        let twin = program.clone();
        drop(program);
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), 2, "one of a killed process is gone, another's stays");
        drop(twin);
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), 1);
    }
}
