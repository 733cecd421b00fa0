//! One line of a journal: what is read is written and read back the same.

#![no_main]

use baton::domain::protocol::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(record) = Record::from_json(text) {
        let line = serde_json::to_string(&record).expect("a record can be written");
        assert_eq!(Record::from_json(&line).ok(), Some(record));
    }
});
