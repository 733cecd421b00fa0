//! Reads a journal, also one that is being written.
//!
//! Not here: what records mean. Invariants: a line of any length or content never panics and takes at most [`MAX_LINE`]
//! bytes of memory; a last line without an end is not damage but a write still under way (or one that a crash cut off).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::parts::{self, Closed, Opened, PartHeader};
use super::{JournalError, own};
use crate::domain::protocol::{Counted, Header, Micros, Record, RecordError};
use crate::domain::state::State;

/// The longest line a journal may have, in bytes: a plan answer reaches the journal whole but capped far below this.
pub const MAX_LINE: usize = 8 << 20;

/// Bytes asked of the kernel at once: with 256 KiB the calls cost nothing beside decoding.
pub(super) const BLOCK: usize = 256 * 1024;

/// Below this many bytes a search reads on rather than halve again.
pub(super) const NEAR: u64 = 64 * 1024;

/// A journal, record by record, over all its parts. As an iterator it ends at the present end; asked again later it goes
/// on with what was written since, in whichever part. After an error it ends for good.
pub struct Reader {
    /// The open part.
    path: PathBuf,
    /// The part that is read.
    part: PathBuf,
    place: Place,
    /// Where the part's first byte stands in the whole story.
    base: u64,
    file: BufReader<File>,
    header: Header,
    line: Vec<u8>,
    /// Where `line` begins in the whole story.
    offset: u64,
    /// Records below this are left out.
    from: u64,
    last_seq: Option<u64>,
    unknown: u64,
    failed: bool,
    /// `line` was only looked at and is done with.
    looked: bool,
}

/// Which part is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// One that has its end.
    Closed,
    /// The one that is, or was a moment ago, written.
    Open,
}

/// What is at the end of what was read.
enum Next {
    /// Something may be; look again.
    Look,
    /// Nothing yet.
    None,
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
    /// Opens a journal by its open part, at its first record.
    ///
    /// # Errors
    /// [`JournalError::Header`], [`JournalError::Newer`], [`JournalError::Parts`], or what the system refused.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_part(path, |_| true)
    }

    /// Opens a journal at the first record with `seq` or more, by halving: no index is needed.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_from(path: &Path, seq: u64) -> Result<Self, JournalError> {
        let mut reader = Self::open_part(path, |part| part.first_seq > seq)?;
        reader.halve(|line| seq_of(line).map(|found| found <= seq))?;
        reader.from = seq;
        Ok(reader)
    }

    /// Opens a journal at the byte where a line begins, counted over all parts, as [`super::Writer::append`] told it. Where
    /// one part ends and the next begins, that is the next one's first record.
    pub(super) fn open_at(path: &Path, offset: u64) -> Result<Self, JournalError> {
        let mut reader = Self::open_part(path, |part| part.start > offset)?;
        if offset > reader.base {
            reader.go(offset)?;
        }
        Ok(reader)
    }

    /// Opens a journal behind a record, whose state is at hand: the next one has to follow it. At the beginning for none.
    pub(super) fn open_after(path: &Path, place: super::checkpoint::Place, seq: u64) -> Result<Self, JournalError> {
        if seq == 0 {
            return Self::open(path);
        }
        let mut reader = Self::open_at(path, place.offset)?;
        reader.last_seq = Some(seq);
        Ok(reader)
    }

    /// Opens a journal at its newest checkpoint, with what was true there; at its beginning where there is none. Of what
    /// stands before it, it was looked whether the parts are as long as they should be and end in that record: damage in
    /// the middle of it shows to who reads that.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_late(path: &Path) -> Result<(State, Self), JournalError> {
        match super::checkpoint::newest(path) {
            Some(loaded) => {
                let reader = Self::open_after(path, loaded.place, loaded.state.seq)?;
                Ok((loaded.state, reader))
            }
            None => Ok((State::default(), Self::open(path)?)),
        }
    }

    /// The number of the last record read, also of one that was skipped.
    pub fn last_seq(&self) -> Option<u64> {
        self.last_seq
    }

    /// Opens the last part that does not stand too far.
    pub(super) fn open_part(path: &Path, too_far: impl Fn(&PartHeader) -> bool) -> Result<Self, JournalError> {
        let Opened { file, head, head_bytes } = parts::open(path)?;
        let far = head.start > 0 && too_far(&head);
        let mut reader = Self {
            path: path.to_path_buf(),
            part: path.to_path_buf(),
            place: Place::Open,
            base: head.start,
            file,
            offset: head.start + head_bytes,
            header: head.header,
            line: Vec::new(),
            from: 0,
            last_seq: None,
            unknown: 0,
            failed: false,
            looked: false,
        };
        if far {
            let closed = parts::closed_before(parts::folder_of(path), head.start)?;
            let header = &reader.header;
            let near = |part: &&Closed| {
                let Closed { first_seq, start, .. } = **part;
                start == 0 || !too_far(&PartHeader { header: header.clone(), first_seq, start })
            };
            let start = closed.iter().rev().find(near).map_or(0, |part| part.start);
            reader.enter(start)?;
        }
        Ok(reader)
    }

    /// Goes to the part that begins at `start`.
    fn enter(&mut self, start: u64) -> Result<(), JournalError> {
        let folder = parts::folder_of(&self.path);
        let fail = |why: String| JournalError::Parts { folder: folder.to_path_buf(), why };
        // Between the two looks the open part may be closed; then it is found at the next try.
        for _ in 0..3 {
            let open = parts::open(&self.path)?;
            let (part, place, opened) = if open.head.start == start {
                (self.path.clone(), Place::Open, open)
            } else {
                let closed = parts::closed_before(folder, open.head.start)?;
                let Some(closed) = closed.into_iter().find(|part| part.start == start) else { continue };
                let opened = parts::open(&closed.path)?;
                if (opened.head.start, opened.head.first_seq) != (closed.start, closed.first_seq) {
                    return Err(fail(format!("{} is not what its name says", closed.path.display())));
                }
                (closed.path, Place::Closed, opened)
            };
            if let Some(last) = self.last_seq
                && last.checked_add(1) != Some(opened.head.first_seq)
            {
                let first = opened.head.first_seq;
                return Err(fail(format!("{} begins with record {first} after record {last}", part.display())));
            }
            (self.part, self.place, self.base, self.file) = (part, place, start, opened.file);
            self.offset = start + opened.head_bytes;
            return Ok(());
        }
        Err(fail(format!("none begins at byte {start} of the whole")))
    }

    /// At the end of what is there: goes on to the next part, if there is one.
    fn turn_over(&mut self) -> Result<Next, JournalError> {
        match self.place {
            Place::Open if parts::is_still(&self.path, self.file.get_ref()) => Ok(Next::None),
            Place::Open => {
                // It was closed since; what was written before that may not have been read yet.
                self.place = Place::Closed;
                Ok(Next::Look)
            }
            Place::Closed if self.line.is_empty() => {
                self.enter(self.offset)?;
                Ok(Next::Look)
            }
            Place::Closed => Err(self.damaged("its end is missing".into())),
        }
    }

    /// Moves within the part to a line for which `before` holds, not far from the last such; it is asked of whole lines
    /// and says none of a line it can't judge.
    pub(super) fn halve(&mut self, before: impl Fn(&[u8]) -> Option<bool>) -> Result<(), JournalError> {
        let low = self.halved(before).map_err(|e| JournalError::io("read", &self.part, e))?;
        self.go(low)
    }

    fn halved(&mut self, before: impl Fn(&[u8]) -> Option<bool>) -> io::Result<u64> {
        let mut low = self.offset - self.base;
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
            match before(&line) {
                Some(true) if whole => low = start,
                // Too far; or no line, or one only a full read can judge: keep to what stands before it.
                _ => high = middle,
            }
        }
        Ok(self.base + low)
    }

    /// Goes to a line of this part.
    fn go(&mut self, offset: u64) -> Result<(), JournalError> {
        let within = SeekFrom::Start(offset.saturating_sub(self.base));
        self.file.seek(within).map_err(|e| JournalError::io("read", &self.part, e))?;
        self.offset = offset;
        Ok(())
    }

    /// Where the next line begins, counted over all parts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Looks at the next line without decoding it; none at the present end. For searches through many lines.
    pub(super) fn look(&mut self) -> Result<Option<(u64, &[u8])>, JournalError> {
        let line = self.next_line()?;
        if !line {
            return Ok(None);
        }
        let start = self.offset;
        self.offset += self.line.len() as u64;
        self.looked = true;
        Ok(Some((start, &self.line)))
    }

    /// The header of the open part: who wrote last.
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

    /// The next record and the byte offset of its line over all parts; none at the present end.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], or what the system refused.
    pub fn read(&mut self) -> Result<Option<(u64, Record)>, JournalError> {
        self.read_as(Record::from_json, |record| record.seq)
    }

    /// The same, of outputs only how much they say: for folds.
    pub(super) fn read_counted(&mut self) -> Result<Option<(u64, Counted)>, JournalError> {
        self.read_as(Counted::from_json, Counted::seq)
    }

    fn read_as<T>(
        &mut self,
        from_json: impl Fn(&str) -> Result<T, RecordError>,
        seq: impl Fn(&T) -> u64,
    ) -> Result<Option<(u64, T)>, JournalError> {
        if self.failed {
            return Ok(None);
        }
        let outcome = self.step(from_json, seq);
        self.failed = outcome.is_err();
        outcome
    }

    /// Fills `line` with the next whole line. False: there is none yet.
    fn next_line(&mut self) -> Result<bool, JournalError> {
        if std::mem::take(&mut self.looked) {
            self.line.clear();
        }
        loop {
            match fill(&mut self.file, &mut self.line).map_err(|e| JournalError::io("read", &self.part, e))? {
                LineEnd::Whole => return Ok(true),
                LineEnd::NotYet => match self.turn_over()? {
                    Next::Look => {}
                    Next::None => return Ok(false),
                },
                LineEnd::Never => return Err(self.damaged(format!("it is longer than {MAX_LINE} bytes"))),
            }
        }
    }

    fn step<T>(
        &mut self,
        from_json: impl Fn(&str) -> Result<T, RecordError>,
        seq: impl Fn(&T) -> u64,
    ) -> Result<Option<(u64, T)>, JournalError> {
        while self.next_line()? {
            let start = self.offset;
            let skip = self.from > 0 && seq_of(&self.line).is_some_and(|seq| seq < self.from);
            let decoded = if skip { None } else { self.decode(&from_json, &seq)? };
            self.offset += self.line.len() as u64;
            self.line.clear();
            if let Some(record) = decoded {
                return Ok(Some((start, record)));
            }
        }
        Ok(None)
    }

    /// The record in `line`; none when it is skipped.
    fn decode<T>(
        &mut self,
        from_json: impl Fn(&str) -> Result<T, RecordError>,
        seq: impl Fn(&T) -> u64,
    ) -> Result<Option<T>, JournalError> {
        let text = std::str::from_utf8(&self.line).map_err(|e| self.damaged(e.to_string()))?;
        let (seq, record) = match from_json(text) {
            Ok(record) => (seq(&record), Some(record)),
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
        Ok(record.filter(|_| seq >= self.from))
    }

    /// Damage at `offset`. The line's number is counted only now, so that reading need not.
    fn damaged(&self, why: String) -> JournalError {
        let line = line_at(&self.part, self.offset.saturating_sub(self.base));
        JournalError::Damaged { path: self.part.clone(), line, why }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map(|found| found.map(|(_, record)| record)).transpose()
    }
}

/// How reading a line ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// With a line end.
    Whole,
    /// At the end of the file.
    NotYet,
    /// It is too long.
    Never,
}

/// Reads on to the next line end, its byte included.
pub(super) fn fill(file: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<LineEnd> {
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
pub(super) fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// The session time of a record without decoding it.
pub(super) fn time_of(line: &[u8]) -> Option<Micros> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = rest[digits..].strip_prefix(b",\"at\":")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok().map(Micros)
}

/// The number of the line that begins at `offset`, from 1; 0 when the file can't be read any more.
fn line_at(path: &Path, offset: u64) -> u64 {
    let Ok(file) = own::read(path) else { return 0 };
    let mut file = BufReader::with_capacity(BLOCK, file.take(offset));
    let mut line = 1;
    while let Ok(n @ 1..) = file.skip_until(b'\n') {
        line += u64::from(n > 0);
    }
    line
}
