//! Opening files of a session's folder: what stands there may be anything that somebody put there.
//!
//! Invariants: nothing is written through a link, so nothing outside the folder is; only regular files are opened, so a
//! fifo or a device holds nobody up; what is written is this user's, and nobody else's to write.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading, whoever's it is, also through a link: reading changes nothing.
pub(super) fn read(path: &Path) -> io::Result<File> {
    let (file, _) = open(path, OpenOptions::new().read(true), OFlags::empty())?;
    Ok(file)
}

/// Opens a regular file that is this user's alone to write, as `options` say; one that they make is.
pub(super) fn write(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let (file, meta) = open(path, options, OFlags::NOFOLLOW)?;
    alone(path, &meta)?;
    Ok(file)
}

/// Whether a folder is this user's alone to write. What others may write can become anything while it is worked with.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    alone(path, &std::fs::metadata(path)?)
}

fn alone(path: &Path, meta: &Metadata) -> io::Result<()> {
    let refused = |why: String| Err(io::Error::new(ErrorKind::PermissionDenied, why));
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return refused("it belongs to another user; copy the session's folder to have one of your own".to_owned());
    }
    if meta.mode() & 0o022 != 0 {
        return refused(format!("others may write it; `chmod -R go-w {}` mends that", path.display()));
    }
    Ok(())
}

fn open(path: &Path, options: &mut OpenOptions, links: OFlags) -> io::Result<(File, Metadata)> {
    // Without NONBLOCK the opening of a fifo waits for its other end. For regular files it means nothing.
    let flags = (links | OFlags::NONBLOCK).bits();
    let file = options.custom_flags(flags.cast_signed()).open(path).map_err(|error| {
        // What the system says of a link is another thing on each: too many levels of links, or an option it lacks.
        let is_link = !links.is_empty() && std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
        if is_link { io::Error::new(ErrorKind::InvalidInput, "it is a link, and none is followed here") } else { error }
    })?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok((file, meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, fifo) = (folder.path().join("file"), folder.path().join("link"), folder.path().join("fifo"));
        std::fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert!(read(&file).is_ok() && write(&file, OpenOptions::new().append(true)).is_ok());
        assert!(read(&link).is_ok() && read(&fifo).is_err() && read(folder.path()).is_err());
        for (path, words) in [(&link, "a link"), (&fifo, "no regular file")] {
            let refused = write(path, OpenOptions::new().read(true).write(true).create(true)).unwrap_err();
            assert!(refused.to_string().contains(words), "{refused}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }

    #[test]
    fn what_others_may_write_is_not_written() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "mine").unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(&file, 0o664);
        let refused = write(&file, OpenOptions::new().append(true)).unwrap_err();
        assert!(refused.to_string().contains("chmod -R go-w"), "{refused}");
        mode(&file, 0o644);
        assert!(write(&file, OpenOptions::new().append(true)).is_ok() && folder(parent.path()).is_ok());
        mode(parent.path(), 0o770);
        assert!(folder(parent.path()).is_err());
    }
}
