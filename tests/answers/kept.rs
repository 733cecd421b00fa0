//! Whatever servers and plans send: exit 0 means that every result is in the journal, whole.
//!
//! Streams are made up by chance, in the three protocols; the built binary reads them, and the journal is read here line by
//! line as JSON, not with Baton's reader nor its fold. `BATON_KEPT` says how many runs there are.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::served::{DONE, LINES, STREAM, Served};
use crate::support::{Home, Ran};

/// The longest a run may take; one that was ended has no exit code and promises nothing.
const LIMIT: Duration = Duration::from_secs(60);

/// What a server says at once.
#[derive(Clone, Debug)]
enum Piece {
    Words(String),
    /// So many letters in one piece.
    Long(usize),
    /// So many bytes that are no text.
    Bytes(usize),
    /// Half of a pair that makes a character.
    Lone,
    Thinking(String),
    LongThinking(usize),
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Stop,
    /// Called a tool, with so many bytes of arguments.
    Tool(usize),
    /// The connection is closed.
    Cut,
    /// An error is told in the middle.
    Error,
    /// A line that is no JSON.
    Garbage,
    /// Nothing but a status.
    Refused,
}

#[derive(Clone, Debug)]
struct Stream {
    pieces: Vec<Piece>,
    end: End,
}

#[derive(Clone, Debug)]
struct Task {
    /// Which of the three servers it goes to.
    server: usize,
    prompt: usize,
    /// What it is told, try by try; the last again and again.
    streams: Vec<Stream>,
}

fn piece() -> impl Strategy<Value = Piece> {
    let words = "[a-zäß🚀\\\\\"/{}\\[\\]:,.\u{301}\u{7}\u{1b}]{1,40}";
    prop_oneof![
        8 => words.prop_map(Piece::Words),
        2 => (1usize..60_000).prop_map(Piece::Long),
        1 => Just(Piece::Lone),
        1 => (1usize..3_000).prop_map(Piece::Bytes),
        2 => words.prop_map(Piece::Thinking),
        1 => (1usize..200_000).prop_map(Piece::LongThinking),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        6 => Just(End::Stop),
        1 => prop_oneof![3 => 0usize..2_000, 1 => 900_000usize..1_200_000].prop_map(End::Tool),
        1 => Just(End::Cut),
        1 => Just(End::Error),
        1 => Just(End::Garbage),
        1 => Just(End::Refused),
    ]
}

fn stream() -> impl Strategy<Value = Stream> {
    let usual = (prop::collection::vec(piece(), 0..12), end());
    let huge = prop_oneof![Just(Piece::Bytes(7_500_000)), Just(Piece::Long(9_000_000))];
    prop_oneof![
        19 => usual,
        1 => (huge.prop_map(|piece| vec![piece]), prop_oneof![Just(End::Stop), Just(End::Tool(9_000_000))]),
    ]
    .prop_map(|(pieces, end)| Stream { pieces, end })
}

fn task() -> impl Strategy<Value = Task> {
    // Most tasks come to a good end at last, so that most runs promise something.
    let good = prop::collection::vec(piece(), 1..12).prop_map(|pieces| Stream { pieces, end: End::Stop });
    let last = prop_oneof![9 => good, 1 => stream()];
    let prompt = prop_oneof![9 => 0usize..200, 1 => 10_000usize..30_000];
    (0..3usize, prompt, prop::collection::vec(stream(), 0..3), last).prop_map(|(server, prompt, mut streams, last)| {
        streams.push(last);
        Task { server, prompt, streams }
    })
}

/// What a stream says in all.
fn said(stream: &Stream) -> String {
    let said = stream.pieces.iter().map(|piece| match piece {
        Piece::Words(words) => words.clone(),
        Piece::Long(n) => "x".repeat(*n),
        Piece::Bytes(n) => "\u{fffd}".repeat(*n),
        Piece::Lone => "\u{fffd}".to_owned(),
        Piece::Thinking(_) | Piece::LongThinking(_) => String::new(),
    });
    said.collect()
}

/// A JSON string of a piece, as a careless server writes it.
fn string(piece: &Piece) -> Vec<u8> {
    match piece {
        Piece::Words(text) | Piece::Thinking(text) => json!(text).to_string().into_bytes(),
        Piece::Long(n) | Piece::LongThinking(n) => format!("\"{}\"", "x".repeat(*n)).into_bytes(),
        Piece::Bytes(n) => [b"\"", vec![0xff; *n].as_slice(), b"\""].concat(),
        Piece::Lone => br#""\ud83d""#.to_vec(),
    }
}

fn write(out: &mut impl Write, lines: bool, stream: &Stream) -> std::io::Result<()> {
    if stream.end == End::Refused {
        return out.write_all(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    out.write_all(if lines { LINES } else { STREAM }.as_bytes())?;
    let say = |out: &mut dyn Write, field: &str, string: &[u8]| {
        let (before, after) = match lines {
            true => {
                (format!("{{\"model\":\"m\",\"message\":{{\"role\":\"assistant\",\"{field}\":"), "},\"done\":false}\n")
            }
            false => (format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"{field}\":"), "}}]}\n\n"),
        };
        out.write_all(before.as_bytes())?;
        out.write_all(string)?;
        out.write_all(after.as_bytes())
    };
    for piece in &stream.pieces {
        let field = match piece {
            Piece::Thinking(_) | Piece::LongThinking(_) if lines => "thinking",
            Piece::Thinking(_) | Piece::LongThinking(_) => "reasoning_content",
            _ => "content",
        };
        say(out, field, &string(piece))?;
    }
    let (stop, done) = match lines {
        true => (
            "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n",
            "",
        ),
        false => ("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", DONE),
    };
    match stream.end {
        End::Stop => out.write_all(format!("{stop}{done}").as_bytes()),
        End::Tool(n) => {
            let arguments = json!({ "q": "x".repeat(n) });
            let arguments = if lines { arguments } else { json!(arguments.to_string()) };
            let call = json!([{"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": arguments}}]);
            say(out, "tool_calls", call.to_string().as_bytes())?;
            out.write_all(format!("{stop}{done}").as_bytes())
        }
        End::Error if lines => out.write_all(b"{\"error\":\"the model broke\"}\n"),
        End::Error => out.write_all(b"data: {\"error\":{\"message\":\"the model broke\",\"code\":500}}\n\n"),
        // A line that ends too early, and all is well after it.
        End::Garbage if lines => out.write_all(format!("{{\"model\":\"m\",\"mess\n{stop}{done}").as_bytes()),
        End::Garbage => out.write_all(format!("data: {{\"choices\":\n\n{stop}{done}").as_bytes()),
        End::Cut | End::Refused => Ok(()),
    }
}

/// What the journal says of a task's result.
struct Kept {
    text: String,
    /// How its last turn ended.
    end: Value,
    /// How many bytes were said for it, thinking too.
    heard: usize,
}

/// What the journal says of each task that is done.
fn results(ran: &Ran) -> Result<BTreeMap<String, Kept>, String> {
    let (mut seq, mut ended, mut done) = (0, BTreeMap::new(), BTreeMap::new());
    let (mut said, mut heard) = (BTreeMap::<String, String>::new(), BTreeMap::<String, usize>::new());
    for line in ran.journal.lines().filter(|line| !line.starts_with("{\"baton_journal\"")) {
        let record: Value = serde_json::from_str(line).map_err(|e| format!("line after record {seq}: {e}"))?;
        if record["seq"] != seq + 1 {
            return Err(format!("record {} after {seq}", record["seq"]));
        }
        seq += 1;
        let data = &record["data"];
        let word = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let attempt = |turn: String| turn.split('.').next().unwrap_or_default().to_owned();
        match record["event"].as_str().unwrap_or_default() {
            "attempt.output" => {
                let (attempt, text) = (attempt(word("turn")), word("text"));
                *heard.entry(attempt.clone()).or_default() += text.len();
                if data["channel"] == "answer" {
                    said.entry(attempt).or_default().push_str(&text);
                }
            }
            "turn.ended" => drop(ended.insert(attempt(word("turn")), data["end"].clone())),
            "task.completed" => {
                let attempt = word("attempt");
                let text = said.get(&attempt).cloned().unwrap_or_default();
                let end = ended.get(&attempt).cloned().unwrap_or_default();
                let heard = heard.get(&attempt).copied().unwrap_or_default();
                if done.insert(word("task"), Kept { text, end, heard }).is_some() {
                    return Err(format!("{} is done twice", word("task")));
                }
            }
            _ => {}
        }
    }
    Ok(done)
}

fn run(tasks: &[Task]) -> Ran {
    let servers: Vec<Served> = (0..3)
        .map(|server| {
            let mine: Vec<(String, Vec<Stream>)> = tasks
                .iter()
                .enumerate()
                .filter(|(_, task)| task.server == server)
                .map(|(i, task)| (format!("Say piece {i}."), task.streams.clone()))
                .collect();
            let tries = std::sync::Mutex::new(BTreeMap::<String, usize>::new());
            Served::start(Box::new(move |asked, out| {
                let Some((prompt, streams)) = mine.iter().find(|(prompt, _)| asked.body.contains(prompt)) else {
                    return Ok(());
                };
                let tried = {
                    let mut tries = tries.lock().unwrap();
                    let tried = tries.entry(prompt.clone()).or_default();
                    *tried += 1;
                    *tried - 1
                };
                write(out, server == 2, &streams[tried.min(streams.len() - 1)])
            }))
        })
        .collect();
    let home = Home::new();
    let plan_tasks: Vec<Value> = tasks
        .iter()
        .enumerate()
        .map(|(i, task)| {
            let prompt = format!("Say piece {i}. {}", "ü \u{202e}{ ".repeat(task.prompt / 6));
            json!({"id": format!("t{i}"), "agent": format!("a{}", task.server), "prompt": prompt,
                "retry": {"max": 3, "backoff": "none"}})
        })
        .collect();
    let plan = json!({"version": 1, "goal": "Say it all", "synthesis": false, "tasks": plan_tasks});
    home.file("plan.json", &plan.to_string());
    let session = "[session]\nbackoff_ms = 5\noutage_seconds = 3\non_cut = \"keep\"\n";
    home.file("config/baton/baton.toml", &format!("{session}[machine]\nthrottle_cpu_percent = 0\n"));
    let mut fleet = "replace = true\n".to_owned();
    for (i, (protocol, served)) in ["openai", "llama.cpp", "ollama"].iter().zip(&servers).enumerate() {
        fleet.push_str(&format!(
            "[[endpoint]]\nname = \"s{i}\"\ntiers = [\"t{i}\"]\nprotocol = \"{protocol}\"\nurl = \"http://127.0.0.1:{}\"\n\
             model = \"m\"\nslots = 4\ncontext = 16384\n\
             [[agent]]\nname = \"a{i}\"\ndescription = \"w\"\ntier = \"t{i}\"\nprompt = \"You work.\"\n",
            served.port
        ));
    }
    home.file("fleet.toml", &fleet);
    home.start(&["run", "plan.json", "--headless", "--json", "--fleet", "fleet.toml"], &[]).finish(LIMIT)
}

/// What is wrong with a run that ended so.
fn wrong(tasks: &[Task], ran: &Ran) -> Option<String> {
    let kept = match results(ran) {
        Ok(kept) => kept,
        Err(wrong) => return Some(wrong),
    };
    if ran.code != Some(0) {
        return None;
    }
    for (i, task) in tasks.iter().enumerate() {
        let Some(Kept { text, end, heard }) = kept.get(&format!("g1/t{i}")) else {
            return Some(format!("t{i} is not there"));
        };
        let right = |stream: &Stream| match end.as_str() {
            // Ended by Baton at twice what was asked for, 64 KiB at least: whatever came later.
            Some("length") => *heard > 60_000 && said(stream).starts_with(text.as_str()),
            _ => stream.end == End::Stop && *text == said(stream),
        };
        if !task.streams.iter().any(right) {
            let head: String = text.chars().take(200).collect();
            return Some(format!("t{i} ended {end} with {} bytes: {head:?}", text.len()));
        }
    }
    None
}

#[test]
fn exit_0_means_that_every_result_is_in_the_journal() {
    let cases = std::env::var("BATON_KEPT").ok().map_or(12, |cases| cases.parse().unwrap());
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() });
    let codes = std::cell::RefCell::new(BTreeMap::<Option<i32>, u32>::new());
    let tested = runner.run(&prop::collection::vec(task(), 1..7), |tasks| {
        let ran = run(&tasks);
        *codes.borrow_mut().entry(ran.code).or_default() += 1;
        let told: String = ran.err.chars().take(1_000).collect();
        match wrong(&tasks, &ran) {
            Some(wrong) => Err(TestCaseError::fail(format!("exit {:?}: {wrong}\n{told}", ran.code))),
            None => Ok(()),
        }
    });
    let codes = codes.into_inner();
    eprintln!("exit codes: {codes:?}");
    if let Err(error) = tested {
        panic!("{error}");
    }
    assert!(codes.contains_key(&Some(0)), "no run promised anything: {codes:?}");
}
