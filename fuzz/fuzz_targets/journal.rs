//! A journal file: read whole or refused, whatever is in it.

#![no_main]

use baton::engine::journal::Journal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("journal.jsonl");
    std::fs::write(&path, bytes).expect("a file in it");
    let _read = Journal::read_all(&path);
});
