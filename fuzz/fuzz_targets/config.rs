//! A configuration file of the user: loaded, or refused with reasons.

#![no_main]

use std::collections::BTreeMap;

use baton::config::{Flags, Surroundings, load_in};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &str)| {
    let (fleet, text) = input;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = folder.path().join(".config/baton");
    std::fs::create_dir_all(&own).expect("a folder in it");
    std::fs::write(own.join(if fleet { "fleet.toml" } else { "config.toml" }), text).expect("a file in it");
    let surroundings =
        Surroundings { variables: BTreeMap::new(), working: folder.path().into(), home: folder.path().into() };
    if let Err(errors) = load_in(&surroundings, &Flags::default()) {
        assert!(!errors.is_empty());
    }
});
