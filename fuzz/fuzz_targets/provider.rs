//! A server's answer in each protocol, in pieces of any size: chunks, or a fault in words; and the chunks' text as it is
//! recorded, in pieces of at most 4 KiB that together are all of it.

#![no_main]

use std::collections::VecDeque;

use baton::domain::fleet::{Api, Protocol};
use baton::domain::protocol::{Channel, Micros};
use baton::engine::host::Coalescer;
use baton::engine::providers::{Chunk, Decoder};
use libfuzzer_sys::fuzz_target;

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
        fed = decoder.finish(&mut out);
    }
    let ends = out.iter().filter(|chunk| matches!(chunk, Chunk::End { .. })).count();
    assert_eq!(ends, usize::from(fed.is_ok()), "an answer has an end, or a fault");
    let (mut coalescer, mut said, mut recorded) = (Coalescer::default(), 0, 0);
    for (at, chunk) in (0..).zip(out) {
        let (channel, text) = match chunk {
            Chunk::Thinking(text) => (Channel::Thinking, text),
            Chunk::Answer(text) => (Channel::Answer, text),
            Chunk::ToolCall(text) => (Channel::ToolCall, text),
            _ => continue,
        };
        said += text.len();
        for piece in coalescer.push(Micros(at), channel, &text) {
            assert!(piece.text.len() <= 4096, "a piece of {} bytes", piece.text.len());
            recorded += piece.text.len();
        }
    }
    recorded += coalescer.flush().map_or(0, |piece| piece.text.len());
    assert_eq!(recorded, said, "no text is lost");
});
