//! What a server says: written into a file that is put aside when it is full, and read back, also as it grows.
//!
//! Raw text, as it came, but for secrets; whoever shows it cleans it. Invariants: whole lines only, so that the two
//! streams of a server don't tear each other; the files together are bounded; a log that can't be written never keeps a
//! server waiting.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::engine::providers::Redactor;

/// Files put aside beside the one that is written.
const ASIDE: usize = 3;

/// A longer line is cut in pieces; a progress bar without line ends must not fill memory.
pub(super) const LONGEST_LINE: usize = 16 * 1024;

/// The last lines kept in memory, for the words of a failure.
const RECENT: usize = 12;

/// A log that is written.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// None: it can't be written now.
    file: Option<File>,
    size: u64,
    /// A file of more bytes is put aside.
    most: u64,
    recent: VecDeque<String>,
    redactor: Redactor,
}

impl Log {
    /// A log at `path`, after what stands there already.
    pub(super) fn open(path: &Path, most: u64, redactor: Redactor) -> Self {
        let mut log = Self {
            path: path.to_owned(),
            file: None,
            size: 0,
            most: most.max(1),
            recent: VecDeque::with_capacity(RECENT),
            redactor,
        };
        log.reopen();
        log
    }

    /// A line of the server's, without its end.
    pub(super) fn line(&mut self, raw: &[u8]) {
        let text = self.redactor.text(&String::from_utf8_lossy(raw));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.write(&text);
        self.recent.push_back(text);
    }

    /// A line of Baton's own, told apart by its beginning.
    pub(super) fn mark(&mut self, words: &str) {
        let now = time::OffsetDateTime::now_utc();
        let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let words = self.redactor.text(words);
        self.write(&format!("--- baton {} {words}", now.format(&format).unwrap_or_default()));
    }

    /// A new run of the server begins: what it says is apart from what the one before said.
    pub(super) fn begin(&mut self) {
        self.recent.clear();
    }

    /// The last lines of this run.
    pub(super) fn recent(&self) -> Vec<String> {
        self.recent.iter().filter(|line| !line.trim().is_empty()).cloned().collect()
    }

    fn write(&mut self, text: &str) {
        let bytes = text.len() as u64 + 1;
        if self.size > 0 && self.size + bytes > self.most {
            self.put_aside();
        }
        if self.file.is_none() {
            self.reopen();
        }
        let Some(file) = &mut self.file else { return };
        match file.write_all(format!("{text}\n").as_bytes()) {
            Ok(()) => self.size += bytes,
            // A full disk: the line is lost, and the next one tries anew.
            Err(_) => self.file = None,
        }
    }

    fn put_aside(&mut self) {
        self.file = None;
        for number in (1..ASIDE).rev() {
            // Where there is none yet, there is nothing to move.
            let _ = std::fs::rename(aside(&self.path, number), aside(&self.path, number + 1));
        }
        if std::fs::rename(&self.path, aside(&self.path, 1)).is_err() {
            // Bounded all the same.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn reopen(&mut self) {
        self.file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).ok();
        self.size = self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
    }
}

/// The file put aside as that number; 1 is the newest.
fn aside(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Bytes of one stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// More bytes; `line` gets each line that is whole now, without its end.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = LONGEST_LINE - self.0.len();
            let part = &bytes[..bytes.len().min(room)];
            match part.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.0.extend_from_slice(&part[..end]);
                    line(self.0.strip_suffix(b"\r").unwrap_or(&self.0));
                    self.0.clear();
                    bytes = &bytes[end + 1..];
                }
                None => {
                    self.0.extend_from_slice(part);
                    bytes = &bytes[part.len()..];
                    if self.0.len() == LONGEST_LINE {
                        line(&self.0);
                        self.0.clear();
                    }
                }
            }
        }
    }

    /// The stream ended: what has no line end is a line too.
    pub(super) fn rest(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.0.is_empty() {
            line(&std::mem::take(&mut self.0));
        }
    }
}

/// Reads a server's log: first its last lines, then what comes. Blocks for as long as the disk takes.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    /// The file that is read, and which one it is.
    file: Option<(File, u64)>,
    lines: Lines,
    /// In lower case; only lines with it are told.
    wanted: Option<String>,
}

impl LogReader {
    /// A reader of the log at `path`, which need not exist yet. With `grep`, only of lines that contain it in any case.
    pub fn new(path: PathBuf, grep: Option<&str>) -> Self {
        Self { path, file: None, lines: Lines::default(), wanted: grep.map(str::to_lowercase) }
    }

    /// The last `most` lines, oldest first, from the files put aside too; what comes after them is for
    /// [`Self::more`].
    pub fn last(&mut self, most: usize) -> Vec<String> {
        let mut found = self.more();
        for number in 1..=ASIDE {
            if found.len() >= most {
                break;
            }
            let Ok(bytes) = std::fs::read(aside(&self.path, number)) else { break };
            let mut older = Vec::new();
            let mut lines = Lines::default();
            lines.feed(&bytes, |line| older.extend(self.kept(line)));
            lines.rest(|line| older.extend(self.kept(line)));
            older.append(&mut found);
            found = older;
        }
        found.split_off(found.len().saturating_sub(most))
    }

    /// The lines that came since the last call; also over the moment at which the file is put aside.
    pub fn more(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            self.read(&mut found);
            let newest = std::fs::metadata(&self.path).map(|meta| meta.ino()).ok();
            if newest.is_none() || self.file.as_ref().map(|(_, inode)| *inode) == newest {
                return found;
            }
            // What was written between the reading above and the putting aside.
            self.read(&mut found);
            let Ok(file) = File::open(&self.path) else { return found };
            let Ok(meta) = file.metadata() else { return found };
            self.file = Some((file, meta.ino()));
        }
    }

    fn read(&mut self, found: &mut Vec<String>) {
        let Some((file, _)) = &mut self.file else { return };
        let mut bytes = Vec::new();
        // What can't be read now is read at the next call.
        let _ = file.read_to_end(&mut bytes);
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(&bytes, |line| found.extend(self.kept(line)));
        self.lines = lines;
    }

    fn kept(&self, line: &[u8]) -> Option<String> {
        let line = String::from_utf8_lossy(line).into_owned();
        self.wanted.as_ref().is_none_or(|wanted| line.to_lowercase().contains(wanted)).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        let mut keep = |line: &[u8]| found.push(String::from_utf8_lossy(line).into_owned());
        bytes.chunks(piece).for_each(|part| lines.feed(part, &mut keep));
        lines.rest(&mut keep);
        found
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        for piece in 1..12 {
            assert_eq!(all(b"one\r\n\ntwo\nthree", piece), ["one", "", "two", "three"], "{piece}");
        }
        let long = vec![b'x'; LONGEST_LINE * 2 + 1];
        let lengths: Vec<usize> = all(&long, 1000).iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 1]);
    }

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let mut log = Log::open(&path, 100, Redactor::default());
        let mut reader = LogReader::new(path.clone(), None);
        let mut followed = Vec::new();
        for number in 0..200 {
            log.line(format!("line {number:04}").as_bytes());
            followed.extend(reader.more());
        }
        let expected: Vec<String> = (0..200).map(|n| format!("line {n:04}")).collect();
        assert_eq!(followed, expected, "a follower loses nothing when files are put aside");
        let mut files: Vec<(String, u64)> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap())
            .map(|e| (e.file_name().into_string().unwrap(), e.metadata().unwrap().len()))
            .collect();
        files.sort();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["server.log", "server.log.1", "server.log.2", "server.log.3"]);
        assert!(files.iter().all(|(_, size)| *size <= 100), "{files:?}");
        let last = LogReader::new(path.clone(), None).last(25);
        assert_eq!(last, expected[175..], "the last lines are read over several files");
        assert_eq!(LogReader::new(path, Some("LINE 0199")).last(5), ["line 0199"]);
    }

    #[test]
    fn a_log_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        Log::open(&path, 1000, Redactor::default()).line(b"before");
        let mut log = Log::open(&path, 1000, Redactor::default());
        log.line(b"after");
        assert_eq!(log.recent(), ["after"]);
        assert_eq!(LogReader::new(path, None).last(9), ["before", "after"]);
    }
}
