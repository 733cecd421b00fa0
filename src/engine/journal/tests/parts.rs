//! Journals of several parts: closed while they are written and read, killed around it, with parts missing or strange.

use super::*;
use crate::engine::journal::parts;

/// Small enough that a short story has many parts.
const SMALL: u64 = 700;

fn written(root: &Path, records: &[Record], part_bytes: u64) -> (PathBuf, Vec<u64>) {
    let folder = Sessions::new(root).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0.1.0").unwrap().with_part_bytes(part_bytes);
    let mut offsets = Vec::new();
    for record in records {
        offsets.push(writer.append(record).unwrap());
        writer.commit().unwrap();
    }
    (writer.path().to_path_buf(), offsets)
}

fn closed(journal: &Path) -> Vec<PathBuf> {
    let parts = parts::closed_before(journal.parent().unwrap(), u64::MAX).unwrap();
    parts.into_iter().map(|part| part.path).collect()
}

#[test]
fn a_journal_of_many_parts_is_one_story_and_each_part_is_lines_of_json() {
    let root = tempfile::tempdir().unwrap();
    let records = story(120);
    let (path, offsets) = written(root.path(), &records, SMALL);
    let parts = closed(&path);
    assert!(parts.len() > 8, "{parts:?}");
    assert_eq!(parts[0].file_name().unwrap(), "journal-000000000001-0000000000000.jsonl");
    assert_eq!(Journal::read_all(&path).unwrap().records, records);
    let (mut whole, mut seqs) = (Vec::new(), Vec::new());
    for part in parts.iter().chain([&path]) {
        let bytes = std::fs::read(part).unwrap();
        let mut lines = bytes.split_inclusive(|b| *b == b'\n').map(|l| serde_json::from_slice(l).unwrap());
        let head: serde_json::Value = lines.next().unwrap();
        assert_eq!(head["baton_journal"], FORMAT);
        assert_eq!(head["session"], "s");
        let start = head.get("start").map_or(0, |s| s.as_u64().unwrap());
        assert_eq!(start, whole.len() as u64, "it says where it stands");
        let inside: Vec<u64> = lines.map(|l: serde_json::Value| l["seq"].as_u64().unwrap()).collect();
        if let Some(first) = inside.first() {
            assert_eq!(head.get("first_seq").map_or(1, |s| s.as_u64().unwrap()), *first);
        }
        seqs.extend(inside);
        assert_eq!(std::fs::metadata(part).unwrap().permissions().mode() & 0o777, 0o600);
        whole.extend(bytes);
    }
    assert_eq!(seqs, (1..=120).collect::<Vec<_>>());
    for (record, offset) in records.iter().zip(&offsets) {
        assert!(whole[*offset as usize..].starts_with(serde_json::to_string(record).unwrap().as_bytes()));
        let (at, found) = Reader::open_at(&path, *offset).unwrap().read().unwrap().unwrap();
        assert_eq!((at, &found), (*offset, record));
        let from: Vec<Record> = Reader::open_from(&path, record.seq).unwrap().map(Result::unwrap).collect();
        assert_eq!(from, records[record.seq as usize - 1..]);
    }
    let listed = Sessions::new(root.path()).list().unwrap();
    assert_eq!(listed[0].bytes, whole.len() as u64, "the list counts all parts");
}

#[test]
fn killed_at_any_step_and_byte_of_closing_a_part_nothing_is_lost_and_nothing_twice() {
    let records = story(20);
    let (before, after) = records.split_at(9);
    let made = tempfile::tempdir().unwrap();
    let (one, _) = written(made.path(), before, u64::MAX);
    let old = std::fs::read(&one).unwrap();
    let (head, start) = (parts::open(&one).unwrap().head, old.len() as u64);
    let next = parts::PartHeader { header: head.header.clone(), first_seq: 10, start };
    let header = next.line().unwrap();
    // Bytes of the next part written under its first name; whether the open part has its second name; whether the next
    // one took its place, and with how many bytes of the records that follow.
    let mut killed: Vec<(usize, bool, Option<usize>)> = (0..=header.len()).map(|bytes| (bytes, false, None)).collect();
    killed.push((header.len(), true, None));
    let lines: Vec<u8> = after.iter().flat_map(|r| (serde_json::to_string(r).unwrap() + "\n").into_bytes()).collect();
    killed.extend((0..=lines.len()).map(|bytes| (header.len(), true, Some(bytes))));
    for (bytes, linked, switched) in killed {
        let at = format!("{bytes} bytes, linked {linked}, switched {switched:?}");
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s/journal.jsonl");
        std::fs::create_dir(root.path().join("s")).unwrap();
        std::fs::write(&path, &old).unwrap();
        std::fs::write(path.with_file_name("journal.next"), &header[..bytes]).unwrap();
        if linked {
            let open = std::fs::File::open(&path).unwrap();
            parts::link(&path, &open, &path.with_file_name(parts::closed_name(1, 0))).unwrap();
        }
        let mut whole = before.to_vec();
        if let Some(more) = switched {
            parts::switch(&path).unwrap();
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(&lines[..more]).unwrap();
            whole.extend(after[..lines[..more].iter().filter(|b| **b == b'\n').count()].to_vec());
        }
        assert_eq!(Journal::read_all(&path).unwrap().records, whole, "a reader sees it all: {at}");
        let mut writer = resume(root.path()).unwrap().writer.with_part_bytes(SMALL);
        assert_eq!(Journal::read_all(&path).unwrap().records, whole, "after it was taken up: {at}");
        assert!(!path.with_file_name("journal.next").exists());
        assert_eq!(closed(&path).len(), usize::from(switched.is_some()), "{at}");
        for record in &records[whole.len()..] {
            writer.append(record).unwrap();
            writer.commit().unwrap();
        }
        drop(writer);
        assert_eq!(Journal::read_all(&path).unwrap().records, records, "and gone on with: {at}");
    }
}

#[test]
fn a_reader_follows_a_journal_through_its_parts_as_they_are_closed() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(SMALL);
    let path = writer.path().to_path_buf();
    let mut near = Reader::open(&path).unwrap();
    let mut far = Reader::open(&path).unwrap();
    let records = story(200);
    for record in &records {
        writer.append(record).unwrap();
        writer.commit().unwrap();
        assert_eq!(near.read().unwrap().unwrap().1, *record);
        assert!(near.read().unwrap().is_none());
        if record.seq % 67 == 0 {
            assert!(far.by_ref().map(Result::unwrap).count() > 60, "one that lags finds what was closed meanwhile");
        }
    }
    let late: Vec<Record> = far.map(Result::unwrap).collect();
    assert_eq!(late, records[134..]);
}

#[test]
fn readers_on_other_threads_miss_nothing_while_parts_are_closed() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(4_000);
    let path = writer.path().to_path_buf();
    let records = story(3_000);
    std::thread::scope(|scope| {
        for reader in 0..2 {
            let (path, records) = (&path, &records);
            scope.spawn(move || {
                let mut open = Reader::open(path).unwrap();
                let mut seen = 0;
                while seen < records.len() {
                    let Some((_, record)) = open.read().unwrap() else {
                        std::thread::yield_now();
                        if reader == 1 {
                            // One that comes back each time, as a viewer that lags does.
                            open = Reader::open_from(path, seen as u64 + 1).unwrap();
                        }
                        continue;
                    };
                    assert_eq!(record, records[seen]);
                    seen += 1;
                }
            });
        }
        for record in &records {
            writer.append(record).unwrap();
            writer.commit().unwrap();
        }
    });
    assert!(closed(&path).len() > 20);
}

#[test]
fn a_missing_or_strange_part_is_told_in_words_and_nothing_is_buried() {
    let root = tempfile::tempdir().unwrap();
    let (path, _) = written(root.path(), &story(60), SMALL);
    let parts = closed(&path);
    let kept = std::fs::read(&parts[2]).unwrap();
    std::fs::remove_file(&parts[2]).unwrap();
    let error = Journal::read_all(&path).unwrap_err().to_string();
    assert!(error.contains("don't fit together") && error.contains("restore"), "{error}");
    std::fs::write(&parts[2], std::fs::read(&parts[1]).unwrap()).unwrap();
    let error = Journal::read_all(&path).unwrap_err().to_string();
    assert!(error.contains("is not what its name says"), "{error}");
    std::fs::write(&parts[2], &kept[..kept.len() - 5]).unwrap();
    let error = Journal::read_all(&path).unwrap_err().to_string();
    assert!(error.contains("its end is missing"), "{error}");
    std::fs::write(&parts[2], &kept).unwrap();
    assert_eq!(Journal::read_all(&path).unwrap().records.len(), 60);
    // An older open part put back beside newer closed ones.
    std::fs::copy(&parts[1], &path).unwrap();
    let error = resume(root.path()).err().unwrap().to_string();
    assert!(error.contains("stands after the open part"), "{error}");
    assert_eq!(closed(&path), parts, "none was removed");
}

#[test]
fn a_part_that_can_not_be_closed_goes_on_and_is_closed_later() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(SMALL);
    let path = writer.path().to_path_buf();
    // Something else has the name.
    let taken = path.with_file_name("journal-000000000001-0000000000000.jsonl");
    std::fs::create_dir(&taken).unwrap();
    let records = story(60);
    for record in &records[..30] {
        writer.append(record).unwrap();
        writer.commit().unwrap();
    }
    std::fs::remove_dir(&taken).unwrap();
    assert!(closed(&path).is_empty());
    assert_eq!(Journal::read_all(&path).unwrap().records, records[..30]);
    for record in &records[30..] {
        writer.append(record).unwrap();
        writer.commit().unwrap();
    }
    assert!(!closed(&path).is_empty());
    assert_eq!(Journal::read_all(&path).unwrap().records, records);
}

#[test]
fn a_journal_of_format_1_opens_folds_and_is_continued() {
    let text = include_str!("../../../../tests/journals/v1/journal.jsonl");
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("s/journal.jsonl");
    std::fs::create_dir(root.path().join("s")).unwrap();
    std::fs::write(&path, text).unwrap();
    let journal = Journal::read_all(&path).unwrap();
    assert_eq!((journal.header.baton_journal, journal.unknown, journal.torn), (1, 0, 0));
    assert_eq!(journal.records.len(), 43);
    let state = fold(&journal.records);
    assert_eq!(state.progress(None).done, 2);
    assert_eq!(text_of(&path, &[first_of(AttemptId(1))], Channel::Answer).unwrap().lines().last(), Some("## What"));
    let mut writer = resume(root.path()).unwrap().writer.with_part_bytes(1_000);
    for seq in 44..=60 {
        writer.append(&output(seq, 2, "more")).unwrap();
        writer.commit().unwrap();
    }
    drop(writer);
    let parts = closed(&path);
    assert!(std::fs::read_to_string(&parts[0]).unwrap().starts_with(text), "what was there is as it was");
    let found = Journal::read_all(&path).unwrap();
    assert_eq!((found.header.baton_journal, found.records.len()), (FORMAT, 60));
    assert_eq!(found.records[..43], journal.records);
}

#[test]
fn text_is_read_back_over_parts_and_an_attempt_is_found_by_halving() {
    let root = tempfile::tempdir().unwrap();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(100_000);
    let path = writer.path().to_path_buf();
    let mut store = TextStore::new(&path, 1_000);
    let (mut seq, mut said) = (0, vec![String::new(); 40]);
    let mut push = |event: Event, store: &mut TextStore| {
        seq += 1;
        let record = Arc::new(Record { seq, at: Micros(seq), event });
        let offset = writer.append(&record).unwrap();
        writer.commit().unwrap();
        store.feed(&record, offset);
    };
    // Attempts overlap: each goes on while the two after it begin.
    for attempt in 0..42u64 {
        if attempt < 40 {
            let started = serde_json::json!({"attempt": format!("a{}", attempt + 1), "task": "g1/x", "version": 1,
                "agent": "x", "endpoint": "y", "route": "primary"});
            push(Event::AttemptStarted(serde_json::from_value(started).unwrap()), &mut store);
        }
        for piece in 0..30u64 {
            let of = (attempt.saturating_sub(piece % 3)).min(39);
            let text = format!("{attempt}.{piece} {}", "y".repeat(400));
            said[of as usize].push_str(&text);
            push(output(0, of + 1, &text).event, &mut store);
        }
    }
    assert!(closed(&path).len() >= 4);
    for (i, text) in said.iter().enumerate() {
        let attempt = AttemptId(i as u64 + 1);
        assert_eq!(text_of(&path, &[first_of(attempt)], Channel::Answer).unwrap(), *text, "{attempt}");
        assert_eq!(store.text(attempt, Channel::Answer).unwrap(), *text, "{attempt}");
        let (at, _) = Reader::open_attempt(&path, attempt).unwrap().read().unwrap().unwrap();
        let begins = Reader::open(&path)
            .unwrap()
            .map(Result::unwrap)
            .position(|r| matches!(r.event, Event::AttemptStarted(ref s) if s.attempt == attempt));
        assert!(begins.is_some());
        assert!(i < 20 || at > 100_000, "it was found without reading from the beginning: {at}");
    }
    assert_eq!(text_of(&path, &[first_of(AttemptId(41))], Channel::Answer).unwrap(), "");
}

fn first_of(attempt: AttemptId) -> TurnId {
    TurnId { attempt, turn: 1 }
}
