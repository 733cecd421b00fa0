//! What becomes of a journal when something dies under it: each row of "What survives" that a journal answers for.

use super::*;
use crate::domain::protocol::Header;

/// What a disk was asked to do, in order, and what it holds: in the kernel's memory, and for good.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Closed parts and the open one, as the kernel has them.
    parts: Vec<Vec<u8>>,
    /// How much of each is on disk.
    durable: Vec<usize>,
    /// Whether each write is refused, and how.
    refuses: Option<ErrorKind>,
}

impl Disk for Witness {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.0.lock().unwrap();
        if let Some(kind) = seen.refuses {
            return Err(kind.into());
        }
        if seen.parts.is_empty() {
            seen.parts.push(Vec::new());
            seen.durable.push(0);
        }
        seen.parts.last_mut().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn reopen(&mut self, len: u64) -> io::Result<()> {
        let seen = self.0.lock().unwrap();
        assert_eq!(seen.parts.last().map_or(0, Vec::len) as u64, len, "within the open part");
        Ok(())
    }
    fn rotate(&mut self, _: &str, header: &[u8]) -> io::Result<()> {
        let mut seen = self.0.lock().unwrap();
        let lens: Vec<usize> = seen.parts.iter().map(Vec::len).collect();
        assert_eq!(lens, seen.durable, "what stands before a new part is on disk, or a power cut leaves a hole");
        seen.parts.push(header.to_vec());
        seen.durable.push(header.len());
        Ok(())
    }
    fn sync(&self) -> SyncFn {
        let (disk, part) = (self.clone(), self.0.lock().unwrap().parts.len().max(1) - 1);
        Arc::new(move || {
            let mut seen = disk.0.lock().unwrap();
            if let Some(len) = seen.parts.get(part).map(Vec::len) {
                seen.durable[part] = len;
            }
            Ok(())
        })
    }
}

fn watched() -> (Witness, Writer) {
    let disk = Witness::default();
    let header = Header { baton_journal: FORMAT, program: "0".into(), session: "s".parse().unwrap() };
    let writer = Writer::over("journal.jsonl".into(), Box::new(disk.clone()), 0, None).unwrap().in_parts(header, 400);
    (disk, writer)
}

/// The records that are whole lines of what is on disk for good.
fn kept(disk: &Witness) -> Vec<Record> {
    let seen = disk.0.lock().unwrap();
    let bytes: Vec<u8> =
        seen.parts.iter().zip(&seen.durable).flat_map(|(part, durable)| part[..*durable].to_vec()).collect();
    let text = String::from_utf8(bytes).unwrap();
    text.lines().filter(|line| !line.contains("baton_journal")).map(|line| Record::from_json(line).unwrap()).collect()
}

#[tokio::test]
async fn a_power_cut_leaves_all_that_a_barrier_was_waited_for_and_never_a_hole() {
    let (disk, mut writer) = watched();
    let records = story(60);
    for record in &records {
        writer.append(record).unwrap();
        writer.commit().unwrap();
        if record.seq % 7 == 0 {
            writer.barrier().await.unwrap();
            assert!(kept(&disk).len() >= record.seq as usize);
        }
        let kept = kept(&disk);
        assert_eq!(kept, records[..kept.len()], "what is left is a beginning of the story");
    }
    assert!(disk.0.lock().unwrap().parts.len() > 5);
    drop(writer);
    assert_eq!(kept(&disk), records);
}

#[test]
fn after_kill_9_all_that_was_committed_is_there_and_what_was_not_is_not() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(500);
    let records = story(30);
    for record in &records[..29] {
        writer.append(record).unwrap();
        writer.commit().unwrap();
    }
    writer.append(&records[29]).unwrap();
    // What another process finds now is what it finds when this one is killed: nothing of it is in this one's memory.
    assert_eq!(Journal::read_all(writer.path()).unwrap().records, records[..29]);
}

#[tokio::test]
async fn while_a_disk_takes_nothing_no_answer_says_that_it_is_durable_and_all_is_written_once_it_does() {
    for (refusal, mend) in [
        (ErrorKind::StorageFull, "free space"),
        (ErrorKind::QuotaExceeded, "free space"),
        (ErrorKind::ReadOnlyFilesystem, "mount that disk writable"),
        (ErrorKind::NotFound, "restore it"),
    ] {
        let (disk, mut writer) = watched();
        let records = story(40);
        for record in &records {
            disk.0.lock().unwrap().refuses = (10..30).contains(&record.seq).then_some(refusal);
            writer.append(record).unwrap();
            let committed = writer.commit();
            if (10..30).contains(&record.seq) {
                let error = committed.unwrap_err().to_string();
                assert!(error.contains(mend), "{error}");
                let waiting = writer.barrier().await.unwrap_err();
                assert!(matches!(waiting, JournalError::Waiting { .. }), "{waiting}");
                assert!(waiting.to_string().contains("not on disk yet"), "{waiting}");
            } else {
                committed.unwrap();
                writer.barrier().await.unwrap();
            }
        }
        drop(writer);
        assert_eq!(kept(&disk), records, "{refusal:?}");
    }
}

#[test]
fn a_folder_that_vanishes_is_told_also_when_a_part_is_due_to_be_closed() {
    let root = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(root.path());
    let folder = sessions.create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(500);
    let records = story(40);
    for record in &records[..20] {
        writer.append(record).unwrap();
        writer.commit().unwrap();
    }
    let mut reader = Reader::open(writer.path()).unwrap();
    std::fs::remove_dir_all(root.path().join("s")).unwrap();
    for record in &records[20..] {
        writer.append(record).unwrap();
        // Told at once or at the next sync; never lost in silence.
        let _ = writer.commit();
    }
    let error = writer.sync_now().unwrap_err().to_string();
    assert!(error.contains("removed") && error.contains("start a new session"), "{error}");
    assert!(!root.path().join("s").exists(), "nothing is written elsewhere");
    assert!(reader.any(|read| read.is_err()), "a reader says so too, once what it has open is read");
    // Another session of that name is not touched by what the old one still wants to close.
    let other = Writer::create(sessions.create(&"s".parse().unwrap()).unwrap(), "0").unwrap();
    writer.append(&Record { seq: 41, ..records[0].clone() }).unwrap();
    let _ = writer.commit();
    drop(writer);
    assert!(Journal::read_all(other.path()).unwrap().records.is_empty());
}
