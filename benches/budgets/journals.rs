//! Journals: how fast they are read and folded, how near any place of a long one is, what memory much text takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use baton::domain::protocol::{AttemptId, Channel, Event, Micros, Name, Record, TurnId};
use baton::domain::state::State;
use baton::engine::host::TakenUp;
use baton::engine::journal::{HOT_BYTES, Keeper, Past, Reader, Sessions, TextStore, Writer, text_of};
use baton::interface::tui::scene::Transcripts;

use crate::Report;
use crate::decisions::{Pieces, run_through};
use crate::frames::{clock, endless};

/// The flag of the process whose memory is measured.
pub(crate) const MEMORY: &str = "--tokens-here";

/// What 50 ms of a stream of 100 tokens a second are: the most common record of a session.
const PIECE: &str = "sits on that line, no";

struct Written {
    folder: tempfile::TempDir,
    journal: PathBuf,
    bytes: u64,
    records: u64,
}

/// Writes the journal of a run as the engine does, with the checkpoints it makes on the way.
fn write(pieces: Pieces<'_>) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let session = Sessions::new(folder.path()).create(&Name::slug("bench")).unwrap();
    let mut writer = Writer::create(session, "bench").unwrap();
    let mut keeper = Keeper::new(writer.path());
    let (mut records, mut items) = (0, pieces.tasks);
    run_through(
        pieces,
        |_, _| {},
        |record| {
            writer.append(&record).unwrap();
            records = record.seq;
            items += usize::from(matches!(record.event, Event::AttemptStarted(_)));
            if record.seq.is_multiple_of(64) {
                writer.commit().unwrap();
                keeper.written(writer.committed_bytes(), items);
            }
        },
    );
    writer.sync_now().unwrap();
    let (journal, bytes) = (writer.path().to_path_buf(), writer.committed_bytes());
    Written { folder, journal, bytes, records }
}

/// Reads and folds a whole journal; seconds of CPU time, the system's included.
fn fold(journal: &Path) -> (State, f64) {
    let begun = clock();
    let mut reader = Reader::open(journal).unwrap();
    let mut state = State::default();
    while let Some((_, record)) = reader.read().unwrap() {
        state.apply(&record);
    }
    (state, clock() - begun)
}

/// The best of three: the file's pages are in memory after the first.
fn best(journal: &Path) -> f64 {
    (0..3).map(|_| fold(journal).1).fold(f64::MAX, f64::min)
}

pub(crate) fn replay(report: &mut Report) {
    // The standard mix: 20 streams of 100 tokens a second, answers of 500 tokens.
    let written = write(Pieces { tasks: 10_000, count: 100, text: PIECE, tokens: 5 });
    let took = best(&written.journal);
    let rate = written.records as f64 / took / 1e6;
    report.at_least("replay without drawing, the standard mix, from its file", rate, 1.0, "M rec/s");
    println!(
        "     mean {} B a record, {:.0} MB/s, {} MB in all",
        written.bytes / written.records,
        written.bytes as f64 / took / 1e6,
        written.bytes / 1_000_000
    );
    drop(written);
    // What comes when a fast server sends much at once: lines, quotes, and letters beyond ASCII.
    let page = format!("{} — “naïve”, \"plain\"\n", crate::frames::TEXT).repeat(5);
    let page = &page[..page.floor_char_boundary(4096)];
    let written = write(Pieces { tasks: 10_000, count: 8, text: page, tokens: 1000 });
    let took = best(&written.journal);
    let rate = written.bytes as f64 / took / 1e6;
    report.at_least("replay without drawing, much text, from its file", rate, 300.0, "MB/s");
    println!("     mean {} B a record, {} MB in all", written.bytes / written.records, written.bytes / 1_000_000);
}

/// Any place of a journal of a gigabyte.
pub(crate) fn seek(report: &mut Report) {
    if !report.wants("seek in a journal of 1 GB") {
        return;
    }
    let begun = Instant::now();
    let written = write(Pieces { tasks: 10_000, count: 890, text: PIECE, tokens: 5 });
    let made = begun.elapsed().as_secs_f64();
    println!("     {} records, {} MB, made in {made:.0} s", written.records, written.bytes / 1_000_000);
    let mut past = Past::open(&written.journal).unwrap();
    let begun = clock();
    let end = past.state_at(u64::MAX).unwrap();
    println!("     read through once in {:.2} s; now it is indexed", clock() - begun);
    let mut random = 12_345u64;
    let mut next = |upto: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % upto
    };
    let mut line = |title: &str, times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        let (middle, worst) = (times[times.len() / 2], times[times.len() - 1]);
        report.at_most(title, worst, 100.0, "ms");
        println!("     median {middle:.2} ms");
    };
    let timed = |what: &mut dyn FnMut()| {
        let begun = clock();
        what();
        (clock() - begun) * 1e3
    };
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let seq = next(end.seq) + 1;
            timed(&mut || assert_eq!(past.state_at(seq).unwrap().seq, seq))
        })
        .collect();
    line("seek in a journal of 1 GB: state at a record, worst of 200", &mut times);
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let at = Micros(next(end.at.0));
            timed(&mut || assert!(past.seq_at(at).unwrap() > 0))
        })
        .collect();
    line("seek in a journal of 1 GB: record of a time, worst of 200", &mut times);
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let turn = TurnId { attempt: AttemptId(next(10_000) + 1), turn: 1 };
            timed(&mut || assert!(!text_of(&written.journal, &[turn], Channel::Answer).unwrap().is_empty()))
        })
        .collect();
    line("seek in a journal of 1 GB: the text of an attempt, worst of 200", &mut times);
    drop(past);
    let beside = std::fs::read_dir(written.journal.parent().unwrap()).unwrap().flatten();
    let checkpoints: Vec<u64> = beside
        .filter(|e| e.file_name().to_string_lossy().starts_with("checkpoint-"))
        .map(|e| e.metadata().unwrap().len())
        .collect();
    let mut times: Vec<f64> = (0..20)
        .map(|_| {
            let seq = next(end.seq) + 1;
            timed(&mut || {
                let mut past = Past::open(&written.journal).unwrap();
                assert_eq!(past.state_at(seq).unwrap().seq, seq);
            })
        })
        .collect();
    line("seek in a journal of 1 GB: by a new process, worst of 20", &mut times);
    println!("     {} checkpoints, {} MB in all", checkpoints.len(), checkpoints.iter().sum::<u64>() / 1_000_000);
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            timed(&mut || {
                let sessions = Sessions::new(written.folder.path());
                assert_eq!(TakenUp::open(&sessions, &Name::slug("bench")).unwrap().state().seq, end.seq);
            })
        })
        .collect();
    line("seek in a journal of 1 GB: to take the session up, worst of 5", &mut times);
}

/// Memory after 10,000,000 tokens, in a process of its own.
pub(crate) fn memory(report: &mut Report) {
    if !report.wants("memory after 10,000,000 tokens") || !Path::new("/proc/self/status").exists() {
        return;
    }
    let run = |tasks: &str| {
        let out = Command::new(std::env::current_exe().unwrap()).args([MEMORY, tasks]).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let mut figures = text.split_whitespace().map(|n| n.parse::<f64>().unwrap() / 1e3);
        (figures.next().unwrap(), figures.next().unwrap())
    };
    // The same text in few tasks and in many: what a finished task costs is then told from what text costs.
    let answers = [
        ("2000", "2,000 answers of 5,000"),
        ("10000", "10,000 answers of 1,000"),
        ("1", "one answer without an end, drawn as it comes"),
    ];
    for (tasks, title) in answers {
        let (now, peak) = run(tasks);
        report.at_most(&format!("memory after 10,000,000 tokens, at its peak: {title}"), peak, 80.0, "MB");
        println!("     engine and console, at the end {now:.1} MB");
    }
}

/// 10,000,000 tokens through what the engine and the console keep of them. Prints the memory in use and at its peak, in
/// kB.
pub(crate) fn tokens_here(tasks: usize) {
    if tasks == 1 {
        let console = endless();
        print_memory();
        drop(console);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let session = Sessions::new(folder.path()).create(&Name::slug("bench")).unwrap();
    let mut writer = Writer::create(session, "bench").unwrap();
    let mut texts = TextStore::new(writer.path(), HOT_BYTES);
    let mut keeper = Keeper::new(writer.path());
    let (mut state, mut transcripts) = (State::default(), Transcripts::default());
    let mut batch: Vec<(Arc<Record>, u64)> = Vec::new();
    run_through(
        Pieces { tasks, count: 2_000_000 / tasks, text: PIECE, tokens: 5 },
        |_, _| {},
        |record| {
            let offset = writer.append(&record).unwrap();
            batch.push((record, offset));
            if batch.len() >= 64 {
                writer.commit().unwrap();
                keeper.written(writer.committed_bytes(), state.tasks().len() + state.attempts().len());
                for (record, offset) in batch.drain(..) {
                    texts.feed(&record, offset);
                    state.apply(&record);
                    transcripts.apply(&record);
                }
            }
        },
    );
    print_memory();
    drop((state, transcripts, texts));
}

fn print_memory() {
    let figures = std::fs::read_to_string("/proc/self/status").unwrap();
    let figure = |name: &str| {
        let line = figures.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    println!("{} {}", figure("VmRSS:"), figure("VmHWM:"));
}
