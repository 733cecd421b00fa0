//! Where a running session is found: its socket and its key, in a folder for its owner alone.
//!
//! Invariants: nothing is removed but a socket of this user that nobody answers, and its key; the folder is this user's
//! and closed to all others, or it is not used.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::guard::Key;
use crate::domain::protocol::SessionId;

/// The longest path of a socket in bytes that every system takes: macOS has room for 104 with the end mark.
const MOST_PATH: usize = 103;

/// A socket younger than this is not swept away: its process may be about to listen.
const YOUNG: Duration = Duration::from_secs(10);

/// Why a session can't be found from outside.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Its name can't be a file's.
    #[error("{0:?} is no session's name: 1 to 64 letters, digits, '.', '_' or '-', and no dot first")]
    Name(String),
    /// The folder is not this user's own.
    #[error("{} is not a private folder of this user ({why}); remove it, or point XDG_RUNTIME_DIR to one", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The socket's path is longer than the system takes.
    #[error("the path of the socket, {}, is longer than {MOST_PATH} bytes; point XDG_RUNTIME_DIR to a shorter folder", .0.display())]
    Long(PathBuf),
    /// Something else is where the socket would be.
    #[error("{} is there and is no socket of this user; look what it is, and move it away", .0.display())]
    Occupied(PathBuf),
    /// Somebody answers there.
    #[error("another process answers on {}; `baton attach` reaches it", .0.display())]
    Answered(PathBuf),
    /// The system refused something.
    #[error("can't {what} {}: {source}; check who may write there", path.display())]
    System {
        /// What was attempted.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl PlaceError {
    fn system<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::System { what, path: path.to_path_buf(), source }
    }
}

/// Where one session is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    session: SessionId,
    folder: PathBuf,
}

/// A listening socket with its key; both are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    place: Place,
    /// The socket's inode: what another process put there since stays. None while there is no socket.
    inode: Option<u64>,
}

impl Place {
    /// The place of a session for a process whose run folder is `run`: there, or in a short folder where its path would be
    /// too long for a socket. Nothing is touched.
    ///
    /// # Errors
    /// [`PlaceError::Name`] and [`PlaceError::Long`].
    pub fn of(session: &SessionId, run: &Path) -> Result<Self, PlaceError> {
        if session.as_str().starts_with('.') {
            return Err(PlaceError::Name(session.to_string()));
        }
        let mut first = None;
        for folder in folders(run) {
            let place = Self { session: session.clone(), folder };
            if place.socket().as_os_str().len() <= MOST_PATH {
                return Ok(place);
            }
            first.get_or_insert(place.socket());
        }
        Err(PlaceError::Long(first.unwrap_or_else(|| run.to_path_buf())))
    }

    /// The sessions that may be running, newest first: those that have a socket. Whether anybody answers is not asked.
    pub fn all(run: &Path) -> Vec<Self> {
        let mut found = Vec::new();
        for folder in folders(run) {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(meta) = entry.metadata() else { continue };
                let name = entry.file_name();
                let session = name.to_str().and_then(|n| n.strip_suffix(".sock")).and_then(|n| n.parse().ok());
                if let Some(session) = session
                    && is_own_socket(&meta)
                {
                    found.push((meta.mtime(), Self { session, folder: folder.clone() }));
                }
            }
        }
        found.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| y.session.cmp(&x.session)));
        found.into_iter().map(|(_, place)| place).collect()
    }

    /// The session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.session))
    }

    /// The file with its control key.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(format!("{}.key", self.session))
    }

    /// Reads its control key.
    ///
    /// # Errors
    /// [`PlaceError::System`].
    pub fn key(&self) -> Result<String, PlaceError> {
        let path = self.key_file();
        let mut text = String::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(256).read_to_string(&mut text))
            .map_err(PlaceError::system("read", &path))?;
        Ok(text.trim().to_owned())
    }

    /// Makes the folder, clears what a process that died left behind, and listens.
    pub(super) fn listen(&self, key: &Key) -> Result<(UnixListener, Seat), PlaceError> {
        make_private(&self.folder)?;
        sweep(&self.folder);
        let socket = self.socket();
        clear(&socket)?;
        let file = self.key_file();
        // A key of a process that died with this name.
        let _ = std::fs::remove_file(&file);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut out| writeln!(out, "{}", key.reveal()))
            .map_err(PlaceError::system("write", &file))?;
        // The folder is closed to others, so nobody comes in before the mode is set.
        let listener = UnixListener::bind(&socket).map_err(PlaceError::system("listen on", &socket))?;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&socket, mode).map_err(PlaceError::system("close", &socket))?;
        listener.set_nonblocking(true).map_err(PlaceError::system("listen on", &socket))?;
        let inode = std::fs::symlink_metadata(&socket).map_err(PlaceError::system("look at", &socket))?.ino();
        Ok((listener, Seat { place: self.clone(), inode: Some(inode) }))
    }
}

impl Seat {
    /// Whether nothing is where the socket was.
    pub(super) fn is_lost(&self) -> bool {
        std::fs::symlink_metadata(self.place.socket()).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// Listens anew after the socket was lost, with the same key.
    pub(super) fn take_again(&mut self, key: &Key) -> Result<UnixListener, PlaceError> {
        // An inode may be used again: what is to come is not what was.
        self.inode = None;
        let (listener, mut seat) = self.place.listen(key)?;
        self.inode = seat.inode.take();
        Ok(listener)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let socket = self.place.socket();
        if std::fs::symlink_metadata(&socket).is_ok_and(|meta| Some(meta.ino()) == self.inode) {
            // What can't be removed is swept away by the next process.
            let _ = std::fs::remove_file(&socket);
            let _ = std::fs::remove_file(self.place.key_file());
        }
    }
}

/// The run folder, and a short one of this user's where that is too deep for a socket.
fn folders(run: &Path) -> [PathBuf; 2] {
    let short = std::env::temp_dir().join(format!("baton-{}", own_uid()));
    [run.to_path_buf(), short]
}

pub(super) fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Makes a folder for its owner alone, or closes one that is its owner's.
fn make_private(path: &Path) -> Result<(), PlaceError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(PlaceError::system("make the folder", path))?;
    let meta = std::fs::symlink_metadata(path).map_err(PlaceError::system("look at", path))?;
    let wrong = |why| PlaceError::Folder { path: path.to_path_buf(), why };
    if !meta.is_dir() {
        return Err(wrong("it is a link or a file"));
    }
    if meta.uid() != own_uid() {
        return Err(wrong("it belongs to somebody else"));
    }
    if meta.mode() & 0o077 != 0 {
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(path, mode).map_err(PlaceError::system("close", path))?;
    }
    Ok(())
}

/// Removes the sockets of this user that nobody answers, with their keys.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let old = entry.metadata().is_ok_and(|meta| {
            is_own_socket(&meta) && meta.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > YOUNG)
        });
        if old && path.extension().is_some_and(|e| e == "sock") && clear(&path).is_ok() {
            // Its session's key goes with it.
            let _ = std::fs::remove_file(path.with_extension("key"));
        }
    }
}

fn is_own_socket(meta: &std::fs::Metadata) -> bool {
    meta.file_type().is_socket() && meta.uid() == own_uid()
}

/// Removes a socket that nobody answers; refuses anything else.
fn clear(socket: &Path) -> Result<(), PlaceError> {
    let meta = match std::fs::symlink_metadata(socket) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(PlaceError::system("look at", socket)(error)),
    };
    if !is_own_socket(&meta) {
        return Err(PlaceError::Occupied(socket.to_path_buf()));
    }
    match UnixStream::connect(socket) {
        Ok(_) => Err(PlaceError::Answered(socket.to_path_buf())),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {
            match std::fs::remove_file(socket) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(PlaceError::system("remove", socket)(error)),
                _ => Ok(()),
            }
        }
        Err(error) => Err(PlaceError::system("ask who listens on", socket)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;

    fn key() -> Key {
        Key::random().unwrap()
    }

    #[test]
    fn the_socket_and_the_key_are_for_their_owner_alone_and_go_with_the_seat() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let place = Place::of(&Name::slug("s1"), &run).unwrap();
        let key = key();
        let (listener, seat) = place.listen(&key).unwrap();
        let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&run), mode(&place.socket()), mode(&place.key_file())), (0o700, 0o600, 0o600));
        assert_eq!(place.key().unwrap(), key.reveal());
        assert_eq!(Place::all(&run), std::slice::from_ref(&place));
        // One that answers is not taken away from its process.
        assert!(matches!(place.listen(&key), Err(PlaceError::Answered(_))));
        drop((listener, seat));
        assert!(!place.socket().exists() && !place.key_file().exists());
    }

    #[test]
    fn a_stale_socket_is_cleared_and_anything_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&Name::slug("s1"), folder.path()).unwrap();
        drop(UnixListener::bind(place.socket()).unwrap());
        assert!(place.socket().exists(), "a listener leaves its file behind");
        let (listener, seat) = place.listen(&key()).unwrap();
        assert!(UnixStream::connect(place.socket()).is_ok());
        drop((listener, seat));
        std::fs::write(place.socket(), "mine").unwrap();
        assert!(matches!(place.listen(&key()), Err(PlaceError::Occupied(_))));
        assert_eq!(std::fs::read_to_string(place.socket()).unwrap(), "mine");
        std::fs::remove_file(place.socket()).unwrap();
        std::os::unix::fs::symlink("elsewhere", place.socket()).unwrap();
        assert!(matches!(place.listen(&key()), Err(PlaceError::Occupied(_))), "a link is not followed");
    }

    #[test]
    fn a_folder_that_is_too_deep_gives_way_to_a_short_one_and_names_are_names() {
        let deep = PathBuf::from(format!("/{}", "x".repeat(120)));
        let place = Place::of(&Name::slug("s1"), &deep).unwrap();
        assert!(place.socket().as_os_str().len() <= MOST_PATH && !place.socket().starts_with(&deep));
        assert!(matches!(Place::of(&Name::new("..").unwrap(), &deep), Err(PlaceError::Name(_))));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let place = Place::of(&Name::slug("s1"), &folder.path().join("file")).unwrap();
        assert!(place.listen(&key()).is_err());
    }
}
