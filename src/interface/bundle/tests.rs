//! Bundles as wholes: what is given away, and what is taken from somebody else.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::domain::protocol::{Event, Record};
use crate::domain::state::State;
use crate::engine::journal::{Journal, SessionSummary};

/// The recorded sessions.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(name)
}

fn order<'a>(journal: &'a Path, state: &'a Path, out: &'a Path, without: &[LeftOut]) -> Order<'a> {
    Order { journal, state, out: Some(out), task: None, without: without.to_vec(), known: Known::default() }
}

fn folded(journal: &Path) -> (Journal, State) {
    let journal = Journal::read_all(journal).unwrap();
    let mut state = State::default();
    journal.records.iter().for_each(|record| state.apply(record));
    (journal, state)
}

/// Nothing was left where bundles are made and unpacked.
fn is_swept(state: &Path) -> bool {
    !state.join("bundles").exists()
}

#[test]
fn a_bundle_is_the_session_and_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (state, out, again) =
        (folder.path().join("state"), folder.path().join("a.baton.tgz"), folder.path().join("b.baton.tgz"));
    let from = fixture("weather-station.jsonl");
    let (_, manifest) = pack(&order(&from, &state, &out, &[])).unwrap();
    pack(&order(&from, &state, &again, &[])).unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&again).unwrap());
    assert!(is_bundle(&out) && !is_bundle(&from) && is_swept(&state));
    let unpacked = unpack(&out, &state).unwrap();
    assert_eq!(unpacked.manifest, manifest);
    let ((before, whole), (after, folded)) = (folded(&from), folded(&unpacked.journal));
    assert_eq!((before.records, whole), (after.records, folded));
    assert_eq!(manifest.replaced, []);
    drop(unpacked);
    assert!(is_swept(&state));
}

#[test]
fn what_is_left_out_is_not_there_and_the_rest_folds_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let (state, out) = (folder.path().join("state"), folder.path().join("a.baton.tgz"));
    for name in ["weather-station.jsonl", "two-parsers.jsonl", "v1/journal.jsonl"] {
        let from = fixture(name);
        let (before, whole) = folded(&from);
        for without in [&[LeftOut::Text][..], &[LeftOut::Names], &[LeftOut::Text, LeftOut::Paths, LeftOut::Names]] {
            pack(&order(&from, &state, &out, without)).unwrap();
            let unpacked = unpack(&out, &state).unwrap();
            let (after, state) = folded(&unpacked.journal);
            let text = std::fs::read_to_string(&unpacked.journal).unwrap();
            assert_eq!(before.records.len(), after.records.len());
            let of = |state: &State| {
                let mut summary = SessionSummary::of(&before.header.session, state);
                (summary.goal, summary.folder, summary.parent) = Default::default();
                let lives: Vec<_> = state.tasks().iter().map(|t| (t.id.clone(), t.life, t.attempts.clone())).collect();
                let said: Vec<_> =
                    state.attempts().iter().map(|a| (a.id, a.output_tokens(), a.ended.is_some())).collect();
                (summary, lives, said)
            };
            assert_eq!(of(&whole), of(&state), "{name} without {without:?}");
            if without.contains(&LeftOut::Text) {
                let bytes = |records: &[Record]| {
                    records.iter().filter_map(Record::said).map(|(.., text)| text.len()).collect::<Vec<_>>()
                };
                assert_eq!(bytes(&before.records), bytes(&after.records));
                for task in whole.tasks() {
                    let line = task.spec.prompt.lines().next().unwrap_or_default();
                    let quoted = serde_json::to_string(line).unwrap();
                    assert!(line.len() < 12 || !text.contains(quoted.trim_matches('"')), "{name}: {line}");
                }
                for record in &before.records {
                    if let Event::AttemptOutput(output) = &record.event
                        && output.text.len() > 24
                    {
                        let quoted = serde_json::to_string(&output.text).unwrap();
                        assert!(!text.contains(quoted.trim_matches('"')));
                    }
                }
            }
            if without.contains(&LeftOut::Names) {
                assert!(!text.contains(before.header.session.as_str()), "{name}");
                let hosts = whole.lives.iter().map(|(_, life)| life.host.as_str()).filter(|host| host.len() > 2);
                for host in hosts {
                    assert!(!text.contains(&format!("{host:?}")), "{name}: {host}");
                }
            }
        }
    }
}

#[test]
fn a_secret_goes_out_in_no_form_and_is_told_by_its_kind_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let (state, out) = (folder.path().join("state"), folder.path().join("a.baton.tgz"));
    let from = folder.path().join("journal.jsonl");
    // In the middle of an answer, cut by a record's end.
    let text = std::fs::read_to_string(fixture("v1/journal.jsonl")).unwrap();
    let mut lines = Vec::new();
    // Put together: no file of ours names a path of somebody's machine.
    let maria = ["", "home", "maria"].join("/");
    let mut parts = ["the key is ghp_0123456789ab", "cdefghij0123456789, and "].into_iter();
    for line in text.lines() {
        match Record::from_json(line) {
            Ok(mut record) => {
                match &mut record.event {
                    Event::AttemptOutput(output) => output.text = parts.next().unwrap_or("s3cret-of-mine").to_owned(),
                    Event::GoalAdded(goal) => {
                        goal.text = format!("use https://me:pa55word@box/ in {maria}/x").as_str().into()
                    }
                    _ => {}
                }
                lines.push(serde_json::to_string(&record).unwrap());
            }
            Err(_) => lines.push(line.to_owned()),
        }
    }
    std::fs::write(&from, lines.join("\n") + "\n").unwrap();
    let known = Known { secrets: vec![("s3cret-of-mine".into(), "the value of $MINE".into())], ..Known::default() };
    let wanted = Order { known, ..order(&from, &state, &out, &[LeftOut::Paths]) };
    let (_, manifest) = pack(&wanted).unwrap();
    let mut whole = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(std::fs::File::open(&out).unwrap()), &mut whole)
        .unwrap();
    for secret in ["ghp_", "cdefghij0123456789", "pa55word", "s3cret-of-mine", &maria] {
        assert!(!whole.contains(secret), "{secret}");
    }
    let kinds: Vec<&str> = manifest.replaced.iter().map(|r| r.kind.as_str()).collect();
    for kind in ["a GitHub token", "a password in an address", "a path", "the value of $MINE"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert!(manifest.replaced.iter().all(|r| r.count > 0 && !r.places.is_empty()), "{manifest:?}");
}

#[test]
fn a_bundle_of_one_task_has_what_it_was_made_of_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (state, out) = (folder.path().join("state"), folder.path().join("a.baton.tgz"));
    let from = fixture("weather-station.jsonl");
    let (_, whole) = folded(&from);
    let task = whole.tasks().iter().find(|t| t.is_done() && !t.needs.is_empty()).unwrap();
    let id = task.id.to_string();
    let (_, manifest) = pack(&Order { task: Some(&id), ..order(&from, &state, &out, &[]) }).unwrap();
    assert_eq!(manifest.task.as_deref(), Some(id.as_str()));
    let unpacked = unpack(&out, &state).unwrap();
    let said = |path: &Path| {
        let (journal, state) = folded(path);
        let mut said = std::collections::BTreeMap::<String, String>::new();
        for (turn, _, text) in journal.records.iter().filter_map(Record::said) {
            let task = state.task(state.attempt(turn.attempt).unwrap().task).id.to_string();
            said.entry(task).or_default().push_str(text);
        }
        said
    };
    let (before, after) = (said(&from), said(&unpacked.journal));
    let need = whole.task(task.needs[0]).id.to_string();
    assert_eq!((&before[&id], &before[&need]), (&after[&id], &after[&need]));
    let others = before.iter().filter(|(other, text)| **other != id && after[*other] != **text).count();
    assert!(others > 5, "{others}");
    let none = pack(&Order { task: Some("no-such"), ..order(&from, &state, &out, &[]) }).unwrap_err();
    assert!(none.to_string().contains("no-such"), "{none}");
}

/// An entry of a tar that somebody else makes.
struct Bad<'a> {
    name: &'a str,
    kind: u8,
    says: Option<u64>,
    data: &'a [u8],
}

fn file<'a>(name: &'a str, data: &'a [u8]) -> Bad<'a> {
    Bad { name, kind: b'0', says: None, data }
}

fn made(path: &Path, entries: &[Bad<'_>]) {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    for Bad { name, kind, says, data } in entries {
        let mut whole = Vec::new();
        tar::write(&mut whole, name, data.len() as u64, &mut &**data).unwrap();
        whole[156] = *kind;
        if let Some(says) = says {
            whole[124..136].copy_from_slice(format!("{says:011o}\0").as_bytes());
        }
        whole[148..156].copy_from_slice(b"        ");
        let sum: u32 = whole[..512].iter().map(|b| u32::from(*b)).sum();
        whole[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        gz.write_all(&whole).unwrap();
    }
    tar::finish(&mut gz).unwrap();
    std::fs::write(path, gz.finish().unwrap()).unwrap();
}

const MANIFEST: &[u8] = br#"{"baton_bundle":1,"program":"0","system":"x","session":"s","records":1}"#;

#[test]
fn what_calls_itself_a_bundle_and_is_none_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (state, path) = (folder.path().join("state"), folder.path().join("a.tgz"));
    let (head, records) = (|| file("manifest.json", MANIFEST), || file("journal.jsonl", b"{}\n"));
    let of = |name: &'static str, kind: u8| Bad { name, kind, says: None, data: b"" };
    let large = |name: &'static str, says: u64| Bad { name, kind: b'0', says: Some(says), data: b"x" };
    let cases: Vec<(Vec<Bad<'_>>, &str)> = vec![
        (vec![], "it is empty"),
        (vec![records(), head()], "does not begin with a manifest"),
        (vec![head()], "holds no journal"),
        (vec![head(), records(), records()], "two entries \"journal.jsonl\""),
        (vec![head(), head(), records()], "two entries \"manifest.json\""),
        (vec![head(), records(), file("results/a.md", b"1"), file("results/a.md", b"2")], "two entries"),
        (vec![head(), file("../journal.jsonl", b"")], "no bundle has an entry"),
        (vec![head(), file("/etc/passwd", b"")], "no bundle has an entry"),
        (vec![head(), file("results/../../a.md", b"")], "no bundle has an entry"),
        (vec![head(), of("journal.jsonl", b'2')], "is a link"),
        (vec![head(), of("journal.jsonl", b'1')], "is a link"),
        (vec![head(), of("journal.jsonl", b'3')], "is a device"),
        (vec![head(), of("results", b'5')], "is a folder"),
        (vec![head(), of("journal.jsonl", b'6')], "is a pipe"),
        (vec![head(), of("journal.jsonl", b'x')], "of a kind that no bundle has"),
        (vec![head(), large("journal.jsonl", MOST_JOURNAL + 1)], "larger than it may be"),
        (vec![head(), large("journal.jsonl", 1 << 30)], "cut off"),
        (vec![large("manifest.json", 2 << 20)], "larger than it may be"),
        (vec![file("manifest.json", b"[]")], "manifest can't be read"),
        (vec![file("manifest.json", br#"{"baton_bundle":2}"#)], "update Baton"),
    ];
    for (entries, words) in cases {
        made(&path, &entries);
        let refused = unpack(&path, &state).unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
        assert!(is_swept(&state), "{words}");
    }
    made(&path, &[head(), records()]);
    assert!(unpack(&path, &state).is_ok());
    // Cut anywhere, and with a byte changed anywhere.
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        std::fs::write(&path, &whole[..at]).unwrap();
        assert!(unpack(&path, &state).is_err(), "cut at {at}");
        let mut changed = whole.clone();
        changed[at] ^= 0x41;
        std::fs::write(&path, &changed).unwrap();
        // Some bytes of the head say nothing.
        let _ = unpack(&path, &state);
    }
    // A bomb: a little that says it is much, within what is allowed of each.
    let zeros = vec![b'\n'; 4 << 20];
    made(&path, &[head(), records(), file("settings.json", &zeros), file("results/a.md", &zeros)]);
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000 && unpack(&path, &state).is_ok());
    assert!(is_swept(&state));
}
