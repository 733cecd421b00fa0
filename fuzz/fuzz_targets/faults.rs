//! The faults a simulated fleet is told on the command line.

#![no_main]

use baton::engine::simulator::Faults;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _read = text.parse::<Faults>();
});
