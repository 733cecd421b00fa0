//! Reads a journal, also one that is being written.
//!
//! Not here: what records mean. Invariants: a line of any length or content never panics and takes at most [`MAX_LINE`]
//! bytes of memory; a last line without an end is not damage but a write still under way (or one that a crash cut off).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::JournalError;
use crate::domain::protocol::{FORMAT, Header, Record, RecordError};

/// The longest line a journal may have, in bytes: a plan answer reaches the journal whole but capped far below this.
pub const MAX_LINE: usize = 8 << 20;

/// Bytes asked of the kernel at once: with 256 KiB the calls cost nothing beside decoding.
const BLOCK: usize = 256 * 1024;

/// Below this many bytes a search reads on rather than halve again.
const NEAR: u64 = 64 * 1024;

/// A journal, record by record. As an iterator it ends at the file's present end; asked again later it goes on with what
/// was written since. After an error it ends for good.
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    line: Vec<u8>,
    /// Where `line` begins in the file.
    offset: u64,
    /// Records below this are left out.
    from: u64,
    last_seq: Option<u64>,
    unknown: u64,
    failed: bool,
}

/// A whole journal in memory: for short ones, tests and reports.
#[derive(Debug)]
pub struct Journal {
    /// Its first line.
    pub header: Header,
    /// Its records.
    pub records: Vec<Record>,
    /// How many records of a later version were skipped.
    pub unknown: u64,
    /// Bytes of a last line without an end.
    pub torn: u64,
}

impl Journal {
    /// Reads all of it.
    ///
    /// # Errors
    /// As [`Reader::open`] and [`Reader::read`].
    pub fn read_all(path: &Path) -> Result<Self, JournalError> {
        let mut reader = Reader::open(path)?;
        let mut records = Vec::new();
        while let Some((_, record)) = reader.read()? {
            records.push(record);
        }
        Ok(Self { unknown: reader.unknown(), torn: reader.torn_bytes(), header: reader.header, records })
    }
}

impl Reader {
    /// Opens a journal and reads its header.
    ///
    /// # Errors
    /// [`JournalError::Header`], [`JournalError::Newer`], or what the system refused.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        #[derive(Deserialize)]
        struct Format {
            baton_journal: u32,
        }
        let file = File::open(path).map_err(|e| JournalError::io("open", path, e))?;
        let mut file = BufReader::with_capacity(BLOCK, file);
        let mut line = Vec::new();
        let end = fill(&mut file, &mut line).map_err(|e| JournalError::io("read", path, e))?;
        let bad = |why: String| JournalError::Header { path: path.to_path_buf(), why };
        if end != LineEnd::Whole {
            return Err(bad("its first line has no end".into()));
        }
        // A later format may have changed the rest of the header, so the number is read first.
        let Format { baton_journal } = serde_json::from_slice(&line).map_err(|e| bad(e.to_string()))?;
        if baton_journal > FORMAT {
            return Err(JournalError::Newer { path: path.to_path_buf(), found: baton_journal, known: FORMAT });
        }
        let header = serde_json::from_slice(&line).map_err(|e| bad(e.to_string()))?;
        let offset = line.len() as u64;
        line.clear();
        let path = path.to_path_buf();
        Ok(Self { path, file, header, line, offset, from: 0, last_seq: None, unknown: 0, failed: false })
    }

    /// Opens a journal at the first record with `seq` or more, by halving: no index is needed.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_from(path: &Path, seq: u64) -> Result<Self, JournalError> {
        let mut reader = Self::open(path)?;
        reader.seek_near(seq).map_err(|e| JournalError::io("read", path, e))?;
        reader.from = seq;
        Ok(reader)
    }

    /// Moves to a line at or before the record, not far from it.
    fn seek_near(&mut self, seq: u64) -> io::Result<()> {
        let mut low = self.offset;
        let mut high = self.file.get_ref().metadata()?.len();
        let mut line = Vec::new();
        while high.saturating_sub(low) > NEAR {
            let middle = low + (high - low) / 2;
            self.file.seek(SeekFrom::Start(middle))?;
            line.clear();
            let skipped = fill(&mut self.file, &mut line)?;
            let start = middle + line.len() as u64;
            line.clear();
            let whole = skipped == LineEnd::Whole && fill(&mut self.file, &mut line)? == LineEnd::Whole;
            match seq_of(&line) {
                Some(found) if whole && found <= seq => low = start,
                // Too far; or no line, or one only a full read can judge: keep to what stands before it.
                _ => high = middle,
            }
        }
        self.file.seek(SeekFrom::Start(low))?;
        self.offset = low;
        Ok(())
    }

    /// Opens a journal at a byte offset where a line begins, as [`super::Writer::append`] told it.
    pub(super) fn open_at(path: &Path, offset: u64) -> Result<Self, JournalError> {
        let mut reader = Self::open(path)?;
        reader.file.seek(SeekFrom::Start(offset)).map_err(|e| JournalError::io("read", path, e))?;
        reader.offset = offset;
        Ok(reader)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many records of a later version were skipped so far.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Bytes read of a line that has no end yet; after the end of a journal nobody writes: of its torn last line.
    pub fn torn_bytes(&self) -> u64 {
        self.line.len() as u64
    }

    /// The next record and the byte offset of its line; none at the present end.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], or what the system refused.
    pub fn read(&mut self) -> Result<Option<(u64, Record)>, JournalError> {
        if self.failed {
            return Ok(None);
        }
        let outcome = self.step();
        self.failed = outcome.is_err();
        outcome
    }

    fn step(&mut self) -> Result<Option<(u64, Record)>, JournalError> {
        loop {
            match fill(&mut self.file, &mut self.line).map_err(|e| JournalError::io("read", &self.path, e))? {
                LineEnd::Whole => {}
                LineEnd::NotYet => return Ok(None),
                LineEnd::Never => return Err(self.damaged(format!("it is longer than {MAX_LINE} bytes"))),
            }
            let start = self.offset;
            let skip = self.from > 0 && seq_of(&self.line).is_some_and(|seq| seq < self.from);
            let decoded = if skip { None } else { self.decode()? };
            self.offset += self.line.len() as u64;
            self.line.clear();
            if let Some(record) = decoded {
                return Ok(Some((start, record)));
            }
        }
    }

    /// The record in `line`; none when it is skipped.
    fn decode(&mut self) -> Result<Option<Record>, JournalError> {
        let text = std::str::from_utf8(&self.line).map_err(|e| self.damaged(e.to_string()))?;
        let (seq, record) = match Record::from_json(text) {
            Ok(record) => (record.seq, Some(record)),
            Err(RecordError::Unknown { seq, .. }) => {
                self.unknown += 1;
                (seq, None)
            }
            Err(e) => return Err(self.damaged(e.to_string())),
        };
        if let Some(last) = self.last_seq
            && last.checked_add(1) != Some(seq)
        {
            return Err(self.damaged(format!("record {seq} stands after record {last}")));
        }
        self.last_seq = Some(seq);
        Ok(record.filter(|r| r.seq >= self.from))
    }

    /// Damage at `offset`. The line's number is counted only now, so that reading need not.
    fn damaged(&self, why: String) -> JournalError {
        JournalError::Damaged { path: self.path.clone(), line: line_at(&self.path, self.offset), why }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map(|found| found.map(|(_, record)| record)).transpose()
    }
}

/// How reading a line ended.
#[derive(Clone, Copy, PartialEq)]
enum LineEnd {
    /// With a line end.
    Whole,
    /// At the end of the file.
    NotYet,
    /// It is too long.
    Never,
}

/// Reads on to the next line end, its byte included.
fn fill(file: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<LineEnd> {
    let room = (MAX_LINE + 1).saturating_sub(line.len()) as u64;
    file.take(room).read_until(b'\n', line)?;
    Ok(if line.last() == Some(&b'\n') {
        LineEnd::Whole
    } else if line.len() > MAX_LINE {
        LineEnd::Never
    } else {
        LineEnd::NotYet
    })
}

/// The place of a record without decoding it; none for a line that does not begin as a record does.
fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// The number of the line that begins at `offset`, from 1; 0 when the file can't be read any more.
fn line_at(path: &Path, offset: u64) -> u64 {
    let Ok(file) = File::open(path) else { return 0 };
    let mut file = BufReader::with_capacity(BLOCK, file.take(offset));
    let mut line = 1;
    while let Ok(n @ 1..) = file.skip_until(b'\n') {
        line += u64::from(n > 0);
    }
    line
}
