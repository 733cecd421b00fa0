//! A session begun at a checkpoint: the same as one whose whole journal was read, at every prefix, whatever lies beside it.

use super::*;
use crate::engine::host::TakenUp;
use crate::engine::journal::{Keeper, checkpoint, parts};

/// How far checkpoints are apart in these tests.
const STEP: u64 = 20_000;

/// Chance over a seed (an LCG's high bits).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A session of many tasks, a few at work at a time: words on each channel, turnovers, ends, edits by hand.
fn busy(seed: u64, tasks: u64, n: usize) -> Vec<Record> {
    let mut dice = Dice(seed);
    let mut records: Vec<Record> = Vec::new();
    let mut at = 0;
    let mut add = |event: Event| {
        at += 1_000;
        records.push(Record { seq: records.len() as u64 + 1, at: Micros(at), event });
        records.len()
    };
    let event = |event: &str, data: serde_json::Value| -> Event {
        serde_json::from_value(serde_json::json!({"event": event, "data": data})).unwrap()
    };
    let config = serde_json::json!({"fleet": {"name": "f", "endpoint": [
        {"name": "e", "tiers": ["t"], "protocol": "llama.cpp", "url": "http://127.0.0.1:1", "model": "m", "slots": 4,
         "context": 4096}
    ], "agent": [{"name": "w", "description": "d", "tier": "t", "prompt": "p"}]}, "settings": {}, "seed": 1});
    add(event("session.started", serde_json::json!({"session": "s", "config": config})));
    add(event("goal.added", serde_json::json!({"goal": "g1", "text": "g", "options": {}})));
    let spec = |i: u64| serde_json::json!({"add": {"id": format!("t{i}"), "agent": "w", "prompt": "do it"}});
    let edits: Vec<_> = (0..tasks).map(spec).collect();
    let edited = serde_json::json!({"goal": "g1", "revision": 1, "author": "baton", "edits": edits});
    add(event("plan.edited", edited));
    let (mut running, mut next): (Vec<(u64, u64)>, u64) = (Vec::new(), 0);
    let mut attempt = 0;
    loop {
        let length = match dice.below(20) {
            0 | 1 if running.len() < 4 && next < tasks => {
                attempt += 1;
                let (task, id) = (format!("g1/t{next}"), format!("a{attempt}"));
                add(event("task.started", serde_json::json!({"task": task})));
                let started = serde_json::json!({"attempt": id, "task": task, "version": 1, "agent": "w",
                    "endpoint": "e", "route": "primary"});
                add(event("attempt.started", started));
                running.push((attempt, next));
                next += 1;
                let turn = serde_json::json!({"turn": format!("{id}.1"), "slot": running.len() - 1, "level": "low",
                    "max_tokens": 9, "recipe": []});
                add(event("turn.started", turn))
            }
            2 if running.len() > 2 => {
                let (attempt, task) = running.remove(dice.below(running.len() as u64) as usize);
                let (task, id) = (format!("g1/t{task}"), format!("a{attempt}"));
                let ended = serde_json::json!({"turn": format!("{id}.1"), "end": "stop", "slot": "free"});
                add(event("turn.ended", ended));
                add(event("attempt.ended", serde_json::json!({"attempt": id, "end": "completed"})));
                add(event("task.completed", serde_json::json!({"task": task, "attempt": id})))
            }
            3 if next > 0 && dice.below(4) == 0 => {
                attempt += 1;
                add(Event::ResultEdited(ResultEdited {
                    task: format!("g1/t{}", dice.below(next)).parse().unwrap(),
                    attempt: AttemptId(attempt),
                    author: Author::Baton,
                    text: "by hand".into(),
                }))
            }
            4 => add(Event::SessionPaused {}),
            5 => {
                add(Event::MachineSampled(Box::new(MachineSampled { total: 9, used: 3, ..MachineSampled::default() })))
            }
            _ if running.is_empty() => add(Event::SessionResumed {}),
            what => {
                let turn = TurnId { attempt: AttemptId(running[dice.below(running.len() as u64) as usize].0), turn: 1 };
                if what == 6 {
                    add(Event::TurnRethought { turn })
                } else {
                    let channel = [Channel::Answer, Channel::Thinking, Channel::ToolCall][dice.below(3) as usize];
                    let text = "naïve \"words\"\n".repeat(1 + dice.below(30) as usize);
                    add(Event::AttemptOutput(AttemptOutput { turn, channel, text, tokens: 3 }))
                }
            }
        };
        if length >= n {
            return records;
        }
    }
}

/// Writes them as an engine does, with the checkpoints it makes on the way.
fn kept(root: &Path, records: &[Record]) -> PathBuf {
    let folder = Sessions::new(root).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(70_000);
    let mut keeper = Keeper::with(writer.path(), STEP);
    for record in records {
        writer.append(record).unwrap();
        writer.commit().unwrap();
        keeper.written(writer.committed_bytes(), 1);
        keeper.settle();
    }
    writer.path().to_path_buf()
}

/// The state and the texts of a journal, begun as late as can be. Which record it began after.
fn begun_late(journal: &Path, limit: usize) -> (State, TextStore, u64) {
    let (mut state, mut reader) = Reader::open_late(journal).unwrap();
    let mut texts = TextStore::after(journal, limit, &state);
    let from = state.seq;
    while let Some((offset, record)) = reader.read().unwrap() {
        state.apply(&record);
        texts.feed(&Arc::new(record), offset);
    }
    (state, texts, from)
}

fn begun_early(journal: &Path) -> (State, TextStore) {
    let (mut state, mut texts) = (State::default(), TextStore::new(journal, usize::MAX));
    let mut reader = Reader::open(journal).unwrap();
    while let Some((offset, record)) = reader.read().unwrap() {
        state.apply(&record);
        texts.feed(&Arc::new(record), offset);
    }
    (state, texts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn every_prefix_is_the_same_begun_at_a_checkpoint(seed in any::<u64>(), limit in 0..20_000usize) {
        let root = tempfile::tempdir().unwrap();
        let records = busy(seed, 40, 2_000);
        let path = kept(root.path(), &records);
        let made = checkpoint::list(&path);
        prop_assert!(!made.is_empty());
        let mut dice = Dice(seed);
        let mut late = 0;
        for n in 0..4 {
            // The journal as it was when so many bytes were written, with all checkpoints, also those of what came later.
            let root = tempfile::tempdir().unwrap();
            // The whole is one of them: there is a checkpoint before its end.
            let length = if n == 0 { records.len() } else { 1 + dice.below(records.len() as u64) as usize };
            let cut = laid_out(root.path(), &records[..length]);
            for named in &made {
                std::fs::copy(&named.path, cut.with_file_name(named.path.file_name().unwrap())).unwrap();
            }
            let (state, texts, from) = begun_late(&cut, limit);
            let (whole, all) = begun_early(&cut);
            prop_assert_eq!(&state, &whole);
            late += u32::from(from > 0);
            for attempt in whole.attempts() {
                for channel in [Channel::Thinking, Channel::Answer, Channel::ToolCall] {
                    let turn = TurnId { attempt: attempt.id, turn: 1 };
                    prop_assert_eq!(texts.text(attempt.id, channel).unwrap(), all.text(attempt.id, channel).unwrap());
                    prop_assert_eq!(texts.turn_text(turn, channel).unwrap(), all.turn_text(turn, channel).unwrap());
                }
            }
        }
        prop_assert!(late > 0, "some began at one");
    }
}

fn laid_out(root: &Path, records: &[Record]) -> PathBuf {
    let folder = Sessions::new(root).create(&"s".parse().unwrap()).unwrap();
    let mut writer = Writer::create(folder, "0").unwrap().with_part_bytes(70_000);
    for record in records {
        writer.append(record).unwrap();
        writer.commit().unwrap();
    }
    writer.path().to_path_buf()
}

#[test]
fn an_engine_keeps_small_checkpoints_and_each_is_true_or_as_if_it_were_not_there() {
    let root = tempfile::tempdir().unwrap();
    let records = busy(7, 150, 12_000);
    let path = kept(root.path(), &records);
    let made = checkpoint::list(&path);
    let changes = made.iter().filter(|named| named.own_bytes < named.bytes).count();
    assert!(changes > 2 && changes < made.len(), "some are whole, most say what changed: {made:?}");
    let all: u64 = made.iter().map(|named| named.own_bytes).sum();
    assert!(all <= parts::end_of(&path).unwrap() / 5, "{all}");
    for named in &made {
        let loaded = checkpoint::load(&path, named).unwrap();
        assert_eq!(loaded.state, fold(&records[..named.seq as usize]));
    }
    // Damage in the whole one is damage in what says the changes to it.
    let whole = made.iter().rfind(|named| named.own_bytes == named.bytes).unwrap();
    let mut bytes = std::fs::read(&whole.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&whole.path, bytes).unwrap();
    let (state, _, from) = begun_late(&path, 1_000);
    assert_eq!(state, fold(&records));
    assert!(from < whole.seq, "begun before it");
    assert!(checkpoint::list(&path).iter().all(|named| named.seq < whole.seq), "what is of no use is gone");
}

#[test]
fn a_session_taken_up_late_has_the_number_that_follows_and_tells_of_missing_parts() {
    let root = tempfile::tempdir().unwrap();
    let records = busy(3, 100, 4_000);
    let path = kept(root.path(), &records);
    assert!(!checkpoint::list(&path).is_empty());
    let taken = TakenUp::read(resume(root.path()).unwrap()).unwrap();
    assert_eq!(taken.state(), &fold(&records));
    drop(taken);
    // A record after the newest checkpoint that does not follow is damage as ever.
    let text = std::fs::read_to_string(&path).unwrap();
    let last = text.lines().last().unwrap();
    std::fs::write(&path, format!("{text}{}\n", last.replacen("{\"seq\":4", "{\"seq\":5", 1))).unwrap();
    let error = TakenUp::read(resume(root.path()).unwrap()).err().unwrap().to_string();
    assert!(error.contains("stands after record"), "{error}");
    std::fs::write(&path, &text).unwrap();
    // A closed part that is shorter than it was makes checkpoints void, and is told.
    let first = parts::closed_before(path.parent().unwrap(), u64::MAX).unwrap().remove(0).path;
    let bytes = std::fs::read(&first).unwrap();
    std::fs::write(&first, &bytes[..bytes.len() - 30]).unwrap();
    assert!(TakenUp::read(resume(root.path()).unwrap()).is_err());
}

#[test]
fn none_is_made_over_records_of_a_later_version() {
    let root = tempfile::tempdir().unwrap();
    let path = laid_out(root.path(), &busy(5, 100, 4_000));
    let journal = std::fs::read_to_string(&path).unwrap();
    let other = tempfile::tempdir().unwrap();
    let folder = Sessions::new(other.path()).create(&"s".parse().unwrap()).unwrap();
    let mut text = String::new();
    for part in parts::closed_before(path.parent().unwrap(), u64::MAX).unwrap() {
        text.extend(std::fs::read_to_string(part.path).unwrap().lines().skip(1).map(|line| format!("{line}\n")));
    }
    text.extend(journal.lines().skip(1).map(|line| format!("{line}\n")));
    let head = std::fs::read_to_string(write(tempfile::tempdir().unwrap().path(), &[])).unwrap();
    // The second record is one that nobody here knows.
    let strange = text.replacen("\"goal.added\"", "\"goal.dreamt\"", 1);
    std::fs::write(folder.journal(), format!("{head}{strange}")).unwrap();
    let mut keeper = Keeper::with(&folder.journal(), STEP);
    keeper.written(u64::MAX / 2, 1);
    keeper.settle();
    assert!(checkpoint::list(&folder.journal()).is_empty());
    let mut past = Past::with(&folder.journal(), usize::MAX, STEP).unwrap();
    past.see(u64::MAX).unwrap();
    drop(past);
    assert!(checkpoint::list(&folder.journal()).is_empty());
    // A folder that can't be written, or a journal that is gone, is nobody's trouble.
    let gone = other.path().join("gone/journal.jsonl");
    let mut keeper = Keeper::with(&gone, STEP);
    keeper.written(STEP, usize::MAX);
    assert!(!keeper.is_at_work(), "a state too large for a second one");
    keeper.written(STEP, 1);
    keeper.settle();
}
