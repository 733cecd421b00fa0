//! The journal under ill treatment: killed at every byte, full disks, vanished folders, random bytes.

mod failures;
mod late;
mod parts;
mod past;
mod rethought;

use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::sync::SyncFn;
use super::writer::Disk;
use super::*;
use crate::domain::protocol::{
    AttemptId, AttemptOutput, Author, Channel, Cut, Event, FORMAT, MachineSampled, Micros, Record, ResultEdited,
    SessionOpened, TurnId,
};
use crate::domain::state::State;

fn output(seq: u64, attempt: u64, text: &str) -> Record {
    let turn = TurnId { attempt: AttemptId(attempt), turn: 1 };
    let event = AttemptOutput { turn, channel: Channel::Answer, text: text.into(), tokens: 3 };
    Record { seq, at: Micros(seq * 10), event: Event::AttemptOutput(event) }
}

fn story(n: u64) -> Vec<Record> {
    let opened = SessionOpened { wall_ms: 1, pid: 2, version: "0".into(), host: "here".into() };
    let mut records = vec![Record { seq: 1, at: Micros(0), event: Event::SessionOpened(opened) }];
    for seq in 2..=n {
        let event = match seq % 4 {
            0 => Event::SessionPaused {},
            1 => Event::MachineSampled(Box::new(MachineSampled {
                total: 100,
                used: seq,
                swap: 0,
                ..MachineSampled::default()
            })),
            2 => Event::SessionResumed {},
            _ => spoken(seq),
        };
        records.push(Record { seq, at: Micros(seq * 10), event });
    }
    records
}

fn spoken(seq: u64) -> Event {
    output(seq, 1, "naïve \"text\"\n\u{1b}[31m").event
}

fn write(root: &Path, records: &[Record]) -> PathBuf {
    let folder = Sessions::new(root).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0.1.0").unwrap();
    for record in records {
        writer.append(record).unwrap();
        writer.commit().unwrap();
    }
    writer.path().to_path_buf()
}

fn fold(records: &[Record]) -> State {
    let mut state = State::default();
    records.iter().for_each(|r| state.apply(r));
    state
}

fn resume(root: &Path) -> Result<Resumed, JournalError> {
    Writer::resume(Sessions::new(root).open(&"s".parse().unwrap())?)
}

#[test]
fn killed_at_every_byte_it_comes_back_with_every_whole_record() {
    let made = tempfile::tempdir().unwrap();
    let records = story(9);
    let bytes = std::fs::read(write(made.path(), &records)).unwrap();
    let header = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    for cut in 0..=bytes.len() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s/journal.jsonl");
        std::fs::create_dir(root.path().join("s")).unwrap();
        std::fs::write(&path, &bytes[..cut]).unwrap();
        if cut < header {
            assert!(matches!(resume(root.path()), Err(JournalError::Header { .. })), "cut at {cut}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes[..cut], "a file without a header is not touched");
            continue;
        }
        let whole = bytes[header..cut].iter().filter(|b| **b == b'\n').count();
        let end = bytes[..cut].iter().rposition(|b| *b == b'\n').unwrap() + 1;
        let Resumed { mut writer, header, torn } = resume(root.path()).unwrap();
        assert_eq!(header.session.as_str(), "s");
        assert_eq!(torn.as_ref().map_or(0, |t| t.bytes), (cut - end) as u64);
        if let Some(torn) = torn {
            assert_eq!(std::fs::read(torn.kept).unwrap(), bytes[end..cut]);
        }
        let found = Journal::read_all(&path).unwrap();
        assert_eq!(fold(&found.records), fold(&records[..whole]), "cut at {cut}");
        for record in &records[whole..] {
            writer.append(record).unwrap();
        }
        drop(writer);
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "cut at {cut}");
    }
}

#[test]
fn files_are_for_their_owner_alone_and_the_list_shows_them() {
    let root = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(root.path().join("sessions"));
    assert!(sessions.list().unwrap().is_empty());
    let folder = sessions.create(&"one".parse().unwrap()).unwrap();
    let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.path()), 0o700);
    let writer = Writer::create(folder, "0.1.0").unwrap();
    assert_eq!(mode(writer.path()), 0o600);
    assert_eq!(mode(&writer.path().with_file_name("lock")), 0o600);
    std::fs::create_dir(root.path().join("sessions/no-session")).unwrap();
    let listed = sessions.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id.as_str(), "one");
    assert_eq!(listed[0].header.as_ref().unwrap().program, "0.1.0");
    assert_eq!(listed[0].bytes, writer.committed_bytes());
}

#[test]
fn one_writer_a_session_and_no_name_leads_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(root.path());
    let id = "s".parse().unwrap();
    assert!(matches!(sessions.open(&id), Err(JournalError::Missing { .. })));
    let writer = Writer::create(sessions.create(&id).unwrap(), "0").unwrap();
    assert!(matches!(sessions.create(&id), Err(JournalError::Exists { .. })));
    let refused = sessions.open(&id).unwrap_err();
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    drop(writer);
    drop(sessions.open(&id).unwrap());
    for name in ["..", ".", ".hidden"] {
        assert!(matches!(sessions.create(&name.parse().unwrap()), Err(JournalError::Name(_))));
    }
}

#[test]
fn a_later_format_is_refused_in_words_and_an_unknown_event_counted() {
    let root = tempfile::tempdir().unwrap();
    let path = write(root.path(), &story(3));
    let text = std::fs::read_to_string(&path).unwrap();
    let later = text.replacen(&format!("\"baton_journal\":{FORMAT}"), "\"baton_journal\":99", 1);
    std::fs::write(&path, later.replace("\"program\"", "\"maker\"")).unwrap();
    let error = resume(root.path()).err().unwrap().to_string();
    assert!(error.contains("format 99") && error.contains("update Baton"), "{error}");
    let older = text.replacen(&format!("\"baton_journal\":{FORMAT}"), "\"baton_journal\":0", 1);
    std::fs::write(&path, older + "{\"seq\":4,\"at\":9,\"event\":\"viewer.waved\",\"data\":{}}\n").unwrap();
    let journal = Journal::read_all(&path).unwrap();
    assert_eq!((journal.records.len(), journal.unknown), (3, 1));
}

#[test]
fn damage_in_the_middle_is_named_by_its_line() {
    let root = tempfile::tempdir().unwrap();
    let path = write(root.path(), &story(9));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[4] = "{\"seq\":4,\"at\":4";
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.by_ref().take(3).filter(Result::is_ok).count(), 3);
    assert!(matches!(reader.next(), Some(Err(JournalError::Damaged { line: 5, .. }))));
    assert!(reader.next().is_none(), "after damage it ends");
    lines.remove(4);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let error = Journal::read_all(&path).unwrap_err().to_string();
    assert!(error.contains("line 5") && error.contains("record 5 stands after record 3"), "{error}");
}

#[test]
fn a_line_too_long_is_damage_and_takes_no_more_memory_than_the_bound() {
    let root = tempfile::tempdir().unwrap();
    let path = write(root.path(), &story(2));
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&vec![b'x'; MAX_LINE + 100]).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.by_ref().take(2).filter(Result::is_ok).count(), 2);
    assert!(matches!(reader.next(), Some(Err(JournalError::Damaged { line: 4, .. }))));
    assert!(reader.torn_bytes() <= MAX_LINE as u64 + 1);
}

#[test]
fn a_journal_is_read_while_it_is_written_even_within_a_line() {
    let root = tempfile::tempdir().unwrap();
    let records = story(5);
    let path = write(root.path(), &records[..2]);
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.by_ref().count(), 2);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    let line = serde_json::to_string(&records[2]).unwrap() + "\n";
    for byte in &line.as_bytes()[..line.len() - 1] {
        file.write_all(&[*byte]).unwrap();
        assert!(reader.next().is_none());
    }
    file.write_all(b"\n").unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), records[2]);
    assert_eq!(reader.torn_bytes(), 0);
}

#[test]
fn reading_from_a_record_finds_it_in_a_long_journal() {
    let root = tempfile::tempdir().unwrap();
    let records: Vec<Record> = (1..=3000).map(|seq| output(seq, 1, &"x".repeat((seq % 400) as usize))).collect();
    let path = write(root.path(), &records);
    assert!(std::fs::metadata(&path).unwrap().len() > 500_000);
    for seq in [0, 1, 2, 777, 1500, 2999, 3000, 3001] {
        let found: Vec<Record> = Reader::open_from(&path, seq).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, records[(seq.max(1) - 1) as usize..], "from {seq}");
    }
}

/// A disk with room for some bytes.
#[derive(Clone, Default)]
struct SmallDisk(Arc<Mutex<Small>>);

#[derive(Default)]
struct Small {
    bytes: Vec<u8>,
    room: usize,
    /// Bytes that land though the write reports an error.
    stray: usize,
    reopened: usize,
    sync_fails: bool,
}

impl Disk for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut small = self.0.lock().unwrap();
        let n = bytes.len().min(small.room).min(7);
        if n == 0 {
            let stray = small.stray.min(bytes.len());
            small.bytes.extend(&bytes[..stray]);
            return Err(ErrorKind::StorageFull.into());
        }
        small.room -= n;
        small.bytes.extend(&bytes[..n]);
        Ok(n)
    }
    fn reopen(&mut self, len: u64) -> io::Result<()> {
        let mut small = self.0.lock().unwrap();
        assert!(small.bytes.len() as u64 >= len);
        small.bytes.truncate(len as usize);
        small.reopened += 1;
        Ok(())
    }
    fn rotate(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
    fn sync(&self) -> SyncFn {
        let disk = self.clone();
        Arc::new(move || if disk.0.lock().unwrap().sync_fails { Err(ErrorKind::Other.into()) } else { Ok(()) })
    }
}

fn small(room: usize) -> (SmallDisk, Writer) {
    let disk = SmallDisk::default();
    disk.0.lock().unwrap().room = room;
    let writer = Writer::over("journal.jsonl".into(), Box::new(disk.clone()), 0, None).unwrap();
    (disk, writer)
}

#[test]
fn a_full_disk_at_every_byte_loses_nothing_once_there_is_room() {
    let records = story(6);
    let whole: Vec<u8> = records.iter().flat_map(|r| (serde_json::to_string(r).unwrap() + "\n").into_bytes()).collect();
    for room in 0..whole.len() {
        let (disk, mut writer) = small(room);
        disk.0.lock().unwrap().stray = 3;
        let mut failures = 0;
        for record in &records {
            writer.append(record).unwrap();
            if let Err(error) = writer.commit() {
                failures += 1;
                assert!(error.to_string().contains("free space"), "{error}");
            }
        }
        assert!(failures > 0);
        // What is not there whole is told whole.
        let there = disk.0.lock().unwrap().bytes[..room].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(writer.unwritten(), records[there..], "room for {room}");
        assert_eq!(writer.pending_bytes(), whole.len() - room);
        disk.0.lock().unwrap().room = usize::MAX;
        writer.commit().unwrap();
        assert_eq!(writer.pending_bytes(), 0);
        assert!(writer.unwritten().is_empty());
        assert_eq!(disk.0.lock().unwrap().bytes, whole, "room for {room}");
        assert!(disk.0.lock().unwrap().reopened > 0);
    }
}

#[test]
fn what_waits_is_bounded_and_after_a_refused_record_none_follows() {
    let (disk, mut writer) = small(0);
    let text = "x".repeat(1 << 20);
    let refused = (1..20).find(|seq| writer.append(&output(*seq, 1, &text)).is_err()).unwrap();
    assert!(writer.pending_bytes() < MAX_PENDING + (1 << 20) + 200);
    disk.0.lock().unwrap().room = usize::MAX;
    writer.commit().unwrap();
    let error = writer.append(&output(refused + 1, 1, "small")).unwrap_err();
    assert!(matches!(error, JournalError::Refused { seq, .. } if seq == refused), "{error}");
    let (_, mut writer) = small(usize::MAX);
    let long = writer.append(&output(1, 1, &"x".repeat(MAX_LINE)));
    assert!(matches!(long, Err(JournalError::TooLong { seq: 1, .. })));
    assert_eq!(writer.pending_bytes(), 0);
    assert!(matches!(writer.append(&output(2, 1, "small")), Err(JournalError::TooLong { seq: 1, .. })));
    // Nobody may take the end of such a journal for a good one.
    assert!(matches!(writer.sync_now(), Err(JournalError::TooLong { seq: 1, .. })));
}

#[test]
fn a_journal_that_something_else_cuts_is_noticed_at_the_next_sync() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap();
    writer.append(&output(1, 1, &"x".repeat(1_000))).unwrap();
    writer.sync_now().unwrap();
    std::fs::OpenOptions::new().write(true).open(writer.path()).unwrap().set_len(500).unwrap();
    writer.append(&output(2, 1, "y")).unwrap();
    let error = writer.sync_now().unwrap_err();
    assert!(error.to_string().contains("something else cut it"), "{error}");
}

#[test]
fn nothing_is_written_through_a_link_in_a_sessions_folder() {
    let root = tempfile::tempdir().unwrap();
    let (sessions, id): (_, crate::domain::protocol::SessionId) = (Sessions::new(root.path()), "s".parse().unwrap());
    drop(Writer::create(sessions.create(&id).unwrap(), "0").unwrap());
    let notes = root.path().join("notes");
    std::fs::write(&notes, "mine").unwrap();
    let lock = sessions.path(&id).unwrap().join("lock");
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&notes, &lock).unwrap();
    assert!(sessions.open(&id).unwrap_err().to_string().contains("a link"));
    std::fs::remove_file(&lock).unwrap();
    let journal = sessions.journal(&id).unwrap();
    std::fs::rename(&journal, root.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(root.path().join("elsewhere"), &journal).unwrap();
    let refused = Writer::resume(sessions.open(&id).unwrap()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(refused.contains("a link"), "{refused}");
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "mine");
}

#[tokio::test]
async fn a_barrier_waits_for_the_disk_and_a_disk_that_can_not_keep_fails_it_for_good() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap();
    writer.append(&output(1, 1, "x")).unwrap();
    writer.commit().unwrap();
    writer.barrier().await.unwrap();
    writer.barrier().await.unwrap();

    let (disk, mut writer) = small(usize::MAX);
    disk.0.lock().unwrap().sync_fails = true;
    writer.append(&output(1, 1, "x")).unwrap();
    writer.commit().unwrap();
    assert!(matches!(writer.barrier().await, Err(JournalError::Unsynced { .. })));
    disk.0.lock().unwrap().sync_fails = false;
    assert!(matches!(writer.sync_now(), Err(JournalError::Unsynced { .. })));
    assert!(matches!(writer.barrier().await, Err(JournalError::Unsynced { .. })));
}

#[test]
fn a_read_only_or_vanished_folder_is_told_with_its_path_and_mend() {
    let root = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(root.path());
    let mut writer = Writer::create(sessions.create(&"s".parse().unwrap()).unwrap(), "0").unwrap();
    std::fs::remove_dir_all(root.path().join("s")).unwrap();
    writer.append(&output(1, 1, "x")).unwrap();
    let error = writer.sync_now().unwrap_err().to_string();
    assert!(error.contains("removed") && error.contains("journal.jsonl") && error.contains("restore"), "{error}");

    let folder = root.path().join("closed");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write anywhere; then there is nothing to refuse.
    if let Err(error) = Sessions::new(&folder).create(&"s".parse().unwrap()) {
        assert!(error.to_string().contains("make it readable and writable"), "{error}");
    }
    // A file where the folder should be is refused for everybody.
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Sessions::new(&file).create(&"s".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("could not make the folder"), "{error}");
}

#[test]
fn evicted_text_reads_back_the_same() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap();
    let mut tight = TextStore::new(writer.path(), 2000);
    let mut roomy = TextStore::new(writer.path(), usize::MAX);
    for seq in 1..=4000u64 {
        let mut record = output(seq, seq % 7, &format!("{seq}é "));
        if let Event::AttemptOutput(o) = &mut record.event {
            o.turn.turn = 1 + (seq / 2000) as u32;
            o.channel = if seq % 3 == 0 { Channel::Thinking } else { Channel::Answer };
            o.text.push_str(&"x".repeat(100));
        }
        let record = Arc::new(record);
        let offset = writer.append(&record).unwrap();
        writer.commit().unwrap();
        tight.feed(&record, offset);
        roomy.feed(&record, offset);
        assert!(tight.hot_bytes() <= 2000);
    }
    for attempt in (0..=7).map(AttemptId) {
        for channel in [Channel::Thinking, Channel::Answer, Channel::ToolCall] {
            assert_eq!(tight.text(attempt, channel).unwrap(), roomy.text(attempt, channel).unwrap());
            let turn = TurnId { attempt, turn: 2 };
            assert_eq!(tight.turn_text(turn, channel).unwrap(), roomy.turn_text(turn, channel).unwrap());
        }
    }
    let cut = tight
        .cut(TurnId { attempt: AttemptId(1), turn: 1 }, Channel::Answer, Cut::Middle { head: 2, tail: 3 })
        .unwrap();
    assert!(cut.starts_with("1\n[… ") && cut.ends_with("xxx"), "{cut}");
}

#[test]
fn a_cut_keeps_whole_characters_and_says_how_much_is_missing() {
    let middle = |head, tail| Cut::Middle { head, tail };
    assert_eq!(cut_text("abcdef", middle(2, 2)), "ab\n[… 2 bytes left out …]\nef");
    assert_eq!(cut_text("éééé", middle(3, 3)), "é\n[… 4 bytes left out …]\né");
    assert_eq!(cut_text("abcdef", middle(3, 3)), "abcdef");
    assert_eq!(cut_text("abcdef", middle(u64::MAX, 9)), "abcdef");
    assert_eq!(cut_text("abcdef", Cut::Whole), "abcdef");
    assert_eq!(cut_text("ab", middle(0, 0)), "\n[… 2 bytes left out …]\n");
}

#[test]
fn a_result_put_in_by_hand_is_text_of_its_attempt_hot_and_cold() {
    let root = tempfile::tempdir().unwrap();
    let edited = ResultEdited {
        task: "g1/a".parse().unwrap(),
        attempt: AttemptId(7),
        author: Author::Baton,
        text: "what I know \u{1b}[31m".into(),
    };
    let records =
        [output(1, 3, "of a model"), Record { seq: 2, at: Micros(2), event: Event::ResultEdited(edited.clone()) }];
    let path = write(root.path(), &records);
    for limit in [0, usize::MAX] {
        let mut store = TextStore::new(&path, limit);
        let mut reader = Reader::open(&path).unwrap();
        while let Some((offset, record)) = reader.read().unwrap() {
            store.feed(&Arc::new(record), offset);
        }
        assert_eq!(store.hot_bytes() == 0, limit == 0);
        assert_eq!(store.text(AttemptId(7), Channel::Answer).unwrap(), edited.text);
        assert_eq!(store.text(AttemptId(7), Channel::Thinking).unwrap(), "");
        assert_eq!(store.text(AttemptId(3), Channel::Answer).unwrap(), "of a model");
    }
}

#[test]
fn text_that_is_not_written_yet_is_read_with_what_is() {
    let root = tempfile::tempdir().unwrap();
    let records: Vec<Record> = (1..=9).map(|seq| output(seq, 1 + seq % 2, &format!("{seq} "))).collect();
    let path = write(root.path(), &records[..4]);
    let turns = |attempt| [TurnId { attempt: AttemptId(attempt), turn: 1 }];
    // Some of what waited may be there meanwhile.
    for from in [4, 2] {
        let text = |attempt| text_with(&path, &records[from..], &turns(attempt), Channel::Answer).unwrap();
        assert_eq!((text(1), text(2)), ("2 4 6 8 ".to_owned(), "1 3 5 7 9 ".to_owned()));
    }
    assert_eq!(text_of(&path, &turns(2), Channel::Answer).unwrap(), "1 3 ");
}

#[test]
fn the_digest_is_the_published_one_however_it_is_split() {
    // Test vectors of the FNV reference.
    assert_eq!(Digest::of(""), "cbf29ce484222325");
    assert_eq!(Digest::of("a"), "af63dc4c8601ec8c");
    assert_eq!(Digest::of("foobar"), "85944171f73967e8");
    let mut split = Digest::new();
    split.update(b"foo");
    split.update(b"bar");
    assert_eq!(split.hex(), Digest::of("foobar"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(texts in proptest::collection::vec(any::<String>(), 0..40)) {
        let root = tempfile::tempdir().unwrap();
        let records: Vec<Record> = (1u64..).zip(&texts).map(|(seq, text)| output(seq, seq % 3, text)).collect();
        let path = write(root.path(), &records);
        let journal = Journal::read_all(&path).unwrap();
        prop_assert_eq!(journal.records, records);
        prop_assert_eq!((journal.unknown, journal.torn), (0, 0));
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), splice in any::<bool>()) {
        let root = tempfile::tempdir().unwrap();
        let path = write(root.path(), &story(4));
        let mut text = std::fs::read(&path).unwrap();
        if splice { text.extend(&bytes) } else { text = bytes }
        std::fs::write(&path, &text).unwrap();
        if let Ok(reader) = Reader::open(&path) {
            for found in reader { drop(found); }
        }
        if let Ok(reader) = Reader::open_from(&path, 3) {
            for found in reader { drop(found); }
        }
        drop(resume(root.path()));
    }
}
