//! A journal from anywhere, folded: lines that are no records are passed over.

#![no_main]

use baton::domain::protocol::Record;
use baton::domain::state::State;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut state = State::default();
    for line in text.lines() {
        if let Ok(record) = Record::from_json(line) {
            state.apply(&record);
        }
    }
});
