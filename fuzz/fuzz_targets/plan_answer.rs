//! The answer of a planning model: there is always a sound plan in the end.

#![no_main]

use baton::domain::plan::read_answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = read_answer(text, "a goal", &[], 12);
    assert!(found.plan.tasks.len() <= 12);
});
