//! What a folder wants that it may not simply have, and what the operator said to it: one store for all folders.
//!
//! A project may name a server for prompts to go to, a session of before may name keys and programs. Either may have come
//! from somebody else. So each such wish is shown and approved once, for its folder and exactly as it stands; another word
//! in it is another wish. Not here: who asks (the reading of files, the taking up of a session), how it is shown.
//!
//! Invariants: what is not in the store is not approved; a store that can't be read, that is not this user's, or that is
//! damaged approves nothing; definitions are kept whole and compared whole, never by a digest that two could share.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::fleet::{Endpoint, Fleet, Nature, SecretRef, local_port};
use crate::domain::text::CleanText;

/// The store in the state folder.
const FILE: &str = "trust.json";

/// The most of the store that is read: ten thousand approvals.
const MOST_BYTES: u64 = 4 << 20;

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishKind {
    /// Prompts go to this address.
    Address,
    /// A variable's value, or what a command prints, goes along as a key.
    Key,
    /// A program is started.
    Launch,
}

/// Something a folder wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Wish {
    /// Whose wish it is: a project's folder, or the folder of all sessions.
    pub folder: PathBuf,
    /// What kind.
    pub kind: WishKind,
    /// What exactly, whole.
    pub definition: String,
}

impl Wish {
    /// What it would do, in a line that may be shown.
    pub fn words(&self) -> CleanText {
        let what = match self.kind {
            WishKind::Address => "sends prompts to",
            WishKind::Key => "sends a key along:",
            WishKind::Launch => "starts a program:",
        };
        CleanText::one_line(&format!("{what} {}", self.definition))
    }
}

/// What was approved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    path: PathBuf,
    given: Vec<Wish>,
}

/// The store as it is written.
#[derive(Serialize, Deserialize)]
struct Kept {
    baton_trust: u32,
    given: Vec<Wish>,
}

/// The store's format.
const FORMAT: u32 = 1;

impl Trust {
    /// Reads the store of a state folder. One that is not there, or not in order, approves nothing.
    pub fn read(state: &Path) -> Self {
        let path = state.join(FILE);
        let given = read(&path).unwrap_or_default();
        Self { path, given }
    }

    /// Whether exactly this was approved.
    pub fn has(&self, wish: &Wish) -> bool {
        self.given.contains(wish)
    }

    /// What was approved, for all folders.
    pub fn given(&self) -> &[Wish] {
        &self.given
    }

    /// Approves wishes, for good. Those of folders that are gone are forgotten.
    ///
    /// # Errors
    /// What the system refused; nothing is approved then.
    pub fn give(&mut self, wishes: &[Wish]) -> io::Result<()> {
        let new: Vec<Wish> = wishes.iter().filter(|wish| !self.has(wish)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        // What another process approved meanwhile stays.
        let mut given = read(&self.path).unwrap_or_default();
        given.extend(new);
        given.retain(|wish| wish.folder.exists());
        self.write(given)
    }

    /// Takes back whatever was approved for a folder. How much that was.
    ///
    /// # Errors
    /// What the system refused; all of it is approved as before then.
    pub fn take_back(&mut self, folder: &Path) -> io::Result<usize> {
        let mut given = read(&self.path).unwrap_or_default();
        let before = given.len();
        given.retain(|wish| wish.folder != folder);
        let gone = before - given.len();
        if gone > 0 {
            self.write(given)?;
        }
        Ok(gone)
    }

    fn write(&mut self, mut given: Vec<Wish>) -> io::Result<()> {
        given.sort();
        given.dedup();
        if let Some(folder) = self.path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let text = serde_json::to_vec_pretty(&Kept { baton_trust: FORMAT, given: given.clone() })?;
        let beside = self.path.with_extension(format!("new-{}", std::process::id()));
        // One that a crash left, of a process that had the same number.
        let _ = std::fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        self.given = given;
        Ok(())
    }
}

fn read(path: &Path) -> Option<Vec<Wish>> {
    let mut text = Vec::new();
    let file = open_regular(path, Links::Refused).ok()?;
    let meta = file.metadata().ok()?;
    if !is_ours_alone(&meta) {
        return None;
    }
    file.take(MOST_BYTES).read_to_end(&mut text).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    (kept.baton_trust == FORMAT).then_some(kept.given)
}

/// Whether links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// They are: the operator's own files are often links into a folder that is kept elsewhere.
    Followed,
    /// They are not: whoever made them may have them lead anywhere.
    Refused,
}

/// Opens a file that must be a regular one: a fifo or a device in its place would hold the reading up for ever.
pub(super) fn open_regular(path: &Path, links: Links) -> io::Result<std::fs::File> {
    use rustix::fs::OFlags;
    let flags = match links {
        Links::Followed => OFlags::NONBLOCK,
        Links::Refused => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

/// Whether what stands there is this user's and nobody else may write it.
pub(super) fn is_ours_alone(meta: &std::fs::Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0
}

/// An address that a project's file names for an endpoint.
pub(super) fn address(folder: &Path, name: &str, url: &str) -> Wish {
    Wish { folder: folder.to_path_buf(), kind: WishKind::Address, definition: format!("{url} (endpoint {name})") }
}

/// What a session's fleet wants, its sessions being in `sessions`: its keys, its programs, and addresses on other
/// machines. What stays on this machine with no key is nobody's harm. What `own`, the operator's own configuration, has just
/// so is left out.
pub fn wishes_of(fleet: &Fleet, own: &Fleet, sessions: &Path) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for endpoint in &fleet.endpoints {
        let mine = own.endpoint(&endpoint.name).filter(|mine| mine.url == endpoint.url);
        let mut wish = |kind, definition| wishes.push(Wish { folder: sessions.to_path_buf(), kind, definition });
        let Endpoint { name, url, .. } = endpoint;
        if mine.is_none() && endpoint.nature == Nature::Real && local_port(url).is_none() {
            wish(WishKind::Address, format!("{url} (endpoint {name})"));
        }
        if let Some(key) = endpoint.key.as_ref().filter(|key| mine.is_none_or(|mine| mine.key.as_ref() != Some(key))) {
            let from = match key {
                SecretRef::Env(variable) => format!("the variable {variable}"),
                SecretRef::Command(command) => format!("what the command `{command}` prints"),
            };
            wish(WishKind::Key, format!("{from}, to {url} (endpoint {name})"));
        }
        if let Some(launch) =
            endpoint.launch.as_ref().filter(|launch| mine.is_none_or(|m| m.launch.as_ref() != Some(launch)))
        {
            let whole = serde_json::to_string(launch).unwrap_or_default();
            wish(WishKind::Launch, format!("{whole} (endpoint {name})"));
        }
    }
    wishes.sort();
    wishes.dedup();
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(folder: &Path, url: &str) -> Wish {
        address(folder, "box", url)
    }

    #[test]
    fn what_was_approved_is_kept_word_for_word_and_can_be_taken_back() {
        let state = tempfile::tempdir().unwrap();
        let project = tempfile::tempdir().unwrap();
        let mut trust = Trust::read(state.path());
        let here = wish(project.path(), "http://box:1");
        assert!(!trust.has(&here));
        trust.give(std::slice::from_ref(&here)).unwrap();
        let again = Trust::read(state.path());
        assert!(again.has(&here));
        for other in [wish(project.path(), "http://box:2"), wish(state.path(), "http://box:1")] {
            assert!(!again.has(&other), "{other:?}");
        }
        let meta = std::fs::metadata(state.path().join(FILE)).unwrap();
        assert_eq!(meta.mode() & 0o777, 0o600);
        assert_eq!(trust.take_back(project.path()).unwrap(), 1);
        assert!(!Trust::read(state.path()).has(&here));
    }

    #[test]
    fn a_store_that_is_not_in_order_approves_nothing() {
        let state = tempfile::tempdir().unwrap();
        let project = tempfile::tempdir().unwrap();
        let here = wish(project.path(), "http://box:1");
        Trust::read(state.path()).give(std::slice::from_ref(&here)).unwrap();
        let path = state.path().join(FILE);
        let whole = std::fs::read_to_string(&path).unwrap();
        let mode = |mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o666);
        assert!(!Trust::read(state.path()).has(&here), "others may write it");
        mode(0o600);
        for damaged in [&whole[..whole.len() / 2], "", "{}", &whole.replace("\"baton_trust\": 1", "\"baton_trust\": 2")]
        {
            std::fs::write(&path, damaged).unwrap();
            assert!(!Trust::read(state.path()).has(&here), "{damaged}");
        }
        std::fs::rename(&path, state.path().join("elsewhere")).unwrap();
        std::fs::write(state.path().join("elsewhere"), &whole).unwrap();
        std::os::unix::fs::symlink(state.path().join("elsewhere"), &path).unwrap();
        assert!(!Trust::read(state.path()).has(&here), "a link");
    }
}
