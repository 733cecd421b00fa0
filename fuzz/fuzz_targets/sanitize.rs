//! Text for a terminal: clean once is clean for good.

#![no_main]

use baton::domain::text::{CleanText, sanitize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let clean = sanitize(&text);
    assert_eq!(sanitize(&clean), clean);
    assert!(clean.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(!CleanText::one_line(&text).contains('\n'));
});
