//! A script: refused with reasons that have a place, or read.

#![no_main]

use baton::interface::script::language::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse("script", text) {
        Ok(lines) => assert!(lines.len() <= text.lines().count()),
        Err(errors) => assert!(errors.iter().all(|e| e.line > 0 && e.column > 0) && !errors.is_empty()),
    }
});
