//! The past of journals: the same as a plain fold, however it is asked for and whatever lies beside the journal.

use std::fmt::Write as _;

use super::*;

/// The recorded session, told again and again with other times and many pieces of text: long enough to have many parts
/// and states on the way.
fn long() -> Vec<Record> {
    let text = include_str!("../../../../tests/journals/v1/journal.jsonl");
    let mut records: Vec<Record> = text.lines().skip(1).map(|line| Record::from_json(line).unwrap()).collect();
    let last = records.pop().unwrap();
    let mut seq = last.seq - 1;
    for i in 0..1_500u64 {
        seq += 1;
        // Several records have the same time.
        let at = Micros(last.at.0 + i / 3 * 1_000);
        let event = match i % 50 {
            0 => Event::SessionPaused {},
            1 => Event::SessionResumed {},
            2 => Event::MachineSampled(Box::new(MachineSampled { total: 100, used: i, ..MachineSampled::default() })),
            _ => output(seq, 1 + i % 2, &"word ".repeat((i % 30) as usize)).event,
        };
        records.push(Record { seq, at, event });
    }
    records
}

fn laid_out(root: &Path, records: &[Record]) -> PathBuf {
    let folder = Sessions::new(root).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(20_000);
    for record in records {
        writer.append(record).unwrap();
        writer.commit().unwrap();
    }
    writer.path().to_path_buf()
}

fn checkpoints(journal: &Path) -> Vec<PathBuf> {
    crate::engine::journal::checkpoint::list(journal).into_iter().map(|named| named.path).collect()
}

#[test]
fn it_is_the_plain_fold_at_any_record_in_any_order() {
    let root = tempfile::tempdir().unwrap();
    let records = long();
    let path = laid_out(root.path(), &records);
    let mut states = vec![State::default()];
    for record in &records {
        let mut next = states[states.len() - 1].clone();
        next.apply(record);
        states.push(next);
    }
    // Much room and little, so that states are let go of on the way.
    for (limit, spacing) in [(usize::MAX, 3_000), (400_000, 3_000), (1, 10_000)] {
        let mut past = Past::with(&path, limit, spacing).unwrap();
        let mut seq = 7u64;
        for _ in 0..250 {
            seq = (seq * 7_919 + 13) % (records.len() as u64 + 3);
            let expected = &states[(seq as usize).min(records.len())];
            if seq.is_multiple_of(3) {
                assert_eq!(&past.state_at(seq).unwrap(), expected, "given away at {seq} with {limit}");
            } else {
                assert_eq!(past.see(seq).unwrap(), expected, "at {seq} with {limit}");
            }
        }
        assert_eq!(past.end().unwrap(), (records.len() as u64, records[records.len() - 1].at));
        for at in [0, 1, 1_737, 900_000, records[700].at.0, records[700].at.0 + 1, u64::MAX] {
            let expected = records.iter().rfind(|r| r.at <= Micros(at)).map_or(0, |r| r.seq);
            assert_eq!(past.seq_at(Micros(at)).unwrap(), expected, "at {at} µs");
        }
    }
}

#[test]
fn a_live_journal_is_followed() {
    let root = tempfile::tempdir().unwrap();
    let records = long();
    let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(20_000);
    let path = writer.path().to_path_buf();
    let mut past = Past::with(&path, usize::MAX, 5_000).unwrap();
    assert_eq!(past.end().unwrap(), (0, Micros(0)));
    let mut plain = State::default();
    for record in &records {
        writer.append(record).unwrap();
        writer.commit().unwrap();
        plain.apply(record);
        if record.seq % 97 == 0 {
            assert_eq!(past.end().unwrap(), (record.seq, record.at));
            assert_eq!(past.see(u64::MAX).unwrap(), &plain);
            assert_eq!(past.see(record.seq / 2).unwrap().seq, record.seq / 2);
        }
    }
}

#[test]
fn a_late_viewer_begins_at_a_checkpoint_and_a_bad_one_is_as_if_it_were_not_there() {
    let root = tempfile::tempdir().unwrap();
    let records = long();
    let path = laid_out(root.path(), &records);
    let whole = fold(&records);
    let mut past = Past::with(&path, usize::MAX, 5_000).unwrap();
    assert!(past.latest_checkpoint().is_none());
    past.see(u64::MAX).unwrap();
    assert_eq!(past.latest_checkpoint().unwrap(), whole, "what is at hand is the newest");
    drop(past);
    let made = checkpoints(&path);
    assert!(!made.is_empty());
    let total: u64 = made.iter().map(|p| std::fs::metadata(p).unwrap().len()).sum();
    let journal: u64 = whole_bytes(&path);
    assert!(total <= journal / 2, "they stay small beside the journal: {total} of {journal}");

    let begun = Past::with(&path, usize::MAX, 5_000).unwrap().latest_checkpoint().unwrap();
    assert_eq!(begun, fold(&records[..begun.seq as usize]), "it is a true state");
    assert!(begun.tasks().iter().all(|t| begun.find(&t.id).is_some()), "with its index");

    let newest = made[made.len() - 1].clone();
    let good = std::fs::read_to_string(&newest).unwrap();
    let half = good.len() / 2;
    let mut flipped = good.clone();
    let digit = flipped.rfind("\"seen\"").or(flipped.rfind(":0")).map(|at| at + 1).unwrap();
    flipped.replace_range(digit..=digit, "7");
    let mut bad = vec![
        String::new(),
        good[..half].to_owned(),
        good[..good.len() - 1].to_owned(),
        flipped,
        good.replacen("\"program\":\"", "\"program\":\"9", 1),
        good.replacen("\"baton_checkpoint\":", "\"baton_checkpoint\":9", 1),
        "{}\n{}".to_owned(),
    ];
    let mut garbled = String::new();
    for n in 0..200 {
        let _ = write!(garbled, "{n}\u{1b}[31m");
    }
    bad.push(garbled);
    for (i, text) in bad.into_iter().enumerate() {
        std::fs::write(&newest, text).unwrap();
        let mut past = Past::with(&path, usize::MAX, 5_000).unwrap();
        let seq = records.len() as u64;
        assert_ne!(past.latest_checkpoint().map(|s| s.seq), Some(begun.seq), "bad one {i}");
        assert_eq!(past.see(seq).unwrap(), &whole, "bad one {i}");
        drop(past);
        std::fs::write(&newest, &good).unwrap();
    }

    // All of them may go at any time.
    for path in checkpoints(&path) {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(Past::with(&path, usize::MAX, 5_000).unwrap().state_at(u64::MAX).unwrap(), whole);
}

fn whole_bytes(journal: &Path) -> u64 {
    crate::engine::journal::parts::end_of(journal).unwrap()
}

#[test]
fn a_checkpoint_of_records_that_were_lost_is_not_believed() {
    let root = tempfile::tempdir().unwrap();
    let records = long();
    let path = laid_out(root.path(), &records);
    let mut past = Past::with(&path, usize::MAX, 5_000).unwrap();
    past.state_at(u64::MAX).unwrap();
    drop(past);
    let newest = crate::engine::journal::checkpoint::list(&path).pop().unwrap();
    // A power cut: the story ends before that checkpoint, and goes on differently.
    let other = tempfile::tempdir().unwrap();
    let mut changed = records.clone();
    changed[newest.seq as usize - 1].event = Event::SessionPaused {};
    let again = laid_out(other.path(), &changed);
    std::fs::copy(&newest.path, again.with_file_name(newest.path.file_name().unwrap())).unwrap();
    let mut past = Past::with(&again, usize::MAX, 5_000).unwrap();
    assert_eq!(past.latest_checkpoint(), None);
    assert_eq!(past.state_at(newest.seq).unwrap(), fold(&changed[..newest.seq as usize]));
    // The same where the journal ends before it.
    let short = tempfile::tempdir().unwrap();
    let again = laid_out(short.path(), &records[..newest.seq as usize - 1]);
    std::fs::copy(&newest.path, again.with_file_name(newest.path.file_name().unwrap())).unwrap();
    assert_eq!(Past::with(&again, usize::MAX, 5_000).unwrap().latest_checkpoint(), None);
}
