//! A last line that a crash left unfinished: cut from the journal, kept aside, reported.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{JournalError, own};

/// A torn last line that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where it is kept.
    pub kept: PathBuf,
    /// How many bytes it had.
    pub bytes: u64,
}

/// Cuts what stands after the last line end. The copy is on disk before the cut is made, so a crash in between only
/// leaves a copy too many.
pub(super) fn cut_torn(folder: &Path, journal: &Path) -> Result<Option<Torn>, JournalError> {
    let fail = |what| move |e| JournalError::io(what, journal, e);
    let mut file = own::write(journal, OpenOptions::new().read(true).write(true)).map_err(fail("open"))?;
    let len = file.metadata().map_err(fail("look at"))?.len();
    let whole = last_line_end(&mut file, len).map_err(fail("read"))?;
    if whole == 0 {
        return Err(JournalError::Header { path: journal.to_path_buf(), why: "it has no whole line".into() });
    }
    if whole == len {
        return Ok(None);
    }
    let (kept, mut aside) = fresh(folder)?;
    let keep = |e| JournalError::io("write", &kept, e);
    file.seek(SeekFrom::Start(whole)).map_err(fail("read"))?;
    io::copy(&mut (&file).take(len - whole), &mut aside).map_err(keep)?;
    aside.sync_all().map_err(keep)?;
    file.set_len(whole).and_then(|()| file.sync_all()).map_err(fail("cut the torn last line of"))?;
    Ok(Some(Torn { kept, bytes: len - whole }))
}

/// The offset just after the last line end, 0 when there is none.
fn last_line_end(file: &mut File, len: u64) -> io::Result<u64> {
    let mut block = vec![0; 64 * 1024];
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|b| *b == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The first `torn-<n>.txt` that is not there yet.
fn fresh(folder: &Path) -> Result<(PathBuf, File), JournalError> {
    let mut n = 1u32;
    loop {
        let path = folder.join(format!("torn-{n}.txt"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => n += 1,
            Err(e) => return Err(JournalError::io("make", &path, e)),
        }
    }
}
