//! A server's answer on its whole way: decoder, coalescer, writer, and back. With lines that may be no longer than a piece
//! of 4 KiB can make them and parts of a few: nothing that came is refused, left out or put elsewhere.

#![no_main]

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use baton::domain::fleet::{Api, Protocol};
use baton::domain::protocol::{AttemptId, AttemptOutput, Channel, Event, Micros, Record, TurnId};
use baton::engine::host::{Coalescer, TextPiece};
use baton::engine::journal::{Journal, Sessions, Writer, text_of};
use baton::engine::providers::{Chunk, Decoder};
use libfuzzer_sys::fuzz_target;

/// A piece has at most 4 KiB, each byte of which takes at most six in JSON, and what stands around it.
const MOST_LINE: usize = 4096 * 6 + 512;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (form, step, bytes) = input;
    let (protocol, api) = match form % 4 {
        0 => (Protocol::LlamaCpp, Api::Chat),
        1 => (Protocol::LlamaCpp, Api::Native),
        2 => (Protocol::Ollama, Api::Chat),
        _ => (Protocol::OpenAi, Api::Chat),
    };
    let mut decoder = Decoder::new(protocol, api);
    let mut out = VecDeque::new();
    let mut fed = Ok(());
    for piece in bytes.chunks(usize::from(step).max(1)) {
        fed = decoder.feed(piece, &mut out);
        if fed.is_err() {
            break;
        }
    }
    if fed.is_ok() {
        let _told = decoder.finish(&mut out);
    }
    // In memory where that is to be had: the journal waits for its disk at each part.
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let root = tempfile::tempdir_in(root).expect("a temporary folder");
    let folder = Sessions::new(root.path()).create(&"s".parse().expect("a name")).expect("a session");
    let mut writer = Writer::create(folder, "0").expect("a journal").with_part_bytes(8 * 1024);
    writer = writer.with_longest_line(MOST_LINE);
    let turn = TurnId { attempt: AttemptId(1), turn: 1 };
    let (mut seq, mut said) = (0, BTreeMap::<u8, String>::new());
    let mut keep = |piece: TextPiece, writer: &mut Writer| {
        seq += 1;
        let TextPiece { channel, text, tokens } = piece;
        let output = AttemptOutput { turn, channel, text: text.as_str().into(), tokens };
        let record = Record { seq, at: Micros(seq), event: Event::AttemptOutput(output) };
        writer.append(&record).expect("no piece makes a record too long");
        writer.commit().expect("a disk with room");
    };
    let mut coalescer = Coalescer::default();
    for (at, chunk) in (0..).zip(out) {
        let (channel, text) = match chunk {
            Chunk::Thinking(text) => (Channel::Thinking, text),
            Chunk::Answer(text) => (Channel::Answer, text),
            Chunk::ToolCall(text) => (Channel::ToolCall, text),
            _ => continue,
        };
        said.entry(number(channel)).or_default().push_str(&text);
        coalescer.push(Micros(at * 7_000), channel, &text).into_iter().for_each(|piece| keep(piece, &mut writer));
    }
    coalescer.flush().into_iter().for_each(|piece| keep(piece, &mut writer));
    writer.sync_now().expect("all of it is on disk");
    let path = writer.path().to_path_buf();
    drop(writer);
    let journal = Journal::read_all(&path).expect("a journal that can be read");
    assert_eq!((journal.records.len() as u64, journal.torn, journal.unknown), (seq, 0, 0));
    for channel in [Channel::Thinking, Channel::Answer, Channel::ToolCall] {
        let kept = text_of(&path, &[turn], channel).expect("its text");
        assert_eq!(kept, said.remove(&number(channel)).unwrap_or_default());
    }
});

fn number(channel: Channel) -> u8 {
    match channel {
        Channel::Thinking => 0,
        Channel::Answer => 1,
        Channel::ToolCall => 2,
    }
}
