//! Says which commit this is: `baton --version` and `baton doctor` show it, so that a report of a fault names what ran.
//!
//! Not a part of the program. A build without git, or of sources that are in no repository, has no commit and says so by
//! leaving it out. Only release builds look: what tests build would otherwise be built anew after each commit.

use std::path::Path;
use std::process::Command;

/// Letters of a commit's name that are shown: ten are unique in repositories far larger than this one.
const SHOWN: usize = 10;

fn main() {
    println!("cargo::rerun-if-env-changed=BATON_COMMIT");
    // Named, so that cargo does not take every file of the package for a reason to run this again.
    println!("cargo::rerun-if-changed=src/build.rs");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let commit = std::env::var("BATON_COMMIT").ok().filter(|given| !given.is_empty());
    let commit = commit.or_else(|| packaged(Path::new(&here)));
    let commit = commit.or_else(|| release.then(|| checked_out(Path::new(&here))).flatten());
    let commit = commit.filter(|name| name.bytes().all(|b| b.is_ascii_hexdigit()));
    let commit = commit.map(|name| format!(" ({})", &name[..name.len().min(SHOWN)])).unwrap_or_default();
    println!("cargo::rustc-env=BATON_VERSION={}{commit}", env!("CARGO_PKG_VERSION"));
}

/// What `cargo publish` wrote into the package.
fn packaged(here: &Path) -> Option<String> {
    let text = std::fs::read_to_string(here.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}

/// The commit that is checked out here; none where this folder only lies in somebody else's repository.
fn checked_out(here: &Path) -> Option<String> {
    let top = git(here, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != here.canonicalize().ok()? {
        return None;
    }
    // A commit moves the branch, and switching moves HEAD; both are files, also of a worktree.
    let branch = git(here, &["symbolic-ref", "-q", "HEAD"]);
    for place in ["HEAD"].into_iter().chain(branch.as_deref()) {
        if let Some(file) = git(here, &["rev-parse", "--git-path", place]) {
            println!("cargo::rerun-if-changed={}", here.join(file).display());
        }
    }
    git(here, &["rev-parse", "HEAD"])
}

fn git(here: &Path, args: &[&str]) -> Option<String> {
    let out = Command::new("git").arg("-C").arg(here).args(args).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?.trim().to_owned();
    (out.status.success() && !text.is_empty()).then_some(text)
}
