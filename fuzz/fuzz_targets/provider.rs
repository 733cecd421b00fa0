//! A server's answer in each protocol, in pieces of any size: chunks, or a fault in words.

#![no_main]

use std::collections::VecDeque;

use baton::domain::fleet::{Api, Protocol};
use baton::engine::providers::Decoder;
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
    for piece in bytes.chunks(usize::from(step).max(1)) {
        if decoder.feed(piece, &mut out).is_err() {
            return;
        }
    }
    let _end = decoder.finish(&mut out);
});
