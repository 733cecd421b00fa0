//! A plan file: refused with reasons, or written and read back the same.

#![no_main]

use baton::domain::plan::{parse, parse_for, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text, "plan.yaml") {
        Ok(plan) => assert_eq!(parse(&write(&plan), "plan.yaml").ok(), Some(plan)),
        Err(errors) => assert!(!errors.is_empty()),
    }
    assert!(parse_for(text, "plan.yaml", &[]).is_err(), "no plan runs without agents");
});
