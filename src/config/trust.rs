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

use super::Address;
use crate::domain::fleet::{Endpoint, Fleet, Nature, Protocol, SecretRef};
use crate::domain::text::CleanText;

/// The store in the state folder.
const FILE: &str = "trust.json";

/// Held by whoever changes the store, so that of two who approve at once neither loses what they were told.
const LOCK: &str = "trust.lock";

/// The most of the store that is read, and so the most that is written: ten thousand approvals.
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
    /// What it would do, in a line that may be shown. A character that could hide or pass for another one is written as its
    /// number: what is approved is what is read here.
    pub fn words(&self) -> CleanText {
        let what = match self.kind {
            WishKind::Address => "sends prompts to",
            WishKind::Key => "sends a key along:",
            WishKind::Launch => "starts a program:",
        };
        let mut words = format!("{what} ");
        for c in self.definition.chars() {
            // Letters of other scripts are names of folders in a launch; in an address they look like those of another host.
            let plain = c == ' ' || c.is_ascii_graphic() || (self.kind == WishKind::Launch && c.is_alphanumeric());
            if plain { words.push(c) } else { words.extend(c.escape_unicode()) }
        }
        CleanText::one_line(&words)
    }
}

/// What was approved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    path: PathBuf,
    given: Vec<Wish>,
    /// Why the store that is there is not read.
    trouble: Option<String>,
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
        match read(&path) {
            Ok(given) => Self { path, given, trouble: None },
            Err(why) => Self { path, given: Vec::new(), trouble: Some(why) },
        }
    }

    /// Why nothing is approved, where a store is there that is not in order; in words, with the mend.
    pub fn trouble(&self) -> Option<String> {
        let (path, why) = (self.path.display(), self.trouble.as_ref()?);
        Some(format!(
            "{path} is not read, so nothing counts as approved: {why}; remove it, and `baton trust` asks anew"
        ))
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
    /// What the system refused, or a store that is not in order; nothing is approved then.
    pub fn give(&mut self, wishes: &[Wish]) -> io::Result<()> {
        if wishes.iter().all(|wish| self.has(wish)) {
            return Ok(());
        }
        self.change(|given| {
            given.retain(|wish| wish.folder.exists());
            given.extend_from_slice(wishes);
        })
    }

    /// Takes back whatever of what was approved is meant. How much that was.
    ///
    /// # Errors
    /// What the system refused, or a store that is not in order; all of it is approved as before then.
    pub fn take_back(&mut self, meant: impl Fn(&Wish) -> bool) -> io::Result<usize> {
        let mut gone = 0;
        self.change(|given| {
            let before = given.len();
            given.retain(|wish| !meant(wish));
            gone = before - given.len();
        })?;
        Ok(gone)
    }

    /// Changes the store as it is on disk now: what another process approved meanwhile stays.
    fn change(&mut self, change: impl FnOnce(&mut Vec<Wish>)) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags(Links::Refused));
        let lock = options.open(self.path.with_file_name(LOCK))?;
        lock.lock()?;
        let mut given = read(&self.path).map_err(|why| {
            let words = format!("{} is not in order ({why}); remove it and try again", self.path.display());
            io::Error::new(io::ErrorKind::InvalidData, words)
        })?;
        change(&mut given);
        given.sort();
        given.dedup();
        let text = serde_json::to_vec_pretty(&Kept { baton_trust: FORMAT, given: given.clone() })?;
        if text.len() as u64 > MOST_BYTES {
            let words = "more is approved than can be kept; `baton trust --revoke` in a folder takes back what is approved for it";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, words));
        }
        let beside = self.path.with_extension(format!("new-{}", std::process::id()));
        // One that a crash left, of a process that had the same number.
        let _ = std::fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        if let Err(error) = written.and_then(|()| std::fs::rename(&beside, &self.path)) {
            let _ = std::fs::remove_file(&beside);
            return Err(error);
        }
        (self.given, self.trouble) = (given, None);
        Ok(())
    }
}

/// What a store approves; else why it is not in order.
fn read(path: &Path) -> Result<Vec<Wish>, String> {
    let mut text = Vec::new();
    let file = match open_regular(path, Links::Refused) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(|error| error.to_string())?,
    };
    if let Some(alien) = file.metadata().map_err(|error| error.to_string())?.alien() {
        return Err(alien.words().to_owned());
    }
    file.take(MOST_BYTES + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("it is longer than {MOST_BYTES} bytes"));
    }
    let kept: Kept = serde_json::from_slice(&text).map_err(|error| format!("it is damaged ({error})"))?;
    if kept.baton_trust != FORMAT {
        return Err(format!("it is of another format ({}) than this Baton writes", kept.baton_trust));
    }
    Ok(kept.given)
}

/// Whether links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// They are: the operator's own files are often links into a folder that is kept elsewhere.
    Followed,
    /// They are not: whoever made them may have them lead anywhere.
    Refused,
}

fn flags(links: Links) -> i32 {
    use rustix::fs::OFlags;
    let flags = match links {
        Links::Followed => OFlags::NONBLOCK,
        Links::Refused => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    flags.bits().cast_signed()
}

/// Opens a file that must be a regular one: a fifo or a device in its place would hold the reading up for ever.
pub(super) fn open_regular(path: &Path, links: Links) -> io::Result<std::fs::File> {
    let file = OpenOptions::new().read(true).custom_flags(flags(links)).open(path).map_err(|error| {
        // What the system says of a link is another thing on each: too many levels of links, or an option it lacks.
        let is_link = links == Links::Refused && std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
        if is_link { io::Error::new(io::ErrorKind::InvalidInput, Alien::Link.words()) } else { error }
    })?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

/// Why something of the file system is not taken for this user's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alien {
    /// A link: where it leads is for whoever made it to say.
    Link,
    /// It is another user's.
    Owner,
    /// Others may write it.
    Writable,
}

impl Alien {
    /// What is wrong with it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Link => "it is a link, and none is followed here",
            Self::Owner => "it belongs to another user",
            Self::Writable => "others may write it",
        }
    }

    /// How to mend it, for a folder or file at that path.
    pub fn mend(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Link => "put what it leads to in its place".to_owned(),
            Self::Owner => "copy what it is in to a folder of your own, if it is meant for you".to_owned(),
            Self::Writable => format!("`chmod -R go-w {path}`"),
        }
    }
}

/// For what is known of something in the file system.
pub(super) trait Whose {
    /// Why it is not this user's alone to write; none: it is.
    fn alien(&self) -> Option<Alien>;
}

impl Whose for std::fs::Metadata {
    fn alien(&self) -> Option<Alien> {
        if self.is_symlink() {
            Some(Alien::Link)
        } else if self.uid() != rustix::process::geteuid().as_raw() {
            Some(Alien::Owner)
        } else if self.mode() & 0o022 != 0 {
            Some(Alien::Writable)
        } else {
            None
        }
    }
}

/// An address that a project's file names for an endpoint.
pub(super) fn address(folder: &Path, name: &str, url: &str) -> Wish {
    Wish { folder: folder.to_path_buf(), kind: WishKind::Address, definition: format!("{url} (endpoint {name})") }
}

/// What a session's fleet wants, its sessions being in `sessions`: its keys, its programs, and its addresses. Left out is
/// what `own`, the operator's own configuration, has just so, and the addresses that it has or that are `asked` anyway,
/// where Baton looks for servers.
pub fn wishes_of(fleet: &Fleet, own: &Fleet, asked: &[Address], sessions: &Path) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for endpoint in &fleet.endpoints {
        let mine = own.endpoint(&endpoint.name).filter(|mine| mine.url == endpoint.url);
        let mut wish = |kind, definition| wishes.push(Wish { folder: sessions.to_path_buf(), kind, definition });
        let Endpoint { name, url, .. } = endpoint;
        let server = endpoint.pool().url;
        let known = own.endpoints.iter().any(|own| own.url == *url) || asked.iter().any(|asked| asked.url == server);
        if !known && !simulated(fleet, endpoint) {
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

/// Whether Baton's simulator takes that endpoint's place when its session is taken up, so that its address is never used.
/// It does that by the name, and has none that is a program.
fn simulated(fleet: &Fleet, endpoint: &Endpoint) -> bool {
    let alone = fleet.endpoints.iter().filter(|other| other.name == endpoint.name).count() == 1;
    alone && endpoint.nature == Nature::Simulated && endpoint.protocol != Protocol::Command
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
        assert_eq!(trust.take_back(|wish| wish.folder == project.path()).unwrap(), 1);
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
            let mut read = Trust::read(state.path());
            assert!(!read.has(&here) && read.trouble().is_some(), "{damaged}");
            // What others wrote there is not written over unasked.
            assert!(read.give(std::slice::from_ref(&here)).is_err(), "{damaged}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), *damaged);
        }
        std::fs::rename(&path, state.path().join("elsewhere")).unwrap();
        std::fs::write(state.path().join("elsewhere"), &whole).unwrap();
        std::os::unix::fs::symlink(state.path().join("elsewhere"), &path).unwrap();
        assert!(!Trust::read(state.path()).has(&here), "a link");
    }

    #[test]
    fn of_two_who_approve_at_once_neither_loses_what_they_were_told() {
        let state = tempfile::tempdir().unwrap();
        let project = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..16 {
                let (state, project) = (&state, &project);
                scope.spawn(move || {
                    Trust::read(state.path()).give(&[wish(project.path(), &format!("http://box:{n}"))]).unwrap();
                });
            }
        });
        let all = Trust::read(state.path());
        assert!((0..16).all(|n| all.has(&wish(project.path(), &format!("http://box:{n}")))), "{:?}", all.given());
    }

    #[test]
    fn more_than_can_be_read_again_is_not_written() {
        let state = tempfile::tempdir().unwrap();
        let project = tempfile::tempdir().unwrap();
        let mut trust = Trust::read(state.path());
        let here = wish(project.path(), "http://box:1");
        trust.give(std::slice::from_ref(&here)).unwrap();
        let long = wish(project.path(), &format!("http://{}:1", "x".repeat(5 << 20)));
        assert!(trust.give(&[long]).unwrap_err().to_string().contains("more is approved"));
        assert!(Trust::read(state.path()).has(&here));
    }

    #[test]
    fn what_is_shown_can_not_pass_for_something_else() {
        let folder = Path::new("/p");
        for url in
            ["http://ex\u{200b}ample.com", "http://\u{202e}moc.elpmaxe", "http://ex\u{430}mple.com", "http://a\x1b[2Kb"]
        {
            let words = wish(folder, url).words();
            assert!(words.as_str().is_ascii() && words.as_str().contains("\\u{"), "{words}");
        }
        let launch = Wish { folder: folder.into(), kind: WishKind::Launch, definition: "grün\u{200b} \u{7}".into() };
        assert_eq!(launch.words().as_str(), "starts a program: grün\\u{200b} \\u{7}");
    }
}
