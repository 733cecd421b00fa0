//! A file of the user's own keys: what can't be read is a warning.

#![no_main]

use baton::interface::tui::action::Keymap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _read = Keymap::with_user("keys.toml", text);
});
